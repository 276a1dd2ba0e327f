//! Process groups and sessions.

use super::Table;
use crate::{
    Errno, SysResult, call, sched,
    task::{Process, session, table},
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use vitrine_abi::nr;

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::SETPGID, call!(setpgid; 2));
    table.set(nr::GETPGID, call!(getpgid; 1));
    table.set(nr::GETPGRP, call!(getpgrp; 0));
    table.set(nr::SETSID, call!(setsid; 0));
    table.set(nr::GETSID, call!(getsid; 1));
}

fn process_or_self(id: i32) -> Result<Arc<Process>, Errno> {
    match id {
        0 => Ok(sched::current().process.clone()),
        id => table::process_of(id).ok_or(Errno::ESRCH),
    }
}

/// setpgid(2).
pub fn setpgid(pid: i32, pgid: i32) -> SysResult {
    session::set_group(pid, pgid).map(|()| 0)
}

/// getpgid(2).
pub fn getpgid(pid: i32) -> SysResult {
    Ok(process_or_self(pid)?.pgid.load(Ordering::Relaxed) as usize)
}

/// getpgrp(2).
pub fn getpgrp() -> SysResult {
    getpgid(0)
}

/// setsid(2).
pub fn setsid() -> SysResult {
    session::create().map(|sid| sid as usize)
}

/// getsid(2).
pub fn getsid(pid: i32) -> SysResult {
    Ok(process_or_self(pid)?.sid.load(Ordering::Relaxed) as usize)
}
