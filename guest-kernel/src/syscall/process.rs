//! Processes: their beginning (fork, clone, execve), their end (exit, wait), and what names them.

use super::Table;
use crate::{
    Errno, SysResult,
    arch::{self, TrapFrame},
    call,
    mm::user,
    sched,
    task::{
        self, clone,
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
    table.set(nr::SET_TID_ADDRESS, call!(set_tid_address; 1));
    table.set(nr::ARCH_PRCTL, call!(arch_prctl; 2));
    table.set(nr::SET_ROBUST_LIST, call!(set_robust_list; 2));
    table.set(nr::GET_ROBUST_LIST, call!(get_robust_list; 3));
    table.set(nr::RSEQ, call!(rseq; 4));
    table.set(nr::UNSHARE, call!(unshare; 1));
    table.set(nr::SETNS, call!(setns; 2));
    table.set(nr::KCMP, call!(kcmp; 5));
    table.set(nr::PTRACE, call!(ptrace; 0));
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

/// set_tid_address(2).
pub fn set_tid_address(addr: u64) -> SysResult {
    let task = sched::current();
    task.clear_child_tid.store(addr, Ordering::Relaxed);
    Ok(task.tid as usize)
}

/// arch_prctl(2): segment bases and extended state. Shadow stacks, tagging and CPUID faulting aren't offered: `EINVAL`, or `ENODEV` as Linux says it for CPUID.
pub fn arch_prctl(code: u32, addr: u64) -> SysResult {
    const SET_GS: u32 = 0x1001;
    const SET_FS: u32 = 0x1002;
    const GET_FS: u32 = 0x1003;
    const GET_GS: u32 = 0x1004;
    const GET_CPUID: u32 = 0x1011;
    const SET_CPUID: u32 = 0x1012;
    const GET_EXTENDED: u32 = 0x1021;
    const GET_EXTENDED_PERMITTED: u32 = 0x1022;
    let task = sched::current();
    let thread = &task.thread;
    match code {
        SET_GS | SET_FS if addr >= USER_END => return Err(Errno::EPERM),
        SET_GS => thread.set_gs_base(addr),
        SET_FS => thread.set_fs_base(addr),
        GET_FS => user::write(addr, &thread.fs_base())?,
        GET_GS => user::write(addr, &thread.gs_base())?,
        GET_EXTENDED | GET_EXTENDED_PERMITTED => user::write(addr, &arch::xcr0())?,
        GET_CPUID => return Ok(1),
        SET_CPUID => return Err(Errno::ENODEV),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// Length of `struct robust_list_head`.
const ROBUST_HEAD: u64 = 24;

/// set_robust_list(2).
pub fn set_robust_list(head: u64, len: u64) -> SysResult {
    if len != ROBUST_HEAD {
        return Err(Errno::EINVAL);
    }
    sched::current().robust_list.store(head, Ordering::Relaxed);
    Ok(0)
}

/// get_robust_list(2).
pub fn get_robust_list(tid: i32, head: u64, len: u64) -> SysResult {
    let caller = sched::current();
    let task = match tid {
        0 => caller.clone(),
        _ => task::task(tid).ok_or(Errno::ESRCH)?,
    };
    let mine = caller.credentials();
    if task.process.pid != caller.process.pid
        && !mine.capable(CAP_SYS_PTRACE)
        && !mine.same_user(&task.credentials())
    {
        return Err(Errno::EPERM);
    }
    user::write(len, &ROBUST_HEAD)?;
    user::write(head, &task.robust_list.load(Ordering::Relaxed))?;
    Ok(0)
}

/// rseq(2).
pub fn rseq(area: u64, len: u32, flags: u32, signature: u32) -> SysResult {
    const UNREGISTER: u32 = 1;
    const ORIGINAL_SIZE: u32 = 32;
    let task = sched::current();
    let asked = task::rseq::Registration {
        area,
        len,
        signature,
    };
    let registered = *task.rseq.lock();
    if flags & UNREGISTER != 0 {
        if flags != UNREGISTER || registered.area != area || area == 0 {
            return Err(Errno::EINVAL);
        }
        if len != registered.len {
            return Err(Errno::EINVAL);
        }
        if signature != registered.signature {
            return Err(Errno::EPERM);
        }
        // cpu_id_start 0, cpu_id "uninitialised", node and concurrency id 0.
        user::write(area, &[0u32, u32::MAX])?;
        user::write(area + 20, &[0u32; 2])?;
        *task.rseq.lock() = Default::default();
        return Ok(0);
    }
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    if registered.area != 0 {
        return match registered {
            same if same == asked => Err(Errno::EBUSY),
            other if other.signature != signature => Err(Errno::EPERM),
            _ => Err(Errno::EINVAL),
        };
    }
    if len < ORIGINAL_SIZE || area % task::rseq::ALIGN != 0 {
        return Err(Errno::EINVAL);
    }
    if area
        .checked_add(len as u64)
        .is_none_or(|end| end > USER_END)
    {
        return Err(Errno::EFAULT);
    }
    // CPU 0, no critical section, node 0, concurrency id 0: there is one vCPU, so that they never change.
    user::write(area, &[0u32; 4])?;
    user::write(area + 20, &[0u32; 2])?;
    *task.rseq.lock() = asked;
    Ok(0)
}

/// unshare(2): descriptors and file-system context; there are no namespaces.
pub fn unshare(flags: u64) -> SysResult {
    let known = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    let spaces = CLONE_NEWNS
        | CLONE_NEWUTS
        | CLONE_NEWIPC
        | CLONE_NEWNET
        | CLONE_NEWUSER
        | CLONE_NEWPID
        | CLONE_NEWCGROUP
        | CLONE_NEWTIME;
    if flags & !((known | spaces) as u64) != 0 {
        return Err(Errno::EINVAL);
    }
    let flags = flags as u32;
    let task = sched::current();
    let alone = task.process.threads.lock().len() == 1;
    let with_threads = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWUSER | CLONE_NEWPID;
    if flags & with_threads != 0 && !alone {
        return Err(Errno::EINVAL);
    }
    if flags & spaces != 0 {
        return Err(Errno::EPERM);
    }
    if flags & CLONE_FS != 0 {
        let own = task.fs.lock().fork();
        *task.fs.lock() = own;
    }
    if flags & CLONE_FILES != 0 {
        let own = task.files()?.fork();
        *task.files.lock() = Some(own);
    }
    Ok(0)
}

/// setns(2): there are no namespaces that a descriptor could refer to.
pub fn setns(fd: i32, _kind: u32) -> SysResult {
    sched::current().files()?.get(fd)?;
    Err(Errno::EINVAL)
}

/// ptrace(2): not offered; who watches does so from outside.
pub fn ptrace() -> SysResult {
    Err(Errno::EPERM)
}

/// kcmp(2).
pub fn kcmp(pid1: i32, pid2: i32, kind: u32, index1: u64, index2: u64) -> SysResult {
    use alloc::sync::Arc;
    let one = task::task(pid1).ok_or(Errno::ESRCH)?;
    let two = task::task(pid2).ok_or(Errno::ESRCH)?;
    let mine = sched::current().credentials();
    let allowed =
        |other: &task::Task| mine.capable(CAP_SYS_PTRACE) || mine.same_user(&other.credentials());
    if !allowed(&one) || !allowed(&two) {
        return Err(Errno::EPERM);
    }
    let address = |index: u64, task: &task::Task| -> Result<usize, Errno> {
        Ok(match kind {
            0 => {
                let fd = i32::try_from(index).map_err(|_| Errno::EBADF)?;
                Arc::as_ptr(&task.files()?.get(fd)?) as usize
            }
            1 => Arc::as_ptr(&task.space()?) as usize,
            2 => Arc::as_ptr(&task.files()?) as usize,
            3 => Arc::as_ptr(&*task.fs.lock()) as usize,
            // Handlers, I/O contexts and semaphore undo lists belong to the process here.
            4..=6 => Arc::as_ptr(&task.process) as usize,
            7 => return Err(Errno::EOPNOTSUPP),
            _ => return Err(Errno::EINVAL),
        })
    };
    let (first, second) = (address(index1, &one)?, address(index2, &two)?);
    Ok(match first.cmp(&second) {
        core::cmp::Ordering::Equal => 0,
        core::cmp::Ordering::Less => 1,
        core::cmp::Ordering::Greater => 2,
    })
}
