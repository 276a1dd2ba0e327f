//! madvise, mlock and kin, mincore, msync, membarrier.

use super::super::Table;
use super::space;
use crate::{
    Errno, SysResult, call,
    mm::{space::advice::Advice, user},
};
use linux_raw_sys::general::{
    MADV_COLD, MADV_COLLAPSE, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK,
    MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_KEEPONFORK, MADV_MERGEABLE, MADV_NOHUGEPAGE,
    MADV_NORMAL, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_RANDOM,
    MADV_SEQUENTIAL, MADV_UNMERGEABLE, MADV_WILLNEED, MADV_WIPEONFORK, MCL_CURRENT, MCL_FUTURE,
    MCL_ONFAULT, MLOCK_ONFAULT, MS_ASYNC, MS_INVALIDATE, MS_SYNC,
};
use vitrine_abi::{
    layout::{PAGE_SIZE, USER_END},
    nr,
};

/// Registers this file's handlers.
pub const fn add(table: &mut Table) {
    table.set(nr::MADVISE, call!(madvise; 3));
    table.set(nr::MSYNC, call!(msync; 3));
    table.set(nr::MINCORE, call!(mincore; 3));
    table.set(nr::MLOCK, call!(mlock; 2));
    table.set(nr::MLOCK2, call!(mlock2; 3));
    table.set(nr::MUNLOCK, call!(munlock; 2));
    table.set(nr::MLOCKALL, call!(mlockall; 1));
    table.set(nr::MUNLOCKALL, call!(munlockall; 0));
    table.set(nr::MEMBARRIER, call!(membarrier; 3));
}

/// madvise(2).
pub fn madvise(addr: u64, len: u64, advice: u32) -> SysResult {
    let advice = match advice {
        MADV_NORMAL | MADV_RANDOM | MADV_SEQUENTIAL | MADV_COLD | MADV_PAGEOUT | MADV_MERGEABLE
        | MADV_UNMERGEABLE | MADV_COLLAPSE => Advice::Hint,
        MADV_DONTNEED => Advice::DontNeed,
        MADV_FREE => Advice::Free,
        MADV_WILLNEED => Advice::WillNeed,
        MADV_POPULATE_READ => Advice::PopulateRead,
        MADV_POPULATE_WRITE => Advice::PopulateWrite,
        MADV_HUGEPAGE => Advice::NoHuge(false),
        MADV_NOHUGEPAGE => Advice::NoHuge(true),
        MADV_DONTFORK => Advice::DontFork(true),
        MADV_DOFORK => Advice::DontFork(false),
        MADV_DONTDUMP => Advice::DontDump(true),
        MADV_DODUMP => Advice::DontDump(false),
        MADV_WIPEONFORK => Advice::WipeOnFork(true),
        MADV_KEEPONFORK => Advice::WipeOnFork(false),
        _ => return Err(Errno::EINVAL),
    };
    space()?.advise(addr, len, advice)?;
    Ok(0)
}

/// msync(2).
pub fn msync(addr: u64, len: u64, flags: u32) -> SysResult {
    if flags & !(MS_ASYNC | MS_INVALIDATE | MS_SYNC) != 0
        || flags & (MS_ASYNC | MS_SYNC) == MS_ASYNC | MS_SYNC
    {
        return Err(Errno::EINVAL);
    }
    space()?.sync(addr, len, flags & MS_INVALIDATE != 0)?;
    Ok(0)
}

/// mincore(2).
pub fn mincore(addr: u64, len: u64, vector: u64) -> SysResult {
    /// Pages looked at under the lock at once.
    const BATCH: u64 = 1 << 16;
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    if addr.checked_add(len).is_none_or(|end| end > USER_END) {
        return Err(Errno::ENOMEM);
    }
    let space = space()?;
    let pages = len.div_ceil(PAGE_SIZE);
    let mut done = 0;
    while done < pages {
        let start = addr + done * PAGE_SIZE;
        let batch = BATCH.min(pages - done);
        let present = space.residency(start, batch * PAGE_SIZE, BATCH)?;
        user::write_bytes(vector.wrapping_add(done), &present)?;
        done += batch;
    }
    Ok(0)
}

/// mlock(2).
pub fn mlock(addr: u64, len: u64) -> SysResult {
    mlock2(addr, len, 0)
}

/// mlock2(2).
pub fn mlock2(addr: u64, len: u64, flags: u32) -> SysResult {
    if flags & !MLOCK_ONFAULT != 0 {
        return Err(Errno::EINVAL);
    }
    space()?.lock(addr, len, true, flags & MLOCK_ONFAULT == 0)?;
    Ok(0)
}

/// munlock(2).
pub fn munlock(addr: u64, len: u64) -> SysResult {
    space()?.lock(addr, len, false, false)?;
    Ok(0)
}

/// mlockall(2).
pub fn mlockall(flags: u32) -> SysResult {
    if flags == 0 || flags & !(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0 || flags == MCL_ONFAULT
    {
        return Err(Errno::EINVAL);
    }
    space()?.lock_all(
        flags & MCL_CURRENT != 0,
        flags & MCL_FUTURE != 0,
        flags & MCL_ONFAULT == 0,
    )?;
    Ok(0)
}

/// munlockall(2).
pub fn munlockall() -> SysResult {
    space()?.lock_all(false, false, false)?;
    Ok(0)
}

/// membarrier(2). With one processor that enters the kernel to switch tasks, every barrier is already there.
pub fn membarrier(command: i32, flags: u32, _cpu: i32) -> SysResult {
    const GLOBAL: i32 = 1;
    const GLOBAL_EXPEDITED: i32 = 2;
    const REGISTER_GLOBAL_EXPEDITED: i32 = 4;
    const PRIVATE_EXPEDITED: i32 = 8;
    const REGISTER_PRIVATE_EXPEDITED: i32 = 16;
    const PRIVATE_SYNC_CORE: i32 = 32;
    const REGISTER_PRIVATE_SYNC_CORE: i32 = 64;
    const GET_REGISTRATIONS: i32 = 512;
    const ALL: i32 = GLOBAL
        | GLOBAL_EXPEDITED
        | REGISTER_GLOBAL_EXPEDITED
        | PRIVATE_EXPEDITED
        | REGISTER_PRIVATE_EXPEDITED
        | PRIVATE_SYNC_CORE
        | REGISTER_PRIVATE_SYNC_CORE
        | GET_REGISTRATIONS;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let space = space()?;
    match command {
        0 => Ok(ALL as usize),
        GLOBAL | GLOBAL_EXPEDITED => Ok(0),
        REGISTER_GLOBAL_EXPEDITED | REGISTER_PRIVATE_EXPEDITED | REGISTER_PRIVATE_SYNC_CORE => {
            space.register_barriers(command as u32);
            Ok(0)
        }
        // The registration is the bit above the command's.
        PRIVATE_EXPEDITED | PRIVATE_SYNC_CORE => {
            if space.register_barriers(0) & (command as u32) << 1 == 0 {
                return Err(Errno::EPERM);
            }
            Ok(0)
        }
        GET_REGISTRATIONS => Ok(space.register_barriers(0) as usize),
        _ => Err(Errno::EINVAL),
    }
}
