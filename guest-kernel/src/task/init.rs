//! The first process: the workload itself, as pid 1 and leader of session 1, with the console as its terminal. When it ends the VM does.

use super::{Credentials, Process, Task, exec, hooks, limits, table, uts};
use crate::{
    Errno,
    arch::{self, Thread, TrapFrame},
    hostcall, sched, signal,
    sync::{Mutex, WaitQueue},
    time, trace,
};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64};
use linux_raw_sys::general::{AT_FDCWD, SIGCHLD};
use vitrine_abi::boot::BootInfo;

/// Exit status of a program that was not found, and of one that can't be run, as a shell gives them.
const NOT_FOUND: u32 = 127;
const NOT_EXECUTABLE: u32 = 126;

/// Raw status of a process that SIGKILL ended.
const KILLED: u32 = 9;

/// What the first task is to run.
struct Workload {
    program: Vec<u8>,
    argv: Vec<Arc<[u8]>>,
    envp: Vec<Arc<[u8]>>,
}

static WORKLOAD: Mutex<Option<Workload>> = Mutex::new(None);

/// The strings of the boot information, in its order.
struct BootStrings<'a>(&'a [u8]);

impl<'a> BootStrings<'a> {
    fn next(&mut self) -> &'a [u8] {
        let end = self
            .0
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(self.0.len());
        let (string, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        string
    }

    fn take(&mut self, count: u32) -> Vec<Arc<[u8]>> {
        (0..count).map(|_| Arc::from(self.next())).collect()
    }
}

/// Makes the first task and enters it into the table and the scheduler; it runs as soon as the caller lets it.
///
/// `strings` are the bytes of [`BootInfo::strings`]. If the workload can't even be set up, that is logged and the VM ends.
pub fn start_workload(boot: &BootInfo, strings: &[u8]) {
    let mut strings = BootStrings(strings);
    let argv = strings.take(boot.argc);
    let envp = strings.take(boot.envc);
    let cwd = strings.next();
    uts::set_hostname(strings.next());
    let program = strings.next().to_vec();
    table::set_limit(boot.max_tasks);
    match first_task(boot, cwd, &program) {
        Ok(task) => {
            *WORKLOAD.lock() = Some(Workload {
                program,
                argv,
                envp,
            });
            hooks::adopt_console(&task.process);
            table::add(&task);
            limits::watch_processor_time(&task.process);
            sched::start(task);
        }
        Err(error) => give_up(&program, error),
    }
}

fn first_task(boot: &BootInfo, cwd: &[u8], program: &[u8]) -> Result<Arc<Task>, Errno> {
    let pid = table::new_id()?;
    let groups = boot
        .groups
        .get(..boot.group_count as usize)
        .unwrap_or(&boot.groups);
    let process = Arc::new(Process {
        pid,
        parent: Default::default(),
        children: Default::default(),
        threads: Default::default(),
        signals: Default::default(),
        pgid: AtomicI32::new(pid),
        sid: AtomicI32::new(pid),
        has_tty: AtomicBool::new(false),
        rlimits: Mutex::new(boot.rlimits),
        executable: Default::default(),
        arguments: Default::default(),
        start_ns: time::monotonic_ns(),
        child_event: WaitQueue::new(),
        timers: Default::default(),
        stop: Default::default(),
        exit_signal: AtomicI32::new(SIGCHLD as i32),
        creator_tid: AtomicI32::new(0),
        zombie: Default::default(),
        exit_event: Arc::new(WaitQueue::new()),
        thread_event: WaitQueue::new(),
        leader_status: AtomicU32::new(0),
        subreaper: AtomicBool::new(false),
        dumpable: AtomicU32::new(1),
        executed: AtomicBool::new(false),
        thp_disabled: AtomicBool::new(false),
        peak_resident: AtomicU64::new(0),
        oom_score_adj: AtomicI32::new(0),
        ended_counters: Default::default(),
        child_usage: Default::default(),
    });
    let task = Arc::new(Task {
        trace: Default::default(),
        tid: pid,
        process,
        thread: Thread::new(&TrapFrame::default(), run_workload, false)?,
        sched: sched::SchedState::new(boot.nice),
        space: Default::default(),
        files: Mutex::new(Some(hooks::standard_files(boot)?)),
        fs: Mutex::new(hooks::file_context(boot, cwd)?),
        signals: Default::default(),
        credentials: Mutex::new(Arc::new(Credentials::login(boot.uid, boot.gid, groups))),
        comm: Default::default(),
        clear_child_tid: AtomicU64::new(0),
        robust_list: AtomicU64::new(0),
        times: Default::default(),
        counters: Default::default(),
        dying: AtomicBool::new(false),
        vfork_done: Default::default(),
        parent_death_signal: AtomicI32::new(0),
        rseq: Default::default(),
        attributes: Default::default(),
    });
    task.set_comm(
        program
            .rsplit(|byte| *byte == b'/')
            .next()
            .unwrap_or_default(),
    );
    Ok(task)
}

/// Runs first in the first task, on its kernel stack; on return the task goes to user mode.
fn run_workload() {
    let Some(Workload {
        program,
        argv,
        envp,
    }) = WORKLOAD.lock().take()
    else {
        return;
    };
    let start = arch::tsc();
    let given = argv.clone();
    let mut frame = TrapFrame::default();
    let task = sched::current();
    let (watched, program) = trace::FirstExec::begin(&task, program);
    if signal::is_killed(&task) {
        // By a rule, before it ran.
        hostcall::exit(KILLED);
    }
    let run = watched.allows().and_then(|()| {
        let file = exec::find(AT_FDCWD, &program, 0)?;
        exec::execute(file, argv, envp, &mut frame)
    });
    match run {
        Ok(_) => {
            task.thread.set_frame(&frame);
            watched.done(&task, &frame, &program, &given, start);
        }
        Err(error) => give_up(&program, error),
    }
}

fn give_up(program: &[u8], error: Errno) -> ! {
    let status = if error == Errno::ENOENT {
        NOT_FOUND
    } else {
        NOT_EXECUTABLE
    };
    let program = String::from_utf8_lossy(program);
    crate::warn!("cannot run {program}: {}", error.message());
    hostcall::exit(status << 8)
}
