//! Records in bytes drained from the event ring. Every length is checked; what doesn't hold is [`Corrupt`].

use std::fmt;
use vitrine_abi::event::{ItemHeader, RecordHeader, VERSION, kind};
use zerocopy::FromBytes;

/// Bytes of a record's head that a padding record has at least.
const PAD_HEAD: usize = 8;

/// A record whose framing holds.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    /// Its header.
    pub header: RecordHeader,
    /// Body and items.
    pub rest: &'a [u8],
}

impl<'a> RawRecord<'a> {
    /// Splits off the body.
    pub fn body<T: FromBytes>(&self) -> Option<(T, Items<'a>)> {
        let (body, _) = T::read_from_prefix(self.rest).ok()?;
        let items = self.rest.get(size_of::<T>().next_multiple_of(8)..)?;
        Some((body, Items { rest: items }))
    }

    /// The items of a record without a body.
    pub fn items(&self) -> Items<'a> {
        Items { rest: self.rest }
    }
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrupt {
    /// The length is below the header's, not a multiple of 8, or more than there is. The rest of the bytes is lost.
    Length(u32),
    /// A version that this program doesn't know.
    Version(u8),
    /// The body is shorter than its kind says.
    Body(u16),
    /// An item is longer than its record.
    Item,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Corrupt::Length(len) => write!(f, "a record's length of {len} bytes is impossible"),
            Corrupt::Version(version) => write!(f, "a record has the unknown version {version}"),
            Corrupt::Body(kind) => write!(f, "a record of kind {kind} is too short"),
            Corrupt::Item => write!(f, "an item is longer than its record"),
        }
    }
}

/// How many bytes at the front of `bytes` are whole records. Bytes that can't begin a record end the count, unless they come first: then all of
/// `bytes` is claimed, for [`Records`] to report as corrupt.
pub fn whole_records(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(len) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let len = u32::from_le_bytes(*len) as usize;
        if len < PAD_HEAD || !len.is_multiple_of(8) {
            return if at == 0 { bytes.len() } else { at };
        }
        match at.checked_add(len) {
            Some(end) if end <= bytes.len() => at = end,
            _ => break,
        }
    }
    at
}

/// Iterates over the records in a chunk of whole records.
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// The records in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Records<'a> {
        Records { rest: bytes }
    }

    fn split(&mut self) -> Option<Result<RawRecord<'a>, Corrupt>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let len = match self.rest.first_chunk::<4>() {
                Some(len) => u32::from_le_bytes(*len),
                None => 0,
            };
            let size = len as usize;
            let record = match self.rest.get(..size) {
                Some(record) if size >= PAD_HEAD && size.is_multiple_of(8) => record,
                _ => {
                    self.rest = &[];
                    return Some(Err(Corrupt::Length(len)));
                }
            };
            self.rest = self.rest.get(size..).unwrap_or_default();
            if record.get(4..6) == Some(&kind::PAD.to_le_bytes()) {
                continue;
            }
            let Ok((header, rest)) = RecordHeader::read_from_prefix(record) else {
                return Some(Err(Corrupt::Length(len)));
            };
            if header.version != VERSION {
                return Some(Err(Corrupt::Version(header.version)));
            }
            return Some(Ok(RawRecord { header, rest }));
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RawRecord<'a>, Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        self.split()
    }
}

/// Iterates over the items of a record.
#[derive(Clone, Copy)]
pub struct Items<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<(ItemHeader, &'a [u8]), Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let split = ItemHeader::read_from_prefix(self.rest)
            .ok()
            .and_then(|(head, rest)| {
                let len = head.len as usize;
                let payload = rest.get(..len)?;
                let next = rest.get(len.checked_next_multiple_of(8)?..)?;
                Some((head, payload, next))
            });
        match split {
            Some((head, payload, next)) => {
                self.rest = next;
                Some(Ok((head, payload)))
            }
            None => {
                self.rest = &[];
                Some(Err(Corrupt::Item))
            }
        }
    }
}
