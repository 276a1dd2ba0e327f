//! Priorities, scheduling policies and processor affinity.
//!
//! Niceness has its effect. The real-time policies are checked, remembered and shown as Linux would, but every task is scheduled
//! alike; there is one processor.

use super::Table;
use crate::{
    Errno, SysResult, call,
    mm::user,
    sched,
    task::{self, Credentials, Task, table},
};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;
use linux_raw_sys::general::*;
use vitrine_abi::{layout::PAGE_SIZE, nr};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::GETPRIORITY, call!(getpriority; 2));
    table.set(nr::SETPRIORITY, call!(setpriority; 3));
    table.set(nr::SCHED_YIELD, call!(sched_yield; 0));
    table.set(nr::SCHED_SETSCHEDULER, call!(sched_setscheduler; 3));
    table.set(nr::SCHED_GETSCHEDULER, call!(sched_getscheduler; 1));
    table.set(nr::SCHED_SETPARAM, call!(sched_setparam; 2));
    table.set(nr::SCHED_GETPARAM, call!(sched_getparam; 2));
    table.set(nr::SCHED_SETATTR, call!(sched_setattr; 3));
    table.set(nr::SCHED_GETATTR, call!(sched_getattr; 4));
    table.set(nr::SCHED_GET_PRIORITY_MAX, call!(sched_get_priority_max; 1));
    table.set(nr::SCHED_GET_PRIORITY_MIN, call!(sched_get_priority_min; 1));
    table.set(nr::SCHED_RR_GET_INTERVAL, call!(sched_rr_get_interval; 2));
    table.set(nr::SCHED_SETAFFINITY, call!(sched_setaffinity; 3));
    table.set(nr::SCHED_GETAFFINITY, call!(sched_getaffinity; 3));
    table.set(nr::IOPRIO_SET, call!(ioprio_set; 3));
    table.set(nr::IOPRIO_GET, call!(ioprio_get; 2));
}

/// The policies whose tasks have a priority of 1 to 99.
fn is_real_time(policy: u32) -> bool {
    [SCHED_FIFO, SCHED_RR].contains(&policy)
}

fn task_or_self(tid: i32) -> Result<Arc<Task>, Errno> {
    match tid {
        ..0 => Err(Errno::EINVAL),
        0 => Ok(sched::current()),
        tid => task::task(tid).ok_or(Errno::ESRCH),
    }
}

/// Whether the caller may change another task's scheduling: its own user's, or with CAP_SYS_NICE.
fn may_change(mine: &Credentials, other: &Task) -> bool {
    let other = other.credentials();
    mine.euid == other.uid || mine.euid == other.euid || mine.capable(CAP_SYS_NICE)
}

/// Whether a task may be given this niceness: none lower than now, or one that RLIMIT_NICE allows.
fn may_nice(mine: &Credentials, task: &Task, nice: i32) -> bool {
    nice >= task.sched.nice.load(Ordering::Relaxed)
        || (20 - nice) as u64 <= task.process.limit(RLIMIT_NICE)
        || mine.capable(CAP_SYS_NICE)
}

/// The tasks that `which` and `who` of getpriority and its kin name; `base` is the number that the three kinds start from.
fn tasks_meant(which: u32, who: i32, base: u32) -> Result<Vec<Arc<Task>>, Errno> {
    let caller = sched::current();
    match which.checked_sub(base).ok_or(Errno::EINVAL)? {
        PRIO_PROCESS if who == 0 => Ok([caller].into()),
        PRIO_PROCESS => Ok(task::task(who).into_iter().collect()),
        PRIO_PGRP => {
            let pgid = match who {
                0 => caller.process.pgid.load(Ordering::Relaxed),
                who => who,
            };
            let mut tasks = Vec::new();
            for process in table::group(pgid) {
                tasks.extend(process.threads.lock().iter().cloned());
            }
            Ok(tasks)
        }
        PRIO_USER => {
            let uid = if who == 0 {
                caller.credentials().uid
            } else {
                who as u32
            };
            let mut tasks = table::tasks();
            tasks.retain(|task| task.credentials.lock().uid == uid);
            Ok(tasks)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// getpriority(2): 20 less the lowest niceness, as the call itself returns it.
pub fn getpriority(which: u32, who: i32) -> SysResult {
    let tasks = tasks_meant(which, who, PRIO_PROCESS)?;
    let nice = tasks
        .iter()
        .map(|task| task.sched.nice.load(Ordering::Relaxed))
        .min();
    Ok((20 - nice.ok_or(Errno::ESRCH)?) as usize)
}

/// setpriority(2).
pub fn setpriority(which: u32, who: i32, nice: i32) -> SysResult {
    let nice = nice.clamp(-20, 19);
    let mine = sched::current().credentials();
    let mut result = Err(Errno::ESRCH);
    for task in tasks_meant(which, who, PRIO_PROCESS)? {
        if !may_change(&mine, &task) {
            result = Err(Errno::EPERM);
        } else if !may_nice(&mine, &task, nice) {
            result = Err(Errno::EACCES);
        } else {
            task.sched.nice.store(nice, Ordering::Relaxed);
            if result == Err(Errno::ESRCH) {
                result = Ok(0);
            }
        }
    }
    result
}

/// sched_yield(2).
pub fn sched_yield() -> SysResult {
    sched::yield_now();
    Ok(0)
}

/// A policy with what belongs to it, as asked for or in force.
#[derive(Clone, Copy)]
struct Setting {
    policy: u32,
    priority: u32,
    reset_on_fork: bool,
    /// `None`: stays as it is.
    nice: Option<i32>,
    deadline: [u64; 3],
}

fn apply(tid: i32, wanted: &Setting) -> SysResult {
    let task = task_or_self(tid)?;
    let range_ok = match wanted.policy {
        SCHED_FIFO | SCHED_RR => (1..=99).contains(&wanted.priority),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE => wanted.priority == 0,
        SCHED_DEADLINE => {
            let [runtime, deadline, period] = wanted.deadline;
            let period = if period == 0 { deadline } else { period };
            wanted.priority == 0 && runtime >= 1024 && runtime <= deadline && deadline <= period
        }
        _ => false,
    };
    if !range_ok {
        return Err(Errno::EINVAL);
    }
    let mine = sched::current().credentials();
    let now = *task.attributes.lock();
    if !mine.capable(CAP_SYS_NICE) {
        let limit = task.process.limit(RLIMIT_RTPRIO);
        let raises = is_real_time(wanted.policy)
            && (wanted.policy != now.policy && limit == 0
                || wanted.priority > now.priority && wanted.priority as u64 > limit);
        let nice = task.sched.nice.load(Ordering::Relaxed);
        let wakes = now.policy == SCHED_IDLE
            && wanted.policy != SCHED_IDLE
            && (20 - nice) as u64 > task.process.limit(RLIMIT_NICE);
        let lowers_nice = wanted
            .nice
            .is_some_and(|nice| !may_nice(&mine, &task, nice));
        let unsets_reset = now.reset_on_fork && !wanted.reset_on_fork;
        if raises
            || wakes
            || lowers_nice
            || unsets_reset
            || wanted.policy == SCHED_DEADLINE
            || !may_change(&mine, &task)
        {
            return Err(Errno::EPERM);
        }
    }
    if let Some(nice) = wanted.nice {
        task.sched
            .nice
            .store(nice.clamp(-20, 19), Ordering::Relaxed);
    }
    let mut attributes = task.attributes.lock();
    attributes.policy = wanted.policy;
    attributes.priority = wanted.priority;
    attributes.reset_on_fork = wanted.reset_on_fork;
    attributes.deadline = wanted.deadline;
    Ok(0)
}

/// sched_setscheduler(2).
pub fn sched_setscheduler(tid: i32, policy: i32, param: u64) -> SysResult {
    if policy < 0 || tid < 0 || param == 0 {
        return Err(Errno::EINVAL);
    }
    let priority: i32 = user::read(param)?;
    let policy = policy as u32;
    let setting = Setting {
        policy: policy & !SCHED_RESET_ON_FORK,
        priority: u32::try_from(priority).map_err(|_| Errno::EINVAL)?,
        reset_on_fork: policy & SCHED_RESET_ON_FORK != 0,
        nice: None,
        deadline: [0; 3],
    };
    apply(tid, &setting)
}

/// sched_getscheduler(2).
pub fn sched_getscheduler(tid: i32) -> SysResult {
    let attributes = *task_or_self(tid)?.attributes.lock();
    let reset = if attributes.reset_on_fork {
        SCHED_RESET_ON_FORK
    } else {
        0
    };
    Ok((attributes.policy | reset) as usize)
}

/// sched_setparam(2).
pub fn sched_setparam(tid: i32, param: u64) -> SysResult {
    if tid < 0 || param == 0 {
        return Err(Errno::EINVAL);
    }
    let priority: i32 = user::read(param)?;
    let now = *task_or_self(tid)?.attributes.lock();
    let setting = Setting {
        policy: now.policy,
        priority: u32::try_from(priority).map_err(|_| Errno::EINVAL)?,
        reset_on_fork: now.reset_on_fork,
        nice: None,
        deadline: now.deadline,
    };
    apply(tid, &setting)
}

/// sched_getparam(2).
pub fn sched_getparam(tid: i32, param: u64) -> SysResult {
    if tid < 0 || param == 0 {
        return Err(Errno::EINVAL);
    }
    let priority = task_or_self(tid)?.attributes.lock().priority;
    user::write(param, &priority)?;
    Ok(0)
}

/// `struct sched_attr`.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    deadline: [u64; 3],
    util_min: u32,
    util_max: u32,
}

/// Its first published size.
const ATTR_SIZE_0: usize = 48;

/// sched_setattr(2).
pub fn sched_setattr(tid: i32, addr: u64, flags: u32) -> SysResult {
    if addr == 0 || tid < 0 || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let size: u32 = user::read(addr)?;
    let size = if size == 0 {
        ATTR_SIZE_0
    } else {
        size as usize
    };
    if !(ATTR_SIZE_0..=PAGE_SIZE as usize).contains(&size) {
        user::write(addr, &(size_of::<SchedAttr>() as u32))?;
        return Err(Errno::E2BIG);
    }
    let attr: SchedAttr = super::process::read_extensible(addr, size)?;
    let clamps = (SCHED_FLAG_UTIL_CLAMP_MIN | SCHED_FLAG_UTIL_CLAMP_MAX) as u64;
    if attr.policy > i32::MAX as u32 || attr.flags & !(SCHED_FLAG_ALL as u64) != 0 {
        return Err(Errno::EINVAL);
    }
    if attr.flags & clamps != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let has = |flag: u32| attr.flags & flag as u64 != 0;
    let now = *task_or_self(tid)?.attributes.lock();
    let policy = if has(SCHED_FLAG_KEEP_POLICY) {
        now.policy
    } else {
        attr.policy
    };
    let keep = has(SCHED_FLAG_KEEP_PARAMS);
    let fair = [SCHED_NORMAL, SCHED_BATCH].contains(&policy);
    let setting = Setting {
        policy,
        priority: if keep { now.priority } else { attr.priority },
        reset_on_fork: has(SCHED_FLAG_RESET_ON_FORK),
        nice: (fair && !keep).then_some(attr.nice.clamp(-20, 19)),
        deadline: if keep { now.deadline } else { attr.deadline },
    };
    apply(tid, &setting)
}

/// sched_getattr(2).
pub fn sched_getattr(tid: i32, addr: u64, size: u32, flags: u32) -> SysResult {
    let size = size as usize;
    if addr == 0 || tid < 0 || flags != 0 || !(ATTR_SIZE_0..=PAGE_SIZE as usize).contains(&size) {
        return Err(Errno::EINVAL);
    }
    let task = task_or_self(tid)?;
    let attributes = *task.attributes.lock();
    let count = size.min(size_of::<SchedAttr>());
    let reset = if attributes.reset_on_fork {
        SCHED_FLAG_RESET_ON_FORK
    } else {
        0
    };
    let fair = [SCHED_NORMAL, SCHED_BATCH, SCHED_IDLE].contains(&attributes.policy);
    let attr = SchedAttr {
        size: count as u32,
        policy: attributes.policy,
        flags: reset as u64,
        nice: if fair {
            task.sched.nice.load(Ordering::Relaxed)
        } else {
            0
        },
        priority: attributes.priority,
        deadline: attributes.deadline,
        ..Default::default()
    };
    user::write_bytes(addr, &attr.as_bytes()[..count])?;
    Ok(0)
}

/// sched_get_priority_max(2).
pub fn sched_get_priority_max(policy: u32) -> SysResult {
    match policy {
        SCHED_FIFO | SCHED_RR => Ok(99),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE | SCHED_DEADLINE | SCHED_EXT => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_get_priority_min(2).
pub fn sched_get_priority_min(policy: u32) -> SysResult {
    sched_get_priority_max(policy).map(|max| max.min(1))
}

/// sched_rr_get_interval(2).
pub fn sched_rr_get_interval(tid: i32, out: u64) -> SysResult {
    let policy = task_or_self(tid)?.attributes.lock().policy;
    let ns: i64 = match policy {
        SCHED_RR => 100_000_000,
        // Without a quantum: the fair slice is less than a tick.
        _ => 0,
    };
    user::write(out, &[0, ns])?;
    Ok(0)
}

/// sched_setaffinity(2): a set with the one processor in it is accepted.
pub fn sched_setaffinity(tid: i32, len: u32, mask: u64) -> SysResult {
    let mut first = [0u8; 8];
    let count = (len as usize).min(first.len());
    user::read_bytes(mask, &mut first[..count])?;
    let task = if tid == 0 {
        sched::current()
    } else {
        task::task(tid).ok_or(Errno::ESRCH)?
    };
    if !may_change(&sched::current().credentials(), &task) {
        return Err(Errno::EPERM);
    }
    if first[0] & 1 != 0 {
        Ok(0)
    } else {
        Err(Errno::EINVAL)
    }
}

/// sched_getaffinity(2): the bytes written.
pub fn sched_getaffinity(tid: i32, len: u32, mask: u64) -> SysResult {
    if len == 0 || !len.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    if tid != 0 {
        task::task(tid).ok_or(Errno::ESRCH)?;
    }
    user::write(mask, &1u64)?;
    Ok(8)
}

/// ioprio_get and ioprio_set count their kinds of targets from 1.
const IOPRIO_WHO_BASE: u32 = 1;
/// Where the class begins in an I/O priority.
const IOPRIO_CLASS_SHIFT: u32 = 13;
const IOPRIO_LEVELS: u32 = 8;

/// ioprio_set(2): checked and remembered.
pub fn ioprio_set(which: u32, who: i32, priority: u32) -> SysResult {
    let level = priority & (IOPRIO_LEVELS - 1);
    let mine = sched::current().credentials();
    match priority >> IOPRIO_CLASS_SHIFT & 7 {
        0 if level != 0 => return Err(Errno::EINVAL),
        1 if !mine.capable(CAP_SYS_ADMIN) && !mine.capable(CAP_SYS_NICE) => {
            return Err(Errno::EPERM);
        }
        0..=3 => {}
        _ => return Err(Errno::EINVAL),
    }
    let mut result = Err(Errno::ESRCH);
    for task in tasks_meant(which, who, IOPRIO_WHO_BASE)? {
        if !may_change(&mine, &task) {
            return Err(Errno::EPERM);
        }
        task.attributes.lock().io_priority = priority & 0xffff;
        result = Ok(0);
    }
    result
}

/// ioprio_get(2): the best of the targets' priorities.
pub fn ioprio_get(which: u32, who: i32) -> SysResult {
    let tasks = tasks_meant(which, who, IOPRIO_WHO_BASE)?;
    let best = tasks
        .iter()
        .map(|task| task.attributes.lock().io_priority)
        .min();
    best.map(|priority| priority as usize).ok_or(Errno::ESRCH)
}
