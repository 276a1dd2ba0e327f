//! Directories: listing, making, removing, and where a process stands in the tree.

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{
        self, Location, access, context, mount,
        open::{check_create, masked},
        path::{Last, Walker, current_path, start_of},
    },
    mm::user,
};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use linux_raw_sys::general::*;
use vitrine_abi::nr;

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::GETDENTS, call!(getdents; 3));
    table.set(nr::GETDENTS64, call!(getdents64; 3));
    table.set(nr::GETCWD, call!(getcwd; 2));
    table.set(nr::CHDIR, call!(chdir; 1));
    table.set(nr::FCHDIR, call!(fchdir; 1));
    table.set(nr::CHROOT, call!(chroot; 1));
    table.set(nr::UMASK, call!(umask; 1));
    table.set(nr::MKDIR, call!(mkdir; 2));
    table.set(nr::MKDIRAT, call!(mkdirat; 3));
    table.set(nr::RMDIR, call!(rmdir; 1));
}

/// Most bytes of entries that one call returns.
const MAX_LISTING: usize = 64 << 10;

/// The layout of entries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `struct linux_dirent`: the type is the record's last byte.
    Old,
    /// `struct linux_dirent64`.
    New,
}

/// Entries encoded for user memory.
struct Encoder {
    layout: Layout,
    bytes: Vec<u8>,
    room: usize,
    /// An entry was left out for want of room.
    full: bool,
}

impl Encoder {
    /// Adds an entry; false if it doesn't fit.
    fn add(&mut self, name: &[u8], ino: u64, kind: u8, next: u64) -> bool {
        let (head, tail) = match self.layout {
            Layout::Old => (18, 2),
            Layout::New => (19, 1),
        };
        let len = (head + name.len() + tail).next_multiple_of(8);
        if len > self.room - self.bytes.len() {
            self.full = true;
            return false;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&ino.to_le_bytes());
        self.bytes.extend_from_slice(&next.to_le_bytes());
        self.bytes.extend_from_slice(&(len as u16).to_le_bytes());
        if self.layout == Layout::New {
            self.bytes.push(kind);
        }
        self.bytes.extend_from_slice(name);
        self.bytes.resize(start + len, 0);
        if self.layout == Layout::Old
            && let Some(last) = self.bytes.last_mut()
        {
            *last = kind;
        }
        true
    }
}

/// Inode number of a directory's parent.
fn parent_ino(place: &Location) -> Result<u64, Errno> {
    let mounts = mount::list();
    let covered = mount::rooted_at(&mounts, mounts.len(), &place.inode, &place.path);
    let inode = covered.map_or(&place.inode, |(_, m)| &m.point.inode);
    let parent = inode.place().map(|(parent, _)| parent);
    Ok(parent.as_ref().unwrap_or(inode).metadata()?.ino)
}

fn list(fd: i32, buf: u64, count: usize, layout: Layout) -> SysResult {
    let file = fs::current_files()?.get_open(fd)?;
    let place = file.location.as_ref().ok_or(Errno::ENOTDIR)?;
    let meta = place.inode.metadata()?;
    if meta.mode & S_IFMT != S_IFDIR {
        return Err(Errno::ENOTDIR);
    }
    if meta.nlink == 0 {
        return Err(Errno::ENOENT);
    }
    let mut out = Encoder {
        layout,
        bytes: Vec::new(),
        room: count.min(MAX_LISTING),
        full: false,
    };
    // Positions 0 and 1 are `.` and `..`; the file system's own come after.
    let mut position = file.position.lock();
    let mut at = *position;
    let dir = DT_DIR as u8;
    if at == 0 && out.add(b".", meta.ino, dir, 1) {
        at = 1;
    }
    if at == 1 && out.add(b"..", parent_ino(place)?, dir, 2) {
        at = 2;
    }
    if at >= 2 && !out.full {
        place.inode.read_dir(at - 2, &mut |entry| {
            let next = entry.next.saturating_add(2);
            let fits = out.add(&entry.name, entry.ino, entry.kind, next);
            if fits {
                at = next;
            }
            fits
        })?;
    }
    if out.bytes.is_empty() && out.full {
        return Err(Errno::EINVAL);
    }
    user::write_bytes(buf, &out.bytes)?;
    *position = at;
    Ok(out.bytes.len())
}

/// getdents(2).
pub fn getdents(fd: i32, buf: u64, count: u32) -> SysResult {
    list(fd, buf, count as usize, Layout::Old)
}

/// getdents64(2).
pub fn getdents64(fd: i32, buf: u64, count: u32) -> SysResult {
    list(fd, buf, count as usize, Layout::New)
}

/// The path of a directory as a process with this root sees it.
pub fn path_from_root(path: &[u8], root: &[u8]) -> Vec<u8> {
    if root == b"/" {
        return path.to_vec();
    }
    match path.strip_prefix(root) {
        Some(b"") => b"/".to_vec(),
        Some(rest) if rest.first() == Some(&b'/') => rest.to_vec(),
        _ => [b"(unreachable)", path].concat(),
    }
}

/// getcwd(2).
pub fn getcwd(buf: u64, size: usize) -> SysResult {
    let fs = context::current_fs();
    let cwd = fs.cwd.lock().clone();
    let root = fs.root.lock().clone();
    let path = current_path(&cwd).ok_or(Errno::ENOENT)?;
    let root = current_path(&root).unwrap_or_else(|| b"/".to_vec());
    let mut path = path_from_root(&path, &root);
    path.push(0);
    if path.len() > size {
        return Err(Errno::ERANGE);
    }
    user::write_bytes(buf, &path)?;
    Ok(path.len())
}

/// A directory that a process may stand in: it is one, and it may be searched.
fn check_directory(place: Location) -> Result<Location, Errno> {
    let own = place.inode.ownership()?;
    if !own.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    access::check(&own, &access::current(), access::EXEC)?;
    Ok(place)
}

/// chdir(2).
pub fn chdir(path: u64) -> SysResult {
    let path = user::read_path(path)?;
    let place = check_directory(Walker::new(AT_FDCWD, &path)?.finish(true)?)?;
    *context::current_fs().cwd.lock() = place;
    Ok(0)
}

/// fchdir(2).
pub fn fchdir(fd: i32) -> SysResult {
    if fd == AT_FDCWD {
        return Err(Errno::EBADF);
    }
    let place = check_directory(start_of(fd)?)?;
    *context::current_fs().cwd.lock() = place;
    Ok(0)
}

/// chroot(2).
pub fn chroot(path: u64) -> SysResult {
    let path = user::read_path(path)?;
    let place = check_directory(Walker::new(AT_FDCWD, &path)?.finish(true)?)?;
    if !access::capable(&access::current(), CAP_SYS_CHROOT) {
        return Err(Errno::EPERM);
    }
    *context::current_fs().root.lock() = place;
    Ok(0)
}

/// umask(2).
pub fn umask(mask: u32) -> SysResult {
    let fs = context::current_fs();
    let before = fs.umask.swap(mask & 0o777, Ordering::Relaxed);
    crate::trace::changes::umask_changed(before, mask & 0o777);
    Ok(before as usize)
}

/// mkdir(2).
pub fn mkdir(path: u64, mode: u32) -> SysResult {
    mkdirat(AT_FDCWD, path, mode)
}

/// mkdirat(2).
pub fn mkdirat(dirfd: i32, path: u64, mode: u32) -> SysResult {
    let path = user::read_path(path)?;
    let mut walker = Walker::new(dirfd, &path)?;
    let Last::Name(range) = walker.walk_to_parent()? else {
        return Err(Errno::EEXIST);
    };
    match walker.lookup(&range) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) => {}
        Err(e) => return Err(e),
    }
    check_create(walker.inode(), &walker.here())?;
    // Linux keeps the sticky bit of mkdir's mode and drops the set-id bits.
    let mode = S_IFDIR | masked(mode) & 0o1777;
    walker.inode().create(walker.name(&range), mode, 0)?;
    Ok(0)
}

/// rmdir(2).
pub fn rmdir(path: u64) -> SysResult {
    let path = user::read_path(path)?;
    remove_directory(AT_FDCWD, &path)
}

/// rmdir(2) relative to `dirfd`.
pub fn remove_directory(dirfd: i32, path: &[u8]) -> SysResult {
    let mut walker = Walker::new(dirfd, path)?;
    let range = match walker.walk_to_parent()? {
        Last::Name(range) => range,
        Last::Dot => return Err(Errno::EINVAL),
        Last::DotDot => return Err(Errno::ENOTEMPTY),
        Last::Root => return Err(Errno::EBUSY),
    };
    let victim = walker.lookup(&range)?;
    mount::check_writable(&walker.here())?;
    let own = victim.ownership()?;
    access::check_delete(&walker.inode().ownership()?, &own, walker.credentials())?;
    if !own.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    if mount::is_busy(&victim) {
        return Err(Errno::EBUSY);
    }
    walker.inode().rmdir(walker.name(&range))?;
    Ok(0)
}
