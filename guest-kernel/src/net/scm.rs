//! What travels beside the bytes of a message: credentials and descriptors (SCM_CREDENTIALS, SCM_RIGHTS; unix(7)).

use crate::{
    Errno,
    fs::{File, access},
    sched,
    sync::Mutex,
    task::{self, Credentials},
};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use linux_raw_sys::general::{
    CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, CAP_SYS_RESOURCE, RLIMIT_NOFILE,
};

/// Most descriptors in one message (`SCM_MAX_FD`).
pub const MAX_FILES: usize = 253;
/// Descriptors in flight at most, for those who are exempt from RLIMIT_NOFILE.
const MAX_IN_FLIGHT: usize = 1 << 16;

/// `struct ucred`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ucred {
    /// Process id.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Ucred {
    /// Of a peer that is not there.
    pub const NONE: Ucred = Ucred {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    /// Of a sender that is not known.
    pub const NOBODY: Ucred = Ucred {
        pid: 0,
        uid: 65534,
        gid: 65534,
    };

    /// The current process's real ids, as they go with a message.
    pub fn of_sender() -> Self {
        Self::of(|credentials| (credentials.uid, credentials.gid))
    }

    /// The current process's effective ids, as SO_PEERCRED shows them.
    pub fn of_peer() -> Self {
        Self::of(|credentials| (credentials.euid, credentials.egid))
    }

    fn of(ids: impl FnOnce(&Credentials) -> (u32, u32)) -> Self {
        let task = sched::current();
        let (uid, gid) = ids(&task.credentials());
        Self {
            pid: task.process.pid,
            uid,
            gid,
        }
    }

    /// As three words, in memory's order.
    pub fn words(self) -> [u32; 3] {
        [self.pid as u32, self.uid, self.gid]
    }

    /// Checks what a program says of itself: its own ids, unless it is privileged (`EPERM`); a pid that exists (`ESRCH`).
    pub fn check(self) -> Result<Self, Errno> {
        let task = sched::current();
        let mine = task.credentials();
        let pid = self.pid == task.process.pid || access::capable(&mine, CAP_SYS_ADMIN);
        let uid = [mine.uid, mine.euid, mine.suid].contains(&self.uid)
            || access::capable(&mine, CAP_SETUID);
        let gid = [mine.gid, mine.egid, mine.sgid].contains(&self.gid)
            || access::capable(&mine, CAP_SETGID);
        if !(pid && uid && gid) {
            return Err(Errno::EPERM);
        }
        if self.pid != task.process.pid && task::process(self.pid).is_none() {
            return Err(Errno::ESRCH);
        }
        Ok(self)
    }
}

static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

/// Open files in a message under way.
pub struct Rights(Vec<Arc<File>>);

impl Rights {
    /// Sends `files` on their way; `ETOOMANYREFS` if too many are.
    pub fn new(files: Vec<Arc<File>>) -> Result<Self, Errno> {
        let task = sched::current();
        let credentials = task.credentials();
        let exempt = access::capable(&credentials, CAP_SYS_RESOURCE)
            || access::capable(&credentials, CAP_SYS_ADMIN);
        let limit = if exempt {
            MAX_IN_FLIGHT
        } else {
            let limit = task.process.rlimits.lock()[RLIMIT_NOFILE as usize][0];
            usize::try_from(limit).map_or(MAX_IN_FLIGHT, |limit| limit.min(MAX_IN_FLIGHT))
        };
        if IN_FLIGHT.load(Ordering::Relaxed) > limit {
            dispose(files);
            return Err(Errno::ETOOMANYREFS);
        }
        IN_FLIGHT.fetch_add(files.len(), Ordering::Relaxed);
        Ok(Self(files))
    }

    /// They arrived.
    pub fn take(mut self) -> Vec<Arc<File>> {
        IN_FLIGHT.fetch_sub(self.0.len(), Ordering::Relaxed);
        core::mem::take(&mut self.0)
    }

    /// References of one's own, for MSG_PEEK.
    pub fn copy(&self) -> Vec<Arc<File>> {
        self.0.clone()
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        IN_FLIGHT.fetch_sub(self.0.len(), Ordering::Relaxed);
        dispose(core::mem::take(&mut self.0));
    }
}

static DYING: Mutex<Vec<Arc<File>>> = Mutex::new(Vec::new());
static DISPOSING: AtomicBool = AtomicBool::new(false);

/// Drops files that may be sockets with more files in their queues, and so on: one after the other, not within each
/// other, so that a long chain does not overflow the stack.
pub fn dispose(files: Vec<Arc<File>>) {
    if files.is_empty() {
        return;
    }
    DYING.lock().extend(files);
    if DISPOSING.swap(true, Ordering::Relaxed) {
        return;
    }
    loop {
        let file = DYING.lock().pop();
        match file {
            Some(file) => drop(file),
            None => break,
        }
    }
    DISPOSING.store(false, Ordering::Relaxed);
}
