//! Arguments that point to structures, arrays of them, lists of strings, and masks.

use super::{
    Style, View,
    args::{SHOWN_ELEMENTS, has_signal_set, id, is_after, unreadable},
    buffer, put, sockets,
    structs::{self, Context},
    text,
};
use crate::event::{Item, Phase, Strings, SyscallEvent};
use vitrine_abi::{
    event::tag,
    nr,
    syscall::{Dir, StructKind},
};

/// Most bytes of an extended attribute's value.
const XATTR_SIZE_MAX: u64 = 65536;
/// Most bytes of a host's name.
const HOST_NAME_MAX: u64 = 64;
/// Most supplementary groups.
const NGROUPS_MAX: i32 = 65536;

pub(super) fn structure(
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

pub(super) fn array(
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

/// Whether the length of a buffer that the call reads is one that it would take.
pub(super) fn is_sensible(call: &SyscallEvent, len: u8) -> bool {
    let len = call.args.get(usize::from(len)).copied().unwrap_or(0);
    match call.nr as usize {
        nr::SETXATTR | nr::LSETXATTR | nr::FSETXATTR => len <= XATTR_SIZE_MAX,
        nr::SETHOSTNAME | nr::SETDOMAINNAME => len <= HOST_NAME_MAX,
        _ => true,
    }
}

pub(super) fn strings(out: &mut Vec<u8>, item: &Item<'_>, raw: u64, style: &Style) {
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

pub(super) fn environment(
    out: &mut Vec<u8>,
    call: &SyscallEvent,
    index: usize,
    raw: u64,
    style: &Style,
) {
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

/// Words of node bits: `[0x0000000000000001]`.
pub(super) fn nodemask(out: &mut Vec<u8>, item: &Item<'_>, raw: u64) {
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
