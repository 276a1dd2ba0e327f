//! Paths and other strings, and arrays of them.

use super::super::LIMITS;
use super::PATH_MAX;
use crate::{Errno, mm::user};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use vitrine_abi::event::{
    ITEM_CUT, ITEM_FAULT, ITEM_OUT, ItemHeader, Record, RecordHeader, STRING_CUT, STRING_FAULT,
    SyscallBody, tag,
};
use zerocopy::FromBytes;

/// Most strings of an environment.
const MAX_ENVIRONMENT: usize = 1024;
/// Most strings that are counted.
const MAX_COUNT: u32 = 1 << 16;

pub(super) fn path(record: &mut Record, arg: u8, addr: u64) {
    let item = record.begin_item(tag::STRING, arg, 0);
    let flags = append_string_of(record, addr, PATH_MAX, PATH_MAX);
    record.end_item(item, flags);
}

/// The captured path at `addr`, for the handler: see [`super::captured_path`].
pub(in crate::trace) fn find_path(
    record: &Record,
    args: &[u64; 6],
    addr: u64,
) -> Option<Result<Vec<u8>, Errno>> {
    let items = size_of::<RecordHeader>() + size_of::<SyscallBody>().next_multiple_of(8);
    let mut rest = record.as_bytes().get(items..)?;
    while let Ok((head, payload)) = ItemHeader::read_from_prefix(rest) {
        let len = head.len as usize;
        let is_it = head.tag == tag::STRING
            && head.flags & ITEM_OUT == 0
            && args.get(head.arg as usize) == Some(&addr);
        if is_it {
            if head.flags & ITEM_CUT != 0 && len < PATH_MAX {
                // Not a path, and not all of it: the handler reads it itself.
                return None;
            }
            return Some(if head.flags & ITEM_FAULT != 0 {
                Err(Errno::EFAULT)
            } else if head.flags & ITEM_CUT != 0 {
                Err(Errno::ENAMETOOLONG)
            } else {
                payload.get(..len).map(<[u8]>::to_vec).ok_or(Errno::EFAULT)
            });
        }
        rest = payload.get(len.next_multiple_of(8)..)?;
    }
    None
}

/// A string that isn't a path.
pub(super) fn string(record: &mut Record, arg: u8, addr: u64) {
    let limit = LIMITS.string.load(Ordering::Relaxed) as usize;
    let item = record.begin_item(tag::STRING, arg, 0);
    let flags = append_string(record, addr, limit);
    record.end_item(item, flags);
}

/// Appends a string to the item that was begun; its flags.
pub(super) fn append_string(record: &mut Record, addr: u64, limit: usize) -> u8 {
    append_string_of(record, addr, limit.saturating_add(1), limit)
}

/// Appends a string that has its NUL within `max` bytes, or `limit` bytes of a longer one; the item's flags.
pub(super) fn append_string_of(record: &mut Record, addr: u64, max: usize, limit: usize) -> u8 {
    match record.fill(|bytes| user::append_cstr(addr, max, bytes)) {
        Ok(()) => 0,
        Err(Errno::ENAMETOOLONG) => {
            if user::read_bytes(addr, record.grow(limit)).is_err() {
                record.shrink(limit);
            }
            ITEM_CUT
        }
        Err(_) => ITEM_FAULT,
    }
}

/// An environment: counted, and in full if that is wanted.
pub(in crate::trace) fn environment(record: &mut Record, arg: u8, addr: u64) {
    let whole = LIMITS.environment.load(Ordering::Relaxed);
    string_array(record, arg, addr, if whole { MAX_ENVIRONMENT } else { 0 });
}

/// A NULL-terminated array of strings: the first `most` in full (to the limit), the rest counted.
pub(super) fn string_array(record: &mut Record, arg: u8, addr: u64, most: usize) {
    let limit = LIMITS.string.load(Ordering::Relaxed) as usize;
    let item = record.begin_item(tag::STRINGS, arg, 0);
    record.extend(&[0; 4]);
    let mut count: u32 = 0;
    let mut flags = 0;
    let mut at = addr;
    while count < MAX_COUNT {
        let pointer = match user::read::<u64>(at) {
            Ok(0) => break,
            Ok(pointer) => pointer,
            Err(_) => {
                flags |= ITEM_FAULT;
                break;
            }
        };
        if (count as usize) < most {
            let before = record.len();
            record.extend(&[0; 4]);
            let string = append_string(record, pointer, limit);
            if string & ITEM_FAULT != 0 {
                record.extend(&pointer.to_le_bytes());
            }
            let len = (record.len().saturating_sub(before + 4)) as u32;
            let cut = match string {
                0 => 0,
                _ if string & ITEM_FAULT != 0 && len == 8 => STRING_FAULT,
                _ => STRING_CUT,
            };
            let offset = before.saturating_sub(item + size_of::<ItemHeader>());
            if let Some(place) = record.payload_mut(item, offset).get_mut(..4) {
                place.copy_from_slice(&(len | cut).to_le_bytes());
            }
        } else {
            flags |= ITEM_CUT;
        }
        count += 1;
        at = at.wrapping_add(8);
    }
    if let Some(place) = record.payload_mut(item, 0).get_mut(..4) {
        place.copy_from_slice(&count.to_le_bytes());
    }
    record.end_item(item, flags);
}

/// A NUL-padded name without its padding.
pub(in crate::trace) fn until_nul(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == 0).next().unwrap_or_default()
}
