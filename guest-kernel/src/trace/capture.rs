//! Arguments to the items of a record, by the kinds in the system-call table: what goes in before the call, what comes out after it.
//!
//! Everything is bounded: buffers and strings by [`super::LIMITS`], arrays by [`MAX_ELEMENTS`], paths by PATH_MAX. An address that can't
//! be read yields an item that says so.

mod descriptors;
mod messages;
mod strings;
mod structures;

pub(super) use descriptors::describe;
pub(super) use strings::{environment, find_path, until_nul};
pub(super) use structures::sigreturn;

use self::descriptors::{descriptor, poll_descriptors, set_descriptors};
use self::messages::{iovec, messages};
use self::strings::{append_string, path, string, string_array};
use self::structures::{array, dir_entries, fd_set, structure, structure_out, vector};
use super::LIMITS;
use crate::{Errno, SysResult, mm::user, task::Task};
use core::sync::atomic::Ordering;
use vitrine_abi::{
    event::{ARG_RESULT, ITEM_CUT, ITEM_FAULT, ITEM_OUT, Record, tag},
    nr,
    syscall::{ArgKind, Dir, RetKind, StructKind, Syscall, kinds::BY_RESULT},
};
use zerocopy::IntoBytes;

/// Most elements of an array that are captured, as many as strace shows of one.
const MAX_ELEMENTS: u64 = 33;
/// Most strings of an argument array.
const MAX_STRINGS: usize = 64;
/// Most descriptors of a set, or of a control message, that are described.
const MAX_DESCRIBED: usize = 64;
/// PATH_MAX.
const PATH_MAX: usize = 4096;
/// Most bytes of a socket address (`struct sockaddr_storage`).
const SOCKADDR_MAX: u64 = 128;

/// Captures what goes in.
pub(super) fn before(record: &mut Record, call: &Syscall, args: &[u64; 6], task: &Task) {
    let describe = LIMITS.descriptors.load(Ordering::Relaxed);
    for index in 0..call.args.len() {
        let kind = call.kind(args, index);
        let value = args[index];
        let arg = index as u8;
        match kind {
            ArgKind::Fd | ArgKind::AtFd if describe => descriptor(record, arg, 0, 0, value, task),
            _ if value == 0 => {}
            ArgKind::Path => path(record, arg, value),
            ArgKind::Str => string(record, arg, value),
            ArgKind::BufIn(len) => buffer(record, arg, 0, value, length(args, len)),
            ArgKind::StrArray => string_array(record, arg, value, MAX_STRINGS),
            ArgKind::EnvArray => environment(record, arg, value),
            ArgKind::Struct(kind, dir) if dir.is_in() => {
                structure(record, arg, 0, kind, value, args, task);
            }
            // How long an address there is room for is all that recvmsg reads and replaces.
            ArgKind::Struct(StructKind::MsgHdr, Dir::Out) => {
                const NAME_LEN: u64 = 8;
                let len = user::read::<u32>(value.wrapping_add(NAME_LEN)).unwrap_or(0);
                record.item(tag::COUNT, arg, 0, 0, u64::from(len).as_bytes());
            }
            ArgKind::Structs(StructKind::MMsgHdr, Dir::InOut, count) => {
                messages(record, arg, 0, value, length(args, count), task);
            }
            ArgKind::Structs(kind, dir, count) if dir.is_in() => {
                array(record, arg, 0, kind, value, length(args, count));
                if kind == StructKind::PollFd && describe {
                    poll_descriptors(record, arg, value, length(args, count), task);
                }
            }
            ArgKind::IoVec(count, Dir::In) => {
                iovec(record, arg, 0, value, length(args, count), u64::MAX);
            }
            ArgKind::SockAddr(len, Dir::In) => {
                bytes(
                    record,
                    tag::BYTES,
                    arg,
                    0,
                    0,
                    value,
                    length(args, len),
                    SOCKADDR_MAX,
                );
            }
            ArgKind::FdSet(bits) => {
                fd_set(record, arg, 0, value, length(args, bits));
                if describe {
                    set_descriptors(record, arg, value, length(args, bits), task);
                }
            }
            ArgKind::SockOpt(Dir::In) => {
                let len = length(args, 4) & 0x7fff_ffff;
                option_value(record, arg, 0, value, len);
            }
            ArgKind::Nodemask(bits, Dir::In) => {
                words(record, arg, 0, value, length(args, bits));
            }
            ArgKind::Message(len, Dir::In) => {
                bytes(record, tag::STRUCT, arg, 0, 0, value, 8, 8);
                let text = value.wrapping_add(8);
                buffer(record, arg, 0, text, length(args, len));
            }
            ArgKind::CpuSet(len, Dir::In) => {
                bytes(
                    record,
                    tag::BYTES,
                    arg,
                    0,
                    0,
                    value,
                    length(args, len),
                    SOCKADDR_MAX,
                );
            }
            _ => {}
        }
    }
}

/// Captures what came out.
pub(super) fn after(
    record: &mut Record,
    call: &Syscall,
    args: &[u64; 6],
    result: &SysResult,
    task: &Task,
) {
    let is_sleep = matches!(call.nr as usize, nr::NANOSLEEP | nr::CLOCK_NANOSLEEP);
    let ret = match *result {
        Ok(ret) => ret as u64,
        Err(Errno::EINTR | Errno::ERESTART_RESTARTBLOCK | Errno::ERESTARTNOHAND) if is_sleep => 0,
        Err(_) => return failed(record, call, args),
    };
    // What is left of a sleep is written only when a signal cut it short.
    if is_sleep && result.is_ok() {
        return;
    }
    for index in 0..call.args.len() {
        let value = args[index];
        let arg = index as u8;
        if value == 0 {
            continue;
        }
        match call.kind(args, index) {
            // A call may return more than there was room for (MSG_TRUNC).
            ArgKind::BufOut(room) => {
                buffer(record, arg, ITEM_OUT, value, ret.min(length(args, room)));
            }
            ArgKind::StrOut => {
                let item = record.begin_item(tag::STRING, arg, 0);
                let flags = ITEM_OUT | append_string(record, value, PATH_MAX);
                record.end_item(item, flags);
            }
            ArgKind::DirEntries => dir_entries(record, arg, value, ret),
            ArgKind::Struct(kind, dir) if dir.is_out() => {
                structure_out(record, arg, kind, value, args, ret, task);
            }
            ArgKind::Structs(StructKind::MMsgHdr, Dir::Out, _) => {
                messages(record, arg, ITEM_OUT, value, ret, task);
            }
            // What was sent is known; how much of each is told by the heads.
            ArgKind::Structs(StructKind::MMsgHdr, _, _) => {
                array(record, arg, ITEM_OUT, StructKind::MMsgHdr, value, ret);
            }
            ArgKind::Structs(kind, dir, count) if dir.is_out() => {
                let count = if count == BY_RESULT {
                    ret
                } else {
                    length(args, count)
                };
                array(record, arg, ITEM_OUT, kind, value, count);
            }
            ArgKind::IoVec(count, Dir::Out) => {
                iovec(record, arg, ITEM_OUT, value, length(args, count), ret);
            }
            ArgKind::SockAddr(len, Dir::Out) => {
                let len = user::read::<u32>(length(args, len)).unwrap_or(0);
                let (tag, flags) = (tag::BYTES, ITEM_OUT);
                bytes(
                    record,
                    tag,
                    arg,
                    flags,
                    0,
                    value,
                    u64::from(len),
                    SOCKADDR_MAX,
                );
            }
            ArgKind::FdSet(bits) => fd_set(record, arg, ITEM_OUT, value, length(args, bits)),
            ArgKind::SockOpt(Dir::Out) => {
                let len = user::read::<u32>(length(args, 4)).unwrap_or(0);
                option_value(record, arg, ITEM_OUT, value, u64::from(len));
            }
            ArgKind::Nodemask(bits, Dir::Out) => {
                words(record, arg, ITEM_OUT, value, length(args, bits));
            }
            ArgKind::Message(_, Dir::Out) => {
                bytes(record, tag::STRUCT, arg, ITEM_OUT, 0, value, 8, 8);
                buffer(record, arg, ITEM_OUT, value.wrapping_add(8), ret);
            }
            ArgKind::PageBytes(len) => {
                let pages = length(args, len).div_ceil(4096);
                buffer(record, arg, ITEM_OUT, value, pages);
            }
            ArgKind::CpuSet(BY_RESULT, _) => {
                let (tag, flags) = (tag::BYTES, ITEM_OUT);
                bytes(record, tag, arg, flags, 0, value, ret, SOCKADDR_MAX);
            }
            _ => {}
        }
    }
    if result.is_ok()
        && call.ret_kind(args) == RetKind::Fd
        && LIMITS.descriptors.load(Ordering::Relaxed)
    {
        descriptor(record, ARG_RESULT, ITEM_OUT, 0, ret, task);
    }
}

/// Of a call that failed: where it would have put what it received.
fn failed(record: &mut Record, call: &Syscall, args: &[u64; 6]) {
    for (index, &value) in args.iter().enumerate().take(call.args.len()) {
        let arg = index as u8;
        match call.kind(args, index) {
            _ if value == 0 => {}
            ArgKind::IoVec(count, Dir::Out) => {
                let count = length(args, count);
                vector(record, tag::IOVEC, arg, ITEM_OUT, value, count, 16);
            }
            ArgKind::Struct(StructKind::MsgHdr, Dir::Out) => {
                let size = StructKind::MsgHdr.size() as u64;
                bytes(record, tag::STRUCT, arg, ITEM_OUT, 0, value, size, size);
            }
            _ => {}
        }
    }
}

/// A socket option's value: at least as much of it as has names.
fn option_value(record: &mut Record, arg: u8, flags: u8, addr: u64, len: u64) {
    const STRUCTURES: u64 = 32;
    let limit = u64::from(LIMITS.buffer.load(Ordering::Relaxed)).max(STRUCTURES);
    bytes(record, tag::BYTES, arg, flags, 0, addr, len, limit);
}

/// A set of bits in words, of which `bits` is one more than there are.
fn words(record: &mut Record, arg: u8, flags: u8, addr: u64, bits: u64) {
    let count = bits.saturating_add(62) / 64;
    vector(record, tag::BYTES, arg, flags, addr, count, 8);
}

fn length(args: &[u64; 6], index: u8) -> u64 {
    args.get(index as usize).copied().unwrap_or(0)
}

/// The start of a buffer.
fn buffer(record: &mut Record, arg: u8, flags: u8, addr: u64, len: u64) {
    let limit = u64::from(LIMITS.buffer.load(Ordering::Relaxed));
    bytes(record, tag::BYTES, arg, flags, 0, addr, len, limit);
}

/// `len` bytes at `addr`, at most `limit` of them.
#[allow(clippy::too_many_arguments)]
fn bytes(
    record: &mut Record,
    tag: u8,
    arg: u8,
    flags: u8,
    index: u8,
    addr: u64,
    len: u64,
    limit: u64,
) {
    let taken = len.min(limit) as usize;
    let cut = if len > limit { ITEM_CUT } else { 0 };
    let item = record.begin_item(tag, arg, index);
    let place = record.grow(taken);
    let got = place.len();
    let flags = flags
        | match user::read_bytes(addr, place) {
            Ok(()) => cut,
            Err(_) => {
                record.shrink(got);
                ITEM_FAULT
            }
        };
    record.end_item(item, flags);
}
