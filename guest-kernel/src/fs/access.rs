//! Permission: what credentials allow on an inode.

use super::Inode;
use crate::{Errno, task::Credentials};
use alloc::sync::Arc;

/// Ask for read permission.
pub const READ: u32 = 4;
/// Ask for write permission.
pub const WRITE: u32 = 2;
/// Ask for execute or search permission.
pub const EXEC: u32 = 1;

/// Whether the effective set holds capability `cap`.
pub fn capable(cred: &Credentials, cap: u32) -> bool {
    cred.cap_effective & (1 << cap) != 0
}

/// Checks that `want` (bits of [`READ`], [`WRITE`], [`EXEC`]) is allowed for the running task; `EACCES`.
pub fn check_inode(inode: &Arc<dyn Inode>, want: u32) -> Result<(), Errno> {
    let cred = crate::sched::current().credentials();
    let meta = inode.metadata()?;
    let bits = if meta.uid == cred.fsuid {
        meta.mode >> 6
    } else if meta.gid == cred.fsgid || cred.groups.contains(&meta.gid) {
        meta.mode >> 3
    } else {
        meta.mode
    };
    if bits & want == want || capable(&cred, linux_raw_sys::general::CAP_DAC_OVERRIDE) {
        return Ok(());
    }
    Err(Errno::EACCES)
}
