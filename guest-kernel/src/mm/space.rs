//! Address spaces: mappings ([`vma`]) and the page tables that realise them ([`pages`]), under one lock.
//!
//! Operations are spread over `map` (mmap, munmap, mprotect, brk), `remap` (mremap), `advice` (madvise, mlock, mincore), and `access` (reading
//! and writing a space from the kernel). Every operation ends in [`AddressSpace::update`], which flushes the TLB once if anything that
//! the processor may hold was reduced.

mod access;
pub mod advice;
mod map;
mod pages;
pub mod remap;
mod vma;

use super::{MemoryObject, random, tlb};
use crate::{Errno, sync::Mutex};
pub(super) use access::in_page;
use alloc::{string::String, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering};
use pages::Pages;
use vitrine_abi::layout::{PAGE_SIZE, USER_END, USER_MIN};
use vma::{MAX_MAPPINGS, STACK_GUARD, Vma, VmaFlags, VmaSet};

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
    /// Highest `total` so far.
    pub peak_total: u64,
}

/// Resource limits that matter to an address space, soft values in bytes (getrlimit(2)).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// RLIMIT_AS.
    pub address_space: u64,
    /// RLIMIT_DATA.
    pub data: u64,
    /// RLIMIT_STACK.
    pub stack: u64,
    /// RLIMIT_MEMLOCK.
    pub locked: u64,
}

impl Limits {
    /// From a process's limits by RLIMIT number.
    pub fn of(rlimits: &[[u64; 2]; 16]) -> Limits {
        Limits {
            address_space: rlimits[9][0],
            data: rlimits[2][0],
            stack: rlimits[3][0],
            locked: rlimits[8][0],
        }
    }
}

/// A process's address space. Its last reference frees all of it.
pub struct AddressSpace {
    root: u64,
    inner: Mutex<Inner>,
    /// Pages present, readable without the lock.
    resident: AtomicU64,
}

struct Inner {
    vmas: VmaSet,
    pages: Pages,
    heap_start: u64,
    heap_end: u64,
    limits: Limits,
    /// mlockall(MCL_FUTURE).
    lock_future: bool,
    /// What membarrier(2) was registered for.
    barriers: u32,
    /// Most bytes mapped after any operation so far.
    peak_total: u64,
}

/// The boot PML4: the kernel's half, and nothing below.
static KERNEL_ROOT: AtomicU64 = AtomicU64::new(0);

/// Starts address spaces: `kernel_root` is the PML4 that the vCPU runs on now.
pub(super) fn init(kernel_root: u64) {
    KERNEL_ROOT.store(kernel_root, Ordering::Relaxed);
    tlb::assume(kernel_root);
}

/// Loads a space; nothing is done if it is the loaded one.
pub fn activate(space: &AddressSpace) {
    tlb::activate(space.root);
}

/// Loads the kernel's own tables, without any user memory: for a task that gives up its space.
pub fn activate_kernel() {
    tlb::activate(KERNEL_ROOT.load(Ordering::Relaxed));
}

/// Takes the pages `first..first + count` of an object out of every process's mappings: they were cut off (truncate), or others took
/// their place. Private copies go too. The next access faults.
pub fn forget_object_pages(object: &Arc<dyn MemoryObject>, first: u64, count: u64) {
    for process in crate::task::processes() {
        let space = {
            let threads = process.threads.lock();
            threads.iter().find_map(|t| t.space.lock().clone())
        };
        if let Some(space) = space {
            space.forget_object_pages(object, first, first.saturating_add(count));
        }
    }
}

/// Whether a process has a shared mapping of the object that it may write through, now or after mprotect.
pub fn is_mapped_writable(object: &Arc<dyn MemoryObject>) -> bool {
    let writes = |vma: &Vma| match &vma.backing {
        Backing::Object(mapped, _) => {
            vma.is_shared() && vma.max_prot.contains(Prot::WRITE) && vma::is_same(mapped, object)
        }
        Backing::Anonymous => false,
    };
    crate::task::processes().iter().any(|process| {
        let threads = process.threads.lock().clone();
        let space = threads.iter().find_map(|t| t.space.lock().clone());
        space.is_some_and(|space| space.inner.lock().vmas.iter().any(writes))
    })
}

/// Where mmap starts to look, downwards, for a stack of at most `stack` bytes: at least 128 MiB below the end, less some random pages.
fn mmap_top(stack: u64) -> u64 {
    let gap = stack
        .saturating_add(STACK_GUARD + (16 << 20))
        .clamp(128 << 20, 1 << 40)
        .next_multiple_of(PAGE_SIZE);
    USER_END - gap - random::below(1 << 16) * PAGE_SIZE
}

impl AddressSpace {
    /// An empty one (with the kernel's half).
    pub fn new() -> Result<Arc<AddressSpace>, Errno> {
        let limits = Limits {
            address_space: u64::MAX,
            data: u64::MAX,
            stack: 8 << 20,
            locked: u64::MAX,
        };
        let pages = Pages::new(KERNEL_ROOT.load(Ordering::Relaxed))?;
        Ok(Self::with(Inner {
            vmas: VmaSet::new(mmap_top(limits.stack)),
            pages,
            heap_start: 0,
            heap_end: 0,
            limits,
            lock_future: false,
            barriers: 0,
            peak_total: 0,
        }))
    }

    fn with(inner: Inner) -> Arc<AddressSpace> {
        Arc::new(AddressSpace {
            root: inner.pages.table.root(),
            resident: AtomicU64::new(inner.pages.resident()),
            inner: Mutex::new(inner),
        })
    }

    /// Runs an operation under the lock, and ends it: one flush if due, counters published.
    fn update<R>(&self, operation: impl FnOnce(&mut Inner) -> R) -> R {
        let mut inner = self.inner.lock();
        let result = operation(&mut inner);
        inner.pages.commit();
        inner.peak_total = inner.peak_total.max(inner.vmas.total());
        (self.resident).store(inner.pages.resident(), Ordering::Relaxed);
        result
    }

    /// A copy-on-write copy (fork). Flushes the TLB of this one if it is active.
    pub fn fork(&self) -> Result<Arc<AddressSpace>, Errno> {
        self.update(|inner| inner.fork()).map(Self::with)
    }

    /// Guest physical address of its PML4.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// Bytes present, without taking the lock.
    pub fn resident(&self) -> u64 {
        self.resident.load(Ordering::Relaxed) * PAGE_SIZE
    }

    /// Sets the limits that growing operations and faults obey; before the first mapping (exec) also where mmap starts to look.
    pub fn set_limits(&self, limits: Limits) {
        let mut inner = self.inner.lock();
        if inner.vmas.count() == 0 && inner.limits.stack != limits.stack {
            inner.vmas.set_top(mmap_top(limits.stack));
        }
        inner.limits = limits;
    }

    /// Resolves a page fault of the task, or says how it fails. Called with the space active or not.
    pub fn fault(&self, addr: u64, access: Access) -> Result<(), FaultError> {
        if addr >= USER_END {
            return Err(FaultError::NotMapped);
        }
        self.update(|inner| inner.fault(addr & !(PAGE_SIZE - 1), access))
    }

    /// Adds registrations for membarrier(2) (its REGISTER commands, as bits); returns all.
    pub fn register_barriers(&self, commands: u32) -> u32 {
        let mut inner = self.inner.lock();
        inner.barriers |= commands;
        inner.barriers
    }

    fn forget_object_pages(&self, object: &Arc<dyn MemoryObject>, first: u64, end: u64) {
        self.update(|inner| {
            for vma in inner.vmas.iter() {
                let Backing::Object(mapped, offset) = &vma.backing else {
                    continue;
                };
                if !vma::is_same(mapped, object) {
                    continue;
                }
                // Pages of an object are never of 2 MiB, and private copies of them neither: there are no edges to split.
                let at = |index: u64| {
                    let bytes = index.saturating_mul(PAGE_SIZE).saturating_sub(*offset);
                    vma.start + bytes.min(vma.len())
                };
                inner.pages.zap(at(first), at(end));
            }
        });
    }

    /// All mappings, in order.
    pub fn mappings(&self) -> Result<Vec<MappingInfo>, Errno> {
        let inner = self.inner.lock();
        let info = |vma: &Vma| {
            let (object, offset) = match &vma.backing {
                Backing::Anonymous => (None, 0),
                Backing::Object(object, offset) => (object.identity(), *offset),
            };
            MappingInfo {
                start: vma.start,
                end: vma.end,
                prot: vma.prot,
                shared: vma.is_shared(),
                offset,
                object,
                name: vma.name.map(String::from),
                resident: inner.pages.present_in(vma.start, vma.end) * PAGE_SIZE,
            }
        };
        let mut all = Vec::new();
        all.try_reserve_exact(inner.vmas.iter().count())
            .map_err(|_| Errno::ENOMEM)?;
        all.extend(inner.vmas.iter().map(info));
        Ok(all)
    }

    /// Whether an address is in a shared mapping (MAP_SHARED); false where nothing is mapped.
    pub fn is_shared(&self, addr: u64) -> bool {
        self.inner
            .lock()
            .vmas
            .find(addr)
            .is_some_and(Vma::is_shared)
    }

    /// Totals.
    pub fn stats(&self) -> SpaceStats {
        let inner = self.inner.lock();
        let sum = |wanted: &dyn Fn(&Vma) -> bool| {
            inner
                .vmas
                .iter()
                .filter(|vma| wanted(vma))
                .map(Vma::len)
                .sum()
        };
        let resident = inner.pages.resident() * PAGE_SIZE;
        SpaceStats {
            total: inner.vmas.total(),
            resident,
            shared: inner.pages.object * PAGE_SIZE,
            data: inner.vmas.data(),
            text: sum(&|vma| vma.prot.contains(Prot::EXEC) && !vma.prot.contains(Prot::WRITE)),
            stack: sum(&|vma| vma.flags.contains(VmaFlags::GROWS_DOWN)),
            peak_resident: resident.max(inner.pages.peak * PAGE_SIZE),
            peak_total: inner.vmas.total().max(inner.peak_total),
        }
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        if tlb::active() == self.root {
            activate_kernel();
        }
    }
}

impl Inner {
    fn fork(&mut self) -> Result<Inner, Errno> {
        let mut child = Inner {
            vmas: VmaSet::like(&self.vmas),
            pages: Pages::new(KERNEL_ROOT.load(Ordering::Relaxed))?,
            heap_start: self.heap_start,
            heap_end: self.heap_end,
            limits: self.limits,
            lock_future: false,
            barriers: self.barriers,
            peak_total: self.vmas.total(),
        };
        // Small mappings (stack, data of the program and its libraries) are written at once by both sides:
        // a copy costs less than two faults.
        let mut budget = 96;
        for vma in self.vmas.iter() {
            if vma.flags.contains(VmaFlags::DONT_FORK) {
                child.vmas.note_free(vma.start, vma.end);
                continue;
            }
            let mut copy = vma.clone();
            copy.flags.remove(VmaFlags::LOCKED);
            child.vmas.add(copy);
            if !vma.flags.contains(VmaFlags::WIPE_ON_FORK) {
                self.pages.copy_to(&mut child.pages, vma, &mut budget)?;
            }
        }
        child.pages.commit();
        Ok(child)
    }

    fn fault(&mut self, page: u64, access: Access) -> Result<(), FaultError> {
        if self.vmas.find(page).is_none() {
            self.grow_stack(page)?;
        }
        let vma = self.vmas.find(page).ok_or(FaultError::NotMapped)?;
        let allowed = match access {
            Access::Read => !vma.prot.is_empty(),
            Access::Write => vma.prot.contains(Prot::WRITE),
            Access::Exec => vma.prot.contains(Prot::EXEC),
        };
        if !allowed {
            return Err(FaultError::Permission);
        }
        self.pages.resolve(vma, page, access)
    }

    /// Extends the stack above `page` down to it, if there is one and its limit allows.
    fn grow_stack(&mut self, page: u64) -> Result<(), FaultError> {
        let none = FaultError::NotMapped;
        let stack = self.vmas.find_or_next(page).ok_or(none)?;
        if !stack.flags.contains(VmaFlags::GROWS_DOWN) {
            return Err(none);
        }
        let (start, end) = (stack.start, stack.end);
        let below = self.vmas.before(page).map_or(0, |vma| {
            let gap = if vma.prot.is_empty() { 0 } else { STACK_GUARD };
            vma.end + gap
        });
        let lowest = end
            .saturating_sub(self.limits.stack)
            .next_multiple_of(PAGE_SIZE)
            .max(below)
            .max(USER_MIN);
        let new_start = (page & !0xffff).max(lowest);
        if page < new_start {
            return Err(none);
        }
        if self.vmas.total().saturating_add(start - new_start) > self.limits.address_space {
            return Err(none);
        }
        self.vmas.extend_down(start, new_start);
        Ok(())
    }
}
