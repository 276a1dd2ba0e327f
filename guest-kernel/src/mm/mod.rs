//! Memory: physical frames, the kernel heap, page tables, address spaces, and copying to and from user memory.
//!
//! - [`frame`]: reference-counted physical frames, over the allocator in `buddy`; `heap` makes the kernel's own allocations of them.
//! - `page_table`, `tlb`: four-level tables, and when the processor must forget what it cached of them.
//! - [`space`]: an address space (VMAs and page tables), faults, mmap and its kin.
//! - [`shared`]: anonymous memory that several address spaces share.
//! - [`user`]: typed copies to and from the current task's memory.
//! - [`oom`]: what happens when memory is used up.
//! - [`give_back`]: free memory goes back to the host.
//!
//! The kernel takes no page faults: user pointers are checked and copied through the address space's own tables.

mod buddy;
mod cell;
pub mod frame;
pub mod give_back;
mod heap;
pub mod host;
pub mod oom;
mod page_table;
pub mod random;
pub mod shared;
pub mod space;
mod tlb;
pub mod user;

use crate::Errno;
use frame::Frame;
use vitrine_abi::{boot::BootInfo, layout::DIRECT_MAP};

/// Starts the memory manager: frames and heap, then what address spaces need. The first thing that boot calls: nothing allocates before.
pub fn init(boot: &BootInfo) {
    frame::init(boot);
    random::init(&boot.seed);
    space::init(boot.boot_pml4);
}

/// Where the direct map shows guest physical memory.
#[inline(always)]
pub fn phys_ptr(phys: u64) -> *mut u8 {
    (DIRECT_MAP.wrapping_add(phys)) as *mut u8
}

/// What a mapping's pages come from: a file's page cache, shared memory, a device.
pub trait MemoryObject: Send + Sync {
    /// The shared page at page number `index` of the object (filled from its backing), for mapping into an address space or for read and write. `EFAULT`-like
    /// conditions: `ENXIO` beyond the end of the object (the task gets SIGBUS), `ENOMEM`, `EIO`.
    /// `write`: the caller will modify the page through this reference (a shared writable mapping).
    fn page(&self, index: u64, write: bool) -> Result<Frame, Errno>;

    /// Calls `each(index, frame)` for every page in `start..start + count` that is at hand without I/O (or with one batched
    /// read: `fill`). Used to map whole files at once. Default: none beyond what [`MemoryObject::page`] gives.
    fn pages(&self, _start: u64, _count: u64, _fill: bool, _each: &mut dyn FnMut(u64, Frame)) {}

    /// Whether the object wants to know (by [`MemoryObject::page`] with `write`) before a page that it gave out for reading is first
    /// written through a shared mapping. Memory without a backing says no and saves the fault.
    fn wants_write_notice(&self) -> bool {
        true
    }

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
