//! Files: the traits of inodes and open files, path walk, descriptors, and the file systems.
//!
//! - [`Inode`]: what a name in a directory refers to.
//! - [`FileOps`] and [`File`]: an open file description.
//! - [`FdTable`], [`FsContext`]: a process's descriptors, working directory and umask.

pub mod access;
pub mod anon;
pub mod epoll;
pub mod eventfd;
pub mod inotify;
pub mod io;
pub mod notify;
pub mod pidfd;
pub mod pipe;
pub mod ready;
pub mod signalfd;
pub mod timerfd;
pub mod tmpfs;

pub use io::{KernelSink, KernelSource};

use crate::{Errno, SysResult, mm::MemoryObject, sync::WaitQueue};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::any::Any;

/// Where a read puts its bytes: user memory (one or more pieces) or a kernel buffer.
pub trait Sink {
    /// Room left, in bytes.
    fn room(&self) -> usize;
    /// Stores up to `data.len()` bytes; how many were stored. `EFAULT` only if none could be.
    fn put(&mut self, data: &[u8]) -> SysResult;
}

/// Where a write takes its bytes from.
pub trait Source {
    /// Bytes left.
    fn left(&self) -> usize;
    /// Takes up to `buf.len()` bytes.
    fn take(&mut self, buf: &mut [u8]) -> SysResult;
}

/// Seconds and nanoseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds, 0…999,999,999.
    pub nsec: i64,
}

/// What stat(2) shows of an inode.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metadata {
    /// Device it lives on.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Type and permission bits (`S_IFMT | …`).
    pub mode: u32,
    /// Hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device it is, for device nodes.
    pub rdev: u64,
    /// Bytes.
    pub size: u64,
    /// 512-byte blocks.
    pub blocks: u64,
    /// Preferred I/O size.
    pub blksize: u32,
    /// Access, modification, change, birth.
    pub atime: Timestamp,
    /// …
    pub mtime: Timestamp,
    /// …
    pub ctime: Timestamp,
    /// …
    pub btime: Timestamp,
}

/// The attributes that chmod, chown, utimensat and truncate change; `None`: leave.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetAttr {
    /// Permission bits (no type).
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Size.
    pub size: Option<u64>,
    /// Access time.
    pub atime: Option<Timestamp>,
    /// Modification time.
    pub mtime: Option<Timestamp>,
}

/// One name in a directory listing.
#[derive(Clone, Debug)]
pub struct DirEntry {
    /// Name.
    pub name: Vec<u8>,
    /// Inode number.
    pub ino: u64,
    /// `DT_*`.
    pub kind: u8,
    /// Position to pass to continue after this entry.
    pub next: u64,
}

/// What a name in a directory refers to. Methods that don't fit the inode's type return the errno that Linux gives (`ENOTDIR`, `EISDIR`, `EINVAL`, `EROFS`, `EPERM`).
pub trait Inode: Send + Sync {
    /// For downcasts by the file system that made it.
    fn as_any(&self) -> &dyn Any;
    /// Attributes.
    fn metadata(&self) -> Result<Metadata, Errno>;
    /// Changes attributes; permission was checked by the caller.
    fn set_attr(&self, _attr: &SetAttr) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }
    /// The child called `name`.
    fn lookup(&self, _name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::ENOTDIR)
    }
    /// Makes a child: regular file, directory, fifo, socket or device node, by `mode`'s type bits.
    fn create(&self, _name: &[u8], _mode: u32, _rdev: u64) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::EPERM)
    }
    /// Makes a symlink.
    fn symlink(&self, _name: &[u8], _target: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::EPERM)
    }
    /// Adds a hard link to `target`.
    fn link(&self, _name: &[u8], _target: &Arc<dyn Inode>) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }
    /// Removes a non-directory.
    fn unlink(&self, _name: &[u8]) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }
    /// Removes an empty directory.
    fn rmdir(&self, _name: &[u8]) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }
    /// rename(2), renameat2(2) flags.
    fn rename(
        &self,
        _old: &[u8],
        _new_dir: &Arc<dyn Inode>,
        _new: &[u8],
        _flags: u32,
    ) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }
    /// Entries from position `from` (0: the start) for as long as `each` returns true; without `.` and `..`.
    fn read_dir(&self, _from: u64, _each: &mut dyn FnMut(DirEntry) -> bool) -> Result<(), Errno> {
        Err(Errno::ENOTDIR)
    }
    /// Target of a symlink.
    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        Err(Errno::EINVAL)
    }
    /// For "magic" symlinks (/proc/PID/exe, /proc/PID/fd/N): where following leads directly.
    fn follow(&self) -> Option<Location> {
        None
    }
    /// What open(2) yields: the operations of the open file.
    fn open(&self, _flags: u32) -> Result<Arc<dyn FileOps>, Errno>;
    /// Contents as mappable pages, for regular files.
    fn object(&self) -> Option<Arc<dyn MemoryObject>> {
        None
    }
    /// An extended attribute.
    fn xattr(&self, _name: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENODATA)
    }
}

/// An inode together with the path it was reached by: what a descriptor or a working directory holds.
#[derive(Clone)]
pub struct Location {
    /// The inode.
    pub inode: Arc<dyn Inode>,
    /// Absolute path in the sandbox at the time of the walk.
    pub path: Arc<[u8]>,
}

bitflags::bitflags! {
    /// poll(2) events.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct PollEvents: u32 {
        /// Readable.
        const IN = 0x001;
        /// Urgent data.
        const PRI = 0x002;
        /// Writable.
        const OUT = 0x004;
        /// Error.
        const ERR = 0x008;
        /// Hang-up.
        const HUP = 0x010;
        /// Descriptor not open.
        const NVAL = 0x020;
        /// As IN.
        const RDNORM = 0x040;
        /// Priority band.
        const RDBAND = 0x080;
        /// As OUT.
        const WRNORM = 0x100;
        /// Priority band.
        const WRBAND = 0x200;
        /// Peer closed its writing end.
        const RDHUP = 0x2000;
    }
}

/// Collects the wait queues of the files that a poll looks at.
#[derive(Default)]
pub struct PollTable {
    /// The queues to wait on.
    pub queues: Vec<Arc<WaitQueue>>,
}

impl PollTable {
    /// A file's readiness may change when this queue is woken.
    pub fn add(&mut self, queue: &Arc<WaitQueue>) {
        self.queues.push(queue.clone());
    }
}

/// What introspection, /proc/PID/fd and traces say of an open file.
#[derive(Clone, Debug)]
pub struct Description {
    /// Kind, in one word: `file`, `dir`, `pipe`, `tty`, `char`, `unix`, `tcp`, `udp`, `eventfd`, `epoll`, `signalfd`, `timerfd`, `pidfd`, `memfd`, `inotify`.
    pub kind: &'static str,
    /// Path, or Linux's text for the nameless: `pipe:[123]`, `socket:[456]`, `anon_inode:[eventfd]`.
    pub text: Arc<[u8]>,
}

/// Operations of an open file. `file` is the open description (flags, position).
pub trait FileOps: Send + Sync {
    /// For downcasts.
    fn as_any(&self) -> &dyn Any;
    /// Reads at the current position (or from the stream) and advances it.
    fn read(&self, _file: &File, _out: &mut dyn Sink) -> SysResult {
        Err(Errno::EINVAL)
    }
    /// Writes at the current position.
    fn write(&self, _file: &File, _src: &mut dyn Source) -> SysResult {
        Err(Errno::EINVAL)
    }
    /// pread(2); `ESPIPE` for streams.
    fn read_at(&self, _file: &File, _offset: u64, _out: &mut dyn Sink) -> SysResult {
        Err(Errno::ESPIPE)
    }
    /// pwrite(2).
    fn write_at(&self, _file: &File, _offset: u64, _src: &mut dyn Source) -> SysResult {
        Err(Errno::ESPIPE)
    }
    /// lseek(2).
    fn seek(&self, _file: &File, _offset: i64, _whence: u32) -> SysResult {
        Err(Errno::ESPIPE)
    }
    /// Readiness now; registers the queues that change it.
    fn poll(&self, _file: &File, _table: &mut PollTable) -> PollEvents {
        PollEvents::IN | PollEvents::OUT | PollEvents::RDNORM | PollEvents::WRNORM
    }
    /// ioctl(2).
    fn ioctl(&self, _file: &File, _request: u32, _arg: u64) -> SysResult {
        Err(Errno::ENOTTY)
    }
    /// The object that mmap(2) of this file shows.
    fn object(&self) -> Result<Arc<dyn MemoryObject>, Errno> {
        Err(Errno::ENODEV)
    }
    /// fstat(2).
    fn metadata(&self) -> Result<Metadata, Errno>;
    /// F_GETPIPE_SZ; `EBADF` for all but pipes.
    fn pipe_size(&self) -> SysResult {
        Err(Errno::EBADF)
    }
    /// F_SETPIPE_SZ: the new capacity.
    fn set_pipe_size(&self, _bytes: u32) -> SysResult {
        Err(Errno::EBADF)
    }
    /// Kind and text; `location` is where it was opened.
    fn describe(&self, file: &File) -> Description;
    /// The inode of a nameless file that can be opened again through /proc/PID/fd/N (pipes).
    fn inode(&self) -> Option<Arc<dyn Inode>> {
        None
    }
    /// Flags changed by F_SETFL or FIONBIO; most need nothing.
    fn flags_changed(&self, _file: &File) {}
    /// The last descriptor to this open description was closed.
    fn release(&self, _file: &File) {}
}

/// An open file description: shared by dup and fork.
pub struct File {
    /// Operations.
    pub ops: Arc<dyn FileOps>,
    /// Access mode and status flags (`O_*`, as F_GETFL shows).
    pub flags: core::sync::atomic::AtomicU32,
    /// Position; held during read and write, as Linux's f_pos lock.
    pub position: crate::sync::Mutex<u64>,
    /// Where it was opened; `None` for pipes, sockets and other nameless files.
    pub location: Option<Location>,
}

impl File {
    /// An open file without a path: pipes, sockets, eventfd and so on.
    pub fn new_nameless(ops: Arc<dyn FileOps>, flags: u32) -> Arc<File> {
        Arc::new(File {
            ops,
            flags: core::sync::atomic::AtomicU32::new(flags),
            position: crate::sync::Mutex::new(0),
            location: None,
        })
    }

    /// Access mode and status flags.
    pub fn flags(&self) -> u32 {
        self.flags.load(core::sync::atomic::Ordering::Relaxed)
    }

    /// Whether reads are allowed.
    pub fn readable(&self) -> bool {
        self.flags() & 3 != 1
    }

    /// Whether writes are allowed.
    pub fn writable(&self) -> bool {
        self.flags() & 3 != 0
    }

    /// O_NONBLOCK.
    pub fn nonblocking(&self) -> bool {
        self.flags() & linux_raw_sys::general::O_NONBLOCK != 0
    }
}

/// A process's descriptors.
pub struct FdTable {}

impl FdTable {
    /// The open file at `fd`; `EBADF`.
    pub fn get(&self, _fd: i32) -> Result<Arc<File>, Errno> {
        Err(Errno::EBADF)
    }

    /// Puts `file` at the lowest free descriptor not below `min`; `EMFILE` past the limit.
    pub fn install(&self, _file: Arc<File>, _cloexec: bool, _min: i32) -> Result<i32, Errno> {
        Err(Errno::EMFILE)
    }

    /// Closes.
    pub fn close(&self, _fd: i32) -> Result<(), Errno> {
        Err(Errno::EBADF)
    }

    /// A copy for a new process (fork).
    pub fn fork(&self) -> Arc<FdTable> {
        Arc::new(FdTable {})
    }

    /// Closes what is marked close-on-exec.
    pub fn close_on_exec(&self) {}

    /// All descriptors: number, close-on-exec, file.
    pub fn list(&self) -> Vec<(i32, bool, Arc<File>)> {
        Vec::new()
    }
}

/// Root, working directory and umask.
pub struct FsContext {
    /// Working directory.
    pub cwd: crate::sync::Mutex<Location>,
    /// Root directory.
    pub root: crate::sync::Mutex<Location>,
    /// File mode creation mask.
    pub umask: core::sync::atomic::AtomicU32,
}

/// How a path's last component is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Follow a final symlink.
    Yes,
    /// Do not (`O_NOFOLLOW`, lstat).
    No,
}

/// Resolves `path` relative to `dirfd` (AT_FDCWD: the working directory) for the current task, checking search permission. Empty path: `ENOENT`.
pub fn resolve(_dirfd: i32, _path: &[u8], _follow: Follow) -> Result<Location, Errno> {
    Err(Errno::ENOENT)
}

/// Opens an inode that was resolved: for exec and the kernel's own use.
pub fn open_location(_location: &Location, _flags: u32) -> Result<Arc<File>, Errno> {
    Err(Errno::ENOENT)
}

/// The path of a location for display.
pub fn display(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
