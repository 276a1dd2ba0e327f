//! What an argument or a result of a system call is.

/// Which way a pointed-to value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dir {
    /// The call reads it.
    In,
    /// The call writes it.
    Out,
    /// Both; the program sees another value afterwards.
    InOut,
}

impl Dir {
    /// Whether it is to be captured before the call.
    pub const fn is_in(self) -> bool {
        matches!(self, Dir::In | Dir::InOut)
    }

    /// Whether it is to be captured after the call.
    pub const fn is_out(self) -> bool {
        matches!(self, Dir::Out | Dir::InOut)
    }
}

/// In place of an argument index: the number of elements is the call's result.
pub const BY_RESULT: u8 = 6;

/// What an argument is. A `u8` in a variant is the index of the argument that gives a length or count (or [`BY_RESULT`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// The call doesn't look at it.
    Unused,
    /// Decided by other arguments: [`super::Syscall::kind`] resolves it.
    Depends,

    /// A descriptor.
    Fd,
    /// A directory descriptor, or AT_FDCWD.
    AtFd,
    /// A signed 32-bit number.
    Int,
    /// A signed 64-bit number.
    Long,
    /// An unsigned 32-bit number.
    Uint,
    /// An unsigned 64-bit number.
    Ulong,
    /// A number of bytes or elements.
    Size,
    /// A position in a file, signed.
    Offset,
    /// A number that is read in hexadecimal.
    Hex,
    /// A 32-bit number that is read in hexadecimal.
    Hex32,
    /// An address that isn't followed.
    Pointer,
    /// Bits with names.
    Flags(Set),
    /// A value with a name.
    Enum(Set),
    /// Permission bits, octal.
    Mode,
    /// File type and permission bits (mknod).
    FileMode,
    /// A device number.
    Dev,
    /// A signal number.
    Signal,
    /// A process or thread id.
    Pid,
    /// A user id; −1 means none.
    Uid,
    /// A group id; −1 means none.
    Gid,
    /// clone's flags: bits with names, and a signal in the lowest byte.
    CloneFlags,
    /// futex's operation: a name and modifier bits.
    FutexOp,
    /// FUTEX_WAKE_OP's operation and comparison.
    FutexWakeOp,
    /// A type of socket: a name and modifier bits.
    SocketType,
    /// Flags and permission bits together (shmget).
    FlagsMode(Set),
    /// An ioctl request.
    IoctlRequest,
    /// A System V IPC key.
    Key,
    /// `IOPRIO_PRIO_VALUE(class, data)`.
    Ioprio,
    /// `QCMD(command, type)`.
    QuotaCommand,

    /// A file's name, NUL-terminated.
    Path,
    /// Another NUL-terminated string.
    Str,
    /// A buffer that the call reads; its length is another argument.
    BufIn(u8),
    /// A buffer that the call fills; its capacity is another argument, the length that was filled is the result.
    BufOut(u8),
    /// A buffer in which the call puts a NUL-terminated string (getcwd).
    StrOut,
    /// A NULL-terminated array of strings.
    StrArray,
    /// The environment: as `StrArray`, but shown by its length only.
    EnvArray,
    /// One structure.
    Struct(StructKind, Dir),
    /// An array of structures; the count is another argument or the result.
    Structs(StructKind, Dir, u8),
    /// An array of `struct iovec`; the count is another argument.
    IoVec(u8, Dir),
    /// An address whose length is another argument (`In`), or whose length is behind another argument (`Out`, `socklen_t *`).
    SockAddr(u8, Dir),
    /// Bits of an `fd_set`; the number of bits is another argument.
    FdSet(u8),
    /// Bits of a CPU set; the number of bytes is another argument (`In`) or the result (`Out`).
    CpuSet(u8, Dir),
    /// Directory entries, as many bytes as the result.
    DirEntries,
    /// One byte a page of the length in another argument (mincore).
    PageBytes(u8),
    /// Bits of a set of memory nodes; the number of bits and one is another argument.
    Nodemask(u8, Dir),
    /// A System V message: its type, then as many bytes as another argument says.
    Message(u8, Dir),
    /// A socket option's value; its length is argument 4 (`In`), or behind it (`Out`, `socklen_t *`).
    SockOpt(Dir),
    /// A key's serial number, or a special keyring.
    KeySerial,
}

/// What a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetKind {
    /// A number.
    Int,
    /// An address or other number in hexadecimal.
    Hex,
    /// A new descriptor.
    Fd,
    /// A process id.
    Pid,
    /// Permission bits.
    Mode,
    /// Milliseconds of an alarm, a priority, or 0: a plain 0 means that a time-out passed.
    Timeout,
    /// The flags of fcntl(F_GETFL).
    OpenFlags,
    /// The flags of fcntl(F_GETFD).
    FdFlags,
    /// A combination of persona bits.
    Persona,
    /// Decided by the arguments: [`super::Syscall::ret_kind`].
    Depends,
    /// It never returns.
    Never,
}

macro_rules! sets {
    ($($(#[$meta:meta])* $name:ident,)*) => {
        /// A set of symbolic names for numbers or bits. The names themselves are `vitrine-introspect`'s: the guest kernel has no use for them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum Set { $($(#[$meta])* $name,)* }

        impl Set {
            /// All sets.
            pub const ALL: &'static [Set] = &[$(Set::$name,)*];
        }
    };
}

sets! {
    Access, AddressFamily, ArchPrctl, AtAccess, AtEmptyNofollow, AtExec, AtHandle, AtLink, AtMountSetattr,
    AtStat, AtStatx, AtUnlink, BpfCommand, ClockId, CloneFlags, CloneNew, CloseRange,
    DeleteModule, EpollCreate, EpollCtl, EpollEvents, EventFd, Fadvise, Fallocate, FanClass, FanMark,
    FanMask, Fcntl, FcntlLease, FdFlags, Flock, FsConfig, FsMount, FsOpen, FsPick, FutexOp,
    FutexWaitvClock, GetRandom, InotifyInit, InotifyMask, IoUringEnter, IoUringRegister, IpcShmGet, IpcSemGet, IpcMsgGet, Itimer,
    IoprioWho, Kcmp, KexecFile, KexecArch, Keyctl, LandlockCreate, LandlockRule, Madvise, MapFlags, Membarrier, MembarrierFlags,
    Memfd, Mlock2, MlockAll, ModuleInit, MountAttr, MountFlags, MoveMount, MpolFlags, MpolGet,
    MpolMode, Mremap, MsgFlags, Msgctl, MsgrcvFlags, Msync, OpenFlags, OpenTree, PerfEventOpen, Personality,
    Pidfd, PidType, PipeFlags, PkeyAccess, PollEvents, Prctl, Priority, Prot, Ptrace, Reboot, RebootMagic1,
    RebootMagic2, Rename, Resolve, Rlimit, RusageWho, Rwf, SchedPolicy, Seccomp, SeccompFlags, Seek, Semctl,
    Shmat, Shmctl, Shutdown, SigProcMask, SignalFd, SigactionFlags, SigaltstackFlags, SockType, SockAccept, SockOptLevel, SockOpt,
    Splice, StatxMask, StatxAttr, SwapFlags, SyncFileRange, Syslog, TcpOpt, TimerFdCreate, TimerFdSet, TimerAbs, Umount,
    Userfaultfd, WaitOptions, WaitidOptions, Xattr, DumpMode, IpProto, NetlinkFamily, FutexBitset, IpOpt, Ipv6Opt,
    ClockState, ClockStatus, ClockModes, Capabilities, SchedFlags, SigevNotify, InterfaceFlags, Futex2, MovePages, MpolModifiers, Capability, SeccompMode, TscMode, SecureBits, MceKill, MceKillPolicy, SetMm,
    CapAmbient, Speculation, SpeculationMode, Dispatch, Seals, DirectoryNotify, TerminalFlow, TerminalFlush, LogLevel, LandlockAccess, IoUringSetup, IoUringFeatures, MemfdSecret, SeccompAction, SemopFlags, Propagation,
}

macro_rules! structs {
    ($($(#[$meta:meta])* $name:ident = $size:expr,)*) => {
        /// A structure in a program's memory, laid out as x86-64 Linux has it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum StructKind { $($(#[$meta])* $name,)* }

        impl StructKind {
            /// Its size in bytes.
            pub const fn size(self) -> usize {
                match self { $(StructKind::$name => $size,)* }
            }
        }
    };
}

structs! {
    /// A 32-bit number.
    Int = 4,
    /// Whether the time-stamp counter may be read (prctl).
    TscMode = 4,
    /// What a seccomp filter may answer.
    SeccompAction = 4,
    /// A 32-bit number without sign, in hexadecimal where it is an address or flags.
    Uint = 4,
    /// A 64-bit number.
    Long = 8,
    /// A 64-bit number without sign.
    Ulong = 8,
    /// An address.
    Pointer = 8,
    /// Two descriptors (pipe, socketpair).
    FdPair = 8,
    /// A wait(2) status.
    WaitStatus = 4,
    /// A user or group id.
    Id = 4,
    /// `struct stat`.
    Stat = 144,
    /// `struct statx`.
    Statx = 256,
    /// `struct statfs`.
    Statfs = 120,
    /// `struct timespec`.
    Timespec = 16,
    /// Two of them (utimensat).
    TimespecPair = 32,
    /// `struct timeval`.
    Timeval = 16,
    /// Two of them (utimes).
    TimevalPair = 32,
    /// `struct timezone`.
    Timezone = 8,
    /// `struct utimbuf`.
    Utimbuf = 16,
    /// `struct itimerval`.
    Itimerval = 32,
    /// `struct itimerspec`.
    Itimerspec = 32,
    /// `struct timex`.
    Timex = 208,
    /// `struct tms`.
    Tms = 32,
    /// `time_t`.
    Time = 8,
    /// `struct rlimit64`.
    Rlimit = 16,
    /// `struct rusage`.
    Rusage = 144,
    /// The kernel's `struct sigaction`: handler, flags, restorer, mask.
    Sigaction = 32,
    /// The kernel's `sigset_t`.
    SigSet = 8,
    /// `siginfo_t`.
    SigInfo = 128,
    /// `stack_t`.
    SigStack = 24,
    /// `struct sigevent`.
    Sigevent = 64,
    /// A pointer to a `sigset_t` and its size (pselect6).
    SigSetArg = 16,
    /// `struct new_utsname`.
    Utsname = 390,
    /// `struct sysinfo`.
    Sysinfo = 112,
    /// `struct flock`.
    Flock = 32,
    /// `struct f_owner_ex`.
    FOwnerEx = 8,
    /// The kernel's `struct termios`.
    Termios = 36,
    /// The older `struct termio`.
    Termio = 18,
    /// `struct termios2`.
    Termios2 = 44,
    /// `struct winsize`.
    Winsize = 8,
    /// `struct pollfd`.
    PollFd = 8,
    /// `struct epoll_event`.
    EpollEvent = 12,
    /// `struct clone_args`.
    CloneArgs = 88,
    /// `struct open_how`.
    OpenHow = 24,
    /// `struct sched_param`.
    SchedParam = 4,
    /// `struct sched_attr`.
    SchedAttr = 56,
    /// `struct __user_cap_header_struct`.
    CapHeader = 8,
    /// Two `struct __user_cap_data_struct`.
    CapData = 24,
    /// `struct msghdr`.
    MsgHdr = 56,
    /// `struct mmsghdr`.
    MMsgHdr = 64,
    /// `struct iovec`.
    IoVec = 16,
    /// `struct ustat`.
    Ustat = 32,
    /// `struct futex_waitv`.
    FutexWaitv = 24,
    /// `struct sembuf`.
    Sembuf = 6,
    /// `struct mq_attr`.
    MqAttr = 64,
    /// `struct linger` or another pair of ints.
    IntPair = 8,
    /// `struct ucred`.
    Ucred = 12,
    /// `struct ifreq`.
    Ifreq = 40,
    /// `struct io_uring_params`.
    IoUringParams = 120,
    /// `struct sock_fprog`.
    SockFprog = 16,
    /// `struct user_desc`.
    UserDesc = 16,
    /// `struct __sysctl_args`.
    SysctlArgs = 80,
    /// `struct file_handle` with the longest handle.
    FileHandle = 136,
    /// `struct mount_attr`.
    MountAttr = 32,
    /// `struct landlock_ruleset_attr`.
    LandlockRuleset = 8,
    /// `struct landlock_path_beneath_attr`.
    LandlockPath = 12,
    /// `struct perf_event_attr`.
    PerfEventAttr = 128,
    /// A memory policy.
    MpolMode = 4,
    /// `struct shmid_ds`.
    ShmidDs = 112,
    /// `struct msqid_ds`.
    MsqidDs = 120,

}
