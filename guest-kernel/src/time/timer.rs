//! The kernel's timer queue: what is to be done at a point of CLOCK_MONOTONIC.
//!
//! Callbacks run between user instructions, without locks held; they may add and cancel timers, send signals and wake tasks, but not
//! block.

use crate::sync::Mutex;
use alloc::{boxed::Box, collections::BTreeMap};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a timer does.
pub type Callback = Box<dyn FnOnce() + Send>;

/// A timer in the queue: its deadline, and a number that is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId {
    deadline: u64,
    number: u64,
}

static QUEUE: Mutex<BTreeMap<TimerId, Callback>> = Mutex::new(BTreeMap::new());
/// Deadline of the first timer; `u64::MAX`: none.
static EARLIEST: AtomicU64 = AtomicU64::new(u64::MAX);
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// Runs `callback` once CLOCK_MONOTONIC has reached `deadline_ns`.
pub fn add(deadline_ns: u64, callback: Callback) -> TimerId {
    let id = TimerId {
        deadline: deadline_ns,
        number: NEXT_NUMBER.fetch_add(1, Relaxed),
    };
    let earliest = {
        let mut queue = QUEUE.lock();
        queue.insert(id, callback);
        first(&queue)
    };
    note(earliest);
    id
}

/// Takes a timer out; false if it has run, or runs just now.
pub fn cancel(id: TimerId) -> bool {
    let (callback, earliest) = {
        let mut queue = QUEUE.lock();
        let callback = queue.remove(&id);
        (callback, first(&queue))
    };
    note(earliest);
    callback.is_some()
}

/// Runs all timers whose deadline is at most `now_ns`.
pub fn run_expired(now_ns: u64) {
    if EARLIEST.load(Relaxed) > now_ns {
        return;
    }
    // What the callbacks add for a time that has passed runs with the next call: a timer that arms itself anew can't hold the kernel here.
    let end = NEXT_NUMBER.load(Relaxed);
    loop {
        let callback = {
            let mut queue = QUEUE.lock();
            let due = queue
                .keys()
                .take_while(|id| id.deadline <= now_ns)
                .find(|id| id.number < end)
                .copied();
            due.and_then(|id| queue.remove(&id))
        };
        match callback {
            Some(callback) => callback(),
            None => break,
        }
    }
    let earliest = first(&QUEUE.lock());
    note(earliest);
}

/// The earliest deadline in the queue.
pub fn next_deadline() -> Option<u64> {
    match EARLIEST.load(Relaxed) {
        u64::MAX => None,
        deadline => Some(deadline),
    }
}

fn first(queue: &BTreeMap<TimerId, Callback>) -> u64 {
    queue
        .first_key_value()
        .map_or(u64::MAX, |(id, _)| id.deadline)
}

fn note(earliest: u64) {
    if EARLIEST.swap(earliest, Relaxed) != earliest {
        crate::sched::deadline_changed();
    }
}
