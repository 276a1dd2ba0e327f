//! The waiters of all futexes, in buckets by key, each in the order of arrival.

use super::key::Key;
use crate::{sched, sync::Mutex, task::Task};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const BUCKETS: usize = 256;
/// [`Waiter::woken`] of one that still waits.
const WAITING: usize = usize::MAX;
/// [`Waiter::bucket`] of one that waits for several futexes.
const SEVERAL: usize = usize::MAX;

/// A task that waits for one futex or more.
pub struct Waiter {
    task: Arc<Task>,
    /// Index of the futex that woke it.
    woken: AtomicUsize,
    /// The bucket that its entry is in.
    bucket: AtomicUsize,
}

/// One waiter at one futex.
struct Entry {
    key: Key,
    bitset: u32,
    /// Waits for a lock with an owner (`pi`).
    is_pi: bool,
    index: usize,
    waiter: Arc<Waiter>,
}

static TABLE: [Mutex<Vec<Entry>>; BUCKETS] = [const { Mutex::new(Vec::new()) }; BUCKETS];

/// Queues the current task up at one futex.
pub fn enqueue(key: Key, bitset: u32, is_pi: bool) -> Arc<Waiter> {
    let bucket = key.bucket(BUCKETS);
    let waiter = Arc::new(Waiter {
        task: sched::current(),
        woken: AtomicUsize::new(WAITING),
        bucket: AtomicUsize::new(bucket),
    });
    TABLE[bucket].lock().push(Entry {
        key,
        bitset,
        is_pi,
        index: 0,
        waiter: waiter.clone(),
    });
    waiter
}

/// Queues the current task up at several futexes.
pub fn enqueue_all(keys: &[Key]) -> Arc<Waiter> {
    let waiter = Arc::new(Waiter {
        task: sched::current(),
        woken: AtomicUsize::new(WAITING),
        bucket: AtomicUsize::new(SEVERAL),
    });
    for (index, key) in keys.iter().enumerate() {
        TABLE[key.bucket(BUCKETS)].lock().push(Entry {
            key: *key,
            bitset: super::MATCH_ANY,
            is_pi: false,
            index,
            waiter: waiter.clone(),
        });
    }
    waiter
}

impl Waiter {
    /// The index of the futex that woke it, once one has.
    pub fn woken(&self) -> Option<usize> {
        match self.woken.load(Relaxed) {
            WAITING => None,
            index => Some(index),
        }
    }

    /// The waiting task.
    pub fn task(&self) -> &Arc<Task> {
        &self.task
    }

    fn wake(&self, index: usize) {
        self.woken.store(index, Relaxed);
        sched::wake(&self.task);
    }
}

/// Takes a waiter out that has ended its wait: every one that waits for several futexes, of the others those that nobody has woken.
pub fn remove(waiter: &Arc<Waiter>) {
    let others = |entry: &Entry| !Arc::ptr_eq(&entry.waiter, waiter);
    match waiter.bucket.load(Relaxed) {
        // They may have been moved to any bucket.
        SEVERAL => {
            for bucket in &TABLE {
                bucket.lock().retain(others);
            }
        }
        _ if waiter.woken().is_some() => {}
        bucket => {
            if let Some(bucket) = TABLE.get(bucket) {
                bucket.lock().retain(others);
            }
        }
    }
}

/// Wakes up to `count` waiters of a futex that match `bitset`, in the order of arrival; how many. `None`: a waiter waits for a lock with an owner, which
/// only its owner gives on.
pub fn wake(key: Key, count: usize, bitset: u32) -> Option<usize> {
    let mut woken = 0;
    let mut bucket = TABLE[key.bucket(BUCKETS)].lock();
    let mut at = 0;
    while woken < count && at < bucket.len() {
        let entry = &bucket[at];
        if entry.key == key && entry.bitset & bitset != 0 {
            if entry.is_pi {
                return if woken == 0 { None } else { Some(woken) };
            }
            let entry = bucket.remove(at);
            if entry.waiter.woken().is_none() {
                entry.waiter.wake(entry.index);
                woken += 1;
            }
        } else {
            at += 1;
        }
    }
    Some(woken)
}

/// Moves up to `count` waiters from one futex to another; how many.
pub fn requeue(from: Key, to: Key, count: usize) -> usize {
    let source = from.bucket(BUCKETS);
    let target = to.bucket(BUCKETS);
    let mut moved = Vec::new();
    {
        let mut bucket = TABLE[source].lock();
        let mut at = 0;
        while moved.len() < count && at < bucket.len() {
            let entry = &bucket[at];
            if entry.key == from && !entry.is_pi {
                let mut entry = bucket.remove(at);
                entry.key = to;
                moved.push(entry);
            } else {
                at += 1;
            }
        }
    }
    let count = moved.len();
    for entry in &moved {
        if entry.waiter.bucket.load(Relaxed) != SEVERAL {
            entry.waiter.bucket.store(target, Relaxed);
        }
    }
    TABLE[target].lock().append(&mut moved);
    count
}

/// The first two waiters for a lock with an owner: who gets it, and whether another one is left.
pub fn first_pi(key: Key) -> Option<(Arc<Waiter>, bool)> {
    let bucket = TABLE[key.bucket(BUCKETS)].lock();
    let mut waiters = bucket
        .iter()
        .filter(|entry| entry.key == key && entry.is_pi);
    let first = waiters.next()?.waiter.clone();
    Some((first, waiters.next().is_some()))
}

/// Takes `waiter` out and wakes it: it owns the lock now.
pub fn hand_over(waiter: &Arc<Waiter>) {
    remove(waiter);
    waiter.wake(0);
}
