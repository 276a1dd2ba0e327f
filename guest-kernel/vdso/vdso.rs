//! The vDSO: clock calls that need no kernel. User-space code, compiled by the kernel's build script into a shared
//! object of its own, which `task::exec::vdso` maps into every program with the page of clock parameters before it.
//!
//! It must contain no relocation and need no symbol: it is never linked in the program.
#![no_std]

#[path = "../../abi/src/vdso.rs"]
#[allow(dead_code, reason = "the writing half is the kernel's")]
mod data;

use core::arch::{asm, global_asm};
use data::VdsoData;

// The names without prefix are what the C library's own functions are called; some programs look for those.
global_asm!(
    ".weak clock_gettime",
    ".set clock_gettime, __vdso_clock_gettime",
    ".type clock_gettime, @function",
    ".weak gettimeofday",
    ".set gettimeofday, __vdso_gettimeofday",
    ".type gettimeofday, @function",
    ".weak time",
    ".set time, __vdso_time",
    ".type time, @function",
    ".weak clock_getres",
    ".set clock_getres, __vdso_clock_getres",
    ".type clock_getres, @function",
    ".weak getcpu",
    ".set getcpu, __vdso_getcpu",
    ".type getcpu, @function",
);

const NR_GETTIMEOFDAY: u64 = 96;
const NR_TIME: u64 = 201;
const NR_GETCPU: u64 = 309;
const NR_CLOCK_GETTIME: u64 = 228;
const NR_CLOCK_GETRES: u64 = 229;

const SECOND: u64 = 1_000_000_000;
/// Resolution of the coarse clocks, as of a kernel with 250 ticks a second.
const COARSE_RESOLUTION: i64 = 4_000_000;

#[repr(C)]
pub struct Timespec {
    sec: i64,
    nsec: i64,
}

#[repr(C)]
pub struct Timeval {
    sec: i64,
    usec: i64,
}

#[repr(C)]
pub struct Timezone {
    minutes_west: i32,
    dst: i32,
}

/// What a clock adds to CLOCK_MONOTONIC.
#[derive(Clone, Copy)]
enum Offset {
    None,
    Real,
    Boot,
}

fn offset_of(clock: i32) -> Option<Offset> {
    // CLOCK_REALTIME, _REALTIME_COARSE, _TAI; _MONOTONIC, _MONOTONIC_RAW, _MONOTONIC_COARSE; _BOOTTIME.
    match clock {
        0 | 5 | 11 => Some(Offset::Real),
        1 | 4 | 6 => Some(Offset::None),
        7 => Some(Offset::Boot),
        _ => None,
    }
}

/// Nanoseconds of a clock; `None`: the kernel has not told its parameters.
#[inline(always)]
fn now(offset: Offset) -> Option<u64> {
    let page: *const VdsoData;
    // SAFETY: computes an address only: the kernel maps the page of parameters right before this object's first byte.
    unsafe {
        asm!("lea {}, [rip + __ehdr_start - 4096]", out(reg) page, options(pure, nomem, nostack));
    }
    loop {
        // SAFETY: the page is mapped readable for as long as this code is.
        let before = unsafe { (&raw const (*page).seq).read_volatile() };
        if before == 0 {
            return None;
        }
        // SAFETY: as above; a torn value is thrown away when `seq` turns out to have changed.
        let data = unsafe { page.read_volatile() };
        let mono = data.monotonic_ns(cycles());
        // SAFETY: as above.
        let after = unsafe { (&raw const (*page).seq).read_volatile() };
        if before == after && before & 1 == 0 {
            let add = match offset {
                Offset::None => 0,
                Offset::Real => data.real_offset_ns,
                Offset::Boot => data.boot_offset_ns,
            };
            return Some(mono.wrapping_add(add as u64));
        }
    }
}

#[inline(always)]
fn cycles() -> u64 {
    let low: u64;
    let high: u64;
    // SAFETY: reads the cycle counter after all earlier loads; changes RAX and RDX, which are named.
    unsafe {
        asm!("lfence", "rdtsc", out("rax") low, out("rdx") high, options(nostack));
    }
    high << 32 | low
}

/// A system call with two arguments, for what the page can't answer.
#[inline(never)]
fn system_call(number: u64, first: u64, second: u64) -> i64 {
    let result: i64;
    // SAFETY: the caller's own pointers go to the kernel, which checks them; SYSCALL changes RCX and R11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") first,
            in("rsi") second,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result
}

/// clock_gettime(2).
///
/// # Safety
/// `out` is valid for writes, as for the system call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_clock_gettime(clock: i32, out: *mut Timespec) -> i32 {
    if let Some(ns) = offset_of(clock).and_then(now) {
        let value = Timespec {
            sec: (ns / SECOND) as i64,
            nsec: (ns % SECOND) as i64,
        };
        // SAFETY: the caller's promise.
        unsafe { out.write(value) };
        return 0;
    }
    system_call(NR_CLOCK_GETTIME, clock as u64, out as u64) as i32
}

/// gettimeofday(2).
///
/// # Safety
/// `out` and `zone` are null or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_gettimeofday(out: *mut Timeval, zone: *mut Timezone) -> i32 {
    let Some(ns) = now(Offset::Real) else {
        return system_call(NR_GETTIMEOFDAY, out as u64, zone as u64) as i32;
    };
    if !out.is_null() {
        let value = Timeval {
            sec: (ns / SECOND) as i64,
            usec: (ns % SECOND / 1000) as i64,
        };
        // SAFETY: the caller's promise.
        unsafe { out.write(value) };
    }
    if !zone.is_null() {
        // SAFETY: the caller's promise.
        unsafe {
            zone.write(Timezone {
                minutes_west: 0,
                dst: 0,
            })
        };
    }
    0
}

/// time(2).
///
/// # Safety
/// `out` is null or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_time(out: *mut i64) -> i64 {
    let Some(ns) = now(Offset::Real) else {
        return system_call(NR_TIME, out as u64, 0);
    };
    let seconds = (ns / SECOND) as i64;
    if !out.is_null() {
        // SAFETY: the caller's promise.
        unsafe { out.write(seconds) };
    }
    seconds
}

/// clock_getres(2).
///
/// # Safety
/// `out` is null or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_clock_getres(clock: i32, out: *mut Timespec) -> i32 {
    let nsec = match clock {
        5 | 6 => COARSE_RESOLUTION,
        0 | 1 | 4 | 7 | 11 => 1,
        _ => return system_call(NR_CLOCK_GETRES, clock as u64, out as u64) as i32,
    };
    if !out.is_null() {
        // SAFETY: the caller's promise.
        unsafe { out.write(Timespec { sec: 0, nsec }) };
    }
    0
}

/// getcpu(2): there is one.
///
/// # Safety
/// `cpu` and `node` are null or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_getcpu(cpu: *mut u32, node: *mut u32, _unused: u64) -> i64 {
    if now(Offset::None).is_none() {
        return system_call(NR_GETCPU, cpu as u64, node as u64);
    }
    for out in [cpu, node] {
        if !out.is_null() {
            // SAFETY: the caller's promise.
            unsafe { out.write(0) };
        }
    }
    0
}
