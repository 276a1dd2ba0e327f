//! process_vm_readv and process_vm_writev: copies between the caller's memory and another process's.

use super::super::Table;
use crate::{
    Errno, SysResult, call,
    mm::{space::AddressSpace, user},
    sched, task,
};
use alloc::{sync::Arc, vec};
use vitrine_abi::nr;

/// Registers this file's handlers.
pub const fn add(table: &mut Table) {
    table.set(nr::PROCESS_VM_READV, call!(process_vm_readv; 6));
    table.set(nr::PROCESS_VM_WRITEV, call!(process_vm_writev; 6));
}

/// Bytes moved at once.
const BATCH: usize = 16 << 10;
/// Capability bit: may look into any process.
const CAP_SYS_PTRACE: u64 = 1 << 19;

/// process_vm_readv(2).
pub fn process_vm_readv(
    pid: i32,
    local: u64,
    local_count: u64,
    remote: u64,
    remote_count: u64,
    flags: u64,
) -> SysResult {
    transfer(
        pid,
        (local, local_count),
        (remote, remote_count),
        flags,
        false,
    )
}

/// process_vm_writev(2).
pub fn process_vm_writev(
    pid: i32,
    local: u64,
    local_count: u64,
    remote: u64,
    remote_count: u64,
    flags: u64,
) -> SysResult {
    transfer(
        pid,
        (local, local_count),
        (remote, remote_count),
        flags,
        true,
    )
}

/// The address space of a thread that the caller may trace.
fn traceable_space(pid: i32) -> Result<Arc<AddressSpace>, Errno> {
    let target = task::task(pid).ok_or(Errno::ESRCH)?;
    let caller = sched::current();
    if !Arc::ptr_eq(&caller.process, &target.process) {
        let (mine, its) = (caller.credentials(), target.credentials());
        let same = [its.uid, its.euid, its.suid]
            .iter()
            .all(|&id| id == mine.uid)
            && [its.gid, its.egid, its.sgid]
                .iter()
                .all(|&id| id == mine.gid);
        if !same && mine.cap_effective & CAP_SYS_PTRACE == 0 {
            return Err(Errno::EPERM);
        }
    }
    target.space()
}

fn transfer(pid: i32, local: (u64, u64), remote: (u64, u64), flags: u64, write: bool) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let locals = user::read_iovecs(local.0, local.1)?;
    let remotes = user::read_iovecs(remote.0, remote.1)?;
    if locals.iter().all(|&(_, len)| len == 0) || remotes.iter().all(|&(_, len)| len == 0) {
        return Ok(0);
    }
    let space = traceable_space(pid)?;
    let mut buffer = vec![0; BATCH];
    let mut done = 0;
    let mut local_pieces = locals.into_iter();
    let (mut here, mut room) = (0, 0);
    for (mut there, mut left) in remotes {
        while left > 0 {
            while room == 0 {
                match local_pieces.next() {
                    Some(piece) => (here, room) = piece,
                    None => return Ok(done),
                }
            }
            let part = left.min(room).min(BATCH as u64);
            let bytes = &mut buffer[..part as usize];
            let moved = if write {
                user::read_some(here, bytes).and_then(|n| space.write(there, &bytes[..n]))
            } else {
                (space.read(there, bytes)).and_then(|n| user::write_some(here, &bytes[..n]))
            };
            match moved {
                Ok(n) => {
                    done += n;
                    if n < bytes.len() {
                        return Ok(done);
                    }
                }
                Err(_) if done > 0 => return Ok(done),
                Err(errno) => return Err(errno),
            }
            here += part;
            room -= part;
            there += part;
            left -= part;
        }
    }
    Ok(done)
}
