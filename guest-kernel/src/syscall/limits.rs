//! Resource limits and usage.

use super::Table;
use crate::{
    Errno, SysResult, call,
    mm::user,
    sched,
    task::{Credentials, limits, table, usage},
    time,
};
use linux_raw_sys::general::{CAP_SYS_RESOURCE, RUSAGE_CHILDREN, RUSAGE_SELF};
use vitrine_abi::nr;

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::GETRLIMIT, call!(getrlimit; 2));
    table.set(nr::SETRLIMIT, call!(setrlimit; 2));
    table.set(nr::PRLIMIT64, call!(prlimit64; 4));
    table.set(nr::GETRUSAGE, call!(getrusage; 2));
    table.set(nr::TIMES, call!(times; 1));
}

/// getrlimit(2).
pub fn getrlimit(resource: u32, out: u64) -> SysResult {
    let limit = limits::get(&sched::current().process, resource)?;
    user::write(out, &limit)?;
    Ok(0)
}

/// setrlimit(2).
pub fn setrlimit(resource: u32, new: u64) -> SysResult {
    let new = user::read(new)?;
    let task = sched::current();
    let privileged = task.credentials().capable(CAP_SYS_RESOURCE);
    limits::set(&task.process, resource, new, privileged)?;
    Ok(0)
}

/// prlimit(2).
pub fn prlimit64(pid: i32, resource: u32, new: u64, old: u64) -> SysResult {
    let new: Option<[u64; 2]> = if new == 0 {
        None
    } else {
        Some(user::read(new)?)
    };
    let caller = sched::current();
    let mine = caller.credentials();
    let process = match pid {
        0 => caller.process.clone(),
        pid => {
            let task = table::task(pid).ok_or(Errno::ESRCH)?;
            if task.process.pid != caller.process.pid && !may_limit(&mine, &task.credentials()) {
                return Err(Errno::EPERM);
            }
            task.process.clone()
        }
    };
    let before = match new {
        Some(new) => limits::set(&process, resource, new, mine.capable(CAP_SYS_RESOURCE))?,
        None => limits::get(&process, resource)?,
    };
    if old != 0 {
        user::write(old, &before)?;
    }
    Ok(0)
}

/// Whether the caller's real ids are all those of the other (prlimit(2)), or it is privileged.
fn may_limit(mine: &Credentials, other: &Credentials) -> bool {
    let users = [other.uid, other.euid, other.suid];
    let groups = [other.gid, other.egid, other.sgid];
    mine.capable(CAP_SYS_RESOURCE)
        || users.iter().all(|id| *id == mine.uid) && groups.iter().all(|id| *id == mine.gid)
}

/// getrusage(2).
pub fn getrusage(who: i32, out: u64) -> SysResult {
    const RUSAGE_THREAD: i32 = 1;
    let task = sched::current();
    let used = match who {
        who if who == RUSAGE_SELF as i32 => usage::of_process(&task.process),
        who if who == RUSAGE_CHILDREN => *task.process.child_usage.lock(),
        RUSAGE_THREAD => usage::of_task(&task),
        _ => return Err(Errno::EINVAL),
    };
    user::write(out, &used.raw())?;
    Ok(0)
}

/// times(2).
pub fn times(out: u64) -> SysResult {
    const TICK_NS: u64 = 10_000_000;
    if out != 0 {
        let process = sched::current().process.clone();
        let own = usage::of_process(&process);
        let children = *process.child_usage.lock();
        let times = [
            own.user_ns,
            own.system_ns,
            children.user_ns,
            children.system_ns,
        ];
        user::write(out, &times.map(|ns| ns / TICK_NS))?;
    }
    Ok((time::monotonic_ns() / TICK_NS) as usize)
}
