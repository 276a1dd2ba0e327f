//! Vectors of buffers, and messages with their ancillary data.

use super::super::LIMITS;
use super::{
    MAX_DESCRIBED, MAX_ELEMENTS, SOCKADDR_MAX, bytes, descriptors::descriptor, structures::vector,
};
use crate::{mm::user, task::Task};
use core::sync::atomic::Ordering;
use vitrine_abi::{
    event::{ITEM_CUT, ITEM_FAULT, ITEM_OUT, Record, tag},
    syscall::StructKind,
};
use zerocopy::FromBytes;

/// Most bytes of ancillary data.
const CONTROL_MAX: u64 = 256;

/// An iovec array and the starts of its pieces, of which `len` bytes in all are meant.
pub(super) fn iovec(record: &mut Record, arg: u8, flags: u8, addr: u64, count: u64, len: u64) {
    let count = count.min(1024);
    let shown = count.min(MAX_ELEMENTS);
    vector(record, tag::IOVEC, arg, flags, addr, count, 16);
    let limit = u64::from(LIMITS.buffer.load(Ordering::Relaxed));
    let mut left = len;
    for index in 0..shown {
        let Ok([base, piece]) = user::read::<[u64; 2]>(addr.wrapping_add(index * 16)) else {
            return;
        };
        let taken = piece.min(left);
        // Without an end all of every piece is meant.
        if left != u64::MAX {
            left -= taken;
        }
        let index = index as u8;
        bytes(record, tag::PIECE, arg, flags, index, base, taken, limit);
    }
}

/// The parts of a `struct msghdr`: name, pieces, ancillary data.
pub(super) fn message(record: &mut Record, arg: u8, flags: u8, addr: u64, len: u64, task: &Task) {
    let Ok([name, name_len, iov, count, control, control_len, _]) = user::read::<[u64; 7]>(addr)
    else {
        return;
    };
    if name != 0 {
        let len = name_len & 0xffff_ffff;
        bytes(record, tag::NAME, arg, flags, 0, name, len, SOCKADDR_MAX);
    }
    if iov != 0 {
        iovec(record, arg, flags, iov, count, len);
    }
    if control != 0 {
        ancillary(record, arg, flags, control, control_len, task);
    }
}

/// Control messages, and the descriptors that they pass.
pub(super) fn ancillary(record: &mut Record, arg: u8, flags: u8, addr: u64, len: u64, task: &Task) {
    const HEADER: usize = 16;
    const SOL_SOCKET_RIGHTS: [u32; 2] = [1, 1];
    let mut copy = [0; CONTROL_MAX as usize];
    let taken = len.min(CONTROL_MAX) as usize;
    let Some(place) = copy.get_mut(..taken) else {
        return;
    };
    if user::read_bytes(addr, place).is_err() {
        return record.item(tag::CONTROL, arg, flags | ITEM_FAULT, 0, &[]);
    }
    let cut = if len > CONTROL_MAX { ITEM_CUT } else { 0 };
    record.item(tag::CONTROL, arg, flags | cut, 0, place);
    if !LIMITS.descriptors.load(Ordering::Relaxed) {
        return;
    }
    let mut rest: &[u8] = place;
    while let Ok((len, after)) = u64::read_from_prefix(rest) {
        let len = len as usize;
        // One that claims more than there is is shown as far as it goes.
        let Some(body) = rest.get(HEADER..len.min(rest.len())) else {
            return;
        };
        if matches!(
            <[u32; 2]>::read_from_prefix(after),
            Ok((SOL_SOCKET_RIGHTS, _))
        ) {
            for (index, fd) in body.chunks_exact(4).take(MAX_DESCRIBED).enumerate() {
                let fd = fd
                    .first_chunk()
                    .map_or(-1, |bytes| i32::from_le_bytes(*bytes));
                descriptor(record, arg, flags, index as u8, fd as u64, task);
            }
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
}

/// Several messages: the head of each (its number is the item's `index`), then its parts.
pub(super) fn messages(
    record: &mut Record,
    arg: u8,
    flags: u8,
    addr: u64,
    count: u64,
    task: &Task,
) {
    const LEN: u64 = 56;
    let size = StructKind::MMsgHdr.size() as u64;
    let shown = count.min(MAX_ELEMENTS);
    for index in 0..shown {
        let at = addr.wrapping_add(index * size);
        let cut = if shown < count { ITEM_CUT } else { 0 };
        bytes(
            record,
            tag::STRUCT,
            arg,
            flags | cut,
            index as u8,
            at,
            size,
            size,
        );
        let len = match flags & ITEM_OUT {
            0 => u64::MAX,
            _ => user::read::<u32>(at.wrapping_add(LEN)).map_or(0, u64::from),
        };
        message(record, arg, flags, at, len, task);
    }
}
