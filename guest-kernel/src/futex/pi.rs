//! Locks whose word names their owner's thread (FUTEX_LOCK_PI and kin).
//!
//! There is one vCPU and no real-time class, so nobody's priority is inherited; what remains is the protocol: the word holds the owner's tid,
//! the kernel gives the lock on in the order of arrival.

use super::{MATCH_ANY, key::Key, table, wait::space};
use crate::{
    Errno, SysResult,
    mm::{space::AddressSpace, user},
    sched,
    sync::{Interruptible, WaitError, wait_until},
    task,
};
use alloc::sync::Arc;

/// In the word: others wait.
pub const WAITERS: u32 = 0x8000_0000;
/// In the word: the owner ended without unlocking.
pub const OWNER_DIED: u32 = 0x4000_0000;
/// In the word: the owner's tid.
pub const TID_MASK: u32 = 0x3fff_ffff;

/// What the word says, after an attempt to lock it.
enum Attempt {
    Taken,
    Held,
}

/// Changes the word from what it was read as; `None`: it has changed, read it again.
fn exchange(space: &AddressSpace, addr: u64, old: u32, new: u32) -> Result<Option<()>, Errno> {
    Ok((space.compare_exchange_u32(addr, old, new)? == old).then_some(()))
}

/// Takes the lock if it is free, else marks it as waited for.
fn attempt(space: &AddressSpace, addr: u64, tid: u32, has_waiters: bool) -> Result<Attempt, Errno> {
    loop {
        let word = user::read::<u32>(addr)?;
        let owner = word & TID_MASK;
        if owner == tid {
            return Err(Errno::EDEADLK);
        }
        if owner == 0 {
            let waiters = if has_waiters { WAITERS } else { 0 };
            let new = word & OWNER_DIED | tid | waiters;
            if exchange(space, addr, word, new)?.is_some() {
                return Ok(Attempt::Taken);
            }
        } else {
            if task::task(owner as i32).is_none() {
                return Err(Errno::ESRCH);
            }
            if word & WAITERS != 0 || exchange(space, addr, word, word | WAITERS)?.is_some() {
                return Ok(Attempt::Held);
            }
        }
    }
}

/// FUTEX_LOCK_PI: takes the lock, waiting for it until `deadline` (CLOCK_MONOTONIC, ns).
pub fn lock(addr: u64, private: bool, deadline: Option<u64>) -> SysResult {
    let space = space()?;
    let key = Key::new(&space, addr, private)?;
    let tid = sched::current().tid as u32;
    let has_waiters = table::first_pi(key).is_some();
    if let Attempt::Taken = attempt(&space, addr, tid, has_waiters)? {
        return Ok(0);
    }
    let waiter = table::enqueue(key, MATCH_ANY, true);
    let result = wait_until(&[], deadline, Interruptible::Yes, || waiter.woken());
    table::remove(&waiter);
    match result {
        Ok(_) => Ok(0),
        Err(WaitError::Timeout) => Err(Errno::ETIMEDOUT),
        // The deadline is absolute, so the same call goes on.
        Err(WaitError::Signal) => Err(Errno::ERESTARTNOINTR),
    }
}

/// FUTEX_TRYLOCK_PI: takes the lock or fails with `EAGAIN`.
pub fn try_lock(addr: u64, private: bool) -> SysResult {
    let space = space()?;
    let key = Key::new(&space, addr, private)?;
    let tid = sched::current().tid as u32;
    let has_waiters = table::first_pi(key).is_some();
    match attempt(&space, addr, tid, has_waiters)? {
        Attempt::Taken => Ok(0),
        Attempt::Held => Err(Errno::EAGAIN),
    }
}

/// FUTEX_UNLOCK_PI: gives the lock to the one who has waited longest, or frees it.
pub fn unlock(addr: u64, private: bool) -> SysResult {
    let space = space()?;
    let key = Key::new(&space, addr, private)?;
    let tid = sched::current().tid as u32;
    let word = user::read::<u32>(addr)?;
    if word & TID_MASK != tid {
        return Err(Errno::EPERM);
    }
    give_on(&space, addr, key, 0)?;
    Ok(0)
}

/// Gives a lock on: the word becomes the next owner's, or 0, with `flags` in it.
pub(super) fn give_on(
    space: &Arc<AddressSpace>,
    addr: u64,
    key: Key,
    flags: u32,
) -> Result<(), Errno> {
    loop {
        let mut bytes = [0; 4];
        if space.read(addr, &mut bytes)? != bytes.len() {
            return Err(Errno::EFAULT);
        }
        let word = u32::from_ne_bytes(bytes);
        let next = table::first_pi(key);
        let new = flags
            | next.as_ref().map_or(0, |(waiter, more)| {
                waiter.task().tid as u32 | if *more { WAITERS } else { 0 }
            });
        if exchange(space, addr, word, new)?.is_some() {
            if let Some((waiter, _)) = next {
                table::hand_over(&waiter);
            }
            return Ok(());
        }
    }
}
