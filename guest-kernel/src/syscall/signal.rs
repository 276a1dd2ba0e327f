//! System calls for signals: dispositions, masks, waiting, alternate stacks. Sending is in `kill.rs`.

use super::Table;
use crate::{
    Errno, SysResult,
    arch::TrapFrame,
    call,
    mm::user,
    sched,
    signal::{self, SigInfo, action::SA_KNOWN, action::SigAction, alt_stack::RawStack, numbers},
    sync::{Interruptible, WaitError, wait_until},
    time::{monotonic_ns, value::Timespec},
};
use vitrine_abi::nr;

/// Adds this family's handlers.
pub const fn add(table: &mut Table) {
    table.set(nr::RT_SIGACTION, call!(rt_sigaction; 4));
    table.set(nr::RT_SIGPROCMASK, call!(rt_sigprocmask; 4));
    table.set(nr::RT_SIGPENDING, call!(rt_sigpending; 2));
    table.set(nr::RT_SIGTIMEDWAIT, call!(rt_sigtimedwait; 4));
    table.set(nr::RT_SIGSUSPEND, call!(rt_sigsuspend; 2));
    table.set(nr::PAUSE, call!(pause; 0));
    table.set(nr::RESTART_SYSCALL, call!(restart_syscall; 0));
    table.set(nr::RT_SIGRETURN, signal::sigreturn);
    table.set(nr::SIGALTSTACK, sigaltstack);
}

/// A set argument's size must be that of the kernel's sets.
fn check_size(size: usize) -> Result<(), Errno> {
    if size == size_of::<u64>() {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// rt_sigaction(2).
pub fn rt_sigaction(signo: i32, new: u64, old: u64, set_size: usize) -> SysResult {
    check_size(set_size)?;
    let action = match new {
        0 => None,
        addr => Some(user::read::<SigAction>(addr)?),
    };
    let signo = u32::try_from(signo).map_err(|_| Errno::EINVAL)?;
    let is_fixed = numbers::bit(signo) & numbers::UNBLOCKABLE != 0;
    if numbers::bit(signo) == 0 || (action.is_some() && is_fixed) {
        return Err(Errno::EINVAL);
    }
    let task = sched::current();
    let before = task.process.signals.action(signo);
    if let Some(action) = action {
        let action = SigAction {
            flags: action.flags & SA_KNOWN,
            mask: action.mask & !numbers::UNBLOCKABLE,
            ..action
        };
        signal::set_action(&task.process, signo, action);
    }
    if old != 0 {
        user::write(old, &before)?;
    }
    Ok(0)
}

/// rt_sigprocmask(2).
pub fn rt_sigprocmask(how: i32, set: u64, old: u64, set_size: usize) -> SysResult {
    const SIG_BLOCK: i32 = 0;
    const SIG_UNBLOCK: i32 = 1;
    const SIG_SETMASK: i32 = 2;
    check_size(set_size)?;
    let task = sched::current();
    let before = task.signals.mask();
    if set != 0 {
        let set: u64 = user::read(set)?;
        let mask = match how {
            SIG_BLOCK => before | set,
            SIG_UNBLOCK => before & !set,
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        signal::set_mask(&task, mask);
    }
    if old != 0 {
        user::write(old, &before)?;
    }
    Ok(0)
}

/// rt_sigpending(2).
pub fn rt_sigpending(set: u64, set_size: usize) -> SysResult {
    // A shorter set is filled as far as it goes.
    if set_size > size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let task = sched::current();
    let pending = signal::pending_set(&task) & task.signals.mask();
    user::write_bytes(set, &pending.to_le_bytes()[..set_size])?;
    Ok(0)
}

/// rt_sigtimedwait(2).
pub fn rt_sigtimedwait(set: u64, info: u64, timeout: u64, set_size: usize) -> SysResult {
    check_size(set_size)?;
    let set: u64 = user::read(set)?;
    let deadline = match timeout {
        0 => None,
        addr => {
            let timeout = user::read::<Timespec>(addr)?.to_ns()?;
            Some(monotonic_ns().saturating_add(timeout))
        }
    };
    let task = sched::current();
    let arrival = signal::arrival_queue(&task);
    let taken = wait_until(&[&arrival], deadline, Interruptible::Yes, || {
        signal::take_pending(&task, set)
    });
    match taken {
        Ok(taken) => {
            if info != 0 {
                user::write_bytes(info, &taken.encode())?;
            }
            Ok(taken.signo as usize)
        }
        Err(WaitError::Timeout) => Err(Errno::EAGAIN),
        Err(WaitError::Signal) => Err(Errno::EINTR),
    }
}

/// Waits for a signal that runs a handler or kills.
fn wait_for_signal() -> SysResult {
    let _ = wait_until(&[], None, Interruptible::Yes, || None::<()>);
    Err(Errno::ERESTARTNOHAND)
}

/// rt_sigsuspend(2).
pub fn rt_sigsuspend(set: u64, set_size: usize) -> SysResult {
    check_size(set_size)?;
    signal::set_temporary_mask(user::read(set)?);
    wait_for_signal()
}

/// pause(2).
pub fn pause() -> SysResult {
    wait_for_signal()
}

/// restart_syscall(2).
pub fn restart_syscall() -> SysResult {
    signal::resume()
}

/// sigaltstack(2).
pub fn sigaltstack(frame: &mut TrapFrame) -> SysResult {
    let [new, old, ..] = frame.args();
    let new = match new {
        0 => None,
        addr => Some(user::read::<RawStack>(addr)?),
    };
    let before = signal::alternate_stack(&sched::current(), new.as_ref(), frame.rsp)?;
    if old != 0 {
        user::write(old, &before)?;
    }
    Ok(0)
}

/// Reads a `siginfo_t` argument.
pub(super) fn read_info(signo: u32, addr: u64) -> Result<SigInfo, Errno> {
    let mut raw = [0; signal::info::SIGINFO_SIZE];
    user::read_bytes(addr, &mut raw)?;
    Ok(SigInfo::decode(signo, &raw))
}
