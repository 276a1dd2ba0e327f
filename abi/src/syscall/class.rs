//! Classes of system calls, as strace names them: `%file`, `%desc`, ….

use crate::nr::{self, TABLE_LEN};

/// A set of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Class(pub u32);

impl Class {
    /// Calls that take a file name (`%file`).
    pub const FILE: Class = Class(1 << 0);
    /// Calls about descriptors (`%desc`).
    pub const DESC: Class = Class(1 << 1);
    /// Process life (`%process`).
    pub const PROCESS: Class = Class(1 << 2);
    /// Sockets (`%network`).
    pub const NETWORK: Class = Class(1 << 3);
    /// Signals (`%signal`).
    pub const SIGNAL: Class = Class(1 << 4);
    /// System V IPC (`%ipc`).
    pub const IPC: Class = Class(1 << 5);
    /// Mappings (`%memory`).
    pub const MEMORY: Class = Class(1 << 6);
    /// User and group ids, capabilities (`%creds`).
    pub const CREDS: Class = Class(1 << 7);
    /// Clocks (`%clock`).
    pub const CLOCK: Class = Class(1 << 8);
    /// stat (`%stat`).
    pub const STAT: Class = Class(1 << 9);
    /// lstat (`%lstat`).
    pub const LSTAT: Class = Class(1 << 10);
    /// fstat and its kin (`%fstat`).
    pub const FSTAT: Class = Class(1 << 11);
    /// All of the stat family (`%%stat`).
    pub const STAT_LIKE: Class = Class(1 << 12);
    /// statfs (`%statfs`).
    pub const STATFS: Class = Class(1 << 13);
    /// fstatfs (`%fstatfs`).
    pub const FSTATFS: Class = Class(1 << 14);
    /// All of the statfs family (`%%statfs`).
    pub const STATFS_LIKE: Class = Class(1 << 15);
    /// Calls that always succeed and have no arguments (`%pure`).
    pub const PURE: Class = Class(1 << 16);

    /// Whether it has a class in common with `other`.
    pub const fn intersects(self, other: Class) -> bool {
        self.0 & other.0 != 0
    }

    /// The class that strace calls `%name` (without the `%`; `%stat` for `%%stat`).
    pub fn from_name(name: &str) -> Option<Class> {
        Some(match name {
            "file" => Class::FILE,
            "desc" => Class::DESC,
            "process" => Class::PROCESS,
            "network" | "net" => Class::NETWORK,
            "signal" => Class::SIGNAL,
            "ipc" => Class::IPC,
            "memory" => Class::MEMORY,
            "creds" => Class::CREDS,
            "clock" => Class::CLOCK,
            "stat" => Class::STAT,
            "lstat" => Class::LSTAT,
            "fstat" => Class::FSTAT,
            "%stat" => Class::STAT_LIKE,
            "statfs" => Class::STATFS,
            "fstatfs" => Class::FSTATFS,
            "%statfs" => Class::STATFS_LIKE,
            "pure" => Class::PURE,
            _ => return None,
        })
    }
}

static CLASSES: [Class; TABLE_LEN] = build();

/// The classes of call `nr`.
pub fn of(nr: usize) -> Class {
    CLASSES.get(nr).copied().unwrap_or_default()
}

const fn build() -> [Class; TABLE_LEN] {
    let mut table = [Class(0); TABLE_LEN];
    let mut class = 0;
    while class < MEMBERS.len() {
        let (bit, members) = MEMBERS[class];
        let mut i = 0;
        while i < members.len() {
            table[members[i]].0 |= bit.0;
            i += 1;
        }
        class += 1;
    }
    table
}

const MEMBERS: &[(Class, &[usize])] = &[
    (
        Class::FILE,
        &[
            nr::ACCESS,
            nr::ACCT,
            nr::CHDIR,
            nr::CHMOD,
            nr::CHOWN,
            nr::CHROOT,
            nr::CREAT,
            nr::EXECVE,
            nr::EXECVEAT,
            nr::FACCESSAT,
            nr::FACCESSAT2,
            nr::FANOTIFY_MARK,
            nr::FCHMODAT,
            nr::FCHOWNAT,
            nr::FSCONFIG,
            nr::FSPICK,
            nr::FUTIMESAT,
            nr::GETCWD,
            nr::GETXATTR,
            nr::INOTIFY_ADD_WATCH,
            nr::LCHOWN,
            nr::LGETXATTR,
            nr::LINK,
            nr::LINKAT,
            nr::LISTXATTR,
            nr::LLISTXATTR,
            nr::LREMOVEXATTR,
            nr::LSETXATTR,
            nr::LSTAT,
            nr::MKDIR,
            nr::MKDIRAT,
            nr::MKNOD,
            nr::MKNODAT,
            nr::MOUNT,
            nr::MOUNT_SETATTR,
            nr::MOVE_MOUNT,
            nr::NAME_TO_HANDLE_AT,
            nr::NEWFSTATAT,
            nr::OPEN,
            nr::OPEN_TREE,
            nr::OPENAT,
            nr::OPENAT2,
            nr::PIVOT_ROOT,
            nr::QUOTACTL,
            nr::READLINK,
            nr::READLINKAT,
            nr::REMOVEXATTR,
            nr::RENAME,
            nr::RENAMEAT,
            nr::RENAMEAT2,
            nr::RMDIR,
            nr::SETXATTR,
            nr::STAT,
            nr::STATFS,
            nr::STATX,
            nr::SWAPOFF,
            nr::SWAPON,
            nr::SYMLINK,
            nr::SYMLINKAT,
            nr::TRUNCATE,
            nr::UMOUNT2,
            nr::UNLINK,
            nr::UNLINKAT,
            nr::USELIB,
            nr::UTIME,
            nr::UTIMENSAT,
            nr::UTIMES,
            nr::FCHMODAT2,
        ],
    ),
    (
        Class::DESC,
        &[
            nr::BPF,
            nr::CLOSE,
            nr::COPY_FILE_RANGE,
            nr::CREAT,
            nr::DUP,
            nr::DUP2,
            nr::DUP3,
            nr::EPOLL_CREATE,
            nr::EPOLL_CREATE1,
            nr::EPOLL_CTL,
            nr::EPOLL_PWAIT,
            nr::EPOLL_PWAIT2,
            nr::EPOLL_WAIT,
            nr::EVENTFD,
            nr::EVENTFD2,
            nr::EXECVEAT,
            nr::FACCESSAT,
            nr::FACCESSAT2,
            nr::FADVISE64,
            nr::FALLOCATE,
            nr::FANOTIFY_INIT,
            nr::FANOTIFY_MARK,
            nr::FCHDIR,
            nr::FCHMOD,
            nr::FCHMODAT,
            nr::FCHOWN,
            nr::FCHOWNAT,
            nr::FCNTL,
            nr::FDATASYNC,
            nr::FGETXATTR,
            nr::FINIT_MODULE,
            nr::FLISTXATTR,
            nr::FLOCK,
            nr::FREMOVEXATTR,
            nr::FSCONFIG,
            nr::FSETXATTR,
            nr::FSMOUNT,
            nr::FSOPEN,
            nr::FSPICK,
            nr::FSTAT,
            nr::FSTATFS,
            nr::FSYNC,
            nr::FTRUNCATE,
            nr::FUTIMESAT,
            nr::GETDENTS,
            nr::GETDENTS64,
            nr::INOTIFY_ADD_WATCH,
            nr::INOTIFY_INIT,
            nr::INOTIFY_INIT1,
            nr::INOTIFY_RM_WATCH,
            nr::IO_URING_ENTER,
            nr::IO_URING_REGISTER,
            nr::IO_URING_SETUP,
            nr::IOCTL,
            nr::KEXEC_FILE_LOAD,
            nr::LANDLOCK_ADD_RULE,
            nr::LANDLOCK_CREATE_RULESET,
            nr::LANDLOCK_RESTRICT_SELF,
            nr::LINKAT,
            nr::LSEEK,
            nr::MEMFD_CREATE,
            nr::MEMFD_SECRET,
            nr::MKDIRAT,
            nr::MKNODAT,
            nr::MMAP,
            nr::MOUNT_SETATTR,
            nr::MOVE_MOUNT,
            nr::MQ_GETSETATTR,
            nr::MQ_NOTIFY,
            nr::MQ_OPEN,
            nr::MQ_TIMEDRECEIVE,
            nr::MQ_TIMEDSEND,
            nr::NAME_TO_HANDLE_AT,
            nr::NEWFSTATAT,
            nr::OPEN,
            nr::OPEN_BY_HANDLE_AT,
            nr::OPEN_TREE,
            nr::OPENAT,
            nr::OPENAT2,
            nr::PERF_EVENT_OPEN,
            nr::PIDFD_GETFD,
            nr::PIDFD_OPEN,
            nr::PIDFD_SEND_SIGNAL,
            nr::PIPE,
            nr::PIPE2,
            nr::POLL,
            nr::PPOLL,
            nr::PREAD64,
            nr::PREADV,
            nr::PREADV2,
            nr::PROCESS_MADVISE,
            nr::PROCESS_MRELEASE,
            nr::PSELECT6,
            nr::PWRITE64,
            nr::PWRITEV,
            nr::PWRITEV2,
            nr::QUOTACTL_FD,
            nr::READ,
            nr::READAHEAD,
            nr::READLINKAT,
            nr::READV,
            nr::RENAMEAT,
            nr::RENAMEAT2,
            nr::SELECT,
            nr::SENDFILE,
            nr::SETNS,
            nr::SIGNALFD,
            nr::SIGNALFD4,
            nr::SPLICE,
            nr::STATX,
            nr::SYMLINKAT,
            nr::SYNC_FILE_RANGE,
            nr::SYNCFS,
            nr::TEE,
            nr::TIMERFD_CREATE,
            nr::TIMERFD_GETTIME,
            nr::TIMERFD_SETTIME,
            nr::UNLINKAT,
            nr::USERFAULTFD,
            nr::UTIMENSAT,
            nr::VMSPLICE,
            nr::WRITE,
            nr::WRITEV,
            nr::FCHMODAT2,
            nr::CACHESTAT,
        ],
    ),
    (
        Class::PROCESS,
        &[
            nr::CLONE,
            nr::CLONE3,
            nr::EXECVE,
            nr::EXECVEAT,
            nr::EXIT,
            nr::EXIT_GROUP,
            nr::FORK,
            nr::KILL,
            nr::PIDFD_SEND_SIGNAL,
            nr::RT_SIGQUEUEINFO,
            nr::RT_TGSIGQUEUEINFO,
            nr::TGKILL,
            nr::TKILL,
            nr::VFORK,
            nr::WAIT4,
            nr::WAITID,
        ],
    ),
    (
        Class::NETWORK,
        &[
            nr::ACCEPT,
            nr::ACCEPT4,
            nr::BIND,
            nr::CONNECT,
            nr::GETPEERNAME,
            nr::GETPMSG,
            nr::GETSOCKNAME,
            nr::GETSOCKOPT,
            nr::LISTEN,
            nr::PUTPMSG,
            nr::RECVFROM,
            nr::RECVMMSG,
            nr::RECVMSG,
            nr::SENDFILE,
            nr::SENDMMSG,
            nr::SENDMSG,
            nr::SENDTO,
            nr::SETSOCKOPT,
            nr::SHUTDOWN,
            nr::SOCKET,
            nr::SOCKETPAIR,
        ],
    ),
    (
        Class::SIGNAL,
        &[
            nr::IO_URING_ENTER,
            nr::KILL,
            nr::PAUSE,
            nr::PIDFD_SEND_SIGNAL,
            nr::RT_SIGACTION,
            nr::RT_SIGPENDING,
            nr::RT_SIGPROCMASK,
            nr::RT_SIGQUEUEINFO,
            nr::RT_SIGSUSPEND,
            nr::RT_SIGTIMEDWAIT,
            nr::RT_TGSIGQUEUEINFO,
            nr::SIGALTSTACK,
            nr::SIGNALFD,
            nr::SIGNALFD4,
            nr::TGKILL,
            nr::TKILL,
        ],
    ),
    (
        Class::IPC,
        &[
            nr::MSGCTL,
            nr::MSGGET,
            nr::MSGRCV,
            nr::MSGSND,
            nr::SEMCTL,
            nr::SEMGET,
            nr::SEMOP,
            nr::SEMTIMEDOP,
            nr::SHMAT,
            nr::SHMCTL,
            nr::SHMDT,
            nr::SHMGET,
        ],
    ),
    (
        Class::MEMORY,
        &[
            nr::BRK,
            nr::GET_MEMPOLICY,
            nr::IO_DESTROY,
            nr::IO_SETUP,
            nr::IO_URING_REGISTER,
            nr::MADVISE,
            nr::MBIND,
            nr::MIGRATE_PAGES,
            nr::MINCORE,
            nr::MLOCK,
            nr::MLOCK2,
            nr::MLOCKALL,
            nr::MMAP,
            nr::MOVE_PAGES,
            nr::MPROTECT,
            nr::MREMAP,
            nr::MSYNC,
            nr::MUNLOCK,
            nr::MUNLOCKALL,
            nr::MUNMAP,
            nr::PKEY_MPROTECT,
            nr::REMAP_FILE_PAGES,
            nr::SET_MEMPOLICY,
            nr::SET_MEMPOLICY_HOME_NODE,
            nr::SHMAT,
            nr::SHMDT,
            nr::MSEAL,
            nr::MAP_SHADOW_STACK,
        ],
    ),
    (
        Class::CREDS,
        &[
            nr::CAPGET,
            nr::CAPSET,
            nr::GETEGID,
            nr::GETEUID,
            nr::GETGID,
            nr::GETGROUPS,
            nr::GETRESGID,
            nr::GETRESUID,
            nr::GETUID,
            nr::PRCTL,
            nr::SETFSGID,
            nr::SETFSUID,
            nr::SETGID,
            nr::SETGROUPS,
            nr::SETREGID,
            nr::SETRESGID,
            nr::SETRESUID,
            nr::SETREUID,
            nr::SETUID,
        ],
    ),
    (
        Class::CLOCK,
        &[
            nr::ADJTIMEX,
            nr::CLOCK_ADJTIME,
            nr::CLOCK_GETRES,
            nr::CLOCK_GETTIME,
            nr::CLOCK_SETTIME,
            nr::GETTIMEOFDAY,
            nr::SETTIMEOFDAY,
            nr::TIME,
        ],
    ),
    (Class::STAT, &[nr::STAT]),
    (Class::LSTAT, &[nr::LSTAT]),
    (Class::FSTAT, &[nr::FSTAT, nr::NEWFSTATAT, nr::STATX]),
    (
        Class::STAT_LIKE,
        &[nr::FSTAT, nr::LSTAT, nr::NEWFSTATAT, nr::STAT, nr::STATX],
    ),
    (Class::STATFS, &[nr::STATFS]),
    (Class::FSTATFS, &[nr::FSTATFS]),
    (Class::STATFS_LIKE, &[nr::FSTATFS, nr::STATFS, nr::USTAT]),
    (
        Class::PURE,
        &[
            nr::GETEGID,
            nr::GETEUID,
            nr::GETGID,
            nr::GETPGRP,
            nr::GETPID,
            nr::GETPPID,
            nr::GETTID,
            nr::GETUID,
        ],
    ),
];
