//! open(2): from a path and flags to an open file.

use super::{
    File, Inode, Location, OpenDirectory, SetAttr,
    access::{self, EXEC, READ, WRITE},
    context,
    file::PathOnly,
    mount,
    node::Node,
    path::{Last, Walker},
};
use crate::Errno;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use linux_raw_sys::general::*;

/// The bit of O_TMPFILE besides O_DIRECTORY.
pub const TMPFILE_BIT: u32 = O_TMPFILE & !O_DIRECTORY;

/// What F_GETFL shows of the flags that open was given.
fn status_flags(flags: u32) -> u32 {
    if flags & O_PATH != 0 {
        return flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW);
    }
    flags & !(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC) | O_LARGEFILE
}

/// Opens an inode that was resolved: for exec and the kernel's own use. No permission is checked.
pub fn open_location(location: &Location, flags: u32) -> Result<Arc<File>, Errno> {
    let ops: Arc<dyn super::FileOps> = if flags & O_PATH != 0 {
        Arc::new(PathOnly)
    } else if location.inode.ownership()?.is_dir() {
        Arc::new(OpenDirectory {
            inode: location.inode.clone(),
        })
    } else {
        location.inode.open(flags)?
    };
    let file = File::new(ops, status_flags(flags), Some(location.clone()));
    if file.writable()
        && let Some(node) = Node::of(&location.inode)
    {
        node.begin_writing()?;
        file.set_writes(node);
    }
    super::events::opened_or_closed(&file, true);
    Ok(file)
}

/// openat2(2) after its arguments were checked.
pub fn open_at(
    dirfd: i32,
    path: &[u8],
    flags: u32,
    mode: u32,
    resolve: u32,
) -> Result<Arc<File>, Errno> {
    let mut walker = Walker::restricted(dirfd, path, resolve)?;
    let follow = flags & O_NOFOLLOW == 0;
    if flags & TMPFILE_BIT != 0 {
        return open_temporary(walker.finish(follow)?, flags, mode);
    }
    if flags & O_CREAT == 0 {
        return open_existing(&walker.finish(follow)?, flags);
    }
    let exclusive = flags & O_EXCL != 0;
    loop {
        let last = walker.walk_to_parent()?;
        if last == Last::DotDot {
            walker.up()?;
        }
        let Last::Name(range) = last else {
            return Err(if exclusive {
                Errno::EEXIST
            } else {
                Errno::EISDIR
            });
        };
        if walker.trailing_slash() {
            return Err(Errno::EISDIR);
        }
        let child = match walker.lookup(&range) {
            Ok(child) => child,
            Err(Errno::ENOENT) => {
                return create_and_open(&walker, walker.name(&range), flags, mode);
            }
            Err(e) => return Err(e),
        };
        if exclusive {
            return Err(Errno::EEXIST);
        }
        if !child.ownership()?.is_symlink() {
            walker.enter(child, &range)?;
            return open_existing(&walker.location(), flags);
        }
        if !follow {
            return Err(Errno::ELOOP);
        }
        if walker.follow(child)? {
            return open_existing(&walker.location(), flags);
        }
    }
}

/// The permission bits that a file made now with `mode` gets.
pub fn masked(mode: u32) -> u32 {
    mode & 0o7777 & !context::current_fs().umask.load(Ordering::Relaxed)
}

/// Checks that a name may be made in a directory.
pub fn check_create(dir: &Arc<dyn Inode>, path: &Location) -> Result<(), Errno> {
    mount::check_writable(path)?;
    access::check_inode(dir, WRITE | EXEC)
}

fn create_and_open(
    walker: &Walker<'_>,
    name: &[u8],
    flags: u32,
    mode: u32,
) -> Result<Arc<File>, Errno> {
    check_create(walker.inode(), &walker.here())?;
    let inode = walker.inode().create(name, S_IFREG | masked(mode), 0)?;
    // The creator's access is not checked against the new mode.
    open_location(&walker.child_location(inode, name), flags)
}

fn open_temporary(dir: Location, flags: u32, mode: u32) -> Result<Arc<File>, Errno> {
    if !dir.inode.ownership()?.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    check_create(&dir.inode, &dir)?;
    let linkable = flags & O_EXCL == 0;
    let inode = dir.inode.temporary(S_IFREG | masked(mode), linkable)?;
    // Linux's name for it, which it keeps if it gets another one by linkat.
    let name = alloc::format!("#{} (deleted)", inode.metadata()?.ino);
    let mut path = dir.path.to_vec();
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name.as_bytes());
    let place = Location {
        inode,
        path: Arc::from(path),
    };
    open_location(&place, flags)
}

fn open_existing(place: &Location, flags: u32) -> Result<Arc<File>, Errno> {
    let own = place.inode.ownership()?;
    if flags & O_DIRECTORY != 0 && !own.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    if flags & O_PATH != 0 {
        return open_location(place, flags);
    }
    if own.is_symlink() {
        return Err(Errno::ELOOP);
    }
    let mut want = match flags & O_ACCMODE {
        O_RDONLY => READ,
        O_WRONLY => WRITE,
        _ => READ | WRITE,
    };
    if flags & O_TRUNC != 0 {
        want |= WRITE;
    }
    if own.is_dir() && (want & WRITE != 0 || flags & O_CREAT != 0) {
        return Err(Errno::EISDIR);
    }
    let cred = access::current();
    access::check(&own, &cred, want)?;
    let device = matches!(own.mode & S_IFMT, S_IFCHR | S_IFBLK);
    if device && mount::has_flag(place, MS_NODEV) {
        return Err(Errno::EACCES);
    }
    if want & WRITE != 0 && own.is_regular() {
        mount::check_writable(place)?;
    }
    if flags & O_NOATIME != 0 && !access::owns(&own, &cred) {
        return Err(Errno::EPERM);
    }
    let file = open_location(place, flags)?;
    if flags & O_TRUNC != 0 && own.is_regular() {
        resize(&place.inode, 0)?;
    }
    Ok(file)
}

/// Sets the size, and drops the set-id bits as Linux does for those without CAP_FSETID.
pub fn resize(inode: &Arc<dyn Inode>, size: u64) -> Result<(), Errno> {
    let own = inode.ownership()?;
    let mut set = SetAttr {
        size: Some(size),
        ..SetAttr::default()
    };
    let set_id = own.mode & (S_ISUID | S_ISGID) != 0;
    if set_id && !access::capable(&access::current(), CAP_FSETID) {
        set.mode = Some(super::without_set_id(own.mode) & 0o7777);
    }
    inode.set_attr(&set)
}
