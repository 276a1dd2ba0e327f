//! Numbers and quoted strings, appended to a byte buffer without allocation.

use super::notation::{self, HexStrings};

/// A decimal number.
pub fn dec(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A decimal number without sign.
pub fn udec(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A hexadecimal number as C's `%#lx` has it: 0 is `0`.
pub fn hex(out: &mut Vec<u8>, value: u64) {
    if value == 0 {
        out.push(b'0');
        return;
    }
    out.extend_from_slice(b"0x");
    let digits = (64 - value.leading_zeros()).div_ceil(4);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (digit * 4)) as usize & 15]);
    }
}

/// A hexadecimal number as C's `%#0*lx` has it: `width` characters with its `0x`, which 0 lacks.
pub fn hex_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let digits = ((64 - value.leading_zeros()).div_ceil(4)).max(1) as usize;
    let prefix = if value == 0 { 0 } else { 2 };
    if value != 0 {
        out.extend_from_slice(b"0x");
    }
    for _ in digits + prefix..width {
        out.push(b'0');
    }
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (digit * 4)) as usize & 15]);
    }
}

/// A hexadecimal number, `0x0` for 0.
pub fn hex0(out: &mut Vec<u8>, value: u64) {
    if value == 0 {
        out.extend_from_slice(b"0x0");
    } else {
        hex(out, value);
    }
}

/// An address: `NULL` or hexadecimal.
pub fn address(out: &mut Vec<u8>, value: u64) {
    if value == 0 {
        out.extend_from_slice(b"NULL");
    } else {
        hex(out, value);
    }
}

/// Permission bits: octal with a leading 0, three characters at least.
pub fn mode(out: &mut Vec<u8>, value: u64) {
    let digits = (64 - value.leading_zeros()).div_ceil(3);
    for _ in digits..2 {
        out.push(b'0');
    }
    out.push(b'0');
    for digit in (0..digits).rev() {
        out.push(b'0' + (value >> (digit * 3)) as u8 % 8);
    }
}

/// A number padded with zeros to `width` digits.
pub fn padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    for _ in digits.len()..width {
        out.push(b'0');
    }
    out.extend_from_slice(digits.as_bytes());
}

/// A string in quotes with C's escapes, as strace prints it.
pub fn quoted(out: &mut Vec<u8>, data: &[u8]) {
    out.push(b'"');
    escaped(out, data);
    out.push(b'"');
}

/// As [`quoted`], without the quotes.
pub fn escaped(out: &mut Vec<u8>, data: &[u8]) {
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t'..=b'\r');
    match notation::current().strings {
        HexStrings::None => c_escapes(out, data, false),
        HexStrings::Escapes => c_escapes(out, data, true),
        HexStrings::NonAscii if data.iter().all(is_text) => c_escapes(out, data, false),
        HexStrings::NonAscii | HexStrings::All => hex_bytes(out, data),
    }
}

fn c_escapes(out: &mut Vec<u8>, data: &[u8], hex: bool) {
    for (i, &byte) in data.iter().enumerate() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0b => out.extend_from_slice(b"\\v"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b' '..=b'~' => out.push(byte),
            _ if hex => hex_bytes(out, &[byte]),
            _ => {
                out.push(b'\\');
                // All three digits only where the next character would be taken for one.
                let next_is_digit = matches!(data.get(i + 1), Some(b'0'..=b'7'));
                if byte > 0o77 || next_is_digit {
                    out.push(b'0' + (byte >> 6));
                }
                if byte > 0o7 || next_is_digit {
                    out.push(b'0' + (byte >> 3 & 7));
                }
                out.push(b'0' + (byte & 7));
            }
        }
    }
}

/// One byte as two hexadecimal digits.
pub fn hex_byte(out: &mut Vec<u8>, byte: u8) {
    out.push(b"0123456789abcdef"[(byte >> 4) as usize]);
    out.push(b"0123456789abcdef"[(byte & 15) as usize]);
}

/// A string in quotes, every byte in hexadecimal.
pub fn quoted_hex(out: &mut Vec<u8>, data: &[u8]) {
    out.push(b'"');
    hex_bytes(out, data);
    out.push(b'"');
}

fn hex_bytes(out: &mut Vec<u8>, data: &[u8]) {
    for byte in data {
        out.extend_from_slice(b"\\x");
        out.push(b"0123456789abcdef"[(byte >> 4) as usize]);
        out.push(b"0123456789abcdef"[(byte & 15) as usize]);
    }
}

/// A point in time as `2026-11-24T07:44:23` (UTC).
pub fn date_time(out: &mut Vec<u8>, seconds: i64) {
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400) as u64;
    if year < 0 {
        out.push(b'-');
    }
    padded(out, year.unsigned_abs(), 4);
    out.push(b'-');
    padded(out, month, 2);
    out.push(b'-');
    padded(out, day, 2);
    out.push(b'T');
    clock(out, second);
}

/// A time of day as `07:44:23`.
pub fn clock(out: &mut Vec<u8>, second_of_day: u64) {
    padded(out, second_of_day / 3600, 2);
    out.push(b':');
    padded(out, second_of_day / 60 % 60, 2);
    out.push(b':');
    padded(out, second_of_day % 60, 2);
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar: counted from 1 March of the year 0, in which leap days come last.
fn civil(days: i64) -> (i64, u64, u64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u64, day as u64)
}
