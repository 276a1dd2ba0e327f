//! Names of flags and constants: names and metadata.
//! Values are the kernel's (`include/uapi`); the order is the one in which strace prints them.

use super::Names;

/// access, argument 1.
pub(super) const ACCESS: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x4, "R_OK"), (0x2, "W_OK"), (0x1, "X_OK")],
    unknown: "?_OK",
    zero: "F_OK",
    unknown_bits: "",
};

/// faccessat2, argument 3.
pub(super) const AT_ACCESS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x100, "AT_SYMLINK_NOFOLLOW"),
        (0x200, "AT_EACCESS"),
        (0x1000, "AT_EMPTY_PATH"),
    ],
    unknown: "AT_???",
    zero: "0",
    unknown_bits: "",
};

/// fchownat, argument 4.
pub(super) const AT_EMPTY_NOFOLLOW: Names = Names {
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

/// name_to_handle_at, argument 4.
pub(super) const AT_HANDLE: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x400, "AT_SYMLINK_FOLLOW"), (0x1000, "AT_EMPTY_PATH")],
    unknown: "AT_???",
    zero: "0",
    unknown_bits: "",
};

/// linkat, argument 4.
pub(super) const AT_LINK: Names = Names {
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

/// newfstatat, argument 3.
pub(super) const AT_STAT: Names = Names {
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

/// statx, argument 2.
pub(super) const AT_STATX: Names = Names {
    field: 0x6000,
    values: &[
        (0x0, "AT_STATX_SYNC_AS_STAT"),
        (0x2000, "AT_STATX_FORCE_SYNC"),
        (0x4000, "AT_STATX_DONT_SYNC"),
        (0x6000, "AT_STATX_FORCE_SYNC|AT_STATX_DONT_SYNC"),
    ],
    bits: &[
        (0x100, "AT_SYMLINK_NOFOLLOW"),
        (0x200, "AT_REMOVEDIR"),
        (0x400, "AT_SYMLINK_FOLLOW"),
        (0x800, "AT_NO_AUTOMOUNT"),
        (0x1000, "AT_EMPTY_PATH"),
        (0x8000, "AT_RECURSIVE"),
    ],
    unknown: "",
    zero: "AT_STATX_SYNC_AS_STAT",
    unknown_bits: "",
};

/// unlinkat, argument 2.
pub(super) const AT_UNLINK: Names = Names {
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

/// open, argument 1.
pub(super) const OPEN_FLAGS: Names = Names {
    field: 0x3,
    values: &[
        (0x0, "O_RDONLY"),
        (0x1, "O_WRONLY"),
        (0x2, "O_RDWR"),
        (0x3, "O_ACCMODE"),
    ],
    bits: &[
        (0x40, "O_CREAT"),
        (0x80, "O_EXCL"),
        (0x100, "O_NOCTTY"),
        (0x200, "O_TRUNC"),
        (0x400, "O_APPEND"),
        (0x800, "O_NONBLOCK"),
        (0x101000, "O_SYNC"),
        (0x1000, "O_DSYNC"),
        (0x100000, "__O_SYNC"),
        (0x4000, "O_DIRECT"),
        (0x8000, "O_LARGEFILE"),
        (0x20000, "O_NOFOLLOW"),
        (0x40000, "O_NOATIME"),
        (0x80000, "O_CLOEXEC"),
        (0x200000, "O_PATH"),
        (0x410000, "O_TMPFILE"),
        (0x10000, "O_DIRECTORY"),
        (0x400000, "__O_TMPFILE"),
        (0x2000, "FASYNC"),
    ],
    unknown: "",
    zero: "O_RDONLY",
    unknown_bits: "",
};

/// renameat2, argument 4.
pub(super) const RENAME: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "RENAME_NOREPLACE"),
        (0x2, "RENAME_EXCHANGE"),
        (0x4, "RENAME_WHITEOUT"),
    ],
    unknown: "RENAME_??",
    zero: "0",
    unknown_bits: "",
};

/// statx, argument 3.
pub(super) const STATX_MASK: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0xfff, "STATX_ALL"),
        (0x7ff, "STATX_BASIC_STATS"),
        (0x1, "STATX_TYPE"),
        (0x2, "STATX_MODE"),
        (0x4, "STATX_NLINK"),
        (0x8, "STATX_UID"),
        (0x10, "STATX_GID"),
        (0x20, "STATX_ATIME"),
        (0x40, "STATX_MTIME"),
        (0x80, "STATX_CTIME"),
        (0x100, "STATX_INO"),
        (0x200, "STATX_SIZE"),
        (0x400, "STATX_BLOCKS"),
        (0x800, "STATX_BTIME"),
        (0x1000, "STATX_MNT_ID"),
        (0x2000, "STATX_DIOALIGN"),
    ],
    unknown: "STATX_???",
    zero: "0",
    unknown_bits: "",
};

/// setxattr, argument 4.
pub(super) const XATTR: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x1, "XATTR_CREATE"), (0x2, "XATTR_REPLACE")],
    unknown: "XATTR_???",
    zero: "0",
    unknown_bits: "",
};

/// openat2, how.resolve.
pub(super) const RESOLVE: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "RESOLVE_NO_XDEV"),
        (0x2, "RESOLVE_NO_MAGICLINKS"),
        (0x4, "RESOLVE_NO_SYMLINKS"),
        (0x8, "RESOLVE_BENEATH"),
        (0x10, "RESOLVE_IN_ROOT"),
        (0x20, "RESOLVE_CACHED"),
    ],
    unknown: "RESOLVE_???",
    zero: "0",
    unknown_bits: "",
};

/// statx, stx_attributes.
pub(super) const STATX_ATTR: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x4, "STATX_ATTR_COMPRESSED"),
        (0x10, "STATX_ATTR_IMMUTABLE"),
        (0x20, "STATX_ATTR_APPEND"),
        (0x40, "STATX_ATTR_NODUMP"),
        (0x800, "STATX_ATTR_ENCRYPTED"),
        (0x1000, "STATX_ATTR_AUTOMOUNT"),
        (0x2000, "STATX_ATTR_MOUNT_ROOT"),
        (0x100000, "STATX_ATTR_VERITY"),
        (0x200000, "STATX_ATTR_DAX"),
    ],
    unknown: "STATX_ATTR_???",
    zero: "0",
    unknown_bits: "",
};
