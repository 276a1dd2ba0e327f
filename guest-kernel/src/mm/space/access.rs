//! Reading and writing an address space from the kernel, through its page tables and the direct map.

use super::{Access, AddressSpace, FaultError, Inner};
use crate::{
    Errno,
    mm::{page_table, phys_ptr, tlb},
};
use core::sync::atomic::{AtomicU32, Ordering};
use vitrine_abi::layout::PAGE_SIZE;

/// Bytes from `addr` to the end of its page, at most `len`.
#[inline(always)]
pub(in crate::mm) fn in_page(addr: u64, len: usize) -> usize {
    len.min((PAGE_SIZE - addr % PAGE_SIZE) as usize)
}

#[allow(
    dead_code,
    reason = "for requests from outside, which read and write whatever the mappings say"
)]
impl AddressSpace {
    /// Where `addr` lies physically, its page made accessible for `access` first.
    pub(in crate::mm) fn locate(&self, addr: u64, access: Access) -> Result<u64, FaultError> {
        let write = access == Access::Write;
        // A fault may have to be resolved more than once only if memory is taken away in between.
        for _ in 0..4 {
            if let Some(phys) = page_table::translate(self.root, addr, write) {
                if write && tlb::active() == self.root {
                    tlb::before_write(addr & !(PAGE_SIZE - 1));
                }
                return Ok(phys);
            }
            self.fault(addr, access)?;
        }
        Err(FaultError::NotMapped)
    }

    /// Copies out of this space, active or not; faults pages in. Returns the bytes copied before the first bad address: an error only if none.
    pub fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        self.by_page(addr, buf.len(), Access::Read, |phys, at, len| {
            // SAFETY: `phys` lies in a frame of this space, `len` stays inside it; `buf` is kernel memory.
            unsafe {
                core::ptr::copy_nonoverlapping(phys_ptr(phys), buf[at..at + len].as_mut_ptr(), len)
            };
        })
    }

    /// Copies into this space, as `read`. Breaks copy-on-write.
    pub fn write(&self, addr: u64, data: &[u8]) -> Result<usize, Errno> {
        self.by_page(addr, data.len(), Access::Write, |phys, at, len| {
            // SAFETY: as in `read`, the other way.
            unsafe {
                core::ptr::copy_nonoverlapping(data[at..at + len].as_ptr(), phys_ptr(phys), len)
            };
        })
    }

    fn by_page(
        &self,
        addr: u64,
        len: usize,
        access: Access,
        mut each: impl FnMut(u64, usize, usize),
    ) -> Result<usize, Errno> {
        let mut done = 0;
        while done < len {
            let located = addr
                .checked_add(done as u64)
                .ok_or(FaultError::NotMapped)
                .and_then(|at| Ok((at, self.locate(at, access)?)));
            match located {
                Ok((at, phys)) => {
                    let part = in_page(at, len - done);
                    each(phys, done, part);
                    done += part;
                }
                Err(_) if done > 0 => break,
                Err(FaultError::NoMemory) => return Err(Errno::ENOMEM),
                Err(_) => return Err(Errno::EFAULT),
            }
        }
        Ok(done)
    }

    /// As `read`, whatever the mappings allow: for debuggers and introspection. Nothing is faulted in beyond what is mapped.
    pub fn peek(&self, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        self.by_page_forced(addr, buf.len(), false, |phys, at, len| {
            // SAFETY: as in `read`.
            unsafe {
                core::ptr::copy_nonoverlapping(phys_ptr(phys), buf[at..at + len].as_mut_ptr(), len)
            };
        })
    }

    /// As `write`, whatever the mappings allow, so that breakpoints can be set: private pages are copied first; shared ones must
    /// at least be allowed to become writable.
    pub fn poke(&self, addr: u64, data: &[u8]) -> Result<usize, Errno> {
        self.by_page_forced(addr, data.len(), true, |phys, at, len| {
            // SAFETY: as in `write`.
            unsafe {
                core::ptr::copy_nonoverlapping(data[at..at + len].as_ptr(), phys_ptr(phys), len)
            };
        })
    }

    fn by_page_forced(
        &self,
        addr: u64,
        len: usize,
        write: bool,
        mut each: impl FnMut(u64, usize, usize),
    ) -> Result<usize, Errno> {
        let mut done = 0;
        while done < len {
            let located = addr
                .checked_add(done as u64)
                .ok_or(FaultError::NotMapped)
                .and_then(|at| {
                    let page = at & !(PAGE_SIZE - 1);
                    let frame = self.update(|inner| inner.force(page, write))?;
                    Ok((at, frame + (at - page)))
                });
            match located {
                Ok((at, phys)) => {
                    if write && tlb::active() == self.root {
                        tlb::before_write(at & !(PAGE_SIZE - 1));
                    }
                    let part = in_page(at, len - done);
                    each(phys, done, part);
                    done += part;
                }
                Err(_) if done > 0 => break,
                Err(FaultError::NoMemory) => return Err(Errno::ENOMEM),
                Err(_) => return Err(Errno::EFAULT),
            }
        }
        Ok(done)
    }

    /// A word identifying the physical location of a mapped byte (frame address plus offset): the key of a shared futex. Faults the page in.
    pub fn physical(&self, addr: u64) -> Result<u64, Errno> {
        self.locate(addr, Access::Read).map_err(|_| Errno::EFAULT)
    }

    /// Reads an aligned u32 in this space; `EINVAL` if it isn't aligned.
    pub fn read_u32(&self, addr: u64) -> Result<u32, Errno> {
        Ok(self.word(addr, Access::Read)?.load(Ordering::SeqCst))
    }

    /// Atomic compare-and-exchange of an aligned u32 in this space (futex operations); returns the old value.
    pub fn compare_exchange_u32(&self, addr: u64, expected: u32, new: u32) -> Result<u32, Errno> {
        let word = self.word(addr, Access::Write)?;
        Ok(word
            .compare_exchange(expected, new, Ordering::SeqCst, Ordering::SeqCst)
            .unwrap_or_else(|old| old))
    }

    /// Atomically replaces an aligned u32 in this space by `update` of it; returns the old value.
    pub fn fetch_update_u32(
        &self,
        addr: u64,
        mut update: impl FnMut(u32) -> u32,
    ) -> Result<u32, Errno> {
        let word = self.word(addr, Access::Write)?;
        Ok(word
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |old| Some(update(old)))
            .unwrap_or_else(|old| old))
    }

    /// The aligned word at `addr`. It stays valid as long as nothing unmaps it: until the kernel next yields or changes this space.
    fn word(&self, addr: u64, access: Access) -> Result<&AtomicU32, Errno> {
        if !addr.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        let phys = self.locate(addr, access).map_err(|_| Errno::EFAULT)?;
        // SAFETY: aligned, inside a mapped frame; atomics may alias what user code changes.
        Ok(unsafe { AtomicU32::from_ptr(phys_ptr(phys).cast()) })
    }
}

#[allow(
    dead_code,
    reason = "for requests from outside, which read and write whatever the mappings say"
)]
impl Inner {
    /// The frame of a mapped page, to be read or written by the kernel without regard to its protection.
    fn force(&mut self, page: u64, write: bool) -> Result<u64, FaultError> {
        let vma = self.vmas.find(page).ok_or(FaultError::NotMapped)?;
        self.pages.force(vma, page, write)
    }
}
