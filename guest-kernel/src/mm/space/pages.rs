//! What the page tables of a space hold: filling them from a mapping's backing, breaking copy-on-write, taking pages out, copying
//! them for fork.
//!
//! A fault costs far more than a page-table entry, so everything here works on runs of pages: whole files, 16 or 64 pages around a
//! fault, 2 MiB at once.

use super::{
    Access, Backing, FaultError, MemoryObject, Prot,
    vma::{Vma, VmaFlags},
};
use crate::{
    Errno,
    mm::{
        frame::{self, Frame},
        page_table::{Entry, Level1, PageTable, Slot, release_leaf, retain_leaf},
        tlb,
    },
};
use alloc::vec::Vec;
use vitrine_abi::layout::{HUGE_PAGE_SIZE, PAGE_SIZE};

/// Pages of anonymous memory filled, or copied on write, around a fault.
const AROUND: u64 = 16;
/// Pages of an object read, if need be, and mapped around a fault.
const AROUND_OBJECT: u64 = 64;
/// Pages of an object mapped around a fault if they are at hand.
const AT_HAND: u64 = 512;
/// Mappings of objects up to this size are mapped whole.
pub const WHOLE: u64 = 16 << 20;
/// Shared mappings up to this size have their neighbours made writable with the page that is written.
const WRITE_AROUND: u64 = 64 << 20;
/// Private writable mappings of objects up to this size are copied at once.
const COPY_AT_ONCE: u64 = 32 * PAGE_SIZE;
/// Mappings up to this size have their private pages copied by fork rather than on the next writes of both sides.
const COPY_AT_FORK: u64 = 64 * PAGE_SIZE;

/// Page tables with their counters.
pub struct Pages {
    /// The tables.
    pub table: PageTable,
    /// Pages present that are the space's own.
    pub owned: u64,
    /// Pages present that are an object's.
    pub object: u64,
    /// Most pages present at once so far.
    pub peak: u64,
    /// A flush is due before the operation ends.
    pub flush: bool,
}

/// Pages that a leaf stands for.
fn pages_of(entry: Entry) -> u64 {
    if entry.is_huge() {
        HUGE_PAGE_SIZE / PAGE_SIZE
    } else {
        1
    }
}

fn fault_error(errno: Errno) -> FaultError {
    match errno {
        Errno::ENOMEM => FaultError::NoMemory,
        _ => FaultError::Bus,
    }
}

impl Pages {
    /// Nothing present.
    pub fn new(kernel_root: u64) -> Result<Pages, Errno> {
        Ok(Pages {
            table: PageTable::new(kernel_root)?,
            owned: 0,
            object: 0,
            peak: 0,
            flush: false,
        })
    }

    /// Pages present.
    pub fn resident(&self) -> u64 {
        self.owned + self.object
    }

    /// Ends an operation: flushes if that is due.
    pub fn commit(&mut self) {
        self.peak = self.peak.max(self.resident());
        if core::mem::take(&mut self.flush) {
            tlb::flush(self.table.root());
        }
    }

    /// Makes the page at `page` of `vma` accessible for `access`, which its protection allows.
    pub fn resolve(&mut self, vma: &Vma, page: u64, access: Access) -> Result<(), FaultError> {
        let write = access == Access::Write;
        let Some(leaf) = self.table.leaf(page) else {
            let filled = match &vma.backing {
                Backing::Anonymous => self.fill_anonymous(vma, page),
                Backing::Object(object, _) => self.fill_from_object(vma, &**object, page, write),
            };
            return filled.map_err(fault_error);
        };
        if !leaf.entry.is_present() {
            leaf.slot.set(leaf.entry.with_rights(vma.rights(false)));
        }
        if access == Access::Exec && !leaf.entry.is_executable() {
            let write = leaf.entry.is_writable();
            leaf.slot.set(leaf.entry.with_rights(vma.rights(write)));
        }
        if !write || leaf.entry.is_writable() {
            // Somebody else has been here, or the processor had an older entry.
            return Ok(());
        }
        match &vma.backing {
            Backing::Object(object, _) if vma.is_shared() => {
                self.make_shared_writable(vma, &**object, page)
            }
            _ => self.break_copy_on_write(vma, page),
        }
        .map_err(fault_error)
    }

    fn fill_anonymous(&mut self, vma: &Vma, page: u64) -> Result<(), Errno> {
        if self.fill_huge(vma, page)? {
            return Ok(());
        }
        let (start, end) = vma.window(page, AROUND);
        self.fill_zero(vma, page, page + PAGE_SIZE)?;
        // The neighbours are a courtesy: they may fail.
        let _ = self.fill_zero(vma, start, end);
        Ok(())
    }

    /// Puts zero pages where there are none in `start..end`, which lies in `vma`.
    pub fn fill_zero(&mut self, vma: &Vma, start: u64, end: u64) -> Result<(), Errno> {
        let rights = vma.rights(true);
        let mut page = start;
        while page < end {
            let stop = end.min((page & !(HUGE_PAGE_SIZE - 1)) + HUGE_PAGE_SIZE);
            let Some(level1) = self.table.make_page_table(page)? else {
                page = stop;
                continue;
            };
            while page < stop {
                let slot = level1.slot(page);
                if !slot.get().is_occupied() {
                    let frame = Frame::zeroed()?;
                    slot.set(Entry::leaf(frame.into_phys(), rights, true));
                    self.owned += 1;
                }
                page += PAGE_SIZE;
            }
        }
        Ok(())
    }

    /// Puts a 2 MiB page around `page`, if the mapping covers it, no smaller page is there, and memory isn't short.
    fn fill_huge(&mut self, vma: &Vma, page: u64) -> Result<bool, Errno> {
        let start = page & !(HUGE_PAGE_SIZE - 1);
        if start < vma.start
            || start + HUGE_PAGE_SIZE > vma.end
            || vma.flags.contains(VmaFlags::NO_HUGE)
        {
            return Ok(false);
        }
        let slot = self.table.make_directory_slot(page)?;
        if slot.get() != Entry::NONE {
            return Ok(false);
        }
        let Some(phys) = frame::allocate_huge() else {
            return Ok(false);
        };
        slot.set(Entry::leaf(phys, vma.rights(true), true).huge());
        self.owned += HUGE_PAGE_SIZE / PAGE_SIZE;
        Ok(true)
    }

    fn fill_from_object(
        &mut self,
        vma: &Vma,
        object: &dyn MemoryObject,
        page: u64,
        write: bool,
    ) -> Result<(), Errno> {
        if write && vma.is_shared() && object.wants_write_notice() {
            self.set_shared(vma, page, object.page(vma.index_of(page), true)?)?;
            return self.write_around(vma, object, page);
        }
        let (start, end) = vma.window(page, AROUND_OBJECT);
        self.map_at_hand(vma, object, start, end, true, true);
        let (start, end) = vma.window(page, AT_HAND);
        self.map_at_hand(vma, object, start, end, false, true);
        if self.table.leaf(page).is_none() {
            let frame = object.page(vma.index_of(page), write && vma.is_shared())?;
            if let Some(level1) = self.table.make_page_table(page)? {
                let rights = vma.rights(vma.is_shared() && !object.wants_write_notice());
                level1
                    .slot(page)
                    .set(Entry::leaf(frame.into_phys(), rights, false));
                self.object += 1;
            }
        }
        if write && !vma.is_shared() {
            self.break_copy_on_write(vma, page)?;
        }
        Ok(())
    }

    /// Maps the object's pages that are at hand into `start..end` of `vma`, where there are none; without write permission
    /// unless the object needs no notice. `accessed`: they are likely to be used.
    pub fn map_at_hand(
        &mut self,
        vma: &Vma,
        object: &dyn MemoryObject,
        start: u64,
        end: u64,
        fill: bool,
        accessed: bool,
    ) {
        let rights = vma.rights(vma.is_shared() && !object.wants_write_notice());
        let first = vma.index_of(start);
        let mut tables = TableCache::default();
        object.pages(
            first,
            (end - start) / PAGE_SIZE,
            fill,
            &mut |index, frame| {
                let Some(page) = page_of(start, end, first, index) else {
                    return;
                };
                let Some(slot) = tables.slot(&mut self.table, page) else {
                    return;
                };
                if slot.get().is_occupied() {
                    return;
                }
                let entry = Entry::leaf(frame.into_phys(), rights, false);
                slot.set(if accessed { entry } else { entry.unaccessed() });
                self.object += 1;
            },
        );
    }

    /// Fills a new private writable mapping of an object with copies, if it is small.
    pub fn copy_at_once(&mut self, vma: &Vma, object: &dyn MemoryObject) -> bool {
        if vma.len() > COPY_AT_ONCE {
            return false;
        }
        let rights = vma.rights(true);
        let first = vma.index_of(vma.start);
        let mut tables = TableCache::default();
        object.pages(first, vma.len() / PAGE_SIZE, true, &mut |index, frame| {
            let Some(page) = page_of(vma.start, vma.end, first, index) else {
                return;
            };
            let Some(slot) = tables.slot(&mut self.table, page) else {
                return;
            };
            if slot.get().is_occupied() {
                return;
            }
            if let Ok(copy) = Frame::copy_of(frame.phys()) {
                slot.set(Entry::leaf(copy.into_phys(), rights, true));
                self.owned += 1;
            }
        });
        true
    }

    /// Gives write permission to a present read-only page of a shared mapping, and to its neighbours.
    fn make_shared_writable(
        &mut self,
        vma: &Vma,
        object: &dyn MemoryObject,
        page: u64,
    ) -> Result<(), Errno> {
        self.set_shared(vma, page, object.page(vma.index_of(page), true)?)?;
        self.write_around(vma, object, page)
    }

    fn write_around(
        &mut self,
        vma: &Vma,
        object: &dyn MemoryObject,
        page: u64,
    ) -> Result<(), Errno> {
        if vma.len() > WRITE_AROUND {
            return Ok(());
        }
        let (start, end) = vma.window(page, AROUND);
        for neighbour in (start..end).step_by(PAGE_SIZE as usize) {
            let writable = (self.table.leaf(neighbour)).is_some_and(|l| l.entry.is_writable());
            if writable {
                continue;
            }
            match object.page(vma.index_of(neighbour), true) {
                Ok(frame) => self.set_shared(vma, neighbour, frame)?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Maps `frame`, which the object gave for writing, at `page`.
    fn set_shared(&mut self, vma: &Vma, page: u64, frame: Frame) -> Result<(), Errno> {
        let Some(level1) = self.table.make_page_table(page)? else {
            return Ok(());
        };
        let slot = level1.slot(page);
        let old = slot.get();
        let new = Entry::leaf(frame.into_phys(), vma.rights(true), false);
        slot.set(new);
        if old.is_occupied() {
            self.flush |= old.is_reduced_by(new);
            release_leaf(old);
        } else {
            self.object += 1;
        }
        Ok(())
    }

    /// Makes a read-only page of a private writable mapping writable, and its neighbours: those with one reference stay, others are
    /// copied.
    fn break_copy_on_write(&mut self, vma: &Vma, page: u64) -> Result<(), Errno> {
        if let Some(leaf) = self.table.leaf(page)
            && leaf.entry.is_huge()
        {
            if frame::exclusive_huge(leaf.entry.phys()) {
                leaf.slot.set(leaf.entry.with_rights(vma.rights(true)));
                return Ok(());
            }
            self.flush |= self.table.split(page)?;
        }
        let Some(level1) = self.table.make_page_table(page)? else {
            return Ok(());
        };
        self.own(vma, level1.slot(page), page)?;
        let (start, end) = vma.window(page, AROUND);
        for neighbour in (start..end).step_by(PAGE_SIZE as usize) {
            let slot = level1.slot(neighbour);
            let entry = slot.get();
            if entry.is_present() && !entry.is_writable() && self.own(vma, slot, neighbour).is_err()
            {
                break;
            }
        }
        Ok(())
    }

    /// Makes the page in `slot` the space's own and writable.
    fn own(&mut self, vma: &Vma, slot: Slot, page: u64) -> Result<(), Errno> {
        let old = slot.get();
        if !old.is_occupied() {
            return Ok(());
        }
        let rights = vma.rights(true);
        if frame::references(old.phys()) == 1 {
            slot.set(Entry::leaf(old.phys(), rights, true));
        } else {
            let copy = Frame::copy_of(old.phys())?;
            slot.set(Entry::leaf(copy.into_phys(), rights, true));
            if old.may_be_cached() {
                tlb::replaced(self.table.root(), page, old.phys());
            } else {
                frame::release(old.phys());
            }
        }
        if !old.is_owned() {
            self.object -= 1;
            self.owned += 1;
        }
        Ok(())
    }

    /// Fills all of `start..end` of `vma` (MAP_POPULATE, mlock): as far as memory and the object go.
    pub fn populate(&mut self, vma: &Vma, start: u64, end: u64) {
        let access = if vma.prot.contains(Prot::WRITE) && !vma.is_shared() {
            Access::Write
        } else {
            Access::Read
        };
        let mut page = start;
        while page < end {
            let leaf = self.table.leaf(page);
            if leaf.is_none_or(|l| access == Access::Write && !l.entry.is_writable())
                && self.resolve(vma, page, access).is_err()
            {
                return;
            }
            page += PAGE_SIZE;
        }
    }

    #[allow(
        dead_code,
        reason = "for requests from outside, which read and write whatever the mappings say"
    )]
    /// The frame of the page at `page`, filled if there is none; for `write`: one that may be changed without anybody noticing but this
    /// space (or those that share the mapping). Protection doesn't matter, and stays.
    pub fn force(&mut self, vma: &Vma, page: u64, write: bool) -> Result<u64, FaultError> {
        let shared = vma.is_shared();
        if write && shared && !vma.max_prot.contains(Prot::WRITE) {
            return Err(FaultError::Permission);
        }
        if let Some(leaf) = self.table.leaf(page)
            && (!write || shared || (leaf.entry.is_owned() && is_exclusive(leaf.entry)))
        {
            if write && let Backing::Object(object, _) = &vma.backing {
                object.page(vma.index_of(page), true).map_err(fault_error)?;
            }
            return Ok(leaf.frame(page));
        }
        self.flush |= self.table.split(page).map_err(fault_error)?;
        let level1 = self.table.make_page_table(page).map_err(fault_error)?;
        let slot = level1.ok_or(FaultError::NoMemory)?.slot(page);
        let old = slot.get();
        let new = if old.is_occupied() {
            let copy = Frame::copy_of(old.phys()).map_err(fault_error)?;
            Entry::leaf(copy.into_phys(), vma.rights(true), true)
        } else {
            self.fresh(vma, page, write).map_err(fault_error)?
        };
        slot.set(new);
        if old.is_occupied() {
            self.flush |= old.may_be_cached();
            release_leaf(old);
            if !old.is_owned() {
                self.object -= 1;
                self.owned += 1;
            }
        } else if new.is_owned() {
            self.owned += 1;
        } else {
            self.object += 1;
        }
        Ok(new.phys())
    }

    #[allow(
        dead_code,
        reason = "for requests from outside, which read and write whatever the mappings say"
    )]
    /// A leaf for a page that isn't there; `own`: not the object's page of a private mapping but a copy.
    fn fresh(&self, vma: &Vma, page: u64, own: bool) -> Result<Entry, Errno> {
        let Backing::Object(object, _) = &vma.backing else {
            return Ok(Entry::leaf(
                Frame::zeroed()?.into_phys(),
                vma.rights(true),
                true,
            ));
        };
        let frame = object.page(vma.index_of(page), own && vma.is_shared())?;
        if own && !vma.is_shared() {
            let copy = Frame::copy_of(frame.phys())?;
            return Ok(Entry::leaf(copy.into_phys(), vma.rights(true), true));
        }
        let write = vma.is_shared() && (own || !object.wants_write_notice());
        Ok(Entry::leaf(frame.into_phys(), vma.rights(write), false))
    }

    /// Breaks up the 2 MiB pages that `start` and `end` fall into.
    pub fn split_edges(&mut self, start: u64, end: u64) -> Result<(), Errno> {
        self.flush |= self.table.split_at(start)?;
        self.flush |= self.table.split_at(end)?;
        Ok(())
    }

    /// Takes out all pages in `start..end`, whose edges are split.
    pub fn zap(&mut self, start: u64, end: u64) {
        let (mut owned, mut object, mut cached) = (0, 0, false);
        self.table.visit(start, end, |_, slot, entry| {
            slot.set(Entry::NONE);
            cached |= entry.may_be_cached();
            if entry.is_owned() {
                owned += pages_of(entry);
            } else {
                object += pages_of(entry);
            }
            release_leaf(entry);
        });
        self.owned -= owned;
        self.object -= object;
        self.flush |= cached;
    }

    /// Gives the pages in `start..end`, whose edges are split and which lies in `vma`, the rights that the mapping now has.
    pub fn protect(&mut self, vma: &Vma, start: u64, end: u64) {
        let may_write = vma.prot.contains(Prot::WRITE);
        let freely = match &vma.backing {
            Backing::Object(object, _) => vma.is_shared() && !object.wants_write_notice(),
            Backing::Anonymous => false,
        };
        let mut cached = false;
        self.table.visit(start, end, |_, slot, old| {
            let write = may_write
                && (old.is_writable()
                    || freely
                    || (!vma.is_shared() && old.is_owned() && is_exclusive(old)));
            let new = old.with_rights(vma.rights(write));
            cached |= old.is_reduced_by(new);
            slot.set(new);
        });
        self.flush |= cached;
    }

    /// Pages present in `start..end`.
    pub fn present_in(&self, start: u64, end: u64) -> u64 {
        let mut pages = 0;
        self.table.visit(start, end, |addr, _, entry| {
            let whole = addr.is_multiple_of(HUGE_PAGE_SIZE) && addr + HUGE_PAGE_SIZE <= end;
            pages += if whole { pages_of(entry) } else { 1 };
        });
        pages
    }

    /// Moves all pages of `from..from + len` to `to`, where there are none. The edges of both are split. Fails before it moves anything.
    pub fn relocate(&mut self, from: u64, to: u64, len: u64) -> Result<(), Errno> {
        let aligned = from % HUGE_PAGE_SIZE == to % HUGE_PAGE_SIZE;
        let mut places: Vec<(u64, bool)> = Vec::new();
        let mut huge = Vec::new();
        self.table.visit(from, from + len, |addr, _, entry| {
            let whole = aligned && entry.is_huge();
            if entry.is_huge() && !aligned {
                huge.push(addr);
            }
            // A 2 MiB page that will be split may reach into two tables.
            let first = to + (addr - from);
            for page in [first, first + (pages_of(entry) - 1) * PAGE_SIZE] {
                let base = page & !(HUGE_PAGE_SIZE - 1);
                if places.last() != Some(&(base, whole)) {
                    places.push((base, whole));
                }
            }
        });
        for addr in huge {
            self.flush |= self.table.split(addr)?;
        }
        for (base, whole) in places {
            if !whole {
                self.table.make_page_table(base)?;
            } else if self.table.make_directory_slot(base)?.get() != Entry::NONE {
                // An empty table is in the way of a 2 MiB page.
                self.flush |= self.table.free_tables(base, base + HUGE_PAGE_SIZE);
            }
        }
        let mut cached = false;
        self.table.visit(from, from + len, |addr, slot, entry| {
            if let Some(target) = self.table.place(to + (addr - from), entry.is_huge()) {
                target.set(entry);
                slot.set(Entry::NONE);
                cached |= entry.may_be_cached();
            }
        });
        self.flush |= cached;
        Ok(())
    }

    /// Gives `child` the pages of `vma` as fork does: what is private and writable becomes read-only on both sides, or is copied
    /// while `budget` (in pages) lasts and the mapping is small.
    pub fn copy_to(&mut self, child: &mut Pages, vma: &Vma, budget: &mut u64) -> Result<(), Errno> {
        let private = !vma.is_shared();
        let small = vma.len() <= COPY_AT_FORK || vma.flags.contains(VmaFlags::GROWS_DOWN);
        let mut tables = TableCache::default();
        let mut result = Ok(());
        let (mut owned, mut object, mut cached) = (0, 0, false);
        self.table.visit(vma.start, vma.end, |page, slot, entry| {
            if result.is_err() {
                return;
            }
            let target = if entry.is_huge() {
                child.table.make_directory_slot(page)
            } else {
                tables.slot(&mut child.table, page).ok_or(Errno::ENOMEM)
            };
            let target = match target {
                Ok(target) => target,
                Err(errno) => {
                    result = Err(errno);
                    return;
                }
            };
            if entry.is_owned() {
                owned += pages_of(entry);
            } else {
                object += pages_of(entry);
            }
            if private && entry.is_writable() {
                if small
                    && *budget > 0
                    && !entry.is_huge()
                    && let Ok(copy) = Frame::copy_of(entry.phys())
                {
                    *budget -= 1;
                    target.set(Entry::leaf(copy.into_phys(), vma.rights(true), true));
                    return;
                }
                cached |= entry.may_be_cached();
                slot.set(entry.read_only());
                target.set(entry.read_only());
            } else {
                target.set(entry);
            }
            retain_leaf(entry);
        });
        child.owned += owned;
        child.object += object;
        self.flush |= cached;
        result
    }
}

/// Whether nobody else refers to the frames of a leaf.
fn is_exclusive(entry: Entry) -> bool {
    if entry.is_huge() {
        frame::exclusive_huge(entry.phys())
    } else {
        frame::references(entry.phys()) == 1
    }
}

/// The page in `start..end` that shows the object's page `index`, if `start` shows `first`.
fn page_of(start: u64, end: u64, first: u64, index: u64) -> Option<u64> {
    let offset = index.checked_sub(first)?.checked_mul(PAGE_SIZE)?;
    start.checked_add(offset).filter(|&page| page < end)
}

/// Remembers the page table last used, for runs of pages.
#[derive(Default)]
struct TableCache(Option<(u64, Level1)>);

impl TableCache {
    /// The place for `page`, its table made if missing; `None` if that fails or a 2 MiB page is there.
    fn slot(&mut self, table: &mut PageTable, page: u64) -> Option<Slot> {
        let base = page & !(HUGE_PAGE_SIZE - 1);
        if let Some((at, level1)) = self.0
            && at == base
        {
            return Some(level1.slot(page));
        }
        let level1 = table.make_page_table(page).ok()??;
        self.0 = Some((base, level1));
        Some(level1.slot(page))
    }
}
