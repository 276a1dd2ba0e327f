//! NUMA memory policy, on a machine with one node.

use super::{super::Table, space};
use crate::{Errno, SysResult, call, mm::user};
use vitrine_abi::{layout::PAGE_SIZE, nr};

/// Registers this file's handlers.
pub const fn add(table: &mut Table) {
    table.set(nr::GET_MEMPOLICY, call!(get_mempolicy; 5));
    table.set(nr::SET_MEMPOLICY, call!(set_mempolicy; 3));
    table.set(nr::MBIND, call!(mbind; 6));
}

const MPOL_DEFAULT: u32 = 0;
const MPOL_BIND: u32 = 2;
const MPOL_INTERLEAVE: u32 = 3;
const MPOL_LOCAL: u32 = 4;
/// The highest policy (weighted interleave).
const MPOL_LAST: u32 = 6;
/// Modifiers of the policy: static nodes, relative nodes, NUMA balancing.
const MODE_FLAGS: u32 = 0xe000;
const MPOL_F_NODE: u64 = 1;
const MPOL_F_ADDR: u64 = 2;
const MPOL_F_MEMS_ALLOWED: u64 = 4;

/// get_mempolicy(2): the default policy; node 0.
pub fn get_mempolicy(mode: u64, mask: u64, max_node: u64, addr: u64, flags: u64) -> SysResult {
    if flags & !(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED) != 0
        || (mask != 0 && max_node < 1)
        || (flags & MPOL_F_MEMS_ALLOWED != 0 && flags & (MPOL_F_NODE | MPOL_F_ADDR) != 0)
        || (flags & MPOL_F_ADDR == 0 && addr != 0)
        || flags & (MPOL_F_NODE | MPOL_F_ADDR) == MPOL_F_NODE
    {
        return Err(Errno::EINVAL);
    }
    if flags & MPOL_F_ADDR != 0 {
        space()?.physical(addr)?;
    }
    if mode != 0 {
        // Policy MPOL_DEFAULT, or node 0: the same word.
        user::write(mode, &0u32)?;
    }
    if mask != 0 {
        let bytes = max_node.saturating_sub(1).div_ceil(64).max(1) * 8;
        if bytes > PAGE_SIZE {
            return Err(Errno::EINVAL);
        }
        user::zero(mask, bytes as usize)?;
        if flags & MPOL_F_MEMS_ALLOWED != 0 {
            user::write(mask, &1u64)?;
        }
    }
    Ok(0)
}

/// set_mempolicy(2): any policy comes to the same.
pub fn set_mempolicy(mode: u32, mask: u64, max_node: u64) -> SysResult {
    check(mode, mask, max_node)?;
    Ok(0)
}

/// mbind(2).
pub fn mbind(addr: u64, len: u64, mode: u32, mask: u64, max_node: u64, flags: u32) -> SysResult {
    if flags & !7 != 0 || !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    check(mode, mask, max_node)?;
    match space()?.sync(addr, len, false) {
        Err(Errno::ENOMEM) => Err(Errno::EFAULT),
        other => other.map(|()| 0),
    }
}

/// Whether a policy makes sense with its set of nodes, of which only node 0 exists.
fn check(mode: u32, mask: u64, max_node: u64) -> Result<(), Errno> {
    let policy = mode & !MODE_FLAGS;
    if policy > MPOL_LAST || max_node > PAGE_SIZE * 8 {
        return Err(Errno::EINVAL);
    }
    let mut any = false;
    if mask != 0 && max_node > 1 {
        for i in 0..(max_node - 1).div_ceil(64) {
            let word: u64 = user::read(mask.wrapping_add(i * 8))?;
            let bits = (max_node - 1 - i * 64).min(64);
            let word = word & (u64::MAX >> (64 - bits));
            if word & !u64::from(i == 0) != 0 {
                return Err(Errno::EINVAL);
            }
            any |= word != 0;
        }
    }
    match policy {
        MPOL_DEFAULT | MPOL_LOCAL if any => Err(Errno::EINVAL),
        MPOL_BIND | MPOL_INTERLEAVE | MPOL_LAST if !any => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}
