//! Copies between descriptors inside the kernel: sendfile and copy_file_range.

use super::{
    Table,
    rw::{offset, readable, writable},
};
use crate::{
    Errno, SysResult, call,
    fs::{File, KernelSink, KernelSource, io::MAX_COUNT},
    mm::user,
};
use alloc::vec::Vec;
use linux_raw_sys::general::*;
use vitrine_abi::nr;

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::SENDFILE, call!(sendfile; 4));
    table.set(nr::COPY_FILE_RANGE, call!(copy_file_range; 6));
}

/// Bytes copied at a time.
const BUFFER: usize = 64 << 10;

/// An offset argument by pointer: the place in user memory, and the value there; or the file's own position.
struct Offset {
    addr: u64,
    at: u64,
}

impl Offset {
    fn read(addr: u64, file: &File) -> Result<Offset, Errno> {
        let at = if addr == 0 {
            // Not all files keep their position in the open file: the host does for the caller's.
            match file.ops.seek(file, 0, SEEK_CUR) {
                Ok(at) => at as u64,
                Err(_) => *file.position.lock(),
            }
        } else {
            offset(user::read::<i64>(addr)?)?
        };
        Ok(Offset { addr, at })
    }

    /// Stores the offset after the copy where it came from.
    fn finish(&self, file: &File, moved: usize) -> Result<(), Errno> {
        let at = self.at.saturating_add(moved as u64);
        if self.addr == 0 {
            let target = i64::try_from(at).map_err(|_| Errno::EOVERFLOW)?;
            if file.ops.seek(file, target, SEEK_SET).is_err() {
                *file.position.lock() = at;
            }
            return Ok(());
        }
        user::write(self.addr, &(at as i64))
    }
}

/// Copies up to `count` bytes: `read(done, buf)` fetches, `write(done, data)` stores. No lock of a file is held in between: the target may block.
fn copy(
    count: usize,
    mut read: impl FnMut(u64, &mut [u8]) -> SysResult,
    mut write: impl FnMut(u64, &[u8]) -> SysResult,
) -> SysResult {
    let mut buf: Vec<u8> = alloc::vec![0; count.min(BUFFER)];
    let mut done = 0;
    while done < count {
        let want = (count - done).min(buf.len());
        let step = read(done as u64, &mut buf[..want]).and_then(|got| {
            if got == 0 {
                return Ok((0, 0));
            }
            Ok((got, write(done as u64, &buf[..got])?))
        });
        match step {
            Ok((got, put)) => {
                done += put;
                if put < got || got == 0 {
                    break;
                }
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// sendfile(2).
pub fn sendfile(out_fd: i32, in_fd: i32, at: u64, count: usize) -> SysResult {
    let input = readable(in_fd)?;
    // Only what can be read by offset can be sent.
    let mut none = KernelSink::new(&mut []);
    let seekable = input.ops.read_at(&input, 0, &mut none);
    if at != 0 && matches!(seekable, Err(Errno::ESPIPE)) {
        return Err(Errno::ESPIPE);
    }
    let from = Offset::read(at, &input)?;
    let output = writable(out_fd)?;
    if output.append() {
        return Err(Errno::EINVAL);
    }
    if count == 0 {
        return Ok(0);
    }
    if matches!(seekable, Err(Errno::ESPIPE | Errno::EISDIR)) {
        return Err(Errno::EINVAL);
    }
    let moved = copy(
        count.min(MAX_COUNT),
        |done, buf| {
            let mut sink = KernelSink::new(buf);
            let at = from.at.saturating_add(done);
            input.ops.read_at(&input, at, &mut sink)
        },
        |_, data| output.ops.write(&output, &mut KernelSource::new(data)),
    )?;
    from.finish(&input, moved)?;
    Ok(moved)
}

/// copy_file_range(2).
pub fn copy_file_range(
    in_fd: i32,
    in_at: u64,
    out_fd: i32,
    out_at: u64,
    count: usize,
    flags: u32,
) -> SysResult {
    let files = crate::fs::current_files()?;
    let (input, output) = (files.get_open(in_fd)?, files.get_open(out_fd)?);
    let from = Offset::read(in_at, &input)?;
    let to = Offset::read(out_at, &output)?;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let (in_meta, out_meta) = (input.metadata()?, output.metadata()?);
    for meta in [&in_meta, &out_meta] {
        match meta.mode & S_IFMT {
            S_IFREG => {}
            S_IFDIR => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
    }
    if !input.readable() || !output.writable() || output.append() {
        return Err(Errno::EBADF);
    }
    let left = in_meta.size.saturating_sub(from.at);
    let count = usize::try_from(left).map_or(count, |l| count.min(l));
    let count = count.min(MAX_COUNT);
    let same = (in_meta.dev, in_meta.ino) == (out_meta.dev, out_meta.ino);
    let distance = from.at.abs_diff(to.at);
    if same && distance < count as u64 {
        return Err(Errno::EINVAL);
    }
    let moved = copy(
        count,
        |done, buf| {
            let at = from.at.saturating_add(done);
            input.ops.read_at(&input, at, &mut KernelSink::new(buf))
        },
        |done, data| {
            let at = to.at.saturating_add(done);
            let mut source = KernelSource::new(data);
            output.ops.write_at(&output, at, &mut source)
        },
    )
    // A file of the caller's own, which is written from its position only, is like one of another file system.
    .map_err(|error| match error {
        Errno::ESPIPE => Errno::EXDEV,
        error => error,
    })?;
    from.finish(&input, moved)?;
    to.finish(&output, moved)?;
    Ok(moved)
}
