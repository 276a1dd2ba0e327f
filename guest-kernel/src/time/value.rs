//! `timespec`, `timeval` and their pairs, and what they are in nanoseconds.

use super::NS_PER_SEC;
use crate::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Longest time that is told apart from for ever: Linux's KTIME_MAX.
pub const MAX_NS: u64 = i64::MAX as u64;

/// `struct timespec`.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Timespec {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds, 0…999 999 999.
    pub nsec: i64,
}

impl Timespec {
    /// From nanoseconds.
    pub fn from_ns(ns: u64) -> Timespec {
        Timespec {
            sec: (ns / NS_PER_SEC) as i64,
            nsec: (ns % NS_PER_SEC) as i64,
        }
    }

    /// In nanoseconds, at most [`MAX_NS`]; `EINVAL` if negative or not normalised.
    pub fn to_ns(self) -> Result<u64, Errno> {
        let sec = u64::try_from(self.sec).map_err(|_| Errno::EINVAL)?;
        if !(0..NS_PER_SEC as i64).contains(&self.nsec) {
            return Err(Errno::EINVAL);
        }
        Ok(sec
            .saturating_mul(NS_PER_SEC)
            .saturating_add(self.nsec as u64)
            .min(MAX_NS))
    }
}

/// `struct timeval`.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Timeval {
    /// Seconds.
    pub sec: i64,
    /// Microseconds, 0…999 999.
    pub usec: i64,
}

impl Timeval {
    /// From nanoseconds, rounded down.
    pub fn from_ns(ns: u64) -> Timeval {
        Timeval {
            sec: (ns / NS_PER_SEC) as i64,
            usec: (ns % NS_PER_SEC / 1000) as i64,
        }
    }

    /// In nanoseconds, at most [`MAX_NS`]; `EINVAL` if negative or not normalised.
    pub fn to_ns(self) -> Result<u64, Errno> {
        Timespec {
            sec: self.sec,
            nsec: self.usec.checked_mul(1000).ok_or(Errno::EINVAL)?,
        }
        .to_ns()
    }
}

/// `struct itimerspec`.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ItimerSpec {
    /// Period; zero: once.
    pub interval: Timespec,
    /// Until the next expiration; zero: disarmed.
    pub value: Timespec,
}

/// `struct itimerval`.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ItimerVal {
    /// Period; zero: once.
    pub interval: Timeval,
    /// Until the next expiration; zero: disarmed.
    pub value: Timeval,
}
