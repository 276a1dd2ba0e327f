//! How strings and constants are written: strace's `-x` and `-X`.
//!
//! Constants and strings are written from deep inside structures. So the choice belongs to the thread that prints: a printer [`apply`]s it before
//! it prints an event.

use std::{cell::Cell, io::Write};

/// Which strings are written in hexadecimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HexStrings {
    /// None: C's octal escapes.
    #[default]
    None,
    /// No whole string, but escapes are hexadecimal.
    Escapes,
    /// Those with bytes that are neither printable nor white space.
    NonAscii,
    /// All.
    All,
}

/// How flags and constants are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Constants {
    /// `O_RDONLY`.
    #[default]
    Symbols,
    /// `0x1`.
    Numbers,
    /// `0x1 /* O_WRONLY */`.
    Both,
}

/// Both choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notation {
    /// Strings.
    pub strings: HexStrings,
    /// Constants.
    pub constants: Constants,
    /// Whether descriptors of devices are shown with their numbers (`-yy`).
    pub devices: bool,
}

thread_local! {
    static CURRENT: Cell<Notation> = const {
        Cell::new(Notation {
            strings: HexStrings::None,
            constants: Constants::Symbols,
            devices: false,
        })
    };
}

/// What this thread prints from now on is written so.
pub fn apply(notation: Notation) {
    CURRENT.set(notation);
}

/// How this thread writes.
pub(super) fn current() -> Notation {
    CURRENT.get()
}

/// Appends a value that is shown as a product: `8192*1024`, in numbers `8388608`.
pub(super) fn product(out: &mut Vec<u8>, value: u64, factor: u64, unit: u64) {
    let _ = match current().constants {
        Constants::Symbols => write!(out, "{factor}*{unit}"),
        Constants::Numbers => write!(out, "{value}"),
        Constants::Both => write!(out, "{value} /* {factor}*{unit} */"),
    };
}

/// Appends a constant by `number` and by `symbols`, as this thread writes them.
pub(super) fn constant(
    out: &mut Vec<u8>,
    number: impl FnOnce(&mut Vec<u8>),
    symbols: impl FnOnce(&mut Vec<u8>),
) {
    match current().constants {
        Constants::Symbols => symbols(out),
        Constants::Numbers => number(out),
        Constants::Both => {
            number(out);
            let start = out.len();
            out.extend_from_slice(b" /* ");
            let text = out.len();
            symbols(out);
            if out
                .get(text..)
                .is_none_or(|text| text.is_empty() || text[0].is_ascii_digit())
            {
                out.truncate(start);
            } else {
                out.extend_from_slice(b" */");
            }
        }
    }
}
