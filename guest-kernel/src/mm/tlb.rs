//! Which address space the vCPU has loaded, and when its TLB must be flushed.
//!
//! A flush costs 17 µs in deprivileged mode, so it is done once an operation at most, only for the active space, and only if an entry
//! that the processor may hold was reduced or removed. Breaking copy-on-write replaces a read-only entry by another frame *with the same
//! contents*: that needs no flush until somebody else changes one of the two frames. So the old frame is kept alive, unwritten, until the next flush or
//! switch ([`replaced`]), and the kernel flushes before it writes to such a page itself ([`before_write`]). User code that writes faults (or
//! walks anew) by itself.

use super::{cell::KernelCell, frame};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Replaced pages remembered before a flush is cheaper.
const LAGGING: usize = 64;

/// Guest physical address of the loaded PML4.
static ACTIVE: AtomicU64 = AtomicU64::new(0);
/// How many entries of [`REPLACED`] are in use.
static REPLACED_COUNT: AtomicUsize = AtomicUsize::new(0);
/// User page and former frame of entries replaced since the last flush.
static REPLACED: KernelCell<[(u64, u64); LAGGING]> = KernelCell::new([(0, 0); LAGGING]);

/// The PML4 of the loaded address space.
#[inline(always)]
pub fn active() -> u64 {
    ACTIVE.load(Ordering::Relaxed)
}

/// The vCPU was started with the page tables rooted at `root`.
pub fn assume(root: u64) {
    ACTIVE.store(root, Ordering::Relaxed);
}

/// Loads the page tables rooted at `root` unless they are loaded.
pub fn activate(root: u64) {
    if active() != root {
        crate::arch::load_address_space(root);
        ACTIVE.store(root, Ordering::Relaxed);
        forget_replaced();
    }
}

/// Flushes what the processor may hold of the tables rooted at `root`.
pub fn flush(root: u64) {
    if active() == root {
        crate::arch::flush_tlb();
        forget_replaced();
    }
}

/// The entry of the user page at `page` in the tables at `root` now names a copy of the frame at `former`, whose reference the caller
/// hands over.
pub fn replaced(root: u64, page: u64, former: u64) {
    if active() != root {
        return frame::release(former);
    }
    if REPLACED_COUNT.load(Ordering::Relaxed) == LAGGING {
        flush(root);
    }
    let n = REPLACED_COUNT.load(Ordering::Relaxed);
    REPLACED.with(|r| r[n] = (page, former));
    REPLACED_COUNT.store(n + 1, Ordering::Relaxed);
}

/// The kernel is about to write, through the direct map, to the user page at `page` of the active space.
#[inline(always)]
pub fn before_write(page: u64) {
    if REPLACED_COUNT.load(Ordering::Relaxed) != 0 {
        before_write_slow(page);
    }
}

#[cold]
fn before_write_slow(page: u64) {
    let n = REPLACED_COUNT.load(Ordering::Relaxed);
    if REPLACED.with(|r| r[..n].iter().any(|&(p, _)| p == page)) {
        flush(active());
    }
}

fn forget_replaced() {
    let n = REPLACED_COUNT.swap(0, Ordering::Relaxed);
    for i in 0..n {
        frame::release(REPLACED.with(|r| r[i].1));
    }
}
