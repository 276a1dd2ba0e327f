//! The buddy allocator over guest RAM, and the metadata of frames.
//!
//! Memory from `frontier` on was never handed out: it is zero, and neither it nor its metadata is touched before it is needed, so
//! that the host backs only what the guest uses. Freed frames go to free lists (and a small stack of single frames in front of
//! them) and are used again before fresh ones.
//!
//! Metadata is grouped by section of 32 MiB, so that what a small guest touches lies together: for each section one array of reference counts, one
//! of list links, one of states. The links of an allocated frame are free for its owner: the heap keeps its lists there.

use super::{DIRECT_MAP, cell::KernelCell};
use core::sync::atomic::{AtomicU64, Ordering};

/// Largest block: 2¹⁴ frames, 64 MiB.
pub const MAX_ORDER: usize = 14;
/// Order of a 2 MiB block.
pub const HUGE_ORDER: usize = 9;

const SECTION_SHIFT: u32 = 13;
const SECTION_FRAMES: u64 = 1 << SECTION_SHIFT;
const LINKS_OFFSET: u64 = SECTION_FRAMES * 4;
const STATES_OFFSET: u64 = LINKS_OFFSET + SECTION_FRAMES * 8;
const SECTION_BYTES: u64 = STATES_OFFSET + SECTION_FRAMES;

/// State of a free block's first frame: free…
const FREE: u8 = 0x80;
/// …and never touched, thus zero…
const ZERO: u8 = 0x40;
/// …and its order.
const ORDER: u8 = 0x0f;

/// Single frames kept in front of the free lists.
const CACHE: usize = 256;

/// Virtual address of the metadata.
static METADATA: AtomicU64 = AtomicU64::new(0);

/// Who asks, which decides how deep the allocator may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Memory of the workload: within the limit.
    Workload,
    /// The kernel's own, which cannot always fail gracefully: to the last frame. From the reserve on, new objects are refused
    /// and somebody is killed; see `mm::oom`.
    Kernel,
}

/// What an allocation yields.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Number of the first frame.
    pub frame: u32,
    /// Whether it is known to be zero.
    pub zero: bool,
}

fn section(frame: u32) -> u64 {
    METADATA.load(Ordering::Relaxed) + u64::from(frame >> SECTION_SHIFT) * SECTION_BYTES
}

fn index(frame: u32) -> u64 {
    u64::from(frame) & (SECTION_FRAMES - 1)
}

/// The reference count of a frame. The counts of the 512 frames of a 2 MiB block are contiguous.
#[inline(always)]
pub fn count(frame: u32) -> *mut u32 {
    (section(frame) + index(frame) * 4) as *mut u32
}

/// The two list links of a frame (next, previous; 0: none).
#[inline(always)]
pub fn links(frame: u32) -> *mut [u32; 2] {
    (section(frame) + LINKS_OFFSET + index(frame) * 8) as *mut [u32; 2]
}

#[inline(always)]
fn state(frame: u32) -> *mut u8 {
    (section(frame) + STATES_OFFSET + index(frame)) as *mut u8
}

/// The allocator's state.
pub struct Buddy {
    /// Frames below were handed out at least once; those from here on to `end` never were.
    frontier: u32,
    end: u32,
    heads: [u32; MAX_ORDER + 1],
    cache: [u32; CACHE],
    cached: usize,
    total: u64,
    used: u64,
    workload_limit: u64,
    /// Frames in free blocks of 2 MiB and more that were in use once: the host still backs them.
    backed: u64,
    /// The least that `backed` has been since it was last asked for.
    least_backed: u64,
    /// What the workload leaves to the kernel, so that the kernel's own allocations succeed until the OOM killer has acted.
    reserve: u64,
}

/// The one allocator.
pub static BUDDY: KernelCell<Buddy> = KernelCell::new(Buddy {
    frontier: 0,
    end: 0,
    heads: [0; MAX_ORDER + 1],
    cache: [0; CACHE],
    cached: 0,
    total: 0,
    used: 0,
    workload_limit: 0,
    backed: 0,
    least_backed: 0,
    reserve: 0,
});

impl Buddy {
    /// Takes over RAM from `free_start` to `ram_bytes`; `memory_limit` bounds what the workload may use (0: no bound but RAM).
    pub fn init(&mut self, free_start: u64, ram_bytes: u64, memory_limit: u64) {
        let start = free_start.next_multiple_of(4096);
        let end = (ram_bytes >> 12).min(u64::from(u32::MAX)) as u32;
        let sections = u64::from(end).div_ceil(SECTION_FRAMES);
        METADATA.store(DIRECT_MAP + start, Ordering::Relaxed);
        self.end = end;
        self.frontier = (((start + sections * SECTION_BYTES) >> 12) as u32).min(end);
        self.total = u64::from(self.end - self.frontier);
        self.reserve = (self.total / 32).clamp(64, 8192);
        self.workload_limit = self.total.saturating_sub(self.reserve);
        if memory_limit != 0 {
            self.workload_limit = self.workload_limit.min(memory_limit >> 12);
        }
    }

    /// Frames managed, and frames in use.
    pub fn usage(&self) -> (u64, u64) {
        (self.total, self.used)
    }

    /// Most frames that may be in use when the workload asks for more.
    pub fn workload_limit(&self) -> u64 {
        self.workload_limit
    }

    /// Frames of the kernel's reserve that are free, at most all of it.
    pub fn left_of_reserve(&self) -> u64 {
        self.total.saturating_sub(self.used).min(self.reserve)
    }

    /// Frames in the kernel's reserve.
    pub fn reserve(&self) -> u64 {
        self.reserve
    }

    /// Takes `1 << order` frames, aligned to their number.
    #[inline]
    pub fn allocate(&mut self, order: usize, purpose: Purpose) -> Option<Block> {
        let frames = 1u64 << order;
        let limit = match purpose {
            Purpose::Workload => self.workload_limit,
            Purpose::Kernel => self.total,
        };
        if self.used + frames > limit {
            return None;
        }
        if purpose == Purpose::Kernel && self.used + frames + self.reserve > self.total {
            super::oom::note_reserve_used(self.left_of_reserve() <= self.reserve / 2);
        }
        let block = if order == 0 && self.cached > 0 {
            self.cached -= 1;
            Block {
                frame: self.cache[self.cached],
                zero: false,
            }
        } else {
            self.take(order)?
        };
        self.used += frames;
        Some(block)
    }

    /// Gives back what [`Buddy::allocate`] gave.
    #[inline]
    pub fn release(&mut self, frame: u32, order: usize) {
        self.used -= 1 << order;
        if order != 0 {
            return self.insert(frame, order, false);
        }
        if self.cached == CACHE {
            // The oldest half goes to the lists; what was freed last is likely still in the processor's cache.
            for i in 0..CACHE / 2 {
                self.insert(self.cache[i], 0, false);
            }
            self.cache.copy_within(CACHE / 2.., 0);
            self.cached = CACHE / 2;
        }
        self.cache[self.cached] = frame;
        self.cached += 1;
    }

    fn take(&mut self, order: usize) -> Option<Block> {
        let Some(found) = (order..=MAX_ORDER).find(|&o| self.heads[o] != 0) else {
            return self.take_fresh(order).or_else(|| self.take_drained(order));
        };
        let frame = self.heads[found];
        let zero = self.unlink(frame) & ZERO != 0;
        for o in (order..found).rev() {
            self.push(frame + (1 << o), o, zero);
        }
        Some(Block { frame, zero })
    }

    /// A block of memory that was never used; what alignment skips goes to the free lists.
    fn take_fresh(&mut self, order: usize) -> Option<Block> {
        let size = 1u32 << order;
        let frame = self.frontier.checked_next_multiple_of(size)?;
        let end = frame.checked_add(size).filter(|&end| end <= self.end)?;
        let mut hole = self.frontier;
        self.frontier = end;
        while hole < frame {
            let o = (hole.trailing_zeros() as usize)
                .min((frame - hole).ilog2() as usize)
                .min(MAX_ORDER);
            self.insert(hole, o, true);
            hole += 1 << o;
        }
        Some(Block { frame, zero: true })
    }

    /// The last resort for larger blocks: merges the cached single frames and looks again.
    fn take_drained(&mut self, order: usize) -> Option<Block> {
        if self.cached == 0 {
            return None;
        }
        for i in 0..self.cached {
            self.insert(self.cache[i], 0, false);
        }
        self.cached = 0;
        (order..=MAX_ORDER)
            .any(|o| self.heads[o] != 0)
            .then(|| self.take(order))?
    }

    /// Adds a free block, merged with its free buddies.
    fn insert(&mut self, mut frame: u32, mut order: usize, mut zero: bool) {
        while order < MAX_ORDER {
            let buddy = frame ^ (1 << order);
            if buddy >= self.frontier {
                break;
            }
            // SAFETY: `buddy` is below the end of RAM, so it has metadata.
            let other = unsafe { *state(buddy) };
            if other & !ZERO != FREE | order as u8 {
                break;
            }
            self.unlink(buddy);
            zero &= other & ZERO != 0;
            frame &= !(1 << order);
            order += 1;
        }
        self.push(frame, order, zero);
    }

    fn push(&mut self, frame: u32, order: usize, zero: bool) {
        let next = self.heads[order];
        // SAFETY: both frames are managed, so they have metadata; free blocks own theirs.
        unsafe {
            *links(frame) = [next, 0];
            *state(frame) = FREE | order as u8 | if zero { ZERO } else { 0 };
            if next != 0 {
                (*links(next))[1] = frame;
            }
        }
        self.heads[order] = frame;
        if order >= HUGE_ORDER && !zero {
            self.backed += 1 << order;
        }
    }

    /// Frames in free blocks of 2 MiB and more that the host still backs.
    pub fn backed(&self) -> u64 {
        self.backed
    }

    /// The least that [`Buddy::backed`] has been since this was last called.
    pub fn take_least_backed(&mut self) -> u64 {
        core::mem::replace(&mut self.least_backed, self.backed)
    }

    /// Takes a free block of 2 MiB or more that the host still backs: its first frame and order. For [`Buddy::give_unbacked`].
    pub fn take_backed(&mut self) -> Option<(u32, usize)> {
        for order in HUGE_ORDER..=MAX_ORDER {
            let mut frame = self.heads[order];
            while frame != 0 {
                // SAFETY: `frame` heads a free block, so its metadata holds its state and list links.
                let (state, [next, _]) = unsafe { (*state(frame), *links(frame)) };
                if state & ZERO == 0 {
                    self.unlink(frame);
                    return Some((frame, order));
                }
                frame = next;
            }
        }
        None
    }

    /// Gives back what [`Buddy::take_backed`] took; `zero`: the host has taken its memory.
    pub fn give_unbacked(&mut self, frame: u32, order: usize, zero: bool) {
        self.insert(frame, order, zero);
    }

    /// Takes a free block off its list; returns its state.
    fn unlink(&mut self, frame: u32) -> u8 {
        // SAFETY: `frame` heads a free block, so its metadata and its neighbours' hold list links.
        unsafe {
            let state = core::mem::take(&mut *state(frame));
            let [next, previous] = *links(frame);
            if previous != 0 {
                (*links(previous))[0] = next;
            } else {
                self.heads[usize::from(state & ORDER)] = next;
            }
            if next != 0 {
                (*links(next))[1] = previous;
            }
            let order = usize::from(state & ORDER);
            if order >= HUGE_ORDER && state & ZERO == 0 {
                self.backed -= 1 << order;
                self.least_backed = self.least_backed.min(self.backed);
            }
            state
        }
    }
}
