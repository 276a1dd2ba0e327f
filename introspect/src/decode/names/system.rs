//! Names of flags and constants: mounts, modules, the machine.
//! Values are the kernel's (`include/uapi`); the order is the one in which strace prints them.

use super::Names;

/// mount_setattr, argument 2.
pub(super) const AT_MOUNT_SETATTR: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x100, "AT_SYMLINK_NOFOLLOW"),
        (0x800, "AT_NO_AUTOMOUNT"),
        (0x1000, "AT_EMPTY_PATH"),
        (0x8000, "AT_RECURSIVE"),
    ],
    unknown: "AT_???",
    zero: "0",
    unknown_bits: "",
};

/// bpf, argument 0.
pub(super) const BPF_COMMAND: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "BPF_MAP_CREATE"),
        (0x1, "BPF_MAP_LOOKUP_ELEM"),
        (0x2, "BPF_MAP_UPDATE_ELEM"),
        (0x3, "BPF_MAP_DELETE_ELEM"),
        (0x4, "BPF_MAP_GET_NEXT_KEY"),
        (0x5, "BPF_PROG_LOAD"),
        (0x6, "BPF_OBJ_PIN"),
        (0x7, "BPF_OBJ_GET"),
        (0x8, "BPF_PROG_ATTACH"),
        (0x9, "BPF_PROG_DETACH"),
        (0xa, "BPF_PROG_TEST_RUN"),
        (0xb, "BPF_PROG_GET_NEXT_ID"),
        (0xc, "BPF_MAP_GET_NEXT_ID"),
        (0xd, "BPF_PROG_GET_FD_BY_ID"),
        (0xe, "BPF_MAP_GET_FD_BY_ID"),
        (0xf, "BPF_OBJ_GET_INFO_BY_FD"),
        (0x10, "BPF_PROG_QUERY"),
        (0x11, "BPF_RAW_TRACEPOINT_OPEN"),
        (0x12, "BPF_BTF_LOAD"),
        (0x13, "BPF_BTF_GET_FD_BY_ID"),
        (0x14, "BPF_TASK_FD_QUERY"),
        (0x15, "BPF_MAP_LOOKUP_AND_DELETE_ELEM"),
        (0x16, "BPF_MAP_FREEZE"),
        (0x17, "BPF_BTF_GET_NEXT_ID"),
        (0x18, "BPF_MAP_LOOKUP_BATCH"),
        (0x19, "BPF_MAP_LOOKUP_AND_DELETE_BATCH"),
        (0x1a, "BPF_MAP_UPDATE_BATCH"),
        (0x1b, "BPF_MAP_DELETE_BATCH"),
        (0x1c, "BPF_LINK_CREATE"),
        (0x1d, "BPF_LINK_UPDATE"),
        (0x1e, "BPF_LINK_GET_FD_BY_ID"),
        (0x1f, "BPF_LINK_GET_NEXT_ID"),
        (0x20, "BPF_ENABLE_STATS"),
        (0x21, "BPF_ITER_CREATE"),
        (0x22, "BPF_LINK_DETACH"),
        (0x23, "BPF_PROG_BIND_MAP"),
    ],
    bits: &[],
    unknown: "BPF_???",
    zero: "0",
    unknown_bits: "",
};

/// delete_module, argument 1.
pub(super) const DELETE_MODULE: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x800, "O_NONBLOCK"), (0x200, "O_TRUNC")],
    unknown: "O_???",
    zero: "0",
    unknown_bits: "",
};

/// fsconfig, argument 1.
pub(super) const FS_CONFIG: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "FSCONFIG_SET_FLAG"),
        (0x1, "FSCONFIG_SET_STRING"),
        (0x2, "FSCONFIG_SET_BINARY"),
        (0x3, "FSCONFIG_SET_PATH"),
        (0x4, "FSCONFIG_SET_PATH_EMPTY"),
        (0x5, "FSCONFIG_SET_FD"),
        (0x6, "FSCONFIG_CMD_CREATE"),
        (0x7, "FSCONFIG_CMD_RECONFIGURE"),
    ],
    bits: &[],
    unknown: "FSCONFIG_???",
    zero: "0",
    unknown_bits: "",
};

/// fsmount, argument 1.
pub(super) const FS_MOUNT: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x1, "FSMOUNT_CLOEXEC")],
    unknown: "FSMOUNT_???",
    zero: "0",
    unknown_bits: "",
};

/// fsopen, argument 1.
pub(super) const FS_OPEN: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x1, "FSOPEN_CLOEXEC")],
    unknown: "FSOPEN_???",
    zero: "0",
    unknown_bits: "",
};

/// fspick, argument 2.
pub(super) const FS_PICK: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "FSPICK_CLOEXEC"),
        (0x2, "FSPICK_SYMLINK_NOFOLLOW"),
        (0x4, "FSPICK_NO_AUTOMOUNT"),
        (0x8, "FSPICK_EMPTY_PATH"),
    ],
    unknown: "FSPICK_???",
    zero: "0",
    unknown_bits: "",
};

/// getrandom, argument 2.
pub(super) const GET_RANDOM: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "GRND_NONBLOCK"),
        (0x2, "GRND_RANDOM"),
        (0x4, "GRND_INSECURE"),
    ],
    unknown: "GRND_???",
    zero: "0",
    unknown_bits: "",
};

/// kexec_file_load, argument 4.
pub(super) const KEXEC_FILE: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "KEXEC_FILE_UNLOAD"),
        (0x2, "KEXEC_FILE_ON_CRASH"),
        (0x4, "KEXEC_FILE_NO_INITRAMFS"),
    ],
    unknown: "KEXEC_FILE_???",
    zero: "0",
    unknown_bits: "",
};

/// finit_module, argument 2.
pub(super) const MODULE_INIT: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "MODULE_INIT_IGNORE_MODVERSIONS"),
        (0x2, "MODULE_INIT_IGNORE_VERMAGIC"),
        (0x4, "MODULE_INIT_COMPRESSED_FILE"),
    ],
    unknown: "MODULE_INIT_???",
    zero: "0",
    unknown_bits: "",
};

/// fsmount, argument 2.
pub(super) const MOUNT_ATTR: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "MOUNT_ATTR_RDONLY"),
        (0x2, "MOUNT_ATTR_NOSUID"),
        (0x4, "MOUNT_ATTR_NODEV"),
        (0x8, "MOUNT_ATTR_NOEXEC"),
        (0x10, "MOUNT_ATTR_NOATIME"),
        (0x20, "MOUNT_ATTR_STRICTATIME"),
        (0x80, "MOUNT_ATTR_NODIRATIME"),
    ],
    unknown: "MOUNT_ATTR_???",
    zero: "0",
    unknown_bits: "",
};

/// mount, argument 3.
pub(super) const MOUNT_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "MS_RDONLY"),
        (0x2, "MS_NOSUID"),
        (0x4, "MS_NODEV"),
        (0x8, "MS_NOEXEC"),
        (0x10, "MS_SYNCHRONOUS"),
        (0x20, "MS_REMOUNT"),
        (0x40, "MS_MANDLOCK"),
        (0x80, "MS_DIRSYNC"),
        (0x100, "MS_NOSYMFOLLOW"),
        (0x400, "MS_NOATIME"),
        (0x800, "MS_NODIRATIME"),
        (0x1000, "MS_BIND"),
        (0x2000, "MS_MOVE"),
        (0x4000, "MS_REC"),
        (0x8000, "MS_SILENT"),
        (0x10000, "MS_POSIXACL"),
        (0x20000, "MS_UNBINDABLE"),
        (0x40000, "MS_PRIVATE"),
        (0x80000, "MS_SLAVE"),
        (0x100000, "MS_SHARED"),
        (0x200000, "MS_RELATIME"),
        (0x400000, "MS_KERNMOUNT"),
        (0x800000, "MS_I_VERSION"),
        (0x1000000, "MS_STRICTATIME"),
        (0x2000000, "MS_LAZYTIME"),
        (0x4000000, "MS_SUBMOUNT"),
        (0x8000000, "MS_NOREMOTELOCK"),
        (0x10000000, "MS_NOSEC"),
        (0x20000000, "MS_BORN"),
        (0x40000000, "MS_ACTIVE"),
        (0x80000000, "MS_NOUSER"),
    ],
    unknown: "MS_???",
    zero: "0",
    unknown_bits: "",
};

/// move_mount, argument 4.
pub(super) const MOVE_MOUNT: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "MOVE_MOUNT_F_SYMLINKS"),
        (0x2, "MOVE_MOUNT_F_AUTOMOUNTS"),
        (0x4, "MOVE_MOUNT_F_EMPTY_PATH"),
        (0x10, "MOVE_MOUNT_T_SYMLINKS"),
        (0x20, "MOVE_MOUNT_T_AUTOMOUNTS"),
        (0x40, "MOVE_MOUNT_T_EMPTY_PATH"),
        (0x100, "MOVE_MOUNT_SET_GROUP"),
    ],
    unknown: "MOVE_MOUNT_???",
    zero: "0",
    unknown_bits: "",
};

/// open_tree, argument 2.
pub(super) const OPEN_TREE: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "OPEN_TREE_CLONE"),
        (0x80000, "OPEN_TREE_CLOEXEC"),
        (0x100, "AT_SYMLINK_NOFOLLOW"),
        (0x200, "AT_REMOVEDIR"),
        (0x400, "AT_SYMLINK_FOLLOW"),
        (0x800, "AT_NO_AUTOMOUNT"),
        (0x1000, "AT_EMPTY_PATH"),
        (0x8000, "AT_RECURSIVE"),
    ],
    unknown: "OPEN_TREE_???",
    zero: "0",
    unknown_bits: "",
};

/// perf_event_open, argument 4.
pub(super) const PERF_EVENT_OPEN: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "PERF_FLAG_FD_NO_GROUP"),
        (0x2, "PERF_FLAG_FD_OUTPUT"),
        (0x4, "PERF_FLAG_PID_CGROUP"),
        (0x8, "PERF_FLAG_FD_CLOEXEC"),
    ],
    unknown: "PERF_FLAG_???",
    zero: "0",
    unknown_bits: "",
};

/// reboot, argument 2.
pub(super) const REBOOT: Names = Names {
    field: u64::MAX,
    values: &[
        (0x1234567, "LINUX_REBOOT_CMD_RESTART"),
        (0xcdef0123, "LINUX_REBOOT_CMD_HALT"),
        (0x4321fedc, "LINUX_REBOOT_CMD_POWER_OFF"),
        (0x0, "LINUX_REBOOT_CMD_CAD_OFF"),
        (0x89abcdef, "LINUX_REBOOT_CMD_CAD_ON"),
        (0xa1b2c3d4, "LINUX_REBOOT_CMD_RESTART2"),
        (0xd000fce2, "LINUX_REBOOT_CMD_SW_SUSPEND"),
        (0x45584543, "LINUX_REBOOT_CMD_KEXEC"),
    ],
    bits: &[],
    unknown: "LINUX_REBOOT_CMD_???",
    zero: "0",
    unknown_bits: "",
};

/// reboot, argument 0.
pub(super) const REBOOT_MAGIC1: Names = Names {
    field: u64::MAX,
    values: &[(0xfee1dead, "LINUX_REBOOT_MAGIC1")],
    bits: &[],
    unknown: "LINUX_REBOOT_MAGIC_???",
    zero: "0",
    unknown_bits: "",
};

/// reboot, argument 1.
pub(super) const REBOOT_MAGIC2: Names = Names {
    field: u64::MAX,
    values: &[
        (0x28121969, "LINUX_REBOOT_MAGIC2"),
        (0x5121996, "LINUX_REBOOT_MAGIC2A"),
        (0x16041998, "LINUX_REBOOT_MAGIC2B"),
        (0x20112000, "LINUX_REBOOT_MAGIC2C"),
    ],
    bits: &[],
    unknown: "LINUX_REBOOT_MAGIC_???",
    zero: "0",
    unknown_bits: "",
};

/// swapon, argument 1.
pub(super) const SWAP_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x8000, "SWAP_FLAG_PREFER"),
        (0x10000, "SWAP_FLAG_DISCARD"),
        (0x20000, "SWAP_FLAG_DISCARD_ONCE"),
        (0x40000, "SWAP_FLAG_DISCARD_PAGES"),
    ],
    unknown: "SWAP_FLAG_???",
    zero: "0",
    unknown_bits: "",
};

/// syslog, argument 0.
pub(super) const SYSLOG: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "SYSLOG_ACTION_CLOSE"),
        (0x1, "SYSLOG_ACTION_OPEN"),
        (0x2, "SYSLOG_ACTION_READ"),
        (0x3, "SYSLOG_ACTION_READ_ALL"),
        (0x4, "SYSLOG_ACTION_READ_CLEAR"),
        (0x5, "SYSLOG_ACTION_CLEAR"),
        (0x6, "SYSLOG_ACTION_CONSOLE_OFF"),
        (0x7, "SYSLOG_ACTION_CONSOLE_ON"),
        (0x8, "SYSLOG_ACTION_CONSOLE_LEVEL"),
        (0x9, "SYSLOG_ACTION_SIZE_UNREAD"),
        (0xa, "SYSLOG_ACTION_SIZE_BUFFER"),
    ],
    bits: &[],
    unknown: "SYSLOG_ACTION_???",
    zero: "0",
    unknown_bits: "",
};

/// umount2, argument 1.
pub(super) const UMOUNT: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "MNT_FORCE"),
        (0x2, "MNT_DETACH"),
        (0x4, "MNT_EXPIRE"),
        (0x8, "UMOUNT_NOFOLLOW"),
    ],
    unknown: "MNT_???",
    zero: "0",
    unknown_bits: "",
};

/// kexec_load, argument 3.
pub(super) const KEXEC_ARCH: Names = Names {
    field: 0xffff0000,
    values: &[
        (0x0, "KEXEC_ARCH_DEFAULT"),
        (0x30000, "KEXEC_ARCH_386"),
        (0x3e0000, "KEXEC_ARCH_X86_64"),
    ],
    bits: &[(0x1, "KEXEC_ON_CRASH"), (0x2, "KEXEC_PRESERVE_CONTEXT")],
    unknown: "KEXEC_ARCH_???",
    zero: "",
    unknown_bits: "KEXEC_???",
};
