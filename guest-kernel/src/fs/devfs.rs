//! Devices: /dev and what opening a device node yields.

use super::{FileOps, Inode, tmpfs};
use crate::Errno;
use alloc::sync::Arc;

/// The root directory of /dev.
pub fn root() -> Arc<dyn Inode> {
    let root = tmpfs::root(0o755, 0, 0);
    // Fails for want of memory only, and then /dev/shm is missing.
    let _ = tmpfs::make_directory(&root, b"shm", 0o1777);
    root
}

/// Opens the device with this number; `ENXIO` if there is none.
pub fn open_device(_rdev: u64, _flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
    Err(Errno::ENXIO)
}
