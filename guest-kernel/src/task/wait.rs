//! wait4(2) and waitid(2): which children, what to report, and the waiting.

use super::{Process, Task, exit, usage::Usage};
use crate::{
    Errno, sched,
    sync::{Interruptible, wait_until},
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use linux_raw_sys::general::*;

/// Whose changes of state are asked for.
#[derive(Clone)]
pub enum Whom {
    /// Any child.
    All,
    /// The child with this pid.
    Pid(i32),
    /// Children in this process group.
    Group(i32),
    /// This process, if it is a child (P_PIDFD).
    Process(Arc<Process>),
}

/// What happened to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It ended, with this wait(2) status.
    Ended(u32),
    /// It was stopped by this signal.
    Stopped(u32),
    /// It was continued.
    Continued,
}

/// A change that is reported to the caller.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The child.
    pub pid: i32,
    /// Its real user id.
    pub uid: u32,
    /// What happened.
    pub change: Change,
    /// What the child has used.
    pub usage: Usage,
}

impl Change {
    /// As wait(2) encodes it.
    pub fn status(self) -> u32 {
        match self {
            Change::Ended(status) => status,
            Change::Stopped(signo) => signo << 8 | 0x7f,
            Change::Continued => 0xffff,
        }
    }

    /// `si_code` and `si_status`.
    pub fn code(self) -> (i32, i32) {
        match self {
            Change::Ended(status) => exit::end_code(status),
            Change::Stopped(signo) => (CLD_STOPPED as i32, signo as i32),
            Change::Continued => (CLD_CONTINUED as i32, SIGCONT as i32),
        }
    }
}

/// Waits for a change that `options` (`WEXITED`, `WSTOPPED`, `WCONTINUED`, `WNOHANG`, `WNOWAIT`, `__W*`) asks for. `None`: none yet, with
/// WNOHANG. `ECHILD`: there is no such child.
pub fn wait(whom: &Whom, options: u32) -> Result<Option<Report>, Errno> {
    let task = sched::current();
    let look = || look_once(&task, whom, options);
    if options & WNOHANG != 0 {
        return match look() {
            Some(found) => found.map(Some),
            None => Ok(None),
        };
    }
    match wait_until(&[&task.process.child_event], None, Interruptible::Yes, look) {
        Ok(found) => found.map(Some),
        Err(_) => Err(Errno::ERESTARTSYS),
    }
}

/// A change to report, or that there never will be one; `None`: wait.
fn look_once(task: &Task, whom: &Whom, options: u32) -> Option<Result<Report, Errno>> {
    let process = &task.process;
    let children = process.children.lock().clone();
    let mut any = false;
    for child in children
        .iter()
        .filter(|child| is_meant(task, child, whom, options))
    {
        any = true;
        if let Some(report) = take_change(process, child, options) {
            return Some(Ok(report));
        }
    }
    if any { None } else { Some(Err(Errno::ECHILD)) }
}

fn is_meant(task: &Task, child: &Arc<Process>, whom: &Whom, options: u32) -> bool {
    let by_id = match whom {
        Whom::All => true,
        Whom::Pid(pid) => child.pid == *pid,
        Whom::Group(pgid) => child.pgid.load(Ordering::Relaxed) == *pgid,
        Whom::Process(process) => Arc::ptr_eq(process, child),
    };
    let is_clone = child.exit_signal.load(Ordering::Relaxed) != SIGCHLD as i32;
    let by_kind = options & __WALL != 0 || is_clone == (options & __WCLONE != 0);
    let own = options & __WNOTHREAD == 0 || child.creator_tid.load(Ordering::Relaxed) == task.tid;
    by_id && by_kind && own
}

fn take_change(parent: &Process, child: &Arc<Process>, options: u32) -> Option<Report> {
    let keep = options & WNOWAIT != 0;
    let ended = *child.zombie.lock();
    let (change, uid) = if let Some(zombie) = ended {
        if options & WEXITED == 0 {
            return None;
        }
        (Change::Ended(zombie.status), zombie.uid)
    } else {
        let change = take_stop_change(child, options, keep)?;
        let uid = child
            .representative()
            .map_or(0, |task| task.credentials.lock().uid);
        (change, uid)
    };
    let mut usage = super::usage::of_process(child);
    usage.add(&child.child_usage.lock());
    if ended.is_some() && !keep {
        // It runs in a space of its own here, so the dead child's is not the loaded one.
        exit::free_retired();
        if !exit::reap(parent, child) {
            return None;
        }
    }
    Some(Report {
        pid: child.pid,
        uid,
        change,
        usage,
    })
}

fn take_stop_change(child: &Process, options: u32, keep: bool) -> Option<Change> {
    let mut stop = child.stop.lock();
    if options & WSTOPPED != 0
        && stop.report_stop
        && let Some(signo) = stop.stopped_by
    {
        stop.report_stop = keep;
        return Some(Change::Stopped(signo));
    }
    if options & WCONTINUED != 0 && stop.report_continue {
        stop.report_continue = keep;
        return Some(Change::Continued);
    }
    None
}
