//! How tasks begin: fork, vfork, clone and clone3.

use super::{Attributes, Process, Task, VforkDone, hooks, limits, table};
use crate::{
    Errno, SysResult,
    arch::{Thread, TrapFrame},
    mm::user,
    sched,
    sync::{Interruptible, Mutex, WaitQueue},
    time, trace,
};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use linux_raw_sys::general::*;
use vitrine_abi::layout::USER_END;

/// What a caller of the clone family asks for, whichever call it was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// `CLONE_*`, without the exit signal.
    pub flags: u64,
    /// Signal for the parent when the child ends; 0: none.
    pub exit_signal: u32,
    /// The child's stack pointer; 0: the parent's.
    pub stack: u64,
    /// CLONE_SETTLS: thread pointer.
    pub tls: u64,
    /// CLONE_PARENT_SETTID: where the child's tid is stored in the parent's memory.
    pub parent_tid: u64,
    /// CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID: where in the child's memory.
    pub child_tid: u64,
    /// CLONE_PIDFD: where the descriptor's number is stored.
    pub pidfd: u64,
}

const NAMESPACES: u64 = (CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET) as u64
    | CLONE_NEWTIME as u64;

impl Request {
    fn has(&self, flag: u32) -> bool {
        self.flags & flag as u64 != 0
    }

    /// Linux's rules about which flags go together.
    fn check(&self, caller: &Process) -> Result<(), Errno> {
        let wrong = self.has(CLONE_FS) && (self.has(CLONE_NEWNS) || self.has(CLONE_NEWUSER))
            || self.has(CLONE_THREAD) && !self.has(CLONE_SIGHAND)
            || self.has(CLONE_SIGHAND) && !self.has(CLONE_VM)
            || self.has(CLONE_PARENT) && caller.pid == 1
            || self.has(CLONE_THREAD) && (self.has(CLONE_NEWUSER) || self.has(CLONE_NEWPID))
            || self.has(CLONE_PIDFD) && self.has(CLONE_DETACHED)
            || self.flags & CLONE_CLEAR_SIGHAND != 0 && self.has(CLONE_SIGHAND)
            || self.has(CLONE_PIDFD) && self.has(CLONE_THREAD);
        if wrong {
            Err(Errno::EINVAL)
        } else if self.flags & NAMESPACES != 0 || self.has(CLONE_SETTLS) && self.tls >= USER_END {
            Err(Errno::EPERM)
        } else {
            Ok(())
        }
    }
}

/// Makes a new task as `request` says; its id. The child goes to user mode with a copy of `frame` and 0 as its result.
pub fn clone(frame: &TrapFrame, request: &Request) -> SysResult {
    let caller = sched::current();
    let process = &caller.process;
    request.check(process)?;
    if caller.interrupted(Interruptible::Yes) {
        return Err(Errno::ERESTARTNOINTR);
    }
    limits::check_task_count(process, &caller.credentials())?;
    let tid = table::new_id()?;

    let mut child_frame = *frame;
    crate::trace::own_arguments(&mut child_frame);
    child_frame.rax = 0;
    if request.stack != 0 {
        child_frame.rsp = request.stack;
    }
    let thread = Thread::new(&child_frame, nothing_first, true)?;
    thread.set_fs_base(match request.has(CLONE_SETTLS) {
        true => request.tls,
        false => caller.thread.fs_base(),
    });
    thread.set_gs_base(caller.thread.gs_base());

    let space = caller.space()?;
    let child_space = if request.has(CLONE_VM) {
        space
    } else {
        space.fork()?
    };
    let files = caller.files()?;
    let child_files = if request.has(CLONE_FILES) {
        files.clone()
    } else {
        files.fork()?
    };
    let fs = caller.fs.lock().clone();
    let child_fs = if request.has(CLONE_FS) { fs } else { fs.fork() };

    let child_process = if request.has(CLONE_THREAD) {
        process.clone()
    } else {
        new_process(&caller, tid, request)
    };
    let vfork_done = request
        .has(CLONE_VFORK)
        .then(|| Arc::new(VforkDone::default()));
    let clear = if request.has(CLONE_CHILD_CLEARTID) {
        request.child_tid
    } else {
        0
    };
    let rseq = if request.has(CLONE_VM) {
        Default::default()
    } else {
        *caller.rseq.lock()
    };
    let child = Arc::new(Task {
        trace: crate::trace::TaskTrace::default(),
        tid,
        process: child_process.clone(),
        thread,
        sched: child_sched(&caller),
        space: Mutex::new(Some(child_space.clone())),
        files: Mutex::new(Some(child_files)),
        fs: Mutex::new(child_fs),
        signals: caller.signals.clone_for(request.flags),
        credentials: Mutex::new(caller.credentials()),
        comm: Mutex::new(*caller.comm.lock()),
        clear_child_tid: AtomicU64::new(clear),
        robust_list: AtomicU64::new(0),
        times: Default::default(),
        counters: Default::default(),
        dying: AtomicBool::new(false),
        vfork_done: Mutex::new(vfork_done.clone()),
        parent_death_signal: AtomicI32::new(0),
        rseq: Mutex::new(rseq),
        attributes: Mutex::new(child_attributes(&caller)),
    });

    if request.has(CLONE_PIDFD) {
        let file = hooks::pidfd(&child_process)?;
        let fd = files.install(file, true, 0)?;
        if let Err(error) = user::write(request.pidfd, &fd) {
            let _ = files.close(fd);
            return Err(error);
        }
    }
    // Linux ignores failures of these two stores as well.
    if request.has(CLONE_PARENT_SETTID) {
        let _ = user::write(request.parent_tid, &tid);
    }
    if request.has(CLONE_CHILD_SETTID) {
        let _ = child_space.write(request.child_tid, &tid.to_ne_bytes());
    }
    if !request.has(CLONE_THREAD) {
        adopt(&caller, &child_process, request.has(CLONE_PARENT));
        limits::watch_processor_time(&child_process);
    }
    table::add(&child);
    trace::process_forked(&caller, &child, request.flags);
    sched::start(child);
    if let Some(done) = vfork_done {
        done.wait();
    }
    Ok(tid as usize)
}

/// A new thread starts in user mode at once.
fn nothing_first() {}

fn child_sched(caller: &Task) -> sched::SchedState {
    let reset = caller.attributes.lock().reset_on_fork;
    let nice = caller.sched.nice.load(Ordering::Relaxed);
    sched::SchedState::new(if reset { nice.max(0) } else { nice })
}

fn child_attributes(caller: &Task) -> Attributes {
    let mut attributes = *caller.attributes.lock();
    if attributes.reset_on_fork {
        if [SCHED_FIFO, SCHED_RR, SCHED_DEADLINE].contains(&attributes.policy) {
            attributes.policy = SCHED_NORMAL;
            attributes.priority = 0;
        }
        attributes.reset_on_fork = false;
    }
    attributes
}

fn new_process(caller: &Task, pid: i32, request: &Request) -> Arc<Process> {
    let parent = &caller.process;
    let shares_exit_signal = request.has(CLONE_PARENT);
    let exit_signal = match shares_exit_signal {
        true => parent.exit_signal.load(Ordering::Relaxed),
        false => request.exit_signal as i32,
    };
    Arc::new(Process {
        pid,
        parent: Mutex::new(Arc::downgrade(parent)),
        children: Mutex::new(Vec::new()),
        threads: Mutex::new(Vec::new()),
        signals: parent.signals.clone_for(request.flags),
        pgid: AtomicI32::new(parent.pgid.load(Ordering::Relaxed)),
        sid: AtomicI32::new(parent.sid.load(Ordering::Relaxed)),
        has_tty: AtomicBool::new(parent.has_tty.load(Ordering::Relaxed)),
        rlimits: Mutex::new(*parent.rlimits.lock()),
        executable: Mutex::new(parent.executable.lock().clone()),
        arguments: Mutex::new(parent.arguments.lock().clone()),
        start_ns: time::monotonic_ns(),
        child_event: WaitQueue::new(),
        timers: Default::default(),
        stop: Default::default(),
        exit_signal: AtomicI32::new(exit_signal),
        creator_tid: AtomicI32::new(caller.tid),
        zombie: Mutex::new(None),
        exit_event: Arc::new(WaitQueue::new()),
        thread_event: WaitQueue::new(),
        leader_status: AtomicU32::new(0),
        subreaper: AtomicBool::new(false),
        dumpable: AtomicU32::new(parent.dumpable.load(Ordering::Relaxed)),
        executed: AtomicBool::new(false),
        thp_disabled: AtomicBool::new(parent.thp_disabled.load(Ordering::Relaxed)),
        peak_resident: AtomicU64::new(0),
        oom_score_adj: AtomicI32::new(parent.oom_score_adj.load(Ordering::Relaxed)),
        ended_counters: Default::default(),
        child_usage: Default::default(),
    })
}

/// Hangs a new process into the tree: under the caller, or (CLONE_PARENT) beside it.
fn adopt(caller: &Task, child: &Arc<Process>, beside: bool) {
    let parent = if beside {
        let creator = caller.process.creator_tid.load(Ordering::Relaxed);
        child.creator_tid.store(creator, Ordering::Relaxed);
        let parent = caller.process.parent.lock().clone();
        *child.parent.lock() = parent.clone();
        parent.upgrade()
    } else {
        Some(caller.process.clone())
    };
    if let Some(parent) = parent {
        parent.children.lock().push(child.clone());
    }
}
