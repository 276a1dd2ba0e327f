//! Four-level page tables of the lower half: entries, walks, and the making and freeing of tables.
//!
//! Every leaf entry owns one reference to its frame (a 2 MiB leaf: one to each of its 512), every table entry owns its table. Nothing
//! here flushes the TLB: whoever reduces or removes an entry does ([`super::tlb`]).
//!
//! The accessed and dirty bits are set in advance where a page is about to be used: a processor that virtualises in software
//! takes an exit to set them. Where use is unlikely the accessed bit is left clear, and as long as it stays so no TLB holds the entry.

use super::{
    buddy::Purpose,
    cell::KernelCell,
    frame::{self, Frame},
    phys_ptr,
};
use crate::Errno;
use vitrine_abi::layout::{HUGE_PAGE_SIZE, PAGE_SIZE, USER_END};

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const HUGE: u64 = 1 << 7;
/// Software: not present because nothing may access it (PROT_NONE), but the frame is kept.
const KEPT: u64 = 1 << 9;
/// Software: a page of this space alone or shared by fork only (anonymous, or a private copy), not one of an object.
const OWNED: u64 = 1 << 10;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Flags of an entry that names a table.
const TABLE: u64 = PRESENT | WRITABLE | USER | ACCESSED;

/// Index of the last PML4 entry of the lower half, plus one.
const USER_SLOTS: usize = 256;

/// A page-table entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entry(u64);

impl Entry {
    /// No page.
    pub const NONE: Entry = Entry(0);

    /// A leaf for the frame at `phys`.
    pub fn leaf(phys: u64, rights: Rights, owned: bool) -> Entry {
        Entry(phys | if owned { OWNED } else { 0 }).with_rights(rights)
    }

    /// The same leaf with other rights.
    pub fn with_rights(self, rights: Rights) -> Entry {
        let kept = self.0 & (ADDRESS | OWNED | HUGE);
        if !rights.access {
            return Entry(kept | KEPT);
        }
        Entry(
            kept | PRESENT
                | USER
                | ACCESSED
                | if rights.write { WRITABLE | DIRTY } else { 0 }
                | if rights.execute { 0 } else { NO_EXECUTE },
        )
    }

    /// The same leaf as one of 2 MiB.
    pub fn huge(self) -> Entry {
        Entry(self.0 | HUGE)
    }

    /// The same leaf, not accessed yet.
    pub fn unaccessed(self) -> Entry {
        Entry(self.0 & !ACCESSED)
    }

    /// The same leaf, read-only.
    pub fn read_only(self) -> Entry {
        Entry(self.0 & !WRITABLE)
    }

    /// Guest physical address of the frame or table.
    pub fn phys(self) -> u64 {
        self.0 & ADDRESS
    }

    /// Whether it holds a frame, accessible or not.
    pub fn is_occupied(self) -> bool {
        self.0 & (PRESENT | KEPT) != 0
    }

    /// Whether the processor may use it.
    pub fn is_present(self) -> bool {
        self.0 & PRESENT != 0
    }

    /// Whether it may be written.
    pub fn is_writable(self) -> bool {
        self.0 & WRITABLE != 0
    }

    /// Whether it may be executed.
    pub fn is_executable(self) -> bool {
        self.0 & NO_EXECUTE == 0
    }

    /// Whether it is of 2 MiB.
    pub fn is_huge(self) -> bool {
        self.0 & HUGE != 0
    }

    /// Whether the page is the space's own rather than an object's.
    pub fn is_owned(self) -> bool {
        self.0 & OWNED != 0
    }

    /// Whether a TLB may hold it: then removing or reducing it needs a flush.
    pub fn may_be_cached(self) -> bool {
        self.0 & (PRESENT | ACCESSED) == PRESENT | ACCESSED
    }

    /// Whether what `self` allowed and a TLB may hold is less in `new`.
    pub fn is_reduced_by(self, new: Entry) -> bool {
        self.may_be_cached()
            && (!new.is_present()
                || new.phys() != self.phys()
                || (self.is_writable() && !new.is_writable())
                || (self.is_executable() && !new.is_executable()))
    }
}

/// What a leaf allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Anything at all.
    pub access: bool,
    /// Stores.
    pub write: bool,
    /// Instruction fetches.
    pub execute: bool,
}

/// The place of an entry in a table.
#[derive(Clone, Copy)]
pub struct Slot(*mut u64);

impl Slot {
    fn of(table: u64, index: usize) -> Slot {
        Slot((phys_ptr(table) as *mut u64).wrapping_add(index & 511))
    }

    /// The entry.
    #[inline(always)]
    pub fn get(self) -> Entry {
        // SAFETY: a slot lies in a table that lives as long as the walk that made it; the processor may set bits in it, hence volatile.
        Entry(unsafe { self.0.read_volatile() })
    }

    /// Replaces the entry. The references of the old and the new one are the caller's business.
    #[inline(always)]
    pub fn set(self, entry: Entry) {
        // SAFETY: as in `get`.
        unsafe { self.0.write_volatile(entry.0) };
    }
}

/// What a walk found at an address.
pub struct Leaf {
    /// Where.
    pub slot: Slot,
    /// What.
    pub entry: Entry,
}

impl Leaf {
    #[allow(
        dead_code,
        reason = "for requests from outside, which read and write whatever the mappings say"
    )]
    /// Physical address of the 4 KiB frame that holds `addr`.
    pub fn frame(&self, addr: u64) -> u64 {
        if self.entry.is_huge() {
            self.entry.phys() + (addr & (HUGE_PAGE_SIZE - 1) & !(PAGE_SIZE - 1))
        } else {
            self.entry.phys()
        }
    }
}

/// Index of `addr` in a table of level 4 (PML4) to 1.
#[inline(always)]
fn index(addr: u64, level: u32) -> usize {
    (addr >> (12 + 9 * (level - 1))) as usize & 511
}

/// Bytes that an entry of a table of this level covers.
const fn span(level: u32) -> u64 {
    PAGE_SIZE << (9 * (level - 1))
}

/// Where a user address lies physically, if its page is present, accessible to user mode, and (for `write`) writable. The fast path of
/// all copies: a walk without a lock.
#[inline]
pub fn translate(root: u64, addr: u64, write: bool) -> Option<u64> {
    if addr >= USER_END {
        return None;
    }
    let wanted = PRESENT | USER | if write { WRITABLE } else { 0 };
    let mut table = root;
    for level in [4, 3] {
        let entry = Slot::of(table, index(addr, level)).get();
        if !entry.is_present() {
            return None;
        }
        table = entry.phys();
    }
    let entry = Slot::of(table, index(addr, 2)).get();
    if !entry.is_present() {
        return None;
    }
    if entry.is_huge() {
        return (entry.0 & wanted == wanted).then(|| entry.phys() + (addr & (HUGE_PAGE_SIZE - 1)));
    }
    let entry = Slot::of(entry.phys(), index(addr, 1)).get();
    (entry.0 & wanted == wanted).then(|| entry.phys() + (addr & (PAGE_SIZE - 1)))
}

/// The tables of one address space. Dropping frees them and every frame that they hold; they must not be loaded then.
pub struct PageTable {
    root: u64,
}

impl PageTable {
    /// Empty tables with the kernel's half of the PML4 at `kernel_root`.
    pub fn new(kernel_root: u64) -> Result<PageTable, Errno> {
        if let Some(root) = SPARE_ROOTS.with(SpareRoots::take) {
            return Ok(PageTable { root });
        }
        let root = Frame::zeroed()?.into_phys();
        for i in USER_SLOTS..512 {
            Slot::of(root, i).set(Slot::of(kernel_root, i).get());
        }
        Ok(PageTable { root })
    }

    /// Guest physical address of the PML4.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// The leaf that maps `addr`, accessible or not.
    pub fn leaf(&self, addr: u64) -> Option<Leaf> {
        let directory = self.directory_slot(addr)?;
        let entry = directory.get();
        if entry.is_huge() && entry.is_occupied() {
            return Some(Leaf {
                slot: directory,
                entry,
            });
        }
        if !entry.is_present() {
            return None;
        }
        let slot = Slot::of(entry.phys(), index(addr, 1));
        let entry = slot.get();
        entry.is_occupied().then_some(Leaf { slot, entry })
    }

    /// The place in a page directory (level 2) for `addr`, if there is such a directory.
    fn directory_slot(&self, addr: u64) -> Option<Slot> {
        let mut table = self.root;
        for level in [4, 3] {
            let entry = Slot::of(table, index(addr, level)).get();
            if !entry.is_present() {
                return None;
            }
            table = entry.phys();
        }
        Some(Slot::of(table, index(addr, 2)))
    }

    /// The place of a leaf for `addr`, of 2 MiB (`huge`) or 4 KiB, if its table exists.
    pub fn place(&self, addr: u64, huge: bool) -> Option<Slot> {
        let directory = self.directory_slot(addr)?;
        if huge {
            return Some(directory);
        }
        let entry = directory.get();
        (entry.is_present() && !entry.is_huge()).then(|| Slot::of(entry.phys(), index(addr, 1)))
    }

    /// The place in a page directory for `addr`; missing tables above it are made.
    pub fn make_directory_slot(&mut self, addr: u64) -> Result<Slot, Errno> {
        let mut table = self.root;
        for level in [4, 3] {
            table = make_table(Slot::of(table, index(addr, level)))?;
        }
        Ok(Slot::of(table, index(addr, 2)))
    }

    /// The page table (level 1) for the 2 MiB around `addr`, made if missing; `None` if a 2 MiB page is there.
    pub fn make_page_table(&mut self, addr: u64) -> Result<Option<Level1>, Errno> {
        let slot = self.make_directory_slot(addr)?;
        if slot.get().is_huge() {
            return Ok(None);
        }
        Ok(Some(Level1(make_table(slot)?)))
    }

    /// Breaks up the 2 MiB page that spans `addr`, unless `addr` is at its start. Returns whether one was broken up: then a flush is due.
    pub fn split_at(&mut self, addr: u64) -> Result<bool, Errno> {
        if addr.is_multiple_of(HUGE_PAGE_SIZE) {
            return Ok(false);
        }
        self.split(addr)
    }

    /// Breaks up the 2 MiB page around `addr`, if there is one.
    pub fn split(&mut self, addr: u64) -> Result<bool, Errno> {
        let Some(directory) = self.directory_slot(addr) else {
            return Ok(false);
        };
        let entry = directory.get();
        if !entry.is_huge() || !entry.is_occupied() {
            return Ok(false);
        }
        // A program must be able to unmap what it has mapped even when memory is short.
        let table = Frame::zeroed_for(Purpose::Kernel)?.into_phys();
        for i in 0..512 {
            let small = Entry((entry.0 & !HUGE) + ((i as u64) << 12));
            Slot::of(table, i).set(small);
        }
        directory.set(Entry(table | TABLE));
        Ok(entry.may_be_cached())
    }

    /// Calls `each` for every occupied leaf in `start..end`. The caller has split 2 MiB pages at both ends, so that all leaves lie inside.
    pub fn visit(&self, start: u64, end: u64, mut each: impl FnMut(u64, Slot, Entry)) {
        let mut addr = start;
        while addr < end {
            let mut table = self.root;
            let mut hole = 0;
            for level in [4, 3, 2] {
                let slot = Slot::of(table, index(addr, level));
                let entry = slot.get();
                if entry.is_huge() && entry.is_occupied() {
                    each(addr, slot, entry);
                    hole = level;
                } else if !entry.is_present() {
                    hole = level;
                }
                if hole != 0 {
                    break;
                }
                table = entry.phys();
            }
            if hole != 0 {
                addr = (addr & !(span(hole) - 1)) + span(hole);
                continue;
            }
            let stop = end.min((addr & !(HUGE_PAGE_SIZE - 1)) + HUGE_PAGE_SIZE);
            while addr < stop {
                let slot = Slot::of(table, index(addr, 1));
                let entry = slot.get();
                if entry.is_occupied() {
                    each(addr, slot, entry);
                }
                addr += PAGE_SIZE;
            }
        }
    }

    /// Frees the tables that lie wholly in `floor..ceiling`, a range without mappings around something that was just unmapped. Returns whether any was: then
    /// a flush is due, since the processor caches upper levels too.
    pub fn free_tables(&mut self, floor: u64, ceiling: u64) -> bool {
        free_empty(self.root, 4, 0, floor, ceiling)
    }
}

/// Frees the tables below `table` (of `level`, covering addresses from `base`) that lie wholly in `floor..ceiling`.
fn free_empty(table: u64, level: u32, base: u64, floor: u64, ceiling: u64) -> bool {
    let mut freed = false;
    let first = (floor.max(base) - base) / span(level);
    let last = (ceiling - base).div_ceil(span(level)).min(512);
    for i in first..last {
        let slot = Slot::of(table, i as usize);
        let entry = slot.get();
        if !entry.is_present() || entry.is_huge() {
            continue;
        }
        let start = base + i * span(level);
        let end = start + span(level);
        if level > 2 {
            freed |= free_empty(
                entry.phys(),
                level - 1,
                start,
                floor.max(start),
                ceiling.min(end),
            );
        }
        if floor <= start && end <= ceiling {
            slot.set(Entry::NONE);
            frame::release(entry.phys());
            freed = true;
        }
    }
    freed
}

/// The table that `slot` names, made if missing.
fn make_table(slot: Slot) -> Result<u64, Errno> {
    let entry = slot.get();
    if entry.is_present() {
        return Ok(entry.phys());
    }
    let table = Frame::zeroed()?.into_phys();
    slot.set(Entry(table | TABLE));
    Ok(table)
}

/// A page table of level 1: 512 pages.
#[derive(Clone, Copy)]
pub struct Level1(u64);

impl Level1 {
    /// The place for `addr`.
    #[inline(always)]
    pub fn slot(self, addr: u64) -> Slot {
        Slot::of(self.0, index(addr, 1))
    }
}

/// Releases the frames of a leaf.
#[inline(always)]
pub fn release_leaf(entry: Entry) {
    if entry.is_huge() {
        frame::release_huge(entry.phys());
    } else {
        frame::release(entry.phys());
    }
}

/// Counts one more reference to the frames of a leaf.
#[inline(always)]
pub fn retain_leaf(entry: Entry) {
    if entry.is_huge() {
        frame::retain_huge(entry.phys());
    } else {
        frame::retain(entry.phys());
    }
}

/// PML4s of address spaces that are gone, with the kernel's half in place and nothing below. A software-virtualised KVM keeps a frame
/// that was a root write-protected for a while, and each write to it costs an exit: the kernel's half alone would cost a millisecond.
struct SpareRoots {
    roots: [u64; SPARE],
    count: usize,
}

/// How many are kept.
const SPARE: usize = 64;

static SPARE_ROOTS: KernelCell<SpareRoots> = KernelCell::new(SpareRoots {
    roots: [0; SPARE],
    count: 0,
});

impl SpareRoots {
    fn take(&mut self) -> Option<u64> {
        self.count = self.count.checked_sub(1)?;
        Some(self.roots[self.count])
    }

    /// False: there are enough.
    fn keep(&mut self, root: u64) -> bool {
        let room = self.count < SPARE;
        if room {
            self.roots[self.count] = root;
            self.count += 1;
        }
        room
    }
}

/// Releases what the user's half of a PML4 leads to, and the PML4 itself or its further use.
fn drop_root(root: u64) {
    for i in 0..USER_SLOTS {
        let slot = Slot::of(root, i);
        let entry = slot.get();
        if entry.is_occupied() {
            drop_table(entry.phys(), 3);
            slot.set(Entry(0));
        }
    }
    if !SPARE_ROOTS.with(|spare| spare.keep(root)) {
        frame::release(root);
    }
}

fn drop_table(table: u64, level: u32) {
    for i in 0..512 {
        let entry = Slot::of(table, i).get();
        if !entry.is_occupied() {
            continue;
        }
        if level == 1 || entry.is_huge() {
            release_leaf(entry);
        } else {
            drop_table(entry.phys(), level - 1);
        }
    }
    frame::release(table);
}

impl Drop for PageTable {
    fn drop(&mut self) {
        drop_root(self.root);
    }
}
