//! Names of flags and constants: reading and writing, polling, notification.
//! Values are the kernel's (`include/uapi`); the order is the one in which strace prints them.

use super::Names;

/// close_range, argument 2.
pub(super) const CLOSE_RANGE: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x2, "CLOSE_RANGE_UNSHARE"), (0x4, "CLOSE_RANGE_CLOEXEC")],
    unknown: "CLOSE_RANGE_???",
    zero: "0",
    unknown_bits: "",
};

/// epoll_create1, argument 0.
pub(super) const EPOLL_CREATE: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x80000, "EPOLL_CLOEXEC")],
    unknown: "EPOLL_???",
    zero: "0",
    unknown_bits: "",
};

/// epoll_ctl, argument 1.
pub(super) const EPOLL_CTL: Names = Names {
    field: u64::MAX,
    values: &[
        (0x1, "EPOLL_CTL_ADD"),
        (0x2, "EPOLL_CTL_DEL"),
        (0x3, "EPOLL_CTL_MOD"),
    ],
    bits: &[],
    unknown: "EPOLL_CTL_???",
    zero: "0",
    unknown_bits: "",
};

/// eventfd2, argument 1.
pub(super) const EVENT_FD: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "EFD_SEMAPHORE"),
        (0x80000, "EFD_CLOEXEC"),
        (0x800, "EFD_NONBLOCK"),
    ],
    unknown: "EFD_???",
    zero: "0",
    unknown_bits: "",
};

/// fadvise64, argument 3.
pub(super) const FADVISE: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "POSIX_FADV_NORMAL"),
        (0x1, "POSIX_FADV_RANDOM"),
        (0x2, "POSIX_FADV_SEQUENTIAL"),
        (0x3, "POSIX_FADV_WILLNEED"),
        (0x4, "POSIX_FADV_DONTNEED"),
        (0x5, "POSIX_FADV_NOREUSE"),
    ],
    bits: &[],
    unknown: "POSIX_FADV_???",
    zero: "0",
    unknown_bits: "",
};

/// fallocate, argument 1.
pub(super) const FALLOCATE: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "FALLOC_FL_KEEP_SIZE"),
        (0x2, "FALLOC_FL_PUNCH_HOLE"),
        (0x4, "FALLOC_FL_NO_HIDE_STALE"),
        (0x8, "FALLOC_FL_COLLAPSE_RANGE"),
        (0x10, "FALLOC_FL_ZERO_RANGE"),
        (0x20, "FALLOC_FL_INSERT_RANGE"),
        (0x40, "FALLOC_FL_UNSHARE_RANGE"),
    ],
    unknown: "FALLOC_FL_???",
    zero: "0",
    unknown_bits: "",
};

/// fanotify_init, argument 0.
pub(super) const FAN_CLASS: Names = Names {
    field: 0xc,
    values: &[
        (0x0, "FAN_CLASS_NOTIF"),
        (0x4, "FAN_CLASS_CONTENT"),
        (0x8, "FAN_CLASS_PRE_CONTENT"),
    ],
    bits: &[
        (0x1, "FAN_CLOEXEC"),
        (0x2, "FAN_NONBLOCK"),
        (0x10, "FAN_UNLIMITED_QUEUE"),
        (0x20, "FAN_UNLIMITED_MARKS"),
        (0x40, "FAN_ENABLE_AUDIT"),
        (0x80, "FAN_REPORT_PIDFD"),
        (0x100, "FAN_REPORT_TID"),
        (0x200, "FAN_REPORT_FID"),
        (0x400, "FAN_REPORT_DIR_FID"),
        (0x800, "FAN_REPORT_NAME"),
        (0x1000, "FAN_REPORT_TARGET_FID"),
    ],
    unknown: "FAN_CLASS_???",
    zero: "FAN_CLASS_NOTIF",
    unknown_bits: "FAN_???",
};

/// fanotify_mark, argument 1.
pub(super) const FAN_MARK: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "FAN_MARK_ADD"),
        (0x2, "FAN_MARK_REMOVE"),
        (0x4, "FAN_MARK_DONT_FOLLOW"),
        (0x8, "FAN_MARK_ONLYDIR"),
        (0x10, "FAN_MARK_MOUNT"),
        (0x20, "FAN_MARK_IGNORED_MASK"),
        (0x40, "FAN_MARK_IGNORED_SURV_MODIFY"),
        (0x80, "FAN_MARK_FLUSH"),
        (0x100, "FAN_MARK_FILESYSTEM"),
        (0x200, "FAN_MARK_EVICTABLE"),
        (0x400, "FAN_MARK_IGNORE"),
    ],
    unknown: "FAN_MARK_???",
    zero: "0",
    unknown_bits: "",
};

/// fanotify_mark, argument 2.
pub(super) const FAN_MASK: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "FAN_ACCESS"),
        (0x2, "FAN_MODIFY"),
        (0x4, "FAN_ATTRIB"),
        (0x8, "FAN_CLOSE_WRITE"),
        (0x10, "FAN_CLOSE_NOWRITE"),
        (0x20, "FAN_OPEN"),
        (0x40, "FAN_MOVED_FROM"),
        (0x80, "FAN_MOVED_TO"),
        (0x100, "FAN_CREATE"),
        (0x200, "FAN_DELETE"),
        (0x400, "FAN_DELETE_SELF"),
        (0x800, "FAN_MOVE_SELF"),
        (0x1000, "FAN_OPEN_EXEC"),
        (0x4000, "FAN_Q_OVERFLOW"),
        (0x8000, "FAN_FS_ERROR"),
        (0x10000, "FAN_OPEN_PERM"),
        (0x20000, "FAN_ACCESS_PERM"),
        (0x40000, "FAN_OPEN_EXEC_PERM"),
        (0x80000, "FAN_DIR_MODIFY"),
        (0x40000000, "FAN_ONDIR"),
        (0x8000000, "FAN_EVENT_ON_CHILD"),
        (0x10000000, "FAN_RENAME"),
    ],
    unknown: "FAN_???",
    zero: "0",
    unknown_bits: "",
};

/// fcntl, argument 1.
pub(super) const FCNTL: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "F_DUPFD"),
        (0x1, "F_GETFD"),
        (0x2, "F_SETFD"),
        (0x3, "F_GETFL"),
        (0x4, "F_SETFL"),
        (0x5, "F_GETLK"),
        (0x6, "F_SETLK"),
        (0x7, "F_SETLKW"),
        (0x8, "F_SETOWN"),
        (0x9, "F_GETOWN"),
        (0xa, "F_SETSIG"),
        (0xb, "F_GETSIG"),
        (0xc, "F_GETLK64"),
        (0xd, "F_SETLK64"),
        (0xe, "F_SETLKW64"),
        (0xf, "F_SETOWN_EX"),
        (0x10, "F_GETOWN_EX"),
        (0x11, "F_GETOWNER_UIDS"),
        (0x24, "F_OFD_GETLK"),
        (0x25, "F_OFD_SETLK"),
        (0x26, "F_OFD_SETLKW"),
        (0x400, "F_SETLEASE"),
        (0x401, "F_GETLEASE"),
        (0x402, "F_NOTIFY"),
        (0x405, "F_CANCELLK"),
        (0x406, "F_DUPFD_CLOEXEC"),
        (0x407, "F_SETPIPE_SZ"),
        (0x408, "F_GETPIPE_SZ"),
        (0x409, "F_ADD_SEALS"),
        (0x40a, "F_GET_SEALS"),
    ],
    bits: &[],
    unknown: "F_???",
    zero: "0",
    unknown_bits: "",
};

/// fcntl, argument 2.
pub(super) const FCNTL_LEASE: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "F_RDLCK"),
        (0x1, "F_WRLCK"),
        (0x2, "F_UNLCK"),
        (0x4, "F_EXLCK"),
        (0x8, "F_SHLCK"),
    ],
    bits: &[],
    unknown: "F_???",
    zero: "0",
    unknown_bits: "",
};

/// fcntl, argument 2.
pub(super) const FD_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x1, "FD_CLOEXEC")],
    unknown: "FD_???",
    zero: "0",
    unknown_bits: "",
};

/// flock, argument 1.
pub(super) const FLOCK: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "LOCK_SH"),
        (0x2, "LOCK_EX"),
        (0x4, "LOCK_NB"),
        (0x8, "LOCK_UN"),
        (0x20, "LOCK_MAND"),
        (0xc0, "LOCK_RW"),
        (0x40, "LOCK_READ"),
        (0x80, "LOCK_WRITE"),
    ],
    unknown: "LOCK_???",
    zero: "0",
    unknown_bits: "",
};

/// inotify_init1, argument 0.
pub(super) const INOTIFY_INIT: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x800, "IN_NONBLOCK"), (0x80000, "IN_CLOEXEC")],
    unknown: "IN_???",
    zero: "0",
    unknown_bits: "",
};

/// inotify_add_watch, argument 2.
pub(super) const INOTIFY_MASK: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "IN_ACCESS"),
        (0x2, "IN_MODIFY"),
        (0x4, "IN_ATTRIB"),
        (0x8, "IN_CLOSE_WRITE"),
        (0x10, "IN_CLOSE_NOWRITE"),
        (0x20, "IN_OPEN"),
        (0x40, "IN_MOVED_FROM"),
        (0x80, "IN_MOVED_TO"),
        (0x100, "IN_CREATE"),
        (0x200, "IN_DELETE"),
        (0x400, "IN_DELETE_SELF"),
        (0x800, "IN_MOVE_SELF"),
        (0x2000, "IN_UNMOUNT"),
        (0x4000, "IN_Q_OVERFLOW"),
        (0x8000, "IN_IGNORED"),
        (0x1000000, "IN_ONLYDIR"),
        (0x2000000, "IN_DONT_FOLLOW"),
        (0x4000000, "IN_EXCL_UNLINK"),
        (0x10000000, "IN_MASK_CREATE"),
        (0x20000000, "IN_MASK_ADD"),
        (0x40000000, "IN_ISDIR"),
        (0x80000000, "IN_ONESHOT"),
    ],
    unknown: "IN_???",
    zero: "0",
    unknown_bits: "",
};

/// io_uring_enter, argument 3.
pub(super) const IO_URING_ENTER: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "IORING_ENTER_GETEVENTS"),
        (0x2, "IORING_ENTER_SQ_WAKEUP"),
        (0x4, "IORING_ENTER_SQ_WAIT"),
        (0x8, "IORING_ENTER_EXT_ARG"),
        (0x10, "IORING_ENTER_REGISTERED_RING"),
    ],
    unknown: "IORING_ENTER_???",
    zero: "0",
    unknown_bits: "",
};

/// io_uring_register, argument 1.
pub(super) const IO_URING_REGISTER: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "IORING_REGISTER_BUFFERS"),
        (0x1, "IORING_UNREGISTER_BUFFERS"),
        (0x2, "IORING_REGISTER_FILES"),
        (0x3, "IORING_UNREGISTER_FILES"),
        (0x4, "IORING_REGISTER_EVENTFD"),
        (0x5, "IORING_UNREGISTER_EVENTFD"),
        (0x6, "IORING_REGISTER_FILES_UPDATE"),
        (0x7, "IORING_REGISTER_EVENTFD_ASYNC"),
        (0x8, "IORING_REGISTER_PROBE"),
        (0x9, "IORING_REGISTER_PERSONALITY"),
        (0xa, "IORING_UNREGISTER_PERSONALITY"),
        (0xb, "IORING_REGISTER_RESTRICTIONS"),
        (0xc, "IORING_REGISTER_ENABLE_RINGS"),
        (0xd, "IORING_REGISTER_FILES2"),
        (0xe, "IORING_REGISTER_FILES_UPDATE2"),
        (0xf, "IORING_REGISTER_BUFFERS2"),
        (0x10, "IORING_REGISTER_BUFFERS_UPDATE"),
        (0x11, "IORING_REGISTER_IOWQ_AFF"),
        (0x12, "IORING_UNREGISTER_IOWQ_AFF"),
        (0x13, "IORING_REGISTER_IOWQ_MAX_WORKERS"),
        (0x14, "IORING_REGISTER_RING_FDS"),
        (0x15, "IORING_UNREGISTER_RING_FDS"),
        (0x16, "IORING_REGISTER_PBUF_RING"),
        (0x17, "IORING_UNREGISTER_PBUF_RING"),
    ],
    bits: &[],
    unknown: "IORING_REGISTER_???",
    zero: "0",
    unknown_bits: "",
};

/// memfd_create, argument 1.
pub(super) const MEMFD: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "MFD_CLOEXEC"),
        (0x2, "MFD_ALLOW_SEALING"),
        (0x4, "MFD_HUGETLB"),
    ],
    unknown: "MFD_???",
    zero: "0",
    unknown_bits: "",
};

/// pidfd_open, argument 1.
pub(super) const PIDFD: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x800, "PIDFD_NONBLOCK")],
    unknown: "PIDFD_???",
    zero: "0",
    unknown_bits: "",
};

/// pipe2, argument 1.
pub(super) const PIPE_FLAGS: Names = Names {
    field: 0,
    values: &[],
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
    unknown: "O_???",
    zero: "0",
    unknown_bits: "",
};

/// preadv2, argument 4.
pub(super) const RWF: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "RWF_HIPRI"),
        (0x2, "RWF_DSYNC"),
        (0x4, "RWF_SYNC"),
        (0x8, "RWF_NOWAIT"),
        (0x10, "RWF_APPEND"),
    ],
    unknown: "RWF_???",
    zero: "0",
    unknown_bits: "",
};

/// lseek, argument 2.
pub(super) const SEEK: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "SEEK_SET"),
        (0x1, "SEEK_CUR"),
        (0x2, "SEEK_END"),
        (0x3, "SEEK_DATA"),
        (0x4, "SEEK_HOLE"),
    ],
    bits: &[],
    unknown: "SEEK_???",
    zero: "0",
    unknown_bits: "",
};

/// signalfd4, argument 3.
pub(super) const SIGNAL_FD: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x80000, "SFD_CLOEXEC"), (0x800, "SFD_NONBLOCK")],
    unknown: "SFD_???",
    zero: "0",
    unknown_bits: "",
};

/// splice, argument 5.
pub(super) const SPLICE: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "SPLICE_F_MOVE"),
        (0x2, "SPLICE_F_NONBLOCK"),
        (0x4, "SPLICE_F_MORE"),
        (0x8, "SPLICE_F_GIFT"),
    ],
    unknown: "SPLICE_F_???",
    zero: "0",
    unknown_bits: "",
};

/// sync_file_range, argument 3.
pub(super) const SYNC_FILE_RANGE: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "SYNC_FILE_RANGE_WAIT_BEFORE"),
        (0x2, "SYNC_FILE_RANGE_WRITE"),
        (0x4, "SYNC_FILE_RANGE_WAIT_AFTER"),
    ],
    unknown: "SYNC_FILE_RANGE_???",
    zero: "0",
    unknown_bits: "",
};

/// timerfd_create, argument 1.
pub(super) const TIMER_FD_CREATE: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "TFD_TIMER_ABSTIME"),
        (0x2, "TFD_TIMER_CANCEL_ON_SET"),
        (0x80000, "TFD_CLOEXEC"),
        (0x800, "TFD_NONBLOCK"),
    ],
    unknown: "TFD_???",
    zero: "0",
    unknown_bits: "",
};

/// timerfd_settime, argument 1.
pub(super) const TIMER_FD_SET: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "TFD_TIMER_ABSTIME"),
        (0x2, "TFD_TIMER_CANCEL_ON_SET"),
        (0x80000, "TFD_CLOEXEC"),
        (0x800, "TFD_NONBLOCK"),
    ],
    unknown: "TFD_???",
    zero: "0",
    unknown_bits: "",
};

/// userfaultfd, argument 0.
pub(super) const USERFAULTFD: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "UFFD_USER_MODE_ONLY"),
        (0x800, "O_NONBLOCK"),
        (0x80000, "O_CLOEXEC"),
    ],
    unknown: "UFFD_???",
    zero: "0",
    unknown_bits: "",
};

/// poll events.
pub(super) const POLL_EVENTS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "POLLIN"),
        (0x2, "POLLPRI"),
        (0x4, "POLLOUT"),
        (0x8, "POLLERR"),
        (0x10, "POLLHUP"),
        (0x20, "POLLNVAL"),
        (0x40, "POLLRDNORM"),
        (0x80, "POLLRDBAND"),
        (0x100, "POLLWRNORM"),
        (0x200, "POLLWRBAND"),
        (0x400, "POLLMSG"),
        (0x1000, "POLLREMOVE"),
        (0x2000, "POLLRDHUP"),
        (0x8000, "POLL_BUSY_LOOP"),
    ],
    unknown: "POLL???",
    zero: "0",
    unknown_bits: "",
};

/// epoll events.
pub(super) const EPOLL_EVENTS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "EPOLLIN"),
        (0x2, "EPOLLPRI"),
        (0x4, "EPOLLOUT"),
        (0x8, "EPOLLERR"),
        (0x10, "EPOLLHUP"),
        (0x20, "EPOLLNVAL"),
        (0x40, "EPOLLRDNORM"),
        (0x80, "EPOLLRDBAND"),
        (0x100, "EPOLLWRNORM"),
        (0x200, "EPOLLWRBAND"),
        (0x400, "EPOLLMSG"),
        (0x2000, "EPOLLRDHUP"),
        (0x10000000, "EPOLLEXCLUSIVE"),
        (0x20000000, "EPOLLWAKEUP"),
        (0x40000000, "EPOLLONESHOT"),
        (0x80000000, "EPOLLET"),
    ],
    unknown: "EPOLL???",
    zero: "0",
    unknown_bits: "",
};
