//! The scheduler: which task runs on the vCPU, and when another one does.

use crate::task::Task;
use alloc::sync::Arc;

/// The running task.
pub fn current() -> Arc<Task> {
    unreachable!("skeleton")
}

/// Lets other runnable tasks go first.
pub fn yield_now() {}

/// Makes a blocked task runnable; no effect on one that already is.
pub fn wake(_task: &Arc<Task>) {}

/// Adds a new task, runnable.
pub fn start(_task: Arc<Task>) {}

/// Blocks the current task until [`wake`] or the deadline (CLOCK_MONOTONIC, ns). May return without either: callers loop.
pub fn block(_deadline: Option<u64>) {}

/// Ends the current task for good: it never runs again, and its last reference is dropped by the next one.
pub fn exit_current() -> ! {
    loop {
        yield_now();
    }
}

/// Asks for another task to run before the current one goes back to user mode.
pub fn request_reschedule() {}

/// The earliest deadline of `time::timer` is another one now: the control page's has to follow.
pub fn deadline_changed() {}

/// The scheduler's words in a task: state, niceness, run time.
pub struct SchedState {
    /// Niceness, −20…19.
    pub nice: core::sync::atomic::AtomicI32,
    /// Nanoseconds on the vCPU.
    pub run_ns: core::sync::atomic::AtomicU64,
}
