//! A node of the in-memory file system: what the overlay and tmpfs are made of.
//!
//! A node may have an original on the host ([`Lower`]); its state in memory starts as the original's and then changes
//! freely: there is no copying up, only contents that are not read yet. A [`Superblock`] is one mounted file system.
//! Neighbours: `directory` (children), `page_cache` (contents), `node_ops` (the traits).

use super::{
    Inode, Metadata, Ownership, Timestamp, access, directory::Directory, hostfs::Lower, now,
    page_cache::Contents, quota::Quota,
};
use crate::{Errno, sync::Mutex};
use alloc::{
    boxed::Box,
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use linux_raw_sys::general::*;
use vitrine_abi::{hostcall::HostAttr, layout::PAGE_SIZE};

/// Inode numbers of new nodes start here, far above those of host file systems, because a new node takes the device number
/// of its directory.
const FIRST_INO: u64 = 1 << 40;

/// One file system.
pub struct Superblock {
    /// Type, as /proc/mounts shows it.
    pub kind: &'static str,
    /// Magic number, as statfs(2) shows it.
    pub magic: u64,
    /// Device number of nodes that don't take their directory's.
    pub dev: u64,
    /// The limit on its contents, if it has one.
    pub quota: Option<Arc<Quota>>,
    next_ino: AtomicU64,
    /// Host files with several names, by device and inode number: one node for all of them.
    linked: Mutex<BTreeMap<(u64, u64), Arc<Node>>>,
    mounted_at: Mutex<Arc<[u8]>>,
}

impl Superblock {
    /// A new file system.
    pub fn new(kind: &'static str, magic: u64, dev: u64) -> Arc<Superblock> {
        Self::with_quota(kind, magic, dev, None)
    }

    /// A new file system whose contents take at most so many pages.
    pub fn with_quota(
        kind: &'static str,
        magic: u64,
        dev: u64,
        limit: Option<u64>,
    ) -> Arc<Superblock> {
        Arc::new(Superblock {
            kind,
            magic,
            dev,
            quota: limit.map(|pages| Arc::new(Quota::new(pages))),
            next_ino: AtomicU64::new(FIRST_INO),
            linked: Mutex::new(BTreeMap::new()),
            mounted_at: Mutex::new(Arc::from(&b"/"[..])),
        })
    }

    /// A fresh anonymous device number (major 0).
    pub fn new_dev() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0x60);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
}

/// The attributes that change.
#[derive(Clone, Copy)]
pub struct Attr {
    /// Type and permission bits.
    pub mode: u32,
    /// Hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last access.
    pub atime: Timestamp,
    /// Last change of contents.
    pub mtime: Timestamp,
    /// Last change of attributes.
    pub ctime: Timestamp,
}

/// What a node holds, by its type.
pub enum Body {
    /// Contents.
    File(Arc<Contents>),
    /// Children.
    Dir(Mutex<Directory>),
    /// Target; `None`: not read from the host yet.
    Symlink(Mutex<Option<Arc<[u8]>>>),
    /// Fifo, socket, device: only the node itself.
    Special,
}

/// Where a node is, or was last.
pub struct Place {
    /// The directory.
    pub parent: Weak<Node>,
    /// Its name there.
    pub name: Arc<[u8]>,
}

/// A file, directory, symlink or special file.
pub struct Node {
    /// Itself.
    pub me: Weak<Node>,
    /// Its file system.
    pub fs: Arc<Superblock>,
    /// `st_dev`.
    pub dev: u64,
    /// `st_ino`.
    pub ino: u64,
    /// `st_rdev`.
    pub rdev: u64,
    /// Time of birth.
    pub btime: Timestamp,
    /// Its original on the host.
    pub lower: Option<Arc<Lower>>,
    /// Contents, children or target.
    pub body: Body,
    attr: Mutex<Attr>,
    place: Mutex<Option<Place>>,
    xattrs: Mutex<Option<Box<Xattrs>>>,
    /// Size and blocks of the host's inode (of directories and special files, and of files until they are modified).
    host_usage: (u64, u64),
    /// Open files that may write to it; negative: running programs that it is, and then nobody may.
    writers: AtomicI32,
    /// Made by O_TMPFILE: may get its first name later.
    linkable: AtomicBool,
    /// Seals (F_ADD_SEALS); [`NOT_SEALABLE`] for all but memfds.
    seals: AtomicU32,
}

/// Extended attributes by name.
pub type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// [`Node::seals`] of files that know no seals.
const NOT_SEALABLE: u32 = u32::MAX;

fn timestamp(pair: [i64; 2]) -> Timestamp {
    Timestamp {
        sec: pair[0],
        nsec: pair[1],
    }
}

/// What a new node is made of.
pub struct NewNode {
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device it is.
    pub rdev: u64,
    /// `st_dev`.
    pub dev: u64,
    /// Target, of a symlink.
    pub target: Option<Arc<[u8]>>,
}

impl Node {
    /// A node that has no original; it has no name yet, and no links.
    pub fn new(fs: &Arc<Superblock>, new: NewNode) -> Arc<Node> {
        let stamp = now();
        let body = match new.mode & S_IFMT {
            S_IFREG => Body::File(Contents::empty(fs.quota.clone())),
            S_IFDIR => Body::Dir(Mutex::new(Directory::default())),
            S_IFLNK => Body::Symlink(Mutex::new(new.target)),
            _ => Body::Special,
        };
        let attr = Attr {
            mode: new.mode,
            nlink: 0,
            uid: new.uid,
            gid: new.gid,
            atime: stamp,
            mtime: stamp,
            ctime: stamp,
        };
        let usage = match new.mode & S_IFMT {
            S_IFDIR if fs.kind == "overlay" => (4096, 8),
            _ => (0, 0),
        };
        Arc::new_cyclic(|me| Node {
            me: me.clone(),
            fs: fs.clone(),
            dev: new.dev,
            ino: fs.next_ino.fetch_add(1, Ordering::Relaxed),
            rdev: new.rdev,
            btime: stamp,
            lower: None,
            body,
            attr: Mutex::new(attr),
            place: Mutex::new(None),
            xattrs: Mutex::new(None),
            host_usage: usage,
            writers: AtomicI32::new(0),
            linkable: AtomicBool::new(false),
            seals: AtomicU32::new(NOT_SEALABLE),
        })
    }

    /// The node of a host file.
    pub fn of_host(fs: &Arc<Superblock>, lower: Arc<Lower>, host: &HostAttr) -> Arc<Node> {
        let kind = host.mode & S_IFMT;
        let shared = kind != S_IFDIR && host.nlink > 1;
        let key = (host.dev, host.ino);
        if shared && let Some(node) = fs.linked.lock().get(&key) {
            return node.clone();
        }
        let body = match kind {
            S_IFREG => Body::File(Contents::of_host(lower.clone(), host.size)),
            S_IFDIR => Body::Dir(Mutex::new(Directory::of_host())),
            S_IFLNK => Body::Symlink(Mutex::new(None)),
            _ => Body::Special,
        };
        let attr = Attr {
            mode: host.mode,
            nlink: host.nlink,
            uid: host.uid,
            gid: host.gid,
            atime: timestamp(host.atime),
            mtime: timestamp(host.mtime),
            ctime: timestamp(host.ctime),
        };
        let node = Arc::new_cyclic(|me| Node {
            me: me.clone(),
            fs: fs.clone(),
            dev: host.dev,
            ino: host.ino,
            rdev: host.rdev,
            btime: timestamp(host.btime),
            lower: Some(lower),
            body,
            attr: Mutex::new(attr),
            place: Mutex::new(None),
            xattrs: Mutex::new(None),
            host_usage: (host.size, host.blocks),
            writers: AtomicI32::new(0),
            linkable: AtomicBool::new(false),
            seals: AtomicU32::new(NOT_SEALABLE),
        });
        if shared {
            fs.linked.lock().insert(key, node.clone());
        }
        node
    }

    /// The node behind an inode, if it is one.
    pub fn of(inode: &Arc<dyn Inode>) -> Option<Arc<Node>> {
        inode.as_any().downcast_ref::<Node>()?.me.upgrade()
    }

    /// Whether it is a file of the host's whose contents nobody has changed here.
    pub fn is_original(&self) -> bool {
        matches!(&self.body, Body::File(contents) if contents.is_original())
    }

    /// Type bits.
    pub fn kind(&self) -> u32 {
        self.attr.lock().mode & S_IFMT
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        matches!(self.body, Body::Dir(_))
    }

    /// A copy of the attributes.
    pub fn attr(&self) -> Attr {
        *self.attr.lock()
    }

    /// Changes attributes and stamps ctime.
    pub fn change(&self, change: impl FnOnce(&mut Attr)) {
        let stamp = now();
        let mut attr = self.attr.lock();
        attr.ctime = stamp;
        change(&mut attr);
    }

    /// Stamps a change of contents (of a directory: of its names).
    pub fn touch(&self) {
        let stamp = now();
        let mut attr = self.attr.lock();
        attr.mtime = stamp;
        attr.ctime = stamp;
    }

    /// Stamps a read, as relatime does: only if the last one is older than the last change, or than a day.
    pub fn touch_read(&self) {
        let mut attr = self.attr.lock();
        let stale = attr.atime <= attr.mtime || attr.atime <= attr.ctime;
        let stamp = now();
        if stale || stamp.sec.saturating_sub(attr.atime.sec) >= 24 * 60 * 60 {
            attr.atime = stamp;
        }
    }

    /// Stamps a write, and drops the set-id bits as Linux does for those without CAP_FSETID.
    pub fn touch_write(&self) {
        let stamp = now();
        let mut attr = self.attr.lock();
        attr.mtime = stamp;
        attr.ctime = stamp;
        if attr.mode & (S_ISUID | S_ISGID) != 0 {
            let cred = access::current();
            if !access::capable(&cred, CAP_FSETID) {
                attr.mode = without_set_id(attr.mode);
            }
        }
    }

    /// Counts one name more or less; at none the node is forgotten as one of several names of a host file.
    pub fn add_links(&self, delta: i32) {
        self.change(|attr| attr.nlink = attr.nlink.saturating_add_signed(delta));
        if self.lower.is_some() && self.attr().nlink == 0 {
            self.fs.linked.lock().remove(&(self.dev, self.ino));
        }
    }

    /// Type, permissions, owner.
    pub fn owner(&self) -> Ownership {
        let attr = self.attr.lock();
        Ownership {
            mode: attr.mode,
            uid: attr.uid,
            gid: attr.gid,
        }
    }

    /// What stat shows.
    pub fn stat(&self) -> Metadata {
        let attr = self.attr();
        let (size, blocks) = match &self.body {
            Body::File(contents) => {
                let (size, blocks) = contents.usage();
                (size, blocks.unwrap_or(self.host_usage.1))
            }
            Body::Symlink(target) => {
                let len = target.lock().as_ref().map(|t| t.len() as u64);
                (len.unwrap_or(self.host_usage.0), self.host_usage.1)
            }
            Body::Dir(dir) if self.fs.kind == "tmpfs" => (dir.lock().len() as u64 * 20, 0),
            Body::Dir(_) | Body::Special => self.host_usage,
        };
        Metadata {
            dev: self.dev,
            ino: self.ino,
            mode: attr.mode,
            nlink: attr.nlink,
            uid: attr.uid,
            gid: attr.gid,
            rdev: self.rdev,
            size,
            blocks,
            blksize: PAGE_SIZE as u32,
            atime: attr.atime,
            mtime: attr.mtime,
            ctime: attr.ctime,
            btime: self.btime,
        }
    }

    /// Notes where it is.
    pub fn set_place(&self, parent: &Weak<Node>, name: &Arc<[u8]>) {
        *self.place.lock() = Some(Place {
            parent: parent.clone(),
            name: name.clone(),
        });
    }

    /// The directory that holds it or held it last, and its name there.
    pub fn find_place(&self) -> Option<(Arc<Node>, Arc<[u8]>)> {
        let place = self.place.lock();
        let place = place.as_ref()?;
        Some((place.parent.upgrade()?, place.name.clone()))
    }

    /// Its path now, with Linux's ` (deleted)` once it has no name: for /proc/PID/maps.
    pub fn path(&self) -> Arc<[u8]> {
        let mut names: Vec<Arc<[u8]>> = Vec::new();
        if let Some(place) = &*self.place.lock() {
            names.push(place.name.clone());
        }
        let mut up = self.find_place().map(|(parent, _)| parent);
        while let Some(node) = up {
            let next = node.find_place();
            up = next.map(|(parent, name)| {
                names.push(name);
                parent
            });
        }
        let mut path = self.fs.mounted_at.lock().to_vec();
        for name in names.iter().rev() {
            if path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(name);
        }
        if self.attr().nlink == 0 {
            path.extend_from_slice(b" (deleted)");
        }
        Arc::from(path)
    }

    /// It is the root of a file system that is now mounted at `path`.
    pub fn note_mounted_at(&self, path: &Arc<[u8]>) {
        if self.place.lock().is_none() {
            *self.fs.mounted_at.lock() = path.clone();
        }
    }

    /// Runs `f` on the extended attributes. Those of the original are read from the host first.
    pub fn with_xattrs<T>(&self, f: impl FnOnce(&mut Xattrs) -> T) -> T {
        let mut xattrs = self.xattrs.lock();
        let original = || self.lower.as_ref().map(Lower::xattrs).unwrap_or_default();
        f(xattrs.get_or_insert_with(|| Box::new(original())))
    }

    /// It is opened for writing, until [`Node::end_writing`]; `ETXTBSY` while it runs.
    pub fn begin_writing(&self) -> Result<(), Errno> {
        if self.writers.load(Ordering::Relaxed) < 0 {
            return Err(Errno::ETXTBSY);
        }
        self.writers.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Ends what [`Node::begin_writing`] began.
    pub fn end_writing(&self) {
        self.writers.fetch_sub(1, Ordering::Relaxed);
    }

    /// It runs, until [`Node::end_running`]; `ETXTBSY` while it is open for writing.
    pub fn begin_running(&self) -> Result<(), Errno> {
        if self.writers.load(Ordering::Relaxed) > 0 {
            return Err(Errno::ETXTBSY);
        }
        self.writers.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    /// Ends what [`Node::begin_running`] began.
    pub fn end_running(&self) {
        self.writers.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it may get a name although it has none.
    pub fn linkable(&self) -> bool {
        self.linkable.load(Ordering::Relaxed)
    }

    /// Lets it get a name although it has none (O_TMPFILE without O_EXCL).
    pub fn set_linkable(&self, linkable: bool) {
        self.linkable.store(linkable, Ordering::Relaxed);
    }

    /// Lets seals be added (memfd_create with MFD_ALLOW_SEALING), or says that it knows F_SEAL_SEAL only.
    pub fn set_sealable(&self, allowed: bool) {
        let seals = if allowed { 0 } else { F_SEAL_SEAL };
        self.seals.store(seals, Ordering::Relaxed);
    }

    /// Its seals; `None` if it knows none.
    pub fn get_seals(&self) -> Option<u32> {
        let seals = self.seals.load(Ordering::Relaxed);
        (seals != NOT_SEALABLE).then_some(seals)
    }

    /// Adds seals.
    pub fn put_seals(&self, seals: u32) {
        self.seals.fetch_or(seals, Ordering::Relaxed);
    }

    /// Whether a seal forbids something (false for files that know no seals).
    pub fn is_sealed(&self, seals: u32) -> bool {
        self.get_seals().is_some_and(|s| s & seals != 0)
    }

    /// Its contents; `EISDIR` or `EINVAL` if it is no regular file.
    pub fn contents(&self) -> Result<&Arc<Contents>, Errno> {
        match &self.body {
            Body::File(contents) => Ok(contents),
            Body::Dir(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// A mode without set-user-id, and without set-group-id where that means what it says.
pub fn without_set_id(mode: u32) -> u32 {
    let mode = mode & !S_ISUID;
    if mode & S_IXGRP != 0 {
        mode & !S_ISGID
    } else {
        mode
    }
}
