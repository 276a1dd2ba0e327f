//! /dev: a tmpfs that begins with the standard device nodes, and the directories and links that programs expect there. Whoever may can
//! make others in it.

use super::{FileOps, Inode, devices, node::Superblock, pseudo, tmpfs};
use crate::Errno;
use alloc::{sync::Arc, vec::Vec};
use linux_raw_sys::general::*;
use spin::Once;

/// Opens the device with this number: what opening a device node anywhere does.
pub fn open_device(rdev: u64, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
    devices::open(rdev, flags)
}

/// Name, number, permission and group of the device nodes.
const NODES: [(&str, u64, u32, u32); 8] = [
    ("console", devices::CONSOLE, 0o600, 5),
    ("full", devices::FULL, 0o666, 0),
    ("null", devices::NULL, 0o666, 0),
    ("ptmx", devices::PTMX, 0o666, 5),
    ("random", devices::RANDOM, 0o666, 0),
    ("tty", devices::TTY, 0o666, 5),
    ("urandom", devices::URANDOM, 0o666, 0),
    ("zero", devices::ZERO, 0o666, 0),
];

/// Links and their targets.
const LINKS: [(&str, &str); 5] = [
    ("core", "/proc/kcore"),
    ("fd", "/proc/self/fd"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
];

/// Directories, and their permission.
const DIRECTORIES: [(&str, u32); 2] = [("pts", 0o755), ("shm", 0o1777)];

struct Dev {
    root: Arc<dyn Inode>,
    /// The standard device nodes, by number.
    nodes: Vec<(u64, Arc<dyn Inode>)>,
}

fn dev() -> &'static Dev {
    static DEV: Once<Dev> = Once::new();
    DEV.call_once(|| {
        let fs = Superblock::new("devtmpfs", tmpfs::MAGIC, pseudo::DEVTMPFS_DEV);
        let root = tmpfs::root_of(&fs, 0o755, 0, 0);
        // What there is no memory for isn't there.
        let make = |name: &str, mode, gid, rdev, target: Option<&str>| {
            let target = target.map(str::as_bytes);
            tmpfs::make_node(&root, name.as_bytes(), (mode, gid), rdev, target).ok()
        };
        for (name, target) in LINKS {
            make(name, S_IFLNK | 0o777, 0, 0, Some(target));
        }
        for (name, mode) in DIRECTORIES {
            make(name, S_IFDIR | mode, 0, 0, None);
        }
        let nodes = NODES
            .iter()
            .filter_map(|(name, rdev, mode, gid)| {
                Some((*rdev, make(name, S_IFCHR | mode, *gid, *rdev, None)?))
            })
            .collect();
        Dev { root, nodes }
    })
}

/// The root of /dev.
pub fn root() -> Arc<dyn Inode> {
    dev().root.clone()
}

/// The standard device node with this number.
pub fn node(rdev: u64) -> Option<Arc<dyn Inode>> {
    let node = dev().nodes.iter().find(|node| node.0 == rdev)?;
    Some(node.1.clone())
}
