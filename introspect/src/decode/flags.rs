//! Arguments that are numbers with names: enumerations, flags, and words that are put together of several of them.

use super::{names, notation, put, signals, text};
use crate::event::SyscallEvent;
use vitrine_abi::{nr, syscall::Set};

pub(super) fn enumeration(out: &mut Vec<u8>, call: &SyscallEvent, set: Set, raw: u64) {
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

pub(super) fn clone_flags(out: &mut Vec<u8>, raw: u64) {
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

pub(super) fn futex_op(out: &mut Vec<u8>, op: u32) {
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
pub(super) fn futex_wake_op(out: &mut Vec<u8>, raw: u32) {
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
pub(super) fn huge_page_size(out: &mut Vec<u8>, raw: u32, prefix: &str, more: bool) {
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

pub(super) fn flags_mode(out: &mut Vec<u8>, set: Set, raw: u32) {
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
pub(super) fn swap_flags(out: &mut Vec<u8>, raw: u32) {
    let flags = u64::from(raw & !0x7fff);
    if flags != 0 {
        names::of(Set::SwapFlags).write(out, flags);
        out.push(b'|');
    }
    text::udec(out, u64::from(raw & 0x7fff));
}

pub(super) fn ioprio(out: &mut Vec<u8>, raw: u32) {
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

pub(super) fn quota_command(out: &mut Vec<u8>, raw: u32) {
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

pub(super) fn socket_type(out: &mut Vec<u8>, raw: u32) {
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

pub(super) fn key_serial(out: &mut Vec<u8>, raw: i32) {
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
