//! A process's descriptors.

use super::{File, locks};
use crate::{Errno, sync::Mutex, trace::changes};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering};
use linux_raw_sys::general::RLIMIT_NOFILE;
use vitrine_abi::event::change::descriptor as change;

/// Most descriptors that any limit allows (`fs.nr_open`).
pub const MAX_DESCRIPTORS: u64 = 1 << 20;

/// A process's descriptors; shared by its threads (CLONE_FILES).
pub struct FdTable {
    /// Identity as the owner of POSIX record locks.
    id: u64,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    slots: Vec<Option<Slot>>,
    /// No descriptor below it is free.
    lowest_free: usize,
}

#[derive(Clone)]
struct Slot {
    file: Arc<File>,
    cloexec: bool,
}

/// RLIMIT_NOFILE of the running process, capped.
pub fn descriptor_limit() -> u64 {
    let limits = crate::sched::current();
    let soft = limits.process.rlimits.lock()[RLIMIT_NOFILE as usize][0];
    soft.min(MAX_DESCRIPTORS)
}

/// The running task's descriptors.
pub fn current_files() -> Result<Arc<FdTable>, Errno> {
    crate::sched::current().files()
}

impl Slots {
    fn get(&self, fd: i32) -> Option<&Slot> {
        self.slots.get(usize::try_from(fd).ok()?)?.as_ref()
    }

    fn get_mut(&mut self, fd: i32) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(fd).ok()?)?.as_mut()
    }

    fn take(&mut self, fd: i32) -> Option<Slot> {
        let index = usize::try_from(fd).ok()?;
        let slot = self.slots.get_mut(index)?.take()?;
        self.lowest_free = self.lowest_free.min(index);
        Some(slot)
    }

    /// The lowest free place from `min` on.
    fn free_from(&self, min: usize) -> usize {
        let start = min.max(self.lowest_free);
        (start..self.slots.len())
            .find(|&i| self.slots[i].is_none())
            .unwrap_or(start.max(self.slots.len()))
    }

    fn put(&mut self, index: usize, slot: Slot) -> Result<Option<Slot>, Errno> {
        if self.slots.len() <= index {
            let more = index + 1 - self.slots.len();
            self.slots.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
            self.slots.resize(index + 1, None);
        }
        if index == self.lowest_free {
            self.lowest_free += 1;
        }
        Ok(self.slots[index].replace(slot))
    }
}

impl Default for FdTable {
    fn default() -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        FdTable {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            slots: Mutex::new(Slots::default()),
        }
    }
}

impl FdTable {
    /// An empty table.
    pub fn new() -> Arc<FdTable> {
        Arc::new(FdTable::default())
    }

    /// Identity as the owner of POSIX record locks.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The open file at `fd`, also if it was opened with O_PATH; `EBADF`.
    pub fn get(&self, fd: i32) -> Result<Arc<File>, Errno> {
        match self.slots.lock().get(fd) {
            Some(slot) => Ok(slot.file.clone()),
            None => Err(Errno::EBADF),
        }
    }

    /// The open file at `fd`; `EBADF` also if it was opened with O_PATH: what most calls need.
    pub fn get_open(&self, fd: i32) -> Result<Arc<File>, Errno> {
        let file = self.get(fd)?;
        if file.is_path() {
            return Err(Errno::EBADF);
        }
        Ok(file)
    }

    /// Puts `file` at the lowest free descriptor not below `min`; `EMFILE` past the running process's limit.
    pub fn install(&self, file: Arc<File>, cloexec: bool, min: i32) -> Result<i32, Errno> {
        self.install_as(file, cloexec, min, (change::OPENED, -1))
    }

    /// As [`FdTable::install`], for another reason than that it was opened: one of `change::descriptor`, and of which descriptor it is a
    /// duplicate.
    pub fn install_as(
        &self,
        file: Arc<File>,
        cloexec: bool,
        min: i32,
        (why, from): (u32, i32),
    ) -> Result<i32, Errno> {
        if !changes::descriptors_wanted() {
            return self.install_within(file, cloexec, min, descriptor_limit());
        }
        let fd = self.install_within(file.clone(), cloexec, min, descriptor_limit())?;
        changes::descriptor(self.id, why, fd, from, cloexec, &file);
        Ok(fd)
    }

    /// As [`FdTable::install`], with the limit given.
    pub fn install_within(
        &self,
        file: Arc<File>,
        cloexec: bool,
        min: i32,
        limit: u64,
    ) -> Result<i32, Errno> {
        let min = usize::try_from(min).map_err(|_| Errno::EINVAL)?;
        let mut slots = self.slots.lock();
        let index = slots.free_from(min);
        if index as u64 >= limit.min(MAX_DESCRIPTORS) {
            return Err(Errno::EMFILE);
        }
        slots.put(index, Slot { file, cloexec })?;
        Ok(index as i32)
    }

    /// Fails as [`FdTable::install`] would: asked before an open has effects.
    pub fn check_room(&self) -> Result<(), Errno> {
        let index = self.slots.lock().free_from(0);
        if index as u64 >= descriptor_limit() {
            return Err(Errno::EMFILE);
        }
        Ok(())
    }

    /// Puts `file`, which is at `from` too, at exactly `fd`, closing what was there (dup2(2)). The caller checked `fd` against the limit.
    pub fn replace(&self, fd: i32, file: Arc<File>, cloexec: bool, from: i32) -> Result<(), Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        if index as u64 >= MAX_DESCRIPTORS {
            return Err(Errno::EBADF);
        }
        let new = Slot {
            file: file.clone(),
            cloexec,
        };
        let old = self.slots.lock().put(index, new)?;
        if let Some(slot) = &old {
            self.tell_closed(change::CLOSED, fd, slot);
        }
        changes::descriptor(self.id, change::DUPLICATED, fd, from, cloexec, &file);
        if let Some(slot) = old {
            locks::release_process(&slot.file, self.id);
        }
        Ok(())
    }

    /// Closes.
    pub fn close(&self, fd: i32) -> Result<(), Errno> {
        let slot = self.slots.lock().take(fd).ok_or(Errno::EBADF)?;
        self.tell_closed(change::CLOSED, fd, &slot);
        locks::release_process(&slot.file, self.id);
        Ok(())
    }

    fn tell_closed(&self, why: u32, fd: i32, slot: &Slot) {
        changes::descriptor(self.id, why, fd, -1, slot.cloexec, &slot.file);
    }

    /// Close-on-exec flag of `fd`.
    pub fn cloexec(&self, fd: i32) -> Result<bool, Errno> {
        let slots = self.slots.lock();
        slots.get(fd).map(|s| s.cloexec).ok_or(Errno::EBADF)
    }

    /// Sets the close-on-exec flag of `fd`.
    pub fn set_cloexec(&self, fd: i32, on: bool) -> Result<(), Errno> {
        let changed = {
            let mut slots = self.slots.lock();
            let slot = slots.get_mut(fd).ok_or(Errno::EBADF)?;
            let changed = slot.cloexec != on && changes::descriptors_wanted();
            slot.cloexec = on;
            changed.then(|| slot.file.clone())
        };
        if let Some(file) = changed {
            changes::descriptor(self.id, change::CLOEXEC, fd, -1, on, &file);
        }
        Ok(())
    }

    /// A copy for a new process (fork); `ENOMEM`.
    pub fn fork(&self) -> Result<Arc<FdTable>, Errno> {
        let copy = FdTable::default();
        {
            let from = self.slots.lock();
            let mut to = copy.slots.lock();
            let count = from.slots.len();
            to.slots.try_reserve(count).map_err(|_| Errno::ENOMEM)?;
            to.slots.extend_from_slice(&from.slots);
            to.lowest_free = from.lowest_free;
        }
        Ok(Arc::new(copy))
    }

    /// Closes what is marked close-on-exec.
    pub fn close_on_exec(&self) {
        let why = Some(change::CLOSED_BY_EXEC);
        self.close_where(0, i32::MAX, why, |slot| slot.cloexec);
    }

    /// Closes all of `first..=last` (close_range(2)).
    pub fn close_range(&self, first: i32, last: i32) {
        self.close_where(first, last, Some(change::CLOSED), |_| true);
    }

    /// Marks all of `first..=last` close-on-exec.
    pub fn cloexec_range(&self, first: i32, last: i32) {
        let mut slots = self.slots.lock();
        let (start, end) = slots.bounds(first, last);
        let tell = changes::descriptors_wanted();
        let mut changed = Vec::new();
        for (fd, slot) in (start..end).zip(slots.slots[start..end].iter_mut()) {
            let Some(slot) = slot else { continue };
            if tell && !slot.cloexec && changed.try_reserve(1).is_ok() {
                changed.push((fd as i32, slot.file.clone()));
            }
            slot.cloexec = true;
        }
        drop(slots);
        for (fd, file) in changed {
            changes::descriptor(self.id, change::CLOEXEC, fd, -1, true, &file);
        }
    }

    fn close_where(&self, first: i32, last: i32, why: Option<u32>, close: impl Fn(&Slot) -> bool) {
        let mut next = usize::try_from(first).unwrap_or(0);
        loop {
            // Letting go of a file can lead back here: not under the lock.
            let slot = {
                let mut slots = self.slots.lock();
                let (_, end) = slots.bounds(first, last);
                let mut places = next..end;
                let found = places.find(|&i| slots.slots[i].as_ref().is_some_and(&close));
                let Some(index) = found else { break };
                next = index + 1;
                slots.take(index as i32)
            };
            if let Some(slot) = slot {
                if let Some(why) = why {
                    self.tell_closed(why, next as i32 - 1, &slot);
                }
                locks::release_process(&slot.file, self.id);
            }
        }
    }

    /// All descriptors: number, close-on-exec, file. As many as there is memory for.
    pub fn list(&self) -> Vec<(i32, bool, Arc<File>)> {
        let slots = self.slots.lock();
        let mut list = Vec::new();
        for (fd, slot) in slots.slots.iter().enumerate() {
            let Some(slot) = slot else { continue };
            if list.try_reserve(1).is_err() {
                break;
            }
            list.push((fd as i32, slot.cloexec, slot.file.clone()));
        }
        list
    }

    /// Places in the table, used or not: `FDSize` of /proc/PID/status.
    pub fn capacity(&self) -> usize {
        self.slots.lock().slots.len().next_multiple_of(64)
    }
}

impl Slots {
    /// `first..=last` as a range of existing places.
    fn bounds(&self, first: i32, last: i32) -> (usize, usize) {
        let end = usize::try_from(last).map_or(0, |l| l.saturating_add(1));
        let end = end.min(self.slots.len());
        (usize::try_from(first).unwrap_or(0).min(end), end)
    }
}

impl Drop for FdTable {
    fn drop(&mut self) {
        // The end of those who had it says as much, and the running task may be another.
        self.close_where(0, i32::MAX, None, |_| true);
    }
}
