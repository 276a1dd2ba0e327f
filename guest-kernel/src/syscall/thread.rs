//! A thread's own registrations (segment bases, tid address, robust list, rseq), and what it shares with others.

use super::Table;
use crate::{Errno, SysResult, arch, call, mm::user, sched, task};
use core::sync::atomic::Ordering;
use linux_raw_sys::general::*;
use vitrine_abi::{layout::USER_END, nr};

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::SET_TID_ADDRESS, call!(set_tid_address; 1));
    table.set(nr::ARCH_PRCTL, call!(arch_prctl; 2));
    table.set(nr::SET_ROBUST_LIST, call!(set_robust_list; 2));
    table.set(nr::GET_ROBUST_LIST, call!(get_robust_list; 3));
    table.set(nr::RSEQ, call!(rseq; 4));
    table.set(nr::UNSHARE, call!(unshare; 1));
    table.set(nr::SETNS, call!(setns; 2));
    table.set(nr::KCMP, call!(kcmp; 5));
    table.set(nr::PTRACE, call!(ptrace; 0));
}

/// set_tid_address(2).
pub fn set_tid_address(addr: u64) -> SysResult {
    let task = sched::current();
    task.clear_child_tid.store(addr, Ordering::Relaxed);
    Ok(task.tid as usize)
}

/// arch_prctl(2): segment bases and extended state. Shadow stacks, tagging and CPUID faulting aren't offered: `EINVAL`, or `ENODEV` as Linux says it for CPUID.
pub fn arch_prctl(code: u32, addr: u64) -> SysResult {
    const SET_GS: u32 = 0x1001;
    const SET_FS: u32 = 0x1002;
    const GET_FS: u32 = 0x1003;
    const GET_GS: u32 = 0x1004;
    const GET_CPUID: u32 = 0x1011;
    const SET_CPUID: u32 = 0x1012;
    const GET_EXTENDED: u32 = 0x1021;
    const GET_EXTENDED_PERMITTED: u32 = 0x1022;
    let task = sched::current();
    let thread = &task.thread;
    match code {
        SET_GS | SET_FS if addr >= USER_END => return Err(Errno::EPERM),
        SET_GS => thread.set_gs_base(addr),
        SET_FS => thread.set_fs_base(addr),
        GET_FS => user::write(addr, &thread.fs_base())?,
        GET_GS => user::write(addr, &thread.gs_base())?,
        GET_EXTENDED | GET_EXTENDED_PERMITTED => user::write(addr, &arch::xcr0())?,
        GET_CPUID => return Ok(1),
        SET_CPUID => return Err(Errno::ENODEV),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// Length of `struct robust_list_head`.
const ROBUST_HEAD: u64 = 24;

/// set_robust_list(2).
pub fn set_robust_list(head: u64, len: u64) -> SysResult {
    if len != ROBUST_HEAD {
        return Err(Errno::EINVAL);
    }
    sched::current().robust_list.store(head, Ordering::Relaxed);
    Ok(0)
}

/// get_robust_list(2).
pub fn get_robust_list(tid: i32, head: u64, len: u64) -> SysResult {
    let caller = sched::current();
    let task = match tid {
        0 => caller.clone(),
        _ => task::task(tid).ok_or(Errno::ESRCH)?,
    };
    let mine = caller.credentials();
    if task.process.pid != caller.process.pid
        && !mine.capable(CAP_SYS_PTRACE)
        && !mine.same_user(&task.credentials())
    {
        return Err(Errno::EPERM);
    }
    user::write(len, &ROBUST_HEAD)?;
    user::write(head, &task.robust_list.load(Ordering::Relaxed))?;
    Ok(0)
}

/// rseq(2).
pub fn rseq(area: u64, len: u32, flags: u32, signature: u32) -> SysResult {
    const UNREGISTER: u32 = 1;
    const ORIGINAL_SIZE: u32 = 32;
    let task = sched::current();
    let asked = task::rseq::Registration {
        area,
        len,
        signature,
    };
    let registered = *task.rseq.lock();
    if flags & UNREGISTER != 0 {
        if flags != UNREGISTER || registered.area != area || area == 0 {
            return Err(Errno::EINVAL);
        }
        if len != registered.len {
            return Err(Errno::EINVAL);
        }
        if signature != registered.signature {
            return Err(Errno::EPERM);
        }
        // cpu_id_start 0, cpu_id "uninitialised", node and concurrency id 0.
        user::write(area, &[0u32, u32::MAX])?;
        user::write(area + 20, &[0u32; 2])?;
        *task.rseq.lock() = Default::default();
        return Ok(0);
    }
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    if registered.area != 0 {
        return Err(if registered.area != area || registered.len != len {
            Errno::EINVAL
        } else if registered.signature != signature {
            Errno::EPERM
        } else {
            Errno::EBUSY
        });
    }
    if len < ORIGINAL_SIZE || !area.is_multiple_of(task::rseq::ALIGN) {
        return Err(Errno::EINVAL);
    }
    if area
        .checked_add(len as u64)
        .is_none_or(|end| end > USER_END)
    {
        return Err(Errno::EFAULT);
    }
    // CPU 0, no critical section, node 0, concurrency id 0: there is one vCPU, so that they never change.
    user::write(area, &[0u32; 4])?;
    user::write(area + 20, &[0u32; 2])?;
    *task.rseq.lock() = asked;
    Ok(0)
}

/// unshare(2): descriptors and file-system context; there are no namespaces.
pub fn unshare(flags: u64) -> SysResult {
    let known = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    let spaces = CLONE_NEWNS
        | CLONE_NEWUTS
        | CLONE_NEWIPC
        | CLONE_NEWNET
        | CLONE_NEWUSER
        | CLONE_NEWPID
        | CLONE_NEWCGROUP
        | CLONE_NEWTIME;
    if flags & !((known | spaces) as u64) != 0 {
        return Err(Errno::EINVAL);
    }
    let flags = flags as u32;
    let task = sched::current();
    let alone = task.process.threads.lock().len() == 1;
    let with_threads = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWUSER | CLONE_NEWPID;
    if flags & with_threads != 0 && !alone {
        return Err(Errno::EINVAL);
    }
    if flags & spaces != 0 {
        return Err(Errno::EPERM);
    }
    if flags & CLONE_FS != 0 {
        let own = task.fs.lock().fork();
        *task.fs.lock() = own;
    }
    if flags & CLONE_FILES != 0 {
        let own = task.files()?.fork()?;
        *task.files.lock() = Some(own);
    }
    Ok(0)
}

/// setns(2): there are no namespaces that a descriptor could refer to.
pub fn setns(fd: i32, _kind: u32) -> SysResult {
    sched::current().files()?.get(fd)?;
    Err(Errno::EINVAL)
}

/// ptrace(2): not offered; who watches does so from outside.
pub fn ptrace() -> SysResult {
    Err(Errno::EPERM)
}

/// kcmp(2).
pub fn kcmp(pid1: i32, pid2: i32, kind: u32, index1: u64, index2: u64) -> SysResult {
    use alloc::sync::Arc;
    let one = task::task(pid1).ok_or(Errno::ESRCH)?;
    let two = task::task(pid2).ok_or(Errno::ESRCH)?;
    let mine = sched::current().credentials();
    let allowed =
        |other: &task::Task| mine.capable(CAP_SYS_PTRACE) || mine.same_user(&other.credentials());
    if !allowed(&one) || !allowed(&two) {
        return Err(Errno::EPERM);
    }
    let address = |index: u64, task: &task::Task| -> Result<usize, Errno> {
        Ok(match kind {
            0 => {
                let fd = i32::try_from(index).map_err(|_| Errno::EBADF)?;
                Arc::as_ptr(&task.files()?.get(fd)?) as usize
            }
            1 => Arc::as_ptr(&task.space()?) as usize,
            2 => Arc::as_ptr(&task.files()?) as usize,
            3 => Arc::as_ptr(&*task.fs.lock()) as usize,
            // Handlers, I/O contexts and semaphore undo lists belong to the process here.
            4..=6 => Arc::as_ptr(&task.process) as usize,
            7 => return Err(Errno::EOPNOTSUPP),
            _ => return Err(Errno::EINVAL),
        })
    };
    let (first, second) = (address(index1, &one)?, address(index2, &two)?);
    Ok(match first.cmp(&second) {
        core::cmp::Ordering::Equal => 0,
        core::cmp::Ordering::Less => 1,
        core::cmp::Ordering::Greater => 2,
    })
}
