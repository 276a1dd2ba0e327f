//! Changing attributes: chmod, chown, times, size, and space.

use super::{
    Table,
    rw::{offset, writable},
    stat::{Target, target},
};
use crate::{
    Errno, SysResult, call,
    fs::{
        self, Inode, SetAttr, Timestamp, access, exceed_file_size, file_size_limit, mount,
        path::Walker,
    },
    mm::user,
};
use alloc::sync::Arc;
use linux_raw_sys::general::*;
use vitrine_abi::nr;

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::CHMOD, call!(chmod; 2));
    table.set(nr::FCHMOD, call!(fchmod; 2));
    table.set(nr::FCHMODAT, call!(fchmodat; 3));
    table.set(nr::FCHMODAT2, call!(fchmodat2; 4));
    table.set(nr::CHOWN, call!(chown; 3));
    table.set(nr::FCHOWN, call!(fchown; 3));
    table.set(nr::LCHOWN, call!(lchown; 3));
    table.set(nr::FCHOWNAT, call!(fchownat; 5));
    table.set(nr::UTIME, call!(utime; 2));
    table.set(nr::UTIMES, call!(utimes; 2));
    table.set(nr::FUTIMESAT, call!(futimesat; 3));
    table.set(nr::UTIMENSAT, call!(utimensat; 4));
    table.set(nr::TRUNCATE, call!(truncate; 2));
    table.set(nr::FTRUNCATE, call!(ftruncate; 2));
    table.set(nr::FALLOCATE, call!(fallocate; 4));
}

/// `EROFS` for what lies in a read-only mount.
fn check_target_writable(target: &Target) -> Result<(), Errno> {
    match target {
        Target::Place(place) => mount::check_writable(place),
        Target::Nameless(_) => Ok(()),
    }
}

/// An open file (no O_PATH) as a target.
fn open_target(fd: i32) -> Result<Target, Errno> {
    Ok(Target::of_file(fs::current_files()?.get_open(fd)?))
}

fn set_mode(target: &Target, mode: u32) -> SysResult {
    check_target_writable(target)?;
    let inode = target.inode()?;
    let own = inode.ownership()?;
    if own.is_symlink() {
        return Err(Errno::EOPNOTSUPP);
    }
    let cred = access::current();
    if !access::owns(&own, &cred) {
        return Err(Errno::EPERM);
    }
    let mut mode = mode & 0o7777;
    if !access::in_group(&cred, own.gid) && !access::capable(&cred, CAP_FSETID) {
        mode &= !S_ISGID;
    }
    inode.set_attr(&SetAttr {
        mode: Some(mode),
        ..SetAttr::default()
    })?;
    Ok(0)
}

/// chmod(2).
pub fn chmod(path: u64, mode: u32) -> SysResult {
    fchmodat2(AT_FDCWD, path, mode, 0)
}

/// fchmod(2).
pub fn fchmod(fd: i32, mode: u32) -> SysResult {
    set_mode(&open_target(fd)?, mode)
}

/// fchmodat(2), the old system call without flags.
pub fn fchmodat(dirfd: i32, path: u64, mode: u32) -> SysResult {
    fchmodat2(dirfd, path, mode, 0)
}

/// fchmodat2(2).
pub fn fchmodat2(dirfd: i32, path: u64, mode: u32, flags: u32) -> SysResult {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    set_mode(&target(dirfd, path, flags)?, mode)
}

fn set_owner(target: &Target, uid: u32, gid: u32) -> SysResult {
    check_target_writable(target)?;
    let inode = target.inode()?;
    let own = inode.ownership()?;
    let cred = access::current();
    let uid = (uid != u32::MAX).then_some(uid);
    let gid = (gid != u32::MAX).then_some(gid);
    if !access::capable(&cred, CAP_CHOWN) {
        let mine = own.uid == cred.fsuid;
        let uid_ok = uid.is_none_or(|uid| mine && uid == own.uid);
        let gid_ok = gid.is_none_or(|gid| mine && (gid == own.gid || access::in_group(&cred, gid)));
        if !uid_ok || !gid_ok {
            return Err(Errno::EPERM);
        }
    }
    let mut set = SetAttr {
        uid,
        gid,
        ..SetAttr::default()
    };
    if !own.is_dir() && own.mode & (S_ISUID | S_ISGID) != 0 {
        set.mode = Some(fs::without_set_id(own.mode) & 0o7777);
    }
    inode.set_attr(&set)?;
    Ok(0)
}

/// chown(2).
pub fn chown(path: u64, uid: u32, gid: u32) -> SysResult {
    fchownat(AT_FDCWD, path, uid, gid, 0)
}

/// lchown(2).
pub fn lchown(path: u64, uid: u32, gid: u32) -> SysResult {
    fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW)
}

/// fchown(2).
pub fn fchown(fd: i32, uid: u32, gid: u32) -> SysResult {
    set_owner(&open_target(fd)?, uid, gid)
}

/// fchownat(2).
pub fn fchownat(dirfd: i32, path: u64, uid: u32, gid: u32, flags: u32) -> SysResult {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    set_owner(&target(dirfd, path, flags)?, uid, gid)
}

/// One of the two times that utimensat sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stamp {
    Now,
    Omit,
    At(Timestamp),
    /// No time: refused once the file is found.
    Invalid,
}

impl Stamp {
    fn of_timespec([sec, nsec]: [i64; 2]) -> Stamp {
        match nsec {
            n if n == i64::from(UTIME_NOW) => Stamp::Now,
            n if n == i64::from(UTIME_OMIT) => Stamp::Omit,
            0..=999_999_999 => Stamp::At(Timestamp { sec, nsec }),
            _ => Stamp::Invalid,
        }
    }

    fn of_timeval([sec, usec]: [i64; 2]) -> Result<Stamp, Errno> {
        match usec {
            0..=999_999 => Ok(Stamp::At(Timestamp {
                sec,
                nsec: usec * 1000,
            })),
            _ => Err(Errno::EINVAL),
        }
    }

    fn value(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Stamp::Now => Some(now),
            Stamp::Omit | Stamp::Invalid => None,
            Stamp::At(time) => Some(time),
        }
    }
}

fn set_times(target: &Target, times: [Stamp; 2]) -> SysResult {
    if times.contains(&Stamp::Invalid) {
        return Err(Errno::EINVAL);
    }
    check_target_writable(target)?;
    let inode = target.inode()?;
    let own = inode.ownership()?;
    let cred = access::current();
    if !access::owns(&own, &cred) {
        if times != [Stamp::Now; 2] {
            return Err(Errno::EPERM);
        }
        access::check(&own, &cred, access::WRITE)?;
    }
    let now = fs::now();
    inode.set_attr(&SetAttr {
        atime: times[0].value(now),
        mtime: times[1].value(now),
        ..SetAttr::default()
    })?;
    Ok(0)
}

/// utimensat(2).
pub fn utimensat(dirfd: i32, path: u64, times: u64, flags: u32) -> SysResult {
    let stamps = if times == 0 {
        [Stamp::Now; 2]
    } else {
        let [a, b, c, d] = user::read::<[i64; 4]>(times)?;
        [Stamp::of_timespec([a, b]), Stamp::of_timespec([c, d])]
    };
    if stamps == [Stamp::Omit; 2] {
        return Ok(0);
    }
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    if path == 0 && dirfd != AT_FDCWD {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        return set_times(&open_target(dirfd)?, stamps);
    }
    set_times(&target(dirfd, path, flags)?, stamps)
}

/// utime(2).
pub fn utime(path: u64, times: u64) -> SysResult {
    let stamps = if times == 0 {
        [Stamp::Now; 2]
    } else {
        let at = |sec| Stamp::At(Timestamp { sec, nsec: 0 });
        user::read::<[i64; 2]>(times)?.map(at)
    };
    set_times(&target(AT_FDCWD, path, 0)?, stamps)
}

/// utimes(2).
pub fn utimes(path: u64, times: u64) -> SysResult {
    futimesat(AT_FDCWD, path, times)
}

/// futimesat(2).
pub fn futimesat(dirfd: i32, path: u64, times: u64) -> SysResult {
    let stamps = if times == 0 {
        [Stamp::Now; 2]
    } else {
        let [a, b, c, d] = user::read::<[i64; 4]>(times)?;
        [Stamp::of_timeval([a, b])?, Stamp::of_timeval([c, d])?]
    };
    if path == 0 && dirfd != AT_FDCWD {
        return set_times(&open_target(dirfd)?, stamps);
    }
    set_times(&target(dirfd, path, 0)?, stamps)
}

/// Sets the size; who may is checked by the caller.
fn set_size(inode: &Arc<dyn Inode>, size: u64) -> SysResult {
    if size > inode.metadata()?.size && size > file_size_limit() {
        exceed_file_size();
        return Err(Errno::EFBIG);
    }
    fs::open::resize(inode, size)?;
    Ok(0)
}

/// truncate(2).
pub fn truncate(path: u64, len: i64) -> SysResult {
    let size = offset(len)?;
    let path = user::read_path(path)?;
    let place = Walker::new(AT_FDCWD, &path)?.finish(true)?;
    let own = place.inode.ownership()?;
    if own.is_dir() {
        return Err(Errno::EISDIR);
    }
    if !own.is_regular() {
        return Err(Errno::EINVAL);
    }
    mount::check_writable(&place)?;
    access::check(&own, &access::current(), access::WRITE)?;
    fs::running::check_still(&place)?;
    set_size(&place.inode, size)
}

/// ftruncate(2).
pub fn ftruncate(fd: i32, len: i64) -> SysResult {
    let size = offset(len)?;
    let file = fs::current_files()?.get_open(fd)?;
    let inode = match &file.location {
        Some(place) => place.inode.clone(),
        None => file.ops.inode().ok_or(Errno::EINVAL)?,
    };
    if !inode.ownership()?.is_regular() || !file.writable() {
        return Err(Errno::EINVAL);
    }
    set_size(&inode, size)
}

/// fallocate(2).
pub fn fallocate(fd: i32, mode: u32, at: i64, len: i64) -> SysResult {
    const KNOWN: u32 = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
    let file = fs::current_files()?.get_open(fd)?;
    let at = offset(at)?;
    let len = u64::try_from(len).ok().filter(|len| *len > 0);
    let len = len.ok_or(Errno::EINVAL)?;
    let both = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
    let punches = mode & FALLOC_FL_PUNCH_HOLE != 0;
    if mode & !KNOWN != 0 || mode & both == both || punches && mode & FALLOC_FL_KEEP_SIZE == 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    writable(fd)?;
    let meta = file.metadata()?;
    match meta.mode & S_IFMT {
        S_IFREG => {}
        S_IFIFO => return Err(Errno::ESPIPE),
        S_IFDIR => return Err(Errno::EISDIR),
        _ => return Err(Errno::ENODEV),
    }
    let end = at.checked_add(len).ok_or(Errno::EFBIG)?;
    if mode & FALLOC_FL_KEEP_SIZE == 0 && end > meta.size && end > file_size_limit() {
        exceed_file_size();
        return Err(Errno::EFBIG);
    }
    let place = file.location.as_ref().ok_or(Errno::ENODEV)?;
    place.inode.fallocate(mode, at, len)?;
    Ok(0)
}
