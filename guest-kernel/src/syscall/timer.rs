//! System calls for timers: interval timers and POSIX timers.

use super::Table;
use crate::{
    Errno, SysResult, call,
    mm::user,
    sched,
    signal::numbers::{self, SIGALRM},
    task,
    time::{
        NS_PER_SEC,
        clock_id::{Clock, Wall},
        itimer::{self, Which},
        posix::{self, Notify},
        value::{ItimerSpec, ItimerVal, Timespec, Timeval},
    },
};
use alloc::sync::Arc;
use vitrine_abi::nr;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// CAP_WAKE_ALARM, as a bit of a capability set.
const CAP_WAKE_ALARM: u64 = 1 << 35;

/// Adds this family's handlers.
pub const fn add(table: &mut Table) {
    table.set(nr::GETITIMER, call!(getitimer; 2));
    table.set(nr::SETITIMER, call!(setitimer; 3));
    table.set(nr::ALARM, call!(alarm; 1));
    table.set(nr::TIMER_CREATE, call!(timer_create; 3));
    table.set(nr::TIMER_SETTIME, call!(timer_settime; 4));
    table.set(nr::TIMER_GETTIME, call!(timer_gettime; 2));
    table.set(nr::TIMER_GETOVERRUN, call!(timer_getoverrun; 1));
    table.set(nr::TIMER_DELETE, call!(timer_delete; 1));
}

fn which(raw: i32) -> Result<Which, Errno> {
    Ok(match raw {
        0 => Which::Real,
        1 => Which::Virtual,
        2 => Which::Prof,
        _ => return Err(Errno::EINVAL),
    })
}

fn itimerval((left, interval): (u64, u64)) -> ItimerVal {
    ItimerVal {
        interval: Timeval::from_ns(interval),
        value: Timeval::from_ns(left),
    }
}

/// getitimer(2).
pub fn getitimer(timer: i32, value: u64) -> SysResult {
    let current = itimer::get(&sched::current().process, which(timer)?);
    user::write(value, &itimerval(current))?;
    Ok(0)
}

/// setitimer(2).
pub fn setitimer(timer: i32, new: u64, old: u64) -> SysResult {
    // Linux takes a null pointer for a disarmed timer.
    let new = match new {
        0 => ItimerVal::default(),
        addr => user::read::<ItimerVal>(addr)?,
    };
    let (value, interval) = (new.value.to_ns()?, new.interval.to_ns()?);
    let before = itimer::set(&sched::current().process, which(timer)?, value, interval);
    if old != 0 {
        user::write(old, &itimerval(before))?;
    }
    Ok(0)
}

/// alarm(2).
pub fn alarm(seconds: u32) -> SysResult {
    let value = u64::from(seconds) * NS_PER_SEC;
    let (left, _) = itimer::set(&sched::current().process, Which::Real, value, 0);
    // To the nearest second, but never 0 for an alarm that was set.
    let seconds = (left + NS_PER_SEC / 2) / NS_PER_SEC;
    Ok(if left != 0 {
        seconds.max(1) as usize
    } else {
        0
    })
}

/// `struct sigevent`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct SigEvent {
    value: u64,
    signo: i32,
    notify: i32,
    tid: i32,
    pad: [u32; 11],
}

impl SigEvent {
    fn notify(&self) -> Result<Notify, Errno> {
        const SIGEV_SIGNAL: i32 = 0;
        const SIGEV_NONE: i32 = 1;
        const SIGEV_THREAD: i32 = 2;
        const SIGEV_THREAD_ID: i32 = 4;
        let signo = || {
            u32::try_from(self.signo)
                .ok()
                .filter(|signo| numbers::bit(*signo) != 0)
                .ok_or(Errno::EINVAL)
        };
        match self.notify {
            SIGEV_NONE => Ok(Notify::None),
            SIGEV_SIGNAL | SIGEV_THREAD => Ok(Notify::Process(signo()?)),
            SIGEV_THREAD_ID => {
                let current = sched::current();
                let target = task::task(self.tid)
                    .filter(|task| Arc::ptr_eq(&task.process, &current.process))
                    .ok_or(Errno::EINVAL)?;
                Ok(Notify::Thread(signo()?, Arc::downgrade(&target)))
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

/// timer_create(2).
pub fn timer_create(clock: i32, event: u64, id: u64) -> SysResult {
    let event = match event {
        0 => None,
        addr => Some(user::read::<SigEvent>(addr)?),
    };
    let clock = Clock::from_id(clock)?;
    let task = sched::current();
    if let Clock::Wall(wall) = clock {
        if !wall.has_timers() {
            return Err(Errno::EOPNOTSUPP);
        }
        let wakes = matches!(wall, Wall::RealtimeAlarm | Wall::BoottimeAlarm);
        if wakes && task.credentials().cap_effective & CAP_WAKE_ALARM == 0 {
            return Err(Errno::EPERM);
        }
    }
    let (notify, value) = match event {
        Some(event) => (event.notify()?, Some(event.value)),
        None => (Notify::Process(SIGALRM), None),
    };
    let created = posix::create(&task.process, clock, notify, value)?;
    if let Err(errno) = user::write(id, &created) {
        posix::delete(&task.process, created)?;
        return Err(errno);
    }
    Ok(0)
}

fn itimerspec((left, interval): (u64, u64)) -> ItimerSpec {
    ItimerSpec {
        interval: Timespec::from_ns(interval),
        value: Timespec::from_ns(left),
    }
}

/// timer_settime(2).
pub fn timer_settime(id: i32, flags: i32, new: u64, old: u64) -> SysResult {
    const TIMER_ABSTIME: i32 = 1;
    if new == 0 {
        return Err(Errno::EINVAL);
    }
    let new: ItimerSpec = user::read(new)?;
    let (value, interval) = (new.value.to_ns()?, new.interval.to_ns()?);
    let is_absolute = flags & TIMER_ABSTIME != 0;
    let before = posix::set(&sched::current().process, id, is_absolute, value, interval)?;
    if old != 0 {
        user::write(old, &itimerspec(before))?;
    }
    Ok(0)
}

/// timer_gettime(2).
pub fn timer_gettime(id: i32, value: u64) -> SysResult {
    let current = posix::get(&sched::current().process, id)?;
    user::write(value, &itimerspec(current))?;
    Ok(0)
}

/// timer_getoverrun(2).
pub fn timer_getoverrun(id: i32) -> SysResult {
    posix::overrun(&sched::current().process, id)
}

/// timer_delete(2).
pub fn timer_delete(id: i32) -> SysResult {
    posix::delete(&sched::current().process, id)?;
    Ok(0)
}
