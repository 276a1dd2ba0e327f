//! /sys.

use super::{Inode, tmpfs};
use alloc::sync::Arc;

/// The root directory of /sys.
pub fn root() -> Arc<dyn Inode> {
    tmpfs::root(0o555, 0, 0)
}
