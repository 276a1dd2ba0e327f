//! pipe(2) and pipe2(2).

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{anon, pipe as pipes},
    mm,
};
use linux_raw_sys::general::{O_CLOEXEC, O_DIRECT, O_EXCL, O_NONBLOCK};
use vitrine_abi::nr;

/// Registers the family.
pub const fn add(table: &mut Table) {
    table.set(nr::PIPE, call!(pipe; 1));
    table.set(nr::PIPE2, call!(pipe2; 2));
}

/// pipe(2).
pub fn pipe(fds: u64) -> SysResult {
    pipe2(fds, 0)
}

/// pipe2(2). Notification pipes (`O_EXCL` here) are not supported, as on a Linux without CONFIG_WATCH_QUEUE.
pub fn pipe2(fds: u64, flags: u32) -> SysResult {
    if flags & !(O_CLOEXEC | O_DIRECT | O_NONBLOCK | O_EXCL) != 0 {
        return Err(Errno::EINVAL);
    }
    if flags & O_EXCL != 0 {
        return Err(Errno::ENOPKG);
    }
    let (reader, writer) = pipes::create(flags);
    let cloexec = flags & O_CLOEXEC != 0;
    anon::install_pair(reader, writer, cloexec, |pair| mm::user::write(fds, &pair))?;
    Ok(0)
}
