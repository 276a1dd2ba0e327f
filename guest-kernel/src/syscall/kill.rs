//! System calls that send signals: kill(2), tkill(2), tgkill(2), rt_sigqueueinfo(2), rt_tgsigqueueinfo(2).

use super::{Table, signal::read_info};
use crate::{
    Errno, SysResult, call, sched,
    signal::{
        self, SigInfo,
        info::SI_TKILL,
        numbers::{MAX, SIGCONT},
    },
    task::{self, Process, Task},
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use vitrine_abi::nr;

/// CAP_KILL, as a bit of a capability set.
const CAP_KILL: u64 = 1 << 5;

/// Adds this family's handlers.
pub const fn add(table: &mut Table) {
    table.set(nr::KILL, call!(kill; 2));
    table.set(nr::TKILL, call!(tkill; 2));
    table.set(nr::TGKILL, call!(tgkill; 3));
    table.set(nr::RT_SIGQUEUEINFO, call!(rt_sigqueueinfo; 3));
    table.set(nr::RT_TGSIGQUEUEINFO, call!(rt_tgsigqueueinfo; 4));
}

/// Whether the current task may send `signo` to a process whose thread `target` stands for it (kill(2)).
fn check_permission(process: &Arc<Process>, target: Option<&Arc<Task>>, signo: u32) -> SysResult {
    if signo > MAX {
        return Err(Errno::EINVAL);
    }
    let sender = sched::current();
    let Some(target) = target.filter(|_| !Arc::ptr_eq(process, &sender.process)) else {
        return Ok(0);
    };
    let ours = sender.credentials();
    let theirs = target.credentials();
    let same_user = [theirs.suid, theirs.uid]
        .iter()
        .any(|uid| *uid == ours.euid || *uid == ours.uid);
    let same_session = || process.sid.load(Relaxed) == sender.process.sid.load(Relaxed);
    if same_user || ours.cap_effective & CAP_KILL != 0 || (signo == SIGCONT && same_session()) {
        Ok(0)
    } else {
        Err(Errno::EPERM)
    }
}

/// Sends to a process, if that is allowed; signal 0 only asks. A zombie swallows it.
pub(crate) fn send_to_process(process: &Arc<Process>, info: SigInfo) -> SysResult {
    let target = process.threads.lock().first().cloned();
    check_permission(process, target.as_ref(), info.signo)?;
    if info.signo != 0 {
        signal::generate(process, None, info)?;
    }
    Ok(0)
}

fn send_to_task(task: &Arc<Task>, info: SigInfo) -> SysResult {
    check_permission(&task.process, Some(task), info.signo)?;
    if info.signo != 0 {
        signal::generate(&task.process, Some(task), info)?;
    }
    Ok(0)
}

/// The process that a pid, or the tid of one of its threads, names.
fn process_of(pid: i32) -> Result<Arc<Process>, Errno> {
    task::process(pid)
        .or_else(|| task::task(pid).map(|task| task.process.clone()))
        .ok_or(Errno::ESRCH)
}

/// kill(2).
pub fn kill(pid: i32, signo: u32) -> SysResult {
    let info = SigInfo::user(signo);
    match pid {
        1.. => send_to_process(&process_of(pid)?, info),
        0 => send_to_group(sched::current().process.pgid.load(Relaxed), info),
        -1 => send_to_all(info),
        i32::MIN => Err(Errno::ESRCH),
        _ => send_to_group(-pid, info),
    }
}

/// A group counts as signalled if one of its members could be.
fn send_to_group(pgid: i32, info: SigInfo) -> SysResult {
    let mut result = Err(Errno::ESRCH);
    for process in signal::group(pgid) {
        let sent = send_to_process(&process, info);
        if result.is_err() {
            result = sent;
        }
    }
    result
}

/// kill(-1): all but the sender and the first process.
fn send_to_all(info: SigInfo) -> SysResult {
    let own = sched::current().process.pid;
    let mut result = Err(Errno::ESRCH);
    for process in task::processes() {
        if process.pid == 1 || process.pid == own {
            continue;
        }
        match send_to_process(&process, info) {
            // That some may not be signalled is no error, even if none may.
            Err(Errno::EPERM) if result == Err(Errno::ESRCH) => result = Ok(0),
            Err(Errno::EPERM) => {}
            sent => result = sent,
        }
    }
    result
}

/// `siginfo_t` of tkill(2).
fn thread_info(signo: u32) -> SigInfo {
    SigInfo {
        code: SI_TKILL,
        ..SigInfo::user(signo)
    }
}

/// The thread `tid`, of process `tgid` if that isn't 0.
fn thread(tgid: i32, tid: i32) -> Result<Arc<Task>, Errno> {
    task::task(tid)
        .filter(|task| tgid <= 0 || task.process.pid == tgid)
        .ok_or(Errno::ESRCH)
}

/// tkill(2).
pub fn tkill(tid: i32, signo: u32) -> SysResult {
    if tid <= 0 {
        return Err(Errno::EINVAL);
    }
    send_to_task(&thread(0, tid)?, thread_info(signo))
}

/// tgkill(2).
pub fn tgkill(tgid: i32, tid: i32, signo: u32) -> SysResult {
    if tid <= 0 || tgid <= 0 {
        return Err(Errno::EINVAL);
    }
    send_to_task(&thread(tgid, tid)?, thread_info(signo))
}

/// Programs may not pretend to be the kernel or kill(2), except a thread to itself.
fn check_code(info: &SigInfo, target: i32) -> Result<(), Errno> {
    let is_own = sched::current().tid == target;
    if (info.code >= 0 || info.code == SI_TKILL) && !is_own {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// rt_sigqueueinfo(2).
pub fn rt_sigqueueinfo(pid: i32, signo: u32, info: u64) -> SysResult {
    let info = read_info(signo, info)?;
    check_code(&info, pid)?;
    send_to_process(&process_of(pid)?, info)
}

/// rt_tgsigqueueinfo(2).
pub fn rt_tgsigqueueinfo(tgid: i32, tid: i32, signo: u32, info: u64) -> SysResult {
    let info = read_info(signo, info)?;
    if tid <= 0 || tgid <= 0 {
        return Err(Errno::EINVAL);
    }
    check_code(&info, tid)?;
    send_to_task(&thread(tgid, tid)?, info)
}
