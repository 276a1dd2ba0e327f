//! Names of flags and constants: what single operations of prctl, fcntl and ioctl take.
//! Values are the kernel's (`include/uapi`); the order is the one in which strace prints them.

use super::Names;

/// A capability's number.
pub(super) const CAPABILITY: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "CAP_CHOWN"),
        (0x1, "CAP_DAC_OVERRIDE"),
        (0x2, "CAP_DAC_READ_SEARCH"),
        (0x3, "CAP_FOWNER"),
        (0x4, "CAP_FSETID"),
        (0x5, "CAP_KILL"),
        (0x6, "CAP_SETGID"),
        (0x7, "CAP_SETUID"),
        (0x8, "CAP_SETPCAP"),
        (0x9, "CAP_LINUX_IMMUTABLE"),
        (0xa, "CAP_NET_BIND_SERVICE"),
        (0xb, "CAP_NET_BROADCAST"),
        (0xc, "CAP_NET_ADMIN"),
        (0xd, "CAP_NET_RAW"),
        (0xe, "CAP_IPC_LOCK"),
        (0xf, "CAP_IPC_OWNER"),
        (0x10, "CAP_SYS_MODULE"),
        (0x11, "CAP_SYS_RAWIO"),
        (0x12, "CAP_SYS_CHROOT"),
        (0x13, "CAP_SYS_PTRACE"),
        (0x14, "CAP_SYS_PACCT"),
        (0x15, "CAP_SYS_ADMIN"),
        (0x16, "CAP_SYS_BOOT"),
        (0x17, "CAP_SYS_NICE"),
        (0x18, "CAP_SYS_RESOURCE"),
        (0x19, "CAP_SYS_TIME"),
        (0x1a, "CAP_SYS_TTY_CONFIG"),
        (0x1b, "CAP_MKNOD"),
        (0x1c, "CAP_LEASE"),
        (0x1d, "CAP_AUDIT_WRITE"),
        (0x1e, "CAP_AUDIT_CONTROL"),
        (0x1f, "CAP_SETFCAP"),
        (0x20, "CAP_MAC_OVERRIDE"),
        (0x21, "CAP_MAC_ADMIN"),
        (0x22, "CAP_SYSLOG"),
        (0x23, "CAP_WAKE_ALARM"),
        (0x24, "CAP_BLOCK_SUSPEND"),
        (0x25, "CAP_AUDIT_READ"),
        (0x26, "CAP_PERFMON"),
        (0x27, "CAP_BPF"),
        (0x28, "CAP_CHECKPOINT_RESTORE"),
    ],
    bits: &[],
    unknown: "CAP_???",
    zero: "0",
    unknown_bits: "",
};

/// prctl(PR_SET_SECCOMP), argument 1.
pub(super) const SECCOMP_MODE: Names = Names {
    field: u64::MAX,
    values: &[
        (0, "SECCOMP_MODE_DISABLED"),
        (1, "SECCOMP_MODE_STRICT"),
        (2, "SECCOMP_MODE_FILTER"),
    ],
    bits: &[],
    unknown: "SECCOMP_MODE_???",
    zero: "0",
    unknown_bits: "",
};

/// prctl(PR_SET_TSC), argument 1.
pub(super) const TSC_MODE: Names = Names {
    field: u64::MAX,
    values: &[(0x1, "PR_TSC_ENABLE"), (0x2, "PR_TSC_SIGSEGV")],
    bits: &[],
    unknown: "PR_TSC_???",
    zero: "0",
    unknown_bits: "",
};

/// prctl(PR_SET_SECUREBITS), argument 1.
pub(super) const SECURE_BITS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "SECBIT_NOROOT"),
        (0x2, "SECBIT_NOROOT_LOCKED"),
        (0x4, "SECBIT_NO_SETUID_FIXUP"),
        (0x8, "SECBIT_NO_SETUID_FIXUP_LOCKED"),
        (0x10, "SECBIT_KEEP_CAPS"),
        (0x20, "SECBIT_KEEP_CAPS_LOCKED"),
        (0x40, "SECBIT_NO_CAP_AMBIENT_RAISE"),
        (0x80, "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED"),
    ],
    unknown: "SECBIT_???",
    zero: "0",
    unknown_bits: "",
};

/// prctl(PR_MCE_KILL), argument 1.
pub(super) const MCE_KILL: Names = Names {
    field: u64::MAX,
    values: &[(0x0, "PR_MCE_KILL_CLEAR"), (0x1, "PR_MCE_KILL_SET")],
    bits: &[],
    unknown: "PR_MCE_KILL_???",
    zero: "0",
    unknown_bits: "",
};

/// prctl(PR_MCE_KILL), argument 2.
pub(super) const MCE_KILL_POLICY: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "PR_MCE_KILL_LATE"),
        (0x1, "PR_MCE_KILL_EARLY"),
        (0x2, "PR_MCE_KILL_DEFAULT"),
    ],
    bits: &[],
    unknown: "PR_MCE_KILL_???",
    zero: "0",
    unknown_bits: "",
};

/// prctl(PR_SET_MM), argument 1.
pub(super) const SET_MM: Names = Names {
    field: u64::MAX,
    values: &[
        (0x1, "PR_SET_MM_START_CODE"),
        (0x2, "PR_SET_MM_END_CODE"),
        (0x3, "PR_SET_MM_START_DATA"),
        (0x4, "PR_SET_MM_END_DATA"),
        (0x5, "PR_SET_MM_START_STACK"),
        (0x6, "PR_SET_MM_START_BRK"),
        (0x7, "PR_SET_MM_BRK"),
        (0x8, "PR_SET_MM_ARG_START"),
        (0x9, "PR_SET_MM_ARG_END"),
        (0xa, "PR_SET_MM_ENV_START"),
        (0xb, "PR_SET_MM_ENV_END"),
        (0xc, "PR_SET_MM_AUXV"),
        (0xd, "PR_SET_MM_EXE_FILE"),
        (0xe, "PR_SET_MM_MAP"),
        (0xf, "PR_SET_MM_MAP_SIZE"),
    ],
    bits: &[],
    unknown: "PR_SET_MM_???",
    zero: "0",
    unknown_bits: "",
};

/// prctl(PR_CAP_AMBIENT), argument 1.
pub(super) const CAP_AMBIENT: Names = Names {
    field: u64::MAX,
    values: &[
        (0x1, "PR_CAP_AMBIENT_IS_SET"),
        (0x2, "PR_CAP_AMBIENT_RAISE"),
        (0x3, "PR_CAP_AMBIENT_LOWER"),
        (0x4, "PR_CAP_AMBIENT_CLEAR_ALL"),
    ],
    bits: &[],
    unknown: "PR_CAP_AMBIENT_???",
    zero: "0",
    unknown_bits: "",
};

/// prctl(PR_SET_SPECULATION_CTRL), argument 1.
pub(super) const SPECULATION: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "PR_SPEC_STORE_BYPASS"),
        (0x1, "PR_SPEC_INDIRECT_BRANCH"),
        (0x2, "PR_SPEC_L1D_FLUSH"),
    ],
    bits: &[],
    unknown: "PR_SPEC_???",
    zero: "0",
    unknown_bits: "",
};

/// prctl(PR_SET_SPECULATION_CTRL), argument 2.
pub(super) const SPECULATION_MODE: Names = Names {
    field: u64::MAX,
    values: &[
        (0x2, "PR_SPEC_ENABLE"),
        (0x4, "PR_SPEC_DISABLE"),
        (0x8, "PR_SPEC_FORCE_DISABLE"),
        (0x10, "PR_SPEC_DISABLE_NOEXEC"),
    ],
    bits: &[],
    unknown: "PR_SPEC_???",
    zero: "0",
    unknown_bits: "",
};

/// prctl(PR_SET_SYSCALL_USER_DISPATCH), argument 1.
pub(super) const DISPATCH: Names = Names {
    field: u64::MAX,
    values: &[(0x0, "PR_SYS_DISPATCH_OFF"), (0x1, "PR_SYS_DISPATCH_ON")],
    bits: &[],
    unknown: "PR_SYS_DISPATCH_???",
    zero: "0",
    unknown_bits: "",
};

/// fcntl(F_ADD_SEALS), argument 2.
pub(super) const SEALS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "F_SEAL_SEAL"),
        (0x2, "F_SEAL_SHRINK"),
        (0x4, "F_SEAL_GROW"),
        (0x8, "F_SEAL_WRITE"),
        (0x10, "F_SEAL_FUTURE_WRITE"),
    ],
    unknown: "F_SEAL_???",
    zero: "0",
    unknown_bits: "",
};

/// fcntl(F_NOTIFY), argument 2.
pub(super) const DIRECTORY_NOTIFY: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "DN_ACCESS"),
        (0x2, "DN_MODIFY"),
        (0x4, "DN_CREATE"),
        (0x8, "DN_DELETE"),
        (0x10, "DN_RENAME"),
        (0x20, "DN_ATTRIB"),
        (0x80000000, "DN_MULTISHOT"),
    ],
    unknown: "DN_???",
    zero: "0",
    unknown_bits: "",
};

/// ioctl(TCXONC), argument 2.
pub(super) const TERMINAL_FLOW: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "TCOOFF"),
        (0x1, "TCOON"),
        (0x2, "TCIOFF"),
        (0x3, "TCION"),
    ],
    bits: &[],
    unknown: "TC???",
    zero: "0",
    unknown_bits: "",
};

/// ioctl(TCFLSH), argument 2.
pub(super) const TERMINAL_FLUSH: Names = Names {
    field: u64::MAX,
    values: &[(0x0, "TCIFLUSH"), (0x1, "TCOFLUSH"), (0x2, "TCIOFLUSH")],
    bits: &[],
    unknown: "TC???",
    zero: "0",
    unknown_bits: "",
};

/// syslog(SYSLOG_ACTION_CONSOLE_LEVEL), argument 2.
pub(super) const LOG_LEVEL: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "LOGLEVEL_EMERG"),
        (0x1, "LOGLEVEL_ALERT"),
        (0x2, "LOGLEVEL_CRIT"),
        (0x3, "LOGLEVEL_ERR"),
        (0x4, "LOGLEVEL_WARNING"),
        (0x5, "LOGLEVEL_NOTICE"),
        (0x6, "LOGLEVEL_INFO"),
        (0x7, "LOGLEVEL_DEBUG"),
    ],
    bits: &[],
    unknown: "LOGLEVEL_???",
    zero: "0",
    unknown_bits: "",
};
