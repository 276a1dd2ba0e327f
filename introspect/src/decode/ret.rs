//! Results as text: what stands after the equals sign.

use super::{Style, View, args, errno, names, put, signals, text, times, zone};
use crate::event::{Phase, SyscallEvent};
use vitrine_abi::{
    event::{ARG_RESULT, tag},
    nr,
    syscall::{ArgKind, RetKind, Set, StructKind},
};

const AT_RESULT: usize = ARG_RESULT as usize;

/// Appends the result of a call: `3`, `-1 ENOENT (No such file or directory)`, `?`.
pub fn write(out: &mut Vec<u8>, call: &SyscallEvent, style: &Style) {
    let Some(ret) = call.ret else {
        return put(out, "?");
    };
    if let Some(code) = call.errno() {
        return failure(out, code);
    }
    let kind = call
        .call
        .map_or(RetKind::Int, |row| row.ret_kind(&call.args));
    match kind {
        RetKind::Never => put(out, "?"),
        RetKind::Hex => text::hex(out, ret as u64),
        RetKind::Fd => {
            text::dec(out, ret);
            if style.fd_paths {
                args::fd_path(out, call, AT_RESULT, 0);
            }
        }
        RetKind::Mode => text::mode(out, ret as u64),
        RetKind::OpenFlags => {
            text::hex(out, ret as u64);
            put(out, " (flags ");
            names::of(Set::OpenFlags).write(out, ret as u64);
            out.push(b')');
        }
        RetKind::FdFlags => {
            text::hex(out, ret as u64);
            if ret != 0 {
                put(out, " (flags ");
                names::of(Set::FdFlags).write(out, ret as u64);
                out.push(b')');
            }
        }
        RetKind::Persona => {
            text::hex(out, ret as u64);
            put(out, " (");
            names::of(Set::Personality).write(out, ret as u64);
            out.push(b')');
        }
        RetKind::Timeout => {
            text::dec(out, ret);
            ready(out, call, ret);
        }
        RetKind::Int | RetKind::Pid | RetKind::Depends => {
            text::dec(out, ret);
            comment(out, call, ret);
        }
    }
}

fn failure(out: &mut Vec<u8>, code: u16) {
    // A restart code is what the kernel does next, not what the program sees.
    put(out, if code >= 512 { "? " } else { "-1 " });
    match errno::name(code) {
        Some(name) => put(out, name),
        None => {
            put(out, "ERRNO_");
            text::udec(out, u64::from(code));
        }
    }
    put(out, " (");
    put(out, errno::message(code));
    out.push(b')');
}

/// What strace adds for single calls.
fn comment(out: &mut Vec<u8>, call: &SyscallEvent, ret: i64) {
    let name = match call.nr as usize {
        nr::SCHED_GETSCHEDULER => names::of(Set::SchedPolicy).value(ret as u64),
        nr::PRCTL if call.args[0] as u32 == 3 => names::of(Set::DumpMode).value(ret as u64),
        nr::ADJTIMEX | nr::CLOCK_ADJTIME => names::of(Set::ClockState).value(ret as u64),
        nr::RT_SIGTIMEDWAIT if ret > 0 => {
            put(out, " (");
            signals::name(out, ret as i32);
            return out.push(b')');
        }
        nr::TIME => {
            put(out, " (");
            zone::date_time(out, ret, |_| ());
            return put(out, ")");
        }
        _ => None,
    };
    if let Some(name) = name {
        put(out, " (");
        put(out, name);
        out.push(b')');
    }
}

/// What became ready: `(Timeout)`, `([{fd=6, revents=POLLOUT}])`, `(out [6], left {…})`.
fn ready(out: &mut Vec<u8>, call: &SyscallEvent, ret: i64) {
    if ret == 0 {
        return put(out, " (Timeout)");
    }
    match call.nr as usize {
        nr::POLL | nr::PPOLL => poll(out, call),
        nr::SELECT | nr::PSELECT6 => select(out, call),
        _ => {}
    }
}

fn poll(out: &mut Vec<u8>, call: &SyscallEvent) {
    let Some(item) = call.items.find(tag::STRUCT, 0, true) else {
        return;
    };
    put(out, " ([");
    let mut first = true;
    for entry in item.data.chunks_exact(8) {
        let view = View(entry);
        let revents = view.u16(6);
        if revents == 0 {
            continue;
        }
        if !first {
            put(out, ", ");
        }
        first = false;
        put(out, "{fd=");
        text::dec(out, i64::from(view.i32(0)));
        put(out, ", revents=");
        names::of(Set::PollEvents).write(out, u64::from(revents));
        out.push(b'}');
    }
    out.push(b']');
    left(out, call, 2);
    out.push(b')');
}

fn select(out: &mut Vec<u8>, call: &SyscallEvent) {
    put(out, " (");
    let mut first = true;
    for (index, label) in [(1, "in "), (2, "out "), (3, "except ")] {
        let Some(item) = call.items.find(tag::BYTES, index, true) else {
            continue;
        };
        if item.data.iter().all(|byte| *byte == 0) {
            continue;
        }
        if !first {
            put(out, ", ");
        }
        first = false;
        put(out, label);
        args::fd_set(out, item.data, args::below(call, 0), |_, _| ());
    }
    left(out, call, 4);
    out.push(b')');
}

/// The time that was left, for those calls that say so.
fn left(out: &mut Vec<u8>, call: &SyscallEvent, index: usize) {
    let Some(row) = call.call else { return };
    let ArgKind::Struct(kind @ (StructKind::Timespec | StructKind::Timeval), _) =
        row.kind(&call.args, index)
    else {
        return;
    };
    if let Some(item) = call.items.find(tag::STRUCT, index, true)
        && !item.is_fault()
        && call.phase != Phase::Enter
    {
        put(out, ", left ");
        times::time(out, kind, View(item.data));
    }
}
