//! Restarting interrupted system calls (signal(7)): by running the call again, or, where its arguments no longer say what is left
//! to do (relative timeouts), by restart_syscall(2) with what was noted here.

use crate::{Errno, SysResult, arch::TrapFrame};
use alloc::boxed::Box;
use vitrine_abi::nr;

use super::action::SA_RESTART;

/// How to go on with an interrupted call.
pub type Restart = Box<dyn FnOnce() -> SysResult + Send>;

/// Length of the SYSCALL instruction.
const SYSCALL_BYTES: u64 = 2;

/// Notes how the current task's call goes on if no handler runs, and gives the error to return.
pub fn restart_with(restart: impl FnOnce() -> SysResult + Send + 'static) -> Errno {
    *crate::sched::current().signals.restart.lock() = Some(Box::new(restart));
    Errno::ERESTART_RESTARTBLOCK
}

/// restart_syscall(2).
pub fn resume() -> SysResult {
    let restart = crate::sched::current().signals.restart.lock().take();
    match restart {
        Some(restart) => restart(),
        None => Err(Errno::EINTR),
    }
}

/// The internal errno in a frame that comes from a system call that a signal interrupted.
fn interruption(frame: &TrapFrame) -> Option<Errno> {
    if (frame.orig_rax as i64) < 0 {
        return None;
    }
    let errno = Errno(u16::try_from((frame.rax as i64).checked_neg()?).ok()?);
    matches!(
        errno,
        Errno::ERESTARTSYS
            | Errno::ERESTARTNOINTR
            | Errno::ERESTARTNOHAND
            | Errno::ERESTART_RESTARTBLOCK
    )
    .then_some(errno)
}

/// Whether the call in `frame` was ended by a signal, for good or to be restarted.
pub fn is_interrupted(frame: &TrapFrame) -> bool {
    interruption(frame).is_some()
        || ((frame.orig_rax as i64) >= 0 && frame.rax == (-i64::from(Errno::EINTR.0)) as u64)
}

fn again(frame: &mut TrapFrame, call: u64) {
    frame.rax = call;
    frame.rip = frame.rip.wrapping_sub(SYSCALL_BYTES);
}

/// Before a handler with these `SA_*` flags runs: the call is run again after it, or fails with EINTR.
pub fn before_handler(frame: &mut TrapFrame, flags: u64) {
    let Some(errno) = interruption(frame) else {
        return;
    };
    let restarts = match errno {
        Errno::ERESTARTNOINTR => true,
        Errno::ERESTARTSYS => flags & SA_RESTART != 0,
        _ => false,
    };
    if restarts {
        again(frame, frame.orig_rax);
    } else {
        frame.rax = (-i64::from(Errno::EINTR.0)) as u64;
    }
}

/// When no handler runs: the call goes on.
pub fn without_handler(frame: &mut TrapFrame) {
    match interruption(frame) {
        Some(Errno::ERESTART_RESTARTBLOCK) => again(frame, nr::RESTART_SYSCALL as u64),
        Some(_) => again(frame, frame.orig_rax),
        None => {}
    }
}
