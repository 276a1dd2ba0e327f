//! Names of flags and constants: processes, scheduling, limits.
//! Values are the kernel's (`include/uapi`); the order is the one in which strace prints them.

use super::Names;

/// arch_prctl, argument 0.
pub(super) const ARCH_PRCTL: Names = Names {
    field: u64::MAX,
    values: &[
        (0x1001, "ARCH_SET_GS"),
        (0x1002, "ARCH_SET_FS"),
        (0x1003, "ARCH_GET_FS"),
        (0x1004, "ARCH_GET_GS"),
        (0x1011, "ARCH_GET_CPUID"),
        (0x1012, "ARCH_SET_CPUID"),
        (0x1021, "ARCH_GET_XCOMP_SUPP"),
        (0x1022, "ARCH_GET_XCOMP_PERM"),
        (0x1023, "ARCH_REQ_XCOMP_PERM"),
        (0x1024, "ARCH_GET_XCOMP_GUEST_PERM"),
        (0x1025, "ARCH_REQ_XCOMP_GUEST_PERM"),
        (0x2001, "ARCH_MAP_VDSO_X32"),
        (0x2002, "ARCH_MAP_VDSO_32"),
        (0x2003, "ARCH_MAP_VDSO_64"),
    ],
    bits: &[],
    unknown: "ARCH_???",
    zero: "0",
    unknown_bits: "",
};

/// execveat, argument 4.
pub(super) const AT_EXEC: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x100, "AT_SYMLINK_NOFOLLOW"),
        (0x200, "AT_REMOVEDIR"),
        (0x400, "AT_SYMLINK_FOLLOW"),
        (0x800, "AT_NO_AUTOMOUNT"),
        (0x1000, "AT_EMPTY_PATH"),
        (0x8000, "AT_RECURSIVE"),
    ],
    unknown: "AT_???",
    zero: "0",
    unknown_bits: "",
};

/// unshare, argument 0.
pub(super) const CLONE_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x80, "CLONE_NEWTIME"),
        (0x100, "CLONE_VM"),
        (0x200, "CLONE_FS"),
        (0x400, "CLONE_FILES"),
        (0x800, "CLONE_SIGHAND"),
        (0x10000, "CLONE_THREAD"),
        (0x20000, "CLONE_NEWNS"),
        (0x40000, "CLONE_SYSVSEM"),
        (0x2000000, "CLONE_NEWCGROUP"),
        (0x4000000, "CLONE_NEWUTS"),
        (0x8000000, "CLONE_NEWIPC"),
        (0x10000000, "CLONE_NEWUSER"),
        (0x20000000, "CLONE_NEWPID"),
        (0x40000000, "CLONE_NEWNET"),
    ],
    unknown: "CLONE_???",
    zero: "0",
    unknown_bits: "",
};

/// setns, argument 1.
pub(super) const CLONE_NEW: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x80, "CLONE_NEWTIME"),
        (0x20000, "CLONE_NEWNS"),
        (0x2000000, "CLONE_NEWCGROUP"),
        (0x4000000, "CLONE_NEWUTS"),
        (0x8000000, "CLONE_NEWIPC"),
        (0x10000000, "CLONE_NEWUSER"),
        (0x20000000, "CLONE_NEWPID"),
        (0x40000000, "CLONE_NEWNET"),
    ],
    unknown: "CLONE_NEW???",
    zero: "0",
    unknown_bits: "",
};

/// ioprio_get, argument 0.
pub(super) const IOPRIO_WHO: Names = Names {
    field: u64::MAX,
    values: &[
        (0x1, "IOPRIO_WHO_PROCESS"),
        (0x2, "IOPRIO_WHO_PGRP"),
        (0x3, "IOPRIO_WHO_USER"),
    ],
    bits: &[],
    unknown: "IOPRIO_WHO_???",
    zero: "0",
    unknown_bits: "",
};

/// kcmp, argument 2.
pub(super) const KCMP: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "KCMP_FILE"),
        (0x1, "KCMP_VM"),
        (0x2, "KCMP_FILES"),
        (0x3, "KCMP_FS"),
        (0x4, "KCMP_SIGHAND"),
        (0x5, "KCMP_IO"),
        (0x6, "KCMP_SYSVSEM"),
        (0x7, "KCMP_EPOLL_TFD"),
    ],
    bits: &[],
    unknown: "KCMP_???",
    zero: "0",
    unknown_bits: "",
};

/// landlock_create_ruleset, argument 2.
pub(super) const LANDLOCK_CREATE: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x1, "LANDLOCK_CREATE_RULESET_VERSION")],
    unknown: "LANDLOCK_CREATE_RULESET_???",
    zero: "0",
    unknown_bits: "",
};

/// landlock_add_rule, argument 1.
pub(super) const LANDLOCK_RULE: Names = Names {
    field: u64::MAX,
    values: &[(0x1, "LANDLOCK_RULE_PATH_BENEATH")],
    bits: &[],
    unknown: "LANDLOCK_RULE_???",
    zero: "0",
    unknown_bits: "",
};

/// personality, argument 0.
pub(super) const PERSONALITY: Names = Names {
    field: 0xff,
    values: &[
        (0x0, "PER_LINUX"),
        (0x6, "PER_BSD"),
        (0x8, "PER_LINUX32"),
        (0xc, "PER_RISCOS"),
        (0xf, "PER_OSF4"),
        (0x10, "PER_HPUX"),
    ],
    bits: &[
        (0x20000, "UNAME26"),
        (0x40000, "ADDR_NO_RANDOMIZE"),
        (0x80000, "FDPIC_FUNCPTRS"),
        (0x100000, "MMAP_PAGE_ZERO"),
        (0x200000, "ADDR_COMPAT_LAYOUT"),
        (0x400000, "READ_IMPLIES_EXEC"),
        (0x800000, "ADDR_LIMIT_32BIT"),
        (0x1000000, "SHORT_INODE"),
        (0x2000000, "WHOLE_SECONDS"),
        (0x4000000, "STICKY_TIMEOUTS"),
        (0x8000000, "ADDR_LIMIT_3GB"),
    ],
    unknown: "PER_???",
    zero: "",
    unknown_bits: "",
};

/// waitid, argument 0.
pub(super) const PID_TYPE: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "P_ALL"),
        (0x1, "P_PID"),
        (0x2, "P_PGID"),
        (0x3, "P_PIDFD"),
    ],
    bits: &[],
    unknown: "P_???",
    zero: "0",
    unknown_bits: "",
};

/// prctl, argument 0.
pub(super) const PRCTL: Names = Names {
    field: u64::MAX,
    values: &[
        (0x1, "PR_SET_PDEATHSIG"),
        (0x2, "PR_GET_PDEATHSIG"),
        (0x3, "PR_GET_DUMPABLE"),
        (0x4, "PR_SET_DUMPABLE"),
        (0x5, "PR_GET_UNALIGN"),
        (0x6, "PR_SET_UNALIGN"),
        (0x7, "PR_GET_KEEPCAPS"),
        (0x8, "PR_SET_KEEPCAPS"),
        (0x9, "PR_GET_FPEMU"),
        (0xa, "PR_SET_FPEMU"),
        (0xb, "PR_GET_FPEXC"),
        (0xc, "PR_SET_FPEXC"),
        (0xd, "PR_GET_TIMING"),
        (0xe, "PR_SET_TIMING"),
        (0xf, "PR_SET_NAME"),
        (0x10, "PR_GET_NAME"),
        (0x13, "PR_GET_ENDIAN"),
        (0x14, "PR_SET_ENDIAN"),
        (0x15, "PR_GET_SECCOMP"),
        (0x16, "PR_SET_SECCOMP"),
        (0x17, "PR_CAPBSET_READ"),
        (0x18, "PR_CAPBSET_DROP"),
        (0x19, "PR_GET_TSC"),
        (0x1a, "PR_SET_TSC"),
        (0x1b, "PR_GET_SECUREBITS"),
        (0x1c, "PR_SET_SECUREBITS"),
        (0x1d, "PR_SET_TIMERSLACK"),
        (0x1e, "PR_GET_TIMERSLACK"),
        (0x1f, "PR_TASK_PERF_EVENTS_DISABLE"),
        (0x20, "PR_TASK_PERF_EVENTS_ENABLE"),
        (0x21, "PR_MCE_KILL"),
        (0x22, "PR_MCE_KILL_GET"),
        (0x23, "PR_SET_MM"),
        (0x24, "PR_SET_CHILD_SUBREAPER"),
        (0x25, "PR_GET_CHILD_SUBREAPER"),
        (0x26, "PR_SET_NO_NEW_PRIVS"),
        (0x27, "PR_GET_NO_NEW_PRIVS"),
        (0x28, "PR_GET_TID_ADDRESS"),
        (0x29, "PR_SET_THP_DISABLE"),
        (0x2a, "PR_GET_THP_DISABLE"),
        (0x2b, "PR_MPX_ENABLE_MANAGEMENT"),
        (0x2c, "PR_MPX_DISABLE_MANAGEMENT"),
        (0x2d, "PR_SET_FP_MODE"),
        (0x2e, "PR_GET_FP_MODE"),
        (0x2f, "PR_CAP_AMBIENT"),
        (0x32, "PR_SVE_SET_VL"),
        (0x33, "PR_SVE_GET_VL"),
        (0x34, "PR_GET_SPECULATION_CTRL"),
        (0x35, "PR_SET_SPECULATION_CTRL"),
        (0x36, "PR_PAC_RESET_KEYS"),
        (0x37, "PR_SET_TAGGED_ADDR_CTRL"),
        (0x38, "PR_GET_TAGGED_ADDR_CTRL"),
        (0x39, "PR_SET_IO_FLUSHER"),
        (0x3a, "PR_GET_IO_FLUSHER"),
        (0x3b, "PR_SET_SYSCALL_USER_DISPATCH"),
        (0x3c, "PR_PAC_SET_ENABLED_KEYS"),
        (0x3d, "PR_PAC_GET_ENABLED_KEYS"),
        (0x3e, "PR_SCHED_CORE"),
        (0x3f, "PR_SME_SET_VL"),
        (0x40, "PR_SME_GET_VL"),
        (0x59616d61, "PR_SET_PTRACER"),
        (0x53564d41, "PR_SET_VMA"),
    ],
    bits: &[],
    unknown: "PR_???",
    zero: "0",
    unknown_bits: "",
};

/// getpriority, argument 0.
pub(super) const PRIORITY: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "PRIO_PROCESS"),
        (0x1, "PRIO_PGRP"),
        (0x2, "PRIO_USER"),
    ],
    bits: &[],
    unknown: "PRIO_???",
    zero: "0",
    unknown_bits: "",
};

/// ptrace, argument 0.
pub(super) const PTRACE: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "PTRACE_TRACEME"),
        (0x1, "PTRACE_PEEKTEXT"),
        (0x2, "PTRACE_PEEKDATA"),
        (0x3, "PTRACE_PEEKUSER"),
        (0x4, "PTRACE_POKETEXT"),
        (0x5, "PTRACE_POKEDATA"),
        (0x6, "PTRACE_POKEUSER"),
        (0x7, "PTRACE_CONT"),
        (0x8, "PTRACE_KILL"),
        (0x9, "PTRACE_SINGLESTEP"),
        (0xc, "PTRACE_GETREGS"),
        (0xd, "PTRACE_SETREGS"),
        (0xe, "PTRACE_GETFPREGS"),
        (0xf, "PTRACE_SETFPREGS"),
        (0x10, "PTRACE_ATTACH"),
        (0x11, "PTRACE_DETACH"),
        (0x12, "PTRACE_GETFPXREGS"),
        (0x13, "PTRACE_SETFPXREGS"),
        (0x15, "PTRACE_OLDSETOPTIONS"),
        (0x18, "PTRACE_SYSCALL"),
        (0x19, "PTRACE_GET_THREAD_AREA"),
        (0x1a, "PTRACE_SET_THREAD_AREA"),
        (0x1e, "PTRACE_ARCH_PRCTL"),
        (0x1f, "PTRACE_SYSEMU"),
        (0x20, "PTRACE_SYSEMU_SINGLESTEP"),
        (0x21, "PTRACE_SINGLEBLOCK"),
        (0x4200, "PTRACE_SETOPTIONS"),
        (0x4201, "PTRACE_GETEVENTMSG"),
        (0x4202, "PTRACE_GETSIGINFO"),
        (0x4203, "PTRACE_SETSIGINFO"),
        (0x4204, "PTRACE_GETREGSET"),
        (0x4205, "PTRACE_SETREGSET"),
        (0x4206, "PTRACE_SEIZE"),
        (0x4207, "PTRACE_INTERRUPT"),
        (0x4208, "PTRACE_LISTEN"),
        (0x4209, "PTRACE_PEEKSIGINFO"),
        (0x420a, "PTRACE_GETSIGMASK"),
        (0x420b, "PTRACE_SETSIGMASK"),
        (0x420c, "PTRACE_SECCOMP_GET_FILTER"),
        (0x420d, "PTRACE_SECCOMP_GET_METADATA"),
        (0x420e, "PTRACE_GET_SYSCALL_INFO"),
        (0x420f, "PTRACE_GET_RSEQ_CONFIGURATION"),
        (0x420e, "PTRACE_GET_SYSCALL_INFO"),
        (0x420f, "PTRACE_GET_RSEQ_CONFIGURATION"),
    ],
    bits: &[],
    unknown: "PTRACE_???",
    zero: "0",
    unknown_bits: "",
};

/// getrlimit, argument 0.
pub(super) const RLIMIT: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "RLIMIT_CPU"),
        (0x1, "RLIMIT_FSIZE"),
        (0x2, "RLIMIT_DATA"),
        (0x3, "RLIMIT_STACK"),
        (0x4, "RLIMIT_CORE"),
        (0x5, "RLIMIT_RSS"),
        (0x6, "RLIMIT_NPROC"),
        (0x7, "RLIMIT_NOFILE"),
        (0x8, "RLIMIT_MEMLOCK"),
        (0x9, "RLIMIT_AS"),
        (0xa, "RLIMIT_LOCKS"),
        (0xb, "RLIMIT_SIGPENDING"),
        (0xc, "RLIMIT_MSGQUEUE"),
        (0xd, "RLIMIT_NICE"),
        (0xe, "RLIMIT_RTPRIO"),
        (0xf, "RLIMIT_RTTIME"),
    ],
    bits: &[],
    unknown: "RLIMIT_???",
    zero: "0",
    unknown_bits: "",
};

/// getrusage, argument 0.
pub(super) const RUSAGE_WHO: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "RUSAGE_SELF"),
        (0x1, "RUSAGE_THREAD"),
        (0xffffffff, "RUSAGE_CHILDREN"),
        (0xfffffffe, "RUSAGE_BOTH"),
    ],
    bits: &[],
    unknown: "RUSAGE_???",
    zero: "0",
    unknown_bits: "",
};

/// sched_get_priority_max, argument 0.
pub(super) const SCHED_POLICY: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "SCHED_OTHER"),
        (0x1, "SCHED_FIFO"),
        (0x2, "SCHED_RR"),
        (0x3, "SCHED_BATCH"),
        (0x4, "SCHED_ISO"),
        (0x5, "SCHED_IDLE"),
        (0x6, "SCHED_DEADLINE"),
    ],
    bits: &[],
    unknown: "SCHED_???",
    zero: "0",
    unknown_bits: "",
};

/// seccomp, argument 0.
pub(super) const SECCOMP: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "SECCOMP_SET_MODE_STRICT"),
        (0x1, "SECCOMP_SET_MODE_FILTER"),
        (0x2, "SECCOMP_GET_ACTION_AVAIL"),
        (0x3, "SECCOMP_GET_NOTIF_SIZES"),
    ],
    bits: &[],
    unknown: "SECCOMP_SET_MODE_???",
    zero: "0",
    unknown_bits: "",
};

/// seccomp, argument 1.
pub(super) const SECCOMP_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "SECCOMP_FILTER_FLAG_TSYNC"),
        (0x2, "SECCOMP_FILTER_FLAG_LOG"),
        (0x4, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"),
        (0x8, "SECCOMP_FILTER_FLAG_NEW_LISTENER"),
        (0x10, "SECCOMP_FILTER_FLAG_TSYNC_ESRCH"),
        (0x20, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"),
    ],
    unknown: "SECCOMP_FILTER_FLAG_???",
    zero: "0",
    unknown_bits: "",
};

/// wait4, argument 2.
pub(super) const WAIT_OPTIONS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "WNOHANG"),
        (0x4, "WEXITED"),
        (0x2, "WSTOPPED"),
        (0x8, "WCONTINUED"),
        (0x1000000, "WNOWAIT"),
        (0x80000000, "__WCLONE"),
        (0x40000000, "__WALL"),
        (0x20000000, "__WNOTHREAD"),
    ],
    unknown: "W???",
    zero: "0",
    unknown_bits: "",
};

/// waitid, argument 3.
pub(super) const WAITID_OPTIONS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "WNOHANG"),
        (0x4, "WEXITED"),
        (0x2, "WSTOPPED"),
        (0x8, "WCONTINUED"),
        (0x1000000, "WNOWAIT"),
        (0x80000000, "__WCLONE"),
        (0x40000000, "__WALL"),
        (0x20000000, "__WNOTHREAD"),
    ],
    unknown: "W???",
    zero: "0",
    unknown_bits: "",
};

/// prctl, argument 1.
pub(super) const DUMP_MODE: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "SUID_DUMP_DISABLE"),
        (0x1, "SUID_DUMP_USER"),
        (0x2, "SUID_DUMP_ROOT"),
    ],
    bits: &[],
    unknown: "SUID_DUMP_???",
    zero: "0",
    unknown_bits: "",
};
