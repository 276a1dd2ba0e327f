//! The waking operations.

use super::{MATCH_ANY, key::Key, table, wait::space};
use crate::{
    Errno, SysResult,
    mm::{space::AddressSpace, user},
};
use alloc::sync::Arc;

/// How many to wake: Linux's loops wake one before they look at a count of 0 or less.
fn at_least_one(count: u32) -> usize {
    usize::try_from(count as i32).unwrap_or(0).max(1)
}

/// Wakes up to `count` waiters that match `bitset`.
pub fn wake(addr: u64, private: bool, count: u32, bitset: u32) -> SysResult {
    if bitset == 0 {
        return Err(Errno::EINVAL);
    }
    let key = Key::new(&space()?, addr, private)?;
    table::wake(key, at_least_one(count), bitset).ok_or(Errno::EINVAL)
}

/// The other side of CLONE_CHILD_CLEARTID: wakes up to `n` waiters at an address of a space, active or not.
pub fn wake_address(space: &Arc<AddressSpace>, addr: u64, n: u32) {
    if let Ok(key) = Key::new(space, addr, false) {
        table::wake(key, n as usize, MATCH_ANY);
    }
}

/// Two futexes, for the operations that take both.
#[derive(Clone, Copy)]
pub struct Pair {
    /// The first word.
    pub from: u64,
    /// The second word.
    pub to: u64,
    /// Known to this address space only.
    pub private: bool,
}

impl Pair {
    fn keys(&self) -> Result<(Key, Key), Errno> {
        let space = space()?;
        Ok((
            Key::new(&space, self.from, self.private)?,
            Key::new(&space, self.to, self.private)?,
        ))
    }
}

/// Wakes up to `wake` waiters of the first futex and moves up to `requeue` of the rest to the second, if the first word has the `expected`
/// value (`EAGAIN` else); how many were woken or moved.
pub fn requeue(pair: Pair, wake: u32, requeue: u32, expected: Option<u32>) -> SysResult {
    let (Ok(wake), Ok(requeue)) = (u32_count(wake), u32_count(requeue)) else {
        return Err(Errno::EINVAL);
    };
    let (from, to) = pair.keys()?;
    if let Some(expected) = expected
        && user::read::<u32>(pair.from)? != expected
    {
        return Err(Errno::EAGAIN);
    }
    let woken = table::wake(from, wake, MATCH_ANY).ok_or(Errno::EINVAL)?;
    Ok(woken + table::requeue(from, to, requeue))
}

fn u32_count(count: u32) -> Result<usize, Errno> {
    usize::try_from(count as i32).map_err(|_| Errno::EINVAL)
}

/// FUTEX_WAKE_OP: changes the second word as `operation` says, wakes up to `wake` waiters of the first futex, and, if the second word's old value compares as
/// `operation` says, up to `wake_second` of the second.
pub fn wake_op(pair: Pair, wake: u32, wake_second: u32, operation: u32) -> SysResult {
    let (first, second) = pair.keys()?;
    let operation = Operation::decode(operation);
    let space = space()?;
    let mut seen = user::read::<u32>(pair.to)?;
    let old = loop {
        let new = operation.apply(seen)?;
        let old = space.compare_exchange_u32(pair.to, seen, new)?;
        if old == seen {
            break old;
        }
        seen = old;
    };
    let compares = operation.compare(old)?;
    let mut woken = table::wake(first, at_least_one(wake), MATCH_ANY).ok_or(Errno::EINVAL)?;
    if compares {
        woken += table::wake(second, at_least_one(wake_second), MATCH_ANY).ok_or(Errno::EINVAL)?;
    }
    Ok(woken)
}

/// What FUTEX_WAKE_OP does to a word (futex(2)).
struct Operation {
    operator: u32,
    operand: u32,
    comparison: u32,
    comparand: u32,
}

impl Operation {
    fn decode(raw: u32) -> Operation {
        const SHIFT_OPERAND: u32 = 8;
        let twelve_bits = |field: u32| ((field << 20) as i32 >> 20) as u32;
        let operator = raw >> 28;
        let mut operand = twelve_bits(raw >> 12);
        if operator & SHIFT_OPERAND != 0 {
            operand = 1 << (operand & 31);
        }
        Operation {
            operator: operator & !SHIFT_OPERAND,
            operand,
            comparison: raw >> 24 & 15,
            comparand: twelve_bits(raw),
        }
    }

    fn apply(&self, value: u32) -> Result<u32, Errno> {
        Ok(match self.operator {
            0 => self.operand,
            1 => value.wrapping_add(self.operand),
            2 => value | self.operand,
            3 => value & !self.operand,
            4 => value ^ self.operand,
            _ => return Err(Errno::ENOSYS),
        })
    }

    fn compare(&self, value: u32) -> Result<bool, Errno> {
        let (value, comparand) = (value as i32, self.comparand as i32);
        Ok(match self.comparison {
            0 => value == comparand,
            1 => value != comparand,
            2 => value < comparand,
            3 => value <= comparand,
            4 => value > comparand,
            5 => value >= comparand,
            _ => return Err(Errno::ENOSYS),
        })
    }
}
