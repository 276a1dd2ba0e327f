//! stub
use super::Inode;
use alloc::sync::Arc;
pub fn root() -> Arc<dyn Inode> {
    crate::fs::tmpfs::root(0o555, 0, 0)
}
