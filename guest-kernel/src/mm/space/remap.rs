//! mremap on an [`AddressSpace`].

use super::{
    AddressSpace, Backing, Inner, MAX_MAPPINGS,
    map::page_length,
    vma::{Vma, VmaFlags},
};
use crate::Errno;
use alloc::vec::Vec;
use vitrine_abi::layout::{PAGE_SIZE, USER_END, USER_MIN};

/// How mremap may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Only in place.
    No,
    /// To wherever there is room.
    May,
    /// To this address, replacing what is there (MREMAP_FIXED).
    To(u64),
}

impl AddressSpace {
    /// mremap(2) of `addr..addr + old_len` (page aligned; lengths not rounded yet); `keep`: MREMAP_DONTUNMAP. Returns the new address.
    pub fn remap(
        &self,
        addr: u64,
        old_len: u64,
        new_len: u64,
        how: Move,
        keep: bool,
    ) -> Result<u64, Errno> {
        let old_len = match old_len {
            0 => 0,
            _ => page_length(old_len).ok_or(Errno::EINVAL)?,
        };
        let new_len = page_length(new_len).ok_or(Errno::EINVAL)?;
        if !addr.is_multiple_of(PAGE_SIZE)
            || addr
                .checked_add(old_len.max(PAGE_SIZE))
                .is_none_or(|end| end > USER_END)
        {
            return Err(Errno::EINVAL);
        }
        let mut dropped = Vec::new();
        self.update(|inner| inner.remap(addr, old_len, new_len, how, keep, &mut dropped))
    }
}

impl Inner {
    fn remap(
        &mut self,
        addr: u64,
        mut old_len: u64,
        new_len: u64,
        how: Move,
        keep: bool,
        dropped: &mut Vec<Vma>,
    ) -> Result<u64, Errno> {
        if self.vmas.find(addr).is_none() {
            return Err(Errno::EFAULT);
        }
        if let Move::To(target) = how {
            let end = target.checked_add(new_len).ok_or(Errno::EINVAL)?;
            if !target.is_multiple_of(PAGE_SIZE) || end > USER_END {
                return Err(Errno::EINVAL);
            }
            if target < addr + old_len && addr < end {
                return Err(Errno::EINVAL);
            }
            if target < USER_MIN {
                return Err(Errno::EPERM);
            }
            if self.vmas.count() + 4 >= MAX_MAPPINGS {
                return Err(Errno::ENOMEM);
            }
            dropped.extend(self.unmap(target, end)?);
            if old_len > new_len {
                dropped.extend(self.unmap(addr + new_len, addr + old_len)?);
                old_len = new_len;
            }
        } else if !keep && old_len >= new_len && old_len > 0 {
            if old_len > new_len {
                dropped.extend(self.unmap(addr + new_len, addr + old_len)?);
            }
            return Ok(addr);
        }

        let vma = self.vmas.find(addr).ok_or(Errno::EFAULT)?.clone();
        self.check_growth(&vma, addr, old_len, new_len, keep)?;
        if how == Move::No || how == Move::May {
            let end = addr + old_len;
            if !keep && old_len > 0 && end == vma.end && self.grow_in_place(&vma, addr + new_len) {
                return Ok(addr);
            }
            if how == Move::No {
                return Err(Errno::ENOMEM);
            }
        }
        let target = match how {
            Move::To(target) => target,
            _ => self
                .vmas
                .find_free(new_len, super::vma::suitable_alignment(new_len))
                .or_else(|| self.vmas.find_free(new_len, PAGE_SIZE))
                .ok_or(Errno::ENOMEM)?,
        };
        self.relocate(&vma, addr, old_len, target, new_len, keep)?;
        Ok(target)
    }

    /// Whether `addr..addr + old_len` of `vma` may become `new_len` long.
    fn check_growth(
        &self,
        vma: &Vma,
        addr: u64,
        old_len: u64,
        new_len: u64,
        keep: bool,
    ) -> Result<(), Errno> {
        if old_len == 0 && !vma.is_shared() {
            return Err(Errno::EINVAL);
        }
        if old_len > vma.end - addr {
            return Err(Errno::EFAULT);
        }
        if let Backing::Object(_, offset) = &vma.backing
            && offset
                .checked_add(addr - vma.start)
                .and_then(|at| at.checked_add(new_len))
                .is_none()
        {
            return Err(Errno::EINVAL);
        }
        let added = if keep {
            new_len
        } else {
            new_len.saturating_sub(old_len)
        };
        if vma.flags.contains(VmaFlags::LOCKED)
            && self.vmas.locked().saturating_add(added) > self.limits.locked
        {
            return Err(Errno::EAGAIN);
        }
        if self.vmas.total().saturating_add(added) > self.limits.address_space
            || (vma.is_data() && self.vmas.data().saturating_add(added) > self.limits.data)
            || self.vmas.count() + 4 >= MAX_MAPPINGS
        {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    fn grow_in_place(&mut self, vma: &Vma, new_end: u64) -> bool {
        if new_end > USER_END || !self.vmas.is_free(vma.end, new_end) {
            return false;
        }
        let mut added = vma.clone();
        added.start = vma.end;
        added.end = new_end;
        if let Backing::Object(_, offset) = &mut added.backing {
            *offset += vma.len();
        }
        if vma.flags.contains(VmaFlags::LOCKED) {
            self.pages.populate(&added, added.start, added.end);
        }
        self.vmas.insert(added);
        true
    }

    /// Moves `addr..addr + old_len` of `vma` to `target`, where `new_len` bytes are free.
    fn relocate(
        &mut self,
        vma: &Vma,
        addr: u64,
        old_len: u64,
        target: u64,
        new_len: u64,
        keep: bool,
    ) -> Result<(), Errno> {
        let end = addr + old_len;
        let mut moved = vma.clone();
        moved.start = target;
        moved.end = target + new_len;
        if let Backing::Object(_, offset) = &mut moved.backing {
            *offset += addr - vma.start;
        }
        if old_len > 0 {
            self.pages.split_edges(addr, end)?;
            self.pages.relocate(addr, target, old_len)?;
            if keep {
                self.change(addr, end, |vma| vma.flags.remove(VmaFlags::LOCKED))?;
            } else {
                self.vmas.take(addr, end);
            }
        }
        if moved.flags.contains(VmaFlags::LOCKED) {
            self.pages.populate(&moved, moved.start, moved.end);
        }
        self.vmas.insert(moved);
        if old_len > 0 && !keep {
            // Only now: the hole must not seem to reach over the new place.
            self.free_hole(addr, end);
        }
        Ok(())
    }
}
