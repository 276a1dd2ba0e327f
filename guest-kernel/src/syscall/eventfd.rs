//! eventfd(2), timerfd_create(2) and its kin, signalfd(2).

use super::{Table, timeout::Timespec};
use crate::{
    Errno, SysResult, call,
    fs::{
        File, access, anon,
        eventfd::EventFd,
        signalfd::SignalFd,
        timerfd::{Clock, Setting, TimerFd},
    },
    mm, sched,
};
use linux_raw_sys::general::{
    CAP_WAKE_ALARM, CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM, EFD_SEMAPHORE, O_CLOEXEC, O_NONBLOCK, O_RDWR, TFD_TIMER_ABSTIME,
    TFD_TIMER_CANCEL_ON_SET,
};
use vitrine_abi::nr;

/// Registers the family.
pub const fn add(table: &mut Table) {
    table.set(nr::EVENTFD, call!(eventfd; 1));
    table.set(nr::EVENTFD2, call!(eventfd2; 2));
    table.set(nr::TIMERFD_CREATE, call!(timerfd_create; 2));
    table.set(nr::TIMERFD_SETTIME, call!(timerfd_settime; 4));
    table.set(nr::TIMERFD_GETTIME, call!(timerfd_gettime; 2));
    table.set(nr::SIGNALFD, call!(signalfd; 3));
    table.set(nr::SIGNALFD4, call!(signalfd4; 4));
}

/// The flags that `*_CLOEXEC` and `*_NONBLOCK` of all families are.
const COMMON: u32 = O_CLOEXEC | O_NONBLOCK;

/// eventfd(2).
pub fn eventfd(count: u32) -> SysResult {
    eventfd2(count, 0)
}

/// eventfd2(2).
pub fn eventfd2(count: u32, flags: u32) -> SysResult {
    if flags & !(COMMON | EFD_SEMAPHORE) != 0 {
        return Err(Errno::EINVAL);
    }
    let event = EventFd::new(u64::from(count), flags & EFD_SEMAPHORE != 0);
    anon::install(event, O_RDWR | flags & COMMON)
}

/// timerfd_create(2).
pub fn timerfd_create(clock: u32, flags: u32) -> SysResult {
    if flags & !COMMON != 0 {
        return Err(Errno::EINVAL);
    }
    let alarm = matches!(clock, CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM);
    let clock = match clock {
        CLOCK_REALTIME | CLOCK_REALTIME_ALARM => Clock::Realtime,
        CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => Clock::Monotonic,
        _ => return Err(Errno::EINVAL),
    };
    if alarm && !access::capable(&sched::current().credentials(), CAP_WAKE_ALARM) {
        return Err(Errno::EPERM);
    }
    anon::install(TimerFd::new(clock), O_RDWR | flags & COMMON)
}

/// timerfd_settime(2). TFD_TIMER_CANCEL_ON_SET is accepted; the clock is never set here.
pub fn timerfd_settime(fd: i32, flags: u32, new: u64, old: u64) -> SysResult {
    let [interval, value] = mm::user::read::<[[i64; 2]; 2]>(new)?.map(timespec);
    if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL);
    }
    let setting = Setting {
        value: value.to_ns()?,
        interval: interval.to_ns()?,
    };
    let file = anon::file(fd)?;
    let before = timer(&file)?.set(setting, flags & TFD_TIMER_ABSTIME != 0);
    if old != 0 {
        write_setting(old, before)?;
    }
    Ok(0)
}

/// timerfd_gettime(2).
pub fn timerfd_gettime(fd: i32, setting: u64) -> SysResult {
    let file = anon::file(fd)?;
    write_setting(setting, timer(&file)?.get())?;
    Ok(0)
}

fn timer(file: &File) -> Result<&TimerFd, Errno> {
    file.ops.as_any().downcast_ref().ok_or(Errno::EINVAL)
}

fn timespec([sec, nsec]: [i64; 2]) -> Timespec {
    Timespec { sec, nsec }
}

/// Writes a `struct itimerspec`.
fn write_setting(addr: u64, setting: Setting) -> Result<(), Errno> {
    let both = [setting.interval, setting.value].map(|ns| {
        let time = Timespec::from_ns(ns);
        [time.sec, time.nsec]
    });
    mm::user::write(addr, &both)
}

/// signalfd(2).
pub fn signalfd(fd: i32, mask: u64, size: usize) -> SysResult {
    signalfd4(fd, mask, size, 0)
}

/// signalfd4(2).
pub fn signalfd4(fd: i32, mask: u64, size: usize, flags: u32) -> SysResult {
    if size != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let mask: u64 = mm::user::read(mask)?;
    if flags & !COMMON != 0 {
        return Err(Errno::EINVAL);
    }
    if fd == -1 {
        return anon::install(SignalFd::new(mask), O_RDWR | flags & COMMON);
    }
    let file = anon::file(fd)?;
    let signals: Option<&SignalFd> = file.ops.as_any().downcast_ref();
    signals.ok_or(Errno::EINVAL)?.set_mask(mask);
    usize::try_from(fd).map_err(|_| Errno::EBADF)
}
