//! One argument of a call as text, by its kind.

use super::{
    Style, View, buffer, compound, dirents, flags, names, notation, options, put, signals, sockets,
    stat, terminal, text,
};
use crate::event::{FdInfo, Item, SyscallEvent};
use vitrine_abi::{
    event::tag,
    nr,
    syscall::{ArgKind, Dir, Set, StructKind},
};

const AT_FDCWD: i32 = -100;
/// Bytes of a thread's name.
const NAME_MAX: usize = 15;
/// Flags without those bits that give the logarithm of a huge page's size.
const HUGE_MASK_REST: u64 = (1 << 26) - 1;
/// Bytes of a path that are shown.
const PATH_SHOWN: usize = 4095;
/// Bytes of a CPU set that are captured.
const CPU_SET_MAX: u64 = 128;
/// Bytes of a signal set.
const SIGNAL_SET: u64 = 8;
/// Elements of an array that are shown.
pub(super) const SHOWN_ELEMENTS: usize = 32;

/// Whether argument `index` is known only once the call has returned.
pub fn is_out(call: &SyscallEvent, index: usize) -> bool {
    let Some(row) = call.call else { return false };
    matches!(
        row.kind(&call.args, index),
        ArgKind::BufOut(_)
            | ArgKind::StrOut
            | ArgKind::DirEntries
            | ArgKind::PageBytes(_)
            | ArgKind::Struct(_, Dir::Out)
            | ArgKind::Struct(
                StructKind::Int
                    | StructKind::Long
                    | StructKind::CloneArgs
                    | StructKind::Timex
                    | StructKind::Flock
                    | StructKind::Ifreq
                    | StructKind::Ulong
                    | StructKind::FileHandle
                    | StructKind::IoUringParams,
                Dir::InOut,
            )
            | ArgKind::Structs(StructKind::MMsgHdr, ..)
            | ArgKind::Structs(_, Dir::Out, _)
            | ArgKind::SockAddr(_, Dir::Out)
            | ArgKind::IoVec(_, Dir::Out)
            | ArgKind::CpuSet(_, Dir::Out)
            | ArgKind::Nodemask(_, Dir::Out)
            | ArgKind::Message(_, Dir::Out)
            | ArgKind::SockOpt(Dir::Out)
    )
}

/// Appends argument `index` of `call`.
pub fn write(out: &mut Vec<u8>, call: &SyscallEvent, index: usize, style: &Style) {
    let raw = call.args.get(index).copied().unwrap_or(0);
    let Some(row) = call.call else {
        return text::hex(out, raw);
    };
    match row.kind(&call.args, index) {
        ArgKind::Unused | ArgKind::Depends => {}
        ArgKind::Fd => fd(out, call, index, style),
        ArgKind::AtFd => fd(out, call, index, style),
        ArgKind::Int | ArgKind::Pid => text::dec(out, i64::from(raw as i32)),
        ArgKind::Long | ArgKind::Offset => text::dec(out, raw as i64),
        ArgKind::Uint => text::udec(out, u64::from(raw as u32)),
        ArgKind::Ulong | ArgKind::Size => text::udec(out, raw),
        ArgKind::Uid | ArgKind::Gid => id(out, raw as u32),
        ArgKind::Hex => text::hex(out, raw),
        ArgKind::Hex32 => text::hex(out, u64::from(raw as u32)),
        ArgKind::Pointer => text::address(out, raw),
        ArgKind::Flags(Set::SwapFlags) => flags::swap_flags(out, raw as u32),
        ArgKind::Flags(set @ (Set::MapFlags | Set::Memfd)) => {
            let prefix = if set == Set::Memfd { "MFD" } else { "MAP" };
            // Of a name in memory the size alone may be given.
            let flags = raw & HUGE_MASK_REST;
            let alone = set == Set::Memfd && flags == 0 && raw as u32 >> 26 != 0;
            if !alone {
                names::of(set).write(out, flags);
            }
            flags::huge_page_size(out, raw as u32, prefix, !alone);
        }
        // An old way to say that the flags are flags.
        ArgKind::Flags(Set::MountFlags) if raw & 0xffff_0000 == 0xc0ed_0000 => {
            put(out, "MS_MGC_VAL");
            if raw & !0xffff_0000 != 0 {
                out.push(b'|');
                names::of(Set::MountFlags).write(out, raw & !0xffff_0000);
            }
        }
        ArgKind::Flags(set) => names::of(set).write(out, flag_bits(set, raw)),
        ArgKind::Enum(set) => flags::enumeration(out, call, set, raw),
        ArgKind::Mode => text::mode(out, u64::from(raw as u32 & 0xffff)),
        ArgKind::FileMode => stat::file_mode(out, raw as u32 & 0xffff),
        ArgKind::Dev => stat::device(out, u64::from(raw as u32)),
        ArgKind::Signal => signals::constant(out, raw as i32),
        ArgKind::CloneFlags => flags::clone_flags(out, raw),
        ArgKind::FutexOp => flags::futex_op(out, raw as u32),
        ArgKind::FutexWakeOp => flags::futex_wake_op(out, raw as u32),
        ArgKind::SocketType => flags::socket_type(out, raw as u32),
        ArgKind::FlagsMode(set) => flags::flags_mode(out, set, raw as u32),
        ArgKind::IoctlRequest => terminal::request(out, raw as u32),
        ArgKind::Key => {
            if raw as u32 == 0 {
                put(out, "IPC_PRIVATE");
            } else {
                text::hex(out, u64::from(raw as u32));
            }
        }
        ArgKind::Ioprio => flags::ioprio(out, raw as u32),
        ArgKind::QuotaCommand => flags::quota_command(out, raw as u32),
        ArgKind::Path => path(out, call, index, raw),
        ArgKind::Str => match call.items.find(tag::STRING, index, false) {
            // No more of a thread's name counts.
            Some(item) if call.nr as usize == nr::PRCTL && item.data.len() > NAME_MAX => {
                buffer(out, &item.data[..NAME_MAX], true, style);
            }
            Some(item) if !item.is_fault() => buffer(out, item.data, item.is_cut(), style),
            _ => text::address(out, raw),
        },
        ArgKind::StrOut => match call.items.find(tag::STRING, index, true) {
            Some(item) if !item.is_fault() => text::quoted(out, item.data),
            _ => text::address(out, raw),
        },
        ArgKind::BufIn(len) => match call.items.find(tag::BYTES, index, false) {
            Some(item) if !item.is_fault() && compound::is_sensible(call, len) => {
                // An attribute that is a string is shown without its end.
                let is_attribute = matches!(
                    call.nr as usize,
                    nr::SETXATTR | nr::LSETXATTR | nr::FSETXATTR
                );
                let shown = item.data.strip_suffix(b"\0").filter(|_| is_attribute);
                buffer(out, shown.unwrap_or(item.data), item.is_cut(), style);
            }
            _ => text::address(out, raw),
        },
        ArgKind::BufOut(_) => match call.items.find(tag::BYTES, index, true) {
            Some(item) if !item.is_fault() && call.succeeded() => {
                if call.nr as usize == nr::GETRANDOM {
                    let shown = item.data.get(..style.string_limit).unwrap_or(item.data);
                    text::quoted_hex(out, shown);
                    if item.is_cut() || shown.len() < item.data.len() {
                        put(out, "...");
                    }
                } else {
                    buffer(out, item.data, item.is_cut(), style);
                }
            }
            _ => text::address(out, raw),
        },
        ArgKind::StrArray => match call.items.find(tag::STRINGS, index, false) {
            Some(item) => compound::strings(out, &item, raw, style),
            None => text::address(out, raw),
        },
        ArgKind::EnvArray => compound::environment(out, call, index, raw, style),
        ArgKind::Struct(kind, dir) => compound::structure(out, call, index, kind, dir, style),
        ArgKind::Structs(kind, dir, _) => compound::array(out, call, index, kind, dir, style),
        ArgKind::IoVec(_, dir) => {
            if !sockets::iovec(out, &call.items, index, dir == Dir::Out, raw, style) {
                text::address(out, raw);
            }
        }
        ArgKind::SockAddr(_, dir) => match call.items.find(tag::BYTES, index, dir == Dir::Out) {
            Some(item) if !item.is_fault() && item.data.len() > 1 => {
                sockets::address(out, item.data);
            }
            _ => text::address(out, raw),
        },
        ArgKind::FdSet(_) if (call.args[0] as i32) < 0 => text::address(out, raw),
        ArgKind::FdSet(count) => match call.items.find(tag::BYTES, index, false) {
            Some(item) if !item.is_fault() => {
                fd_set(out, item.data, below(call, count), |out, fd| {
                    if style.fd_paths {
                        info_path(out, call.items.fd_among(index, fd));
                    }
                })
            }
            _ => text::address(out, raw),
        },
        ArgKind::CpuSet(_, dir) => match call.items.find(tag::BYTES, index, dir == Dir::Out) {
            Some(item) if !item.is_fault() => {
                fd_set(out, item.data, usize::MAX, |_, _| ());
                let more = dir == Dir::In && call.args[1] > CPU_SET_MAX;
                if more && out.pop().is_some() {
                    put(out, if out.ends_with(b"[") { "...]" } else { " ...]" });
                }
            }
            _ => text::address(out, raw),
        },
        ArgKind::Nodemask(_, dir) => match call.items.find(tag::BYTES, index, dir == Dir::Out) {
            Some(item) if !item.is_fault() || !item.data.is_empty() => {
                compound::nodemask(out, &item, raw)
            }
            _ => text::address(out, raw),
        },
        ArgKind::Message(_, dir) => {
            let after = dir == Dir::Out;
            let head = call.items.find(tag::STRUCT, index, after);
            match head.filter(|head| !head.is_fault() && (!after || call.succeeded())) {
                Some(head) => {
                    put(out, "{mtype=");
                    text::dec(out, View(head.data).i64(0));
                    put(out, ", mtext=");
                    match call.items.find(tag::BYTES, index, after) {
                        Some(item) if !item.is_fault() => {
                            buffer(out, item.data, item.is_cut(), style);
                        }
                        _ => text::address(out, raw.wrapping_add(8)),
                    }
                    out.push(b'}');
                }
                None => text::address(out, raw),
            }
        }
        ArgKind::SockOpt(dir) => {
            let after = dir == Dir::Out;
            // Logs of earlier versions have it as a structure.
            let find = |tag| call.items.find(tag, index, after);
            let item = find(tag::BYTES).or_else(|| find(tag::STRUCT));
            match item.filter(|item| !item.is_fault() && (!after || call.succeeded())) {
                Some(item) => options::value(out, call, &item, after, style),
                None => text::address(out, raw),
            }
        }
        ArgKind::KeySerial => flags::key_serial(out, raw as i32),
        ArgKind::PageBytes(_) => match call.items.find(tag::BYTES, index, true) {
            Some(item) if !item.is_fault() && call.succeeded() => page_bytes(out, &item),
            _ => text::address(out, raw),
        },
        ArgKind::DirEntries => {
            if !style.abbreviate
                && let Some(item) = call.items.find(tag::BYTES, index, true)
                && !item.is_fault()
            {
                return dirents::list(out, call, &item, style);
            }
            text::address(out, raw);
            if let Some(item) = call.items.find(tag::COUNT, index, true)
                && !item.is_cut()
            {
                put(out, " /* ");
                text::udec(out, View(item.data).u64(0));
                put(out, " entries */");
            }
        }
    }
}

fn fd(out: &mut Vec<u8>, call: &SyscallEvent, index: usize, style: &Style) {
    let value = call.args.get(index).copied().unwrap_or(0) as i32;
    let is_at = call
        .call
        .is_some_and(|row| row.kind(&call.args, index) == ArgKind::AtFd);
    if value == -1 && call.nr as usize == nr::FANOTIFY_MARK && is_at {
        put(out, "FAN_NOFD");
    } else if value == AT_FDCWD && is_at {
        notation::constant(
            out,
            |out| text::dec(out, i64::from(AT_FDCWD)),
            |out| put(out, "AT_FDCWD"),
        );
    } else {
        text::dec(out, i64::from(value));
    }
    if style.fd_paths {
        fd_path(out, call, index, 0);
    }
}

/// Appends `</etc/passwd>` if it is known what the descriptor refers to.
pub fn fd_path(out: &mut Vec<u8>, call: &SyscallEvent, index: usize, which: u8) {
    info_path(out, call.items.fd(index, which));
}

/// As [`fd_path`].
pub fn info_path(out: &mut Vec<u8>, info: Option<FdInfo<'_>>) {
    const DELETED: &[u8] = b" (deleted)";
    let Some(info) = info else { return };
    let name = info.text.strip_suffix(DELETED);
    out.push(b'<');
    text::escaped(out, name.unwrap_or(info.text));
    if notation::current().devices
        && let Some((major, minor)) = device_numbers(info.text)
    {
        put(out, "<char ");
        text::udec(out, major);
        out.push(b':');
        text::udec(out, minor);
        out.push(b'>');
    }
    out.push(b'>');
    if name.is_some() {
        put(out, "(deleted)");
    }
}

/// The numbers of those devices that the guest has; they are the same everywhere.
fn device_numbers(path: &[u8]) -> Option<(u64, u64)> {
    Some(match path.strip_prefix(b"/dev/")? {
        b"null" => (1, 3),
        b"zero" => (1, 5),
        b"full" => (1, 7),
        b"random" => (1, 8),
        b"urandom" => (1, 9),
        b"tty" => (5, 0),
        b"console" => (5, 1),
        b"ptmx" => (5, 2),
        name => {
            let number = std::str::from_utf8(name.strip_prefix(b"pts/")?).ok()?;
            (136, number.parse().ok()?)
        }
    })
}

/// mincore's answer: `[1, 1, 0]`.
fn page_bytes(out: &mut Vec<u8>, item: &Item<'_>) {
    out.push(b'[');
    for (i, byte) in item.data.iter().enumerate() {
        if i > 0 {
            put(out, ", ");
        }
        if i >= SHOWN_ELEMENTS {
            put(out, "...");
            break;
        }
        text::udec(out, u64::from(byte & 1));
    }
    out.push(b']');
}

/// A user or group id; −1 is nobody.
pub fn id(out: &mut Vec<u8>, value: u32) {
    if value == u32::MAX {
        put(out, "-1");
    } else {
        text::udec(out, u64::from(value));
    }
}

/// The bits of a flags argument that the kernel looks at.
pub(crate) fn flag_bits(set: Set, raw: u64) -> u64 {
    match set {
        Set::Prot
        | Set::Mremap
        | Set::FanMask
        | Set::MountFlags
        | Set::PerfEventOpen
        | Set::CloneFlags
        | Set::MpolGet
        | Set::KexecArch
        | Set::KexecFile
        | Set::PkeyAccess
        | Set::SecureBits => raw,
        _ => u64::from(raw as u32),
    }
}

fn path(out: &mut Vec<u8>, call: &SyscallEvent, index: usize, raw: u64) {
    match call.items.find(tag::STRING, index, false) {
        Some(item) if !item.is_fault() => {
            // A name that has no end within PATH_MAX is shown without its last byte.
            let shown = item.data.get(..PATH_SHOWN).filter(|_| item.is_cut());
            text::quoted(out, shown.unwrap_or(item.data));
            if item.is_cut() {
                put(out, "...");
            }
        }
        _ => text::address(out, raw),
    }
}

/// An array's elements that can't be read: `, ... /* 0x7f… */`.
pub(super) fn unreadable(out: &mut Vec<u8>, item: &Item<'_>, raw: u64) {
    if item.is_fault() {
        put(out, ", ... /* ");
        text::address(out, raw.wrapping_add(item.data.len() as u64));
        put(out, " */");
    }
}

/// Calls whose input structures strace reads when they have returned.
pub(super) fn is_after(call: &SyscallEvent) -> bool {
    matches!(call.nr as usize, nr::EPOLL_PWAIT | nr::EPOLL_PWAIT2)
}

/// Whether the size that comes with a signal set is a set's.
pub(super) fn has_signal_set(call: &SyscallEvent, index: usize) -> bool {
    let at = match call.nr as usize {
        nr::RT_SIGPROCMASK | nr::RT_SIGTIMEDWAIT => 3,
        nr::RT_SIGSUSPEND | nr::RT_SIGPENDING => 1,
        nr::SIGNALFD | nr::SIGNALFD4 => 2,
        nr::PPOLL => 4,
        nr::EPOLL_PWAIT | nr::EPOLL_PWAIT2 | nr::IO_URING_ENTER => 5,
        _ => return true,
    };
    let is_set = match call.nr as usize {
        nr::RT_SIGPENDING => call.args[at] <= SIGNAL_SET,
        _ => call.args[at] == SIGNAL_SET,
    };
    index < at && is_set
}

/// How many descriptors a set is about.
pub(super) fn below(call: &SyscallEvent, count: u8) -> usize {
    let count = call.args.get(usize::from(count)).copied().unwrap_or(0);
    count.min(u64::from(u32::MAX)) as usize
}

/// Numbers of the bits below `limit` that are set: `[3 5]`; `more` may add something to each.
pub fn fd_set(out: &mut Vec<u8>, bits: &[u8], limit: usize, more: impl Fn(&mut Vec<u8>, i32)) {
    out.push(b'[');
    let mut first = true;
    for (i, byte) in bits.iter().enumerate() {
        for bit in 0..8 {
            if byte >> bit & 1 != 0 && i * 8 + bit < limit {
                if !first {
                    out.push(b' ');
                }
                first = false;
                text::udec(out, (i * 8 + bit) as u64);
                more(out, (i * 8 + bit) as i32);
            }
        }
    }
    out.push(b']');
}
