//! What processes ask of the other parts of the kernel, in one place: the calls that cross into files, signals, futexes and memory.

use super::{Process, Task};
use crate::{
    Errno,
    fs::{self, FdTable, File, FsContext, events::Observer, notify, tty},
    mm::space::AddressSpace,
    signal::{
        action::{SA_NOCLDWAIT, SIG_IGN},
        numbers::SIGCHLD,
    },
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use vitrine_abi::boot::BootInfo;

/// A descriptor's file for `process`, for CLONE_PIDFD.
pub fn pidfd(process: &Arc<Process>) -> Result<Arc<File>, Errno> {
    Ok(fs::pidfd::create(process.clone(), 0))
}

/// The process that a pidfd refers to, for waitid(P_PIDFD).
pub fn process_of_pidfd(file: &Arc<File>) -> Result<Arc<Process>, Errno> {
    fs::pidfd::process(file).cloned()
}

/// What a parent wants of its children's ends: whether SIGCHLD is ignored, and whether it asks not to be waited for (SA_NOCLDWAIT).
pub fn child_signal_policy(parent: &Process) -> (bool, bool) {
    let action = parent.signals.action(SIGCHLD);
    (action.handler == SIG_IGN, action.flags & SA_NOCLDWAIT != 0)
}

/// A session leader with the controlling terminal has ended: the terminal loses its session, and the foreground group gets SIGHUP and
/// SIGCONT.
pub fn hang_up_terminal(leader: &Process) {
    tty::job::session_leader_exited(leader.sid.load(Ordering::Relaxed));
}

/// The console becomes the controlling terminal of the first session.
pub fn adopt_console(leader: &Process) {
    if let Some(console) = fs::console::terminal() {
        tty::job::attach(
            &console,
            leader.sid.load(Ordering::Relaxed),
            leader.pgid.load(Ordering::Relaxed),
        );
        leader.has_tty.store(true, Ordering::Relaxed);
    }
}

/// The root file system and the first process's working directory.
pub fn file_context(boot: &BootInfo, cwd: &[u8]) -> Result<Arc<FsContext>, Errno> {
    fs::events::observe(Observer {
        active: notify::active,
        emit: notify::emit_with_cookie,
    });
    fs::init(boot, cwd)
}

/// The first process's descriptors 0, 1 and 2.
pub fn standard_files(boot: &BootInfo) -> Result<Arc<FdTable>, Errno> {
    let table = FdTable::new();
    for (fd, file) in (0..).zip(fs::console::standard_files(boot)) {
        if let Some(file) = file {
            table.install_within(file, false, fd, 3)?;
        }
    }
    Ok(table)
}

/// The thread ends, or leaves its memory by execve: robust futexes that it holds are marked, those who wait for its `clear_child_tid` are
/// told, and a vfork parent goes on.
pub fn leave_space(task: &Arc<Task>, space: &Arc<AddressSpace>) {
    if task.robust_list.load(Ordering::Relaxed) != 0 {
        crate::futex::exit_robust_list(task);
        task.robust_list.store(0, Ordering::Relaxed);
    }
    let clear = task.clear_child_tid.swap(0, Ordering::Relaxed);
    // One reference is the task's, one the caller's: with no more, nobody is left to see the store.
    if clear != 0 && Arc::strong_count(space) > 2 {
        let _ = space.write(clear, &0u32.to_ne_bytes());
        crate::futex::wake_address(space, clear, 1);
    }
    if let Some(done) = task.vfork_done.lock().take() {
        done.complete();
    }
}
