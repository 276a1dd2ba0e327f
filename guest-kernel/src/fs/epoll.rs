//! epoll(7): an instance, its interest list, and what is ready in it.
//!
//! An entry holds its file weakly, so that closing the last descriptor ends it, and remembers the sum of its files' wait
//! queues' generations when it was last reported: that sum changing is the edge of edge-triggered mode. Readiness is found by
//! looking at the entries, which needs no callbacks in wait queues; those found ready stand in a line, so that they are
//! reported in the order in which they were, and in turn when a caller takes only some.

use super::{Description, File, FileOps, Metadata, PollEvents, PollTable, anon};
use crate::{Errno, sync::Mutex, sync::WaitQueue};
use alloc::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Weak},
    vec::Vec,
};
use core::any::Any;
use linux_raw_sys::general::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP};

/// Entries of one instance at most; Linux bounds them by memory.
const MAX_ENTRIES: usize = 1 << 20;
/// Depth of instances watching instances at most.
const MAX_NESTING: usize = 4;
/// Bits of an entry's events that are modes rather than events.
const MODES: u32 = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
/// Events that are always reported.
const ALWAYS: u32 = PollEvents::ERR.union(PollEvents::HUP).bits();

/// All instances: nesting is judged on the whole graph.
static INSTANCES: Mutex<Vec<Weak<Epoll>>> = Mutex::new(Vec::new());

/// What identifies an entry: descriptor number and open file description.
type EntryKey = (i32, *const File);

/// An instance.
pub struct Epoll {
    list: Mutex<List>,
    /// Woken when the interest list changes, for those who wait.
    changed: Arc<WaitQueue>,
}

#[derive(Default)]
struct List {
    /// By the order in which they were added.
    entries: BTreeMap<u64, Entry>,
    index: BTreeMap<(i32, usize), u64>,
    next_sequence: u64,
    /// Entries that were found ready and not yet reported, or are level-triggered; may name some that are gone.
    line: VecDeque<u64>,
}

struct Entry {
    file: Weak<File>,
    fd: i32,
    events: u32,
    data: u64,
    /// Generations when last reported; `None`: report if ready, whatever they are.
    seen: Option<u64>,
    /// Stands in the line.
    queued: bool,
}

/// One event to report.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// `EPOLL*` bits.
    pub events: u32,
    /// The program's word.
    pub data: u64,
}

impl Entry {
    /// What is ready of it now, and the generations of its queues, which are added to `table`. A disabled entry has nothing ready.
    fn poll(&self, file: &File, table: &mut PollTable) -> (u32, u64) {
        let wanted = self.events & !MODES;
        if wanted == 0 {
            return (0, 0);
        }
        let first = table.queues.len();
        let events = file.ops.poll(file, table).bits() & wanted;
        if self.events & EPOLLET == 0 {
            return (events, 0);
        }
        // The look and the generations must be of one moment, or a wake-up in between would be lost: so look again.
        let stamp = generations(&table.queues[first..]);
        let mut again = PollTable::default();
        (file.ops.poll(file, &mut again).bits() & wanted, stamp)
    }

    /// Whether it is to be reported: ready, and (edge-triggered) woken since it was last looked at; and the generations.
    fn look(&self, file: &File, table: &mut PollTable) -> (bool, u64) {
        let (events, stamp) = self.poll(file, table);
        let old = self.events & EPOLLET != 0 && !self.queued && self.seen == Some(stamp);
        (events != 0 && !old, stamp)
    }
}

/// A number that changes when one of the queues is woken, or they are other queues.
fn generations(queues: &[Arc<WaitQueue>]) -> u64 {
    queues.iter().fold(0, |sum: u64, queue| {
        let place = Arc::as_ptr(queue) as usize as u64;
        sum.rotate_left(7)
            .wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_add(queue.generation())
    })
}

impl List {
    fn key(fd: i32, file: *const File) -> (i32, usize) {
        (fd, file as usize)
    }

    fn remove(&mut self, sequence: u64) {
        if let Some(entry) = self.entries.remove(&sequence) {
            self.index.remove(&Self::key(entry.fd, entry.file.as_ptr()));
        }
    }

    fn find(&mut self, (fd, file): EntryKey) -> Option<u64> {
        self.index.get(&Self::key(fd, file)).copied()
    }

    /// Puts the entries that have become ready at the line's end, and drops those whose file is closed. Adds all queues to `table`.
    fn enqueue_ready(&mut self, table: &mut PollTable) {
        let mut closed = Vec::new();
        for (sequence, entry) in &mut self.entries {
            let Some(file) = entry.file.upgrade() else {
                closed.push(*sequence);
                continue;
            };
            let (ready, stamp) = entry.look(&file, table);
            if entry.queued {
                continue;
            }
            if ready {
                entry.queued = true;
                self.line.push_back(*sequence);
            } else {
                entry.seen = Some(stamp);
            }
        }
        for sequence in closed {
            self.remove(sequence);
        }
    }

    /// Takes up to `max` events from the line. A level-triggered entry goes to its end.
    fn take_ready(&mut self, max: usize) -> Vec<Ready> {
        let mut ready = Vec::new();
        for _ in 0..self.line.len() {
            if ready.len() >= max {
                break;
            }
            let Some(sequence) = self.line.pop_front() else {
                break;
            };
            let Some(entry) = self.entries.get_mut(&sequence) else {
                continue;
            };
            let Some(file) = entry.file.upgrade() else {
                continue;
            };
            let (events, stamp) = entry.poll(&file, &mut PollTable::default());
            entry.queued = false;
            entry.seen = Some(stamp);
            if events == 0 {
                continue;
            }
            ready.push(Ready {
                events,
                data: entry.data,
            });
            if entry.events & EPOLLONESHOT != 0 {
                entry.events &= MODES;
            } else if entry.events & EPOLLET == 0 {
                entry.queued = true;
                self.line.push_back(sequence);
            }
        }
        ready
    }
}

impl Epoll {
    /// An instance without entries.
    pub fn new() -> Arc<Self> {
        let epoll = Arc::new(Self {
            list: Mutex::new(List::default()),
            changed: Arc::new(WaitQueue::new()),
        });
        let mut instances = INSTANCES.lock();
        instances.retain(|instance| instance.strong_count() > 0);
        instances.push(Arc::downgrade(&epoll));
        epoll
    }

    /// The instance that an open file is, if it is one.
    pub fn of(file: &File) -> Option<&Epoll> {
        file.ops.as_any().downcast_ref()
    }

    /// EPOLL_CTL_ADD; `EEXIST`, `ELOOP`, `ENOSPC`.
    pub fn add(&self, fd: i32, file: &Arc<File>, events: u32, data: u64) -> Result<(), Errno> {
        if let Some(inner) = Epoll::of(file) {
            self.check_nesting(inner)?;
        }
        {
            let mut list = self.list.lock();
            let key = List::key(fd, Arc::as_ptr(file));
            if list.index.contains_key(&key) {
                return Err(Errno::EEXIST);
            }
            if list.entries.len() >= MAX_ENTRIES {
                return Err(Errno::ENOSPC);
            }
            list.next_sequence += 1;
            let sequence = list.next_sequence;
            list.index.insert(key, sequence);
            list.entries.insert(
                sequence,
                Entry {
                    file: Arc::downgrade(file),
                    fd,
                    events: events | ALWAYS,
                    data,
                    seen: None,
                    queued: false,
                },
            );
        }
        self.changed.wake_all();
        Ok(())
    }

    /// EPOLL_CTL_MOD; `ENOENT`, `EINVAL` for an exclusive entry.
    pub fn modify(&self, fd: i32, file: &Arc<File>, events: u32, data: u64) -> Result<(), Errno> {
        {
            let mut list = self.list.lock();
            let sequence = list.find((fd, Arc::as_ptr(file))).ok_or(Errno::ENOENT)?;
            let entry = list.entries.get_mut(&sequence).ok_or(Errno::ENOENT)?;
            if entry.events & EPOLLEXCLUSIVE != 0 {
                return Err(Errno::EINVAL);
            }
            entry.events = events | ALWAYS;
            entry.data = data;
            entry.seen = None;
        }
        self.changed.wake_all();
        Ok(())
    }

    /// EPOLL_CTL_DEL; `ENOENT`.
    pub fn delete(&self, fd: i32, file: &Arc<File>) -> Result<(), Errno> {
        let mut list = self.list.lock();
        let sequence = list.find((fd, Arc::as_ptr(file))).ok_or(Errno::ENOENT)?;
        list.remove(sequence);
        drop(list);
        self.changed.wake_all();
        Ok(())
    }

    /// Takes up to `max` ready events; `None` if there are none. Adds the queues to wait on to `table`.
    pub fn collect(&self, max: usize, table: &mut PollTable) -> Option<Vec<Ready>> {
        table.add(&self.changed);
        let ready = {
            let mut list = self.list.lock();
            list.enqueue_ready(table);
            list.take_ready(max)
        };
        (!ready.is_empty()).then_some(ready)
    }

    /// Fails with `ELOOP` if watching `inner` would make a circle or nest too deep.
    fn check_nesting(&self, inner: &Epoll) -> Result<(), Errno> {
        let instances: Vec<Arc<Epoll>> =
            INSTANCES.lock().iter().filter_map(Weak::upgrade).collect();
        // Edges as pairs of places in `instances`: outer, inner.
        let mut edges = Vec::new();
        for (outer, instance) in instances.iter().enumerate() {
            for file in instance.nested() {
                let place = Epoll::of(&file)
                    .and_then(|inner| instances.iter().position(|i| core::ptr::eq(&**i, inner)));
                edges.extend(place.map(|place| (outer, place)));
            }
        }
        let place = |epoll: &Epoll| instances.iter().position(|i| core::ptr::eq(&**i, epoll));
        let (Some(top), Some(bottom)) = (place(self), place(inner)) else {
            return Err(Errno::EINVAL);
        };
        let below = depth(&edges, bottom, Some(top), false)?;
        let above = depth(&edges, top, None, true)?;
        if below + above + 1 > MAX_NESTING {
            return Err(Errno::ELOOP);
        }
        Ok(())
    }

    /// The instances among its entries.
    fn nested(&self) -> Vec<Arc<File>> {
        let list = self.list.lock();
        let files = list
            .entries
            .values()
            .filter_map(|entry| entry.file.upgrade());
        files.filter(|file| Epoll::of(file).is_some()).collect()
    }
}

/// Length of the longest path from `from` along `edges` (against them if `up`); `ELOOP` if it meets `forbidden` or exceeds the limit.
fn depth(
    edges: &[(usize, usize)],
    from: usize,
    forbidden: Option<usize>,
    up: bool,
) -> Result<usize, Errno> {
    let mut level = alloc::vec![from];
    for steps in 0..=MAX_NESTING {
        if forbidden.is_some_and(|node| level.contains(&node)) {
            return Err(Errno::ELOOP);
        }
        let mut next: Vec<usize> = edges
            .iter()
            .map(|(outer, inner)| {
                if up {
                    (*inner, *outer)
                } else {
                    (*outer, *inner)
                }
            })
            .filter(|(from, _)| level.contains(from))
            .map(|(_, to)| to)
            .collect();
        next.sort_unstable();
        next.dedup();
        if next.is_empty() {
            return Ok(steps);
        }
        level = next;
    }
    Err(Errno::ELOOP)
}

impl FileOps for Epoll {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        table.add(&self.changed);
        let list = self.list.lock();
        let mut ready = false;
        for entry in list.entries.values() {
            if let Some(file) = entry.file.upgrade() {
                ready |= entry.look(&file, table).0;
            }
        }
        if ready {
            PollEvents::IN | PollEvents::RDNORM
        } else {
            PollEvents::empty()
        }
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(anon::anon_metadata())
    }

    fn describe(&self, _file: &File) -> Description {
        anon::anon_description("epoll", "eventpoll")
    }
}
