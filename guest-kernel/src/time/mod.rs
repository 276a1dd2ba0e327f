//! Clocks and timers.

pub mod timer;

/// CLOCK_MONOTONIC, nanoseconds.
pub fn monotonic_ns() -> u64 {
    0
}

/// CLOCK_REALTIME, nanoseconds since the epoch.
pub fn realtime_ns() -> u64 {
    0
}

/// Processor time of a thread.
#[derive(Default)]
pub struct TaskTimes {}

/// A process's interval timers, POSIX timers, and its dead and waited-for children's times.
#[derive(Default)]
pub struct ProcessTimers {}
pub fn init(_b: &vitrine_abi::boot::BootInfo) {}
pub fn ns_to_tsc(n: u64) -> u64 { n }
