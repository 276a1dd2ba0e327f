//! The root: the host's tree, read-only, under what the sandbox changes in memory.

use super::{
    Inode,
    hostfs::Lower,
    node::{Node, Superblock},
};
use crate::{
    Errno,
    hostcall::{self, HostHandle},
};
use alloc::sync::Arc;

/// OVERLAYFS_SUPER_MAGIC (statfs(2)).
const MAGIC: u64 = 0x794c_7630;

/// The root directory over the host's.
pub fn root() -> Result<Arc<dyn Inode>, Errno> {
    let (_, attr) = hostcall::lookup(&HostHandle::ROOT, b".")?;
    let fs = Superblock::new("overlay", MAGIC, attr.dev);
    Ok(Node::of_host(&fs, Lower::root(), &attr))
}
