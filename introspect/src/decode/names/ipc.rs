//! Names of flags and constants: futexes, System V IPC, keys.
//! Values are the kernel's (`include/uapi`); the order is the one in which strace prints them.

use super::Names;

/// futex_waitv, argument 4.
pub(super) const FUTEX_WAITV_CLOCK: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "CLOCK_REALTIME"),
        (0x1, "CLOCK_MONOTONIC"),
        (0x2, "CLOCK_PROCESS_CPUTIME_ID"),
        (0x3, "CLOCK_THREAD_CPUTIME_ID"),
        (0x4, "CLOCK_MONOTONIC_RAW"),
        (0x5, "CLOCK_REALTIME_COARSE"),
        (0x6, "CLOCK_MONOTONIC_COARSE"),
        (0x7, "CLOCK_BOOTTIME"),
        (0x8, "CLOCK_REALTIME_ALARM"),
        (0x9, "CLOCK_BOOTTIME_ALARM"),
        (0xa, "CLOCK_SGI_CYCLE"),
        (0xb, "CLOCK_TAI"),
    ],
    bits: &[],
    unknown: "CLOCK_???",
    zero: "0",
    unknown_bits: "",
};

/// shmget, argument 2.
pub(super) const IPC_SHM_GET: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x200, "IPC_CREAT"),
        (0x400, "IPC_EXCL"),
        (0x800, "SHM_HUGETLB"),
        (0x1000, "SHM_NORESERVE"),
    ],
    unknown: "",
    zero: "",
    unknown_bits: "",
};

/// semget, argument 2.
pub(super) const IPC_SEM_GET: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x200, "IPC_CREAT"),
        (0x400, "IPC_EXCL"),
        (0x800, "IPC_NOWAIT"),
    ],
    unknown: "",
    zero: "",
    unknown_bits: "",
};

/// msgget, argument 1.
pub(super) const IPC_MSG_GET: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x200, "IPC_CREAT"),
        (0x400, "IPC_EXCL"),
        (0x800, "IPC_NOWAIT"),
    ],
    unknown: "",
    zero: "",
    unknown_bits: "",
};

/// keyctl, argument 0.
pub(super) const KEYCTL: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "KEYCTL_GET_KEYRING_ID"),
        (0x1, "KEYCTL_JOIN_SESSION_KEYRING"),
        (0x2, "KEYCTL_UPDATE"),
        (0x3, "KEYCTL_REVOKE"),
        (0x4, "KEYCTL_CHOWN"),
        (0x5, "KEYCTL_SETPERM"),
        (0x6, "KEYCTL_DESCRIBE"),
        (0x7, "KEYCTL_CLEAR"),
        (0x8, "KEYCTL_LINK"),
        (0x9, "KEYCTL_UNLINK"),
        (0xa, "KEYCTL_SEARCH"),
        (0xb, "KEYCTL_READ"),
        (0xc, "KEYCTL_INSTANTIATE"),
        (0xd, "KEYCTL_NEGATE"),
        (0xe, "KEYCTL_SET_REQKEY_KEYRING"),
        (0xf, "KEYCTL_SET_TIMEOUT"),
        (0x10, "KEYCTL_ASSUME_AUTHORITY"),
        (0x11, "KEYCTL_GET_SECURITY"),
        (0x12, "KEYCTL_SESSION_TO_PARENT"),
        (0x13, "KEYCTL_REJECT"),
        (0x14, "KEYCTL_INSTANTIATE_IOV"),
        (0x15, "KEYCTL_INVALIDATE"),
        (0x16, "KEYCTL_GET_PERSISTENT"),
        (0x17, "KEYCTL_DH_COMPUTE"),
        (0x18, "KEYCTL_PKEY_QUERY"),
        (0x19, "KEYCTL_PKEY_ENCRYPT"),
        (0x1a, "KEYCTL_PKEY_DECRYPT"),
        (0x1b, "KEYCTL_PKEY_SIGN"),
        (0x1c, "KEYCTL_PKEY_VERIFY"),
        (0x1d, "KEYCTL_RESTRICT_KEYRING"),
        (0x1e, "KEYCTL_MOVE"),
        (0x1f, "KEYCTL_CAPABILITIES"),
        (0x20, "KEYCTL_WATCH_KEY"),
    ],
    bits: &[],
    unknown: "KEYCTL_???",
    zero: "0",
    unknown_bits: "",
};

/// msgctl, argument 1.
pub(super) const MSGCTL: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "IPC_RMID"),
        (0x1, "IPC_SET"),
        (0x2, "IPC_STAT"),
        (0x3, "IPC_INFO"),
        (0xb, "MSG_STAT"),
        (0xc, "MSG_INFO"),
        (0xd, "MSG_STAT_ANY"),
    ],
    bits: &[],
    unknown: "MSG_???",
    zero: "0",
    unknown_bits: "",
};

/// msgrcv, argument 4.
pub(super) const MSGRCV_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1000, "MSG_NOERROR"),
        (0x2000, "MSG_EXCEPT"),
        (0x4000, "MSG_COPY"),
        (0x800, "IPC_NOWAIT"),
    ],
    unknown: "MSG_???",
    zero: "0",
    unknown_bits: "",
};

/// semctl, argument 2.
pub(super) const SEMCTL: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "IPC_RMID"),
        (0x1, "IPC_SET"),
        (0x2, "IPC_STAT"),
        (0x3, "IPC_INFO"),
        (0xb, "GETPID"),
        (0xc, "GETVAL"),
        (0xd, "GETALL"),
        (0xe, "GETNCNT"),
        (0xf, "GETZCNT"),
        (0x10, "SETVAL"),
        (0x11, "SETALL"),
        (0x12, "SEM_STAT"),
        (0x13, "SEM_INFO"),
        (0x14, "SEM_STAT_ANY"),
    ],
    bits: &[],
    unknown: "SEM_???",
    zero: "0",
    unknown_bits: "",
};

/// shmat, argument 2.
pub(super) const SHMAT: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1000, "SHM_RDONLY"),
        (0x2000, "SHM_RND"),
        (0x4000, "SHM_REMAP"),
        (0x8000, "SHM_EXEC"),
    ],
    unknown: "SHM_???",
    zero: "0",
    unknown_bits: "",
};

/// shmctl, argument 1.
pub(super) const SHMCTL: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "IPC_RMID"),
        (0x1, "IPC_SET"),
        (0x2, "IPC_STAT"),
        (0x3, "IPC_INFO"),
        (0xb, "SHM_LOCK"),
        (0xc, "SHM_UNLOCK"),
        (0xd, "SHM_STAT"),
        (0xe, "SHM_INFO"),
        (0xf, "SHM_STAT_ANY"),
    ],
    bits: &[],
    unknown: "SHM_???",
    zero: "0",
    unknown_bits: "",
};

/// futex, argument 1.
pub(super) const FUTEX_OP: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "FUTEX_WAIT"),
        (0x1, "FUTEX_WAKE"),
        (0x2, "FUTEX_FD"),
        (0x3, "FUTEX_REQUEUE"),
        (0x4, "FUTEX_CMP_REQUEUE"),
        (0x5, "FUTEX_WAKE_OP"),
        (0x6, "FUTEX_LOCK_PI"),
        (0x7, "FUTEX_UNLOCK_PI"),
        (0x8, "FUTEX_TRYLOCK_PI"),
        (0x9, "FUTEX_WAIT_BITSET"),
        (0xa, "FUTEX_WAKE_BITSET"),
        (0xb, "FUTEX_WAIT_REQUEUE_PI"),
        (0xc, "FUTEX_CMP_REQUEUE_PI"),
        (0xd, "FUTEX_LOCK_PI2"),
    ],
    bits: &[],
    unknown: "FUTEX_???",
    zero: "0",
    unknown_bits: "",
};

/// futex, argument 5, for the bitset operations.
pub(super) const FUTEX_BITSET: Names = Names {
    field: u64::MAX,
    values: &[(0xffff_ffff, "FUTEX_BITSET_MATCH_ANY")],
    bits: &[],
    unknown: "",
    zero: "0",
    unknown_bits: "",
};
