//! Clocks as programs name them (clock_gettime(2)): the fixed ones and those of a process's or thread's processor time.

use super::{
    clock::{boot_offset, monotonic_ns, real_offset},
    cpu::TaskTimes,
};
use crate::{
    Errno, sched,
    task::{self, Process, Task},
};
use alloc::sync::Arc;

/// A clock.
#[derive(Clone)]
pub enum Clock {
    /// CLOCK_MONOTONIC plus a constant.
    Wall(Wall),
    /// Processor time.
    Cpu(CpuOwner, CpuKind),
}

/// Clocks that run with the wall's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wall {
    /// CLOCK_REALTIME.
    Realtime,
    /// CLOCK_MONOTONIC.
    Monotonic,
    /// CLOCK_MONOTONIC_RAW.
    MonotonicRaw,
    /// CLOCK_REALTIME_COARSE.
    RealtimeCoarse,
    /// CLOCK_MONOTONIC_COARSE.
    MonotonicCoarse,
    /// CLOCK_BOOTTIME.
    Boottime,
    /// CLOCK_REALTIME_ALARM.
    RealtimeAlarm,
    /// CLOCK_BOOTTIME_ALARM.
    BoottimeAlarm,
    /// CLOCK_TAI.
    Tai,
}

/// Whose processor time.
#[derive(Clone)]
pub enum CpuOwner {
    /// All threads of a process.
    Process(Arc<Process>),
    /// One thread.
    Thread(Arc<Task>),
}

/// Which part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuKind {
    /// User and system time.
    All,
    /// User time.
    User,
}

/// A coarse clock's resolution: a timer tick of a kernel with HZ=250. (Ours reads the exact time.)
const COARSE_NS: u64 = 4_000_000;

impl Clock {
    /// The clock with this id; `EINVAL` if there is none, or it isn't the caller's to use.
    pub fn from_id(id: i32) -> Result<Clock, Errno> {
        if id < 0 {
            return Clock::of_pid(id);
        }
        let wall = match id {
            0 => Wall::Realtime,
            1 => Wall::Monotonic,
            2 => {
                let process = sched::current().process.clone();
                return Ok(Clock::Cpu(CpuOwner::Process(process), CpuKind::All));
            }
            3 => return Ok(Clock::Cpu(CpuOwner::Thread(sched::current()), CpuKind::All)),
            4 => Wall::MonotonicRaw,
            5 => Wall::RealtimeCoarse,
            6 => Wall::MonotonicCoarse,
            7 => Wall::Boottime,
            8 => Wall::RealtimeAlarm,
            9 => Wall::BoottimeAlarm,
            11 => Wall::Tai,
            _ => return Err(Errno::EINVAL),
        };
        Ok(Clock::Wall(wall))
    }

    /// A processor-time clock as clock_getcpuclockid(3) and pthread_getcpuclockid(3) make it: `~pid << 3`, 4 for a thread's, and which part.
    fn of_pid(id: i32) -> Result<Clock, Errno> {
        let kind = match id & 3 {
            1 => CpuKind::User,
            0 | 2 => CpuKind::All,
            // Clocks of devices, by descriptor: the sandbox has none.
            _ => return Err(Errno::EINVAL),
        };
        let pid = !(id >> 3);
        let owner = if id & 4 != 0 {
            let current = sched::current();
            let task = if pid == 0 {
                current.clone()
            } else {
                task::task(pid).ok_or(Errno::EINVAL)?
            };
            // Another process's threads are none of the caller's business.
            if !Arc::ptr_eq(&task.process, &current.process) {
                return Err(Errno::EINVAL);
            }
            CpuOwner::Thread(task)
        } else if pid == 0 {
            CpuOwner::Process(sched::current().process.clone())
        } else {
            CpuOwner::Process(task::process(pid).ok_or(Errno::EINVAL)?)
        };
        Ok(Clock::Cpu(owner, kind))
    }

    /// The time on it, nanoseconds.
    pub fn now(&self) -> u64 {
        match self {
            Clock::Wall(wall) => wall.now(),
            Clock::Cpu(owner, kind) => kind.of(owner.times()),
        }
    }

    /// Its resolution, nanoseconds.
    pub fn resolution(&self) -> u64 {
        match self {
            Clock::Wall(Wall::RealtimeCoarse | Wall::MonotonicCoarse) => COARSE_NS,
            _ => 1,
        }
    }
}

impl Wall {
    /// Its distance to CLOCK_MONOTONIC, nanoseconds.
    pub fn offset(self) -> i64 {
        match self {
            Wall::Monotonic | Wall::MonotonicRaw | Wall::MonotonicCoarse => 0,
            Wall::Realtime | Wall::RealtimeCoarse | Wall::RealtimeAlarm => real_offset(),
            // No one has told the kernel the leap seconds.
            Wall::Tai => real_offset(),
            Wall::Boottime | Wall::BoottimeAlarm => boot_offset(),
        }
    }

    /// The time on it, nanoseconds.
    pub fn now(self) -> u64 {
        monotonic_ns().saturating_add_signed(self.offset())
    }

    /// CLOCK_MONOTONIC when this clock reaches `ns`; 0 if that was before it began.
    pub fn to_monotonic(self, ns: u64) -> u64 {
        if ns == super::value::MAX_NS {
            return ns;
        }
        ns.saturating_add_signed(self.offset().saturating_neg())
    }

    /// Whether it can be slept on and set timers by.
    pub fn has_timers(self) -> bool {
        !matches!(
            self,
            Wall::MonotonicRaw | Wall::RealtimeCoarse | Wall::MonotonicCoarse
        )
    }
}

impl CpuOwner {
    fn times(&self) -> &TaskTimes {
        match self {
            CpuOwner::Process(process) => &process.timers.cpu,
            CpuOwner::Thread(task) => &task.times,
        }
    }
}

impl CpuKind {
    /// This part of what was used, nanoseconds.
    pub fn of(self, times: &TaskTimes) -> u64 {
        match self {
            CpuKind::All => times.total_ns(),
            CpuKind::User => times.user_and_system_ns().0,
        }
    }
}
