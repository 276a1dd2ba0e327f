//! Physical frames, reference-counted.
//!
//! [`Frame`] is an owned reference; page tables hold references too, as bare addresses ([`Frame::into_phys`], [`retain`],
//! [`release`]). A 2 MiB page is 512 frames that are counted each for itself, so that it can be split at any time.
//! [`Contiguous`] is memory for the kernel itself.

use super::{
    buddy::{self, BUDDY, HUGE_ORDER, Purpose},
    phys_ptr,
};
use crate::Errno;
use core::{
    mem::ManuallyDrop,
    num::NonZeroU32,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use vitrine_abi::{boot::BootInfo, layout::PAGE_SIZE};

const PAGE: usize = PAGE_SIZE as usize;

/// Starts the allocator: RAM from `free_start` on.
pub fn init(boot: &BootInfo) {
    BUDDY.with(|b| b.init(boot.free_start, boot.ram_bytes, boot.memory_limit));
}

/// A counted reference to one 4 KiB physical frame. Cloning counts up; the last drop frees it.
pub struct Frame(NonZeroU32);

impl Frame {
    /// A frame of zeros.
    pub fn zeroed() -> Result<Frame, Errno> {
        Self::zeroed_for(Purpose::Workload)
    }

    /// A frame of zeros for the workload or the kernel.
    pub(super) fn zeroed_for(purpose: Purpose) -> Result<Frame, Errno> {
        let (frame, zero) = allocate_one(purpose)?;
        if !zero {
            frame.zero(0, PAGE);
        }
        Ok(frame)
    }

    /// A frame with whatever its last user left there: only for whoever overwrites all of it at once.
    pub(super) fn dirty() -> Result<Frame, Errno> {
        Ok(allocate_one(Purpose::Workload)?.0)
    }

    /// A new frame with the contents of the frame at `phys`.
    pub(super) fn copy_of(phys: u64) -> Result<Frame, Errno> {
        let copy = Frame::dirty()?;
        // SAFETY: two distinct whole frames in the direct map: `copy` is new.
        unsafe { core::ptr::copy_nonoverlapping(phys_ptr(phys), phys_ptr(copy.phys()), PAGE) };
        Ok(copy)
    }

    /// Guest physical address.
    pub fn phys(&self) -> u64 {
        u64::from(self.0.get()) << 12
    }

    /// Copies out of the frame; `offset + buf.len()` must not exceed the page size.
    pub fn read(&self, offset: usize, buf: &mut [u8]) {
        assert!(offset <= PAGE && buf.len() <= PAGE - offset);
        // SAFETY: inside the frame, as checked; kernel buffers never lie in counted frames.
        unsafe {
            core::ptr::copy_nonoverlapping(self.ptr().add(offset), buf.as_mut_ptr(), buf.len())
        };
    }

    /// Copies into the frame.
    pub fn write(&self, offset: usize, data: &[u8]) {
        assert!(offset <= PAGE && data.len() <= PAGE - offset);
        // SAFETY: inside the frame, as checked; kernel buffers never lie in counted frames.
        unsafe {
            core::ptr::copy_nonoverlapping(data.as_ptr(), self.ptr().add(offset), data.len())
        };
    }

    /// Fills a part with zeros.
    pub fn zero(&self, offset: usize, len: usize) {
        assert!(offset <= PAGE && len <= PAGE - offset);
        // SAFETY: inside the frame, as checked.
        unsafe { self.ptr().add(offset).write_bytes(0, len) };
    }

    /// How many references there are, mappings included.
    pub fn references(&self) -> u32 {
        references(self.phys())
    }

    /// Gives the reference away as an address, for a page-table entry; [`Frame::adopt`] or [`release`] ends it.
    pub(super) fn into_phys(self) -> u64 {
        ManuallyDrop::new(self).phys()
    }

    fn ptr(&self) -> *mut u8 {
        phys_ptr(self.phys())
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        retain(self.phys());
        Frame(self.0)
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        release(self.phys());
    }
}

impl core::fmt::Debug for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Frame({:#x})", self.phys())
    }
}

fn number(phys: u64) -> NonZeroU32 {
    NonZeroU32::new((phys >> 12) as u32).expect("frame 0 is never handed out")
}

fn allocate_one(purpose: Purpose) -> Result<(Frame, bool), Errno> {
    let block = allocate(0, purpose)?;
    // SAFETY: the frame is ours alone, and so is its count.
    unsafe { *buddy::count(block.frame) = 1 };
    Ok((Frame(number(u64::from(block.frame) << 12)), block.zero))
}

#[inline]
fn allocate(order: usize, purpose: Purpose) -> Result<buddy::Block, Errno> {
    match BUDDY.with(|b| b.allocate(order, purpose)) {
        Some(block) => Ok(block),
        None => reclaim_and_allocate(order, purpose),
    }
}

/// Counts one more reference to the frame at `phys`.
#[inline(always)]
pub(super) fn retain(phys: u64) {
    let count = buddy::count((phys >> 12) as u32);
    // SAFETY: counted frames have metadata. A count that has reached the top stays there: such a frame is never freed.
    unsafe { *count += u32::from(*count != u32::MAX) };
}

/// Counts one reference less; the last one frees the frame.
#[inline(always)]
pub(super) fn release(phys: u64) {
    let frame = (phys >> 12) as u32;
    let count = buddy::count(frame);
    // SAFETY: counted frames have metadata.
    let left = unsafe {
        *count -= u32::from(*count != u32::MAX);
        *count
    };
    if left == 0 {
        BUDDY.with(|b| b.release(frame, 0));
    }
}

/// References to the frame at `phys`.
#[inline(always)]
pub(super) fn references(phys: u64) -> u32 {
    // SAFETY: counted frames have metadata.
    unsafe { *buddy::count((phys >> 12) as u32) }
}

/// The counts of the 512 frames of the 2 MiB block at `phys`.
fn huge_counts(phys: u64) -> &'static mut [u32] {
    // SAFETY: a section's counts are contiguous and a section is a multiple of 512 frames; nobody else holds a reference to counts.
    unsafe { core::slice::from_raw_parts_mut(buddy::count((phys >> 12) as u32), 1 << HUGE_ORDER) }
}

/// A 2 MiB block of zeros, each of its frames counted once; its address. `None` if there is none, or if memory is short and
/// smaller pages are the better choice.
pub(super) fn allocate_huge() -> Option<u64> {
    let block = BUDDY.with(|b| {
        let limit = b.workload_limit();
        (b.usage().1 + (1 << HUGE_ORDER) <= limit - limit / 16)
            .then(|| b.allocate(HUGE_ORDER, Purpose::Workload))
            .flatten()
    })?;
    let phys = u64::from(block.frame) << 12;
    huge_counts(phys).fill(1);
    if !block.zero {
        // SAFETY: the block is ours alone.
        unsafe { phys_ptr(phys).write_bytes(0, PAGE << HUGE_ORDER) };
    }
    Some(phys)
}

/// Counts one more reference to each frame of a 2 MiB block.
pub(super) fn retain_huge(phys: u64) {
    for count in huge_counts(phys) {
        *count += u32::from(*count != u32::MAX);
    }
}

/// Counts one reference less to each frame of a 2 MiB block.
pub(super) fn release_huge(phys: u64) {
    if exclusive_huge(phys) {
        huge_counts(phys).fill(0);
        BUDDY.with(|b| b.release((phys >> 12) as u32, HUGE_ORDER));
    } else {
        for i in 0..1u64 << HUGE_ORDER {
            release(phys + (i << 12));
        }
    }
}

/// Whether each frame of a 2 MiB block has one reference only.
pub(super) fn exclusive_huge(phys: u64) -> bool {
    huge_counts(phys)
        .iter()
        .fold(true, |one, &c| one & (c == 1))
}

/// Physically contiguous memory for the kernel: `PAGE_SIZE << order` bytes, aligned to their number. Freed on drop.
pub struct Contiguous {
    phys: u64,
    order: usize,
}

/// Takes contiguous memory. It is not zeroed unless it was never used.
pub fn alloc_contiguous(order: usize) -> Result<Contiguous, Errno> {
    let block = allocate(order, Purpose::Workload)?;
    let phys = u64::from(block.frame) << 12;
    Ok(Contiguous { phys, order })
}

impl Contiguous {
    /// Address in the direct map.
    pub fn ptr(&self) -> *mut u8 {
        phys_ptr(self.phys)
    }
}

impl Drop for Contiguous {
    fn drop(&mut self) {
        give_pages(self.phys, self.order);
    }
}

/// From this order on (512 KiB) the kernel's own allocations leave its reserve alone: whoever asks for so much asks with `try_reserve`.
const FALLIBLE_ORDER: usize = 7;

/// `1 << order` frames for the kernel, uncounted: address, and whether they are known to be zero.
#[inline]
pub(super) fn take_pages(order: usize) -> Option<(u64, bool)> {
    if order > buddy::MAX_ORDER {
        return None;
    }
    let purpose = if order >= FALLIBLE_ORDER {
        Purpose::Workload
    } else {
        Purpose::Kernel
    };
    let block = allocate(order, purpose).ok()?;
    Some((u64::from(block.frame) << 12, block.zero))
}

/// Gives back what [`take_pages`] gave.
#[inline]
pub(super) fn give_pages(phys: u64, order: usize) {
    BUDDY.with(|b| b.release((phys >> 12) as u32, order));
}

/// The hook of [`on_pressure`], as an address; 0: none.
static RECLAIM: AtomicUsize = AtomicUsize::new(0);
static RECLAIMING: AtomicBool = AtomicBool::new(false);

/// Sets what is asked to drop caches when the workload's memory is used up, before an allocation fails: it gets the number of frames
/// wanted and returns how many it freed. It may be called with any lock of a file system held: it must only *try* to lock.
pub fn on_pressure(hook: fn(u64) -> u64) {
    RECLAIM.store(hook as usize, Ordering::Relaxed);
}

#[cold]
fn reclaim_and_allocate(order: usize, purpose: Purpose) -> Result<buddy::Block, Errno> {
    reclaim((1u64 << order).max(64));
    if let Some(block) = BUDDY.with(|b| b.allocate(order, purpose)) {
        return Ok(block);
    }
    Err(Errno::ENOMEM)
}

/// The parts of the kernel's reserve that are free, in 256ths: 256 as long as nothing of it is used.
pub(super) fn reserve_left() -> u64 {
    BUDDY.with(|b| b.left_of_reserve() * 256 / b.reserve().max(1))
}

/// Asks for caches to be dropped, as an allocation that fails does.
pub(super) fn reclaim(frames: u64) {
    let hook = RECLAIM.load(Ordering::Relaxed);
    if hook != 0 && !RECLAIMING.swap(true, Ordering::Relaxed) {
        // SAFETY: only `on_pressure` stores here, and only functions of this type.
        let hook = unsafe { core::mem::transmute::<usize, fn(u64) -> u64>(hook) };
        hook(frames);
        RECLAIMING.store(false, Ordering::Relaxed);
    }
}

/// Frames in all, free, and used by page caches: for sysinfo, /proc/meminfo and the OOM killer.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameStats {
    /// All frames of RAM that the allocator manages, within the workload's limit.
    pub total: u64,
    /// Free ones.
    pub free: u64,
}

/// Current figures.
pub fn stats() -> FrameStats {
    BUDDY.with(|b| {
        let total = b.usage().0.min(b.workload_limit());
        FrameStats {
            total,
            free: total.saturating_sub(b.usage().1),
        }
    })
}
