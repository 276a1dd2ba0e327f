//! The waiting operations.

use super::{key::Key, table};
use crate::{
    Errno, SysResult,
    mm::{space::AddressSpace, user},
    sched, signal,
    sync::{Interruptible, WaitError, wait_until},
};
use alloc::{sync::Arc, vec::Vec};

/// Most futexes in one wait.
pub const WAITV_MAX: usize = 128;

/// What to wait for.
#[derive(Clone, Copy)]
pub struct Wait {
    /// Address of the word.
    pub addr: u64,
    /// Known to this address space only.
    pub private: bool,
    /// The word must have this value.
    pub value: u32,
    /// Which wake-ups count.
    pub bitset: u32,
    /// CLOCK_MONOTONIC, nanoseconds.
    pub deadline: Option<u64>,
}

/// The current task's address space.
pub(super) fn space() -> Result<Arc<AddressSpace>, Errno> {
    sched::current().space()
}

/// Waits until woken. `EAGAIN`: the word has another value.
pub fn wait(wait: Wait) -> SysResult {
    if wait.bitset == 0 {
        return Err(Errno::EINVAL);
    }
    let key = Key::new(&space()?, wait.addr, wait.private)?;
    let waiter = table::enqueue(key, wait.bitset, false);
    let unchanged = match user::read::<u32>(wait.addr) {
        Ok(value) if value == wait.value => Ok(()),
        Ok(_) => Err(Errno::EAGAIN),
        Err(errno) => Err(errno),
    };
    if let Err(errno) = unchanged {
        table::remove(&waiter);
        return Err(errno);
    }
    let result = wait_until(&[], wait.deadline, Interruptible::Yes, || waiter.woken());
    table::remove(&waiter);
    match result {
        Ok(_) => Ok(0),
        Err(WaitError::Timeout) => Err(Errno::ETIMEDOUT),
        Err(WaitError::Signal) if wait.deadline.is_none() => Err(Errno::ERESTARTSYS),
        Err(WaitError::Signal) => Err(signal::restart_with(move || self::wait(wait))),
    }
}

/// Waits for one of several words; the index of the one that was woken.
pub fn wait_any(waits: &[Wait], deadline: Option<u64>) -> SysResult {
    let space = space()?;
    let mut keys = Vec::with_capacity(waits.len().min(WAITV_MAX));
    for wait in waits {
        keys.push(Key::new(&space, wait.addr, wait.private)?);
    }
    let waiter = table::enqueue_all(&keys);
    let mut unchanged = Ok(());
    for wait in waits {
        match user::read::<u32>(wait.addr) {
            Ok(value) if value == wait.value => {}
            Ok(_) => unchanged = Err(Errno::EAGAIN),
            Err(errno) => unchanged = Err(errno),
        }
        if unchanged.is_err() {
            break;
        }
    }
    let result = match unchanged {
        Ok(()) => wait_until(&[], deadline, Interruptible::Yes, || waiter.woken()),
        // One that was woken meanwhile has been told already.
        Err(errno) => {
            table::remove(&waiter);
            return waiter.woken().ok_or(errno);
        }
    };
    table::remove(&waiter);
    match result {
        Ok(index) => Ok(index),
        Err(WaitError::Timeout) => Err(Errno::ETIMEDOUT),
        Err(WaitError::Signal) => Err(Errno::ERESTARTSYS),
    }
}
