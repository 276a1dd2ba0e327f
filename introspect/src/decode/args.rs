//! One argument of a call as text, by its kind.

use super::{
    Style, View, buffer, dirents, names, notation, options, put, signals, sockets, stat,
    structs::{self, Context},
    terminal, text,
};
use crate::event::{FdInfo, Item, Phase, Strings, SyscallEvent};
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
/// Most bytes of an extended attribute's value.
const XATTR_SIZE_MAX: u64 = 65536;
/// Most bytes of a host's name.
const HOST_NAME_MAX: u64 = 64;
/// Most supplementary groups.
const NGROUPS_MAX: i32 = 65536;
/// Bytes of a CPU set that are captured.
const CPU_SET_MAX: u64 = 128;
/// Bytes of a signal set.
const SIGNAL_SET: u64 = 8;
/// Elements of an array that are shown.
const SHOWN_ELEMENTS: usize = 32;

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
        ArgKind::Flags(Set::SwapFlags) => swap_flags(out, raw as u32),
        ArgKind::Flags(set @ (Set::MapFlags | Set::Memfd)) => {
            let prefix = if set == Set::Memfd { "MFD" } else { "MAP" };
            // Of a name in memory the size alone may be given.
            let flags = raw & HUGE_MASK_REST;
            let alone = set == Set::Memfd && flags == 0 && raw as u32 >> 26 != 0;
            if !alone {
                names::of(set).write(out, flags);
            }
            huge_page_size(out, raw as u32, prefix, !alone);
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
        ArgKind::Enum(set) => enumeration(out, call, set, raw),
        ArgKind::Mode => text::mode(out, u64::from(raw as u32 & 0xffff)),
        ArgKind::FileMode => stat::file_mode(out, raw as u32 & 0xffff),
        ArgKind::Dev => stat::device(out, u64::from(raw as u32)),
        ArgKind::Signal => signals::constant(out, raw as i32),
        ArgKind::CloneFlags => clone_flags(out, raw),
        ArgKind::FutexOp => futex_op(out, raw as u32),
        ArgKind::FutexWakeOp => futex_wake_op(out, raw as u32),
        ArgKind::SocketType => socket_type(out, raw as u32),
        ArgKind::FlagsMode(set) => flags_mode(out, set, raw as u32),
        ArgKind::IoctlRequest => terminal::request(out, raw as u32),
        ArgKind::Key => {
            if raw as u32 == 0 {
                put(out, "IPC_PRIVATE");
            } else {
                text::hex(out, u64::from(raw as u32));
            }
        }
        ArgKind::Ioprio => ioprio(out, raw as u32),
        ArgKind::QuotaCommand => quota_command(out, raw as u32),
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
            Some(item) if !item.is_fault() && is_sensible(call, len) => {
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
            Some(item) => strings(out, &item, raw, style),
            None => text::address(out, raw),
        },
        ArgKind::EnvArray => environment(out, call, index, raw, style),
        ArgKind::Struct(kind, dir) => structure(out, call, index, kind, dir, style),
        ArgKind::Structs(kind, dir, _) => array(out, call, index, kind, dir, style),
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
            Some(item) if !item.is_fault() || !item.data.is_empty() => nodemask(out, &item, raw),
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
        ArgKind::KeySerial => key_serial(out, raw as i32),
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

fn enumeration(out: &mut Vec<u8>, call: &SyscallEvent, set: Set, raw: u64) {
    const IPC_64: u64 = 0x100;
    let value = match set {
        Set::Ptrace => raw,
        _ => u64::from(raw as u32),
    };
    match set {
        Set::Shmctl | Set::Semctl | Set::Msgctl if value & IPC_64 != 0 => {
            put(out, "IPC_64|");
            names::of(set).write(out, value & !IPC_64);
        }
        // What attaches a filter and what reads it have one number.
        Set::SockOpt if value == 26 && call.nr as usize == nr::SETSOCKOPT => {
            put(out, "SO_ATTACH_FILTER");
        }
        Set::Capability
        | Set::SeccompMode
        | Set::MceKill
        | Set::CapAmbient
        | Set::Speculation
        | Set::DumpMode => {
            names::of(set).write(out, raw);
        }
        Set::MpolMode => {
            const MODIFIERS: u64 = 0xe000;
            let value = match raw >> 32 {
                0 => value,
                _ => raw,
            };
            let (kind, modifiers) = (value & !MODIFIERS, value & MODIFIERS);
            let known = kind <= 0x1fff && names::of(set).value(kind).is_some();
            if known || modifiers == 0 {
                names::of(set).write(out, kind);
                if known && modifiers != 0 {
                    out.push(b'|');
                    names::of(Set::MpolModifiers).write(out, modifiers);
                }
            } else {
                names::of(Set::MpolModifiers).write(out, value);
            }
        }
        Set::Personality if value == 0xffff_ffff => text::hex(out, value),
        Set::Syslog => {
            text::dec(out, i64::from(raw as i32));
            put(out, " /* ");
            let name = names::of(set).value(value);
            put(out, name.unwrap_or("SYSLOG_ACTION_???"));
            put(out, " */");
        }
        _ => names::of(set).write(out, value),
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

fn clone_flags(out: &mut Vec<u8>, raw: u64) {
    let signal = (raw & 0xff) as i32;
    let flags = raw & !0xff;
    if flags != 0 {
        names::CLONE.write(out, flags);
        if signal != 0 {
            out.push(b'|');
        }
    }
    if signal != 0 {
        signals::constant(out, signal);
    } else if flags == 0 {
        out.push(b'0');
    }
}

fn futex_op(out: &mut Vec<u8>, op: u32) {
    const PRIVATE: u32 = 128;
    const CLOCK_REALTIME: u32 = 256;
    const WITH_CLOCK: [u32; 5] = [0, 9, 11, 12, 13];
    const FD: u32 = 2;
    let plain = op & !(PRIVATE | CLOCK_REALTIME);
    let command = if op & CLOCK_REALTIME != 0 && !WITH_CLOCK.contains(&plain) {
        op
    } else {
        plain
    };
    if command == FD && op & PRIVATE != 0 {
        return put(out, "FUTEX_FD|FUTEX_PRIVATE_FLAG");
    }
    match names::of(Set::FutexOp).value(u64::from(command)) {
        Some(name) => {
            put(out, name);
            if op & PRIVATE != 0 {
                put(out, "_PRIVATE");
            }
            if op & CLOCK_REALTIME != 0 {
                put(out, "|FUTEX_CLOCK_REALTIME");
            }
        }
        None => {
            text::hex(out, u64::from(op));
            put(out, " /* FUTEX_??? */");
        }
    }
}

/// What FUTEX_WAKE_OP does to its second word, and what it compares it with.
fn futex_wake_op(out: &mut Vec<u8>, raw: u32) {
    const SHIFT: u32 = 8;
    const OPERATIONS: [&str; 5] = ["SET", "ADD", "OR", "ANDN", "XOR"];
    const COMPARISONS: [&str; 6] = ["EQ", "NE", "LT", "LE", "GT", "GE"];
    let named = |out: &mut Vec<u8>, prefix: &str, list: &[&str], value: u32, shift: &str| match list
        .get(value as usize)
    {
        Some(name) => {
            put(out, prefix);
            put(out, name);
            put(out, shift);
        }
        None => {
            text::hex(out, u64::from(value));
            put(out, shift);
            put(out, " /* ");
            put(out, prefix);
            put(out, "??? */");
        }
    };
    let operation = raw >> 28;
    if operation & SHIFT != 0 {
        put(out, "FUTEX_OP_OPARG_SHIFT<<28|");
    }
    named(out, "FUTEX_OP_", &OPERATIONS, operation & !SHIFT, "<<28");
    out.push(b'|');
    text::hex(out, u64::from(raw >> 12 & 0xfff));
    put(out, "<<12|");
    named(out, "FUTEX_OP_CMP_", &COMPARISONS, raw >> 24 & 0xf, "<<24");
    out.push(b'|');
    text::hex(out, u64::from(raw & 0xfff));
}

/// `|21<<MAP_HUGE_SHIFT`, if a size is given.
fn huge_page_size(out: &mut Vec<u8>, raw: u32, prefix: &str, more: bool) {
    if raw >> 26 != 0 {
        if more {
            out.push(b'|');
        }
        text::udec(out, u64::from(raw >> 26));
        put(out, "<<");
        put(out, prefix);
        put(out, "_HUGE_SHIFT");
    }
}

fn flags_mode(out: &mut Vec<u8>, set: Set, raw: u32) {
    const HUGE_SHIFT: u32 = 26;
    let huge = match set {
        Set::IpcShmGet => raw >> HUGE_SHIFT & 0x3f,
        _ => 0,
    };
    let flags = u64::from(raw & !0o777 & !(huge << HUGE_SHIFT));
    if flags != 0 {
        let names = names::of(set);
        names.write(out, flags);
        if huge != 0 || names.bits.iter().any(|(bits, _)| flags & bits == *bits) {
            out.push(b'|');
        }
    }
    if huge != 0 {
        text::udec(out, u64::from(huge));
        put(out, "<<SHM_HUGE_SHIFT|");
    }
    text::mode(out, u64::from(raw & 0o777));
}

/// swapon's flags: a priority in the lowest bits.
fn swap_flags(out: &mut Vec<u8>, raw: u32) {
    let flags = u64::from(raw & !0x7fff);
    if flags != 0 {
        names::of(Set::SwapFlags).write(out, flags);
        out.push(b'|');
    }
    text::udec(out, u64::from(raw & 0x7fff));
}

fn ioprio(out: &mut Vec<u8>, raw: u32) {
    let class = match raw >> 13 {
        0 => "IOPRIO_CLASS_NONE",
        1 => "IOPRIO_CLASS_RT",
        2 => "IOPRIO_CLASS_BE",
        3 => "IOPRIO_CLASS_IDLE",
        other => {
            put(out, "IOPRIO_PRIO_VALUE(");
            text::hex(out, u64::from(other));
            put(out, " /* IOPRIO_CLASS_??? */, ");
            text::udec(out, u64::from(raw & 0x1fff));
            return out.push(b')');
        }
    };
    put(out, "IOPRIO_PRIO_VALUE(");
    put(out, class);
    put(out, ", ");
    text::udec(out, u64::from(raw & 0x1fff));
    out.push(b')');
}

fn quota_command(out: &mut Vec<u8>, raw: u32) {
    const COMMANDS: [&str; 9] = [
        "Q_SYNC",
        "Q_QUOTAON",
        "Q_QUOTAOFF",
        "Q_GETFMT",
        "Q_GETINFO",
        "Q_SETINFO",
        "Q_GETQUOTA",
        "Q_SETQUOTA",
        "Q_GETNEXTQUOTA",
    ];
    put(out, "QCMD(");
    let number = (raw >> 8).checked_sub(0x80_0001);
    match number.and_then(|number| COMMANDS.get(number as usize)) {
        Some(name) => {
            put(out, name);
            put(out, ", ");
        }
        None => {
            text::hex(out, u64::from(raw >> 8));
            put(out, " /* Q_??? */, ");
        }
    }
    match raw & 0xff {
        0 => put(out, "USRQUOTA"),
        1 => put(out, "GRPQUOTA"),
        2 => put(out, "PRJQUOTA"),
        other => {
            text::hex(out, u64::from(other));
            put(out, " /* ???QUOTA */");
        }
    }
    out.push(b')');
}

fn strings(out: &mut Vec<u8>, item: &Item<'_>, raw: u64, style: &Style) {
    let strings = Strings::parse(item.data);
    if item.is_fault() && strings.count == 0 {
        return text::address(out, raw);
    }
    out.push(b'[');
    for (i, string) in strings.list.iter().enumerate() {
        if i > 0 {
            put(out, ", ");
        }
        if style.abbreviate && i >= SHOWN_ELEMENTS {
            put(out, "...");
            break;
        }
        match string.address {
            Some(address) => text::address(out, address),
            None => buffer(out, &string.bytes, string.cut, style),
        }
    }
    let shown = strings.list.len();
    if (shown as u32) < strings.count && (shown < SHOWN_ELEMENTS || !style.abbreviate) {
        put(out, if shown > 0 { ", ..." } else { "..." });
    } else if item.is_fault() && shown < SHOWN_ELEMENTS {
        put(out, ", ... /* ");
        text::address(out, raw.wrapping_add(u64::from(strings.count) * 8));
        put(out, " */");
    }
    out.push(b']');
}

fn environment(out: &mut Vec<u8>, call: &SyscallEvent, index: usize, raw: u64, style: &Style) {
    let item = call.items.find(tag::STRINGS, index, false);
    if let Some(item) = item.filter(|_| !style.abbreviate) {
        return strings(out, &item, raw, style);
    }
    text::address(out, raw);
    if let Some(item) = item {
        let count = Strings::parse(item.data).count;
        if item.is_fault() && count == 0 {
            return;
        }
        put(out, " /* ");
        text::udec(out, u64::from(count));
        put(out, if count == 1 { " var" } else { " vars" });
        if item.is_fault() {
            put(out, ", unterminated");
        }
        put(out, " */");
    }
}

fn structure(
    out: &mut Vec<u8>,
    call: &SyscallEvent,
    index: usize,
    kind: StructKind,
    dir: Dir,
    style: &Style,
) {
    let raw = call.args.get(index).copied().unwrap_or(0);
    let before = call.items.find(tag::STRUCT, index, false);
    let after = call.items.find(tag::STRUCT, index, true);
    let before = before.filter(|item| !item.is_fault());
    let after = after.filter(|item| !item.is_fault());
    let context = Context {
        call,
        index,
        out: dir == Dir::Out,
        style,
    };
    let short = kind == StructKind::OpenHow && call.args[3] < kind.size() as u64;
    if short || kind == StructKind::SigSet && !has_signal_set(call, index) {
        return text::address(out, raw);
    }
    // What a call that found nothing leaves in memory is not its result.
    let nothing = call.ret == Some(0) && call.nr as usize == nr::WAIT4;
    match dir {
        // What is printed after the call is read then, if that is worth while.
        Dir::In if is_after(call) && !call.succeeded() && call.phase != Phase::Enter => {
            text::address(out, raw);
        }
        Dir::In => match before {
            Some(item) => structs::write(out, kind, View(item.data), &context),
            None => text::address(out, raw),
        },
        Dir::Out => match after {
            Some(item) if !nothing => structs::write(out, kind, View(item.data), &context),
            _ => text::address(out, raw),
        },
        Dir::InOut
            if matches!(kind, StructKind::Timex | StructKind::Flock)
                && !call.succeeded()
                && call.phase != Phase::Enter =>
        {
            text::address(out, raw);
        }
        Dir::InOut if kind == StructKind::Timex && !call.succeeded() => text::address(out, raw),
        Dir::InOut => match (before, after) {
            (Some(before), Some(after)) if kind == StructKind::FileHandle => {
                structs::file_handle(out, View(before.data), Some(View(after.data)), &context);
            }
            (Some(before), Some(after))
                if matches!(kind, StructKind::Int | StructKind::Long | StructKind::Ulong)
                    && before.data != after.data
                    && call.phase != Phase::Enter =>
            {
                changed(out, kind, before.data, after.data);
            }
            (_, Some(item)) if tells_result(kind) => {
                structs::write(out, kind, View(item.data), &context);
            }
            (Some(item), _) | (None, Some(item)) => {
                structs::write(out, kind, View(item.data), &context);
            }
            _ => text::address(out, raw),
        },
    }
}

/// Whether of a structure that a call reads and writes what it wrote is shown.
fn tells_result(kind: StructKind) -> bool {
    matches!(
        kind,
        StructKind::Timex | StructKind::Flock | StructKind::Ifreq
    )
}

/// A number that the call changed: `[100 => 16]` for a length, `[3] => [13]` for a position.
fn changed(out: &mut Vec<u8>, kind: StructKind, before: &[u8], after: &[u8]) {
    out.push(b'[');
    if kind == StructKind::Int {
        text::dec(out, i64::from(View(before).i32(0)));
        put(out, " => ");
        text::dec(out, i64::from(View(after).i32(0)));
    } else {
        let number = |out: &mut Vec<u8>, view: View<'_>| match kind {
            StructKind::Ulong => text::udec(out, view.u64(0)),
            _ => text::dec(out, view.i64(0)),
        };
        number(out, View(before));
        put(out, "] => [");
        number(out, View(after));
    }
    out.push(b']');
}

fn array(
    out: &mut Vec<u8>,
    call: &SyscallEvent,
    index: usize,
    kind: StructKind,
    dir: Dir,
    style: &Style,
) {
    let raw = call.args.get(index).copied().unwrap_or(0);
    if kind == StructKind::MMsgHdr {
        if !sockets::messages(out, call, index, dir == Dir::Out, style) {
            text::address(out, raw);
        }
        return;
    }
    let item = call.items.find(tag::STRUCT, index, dir == Dir::Out);
    let too_many =
        call.nr as usize == nr::SETGROUPS && !(0..=NGROUPS_MAX).contains(&(call.args[0] as i32));
    let readable = item.filter(|item| !item.is_fault() || !item.data.is_empty());
    let Some(item) = readable.filter(|_| !too_many) else {
        return text::address(out, raw);
    };
    let context = Context {
        call,
        index,
        out: dir == Dir::Out,
        style,
    };
    out.push(b'[');
    for (i, element) in item.data.chunks_exact(kind.size()).enumerate() {
        if i > 0 {
            put(out, ", ");
        }
        if style.abbreviate && i >= SHOWN_ELEMENTS {
            put(out, "...");
            break;
        }
        match kind {
            // A plain list has no brackets around its elements.
            StructKind::Id => id(out, View(element).u32(0)),
            StructKind::Int => text::dec(out, i64::from(View(element).i32(0))),
            StructKind::Pointer => text::address(out, View(element).u64(0)),
            _ => structs::write(out, kind, View(element), &context),
        }
    }
    unreadable(out, &item, raw);
    out.push(b']');
}

/// An array's elements that can't be read: `, ... /* 0x7f… */`.
pub(super) fn unreadable(out: &mut Vec<u8>, item: &Item<'_>, raw: u64) {
    if item.is_fault() {
        put(out, ", ... /* ");
        text::address(out, raw.wrapping_add(item.data.len() as u64));
        put(out, " */");
    }
}

/// Whether the length of a buffer that the call reads is one that it would take.
fn is_sensible(call: &SyscallEvent, len: u8) -> bool {
    let len = call.args.get(usize::from(len)).copied().unwrap_or(0);
    match call.nr as usize {
        nr::SETXATTR | nr::LSETXATTR | nr::FSETXATTR => len <= XATTR_SIZE_MAX,
        nr::SETHOSTNAME | nr::SETDOMAINNAME => len <= HOST_NAME_MAX,
        _ => true,
    }
}

/// Calls whose input structures strace reads when they have returned.
fn is_after(call: &SyscallEvent) -> bool {
    matches!(call.nr as usize, nr::EPOLL_PWAIT | nr::EPOLL_PWAIT2)
}

/// Whether the size that comes with a signal set is a set's.
fn has_signal_set(call: &SyscallEvent, index: usize) -> bool {
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

fn socket_type(out: &mut Vec<u8>, raw: u32) {
    let kind = &names::net::SOCK_KIND;
    let mut rest = raw;
    if kind.value(u64::from(raw)).is_some() {
        kind.write(out, u64::from(raw & 0xf));
        rest &= !0xf;
        if rest == 0 {
            return;
        }
        out.push(b'|');
    }
    names::of(Set::SockType).write(out, u64::from(rest));
}

fn key_serial(out: &mut Vec<u8>, raw: i32) {
    let name = match raw {
        -1 => "KEY_SPEC_THREAD_KEYRING",
        -2 => "KEY_SPEC_PROCESS_KEYRING",
        -3 => "KEY_SPEC_SESSION_KEYRING",
        -4 => "KEY_SPEC_USER_KEYRING",
        -5 => "KEY_SPEC_USER_SESSION_KEYRING",
        -6 => "KEY_SPEC_GROUP_KEYRING",
        -7 => "KEY_SPEC_REQKEY_AUTH_KEY",
        -8 => "KEY_SPEC_REQUESTOR_KEYRING",
        _ => return text::dec(out, i64::from(raw)),
    };
    let number = |out: &mut Vec<u8>| text::dec(out, i64::from(raw));
    notation::constant(out, number, |out| put(out, name));
}

/// Words of node bits: `[0x0000000000000001]`.
fn nodemask(out: &mut Vec<u8>, item: &Item<'_>, raw: u64) {
    out.push(b'[');
    for (i, word) in item.data.chunks_exact(8).enumerate() {
        if i > 0 {
            put(out, ", ");
        }
        if i >= SHOWN_ELEMENTS {
            put(out, "...");
            break;
        }
        text::hex_padded(out, View(word).u64(0), 16);
    }
    unreadable(out, item, raw);
    out.push(b']');
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
