//! Job control: which session a terminal controls, its foreground group, and what background processes may not do.

use super::{Tty, signal_group};
use crate::{
    Errno, sched,
    signal::{self, SigInfo},
    sync::Mutex,
    task::{self, Process, session},
};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;
use linux_raw_sys::general::*;

/// A session that has, or had, a controlling terminal.
struct Session {
    sid: i32,
    tty: Option<Arc<Tty>>,
    /// The foreground group at the time the terminal hung up: told when the session's leader exits.
    old_group: i32,
}

static SESSIONS: Mutex<Vec<Session>> = Mutex::new(Vec::new());

fn sid_of(process: &Process) -> i32 {
    process.sid.load(Ordering::Relaxed)
}

fn pgid_of(process: &Process) -> i32 {
    process.pgid.load(Ordering::Relaxed)
}

/// The controlling terminal of a session.
pub fn terminal_of(sid: i32) -> Option<Arc<Tty>> {
    let sessions = SESSIONS.lock();
    let session = sessions.iter().find(|s| s.sid == sid)?;
    session.tty.clone()
}

/// The controlling terminal of the running process.
pub fn current_terminal() -> Option<Arc<Tty>> {
    terminal_of(sid_of(&sched::current().process))
}

/// `tty_nr` and `tpgid` of a process, for /proc/PID/stat.
pub fn terminal_numbers(process: &Process) -> (u64, i32) {
    match terminal_of(sid_of(process)) {
        Some(tty) => (tty.rdev(), tty.state.lock().foreground),
        None => (0, -1),
    }
}

/// Notes in a session's leader whether there is something to do when it ends.
fn mark_leader(sid: i32, has_tty: bool) {
    if let Some(leader) = task::process(sid) {
        leader.has_tty.store(has_tty, Ordering::Relaxed);
    }
}

/// Makes `tty` the controlling terminal of a session, with `group` in its foreground.
pub fn attach(tty: &Arc<Tty>, sid: i32, group: i32) {
    {
        let mut state = tty.state.lock();
        state.session = sid;
        state.foreground = group;
    }
    {
        let mut sessions = SESSIONS.lock();
        sessions.retain(|s| s.sid != sid);
        sessions.push(Session {
            sid,
            tty: Some(tty.clone()),
            old_group: 0,
        });
    }
    mark_leader(sid, true);
}

/// Takes the controlling terminal from a session; returns it and what its foreground group was.
fn detach(sid: i32) -> Option<(Arc<Tty>, i32)> {
    let tty = {
        let mut sessions = SESSIONS.lock();
        let at = sessions.iter().position(|s| s.sid == sid)?;
        sessions.swap_remove(at).tty?
    };
    let group = {
        let mut state = tty.state.lock();
        state.session = 0;
        core::mem::take(&mut state.foreground)
    };
    mark_leader(sid, false);
    Some((tty, group))
}

/// A session's leader ends: its terminal is free again, and its foreground group gets SIGHUP. The exit code calls this.
pub fn session_leader_exited(sid: i32) {
    let old_group = {
        let mut sessions = SESSIONS.lock();
        let at = sessions
            .iter()
            .position(|s| s.sid == sid && s.tty.is_none());
        at.map(|at| sessions.swap_remove(at).old_group)
    };
    if let Some(group) = old_group {
        signal_group(group, SIGHUP);
        signal_group(group, SIGCONT);
    } else if let Some((_, group)) = detach(sid) {
        signal_group(group, SIGHUP);
    }
}

/// The terminal of session `sid` (0: none) is gone.
pub(super) fn hung_up(tty: &Tty, sid: i32) {
    let group = {
        let mut state = tty.state.lock();
        state.session = 0;
        core::mem::take(&mut state.foreground)
    };
    if sid == 0 {
        return;
    }
    if let Some(session) = SESSIONS.lock().iter_mut().find(|s| s.sid == sid) {
        session.tty = None;
        session.old_group = group;
    }
    if let Some(leader) = task::process(sid) {
        for signo in [SIGHUP, SIGCONT] {
            signal::send_to_process(
                &leader,
                SigInfo {
                    signo,
                    code: SI_KERNEL as i32,
                    ..SigInfo::default()
                },
            );
        }
    }
}

/// Refuses what a background process may not do to its controlling terminal, with `signo` SIGTTIN or SIGTTOU to its group
/// (credits to POSIX, "Terminal access control").
pub fn check_change(tty: &Tty, signo: u32) -> Result<(), Errno> {
    let task = sched::current();
    let group = pgid_of(&task.process);
    {
        let state = tty.state.lock();
        let ours = state.session != 0 && state.session == sid_of(&task.process);
        if !ours || state.foreground == 0 || state.foreground == group {
            return Ok(());
        }
    }
    if signal::blocked_or_ignored(&task, signo) {
        return if signo == SIGTTIN {
            Err(Errno::EIO)
        } else {
            Ok(())
        };
    }
    if session::is_orphaned(group, None) {
        return Err(Errno::EIO);
    }
    signal_group(group, signo);
    Err(Errno::ERESTARTSYS)
}

/// Takes `tty` as the controlling terminal if open(2) does so: the opener leads a session without one.
pub(super) fn attach_on_open(tty: &Arc<Tty>) {
    let process = sched::current().process.clone();
    let sid = sid_of(&process);
    let free = tty.state.lock().session == 0;
    if sid == process.pid && free && terminal_of(sid).is_none() {
        attach(tty, sid, pgid_of(&process));
    }
}

/// TIOCSCTTY. `readable`: the descriptor is; `steal`: the argument was 1.
pub(super) fn set_controlling(tty: &Arc<Tty>, readable: bool, steal: bool) -> Result<(), Errno> {
    let task = sched::current();
    let sid = sid_of(&task.process);
    let leads = sid == task.process.pid;
    let owner = tty.state.lock().session;
    if leads && owner == sid {
        return Ok(());
    }
    if !leads || terminal_of(sid).is_some() {
        return Err(Errno::EPERM);
    }
    let admin = is_admin();
    if owner != 0 {
        if !steal || !admin {
            return Err(Errno::EPERM);
        }
        detach(owner);
    }
    if !readable && !admin {
        return Err(Errno::EPERM);
    }
    attach(tty, sid, pgid_of(&task.process));
    Ok(())
}

/// TIOCNOTTY. Only a leader gives the terminal up for its session.
pub(super) fn give_up(tty: &Tty) -> Result<(), Errno> {
    let process = sched::current().process.clone();
    let sid = sid_of(&process);
    if terminal_of(sid).is_none_or(|ours| !core::ptr::eq(&*ours, tty)) {
        return Err(Errno::ENOTTY);
    }
    if sid == process.pid
        && let Some((_, group)) = detach(sid)
    {
        signal_group(group, SIGHUP);
        signal_group(group, SIGCONT);
    }
    Ok(())
}

/// Whether the running task has CAP_SYS_ADMIN.
pub(super) fn is_admin() -> bool {
    sched::current().credentials().cap_effective & 1 << CAP_SYS_ADMIN != 0
}

/// TIOCGPGRP.
pub fn foreground(tty: &Tty, through_master: bool) -> Result<i32, Errno> {
    require_ours(tty, through_master)?;
    Ok(tty.state.lock().foreground)
}

/// TIOCGSID.
pub fn session(tty: &Tty, through_master: bool) -> Result<i32, Errno> {
    require_ours(tty, through_master)?;
    match tty.state.lock().session {
        0 => Err(Errno::ENOTTY),
        sid => Ok(sid),
    }
}

fn require_ours(tty: &Tty, through_master: bool) -> Result<(), Errno> {
    let ours = current_terminal().is_some_and(|ours| core::ptr::eq(&*ours, tty));
    if ours || through_master {
        Ok(())
    } else {
        Err(Errno::ENOTTY)
    }
}

/// TIOCSPGRP; `pgid` is fetched after the check for background processes, as on Linux.
pub fn set_foreground(tty: &Tty, pgid: impl FnOnce() -> Result<i32, Errno>) -> Result<(), Errno> {
    match check_change(tty, SIGTTOU) {
        Err(Errno::EIO) => return Err(Errno::ENOTTY),
        other => other?,
    }
    let pgid = pgid()?;
    if pgid < 0 {
        return Err(Errno::EINVAL);
    }
    require_ours(tty, false)?;
    let sid = sid_of(&sched::current().process);
    let members = task::table::group(pgid);
    if sid_of(members.first().ok_or(Errno::ESRCH)?) != sid {
        return Err(Errno::EPERM);
    }
    tty.state.lock().foreground = pgid;
    Ok(())
}
