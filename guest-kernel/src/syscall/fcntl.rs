//! Descriptors: dup and its kin, fcntl, flock.

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{
        self, File,
        fdtable::descriptor_limit,
        file::Owner,
        locks::{self, LockOwner, Record},
    },
    mm::user,
    sched,
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use linux_raw_sys::general::*;
use vitrine_abi::{event::change::descriptor, nr};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::DUP, call!(dup; 1));
    table.set(nr::DUP2, call!(dup2; 2));
    table.set(nr::DUP3, call!(dup3; 3));
    table.set(nr::FCNTL, call!(fcntl; 3));
    table.set(nr::FLOCK, call!(flock; 2));
}

/// dup(2).
pub fn dup(fd: i32) -> SysResult {
    let files = fs::current_files()?;
    let file = files.get(fd)?;
    Ok(files.install_as(file, false, 0, (descriptor::DUPLICATED, fd))? as usize)
}

/// Puts the file at `old` at `new` as well.
fn dup_to(old: i32, new: i32, cloexec: bool) -> SysResult {
    let files = fs::current_files()?;
    let in_range = u64::try_from(new).is_ok_and(|n| n < descriptor_limit());
    if !in_range {
        return Err(Errno::EBADF);
    }
    files.replace(new, files.get(old)?, cloexec, old)?;
    Ok(new as usize)
}

/// dup2(2).
pub fn dup2(old: i32, new: i32) -> SysResult {
    if old == new {
        fs::current_files()?.get(old)?;
        return Ok(new as usize);
    }
    dup_to(old, new, false)
}

/// dup3(2).
pub fn dup3(old: i32, new: i32, flags: u32) -> SysResult {
    if flags & !O_CLOEXEC != 0 || old == new {
        return Err(Errno::EINVAL);
    }
    dup_to(old, new, flags & O_CLOEXEC != 0)
}

/// Status flags that F_SETFL changes.
const SETTABLE: u32 = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;

/// Changes status flags and tells the file, whose descriptor is `fd`.
pub fn set_status(file: &Arc<File>, fd: i32, flags: u32) -> Result<(), Errno> {
    let old = file.flags();
    let noatime = flags & O_NOATIME != 0 && old & O_NOATIME == 0;
    if noatime && let Some(place) = &file.location {
        let own = place.inode.ownership()?;
        if !fs::access::owns(&own, &fs::access::current()) {
            return Err(Errno::EPERM);
        }
    }
    if (flags ^ old) & FASYNC != 0 {
        set_async(file, fd, flags & FASYNC != 0);
    }
    let old = file.flags();
    let new = old & !SETTABLE | flags & SETTABLE;
    if new != old {
        file.flags.store(new, Ordering::Relaxed);
        file.ops.flags_changed(file);
    }
    Ok(())
}

/// Sets or clears O_ASYNC; whether the file knows it.
pub fn set_async(file: &Arc<File>, fd: i32, on: bool) -> bool {
    let Some(listeners) = file.ops.listeners(file) else {
        return false;
    };
    listeners.set(file, fd, on);
    if on {
        file.ops.became_async(file);
    }
    true
}

/// fcntl(2).
pub fn fcntl(fd: i32, command: u32, arg: u64) -> SysResult {
    let files = fs::current_files()?;
    let file = files.get(fd)?;
    match command {
        F_DUPFD | F_DUPFD_CLOEXEC => {
            let min = arg as u32;
            if u64::from(min) >= descriptor_limit() {
                return Err(Errno::EINVAL);
            }
            let why = (descriptor::DUPLICATED, fd);
            let cloexec = command == F_DUPFD_CLOEXEC;
            return Ok(files.install_as(file, cloexec, min as i32, why)? as usize);
        }
        F_GETFD => return Ok(usize::from(files.cloexec(fd)?)),
        F_SETFD => {
            files.set_cloexec(fd, arg as u32 & FD_CLOEXEC != 0)?;
            return Ok(0);
        }
        F_GETFL => return Ok(file.flags() as usize),
        F_DUPFD_QUERY => {
            let other = files.get(arg as i32)?;
            return Ok(usize::from(Arc::ptr_eq(&file, &other)));
        }
        _ if file.is_path() => return Err(Errno::EBADF),
        _ => {}
    }
    match command {
        F_SETFL => set_status(&file, fd, arg as u32).map(|()| 0),
        F_GETLK | F_OFD_GETLK => get_lock(&file, arg, command == F_OFD_GETLK),
        F_SETLK | F_SETLKW => set_lock(&file, arg, command == F_SETLKW, false),
        F_OFD_SETLK | F_OFD_SETLKW => set_lock(&file, arg, command == F_OFD_SETLKW, true),
        F_GETOWN => {
            let owner = *file.owner.lock();
            let id = if owner.kind == F_OWNER_PGRP {
                -owner.id
            } else {
                owner.id
            };
            Ok(id as isize as usize)
        }
        F_SETOWN => {
            let id = arg as i32;
            let (kind, id) = match id.checked_neg() {
                None => return Err(Errno::EINVAL),
                Some(group) if id < 0 => (F_OWNER_PGRP, group),
                Some(_) => (F_OWNER_PID, id),
            };
            set_owner(&file, kind, id)
        }
        F_GETOWN_EX => {
            let owner = *file.owner.lock();
            user::write(arg, &[owner.kind as i32, owner.id])?;
            Ok(0)
        }
        F_SETOWN_EX => {
            let [kind, id] = user::read::<[i32; 2]>(arg)?;
            match kind as u32 {
                kind @ (F_OWNER_TID | F_OWNER_PID | F_OWNER_PGRP) => set_owner(&file, kind, id),
                _ => Err(Errno::EINVAL),
            }
        }
        F_GETSIG => Ok(file.owner.lock().signal as usize),
        F_SETSIG => {
            if arg > 64 {
                return Err(Errno::EINVAL);
            }
            file.owner.lock().signal = arg as u32;
            Ok(0)
        }
        F_GETPIPE_SZ => file.ops.pipe_size(),
        F_SETPIPE_SZ => file.ops.set_pipe_size(arg as u32),
        F_ADD_SEALS => {
            if !file.writable() {
                return Err(Errno::EPERM);
            }
            let place = file.location.as_ref().ok_or(Errno::EINVAL)?;
            place.inode.add_seals(arg as u32).map(|()| 0)
        }
        F_GET_SEALS => {
            let place = file.location.as_ref().ok_or(Errno::EINVAL)?;
            Ok(place.inode.seals()? as usize)
        }
        F_GETLEASE => Ok(F_UNLCK as usize),
        _ => Err(Errno::EINVAL),
    }
}

/// Sets who gets SIGIO; `ESRCH` if there is no such process.
fn set_owner(file: &File, kind: u32, id: i32) -> SysResult {
    let exists = match kind {
        _ if id == 0 => true,
        F_OWNER_TID => crate::task::task(id).is_some(),
        F_OWNER_PID => crate::task::process(id).is_some(),
        _ => {
            let all = crate::task::processes();
            all.iter().any(|p| p.pgid.load(Ordering::Relaxed) == id)
        }
    };
    if !exists {
        return Err(Errno::ESRCH);
    }
    let mut owner = file.owner.lock();
    let mine = fs::access::current();
    *owner = Owner {
        kind,
        id,
        user: [mine.uid, mine.euid],
        ..*owner
    };
    Ok(0)
}

/// `struct flock` of x86-64.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Flock {
    kind: i16,
    whence: i16,
    pad: u32,
    start: i64,
    len: i64,
    pid: i32,
    pad2: u32,
}

/// The range that a `struct flock` means: first and last byte.
fn lock_range(file: &File, lock: &Flock) -> Result<(u64, u64), Errno> {
    let base = match lock.whence as u32 {
        SEEK_SET => 0,
        SEEK_CUR => i64::try_from(*file.position.lock()).unwrap_or(i64::MAX),
        SEEK_END => i64::try_from(file.metadata()?.size).unwrap_or(i64::MAX),
        _ => return Err(Errno::EINVAL),
    };
    let start = base.checked_add(lock.start).ok_or(Errno::EOVERFLOW)?;
    if start < 0 {
        return Err(Errno::EINVAL);
    }
    let (first, last) = match lock.len {
        0 => (start, i64::MAX),
        len if len > 0 => {
            let last = start.checked_add(len - 1).ok_or(Errno::EOVERFLOW)?;
            (start, last)
        }
        len => (start.checked_add(len).ok_or(Errno::EINVAL)?, start - 1),
    };
    let first = u64::try_from(first).map_err(|_| Errno::EINVAL)?;
    let last = u64::try_from(last).map_err(|_| Errno::EINVAL)?;
    Ok((first, last))
}

/// The lock that a `struct flock` describes, as the running process's or the description's.
fn wanted(file: &File, lock: &Flock, ofd: bool) -> Result<Record, Errno> {
    let (start, end) = lock_range(file, lock)?;
    if !matches!(lock.kind as u32, F_RDLCK | F_WRLCK | F_UNLCK) || ofd && lock.pid != 0 {
        return Err(Errno::EINVAL);
    }
    let (owner, pid) = if ofd {
        (locks::description(file), -1)
    } else {
        let id = fs::current_files()?.id();
        (LockOwner::Process(id), sched::current().process.pid)
    };
    Ok(Record {
        owner,
        start,
        end,
        exclusive: lock.kind as u32 == F_WRLCK,
        pid,
    })
}

fn get_lock(file: &File, arg: u64, ofd: bool) -> SysResult {
    let mut lock = user::read::<Flock>(arg)?;
    let unlock = lock.kind as u32 == F_UNLCK;
    if !ofd && !matches!(lock.kind as u32, F_RDLCK | F_WRLCK) {
        return Err(Errno::EINVAL);
    }
    let wanted = wanted(file, &lock, ofd)?;
    let found = if unlock {
        locks::own(file, &wanted)
    } else {
        locks::conflict(file, &wanted)
    };
    match found {
        None => lock.kind = F_UNLCK as i16,
        Some(other) => {
            lock.kind = if other.exclusive { F_WRLCK } else { F_RDLCK } as i16;
            lock.whence = SEEK_SET as i16;
            lock.start = other.start as i64;
            lock.len = match other.end {
                end if end >= i64::MAX as u64 => 0,
                end => (end - other.start + 1) as i64,
            };
            lock.pid = other.pid;
        }
    }
    user::write(arg, &lock)?;
    Ok(0)
}

fn set_lock(file: &File, arg: u64, wait: bool, ofd: bool) -> SysResult {
    let lock = user::read::<Flock>(arg)?;
    let wanted = wanted(file, &lock, ofd)?;
    match lock.kind as u32 {
        F_RDLCK if !file.readable() => return Err(Errno::EBADF),
        F_WRLCK if !file.writable() => return Err(Errno::EBADF),
        F_RDLCK | F_WRLCK => locks::set_record(file, wanted, wait)?,
        F_UNLCK => locks::clear_record(file, wanted.owner, wanted.start, wanted.end),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// flock(2).
pub fn flock(fd: i32, operation: u32) -> SysResult {
    let lock = match operation & !LOCK_NB {
        LOCK_SH => Some(false),
        LOCK_EX => Some(true),
        LOCK_UN => None,
        _ => return Err(Errno::EINVAL),
    };
    let file = fs::current_files()?.get_open(fd)?;
    locks::flock(&file, lock, operation & LOCK_NB == 0)?;
    Ok(0)
}
