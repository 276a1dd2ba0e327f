//! Attributes and numbers of what lies in these trees.

use super::super::{Metadata, StatFs, now};
use crate::Errno;
use linux_raw_sys::general::{S_IFDIR, S_IFMT, S_IFREG};

/// `st_dev` of /dev.
pub const DEVTMPFS_DEV: u64 = 5;
/// `st_dev` of /proc.
pub const PROC_DEV: u64 = 21;
/// `st_dev` of /sys.
pub const SYSFS_DEV: u64 = 22;
/// `st_dev` of /dev/pts.
pub const DEVPTS_DEV: u64 = 23;

/// A device number as `st_rdev` holds it, for majors and minors below 4096 and 256.
pub const fn makedev(major: u64, minor: u64) -> u64 {
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12
}

/// Attributes of something without size.
pub fn attributes(dev: u64, ino: u64, mode: u32, owner: (u32, u32)) -> Metadata {
    let time = now();
    Metadata {
        dev,
        ino,
        mode,
        nlink: if mode & S_IFMT == S_IFDIR { 2 } else { 1 },
        uid: owner.0,
        gid: owner.1,
        blksize: if dev == PROC_DEV || dev == DEVPTS_DEV {
            1024
        } else {
            4096
        },
        atime: time,
        mtime: time,
        ctime: time,
        btime: time,
        ..Metadata::default()
    }
}

/// A stable inode number for the name `name` beneath the inode `parent`.
pub fn child_ino(parent: u64, name: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ parent;
    for &byte in name {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    // Programs with 32-bit inode numbers must be able to hold it, and small numbers are for roots.
    (hash ^ hash >> 32) & 0x7fff_ffff | 0x1000_0000
}

/// statfs(2) magic of proc.
pub const PROC_MAGIC: u64 = 0x9fa0;
/// statfs(2) magic of sysfs.
pub const SYSFS_MAGIC: u64 = 0x6265_6572;
/// statfs(2) magic of devpts.
pub const DEVPTS_MAGIC: u64 = 0x1cd1;
/// statfs(2) magic of tmpfs, which devtmpfs is.
pub const TMPFS_MAGIC: u64 = 0x0102_1994;

/// Why nothing can be made in one of these trees: /proc says that the name isn't there, the others that it isn't allowed.
pub fn refuse_create(magic: u64, mode: u32) -> Errno {
    match (magic, mode & S_IFMT) {
        (PROC_MAGIC, _) => Errno::ENOENT,
        (_, S_IFREG) => Errno::EACCES,
        _ => Errno::EPERM,
    }
}

/// statfs(2) of a file system without blocks.
pub fn empty_statfs(magic: u64) -> StatFs {
    StatFs {
        kind: magic,
        bsize: 4096,
        ..StatFs::default()
    }
}
