//! Rows: processes, threads, scheduling, credentials, limits.
use super::{
    kinds::{ArgKind::*, BY_RESULT, Dir::*, Set as S, StructKind as K},
    rows,
};

rows! {
    CLONE clone(flags: CloneFlags, stack: Pointer, parent_tid: Depends, child_tid: Depends, tls: Depends) -> Pid;
    CLONE3 clone3(cl_args: Struct(K::CloneArgs, InOut), size: Size) -> Pid;
    FORK fork() -> Pid;
    VFORK vfork() -> Pid;
    EXECVE execve(pathname: Path, argv: StrArray, envp: EnvArray) -> Int;
    EXECVEAT execveat(dirfd: AtFd, pathname: Path, argv: StrArray, envp: EnvArray, flags: Flags(S::AtExec)) -> Int;
    EXIT exit(status: Int) -> Never;
    EXIT_GROUP exit_group(status: Int) -> Never;
    WAIT4 wait4(pid: Pid, wstatus: Struct(K::WaitStatus, Out), options: Flags(S::WaitOptions), rusage: Struct(K::Rusage, Out)) -> Pid;
    WAITID waitid(idtype: Enum(S::PidType), id: Pid, infop: Struct(K::SigInfo, Out), options: Flags(S::WaitidOptions), rusage: Struct(K::Rusage, Out)) -> Int;
    GETPID getpid() -> Pid;
    GETPPID getppid() -> Pid;
    GETTID gettid() -> Pid;
    GETPGRP getpgrp() -> Pid;
    GETPGID getpgid(pid: Pid) -> Pid;
    SETPGID setpgid(pid: Pid, pgid: Pid) -> Int;
    GETSID getsid(pid: Pid) -> Pid;
    SETSID setsid() -> Pid;
    SET_TID_ADDRESS set_tid_address(tidptr: Hex) -> Pid;
    SET_ROBUST_LIST set_robust_list(head: Pointer, len: Size) -> Int;
    GET_ROBUST_LIST get_robust_list(pid: Pid, head_ptr: Struct(K::Pointer, Out), len_ptr: Struct(K::Long, Out)) -> Int;
    RSEQ rseq(rseq: Hex, rseq_len: Hex, flags: Hex, sig: Hex) -> Int;
    PRCTL prctl(option: Enum(S::Prctl), arg2: Depends, arg3: Depends, arg4: Depends, arg5: Depends) -> Int;
    ARCH_PRCTL arch_prctl(code: Enum(S::ArchPrctl), addr: Depends) -> Int;
    PTRACE ptrace(request: Enum(S::Ptrace), pid: Depends, addr: Depends, data: Depends) -> Int;
    PERSONALITY personality(persona: Enum(S::Personality)) -> Persona;
    UNSHARE unshare(flags: Flags(S::CloneFlags)) -> Int;
    SETNS setns(fd: Fd, nstype: Flags(S::CloneNew)) -> Int;
    KCMP kcmp(pid1: Pid, pid2: Pid, type: Enum(S::Kcmp), idx1: Depends, idx2: Depends) -> Int;
    SECCOMP seccomp(operation: Enum(S::Seccomp), flags: Depends, args: Depends) -> Int;
    LANDLOCK_CREATE_RULESET landlock_create_ruleset(attr: Struct(K::LandlockRuleset, In), size: Size, flags: Flags(S::LandlockCreate)) -> Fd;
    LANDLOCK_ADD_RULE landlock_add_rule(ruleset_fd: Fd, rule_type: Enum(S::LandlockRule), rule_attr: Depends, flags: Hex32) -> Int;
    LANDLOCK_RESTRICT_SELF landlock_restrict_self(ruleset_fd: Fd, flags: Hex32) -> Int;
    LSM_GET_SELF_ATTR lsm_get_self_attr(attr: Uint, ctx: Pointer, size: Pointer, flags: Hex32) -> Int;
    LSM_SET_SELF_ATTR lsm_set_self_attr(attr: Uint, ctx: Pointer, size: Uint, flags: Hex32) -> Int;
    LSM_LIST_MODULES lsm_list_modules(ids: Pointer, size: Pointer, flags: Hex32) -> Int;

    SCHED_YIELD sched_yield() -> Int;
    SCHED_SETPARAM sched_setparam(pid: Pid, param: Struct(K::SchedParam, In)) -> Int;
    SCHED_GETPARAM sched_getparam(pid: Pid, param: Struct(K::SchedParam, Out)) -> Int;
    SCHED_SETSCHEDULER sched_setscheduler(pid: Pid, policy: Enum(S::SchedPolicy), param: Struct(K::SchedParam, In)) -> Int;
    SCHED_GETSCHEDULER sched_getscheduler(pid: Pid) -> Int;
    SCHED_GET_PRIORITY_MAX sched_get_priority_max(policy: Enum(S::SchedPolicy)) -> Int;
    SCHED_GET_PRIORITY_MIN sched_get_priority_min(policy: Enum(S::SchedPolicy)) -> Int;
    SCHED_RR_GET_INTERVAL sched_rr_get_interval(pid: Pid, tp: Struct(K::Timespec, Out)) -> Int;
    SCHED_SETATTR sched_setattr(pid: Pid, attr: Struct(K::SchedAttr, In), flags: Uint) -> Int;
    SCHED_GETATTR sched_getattr(pid: Pid, attr: Struct(K::SchedAttr, Out), size: Uint, flags: Uint) -> Int;
    SCHED_GETAFFINITY sched_getaffinity(pid: Pid, cpusetsize: Uint, mask: CpuSet(BY_RESULT, Out)) -> Int;
    SCHED_SETAFFINITY sched_setaffinity(pid: Pid, cpusetsize: Uint, mask: CpuSet(1, In)) -> Int;
    GETCPU getcpu(cpu: Struct(K::Int, Out), node: Struct(K::Int, Out), tcache: Pointer) -> Int;
    GETPRIORITY getpriority(which: Enum(S::Priority), who: Pid) -> Int;
    SETPRIORITY setpriority(which: Enum(S::Priority), who: Pid, prio: Int) -> Int;
    IOPRIO_GET ioprio_get(which: Enum(S::IoprioWho), who: Pid) -> Int;
    IOPRIO_SET ioprio_set(which: Enum(S::IoprioWho), who: Pid, ioprio: Ioprio) -> Int;

    GETUID getuid() -> Int;
    GETGID getgid() -> Int;
    GETEUID geteuid() -> Int;
    GETEGID getegid() -> Int;
    SETUID setuid(uid: Uid) -> Int;
    SETGID setgid(gid: Gid) -> Int;
    SETREUID setreuid(ruid: Uid, euid: Uid) -> Int;
    SETREGID setregid(rgid: Gid, egid: Gid) -> Int;
    SETRESUID setresuid(ruid: Uid, euid: Uid, suid: Uid) -> Int;
    SETRESGID setresgid(rgid: Gid, egid: Gid, sgid: Gid) -> Int;
    GETRESUID getresuid(ruid: Struct(K::Id, Out), euid: Struct(K::Id, Out), suid: Struct(K::Id, Out)) -> Int;
    GETRESGID getresgid(rgid: Struct(K::Id, Out), egid: Struct(K::Id, Out), sgid: Struct(K::Id, Out)) -> Int;
    SETFSUID setfsuid(fsuid: Uid) -> Int;
    SETFSGID setfsgid(fsgid: Gid) -> Int;
    GETGROUPS getgroups(size: Int, list: Structs(K::Id, Out, BY_RESULT)) -> Int;
    SETGROUPS setgroups(size: Int, list: Structs(K::Id, In, 0)) -> Int;
    CAPGET capget(hdrp: Struct(K::CapHeader, In), datap: Struct(K::CapData, Out)) -> Int;
    CAPSET capset(hdrp: Struct(K::CapHeader, In), datap: Struct(K::CapData, In)) -> Int;

    GETRLIMIT getrlimit(resource: Enum(S::Rlimit), rlim: Struct(K::Rlimit, Out)) -> Int;
    SETRLIMIT setrlimit(resource: Enum(S::Rlimit), rlim: Struct(K::Rlimit, In)) -> Int;
    PRLIMIT64 prlimit64(pid: Pid, resource: Enum(S::Rlimit), new_limit: Struct(K::Rlimit, In), old_limit: Struct(K::Rlimit, Out)) -> Int;
    GETRUSAGE getrusage(who: Enum(S::RusageWho), usage: Struct(K::Rusage, Out)) -> Int;
    TIMES times(buf: Struct(K::Tms, Out)) -> Int;
}
