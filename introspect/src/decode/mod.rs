//! Arguments and results as text, in strace's words.
//!
//! - [`args`]: one argument by its kind in the system-call table; [`ret`]: results.
//! - [`structs`]: structures, as they lay in the program's memory; [`stat`]: the stat family; [`sockets`]: addresses and messages; [`terminal`]: ioctl and termios;
//!   [`system`]: clocks, scheduling, capabilities; `rare`: what few programs use.
//! - `compound`: structures, arrays and lists in an argument's place.
//! - `dirents`: directory entries.
//! - `options`: the values of socket options.
//! - `flags`: enumerations, flags, words put together of several.
//! - [`names`]: flags and constants; [`signals`], [`errno`].
//! - [`zone`]: the time zone of dates; [`text`]: numbers and quoted strings; [`notation`]: how strings and constants are written.
//!
//! Everything appends to a byte buffer: nothing is allocated for a field.

pub mod args;
mod compound;
mod dirents;
pub mod errno;
mod flags;
pub mod names;
pub mod notation;
mod options;
mod rare;
pub mod ret;
pub mod signals;
pub mod sockets;
pub mod stat;
pub mod structs;
pub mod system;
pub mod terminal;
pub mod text;
pub mod times;
pub mod zone;

pub use notation::Notation;

/// How much is shown.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Longest string or buffer that is shown whole (`-s`).
    pub string_limit: usize,
    /// Whether long structures are cut with `...` (not `-v`).
    pub abbreviate: bool,
    /// Whether descriptors are shown with what they refer to (`-y`).
    pub fd_paths: bool,
    /// How strings, constants and devices are written (`-x`, `-X`, `-yy`).
    pub notation: Notation,
}

impl Default for Style {
    fn default() -> Style {
        Style {
            string_limit: 32,
            abbreviate: true,
            fd_paths: false,
            notation: Notation::default(),
        }
    }
}

/// A buffer or string of `data`, quoted; `...` follows if it is longer than the limit or was cut at capture.
pub fn buffer(out: &mut Vec<u8>, data: &[u8], cut: bool, style: &Style) {
    let shown = data.get(..style.string_limit).unwrap_or(data);
    text::quoted(out, shown);
    if cut || shown.len() < data.len() {
        out.extend_from_slice(b"...");
    }
}

/// A reader over a structure's bytes: little-endian words at offsets, 0 past the end.
#[derive(Clone, Copy)]
pub struct View<'a>(pub &'a [u8]);

impl<'a> View<'a> {
    /// `N` bytes at an offset.
    fn array<const N: usize>(self, offset: usize) -> [u8; N] {
        self.0
            .get(offset..)
            .and_then(|rest| rest.first_chunk::<N>())
            .copied()
            .unwrap_or([0; N])
    }

    /// An unsigned 16-bit word.
    pub fn u16(self, offset: usize) -> u16 {
        u16::from_le_bytes(self.array(offset))
    }

    /// A 16-bit word in network order.
    pub fn be16(self, offset: usize) -> u16 {
        u16::from_be_bytes(self.array(offset))
    }

    /// An unsigned 32-bit word.
    pub fn u32(self, offset: usize) -> u32 {
        u32::from_le_bytes(self.array(offset))
    }

    /// A signed 32-bit word.
    pub fn i32(self, offset: usize) -> i32 {
        self.u32(offset) as i32
    }

    /// An unsigned 64-bit word.
    pub fn u64(self, offset: usize) -> u64 {
        u64::from_le_bytes(self.array(offset))
    }

    /// A signed 64-bit word.
    pub fn i64(self, offset: usize) -> i64 {
        self.u64(offset) as i64
    }

    /// A NUL-terminated string in a field.
    pub fn string(self, offset: usize, len: usize) -> &'a [u8] {
        let field = self.0.get(offset..).unwrap_or_default();
        let field = field.get(..len).unwrap_or(field);
        field.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

/// Appends text.
pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
