//! inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2).

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{self, File, Follow, access, anon, inotify::Inotify},
    mm,
};
use linux_raw_sys::general::{
    AT_FDCWD, IN_ALL_EVENTS, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_MASK_ADD, IN_MASK_CREATE,
    IN_ONESHOT, IN_ONLYDIR, O_CLOEXEC, O_NONBLOCK, O_RDONLY, S_IFDIR, S_IFMT,
};
use vitrine_abi::nr;

/// Registers the family.
pub const fn add(table: &mut Table) {
    table.set(nr::INOTIFY_INIT, call!(inotify_init; 0));
    table.set(nr::INOTIFY_INIT1, call!(inotify_init1; 1));
    table.set(nr::INOTIFY_ADD_WATCH, call!(inotify_add_watch; 3));
    table.set(nr::INOTIFY_RM_WATCH, call!(inotify_rm_watch; 2));
}

/// Bits that mean something to inotify_add_watch(2).
const KNOWN: u32 = IN_ALL_EVENTS
    | IN_ONLYDIR
    | IN_DONT_FOLLOW
    | IN_EXCL_UNLINK
    | IN_MASK_CREATE
    | IN_MASK_ADD
    | IN_ONESHOT
    | linux_raw_sys::general::IN_UNMOUNT
    | linux_raw_sys::general::IN_Q_OVERFLOW
    | linux_raw_sys::general::IN_IGNORED
    | linux_raw_sys::general::IN_ISDIR;

/// inotify_init(2).
pub fn inotify_init() -> SysResult {
    inotify_init1(0)
}

/// inotify_init1(2).
pub fn inotify_init1(flags: u32) -> SysResult {
    if flags & !(O_CLOEXEC | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    anon::install(Inotify::new(), O_RDONLY | flags)
}

/// inotify_add_watch(2).
pub fn inotify_add_watch(fd: i32, path: u64, mask: u32) -> SysResult {
    if mask & KNOWN == 0 || mask & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let file = anon::file(fd)?;
    if mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 {
        return Err(Errno::EINVAL);
    }
    let inotify = instance(&file)?;
    let follow = if mask & IN_DONT_FOLLOW != 0 {
        Follow::No
    } else {
        Follow::Yes
    };
    let location = fs::resolve(AT_FDCWD, &mm::user::read_path(path)?, follow)?;
    let is_dir = location.inode.metadata()?.mode & S_IFMT == S_IFDIR;
    if mask & IN_ONLYDIR != 0 && !is_dir {
        return Err(Errno::ENOTDIR);
    }
    access::check_inode(&location.inode, access::READ)?;
    inotify.add_watch(location, mask)
}

/// inotify_rm_watch(2).
pub fn inotify_rm_watch(fd: i32, wd: i32) -> SysResult {
    let file = anon::file(fd)?;
    instance(&file)?.remove_watch(wd)
}

fn instance(file: &File) -> Result<&Inotify, Errno> {
    file.ops.as_any().downcast_ref().ok_or(Errno::EINVAL)
}
