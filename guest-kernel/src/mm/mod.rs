//! Memory: physical frames, the kernel heap, page tables, address spaces, and copying to and from user memory.
//!
//! - [`frame`]: reference-counted physical frames.
//! - [`shared`]: memory shared with the VMM: control page, host-call slots, event ring.
//! - [`space`]: an address space (VMAs and page tables), faults, mmap and its kin.
//! - [`user`]: typed copies to and from the current task's memory.
//!
//! The kernel takes no page faults: user pointers are checked and copied through the address space's own tables.

pub mod frame;
mod heap;
pub mod shared;
pub mod space;
pub mod user;

use crate::Errno;
use frame::Frame;

/// What a mapping's pages come from: a file's page cache, shared memory, a device.
pub trait MemoryObject: Send + Sync {
    /// The shared page at page number `index` of the object (filled from its backing), for mapping into an address space or for read and write. `EFAULT`-like
    /// conditions: `ENXIO` beyond the end of the object (the task gets SIGBUS), `ENOMEM`, `EIO`.
    /// `write`: the caller will modify the page through this reference (a shared writable mapping).
    fn page(&self, index: u64, write: bool) -> Result<Frame, Errno>;

    /// Calls `each(index, frame)` for every page in `start..start + count` that is at hand without I/O (or with one batched
    /// read: `fill`). Used to map whole files at once. Default: none beyond what [`MemoryObject::page`] gives.
    fn pages(&self, _start: u64, _count: u64, _fill: bool, _each: &mut dyn FnMut(u64, Frame)) {}

    /// Device, inode and path for /proc/PID/maps; `None`: anonymous shared memory.
    fn identity(&self) -> Option<ObjectIdentity> {
        None
    }
}

/// What /proc/PID/maps shows of a mapped object.
#[derive(Clone, Debug)]
pub struct ObjectIdentity {
    /// `st_dev`.
    pub dev: u64,
    /// `st_ino`.
    pub ino: u64,
    /// Its path, as bytes.
    pub path: alloc::sync::Arc<[u8]>,
}
