//! Copies to and from the current task's memory. All return `EFAULT` for a bad address.

use crate::Errno;
use alloc::vec::Vec;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Reads a value.
pub fn read<T: FromBytes + IntoBytes>(addr: u64) -> Result<T, Errno> {
    let mut value = T::new_zeroed();
    read_bytes(addr, value.as_mut_bytes())?;
    Ok(value)
}

/// Writes a value.
pub fn write<T: IntoBytes + Immutable>(addr: u64, value: &T) -> Result<(), Errno> {
    write_bytes(addr, value.as_bytes())
}

/// Fills `buf`, or fails.
pub fn read_bytes(_addr: u64, _buf: &mut [u8]) -> Result<(), Errno> {
    Err(Errno::EFAULT)
}

/// Writes all of `data`, or fails (what came before the bad address is written).
pub fn write_bytes(_addr: u64, _data: &[u8]) -> Result<(), Errno> {
    Err(Errno::EFAULT)
}

/// Fills memory with zeros.
pub fn zero(_addr: u64, _len: usize) -> Result<(), Errno> {
    Err(Errno::EFAULT)
}

/// Reads a NUL-terminated string of at most `max` bytes without its NUL; `ENAMETOOLONG` if there is no NUL in them.
pub fn read_cstr(_addr: u64, _max: usize) -> Result<Vec<u8>, Errno> {
    Err(Errno::EFAULT)
}

/// A path argument: at most PATH_MAX (4096) bytes with its NUL.
pub fn read_path(addr: u64) -> Result<Vec<u8>, Errno> {
    read_cstr(addr, 4096)
}

/// Bytes that the frame copies move at a time.
const BOUNCE: usize = 1024;

/// Writes `len` bytes of a frame from `offset` on to user memory.
pub fn write_from_frame(
    addr: u64,
    frame: &super::frame::Frame,
    offset: usize,
    len: usize,
) -> Result<(), Errno> {
    let mut buf = [0u8; BOUNCE];
    let mut done = 0;
    while done < len {
        let part = (len - done).min(BOUNCE);
        frame.read(offset + done, &mut buf[..part]);
        write_bytes(addr.wrapping_add(done as u64), &buf[..part])?;
        done += part;
    }
    Ok(())
}

/// Reads `len` bytes of user memory into a frame at `offset`.
pub fn read_to_frame(
    addr: u64,
    frame: &super::frame::Frame,
    offset: usize,
    len: usize,
) -> Result<(), Errno> {
    let mut buf = [0u8; BOUNCE];
    let mut done = 0;
    while done < len {
        let part = (len - done).min(BOUNCE);
        read_bytes(addr.wrapping_add(done as u64), &mut buf[..part])?;
        frame.write(offset + done, &buf[..part]);
        done += part;
    }
    Ok(())
}
