//! futex(2), futex_waitv(2), futex_wake(2), futex_wait(2), futex_requeue(2).

use super::Table;
use crate::{
    Errno, SysResult, call,
    futex::{
        MATCH_ANY, pi,
        wait::{self, WAITV_MAX, Wait},
        wake::{self, Pair},
    },
    mm::user,
    time::{
        clock_id::Wall,
        monotonic_ns,
        value::{MAX_NS, Timespec},
    },
};
use alloc::vec::Vec;
use vitrine_abi::nr;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

const FUTEX_WAIT: u32 = 0;
const FUTEX_WAKE: u32 = 1;
const FUTEX_REQUEUE: u32 = 3;
const FUTEX_CMP_REQUEUE: u32 = 4;
const FUTEX_WAKE_OP: u32 = 5;
const FUTEX_LOCK_PI: u32 = 6;
const FUTEX_UNLOCK_PI: u32 = 7;
const FUTEX_TRYLOCK_PI: u32 = 8;
const FUTEX_WAIT_BITSET: u32 = 9;
const FUTEX_WAKE_BITSET: u32 = 10;
const FUTEX_WAIT_REQUEUE_PI: u32 = 11;
const FUTEX_LOCK_PI2: u32 = 13;
const FUTEX_PRIVATE_FLAG: u32 = 128;
const FUTEX_CLOCK_REALTIME: u32 = 256;

/// Flags of the futex2 calls: the word's size, and that it is private.
const FUTEX2_SIZE_MASK: u32 = 3;
const FUTEX2_SIZE_U32: u32 = 2;
const FUTEX2_PRIVATE: u32 = 128;

/// Adds this family's handlers.
pub const fn add(table: &mut Table) {
    table.set(nr::FUTEX, call!(futex; 6));
    table.set(nr::FUTEX_WAITV, call!(futex_waitv; 5));
    table.set(nr::FUTEX_WAKE, call!(futex_wake; 4));
    table.set(nr::FUTEX_WAIT, call!(futex_wait; 6));
    table.set(nr::FUTEX_REQUEUE, call!(futex_requeue; 4));
}

/// A timeout argument as a deadline of CLOCK_MONOTONIC: relative, or absolute on `clock`.
fn deadline(addr: u64, absolute: Option<Wall>) -> Result<Option<u64>, Errno> {
    if addr == 0 {
        return Ok(None);
    }
    let time = user::read::<Timespec>(addr)?.to_ns()?;
    Ok(Some(match absolute {
        Some(clock) => clock.to_monotonic(time),
        None => monotonic_ns().saturating_add(time).min(MAX_NS),
    }))
}

/// futex(2).
pub fn futex(addr: u64, op: u32, value: u32, timeout: u64, addr2: u64, value3: u32) -> SysResult {
    let private = op & FUTEX_PRIVATE_FLAG != 0;
    let real = op & FUTEX_CLOCK_REALTIME != 0;
    let command = op & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    let clock = if real {
        Wall::Realtime
    } else {
        Wall::Monotonic
    };
    // The timeout is read before the command's clock is checked.
    let deadline = match command {
        FUTEX_WAIT => deadline(timeout, None)?,
        FUTEX_LOCK_PI => deadline(timeout, Some(Wall::Realtime))?,
        FUTEX_WAIT_BITSET | FUTEX_LOCK_PI2 | FUTEX_WAIT_REQUEUE_PI => {
            deadline(timeout, Some(clock))?
        }
        _ => None,
    };
    if real && !matches!(command, FUTEX_WAIT_BITSET | FUTEX_LOCK_PI2) {
        return Err(Errno::ENOSYS);
    }
    let wait = Wait {
        addr,
        private,
        value,
        bitset: MATCH_ANY,
        deadline,
    };
    let pair = Pair {
        from: addr,
        to: addr2,
        private,
    };
    // In commands that take no time, its argument is a count.
    let value2 = timeout as u32;
    match command {
        FUTEX_WAIT => wait::wait(wait),
        FUTEX_WAIT_BITSET => wait::wait(Wait {
            bitset: value3,
            ..wait
        }),
        FUTEX_WAKE => wake::wake(addr, private, value, MATCH_ANY),
        FUTEX_WAKE_BITSET => wake::wake(addr, private, value, value3),
        FUTEX_REQUEUE => wake::requeue(pair, value, value2, None),
        FUTEX_CMP_REQUEUE => wake::requeue(pair, value, value2, Some(value3)),
        FUTEX_WAKE_OP => wake::wake_op(pair, value, value2, value3),
        FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => pi::lock(addr, private, deadline),
        FUTEX_TRYLOCK_PI => pi::try_lock(addr, private),
        FUTEX_UNLOCK_PI => pi::unlock(addr, private),
        _ => Err(Errno::ENOSYS),
    }
}

/// `struct futex_waitv`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct WaitvEntry {
    value: u64,
    addr: u64,
    flags: u32,
    reserved: u32,
}

impl WaitvEntry {
    fn to_wait(self) -> Result<Wait, Errno> {
        let private = check_flags(self.flags)?;
        if self.reserved != 0 {
            return Err(Errno::EINVAL);
        }
        Ok(Wait {
            addr: self.addr,
            private,
            value: u32::try_from(self.value).map_err(|_| Errno::EINVAL)?,
            bitset: MATCH_ANY,
            deadline: None,
        })
    }
}

/// Whether futex2 flags say private; `EINVAL` for flags and sizes that Linux doesn't know either.
fn check_flags(flags: u32) -> Result<bool, Errno> {
    if flags & !(FUTEX2_SIZE_MASK | FUTEX2_PRIVATE) != 0
        || flags & FUTEX2_SIZE_MASK != FUTEX2_SIZE_U32
    {
        return Err(Errno::EINVAL);
    }
    Ok(flags & FUTEX2_PRIVATE != 0)
}

fn futex2_deadline(timeout: u64, clock: i32) -> Result<Option<u64>, Errno> {
    if timeout == 0 {
        return Ok(None);
    }
    let clock = match clock {
        0 => Wall::Realtime,
        1 => Wall::Monotonic,
        _ => return Err(Errno::EINVAL),
    };
    deadline(timeout, Some(clock))
}

/// futex_waitv(2).
pub fn futex_waitv(waiters: u64, count: u32, flags: u32, timeout: u64, clock: i32) -> SysResult {
    if flags != 0 || count == 0 || count as usize > WAITV_MAX || waiters == 0 {
        return Err(Errno::EINVAL);
    }
    let deadline = futex2_deadline(timeout, clock)?;
    wait::wait_any(&read_waiters(waiters, count as usize)?, deadline)
}

fn read_waiters(addr: u64, count: usize) -> Result<Vec<Wait>, Errno> {
    let mut waits = Vec::with_capacity(count.min(WAITV_MAX));
    for index in 0..count {
        let offset = (index * size_of::<WaitvEntry>()) as u64;
        let entry: WaitvEntry = user::read(addr.wrapping_add(offset))?;
        waits.push(entry.to_wait()?);
    }
    Ok(waits)
}

/// futex_wake(2): unlike FUTEX_WAKE it takes a count of 0 at its word.
pub fn futex_wake(addr: u64, mask: u64, count: i32, flags: u32) -> SysResult {
    let private = check_flags(flags)?;
    let bitset = u32::try_from(mask).map_err(|_| Errno::EINVAL)?;
    let count = u32::try_from(count).unwrap_or(0);
    if count == 0 && bitset != 0 {
        return Ok(0);
    }
    wake::wake(addr, private, count, bitset)
}

/// futex_wait(2).
pub fn futex_wait(
    addr: u64,
    value: u64,
    mask: u64,
    flags: u32,
    timeout: u64,
    clock: i32,
) -> SysResult {
    let private = check_flags(flags)?;
    let value = u32::try_from(value).map_err(|_| Errno::EINVAL)?;
    let bitset = u32::try_from(mask).map_err(|_| Errno::EINVAL)?;
    let deadline = futex2_deadline(timeout, clock)?;
    wait::wait(Wait {
        addr,
        private,
        value,
        bitset,
        deadline,
    })
}

/// futex_requeue(2): both futexes are private or both are not.
pub fn futex_requeue(waiters: u64, flags: u32, wake: i32, requeue: i32) -> SysResult {
    if flags != 0 || waiters == 0 {
        return Err(Errno::EINVAL);
    }
    let pair = read_waiters(waiters, 2)?;
    let [from, to] = pair.as_slice() else {
        return Err(Errno::EINVAL);
    };
    if from.private != to.private {
        return Err(Errno::EINVAL);
    }
    let pair = Pair {
        from: from.addr,
        to: to.addr,
        private: from.private,
    };
    wake::requeue(pair, wake as u32, requeue as u32, Some(from.value))
}
