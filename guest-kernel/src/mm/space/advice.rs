//! What a program says about its memory, and asks: madvise, mlock, mincore, msync on an [`AddressSpace`].

use super::{
    Access, AddressSpace, Backing, FaultError, Inner, MAX_MAPPINGS, Prot,
    map::page_length,
    vma::{Vma, VmaFlags},
};
use crate::Errno;
use alloc::{vec, vec::Vec};
use vitrine_abi::layout::{HUGE_PAGE_SIZE, PAGE_SIZE, USER_END};

/// The advice that has an effect here (madvise(2)); other advice is valid but needs no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Nothing to do but to check that the range is mapped.
    Hint,
    /// MADV_DONTNEED: contents are gone.
    DontNeed,
    /// MADV_FREE: the same at once, for private anonymous memory only.
    Free,
    /// MADV_WILLNEED: objects' pages are read ahead.
    WillNeed,
    /// MADV_POPULATE_READ.
    PopulateRead,
    /// MADV_POPULATE_WRITE.
    PopulateWrite,
    /// MADV_NOHUGEPAGE (true) and MADV_HUGEPAGE.
    NoHuge(bool),
    /// MADV_DONTFORK (true) and MADV_DOFORK.
    DontFork(bool),
    /// MADV_DONTDUMP (true) and MADV_DODUMP.
    DontDump(bool),
    /// MADV_WIPEONFORK (true) and MADV_KEEPONFORK.
    WipeOnFork(bool),
}

impl AddressSpace {
    /// madvise(2). Applies to what is mapped; `ENOMEM` in the end if there were holes.
    pub fn advise(&self, addr: u64, len: u64, advice: Advice) -> Result<(), Errno> {
        let (start, end) = range(addr, len, Errno::EINVAL)?;
        if start == end {
            return Ok(());
        }
        self.update(|inner| inner.advise(start, end, advice))
    }

    /// mlock2(2) and munlock(2) (`lock` false); `now`: fill at once.
    pub fn lock(&self, addr: u64, len: u64, lock: bool, now: bool) -> Result<(), Errno> {
        let offset = addr % PAGE_SIZE;
        let len = len.checked_add(offset).ok_or(Errno::EINVAL)?;
        let (start, end) = range(addr - offset, len, Errno::EINVAL)?;
        if start == end {
            return Ok(());
        }
        self.update(|inner| {
            if lock {
                let already: u64 = inner
                    .vmas
                    .overlapping(start, end)
                    .filter(|vma| vma.flags.contains(VmaFlags::LOCKED))
                    .map(|vma| vma.end.min(end) - vma.start.max(start))
                    .sum();
                let wanted = inner.vmas.locked() - already + (end - start);
                if wanted > inner.limits.locked {
                    return Err(Errno::ENOMEM);
                }
            }
            inner.set_flag(start, end, VmaFlags::LOCKED, lock)?;
            if lock && now {
                inner.populate(start, end);
            }
            Ok(())
        })
    }

    /// mlockall(2) of what is mapped (`current`, filled if `now`) and what will be (`future`); munlockall(2) with neither.
    pub fn lock_all(&self, current: bool, future: bool, now: bool) -> Result<(), Errno> {
        self.update(|inner| {
            if current && inner.vmas.total() > inner.limits.locked {
                return Err(Errno::ENOMEM);
            }
            inner.lock_future = future;
            if current || !future {
                inner.for_each(0, USER_END, |inner, vma, start, end| {
                    if vma.flags.contains(VmaFlags::LOCKED) != current {
                        inner.change(start, end, |vma| {
                            vma.flags.set(VmaFlags::LOCKED, current);
                        })?;
                    }
                    Ok(())
                })?;
            }
            if current && now {
                inner.populate(0, USER_END);
            }
            Ok(())
        })
    }

    /// mincore(2): for each page a byte with bit 0 set if it is present here or at hand in its object. At most `max` pages are looked at.
    pub fn residency(&self, addr: u64, len: u64, max: u64) -> Result<Vec<u8>, Errno> {
        let (start, end) = range(addr, len, Errno::ENOMEM)?;
        let end = end.min(start.saturating_add(max.saturating_mul(PAGE_SIZE)));
        let mut present = vec![0; ((end - start) / PAGE_SIZE) as usize];
        let inner = self.inner.lock();
        if !inner.vmas.covers(start, end) {
            return Err(Errno::ENOMEM);
        }
        for vma in inner.vmas.overlapping(start, end) {
            let (from, to) = (vma.start.max(start), vma.end.min(end));
            let base = ((from - start) / PAGE_SIZE) as usize;
            if let Backing::Object(object, _) = &vma.backing {
                let first = vma.index_of(from);
                object.pages(first, (to - from) / PAGE_SIZE, false, &mut |index, _| {
                    if let Some(place) = present.get_mut(base + index.wrapping_sub(first) as usize)
                    {
                        *place = 1;
                    }
                });
            }
            inner.pages.table.visit(from, to, |page, _, entry| {
                let place = ((page - start) / PAGE_SIZE) as usize;
                let pages = if entry.is_huge() {
                    ((page & !(HUGE_PAGE_SIZE - 1)) + HUGE_PAGE_SIZE).min(to) - page
                } else {
                    PAGE_SIZE
                };
                present[place..place + (pages / PAGE_SIZE) as usize].fill(1);
            });
        }
        Ok(present)
    }

    /// msync(2): shared pages are their objects' own, so there is nothing to carry over; checks the range (`EBUSY`: `invalidate` of locked memory).
    pub fn sync(&self, addr: u64, len: u64, invalidate: bool) -> Result<(), Errno> {
        let (start, end) = range(addr, len, Errno::ENOMEM)?;
        let inner = self.inner.lock();
        let locked = |vma: &Vma| vma.flags.contains(VmaFlags::LOCKED);
        if invalidate && inner.vmas.overlapping(start, end).any(locked) {
            return Err(Errno::EBUSY);
        }
        if start < end && !inner.vmas.covers(start, end) {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }
}

/// A page-aligned range with its length rounded up; `overflow` if it reaches beyond the user half.
fn range(addr: u64, len: u64, overflow: Errno) -> Result<(u64, u64), Errno> {
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok((addr, addr));
    }
    let end = page_length(len)
        .and_then(|len| addr.checked_add(len))
        .ok_or(overflow)?;
    if end > USER_END {
        return Err(Errno::ENOMEM);
    }
    Ok((addr, end))
}

impl Inner {
    /// Calls `each(self, mapping, start, end)` for the mapped parts of the range, which may change the mapping. `ENOMEM` in the end if there
    /// were holes (not for the whole user half).
    fn for_each(
        &mut self,
        start: u64,
        end: u64,
        mut each: impl FnMut(&mut Inner, &Vma, u64, u64) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut at = start;
        let mut holes = false;
        while at < end {
            let Some(vma) = self.vmas.find_or_next(at).filter(|vma| vma.start < end) else {
                holes = true;
                break;
            };
            let vma = vma.clone();
            holes |= vma.start > at;
            let (from, to) = (vma.start.max(at), vma.end.min(end));
            each(self, &vma, from, to)?;
            at = to;
        }
        if holes && end - start != USER_END {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    fn advise(&mut self, start: u64, end: u64, advice: Advice) -> Result<(), Errno> {
        let flag = match advice {
            Advice::Hint => return self.for_each(start, end, |_, _, _, _| Ok(())),
            Advice::NoHuge(on) => (VmaFlags::NO_HUGE, on),
            Advice::DontFork(on) => (VmaFlags::DONT_FORK, on),
            Advice::DontDump(on) => (VmaFlags::DONT_DUMP, on),
            Advice::WipeOnFork(on) => {
                let foreign = |vma: &Vma| !is_private_anonymous(vma);
                if on && self.vmas.overlapping(start, end).any(foreign) {
                    return Err(Errno::EINVAL);
                }
                (VmaFlags::WIPE_ON_FORK, on)
            }
            Advice::DontNeed | Advice::Free => {
                return self.for_each(start, end, |inner, vma, from, to| {
                    if vma.flags.contains(VmaFlags::LOCKED)
                        || (advice == Advice::Free && !is_private_anonymous(vma))
                    {
                        return Err(Errno::EINVAL);
                    }
                    inner.pages.split_edges(from, to)?;
                    inner.pages.zap(from, to);
                    Ok(())
                });
            }
            Advice::WillNeed => {
                return self.for_each(start, end, |inner, vma, from, to| {
                    if let Backing::Object(object, _) = &vma.backing
                        && !vma.prot.is_empty()
                    {
                        let to = to.min(from.saturating_add(super::pages::WHOLE));
                        let fill = !vma.is_shared();
                        (inner.pages).map_at_hand(vma, &**object, from, to, fill, true);
                    }
                    Ok(())
                });
            }
            Advice::PopulateRead => return self.populate_all(start, end, Access::Read),
            Advice::PopulateWrite => return self.populate_all(start, end, Access::Write),
        };
        self.set_flag(start, end, flag.0, flag.1)
    }

    fn set_flag(&mut self, start: u64, end: u64, flag: VmaFlags, on: bool) -> Result<(), Errno> {
        self.for_each(start, end, |inner, vma, from, to| {
            if vma.flags.contains(flag) == on {
                return Ok(());
            }
            if inner.vmas.count() + inner.vmas.pieces_added(from, to) > MAX_MAPPINGS {
                return Err(Errno::ENOMEM);
            }
            inner.change(from, to, |vma| vma.flags.set(flag, on))
        })
    }

    /// Fills what is mapped in the range, as far as that goes.
    fn populate(&mut self, start: u64, end: u64) {
        let _ = self.for_each(start, end, |inner, vma, from, to| {
            if !vma.prot.is_empty() {
                inner.pages.populate(vma, from, to);
            }
            Ok(())
        });
    }

    /// Faults in every page of the range, or says why not (MADV_POPULATE_READ and _WRITE).
    fn populate_all(&mut self, start: u64, end: u64, access: Access) -> Result<(), Errno> {
        for page in (start..end).step_by(PAGE_SIZE as usize) {
            if let Some(leaf) = self.pages.table.leaf(page)
                && leaf.entry.is_present()
                && (access == Access::Read || leaf.entry.is_writable())
            {
                continue;
            }
            self.fault(page, access).map_err(|error| match error {
                FaultError::NotMapped | FaultError::NoMemory => Errno::ENOMEM,
                FaultError::Permission => Errno::EINVAL,
                FaultError::Bus => Errno::EFAULT,
            })?;
        }
        Ok(())
    }
}

fn is_private_anonymous(vma: &Vma) -> bool {
    matches!(vma.backing, Backing::Anonymous) && !vma.is_shared() && vma.max_prot == Prot::all()
}
