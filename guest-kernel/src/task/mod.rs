//! Tasks (threads), processes (thread groups), process groups and sessions.

use crate::{
    arch::Thread,
    fs::{FdTable, FsContext, Location},
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
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64};

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
}

/// A thread group: what a pid names.
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Parent; dead: the process was reparented to pid 1.
    pub parent: Mutex<Weak<Process>>,
    /// Children, zombies included.
    pub children: Mutex<Vec<Arc<Process>>>,
    /// Live threads, the leader first.
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
    pub executable: Mutex<Option<Location>>,
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

/// User and group ids (credentials(7)) and capability sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Real, effective, saved and file-system user id.
    pub uid: u32,
    /// …
    pub euid: u32,
    /// …
    pub suid: u32,
    /// …
    pub fsuid: u32,
    /// Real, effective, saved and file-system group id.
    pub gid: u32,
    /// …
    pub egid: u32,
    /// …
    pub sgid: u32,
    /// …
    pub fsgid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Capability sets: effective, permitted, inheritable, bounding, ambient.
    pub cap_effective: u64,
    /// …
    pub cap_permitted: u64,
    /// …
    pub cap_inheritable: u64,
    /// …
    pub cap_bounding: u64,
    /// …
    pub cap_ambient: u64,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privs: bool,
}

impl Task {
    /// Whether a wait of this kind has to end now because of a signal.
    pub fn interrupted(&self, how: Interruptible) -> bool {
        crate::signal::interrupts(self, how)
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
}

/// The process with this pid, zombies included.
pub fn process(_pid: i32) -> Option<Arc<Process>> {
    None
}

/// The live thread with this tid.
pub fn task(_tid: i32) -> Option<Arc<Task>> {
    None
}

/// All processes by pid, zombies included.
pub fn processes() -> Vec<Arc<Process>> {
    Vec::new()
}

/// Ends the current process with a wait(2) status (by exit_group or a fatal signal): all its threads end.
pub fn exit_group(_status: u32) -> ! {
    crate::sched::exit_current()
}
