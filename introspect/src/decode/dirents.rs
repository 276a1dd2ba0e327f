//! Directory entries, as getdents and getdents64 return them.

use super::{Style, View, buffer, notation, put, text};
use crate::event::{Item, SyscallEvent};
use vitrine_abi::nr;

/// Bytes of an entry before what its form puts next.
const HEAD: usize = 18;

/// Appends the entries that were captured; `...` follows if there were more.
pub(super) fn list(out: &mut Vec<u8>, call: &SyscallEvent, item: &Item<'_>, style: &Style) {
    let is_old = call.nr as usize == nr::GETDENTS;
    let mut rest = item.data;
    let mut first = true;
    out.push(b'[');
    while !rest.is_empty() {
        let len = usize::from(View(rest).u16(16));
        let Some((entry, next)) = rest.split_at_checked(len).filter(|_| len > HEAD) else {
            break;
        };
        if !first {
            put(out, ", ");
        }
        first = false;
        one(out, entry, is_old, style);
        rest = next;
    }
    if item.is_cut() || !rest.is_empty() {
        put(out, if first { "..." } else { ", ..." });
    }
    out.push(b']');
}

fn one(out: &mut Vec<u8>, entry: &[u8], is_old: bool, style: &Style) {
    let view = View(entry);
    put(out, "{d_ino=");
    text::udec(out, view.u64(0));
    put(out, ", d_off=");
    text::dec(out, view.i64(8));
    put(out, ", d_reclen=");
    text::udec(out, u64::from(view.u16(16)));
    let name = if is_old { HEAD } else { HEAD + 1 };
    let whole = Style {
        string_limit: usize::MAX,
        ..*style
    };
    let shown = |out: &mut Vec<u8>| {
        put(out, ", d_name=");
        buffer(out, view.string(name, entry.len()), false, &whole);
    };
    let at = if is_old { entry.len() - 1 } else { HEAD };
    let kind = entry.get(at).copied().unwrap_or(0);
    if is_old {
        shown(out);
    }
    put(out, ", d_type=");
    file_type(out, kind);
    if !is_old {
        shown(out);
    }
    out.push(b'}');
}

fn file_type(out: &mut Vec<u8>, kind: u8) {
    let name = match kind {
        0 => "DT_UNKNOWN",
        1 => "DT_FIFO",
        2 => "DT_CHR",
        4 => "DT_DIR",
        6 => "DT_BLK",
        8 => "DT_REG",
        10 => "DT_LNK",
        12 => "DT_SOCK",
        14 => "DT_WHT",
        _ => {
            text::hex(out, u64::from(kind));
            return put(out, " /* DT_??? */");
        }
    };
    notation::constant(
        out,
        |out| text::hex(out, u64::from(kind)),
        |out| put(out, name),
    );
}
