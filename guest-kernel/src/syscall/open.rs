//! open, creat, openat2, close and their kin.

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{
        self,
        open::{TMPFILE_BIT, open_at},
    },
    mm::user,
};
use alloc::vec::Vec;
use linux_raw_sys::general::*;
use vitrine_abi::nr;

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::OPEN, call!(open; 3));
    table.set(nr::OPENAT, call!(openat; 4));
    table.set(nr::OPENAT2, call!(openat2; 4));
    table.set(nr::CREAT, call!(creat; 2));
    table.set(nr::CLOSE, call!(close; 1));
    table.set(nr::CLOSE_RANGE, call!(close_range; 3));
}

/// All flags that open(2) knows (others are ignored).
const VALID_FLAGS: u32 = O_ACCMODE
    | O_CREAT
    | O_EXCL
    | O_NOCTTY
    | O_TRUNC
    | O_APPEND
    | O_NONBLOCK
    | O_SYNC
    | O_DSYNC
    | FASYNC
    | O_DIRECT
    | O_LARGEFILE
    | O_DIRECTORY
    | O_NOFOLLOW
    | O_NOATIME
    | O_CLOEXEC
    | O_PATH
    | O_TMPFILE;
/// What may come with O_PATH.
const PATH_FLAGS: u32 = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;

/// Opens and gives it a descriptor. The flags are checked as openat2 does; the older calls cleaned theirs before.
fn open_checked(dirfd: i32, path: &[u8], flags: u32, mode: u32, resolve: u32) -> SysResult {
    if flags & (O_DIRECTORY | O_CREAT) == O_DIRECTORY | O_CREAT {
        return Err(Errno::EINVAL);
    }
    if flags & TMPFILE_BIT != 0 {
        let writes = matches!(flags & O_ACCMODE, O_WRONLY | O_RDWR);
        if flags & O_DIRECTORY == 0 || !writes {
            return Err(Errno::EINVAL);
        }
    }
    let files = fs::current_files()?;
    files.check_room()?;
    let file = open_at(dirfd, path, flags, mode, resolve)?;
    let fd = files.install(file, flags & O_CLOEXEC != 0, 0)?;
    Ok(fd as usize)
}

/// open(2).
pub fn open(path: u64, flags: u32, mode: u32) -> SysResult {
    openat(AT_FDCWD, path, flags, mode)
}

/// creat(2).
pub fn creat(path: u64, mode: u32) -> SysResult {
    openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode)
}

/// openat(2).
pub fn openat(dirfd: i32, path: u64, flags: u32, mode: u32) -> SysResult {
    let mut flags = flags & VALID_FLAGS;
    if flags & O_PATH != 0 {
        flags &= PATH_FLAGS;
    }
    let path = user::read_path(path)?;
    open_checked(dirfd, &path, flags, mode & 0o7777, 0)
}

/// openat2(2).
pub fn openat2(dirfd: i32, path: u64, how: u64, size: usize) -> SysResult {
    const SIZE: usize = 24;
    const RESOLVE_ALL: u64 = (RESOLVE_NO_XDEV
        | RESOLVE_NO_MAGICLINKS
        | RESOLVE_NO_SYMLINKS
        | RESOLVE_BENEATH
        | RESOLVE_IN_ROOT
        | RESOLVE_CACHED) as u64;
    if size < SIZE {
        return Err(Errno::EINVAL);
    }
    let [flags, mode, resolve] = read_extensible::<3>(how, size)?;
    if flags & !u64::from(VALID_FLAGS) != 0
        || resolve & !RESOLVE_ALL != 0
        || resolve & u64::from(RESOLVE_BENEATH) != 0 && resolve & u64::from(RESOLVE_IN_ROOT) != 0
    {
        return Err(Errno::EINVAL);
    }
    let (flags, resolve) = (flags as u32, resolve as u32);
    let creates = flags & (O_CREAT | TMPFILE_BIT) != 0;
    if mode & !0o7777 != 0 || mode != 0 && !creates {
        return Err(Errno::EINVAL);
    }
    if flags & O_PATH != 0 && flags & !PATH_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    if resolve & RESOLVE_CACHED != 0 && flags & (O_TRUNC | O_CREAT | TMPFILE_BIT) != 0 {
        return Err(Errno::EAGAIN);
    }
    let path = user::read_path(path)?;
    open_checked(dirfd, &path, flags, mode as u32, resolve)
}

/// Reads a structure that may grow (`copy_struct_from_user`): `N` words known, zeros demanded beyond; `E2BIG`.
pub fn read_extensible<const N: usize>(addr: u64, size: usize) -> Result<[u64; N], Errno> {
    if size > 4096 {
        return Err(Errno::E2BIG);
    }
    let mut bytes: Vec<u8> = alloc::vec![0; size.max(N * 8)];
    user::read_bytes(addr, &mut bytes[..size])?;
    if bytes[N * 8..].iter().any(|b| *b != 0) {
        return Err(Errno::E2BIG);
    }
    let mut words = [0; N];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
    }
    Ok(words)
}

/// close(2).
pub fn close(fd: i32) -> SysResult {
    fs::current_files()?.close(fd)?;
    Ok(0)
}

/// close_range(2).
pub fn close_range(first: u32, last: u32, flags: u32) -> SysResult {
    const CLOSE_RANGE_UNSHARE: u32 = 2;
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    if flags & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0 || first > last {
        return Err(Errno::EINVAL);
    }
    let task = crate::sched::current();
    if flags & CLOSE_RANGE_UNSHARE != 0 {
        let copy = task.files()?.fork()?;
        *task.files.lock() = Some(copy);
    }
    let files = task.files()?;
    let Ok(first) = i32::try_from(first) else {
        return Ok(0);
    };
    let last = i32::try_from(last).unwrap_or(i32::MAX);
    if flags & CLOSE_RANGE_CLOEXEC != 0 {
        files.cloexec_range(first, last);
    } else {
        files.close_range(first, last);
    }
    Ok(0)
}
