//! Pipes and named pipes: pipe(7), fifo(7).
//!
//! A [`Pipe`] holds the bytes ([`buffer`]) and counts its ends; a [`PipeEnd`] is what an open file has. Blocking, `SIGPIPE`, partial and
//! atomic writes and poll's answers follow Linux's slot model, so that a program sees the same numbers.

mod buffer;
mod fifo;

pub use buffer::PAGE;
pub use fifo::open_fifo;

use super::{
    Description, File, FileOps, Inode, Metadata, PollEvents, PollTable, Sink, Source, access, anon,
    async_io::{Event, Listeners},
};
use crate::{
    Errno, SysResult, mm, sched, signal,
    sync::{Interruptible, Mutex, WaitQueue, wait_until},
};
use alloc::{format, sync::Arc};
use buffer::Buffer;
use core::{
    any::Any,
    sync::atomic::{AtomicU64, Ordering},
};
use linux_raw_sys::{
    general::{CAP_SYS_RESOURCE, O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY, S_IFIFO, SIGPIPE},
    ioctl::FIONREAD,
};

/// Slots of a new pipe: 64 KiB.
const DEFAULT_SLOTS: usize = 16;
/// Largest capacity that needs no privilege, in bytes (/proc/sys/fs/pipe-max-size).
pub const MAX_SIZE: usize = 1 << 20;
/// Largest capacity at all: what a program with CAP_SYS_RESOURCE may pin in the kernel's heap by one pipe.
const MAX_PRIVILEGED_SIZE: usize = 64 << 20;

/// What both ends share.
pub struct Pipe {
    state: Mutex<State>,
    /// Woken when bytes arrive, or writers come or go.
    read_queue: Arc<WaitQueue>,
    /// Woken when room appears, or readers come or go.
    write_queue: Arc<WaitQueue>,
    /// Readers and writers that want signals.
    read_listeners: Listeners,
    write_listeners: Listeners,
    metadata: Metadata,
    fifo: Option<(u64, u64)>,
}

struct State {
    buffer: Buffer,
    readers: usize,
    writers: usize,
    reader_opens: u64,
    writer_opens: u64,
}

/// One end, or (a fifo opened for both) both.
pub struct PipeEnd {
    pipe: Arc<Pipe>,
    read: bool,
    write: bool,
    /// A fifo's reader that did not wait for a writer shows no hang-up before the first one: the count of writers' opens then.
    hup_silent_at: AtomicU64,
}

impl Pipe {
    fn new(metadata: Metadata, fifo: Option<(u64, u64)>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                buffer: Buffer::new(DEFAULT_SLOTS),
                readers: 0,
                writers: 0,
                reader_opens: 0,
                writer_opens: 0,
            }),
            read_queue: Arc::new(WaitQueue::new()),
            write_queue: Arc::new(WaitQueue::new()),
            read_listeners: Listeners::new(),
            write_listeners: Listeners::new(),
            metadata,
            fifo,
        })
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if let Some(key) = self.fifo {
            fifo::forget(key);
        }
    }
}

/// A new pipe: its reading and its writing end. `flags`: `O_NONBLOCK` for both, `O_DIRECT` for the writer.
pub fn create(flags: u32) -> (Arc<File>, Arc<File>) {
    let metadata = anon::metadata(anon::PIPEFS_DEV, anon::next_ino(), S_IFIFO | 0o600);
    let pipe = Pipe::new(metadata, None);
    {
        let mut state = pipe.state.lock();
        state.readers = 1;
        state.writers = 1;
    }
    let end = |read: bool| {
        Arc::new(PipeEnd {
            pipe: pipe.clone(),
            read,
            write: !read,
            hup_silent_at: AtomicU64::new(u64::MAX),
        })
    };
    (
        File::new_nameless(end(true), O_RDONLY | flags & O_NONBLOCK),
        File::new_nameless(end(false), O_WRONLY | flags & (O_NONBLOCK | O_DIRECT)),
    )
}

/// The end that an open file is, if it is one.
pub fn end(file: &File) -> Option<&PipeEnd> {
    file.ops.as_any().downcast_ref()
}

/// Sends the current task the SIGPIPE of a write that nobody can read.
pub fn raise_sigpipe() {
    let task = sched::current();
    let info = signal::SigInfo {
        signo: SIGPIPE,
        pid: task.process.pid,
        uid: task.credentials().uid,
        ..Default::default()
    };
    signal::send_to_task(&task, info);
}

impl PipeEnd {
    /// Whether both are ends of one pipe.
    pub fn same_pipe(&self, other: &PipeEnd) -> bool {
        Arc::ptr_eq(&self.pipe, &other.pipe)
    }

    /// Moves bytes from `src` to the pipe until `src` is used up, or the pipe is full and `nonblocking`, or a signal comes.
    pub fn write_from(&self, src: &mut dyn Source, nonblocking: bool, packets: bool) -> SysResult {
        if src.left() == 0 {
            return Ok(0);
        }
        let mut total = 0;
        let mut first = true;
        loop {
            let outcome = {
                let mut state = self.pipe.state.lock();
                if state.readers == 0 {
                    Err(Errno::EPIPE)
                } else {
                    fill(&mut state.buffer, src, first, packets)
                }
            };
            first = false;
            match outcome {
                Ok(n) => {
                    total += n;
                    if n > 0 {
                        self.pipe.read_queue.wake_all();
                        self.pipe.read_listeners.tell(Event::In);
                    }
                }
                Err(error) => {
                    if error == Errno::EPIPE {
                        raise_sigpipe();
                    }
                    return if total > 0 { Ok(total) } else { Err(error) };
                }
            }
            if src.left() == 0 {
                return Ok(total);
            }
            if nonblocking {
                return if total > 0 {
                    Ok(total)
                } else {
                    Err(Errno::EAGAIN)
                };
            }
            if self.wait_writable().is_err() {
                return if total > 0 {
                    Ok(total)
                } else {
                    Err(Errno::ERESTARTSYS)
                };
            }
        }
    }

    /// Moves bytes from the pipe to `out`; waits for the first unless `nonblocking`. 0: no writer is left.
    pub fn read_into(&self, out: &mut dyn Sink, nonblocking: bool) -> SysResult {
        if out.room() == 0 {
            return Ok(0);
        }
        loop {
            {
                let mut state = self.pipe.state.lock();
                if !state.buffer.is_empty() {
                    let was_full = state.buffer.is_full();
                    let result = state.buffer.pop(out);
                    let wake = was_full && !state.buffer.is_full();
                    drop(state);
                    if wake {
                        self.pipe.write_queue.wake_all();
                    }
                    self.pipe.write_listeners.tell(Event::Out);
                    return result;
                }
                if state.writers == 0 {
                    return Ok(0);
                }
            }
            if nonblocking {
                return Err(Errno::EAGAIN);
            }
            self.wait_readable().map_err(|_| Errno::ERESTARTSYS)?;
        }
    }

    /// Waits until there are bytes or no writers.
    pub fn wait_readable(&self) -> Result<(), crate::sync::WaitError> {
        wait_until(&[&self.pipe.read_queue], None, Interruptible::Yes, || {
            let state = self.pipe.state.lock();
            (!state.buffer.is_empty() || state.writers == 0).then_some(())
        })
    }

    /// Waits until there is a free slot or no reader.
    pub fn wait_writable(&self) -> Result<(), crate::sync::WaitError> {
        wait_until(&[&self.pipe.write_queue], None, Interruptible::Yes, || {
            let state = self.pipe.state.lock();
            (state.readers == 0 || !state.buffer.is_full()).then_some(())
        })
    }

    /// Bytes that can be read now, and whether writers are left.
    pub fn readable(&self) -> (usize, bool) {
        let state = self.pipe.state.lock();
        (state.buffer.bytes(), state.writers > 0)
    }

    /// Bytes of whole free slots, and whether readers are left.
    pub fn writable(&self) -> (usize, bool) {
        let state = self.pipe.state.lock();
        (state.buffer.free_slots() * PAGE, state.readers > 0)
    }

    /// A copy of the first `max` bytes, which stay.
    pub fn peek(&self, max: usize) -> Result<alloc::vec::Vec<u8>, Errno> {
        self.pipe.state.lock().buffer.peek(max)
    }

    /// Puts bytes back in front.
    pub fn unread(&self, data: &[u8]) -> Result<(), Errno> {
        self.pipe.state.lock().buffer.unread(data)?;
        self.pipe.read_queue.wake_all();
        Ok(())
    }
}

/// Moves what fits. An error only if nothing was moved.
fn fill(buffer: &mut Buffer, src: &mut dyn Source, merge: bool, packets: bool) -> SysResult {
    let mut total = if merge { buffer.merge(src)? } else { 0 };
    while src.left() > 0 && !buffer.is_full() {
        match buffer.push(src, packets) {
            Ok(0) => break,
            Ok(n) => total += n,
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(total)
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let one_sided = {
            let mut state = self.pipe.state.lock();
            state.readers -= usize::from(self.read);
            state.writers -= usize::from(self.write);
            (state.readers == 0) != (state.writers == 0)
        };
        // Each side may wait for the other to vanish, and poll shows it to both.
        self.pipe.read_queue.wake_all();
        self.pipe.write_queue.wake_all();
        if one_sided {
            self.pipe.read_listeners.tell(Event::In);
            self.pipe.write_listeners.tell(Event::Out);
        }
    }
}

impl FileOps for PipeEnd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        if !self.read {
            return Err(Errno::EBADF);
        }
        self.read_into(out, file.nonblocking())
    }

    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        if !self.write {
            return Err(Errno::EBADF);
        }
        let flags = file.flags.load(Ordering::Relaxed);
        self.write_from(src, flags & O_NONBLOCK != 0, flags & O_DIRECT != 0)
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        let mut events = PollEvents::empty();
        let state = self.pipe.state.lock();
        if self.read {
            table.add(&self.pipe.read_queue);
            if !state.buffer.is_empty() {
                events |= PollEvents::IN | PollEvents::RDNORM;
            }
            if state.writers == 0
                && state.writer_opens != self.hup_silent_at.load(Ordering::Relaxed)
            {
                events |= PollEvents::HUP;
            }
        }
        if self.write {
            table.add(&self.pipe.write_queue);
            if !state.buffer.is_full() {
                events |= PollEvents::OUT | PollEvents::WRNORM;
            }
            if state.readers == 0 {
                events |= PollEvents::ERR;
            }
        }
        events
    }

    fn ioctl(&self, _file: &File, request: u32, arg: u64) -> SysResult {
        if request != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let bytes = self.pipe.state.lock().buffer.bytes();
        mm::user::write(arg, &i32::try_from(bytes).unwrap_or(i32::MAX))?;
        Ok(0)
    }

    fn listeners(&self, _file: &File) -> Option<&Listeners> {
        Some(if self.read {
            &self.pipe.read_listeners
        } else {
            &self.pipe.write_listeners
        })
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.pipe.metadata)
    }

    fn pipe_size(&self) -> SysResult {
        Ok(self.pipe.state.lock().buffer.capacity() * PAGE)
    }

    /// The size is rounded up to a power of two of pages.
    fn set_pipe_size(&self, bytes: u32) -> SysResult {
        let size = bytes as usize;
        if size > 1 << 31 {
            return Err(Errno::EINVAL);
        }
        let size = size.max(PAGE).next_power_of_two();
        let mut state = self.pipe.state.lock();
        if size > state.buffer.capacity() * PAGE && size > MAX_SIZE {
            if !access::capable(&sched::current().credentials(), CAP_SYS_RESOURCE) {
                return Err(Errno::EPERM);
            }
            if size > MAX_PRIVILEGED_SIZE {
                return Err(Errno::ENOMEM);
            }
        }
        let was_full = state.buffer.is_full();
        state.buffer.set_capacity(size / PAGE)?;
        let wake = was_full && !state.buffer.is_full();
        drop(state);
        if wake {
            self.pipe.write_queue.wake_all();
        }
        Ok(size)
    }

    fn describe(&self, file: &File) -> Description {
        let text = match &file.location {
            Some(location) => location.path.clone(),
            None => format!("pipe:[{}]", self.pipe.metadata.ino)
                .into_bytes()
                .into(),
        };
        Description { kind: "pipe", text }
    }

    fn inode(&self) -> Option<Arc<dyn Inode>> {
        Some(Arc::new(PipeInode(self.pipe.clone())))
    }
}

/// A pipe as an inode, to open an end again through /proc/PID/fd (and so /dev/stdout).
struct PipeInode(Arc<Pipe>);

impl Inode for PipeInode {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.0.metadata)
    }

    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        fifo::open_end(&self.0, flags)
    }
}
