//! Names: unlink, rename, link, symlink, readlink, mknod.

use super::{
    Table, dir,
    stat::{Target, target},
};
use crate::{
    Errno, SysResult, call,
    fs::{
        self, Inode, access, mount,
        open::{check_create, masked},
        path::{Last, PATH_MAX, Walker},
    },
    mm::user,
};
use alloc::sync::Arc;
use core::ops::Range;
use linux_raw_sys::general::*;
use vitrine_abi::nr;

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::UNLINK, call!(unlink; 1));
    table.set(nr::UNLINKAT, call!(unlinkat; 3));
    table.set(nr::RENAME, call!(rename; 2));
    table.set(nr::RENAMEAT, call!(renameat; 4));
    table.set(nr::RENAMEAT2, call!(renameat2; 5));
    table.set(nr::LINK, call!(link; 2));
    table.set(nr::LINKAT, call!(linkat; 5));
    table.set(nr::SYMLINK, call!(symlink; 2));
    table.set(nr::SYMLINKAT, call!(symlinkat; 3));
    table.set(nr::READLINK, call!(readlink; 3));
    table.set(nr::READLINKAT, call!(readlinkat; 4));
    table.set(nr::MKNOD, call!(mknod; 3));
    table.set(nr::MKNODAT, call!(mknodat; 4));
}

/// unlink(2).
pub fn unlink(path: u64) -> SysResult {
    unlinkat(AT_FDCWD, path, 0)
}

/// unlinkat(2).
pub fn unlinkat(dirfd: i32, path: u64, flags: u32) -> SysResult {
    if flags & !AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL);
    }
    let path = user::read_path(path)?;
    if flags & AT_REMOVEDIR != 0 {
        return dir::remove_directory(dirfd, &path);
    }
    let mut walker = Walker::new(dirfd, &path)?;
    let Last::Name(range) = walker.walk_to_parent()? else {
        return Err(Errno::EISDIR);
    };
    let victim = walker.lookup(&range)?;
    let own = victim.ownership()?;
    if walker.trailing_slash() {
        return Err(if own.is_dir() {
            Errno::EISDIR
        } else {
            Errno::ENOTDIR
        });
    }
    mount::check_writable(&walker.here())?;
    access::check_delete(&walker.inode().ownership()?, &own, walker.credentials())?;
    if own.is_dir() {
        return Err(Errno::EISDIR);
    }
    if mount::is_busy(&victim) {
        return Err(Errno::EBUSY);
    }
    walker.inode().unlink(walker.name(&range))?;
    Ok(0)
}

/// rename(2).
pub fn rename(old: u64, new: u64) -> SysResult {
    renameat2(AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// renameat(2).
pub fn renameat(old_dir: i32, old: u64, new_dir: i32, new: u64) -> SysResult {
    renameat2(old_dir, old, new_dir, new, 0)
}

/// renameat2(2).
pub fn renameat2(old_dir: i32, old: u64, new_dir: i32, new: u64, flags: u32) -> SysResult {
    let exchange = flags & RENAME_EXCHANGE != 0;
    let no_replace = flags & RENAME_NOREPLACE != 0;
    if flags & !(RENAME_NOREPLACE | RENAME_EXCHANGE) != 0 || exchange && no_replace {
        return Err(Errno::EINVAL);
    }
    let (old_path, new_path) = (user::read_path(old)?, user::read_path(new)?);
    let mut from = Walker::new(old_dir, &old_path)?;
    let old_last = from.walk_to_parent()?;
    let mut to = Walker::new(new_dir, &new_path)?;
    let new_last = to.walk_to_parent()?;
    let (from_place, to_place) = (from.here(), to.here());
    let mount_of = |path| mount::of_path(path).map(|m| m.id);
    if mount_of(&from_place.path) != mount_of(&to_place.path) {
        return Err(Errno::EXDEV);
    }
    let Last::Name(old_range) = old_last else {
        return Err(Errno::EBUSY);
    };
    let Last::Name(new_range) = new_last else {
        return Err(if no_replace {
            Errno::EEXIST
        } else {
            Errno::EBUSY
        });
    };
    mount::check_writable(&from_place)?;
    let source = from.lookup(&old_range)?;
    let there = match to.lookup(&new_range) {
        Ok(there) => Some(there),
        Err(Errno::ENOENT) => None,
        Err(e) => return Err(e),
    };
    if no_replace && there.is_some() {
        return Err(Errno::EEXIST);
    }
    if exchange && there.is_none() {
        return Err(Errno::ENOENT);
    }
    let source_own = source.ownership()?;
    // A slash at the end asks for a directory.
    if let (true, Some(there)) = (exchange, &there) {
        if to.trailing_slash() && !there.ownership()?.is_dir() {
            return Err(Errno::ENOTDIR);
        }
    } else if to.trailing_slash() && !source_own.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    if from.trailing_slash() && !source_own.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    if source_own.is_dir() && holds(&source, to.inode()) {
        return Err(Errno::EINVAL);
    }
    if let Some(there) = &there
        && there.ownership()?.is_dir()
        && holds(there, from.inode())
    {
        return Err(if exchange {
            Errno::EINVAL
        } else {
            Errno::ENOTEMPTY
        });
    }
    check_rename(&from, &source, &to, there.as_ref(), exchange)?;
    let new_name = to.name(&new_range);
    from.inode()
        .rename(from.name(&old_range), to.inode(), new_name, flags)?;
    Ok(0)
}

/// Whether a directory is another one or an ancestor of it.
fn holds(directory: &Arc<dyn Inode>, other: &Arc<dyn Inode>) -> bool {
    let mut at = Some(other.clone());
    while let Some(inode) = at {
        if fs::same_inode(&inode, directory) {
            return true;
        }
        at = inode.place().map(|(parent, _)| parent);
    }
    false
}

/// Permission to rename, and that nothing is mounted there.
fn check_rename(
    from: &Walker<'_>,
    source: &Arc<dyn Inode>,
    to: &Walker<'_>,
    there: Option<&Arc<dyn Inode>>,
    exchange: bool,
) -> Result<(), Errno> {
    if there.is_some_and(|t| fs::same_inode(t, source)) {
        return Ok(());
    }
    let cred = from.credentials();
    let (from_own, to_own) = (from.inode().ownership()?, to.inode().ownership()?);
    let own = source.ownership()?;
    access::check_delete(&from_own, &own, cred)?;
    let other_parent = !fs::same_inode(from.inode(), to.inode());
    match there {
        None => access::check(&to_own, cred, access::WRITE | access::EXEC)?,
        Some(there) => {
            let there_own = there.ownership()?;
            access::check_delete(&to_own, &there_own, cred)?;
            if !exchange {
                match (own.is_dir(), there_own.is_dir()) {
                    (true, false) => return Err(Errno::ENOTDIR),
                    (false, true) => return Err(Errno::EISDIR),
                    _ => {}
                }
            } else if other_parent && there_own.is_dir() {
                access::check(&there_own, cred, access::WRITE)?;
            }
            if mount::is_busy(there) {
                return Err(Errno::EBUSY);
            }
        }
    }
    // A directory that gets another parent has its `..` changed.
    if other_parent && own.is_dir() {
        access::check(&own, cred, access::WRITE)?;
    }
    if mount::is_busy(source) {
        return Err(Errno::EBUSY);
    }
    Ok(())
}

/// link(2).
pub fn link(old: u64, new: u64) -> SysResult {
    linkat(AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// Linux's `fs.protected_hardlinks`: who doesn't own a file may link it only if it is a plain one that may be read and written.
fn check_link_source(source: &Arc<dyn Inode>) -> Result<(), Errno> {
    let cred = access::current();
    let own = source.ownership()?;
    if access::owns(&own, &cred) {
        return Ok(());
    }
    let set_id = own.mode & S_ISUID != 0 || own.mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
    let plain = own.is_regular() && !set_id;
    let rw = access::READ | access::WRITE;
    if plain && access::check(&own, &cred, rw).is_ok() {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// linkat(2).
pub fn linkat(old_dir: i32, old: u64, new_dir: i32, new: u64, flags: u32) -> SysResult {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut how = flags & AT_EMPTY_PATH;
    if flags & AT_SYMLINK_FOLLOW == 0 {
        how |= AT_SYMLINK_NOFOLLOW;
    }
    let source = target(old_dir, old, how)?;
    let new_path = user::read_path(new)?;
    let mut walker = Walker::new(new_dir, &new_path)?;
    let Last::Name(range) = walker.walk_to_parent()? else {
        return Err(Errno::EEXIST);
    };
    match walker.lookup(&range) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) if walker.trailing_slash() => return Err(Errno::ENOENT),
        Err(Errno::ENOENT) => {}
        Err(e) => return Err(e),
    }
    let Target::Place(source) = source else {
        return Err(Errno::EXDEV);
    };
    let here = walker.here();
    let mount_of = |path| mount::of_path(path).map(|m| m.id);
    if mount_of(&source.path) != mount_of(&here.path) {
        return Err(Errno::EXDEV);
    }
    check_link_source(&source.inode)?;
    check_create(walker.inode(), &here)?;
    walker.inode().link(walker.name(&range), &source.inode)?;
    Ok(0)
}

/// The place for a new name that is no directory: the walker in its directory and the name.
fn new_name<'p>(dirfd: i32, path: &'p [u8]) -> Result<(Walker<'p>, Range<usize>), Errno> {
    let mut walker = Walker::new(dirfd, path)?;
    let Last::Name(range) = walker.walk_to_parent()? else {
        return Err(Errno::EEXIST);
    };
    match walker.lookup(&range) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) if walker.trailing_slash() => return Err(Errno::ENOENT),
        Err(Errno::ENOENT) => {}
        Err(e) => return Err(e),
    }
    check_create(walker.inode(), &walker.here())?;
    Ok((walker, range))
}

/// symlink(2).
pub fn symlink(text: u64, path: u64) -> SysResult {
    symlinkat(text, AT_FDCWD, path)
}

/// symlinkat(2).
pub fn symlinkat(text: u64, dirfd: i32, path: u64) -> SysResult {
    let text = user::read_path(text)?;
    if text.is_empty() {
        return Err(Errno::ENOENT);
    }
    let path = user::read_path(path)?;
    let (walker, range) = new_name(dirfd, &path)?;
    walker.inode().symlink(walker.name(&range), &text)?;
    Ok(0)
}

/// readlink(2).
pub fn readlink(path: u64, buf: u64, size: i32) -> SysResult {
    readlinkat(AT_FDCWD, path, buf, size)
}

/// readlinkat(2).
pub fn readlinkat(dirfd: i32, path: u64, buf: u64, size: i32) -> SysResult {
    let size = usize::try_from(size).ok().filter(|s| *s > 0);
    let size = size.ok_or(Errno::EINVAL)?;
    let text = user::read_path(path)?;
    let inode = if text.is_empty() {
        // The link that an O_PATH descriptor holds.
        let place = fs::path::start_of(dirfd)?;
        if !place.inode.ownership()?.is_symlink() {
            return Err(Errno::ENOENT);
        }
        place.inode
    } else {
        Walker::new(dirfd, &text)?.finish(false)?.inode
    };
    if !inode.ownership()?.is_symlink() {
        return Err(Errno::EINVAL);
    }
    let target = inode.read_link()?;
    let len = target.len().min(size).min(PATH_MAX);
    user::write_bytes(buf, &target[..len])?;
    Ok(len)
}

/// mknod(2).
pub fn mknod(path: u64, mode: u32, dev: u32) -> SysResult {
    mknodat(AT_FDCWD, path, mode, dev)
}

/// mknodat(2).
pub fn mknodat(dirfd: i32, path: u64, mode: u32, dev: u32) -> SysResult {
    let kind = match mode & S_IFMT {
        0 => S_IFREG,
        S_IFDIR => return Err(Errno::EPERM),
        kind @ (S_IFREG | S_IFCHR | S_IFBLK | S_IFIFO | S_IFSOCK) => kind,
        _ => return Err(Errno::EINVAL),
    };
    let path = user::read_path(path)?;
    let (walker, range) = new_name(dirfd, &path)?;
    let device = matches!(kind, S_IFCHR | S_IFBLK);
    // Whiteouts (character device 0/0) are allowed to all.
    let whiteout = kind == S_IFCHR && dev == 0;
    if device && !whiteout && !access::capable(walker.credentials(), CAP_MKNOD) {
        return Err(Errno::EPERM);
    }
    let rdev = if device { u64::from(dev) } else { 0 };
    let name = walker.name(&range);
    walker.inode().create(name, kind | masked(mode), rdev)?;
    Ok(0)
}
