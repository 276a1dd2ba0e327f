//! System calls that read clocks and sleep.

use super::Table;
use crate::{
    Errno, SysResult, call,
    mm::user,
    signal,
    sync::{Interruptible, WaitError, wait_until},
    time::{
        clock_id::{Clock, CpuOwner, Wall},
        monotonic_ns, realtime_ns,
        value::{MAX_NS, Timespec, Timeval},
    },
};
use vitrine_abi::nr;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Adds this family's handlers.
pub const fn add(table: &mut Table) {
    table.set(nr::CLOCK_GETTIME, call!(clock_gettime; 2));
    table.set(nr::CLOCK_GETRES, call!(clock_getres; 2));
    table.set(nr::CLOCK_SETTIME, call!(clock_settime; 2));
    table.set(nr::CLOCK_NANOSLEEP, call!(clock_nanosleep; 4));
    table.set(nr::NANOSLEEP, call!(nanosleep; 2));
    table.set(nr::GETTIMEOFDAY, call!(gettimeofday; 2));
    table.set(nr::SETTIMEOFDAY, call!(settimeofday; 2));
    table.set(nr::TIME, call!(time; 1));
    table.set(nr::ADJTIMEX, call!(adjtimex; 1));
    table.set(nr::CLOCK_ADJTIME, call!(clock_adjtime; 2));
}

/// clock_gettime(2).
pub fn clock_gettime(clock: i32, time: u64) -> SysResult {
    let now = Clock::from_id(clock)?.now();
    user::write(time, &Timespec::from_ns(now))?;
    Ok(0)
}

/// clock_getres(2).
pub fn clock_getres(clock: i32, resolution: u64) -> SysResult {
    let value = Clock::from_id(clock)?.resolution();
    if resolution != 0 {
        user::write(resolution, &Timespec::from_ns(value))?;
    }
    Ok(0)
}

/// clock_settime(2): nobody sets the sandbox's clock.
pub fn clock_settime(clock: i32, time: u64) -> SysResult {
    match Clock::from_id(clock)? {
        Clock::Wall(Wall::Realtime) => {
            user::read::<Timespec>(time)?.to_ns()?;
            Err(Errno::EPERM)
        }
        Clock::Cpu(..) => Err(Errno::EPERM),
        Clock::Wall(_) => Err(Errno::EINVAL),
    }
}

/// gettimeofday(2).
pub fn gettimeofday(time: u64, zone: u64) -> SysResult {
    if time != 0 {
        user::write(time, &Timeval::from_ns(realtime_ns()))?;
    }
    if zone != 0 {
        user::write(zone, &[0_u32; 2])?;
    }
    Ok(0)
}

/// settimeofday(2).
pub fn settimeofday(time: u64, zone: u64) -> SysResult {
    if time != 0 {
        user::read::<Timeval>(time)?.to_ns()?;
    }
    if zone != 0 {
        user::read::<[u32; 2]>(zone)?;
    }
    Err(Errno::EPERM)
}

/// time(2).
pub fn time(addr: u64) -> SysResult {
    let now = crate::time::clock::realtime_seconds();
    if addr != 0 {
        user::write(addr, &now)?;
    }
    Ok(now as usize)
}

/// nanosleep(2).
pub fn nanosleep(request: u64, remaining: u64) -> SysResult {
    let time = user::read::<Timespec>(request)?.to_ns()?;
    let deadline = monotonic_ns().saturating_add(time);
    sleep_relative(deadline, remaining)
}

/// Sleeps until a time of CLOCK_MONOTONIC. If a signal ends that, what is left is written to `remaining`.
fn sleep_relative(deadline: u64, remaining: u64) -> SysResult {
    if sleep_until(deadline) {
        return Ok(0);
    }
    let left = deadline.saturating_sub(monotonic_ns());
    if left == 0 {
        return Ok(0);
    }
    if remaining != 0 {
        user::write(remaining, &Timespec::from_ns(left))?;
    }
    Err(signal::restart_with(move || {
        sleep_relative(deadline, remaining)
    }))
}

/// Sleeps until a time of CLOCK_MONOTONIC; false: a signal came first.
fn sleep_until(deadline: u64) -> bool {
    let slept = wait_until(&[], Some(deadline), Interruptible::Yes, || None::<()>);
    slept == Err(WaitError::Timeout)
}

/// clock_nanosleep(2).
pub fn clock_nanosleep(clock: i32, flags: i32, request: u64, remaining: u64) -> SysResult {
    const TIMER_ABSTIME: i32 = 1;
    let clock = Clock::from_id(clock)?;
    match &clock {
        Clock::Wall(wall) if wall.has_timers() => {}
        Clock::Wall(_) => return Err(Errno::EOPNOTSUPP),
        Clock::Cpu(CpuOwner::Thread(_), _) => return Err(Errno::EINVAL),
        Clock::Cpu(CpuOwner::Process(_), _) => {}
    }
    let time = user::read::<Timespec>(request)?.to_ns()?;
    let is_absolute = flags & TIMER_ABSTIME != 0;
    match clock {
        Clock::Wall(wall) if is_absolute => {
            if sleep_until(wall.to_monotonic(time)) {
                Ok(0)
            } else {
                Err(Errno::ERESTARTNOHAND)
            }
        }
        Clock::Wall(_) => sleep_relative(monotonic_ns().saturating_add(time), remaining),
        cpu => {
            let target = if is_absolute {
                time
            } else {
                cpu.now().saturating_add(time)
            };
            sleep_on_cpu_time(
                cpu,
                target,
                if is_absolute { None } else { Some(remaining) },
            )
        }
    }
}

/// Sleeps until a process has used its processor time up to `target`. As one vCPU gives no more of it than passes, it is looked at again when it
/// could be reached at the earliest.
fn sleep_on_cpu_time(clock: Clock, target: u64, remaining: Option<u64>) -> SysResult {
    const SHORTEST_NS: u64 = 1_000_000;
    loop {
        let left = target.saturating_sub(clock.now());
        if left == 0 {
            return Ok(0);
        }
        let look = monotonic_ns().saturating_add(left.max(SHORTEST_NS));
        if sleep_until(look) {
            continue;
        }
        let Some(addr) = remaining else {
            return Err(Errno::ERESTARTNOHAND);
        };
        if addr != 0 {
            user::write(addr, &Timespec::from_ns(left))?;
        }
        return Err(signal::restart_with(move || {
            sleep_on_cpu_time(clock, target, remaining)
        }));
    }
}

/// `struct timex`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Timex {
    modes: u32,
    pad0: u32,
    offset: i64,
    frequency: i64,
    max_error: i64,
    estimated_error: i64,
    status: i32,
    pad1: u32,
    constant: i64,
    precision: i64,
    tolerance: i64,
    time: Timeval,
    tick: i64,
    pps: [i64; 2],
    shift: i32,
    pad2: u32,
    stability: i64,
    counts: [i64; 4],
    tai: i32,
    reserved: [u32; 11],
}

const _: () = assert!(size_of::<Timex>() == 208);

/// adjtimex(2): the state of a clock that nobody disciplines; changing it is not permitted.
pub fn adjtimex(buf: u64) -> SysResult {
    /// ADJ_OFFSET_SS_READ: reads what adjtime(3) has left.
    const OFFSET_READ: u32 = 0xa001;
    const STA_UNSYNC: i32 = 0x40;
    const TIME_ERROR: usize = 5;
    const UNKNOWN_ERROR_US: i64 = 16_000_000;
    let request: Timex = user::read(buf)?;
    if request.modes != 0 && request.modes != OFFSET_READ {
        return Err(Errno::EPERM);
    }
    let state = Timex {
        modes: request.modes,
        max_error: UNKNOWN_ERROR_US,
        estimated_error: UNKNOWN_ERROR_US,
        status: STA_UNSYNC,
        constant: 2,
        precision: 1,
        tolerance: 500 << 16,
        time: Timeval::from_ns(realtime_ns().min(MAX_NS)),
        tick: 10_000,
        ..Timex::default()
    };
    user::write(buf, &state)?;
    Ok(TIME_ERROR)
}

/// clock_adjtime(2).
pub fn clock_adjtime(clock: i32, buf: u64) -> SysResult {
    match Clock::from_id(clock)? {
        Clock::Wall(Wall::Realtime) => adjtimex(buf),
        _ => Err(Errno::EOPNOTSUPP),
    }
}
