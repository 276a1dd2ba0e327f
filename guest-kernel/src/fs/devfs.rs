//! /dev: the standard device nodes, /dev/pts, and the directories and links that programs expect there.

use super::{
    DirEntry, FileOps, Inode, Metadata, SetAttr, StatFs, devices, devpts,
    pseudo::{self, Context, Entry, Kind},
};
use crate::{Errno, sync::Mutex};
use alloc::{sync::Arc, vec::Vec};
use core::any::Any;
use linux_raw_sys::general::*;
use spin::Once;

/// Opens the device with this number: what opening a device node anywhere does.
pub fn open_device(rdev: u64, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
    devices::open(rdev, flags)
}

/// The root of /dev.
pub fn root() -> Arc<dyn Inode> {
    static ROOT: Once<Arc<dyn Inode>> = Once::new();
    ROOT.call_once(|| Arc::new(pseudo::Node::new(&TREE, Dev, 1)))
        .clone()
}

/// The tree knows nothing but itself.
#[derive(Clone)]
struct Dev;

impl Context for Dev {
    const DEV: u64 = pseudo::DEVTMPFS_DEV;
    const MAGIC: u64 = pseudo::TMPFS_MAGIC;
}

static TREE: Entry<Dev> = Entry::dir("", 0o755, ENTRIES);

/// The order is that of a listing.
const ENTRIES: &[Entry<Dev>] = &[
    char_device("console", 0),
    Entry::link("core", |_| target("/proc/kcore")),
    Entry::link("fd", |_| target("/proc/self/fd")),
    char_device("full", 1),
    char_device("null", 2),
    char_device("ptmx", 3),
    Entry::other("pts", DT_DIR, |_, _| Ok(devpts::root())),
    char_device("random", 4),
    Entry::dir("shm", 0o1777, &[]),
    Entry::link("stderr", |_| target("/proc/self/fd/2")),
    Entry::link("stdin", |_| target("/proc/self/fd/0")),
    Entry::link("stdout", |_| target("/proc/self/fd/1")),
    char_device("tty", 5),
    char_device("urandom", 6),
    char_device("zero", 7),
];

fn target(path: &str) -> Result<Vec<u8>, Errno> {
    Ok(Vec::from(path.as_bytes()))
}

/// An entry for the device node of this index in [`NODES`].
const fn char_device(name: &'static str, index: usize) -> Entry<Dev> {
    const MAKE: [fn(&Dev, u64) -> Result<Arc<dyn Inode>, Errno>; 8] = [
        |_, _| device_node(0),
        |_, _| device_node(1),
        |_, _| device_node(2),
        |_, _| device_node(3),
        |_, _| device_node(4),
        |_, _| device_node(5),
        |_, _| device_node(6),
        |_, _| device_node(7),
    ];
    Entry {
        name,
        mode: 0,
        kind: Kind::Other {
            kind: DT_CHR,
            make: MAKE[index],
        },
    }
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

/// The node in /dev with this device number.
pub fn node(rdev: u64) -> Option<Arc<dyn Inode>> {
    let index = NODES.iter().position(|node| node.1 == rdev)?;
    device_node(index).ok()
}

fn device_node(index: usize) -> Result<Arc<dyn Inode>, Errno> {
    static MADE: Once<Vec<Arc<DeviceNode>>> = Once::new();
    let all = MADE.call_once(|| {
        let made = NODES.iter().map(|(name, rdev, mode, gid)| {
            let ino = pseudo::child_ino(1, name.as_bytes());
            Arc::new(DeviceNode {
                meta: Mutex::new(Metadata {
                    rdev: *rdev,
                    ..pseudo::attributes(pseudo::DEVTMPFS_DEV, ino, S_IFCHR | mode, (0, *gid))
                }),
            })
        });
        made.collect()
    });
    let node = all.get(index).ok_or(Errno::ENOENT)?;
    Ok(node.clone())
}

/// A device node of /dev.
struct DeviceNode {
    meta: Mutex<Metadata>,
}

impl Inode for DeviceNode {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(*self.meta.lock())
    }

    fn set_attr(&self, attr: &SetAttr) -> Result<(), Errno> {
        let mut meta = self.meta.lock();
        if let Some(mode) = attr.mode {
            meta.mode = meta.mode & S_IFMT | mode & 0o7777;
        }
        meta.uid = attr.uid.unwrap_or(meta.uid);
        meta.gid = attr.gid.unwrap_or(meta.gid);
        meta.atime = attr.atime.unwrap_or(meta.atime);
        meta.mtime = attr.mtime.unwrap_or(meta.mtime);
        meta.ctime = pseudo::now();
        Ok(())
    }

    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        let rdev = self.meta.lock().rdev;
        devices::open(rdev, flags)
    }

    fn read_dir(&self, _from: u64, _each: &mut dyn FnMut(DirEntry) -> bool) -> Result<(), Errno> {
        Err(Errno::ENOTDIR)
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(pseudo::empty_statfs(pseudo::TMPFS_MAGIC))
    }
}
