//! Sinks and sources of bytes: user memory in one or more pieces, and kernel slices.

use super::{Sink, Source};
use crate::{Errno, SysResult, mm::frame::Frame, mm::user};
use alloc::vec::Vec;
use linux_raw_sys::general::UIO_MAXIOV;
use vitrine_abi::layout::USER_END;

/// Most bytes that one read or write moves (Linux's MAX_RW_COUNT).
pub const MAX_COUNT: usize = 0x7fff_f000;

/// Largest file, and largest offset.
pub const MAX_FILE_SIZE: u64 = i64::MAX as u64;

/// A transfer must end below the largest offset; `EINVAL`.
pub fn check_end(offset: u64, len: usize) -> Result<(), Errno> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= MAX_FILE_SIZE => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// Bytes that the default frame copies move at a time.
const PIECE: usize = 512;

/// [`Sink::put_frame`] by way of a small buffer.
pub fn put_frame_by_pieces<S: Sink + ?Sized>(
    sink: &mut S,
    frame: &Frame,
    offset: usize,
    len: usize,
) -> SysResult {
    let mut buf = [0u8; PIECE];
    let mut done = 0;
    while done < len {
        let part = (len - done).min(PIECE);
        frame.read(offset + done, &mut buf[..part]);
        match sink.put(&buf[..part]) {
            Ok(n) => {
                done += n;
                if n < part {
                    break;
                }
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// [`Source::take_frame`] by way of a small buffer.
pub fn take_frame_by_pieces<S: Source + ?Sized>(
    source: &mut S,
    frame: &Frame,
    offset: usize,
    len: usize,
) -> SysResult {
    let mut buf = [0u8; PIECE];
    let mut done = 0;
    while done < len {
        let part = (len - done).min(PIECE);
        match source.take(&mut buf[..part]) {
            Ok(n) => {
                frame.write(offset + done, &buf[..n]);
                done += n;
                if n < part {
                    break;
                }
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// Puts `len` zeros.
pub fn put_zeros(sink: &mut dyn Sink, len: usize) -> SysResult {
    static ZEROS: [u8; 4096] = [0; 4096];
    let mut done = 0;
    while done < len {
        let part = (len - done).min(ZEROS.len());
        match sink.put(&ZEROS[..part]) {
            Ok(n) => {
                done += n;
                if n < part {
                    break;
                }
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// Pieces of user memory, passed through from the first byte to the last.
pub struct UserPieces {
    /// The piece in hand: address and bytes left.
    addr: u64,
    len: usize,
    /// Those after it, the next one last.
    rest: Vec<(u64, usize)>,
    /// Bytes left in all.
    left: usize,
}

/// Whether `addr..addr + len` lies in the workload's half.
fn in_user_half(addr: u64, len: u64) -> bool {
    addr.checked_add(len).is_some_and(|end| end <= USER_END)
}

impl UserPieces {
    /// One buffer, as read(2) and write(2) have it; `EFAULT` if it is not in the workload's half.
    pub fn one(addr: u64, len: usize) -> Result<UserPieces, Errno> {
        if !in_user_half(addr, len as u64) {
            return Err(Errno::EFAULT);
        }
        let len = len.min(MAX_COUNT);
        Ok(UserPieces {
            addr,
            len,
            rest: Vec::new(),
            left: len,
        })
    }

    /// The `count` pieces that an array of `struct iovec` lists (readv(2)).
    pub fn vector(iov: u64, count: usize) -> Result<UserPieces, Errno> {
        if count > UIO_MAXIOV as usize {
            return Err(Errno::EINVAL);
        }
        let mut rest = Vec::with_capacity(count);
        let mut left = 0usize;
        for i in 0..count as u64 {
            let entry = iov.checked_add(i * 16).ok_or(Errno::EFAULT)?;
            let [addr, len] = user::read::<[u64; 2]>(entry)?;
            if i64::try_from(len).is_err() {
                return Err(Errno::EINVAL);
            }
            if !in_user_half(addr, len) {
                return Err(Errno::EFAULT);
            }
            let len = usize::try_from(len).map_or(MAX_COUNT, |l| l.min(MAX_COUNT - left));
            left += len;
            if len > 0 {
                rest.push((addr, len));
            }
        }
        rest.reverse();
        let (addr, len) = rest.pop().unwrap_or((0, 0));
        Ok(UserPieces {
            addr,
            len,
            rest,
            left,
        })
    }

    /// Whether there is nothing to move.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    fn advance(&mut self, n: usize) {
        self.addr = self.addr.wrapping_add(n as u64);
        self.len -= n;
        self.left -= n;
        while self.len == 0 {
            match self.rest.pop() {
                Some((addr, len)) => (self.addr, self.len) = (addr, len),
                None => break,
            }
        }
    }

    /// Moves up to `total` bytes: `copy(addr, offset, len)` moves one part and says how many bytes went.
    fn each(
        &mut self,
        total: usize,
        mut copy: impl FnMut(u64, usize, usize) -> usize,
    ) -> SysResult {
        let mut done = 0;
        while done < total && self.left > 0 {
            let part = self.len.min(total - done);
            let n = copy(self.addr, done, part);
            self.advance(n);
            done += n;
            if n < part {
                return if done == 0 {
                    Err(Errno::EFAULT)
                } else {
                    Ok(done)
                };
            }
        }
        Ok(done)
    }
}

/// Bytes of `data` that could be written at `addr`.
fn write_some(addr: u64, data: &[u8]) -> usize {
    match user::write_bytes(addr, data) {
        Ok(()) => data.len(),
        Err(_) => crate::sched::current()
            .space()
            .and_then(|space| space.write(addr, data))
            .unwrap_or(0),
    }
}

/// Bytes of `buf` that could be filled from `addr`.
fn read_some(addr: u64, buf: &mut [u8]) -> usize {
    match user::read_bytes(addr, buf) {
        Ok(()) => buf.len(),
        Err(_) => crate::sched::current()
            .space()
            .and_then(|space| space.read(addr, buf))
            .unwrap_or(0),
    }
}

/// User memory to read into.
pub struct UserSink(pub UserPieces);

impl Sink for UserSink {
    fn room(&self) -> usize {
        self.0.left
    }

    fn put(&mut self, data: &[u8]) -> SysResult {
        self.0.each(data.len(), |addr, at, len| {
            write_some(addr, &data[at..at + len])
        })
    }

    fn put_frame(&mut self, frame: &Frame, offset: usize, len: usize) -> SysResult {
        self.0.each(len, |addr, at, part| {
            match user::write_from_frame(addr, frame, offset + at, part) {
                Ok(()) => part,
                Err(_) => {
                    let mut buf = alloc::vec![0u8; part];
                    frame.read(offset + at, &mut buf);
                    write_some(addr, &buf)
                }
            }
        })
    }
}

/// User memory to write from.
pub struct UserSource(pub UserPieces);

impl Source for UserSource {
    fn left(&self) -> usize {
        self.0.left
    }

    fn take(&mut self, buf: &mut [u8]) -> SysResult {
        self.0.each(buf.len(), |addr, at, len| {
            read_some(addr, &mut buf[at..at + len])
        })
    }

    fn take_frame(&mut self, frame: &Frame, offset: usize, len: usize) -> SysResult {
        self.0.each(len, |addr, at, part| {
            match user::read_to_frame(addr, frame, offset + at, part) {
                Ok(()) => part,
                Err(_) => {
                    let mut buf = alloc::vec![0u8; part];
                    let n = read_some(addr, &mut buf);
                    frame.write(offset + at, &buf[..n]);
                    n
                }
            }
        })
    }
}

/// A kernel buffer to read into.
pub struct KernelSink<'a> {
    buf: &'a mut [u8],
    done: usize,
}

impl<'a> KernelSink<'a> {
    /// All of `buf`.
    pub fn new(buf: &'a mut [u8]) -> Self {
        Self { buf, done: 0 }
    }
}

impl Sink for KernelSink<'_> {
    fn room(&self) -> usize {
        self.buf.len() - self.done
    }

    fn put(&mut self, data: &[u8]) -> SysResult {
        let n = data.len().min(self.room());
        self.buf[self.done..self.done + n].copy_from_slice(&data[..n]);
        self.done += n;
        Ok(n)
    }

    fn put_frame(&mut self, frame: &Frame, offset: usize, len: usize) -> SysResult {
        let n = len.min(self.room());
        frame.read(offset, &mut self.buf[self.done..self.done + n]);
        self.done += n;
        Ok(n)
    }
}

/// A kernel buffer to write from.
pub struct KernelSource<'a> {
    data: &'a [u8],
}

impl<'a> KernelSource<'a> {
    /// All of `data`.
    pub fn new(data: &'a [u8]) -> Self {
        Self { data }
    }
}

impl Source for KernelSource<'_> {
    fn left(&self) -> usize {
        self.data.len()
    }

    fn take(&mut self, buf: &mut [u8]) -> SysResult {
        let n = buf.len().min(self.data.len());
        buf[..n].copy_from_slice(&self.data[..n]);
        self.data = &self.data[n..];
        Ok(n)
    }

    fn take_frame(&mut self, frame: &Frame, offset: usize, len: usize) -> SysResult {
        let n = len.min(self.data.len());
        frame.write(offset, &self.data[..n]);
        self.data = &self.data[n..];
        Ok(n)
    }
}
