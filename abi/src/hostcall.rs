//! Host calls: typed requests that the guest kernel makes to the VMM.
//!
//! Each vCPU has one [`HostCallSlot`]. The guest fills `op` and `args`, increments `request`, then either spins until `done`
//! equals it (when [`crate::shared::ControlPage::host_spinning`] is set) or rings [`crate::layout::port::HOST_CALL`], upon which
//! the VMM answers before the vCPU goes on. A result is `ret`: at least 0, or a negated error number. Buffers are named by guest
//! physical address; the VMM checks that they lie in RAM. No host call blocks.

use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The slot of one vCPU, at [`crate::layout::HOST_CALL_SLOTS`] + 128 × vCPU.
#[repr(C, align(128))]
pub struct HostCallSlot {
    /// Requests made so far.
    pub request: AtomicU64,
    /// Requests answered so far.
    pub done: AtomicU64,
    /// One of [`Op`].
    pub op: AtomicU32,
    /// Explicit padding.
    pub pad: AtomicU32,
    /// Result.
    pub ret: AtomicI64,
    /// Arguments, as the [`Op`] says.
    pub args: [AtomicU64; 6],
}

/// The operations, with their arguments. `buf` is a guest physical address and `len` the bytes there.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `(parent, buf, len, attr_buf) -> handle`: looks up the *relative path* in `buf` (one or more components; `..`, absolute symlinks and final symlinks are
    /// not followed: a final symlink yields a handle to the symlink itself, an intermediate one `ELOOP`) beneath the directory `parent` and writes [`HostAttr`] to
    /// `attr_buf`. The root directory is handle 0.
    Lookup = 1,
    /// `(handle, attr_buf)`: writes [`HostAttr`].
    GetAttr = 2,
    /// `(dir, cookie, buf, len) -> bytes`: fills `buf` with [`HostDirEntry`] records (each followed by its name, padded to 8 bytes), from `cookie` (0: the
    /// start) on; 0 at the end. `.` and `..` are left out.
    ReadDir = 3,
    /// `(handle, buf, len) -> bytes`: the target of a symlink.
    ReadLink = 4,
    /// `(handle, offset, iov_buf, iov_count) -> bytes`: reads file contents into the pieces listed at `iov_buf`
    /// ([`crate::boot::Region`] each, at most 512); a short count means the end of the file.
    Read = 5,
    /// `(handle)`: the guest forgets the handle.
    Close = 6,
    /// `(handle, buf)`: writes [`HostStatFs`].
    StatFs = 7,
    /// `(handle, name_buf, name_len, buf, len) -> bytes`: an extended attribute (getxattr(2)); `len` 0 asks for the size.
    GetXattr = 8,
    /// `(handle, buf, len) -> bytes`: the names of the extended attributes (listxattr(2)); `len` 0 asks for the size.
    ListXattr = 9,
    /// `(dir, buf, len) -> bytes`: the names, each with a NUL after it, of the entries that have extended attributes, in one go for all of a
    /// directory; `-ERANGE` if they don't fit.
    XattrEntries = 10,
    /// `(fd, buf, len) -> bytes accepted`: output to the caller's descriptor 1 or 2 (or 0, for a terminal). 0 accepted: the VMM's queue is full, and
    /// `PENDING_CONSOLE_OUTPUT` will follow. `-EPIPE`: the reader is gone.
    ConsoleWrite = 16,
    /// `(buf, len) -> bytes`: input from the caller's descriptor 0. `-EAGAIN`: none now, `PENDING_CONSOLE_INPUT` will follow. 0: end of input.
    ConsoleRead = 17,
    /// `(fd, offset, whence) -> position`: lseek(2) on the caller's descriptor 0, 1 or 2 when it is a regular file (`ConsoleFd::kind` 3); `offset` is
    /// signed. `-ESPIPE` for any other kind.
    ConsoleSeek = 18,
    /// `(fd, offset, buf, len) -> bytes`: pread(2) from the caller's descriptor 0, 1 or 2 when it is a regular file; `-ESPIPE` for any other kind.
    ConsoleReadAt = 19,
    /// `(fd, offset, buf, len) -> bytes`: pwrite(2) to the caller's descriptor 0, 1 or 2 when it is a regular file; `-ESPIPE` for any other kind.
    ConsoleWriteAt = 20,
    /// `(fd, attr_buf)`: writes [`HostAttr`] of the caller's descriptor 0, 1 or 2 when it is a regular file; `-ESPIPE` for any other kind.
    ConsoleGetAttr = 21,
    /// `(fd, size)`: ftruncate(2) of the caller's descriptor 0, 1 or 2 when it is a regular file; `-ESPIPE` for any other kind.
    ConsoleTruncate = 22,
    /// `(buf)`: writes [`HostTime`], all three clocks read together.
    Time = 32,
    /// `(buf, len)`: entropy.
    Random = 33,
    /// `(level, buf, len)`: a line of the kernel's log; level 1 error, 2 warn, 3 info, 4 debug.
    Log = 34,
    /// `(status)`: the workload ended; `status` as wait(2) encodes it. Never returns.
    Exit = 35,
    /// `(addr, len)`: the guest no longer needs the contents of these frames; they read as zero afterwards.
    Discard = 36,
    /// `(which, value)`: a figure of the kernel's own bench (`vitrine doctor`): see [`crate::boot::FLAG_SELF_BENCH`]; `which` 1 SYSCALL round trip, 2 page fault, 3 address-space load,
    /// 4 doorbell exit, 5 host call while the service thread spins; `value` in picoseconds each.
    BenchResult = 37,
    /// `(buf, len, reply_buf, reply_len) -> bytes`: a rule parks a thread; `buf` is a record of kind [`crate::event::kind::PARK`]. Writes
    /// [`crate::stop::StopReply`] and perhaps a decision behind it.
    Stopped = 48,
    /// `(stop)`: the thread of this stop goes on or has ended.
    StopEnded = 49,
}

impl Op {
    /// The operation with this number.
    pub const fn from_raw(raw: u32) -> Option<Op> {
        Some(match raw {
            1 => Op::Lookup,
            2 => Op::GetAttr,
            3 => Op::ReadDir,
            4 => Op::ReadLink,
            5 => Op::Read,
            6 => Op::Close,
            7 => Op::StatFs,
            8 => Op::GetXattr,
            9 => Op::ListXattr,
            10 => Op::XattrEntries,
            16 => Op::ConsoleWrite,
            17 => Op::ConsoleRead,
            18 => Op::ConsoleSeek,
            19 => Op::ConsoleReadAt,
            20 => Op::ConsoleWriteAt,
            21 => Op::ConsoleGetAttr,
            22 => Op::ConsoleTruncate,
            32 => Op::Time,
            33 => Op::Random,
            34 => Op::Log,
            35 => Op::Exit,
            36 => Op::Discard,
            37 => Op::BenchResult,
            48 => Op::Stopped,
            49 => Op::StopEnded,
            _ => return None,
        })
    }
}

/// Attributes of a host file, as stat(2) gives them.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct HostAttr {
    /// `st_dev`.
    pub dev: u64,
    /// `st_ino`.
    pub ino: u64,
    /// `st_mode`.
    pub mode: u32,
    /// `st_nlink`.
    pub nlink: u32,
    /// `st_uid`.
    pub uid: u32,
    /// `st_gid`.
    pub gid: u32,
    /// `st_rdev`.
    pub rdev: u64,
    /// `st_size`.
    pub size: u64,
    /// `st_blocks`, of 512 bytes.
    pub blocks: u64,
    /// `st_blksize`.
    pub blksize: u64,
    /// `st_atim`: seconds, nanoseconds.
    pub atime: [i64; 2],
    /// `st_mtim`.
    pub mtime: [i64; 2],
    /// `st_ctim`.
    pub ctime: [i64; 2],
    /// `stx_btime`; zero if the host's file system has none.
    pub btime: [i64; 2],
}

/// One directory entry, with the attributes of what it names, so that a listing needs no further calls. The name follows, without NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct HostDirEntry {
    /// Bytes from this record to the next.
    pub record_len: u32,
    /// Bytes in the name.
    pub name_len: u32,
    /// Pass this to `ReadDir` to go on after this entry.
    pub next_cookie: u64,
    /// Attributes of the entry (of the symlink itself, for one); `mode` 0: they could not be read.
    pub attr: HostAttr,
}

/// statfs(2) of a host file system.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct HostStatFs {
    /// `f_type`.
    pub kind: u64,
    /// `f_bsize`.
    pub bsize: u64,
    /// `f_blocks`.
    pub blocks: u64,
    /// `f_bfree`.
    pub bfree: u64,
    /// `f_bavail`.
    pub bavail: u64,
    /// `f_files`.
    pub files: u64,
    /// `f_ffree`.
    pub ffree: u64,
    /// `f_namelen`.
    pub namelen: u64,
    /// `f_frsize`.
    pub frsize: u64,
}

/// The host's clocks.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct HostTime {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub monotonic: u64,
    /// CLOCK_REALTIME, nanoseconds since the epoch.
    pub realtime: u64,
    /// CLOCK_BOOTTIME, nanoseconds.
    pub boottime: u64,
}
