//! The open file description.

use super::{FileOps, Location, PollEvents, PollTable, locks, node::Node};
use crate::{Errno, SysResult, signal::info::SI_SIGIO, sync::Mutex, task::Process};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use linux_raw_sys::general::*;
use spin::Once;

/// Who gets SIGIO (fcntl(2), F_SETOWN and F_SETSIG).
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner {
    /// F_OWNER_TID, F_OWNER_PID or F_OWNER_PGRP.
    pub kind: u32,
    /// Thread, process or process-group id; 0: nobody.
    pub id: i32,
    /// Real and effective user id of who chose it.
    pub user: [u32; 2],
    /// The signal to send instead of SIGIO; 0: SIGIO.
    pub signal: u32,
}

impl Owner {
    /// Whether it may be sent a signal: who chose it could have done so itself.
    pub fn may_signal(&self, process: &Process) -> bool {
        let [uid, euid] = self.user;
        let threads = process.threads.lock();
        threads.first().is_some_and(|task| {
            let theirs = task.credentials();
            let same = |id: u32| id == theirs.suid || id == theirs.uid;
            euid == 0 || same(euid) || same(uid)
        })
    }

    /// `si_code` of the chosen signal for a reason: signals that have codes of their own get another.
    pub fn code(&self, reason: i32) -> i32 {
        match self.signal {
            SIGILL | SIGFPE | SIGSEGV | SIGBUS | SIGTRAP | SIGCHLD | SIGSYS => SI_SIGIO,
            _ => reason,
        }
    }
}

/// An open file description: shared by dup and fork. Its last reference calls [`FileOps::release`].
pub struct File {
    /// Operations.
    pub ops: Arc<dyn FileOps>,
    /// Access mode and status flags (`O_*`, as F_GETFL shows).
    pub flags: AtomicU32,
    /// Position; held during read and write, as Linux's f_pos lock.
    pub position: Mutex<u64>,
    /// Where it was opened; `None` for pipes, sockets and other nameless files.
    pub location: Option<Location>,
    /// Receiver of SIGIO.
    pub owner: Mutex<Owner>,
    /// The node that counts it as a writer.
    writes: Once<Arc<Node>>,
}

impl File {
    /// An open file at a location.
    pub fn new(ops: Arc<dyn FileOps>, flags: u32, location: Option<Location>) -> Arc<File> {
        Arc::new(File {
            ops,
            flags: AtomicU32::new(flags),
            position: Mutex::new(0),
            location,
            owner: Mutex::new(Owner::default()),
            writes: Once::new(),
        })
    }

    /// An open file without a path: pipes, sockets, eventfd and so on.
    pub fn new_nameless(ops: Arc<dyn FileOps>, flags: u32) -> Arc<File> {
        File::new(ops, flags, None)
    }

    /// It is an open for writing of a file with a name: that can't run now. `node` has begun to count it.
    pub fn set_writes(&self, node: Arc<Node>) {
        self.writes.call_once(|| node);
    }

    /// Sets or clears one status flag.
    pub fn set_flag(&self, flag: u32, on: bool) {
        if on {
            self.flags.fetch_or(flag, Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!flag, Ordering::Relaxed);
        }
    }

    /// Access mode and status flags.
    pub fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }

    /// Opened with O_PATH: a name, not a file to read or write.
    pub fn is_path(&self) -> bool {
        self.flags() & O_PATH != 0
    }

    /// Whether reads are allowed.
    pub fn readable(&self) -> bool {
        let flags = self.flags();
        flags & O_PATH == 0 && matches!(flags & O_ACCMODE, O_RDONLY | O_RDWR)
    }

    /// Whether writes are allowed.
    pub fn writable(&self) -> bool {
        let flags = self.flags();
        flags & O_PATH == 0 && matches!(flags & O_ACCMODE, O_WRONLY | O_RDWR)
    }

    /// O_NONBLOCK.
    pub fn nonblocking(&self) -> bool {
        self.flags() & O_NONBLOCK != 0
    }

    /// O_APPEND.
    pub fn append(&self) -> bool {
        self.flags() & O_APPEND != 0
    }

    /// What stat shows of it: of the inode it was opened by, or of the nameless object.
    pub fn metadata(&self) -> Result<super::Metadata, Errno> {
        match &self.location {
            Some(location) => location.inode.metadata(),
            None => self.ops.metadata(),
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        locks::release_description(self);
        if let Some(node) = self.writes.get() {
            node.end_writing();
        }
        super::events::opened_or_closed(self, false);
        self.ops.release(self);
    }
}

/// The operations of an O_PATH descriptor: none; each is `EBADF`.
pub struct PathOnly;

impl FileOps for PathOnly {
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
    fn read(&self, _file: &File, _out: &mut dyn super::Sink) -> SysResult {
        Err(Errno::EBADF)
    }
    fn write(&self, _file: &File, _src: &mut dyn super::Source) -> SysResult {
        Err(Errno::EBADF)
    }
    fn read_at(&self, _file: &File, _offset: u64, _out: &mut dyn super::Sink) -> SysResult {
        Err(Errno::EBADF)
    }
    fn write_at(&self, _file: &File, _offset: u64, _src: &mut dyn super::Source) -> SysResult {
        Err(Errno::EBADF)
    }
    fn seek(&self, _file: &File, _offset: i64, _whence: u32) -> SysResult {
        Err(Errno::EBADF)
    }
    fn poll(&self, _file: &File, _table: &mut PollTable) -> PollEvents {
        PollEvents::NVAL
    }
    fn ioctl(&self, _file: &File, _request: u32, _arg: u64) -> SysResult {
        Err(Errno::EBADF)
    }
    fn object(&self) -> Result<Arc<dyn crate::mm::MemoryObject>, Errno> {
        Err(Errno::EBADF)
    }
    fn metadata(&self) -> Result<super::Metadata, Errno> {
        Err(Errno::EBADF)
    }
    fn describe(&self, file: &File) -> super::Description {
        super::describe_location("path", file)
    }
}

/// The operations of an open directory, of any file system: it is listed through its inode (`syscall::dir`).
pub struct OpenDirectory {
    /// The directory.
    pub inode: Arc<dyn super::Inode>,
}

impl FileOps for OpenDirectory {
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
    fn read(&self, _file: &File, _out: &mut dyn super::Sink) -> SysResult {
        Err(Errno::EISDIR)
    }
    fn read_at(&self, _file: &File, offset: u64, out: &mut dyn super::Sink) -> SysResult {
        super::io::check_end(offset, out.room())?;
        Err(Errno::EISDIR)
    }
    fn write_at(&self, _file: &File, _offset: u64, _src: &mut dyn super::Source) -> SysResult {
        Err(Errno::EBADF)
    }
    fn seek(&self, file: &File, offset: i64, whence: u32) -> SysResult {
        let mut position = file.position.lock();
        let base = match whence {
            SEEK_SET => 0,
            SEEK_CUR => i64::try_from(*position).unwrap_or(i64::MAX),
            SEEK_END => i64::MAX,
            _ => return Err(Errno::EINVAL),
        };
        let target = match whence {
            SEEK_END => (offset <= 0).then_some(i64::MAX),
            _ => base.checked_add(offset),
        };
        let target = target.filter(|t| *t >= 0).ok_or(Errno::EINVAL)?;
        *position = target.unsigned_abs();
        Ok(target as usize)
    }
    fn metadata(&self) -> Result<super::Metadata, Errno> {
        self.inode.metadata()
    }
    fn describe(&self, file: &File) -> super::Description {
        super::describe_location("dir", file)
    }
}
