//! Names of flags and constants: mappings.
//! Values are the kernel's (`include/uapi`); the order is the one in which strace prints them.

use super::Names;

/// madvise, argument 2.
pub(super) const MADVISE: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "MADV_NORMAL"),
        (0x1, "MADV_RANDOM"),
        (0x2, "MADV_SEQUENTIAL"),
        (0x3, "MADV_WILLNEED"),
        (0x4, "MADV_DONTNEED"),
        (0x8, "MADV_FREE"),
        (0x9, "MADV_REMOVE"),
        (0xa, "MADV_DONTFORK"),
        (0xb, "MADV_DOFORK"),
        (0xc, "MADV_MERGEABLE"),
        (0xd, "MADV_UNMERGEABLE"),
        (0xe, "MADV_HUGEPAGE"),
        (0xf, "MADV_NOHUGEPAGE"),
        (0x10, "MADV_DONTDUMP"),
        (0x11, "MADV_DODUMP"),
        (0x12, "MADV_WIPEONFORK"),
        (0x13, "MADV_KEEPONFORK"),
        (0x14, "MADV_COLD"),
        (0x15, "MADV_PAGEOUT"),
        (0x16, "MADV_POPULATE_READ"),
        (0x17, "MADV_POPULATE_WRITE"),
        (0x18, "MADV_DONTNEED_LOCKED"),
        (0x19, "MADV_COLLAPSE"),
        (0x64, "MADV_HWPOISON"),
        (0x65, "MADV_SOFT_OFFLINE"),
    ],
    bits: &[],
    unknown: "MADV_???",
    zero: "0",
    unknown_bits: "",
};

/// mmap, argument 3.
pub(super) const MAP_FLAGS: Names = Names {
    field: 0xf,
    values: &[
        (0x0, "MAP_FILE"),
        (0x1, "MAP_SHARED"),
        (0x2, "MAP_PRIVATE"),
        (0x3, "MAP_SHARED_VALIDATE"),
    ],
    bits: &[
        (0x10, "MAP_FIXED"),
        (0x20, "MAP_ANONYMOUS"),
        (0x40, "MAP_32BIT"),
        (0x4000, "MAP_NORESERVE"),
        (0x8000, "MAP_POPULATE"),
        (0x10000, "MAP_NONBLOCK"),
        (0x100, "MAP_GROWSDOWN"),
        (0x800, "MAP_DENYWRITE"),
        (0x1000, "MAP_EXECUTABLE"),
        (0x2000, "MAP_LOCKED"),
        (0x20000, "MAP_STACK"),
        (0x40000, "MAP_HUGETLB"),
        (0x80000, "MAP_SYNC"),
        (0x100000, "MAP_FIXED_NOREPLACE"),
    ],
    unknown: "MAP_???",
    zero: "MAP_FILE",
    unknown_bits: "",
};

/// membarrier, argument 0.
pub(super) const MEMBARRIER: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "MEMBARRIER_CMD_QUERY"),
        (0x1, "MEMBARRIER_CMD_GLOBAL"),
        (0x2, "MEMBARRIER_CMD_GLOBAL_EXPEDITED"),
        (0x4, "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"),
        (0x8, "MEMBARRIER_CMD_PRIVATE_EXPEDITED"),
        (0x10, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"),
        (0x20, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE"),
        (0x40, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE"),
        (0x80, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ"),
        (0x100, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ"),
    ],
    bits: &[],
    unknown: "MEMBARRIER_CMD_???",
    zero: "0",
    unknown_bits: "",
};

/// membarrier, argument 1.
pub(super) const MEMBARRIER_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x1, "MEMBARRIER_CMD_FLAG_CPU")],
    unknown: "MEMBARRIER_CMD_FLAG_???",
    zero: "0",
    unknown_bits: "",
};

/// mlock2, argument 2.
pub(super) const MLOCK2: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x1, "MLOCK_ONFAULT")],
    unknown: "MLOCK_???",
    zero: "0",
    unknown_bits: "",
};

/// mlockall, argument 0.
pub(super) const MLOCK_ALL: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "MCL_CURRENT"),
        (0x2, "MCL_FUTURE"),
        (0x4, "MCL_ONFAULT"),
    ],
    unknown: "MCL_???",
    zero: "0",
    unknown_bits: "",
};

/// mbind, argument 5.
pub(super) const MPOL_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "MPOL_MF_STRICT"),
        (0x2, "MPOL_MF_MOVE"),
        (0x4, "MPOL_MF_MOVE_ALL"),
    ],
    unknown: "MPOL_???",
    zero: "0",
    unknown_bits: "",
};

/// get_mempolicy, argument 4.
pub(super) const MPOL_GET: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "MPOL_F_NODE"),
        (0x2, "MPOL_F_ADDR"),
        (0x4, "MPOL_F_MEMS_ALLOWED"),
    ],
    unknown: "MPOL_???",
    zero: "0",
    unknown_bits: "",
};

/// mbind, argument 2.
pub(super) const MPOL_MODE: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "MPOL_DEFAULT"),
        (0x1, "MPOL_PREFERRED"),
        (0x2, "MPOL_BIND"),
        (0x3, "MPOL_INTERLEAVE"),
        (0x4, "MPOL_LOCAL"),
        (0x5, "MPOL_PREFERRED_MANY"),
    ],
    bits: &[],
    unknown: "MPOL_???",
    zero: "0",
    unknown_bits: "",
};

/// mbind, argument 2: what stands beside a policy.
pub(super) const MPOL_MODIFIERS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x8000, "MPOL_F_STATIC_NODES"),
        (0x4000, "MPOL_F_RELATIVE_NODES"),
        (0x2000, "MPOL_F_NUMA_BALANCING"),
    ],
    unknown: "MPOL_???",
    zero: "0",
    unknown_bits: "",
};

/// mremap, argument 3.
pub(super) const MREMAP: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "MREMAP_MAYMOVE"),
        (0x2, "MREMAP_FIXED"),
        (0x4, "MREMAP_DONTUNMAP"),
    ],
    unknown: "MREMAP_???",
    zero: "0",
    unknown_bits: "",
};

/// msync, argument 2.
pub(super) const MSYNC: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x4, "MS_SYNC"), (0x1, "MS_ASYNC"), (0x2, "MS_INVALIDATE")],
    unknown: "MS_???",
    zero: "0",
    unknown_bits: "",
};

/// pkey_alloc, argument 1.
pub(super) const PKEY_ACCESS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "PKEY_DISABLE_ACCESS"),
        (0x2, "PKEY_DISABLE_WRITE"),
        (0x4, "PKEY_DISABLE_EXECUTE"),
    ],
    unknown: "PKEY_???",
    zero: "0",
    unknown_bits: "",
};

/// mprotect, argument 2.
pub(super) const PROT: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "PROT_READ"),
        (0x2, "PROT_WRITE"),
        (0x4, "PROT_EXEC"),
        (0x8, "PROT_SEM"),
        (0x1000000, "PROT_GROWSDOWN"),
        (0x2000000, "PROT_GROWSUP"),
    ],
    unknown: "PROT_???",
    zero: "PROT_NONE",
    unknown_bits: "",
};
