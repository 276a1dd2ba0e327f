//! Times that programs pass (`timespec`, `timeval`, `itimerspec`), and the deadlines made of them.

use crate::{Errno, mm, time};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

const NS_PER_SEC: u64 = 1_000_000_000;

/// `struct timespec`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Timespec {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds.
    pub nsec: i64,
}

/// `struct timeval`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Timeval {
    /// Seconds.
    pub sec: i64,
    /// Microseconds.
    pub usec: i64,
}

impl Timespec {
    /// Nanoseconds; `EINVAL` for a negative or unnormalised time. A time beyond what 64 bits hold is the largest.
    pub fn to_ns(self) -> Result<u64, Errno> {
        let nsec = u64::try_from(self.nsec).map_err(|_| Errno::EINVAL)?;
        let sec = u64::try_from(self.sec).map_err(|_| Errno::EINVAL)?;
        if nsec >= NS_PER_SEC {
            return Err(Errno::EINVAL);
        }
        Ok(sec.saturating_mul(NS_PER_SEC).saturating_add(nsec))
    }

    /// From nanoseconds.
    pub fn from_ns(ns: u64) -> Self {
        Self {
            sec: (ns / NS_PER_SEC) as i64,
            nsec: (ns % NS_PER_SEC) as i64,
        }
    }
}

impl Timeval {
    /// Nanoseconds, by select(2)'s rule: microseconds may exceed a second; nothing may be negative.
    pub fn to_ns(self) -> Result<u64, Errno> {
        Timespec {
            sec: self.sec.saturating_add(self.usec / 1_000_000),
            nsec: (self.usec % 1_000_000) * 1000,
        }
        .to_ns()
    }

    /// From nanoseconds, rounded down.
    pub fn from_ns(ns: u64) -> Self {
        Self {
            sec: (ns / NS_PER_SEC) as i64,
            usec: (ns % NS_PER_SEC / 1000) as i64,
        }
    }
}

/// The deadline (CLOCK_MONOTONIC) a time from now. 0 is kept: it means that the deadline has passed and nobody needs to look at the clock.
pub fn after(ns: u64) -> u64 {
    if ns == 0 {
        0
    } else {
        time::monotonic_ns().saturating_add(ns)
    }
}

/// The deadline of a timeout in milliseconds, as poll(2) and epoll_wait(2) take it; negative: none.
pub fn after_ms(ms: i32) -> Option<u64> {
    u64::try_from(ms).ok().map(|ms| after(ms * 1_000_000))
}

/// The deadline of a `timespec *` argument; a null pointer means none.
pub fn after_timespec(addr: u64) -> Result<Option<u64>, Errno> {
    if addr == 0 {
        return Ok(None);
    }
    let time: Timespec = mm::user::read(addr)?;
    Ok(Some(after(time.to_ns()?)))
}

/// What is left until a deadline, in nanoseconds.
pub fn remaining(deadline: u64) -> u64 {
    if deadline == 0 {
        0
    } else {
        deadline.saturating_sub(time::monotonic_ns())
    }
}
