//! Locks and wait queues.
//!
//! The kernel runs on one vCPU and is not pre-empted, so a lock is contended only when its holder blocked while holding it; whoever
//! finds it taken lets others run. Nothing takes a lock in interrupt context: an interrupt that
//! hits the kernel is only noted.
//!
//! Rule: a lock that is held across a blocking operation is held by no one who wakes the blocked task.

use crate::sched;
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering};

/// What a contended lock does: run somebody else.
pub struct Yield;

impl spin::RelaxStrategy for Yield {
    fn relax() {
        sched::yield_to_lock_holder();
    }
}

/// Mutual exclusion; see the module's rule.
pub type Mutex<T> = spin::mutex::SpinMutex<T, Yield>;
/// Guard of a [`Mutex`].
pub type MutexGuard<'a, T> = spin::mutex::SpinMutexGuard<'a, T, Yield>;

/// Tasks that wait for one condition, to be woken when it may have become true.
///
/// `generation` counts wake-ups; epoll's edge-triggered mode and tests compare it.
pub struct WaitQueue {
    waiters: Mutex<Vec<Arc<crate::task::Task>>>,
    generation: AtomicU64,
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self {
            waiters: Mutex::new(Vec::new()),
            generation: AtomicU64::new(0),
        }
    }

    /// Wakes every waiter.
    pub fn wake_all(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        let waiters = core::mem::take(&mut *self.waiters.lock());
        for task in waiters {
            sched::wake(&task);
        }
    }

    /// Number of wake-ups so far.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    fn add(&self, task: &Arc<crate::task::Task>) {
        let mut waiters = self.waiters.lock();
        if !waiters.iter().any(|t| Arc::ptr_eq(t, task)) {
            waiters.push(task.clone());
        }
    }

    fn remove(&self, task: &Arc<crate::task::Task>) {
        self.waiters.lock().retain(|t| !Arc::ptr_eq(t, task));
    }
}

/// Why a wait ended without its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitError {
    /// A signal that is not blocked (or SIGKILL) is pending: most callers return `ERESTARTSYS` or `EINTR`.
    Signal,
    /// The deadline passed.
    Timeout,
}

/// How a wait may end early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruptible {
    /// By any deliverable signal.
    Yes,
    /// Only by a signal that kills.
    Killable,
}

/// Blocks the current task until `condition` yields a value. It is tried first, and again after each wake-up of one of `queues`.
/// `deadline` is in nanoseconds of CLOCK_MONOTONIC.
pub fn wait_until<T>(
    queues: &[&WaitQueue],
    deadline: Option<u64>,
    interruptible: Interruptible,
    mut condition: impl FnMut() -> Option<T>,
) -> Result<T, WaitError> {
    if let Some(value) = condition() {
        return Ok(value);
    }
    let task = sched::current();
    loop {
        sched::prepare_block();
        for queue in queues {
            queue.add(&task);
        }
        let done = if let Some(value) = condition() {
            Some(Ok(value))
        } else if task.interrupted(interruptible) {
            Some(Err(WaitError::Signal))
        } else if deadline.is_some_and(|d| crate::time::monotonic_ns() >= d) {
            Some(Err(WaitError::Timeout))
        } else {
            sched::block(deadline);
            None
        };
        for queue in queues {
            queue.remove(&task);
        }
        if let Some(result) = done {
            return result;
        }
    }
}
