//! Numbers in all bases and units, and symbolic constants.

use crate::decode::names;
use std::{collections::HashMap, sync::OnceLock};
use vitrine_abi::{Errno, syscall::Set};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// It has no unit.
    None,
    /// Bytes (K, M, G, T: powers of 1024).
    Bytes,
    /// Nanoseconds.
    Time,
}

/// A number: decimal, `0x`, `0o`, `0b` or with C's leading 0 octal; `_` between digits; a sign; a unit. `None` if it is none.
pub fn number(text: &str) -> Option<(i128, Unit)> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !digits.starts_with(|char: char| char.is_ascii_digit()) {
        return None;
    }
    let (value, unit) = based(digits).or_else(|| with_unit(digits))?;
    Some((if negative { -value } else { value }, unit))
}

fn based(digits: &str) -> Option<(i128, Unit)> {
    let (radix, rest) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0o" | "0O") => (8, &digits[2..]),
        Some("0b" | "0B") => (2, &digits[2..]),
        Some(_) if digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    let plain: String = rest.chars().filter(|char| *char != '_').collect();
    if plain.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(&plain, radix).ok()?;
    (value < 1 << 100).then_some((value, Unit::None))
}

fn with_unit(text: &str) -> Option<(i128, Unit)> {
    let end = text.find(|char: char| char.is_ascii_alphabetic())?;
    let (digits, suffix) = text.split_at(end);
    let (scale, unit) = match suffix {
        "K" | "k" | "KB" | "KiB" => (1 << 10, Unit::Bytes),
        "M" | "MB" | "MiB" => (1 << 20, Unit::Bytes),
        "G" | "GB" | "GiB" => (1 << 30, Unit::Bytes),
        "T" | "TB" | "TiB" => (1 << 40, Unit::Bytes),
        "B" => (1, Unit::Bytes),
        "ns" => (1, Unit::Time),
        "us" | "µs" => (1_000, Unit::Time),
        "ms" => (1_000_000, Unit::Time),
        "s" => (1_000_000_000, Unit::Time),
        "m" | "min" => (60_000_000_000, Unit::Time),
        "h" => (3_600_000_000_000, Unit::Time),
        "d" => (86_400_000_000_000, Unit::Time),
        _ => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 18 {
        return None;
    }
    let plain: String = whole.chars().filter(|char| *char != '_').collect();
    let whole: i128 = plain.parse::<u64>().ok()?.into();
    let part: i128 = if fraction.is_empty() {
        0
    } else {
        i128::from(fraction.parse::<u64>().ok()?) * scale / 10i128.pow(fraction.len() as u32)
    };
    Some((whole * scale + part, unit))
}

/// The number of a signal by name, with or without `SIG`.
pub fn signal(name: &str) -> Option<u64> {
    let short = name.strip_prefix("SIG").unwrap_or(name);
    (1..=64).find(|number| {
        let mut text = Vec::new();
        crate::decode::signals::name(&mut text, *number as i32);
        text.strip_prefix(b"SIG") == Some(short.as_bytes())
    })
}

/// A constant and the bits that it is one value of (all of its own for a flag).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constant {
    /// Its value.
    pub value: i128,
    /// The bits that are compared when it is asked for among others.
    pub mask: u64,
}

/// A constant of one set.
pub fn in_set(set: Set, name: &str) -> Option<Constant> {
    let names = names::of(set);
    if let Some((value, _)) = names.values.iter().find(|(_, n)| *n == name) {
        return Some(Constant {
            value: i128::from(*value),
            mask: names.field,
        });
    }
    if let Some((value, _)) = names.bits.iter().find(|(_, n)| *n == name) {
        return Some(Constant {
            value: i128::from(*value),
            mask: *value,
        });
    }
    (name == names.zero && name != "0").then_some(Constant {
        value: 0,
        mask: names.bits.iter().fold(0, |mask, (bits, _)| mask | bits),
    })
}

/// The names of a set.
pub fn names_of(set: Set) -> impl Iterator<Item = &'static str> {
    let names = names::of(set);
    let listed = names.values.iter().chain(names.bits);
    listed.map(|(_, name)| *name)
}

/// Any constant: of the sets of the system-call table, error numbers, signals, and a few more.
pub fn any(name: &str) -> Option<Constant> {
    let plain = |value: i128| Constant {
        value,
        mask: u64::MAX,
    };
    if let Some(errno) = Errno::from_name(name) {
        return Some(plain(errno.0.into()));
    }
    if name.starts_with("SIG")
        && let Some(number) = signal(name)
    {
        return Some(plain(number.into()));
    }
    if let Some(mode) = mode_bits(name) {
        return Some(mode);
    }
    match name {
        "AT_FDCWD" => return Some(plain(-100)),
        "NULL" | "false" => return Some(plain(0)),
        "true" => return Some(plain(1)),
        _ => {}
    }
    static ALL: OnceLock<HashMap<&'static str, Constant>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let mut all = HashMap::new();
        for set in Set::ALL {
            for name in names_of(*set) {
                if let Some(constant) = in_set(*set, name) {
                    all.entry(name).or_insert(constant);
                }
            }
        }
        for (bits, name) in names::CLONE.bits {
            all.entry(name).or_insert(Constant {
                value: i128::from(*bits),
                mask: *bits,
            });
        }
        all
    });
    all.get(name).copied()
}

/// The names that [`any`] knows of error numbers.
pub fn errno_names() -> impl Iterator<Item = &'static str> {
    (1..134).filter_map(|number| Errno(number).name())
}

/// Bits of a file's mode.
fn mode_bits(name: &str) -> Option<Constant> {
    let kind = |value| {
        Some(Constant {
            value,
            mask: 0o170_000,
        })
    };
    let bits: u64 = match name {
        "S_IFSOCK" => return kind(0o140_000),
        "S_IFLNK" => return kind(0o120_000),
        "S_IFREG" => return kind(0o100_000),
        "S_IFBLK" => return kind(0o060_000),
        "S_IFDIR" => return kind(0o040_000),
        "S_IFCHR" => return kind(0o020_000),
        "S_IFIFO" => return kind(0o010_000),
        "S_ISUID" => 0o4000,
        "S_ISGID" => 0o2000,
        "S_ISVTX" => 0o1000,
        "S_IRWXU" => 0o700,
        "S_IRUSR" => 0o400,
        "S_IWUSR" => 0o200,
        "S_IXUSR" => 0o100,
        "S_IRWXG" => 0o070,
        "S_IRGRP" => 0o040,
        "S_IWGRP" => 0o020,
        "S_IXGRP" => 0o010,
        "S_IRWXO" => 0o007,
        "S_IROTH" => 0o004,
        "S_IWOTH" => 0o002,
        "S_IXOTH" => 0o001,
        _ => return None,
    };
    Some(Constant {
        value: bits.into(),
        mask: bits,
    })
}
