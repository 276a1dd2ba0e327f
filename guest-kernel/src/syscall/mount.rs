//! mount, umount2 and what has to do with them.

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{self, Location, access, devfs, mount as mounts, path::Walker, procfs, sysfs, tmpfs},
    mm::{frame, user},
};
use alloc::{format, string::String, vec::Vec};
use linux_raw_sys::general::*;
use vitrine_abi::{layout::PAGE_SIZE, nr};

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::MOUNT, call!(mount; 5));
    table.set(nr::UMOUNT2, call!(umount2; 2));
    table.set(nr::PIVOT_ROOT, call!(pivot_root; 2));
    table.set(nr::NAME_TO_HANDLE_AT, call!(name_to_handle_at; 5));
}

fn check_admin() -> Result<(), Errno> {
    if access::capable(&access::current(), CAP_SYS_ADMIN) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

fn find(path: &[u8], follow: bool) -> Result<Location, Errno> {
    Walker::new(AT_FDCWD, path)?.finish(follow)
}

/// The number after `key=` in a comma-separated option string.
fn option(options: &[u8], key: &[u8], radix: u32) -> Option<u32> {
    let mut each = options.split(|b| *b == b',');
    let value = each.find_map(|o| o.strip_prefix(key)?.strip_prefix(b"="))?;
    u32::from_str_radix(core::str::from_utf8(value).ok()?, radix).ok()
}

/// `size=` of tmpfs, in pages: bytes, or a percentage of the memory. 0: no limit.
fn size_option(options: &[u8]) -> Result<Option<u64>, Errno> {
    let mut each = options.split(|b| *b == b',');
    let Some(value) = each.find_map(|o| o.strip_prefix(b"size=")) else {
        return Ok(None);
    };
    parse_size(value).ok_or(Errno::EINVAL).map(Some)
}

fn parse_size(value: &[u8]) -> Option<u64> {
    let value = core::str::from_utf8(value).ok()?;
    if let Some(percent) = value.strip_suffix('%') {
        let percent: u64 = percent.parse().ok()?;
        return Some(frame::stats().total.saturating_mul(percent) / 100);
    }
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match value.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        _ => return None,
    };
    let bytes = digits.parse::<u64>().ok()?.checked_mul(1 << shift)?;
    Some(bytes.div_ceil(PAGE_SIZE))
}

fn text(addr: u64) -> Result<Vec<u8>, Errno> {
    if addr == 0 {
        return Ok(Vec::new());
    }
    user::read_path(addr)
}

/// mount(2): tmpfs, the kernel's own file systems, and bind mounts.
pub fn mount(source: u64, target: u64, kind: u64, flags: u64, data: u64) -> SysResult {
    const PROPAGATION: u32 = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
    let kind = text(kind)?;
    let source = text(source)?;
    let options = text(data)?;
    let point = find(&user::read_path(target)?, true)?;
    check_admin()?;
    let flags = flags as u32;
    if flags & PROPAGATION != 0 {
        // There is one mount namespace: nothing to propagate to.
        return Ok(0);
    }
    if flags & MS_REMOUNT != 0 {
        mounts::remount(&point, flags)?;
        return Ok(0);
    }
    if flags & MS_MOVE != 0 {
        let from = find(&source, true)?;
        if from.inode.ownership()?.is_dir() != point.inode.ownership()?.is_dir() {
            return Err(Errno::EINVAL);
        }
        mounts::relocate(&from, point)?;
        return Ok(0);
    }
    let point_is_dir = point.inode.ownership()?.is_dir();
    if flags & MS_BIND != 0 {
        if source.is_empty() {
            return Err(Errno::EINVAL);
        }
        let from = find(&source, true)?;
        if from.inode.ownership()?.is_dir() != point_is_dir {
            return Err(Errno::ENOTDIR);
        }
        // Flags come with a remount; at first it has those of what it shows.
        let of = mounts::of_path(&from.path).ok_or(Errno::EINVAL)?;
        let shown = format!("{},{}", of.flag_words(), of.options);
        mounts::add(point, from.inode, of.kind, of.source.clone(), &shown)?;
        return Ok(0);
    }
    let mode = option(&options, b"mode", 8).unwrap_or(0o1777);
    let (uid, gid) = (option(&options, b"uid", 10), option(&options, b"gid", 10));
    let cred = access::current();
    let size = match &kind[..] {
        b"tmpfs" => size_option(&options)?,
        _ => None,
    };
    let (root, kind) = match &kind[..] {
        b"tmpfs" | b"ramfs" => {
            let (uid, gid) = (uid.unwrap_or(cred.fsuid), gid.unwrap_or(cred.fsgid));
            // Half of the memory, unless told otherwise; ramfs has no limit.
            let limit = match (&kind[..], size) {
                (b"ramfs", _) | (_, Some(0)) => None,
                (_, Some(pages)) => Some(pages),
                (_, None) => Some(frame::stats().total / 2),
            };
            (tmpfs::root(mode, uid, gid, limit), "tmpfs")
        }
        b"proc" => (procfs::root(), "proc"),
        b"sysfs" => (sysfs::root(), "sysfs"),
        b"devtmpfs" => (devfs::root(), "devtmpfs"),
        b"" => return Err(Errno::EINVAL),
        _ => return Err(Errno::ENODEV),
    };
    if !point_is_dir {
        return Err(Errno::ENOTDIR);
    }
    let mut shown: Vec<String> = Vec::new();
    let named = mounts::FLAGS.iter().filter(|(flag, _)| flags & flag != 0);
    shown.extend(named.map(|(_, name)| String::from(*name)));
    if kind == "tmpfs" {
        shown.extend(
            size.filter(|pages| *pages > 0)
                .map(|pages| format!("size={}k", pages * 4)),
        );
        shown.extend((mode != 0o1777).then(|| format!("mode={mode:o}")));
        shown.extend(uid.map(|uid| format!("uid={uid}")));
        shown.extend(gid.map(|gid| format!("gid={gid}")));
    }
    mounts::add(point, root, kind, source, &shown.join(","))?;
    Ok(0)
}

/// umount2(2).
pub fn umount2(target: u64, flags: u32) -> SysResult {
    const FORCE: u32 = 1;
    const DETACH: u32 = 2;
    const EXPIRE: u32 = 4;
    const NOFOLLOW: u32 = 8;
    if flags & !(FORCE | DETACH | EXPIRE | NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let place = find(&user::read_path(target)?, flags & NOFOLLOW == 0)?;
    check_admin()?;
    mounts::remove(&place)?;
    Ok(0)
}

/// pivot_root(2): the root is the host's tree and stays.
pub fn pivot_root(_new_root: u64, _put_old: u64) -> SysResult {
    check_admin()?;
    Err(Errno::EINVAL)
}

/// name_to_handle_at(2): no file system here gives handles.
pub fn name_to_handle_at(
    dirfd: i32,
    path: u64,
    _handle: u64,
    _mount_id: u64,
    flags: u32,
) -> SysResult {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let path = user::read_path(path)?;
    if path.is_empty() && flags & AT_EMPTY_PATH != 0 {
        fs::path::start_of(dirfd)?;
    } else {
        Walker::new(dirfd, &path)?.finish(flags & AT_SYMLINK_FOLLOW != 0)?;
    }
    Err(Errno::EOPNOTSUPP)
}
