//! Processor time.
//!
//! The scheduler tells when a task gets and loses the vCPU ([`switch_in`], [`switch_out`]); the sum is exact. How much of it was spent in
//! the kernel is estimated as Linux does without precise accounting: timer interrupts sample what they hit ([`sample`]),
//! and the total is split in proportion; without samples all of it counts as user time.

use super::{NS_PER_SEC, monotonic_ns};
use crate::task::{Process, Task};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Clock ticks a second in what programs see (USER_HZ).
pub const USER_HZ: u64 = 100;

/// Processor time of a thread, or of a process with all its threads.
#[derive(Default)]
pub struct TaskTimes {
    /// Nanoseconds on the vCPU up to the last switch.
    ran: AtomicU64,
    /// When it was switched to; 0: it isn't running.
    since: AtomicU64,
    user_samples: AtomicU64,
    system_samples: AtomicU64,
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
        let user_samples = self.user_samples.load(Relaxed);
        let system_samples = self.system_samples.load(Relaxed);
        let samples = user_samples.saturating_add(system_samples).max(1);
        let system = (u128::from(total) * u128::from(system_samples) / u128::from(samples)) as u64;
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

    fn sample(&self, in_kernel: bool) {
        let counter = if in_kernel {
            &self.system_samples
        } else {
            &self.user_samples
        };
        counter.fetch_add(1, Relaxed);
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

/// A timer interrupt hit `task`, in the kernel or in user mode.
pub fn sample(task: &Task, in_kernel: bool) {
    task.times.sample(in_kernel);
    task.process.timers.cpu.sample(in_kernel);
}

/// User and system time of a process in clock ticks.
pub fn process_ticks(process: &Process) -> (u64, u64) {
    let (user, system) = process.timers.cpu.user_and_system_ns();
    const TICK_NS: u64 = NS_PER_SEC / USER_HZ;
    (user / TICK_NS, system / TICK_NS)
}
