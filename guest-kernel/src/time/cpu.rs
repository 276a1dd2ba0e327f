//! Processor time.
//!
//! The scheduler tells when a task gets and loses the vCPU ([`switch_in`], [`switch_out`]); the sum is exact. The kernel's part of it is
//! measured at exceptions, which are slow anyway, and estimated for system calls: reading the clock at each would cost more than some calls do.
//! Of calls that turn out long every one is measured, of short ones one in [`MOST_SKIPPED`] or so, which counts for those before it.

use super::{NS_PER_SEC, monotonic_ns};
use crate::{
    arch, sched,
    task::{Process, Task},
};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Clock ticks a second in what programs see (USER_HZ).
pub const USER_HZ: u64 = 100;

/// Processor time of a thread, or of a process with all its threads.
#[derive(Default)]
pub struct TaskTimes {
    /// Nanoseconds on the vCPU up to the last switch.
    ran: AtomicU64,
    /// When it was switched to; 0: it isn't running.
    since: AtomicU64,
    /// Nanoseconds of it in the kernel, as far as measured and estimated.
    system: AtomicU64,
    /// What was reported before: neither part ever decreases.
    user_reported: AtomicU64,
    system_reported: AtomicU64,
}

impl TaskTimes {
    /// It runs from now (CLOCK_MONOTONIC, ns) on.
    pub fn on_switch_in(&self, now: u64) {
        self.since.store(now, Relaxed);
    }

    /// It doesn't run any longer.
    pub fn on_switch_out(&self, now: u64) {
        let since = self.since.swap(0, Relaxed);
        if since != 0 {
            self.ran.fetch_add(now.saturating_sub(since), Relaxed);
        }
    }

    /// Nanoseconds on the vCPU until now.
    pub fn total_ns(&self) -> u64 {
        let ran = self.ran.load(Relaxed);
        match self.since.load(Relaxed) {
            0 => ran,
            since => ran.saturating_add(monotonic_ns().saturating_sub(since)),
        }
    }

    /// Nanoseconds in user mode and in the kernel; the split is an estimate, the sum is exact.
    pub fn user_and_system_ns(&self) -> (u64, u64) {
        let total = self.total_ns();
        let system = self.system.load(Relaxed);
        // Both parts keep what was reported; the sum is larger than both reports together were.
        let user_floor = self.user_reported.load(Relaxed);
        let system = system
            .max(self.system_reported.load(Relaxed))
            .min(total.saturating_sub(user_floor));
        let user = total - system;
        self.user_reported.store(user, Relaxed);
        self.system_reported.store(system, Relaxed);
        (user, system)
    }
}

/// The scheduler gives the vCPU to `task` (CLOCK_MONOTONIC, ns).
pub fn switch_in(task: &Task, now: u64) {
    task.times.on_switch_in(now);
    task.process.timers.cpu.on_switch_in(now);
}

/// The scheduler takes the vCPU from `task`.
pub fn switch_out(task: &Task, now: u64) {
    task.times.on_switch_out(now);
    task.process.timers.cpu.on_switch_out(now);
}

/// Calls that are not measured after one that was, at most.
const MOST_SKIPPED: u32 = 128;
/// A call that takes longer is followed by a measured one, in nanoseconds.
const LONG: u64 = 8_000;

/// Calls to come before the next one that is measured.
static LEFT: AtomicU32 = AtomicU32::new(0);
/// Calls that were to be skipped after the last measured one.
static SKIPPED: AtomicU32 = AtomicU32::new(0);
/// About how many are to be skipped next.
static STRIDE: AtomicU32 = AtomicU32::new(1);

/// A stay in the kernel that is measured.
pub struct Stay {
    /// Processor time of the task at its start.
    start: u64,
    /// How many stays it stands for.
    weight: u64,
}

/// The running task enters the kernel by a system call, which is to be measured, or not.
#[inline]
pub fn enter_call() -> Option<Stay> {
    let left = LEFT.load(Relaxed);
    if left > 0 {
        LEFT.store(left - 1, Relaxed);
        return None;
    }
    Some(measure_call())
}

#[cold]
fn measure_call() -> Stay {
    let weight = u64::from(SKIPPED.load(Relaxed)) + 1;
    // Until the end of this call is known, those of other tasks are treated as long ones.
    SKIPPED.store(0, Relaxed);
    Stay {
        weight,
        ..enter_exception()
    }
}

/// The running task enters the kernel by an exception.
pub fn enter_exception() -> Stay {
    Stay {
        start: sched::with_current(|task| task.times.total_ns()),
        weight: 1,
    }
}

/// The running task leaves the kernel after a measured call.
#[cold]
pub fn leave_call(stay: &Stay) {
    let ns = leave(stay, arch::transition_ns().0);
    let stride = if ns > LONG {
        0
    } else {
        (2 * STRIDE.load(Relaxed) + 1).min(MOST_SKIPPED)
    };
    STRIDE.store(stride, Relaxed);
    // Not always the same number: a program that repeats a sequence of calls would have the same one measured each time.
    let skip = if stride == 0 {
        0
    } else {
        arch::tsc() as u32 % stride
    };
    SKIPPED.store(skip, Relaxed);
    LEFT.store(skip, Relaxed);
}

/// The running task leaves the kernel after an exception.
pub fn leave_exception(stay: &Stay) {
    leave(stay, arch::transition_ns().1);
}

/// Counts a stay and the way in and out; how long the stay was, in nanoseconds.
fn leave(stay: &Stay, transition: u64) -> u64 {
    sched::with_current(|task| {
        let ns = task.times.total_ns().saturating_sub(stay.start);
        let counted = ns.saturating_add(transition).saturating_mul(stay.weight);
        task.times.system.fetch_add(counted, Relaxed);
        task.process.timers.cpu.system.fetch_add(counted, Relaxed);
        ns
    })
}

/// User and system time of a process in clock ticks.
pub fn process_ticks(process: &Process) -> (u64, u64) {
    let (user, system) = process.timers.cpu.user_and_system_ns();
    const TICK_NS: u64 = NS_PER_SEC / USER_HZ;
    (user / TICK_NS, system / TICK_NS)
}
