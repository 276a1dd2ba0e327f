//! File locks: POSIX record locks, open-file-description locks and flock(2).
//!
//! Locks are kept by device and inode number. A process's record locks go when it closes any descriptor of the file, the others with the
//! description.

use super::File;
use crate::{
    Errno,
    sync::{Interruptible, Mutex, WaitQueue, wait_until},
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Most ranges that one file's lock list may have.
const MAX_RANGES: usize = 1 << 16;
/// Longest chain of waiters looked through for a deadlock.
const MAX_CHAIN: usize = 64;

/// Who holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOwner {
    /// A process, by its descriptor table's id (F_SETLK).
    Process(u64),
    /// An open file description, by address (F_OFD_SETLK, flock).
    Description(usize),
}

/// A locked range.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Holder.
    pub owner: LockOwner,
    /// First byte.
    pub start: u64,
    /// Last byte; [`i64::MAX`]: to the end of the file, however it grows.
    pub end: u64,
    /// F_WRLCK rather than F_RDLCK.
    pub exclusive: bool,
    /// Process that set it; −1 for a description's.
    pub pid: i32,
}

/// A file by device and inode number.
type Key = (u64, u64);

static RECORDS: Mutex<BTreeMap<Key, Vec<Record>>> = Mutex::new(BTreeMap::new());
static FLOCKS: Mutex<BTreeMap<Key, Vec<(usize, bool)>>> = Mutex::new(BTreeMap::new());
/// Files in the two tables: none, and closing need not look.
static LOCKED_FILES: AtomicUsize = AtomicUsize::new(0);
/// Woken when a lock goes or shrinks.
static RELEASED: WaitQueue = WaitQueue::new();
/// Processes that wait for a record lock, each with one that it waits for.
static WAITING: Mutex<Vec<(LockOwner, LockOwner)>> = Mutex::new(Vec::new());

fn key(file: &File) -> Key {
    let place = file.location.as_ref();
    let meta = place.and_then(|place| place.inode.metadata().ok());
    match meta {
        Some(meta) => (meta.dev, meta.ino),
        None => (u64::MAX, alloc::sync::Arc::as_ptr(&file.ops).addr() as u64),
    }
}

/// The identity of an open file description as a lock owner.
pub fn description(file: &File) -> LockOwner {
    LockOwner::Description(core::ptr::from_ref(file).addr())
}

fn count_files() {
    let files = RECORDS.lock().len() + FLOCKS.lock().len();
    LOCKED_FILES.store(files, Ordering::Relaxed);
}

fn overlaps(record: &Record, start: u64, end: u64) -> bool {
    record.start <= end && start <= record.end
}

/// A lock that keeps `wanted` from being set.
pub fn conflict(file: &File, wanted: &Record) -> Option<Record> {
    let records = RECORDS.lock();
    let mut each = records.get(&key(file))?.iter();
    each.find(|r| {
        r.owner != wanted.owner
            && overlaps(r, wanted.start, wanted.end)
            && (r.exclusive || wanted.exclusive)
    })
    .copied()
}

/// A lock of the same owner that overlaps `range`: what F_OFD_GETLK with F_UNLCK asks for.
pub fn own(file: &File, range: &Record) -> Option<Record> {
    let records = RECORDS.lock();
    let mut each = records.get(&key(file))?.iter();
    each.find(|r| r.owner == range.owner && overlaps(r, range.start, range.end))
        .copied()
}

/// Removes the owner's locks in `start..=end`, splitting as needed.
fn cut(list: &mut Vec<Record>, owner: LockOwner, start: u64, end: u64) {
    let mut kept = Vec::with_capacity(list.len() + 1);
    for record in list.drain(..) {
        if record.owner != owner || !overlaps(&record, start, end) {
            kept.push(record);
            continue;
        }
        if record.start < start {
            kept.push(Record {
                end: start - 1,
                ..record
            });
        }
        if record.end > end {
            kept.push(Record {
                start: end + 1,
                ..record
            });
        }
    }
    *list = kept;
}

/// Joins a new lock with the same owner's neighbours of its kind. An owner's locks stay together, in order of their start: the first in
/// the way is the one that F_GETLK names.
fn join(list: &mut Vec<Record>, mut new: Record) {
    list.retain(|r| {
        let same = r.owner == new.owner && r.exclusive == new.exclusive;
        let touches =
            r.end.checked_add(1) == Some(new.start) || new.end.checked_add(1) == Some(r.start);
        if same && touches {
            new.start = new.start.min(r.start);
            new.end = new.end.max(r.end);
        }
        !(same && touches)
    });
    let mine = |r: &Record| r.owner == new.owner;
    let at = list
        .iter()
        .position(|r| mine(r) && r.start > new.start)
        .or_else(|| list.iter().rposition(mine).map(|last| last + 1));
    list.insert(at.unwrap_or(list.len()), new);
}

/// Sets a record lock; `Err(Some(holder))` if another's is in the way.
fn try_set(file: &File, wanted: &Record) -> Result<Result<(), LockOwner>, Errno> {
    if let Some(other) = conflict(file, wanted) {
        return Ok(Err(other.owner));
    }
    {
        let mut records = RECORDS.lock();
        let list = records.entry(key(file)).or_default();
        if list.len() >= MAX_RANGES {
            return Err(Errno::ENOLCK);
        }
        cut(list, wanted.owner, wanted.start, wanted.end);
        join(list, *wanted);
    }
    count_files();
    // A lock that became a shared one may let others in.
    RELEASED.wake_all();
    Ok(Ok(()))
}

/// Sets a record lock, waiting for conflicting ones if `wait`: `EAGAIN`, `EDEADLK`, `ERESTARTSYS`.
pub fn set_record(file: &File, wanted: Record, wait: bool) -> Result<(), Errno> {
    let waiter = wanted.owner;
    let done = if wait {
        wait_until(&[&RELEASED], None, Interruptible::Yes, || {
            match try_set(file, &wanted) {
                Ok(Ok(())) => Some(Ok(())),
                Ok(Err(holder)) => wait_for(waiter, holder).err().map(Err),
                Err(e) => Some(Err(e)),
            }
        })
        .unwrap_or(Err(Errno::ERESTARTSYS))
    } else {
        try_set(file, &wanted)?.map_err(|_| Errno::EAGAIN)
    };
    WAITING.lock().retain(|(w, _)| *w != waiter);
    done
}

/// Notes that one process waits for another; `EDEADLK` if that one waits, however indirectly, for the first.
fn wait_for(waiter: LockOwner, holder: LockOwner) -> Result<(), Errno> {
    let mut waiting = WAITING.lock();
    waiting.retain(|(w, _)| *w != waiter);
    if matches!(waiter, LockOwner::Description(_)) {
        return Ok(());
    }
    let mut at = holder;
    for _ in 0..MAX_CHAIN {
        if at == waiter {
            return Err(Errno::EDEADLK);
        }
        match waiting.iter().find(|(w, _)| *w == at) {
            Some((_, next)) => at = *next,
            None => break,
        }
    }
    waiting.push((waiter, holder));
    Ok(())
}

/// Unlocks `start..=end` of the owner's.
pub fn clear_record(file: &File, owner: LockOwner, start: u64, end: u64) {
    let of = key(file);
    {
        let mut records = RECORDS.lock();
        let Some(list) = records.get_mut(&of) else {
            return;
        };
        cut(list, owner, start, end);
        if list.is_empty() {
            records.remove(&of);
        }
    }
    count_files();
    RELEASED.wake_all();
}

/// flock(2): `Some(exclusive)` locks, `None` unlocks.
pub fn flock(file: &File, lock: Option<bool>, wait: bool) -> Result<(), Errno> {
    let of = key(file);
    let me = core::ptr::from_ref(file).addr();
    let held = FLOCKS
        .lock()
        .get(&of)
        .and_then(|list| list.iter().find(|(o, _)| *o == me).map(|(_, e)| *e));
    if held.is_some() && held == lock {
        return Ok(());
    }
    remove_flock(of, me);
    let Some(exclusive) = lock else {
        return Ok(());
    };
    let try_lock = || {
        let mut all = FLOCKS.lock();
        let list = all.entry(of).or_default();
        let free = list.iter().all(|(_, e)| !exclusive && !*e);
        if free {
            list.push((me, exclusive));
        }
        free.then_some(())
    };
    let done = if wait {
        let waited = wait_until(&[&RELEASED], None, Interruptible::Yes, try_lock);
        waited.map_err(|_| Errno::ERESTARTSYS)
    } else {
        try_lock().ok_or(Errno::EAGAIN)
    };
    count_files();
    done
}

fn remove_flock(of: Key, me: usize) {
    {
        let mut all = FLOCKS.lock();
        let Some(list) = all.get_mut(&of) else {
            return;
        };
        list.retain(|(owner, _)| *owner != me);
        if list.is_empty() {
            all.remove(&of);
        }
    }
    count_files();
    RELEASED.wake_all();
}

/// A descriptor of `file` was closed in the table `id`: that process's record locks on the file go.
pub fn release_process(file: &File, id: u64) {
    if LOCKED_FILES.load(Ordering::Relaxed) > 0 {
        clear_record(file, LockOwner::Process(id), 0, u64::MAX);
    }
}

/// The description ends: its locks go.
pub fn release_description(file: &File) {
    if LOCKED_FILES.load(Ordering::Relaxed) > 0 {
        clear_record(file, description(file), 0, u64::MAX);
        remove_flock(key(file), core::ptr::from_ref(file).addr());
    }
}
