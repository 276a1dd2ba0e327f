//! Extended attributes (xattr(7)): kept in memory.

use super::{
    Table,
    stat::{Target, target},
};
use crate::{
    Errno, SysResult, call,
    fs::{self, Inode, access, mount},
    mm::user,
};
use alloc::{sync::Arc, vec::Vec};
use linux_raw_sys::general::*;
use vitrine_abi::nr;

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::SETXATTR, call!(setxattr; 5));
    table.set(nr::LSETXATTR, call!(lsetxattr; 5));
    table.set(nr::FSETXATTR, call!(fsetxattr; 5));
    table.set(nr::GETXATTR, call!(getxattr; 4));
    table.set(nr::LGETXATTR, call!(lgetxattr; 4));
    table.set(nr::FGETXATTR, call!(fgetxattr; 4));
    table.set(nr::LISTXATTR, call!(listxattr; 3));
    table.set(nr::LLISTXATTR, call!(llistxattr; 3));
    table.set(nr::FLISTXATTR, call!(flistxattr; 3));
    table.set(nr::REMOVEXATTR, call!(removexattr; 2));
    table.set(nr::LREMOVEXATTR, call!(lremovexattr; 2));
    table.set(nr::FREMOVEXATTR, call!(fremovexattr; 2));
}

/// Longest name.
const NAME_MAX: usize = 255;
/// Longest value and longest list of names.
const SIZE_MAX: usize = 65536;

fn read_name(addr: u64) -> Result<Vec<u8>, Errno> {
    match user::read_cstr(addr, NAME_MAX + 1) {
        Ok(name) if name.is_empty() => Err(Errno::ERANGE),
        Err(Errno::ENAMETOOLONG) => Err(Errno::ERANGE),
        name => name,
    }
}

fn by_path(path: u64, flags: u32) -> Result<Target, Errno> {
    target(AT_FDCWD, path, flags)
}

fn by_fd(fd: i32) -> Result<Target, Errno> {
    Ok(Target::of_file(fs::current_files()?.get_open(fd)?))
}

fn inode_of(target: &Target) -> Result<&Arc<dyn Inode>, Errno> {
    target.inode().map_err(|_| Errno::EOPNOTSUPP)
}

/// Whether the attribute's name space lets the task read it (`write` false) or change it.
fn check_space(inode: &Arc<dyn Inode>, name: &[u8], write: bool) -> Result<(), Errno> {
    let own = inode.ownership()?;
    let cred = access::current();
    let admin = access::capable(&cred, CAP_SYS_ADMIN);
    let want = if write { access::WRITE } else { access::READ };
    if name.starts_with(b"user.") {
        if !own.is_regular() && !own.is_dir() {
            return Err(if write { Errno::EPERM } else { Errno::ENODATA });
        }
        // In a directory that anybody may write to, only its owner's attributes count.
        if write && own.is_dir() && own.mode & S_ISVTX != 0 && !access::owns(&own, &cred) {
            return Err(Errno::EPERM);
        }
        return access::check(&own, &cred, want);
    }
    if name.starts_with(b"trusted.") {
        return match (admin, write) {
            (true, _) => Ok(()),
            (false, true) => Err(Errno::EPERM),
            (false, false) => Err(Errno::ENODATA),
        };
    }
    if name.starts_with(b"security.") {
        return if admin || !write {
            Ok(())
        } else {
            Err(Errno::EPERM)
        };
    }
    // Access control lists can be read where the host has them, but not set; other name spaces don't exist.
    if name.starts_with(b"system.posix_acl_") && !write {
        return Ok(());
    }
    if !name.starts_with(b"system.") {
        access::check(&own, &cred, want)?;
    }
    Err(Errno::EOPNOTSUPP)
}

fn set(target: &Target, name: u64, value: u64, size: usize, flags: u32) -> SysResult {
    if flags & !(XATTR_CREATE | XATTR_REPLACE) != 0 {
        return Err(Errno::EINVAL);
    }
    let name = read_name(name)?;
    if size > SIZE_MAX {
        return Err(Errno::E2BIG);
    }
    let mut bytes = alloc::vec![0; size];
    user::read_bytes(value, &mut bytes)?;
    if let Target::Place(place) = target {
        mount::check_writable(place)?;
    }
    let inode = inode_of(target)?;
    check_space(inode, &name, true)?;
    inode.set_xattr(&name, &bytes, flags)?;
    Ok(0)
}

/// Copies a result out: its length alone if `size` is 0, `ERANGE` if it doesn't fit.
fn give(bytes: &[u8], buf: u64, size: usize) -> SysResult {
    if size == 0 {
        return Ok(bytes.len());
    }
    if bytes.len() > size {
        return Err(Errno::ERANGE);
    }
    user::write_bytes(buf, bytes)?;
    Ok(bytes.len())
}

fn get(target: &Target, name: u64, buf: u64, size: usize) -> SysResult {
    let name = read_name(name)?;
    let inode = inode_of(target)?;
    check_space(inode, &name, false)?;
    give(&inode.xattr(&name)?, buf, size)
}

fn list(target: &Target, buf: u64, size: usize) -> SysResult {
    let names = inode_of(target)?.list_xattr()?;
    let admin = access::capable(&access::current(), CAP_SYS_ADMIN);
    let mut seen = Vec::with_capacity(names.len());
    for name in names.split_inclusive(|b| *b == 0) {
        if admin || !name.starts_with(b"trusted.") {
            seen.extend_from_slice(name);
        }
    }
    give(&seen, buf, size)
}

fn remove(target: &Target, name: u64) -> SysResult {
    let name = read_name(name)?;
    if let Target::Place(place) = target {
        mount::check_writable(place)?;
    }
    let inode = inode_of(target)?;
    check_space(inode, &name, true)?;
    inode.remove_xattr(&name)?;
    Ok(0)
}

/// setxattr(2).
pub fn setxattr(path: u64, name: u64, value: u64, size: usize, flags: u32) -> SysResult {
    set(&by_path(path, 0)?, name, value, size, flags)
}

/// lsetxattr(2).
pub fn lsetxattr(path: u64, name: u64, value: u64, size: usize, flags: u32) -> SysResult {
    let target = by_path(path, AT_SYMLINK_NOFOLLOW)?;
    set(&target, name, value, size, flags)
}

/// fsetxattr(2).
pub fn fsetxattr(fd: i32, name: u64, value: u64, size: usize, flags: u32) -> SysResult {
    set(&by_fd(fd)?, name, value, size, flags)
}

/// getxattr(2).
pub fn getxattr(path: u64, name: u64, buf: u64, size: usize) -> SysResult {
    get(&by_path(path, 0)?, name, buf, size)
}

/// lgetxattr(2).
pub fn lgetxattr(path: u64, name: u64, buf: u64, size: usize) -> SysResult {
    get(&by_path(path, AT_SYMLINK_NOFOLLOW)?, name, buf, size)
}

/// fgetxattr(2).
pub fn fgetxattr(fd: i32, name: u64, buf: u64, size: usize) -> SysResult {
    get(&by_fd(fd)?, name, buf, size)
}

/// listxattr(2).
pub fn listxattr(path: u64, buf: u64, size: usize) -> SysResult {
    list(&by_path(path, 0)?, buf, size)
}

/// llistxattr(2).
pub fn llistxattr(path: u64, buf: u64, size: usize) -> SysResult {
    list(&by_path(path, AT_SYMLINK_NOFOLLOW)?, buf, size)
}

/// flistxattr(2).
pub fn flistxattr(fd: i32, buf: u64, size: usize) -> SysResult {
    list(&by_fd(fd)?, buf, size)
}

/// removexattr(2).
pub fn removexattr(path: u64, name: u64) -> SysResult {
    remove(&by_path(path, 0)?, name)
}

/// lremovexattr(2).
pub fn lremovexattr(path: u64, name: u64) -> SysResult {
    remove(&by_path(path, AT_SYMLINK_NOFOLLOW)?, name)
}

/// fremovexattr(2).
pub fn fremovexattr(fd: i32, name: u64) -> SysResult {
    remove(&by_fd(fd)?, name)
}
