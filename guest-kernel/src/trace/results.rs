//! What rules change of what a call has written to the program's memory: numbers in structures, and entries of a listed directory.

use super::values::Values;
use crate::{Errno, SysResult, mm::user, syscall};
use alloc::vec::Vec;
use vitrine_abi::{
    filter::{ActionEntry, absolute, glob, how},
    nr,
    syscall::ArgKind,
};

/// Where in a directory entry its length is told, old and new form.
const LENGTH_AT: usize = 16;
/// Where the name begins: `struct linux_dirent`, `struct linux_dirent64`.
const OLD_NAME_AT: usize = 18;
const NEW_NAME_AT: usize = 19;

/// Changes a number where argument `arg` points; what it was and what it is. `None`: the program has no such memory, or gave NULL.
pub(super) fn poke_number(action: &ActionEntry, values: &Values<'_>) -> Option<(u64, u64)> {
    let start = values.given.get(action.arg as usize).copied()?;
    let addr = start.checked_add(action.offset.into())?;
    let mut bytes = [0; 8];
    let bytes = bytes.get_mut(..usize::from(action.width))?;
    if start == 0 {
        return None;
    }
    user::read_bytes(addr, bytes).ok()?;
    let number = ActionEntry {
        offset: 0,
        ..*action
    };
    let change = change_number(&number, bytes)?;
    user::write_bytes(addr, bytes).ok()?;
    Some(change)
}

/// Changes a number in `data`; what it was and what it is. `None`: there is none.
pub(super) fn change_number(action: &ActionEntry, data: &mut [u8]) -> Option<(u64, u64)> {
    let width = usize::from(action.width);
    let start = usize::from(action.offset);
    let place = data.get_mut(start..start + width)?;
    let mut bytes = [0; 8];
    bytes.get_mut(..width)?.copy_from_slice(place);
    let before = u64::from_le_bytes(bytes);
    let mask = u64::MAX >> (64 - 8 * width.clamp(1, 8));
    let after = how::apply(action.how, before, action.value) & mask;
    place.copy_from_slice(after.to_le_bytes().get(..width)?);
    Some((before, after))
}

/// Takes entries that match `pattern` from what getdents has just put into the program's buffer, and returns the call's result without them.
pub(super) fn hide(pattern: &[u8], values: &mut Values<'_>, result: &SysResult) -> SysResult {
    let (old, fd, buf, count) = {
        let [fd, buf, count, ..] = values.given;
        (values.nr == nr::GETDENTS as u64, fd, buf, count)
    };
    let directory = values.directory_listed();
    let mut result = *result;
    loop {
        let Ok(len) = result else { return result };
        if len == 0 || len as u64 > count {
            return result;
        }
        let (Some(mut listed), Some(left)) = (room(len), room(len)) else {
            return Err(Errno::ENOMEM);
        };
        listed.resize(len, 0);
        if user::read_bytes(buf, &mut listed).is_err() {
            return result;
        }
        let left = without(&listed, left, old, pattern, &directory);
        if left.len() == len {
            return result;
        }
        if !left.is_empty() {
            return user::write_bytes(buf, &left).map(|()| left.len());
        }
        // An empty listing would mean the end of the directory, which isn't reached yet.
        result = if old {
            syscall::dir::getdents(fd as i32, buf, count as u32)
        } else {
            syscall::dir::getdents64(fd as i32, buf, count as u32)
        };
    }
}

/// An empty vector for `len` bytes; `None`: there is no memory. How much a directory holds is the program's choice.
fn room(len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok().map(|()| bytes)
}

/// Directory entries without those that match, in `left`, which has room for all.
fn without(
    listed: &[u8],
    mut left: Vec<u8>,
    old: bool,
    pattern: &[u8],
    directory: &[u8],
) -> Vec<u8> {
    let name_at = if old { OLD_NAME_AT } else { NEW_NAME_AT };
    let mut rest = listed;
    while let Some(length) = rest.get(LENGTH_AT..).and_then(|bytes| bytes.first_chunk()) {
        let length = usize::from(u16::from_le_bytes(*length));
        let Some((entry, after)) = rest.split_at_checked(length).filter(|_| length > name_at)
        else {
            break;
        };
        let name = super::capture::until_nul(&entry[name_at..]);
        let hidden = if pattern.contains(&b'/') {
            glob(pattern, &absolute(directory, name), false)
        } else {
            glob(pattern, name, false)
        };
        if !hidden || matches!(name, b"." | b"..") {
            left.extend_from_slice(entry);
        }
        rest = after;
    }
    left.extend_from_slice(rest);
    left
}

impl Values<'_> {
    /// The path of the directory that the call lists.
    fn directory_listed(&mut self) -> Vec<u8> {
        let is_listing = |call: &vitrine_abi::syscall::Syscall| {
            call.args.iter().any(|arg| arg.kind == ArgKind::DirEntries)
        };
        if !self.call.is_some_and(is_listing) {
            return Vec::new();
        }
        self.descriptor(0)
            .map(|(_, path)| path.clone())
            .unwrap_or_default()
    }
}
