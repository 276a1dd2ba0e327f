//! Sending: the one place where signals come into being ([`generate`]), and who of a process's threads takes them.

use super::{
    SigInfo,
    numbers::{SIGCONT, SIGKILL, STOPS, bit},
    state::{WORK_RESTORE_MASK, WORK_SIGNAL, WORK_STOP},
    stop,
};
use crate::{
    Errno, sched,
    sync::Interruptible,
    task::{Process, Task},
};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering::Relaxed;
use vitrine_abi::event::change::sent;

/// Index of RLIMIT_SIGPENDING.
const RLIMIT_SIGPENDING: usize = 11;

/// Sends to a process: any of its threads that doesn't block it takes it.
pub fn send_to_process(process: &Arc<Process>, info: SigInfo) {
    // Only sigqueue and its kin care for a full queue; the signal itself is pending for all others.
    let _ = generate(process, None, info);
}

/// Sends to one thread.
pub fn send_to_task(task: &Arc<Task>, info: SigInfo) {
    let _ = generate(&task.process, Some(task), info);
}

/// Sends to each process of a group; the number signalled.
pub fn send_to_group(pgid: i32, info: SigInfo) -> usize {
    let mut count = 0;
    for process in group(pgid) {
        send_to_process(&process, info);
        count += 1;
    }
    count
}

/// The processes of a group.
pub(crate) fn group(pgid: i32) -> Vec<Arc<Process>> {
    let mut processes = crate::task::processes();
    processes.retain(|process| process.pgid.load(Relaxed) == pgid);
    processes
}

/// What became of a signal that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is pending now.
    Queued,
    /// It was pending before, and signals of this kind don't count.
    Merged,
    /// The receiver ignores it, or is a zombie.
    Ignored,
}

/// Makes a signal pending for a process or one of its threads and sees to it that somebody looks. `EAGAIN`: RLIMIT_SIGPENDING is reached.
pub fn generate(
    process: &Arc<Process>,
    thread: Option<&Arc<Task>>,
    info: SigInfo,
) -> Result<Sent, Errno> {
    let result = make_pending(process, thread, info);
    let outcome = match result {
        Ok(Sent::Queued) => sent::QUEUED,
        Ok(Sent::Merged) => sent::MERGED,
        Ok(Sent::Ignored) => sent::IGNORED,
        Err(_) => sent::REFUSED,
    };
    crate::trace::changes::signal_sent(process, thread.map(|task| &**task), &info, outcome);
    result
}

fn make_pending(
    process: &Arc<Process>,
    thread: Option<&Arc<Task>>,
    info: SigInfo,
) -> Result<Sent, Errno> {
    let signo = info.signo;
    if bit(signo) == 0 || process.threads.lock().is_empty() {
        return Ok(Sent::Ignored);
    }
    act_at_once(process, signo);
    if signo == SIGKILL {
        // A thread that is killed alone ends the process, unless its own process has already decided to go on without it (execve).
        match thread {
            Some(task) => kill_thread(task),
            None => kill_all_threads(process),
        }
        return Ok(Sent::Queued);
    }
    if is_ignored(process, thread, signo) {
        crate::trace::ignored(process, thread.map(|task| &**task), &info);
        return Ok(Sent::Ignored);
    }
    let limit = process.rlimits.lock()[RLIMIT_SIGPENDING][0];
    let pending = thread.map_or(&process.signals.pending, |task| &task.signals.pending);
    if !pending.add(info, limit)? {
        return Ok(Sent::Merged);
    }
    process.signals.arrival.wake_all();
    match thread {
        Some(task) if task.signals.mask() & bit(signo) == 0 => alert(task),
        Some(_) => {}
        None => alert_one(process, None, signo),
    }
    Ok(Sent::Queued)
}

/// What happens when a signal is sent, blocked or ignored or not: stops and SIGCONT undo each other.
fn act_at_once(process: &Arc<Process>, signo: u32) {
    let undone = if signo == SIGCONT {
        STOPS
    } else if bit(signo) & STOPS != 0 {
        bit(SIGCONT)
    } else {
        0
    };
    if undone != 0 {
        process.signals.pending.discard(undone);
        for task in process.threads.lock().iter() {
            task.signals.pending.discard(undone);
        }
    }
    if signo == SIGCONT {
        stop::resume(process);
    }
}

/// Every thread gets SIGKILL, as it may not see user mode again whichever of them ends the process.
fn kill_all_threads(process: &Arc<Process>) {
    process.stop.lock().stopped_by = None;
    let threads = process.threads.lock().clone();
    for task in threads {
        kill_thread(&task);
    }
}

/// Ends one thread's stay in user mode: SIGKILL for it alone.
fn kill_thread(task: &Arc<Task>) {
    task.signals.pending.add_kill();
    alert(task);
}

/// Whether a signal is thrown away: its disposition ignores it, and the receiver doesn't block it (a blocked one is kept, as the disposition may
/// change before it is unblocked).
fn is_ignored(process: &Process, thread: Option<&Arc<Task>>, signo: u32) -> bool {
    if !process.signals.action(signo).ignores(signo) {
        return false;
    }
    let blocked_by =
        |task: &Arc<Task>| (task.signals.mask() | task.signals.lasting_mask()) & bit(signo) != 0;
    match thread {
        Some(task) => !blocked_by(task),
        None => !process.threads.lock().first().is_some_and(blocked_by),
    }
}

/// Tells a task that a signal for it is pending, and ends its wait.
fn alert(task: &Arc<Task>) {
    task.signals.set_work(WORK_SIGNAL);
    sched::wake(task);
}

/// Picks the thread that takes a signal of the process: the leader, else another one that doesn't block it; one that has none to take already is
/// preferred. Of a stopped process no one: all look when it continues.
fn alert_one(process: &Process, except: Option<&Task>, signo: u32) {
    if stop::is_stopped(process) {
        return;
    }
    let chosen = {
        let threads = process.threads.lock();
        let mut takers = threads.iter().filter(|task| {
            task.signals.mask() & bit(signo) == 0
                && !except.is_some_and(|except| core::ptr::eq(except, Arc::as_ptr(task)))
        });
        let first = takers.next();
        let is_free = |task: &&Arc<Task>| task.signals.work.load(Relaxed) & WORK_SIGNAL == 0;
        first
            .filter(is_free)
            .or_else(|| takers.find(is_free))
            .or(first)
            .cloned()
    };
    if let Some(task) = chosen {
        alert(&task);
    }
}

/// `task` has blocked signals, or ends: those of `signals` that are pending for its process need another thread.
pub(super) fn retarget(task: &Task, signals: u64) {
    let mut left = signals & task.process.signals.pending.set();
    while left != 0 {
        let signo = left.trailing_zeros() + 1;
        left &= left - 1;
        alert_one(&task.process, Some(task), signo);
    }
}

/// A thread has ended or is about to: process-wide signals that it was to take go to another one.
pub fn thread_ends(task: &Task) {
    retarget(task, !task.signals.mask());
}

/// Whether a wait of this kind has to end now because of a signal.
pub fn interrupts(task: &Task, how: Interruptible) -> bool {
    let work = task.signals.work.load(Relaxed);
    if work & (WORK_SIGNAL | WORK_STOP) == 0 {
        return false;
    }
    match how {
        Interruptible::Yes => true,
        Interruptible::Killable => must_die(task),
    }
}

/// Whether SIGKILL is pending for the task.
pub fn is_killed(task: &Task) -> bool {
    task.signals.pending.set() & bit(SIGKILL) != 0
}

/// Whether a signal is pending that ends the task before it is back in user mode.
fn must_die(task: &Task) -> bool {
    if is_killed(task) {
        return true;
    }
    if stop::is_stopped(&task.process) {
        return false;
    }
    let mut left = super::state::pending_set(task) & !task.signals.mask();
    while left != 0 {
        let signo = left.trailing_zeros() + 1;
        left &= left - 1;
        if task.process.signals.action(signo).is_fatal(signo) {
            return true;
        }
    }
    false
}

/// Whether `before_user` has something to do for this task: one atomic load.
pub fn has_work(task: &Task) -> bool {
    task.signals.work.load(Relaxed) & (WORK_SIGNAL | WORK_STOP | WORK_RESTORE_MASK) != 0
}
