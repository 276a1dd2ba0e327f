//! Names of flags and constants: members of rare structures.
//! Values are the kernel's (`include/uapi`); the order is the one in which strace prints them.

use super::Names;

/// adjtimex, result.
pub(super) const CLOCK_STATE: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "TIME_OK"),
        (0x1, "TIME_INS"),
        (0x2, "TIME_DEL"),
        (0x3, "TIME_OOP"),
        (0x4, "TIME_WAIT"),
        (0x5, "TIME_ERROR"),
    ],
    bits: &[],
    unknown: "TIME_???",
    zero: "0",
    unknown_bits: "",
};

/// `status` of `struct timex`.
pub(super) const CLOCK_STATUS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "STA_PLL"),
        (0x2, "STA_PPSFREQ"),
        (0x4, "STA_PPSTIME"),
        (0x8, "STA_FLL"),
        (0x10, "STA_INS"),
        (0x20, "STA_DEL"),
        (0x40, "STA_UNSYNC"),
        (0x80, "STA_FREQHOLD"),
        (0x100, "STA_PPSSIGNAL"),
        (0x200, "STA_PPSJITTER"),
        (0x400, "STA_PPSWANDER"),
        (0x800, "STA_PPSERROR"),
        (0x1000, "STA_CLOCKERR"),
        (0x2000, "STA_NANO"),
        (0x4000, "STA_MODE"),
        (0x8000, "STA_CLK"),
    ],
    unknown: "STA_???",
    zero: "0",
    unknown_bits: "",
};

/// `modes` of `struct timex`.
pub(super) const CLOCK_MODES: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0xa001, "ADJ_OFFSET_SS_READ"),
        (0x8001, "ADJ_OFFSET_SINGLESHOT"),
        (0x1, "ADJ_OFFSET"),
        (0x2, "ADJ_FREQUENCY"),
        (0x4, "ADJ_MAXERROR"),
        (0x8, "ADJ_ESTERROR"),
        (0x10, "ADJ_STATUS"),
        (0x20, "ADJ_TIMECONST"),
        (0x80, "ADJ_TAI"),
        (0x100, "ADJ_SETOFFSET"),
        (0x1000, "ADJ_MICRO"),
        (0x2000, "ADJ_NANO"),
        (0x4000, "ADJ_TICK"),
    ],
    unknown: "ADJ_???",
    zero: "0",
    unknown_bits: "",
};

/// Capabilities.
pub(super) const CAPABILITIES: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "1<<CAP_CHOWN"),
        (0x2, "1<<CAP_DAC_OVERRIDE"),
        (0x4, "1<<CAP_DAC_READ_SEARCH"),
        (0x8, "1<<CAP_FOWNER"),
        (0x10, "1<<CAP_FSETID"),
        (0x20, "1<<CAP_KILL"),
        (0x40, "1<<CAP_SETGID"),
        (0x80, "1<<CAP_SETUID"),
        (0x100, "1<<CAP_SETPCAP"),
        (0x200, "1<<CAP_LINUX_IMMUTABLE"),
        (0x400, "1<<CAP_NET_BIND_SERVICE"),
        (0x800, "1<<CAP_NET_BROADCAST"),
        (0x1000, "1<<CAP_NET_ADMIN"),
        (0x2000, "1<<CAP_NET_RAW"),
        (0x4000, "1<<CAP_IPC_LOCK"),
        (0x8000, "1<<CAP_IPC_OWNER"),
        (0x10000, "1<<CAP_SYS_MODULE"),
        (0x20000, "1<<CAP_SYS_RAWIO"),
        (0x40000, "1<<CAP_SYS_CHROOT"),
        (0x80000, "1<<CAP_SYS_PTRACE"),
        (0x100000, "1<<CAP_SYS_PACCT"),
        (0x200000, "1<<CAP_SYS_ADMIN"),
        (0x400000, "1<<CAP_SYS_BOOT"),
        (0x800000, "1<<CAP_SYS_NICE"),
        (0x1000000, "1<<CAP_SYS_RESOURCE"),
        (0x2000000, "1<<CAP_SYS_TIME"),
        (0x4000000, "1<<CAP_SYS_TTY_CONFIG"),
        (0x8000000, "1<<CAP_MKNOD"),
        (0x10000000, "1<<CAP_LEASE"),
        (0x20000000, "1<<CAP_AUDIT_WRITE"),
        (0x40000000, "1<<CAP_AUDIT_CONTROL"),
        (0x80000000, "1<<CAP_SETFCAP"),
        (0x100000000, "1<<CAP_MAC_OVERRIDE"),
        (0x200000000, "1<<CAP_MAC_ADMIN"),
        (0x400000000, "1<<CAP_SYSLOG"),
        (0x800000000, "1<<CAP_WAKE_ALARM"),
        (0x1000000000, "1<<CAP_BLOCK_SUSPEND"),
        (0x2000000000, "1<<CAP_AUDIT_READ"),
        (0x4000000000, "1<<CAP_PERFMON"),
        (0x8000000000, "1<<CAP_BPF"),
        (0x10000000000, "1<<CAP_CHECKPOINT_RESTORE"),
    ],
    unknown: "CAP_???",
    zero: "0",
    unknown_bits: "",
};

/// `sched_flags` of `struct sched_attr`.
pub(super) const SCHED_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "SCHED_FLAG_RESET_ON_FORK"),
        (0x2, "SCHED_FLAG_RECLAIM"),
        (0x4, "SCHED_FLAG_DL_OVERRUN"),
        (0x8, "SCHED_FLAG_KEEP_POLICY"),
        (0x10, "SCHED_FLAG_KEEP_PARAMS"),
        (0x20, "SCHED_FLAG_UTIL_CLAMP_MIN"),
        (0x40, "SCHED_FLAG_UTIL_CLAMP_MAX"),
    ],
    unknown: "SCHED_FLAG_???",
    zero: "0",
    unknown_bits: "",
};

/// `sigev_notify` of `struct sigevent`.
pub(super) const SIGEV_NOTIFY: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "SIGEV_SIGNAL"),
        (0x1, "SIGEV_NONE"),
        (0x2, "SIGEV_THREAD"),
        (0x4, "SIGEV_THREAD_ID"),
    ],
    bits: &[],
    unknown: "SIGEV_???",
    zero: "0",
    unknown_bits: "",
};

/// `ifr_flags` of `struct ifreq`.
pub(super) const INTERFACE_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "IFF_UP"),
        (0x2, "IFF_BROADCAST"),
        (0x4, "IFF_DEBUG"),
        (0x8, "IFF_LOOPBACK"),
        (0x10, "IFF_POINTOPOINT"),
        (0x20, "IFF_NOTRAILERS"),
        (0x40, "IFF_RUNNING"),
        (0x80, "IFF_NOARP"),
        (0x100, "IFF_PROMISC"),
        (0x200, "IFF_ALLMULTI"),
        (0x400, "IFF_MASTER"),
        (0x800, "IFF_SLAVE"),
        (0x1000, "IFF_MULTICAST"),
        (0x2000, "IFF_PORTSEL"),
        (0x4000, "IFF_AUTOMEDIA"),
        (0x8000, "IFF_DYNAMIC"),
    ],
    unknown: "IFF_???",
    zero: "0",
    unknown_bits: "",
};

/// `flags` of `struct futex_waitv`.
pub(super) const FUTEX2: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x2, "FUTEX_32"), (0x80, "FUTEX_PRIVATE_FLAG")],
    unknown: "FUTEX_???",
    zero: "0",
    unknown_bits: "",
};

/// move_pages, argument 5.
pub(super) const MOVE_PAGES: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x2, "MPOL_MF_MOVE"), (0x4, "MPOL_MF_MOVE_ALL")],
    unknown: "MPOL_???",
    zero: "0",
    unknown_bits: "",
};

/// What a Landlock ruleset handles and a rule allows.
pub(super) const LANDLOCK_ACCESS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "LANDLOCK_ACCESS_FS_EXECUTE"),
        (0x2, "LANDLOCK_ACCESS_FS_WRITE_FILE"),
        (0x4, "LANDLOCK_ACCESS_FS_READ_FILE"),
        (0x8, "LANDLOCK_ACCESS_FS_READ_DIR"),
        (0x10, "LANDLOCK_ACCESS_FS_REMOVE_DIR"),
        (0x20, "LANDLOCK_ACCESS_FS_REMOVE_FILE"),
        (0x40, "LANDLOCK_ACCESS_FS_MAKE_CHAR"),
        (0x80, "LANDLOCK_ACCESS_FS_MAKE_DIR"),
        (0x100, "LANDLOCK_ACCESS_FS_MAKE_REG"),
        (0x200, "LANDLOCK_ACCESS_FS_MAKE_SOCK"),
        (0x400, "LANDLOCK_ACCESS_FS_MAKE_FIFO"),
        (0x800, "LANDLOCK_ACCESS_FS_MAKE_BLOCK"),
        (0x1000, "LANDLOCK_ACCESS_FS_MAKE_SYM"),
        (0x2000, "LANDLOCK_ACCESS_FS_REFER"),
        (0x4000, "LANDLOCK_ACCESS_FS_TRUNCATE"),
    ],
    unknown: "LANDLOCK_ACCESS_FS_???",
    zero: "0",
    unknown_bits: "",
};

/// `flags` of `struct io_uring_params`.
pub(super) const IO_URING_SETUP: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "IORING_SETUP_IOPOLL"),
        (0x2, "IORING_SETUP_SQPOLL"),
        (0x4, "IORING_SETUP_SQ_AFF"),
        (0x8, "IORING_SETUP_CQSIZE"),
        (0x10, "IORING_SETUP_CLAMP"),
        (0x20, "IORING_SETUP_ATTACH_WQ"),
        (0x40, "IORING_SETUP_R_DISABLED"),
        (0x80, "IORING_SETUP_SUBMIT_ALL"),
        (0x100, "IORING_SETUP_COOP_TASKRUN"),
        (0x200, "IORING_SETUP_TASKRUN_FLAG"),
        (0x400, "IORING_SETUP_SQE128"),
        (0x800, "IORING_SETUP_CQE32"),
        (0x1000, "IORING_SETUP_SINGLE_ISSUER"),
        (0x2000, "IORING_SETUP_DEFER_TASKRUN"),
    ],
    unknown: "IORING_SETUP_???",
    zero: "0",
    unknown_bits: "",
};

/// `features` of `struct io_uring_params`.
pub(super) const IO_URING_FEATURES: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "IORING_FEAT_SINGLE_MMAP"),
        (0x2, "IORING_FEAT_NODROP"),
        (0x4, "IORING_FEAT_SUBMIT_STABLE"),
        (0x8, "IORING_FEAT_RW_CUR_POS"),
        (0x10, "IORING_FEAT_CUR_PERSONALITY"),
        (0x20, "IORING_FEAT_FAST_POLL"),
        (0x40, "IORING_FEAT_POLL_32BITS"),
        (0x80, "IORING_FEAT_SQPOLL_NONFIXED"),
        (0x100, "IORING_FEAT_EXT_ARG"),
        (0x200, "IORING_FEAT_NATIVE_WORKERS"),
        (0x400, "IORING_FEAT_RSRC_TAGS"),
        (0x800, "IORING_FEAT_CQE_SKIP"),
        (0x1000, "IORING_FEAT_LINKED_FILE"),
    ],
    unknown: "IORING_FEAT_???",
    zero: "0",
    unknown_bits: "",
};

/// memfd_secret, argument 0.
pub(super) const MEMFD_SECRET: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x80000, "O_CLOEXEC")],
    unknown: "",
    zero: "0",
    unknown_bits: "",
};

/// What a seccomp filter may answer.
pub(super) const SECCOMP_ACTION: Names = Names {
    field: u64::MAX,
    values: &[
        (0x80000000, "SECCOMP_RET_KILL_PROCESS"),
        (0x0, "SECCOMP_RET_KILL_THREAD"),
        (0x30000, "SECCOMP_RET_TRAP"),
        (0x50000, "SECCOMP_RET_ERRNO"),
        (0x7fc00000, "SECCOMP_RET_USER_NOTIF"),
        (0x7ff00000, "SECCOMP_RET_TRACE"),
        (0x7ffc0000, "SECCOMP_RET_LOG"),
        (0x7fff0000, "SECCOMP_RET_ALLOW"),
    ],
    bits: &[],
    unknown: "SECCOMP_RET_???",
    zero: "0",
    unknown_bits: "",
};

/// `sem_flg` of `struct sembuf`.
pub(super) const SEMOP_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x1000, "SEM_UNDO"), (0x800, "IPC_NOWAIT")],
    unknown: "SEM_???",
    zero: "0",
    unknown_bits: "",
};

/// `propagation` of `struct mount_attr`.
pub(super) const PROPAGATION: Names = Names {
    field: u64::MAX,
    values: &[
        (0x20000, "MS_UNBINDABLE"),
        (0x40000, "MS_PRIVATE"),
        (0x80000, "MS_SLAVE"),
        (0x100000, "MS_SHARED"),
    ],
    bits: &[],
    unknown: "MS_???",
    zero: "0",
    unknown_bits: "",
};
