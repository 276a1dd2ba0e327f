//! The signal state of threads and processes, and the one word that says whether a thread has something to do.

use super::{
    action::{Handlers, SigAction},
    numbers::{UNBLOCKABLE, bit},
    pending::Pending,
    restart::Restart,
};
use crate::{
    sync::{Mutex, WaitQueue},
    task::Task,
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

const CLONE_VM: u64 = 0x100;
const CLONE_SIGHAND: u64 = 0x800;
const CLONE_VFORK: u64 = 0x4000;
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// In [`TaskSignals::work`]: a pending signal is not blocked.
pub(super) const WORK_SIGNAL: u32 = 1;
/// In [`TaskSignals::work`]: the mask is a temporary one; `saved_mask` has the real one.
pub(super) const WORK_RESTORE_MASK: u32 = 2;
/// In [`TaskSignals::work`]: the process is stopped.
pub(super) const WORK_STOP: u32 = 4;

/// An alternate signal stack (sigaltstack(2)).
#[derive(Clone, Copy, Debug, Default)]
pub struct AltStack {
    /// Lowest address.
    pub sp: u64,
    /// Bytes; 0: there is none.
    pub size: u64,
    /// `SS_*` as the program set them.
    pub flags: u32,
}

/// What the processor said of the last fault: `err`, `trapno` and `cr2` in signal frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultContext {
    /// Exception vector.
    pub trapno: u64,
    /// Hardware error code.
    pub error: u64,
    /// Faulting address of the last page fault.
    pub cr2: u64,
}

/// A thread's signal state: mask, pending signals, alternate stack.
#[derive(Default)]
pub struct TaskSignals {
    mask: AtomicU64,
    saved_mask: AtomicU64,
    pub(super) work: AtomicU32,
    pub(super) pending: Pending,
    pub(super) alt_stack: Mutex<AltStack>,
    pub(super) restart: Mutex<Option<Restart>>,
    pub(super) fault: Mutex<FaultContext>,
}

impl TaskSignals {
    /// The state of a new thread: the creator's mask, nothing pending, no alternate stack (kept by fork, dropped by CLONE_VM without CLONE_VFORK).
    pub fn clone_for(&self, flags: u64) -> TaskSignals {
        let alt_stack = if flags & (CLONE_VM | CLONE_VFORK) == CLONE_VM {
            AltStack::default()
        } else {
            *self.alt_stack.lock()
        };
        TaskSignals {
            mask: AtomicU64::new(self.mask()),
            // A process that it joins may have signals pending, or be stopped: it looks before its first instruction.
            work: AtomicU32::new(WORK_SIGNAL),
            alt_stack: Mutex::new(alt_stack),
            ..TaskSignals::default()
        }
    }

    /// The blocked signals.
    pub fn mask(&self) -> u64 {
        self.mask.load(Relaxed)
    }

    /// The mask that holds once a temporary one is gone.
    pub(super) fn lasting_mask(&self) -> u64 {
        if self.work.load(Relaxed) & WORK_RESTORE_MASK != 0 {
            self.saved_mask.load(Relaxed)
        } else {
            self.mask()
        }
    }

    /// Signals pending for this thread alone (`SigPnd` in /proc/PID/status).
    pub fn pending(&self) -> u64 {
        self.pending.set()
    }

    pub(super) fn set_work(&self, bits: u32) {
        self.work.fetch_or(bits, Relaxed);
    }

    pub(super) fn clear_work(&self, bits: u32) {
        self.work.fetch_and(!bits, Relaxed);
    }

    /// The alternate stack is gone, and so is the call that might be restarted: the program was replaced.
    pub(super) fn exec(&self) {
        *self.alt_stack.lock() = AltStack::default();
        *self.restart.lock() = None;
        *self.fault.lock() = FaultContext::default();
    }
}

/// A process's signal state: pending signals and (shared by CLONE_SIGHAND) handlers.
#[derive(Default)]
pub struct ProcessSignals {
    pub(super) pending: Pending,
    handlers: Mutex<Arc<Mutex<Handlers>>>,
    /// Woken when any signal arrives for the process or one of its threads, blocked or not: for signalfd and sigtimedwait.
    pub(super) arrival: Arc<WaitQueue>,
    /// Where stopped threads wait for SIGCONT.
    pub(super) resumed: WaitQueue,
}

impl ProcessSignals {
    /// The state of a new process: handlers copied, or shared with CLONE_SIGHAND; reset to default with CLONE_CLEAR_SIGHAND.
    pub fn clone_for(&self, flags: u64) -> ProcessSignals {
        let handlers = self.table();
        let handlers = if flags & CLONE_SIGHAND != 0 {
            handlers
        } else {
            let mut copy = handlers.lock().clone();
            if flags & CLONE_CLEAR_SIGHAND != 0 {
                copy.reset_caught();
            }
            Arc::new(Mutex::new(copy))
        };
        ProcessSignals {
            handlers: Mutex::new(handlers),
            ..ProcessSignals::default()
        }
    }

    /// execve, called by the task that executes it, once it is the only one: caught signals go back to default, ignored ones stay;
    /// handlers are unshared. The task's alternate stack and the process's POSIX timers go too.
    pub fn exec(&self) {
        let mut handlers = self.table().lock().clone();
        handlers.reset_caught();
        *self.handlers.lock() = Arc::new(Mutex::new(handlers));
        let task = crate::sched::current();
        task.signals.exec();
        task.process.timers.exec();
    }

    /// The disposition of `signo`.
    pub fn action(&self, signo: u32) -> SigAction {
        self.table().lock().get(signo)
    }

    /// Sets the disposition of `signo`; pending signals are the caller's business.
    pub(super) fn set_action(&self, signo: u32, action: SigAction) {
        self.table().lock().set(signo, action);
    }

    /// Signals pending for the whole process (`ShdPnd` in /proc/PID/status).
    pub fn pending(&self) -> u64 {
        self.pending.set()
    }

    /// The sets of ignored and of caught signals (`SigIgn`, `SigCgt`).
    pub fn ignored_and_caught(&self) -> (u64, u64) {
        self.table().lock().ignored_and_caught()
    }

    fn table(&self) -> Arc<Mutex<Handlers>> {
        self.handlers.lock().clone()
    }
}

/// Makes [`WORK_SIGNAL`] true to the pending sets and the mask. Only the task itself clears it: a wait that a signal has ended may
/// not come back to user mode without passing delivery, even when another thread took that signal.
pub(super) fn recalculate(task: &Task) {
    let pending = task.signals.pending.set() | task.process.signals.pending.set();
    if pending & !task.signals.mask() != 0 {
        task.signals.set_work(WORK_SIGNAL);
    } else {
        task.signals.clear_work(WORK_SIGNAL);
    }
}

/// Blocks exactly `mask` (less SIGKILL and SIGSTOP) in the current task. Signals of the process that it no longer takes go to other threads.
pub fn set_mask(task: &Task, mask: u64) {
    let mask = mask & !UNBLOCKABLE;
    let before = task.signals.mask.swap(mask, Relaxed);
    let orphans = task.process.signals.pending.set() & mask & !before;
    if orphans != 0 {
        super::send::retarget(task, orphans);
    }
    recalculate(task);
}

/// Unblocks one signal in the current task.
pub(super) fn unblock(task: &Task, signo: u32) {
    task.signals.mask.fetch_and(!bit(signo), Relaxed);
}

/// Replaces the current task's mask until it is back in user mode: for ppoll, pselect, epoll_pwait, sigsuspend. If the call ends by a signal, the signal's handler still runs under it; otherwise the old mask is back before anything is delivered.
pub fn set_temporary_mask(mask: u64) {
    let task = crate::sched::current();
    let signals = &task.signals;
    if signals.work.load(Relaxed) & WORK_RESTORE_MASK == 0 {
        signals.saved_mask.store(signals.mask(), Relaxed);
        signals.set_work(WORK_RESTORE_MASK);
    }
    set_mask(&task, mask);
}

/// Ends a temporary mask, if there is one.
pub(super) fn restore_mask(task: &Task) {
    let signals = &task.signals;
    if signals.work.load(Relaxed) & WORK_RESTORE_MASK != 0 {
        signals.clear_work(WORK_RESTORE_MASK);
        set_mask(task, signals.saved_mask.load(Relaxed));
    }
}

/// Puts the mask that [`set_temporary_mask`] replaced back now: the wait ended without a signal, and what only the temporary mask lets through
/// stays pending.
pub fn end_temporary_mask() {
    restore_mask(&crate::sched::current());
}

/// Whether the task blocks or ignores a signal, so that sending it would do nothing to it: a terminal asks before SIGTTIN and SIGTTOU.
pub fn blocked_or_ignored(task: &Task, signo: u32) -> bool {
    task.signals.mask() & bit(signo) != 0
        || task.process.signals.action(signo).handler == super::action::SIG_IGN
}

/// Signals pending for a task or its process, blocked or not.
pub fn pending_set(task: &Task) -> u64 {
    task.signals.pending.set() | task.process.signals.pending.set()
}

/// Takes a pending signal out of `mask`, the task's own first: for signalfd and sigtimedwait.
pub fn take_pending(task: &Task, mask: u64) -> Option<super::SigInfo> {
    let mask = mask & !UNBLOCKABLE;
    let mut info = task
        .signals
        .pending
        .take(mask)
        .or_else(|| task.process.signals.pending.take(mask))?;
    crate::time::posix::signal_taken(&task.process, &mut info);
    Some(info)
}

/// Woken when a signal arrives for the task or its process, blocked or not.
pub fn arrival_queue(task: &Task) -> Arc<WaitQueue> {
    task.process.signals.arrival.clone()
}
