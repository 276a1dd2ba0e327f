//! Virtual memory areas: one mapping each ([`Vma`]), and the ordered set of an address space's ([`VmaSet`]) with merging, splitting, and the
//! search for free room.

use super::{Backing, Prot};
use crate::mm::{MemoryObject, page_table::Rights};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use vitrine_abi::layout::{HUGE_PAGE_SIZE, PAGE_SIZE, USER_END, USER_MIN};

/// What stays unmapped below a mapping that grows down (`stack_guard_gap`).
pub const STACK_GUARD: u64 = 256 * PAGE_SIZE;
/// Most mappings of an address space (`vm.max_map_count`).
pub const MAX_MAPPINGS: usize = 65530;

bitflags::bitflags! {
    /// Properties of a mapping besides its protection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct VmaFlags: u32 {
        /// MAP_SHARED.
        const SHARED = 1 << 0;
        /// A stack: extended downwards by faults.
        const GROWS_DOWN = 1 << 1;
        /// mlock.
        const LOCKED = 1 << 2;
        /// MADV_NOHUGEPAGE.
        const NO_HUGE = 1 << 3;
        /// MADV_DONTFORK.
        const DONT_FORK = 1 << 4;
        /// MADV_DONTDUMP.
        const DONT_DUMP = 1 << 5;
        /// MADV_WIPEONFORK.
        const WIPE_ON_FORK = 1 << 6;
    }
}

/// One mapping.
#[derive(Clone)]
pub struct Vma {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// Protection.
    pub prot: Prot,
    /// Protection that mprotect may give it.
    pub max_prot: Prot,
    /// Other properties.
    pub flags: VmaFlags,
    /// What it shows; an object's offset is that of `start`.
    pub backing: Backing,
    /// Name where no object gives one.
    pub name: Option<&'static str>,
}

impl Vma {
    /// Bytes.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// MAP_SHARED.
    pub fn is_shared(&self) -> bool {
        self.flags.contains(VmaFlags::SHARED)
    }

    /// Private and writable, and no stack: what RLIMIT_DATA counts.
    pub fn is_data(&self) -> bool {
        self.prot.contains(Prot::WRITE)
            && !self
                .flags
                .intersects(VmaFlags::SHARED | VmaFlags::GROWS_DOWN)
    }

    /// What its page-table entries allow; `write`: if it is writable, whether this page may be.
    pub fn rights(&self, write: bool) -> Rights {
        Rights {
            access: !self.prot.is_empty(),
            write: write && self.prot.contains(Prot::WRITE),
            execute: self.prot.contains(Prot::EXEC),
        }
    }

    /// Page number in the object of the page at `page`.
    pub fn index_of(&self, page: u64) -> u64 {
        match &self.backing {
            Backing::Anonymous => 0,
            Backing::Object(_, offset) => (offset + (page - self.start)) / PAGE_SIZE,
        }
    }

    /// The part of the aligned run of `pages` pages around `page` that lies in this mapping.
    pub fn window(&self, page: u64, pages: u64) -> (u64, u64) {
        let size = pages * PAGE_SIZE;
        let start = page / size * size;
        (start.max(self.start), (start + size).min(self.end))
    }

    /// Where the room below it ends: a stack keeps a gap.
    pub fn guarded_start(&self) -> u64 {
        if self.flags.contains(VmaFlags::GROWS_DOWN) {
            self.start.saturating_sub(STACK_GUARD)
        } else {
            self.start
        }
    }

    /// Splits at `addr`, which lies inside; `self` keeps the lower part.
    fn split_off(&mut self, addr: u64) -> Vma {
        let mut upper = self.clone();
        if let Backing::Object(_, offset) = &mut upper.backing {
            *offset += addr - self.start;
        }
        upper.start = addr;
        self.end = addr;
        upper
    }

    /// Whether `next`, which starts where `self` ends, continues it.
    fn continues(&self, next: &Vma) -> bool {
        self.prot == next.prot
            && self.max_prot == next.max_prot
            && self.flags == next.flags
            && self.name == next.name
            && match (&self.backing, &next.backing) {
                (Backing::Anonymous, Backing::Anonymous) => true,
                (Backing::Object(a, at), Backing::Object(b, then)) => {
                    is_same(a, b) && at.wrapping_add(self.len()) == *then
                }
                _ => false,
            }
    }
}

/// The mappings of an address space.
pub struct VmaSet {
    by_start: BTreeMap<u64, Vma>,
    total: u64,
    data: u64,
    locked: u64,
    /// Where mmap starts to look for room, downwards.
    top: u64,
    /// Above this address (up to `top`) no hole is larger than `largest_skipped`.
    search_from: u64,
    largest_skipped: u64,
}

impl VmaSet {
    /// No mappings; mmap places them below `top`.
    pub fn new(top: u64) -> VmaSet {
        VmaSet {
            by_start: BTreeMap::new(),
            total: 0,
            data: 0,
            locked: 0,
            top,
            search_from: top,
            largest_skipped: 0,
        }
    }

    /// A set without mappings and the same placement.
    pub fn like(other: &VmaSet) -> VmaSet {
        VmaSet {
            search_from: other.search_from,
            largest_skipped: other.largest_skipped,
            ..VmaSet::new(other.top)
        }
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Vma> {
        self.by_start.values()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.by_start.len()
    }

    /// Bytes mapped.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Bytes private and writable, without stacks.
    pub fn data(&self) -> u64 {
        self.data
    }

    /// Bytes locked.
    pub fn locked(&self) -> u64 {
        self.locked
    }

    /// Where mmap looks for room from now on.
    pub fn set_top(&mut self, top: u64) {
        self.top = top;
        self.search_from = top;
        self.largest_skipped = 0;
    }

    /// The mapping that holds `addr`.
    pub fn find(&self, addr: u64) -> Option<&Vma> {
        self.by_start
            .range(..=addr)
            .next_back()
            .map(|(_, vma)| vma)
            .filter(|vma| addr < vma.end)
    }

    /// The first mapping that ends above `addr`.
    pub fn find_or_next(&self, addr: u64) -> Option<&Vma> {
        self.find(addr)
            .or_else(|| self.by_start.range(addr..).next().map(|(_, vma)| vma))
    }

    /// The last mapping that starts below `addr`.
    pub fn before(&self, addr: u64) -> Option<&Vma> {
        self.by_start.range(..addr).next_back().map(|(_, vma)| vma)
    }

    /// The mappings that overlap `start..end`, in order.
    pub fn overlapping(&self, start: u64, end: u64) -> impl Iterator<Item = &Vma> {
        let first = self.find(start).map_or(start, |vma| vma.start);
        self.by_start
            .range(first..end.max(first))
            .map(|(_, vma)| vma)
    }

    /// Whether `start..end` is free, and not in the gap below a stack.
    pub fn is_free(&self, start: u64, end: u64) -> bool {
        self.find_or_next(start)
            .is_none_or(|vma| vma.guarded_start() >= end)
    }

    /// Whether every page of `start..end` is mapped.
    pub fn covers(&self, start: u64, end: u64) -> bool {
        let mut at = start;
        for vma in self.overlapping(start, end) {
            if vma.start > at {
                return false;
            }
            at = vma.end;
        }
        at >= end
    }

    /// The range without mappings around `start..end`, which has none.
    pub fn hole(&self, start: u64, end: u64) -> (u64, u64) {
        (
            self.before(start).map_or(0, |vma| vma.end),
            self.by_start
                .range(end..)
                .next()
                .map_or(USER_END, |(_, vma)| vma.start),
        )
    }

    /// Adds a mapping where there is none, merged with its neighbours if they continue each other.
    pub fn insert(&mut self, mut vma: Vma) {
        if let Some(before) = self.before(vma.start)
            && before.end == vma.start
            && before.continues(&vma)
        {
            let start = before.start;
            if let Some(mut before) = self.remove(start) {
                before.end = vma.end;
                vma = before;
            }
        }
        if let Some(after) = self.by_start.get(&vma.end)
            && vma.continues(after)
        {
            let start = after.start;
            if let Some(after) = self.remove(start) {
                vma.end = after.end;
            }
        }
        self.add(vma);
    }

    /// Adds a mapping where there is none, as it is.
    pub fn add(&mut self, vma: Vma) {
        self.total += vma.len();
        if vma.is_data() {
            self.data += vma.len();
        }
        if vma.flags.contains(VmaFlags::LOCKED) {
            self.locked += vma.len();
        }
        self.by_start.insert(vma.start, vma);
    }

    fn remove(&mut self, start: u64) -> Option<Vma> {
        let vma = self.by_start.remove(&start)?;
        self.total -= vma.len();
        if vma.is_data() {
            self.data -= vma.len();
        }
        if vma.flags.contains(VmaFlags::LOCKED) {
            self.locked -= vma.len();
        }
        Some(vma)
    }

    /// Takes out everything in `start..end`, split at both ends.
    pub fn take(&mut self, start: u64, end: u64) -> Vec<Vma> {
        let starts: Vec<u64> = self.overlapping(start, end).map(|vma| vma.start).collect();
        let mut taken = Vec::with_capacity(starts.len());
        for first in starts {
            let Some(mut vma) = self.remove(first) else {
                continue;
            };
            if vma.end > end {
                let upper = vma.split_off(end);
                self.add(upper);
            }
            if vma.start < start {
                let upper = vma.split_off(start);
                self.add(vma);
                vma = upper;
            }
            taken.push(vma);
        }
        taken
    }

    /// How many mappings more there would be if `start..end` were cut out or changed.
    pub fn pieces_added(&self, start: u64, end: u64) -> usize {
        let cuts = |addr| usize::from(self.find(addr).is_some_and(|vma| vma.start < addr));
        cuts(start) + cuts(end)
    }

    /// Lowers the start of the mapping at `start` (a stack that grows).
    pub fn extend_down(&mut self, start: u64, new_start: u64) {
        if let Some(mut vma) = self.remove(start) {
            vma.start = new_start;
            self.add(vma);
        }
    }

    /// `start..end` became free: the search has to look there again.
    pub fn note_free(&mut self, start: u64, end: u64) {
        let above = self
            .find_or_next(start)
            .map_or(self.top, |vma| vma.guarded_start().max(end))
            .min(self.top);
        self.search_from = self.search_from.max(above);
    }

    /// Room for `len` bytes (whole pages) at a multiple of `align`: the highest below the top, else the lowest above it.
    pub fn find_free(&mut self, len: u64, align: u64) -> Option<u64> {
        let padded = len.checked_add(align - PAGE_SIZE)?;
        if padded <= self.largest_skipped {
            self.search_from = self.top;
            self.largest_skipped = 0;
        }
        let mut top = self.search_from;
        let mut found = None;
        for vma in self.by_start.range(..top).rev().map(|(_, vma)| vma) {
            let room = top.saturating_sub(vma.end);
            if room >= padded {
                found = Some(top);
                break;
            }
            self.largest_skipped = self.largest_skipped.max(room);
            top = top.min(vma.guarded_start());
        }
        if found.is_none() && top.saturating_sub(USER_MIN) >= padded {
            found = Some(top);
        }
        if let Some(top) = found {
            self.search_from = top;
            return Some((top - len) & !(align - 1));
        }
        self.find_above(padded)
            .map(|start| start.next_multiple_of(align))
    }

    fn find_above(&self, len: u64) -> Option<u64> {
        let mut start = self.top;
        loop {
            match self.find_or_next(start) {
                Some(vma) if vma.guarded_start() < start.checked_add(len)? => start = vma.end,
                _ => return (start.checked_add(len)? <= USER_END).then_some(start),
            }
        }
    }
}

/// Whether both are one object.
pub fn is_same(a: &Arc<dyn MemoryObject>, b: &Arc<dyn MemoryObject>) -> bool {
    core::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

/// The alignment that suits an anonymous mapping of this many bytes: 2 MiB where that lets all of it be large pages.
pub fn suitable_alignment(len: u64) -> u64 {
    if len >= HUGE_PAGE_SIZE && len.is_multiple_of(HUGE_PAGE_SIZE) {
        HUGE_PAGE_SIZE
    } else {
        PAGE_SIZE
    }
}
