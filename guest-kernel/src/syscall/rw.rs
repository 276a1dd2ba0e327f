//! read, write, their vectored and positioned forms, lseek, and what says how a file will be or was used.

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{
        self, File, KernelSink, Sink, Source,
        io::{UserPieces, UserSink, UserSource, check_end},
    },
    sched,
    task::usage::Counter,
};
use alloc::sync::Arc;
use linux_raw_sys::general::*;
use vitrine_abi::{layout::PAGE_SIZE, nr};

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::READ, call!(read; 3));
    table.set(nr::WRITE, call!(write; 3));
    table.set(nr::PREAD64, call!(pread64; 4));
    table.set(nr::PWRITE64, call!(pwrite64; 4));
    table.set(nr::READV, call!(readv; 3));
    table.set(nr::WRITEV, call!(writev; 3));
    table.set(nr::PREADV, call!(preadv; 4));
    table.set(nr::PWRITEV, call!(pwritev; 4));
    table.set(nr::PREADV2, call!(preadv2; 6));
    table.set(nr::PWRITEV2, call!(pwritev2; 6));
    table.set(nr::LSEEK, call!(lseek; 3));
    table.set(nr::FSYNC, call!(fsync; 1));
    table.set(nr::FDATASYNC, call!(fsync; 1));
    table.set(nr::SYNC, call!(sync; 0));
    table.set(nr::SYNCFS, call!(syncfs; 1));
    table.set(nr::SYNC_FILE_RANGE, call!(sync_file_range; 4));
    table.set(nr::FADVISE64, call!(fadvise64; 4));
    table.set(nr::READAHEAD, call!(readahead; 3));
}

/// The file at `fd`, if it can be read; `EBADF`.
pub fn readable(fd: i32) -> Result<Arc<File>, Errno> {
    let file = fs::current_files()?.get(fd)?;
    if file.readable() {
        Ok(file)
    } else {
        Err(Errno::EBADF)
    }
}

/// The file at `fd`, if it can be written; `EBADF`.
pub fn writable(fd: i32) -> Result<Arc<File>, Errno> {
    let file = fs::current_files()?.get(fd)?;
    if file.writable() {
        Ok(file)
    } else {
        Err(Errno::EBADF)
    }
}

/// Counts a read for the running task.
pub fn did_read(result: SysResult) -> SysResult {
    count(result, Counter::Reads, Counter::BytesRead)
}

/// Counts a write for the running task.
pub fn did_write(result: SysResult) -> SysResult {
    count(result, Counter::Writes, Counter::BytesWritten)
}

fn count(result: SysResult, calls: Counter, bytes: Counter) -> SysResult {
    sched::with_current(|task| {
        task.counters.add(calls, 1);
        task.counters.add(bytes, result.unwrap_or(0) as u64);
    });
    result
}

/// A file offset argument; `EINVAL` if negative.
pub fn offset(raw: i64) -> Result<u64, Errno> {
    u64::try_from(raw).map_err(|_| Errno::EINVAL)
}

/// read(2).
pub fn read(fd: i32, buf: u64, count: usize) -> SysResult {
    let file = readable(fd)?;
    let mut sink = UserSink(UserPieces::one(buf, count)?);
    did_read(file.ops.read(&file, &mut sink))
}

/// write(2).
pub fn write(fd: i32, buf: u64, count: usize) -> SysResult {
    let file = writable(fd)?;
    let mut source = UserSource(UserPieces::one(buf, count)?);
    did_write(file.ops.write(&file, &mut source))
}

/// pread(2).
pub fn pread64(fd: i32, buf: u64, count: usize, at: i64) -> SysResult {
    let at = offset(at)?;
    let file = readable(fd)?;
    let mut sink = UserSink(UserPieces::one(buf, count)?);
    did_read(file.ops.read_at(&file, at, &mut sink))
}

/// pwrite(2).
pub fn pwrite64(fd: i32, buf: u64, count: usize, at: i64) -> SysResult {
    let at = offset(at)?;
    let file = writable(fd)?;
    let mut source = UserSource(UserPieces::one(buf, count)?);
    did_write(file.ops.write_at(&file, at, &mut source))
}

/// readv(2).
pub fn readv(fd: i32, iov: u64, count: usize) -> SysResult {
    let file = readable(fd)?;
    let pieces = UserPieces::vector(iov, count)?;
    if pieces.is_empty() {
        return Ok(0);
    }
    did_read(file.ops.read(&file, &mut UserSink(pieces)))
}

/// writev(2).
pub fn writev(fd: i32, iov: u64, count: usize) -> SysResult {
    let file = writable(fd)?;
    let pieces = UserPieces::vector(iov, count)?;
    if pieces.is_empty() {
        return Ok(0);
    }
    did_write(file.ops.write(&file, &mut UserSource(pieces)))
}

/// The result of moving no bytes at an offset: `ESPIPE` where there are no offsets, else 0.
fn nothing_at(file: &File) -> SysResult {
    match file.ops.read_at(file, 0, &mut KernelSink::new(&mut [])) {
        Err(Errno::ESPIPE) => Err(Errno::ESPIPE),
        _ => Ok(0),
    }
}

/// preadv(2). (The offset's high half, the fifth argument, says nothing on a 64-bit machine.)
pub fn preadv(fd: i32, iov: u64, count: usize, at: i64) -> SysResult {
    let at = offset(at)?;
    let file = readable(fd)?;
    let pieces = UserPieces::vector(iov, count)?;
    if pieces.is_empty() {
        return nothing_at(&file);
    }
    did_read(file.ops.read_at(&file, at, &mut UserSink(pieces)))
}

/// pwritev(2).
pub fn pwritev(fd: i32, iov: u64, count: usize, at: i64) -> SysResult {
    let at = offset(at)?;
    let file = writable(fd)?;
    let pieces = UserPieces::vector(iov, count)?;
    if pieces.is_empty() {
        return nothing_at(&file);
    }
    did_write(file.ops.write_at(&file, at, &mut UserSource(pieces)))
}

/// Whether the file is a regular one on a file system.
fn is_regular(file: &File) -> bool {
    let place = file.location.as_ref();
    place.is_some_and(|p| p.inode.ownership().is_ok_and(|own| own.is_regular()))
}

/// Flags of preadv2 and pwritev2: `EOPNOTSUPP` for those that don't fit the file.
fn check_rwf(file: &File, flags: u32, known: u32) -> Result<(), Errno> {
    if flags & !known != 0 || flags & RWF_NOWAIT != 0 && !is_regular(file) {
        return Err(Errno::EOPNOTSUPP);
    }
    Ok(())
}

/// preadv2(2).
pub fn preadv2(fd: i32, iov: u64, count: usize, at: i64, _high: u64, flags: u32) -> SysResult {
    if at < -1 {
        return Err(Errno::EINVAL);
    }
    let file = readable(fd)?;
    let mut sink = UserSink(UserPieces::vector(iov, count)?);
    if sink.room() == 0 {
        return Ok(0);
    }
    check_end(u64::try_from(at).unwrap_or(0), sink.room())?;
    check_rwf(&file, flags, RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT)?;
    match u64::try_from(at) {
        Ok(at) => file.ops.read_at(&file, at, &mut sink),
        Err(_) => file.ops.read(&file, &mut sink),
    }
}

/// pwritev2(2).
pub fn pwritev2(fd: i32, iov: u64, count: usize, at: i64, _high: u64, flags: u32) -> SysResult {
    if at < -1 {
        return Err(Errno::EINVAL);
    }
    let file = writable(fd)?;
    let mut source = UserSource(UserPieces::vector(iov, count)?);
    if source.left() == 0 {
        return Ok(0);
    }
    check_end(u64::try_from(at).unwrap_or(0), source.left())?;
    let known = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND;
    check_rwf(&file, flags, known)?;
    if flags & RWF_APPEND != 0 && is_regular(&file) {
        let mut position = file.position.lock();
        let end = file.metadata()?.size;
        let n = file.ops.write_at(&file, end, &mut source)?;
        if at < 0 {
            *position = end + n as u64;
        }
        return Ok(n);
    }
    match u64::try_from(at) {
        Ok(at) => file.ops.write_at(&file, at, &mut source),
        Err(_) => file.ops.write(&file, &mut source),
    }
}

/// lseek(2).
pub fn lseek(fd: i32, offset: i64, whence: u32) -> SysResult {
    let file = fs::current_files()?.get_open(fd)?;
    if whence > SEEK_MAX {
        return Err(Errno::EINVAL);
    }
    file.ops.seek(&file, offset, whence)
}

/// fsync(2), fdatasync(2): there is nothing to write back; `EINVAL` for what can't be synchronised.
pub fn fsync(fd: i32) -> SysResult {
    let file = fs::current_files()?.get_open(fd)?;
    let place = file.location.as_ref().ok_or(Errno::EINVAL)?;
    match place.inode.ownership()?.kind() {
        S_IFREG | S_IFDIR | S_IFBLK => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// sync(2).
pub fn sync() -> SysResult {
    Ok(0)
}

/// syncfs(2).
pub fn syncfs(fd: i32) -> SysResult {
    fs::current_files()?.get_open(fd)?;
    Ok(0)
}

/// sync_file_range(2).
pub fn sync_file_range(fd: i32, at: i64, len: i64, flags: u32) -> SysResult {
    const KNOWN: u32 = 7;
    let file = fs::current_files()?.get_open(fd)?;
    let end = at.checked_add(len).ok_or(Errno::EINVAL)?;
    if flags & !KNOWN != 0 || at < 0 || end < at {
        return Err(Errno::EINVAL);
    }
    match file.metadata()?.mode & S_IFMT {
        S_IFREG | S_IFDIR | S_IFBLK | S_IFLNK => Ok(0),
        _ => Err(Errno::ESPIPE),
    }
}

/// Brings pages of a regular file into memory.
fn prefetch(file: &File, at: u64, len: u64) {
    /// Most that is read ahead at once, in pages.
    const MAX: u64 = 8192;
    if let Ok(object) = file.ops.object() {
        let count = len.div_ceil(PAGE_SIZE).min(MAX);
        object.pages(at / PAGE_SIZE, count, true, &mut |_, _| ());
    }
}

/// posix_fadvise(2).
pub fn fadvise64(fd: i32, at: i64, len: i64, advice: u32) -> SysResult {
    let file = fs::current_files()?.get_open(fd)?;
    if file.metadata()?.mode & S_IFMT == S_IFIFO {
        return Err(Errno::ESPIPE);
    }
    if len < 0 || advice > POSIX_FADV_NOREUSE {
        return Err(Errno::EINVAL);
    }
    if advice == POSIX_FADV_WILLNEED && is_regular(&file) {
        let len = if len == 0 {
            u64::MAX
        } else {
            len.unsigned_abs()
        };
        prefetch(&file, at.max(0).unsigned_abs(), len);
    }
    Ok(0)
}

/// readahead(2).
pub fn readahead(fd: i32, at: i64, count: usize) -> SysResult {
    let file = readable(fd)?;
    if !is_regular(&file) {
        return Err(Errno::EINVAL);
    }
    prefetch(&file, at.max(0).unsigned_abs(), count as u64);
    Ok(0)
}
