//! Arguments to the items of a record, by the kinds in the system-call table: what goes in before the call, what comes out after it.
//!
//! Everything is bounded: buffers and strings by [`super::LIMITS`], arrays by [`MAX_ELEMENTS`], paths by PATH_MAX. An address that can't
//! be read yields an item that says so.

use super::LIMITS;
use crate::{Errno, SysResult, fs::File, mm::user, task::Task};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use vitrine_abi::{
    event::{
        ARG_RESULT, FdBody, ITEM_CUT, ITEM_FAULT, ITEM_OUT, ItemHeader, Record, RecordHeader,
        STRING_CUT, STRING_FAULT, SyscallBody, tag,
    },
    nr,
    syscall::{ArgKind, Dir, RetKind, StructKind, Syscall, kinds::BY_RESULT},
};
use zerocopy::{FromBytes, IntoBytes};

/// Most elements of an array that are captured, as many as strace shows of one.
const MAX_ELEMENTS: u64 = 33;
/// Most strings of an argument array.
const MAX_STRINGS: usize = 64;
/// Most strings of an environment.
const MAX_ENVIRONMENT: usize = 1024;
/// Most strings that are counted.
const MAX_COUNT: u32 = 1 << 16;
/// AT_FDCWD.
const AT_FDCWD: i32 = -100;
/// `_LINUX_CAPABILITY_VERSION_1`.
const CAPABILITIES_1: u32 = 0x1998_0330;
/// Most descriptors of a set, or of a control message, that are described.
const MAX_DESCRIBED: usize = 64;
/// PATH_MAX.
const PATH_MAX: usize = 4096;
/// Most bytes of a socket address (`struct sockaddr_storage`).
const SOCKADDR_MAX: u64 = 128;
/// Most bytes of ancillary data.
const CONTROL_MAX: u64 = 256;
/// Most directory entries that are counted.
const DIRENTS_MAX: u64 = 1 << 12;
/// Most bytes of directory entries that are captured.
const DIRENTS_BYTES: u64 = 1 << 15;
/// Where the signal mask lies in the frame that a handler's return leaves on the stack (`uc_sigmask` of `struct ucontext`).
const UC_SIGMASK: u64 = 296;

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

/// What a descriptor refers to; nothing for one that isn't open.
fn descriptor(record: &mut Record, arg: u8, flags: u8, index: u8, value: u64, task: &Task) {
    let fd = value as i32;
    if fd == AT_FDCWD {
        let fs = task.fs.lock().clone();
        let path = fs.cwd.lock().path.clone();
        return fd_item(record, arg, flags, index, fd, 0, "dir", &path);
    }
    if fd < 0 {
        return;
    }
    let Some(files) = task.files.lock().clone() else {
        return;
    };
    if let Ok(file) = files.get(fd) {
        describe(record, arg, flags, index, fd, &file);
    }
}

pub(super) fn describe(record: &mut Record, arg: u8, flags: u8, index: u8, fd: i32, file: &File) {
    let description = file.ops.describe(file);
    let open_flags = file.flags.load(Ordering::Relaxed);
    let (kind, text) = (description.kind, &description.text);
    fd_item(record, arg, flags, index, fd, open_flags, kind, text);
}

#[allow(clippy::too_many_arguments)]
fn fd_item(
    record: &mut Record,
    arg: u8,
    flags: u8,
    index: u8,
    fd: i32,
    open_flags: u32,
    kind: &str,
    text: &[u8],
) {
    let text = &text[..text.len().min(PATH_MAX)];
    let body = FdBody {
        fd,
        flags: open_flags,
        kind_len: kind.len() as u16,
        text_len: text.len() as u16,
    };
    let item = record.begin_item(tag::FD, arg, index);
    record.extend(body.as_bytes());
    record.extend(kind.as_bytes());
    record.extend(text);
    record.end_item(item, flags);
}

fn path(record: &mut Record, arg: u8, addr: u64) {
    let item = record.begin_item(tag::STRING, arg, 0);
    let flags = append_string_of(record, addr, PATH_MAX, PATH_MAX);
    record.end_item(item, flags);
}

/// The captured path at `addr`, for the handler: see [`super::captured_path`].
pub(super) fn find_path(
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
fn string(record: &mut Record, arg: u8, addr: u64) {
    let limit = LIMITS.string.load(Ordering::Relaxed) as usize;
    let item = record.begin_item(tag::STRING, arg, 0);
    let flags = append_string(record, addr, limit);
    record.end_item(item, flags);
}

/// Appends a string to the item that was begun; its flags.
fn append_string(record: &mut Record, addr: u64, limit: usize) -> u8 {
    append_string_of(record, addr, limit.saturating_add(1), limit)
}

/// Appends a string that has its NUL within `max` bytes, or `limit` bytes of a longer one; the item's flags.
fn append_string_of(record: &mut Record, addr: u64, max: usize, limit: usize) -> u8 {
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
pub(super) fn environment(record: &mut Record, arg: u8, addr: u64) {
    let whole = LIMITS.environment.load(Ordering::Relaxed);
    string_array(record, arg, addr, if whole { MAX_ENVIRONMENT } else { 0 });
}

/// A NULL-terminated array of strings: the first `most` in full (to the limit), the rest counted.
fn string_array(record: &mut Record, arg: u8, addr: u64, most: usize) {
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

fn structure(
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

fn structure_out(
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

fn array(record: &mut Record, arg: u8, flags: u8, kind: StructKind, addr: u64, count: u64) {
    let size = kind.size() as u64;
    vector(record, tag::STRUCT, arg, flags, addr, count, size);
}

/// The first elements of an array; if they can't all be read, those that can.
fn vector(record: &mut Record, tag: u8, arg: u8, flags: u8, addr: u64, count: u64, size: u64) {
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
pub(super) fn sigreturn(record: &mut Record, rsp: u64) {
    let addr = rsp.wrapping_add(UC_SIGMASK);
    bytes(record, tag::STRUCT, 0, 0, 0, addr, 8, 8);
}

/// How many entries a directory read returned; what they say as well when everything is to be shown in full.
fn dir_entries(record: &mut Record, arg: u8, addr: u64, len: u64) {
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

fn fd_set(record: &mut Record, arg: u8, flags: u8, addr: u64, bits: u64) {
    let len = bits.min(1024).div_ceil(64) * 8;
    bytes(record, tag::BYTES, arg, flags, 0, addr, len, len);
}

/// An iovec array and the starts of its pieces, of which `len` bytes in all are meant.
fn iovec(record: &mut Record, arg: u8, flags: u8, addr: u64, count: u64, len: u64) {
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
fn message(record: &mut Record, arg: u8, flags: u8, addr: u64, len: u64, task: &Task) {
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
fn ancillary(record: &mut Record, arg: u8, flags: u8, addr: u64, len: u64, task: &Task) {
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
fn messages(record: &mut Record, arg: u8, flags: u8, addr: u64, count: u64, task: &Task) {
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

/// What the descriptors of a poll refer to.
fn poll_descriptors(record: &mut Record, arg: u8, addr: u64, count: u64, task: &Task) {
    for index in 0..count.min(MAX_ELEMENTS) {
        if let Ok(fd) = user::read::<i32>(addr.wrapping_add(index * 8)) {
            // AT_FDCWD is no descriptor here.
            descriptor(record, arg, 0, index as u8, fd.max(-1) as u64, task);
        }
    }
}

/// What the descriptors in an `fd_set` refer to.
fn set_descriptors(record: &mut Record, arg: u8, addr: u64, bits: u64, task: &Task) {
    let mut described = 0;
    for index in 0..bits.min(1024).div_ceil(64) {
        let Ok(mut word) = user::read::<u64>(addr.wrapping_add(index * 8)) else {
            return;
        };
        while word != 0 && described < MAX_DESCRIBED {
            let fd = index * 64 + u64::from(word.trailing_zeros());
            word &= word - 1;
            if fd < bits {
                descriptor(record, arg, 0, described as u8, fd, task);
                described += 1;
            }
        }
    }
}

/// A NUL-padded name without its padding.
pub(super) fn until_nul(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == 0).next().unwrap_or_default()
}
