//! Process groups and sessions: setpgid(2), setsid(2), and groups that lose their session's attention.

use super::{Process, table};
use crate::{Errno, sched, signal, trace::changes};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use linux_raw_sys::general::{SIGCONT, SIGHUP};

/// `si_code` of signals that the kernel itself sends.
const SI_KERNEL: i32 = 0x80;

/// Moves a process (0: the caller) into group `pgid` (0: its own).
pub fn set_group(pid: i32, pgid: i32) -> Result<(), Errno> {
    let caller = sched::current().process.clone();
    let pid = if pid == 0 { caller.pid } else { pid };
    let pgid = if pgid == 0 { pid } else { pgid };
    if pgid < 0 {
        return Err(Errno::EINVAL);
    }
    let target = match table::process(pid) {
        Some(process) => process,
        // The id of a thread that is not a leader.
        None if table::task(pid).is_some() => return Err(Errno::EINVAL),
        None => return Err(Errno::ESRCH),
    };
    let sid = caller.sid.load(Ordering::Relaxed);
    let is_child = caller
        .children
        .lock()
        .iter()
        .any(|child| Arc::ptr_eq(child, &target));
    if is_child {
        if target.sid.load(Ordering::Relaxed) != sid {
            return Err(Errno::EPERM);
        }
        if target.executed.load(Ordering::Relaxed) {
            return Err(Errno::EACCES);
        }
    } else if !Arc::ptr_eq(&target, &caller) {
        return Err(Errno::ESRCH);
    }
    if is_session_leader(&target) {
        return Err(Errno::EPERM);
    }
    if pgid != pid {
        let same_session = |p: &Arc<Process>| p.sid.load(Ordering::Relaxed) == sid;
        if !table::group(pgid).iter().any(same_session) {
            return Err(Errno::EPERM);
        }
    }
    let old = target.pgid.swap(pgid, Ordering::Relaxed);
    changes::session_changed(&target, old, target.sid.load(Ordering::Relaxed));
    Ok(())
}

/// Makes the caller the leader of a new session without a terminal; its id.
pub fn create() -> Result<i32, Errno> {
    let caller = sched::current().process.clone();
    if is_session_leader(&caller) || !table::group(caller.pid).is_empty() {
        return Err(Errno::EPERM);
    }
    let sid = caller.sid.swap(caller.pid, Ordering::Relaxed);
    let pgid = caller.pgid.swap(caller.pid, Ordering::Relaxed);
    changes::session_changed(&caller, pgid, sid);
    caller.has_tty.store(false, Ordering::Relaxed);
    Ok(caller.pid)
}

/// Whether the process leads its session.
pub fn is_session_leader(process: &Process) -> bool {
    process.sid.load(Ordering::Relaxed) == process.pid
}

/// Whether no member of the group (but `leaving`, which ends) has a parent in another group of the same session: then nobody is there to
/// continue it once it is stopped.
pub fn is_orphaned(pgid: i32, leaving: Option<&Process>) -> bool {
    !table::group(pgid).iter().any(|member| {
        let counts = !leaving.is_some_and(|leaving| core::ptr::eq(&**member, leaving))
            && !member.is_zombie();
        let parent = member.parent.lock().upgrade();
        counts && parent.is_some_and(|parent| connects(&parent, member))
    })
}

/// Whether `parent` keeps the group of `child` attached to their session.
fn connects(parent: &Process, child: &Process) -> bool {
    parent.pgid.load(Ordering::Relaxed) != child.pgid.load(Ordering::Relaxed)
        && parent.sid.load(Ordering::Relaxed) == child.sid.load(Ordering::Relaxed)
}

fn has_stopped_member(pgid: i32) -> bool {
    let stopped = |p: &Arc<Process>| p.stop.lock().stopped_by.is_some() && !p.is_zombie();
    table::group(pgid).iter().any(stopped)
}

/// `leaving` ends, and with it the tie of `parent` to `child`, one of which it is. If `parent` kept the child's group attached, nobody else
/// does, and a member is stopped, the group gets SIGHUP and SIGCONT.
pub fn check_orphaned(parent: &Process, child: &Process, leaving: &Process) {
    let pgid = child.pgid.load(Ordering::Relaxed);
    if connects(parent, child) && is_orphaned(pgid, Some(leaving)) && has_stopped_member(pgid) {
        for signo in [SIGHUP, SIGCONT] {
            let info = signal::SigInfo {
                signo,
                code: SI_KERNEL,
                ..Default::default()
            };
            signal::send_to_group(pgid, info);
        }
    }
}
