//! tmpfs: the in-memory file system without a lower layer.

use super::{
    Inode,
    node::{NewNode, Node, Superblock},
};
use crate::Errno;
use alloc::sync::Arc;
use linux_raw_sys::general::{S_IFDIR, S_IFREG};

/// TMPFS_MAGIC (statfs(2)).
pub const MAGIC: u64 = 0x0102_1994;

/// A new, empty file system whose contents take at most so many pages: its root directory.
pub fn root(mode: u32, uid: u32, gid: u32, limit: Option<u64>) -> Arc<dyn Inode> {
    let fs = Superblock::with_quota("tmpfs", MAGIC, Superblock::new_dev(), limit);
    root_of(&fs, mode, uid, gid)
}

/// The root directory of a new file system of a kind of its own that otherwise is a tmpfs.
pub fn root_of(fs: &Arc<Superblock>, mode: u32, uid: u32, gid: u32) -> Arc<dyn Inode> {
    let root = Node::new(fs, new(fs, S_IFDIR | mode & 0o7777, uid, gid));
    root.add_links(2);
    root
}

fn new(fs: &Superblock, mode: u32, uid: u32, gid: u32) -> NewNode {
    NewNode {
        mode,
        uid,
        gid,
        rdev: 0,
        dev: fs.dev,
        target: None,
    }
}

/// A nameless regular file in memory, for memfd_create(2); `name` is shown as `/memfd:NAME (deleted)`. It takes no seals until [`allow_sealing`].
pub fn anonymous(name: &[u8]) -> Arc<dyn Inode> {
    static FS: spin::Once<Arc<Superblock>> = spin::Once::new();
    let fs = FS.call_once(|| Superblock::new("tmpfs", MAGIC, Superblock::new_dev()));
    let cred = super::access::current();
    let node = Node::new(fs, new(fs, S_IFREG | 0o777, cred.fsuid, cred.fsgid));
    let shown = [b"memfd:", name].concat();
    node.set_place(&alloc::sync::Weak::new(), &Arc::from(shown));
    node.set_sealable(false);
    node
}

/// Lets seals be put on a file that [`anonymous`] made (MFD_ALLOW_SEALING).
pub fn allow_sealing(inode: &Arc<dyn Inode>) {
    if let Some(node) = Node::of(inode) {
        node.set_sealable(true);
    }
}

/// Makes a directory of root's, by the kernel itself.
pub fn make_directory(
    parent: &Arc<dyn Inode>,
    name: &[u8],
    mode: u32,
) -> Result<Arc<dyn Inode>, Errno> {
    make_node(parent, name, (S_IFDIR | mode, 0), 0, None)
}

/// Makes a node of root's, by the kernel itself: with this mode and group, device number, and target if it is a symlink.
pub fn make_node(
    parent: &Arc<dyn Inode>,
    name: &[u8],
    (mode, gid): (u32, u32),
    rdev: u64,
    target: Option<&[u8]>,
) -> Result<Arc<dyn Inode>, Errno> {
    let parent = Node::of(parent).ok_or(Errno::EPERM)?;
    let of = NewNode {
        rdev,
        dev: parent.dev,
        target: target.map(Arc::from),
        ..new(&parent.fs, mode, 0, gid)
    };
    let node = Node::new(&parent.fs, of);
    parent.add_child(name, &node)?;
    Ok(node)
}
