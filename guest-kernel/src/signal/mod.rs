//! Signals: dispositions, pending sets, delivery on the way back to user mode, sigreturn.
//!
//! - [`numbers`], [`info`], [`action`]: the words: signals and sets, `siginfo_t`, dispositions.
//! - [`pending`], [`state`]: what threads and processes hold.
//! - [`send`]: where signals come into being; [`deliver`]: where they take effect; [`stop`]: job control.
//! - [`frame`], [`alt_stack`], [`restart`]: what a handler finds, and what becomes of the call that it interrupted.
//!
//! The system calls are in `syscall/signal.rs`.

pub mod action;
pub mod alt_stack;
mod deliver;
mod frame;
pub mod info;
pub mod numbers;
mod pending;
mod restart;
mod send;
mod state;
mod stop;

pub use deliver::{deliver, force, force_fault, sigreturn};
pub use frame::min_stack_size;
pub use info::SigInfo;
pub use restart::{restart_with, resume};
pub(crate) use send::group;
pub use send::{
    Sent, generate, has_work, interrupts, is_killed, send_to_group, send_to_process, send_to_task,
    thread_ends,
};
pub use state::{
    ProcessSignals, TaskSignals, arrival_queue, blocked_or_ignored, end_temporary_mask,
    pending_set, set_mask, set_temporary_mask, take_pending,
};

/// Throws away pending signals of a process and its threads that its dispositions now ignore.
pub fn discard_ignored(process: &crate::task::Process, signo: u32) {
    let set = numbers::bit(signo);
    process.signals.pending.discard(set);
    for task in process.threads.lock().iter() {
        task.signals.pending.discard(set);
    }
}

/// Changes what the current process does on `signo`; pending signals that it now ignores are gone.
pub fn set_action(process: &crate::task::Process, signo: u32, action: action::SigAction) {
    process.signals.set_action(signo, action);
    if action.ignores(signo) {
        discard_ignored(process, signo);
    }
}

/// Sets up the alternate stack of a task, and gives the old one as sigaltstack(2) does; `sp` is the user's stack pointer.
pub fn alternate_stack(
    task: &crate::task::Task,
    new: Option<&alt_stack::RawStack>,
    sp: u64,
) -> Result<alt_stack::RawStack, crate::Errno> {
    let old = alt_stack::RawStack::reported(&task.signals.alt_stack.lock(), sp);
    if let Some(new) = new {
        alt_stack::set(task, new, sp)?;
    }
    Ok(old)
}
