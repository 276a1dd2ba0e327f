//! Per-vCPU words, and the running task.
//!
//! The entry code reaches these by absolute address, so there is one set: the kernel runs on one vCPU. A second vCPU gets
//! an entry trampoline and a set of its own; all other code goes through the functions here.

#![allow(non_upper_case_globals)] // the entry code knows these by their names

use crate::{arch::thread::Thread, task::Task};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Top of the running task's kernel stack: where the entry code starts to push.
#[unsafe(no_mangle)]
static cpu_kernel_stack: AtomicU64 = AtomicU64::new(0);
/// The user's RSP between SYSCALL and its push.
#[unsafe(no_mangle)]
static cpu_user_rsp: AtomicU64 = AtomicU64::new(0);
/// 1: an interrupt came while the kernel ran (deprivileged mode); it is taken before the return to user mode.
#[unsafe(no_mangle)]
static cpu_interrupt_noted: AtomicU32 = AtomicU32::new(0);
/// RAX at a page fault, saved by the ring-0 stub.
#[unsafe(no_mangle)]
static cpu_saved_rax: AtomicU64 = AtomicU64::new(0);
/// CR2 at a page fault, saved by the ring-0 stub.
#[unsafe(no_mangle)]
static cpu_saved_cr2: AtomicU64 = AtomicU64::new(0);

/// Where a new thread goes once it has run its entry function: the mode's slow return to user mode.
#[unsafe(no_mangle)]
pub(super) static cpu_return_slow: AtomicU64 = AtomicU64::new(0);

static CURRENT: AtomicPtr<Task> = AtomicPtr::new(core::ptr::null_mut());
static RESCHEDULE: AtomicU32 = AtomicU32::new(0);

/// Address of the faulting access, of the page fault that is being handled (deprivileged mode).
pub(super) fn saved_cr2() -> u64 {
    cpu_saved_cr2.load(Relaxed)
}

/// Number of the current vCPU.
pub fn cpu() -> usize {
    0
}

/// The running task.
pub fn current() -> Arc<Task> {
    with_current(Arc::clone)
}

/// Calls `f` with the running task, without counting a reference: for hot paths.
pub fn with_current<R>(f: impl FnOnce(&Arc<Task>) -> R) -> R {
    let task = CURRENT.load(Relaxed);
    assert!(!task.is_null(), "no task is running yet");
    // SAFETY: the pointer came from `Arc::into_raw` in `set_current`, which took over a reference that lives until
    // this task is switched away from for the last time; code that runs here runs on that task's own stack.
    let task = core::mem::ManuallyDrop::new(unsafe { Arc::from_raw(task) });
    f(&task)
}

/// Whether a task runs yet (not during boot).
pub fn has_current() -> bool {
    !CURRENT.load(Relaxed).is_null()
}

/// Makes `task` the running one (its stack is switched to next); returns the one that ran before.
pub fn set_current(task: Arc<Task>) -> Option<Arc<Task>> {
    let old = CURRENT.swap(Arc::into_raw(task).cast_mut(), Relaxed);
    // SAFETY: a non-null value was made by `Arc::into_raw` just above, and is taken back once.
    (!old.is_null()).then(|| unsafe { Arc::from_raw(old) })
}

/// Points the entry code at the kernel stack of `thread`.
pub(super) fn set_kernel_stack(thread: &Thread) {
    cpu_kernel_stack.store(thread.stack_top(), Relaxed);
}

/// Asks for a look at other tasks before the return to user mode.
pub fn request_reschedule() {
    RESCHEDULE.store(1, Relaxed);
}

/// Takes the request made by [`request_reschedule`].
pub fn take_reschedule() -> bool {
    RESCHEDULE.load(Relaxed) != 0 && RESCHEDULE.swap(0, Relaxed) != 0
}

/// Whether an interrupt was noted in the kernel; taking it is the caller's duty.
pub fn take_interrupt() -> bool {
    cpu_interrupt_noted.load(Relaxed) != 0 && cpu_interrupt_noted.swap(0, Relaxed) != 0
}
