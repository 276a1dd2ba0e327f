//! splice(2), tee(2), vmsplice(2): moving bytes to and from pipes, by copying.

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{
        File, KernelSink, KernelSource, Source, anon,
        io::{UserPieces, UserSink, UserSource},
        pipe::{self, PipeEnd},
    },
    mm,
};
use alloc::vec::Vec;
use linux_raw_sys::general::{
    O_APPEND, SPLICE_F_GIFT, SPLICE_F_MORE, SPLICE_F_MOVE, SPLICE_F_NONBLOCK,
};
use vitrine_abi::nr;

/// Registers the family.
pub const fn add(table: &mut Table) {
    table.set(nr::SPLICE, call!(splice; 6));
    table.set(nr::TEE, call!(tee; 4));
    table.set(nr::VMSPLICE, call!(vmsplice; 4));
}

const FLAGS: u32 = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;
/// Bytes that are moved at a time.
const CHUNK: usize = 64 << 10;

/// splice(2).
pub fn splice(
    fd_in: i32,
    off_in: u64,
    fd_out: i32,
    off_out: u64,
    len: usize,
    flags: u32,
) -> SysResult {
    if len == 0 {
        return Ok(0);
    }
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let input = anon::file(fd_in)?;
    let output = anon::file(fd_out)?;
    if !input.readable() || !output.writable() {
        return Err(Errno::EBADF);
    }
    let nonblocking = flags & SPLICE_F_NONBLOCK != 0;
    match (pipe::end(&input), pipe::end(&output)) {
        (Some(from), Some(to)) => {
            if off_in != 0 || off_out != 0 {
                return Err(Errno::ESPIPE);
            }
            if from.same_pipe(to) {
                return Err(Errno::EINVAL);
            }
            let nonblocking = nonblocking || input.nonblocking() || output.nonblocking();
            pipe_to_pipe(from, to, len, nonblocking)
        }
        (Some(from), None) => {
            if off_in != 0 {
                return Err(Errno::ESPIPE);
            }
            if output.flags() & O_APPEND != 0 {
                return Err(Errno::EINVAL);
            }
            pipe_to_file(
                from,
                &output,
                off_out,
                len,
                nonblocking || input.nonblocking(),
            )
        }
        (None, Some(to)) => {
            if off_out != 0 {
                return Err(Errno::ESPIPE);
            }
            file_to_pipe(&input, off_in, to, len, nonblocking || output.nonblocking())
        }
        (None, None) => Err(Errno::EINVAL),
    }
}

/// tee(2).
pub fn tee(fd_in: i32, fd_out: i32, len: usize, flags: u32) -> SysResult {
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let input = anon::file(fd_in)?;
    let output = anon::file(fd_out)?;
    if !input.readable() || !output.writable() {
        return Err(Errno::EBADF);
    }
    let (Some(from), Some(to)) = (pipe::end(&input), pipe::end(&output)) else {
        return Err(Errno::EINVAL);
    };
    if from.same_pipe(to) {
        return Err(Errno::EINVAL);
    }
    let nonblocking = flags & SPLICE_F_NONBLOCK != 0 || input.nonblocking() || output.nonblocking();
    if !wait_input(from, nonblocking)? {
        return Ok(0);
    }
    let room = wait_output(to, nonblocking)?;
    let data = from.peek(len.min(room))?;
    to.write_from(&mut KernelSource::new(&data), true, false)
}

/// vmsplice(2): the program's pages are copied, so SPLICE_F_GIFT changes nothing.
pub fn vmsplice(fd: i32, iov: u64, count: usize, flags: u32) -> SysResult {
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let file = anon::file(fd)?;
    let end = pipe::end(&file).ok_or(Errno::EBADF)?;
    let pieces = UserPieces::vector(iov, count)?;
    let nonblocking = flags & SPLICE_F_NONBLOCK != 0 || file.nonblocking();
    if file.writable() {
        end.write_from(&mut UserSource(pieces), nonblocking, false)
    } else {
        end.read_into(&mut UserSink(pieces), nonblocking)
    }
}

/// Waits until there is something to read; false at the end (no writers).
fn wait_input(from: &PipeEnd, nonblocking: bool) -> Result<bool, Errno> {
    loop {
        match from.readable() {
            (0, false) => return Ok(false),
            (0, true) if nonblocking => return Err(Errno::EAGAIN),
            (0, true) => from.wait_readable().map_err(|_| Errno::ERESTARTSYS)?,
            _ => return Ok(true),
        }
    }
}

/// Waits until there is room; how much. No readers: SIGPIPE and `EPIPE`.
fn wait_output(to: &PipeEnd, nonblocking: bool) -> SysResult {
    loop {
        match to.writable() {
            (_, false) => {
                pipe::raise_sigpipe();
                return Err(Errno::EPIPE);
            }
            (0, true) if nonblocking => return Err(Errno::EAGAIN),
            (0, true) => to.wait_writable().map_err(|_| Errno::ERESTARTSYS)?,
            (room, true) => return Ok(room),
        }
    }
}

/// Takes up to `len` bytes that are there.
fn take(from: &PipeEnd, len: usize) -> Result<Vec<u8>, Errno> {
    let mut data = anon::zeroed(len.min(CHUNK).min(from.readable().0))?;
    let taken = from.read_into(&mut KernelSink::new(&mut data), true)?;
    data.truncate(taken);
    Ok(data)
}

/// Moves what is there and fits, and waits only for the first of it.
fn pipe_to_pipe(from: &PipeEnd, to: &PipeEnd, len: usize, nonblocking: bool) -> SysResult {
    if !wait_input(from, nonblocking)? {
        return Ok(0);
    }
    let mut total = 0;
    while total < len {
        let room = match wait_output(to, nonblocking || total > 0) {
            Ok(room) => room,
            Err(_) if total > 0 => break,
            Err(error) => return Err(error),
        };
        let data = match take(from, (len - total).min(room)) {
            Ok(data) if !data.is_empty() => data,
            Err(error) if total == 0 => return Err(error),
            _ => break,
        };
        let written = to.write_from(&mut KernelSource::new(&data), true, false);
        let done = *written.as_ref().unwrap_or(&0);
        if done < data.len() {
            from.unread(&data[done..])?;
        }
        total += done;
        if done < data.len() {
            return if total > 0 { Ok(total) } else { written };
        }
    }
    Ok(total)
}

fn pipe_to_file(
    from: &PipeEnd,
    output: &File,
    offset_addr: u64,
    len: usize,
    nonblocking: bool,
) -> SysResult {
    let mut offset = Offset::read(offset_addr, output)?;
    let mut total = 0;
    while total < len {
        // Only the first bytes are waited for.
        let there = match wait_input(from, nonblocking || total > 0) {
            Ok(there) => there,
            Err(_) if total > 0 => false,
            Err(error) => return Err(error),
        };
        if !there {
            break;
        }
        let data = take(from, len - total)?;
        if data.is_empty() {
            continue;
        }
        let mut src = KernelSource::new(&data);
        let written = match offset.position {
            Some(position) => output.ops.write_at(output, position, &mut src),
            None => output.ops.write(output, &mut src),
        };
        let done = (*written.as_ref().unwrap_or(&0)).min(data.len());
        if done < data.len() {
            from.unread(&data[done..])?;
        }
        total += done;
        offset.advance(done);
        match written {
            Ok(done) if done == data.len() => {}
            Err(error) if total == 0 => return Err(error),
            _ => break,
        }
    }
    offset.write()?;
    Ok(total)
}

fn file_to_pipe(
    input: &File,
    offset_addr: u64,
    to: &PipeEnd,
    len: usize,
    nonblocking: bool,
) -> SysResult {
    let mut offset = Offset::read(offset_addr, input)?;
    // One pipe's fill at most, as Linux does: a stream has given what it has.
    let room = wait_output(to, nonblocking)?;
    let mut data = anon::zeroed(len.min(room).min(CHUNK))?;
    let mut sink = KernelSink::new(&mut data);
    let read = match offset.position {
        Some(position) => input.ops.read_at(input, position, &mut sink)?,
        None => input.ops.read(input, &mut sink)?,
    };
    data.truncate(read);
    let mut src = KernelSource::new(&data);
    let mut total = 0;
    while src.left() > 0 {
        match to.write_from(&mut src, false, false) {
            Ok(done) => total += done,
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        }
    }
    offset.advance(total);
    offset.write()?;
    Ok(total)
}

/// An offset argument: where it lies, and its value if there is one.
struct Offset {
    addr: u64,
    position: Option<u64>,
}

impl Offset {
    /// Reads it; `EINVAL` if it is negative or the file has no positions.
    fn read(addr: u64, file: &File) -> Result<Self, Errno> {
        if addr == 0 {
            return Ok(Self {
                addr,
                position: None,
            });
        }
        let position: i64 = mm::user::read(addr)?;
        let position = u64::try_from(position).map_err(|_| Errno::EINVAL)?;
        let seekable = file
            .ops
            .seek(file, 0, linux_raw_sys::general::SEEK_CUR)
            .is_ok();
        if !seekable {
            return Err(Errno::EINVAL);
        }
        Ok(Self {
            addr,
            position: Some(position),
        })
    }

    fn advance(&mut self, len: usize) {
        if let Some(position) = &mut self.position {
            *position = position.saturating_add(len as u64);
        }
    }

    fn write(&self) -> Result<(), Errno> {
        match self.position {
            Some(position) => mm::user::write(self.addr, &position),
            None => Ok(()),
        }
    }
}
