//! Robust futexes (set_robust_list(2)): locks that a thread still holds when it ends are marked, and the next waiter is told.

use super::{
    MATCH_ANY,
    key::Key,
    pi::{self, OWNER_DIED, TID_MASK, WAITERS},
    table,
};
use crate::{Errno, mm::space::AddressSpace, task::Task};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

/// Longest list that is followed: a program may have closed it to a ring.
const LIST_LIMIT: usize = 2048;
/// Set in a list pointer: the lock has priority inheritance.
const PI: u64 = 1;

/// Follows the list of a task that ends or executes another program, and marks the locks in it. Memory that can't be read ends the walk.
pub fn exit_robust_list(task: &Task) {
    let head = task.robust_list.load(Relaxed);
    if head == 0 {
        return;
    }
    if let Ok(space) = task.space() {
        // A broken list is the program's own loss.
        let _ = walk(&space, head, task.tid as u32);
    }
}

fn word(space: &AddressSpace, addr: u64) -> Result<u64, Errno> {
    let mut bytes = [0; 8];
    match space.read(addr, &mut bytes)? {
        8 => Ok(u64::from_le_bytes(bytes)),
        _ => Err(Errno::EFAULT),
    }
}

fn walk(space: &Arc<AddressSpace>, head: u64, tid: u32) -> Result<(), Errno> {
    let offset = word(space, head.wrapping_add(8))?;
    let pending = word(space, head.wrapping_add(16))?;
    let mut entry = word(space, head)?;
    for _ in 0..LIST_LIMIT {
        if entry & !PI == head {
            break;
        }
        // Marking may wake others; the link is read first.
        let next = word(space, entry & !PI);
        if entry & !PI != pending & !PI {
            let lock = Lock {
                addr: (entry & !PI).wrapping_add(offset),
                is_pi: entry & PI != 0,
                is_pending: false,
            };
            lock.abandon(space, tid)?;
        }
        entry = next?;
    }
    if pending != 0 {
        let lock = Lock {
            addr: (pending & !PI).wrapping_add(offset),
            is_pi: pending & PI != 0,
            is_pending: true,
        };
        lock.abandon(space, tid)?;
    }
    Ok(())
}

struct Lock {
    addr: u64,
    is_pi: bool,
    /// The thread was just locking or unlocking it.
    is_pending: bool,
}

impl Lock {
    /// If `tid` owns it: marks it, and lets the next waiter find that.
    fn abandon(&self, space: &Arc<AddressSpace>, tid: u32) -> Result<(), Errno> {
        let key = Key::new(space, self.addr, false)?;
        // Waiters may have used either kind of key.
        let private = Key::new(space, self.addr, true)?;
        let wake_one = || {
            if table::wake(key, 1, MATCH_ANY).unwrap_or(0) == 0 && private != key {
                table::wake(private, 1, MATCH_ANY);
            }
        };
        loop {
            let mut bytes = [0; 4];
            if space.read(self.addr, &mut bytes)? != bytes.len() {
                return Err(Errno::EFAULT);
            }
            let word = u32::from_ne_bytes(bytes);
            let owner = word & TID_MASK;
            if self.is_pending && !self.is_pi && owner == 0 {
                // It was unlocking, and may not have got to wake anybody.
                wake_one();
                return Ok(());
            }
            if owner != tid {
                return Ok(());
            }
            if self.is_pi {
                return pi::give_on(space, self.addr, key, OWNER_DIED);
            }
            let marked = word & WAITERS | OWNER_DIED;
            if space.compare_exchange_u32(self.addr, word, marked)? == word {
                if word & WAITERS != 0 {
                    wake_one();
                }
                return Ok(());
            }
        }
    }
}
