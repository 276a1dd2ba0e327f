//! Processes: their beginning (fork, clone, execve), their end (exit, wait), and what names them.

use super::Table;
use crate::{
    Errno, SysResult,
    arch::TrapFrame,
    call,
    mm::user,
    sched,
    task::{
        clone,
        exec::{self, Outcome},
        exit, hooks,
        wait::{self, Report, Whom},
    },
};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use linux_raw_sys::general::*;
use vitrine_abi::{
    layout::{PAGE_SIZE, USER_END},
    nr,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::FORK, fork);
    table.set(nr::VFORK, vfork);
    table.set(nr::CLONE, clone_call);
    table.set(nr::CLONE3, clone3);
    table.set(nr::EXECVE, execve);
    table.set(nr::EXECVEAT, execveat);
    table.set(nr::EXIT, exit_call);
    table.set(nr::EXIT_GROUP, exit_group_call);
    table.set(nr::WAIT4, call!(wait4; 4));
    table.set(nr::WAITID, call!(waitid; 5));
    table.set(nr::GETPID, call!(getpid; 0));
    table.set(nr::GETTID, call!(gettid; 0));
    table.set(nr::GETPPID, call!(getppid; 0));
}

/// fork(2).
pub fn fork(frame: &mut TrapFrame) -> SysResult {
    let request = clone::Request {
        exit_signal: SIGCHLD,
        ..Default::default()
    };
    clone::clone(frame, &request)
}

/// vfork(2).
pub fn vfork(frame: &mut TrapFrame) -> SysResult {
    let request = clone::Request {
        flags: (CLONE_VM | CLONE_VFORK) as u64,
        exit_signal: SIGCHLD,
        ..Default::default()
    };
    clone::clone(frame, &request)
}

/// clone(2).
pub fn clone_call(frame: &mut TrapFrame) -> SysResult {
    let [flags, stack, parent_tid, child_tid, tls, _] = frame.args();
    let low = flags as u32;
    // The descriptor is stored where CLONE_PARENT_SETTID stores the tid.
    if low & CLONE_PIDFD != 0 && low & CLONE_PARENT_SETTID != 0 {
        return Err(Errno::EINVAL);
    }
    let request = clone::Request {
        flags: (low & !CSIGNAL) as u64,
        exit_signal: low & CSIGNAL,
        stack,
        tls,
        parent_tid,
        child_tid,
        pidfd: parent_tid,
    };
    clone::clone(frame, &request)
}

/// `struct clone_args`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Reads a structure that may be shorter or longer than the one known here (copy_struct_from_user): what is missing is 0, and what
/// is unknown has to be.
pub(super) fn read_extensible<T: FromBytes + IntoBytes>(
    addr: u64,
    size: usize,
) -> Result<T, Errno> {
    let mut value = T::new_zeroed();
    let known = size_of::<T>();
    user::read_bytes(addr, &mut value.as_mut_bytes()[..size.min(known)])?;
    if size > known {
        let mut rest = Vec::new();
        rest.try_reserve_exact(size - known)
            .map_err(|_| Errno::ENOMEM)?;
        rest.resize(size - known, 0);
        user::read_bytes(
            addr.checked_add(known as u64).ok_or(Errno::EFAULT)?,
            &mut rest,
        )?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(Errno::E2BIG);
        }
    }
    Ok(value)
}

/// clone3(2).
pub fn clone3(frame: &mut TrapFrame) -> SysResult {
    let [addr, size, ..] = frame.args();
    if size > PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    if size < CLONE_ARGS_SIZE_VER0 as u64 {
        return Err(Errno::EINVAL);
    }
    let args: CloneArgs = read_extensible(addr, size as usize)?;
    if args.set_tid_size > 32 || (args.set_tid == 0) != (args.set_tid_size == 0) {
        return Err(Errno::EINVAL);
    }
    let wrong_signal = args.exit_signal & !(CSIGNAL as u64) != 0 || args.exit_signal > 64;
    let allowed = u32::MAX as u64 | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;
    let not_flags = (CLONE_DETACHED | CSIGNAL & !CLONE_NEWTIME) as u64;
    let alone = (CLONE_THREAD | CLONE_PARENT) as u64;
    if wrong_signal
        || args.flags & !allowed != 0
        || args.flags & not_flags != 0
        || args.flags & alone != 0 && args.exit_signal != 0
        || (args.stack == 0) != (args.stack_size == 0)
    {
        return Err(Errno::EINVAL);
    }
    let stack = match args.stack.checked_add(args.stack_size) {
        Some(top) if top <= USER_END => top,
        _ => return Err(Errno::EINVAL),
    };
    if args.set_tid_size != 0 {
        return Err(Errno::EPERM);
    }
    if args.flags & CLONE_INTO_CGROUP != 0 {
        // There is no control group that a descriptor could refer to.
        return Err(Errno::EBADF);
    }
    let request = clone::Request {
        flags: args.flags,
        exit_signal: args.exit_signal as u32,
        stack,
        tls: args.tls,
        parent_tid: args.parent_tid,
        child_tid: args.child_tid,
        pidfd: args.pidfd,
    };
    clone::clone(frame, &request)
}

/// execve(2).
pub fn execve(frame: &mut TrapFrame) -> SysResult {
    let [path, argv, envp, ..] = frame.args();
    finish_exec(run(AT_FDCWD, path, argv, envp, 0, frame))
}

/// execveat(2).
pub fn execveat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, argv, envp, flags, _] = frame.args();
    finish_exec(run(dirfd as i32, path, argv, envp, flags as u32, frame))
}

fn run(
    dirfd: i32,
    path: u64,
    argv: u64,
    envp: u64,
    flags: u32,
    frame: &mut TrapFrame,
) -> Result<Outcome, Errno> {
    let path = user::read_path(path)?;
    let file = exec::find(dirfd, &path, flags)?;
    let mut budget = exec::arguments::Budget::of(&sched::current().process);
    budget.take(file.name.len().saturating_add(1))?;
    let argv = exec::arguments::copy_strings(argv, &mut budget)?;
    let envp = exec::arguments::copy_strings(envp, &mut budget)?;
    exec::execute(file, argv, envp, frame)
}

/// Nothing is owned here: a task that was succeeded by another one ends without a return.
fn finish_exec(outcome: Result<Outcome, Errno>) -> SysResult {
    match outcome {
        Ok(Outcome::Running) => Ok(0),
        Ok(Outcome::Successor) => sched::exit_current(),
        Err(error) => Err(error),
    }
}

/// exit(2).
pub fn exit_call(frame: &mut TrapFrame) -> SysResult {
    exit::exit_thread((frame.rdi as u32 & 0xff) << 8)
}

/// exit_group(2).
pub fn exit_group_call(frame: &mut TrapFrame) -> SysResult {
    exit::exit_group((frame.rdi as u32 & 0xff) << 8)
}

/// wait4(2).
pub fn wait4(pid: i32, status: u64, options: u32, usage: u64) -> SysResult {
    if options & !(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL) != 0 {
        return Err(Errno::EINVAL);
    }
    let whom = match pid {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => Whom::All,
        0 => Whom::Group(own_group()),
        pid if pid < 0 => Whom::Group(-pid),
        pid => Whom::Pid(pid),
    };
    let Some(report) = wait::wait(&whom, options | WEXITED)? else {
        return Ok(0);
    };
    if status != 0 {
        user::write(status, &report.change.status())?;
    }
    if usage != 0 {
        user::write(usage, &report.usage.raw())?;
    }
    Ok(report.pid as usize)
}

fn own_group() -> i32 {
    sched::current().process.pgid.load(Ordering::Relaxed)
}

/// waitid(2).
pub fn waitid(kind: u32, id: i32, info: u64, options: u32, usage: u64) -> SysResult {
    const WHAT: u32 = WEXITED | WSTOPPED | WCONTINUED;
    let known = WHAT | WNOHANG | WNOWAIT | __WNOTHREAD | __WCLONE | __WALL;
    if options & !known != 0 || options & WHAT == 0 {
        return Err(Errno::EINVAL);
    }
    let mut options = options;
    let whom = match kind {
        P_ALL => Whom::All,
        P_PID if id > 0 => Whom::Pid(id),
        P_PGID if id > 0 => Whom::Group(id),
        P_PGID if id == 0 => Whom::Group(own_group()),
        P_PIDFD if id >= 0 => {
            let file = sched::current().files()?.get(id)?;
            if file.flags.load(Ordering::Relaxed) & O_NONBLOCK != 0 {
                options |= WNOHANG;
            }
            Whom::Process(hooks::process_of_pidfd(&file)?)
        }
        _ => return Err(Errno::EINVAL),
    };
    let report = wait::wait(&whom, options)?;
    if let Some(report) = &report
        && usage != 0
    {
        user::write(usage, &report.usage.raw())?;
    }
    if info != 0 {
        write_child_info(info, report.as_ref())?;
    }
    Ok(0)
}

/// The fields of `siginfo_t` that waitid sets: zeros if there is nothing to report.
fn write_child_info(addr: u64, report: Option<&Report>) -> Result<(), Errno> {
    let mut words = [0u32; 7];
    if let Some(report) = report {
        let (code, status) = report.change.code();
        words = [
            SIGCHLD,
            0,
            code as u32,
            0,
            report.pid as u32,
            report.uid,
            status as u32,
        ];
    }
    user::write(addr, &words)
}

/// getpid(2).
pub fn getpid() -> SysResult {
    Ok(sched::current().process.pid as usize)
}

/// gettid(2).
pub fn gettid() -> SysResult {
    Ok(sched::current().tid as usize)
}

/// getppid(2).
pub fn getppid() -> SysResult {
    Ok(sched::current()
        .process
        .parent()
        .map_or(0, |parent| parent.pid as usize))
}
