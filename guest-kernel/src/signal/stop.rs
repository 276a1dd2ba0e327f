//! Job control: stopping and continuing a process with all its threads.
//!
//! A stop is decided by the thread that takes the signal. All others are inside the kernel then (there is one vCPU); they wait here
//! before they are back in user mode, so the process stands still at once and its parent is told at once.

use super::{
    SigInfo, action,
    info::{CLD_CONTINUED, CLD_STOPPED},
    numbers::{SIGCHLD, SIGCONT, SIGSTOP},
    state::WORK_STOP,
};
use crate::{
    sched,
    sync::{Interruptible, wait_until},
    task::{Process, Task, session},
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

/// Whether the process is stopped.
pub fn is_stopped(process: &Process) -> bool {
    process.stop.lock().stopped_by.is_some()
}

/// Stops the current task's process by `signo`, unless it is a terminal's stop signal and nobody could continue the group.
pub(super) fn stop(task: &Arc<Task>, signo: u32) {
    let process = &task.process;
    if signo != SIGSTOP && session::is_orphaned(process.pgid.load(Relaxed), None) {
        return;
    }
    {
        let mut stop = process.stop.lock();
        stop.stopped_by = Some(signo);
        stop.report_stop = true;
        stop.report_continue = false;
    }
    let threads = process.threads.lock().clone();
    for thread in threads {
        thread.signals.set_work(WORK_STOP);
        sched::wake(&thread);
    }
    tell_parent(process, CLD_STOPPED, signo);
}

/// The current task waits until its process continues, or is killed.
pub(super) fn park(task: &Arc<Task>) {
    let process = &task.process;
    let signo = process.stop.lock().stopped_by;
    if let Some(signo) = signo {
        crate::trace::stopped(task, signo);
    }
    let _ = wait_until(
        &[&process.signals.resumed],
        None,
        Interruptible::Killable,
        || (!is_stopped(process)).then_some(()),
    );
}

/// SIGCONT was sent: a stopped process goes on.
pub(super) fn resume(process: &Arc<Process>) {
    {
        let mut stop = process.stop.lock();
        if stop.stopped_by.take().is_none() {
            return;
        }
        stop.report_stop = false;
        stop.report_continue = true;
    }
    process.signals.resumed.wake_all();
    tell_parent(process, CLD_CONTINUED, SIGCONT);
}

/// SIGCHLD to the parent, if it wants to hear of stops; its waiters in any case.
fn tell_parent(process: &Process, code: i32, status: u32) {
    let Some(parent) = process.parent.lock().upgrade() else {
        return;
    };
    let wanted = parent.signals.action(SIGCHLD);
    if wanted.handler != action::SIG_IGN && wanted.flags & action::SA_NOCLDSTOP == 0 {
        let uid = process
            .threads
            .lock()
            .first()
            .map_or(0, |task| task.credentials().uid);
        let (user, system) = crate::time::cpu::process_ticks(process);
        super::send_to_process(
            &parent,
            SigInfo {
                signo: SIGCHLD,
                code,
                pid: process.pid,
                uid,
                status: status as i32,
                utime: user,
                stime: system,
                ..SigInfo::default()
            },
        );
    }
    parent.child_event.wake_all();
}
