//! Address spaces.

use super::MemoryObject;
use crate::Errno;
use alloc::{string::String, sync::Arc, vec::Vec};

bitflags::bitflags! {
    /// Protection of a mapping.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Prot: u32 {
        /// Readable.
        const READ = 1;
        /// Writable.
        const WRITE = 2;
        /// Executable.
        const EXEC = 4;
    }
}

/// What a mapping shows.
#[derive(Clone)]
pub enum Backing {
    /// Zero pages, private or shared by fork.
    Anonymous,
    /// An object from this byte offset (page aligned).
    Object(Arc<dyn MemoryObject>, u64),
}

/// How a mapping is made.
#[derive(Clone)]
pub struct MapRequest {
    /// Wanted address; 0: choose.
    pub addr: u64,
    /// Bytes; rounded up to pages.
    pub len: u64,
    /// Protection.
    pub prot: Prot,
    /// MAP_SHARED rather than MAP_PRIVATE.
    pub shared: bool,
    /// MAP_FIXED: replace what is there.
    pub fixed: bool,
    /// MAP_FIXED_NOREPLACE.
    pub no_replace: bool,
    /// MAP_POPULATE: fill now.
    pub populate: bool,
    /// MAP_GROWSDOWN.
    pub grows_down: bool,
    /// What it shows.
    pub backing: Backing,
    /// Name for /proc/PID/maps where no object gives one: `[heap]`, `[stack]`, `[vdso]`.
    pub name: Option<&'static str>,
    /// Protection it may be raised to by mprotect (a read-only descriptor's shared mapping may not become writable).
    pub max_prot: Prot,
}

/// A kind of access, for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Load.
    Read,
    /// Store.
    Write,
    /// Instruction fetch.
    Exec,
}

/// What a fault that cannot be resolved does to the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultError {
    /// SIGSEGV, SEGV_MAPERR: nothing is mapped there.
    NotMapped,
    /// SIGSEGV, SEGV_ACCERR: mapped, without that permission.
    Permission,
    /// SIGBUS, BUS_ADRERR: beyond the end of the mapped object.
    Bus,
    /// No memory left: the OOM killer decides.
    NoMemory,
}

/// One mapping, as /proc/PID/maps and introspection show it.
#[derive(Clone, Debug)]
pub struct MappingInfo {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// Protection.
    pub prot: Prot,
    /// MAP_SHARED.
    pub shared: bool,
    /// Offset in the object.
    pub offset: u64,
    /// Object, if any.
    pub object: Option<super::ObjectIdentity>,
    /// `[heap]`, `[stack]`, …
    pub name: Option<String>,
    /// Bytes present in the page tables.
    pub resident: u64,
}

/// Totals for /proc/PID/statm and rlimits, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpaceStats {
    /// Mapped.
    pub total: u64,
    /// Present.
    pub resident: u64,
    /// Present and of files or shared.
    pub shared: u64,
    /// Private writable.
    pub data: u64,
    /// Executable.
    pub text: u64,
    /// Stack.
    pub stack: u64,
    /// Highest `resident` so far.
    pub peak_resident: u64,
}

/// A process's address space. Its last reference frees all of it.
pub struct AddressSpace {}

impl AddressSpace {
    /// An empty one (with the kernel's half).
    pub fn new() -> Result<Arc<AddressSpace>, Errno> {
        Err(Errno::ENOMEM)
    }

    /// A copy-on-write copy (fork). Flushes the TLB of this one if it is active.
    pub fn fork(&self) -> Result<Arc<AddressSpace>, Errno> {
        Err(Errno::ENOMEM)
    }

    /// Guest physical address of its PML4.
    pub fn root(&self) -> u64 {
        0
    }

    /// Maps; returns the address. Flushes as needed.
    pub fn map(&self, _request: &MapRequest) -> Result<u64, Errno> {
        Err(Errno::ENOMEM)
    }

    /// munmap(2).
    pub fn unmap(&self, _addr: u64, _len: u64) -> Result<(), Errno> {
        Err(Errno::ENOMEM)
    }

    /// mprotect(2).
    pub fn protect(&self, _addr: u64, _len: u64, _prot: Prot) -> Result<(), Errno> {
        Err(Errno::ENOMEM)
    }

    /// Sets where the heap starts (exec); the break starts there.
    pub fn set_heap_start(&self, _addr: u64) {}

    /// Resolves a page fault of the task, or says how it fails. Called with the space active or not.
    pub fn fault(&self, _addr: u64, _access: Access) -> Result<(), FaultError> {
        Err(FaultError::NotMapped)
    }

    /// Copies out of this space, active or not; faults pages in. Returns the bytes copied before the first bad address: an error only if none.
    pub fn read(&self, _addr: u64, _buf: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::EFAULT)
    }

    /// Copies into this space, as `read`. Breaks copy-on-write.
    pub fn write(&self, _addr: u64, _data: &[u8]) -> Result<usize, Errno> {
        Err(Errno::EFAULT)
    }

    /// A word identifying the physical location of a mapped byte (frame address plus offset): the key of a shared futex. Faults the page in.
    pub fn physical(&self, _addr: u64) -> Result<u64, Errno> {
        Err(Errno::EFAULT)
    }

    /// Atomic compare-and-exchange of an aligned u32 in this space (futex operations); returns the old value.
    pub fn compare_exchange_u32(
        &self,
        _addr: u64,
        _expected: u32,
        _new: u32,
    ) -> Result<u32, Errno> {
        Err(Errno::EFAULT)
    }

    /// All mappings, in order.
    pub fn mappings(&self) -> Vec<MappingInfo> {
        Vec::new()
    }

    /// Totals.
    pub fn stats(&self) -> SpaceStats {
        SpaceStats::default()
    }
}

/// Takes the pages `first..first + count` of an object out of every process's mappings: they were cut off (truncate), or others took
/// their place. Private copies go too. The next access faults.
pub fn forget_object_pages(_object: &Arc<dyn MemoryObject>, _first: u64, _count: u64) {}
