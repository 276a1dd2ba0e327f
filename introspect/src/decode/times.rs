//! Times, and the dates that strace puts beside them.

use super::{View, put, text, zone};
use vitrine_abi::syscall::StructKind;

/// `{tv_sec=1, tv_nsec=500}`.
pub fn time(out: &mut Vec<u8>, kind: StructKind, view: View<'_>) {
    put(out, "{tv_sec=");
    text::dec(out, view.i64(0));
    put(
        out,
        if kind == StructKind::Timeval {
            ", tv_usec="
        } else {
            ", tv_nsec="
        },
    );
    text::udec(out, view.u64(8));
    out.push(b'}');
}

/// Two times that a file gets, with their dates; `unit`: of their fractions.
pub(super) fn time_pair(out: &mut Vec<u8>, view: View<'_>, unit: &str) {
    const UTIME_NOW: i64 = (1 << 30) - 1;
    const UTIME_OMIT: i64 = (1 << 30) - 2;
    for which in 0..2 {
        put(out, if which == 0 { "[" } else { ", " });
        let (seconds, fraction) = (view.i64(which * 16), view.i64(which * 16 + 8));
        match fraction {
            UTIME_NOW if unit == "nsec" => put(out, "UTIME_NOW"),
            UTIME_OMIT if unit == "nsec" => put(out, "UTIME_OMIT"),
            _ => {
                put(out, "{tv_sec=");
                text::dec(out, seconds);
                put(out, ", tv_");
                put(out, unit);
                out.push(b'=');
                text::udec(out, fraction as u64);
                out.push(b'}');
                let width = if unit == "nsec" { 9 } else { 6 };
                date_comment(out, seconds, fraction, width);
            }
        }
    }
    out.push(b']');
}

/// ` /* 1970-01-01T00:00:05.000006+0000 */`; nothing for the epoch itself.
pub(super) fn date_comment(out: &mut Vec<u8>, seconds: i64, fraction: i64, width: usize) {
    let range = 0..10i64.pow(width as u32);
    // The C library's year is an int.
    const LAST: i64 = 67_768_036_191_676_799;
    let representable = -LAST..=LAST;
    if (seconds == 0 && fraction == 0)
        || !range.contains(&fraction)
        || !representable.contains(&seconds)
    {
        return;
    }
    put(out, " /* ");
    zone::date_time(out, seconds, |out| {
        if fraction != 0 {
            out.push(b'.');
            text::padded(out, fraction.unsigned_abs(), width);
        }
    });
    put(out, " */");
}

/// A second, with its date.
pub(super) fn dated(out: &mut Vec<u8>, seconds: i64) {
    text::dec(out, seconds);
    date_comment(out, seconds, 0, 9);
}
