//! Files: the traits of inodes and open files, path walk, descriptors, and the file systems.
//!
//! - [`Inode`]: what a name in a directory refers to.
//! - [`FileOps`] and [`File`]: an open file description.
//! - [`FdTable`], [`FsContext`]: a process's descriptors, working directory and umask.
//! - [`resolve`], [`path::Walker`]: from a path to a [`Location`]; [`open::open_location`]: from there to a [`File`].
//! - `node`, `directory`, `page_cache`: the one in-memory file system, which is tmpfs without a lower layer and
//!   the root's overlay with one (`hostfs`).

pub mod access;
pub mod anon;
pub mod async_io;
pub mod console;
pub mod context;
pub mod devfs;
pub mod devices;
pub mod devpts;
mod directory;
pub mod epoll;
pub mod eventfd;
pub mod events;
pub mod fdtable;
pub mod file;
mod hostfs;
pub mod inotify;
pub mod io;
pub mod locks;
pub mod mount;
mod node;
mod node_ops;
pub mod notify;
pub mod open;
pub mod overlay;
mod page_cache;
pub mod path;
pub mod pidfd;
pub mod pipe;
pub mod procfs;
pub mod pseudo;
pub mod pty;
mod quota;
pub mod ready;
pub mod running;
pub mod signalfd;
pub mod sysfs;
pub mod timerfd;
pub mod tmpfs;
pub mod tty;

pub use context::{FsContext, init};
pub use fdtable::{FdTable, current_files};
pub use file::{File, OpenDirectory};
pub use io::{KernelSink, KernelSource};
pub use node::without_set_id;
pub use node_ops::{exceed_file_size, file_size_limit};
pub use open::open_location;
pub use page_cache::reclaim;
pub use path::{Follow, resolve};

use crate::{
    Errno, SysResult,
    mm::{MemoryObject, frame::Frame},
    sync::WaitQueue,
};
use alloc::{sync::Arc, vec::Vec};
use core::any::Any;

/// Where a read puts its bytes: user memory (one or more pieces) or a kernel buffer.
pub trait Sink {
    /// Room left, in bytes.
    fn room(&self) -> usize;
    /// Stores up to `data.len()` bytes; how many were stored. `EFAULT` only if none could be.
    fn put(&mut self, data: &[u8]) -> SysResult;
    /// Stores `len` bytes of a frame from `offset` on, as [`Sink::put`].
    fn put_frame(&mut self, frame: &Frame, offset: usize, len: usize) -> SysResult {
        io::put_frame_by_pieces(self, frame, offset, len)
    }
}

/// Where a write takes its bytes from.
pub trait Source {
    /// Bytes left.
    fn left(&self) -> usize;
    /// Takes up to `buf.len()` bytes.
    fn take(&mut self, buf: &mut [u8]) -> SysResult;
    /// Takes up to `len` bytes into a frame at `offset`, as [`Source::take`].
    fn take_frame(&mut self, frame: &Frame, offset: usize, len: usize) -> SysResult {
        io::take_frame_by_pieces(self, frame, offset, len)
    }
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

/// What a permission check needs to know of an inode: a part of [`Metadata`] that is cheap to get.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ownership {
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Ownership {
    /// The type bits (`S_IFMT`).
    pub fn kind(&self) -> u32 {
        self.mode & linux_raw_sys::general::S_IFMT
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind() == linux_raw_sys::general::S_IFDIR
    }

    /// Whether it is a symlink.
    pub fn is_symlink(&self) -> bool {
        self.kind() == linux_raw_sys::general::S_IFLNK
    }

    /// Whether it is a regular file.
    pub fn is_regular(&self) -> bool {
        self.kind() == linux_raw_sys::general::S_IFREG
    }
}

/// What statfs(2) shows of a file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatFs {
    /// Magic number of its type (statfs(2)).
    pub kind: u64,
    /// Block size in bytes.
    pub bsize: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub bfree: u64,
    /// Inodes in all.
    pub files: u64,
    /// Free inodes.
    pub ffree: u64,
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

/// A directory and a name in it.
pub type Placement = (Arc<dyn Inode>, Arc<[u8]>);

/// What a name in a directory refers to. Methods that don't fit the inode's type return the errno that Linux gives (`ENOTDIR`, `EISDIR`, `EINVAL`, `EROFS`, `EPERM`).
pub trait Inode: Send + Sync {
    /// For downcasts by the file system that made it.
    fn as_any(&self) -> &dyn Any;
    /// Attributes.
    fn metadata(&self) -> Result<Metadata, Errno>;
    /// Whether it has no name any more.
    fn is_unlinked(&self) -> bool {
        self.metadata().is_ok_and(|meta| meta.nlink == 0)
    }
    /// Type, permission bits and owner.
    fn ownership(&self) -> Result<Ownership, Errno> {
        let meta = self.metadata()?;
        Ok(Ownership {
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
        })
    }
    /// The directory that holds it (or held it last) and its name there, where the file system knows them: `None` for a root, and for
    /// file systems that don't keep track (then the path of the walk decides what `..` is).
    fn place(&self) -> Option<Placement> {
        None
    }
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
    /// Sets an extended attribute; `flags`: XATTR_CREATE, XATTR_REPLACE.
    fn set_xattr(&self, _name: &[u8], _value: &[u8], _flags: u32) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// Removes an extended attribute.
    fn remove_xattr(&self, _name: &[u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// The names of the extended attributes, each with its NUL.
    fn list_xattr(&self) -> Result<Vec<u8>, Errno> {
        Ok(Vec::new())
    }
    /// O_TMPFILE: a nameless regular file in this directory's file system, that linkat(2) may name later if `linkable`.
    fn temporary(&self, _mode: u32, _linkable: bool) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// fallocate(2); offset and length were checked by the caller.
    fn fallocate(&self, _mode: u32, _offset: u64, _len: u64) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// F_ADD_SEALS.
    fn add_seals(&self, _seals: u32) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
    /// F_GET_SEALS.
    fn seals(&self) -> Result<u32, Errno> {
        Err(Errno::EINVAL)
    }
    /// statfs(2) of its file system.
    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(StatFs {
            kind: 0x0102_1994,
            bsize: 4096,
            ..StatFs::default()
        })
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
    /// Whom O_ASYNC makes listen; `None`: there are no signals for this kind of file.
    fn listeners(&self, _file: &File) -> Option<&async_io::Listeners> {
        None
    }
    /// O_ASYNC was set.
    fn became_async(&self, _file: &File) {}
    /// The last descriptor to this open description was closed.
    fn release(&self, _file: &File) {}
}

/// [`Description`] of a file that was opened by path.
pub fn describe_location(kind: &'static str, file: &File) -> Description {
    let Some(location) = &file.location else {
        return Description {
            kind,
            text: Arc::from(&b"?"[..]),
        };
    };
    let gone = location.inode.is_unlinked();
    Description {
        kind,
        text: if gone && !location.path.ends_with(b" (deleted)") {
            Arc::from([&location.path[..], b" (deleted)"].concat())
        } else {
            location.path.clone()
        },
    }
}

/// Whether two references are to the same inode object.
pub fn same_inode(a: &Arc<dyn Inode>, b: &Arc<dyn Inode>) -> bool {
    core::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

/// The time to stamp on an inode that changes now.
pub fn now() -> Timestamp {
    let ns = crate::time::realtime_ns();
    Timestamp {
        sec: (ns / 1_000_000_000) as i64,
        nsec: (ns % 1_000_000_000) as i64,
    }
}
