//! pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{access, anon, pidfd},
    mm, sched,
    signal::{self, SigInfo},
    task::{self, Process},
};
use alloc::sync::Arc;
use linux_raw_sys::general::{CAP_KILL, CAP_SYS_PTRACE, O_NONBLOCK};
use vitrine_abi::nr;

/// Registers the family.
pub const fn add(table: &mut Table) {
    table.set(nr::PIDFD_OPEN, call!(pidfd_open; 2));
    table.set(nr::PIDFD_SEND_SIGNAL, call!(pidfd_send_signal; 4));
    table.set(nr::PIDFD_GETFD, call!(pidfd_getfd; 3));
}

/// Highest signal number.
const MAX_SIGNAL: u32 = 64;
/// `si_code` of tgkill(2).
const SI_TKILL: i32 = -6;

/// pidfd_open(2). PIDFD_THREAD is refused, as before Linux 6.9.
pub fn pidfd_open(pid: i32, flags: u32) -> SysResult {
    if flags & !O_NONBLOCK != 0 || pid <= 0 {
        return Err(Errno::EINVAL);
    }
    let Some(process) = task::process(pid) else {
        // A thread that doesn't lead its group has no pidfd.
        return Err(if task::task(pid).is_some() {
            Errno::ENOENT
        } else {
            Errno::ESRCH
        });
    };
    anon::install_file(pidfd::create(process, flags), true)
}

/// pidfd_send_signal(2).
pub fn pidfd_send_signal(fd: i32, signo: u32, info: u64, flags: u32) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let file = anon::file(fd)?;
    let process = live(pidfd::process(&file)?)?;
    let me = sched::current();
    let info = if info == 0 {
        SigInfo {
            signo,
            pid: me.process.pid,
            uid: me.credentials().uid,
            ..SigInfo::default()
        }
    } else {
        let info = read_info(info)?;
        if info.signo != signo {
            return Err(Errno::EINVAL);
        }
        // Others may not be told that the kernel sent it.
        if !Arc::ptr_eq(&me.process, process) && (info.code >= 0 || info.code == SI_TKILL) {
            return Err(Errno::EPERM);
        }
        info
    };
    if signo > MAX_SIGNAL {
        return Err(Errno::EINVAL);
    }
    if !may_signal(process) {
        return Err(Errno::EPERM);
    }
    if signo != 0 {
        signal::send_to_process(process, info);
    }
    Ok(0)
}

/// pidfd_getfd(2): a copy of another process's descriptor, for who could trace it.
pub fn pidfd_getfd(pidfd: i32, fd: i32, flags: u32) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let file = anon::file(pidfd)?;
    let process = live(pidfd::process(&file)?)?;
    let leader = process.threads.lock().first().cloned();
    let leader = leader.ok_or(Errno::ESRCH)?;
    let (mine, theirs) = (sched::current().credentials(), leader.credentials());
    let same = [theirs.uid, theirs.euid, theirs.suid]
        .iter()
        .all(|uid| *uid == mine.uid)
        && [theirs.gid, theirs.egid, theirs.sgid]
            .iter()
            .all(|gid| *gid == mine.gid);
    if !same && !access::capable(&mine, CAP_SYS_PTRACE) {
        return Err(Errno::EPERM);
    }
    let wanted = leader.files()?.get(fd)?;
    anon::install_file(wanted, true)
}

/// The process, unless it was waited for: `ESRCH`.
fn live(process: &Arc<Process>) -> Result<&Arc<Process>, Errno> {
    let current = task::process(process.pid).ok_or(Errno::ESRCH)?;
    if Arc::ptr_eq(&current, process) {
        Ok(process)
    } else {
        Err(Errno::ESRCH)
    }
}

/// kill(2)'s rule. A zombie has no credentials left to compare.
fn may_signal(process: &Process) -> bool {
    let mine = sched::current().credentials();
    let theirs = process
        .threads
        .lock()
        .first()
        .map(|task| task.credentials());
    let Some(theirs) = theirs else {
        return true;
    };
    let match_any = |uid: u32| uid == theirs.uid || uid == theirs.suid;
    match_any(mine.uid) || match_any(mine.euid) || access::capable(&mine, CAP_KILL)
}

/// The parts of a `siginfo_t` of a queued signal: signo, errno, code, pid, uid and value.
fn read_info(addr: u64) -> Result<SigInfo, Errno> {
    let words: [u32; 32] = mm::user::read(addr)?;
    Ok(SigInfo {
        signo: words[0],
        errno: words[1] as i32,
        code: words[2] as i32,
        pid: words[4] as i32,
        uid: words[5],
        value: u64::from(words[7]) << 32 | u64::from(words[6]),
        ..SigInfo::default()
    })
}
