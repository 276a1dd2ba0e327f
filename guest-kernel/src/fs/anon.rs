//! What nameless files (pipes, sockets, eventfd and its kin) share: inode numbers, attributes, descriptions,
//! putting a new open file into the current task's table, and allocations that may fail.

use super::{Description, File, FileOps, Metadata, Timestamp};
use crate::{Errno, SysResult, sched};
use alloc::{format, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering};
use linux_raw_sys::general::O_CLOEXEC;

/// `st_dev` of sockets.
pub const SOCKFS_DEV: u64 = 8;
/// `st_dev` of anonymous inodes.
pub const ANON_DEV: u64 = 13;
/// `st_dev` of pipes.
pub const PIPEFS_DEV: u64 = 14;
/// Inode number that all anonymous inodes share.
const ANON_INO: u64 = 1061;

static NEXT_INO: AtomicU64 = AtomicU64::new(4096);

/// A new inode number for a pipe or socket.
pub fn next_ino() -> u64 {
    NEXT_INO.fetch_add(1, Ordering::Relaxed)
}

/// The current wall-clock time as a file time.
pub fn now() -> Timestamp {
    let ns = crate::time::realtime_ns();
    Timestamp {
        sec: i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX),
        nsec: i64::try_from(ns % 1_000_000_000).unwrap_or(0),
    }
}

/// Attributes of a nameless inode that the current task makes now.
pub fn metadata(dev: u64, ino: u64, mode: u32) -> Metadata {
    let credentials = sched::current().credentials();
    let time = now();
    Metadata {
        dev,
        ino,
        mode,
        nlink: 1,
        uid: credentials.fsuid,
        gid: credentials.fsgid,
        blksize: 4096,
        atime: time,
        mtime: time,
        ctime: time,
        btime: time,
        ..Metadata::default()
    }
}

/// Attributes of the inode behind eventfd, epoll, timerfd and the like: one for all, owned by root.
pub fn anon_metadata() -> Metadata {
    Metadata {
        dev: ANON_DEV,
        ino: ANON_INO,
        mode: 0o600,
        nlink: 1,
        blksize: 4096,
        ..Metadata::default()
    }
}

/// `anon_inode:[NAME]`.
pub fn anon_description(kind: &'static str, name: &str) -> Description {
    Description {
        kind,
        text: format!("anon_inode:[{name}]").into_bytes().into(),
    }
}

/// Opens `ops` at the lowest free descriptor of the current task. Of `flags`, `O_CLOEXEC` goes to the descriptor, the rest to the description.
pub fn install(ops: Arc<dyn FileOps>, flags: u32) -> SysResult {
    install_file(
        File::new_nameless(ops, flags & !O_CLOEXEC),
        flags & O_CLOEXEC != 0,
    )
}

/// Puts an open file at the lowest free descriptor of the current task.
pub fn install_file(file: Arc<File>, cloexec: bool) -> SysResult {
    let fd = sched::current().files()?.install(file, cloexec, 0)?;
    usize::try_from(fd).map_err(|_| Errno::EMFILE)
}

/// Puts two open files at the lowest free descriptors and tells their numbers by `tell`; if anything fails, neither stays.
pub fn install_pair(
    first: Arc<File>,
    second: Arc<File>,
    cloexec: bool,
    tell: impl FnOnce([i32; 2]) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let files = sched::current().files()?;
    let a = files.install(first, cloexec, 0)?;
    let result = files.install(second, cloexec, 0).and_then(|b| {
        tell([a, b]).inspect_err(|_| {
            let _ = files.close(b);
        })
    });
    result.inspect_err(|_| {
        let _ = files.close(a);
    })
}

/// The open file at `fd` of the current task.
pub fn file(fd: i32) -> Result<Arc<File>, Errno> {
    sched::current().files()?.get(fd)
}

/// An empty vector with room for `len` elements; `ENOMEM` where the heap has no such room.
pub fn reserved<T>(len: usize) -> Result<Vec<T>, Errno> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    Ok(vec)
}

/// A vector of `len` zeros; `ENOMEM` where the heap has no such room. Callers bound `len`.
pub fn zeroed(len: usize) -> Result<Vec<u8>, Errno> {
    let mut vec = reserved(len)?;
    vec.resize(len, 0);
    Ok(vec)
}
