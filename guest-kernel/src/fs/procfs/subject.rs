//! The process or thread that a directory of /proc describes.

use super::super::pseudo::{self, Context};
use crate::{
    Errno,
    mm::space::AddressSpace,
    sched,
    task::{self, Credentials, Process, Task},
};
use alloc::{sync::Arc, sync::Weak};
use core::sync::atomic::Ordering;
use linux_raw_sys::general::CAP_SYS_PTRACE;

/// A process, or one of its threads.
#[derive(Clone)]
pub struct Subject {
    process: Weak<Process>,
    /// Process id.
    pub pid: i32,
    /// Thread id; of the leader, for a process.
    pub tid: i32,
    /// It describes the one thread rather than the process.
    pub is_thread: bool,
}

/// Inode number of the directory of a process or thread.
pub fn directory_ino(id: i32) -> u64 {
    0x4000_0000 | u64::from(id.unsigned_abs()) << 4
}

impl Subject {
    /// A process.
    pub fn of_process(process: &Arc<Process>) -> Subject {
        Subject {
            process: Arc::downgrade(process),
            pid: process.pid,
            tid: process.pid,
            is_thread: false,
        }
    }

    /// The process with this pid; or that of the thread with this tid, as seen from that thread.
    pub fn by_id(id: i32) -> Option<Subject> {
        if let Some(process) = task::process(id) {
            return Some(Subject::of_process(&process));
        }
        let task = task::task(id)?;
        Some(Subject {
            tid: id,
            ..Subject::of_process(&task.process)
        })
    }

    /// One thread of the process.
    pub fn thread(&self, tid: i32) -> Option<Subject> {
        let process = self.process().ok()?;
        let live = process.threads.lock().iter().any(|t| t.tid == tid);
        // The leader of a process whose other threads live on, or of a zombie, still shows.
        (live || tid == self.pid).then(|| Subject {
            tid,
            is_thread: true,
            ..self.clone()
        })
    }

    /// The process; `ESRCH` once it was waited for.
    pub fn process(&self) -> Result<Arc<Process>, Errno> {
        let process = self.process.upgrade().ok_or(Errno::ESRCH)?;
        match task::process(self.pid) {
            Some(current) if Arc::ptr_eq(&current, &process) => Ok(process),
            _ => Err(Errno::ESRCH),
        }
    }

    /// The thread, or for a process one that stands for it; `ESRCH` if there is none alive.
    pub fn task(&self) -> Result<Arc<Task>, Errno> {
        let process = self.process()?;
        let threads = process.threads.lock();
        let exact = threads.iter().find(|t| t.tid == self.tid);
        let any = if self.is_thread {
            None
        } else {
            threads.first()
        };
        exact.or(any).cloned().ok_or(Errno::ESRCH)
    }

    /// Its address space; `ESRCH` without one.
    pub fn space(&self) -> Result<Arc<AddressSpace>, Errno> {
        self.task()?.space()
    }

    /// Its credentials; of a zombie, those of nobody in particular with its user id.
    pub fn credentials(&self) -> Result<Arc<Credentials>, Errno> {
        match self.task() {
            Ok(task) => Ok(task.credentials()),
            Err(_) => {
                let zombie = *self.process()?.zombie.lock();
                let uid = zombie.map_or(0, |zombie| zombie.uid);
                Ok(Arc::new(Credentials {
                    uid,
                    euid: uid,
                    suid: uid,
                    fsuid: uid,
                    ..Credentials::default()
                }))
            }
        }
    }

    /// Its `comm`, without padding.
    pub fn comm(&self) -> Result<alloc::vec::Vec<u8>, Errno> {
        let comm = match self.task() {
            Ok(task) => *task.comm.lock(),
            Err(_) => self.process()?.zombie.lock().map_or([0; 16], |z| z.comm),
        };
        Ok(comm.iter().copied().take_while(|c| *c != 0).collect())
    }

    /// Whether it belongs to the running task's own process.
    pub fn is_own(&self) -> bool {
        sched::current().process.pid == self.pid
    }

    /// Owner of the directory itself, which shows even if the process may not be dumped.
    pub fn effective_owner(&self) -> (u32, u32) {
        self.credentials().map_or((0, 0), |c| (c.euid, c.egid))
    }
}

impl Context for Subject {
    const DEV: u64 = pseudo::PROC_DEV;
    const MAGIC: u64 = pseudo::PROC_MAGIC;

    fn owner(&self) -> (u32, u32) {
        match self.process() {
            Ok(process) if process.dumpable.load(Ordering::Relaxed) == 1 => self.effective_owner(),
            _ => (0, 0),
        }
    }

    fn alive(&self) -> Result<(), Errno> {
        let process = self.process()?;
        let live = |task: &Arc<Task>| task.tid == self.tid;
        if self.tid == self.pid || process.threads.lock().iter().any(live) {
            Ok(())
        } else {
            Err(Errno::ESRCH)
        }
    }

    fn may_inspect(&self) -> Result<(), Errno> {
        if self.is_own() {
            return Ok(());
        }
        let target = self.credentials()?;
        let caller = sched::current().credentials();
        if caller.cap_effective & 1 << CAP_SYS_PTRACE != 0 {
            return Ok(());
        }
        let same = [target.uid, target.euid, target.suid]
            .iter()
            .all(|uid| *uid == caller.fsuid)
            && [target.gid, target.egid, target.sgid]
                .iter()
                .all(|gid| *gid == caller.fsgid);
        let dumpable = self.process()?.dumpable.load(Ordering::Relaxed) == 1;
        let covered = target.cap_permitted & !caller.cap_permitted == 0;
        if same && dumpable && covered {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    fn number(&self) -> u64 {
        u64::from(self.tid.unsigned_abs()) << 1 | u64::from(self.is_thread)
    }
}
