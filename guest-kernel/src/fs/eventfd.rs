//! eventfd(2): a counter as a file.

use super::{Description, File, FileOps, Metadata, PollEvents, PollTable, Sink, Source, anon};
use crate::{
    Errno, SysResult,
    sync::{Interruptible, Mutex, WaitQueue, wait_until},
};
use alloc::sync::Arc;
use core::any::Any;

/// The largest value that the counter takes.
const MAX: u64 = u64::MAX - 1;

/// The counter. A read takes all of it, or 1 of it in semaphore mode.
pub struct EventFd {
    count: Mutex<u64>,
    semaphore: bool,
    queue: Arc<WaitQueue>,
}

impl EventFd {
    /// A counter that starts at `count`.
    pub fn new(count: u64, semaphore: bool) -> Arc<Self> {
        Arc::new(Self {
            count: Mutex::new(count),
            semaphore,
            queue: Arc::new(WaitQueue::new()),
        })
    }

    fn try_take(&self) -> Option<u64> {
        let mut count = self.count.lock();
        if *count == 0 {
            return None;
        }
        let taken = if self.semaphore { 1 } else { *count };
        *count -= taken;
        Some(taken)
    }

    fn try_add(&self, value: u64) -> Option<()> {
        let mut count = self.count.lock();
        let sum = count.checked_add(value).filter(|sum| *sum <= MAX)?;
        *count = sum;
        Some(())
    }

    /// Runs `attempt` until it succeeds, blocking in between unless told not to.
    fn wait<T>(&self, file: &File, mut attempt: impl FnMut() -> Option<T>) -> Result<T, Errno> {
        if file.nonblocking() {
            return attempt().ok_or(Errno::EAGAIN);
        }
        wait_until(&[&self.queue], None, Interruptible::Yes, attempt)
            .map_err(|_| Errno::ERESTARTSYS)
    }
}

impl FileOps for EventFd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        if out.room() < size_of::<u64>() {
            return Err(Errno::EINVAL);
        }
        let taken = self.wait(file, || self.try_take())?;
        self.queue.wake_all();
        out.put(&taken.to_ne_bytes())
    }

    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        let mut bytes = [0; 8];
        if src.left() < bytes.len() {
            return Err(Errno::EINVAL);
        }
        if src.take(&mut bytes)? < bytes.len() {
            return Err(Errno::EFAULT);
        }
        let value = u64::from_ne_bytes(bytes);
        if value == u64::MAX {
            return Err(Errno::EINVAL);
        }
        self.wait(file, || self.try_add(value))?;
        self.queue.wake_all();
        Ok(bytes.len())
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        table.add(&self.queue);
        let count = *self.count.lock();
        let mut events = PollEvents::empty();
        if count > 0 {
            events |= PollEvents::IN;
        }
        if count < MAX {
            events |= PollEvents::OUT;
        }
        events
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(anon::anon_metadata())
    }

    fn describe(&self, _file: &File) -> Description {
        anon::anon_description("eventfd", "eventfd")
    }
}
