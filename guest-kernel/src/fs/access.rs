//! Permission: what credentials allow on an inode (path_resolution(7), capabilities(7)).

use super::{Inode, Ownership};
use crate::{Errno, task::Credentials};
use alloc::sync::Arc;
use linux_raw_sys::general::*;

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

/// The running task's credentials.
pub fn current() -> Arc<Credentials> {
    crate::sched::current().credentials()
}

/// Whether `gid` is the file-system group or one of the supplementary groups.
pub fn in_group(cred: &Credentials, gid: u32) -> bool {
    cred.fsgid == gid || cred.groups.contains(&gid)
}

/// Checks that `want` (bits of [`READ`], [`WRITE`], [`EXEC`]) is allowed; `EACCES`.
pub fn check(own: &Ownership, cred: &Credentials, want: u32) -> Result<(), Errno> {
    let bits = if own.uid == cred.fsuid {
        own.mode >> 6
    } else if in_group(cred, own.gid) {
        own.mode >> 3
    } else {
        own.mode
    };
    if bits & want == want {
        return Ok(());
    }
    let read_only = want & WRITE == 0;
    if own.is_dir() {
        if capable(cred, CAP_DAC_OVERRIDE) || read_only && capable(cred, CAP_DAC_READ_SEARCH) {
            return Ok(());
        }
    } else {
        if want == READ && capable(cred, CAP_DAC_READ_SEARCH) {
            return Ok(());
        }
        let runnable = want & EXEC == 0 || own.mode & 0o111 != 0;
        if runnable && capable(cred, CAP_DAC_OVERRIDE) {
            return Ok(());
        }
    }
    Err(Errno::EACCES)
}

/// As [`check`], of an inode and for the running task.
pub fn check_inode(inode: &Arc<dyn Inode>, want: u32) -> Result<(), Errno> {
    check(&inode.ownership()?, &current(), want)
}

/// Whether the task owns the file or may act as its owner (CAP_FOWNER).
pub fn owns(own: &Ownership, cred: &Credentials) -> bool {
    own.uid == cred.fsuid || capable(cred, CAP_FOWNER)
}

/// Whether a name may be removed from (or replaced in) a directory: write and search permission, and the sticky bit's rule.
pub fn check_delete(dir: &Ownership, victim: &Ownership, cred: &Credentials) -> Result<(), Errno> {
    check(dir, cred, WRITE | EXEC)?;
    let free = dir.mode & S_ISVTX == 0
        || victim.uid == cred.fsuid
        || dir.uid == cred.fsuid
        || capable(cred, CAP_FOWNER);
    if free { Ok(()) } else { Err(Errno::EPERM) }
}
