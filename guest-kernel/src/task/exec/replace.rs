//! The second half of execve: the other threads end, and the new program takes the old one's place.

use super::Image;
use crate::{
    Errno,
    arch::{self, Thread, TrapFrame},
    fs::running::Running,
    mm, sched,
    sync::{Interruptible, Mutex, wait_until},
    task::{Task, exit, hooks, table, usage},
    trace::{self, changes},
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use linux_raw_sys::general::SIGCHLD;
use vitrine_abi::layout::{USER_CS, USER_SS};

/// How an execve that succeeded goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In this task: its frame starts the new program.
    Running,
    /// In a new task, which has the process's id as its own; this one, which was not the leader, has to end by
    /// [`sched::exit_current`], owning nothing.
    Successor,
}

/// Flags register of a new program: interrupts on.
const INITIAL_FLAGS: u64 = 0x202;

/// Makes `image` what the current process runs.
pub fn replace(
    image: Image,
    executable: Option<Running>,
    comm: &[u8],
    frame: &mut TrapFrame,
) -> Result<Outcome, Errno> {
    let task = sched::current();
    let start = TrapFrame {
        rip: image.entry,
        rsp: image.stack,
        cs: USER_CS as u64,
        ss: USER_SS as u64,
        rflags: INITIAL_FLAGS,
        orig_rax: frame.orig_rax,
        ..TrapFrame::default()
    };
    // Whatever can fail comes first.
    let new_thread = match task.is_leader() {
        true => None,
        false => Some(Thread::new(&start, || {}, false)?),
    };
    end_other_threads(&task)?;
    unshare_files(&task)?;
    change_process(&task, &image, executable);
    task.set_comm(comm);
    if let Some(thread) = new_thread {
        let successor = successor(&task, thread, image.space);
        report(&task, &successor);
        let space = successor.space.lock().clone();
        changes::space_left(&successor, space.as_deref());
        leave_to(&task, successor);
        return Ok(Outcome::Successor);
    }
    report(&task, &task);
    changes::space_left(&task, Some(&image.space));
    enter_space(&task, image.space);
    task.thread.set_fs_base(0);
    task.thread.set_gs_base(0);
    *frame = start;
    arch::reset_extended_state(frame);
    Ok(Outcome::Running)
}

/// Ends all other threads and waits until they have.
fn end_other_threads(task: &Arc<Task>) -> Result<(), Errno> {
    let process = &task.process;
    if process.stop.lock().group_exit.is_some() || task.dying.load(Ordering::Relaxed) {
        return Err(Errno::EAGAIN);
    }
    exit::end_other_threads(task);
    let alone = || (process.threads.lock().len() == 1).then_some(());
    wait_until(
        &[&process.thread_event],
        None,
        Interruptible::Killable,
        alone,
    )
    .map_err(|_| Errno::EAGAIN)
}

fn unshare_files(task: &Task) -> Result<(), Errno> {
    let files = task.files()?;
    // One reference is the task's, one is here.
    let files = if Arc::strong_count(&files) > 2 {
        let own = files.fork()?;
        *task.files.lock() = Some(own.clone());
        own
    } else {
        files
    };
    files.close_on_exec();
    Ok(())
}

fn change_process(task: &Task, image: &Image, executable: Option<Running>) {
    let process = &task.process;
    process.signals.exec();
    *process.executable.lock() = executable;
    *process.arguments.lock() = image.arguments.clone();
    process.executed.store(true, Ordering::Relaxed);
    process.exit_signal.store(SIGCHLD as i32, Ordering::Relaxed);
    process
        .dumpable
        .store(!image.secure as u32, Ordering::Relaxed);
    if image.secure {
        task.parent_death_signal.store(0, Ordering::Relaxed);
    }
    let before = changes::credentials_before(task);
    *task.credentials.lock() = Arc::new(image.credentials.clone());
    changes::credentials_changed(task, before);
    *task.rseq.lock() = Default::default();
}

/// Tells those who watch what runs now, in `task`, because `caller` called execve.
fn report(caller: &Task, task: &Task) {
    let process = &task.process;
    let executable = process.executable.lock().clone();
    let file = executable
        .as_ref()
        .and_then(|file| file.inode.metadata().ok())
        .unwrap_or_default();
    let original = executable.as_ref().is_some_and(Running::is_original);
    let path = executable.map_or_else(|| Arc::from(&b""[..]), |file| file.path.clone());
    let cwd = task.fs.lock().cwd.lock().path.clone();
    let program = trace::Program {
        path: &path,
        arguments: &process.arguments.lock(),
        cwd: &cwd,
        file,
        original,
    };
    trace::exec(caller, task, &program);
}

/// Swaps the task's address space for the new one, which is active from then on.
fn enter_space(task: &Arc<Task>, new: Arc<mm::space::AddressSpace>) {
    let old = task.space.lock().clone();
    if let Some(old) = &old {
        usage::note_peak(task);
        hooks::leave_space(task, old);
    }
    mm::space::activate(&new);
    let replaced = task.space.lock().replace(new);
    drop((old, replaced));
    exit::free_retired();
}

/// A task with the leader's id that starts the new program, with everything that the current task keeps across an execve.
fn successor(task: &Arc<Task>, thread: Thread, space: Arc<mm::space::AddressSpace>) -> Arc<Task> {
    thread.set_fs_base(0);
    thread.set_gs_base(0);
    Arc::new(Task {
        trace: crate::trace::TaskTrace::default(),
        tid: task.process.pid,
        process: task.process.clone(),
        thread,
        sched: sched::SchedState::new(task.sched.nice.load(Ordering::Relaxed)),
        space: Mutex::new(Some(space)),
        files: Mutex::new(task.files.lock().clone()),
        fs: Mutex::new(task.fs.lock().clone()),
        signals: task.signals.clone_for(0),
        credentials: Mutex::new(task.credentials()),
        comm: Mutex::new(*task.comm.lock()),
        clear_child_tid: AtomicU64::new(0),
        robust_list: AtomicU64::new(0),
        times: Default::default(),
        counters: Default::default(),
        dying: AtomicBool::new(false),
        vfork_done: Mutex::new(None),
        parent_death_signal: AtomicI32::new(task.parent_death_signal.load(Ordering::Relaxed)),
        rseq: Default::default(),
        attributes: Mutex::new(*task.attributes.lock()),
    })
}

/// The current task hands the process over. It is out of everything afterwards and only has to end.
fn leave_to(task: &Arc<Task>, successor: Arc<Task>) {
    table::add(&successor);
    exit::abandon(task);
    sched::start(successor);
}
