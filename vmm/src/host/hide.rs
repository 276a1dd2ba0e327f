//! `--hide`: names and inodes beneath the root that look as if they weren't there.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{OFlags, ResolveFlags};
use rustix::io::Errno;

use super::files::{device, open_beneath, stat_of};

/// A file system object: device and inode number.
type Node = (u64, u64);

/// What is hidden: by name in its directory, and by inode, so that neither another mount of it nor a file that comes into being
/// later gives it away.
#[derive(Debug, Default)]
pub struct Hidden {
    nodes: HashSet<Node>,
    names: HashSet<(Node, Vec<u8>)>,
}

impl Hidden {
    /// Hides `path` (absolute in the sandbox), which need not exist; its directory must.
    pub(super) fn add(&mut self, root: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
        let name = path.file_name().ok_or(Errno::INVAL)?;
        let parent = path.parent().unwrap_or(Path::new("/"));
        let parent = CString::new(parent.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
        let parent = if parent.is_empty() {
            c"/".into()
        } else {
            parent
        };
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let dir = open_beneath(root, &parent, flags | OFlags::DIRECTORY, resolve)?;
        let stat = stat_of(dir.as_fd())?;
        self.names
            .insert(((device(&stat), stat.stx_ino), name.as_bytes().to_vec()));
        let name = CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)?;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match open_beneath(dir.as_fd(), &name, flags | OFlags::NOFOLLOW, resolve) {
            Ok(file) => {
                let stat = stat_of(file.as_fd())?;
                self.nodes.insert((device(&stat), stat.stx_ino));
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    }

    /// Whether nothing is hidden.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether this object is hidden.
    pub(super) fn hides_node(&self, dev: u64, ino: u64) -> bool {
        self.nodes.contains(&(dev, ino))
    }

    /// Whether the entry `name` of `dir`, which leads to `node` if that could be learnt, is hidden.
    pub(super) fn hides(&self, dir: Node, name: &[u8], node: Option<Node>) -> bool {
        !self.is_empty()
            && (node.is_some_and(|node| self.nodes.contains(&node))
                || self.names.contains(&(dir, name.to_vec())))
    }

    /// Opens `path` beneath `dir` with O_PATH, one component at a time, so that nothing hidden is passed through.
    pub(super) fn walk(
        &self,
        dir: BorrowedFd<'_>,
        node: Node,
        path: &CString,
    ) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let mut at: Option<OwnedFd> = None;
        let mut node = node;
        let components = || {
            path.as_bytes()
                .split(|&byte| byte == b'/')
                .filter(|component| !matches!(*component, b"" | b"."))
        };
        let count = components().count();
        for (index, component) in components().enumerate() {
            let name = CString::new(component).map_err(|_| Errno::INVAL)?;
            let from = at.as_ref().map_or(dir, AsFd::as_fd);
            let fd = open_beneath(from, &name, flags, resolve)?;
            let stat = stat_of(fd.as_fd())?;
            let next = (device(&stat), stat.stx_ino);
            if self.hides(node, component, Some(next)) {
                return Err(Errno::NOENT);
            }
            let symlink = u32::from(stat.stx_mode) & 0o17_0000 == 0o12_0000;
            if symlink && index + 1 < count {
                return Err(Errno::LOOP);
            }
            node = next;
            at = Some(fd);
        }
        // A path without a component is the directory itself.
        at.map_or_else(|| open_beneath(dir, &c".".into(), flags, resolve), Ok)
    }
}
