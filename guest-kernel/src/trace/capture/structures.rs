//! Structures whose size the table, or they themselves, tell, and arrays of them.

use super::super::LIMITS;
use super::{MAX_ELEMENTS, bytes, descriptors::descriptor, messages::message};
use crate::{mm::user, task::Task};
use core::sync::atomic::Ordering;
use vitrine_abi::{
    event::{ITEM_CUT, ITEM_FAULT, ITEM_OUT, Record, tag},
    syscall::StructKind,
};
use zerocopy::IntoBytes;

/// `_LINUX_CAPABILITY_VERSION_1`.
const CAPABILITIES_1: u32 = 0x1998_0330;
/// Most directory entries that are counted.
const DIRENTS_MAX: u64 = 1 << 12;
/// Most bytes of directory entries that are captured.
const DIRENTS_BYTES: u64 = 1 << 15;
/// Where the signal mask lies in the frame that a handler's return leaves on the stack (`uc_sigmask` of `struct ucontext`).
const UC_SIGMASK: u64 = 296;

pub(super) fn structure(
    record: &mut Record,
    arg: u8,
    flags: u8,
    kind: StructKind,
    addr: u64,
    args: &[u64; 6],
    task: &Task,
) {
    let size = kind.size() as u64;
    let size = match kind {
        // The caller says how long its structure is.
        StructKind::CloneArgs => size.min(args[1]),
        StructKind::OpenHow => size.min(args[3]),
        StructKind::MountAttr => size.min(args[4]),
        StructKind::LandlockRuleset => size.min(args[1]),
        StructKind::FileHandle => match user::read::<u32>(addr) {
            Ok(told) if flags & ITEM_OUT != 0 || args[2] == 0 || args[1] == addr => {
                size.min(8 + u64::from(told))
            }
            _ => 8,
        },
        StructKind::PerfEventAttr => match user::read::<u32>(addr.wrapping_add(4)) {
            // The first form of it.
            Ok(0) => 64,
            Ok(told) => size.min(u64::from(told)),
            Err(_) => size,
        },
        StructKind::SchedAttr => match user::read::<u32>(addr) {
            // The first form of it had no size.
            Ok(0) => 48,
            Ok(told) => size.min(u64::from(told)),
            Err(_) => size,
        },
        // The first version has room for 32 capabilities, later ones for 64.
        StructKind::CapData if matches!(user::read::<u32>(args[0]), Ok(CAPABILITIES_1)) => 12,
        _ => size,
    };
    bytes(record, tag::STRUCT, arg, flags, 0, addr, size, size);
    match kind {
        StructKind::MsgHdr if flags & ITEM_OUT == 0 => {
            message(record, arg, 0, addr, u64::MAX, task);
        }
        StructKind::CloneArgs if size == kind.size() as u64 => {
            let ids = addr.wrapping_add(64);
            if let Ok([set, count]) = user::read::<[u64; 2]>(ids)
                && set != 0
            {
                let len = count.min(32) * 4;
                bytes(record, tag::BYTES, arg, flags, 0, set, len, len);
            }
        }
        StructKind::SigSetArg => {
            if let Ok([set, size]) = user::read::<[u64; 2]>(addr)
                && set != 0
            {
                bytes(record, tag::BYTES, arg, flags, 0, set, size.min(8), 8);
            }
        }
        _ => {}
    }
}

pub(super) fn structure_out(
    record: &mut Record,
    arg: u8,
    kind: StructKind,
    addr: u64,
    args: &[u64; 6],
    ret: u64,
    task: &Task,
) {
    structure(record, arg, ITEM_OUT, kind, addr, args, task);
    match kind {
        StructKind::MsgHdr => message(record, arg, ITEM_OUT, addr, ret, task),
        StructKind::FdPair if LIMITS.descriptors.load(Ordering::Relaxed) => {
            if let Ok(pair) = user::read::<[i32; 2]>(addr) {
                for (index, fd) in pair.into_iter().enumerate() {
                    descriptor(record, arg, ITEM_OUT, index as u8, fd as u64, task);
                }
            }
        }
        _ => {}
    }
}

pub(super) fn array(
    record: &mut Record,
    arg: u8,
    flags: u8,
    kind: StructKind,
    addr: u64,
    count: u64,
) {
    let size = kind.size() as u64;
    vector(record, tag::STRUCT, arg, flags, addr, count, size);
}

/// The first elements of an array; if they can't all be read, those that can.
pub(super) fn vector(
    record: &mut Record,
    tag: u8,
    arg: u8,
    flags: u8,
    addr: u64,
    count: u64,
    size: u64,
) {
    let shown = count.min(MAX_ELEMENTS);
    let item = record.begin_item(tag, arg, 0);
    let place = record.grow((shown * size) as usize);
    let got = place.len();
    if user::read_bytes(addr, place).is_ok() {
        let cut = if shown < count { ITEM_CUT } else { 0 };
        return record.end_item(item, flags | cut);
    }
    let mut done = 0;
    for element in place.chunks_exact_mut(size as usize) {
        if user::read_bytes(addr.wrapping_add(done as u64), element).is_err() {
            break;
        }
        done += element.len();
    }
    record.shrink(got - done);
    record.end_item(item, flags | ITEM_FAULT);
}

/// The mask that rt_sigreturn is about to restore; `rsp` is the program's stack pointer.
pub(in crate::trace) fn sigreturn(record: &mut Record, rsp: u64) {
    let addr = rsp.wrapping_add(UC_SIGMASK);
    bytes(record, tag::STRUCT, 0, 0, 0, addr, 8, 8);
}

/// How many entries a directory read returned; what they say as well when everything is to be shown in full.
pub(super) fn dir_entries(record: &mut Record, arg: u8, addr: u64, len: u64) {
    const RECLEN: u64 = 16;
    let mut count: u64 = 0;
    let mut at: u64 = 0;
    while at < len && count < DIRENTS_MAX {
        match user::read::<u16>(addr.wrapping_add(at + RECLEN)) {
            Ok(reclen) if reclen > 0 => at += u64::from(reclen),
            _ => break,
        }
        count += 1;
    }
    let flags = if at < len { ITEM_CUT } else { 0 };
    record.item(tag::COUNT, arg, ITEM_OUT | flags, 0, count.as_bytes());
    if LIMITS.environment.load(Ordering::Relaxed) {
        let limit = DIRENTS_BYTES;
        bytes(record, tag::BYTES, arg, ITEM_OUT, 0, addr, len, limit);
    }
}

pub(super) fn fd_set(record: &mut Record, arg: u8, flags: u8, addr: u64, bits: u64) {
    let len = bits.min(1024).div_ceil(64) * 8;
    bytes(record, tag::BYTES, arg, flags, 0, addr, len, len);
}
