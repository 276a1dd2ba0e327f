//! Mapping memory: mmap, munmap, mprotect, brk, mremap, madvise and their kin. The work is done in `mm::space`; here are the checks
//! that depend on the caller: descriptors, limits, capabilities.

mod advice;
mod policy;
mod process_vm;

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{File, mount},
    mm::{
        frame, give_back,
        space::{AddressSpace, Backing, Limits, MapRequest, Prot, advice::Advice, remap::Move},
    },
    sched,
    trace::changes,
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use linux_raw_sys::general::{
    F_SEAL_FUTURE_WRITE, F_SEAL_WRITE, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN, MAP_HUGETLB, MAP_LOCKED, MAP_NONBLOCK, MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE,
    MAP_SHARED, MAP_SHARED_VALIDATE, MAP_STACK, MAP_TYPE, MREMAP_DONTUNMAP, MREMAP_FIXED,
    MREMAP_MAYMOVE, MS_NOEXEC, O_ACCMODE, O_APPEND, O_PATH, O_RDONLY, O_WRONLY, PROT_EXEC,
    PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_SEM, PROT_WRITE,
};
use vitrine_abi::{
    event::change::{MappingBody, mapping},
    layout::PAGE_SIZE,
    nr,
};

/// Registers this family's handlers.
pub const fn add(table: &mut Table) {
    table.set(nr::MMAP, call!(mmap; 6));
    table.set(nr::MUNMAP, call!(munmap; 2));
    table.set(nr::MPROTECT, call!(mprotect; 3));
    table.set(nr::PKEY_MPROTECT, call!(pkey_mprotect; 4));
    table.set(nr::PKEY_ALLOC, call!(pkey_alloc; 2));
    table.set(nr::PKEY_FREE, call!(pkey_free; 1));
    table.set(nr::BRK, call!(brk; 1));
    table.set(nr::MREMAP, call!(mremap; 5));
    advice::add(table);
    policy::add(table);
    process_vm::add(table);
}

/// Capability bit: may lock memory without limit.
const CAP_IPC_LOCK: u64 = 1 << 14;

/// The caller's address space, told the caller's current limits.
fn space() -> Result<Arc<AddressSpace>, Errno> {
    let task = sched::current();
    let space = task.space()?;
    let mut limits = Limits::of(&task.process.rlimits.lock());
    if task.credentials().cap_effective & CAP_IPC_LOCK != 0 {
        limits.locked = u64::MAX;
    }
    space.set_limits(limits);
    Ok(space)
}

/// Whether a private writable mapping of this size is refused out of hand (heuristic overcommit).
fn overcommits(len: u64) -> bool {
    len.div_ceil(PAGE_SIZE) > frame::stats().total
}

/// mmap(2).
pub fn mmap(addr: u64, len: u64, prot: u32, flags: u32, fd: i32, offset: u64) -> SysResult {
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let file = if flags & MAP_ANONYMOUS == 0 {
        let file = sched::current().files()?.get(fd)?;
        if file.flags.load(Ordering::Relaxed) & O_PATH != 0 {
            return Err(Errno::EBADF);
        }
        Some(file)
    } else {
        None
    };
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    if flags & MAP_HUGETLB != 0 {
        // There is no pool of huge pages.
        return Err(if file.is_some() {
            Errno::EINVAL
        } else {
            Errno::ENOMEM
        });
    }
    let pages = len.div_ceil(PAGE_SIZE);
    if file.is_some() && (offset / PAGE_SIZE).checked_add(pages).is_none() {
        return Err(Errno::EOVERFLOW);
    }
    let shared = match flags & MAP_TYPE {
        MAP_PRIVATE => false,
        MAP_SHARED => true,
        MAP_SHARED_VALIDATE if file.is_some() => true,
        _ => return Err(Errno::EINVAL),
    };
    let wanted = Prot::from_bits_truncate(prot);
    let mut max_prot = Prot::all();
    let backing = match &file {
        Some(file) => {
            max_prot = file_rights(file, shared, wanted)?;
            let object = file.ops.object()?;
            if flags & MAP_GROWSDOWN != 0 {
                return Err(Errno::EINVAL);
            }
            Backing::Object(object, offset)
        }
        None if shared && flags & MAP_GROWSDOWN != 0 => return Err(Errno::EINVAL),
        None => Backing::Anonymous,
    };
    let accounted = flags & MAP_NORESERVE == 0
        && ((!shared && wanted.contains(Prot::WRITE)) || (shared && file.is_none()));
    if accounted && overcommits(len) {
        return Err(Errno::ENOMEM);
    }
    let space = space()?;
    let no_replace = flags & MAP_FIXED_NOREPLACE != 0;
    let addr = space.map(&MapRequest {
        addr,
        len,
        prot: wanted,
        shared,
        fixed: flags & MAP_FIXED != 0 && !no_replace,
        no_replace,
        populate: flags & MAP_LOCKED != 0
            || (flags & MAP_POPULATE != 0 && flags & MAP_NONBLOCK == 0),
        grows_down: flags & MAP_GROWSDOWN != 0,
        backing,
        name: None,
        max_prot,
    })?;
    if changes::mappings_wanted() {
        let place = file.as_ref().and_then(|file| file.location.as_ref());
        let flag = |on, bit| if on { bit } else { 0 };
        let body = MappingBody {
            op: mapping::MAP,
            start: addr,
            end: addr + pages * PAGE_SIZE,
            offset: if file.is_some() { offset } else { 0 },
            prot: changes::protection(wanted),
            flags: flag(shared, mapping::SHARED)
                | flag(file.is_none(), mapping::ANONYMOUS)
                | flag(flags & MAP_FIXED != 0, mapping::FIXED),
            ..MappingBody::default()
        };
        changes::mapping(body, place.map(|place| &place.path[..]));
    }
    if flags & MAP_LOCKED != 0 && space.lock(addr, len, true, false).is_err() {
        space.unmap(addr, len)?;
        return Err(Errno::EAGAIN);
    }
    if flags & MAP_STACK != 0 {
        // Thread stacks are large and hardly used.
        space.advise(addr, len, Advice::NoHuge(true))?;
    }
    Ok(addr as usize)
}

/// What a descriptor's access mode lets a mapping become, if it lets it be `wanted`.
fn file_rights(file: &File, shared: bool, wanted: Prot) -> Result<Prot, Errno> {
    let flags = file.flags.load(Ordering::Relaxed);
    let mode = flags & O_ACCMODE;
    if shared && wanted.contains(Prot::WRITE) && (mode == O_RDONLY || flags & O_APPEND != 0) {
        return Err(Errno::EACCES);
    }
    if mode == O_WRONLY {
        return Err(Errno::EACCES);
    }
    let mut rights = Prot::all();
    if let Some(place) = &file.location {
        const NO_WRITES: u32 = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
        if shared
            && place
                .inode
                .seals()
                .is_ok_and(|seals| seals & NO_WRITES != 0)
        {
            if wanted.contains(Prot::WRITE) {
                return Err(Errno::EPERM);
            }
            rights.remove(Prot::WRITE);
        }
        if wanted.contains(Prot::EXEC) && mount::has_flag(place, MS_NOEXEC) {
            return Err(Errno::EPERM);
        }
    }
    if shared && mode == O_RDONLY {
        rights.remove(Prot::WRITE);
    }
    Ok(rights)
}

/// Tells of a change to a range.
fn tell(op: u32, start: u64, len: u64, prot: u32) {
    changes::mapping(
        MappingBody {
            op,
            start,
            end: start.saturating_add(len.div_ceil(PAGE_SIZE) * PAGE_SIZE),
            prot,
            ..MappingBody::default()
        },
        None,
    );
}

/// munmap(2).
pub fn munmap(addr: u64, len: u64) -> SysResult {
    space()?.unmap(addr, len)?;
    tell(mapping::UNMAP, addr, len, 0);
    give_back::consider();
    Ok(0)
}

/// mprotect(2).
pub fn mprotect(addr: u64, len: u64, prot: u32) -> SysResult {
    let grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
    let plain = prot & !(PROT_GROWSDOWN | PROT_GROWSUP);
    if grows == PROT_GROWSDOWN | PROT_GROWSUP || !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let end = len
        .checked_next_multiple_of(PAGE_SIZE)
        .and_then(|len| addr.checked_add(len))
        .ok_or(Errno::ENOMEM)?;
    if plain & !(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM) != 0 {
        return Err(Errno::EINVAL);
    }
    let space = space()?;
    let start = match grows {
        0 => addr,
        PROT_GROWSDOWN => space.stack_start(addr).ok_or(Errno::EINVAL)?,
        // Nothing grows upwards on x86-64.
        _ => return Err(Errno::EINVAL),
    };
    let prot = Prot::from_bits_truncate(plain);
    space.protect(start, end - start, prot)?;
    tell(
        mapping::PROTECT,
        start,
        end - start,
        changes::protection(prot),
    );
    Ok(0)
}

/// brk(2).
pub fn brk(addr: u64) -> SysResult {
    let space = space()?;
    let (start, old_end) = match changes::mappings_wanted() {
        true => space.heap(),
        false => (0, 0),
    };
    let end = space.brk(addr);
    if end != old_end {
        changes::mapping(
            MappingBody {
                op: mapping::BRK,
                start,
                end,
                old_start: start,
                old_end,
                prot: PROT_READ | PROT_WRITE,
                flags: mapping::ANONYMOUS,
                ..MappingBody::default()
            },
            None,
        );
    }
    Ok(end as usize)
}

/// pkey_mprotect(2): without protection keys, only the default one is valid.
pub fn pkey_mprotect(addr: u64, len: u64, prot: u32, key: i32) -> SysResult {
    if key != -1 && key != 0 {
        return Err(Errno::EINVAL);
    }
    mprotect(addr, len, prot)
}

/// pkey_alloc(2): there are no protection keys.
pub fn pkey_alloc(flags: u64, rights: u64) -> SysResult {
    if flags != 0 || rights & !3 != 0 {
        return Err(Errno::EINVAL);
    }
    Err(Errno::ENOSPC)
}

/// pkey_free(2).
pub fn pkey_free(_key: i32) -> SysResult {
    Err(Errno::EINVAL)
}

/// mremap(2).
pub fn mremap(addr: u64, old_len: u64, new_len: u64, flags: u32, target: u64) -> SysResult {
    let may_move = flags & MREMAP_MAYMOVE != 0;
    let keep = flags & MREMAP_DONTUNMAP != 0;
    if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) != 0
        || (flags & MREMAP_FIXED != 0 && !may_move)
        || (keep && (!may_move || old_len != new_len))
    {
        return Err(Errno::EINVAL);
    }
    if new_len > old_len && overcommits(new_len) {
        return Err(Errno::ENOMEM);
    }
    let how = if flags & MREMAP_FIXED != 0 {
        Move::To(target)
    } else if may_move {
        Move::May
    } else {
        Move::No
    };
    let to = space()?.remap(addr, old_len, new_len, how, keep)?;
    let pages = |len: u64| len.div_ceil(PAGE_SIZE) * PAGE_SIZE;
    changes::mapping(
        MappingBody {
            op: mapping::REMAP,
            start: to,
            end: to + pages(new_len),
            old_start: addr,
            old_end: addr + pages(old_len),
            ..MappingBody::default()
        },
        None,
    );
    Ok(to as usize)
}
