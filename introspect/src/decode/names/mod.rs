//! Symbolic names of flags and constants, as strace prints them.
//!
//! - [`Names`]: one set; [`write`](Names::write) prints a value with it.
//! - [`of`]: the names of a [`Set`] of the system-call table.

mod files;
mod io;
pub(in crate::decode) mod ioctl;
mod ipc;
mod memory;
pub(in crate::decode) mod net;
mod operations;
mod process;
mod rare;
mod signal;
mod system;

use super::{notation, text};
use vitrine_abi::syscall::Set;

/// Names for numbers: an enumerated field, bits, or both (`O_RDWR|O_CREAT`).
pub struct Names {
    /// The bits that hold an enumerated value: all of them for an enumeration, none for plain flags.
    pub field: u64,
    /// Names of the enumerated values.
    pub values: &'static [(u64, &'static str)],
    /// Names of bits (or of several bits together) in the order of printing.
    pub bits: &'static [(u64, &'static str)],
    /// What an unknown value is commented with.
    pub unknown: &'static str,
    /// What no flag at all is called.
    pub zero: &'static str,
    /// For a field followed by flags: what unknown flags are commented with if no other stands beside the field.
    pub unknown_bits: &'static str,
}

impl Names {
    /// The name of an enumerated value.
    pub fn value(&self, value: u64) -> Option<&'static str> {
        let found = self.values.iter().find(|(v, _)| *v == value & self.field);
        found.map(|(_, name)| *name)
    }

    /// Appends `value`, as a rule in its symbolic form.
    pub fn write(&self, out: &mut Vec<u8>, value: u64) {
        notation::constant(
            out,
            |out| text::hex(out, value),
            |out| self.symbols(out, value),
        );
    }

    fn symbols(&self, out: &mut Vec<u8>, value: u64) {
        let mut rest = value & !self.field;
        let mut first = true;
        if self.field != 0 {
            match self.value(value) {
                Some(name) => out.extend_from_slice(name.as_bytes()),
                None => write_unknown(out, value & self.field, self.unknown),
            }
            first = false;
        } else if value == 0 {
            out.extend_from_slice(self.zero.as_bytes());
            return;
        }
        for (bits, name) in self.bits {
            if rest & bits == *bits && *bits != 0 {
                if !first {
                    out.push(b'|');
                }
                first = false;
                out.extend_from_slice(name.as_bytes());
                rest &= !bits;
            }
            if rest == 0 {
                break;
            }
        }
        if rest != 0 {
            if first {
                write_unknown(out, rest, self.unknown);
            } else {
                out.push(b'|');
                let none_known = rest == value & !self.field;
                write_unknown(out, rest, if none_known { self.unknown_bits } else { "" });
            }
        }
    }
}

fn write_unknown(out: &mut Vec<u8>, value: u64, comment: &str) {
    text::hex(out, value);
    if !comment.is_empty() {
        out.extend_from_slice(b" /* ");
        out.extend_from_slice(comment.as_bytes());
        out.extend_from_slice(b" */");
    }
}

/// The names of a set.
pub fn of(set: Set) -> &'static Names {
    match set {
        Set::Access => &files::ACCESS,
        Set::AddressFamily => &net::ADDRESS_FAMILY,
        Set::ArchPrctl => &process::ARCH_PRCTL,
        Set::AtAccess => &files::AT_ACCESS,
        Set::AtEmptyNofollow => &files::AT_EMPTY_NOFOLLOW,
        Set::AtExec => &process::AT_EXEC,
        Set::AtHandle => &files::AT_HANDLE,
        Set::AtLink => &files::AT_LINK,
        Set::AtMountSetattr => &system::AT_MOUNT_SETATTR,
        Set::AtStat => &files::AT_STAT,
        Set::AtStatx => &files::AT_STATX,
        Set::AtUnlink => &files::AT_UNLINK,
        Set::BpfCommand => &system::BPF_COMMAND,
        Set::ClockId => &signal::CLOCK_ID,
        Set::CloneFlags => &process::CLONE_FLAGS,
        Set::CloneNew => &process::CLONE_NEW,
        Set::CloseRange => &io::CLOSE_RANGE,
        Set::DeleteModule => &system::DELETE_MODULE,
        Set::EpollCreate => &io::EPOLL_CREATE,
        Set::EpollCtl => &io::EPOLL_CTL,
        Set::EpollEvents => &io::EPOLL_EVENTS,
        Set::EventFd => &io::EVENT_FD,
        Set::Fadvise => &io::FADVISE,
        Set::Fallocate => &io::FALLOCATE,
        Set::FanClass => &io::FAN_CLASS,
        Set::FanMark => &io::FAN_MARK,
        Set::FanMask => &io::FAN_MASK,
        Set::Fcntl => &io::FCNTL,
        Set::FcntlLease => &io::FCNTL_LEASE,
        Set::FdFlags => &io::FD_FLAGS,
        Set::Flock => &io::FLOCK,
        Set::FsConfig => &system::FS_CONFIG,
        Set::FsMount => &system::FS_MOUNT,
        Set::FsOpen => &system::FS_OPEN,
        Set::FsPick => &system::FS_PICK,
        Set::FutexOp => &ipc::FUTEX_OP,
        Set::FutexWaitvClock => &ipc::FUTEX_WAITV_CLOCK,
        Set::GetRandom => &system::GET_RANDOM,
        Set::InotifyInit => &io::INOTIFY_INIT,
        Set::InotifyMask => &io::INOTIFY_MASK,
        Set::IoUringEnter => &io::IO_URING_ENTER,
        Set::IoUringRegister => &io::IO_URING_REGISTER,
        Set::IpcShmGet => &ipc::IPC_SHM_GET,
        Set::IpcSemGet => &ipc::IPC_SEM_GET,
        Set::IpcMsgGet => &ipc::IPC_MSG_GET,
        Set::Itimer => &signal::ITIMER,
        Set::IoprioWho => &process::IOPRIO_WHO,
        Set::Kcmp => &process::KCMP,
        Set::KexecFile => &system::KEXEC_FILE,
        Set::KexecArch => &system::KEXEC_ARCH,
        Set::Keyctl => &ipc::KEYCTL,
        Set::LandlockCreate => &process::LANDLOCK_CREATE,
        Set::LandlockRule => &process::LANDLOCK_RULE,
        Set::Madvise => &memory::MADVISE,
        Set::MapFlags => &memory::MAP_FLAGS,
        Set::Membarrier => &memory::MEMBARRIER,
        Set::MembarrierFlags => &memory::MEMBARRIER_FLAGS,
        Set::Memfd => &io::MEMFD,
        Set::Mlock2 => &memory::MLOCK2,
        Set::MlockAll => &memory::MLOCK_ALL,
        Set::ModuleInit => &system::MODULE_INIT,
        Set::MountAttr => &system::MOUNT_ATTR,
        Set::MountFlags => &system::MOUNT_FLAGS,
        Set::MoveMount => &system::MOVE_MOUNT,
        Set::MpolFlags => &memory::MPOL_FLAGS,
        Set::MpolGet => &memory::MPOL_GET,
        Set::MpolMode => &memory::MPOL_MODE,
        Set::Mremap => &memory::MREMAP,
        Set::MsgFlags => &net::MSG_FLAGS,
        Set::Msgctl => &ipc::MSGCTL,
        Set::MsgrcvFlags => &ipc::MSGRCV_FLAGS,
        Set::Msync => &memory::MSYNC,
        Set::OpenFlags => &files::OPEN_FLAGS,
        Set::OpenTree => &system::OPEN_TREE,
        Set::PerfEventOpen => &system::PERF_EVENT_OPEN,
        Set::Personality => &process::PERSONALITY,
        Set::Pidfd => &io::PIDFD,
        Set::PidType => &process::PID_TYPE,
        Set::PipeFlags => &io::PIPE_FLAGS,
        Set::PkeyAccess => &memory::PKEY_ACCESS,
        Set::PollEvents => &io::POLL_EVENTS,
        Set::Prctl => &process::PRCTL,
        Set::Priority => &process::PRIORITY,
        Set::Prot => &memory::PROT,
        Set::Ptrace => &process::PTRACE,
        Set::Reboot => &system::REBOOT,
        Set::RebootMagic1 => &system::REBOOT_MAGIC1,
        Set::RebootMagic2 => &system::REBOOT_MAGIC2,
        Set::Rename => &files::RENAME,
        Set::Resolve => &files::RESOLVE,
        Set::Rlimit => &process::RLIMIT,
        Set::RusageWho => &process::RUSAGE_WHO,
        Set::Rwf => &io::RWF,
        Set::SchedPolicy => &process::SCHED_POLICY,
        Set::Seccomp => &process::SECCOMP,
        Set::SeccompFlags => &process::SECCOMP_FLAGS,
        Set::Seek => &io::SEEK,
        Set::Semctl => &ipc::SEMCTL,
        Set::Shmat => &ipc::SHMAT,
        Set::Shmctl => &ipc::SHMCTL,
        Set::Shutdown => &net::SHUTDOWN,
        Set::SigProcMask => &signal::SIG_PROC_MASK,
        Set::SignalFd => &io::SIGNAL_FD,
        Set::SigactionFlags => &signal::SIGACTION_FLAGS,
        Set::SigaltstackFlags => &signal::SIGALTSTACK_FLAGS,
        Set::SockType => &net::SOCK_TYPE,
        Set::SockAccept => &net::SOCK_ACCEPT,
        Set::SockOptLevel => &net::SOCK_OPT_LEVEL,
        Set::SockOpt => &net::SOCK_OPT,
        Set::Splice => &io::SPLICE,
        Set::StatxMask => &files::STATX_MASK,
        Set::StatxAttr => &files::STATX_ATTR,
        Set::SwapFlags => &system::SWAP_FLAGS,
        Set::SyncFileRange => &io::SYNC_FILE_RANGE,
        Set::Syslog => &system::SYSLOG,
        Set::TcpOpt => &net::TCP_OPT,
        Set::TimerFdCreate => &io::TIMER_FD_CREATE,
        Set::TimerFdSet => &io::TIMER_FD_SET,
        Set::TimerAbs => &signal::TIMER_ABS,
        Set::Umount => &system::UMOUNT,
        Set::Userfaultfd => &io::USERFAULTFD,
        Set::WaitOptions => &process::WAIT_OPTIONS,
        Set::WaitidOptions => &process::WAITID_OPTIONS,
        Set::Xattr => &files::XATTR,
        Set::DumpMode => &process::DUMP_MODE,
        Set::IpProto => &net::IP_PROTO,
        Set::FutexBitset => &ipc::FUTEX_BITSET,
        Set::NetlinkFamily => &net::NETLINK_FAMILY,
        Set::IpOpt => &net::IP_OPT,
        Set::Ipv6Opt => &net::IPV6_OPT,
        Set::ClockState => &rare::CLOCK_STATE,
        Set::ClockStatus => &rare::CLOCK_STATUS,
        Set::ClockModes => &rare::CLOCK_MODES,
        Set::Capabilities => &rare::CAPABILITIES,
        Set::SchedFlags => &rare::SCHED_FLAGS,
        Set::SigevNotify => &rare::SIGEV_NOTIFY,
        Set::InterfaceFlags => &rare::INTERFACE_FLAGS,
        Set::Futex2 => &rare::FUTEX2,
        Set::Capability => &operations::CAPABILITY,
        Set::SeccompMode => &operations::SECCOMP_MODE,
        Set::TscMode => &operations::TSC_MODE,
        Set::SecureBits => &operations::SECURE_BITS,
        Set::MceKill => &operations::MCE_KILL,
        Set::MceKillPolicy => &operations::MCE_KILL_POLICY,
        Set::SetMm => &operations::SET_MM,
        Set::CapAmbient => &operations::CAP_AMBIENT,
        Set::Speculation => &operations::SPECULATION,
        Set::SpeculationMode => &operations::SPECULATION_MODE,
        Set::Dispatch => &operations::DISPATCH,
        Set::Seals => &operations::SEALS,
        Set::DirectoryNotify => &operations::DIRECTORY_NOTIFY,
        Set::TerminalFlow => &operations::TERMINAL_FLOW,
        Set::TerminalFlush => &operations::TERMINAL_FLUSH,
        Set::LogLevel => &operations::LOG_LEVEL,
        Set::MpolModifiers => &memory::MPOL_MODIFIERS,
        Set::MovePages => &rare::MOVE_PAGES,
        Set::LandlockAccess => &rare::LANDLOCK_ACCESS,
        Set::IoUringSetup => &rare::IO_URING_SETUP,
        Set::IoUringFeatures => &rare::IO_URING_FEATURES,
        Set::MemfdSecret => &rare::MEMFD_SECRET,
        Set::SeccompAction => &rare::SECCOMP_ACTION,
        Set::SemopFlags => &rare::SEMOP_FLAGS,
        Set::Propagation => &rare::PROPAGATION,
    }
}

/// Flags of clone(2), without those that lie in the signal's byte or beyond 32 bits, and of clone3(2).
pub static CLONE: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x100, "CLONE_VM"),
        (0x200, "CLONE_FS"),
        (0x400, "CLONE_FILES"),
        (0x800, "CLONE_SIGHAND"),
        (0x1000, "CLONE_PIDFD"),
        (0x2000, "CLONE_PTRACE"),
        (0x4000, "CLONE_VFORK"),
        (0x8000, "CLONE_PARENT"),
        (0x10000, "CLONE_THREAD"),
        (0x20000, "CLONE_NEWNS"),
        (0x40000, "CLONE_SYSVSEM"),
        (0x80000, "CLONE_SETTLS"),
        (0x100000, "CLONE_PARENT_SETTID"),
        (0x200000, "CLONE_CHILD_CLEARTID"),
        (0x800000, "CLONE_UNTRACED"),
        (0x1000000, "CLONE_CHILD_SETTID"),
        (0x2000000, "CLONE_NEWCGROUP"),
        (0x4000000, "CLONE_NEWUTS"),
        (0x8000000, "CLONE_NEWIPC"),
        (0x10000000, "CLONE_NEWUSER"),
        (0x20000000, "CLONE_NEWPID"),
        (0x40000000, "CLONE_NEWNET"),
        (0x80000000, "CLONE_IO"),
        (0x80, "CLONE_NEWTIME"),
        (0x100000000, "CLONE_CLEAR_SIGHAND"),
        (0x200000000, "CLONE_INTO_CGROUP"),
    ],
    unknown: "CLONE_???",
    zero: "0",
    unknown_bits: "",
};
