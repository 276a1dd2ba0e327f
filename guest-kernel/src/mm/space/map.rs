//! mmap, munmap, mprotect and brk on an [`AddressSpace`].

use super::{
    AddressSpace, Backing, Inner, MAX_MAPPINGS, MapRequest, Prot,
    pages::WHOLE,
    vma::{Vma, VmaFlags, suitable_alignment},
};
use crate::{
    Errno,
    mm::{frame, shared::SharedAnonymous},
};
use alloc::{sync::Arc, vec::Vec};
use vitrine_abi::layout::{PAGE_SIZE, USER_END, USER_MIN};

/// Anonymous mappings up to this size are filled when they are made: nearly all of such are used at once.
const FILL_AT_ONCE: u64 = 16 * PAGE_SIZE;
/// How much of the heap's growth is filled at once.
const FILL_HEAP: u64 = 64 * PAGE_SIZE;
/// How much of a file that is mapped without MAP_FIXED is filled at once: the loader maps whole libraries in order to
/// replace most of that by its next calls.
const FILL_FILE: u64 = 64 * PAGE_SIZE;

/// `len` rounded up to pages; `None` if it is 0 or larger than the user half.
pub(super) fn page_length(len: u64) -> Option<u64> {
    let len = len.checked_next_multiple_of(PAGE_SIZE)?;
    (len != 0 && len <= USER_END).then_some(len)
}

impl AddressSpace {
    /// Maps; returns the address. Flushes as needed.
    pub fn map(&self, request: &MapRequest) -> Result<u64, Errno> {
        if request.len == 0 {
            return Err(Errno::EINVAL);
        }
        let len = page_length(request.len).ok_or(Errno::ENOMEM)?;
        self.update(|inner| inner.map(request, len))
    }

    /// munmap(2).
    pub fn unmap(&self, addr: u64, len: u64) -> Result<(), Errno> {
        let end = page_length(len).and_then(|len| addr.checked_add(len));
        match end {
            Some(end) if addr.is_multiple_of(PAGE_SIZE) && end <= USER_END => {
                // What was unmapped is dropped after the lock: the last reference to an object may do more work.
                self.update(|inner| inner.unmap(addr, end)).map(drop)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// mprotect(2).
    pub fn protect(&self, addr: u64, len: u64, prot: Prot) -> Result<(), Errno> {
        if !addr.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let end = page_length(len)
            .and_then(|len| addr.checked_add(len))
            .filter(|&end| end <= USER_END)
            .ok_or(Errno::ENOMEM)?;
        self.update(|inner| inner.protect(addr, end, prot))
    }

    /// The start of the mapping that holds `addr`, if it grows down: where PROT_GROWSDOWN extends a change to.
    pub fn stack_start(&self, addr: u64) -> Option<u64> {
        let inner = self.inner.lock();
        let vma = inner.vmas.find(addr)?;
        vma.flags
            .contains(VmaFlags::GROWS_DOWN)
            .then_some(vma.start)
    }

    /// Sets where the heap starts (exec); the break starts there.
    pub fn set_heap_start(&self, addr: u64) {
        let mut inner = self.inner.lock();
        inner.heap_start = addr;
        inner.heap_end = addr;
    }

    /// Where the heap starts and ends now.
    pub fn heap(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.heap_start, inner.heap_end)
    }

    /// brk(2): moves the break, if it can; returns where it is.
    pub fn brk(&self, addr: u64) -> u64 {
        self.update(|inner| {
            // A break that cannot move stays: that is how the call fails.
            let _ = inner.brk(addr);
            inner.heap_end
        })
    }
}

impl Inner {
    fn map(&mut self, request: &MapRequest, len: u64) -> Result<u64, Errno> {
        let addr = self.place(request, len)?;
        let end = addr + len;
        let mut flags = VmaFlags::empty();
        flags.set(VmaFlags::SHARED, request.shared);
        flags.set(VmaFlags::GROWS_DOWN, request.grows_down);
        flags.set(VmaFlags::LOCKED, self.lock_future);
        let backing = match &request.backing {
            Backing::Anonymous if request.shared => {
                Backing::Object(Arc::new(SharedAnonymous::new(len / PAGE_SIZE)), 0)
            }
            Backing::Object(_, offset) if offset.checked_add(len).is_none() => {
                return Err(Errno::EOVERFLOW);
            }
            other => other.clone(),
        };
        let vma = Vma {
            start: addr,
            end,
            prot: request.prot,
            max_prot: request.max_prot,
            flags,
            backing,
            name: request.name,
        };
        let replaced: u64 = self.overlap(addr, end, |_| true);
        let replaced_data = self.overlap(addr, end, Vma::is_data);
        let total = self.vmas.total() - replaced;
        if total.saturating_add(len) > self.limits.address_space {
            return Err(Errno::ENOMEM);
        }
        if vma.is_data() {
            let data = self.vmas.data() - replaced_data;
            if data.saturating_add(len) > self.limits.data {
                return Err(Errno::ENOMEM);
            }
        }
        if self.vmas.count() + self.vmas.pieces_added(addr, end) >= MAX_MAPPINGS {
            return Err(Errno::ENOMEM);
        }
        if replaced != 0 {
            self.unmap(addr, end)?;
        }
        self.fill_new(&vma, request);
        self.vmas.insert(vma);
        Ok(addr)
    }

    /// Bytes of the mappings that match within `start..end`.
    fn overlap(&self, start: u64, end: u64, matches: impl Fn(&Vma) -> bool) -> u64 {
        self.vmas
            .overlapping(start, end)
            .filter(|vma| matches(vma))
            .map(|vma| vma.end.min(end) - vma.start.max(start))
            .sum()
    }

    /// Where a new mapping goes.
    fn place(&mut self, request: &MapRequest, len: u64) -> Result<u64, Errno> {
        if request.fixed || request.no_replace {
            if !request.addr.is_multiple_of(PAGE_SIZE) {
                return Err(Errno::EINVAL);
            }
            let end = request.addr.checked_add(len).ok_or(Errno::ENOMEM)?;
            if end > USER_END {
                return Err(Errno::ENOMEM);
            }
            if request.addr < USER_MIN {
                return Err(Errno::EPERM);
            }
            if request.no_replace && self.vmas.overlapping(request.addr, end).next().is_some() {
                return Err(Errno::EEXIST);
            }
            return Ok(request.addr);
        }
        if len > USER_END - USER_MIN {
            return Err(Errno::ENOMEM);
        }
        if request.addr != 0
            && let Some(hint) = request.addr.checked_next_multiple_of(PAGE_SIZE)
        {
            let hint = hint.max(USER_MIN);
            if let Some(end) = hint.checked_add(len).filter(|&end| end <= USER_END)
                && self.vmas.is_free(hint, end)
            {
                return Ok(hint);
            }
        }
        let alignment = match request.backing {
            Backing::Anonymous if !request.shared => suitable_alignment(len),
            _ => PAGE_SIZE,
        };
        self.vmas
            .find_free(len, alignment)
            .or_else(|| self.vmas.find_free(len, PAGE_SIZE))
            .ok_or(Errno::ENOMEM)
    }

    /// Puts pages into a new mapping ahead of their use.
    fn fill_new(&mut self, vma: &Vma, request: &MapRequest) {
        if vma.prot.is_empty() {
            return;
        }
        match &vma.backing {
            Backing::Anonymous => {
                if vma.prot.contains(Prot::WRITE) && vma.len() <= FILL_AT_ONCE {
                    let _ = self.pages.fill_zero(vma, vma.start, vma.end);
                }
            }
            Backing::Object(object, _) => {
                let exact = request.fixed || request.no_replace;
                let private = !vma.is_shared();
                if private
                    && vma.prot.contains(Prot::WRITE)
                    && self.pages.copy_at_once(vma, &**object)
                {
                    return;
                }
                let len = if !exact {
                    vma.len().min(FILL_FILE)
                } else if vma.len() <= WHOLE {
                    vma.len()
                } else {
                    0
                };
                let end = vma.start + len;
                (self.pages).map_at_hand(vma, &**object, vma.start, end, private, exact);
            }
        }
        if request.populate || vma.flags.contains(VmaFlags::LOCKED) {
            self.pages.populate(vma, vma.start, vma.end);
        }
    }

    /// Takes out what lies in `start..end`. Returns it, for its references to be dropped later.
    pub(super) fn unmap(&mut self, start: u64, end: u64) -> Result<Vec<Vma>, Errno> {
        if self.vmas.overlapping(start, end).next().is_none() {
            return Ok(Vec::new());
        }
        if self.vmas.count() + self.vmas.pieces_added(start, end) > MAX_MAPPINGS + 1 {
            return Err(Errno::ENOMEM);
        }
        self.pages.split_edges(start, end)?;
        let taken = self.vmas.take(start, end);
        self.pages.zap(start, end);
        self.free_hole(start, end);
        Ok(taken)
    }

    /// `start..end` has no mappings or pages any more: frees tables, and lets mmap use it.
    pub(super) fn free_hole(&mut self, start: u64, end: u64) {
        let (floor, ceiling) = self.vmas.hole(start, end);
        self.pages.flush |= self.pages.table.free_tables(floor, ceiling);
        self.vmas.note_free(start, end);
    }

    fn protect(&mut self, start: u64, end: u64, prot: Prot) -> Result<(), Errno> {
        let mut at = start;
        while at < end {
            // Piece by piece: what lies before a hole or a refusal is changed.
            let vma = self.vmas.find(at).ok_or(Errno::ENOMEM)?;
            let stop = vma.end.min(end);
            if vma.prot != prot {
                if !vma.max_prot.contains(prot) {
                    return Err(Errno::EACCES);
                }
                let becomes_data = prot.contains(Prot::WRITE) && !vma.is_data();
                let private = !vma
                    .flags
                    .intersects(VmaFlags::SHARED | VmaFlags::GROWS_DOWN);
                if becomes_data
                    && private
                    && self.vmas.data().saturating_add(stop - at) > self.limits.data
                {
                    return Err(Errno::ENOMEM);
                }
                if self.vmas.count() + self.vmas.pieces_added(at, stop) > MAX_MAPPINGS {
                    return Err(Errno::ENOMEM);
                }
                self.change(at, stop, |vma| vma.prot = prot)?;
                if let Some(vma) = self.vmas.find(at) {
                    self.pages.protect(vma, at, stop);
                }
            }
            at = stop;
        }
        Ok(())
    }

    /// Applies a change to all mappings in `start..end`, split at the ends and merged again where they fit.
    pub(super) fn change(
        &mut self,
        start: u64,
        end: u64,
        change: impl Fn(&mut Vma),
    ) -> Result<(), Errno> {
        self.pages.split_edges(start, end)?;
        for mut vma in self.vmas.take(start, end) {
            change(&mut vma);
            self.vmas.insert(vma);
        }
        Ok(())
    }

    fn brk(&mut self, addr: u64) -> Result<(), Errno> {
        if self.heap_start == 0 || addr < self.heap_start || addr >= USER_END {
            return Err(Errno::ENOMEM);
        }
        let old = self.heap_end.next_multiple_of(PAGE_SIZE);
        let new = addr.next_multiple_of(PAGE_SIZE);
        if new < old {
            self.unmap(new, old)?;
        } else if new > old {
            if addr - self.heap_start > self.limits.data
                || self.vmas.data().saturating_add(new - old) > self.limits.data
                || self.vmas.total().saturating_add(new - old) > self.limits.address_space
                || new - old > frame::stats().total.saturating_mul(PAGE_SIZE)
                || self.vmas.count() >= MAX_MAPPINGS
                || !self.vmas.is_free(old, new + PAGE_SIZE)
            {
                return Err(Errno::ENOMEM);
            }
            let mut flags = VmaFlags::empty();
            flags.set(VmaFlags::LOCKED, self.lock_future);
            let vma = Vma {
                start: old,
                end: new,
                prot: Prot::READ | Prot::WRITE,
                max_prot: Prot::all(),
                flags,
                backing: Backing::Anonymous,
                name: Some("[heap]"),
            };
            let fill = if self.lock_future {
                u64::MAX
            } else {
                FILL_HEAP
            };
            let end = new.min(old.saturating_add(fill));
            let _ = self.pages.fill_zero(&vma, old, end);
            self.vmas.insert(vma);
        }
        self.heap_end = addr;
        Ok(())
    }
}
