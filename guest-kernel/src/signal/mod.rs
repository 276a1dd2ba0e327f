//! Signals: dispositions, pending sets, delivery on the way back to user mode, sigreturn.

use crate::{
    arch::TrapFrame,
    sync::Interruptible,
    task::{Process, Task},
};
use alloc::sync::Arc;

/// A thread's signal state: mask, pending signals, alternate stack.
#[derive(Default)]
pub struct TaskSignals {}

/// A process's signal state: pending signals and (shared by CLONE_SIGHAND) handlers.
#[derive(Default)]
pub struct ProcessSignals {}

impl TaskSignals {
    /// The state of a new thread: the creator's mask, nothing pending, no alternate stack (kept by fork, dropped by CLONE_VM without CLONE_VFORK).
    pub fn clone_for(&self, _flags: u64) -> TaskSignals {
        TaskSignals {}
    }
}

impl ProcessSignals {
    /// The state of a new process: handlers copied, or shared with CLONE_SIGHAND; reset to default with CLONE_CLEAR_SIGHAND.
    pub fn clone_for(&self, _flags: u64) -> ProcessSignals {
        ProcessSignals {}
    }

    /// execve: caught signals go back to default, ignored ones stay; handlers are unshared.
    pub fn exec(&self) {}
}

/// Who sent a signal and why: `siginfo_t` in the kernel's own form.
#[derive(Clone, Copy, Debug, Default)]
pub struct SigInfo {
    /// Signal number, 1…64.
    pub signo: u32,
    /// `si_code`: `SI_USER`, `SI_KERNEL`, `SEGV_MAPERR`, `CLD_EXITED`, …
    pub code: i32,
    /// `si_errno`.
    pub errno: i32,
    /// Sender's pid (or child's).
    pub pid: i32,
    /// Sender's real uid.
    pub uid: u32,
    /// Fault address, for hardware faults.
    pub addr: u64,
    /// Exit status, for SIGCHLD.
    pub status: i32,
    /// `si_value`, for queued signals and timers.
    pub value: u64,
}

/// Sends to a process: any of its threads that doesn't block it takes it.
pub fn send_to_process(_process: &Arc<Process>, _info: SigInfo) {}

/// Sends to one thread.
pub fn send_to_task(_task: &Arc<Task>, _info: SigInfo) {}

/// A fault of the current task itself: delivered even if ignored or blocked (then it kills).
pub fn force(_info: SigInfo) {}

/// Sends to each process of a group; the number signalled.
pub fn send_to_group(_pgid: i32, _info: SigInfo) -> usize {
    0
}

/// Whether a wait of this kind has to end now because of a signal.
pub fn interrupts(_task: &Task, _how: Interruptible) -> bool {
    false
}

/// Whether `before_user` has something to do for this task: one atomic load.
pub fn has_work(_task: &Task) -> bool {
    false
}

/// On the way back to user mode: takes pending signals: stops, kills, or sets up a handler's frame; restarts or fails an interrupted
/// system call (`frame.orig_rax` is its number, `frame.rax` the negated internal errno `ERESTART*`).
pub fn deliver(_frame: &mut TrapFrame) {}

/// Replaces the current task's signal mask for the rest of this system call: the old one comes back when a handler's frame is set up (it is the
/// mask that the frame saves) or on the way back to user mode. SIGKILL and SIGSTOP cannot be blocked.
pub fn set_temporary_mask(_mask: u64) {}

/// Puts the mask that [`set_temporary_mask`] replaced back now: the wait ended without a signal, and one that only the temporary mask lets
/// through must stay pending.
pub fn end_temporary_mask() {}

/// Takes one pending signal of `mask` (bit signo − 1) from the task's or its process's pending signals, for signalfd and sigtimedwait.
pub fn take_pending(_task: &Task, _mask: u64) -> Option<SigInfo> {
    None
}

/// Signals that are pending for the task or its process, blocked ones included.
pub fn pending_set(_task: &Task) -> u64 {
    0
}

/// Woken when a signal becomes pending for the task or its process.
pub fn arrival_queue(_task: &Task) -> Arc<crate::sync::WaitQueue> {
    Arc::new(crate::sync::WaitQueue::new())
}

/// Whether the task blocks or ignores a signal, so that sending it would do nothing to it.
pub fn blocked_or_ignored(_task: &Task, _signo: u32) -> bool {
    false
}
