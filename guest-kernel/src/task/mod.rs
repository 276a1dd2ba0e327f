//! Tasks (threads), processes (thread groups), process groups and sessions.
//!
//! - [`table`]: who exists, by id; [`clone`]: how they begin; [`exec`]: what they run; [`exit`] and [`wait`]: how they end.
//! - [`credentials`], [`limits`], [`session`]: what they may do, use, and belong to.
//! - [`init`]: the first process, which is the workload itself.
//!
//! A [`Task`] is what the scheduler runs and lives from clone to exit; a [`Process`] is what a pid names and outlives its last task as
//! a zombie until its parent has waited for it.

pub mod clone;
pub mod credentials;
pub mod exec;
pub mod exit;
pub mod hooks;
pub mod init;
pub mod limits;
pub mod rseq;
pub mod session;
pub mod table;
pub mod usage;
pub mod uts;
pub mod wait;

pub use credentials::Credentials;
pub use exit::exit_group;
pub use table::{process, processes, task};

use crate::{
    arch::Thread,
    fs::{FdTable, FsContext, running::Running},
    mm::space::AddressSpace,
    sched::SchedState,
    signal::{ProcessSignals, TaskSignals},
    sync::{Interruptible, Mutex, WaitQueue},
    time::{ProcessTimers, TaskTimes},
};
use alloc::{
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

/// A thread: what the scheduler runs.
pub struct Task {
    /// Thread id, unique while the task or its zombie exists.
    pub tid: i32,
    /// Its thread group.
    pub process: Arc<Process>,
    /// Kernel stack and processor state.
    pub thread: Thread,
    /// The scheduler's own words.
    pub sched: SchedState,
    /// Address space; `None` once the task has exited.
    pub space: Mutex<Option<Arc<AddressSpace>>>,
    /// Descriptors; `None` once the task has exited.
    pub files: Mutex<Option<Arc<FdTable>>>,
    /// Root, working directory, umask.
    pub fs: Mutex<Arc<FsContext>>,
    /// Signal mask, pending signals, alternate stack.
    pub signals: TaskSignals,
    /// User and group ids, capabilities.
    pub credentials: Mutex<Arc<Credentials>>,
    /// `comm`: NUL-padded.
    pub comm: Mutex<[u8; 16]>,
    /// Where exit stores 0 and wakes a futex (CLONE_CHILD_CLEARTID, set_tid_address); 0: nowhere.
    pub clear_child_tid: AtomicU64,
    /// Head of the robust futex list and its length argument.
    pub robust_list: AtomicU64,
    /// Processor time used.
    pub times: TaskTimes,
    /// Faults, switches, input and output.
    pub counters: usage::Counters,
    /// The system call that it is in, if that is traced.
    pub trace: crate::trace::TaskTrace,
    /// It must end before it sees user mode again: exit_group, a fatal signal, or another thread's execve has decided it.
    pub dying: AtomicBool,
    /// Whom to tell when it lets go of its creator's memory (CLONE_VFORK).
    pub vfork_done: Mutex<Option<Arc<VforkDone>>>,
    /// Signal it gets when the thread that created it ends (PR_SET_PDEATHSIG); 0: none.
    pub parent_death_signal: AtomicI32,
    /// Restartable sequences area, as rseq(2) registered it.
    pub rseq: Mutex<rseq::Registration>,
    /// What is stored of settings that mean nothing with one vCPU and no real-time class.
    pub attributes: Mutex<Attributes>,
}

/// Per-thread settings that programs may read back.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    /// `SCHED_*`.
    pub policy: u32,
    /// Real-time priority, 0…99.
    pub priority: u32,
    /// SCHED_RESET_ON_FORK.
    pub reset_on_fork: bool,
    /// SCHED_DEADLINE: runtime, deadline, period in nanoseconds.
    pub deadline: [u64; 3],
    /// PR_SET_TIMERSLACK, nanoseconds.
    pub timer_slack: u64,
    /// personality(2).
    pub personality: u32,
    /// ioprio_set(2).
    pub io_priority: u32,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            policy: linux_raw_sys::general::SCHED_NORMAL,
            priority: 0,
            reset_on_fork: false,
            deadline: [0; 3],
            timer_slack: 50_000,
            personality: 0,
            io_priority: 0,
        }
    }
}

/// Set once a vfork child has called execve or ended.
#[derive(Default)]
pub struct VforkDone {
    done: AtomicBool,
    queue: WaitQueue,
}

/// A thread group: what a pid names.
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Parent; dead: the process was reparented to pid 1.
    pub parent: Mutex<Weak<Process>>,
    /// Children, zombies included.
    pub children: Mutex<Vec<Arc<Process>>>,
    /// Live threads, the leader first (while it lives).
    pub threads: Mutex<Vec<Arc<Task>>>,
    /// Pending signals and handlers.
    pub signals: ProcessSignals,
    /// Process group id.
    pub pgid: AtomicI32,
    /// Session id.
    pub sid: AtomicI32,
    /// Whether it has the controlling terminal of its session (there is one terminal, the console).
    pub has_tty: AtomicBool,
    /// Resource limits, soft and hard, by RLIMIT number.
    pub rlimits: Mutex<[[u64; 2]; 16]>,
    /// The file that runs.
    pub executable: Mutex<Option<Running>>,
    /// argv and environment as they were at exec, and where they lie in its memory (start and end address of each).
    pub arguments: Mutex<ExecArguments>,
    /// CLOCK_MONOTONIC at its start.
    pub start_ns: u64,
    /// Woken when a child changes state, for wait4 and waitid.
    pub child_event: WaitQueue,
    /// Interval timers, POSIX timers, times of waited-for children.
    pub timers: ProcessTimers,
    /// Job control, and the status that all threads are to end with.
    pub stop: Mutex<StopState>,
    /// Signal its parent gets when it ends; 0: none.
    pub exit_signal: AtomicI32,
    /// The thread of the parent that created it (__WNOTHREAD, PR_SET_PDEATHSIG).
    pub creator_tid: AtomicI32,
    /// What is left of it once its last thread has ended; `None`: it lives.
    pub zombie: Mutex<Option<Zombie>>,
    /// Woken when it becomes a zombie, for pidfds.
    pub exit_event: Arc<WaitQueue>,
    /// Woken when one of its threads has ended, for execve.
    pub thread_event: WaitQueue,
    /// wait(2) status of the leader, if it ended before other threads did.
    pub leader_status: AtomicU32,
    /// Orphaned descendants become its children (PR_SET_CHILD_SUBREAPER).
    pub subreaper: AtomicBool,
    /// PR_SET_DUMPABLE.
    pub dumpable: AtomicU32,
    /// It has called execve since it was forked: its parent may no longer move it to another group.
    pub executed: AtomicBool,
    /// PR_SET_THP_DISABLE.
    pub thp_disabled: AtomicBool,
    /// Highest resident size of the address spaces that it has given up, bytes.
    pub peak_resident: AtomicU64,
    /// /proc/PID/oom_score_adj: −1000 (the OOM killer leaves it alone) to 1000.
    pub oom_score_adj: AtomicI32,
    /// What its ended threads have counted.
    pub ended_counters: usage::Counters,
    /// Used by the children that it has waited for, with theirs.
    pub child_usage: Mutex<usage::Usage>,
}

/// Job-control state of a process, and its decided end.
#[derive(Clone, Copy, Debug, Default)]
pub struct StopState {
    /// The signal that stopped it; `None`: it runs.
    pub stopped_by: Option<u32>,
    /// A stop that wait(2) has not reported yet.
    pub report_stop: bool,
    /// A continue that wait(2) has not reported yet.
    pub report_continue: bool,
    /// The wait(2) status that all threads end with, once exit_group or a fatal signal has decided it.
    pub group_exit: Option<u32>,
}

/// What wait(2) needs of an ended process.
#[derive(Clone, Copy, Debug)]
pub struct Zombie {
    /// wait(2) status.
    pub status: u32,
    /// Real user id.
    pub uid: u32,
    /// `comm` of its last thread.
    pub comm: [u8; 16],
}

/// What execve was given.
#[derive(Clone, Default)]
pub struct ExecArguments {
    /// Argument strings.
    pub argv: Vec<Arc<[u8]>>,
    /// Environment strings.
    pub envp: Vec<Arc<[u8]>>,
    /// argv's strings in the process's memory.
    pub arg_range: (u64, u64),
    /// The environment's strings in the process's memory.
    pub env_range: (u64, u64),
    /// The auxiliary vector, as /proc/PID/auxv shows it.
    pub auxv: Vec<[u64; 2]>,
}

impl Task {
    /// Whether a wait of this kind has to end now because of a signal.
    pub fn interrupted(&self, how: Interruptible) -> bool {
        self.dying.load(Ordering::Relaxed) || crate::signal::interrupts(self, how)
    }

    /// Its address space; `ESRCH` once it has exited.
    pub fn space(&self) -> Result<Arc<AddressSpace>, crate::Errno> {
        self.space.lock().clone().ok_or(crate::Errno::ESRCH)
    }

    /// Its descriptors; `ESRCH` once it has exited.
    pub fn files(&self) -> Result<Arc<FdTable>, crate::Errno> {
        self.files.lock().clone().ok_or(crate::Errno::ESRCH)
    }

    /// Its credentials.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.credentials.lock().clone()
    }

    /// Changes its credentials in one step.
    pub fn change_credentials(&self, change: impl FnOnce(&mut Credentials)) {
        let before = crate::trace::changes::credentials_before(self);
        change(Arc::make_mut(&mut *self.credentials.lock()));
        crate::trace::changes::credentials_changed(self, before);
    }

    /// Whether it is its process's leader: its tid is the pid.
    pub fn is_leader(&self) -> bool {
        self.tid == self.process.pid
    }

    /// Sets `comm`: at most 15 bytes of `name`.
    pub fn set_comm(&self, name: &[u8]) {
        let mut comm = [0; 16];
        for (to, from) in comm.iter_mut().zip(name.iter().take(15)) {
            *to = *from;
        }
        *self.comm.lock() = comm;
    }
}

impl Process {
    /// Its parent as getppid(2) shows it: pid 1 if the real one is gone (it need not know of this child), `None` for pid 1.
    pub fn parent(&self) -> Option<Arc<Process>> {
        let parent = self.parent.lock().upgrade();
        parent.or_else(|| if self.pid == 1 { None } else { process(1) })
    }

    /// Whether all its threads have ended.
    pub fn is_zombie(&self) -> bool {
        self.zombie.lock().is_some()
    }

    /// A thread that stands for it: the leader, or another live one.
    pub fn representative(&self) -> Option<Arc<Task>> {
        self.threads.lock().first().cloned()
    }

    /// Soft limit of an `RLIMIT_*`; `u64::MAX`: none.
    pub fn limit(&self, resource: u32) -> u64 {
        self.rlimits
            .lock()
            .get(resource as usize)
            .map_or(u64::MAX, |limit| limit[0])
    }
}

impl VforkDone {
    /// The child has let go of the memory.
    pub fn complete(&self) {
        self.done.store(true, Ordering::Relaxed);
        self.queue.wake_all();
    }

    /// Waits for [`VforkDone::complete`]; only a deadly signal ends the wait early.
    pub fn wait(&self) {
        let done = || self.done.load(Ordering::Relaxed).then_some(());
        // Killed meanwhile: the caller ends before it touches the shared memory again.
        let _ = crate::sync::wait_until(&[&self.queue], None, Interruptible::Killable, done);
    }
}
