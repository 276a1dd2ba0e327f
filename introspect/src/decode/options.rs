//! The values of socket options: numbers, a few structures, and bytes for the rest.

use super::{Style, View, args, buffer, put, text};
use crate::event::{Item, SyscallEvent};

const SOL_SOCKET: u32 = 1;
const SO_LINGER: u32 = 13;
const SO_PEERCRED: u32 = 17;
const SO_ATTACH_FILTER: u32 = 26;
const SO_ATTACH_REUSEPORT_CBPF: u32 = 51;
/// A number's size.
const INT: usize = 4;

/// Whether an option of SOL_SOCKET isn't a number.
fn is_other(name: u32) -> bool {
    matches!(
        name,
        0 | SO_PEERCRED | 20..=25 | 28 | 31 | 47 | 48 | 50 | 55 | 57 | 59 | 61 | 62 | 66 | 67 | 71
    ) || name > 77
}

/// Appends an option's value.
pub(super) fn value(
    out: &mut Vec<u8>,
    call: &SyscallEvent,
    item: &Item<'_>,
    after: bool,
    style: &Style,
) {
    let (level, name) = (call.args[1] as u32, call.args[2] as u32);
    let view = View(item.data);
    let len = item.data.len();
    let address = |out: &mut Vec<u8>| text::address(out, call.args[3]);
    match (level, name) {
        (SOL_SOCKET, SO_LINGER) if len < INT || !after && len < 2 * INT => address(out),
        (SOL_SOCKET, SO_LINGER) => {
            put(out, "{l_onoff=");
            text::dec(out, i64::from(view.i32(0)));
            if len >= 2 * INT {
                put(out, ", l_linger=");
                text::dec(out, i64::from(view.i32(INT)));
            }
            out.push(b'}');
        }
        (SOL_SOCKET, SO_PEERCRED) if after && len >= INT => {
            put(out, "{pid=");
            text::dec(out, i64::from(view.i32(0)));
            for (label, offset) in [(", uid=", INT), (", gid=", 2 * INT)] {
                if len >= offset + INT {
                    put(out, label);
                    args::id(out, view.u32(offset));
                }
            }
            out.push(b'}');
        }
        (SOL_SOCKET, SO_ATTACH_FILTER | SO_ATTACH_REUSEPORT_CBPF) if !after => {
            if len < 16 {
                return address(out);
            }
            put(out, "{len=");
            text::udec(out, u64::from(view.u16(0)));
            put(out, ", filter=");
            text::address(out, view.u64(8));
            out.push(b'}');
        }
        // A number is read as one, however much more there is.
        (SOL_SOCKET, _) if !after && !is_other(name) => {
            if len < INT {
                return address(out);
            }
            number(out, view);
        }
        _ if len == INT && !item.is_cut() => number(out, view),
        _ if after && len == 0 => address(out),
        _ => buffer(out, item.data, item.is_cut(), style),
    }
}

fn number(out: &mut Vec<u8>, view: View<'_>) {
    out.push(b'[');
    text::dec(out, i64::from(view.i32(0)));
    out.push(b']');
}
