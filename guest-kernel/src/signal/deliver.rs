//! Delivery, on the way back to user mode, and faults of the current task.

use super::{
    SigInfo,
    action::{SA_NODEFER, SA_RESETHAND, SIG_DFL, SIG_IGN, SigAction},
    alt_stack, frame,
    info::{SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL},
    numbers::{
        DefaultAction, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGTRAP, bit, default_action,
    },
    restart,
    state::{
        FaultContext, WORK_RESTORE_MASK, WORK_STOP, pending_set, recalculate, restore_mask,
        set_mask, unblock,
    },
    stop,
};
use crate::{SysResult, arch::TrapFrame, sched, task::Task};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use vitrine_abi::layout::USER_CS;

/// Index of RLIMIT_CORE.
const RLIMIT_CORE: usize = 4;
/// In a wait(2) status: dumped core.
const CORE_BIT: u32 = 0x80;

/// On the way back to user mode: takes pending signals: stops, kills, or sets up a handler's frame; restarts or fails an interrupted
/// system call (`frame.orig_rax` is its number, `frame.rax` the negated internal errno `ERESTART*`).
///
/// Callers own nothing that needs dropping: a fatal signal ends the task here.
pub fn deliver(frame: &mut TrapFrame) {
    if let Some(status) = take_signals(frame) {
        crate::task::exit_group(status);
    }
}

/// Handles all deliverable signals; `Some`: the process has to end with this wait(2) status.
fn take_signals(frame: &mut TrapFrame) -> Option<u32> {
    let task = sched::current();
    if !restart::is_interrupted(frame) {
        // The call that set a temporary mask is done: what only that mask let through stays pending.
        restore_mask(&task);
    }
    loop {
        if task.signals.pending.set() & bit(SIGKILL) != 0 {
            return Some(SIGKILL);
        }
        if stop::is_stopped(&task.process) {
            stop::park(&task);
            continue;
        }
        task.signals.clear_work(WORK_STOP);
        let Some(info) = next_signal(&task) else {
            restart::without_handler(frame);
            if task.signals.work.load(Relaxed) & WORK_RESTORE_MASK == 0 {
                break;
            }
            // The old mask may let more through.
            restore_mask(&task);
            continue;
        };
        let action = take_action(&task, info.signo);
        match action.handler {
            SIG_IGN => {}
            SIG_DFL => match default_action(info.signo) {
                DefaultAction::Ignore => {}
                DefaultAction::Stop => stop::stop(&task, info.signo),
                DefaultAction::Terminate => return Some(info.signo),
                DefaultAction::Core => return Some(info.signo | core_bit(&task)),
            },
            _ => run_handler(&task, frame, &info, &action),
        }
    }
    recalculate(&task);
    None
}

/// The core bit of a status: Linux sets it when a core file was allowed, by RLIMIT_CORE.
fn core_bit(task: &Task) -> u32 {
    if task.process.rlimits.lock()[RLIMIT_CORE][0] > 0 {
        CORE_BIT
    } else {
        0
    }
}

fn next_signal(task: &Arc<Task>) -> Option<SigInfo> {
    let deliverable = pending_set(task) & !task.signals.mask();
    if deliverable == 0 {
        return None;
    }
    let mut info = task
        .signals
        .pending
        .take(deliverable)
        .or_else(|| task.process.signals.pending.take(deliverable))?;
    crate::time::posix::signal_taken(&task.process, &mut info);
    crate::trace::signal(task, &info);
    Some(info)
}

/// The action to take, which SA_RESETHAND uses up.
fn take_action(task: &Task, signo: u32) -> SigAction {
    let signals = &task.process.signals;
    let action = signals.action(signo);
    if action.flags & SA_RESETHAND != 0 && action.handler > SIG_IGN {
        signals.set_action(
            signo,
            SigAction {
                handler: SIG_DFL,
                ..action
            },
        );
    }
    action
}

/// Makes `frame` enter the handler. A stack that can't hold its frame costs the process SIGSEGV.
fn run_handler(task: &Arc<Task>, frame: &mut TrapFrame, info: &SigInfo, action: &SigAction) {
    restart::before_handler(frame, action.flags);
    let old_mask = task.signals.lasting_mask();
    if frame::push(task, frame, info, action, old_mask).is_err() {
        force_bad_frame(task, info.signo);
        return;
    }
    alt_stack::disarm(task);
    // The frame has the old mask now; sigreturn brings it back.
    task.signals.clear_work(WORK_RESTORE_MASK);
    let own = if action.flags & SA_NODEFER == 0 {
        bit(info.signo)
    } else {
        0
    };
    set_mask(task, task.signals.mask() | action.mask | own);
}

fn force_bad_frame(task: &Arc<Task>, signo: u32) {
    if signo == SIGSEGV {
        // Its handler can't run: the next one may not either.
        task.process
            .signals
            .set_action(SIGSEGV, SigAction::default());
    }
    force(SigInfo::kernel(SIGSEGV));
}

/// A fault of the current task itself: delivered even if ignored or blocked (then it kills). What the signal frame says of the
/// exception follows from the signal; see [`force_fault`].
pub fn force(info: SigInfo) {
    let (trapno, cr2) = match (info.signo, info.code) {
        (SIGSEGV, SEGV_MAPERR | SEGV_ACCERR) => (14, Some(info.addr)),
        (SIGBUS, 1) => (17, None),
        (SIGBUS, _) => (14, Some(info.addr)),
        (SIGFPE, 1) => (0, None),
        (SIGFPE, _) => (16, None),
        (SIGILL, _) => (6, None),
        (SIGTRAP, SI_KERNEL) => (3, None),
        (SIGTRAP, _) => (1, None),
        _ => return send_forced(&sched::current(), info),
    };
    let task = sched::current();
    let frame = task.thread.frame();
    let error = if (frame.orig_rax as i64) < 0 {
        frame.error
    } else {
        0
    };
    note_fault(&task, trapno, error, cr2);
    send_forced(&task, info);
}

/// As [`force`], with the exception's vector, hardware error code, and address (for a page fault) as the processor gave them.
pub fn force_fault(info: SigInfo, trapno: u64, error: u64, cr2: Option<u64>) {
    let task = sched::current();
    note_fault(&task, trapno, error, cr2);
    send_forced(&task, info);
}

fn note_fault(task: &Task, trapno: u64, error: u64, cr2: Option<u64>) {
    let mut fault = task.signals.fault.lock();
    *fault = FaultContext {
        trapno,
        error,
        cr2: cr2.unwrap_or(fault.cr2),
    };
}

fn send_forced(task: &Arc<Task>, info: SigInfo) {
    let signo = info.signo;
    let blocked = task.signals.mask() & bit(signo) != 0;
    let signals = &task.process.signals;
    if blocked || signals.action(signo).handler == SIG_IGN {
        signals.set_action(signo, SigAction::default());
    }
    if blocked {
        unblock(task, signo);
    }
    super::send_to_task(task, info);
}

/// rt_sigreturn(2): back to where the handler interrupted the program. A frame that can't be read, or points out of the program's memory, is SIGSEGV.
pub fn sigreturn(frame: &mut TrapFrame) -> SysResult {
    let task = sched::current();
    *task.signals.restart.lock() = None;
    match frame::pop(frame) {
        Ok(restored) => {
            set_mask(&task, restored.mask);
            // As Linux: a stack that can't be set is left as it is.
            let _ = alt_stack::set(&task, &restored.stack, frame.rsp);
            if restored.cs | 3 != USER_CS {
                // Linux's IRETQ faults on it; there is no other code selector here.
                force_fault(SigInfo::kernel(SIGSEGV), 13, u64::from(restored.cs), None);
            }
            Ok(frame.rax as usize)
        }
        Err(_) => {
            frame.orig_rax = u64::MAX;
            force(SigInfo::kernel(SIGSEGV));
            Ok(0)
        }
    }
}
