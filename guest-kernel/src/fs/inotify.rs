//! inotify(7): an instance, its watches and its queue of events.
//!
//! What happens to inodes is reported through [`notify::emit`]; changes that the host makes beneath the root are not seen.

use super::{
    Description, File, FileOps, Location, Metadata, PollEvents, PollTable, Sink, anon,
    notify::{self, Key},
};
use crate::{
    Errno, SysResult, mm,
    sync::{Interruptible, Mutex, WaitQueue, wait_until},
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Weak},
    vec::Vec,
};
use core::any::Any;
use linux_raw_sys::{
    general::{
        IN_ALL_EVENTS, IN_IGNORED, IN_MASK_ADD, IN_MASK_CREATE, IN_ONESHOT, IN_Q_OVERFLOW,
        IN_UNMOUNT,
    },
    ioctl::FIONREAD,
};

/// Events that an instance holds before it reports an overflow (/proc/sys/fs/inotify/max_queued_events).
const MAX_EVENTS: usize = 16384;
/// Bytes of `struct inotify_event` before the name.
const HEADER: usize = 16;

/// An instance.
pub struct Inotify {
    /// Itself: what a watch refers to.
    me: Weak<Inotify>,
    state: Mutex<State>,
    queue: Arc<WaitQueue>,
}

#[derive(Default)]
struct State {
    watches: BTreeMap<i32, Watched>,
    last_wd: i32,
    events: VecDeque<Event>,
}

struct Watched {
    key: Key,
    mask: u32,
    /// Keeps the inode, and so its number, alive.
    _location: Location,
}

#[derive(PartialEq, Eq)]
struct Event {
    wd: i32,
    mask: u32,
    cookie: u32,
    name: Vec<u8>,
}

impl Event {
    /// Bytes that read(2) returns for it: the name is padded with NULs to a multiple of the header's size.
    fn size(&self) -> usize {
        HEADER + self.padded()
    }

    fn padded(&self) -> usize {
        if self.name.is_empty() {
            0
        } else {
            (self.name.len() + 1).next_multiple_of(HEADER)
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size());
        bytes.extend_from_slice(&self.wd.to_ne_bytes());
        bytes.extend_from_slice(&self.mask.to_ne_bytes());
        bytes.extend_from_slice(&self.cookie.to_ne_bytes());
        bytes.extend_from_slice(&(self.padded() as u32).to_ne_bytes());
        bytes.extend_from_slice(&self.name);
        bytes.resize(self.size(), 0);
        bytes
    }
}

impl Inotify {
    /// An instance without watches.
    pub fn new() -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            state: Mutex::new(State::default()),
            queue: Arc::new(WaitQueue::new()),
        })
    }

    /// inotify_add_watch(2) of an inode that was resolved; the watch descriptor.
    pub fn add_watch(&self, location: Location, mask: u32) -> SysResult {
        let metadata = location.inode.metadata()?;
        let key = (metadata.dev, metadata.ino);
        let kept = mask & (IN_ALL_EVENTS | IN_UNMOUNT | IN_ONESHOT);
        let wd = {
            let mut state = self.state.lock();
            let existing = state.watches.iter_mut().find(|(_, watch)| watch.key == key);
            if let Some((wd, watch)) = existing {
                if mask & IN_MASK_CREATE != 0 {
                    return Err(Errno::EEXIST);
                }
                watch.mask = if mask & IN_MASK_ADD != 0 {
                    watch.mask | kept
                } else {
                    kept
                };
                return Ok(*wd as usize);
            }
            let wd = state.last_wd.checked_add(1).ok_or(Errno::ENOSPC)?;
            state.last_wd = wd;
            wd
        };
        notify::add(key, &self.me, wd)?;
        self.state.lock().watches.insert(
            wd,
            Watched {
                key,
                mask: kept,
                _location: location,
            },
        );
        Ok(wd as usize)
    }

    /// inotify_rm_watch(2); `EINVAL` for an unknown descriptor.
    pub fn remove_watch(&self, wd: i32) -> SysResult {
        let watch = self.state.lock().watches.remove(&wd);
        let watch = watch.ok_or(Errno::EINVAL)?;
        notify::remove(watch.key, self, wd);
        self.notify(wd, IN_IGNORED, &[], 0);
        Ok(0)
    }

    /// Queues an event if the watch wants it. True: the watch was for one event, and this was it.
    pub(super) fn notify(&self, wd: i32, mask: u32, name: &[u8], cookie: u32) -> bool {
        let once = {
            let mut state = self.state.lock();
            let wanted = state.watches.get(&wd).map_or(0, |watch| watch.mask);
            if mask & (wanted | IN_IGNORED | IN_UNMOUNT) & !IN_ONESHOT == 0 {
                return false;
            }
            let mut event = Event {
                wd,
                mask,
                cookie,
                name: name.to_vec(),
            };
            if state.events.len() >= MAX_EVENTS {
                event = Event {
                    wd: -1,
                    mask: IN_Q_OVERFLOW,
                    cookie: 0,
                    name: Vec::new(),
                };
            }
            // Equal events in a row are one.
            if state.events.back() == Some(&event) {
                return false;
            }
            state.events.push_back(event);
            wanted & IN_ONESHOT != 0 && mask & IN_IGNORED == 0
        };
        self.queue.wake_all();
        once
    }

    /// Drops a watch that ended by itself.
    pub(super) fn forget(&self, wd: i32) {
        let watch = self.state.lock().watches.remove(&wd);
        drop(watch);
    }

    /// Takes the next event if it fits into `room` bytes; `EINVAL` if it does not.
    fn take(&self, room: usize) -> Option<Result<Event, Errno>> {
        let mut state = self.state.lock();
        let size = state.events.front()?.size();
        if size > room {
            return Some(Err(Errno::EINVAL));
        }
        state.events.pop_front().map(Ok)
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        let watches = core::mem::take(&mut self.state.lock().watches);
        for (wd, watch) in watches {
            notify::remove(watch.key, self, wd);
        }
    }
}

impl FileOps for Inotify {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        let mut total = 0;
        loop {
            let event = match self.take(out.room()) {
                Some(event) => event,
                None if total > 0 => return Ok(total),
                None if file.nonblocking() => return Err(Errno::EAGAIN),
                None => wait_until(&[&self.queue], None, Interruptible::Yes, || {
                    self.take(out.room())
                })
                .map_err(|_| Errno::ERESTARTSYS)?,
            };
            match event.and_then(|event| out.put(&event.bytes())) {
                Ok(n) => total += n,
                Err(_) if total > 0 => return Ok(total),
                Err(error) => return Err(error),
            }
        }
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        table.add(&self.queue);
        if self.state.lock().events.is_empty() {
            PollEvents::empty()
        } else {
            PollEvents::IN | PollEvents::RDNORM
        }
    }

    fn ioctl(&self, _file: &File, request: u32, arg: u64) -> SysResult {
        if request != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let bytes: usize = self.state.lock().events.iter().map(Event::size).sum();
        mm::user::write(arg, &i32::try_from(bytes).unwrap_or(i32::MAX))?;
        Ok(0)
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(anon::anon_metadata())
    }

    fn describe(&self, _file: &File) -> Description {
        Description {
            kind: "inotify",
            text: (*b"anon_inode:inotify").into(),
        }
    }
}
