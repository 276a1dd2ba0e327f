//! Arguments whose kind depends on other arguments: `fcntl` by command, `ioctl` by request, `futex` and `prctl` by operation, `open`'s mode.

use super::kinds::{ArgKind, Dir, RetKind, Set, StructKind};
use crate::nr;
use ArgKind::*;

const O_CREAT: u64 = 0o100;
const O_TMPFILE: u64 = 0o20_000_000;
const CLONE_SETTLS: u64 = 0x0008_0000;
const CLONE_PARENT_SETTID: u64 = 0x0010_0000;
const CLONE_CHILD_CLEARTID: u64 = 0x0020_0000;
const CLONE_CHILD_SETTID: u64 = 0x0100_0000;
const CLONE_PIDFD: u64 = 0x1000;
const IPC_64: u32 = 0x100;

/// The kind of argument `index` of call `nr`.
pub(super) fn resolve(nr: usize, args: &[u64; 6], index: usize) -> ArgKind {
    match nr {
        nr::OPEN => mode_if_created(args[1]),
        nr::OPENAT => mode_if_created(args[2]),
        nr::MQ_OPEN => match (args[1] & O_CREAT != 0, index) {
            (true, 2) => Mode,
            (true, _) => Struct(StructKind::MqAttr, Dir::In),
            (false, _) => Unused,
        },
        nr::MKNOD => dev_if_device(args[1]),
        nr::MKNODAT => dev_if_device(args[2]),
        nr::MMAP => {
            if args[5] == 0 {
                Int
            } else {
                Hex
            }
        }
        nr::MREMAP => {
            if args[3] & 3 == 3 {
                Pointer
            } else {
                Unused
            }
        }
        nr::IOCTL => ioctl(args[1] as u32),
        nr::FCNTL => fcntl(args[1] as u32),
        nr::FUTEX => futex(args[1] as u32, index),
        nr::PRCTL => prctl(args[0] as u32, args, index),
        nr::ARCH_PRCTL => match args[0] as u32 {
            0x1003 | 0x1004 => Struct(StructKind::Pointer, Dir::Out),
            0x1011 => Unused,
            0x1001 | 0x1002 => Pointer,
            _ => Hex,
        },
        nr::CLONE => {
            let used = match index {
                2 => CLONE_PARENT_SETTID | CLONE_PIDFD,
                3 => CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
                _ => CLONE_SETTLS,
            };
            match (args[0] & used != 0, index) {
                (false, _) => Unused,
                (true, 2) => Struct(StructKind::Int, Dir::Out),
                (true, _) => Pointer,
            }
        }
        nr::EPOLL_CTL => match args[1] as u32 {
            2 => Pointer,
            _ => Struct(StructKind::EpollEvent, Dir::In),
        },
        nr::SOCKETPAIR => Ulong,
        nr::SOCKET => match args[0] as u32 {
            2 | 10 => Enum(Set::IpProto),
            16 => Enum(Set::NetlinkFamily),
            17 => Hex32,
            _ => Ulong,
        },
        nr::SETSOCKOPT => sockopt(args, index, Dir::In),
        nr::GETSOCKOPT => sockopt(args, index, Dir::Out),
        nr::SECCOMP => match (args[0] as u32, index) {
            (1, 1) => Flags(Set::SeccompFlags),
            (1, _) => Struct(StructKind::SockFprog, Dir::In),
            (2, 1) => Hex32,
            (2, _) => Struct(StructKind::SeccompAction, Dir::In),
            (_, 1) => Hex32,
            _ => Pointer,
        },
        nr::PTRACE => match (args[0] as u32, index) {
            (0, _) => Unused,
            (_, 1) => Pid,
            // ATTACH, INTERRUPT, KILL, LISTEN.
            (16 | 0x4207 | 8 | 0x4208, _) => Unused,
            (7 | 9 | 17 | 24 | 31 | 32, 3) => Signal,
            _ => Pointer,
        },
        nr::SYSLOG => match args[0] as u32 {
            // Those that read, and those that set a level.
            2..=4 => [Pointer, Int][(index == 2) as usize],
            8 => [Pointer, Enum(Set::LogLevel)][(index == 2) as usize],
            0 | 1 | 5 | 6 | 7 | 9 | 10 => Unused,
            _ => [Pointer, Int][(index == 2) as usize],
        },
        nr::MOUNT => mount(args[3], index),
        nr::MODIFY_LDT => match args[0] as u32 {
            1 | 0x11 => Struct(StructKind::UserDesc, Dir::In),
            _ => Pointer,
        },
        nr::KCMP => match args[2] as u32 {
            0 => Uint,
            1..=6 => Unused,
            _ => Hex,
        },
        nr::LANDLOCK_ADD_RULE => match args[1] as u32 {
            1 => Struct(StructKind::LandlockPath, Dir::In),
            _ => Pointer,
        },
        // The processor counts with a flag only.
        nr::MEMBARRIER => [Unused, Int][(args[1] & 1) as usize],
        nr::FSCONFIG => fsconfig(args[1] as u32, index),
        nr::SHMCTL => match args[1] as u32 & !IPC_64 {
            1 => Struct(StructKind::ShmidDs, Dir::In),
            2 => Struct(StructKind::ShmidDs, Dir::Out),
            _ => Pointer,
        },
        nr::MSGCTL => match args[1] as u32 & !IPC_64 {
            1 => Struct(StructKind::MsqidDs, Dir::In),
            2 => Struct(StructKind::MsqidDs, Dir::Out),
            _ => Pointer,
        },
        nr::KEYCTL => keyctl(args[0] as u32, index),
        nr::REBOOT => match args[2] as u32 {
            0xa1b2_c3d4 => Str,
            _ => Unused,
        },
        _ => Hex,
    }
}

/// What call `nr` returns.
pub(super) fn resolve_ret(nr: usize, args: &[u64; 6]) -> RetKind {
    match nr {
        nr::FCNTL => match args[1] as u32 {
            0 | 1030 => RetKind::Fd,
            1 => RetKind::FdFlags,
            3 => RetKind::OpenFlags,
            9 => RetKind::Pid,
            1034 => RetKind::Hex,
            _ => RetKind::Int,
        },
        nr::BPF => match args[0] as u32 {
            0 | 5 | 7 | 13 | 14 | 15 | 17 | 18 | 19 | 28 => RetKind::Fd,
            _ => RetKind::Int,
        },
        _ => RetKind::Int,
    }
}

/// mount's type and data: those flags that change an existing mount don't look at them.
fn mount(flags: u64, index: usize) -> ArgKind {
    const REMOUNT: u64 = 0x20;
    // BIND, MOVE, UNBINDABLE, PRIVATE, SLAVE, SHARED.
    const CHANGES: u64 = 0x1000 | 0x2000 | 0x2_0000 | 0x4_0000 | 0x8_0000 | 0x10_0000;
    // An old way to say that the flags are flags.
    const MAGIC: u64 = 0xc0ed_0000;
    const MAGIC_MASK: u64 = 0xffff_0000;
    let flags = match flags & MAGIC_MASK {
        MAGIC => flags & !MAGIC_MASK,
        _ => flags,
    };
    match (flags & REMOUNT != 0, flags & CHANGES != 0, index) {
        (true, _, 2) | (false, true, _) => Pointer,
        _ => Str,
    }
}

fn fsconfig(command: u32, index: usize) -> ArgKind {
    match (command, index) {
        // CMD_CREATE, CMD_RECONFIGURE.
        (6 | 7, 2 | 3) => Pointer,
        (0, 3) => Pointer,
        (0..=5, 2) => Str,
        (1, 3) => Str,
        (2, 3) => BufIn(4),
        (3 | 4, 3) => Path,
        (3 | 4, _) => AtFd,
        (5, 3) => Pointer,
        (5, _) => Fd,
        (_, 2 | 3) => Pointer,
        _ => Int,
    }
}

fn keyctl(operation: u32, index: usize) -> ArgKind {
    // In the order arg2, arg3, arg4, arg5.
    let kinds = match operation {
        // GET_KEYRING_ID.
        0 => [KeySerial, Int, Unused, Unused],
        // JOIN_SESSION_KEYRING.
        1 => [Str, Unused, Unused, Unused],
        // UPDATE.
        2 => [KeySerial, BufIn(3), Size, Unused],
        // REVOKE, CLEAR, INVALIDATE, ASSUME_AUTHORITY.
        3 | 7 | 21 | 16 => [KeySerial, Unused, Unused, Unused],
        // CHOWN.
        4 => [KeySerial, Uid, Gid, Unused],
        // SETPERM.
        5 => [KeySerial, Hex32, Unused, Unused],
        // DESCRIBE, READ, GET_SECURITY.
        6 | 11 | 17 => [KeySerial, BufOut(3), Size, Unused],
        // LINK, UNLINK.
        8 | 9 => [KeySerial, KeySerial, Unused, Unused],
        // SEARCH.
        10 => [KeySerial, Str, Str, KeySerial],
        // INSTANTIATE.
        12 => [KeySerial, BufIn(3), Size, KeySerial],
        // NEGATE.
        13 => [KeySerial, Uint, KeySerial, Unused],
        // SET_TIMEOUT.
        15 => [KeySerial, Uint, Unused, Unused],
        // SESSION_TO_PARENT.
        18 => [Unused, Unused, Unused, Unused],
        // GET_PERSISTENT.
        22 => [Uid, KeySerial, Unused, Unused],
        _ => [Hex, Hex, Hex, Hex],
    };
    index
        .checked_sub(1)
        .and_then(|i| kinds.get(i).copied())
        .unwrap_or(Hex)
}

fn mode_if_created(flags: u64) -> ArgKind {
    if flags & (O_CREAT | O_TMPFILE) != 0 {
        Mode
    } else {
        Unused
    }
}

fn dev_if_device(mode: u64) -> ArgKind {
    match mode & 0o170_000 {
        0o020_000 | 0o060_000 => Dev,
        _ => Unused,
    }
}

fn ioctl(request: u32) -> ArgKind {
    use StructKind::{Int as K, Termios, Winsize};
    match request {
        0x5401 => Struct(Termios, Dir::Out),
        0x5402..=0x5404 => Struct(Termios, Dir::In),
        0x802c_542a => Struct(StructKind::Termios2, Dir::Out),
        0x402c_542b..=0x402c_542d => Struct(StructKind::Termios2, Dir::In),
        0x5406..=0x5408 => Struct(StructKind::Termio, Dir::In),
        0x5405 => Struct(StructKind::Termio, Dir::Out),
        // TIOCGPGRP, TIOCGSID, TIOCOUTQ, FIONREAD, TIOCMGET, TIOCGETD, TIOCGPTN, FS_IOC_GETFLAGS.
        0x540f | 0x5429 | 0x5411 | 0x541b | 0x5415 | 0x5424 | 0x8004_5430 | 0x8008_6601 => {
            Struct(K, Dir::Out)
        }
        // TIOCSPGRP, FIONBIO, FIOASYNC, TIOCSETD, TIOCSPTLCK, TIOCMBIS, TIOCMBIC, TIOCMSET, TIOCSSOFTCAR, TIOCPKT.
        0x5416..=0x5418 | 0x541a | 0x5420 | 0x5410 | 0x5421 | 0x5452 | 0x5423 | 0x4004_5431 => {
            Struct(K, Dir::In)
        }
        0x5413 => Struct(Winsize, Dir::Out),
        0x5414 => Struct(Winsize, Dir::In),
        0x540a => Enum(Set::TerminalFlow),
        0x540b => Enum(Set::TerminalFlush),
        // TIOCGSOFTCAR.
        0x5419 => Struct(K, Dir::Out),
        0x5456 => Struct(Termios, Dir::Out),
        0x5457 => Struct(Termios, Dir::In),
        // TCSBRK, TIOCSCTTY, TCSBRKP, FICLONE's descriptor.
        0x5409 | 0x540e | 0x5425 => Int,
        0x4004_9409 => Fd,
        // TIOCNOTTY, FIOCLEX, FIONCLEX, TIOCEXCL, TIOCNXCL, TIOCCONS, TIOCSBRK, TIOCCBRK, TIOCVHANGUP.
        0x541d | 0x541f | 0x5427 | 0x5428 | 0x5437 | 0x5422 | 0x5451 | 0x5450 | 0x540c | 0x540d => {
            Unused
        }
        // SIOCGIFCONF and the interface requests that take an ifreq.
        // SIOCSPGRP and its kin.
        0x8901 | 0x8902 => Struct(K, Dir::In),
        0x8903..=0x8905 => Struct(K, Dir::Out),
        0x891f | 0x8920 => Pointer,
        0x8910 | 0x8913..=0x8927 | 0x8933 | 0x8942 => Struct(StructKind::Ifreq, Dir::InOut),
        // Of terminals, sockets and files an unknown one takes an address; of others anything.
        _ if matches!(request >> 8 & 0xff, 0x66 | 0x89) => Pointer,
        _ => Hex,
    }
}

fn fcntl(cmd: u32) -> ArgKind {
    match cmd {
        // F_DUPFD, F_DUPFD_CLOEXEC, F_SETPIPE_SZ.
        0 | 1030 | 1031 => Int,
        1 | 3 | 9 | 11 | 1025 | 1032 | 1034 => Unused,
        2 => Flags(Set::FdFlags),
        4 => Flags(Set::OpenFlags),
        5 | 36 => Struct(StructKind::Flock, Dir::InOut),
        1026 => Flags(Set::DirectoryNotify),
        6 | 7 | 37 | 38 => Struct(StructKind::Flock, Dir::In),
        8 => Pid,
        10 => Signal,
        15 => Struct(StructKind::FOwnerEx, Dir::In),
        16 => Struct(StructKind::FOwnerEx, Dir::Out),
        1024 => Enum(Set::FcntlLease),
        1033 => Flags(Set::Seals),
        _ => Hex,
    }
}

fn futex(op: u32, index: usize) -> ArgKind {
    let timeout = Struct(StructKind::Timespec, Dir::In);
    // In the order val, timeout or val2, uaddr2, val3.
    let kinds = match op & 0x7f {
        0 => [Uint, timeout, Unused, Unused],
        1 | 2 => [Int, Unused, Unused, Unused],
        3 => [Uint, Uint, Pointer, Unused],
        4 => [Uint, Uint, Pointer, Uint],
        5 => [Uint, Uint, Pointer, FutexWakeOp],
        6 => [Unused, timeout, Unused, Unused],
        7 | 8 => [Unused; 4],
        9 => [Uint, timeout, Unused, Enum(Set::FutexBitset)],
        10 => [Uint, Unused, Unused, Enum(Set::FutexBitset)],
        11 => [Uint, timeout, Pointer, Unused],
        12 => [Uint, Uint, Pointer, Uint],
        13 => [Unused, timeout, Unused, Unused],
        _ => [Uint, Pointer, Pointer, Hex32],
    };
    index
        .checked_sub(2)
        .and_then(|i| kinds.get(i).copied())
        .unwrap_or(Hex)
}

fn prctl(option: u32, args: &[u64; 6], index: usize) -> ArgKind {
    let none = [Unused; 4];
    let one = |kind| [kind, Unused, Unused, Unused];
    let rest = |kind| [kind, Hex, Hex, Hex];
    // In the order arg2, arg3, arg4, arg5.
    let kinds = match option {
        // SET_PDEATHSIG.
        1 => one(Signal),
        // GET_PDEATHSIG, _UNALIGN, _FPEMU, _FPEXC, _ENDIAN, _CHILD_SUBREAPER.
        2 | 5 | 9 | 11 | 19 | 37 => one(Struct(StructKind::Int, Dir::Out)),
        // GET_DUMPABLE, _KEEPCAPS, _TIMING, _SECCOMP, _SECUREBITS, _TIMERSLACK, TASK_PERF_EVENTS_*, GET_FP_MODE, SVE_GET_VL.
        3 | 7 | 13 | 21 | 27 | 30 | 31 | 32 | 46 | 51 | 64 => none,
        4 => one(Enum(Set::DumpMode)),
        // SET_KEEPCAPS, _FPEMU, _FPEXC, _TIMING, _ENDIAN, _CHILD_SUBREAPER.
        8 | 10 | 12 | 14 | 20 | 36 => one(Ulong),
        15 => one(Str),
        16 => one(StrOut),
        // CAPBSET_READ and _DROP.
        23 | 24 => one(Enum(Set::Capability)),
        25 => one(Struct(StructKind::TscMode, Dir::Out)),
        26 => one(Enum(Set::TscMode)),
        28 => one(Flags(Set::SecureBits)),
        // SET_TIMERSLACK.
        29 => one(Long),
        // SET_SECCOMP.
        22 => match args[1] {
            1 => one(Enum(Set::SeccompMode)),
            2 => [
                Enum(Set::SeccompMode),
                Struct(StructKind::SockFprog, Dir::In),
                Unused,
                Unused,
            ],
            _ => rest(Enum(Set::SeccompMode)),
        },
        // MCE_KILL.
        33 if args[1] == 1 => [Enum(Set::MceKill), Enum(Set::MceKillPolicy), Hex, Hex],
        33 => rest(Enum(Set::MceKill)),
        // SET_MM.
        35 => rest(Enum(Set::SetMm)),
        // SET_NO_NEW_PRIVS, SET_THP_DISABLE, SET_IO_FLUSHER.
        38 | 41 | 57 => rest(Ulong),
        // GET_TID_ADDRESS.
        40 => one(Struct(StructKind::Pointer, Dir::Out)),
        // CAP_AMBIENT.
        47 if (1..=3).contains(&args[1]) => {
            [Enum(Set::CapAmbient), Enum(Set::Capability), Hex, Hex]
        }
        47 => rest(Enum(Set::CapAmbient)),
        // GET_SPECULATION_CTRL and SET_SPECULATION_CTRL.
        52 => one(Enum(Set::Speculation)),
        53 if matches!(args[1], 0..=2) => [
            Enum(Set::Speculation),
            Enum(Set::SpeculationMode),
            Unused,
            Unused,
        ],
        53 => [Enum(Set::Speculation), Hex, Unused, Unused],
        // SET_SYSCALL_USER_DISPATCH.
        59 => match args[1] {
            0 | 1 => [Enum(Set::Dispatch), Hex, Hex, Pointer],
            _ => rest(Enum(Set::Dispatch)),
        },
        // SET_PTRACER: a process, or -1 for any.
        0x5961_6d61 => one(Int),
        _ => [Hex; 4],
    };
    index
        .checked_sub(1)
        .and_then(|i| kinds.get(i).copied())
        .unwrap_or(Hex)
}

fn sockopt(args: &[u64; 6], index: usize, dir: Dir) -> ArgKind {
    if index == 2 {
        return match args[1] as u32 {
            1 => Enum(Set::SockOpt),
            6 => Enum(Set::TcpOpt),
            0 => Enum(Set::IpOpt),
            41 => Enum(Set::Ipv6Opt),
            _ => Uint,
        };
    }
    SockOpt(dir)
}
