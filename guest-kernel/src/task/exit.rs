//! How tasks and processes end: exit, exit_group, zombies, orphans, and what their relatives are told.
//!
//! Nothing in the functions that don't return may own anything when they end: what is on a dead task's stack is never dropped. Each
//! does its work in a call of its own first.

use super::{Process, Task, Zombie, hooks, session, table, usage};
use crate::{
    hostcall,
    mm::{give_back, space::AddressSpace},
    sched, signal,
    sync::Mutex,
    time, trace,
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use linux_raw_sys::general::{CLD_DUMPED, CLD_EXITED, CLD_KILLED, SIGCHLD, SIGKILL};

/// Ends the current process with a wait(2) status (by exit_group or a fatal signal): all its threads end.
///
/// Callers own nothing that needs dropping.
pub fn exit_group(status: u32) -> ! {
    exit_thread(decide_group_exit(status))
}

/// Ends the current thread; `status` (as of wait(2)) counts if it is the leader or the last.
///
/// Callers own nothing that needs dropping.
pub fn exit_thread(status: u32) -> ! {
    end_task(status);
    sched::exit_current()
}

/// Decides that the current process ends with `status`, unless it was decided before or an execve is replacing this thread; the status that
/// holds.
fn decide_group_exit(status: u32) -> u32 {
    let task = sched::current();
    if task.dying.load(Ordering::Relaxed) {
        return task.process.stop.lock().group_exit.unwrap_or(0);
    }
    let decided = *task.process.stop.lock().group_exit.get_or_insert(status);
    end_other_threads(&task);
    decided
}

/// Tells all other threads of the task's process to end; does not wait for them.
pub fn end_other_threads(task: &Arc<Task>) {
    let threads = task.process.threads.lock().clone();
    for other in threads.iter().filter(|other| !Arc::ptr_eq(other, task)) {
        if !other.dying.swap(true, Ordering::Relaxed) {
            let info = signal::SigInfo {
                signo: SIGKILL,
                code: SI_KERNEL,
                ..Default::default()
            };
            signal::send_to_task(other, info);
            sched::wake(other);
        }
    }
}

/// `si_code` of the kernel's own signals.
const SI_KERNEL: i32 = 0x80;

/// Takes the current thread out of everything. It still runs, on the kernel's stack, until the scheduler ends it.
fn end_task(status: u32) {
    let task = sched::current();
    task.dying.store(true, Ordering::Relaxed);
    signal::thread_ends(&task);
    *task.rseq.lock() = Default::default();
    let is_last = task.process.threads.lock().len() == 1;
    if is_last && task.process.pid == 1 {
        end_everything_else(&task);
    }
    trace::exited(&task, final_status(&task, status, is_last), is_last);
    trace::changes::space_left(&task, None);
    release_memory(&task);
    let files = task.files.lock().take();
    drop(files);
    let process = task.process.clone();
    if task.is_leader() {
        process.leader_status.store(status, Ordering::Relaxed);
    }
    signal_children_of_thread(&task, &process);
    if table::remove_task(&task) {
        end_process(&task, &process, final_status(&task, status, true));
    } else {
        process.thread_event.wake_all();
    }
}

/// What is reported of a task that ends with `status`: of the last one, the status of its process.
fn final_status(task: &Task, status: u32, is_last: bool) -> u32 {
    if !is_last {
        return status;
    }
    let decided = task.process.stop.lock().group_exit;
    decided.unwrap_or_else(|| match task.is_leader() {
        true => status,
        false => task.process.leader_status.load(Ordering::Relaxed),
    })
}

/// The address space that was let go of last. The processor may still run on its page tables; once the next one is let go of (which is the
/// loaded one then), or a living task asks, it no longer does.
static RETIRED: Mutex<Option<Arc<AddressSpace>>> = Mutex::new(None);

/// Lets go of the address space without loading another one's tables first, which the next task does anyway.
fn release_memory(task: &Arc<Task>) {
    let space = task.space.lock().clone();
    if let Some(space) = space {
        usage::note_peak(task);
        hooks::leave_space(task, &space);
        *task.space.lock() = None;
        let earlier = RETIRED.lock().replace(space);
        drop(earlier);
        give_back::consider();
    }
}

/// Frees the address space of the task that ended last. For tasks that run in a space of their own.
pub fn free_retired() {
    let retired = RETIRED.lock().take();
    drop(retired);
    give_back::consider();
}

/// Takes the current thread, which is not the last one, out of everything without a word to anybody: another task goes on in its place.
pub fn abandon(task: &Arc<Task>) {
    task.dying.store(true, Ordering::Relaxed);
    release_memory(task);
    let files = task.files.lock().take();
    drop(files);
    table::remove_task(task);
}

/// Children that asked for it are told that the thread which created them is gone (PR_SET_PDEATHSIG).
fn signal_children_of_thread(task: &Task, process: &Process) {
    let children = process.children.lock().clone();
    let own = children
        .iter()
        .filter(|c| c.creator_tid.load(Ordering::Relaxed) == task.tid);
    for child in own {
        let threads = child.threads.lock().clone();
        for thread in threads {
            let signo = thread.parent_death_signal.load(Ordering::Relaxed);
            if signo > 0 {
                let pid = process.pid;
                let info = signal::SigInfo {
                    signo: signo as u32,
                    pid,
                    ..Default::default()
                };
                signal::send_to_process(child, info);
            }
        }
    }
}

fn end_process(task: &Task, process: &Arc<Process>, status: u32) {
    if process.pid == 1 {
        hostcall::exit(status);
    }
    if session::is_session_leader(process) && process.has_tty.swap(false, Ordering::Relaxed) {
        hooks::hang_up_terminal(process);
    }
    *process.zombie.lock() = Some(Zombie {
        status,
        uid: task.credentials.lock().uid,
        comm: *task.comm.lock(),
    });
    *process.executable.lock() = None;
    *process.arguments.lock() = Default::default();
    give_children_away(process);
    process.exit_event.wake_all();
    let parent = process.parent.lock().upgrade();
    if let Some(parent) = parent {
        session::check_orphaned(&parent, process, process);
    }
    notify_of_end(process, status);
}

/// The first process ends, and with it the VM: all others end by SIGKILL, as in a PID namespace.
fn end_everything_else(first: &Arc<Task>) {
    for task in table::tasks() {
        if Arc::ptr_eq(&task, first) {
            continue;
        }
        let is_last = table::remove_task(&task);
        trace::exited(&task, SIGKILL, is_last);
    }
}

/// The process that takes over the children of `process`: its nearest ancestor that is a subreaper. Without one they have no parent: on a
/// real machine they'd be init's, and pid 1 is the workload, which must not find children that it doesn't know.
fn reaper_of(process: &Process) -> Option<Arc<Process>> {
    let mut ancestor = process.parent.lock().upgrade();
    while let Some(candidate) = ancestor {
        if candidate.subreaper.load(Ordering::Relaxed) && !candidate.is_zombie() {
            return Some(candidate);
        }
        ancestor = candidate.parent.lock().upgrade();
    }
    None
}

fn give_children_away(process: &Arc<Process>) {
    let orphans = core::mem::take(&mut *process.children.lock());
    if orphans.is_empty() {
        return;
    }
    let reaper = reaper_of(process);
    let parent = reaper.as_ref().map(Arc::downgrade).unwrap_or_default();
    let creator = reaper.as_ref().map(|reaper| reaper.representative());
    let creator_tid = creator.flatten().map_or(0, |task| task.tid);
    for orphan in orphans {
        *orphan.parent.lock() = parent.clone();
        orphan.creator_tid.store(creator_tid, Ordering::Relaxed);
        orphan.exit_signal.store(SIGCHLD as i32, Ordering::Relaxed);
        if let Some(reaper) = &reaper {
            reaper.children.lock().push(orphan.clone());
        }
        let ended = orphan.zombie.lock().map(|zombie| zombie.status);
        if let Some(status) = ended {
            notify_of_end(&orphan, status);
        }
        session::check_orphaned(process, &orphan, process);
    }
}

/// Tells the parent that `process` has become a zombie, or forgets it at once if there is none or it doesn't want to know.
fn notify_of_end(process: &Arc<Process>, status: u32) {
    let Some(parent) = process.parent.lock().upgrade() else {
        table::remove_process(process);
        return;
    };
    let parent = &parent;
    let signo = process.exit_signal.load(Ordering::Relaxed);
    let is_sigchld = signo == SIGCHLD as i32;
    let (ignored, no_wait) = if is_sigchld {
        hooks::child_signal_policy(parent)
    } else {
        (false, false)
    };
    if signo > 0 && !ignored {
        signal::send_to_process(parent, child_info(process, signo as u32, status));
    }
    if ignored || no_wait {
        reap(parent, process);
    }
    parent.child_event.wake_all();
}

/// `siginfo_t` of an end with this wait(2) status.
pub fn child_info(process: &Process, signo: u32, status: u32) -> signal::SigInfo {
    let (code, value) = end_code(status);
    let uid = process.zombie.lock().map_or(0, |zombie| zombie.uid);
    let (utime, stime) = time::cpu::process_ticks(process);
    signal::SigInfo {
        signo,
        code,
        pid: process.pid,
        uid,
        status: value,
        utime,
        stime,
        ..Default::default()
    }
}

/// `CLD_*` and exit code or signal of a wait(2) status.
pub fn end_code(status: u32) -> (i32, i32) {
    let signo = status & 0x7f;
    if signo == 0 {
        (CLD_EXITED as i32, (status >> 8 & 0xff) as i32)
    } else if status & 0x80 != 0 {
        (CLD_DUMPED as i32, signo as i32)
    } else {
        (CLD_KILLED as i32, signo as i32)
    }
}

/// Forgets a zombie and adds what it used to its parent's account. False: someone else has already.
pub fn reap(parent: &Process, process: &Arc<Process>) -> bool {
    if !table::remove_process(process) {
        return false;
    }
    parent
        .children
        .lock()
        .retain(|child| !Arc::ptr_eq(child, process));
    let mut used = usage::of_process(process);
    used.add(&process.child_usage.lock());
    parent.child_usage.lock().add(&used);
    true
}
