//! Copies to and from the current task's memory. All return `EFAULT` for a bad address.
//!
//! The fast path walks the loaded page tables without a lock and copies through the direct map. A page that is missing or not
//! writable is faulted in and tried again.

use super::{
    oom, page_table, phys_ptr,
    space::{Access, FaultError, in_page},
    tlb,
};
use crate::{Errno, sched, sync::Interruptible};
use alloc::vec::Vec;
use vitrine_abi::layout::{PAGE_SIZE, USER_END, USER_MIN};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most bytes that one read or write call moves.
pub const MAX_RW_COUNT: u64 = 0x7fff_f000;
/// Most pieces of a vectored read or write (UIO_MAXIOV).
const MAX_IOVECS: u64 = 1024;
/// How often a page whose fault found no memory is tried again while the OOM killer's victim dies.
const OOM_TRIES: u32 = 64;

/// Reads a value.
#[inline]
pub fn read<T: FromBytes + IntoBytes>(addr: u64) -> Result<T, Errno> {
    let mut value = T::new_zeroed();
    read_bytes(addr, value.as_mut_bytes())?;
    Ok(value)
}

/// Writes a value.
#[inline]
pub fn write<T: IntoBytes + Immutable>(addr: u64, value: &T) -> Result<(), Errno> {
    write_bytes(addr, value.as_bytes())
}

/// Fills `buf`, or fails.
#[inline]
pub fn read_bytes(addr: u64, buf: &mut [u8]) -> Result<(), Errno> {
    match read_some(addr, buf) {
        Ok(n) if n == buf.len() => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

/// Writes all of `data`, or fails (what came before the bad address is written).
#[inline]
pub fn write_bytes(addr: u64, data: &[u8]) -> Result<(), Errno> {
    match write_some(addr, data) {
        Ok(n) if n == data.len() => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

/// Fills `buf` up to the first bad address; how many bytes. `EFAULT` only if there are none.
#[inline]
pub fn read_some(addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
    let target = buf.as_mut_ptr();
    by_page(addr, buf.len(), Access::Read, |user, at, len| {
        // SAFETY: `user` is valid for `len` bytes of one frame, `at + len` is at most the length of `buf`; kernel buffers don't overlap frames.
        unsafe { core::ptr::copy_nonoverlapping(user, target.add(at), len) };
    })
}

/// Writes `data` up to the first bad address; how many bytes. `EFAULT` only if there are none.
#[inline]
pub fn write_some(addr: u64, data: &[u8]) -> Result<usize, Errno> {
    let source = data.as_ptr();
    by_page(addr, data.len(), Access::Write, |user, at, len| {
        // SAFETY: as in `read_some`, the other way.
        unsafe { core::ptr::copy_nonoverlapping(source.add(at), user, len) };
    })
}

/// Fills memory with zeros.
pub fn zero(addr: u64, len: usize) -> Result<(), Errno> {
    let done = by_page(addr, len, Access::Write, |user, _, len| {
        // SAFETY: `user` is valid for `len` bytes of one frame.
        unsafe { user.write_bytes(0, len) };
    })?;
    if done == len {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// Reads a NUL-terminated string of at most `max` bytes without its NUL; `ENAMETOOLONG` if there is no NUL in them.
pub fn read_cstr(addr: u64, max: usize) -> Result<Vec<u8>, Errno> {
    let mut string: Vec<u8> = Vec::new();
    append_cstr(addr, max, &mut string)?;
    Ok(string)
}

/// As [`read_cstr`], behind what `string` holds already. If it fails, some of it may be there.
pub fn append_cstr(addr: u64, max: usize, string: &mut Vec<u8>) -> Result<(), Errno> {
    let start = string.len();
    let mut at = addr;
    while string.len() - start < max {
        let user = locate(at, Access::Read)?;
        let len = in_page(at, max - (string.len() - start));
        let part = length_to_nul(user, len);
        string.try_reserve(part).map_err(|_| Errno::ENOMEM)?;
        let old = string.len();
        // SAFETY: the part lies in one frame; the vector has room for it, which is initialised before the length says so.
        unsafe {
            core::ptr::copy_nonoverlapping(user, string.as_mut_ptr().add(old), part);
            string.set_len(old + part);
        }
        if part < len {
            return Ok(());
        }
        at = at.wrapping_add(len as u64);
    }
    Err(Errno::ENAMETOOLONG)
}

/// A path argument: at most PATH_MAX (4096) bytes with its NUL. In a traced call it is what was captured at the gate, so that what is
/// logged is what runs.
pub fn read_path(addr: u64) -> Result<Vec<u8>, Errno> {
    match crate::trace::captured_path(addr) {
        Some(captured) => captured,
        None => read_cstr(addr, 4096),
    }
}

/// A `struct iovec`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Iovec {
    base: u64,
    len: u64,
}

/// Reads an array of `struct iovec`: address and length of each piece, checked as Linux does: `EINVAL` for more than 1024 pieces or a negative
/// length, `EFAULT` for a piece outside the user half; lengths beyond [`MAX_RW_COUNT`] in all are cut.
pub fn read_iovecs(addr: u64, count: u64) -> Result<Vec<(u64, u64)>, Errno> {
    if count > MAX_IOVECS {
        return Err(Errno::EINVAL);
    }
    let mut pieces = Vec::with_capacity(count as usize);
    let mut total = 0;
    for i in 0..count {
        let piece: Iovec = read(addr.wrapping_add(i * size_of::<Iovec>() as u64))?;
        if i64::try_from(piece.len).is_err() {
            return Err(Errno::EINVAL);
        }
        pieces.push((piece.base, piece.len));
    }
    for (base, len) in &mut pieces {
        if base.checked_add(*len).is_none_or(|end| end > USER_END) {
            return Err(Errno::EFAULT);
        }
        *len = (*len).min(MAX_RW_COUNT - total);
        total += *len;
    }
    Ok(pieces)
}

/// Calls `each(pointer, offset, length)` for the part of `addr..addr + len` in each page, up to the first bad address; the bytes covered, `EFAULT` if
/// there are none.
#[inline]
fn by_page(
    addr: u64,
    len: usize,
    access: Access,
    mut each: impl FnMut(*mut u8, usize, usize),
) -> Result<usize, Errno> {
    let mut done = 0;
    while done < len {
        let at = addr.wrapping_add(done as u64);
        match locate(at, access) {
            Ok(user) => {
                let part = in_page(at, len - done);
                each(user, done, part);
                done += part;
            }
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// A pointer into the direct map for the current task's `addr`, valid to the end of its page until the kernel yields or unmaps it.
#[inline]
fn locate(addr: u64, access: Access) -> Result<*mut u8, Errno> {
    let write = access == Access::Write;
    let phys = match page_table::translate(tlb::active(), addr, write) {
        Some(phys) => phys,
        None => fault_in(addr, access)?,
    };
    if write {
        tlb::before_write(addr & !(PAGE_SIZE - 1));
    }
    Ok(phys_ptr(phys))
}

/// Makes the page accessible. Without memory, the OOM killer makes some: others get to run meanwhile.
#[cold]
fn fault_in(addr: u64, access: Access) -> Result<u64, Errno> {
    if addr >= USER_END {
        return Err(Errno::EFAULT);
    }
    if addr < USER_MIN {
        // Nothing of the workload's lies here: what a rule put in an argument's place does.
        let phys = match access {
            Access::Read => crate::trace::scratch(addr),
            _ => None,
        };
        return phys.ok_or(Errno::EFAULT);
    }
    let task = sched::current();
    let space = task.space().map_err(|_| Errno::EFAULT)?;
    for _ in 0..OOM_TRIES {
        match space.locate(addr, access) {
            Ok(phys) if space.root() == tlb::active() => return Ok(phys),
            Err(FaultError::NoMemory)
                if oom::out_of_memory() && !task.interrupted(Interruptible::Killable) =>
            {
                sched::yield_now();
            }
            _ => break,
        }
    }
    Err(Errno::EFAULT)
}

/// Bytes before the first NUL among `len` at `text`; `len` if there is none.
fn length_to_nul(text: *const u8, len: usize) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    while at + 8 <= len {
        // SAFETY: eight bytes below `len`, all inside one frame; read by value since the program may change them.
        let word = u64::from_le(unsafe { text.add(at).cast::<u64>().read_unaligned() });
        let zeros = word.wrapping_sub(LOW) & !word & HIGH;
        if zeros != 0 {
            return at + (zeros.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < len {
        // SAFETY: below `len`.
        if unsafe { text.add(at).read() } == 0 {
            return at;
        }
        at += 1;
    }
    len
}

/// Writes `len` bytes of a frame from `offset` on to user memory.
pub fn write_from_frame(
    addr: u64,
    frame: &super::frame::Frame,
    offset: usize,
    len: usize,
) -> Result<(), Errno> {
    let source = frame_part(frame, offset, len)?;
    let done = by_page(addr, len, Access::Write, |user, at, part| {
        // SAFETY: both sides are valid for `part` bytes; `copy` allows them to overlap, since a file can be read into its own mapping.
        unsafe { core::ptr::copy(source.add(at), user, part) };
    })?;
    if done == len {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// Where the direct map shows `len` bytes of a frame from `offset` on.
fn frame_part(frame: &super::frame::Frame, offset: usize, len: usize) -> Result<*mut u8, Errno> {
    match offset.checked_add(len) {
        Some(end) if end <= PAGE_SIZE as usize => Ok(phys_ptr(frame.phys() + offset as u64)),
        _ => Err(Errno::EFAULT),
    }
}

/// Reads `len` bytes of user memory into a frame at `offset`.
pub fn read_to_frame(
    addr: u64,
    frame: &super::frame::Frame,
    offset: usize,
    len: usize,
) -> Result<(), Errno> {
    let target = frame_part(frame, offset, len)?;
    let done = by_page(addr, len, Access::Read, |user, at, part| {
        // SAFETY: as in `write_from_frame`.
        unsafe { core::ptr::copy(user, target.add(at), part) };
    })?;
    if done == len {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}
