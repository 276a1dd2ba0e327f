//! What devfs, procfs and sysfs share: trees that are described by static tables.
//!
//! A table is a slice of [`Entry`]; each names a file whose text a function makes, a directory with a table of its own, or a link. `C` is what the
//! functions are told: nothing (`Global`) or a process ([`super::procfs`]'s `Subject`). [`Node`] makes an
//! [`Inode`] of an entry, [`TextFile`] is an open text file.

mod attributes;
mod text;

pub use attributes::{
    DEVPTS_DEV, DEVPTS_MAGIC, DEVTMPFS_DEV, PROC_DEV, PROC_MAGIC, SYSFS_DEV, SYSFS_MAGIC,
    TMPFS_MAGIC, attributes, child_ino, empty_statfs, makedev, refuse_create,
};
pub(crate) use text::text;
pub use text::{Text, TextFile, describe, parse_number};

pub use super::now;
use super::{DirEntry, FileOps, Inode, Location, Metadata, StatFs};
use crate::Errno;
use alloc::{sync::Arc, vec::Vec};
use core::any::Any;
use linux_raw_sys::general::*;

/// What a tree's functions are told.
pub trait Context: Clone + Send + Sync + 'static {
    /// `st_dev` of the tree.
    const DEV: u64;
    /// Its statfs(2) magic.
    const MAGIC: u64;
    /// Owner of the files.
    fn owner(&self) -> (u32, u32) {
        (0, 0)
    }
    /// Fails once what the files describe is gone.
    fn alive(&self) -> Result<(), Errno> {
        Ok(())
    }
    /// Whether the running task may open a guarded file (ptrace(2), access mode checking).
    fn may_inspect(&self) -> Result<(), Errno> {
        Ok(())
    }
    /// Part of the inode numbers.
    fn number(&self) -> u64 {
        0
    }
}

/// Makes a file's text.
pub type Show<C> = fn(&C) -> Result<Text, Errno>;
/// Takes what was written to a file.
pub type Store<C> = fn(&C, &[u8]) -> Result<(), Errno>;

/// What an entry is.
pub enum Kind<C: 'static> {
    /// A regular file.
    File {
        /// Its text.
        show: Show<C>,
        /// What a write does; `None`: `EIO`, as for a file without a store function.
        store: Option<Store<C>>,
        /// Only who may inspect the subject may open it.
        guarded: bool,
    },
    /// A directory.
    Dir(&'static [Entry<C>]),
    /// A symlink; `follow` is where a magic one leads directly.
    Link {
        /// Its text.
        read: fn(&C) -> Result<Vec<u8>, Errno>,
        /// Where it leads, if not by its text.
        follow: Option<fn(&C) -> Option<Location>>,
    },
    /// Anything else, of the given directory-entry type: `make` gives the inode, from the context and the number proposed for it.
    Other {
        /// `DT_*`.
        kind: u32,
        /// Gives the inode.
        make: fn(&C, u64) -> Result<Arc<dyn Inode>, Errno>,
    },
}

/// A name in a tree.
pub struct Entry<C: 'static> {
    /// The name.
    pub name: &'static str,
    /// Permission bits.
    pub mode: u32,
    /// What it is.
    pub kind: Kind<C>,
}

impl<C> Entry<C> {
    /// A file that shows text.
    pub const fn file(name: &'static str, mode: u32, show: Show<C>) -> Self {
        let kind = Kind::File {
            show,
            store: None,
            guarded: false,
        };
        Self { name, mode, kind }
    }

    /// A file that only who may inspect the subject may open.
    pub const fn guarded(name: &'static str, mode: u32, show: Show<C>) -> Self {
        let kind = Kind::File {
            show,
            store: None,
            guarded: true,
        };
        Self { name, mode, kind }
    }

    /// A file that can be written.
    pub const fn stored(name: &'static str, mode: u32, show: Show<C>, store: Store<C>) -> Self {
        let kind = Kind::File {
            show,
            store: Some(store),
            guarded: false,
        };
        Self { name, mode, kind }
    }

    /// A directory.
    pub const fn dir(name: &'static str, mode: u32, entries: &'static [Entry<C>]) -> Self {
        let kind = Kind::Dir(entries);
        Self { name, mode, kind }
    }

    /// A symlink with a text.
    pub const fn link(name: &'static str, read: fn(&C) -> Result<Vec<u8>, Errno>) -> Self {
        let kind = Kind::Link { read, follow: None };
        Self {
            name,
            mode: 0o777,
            kind,
        }
    }

    /// A symlink that leads somewhere by itself.
    pub const fn magic(
        name: &'static str,
        read: fn(&C) -> Result<Vec<u8>, Errno>,
        follow: fn(&C) -> Option<Location>,
    ) -> Self {
        let kind = Kind::Link {
            read,
            follow: Some(follow),
        };
        Self {
            name,
            mode: 0o777,
            kind,
        }
    }

    /// Something else.
    pub const fn other(
        name: &'static str,
        kind: u32,
        make: fn(&C, u64) -> Result<Arc<dyn Inode>, Errno>,
    ) -> Self {
        Self {
            name,
            mode: 0,
            kind: Kind::Other { kind, make },
        }
    }
}

/// The inode of an entry.
pub struct Node<C: 'static> {
    entry: &'static Entry<C>,
    context: C,
    ino: u64,
}

impl<C> Clone for Node<C>
where
    C: Context,
{
    fn clone(&self) -> Self {
        Node {
            entry: self.entry,
            context: self.context.clone(),
            ino: self.ino,
        }
    }
}

impl<C: Context> Node<C> {
    /// The inode of `entry`.
    pub fn new(entry: &'static Entry<C>, context: C, ino: u64) -> Node<C> {
        Node {
            entry,
            context,
            ino,
        }
    }

    fn mode(&self) -> u32 {
        self.entry.mode
            | match self.entry.kind {
                Kind::File { .. } => S_IFREG,
                Kind::Dir(_) => S_IFDIR,
                Kind::Link { .. } => S_IFLNK,
                Kind::Other { .. } => 0,
            }
    }
}

/// The inode of the entry called `name` of a table.
pub fn find<C: Context>(
    entries: &'static [Entry<C>],
    context: &C,
    parent: u64,
    name: &[u8],
) -> Result<Arc<dyn Inode>, Errno> {
    context.alive()?;
    let entry = entries
        .iter()
        .find(|e| e.name.as_bytes() == name)
        .ok_or(Errno::ENOENT)?;
    let ino = child_ino(parent ^ context.number(), name);
    match entry.kind {
        Kind::Other { make, .. } => make(context, ino),
        _ => Ok(Arc::new(Node::new(entry, context.clone(), ino))),
    }
}

/// Lists a table from position `from` on; positions are `first` and up.
pub fn list<C: Context>(
    entries: &'static [Entry<C>],
    context: &C,
    parent: u64,
    from: u64,
    each: &mut dyn FnMut(DirEntry) -> bool,
) -> bool {
    let skip = usize::try_from(from).unwrap_or(usize::MAX);
    for (index, entry) in entries.iter().enumerate().skip(skip) {
        let kind = match entry.kind {
            Kind::File { .. } => DT_REG,
            Kind::Dir(_) => DT_DIR,
            Kind::Link { .. } => DT_LNK,
            Kind::Other { kind, .. } => kind,
        };
        let more = each(DirEntry {
            name: Vec::from(entry.name.as_bytes()),
            ino: child_ino(parent ^ context.number(), entry.name.as_bytes()),
            kind: kind as u8,
            next: index as u64 + 1,
        });
        if !more {
            return false;
        }
    }
    true
}

impl<C: Context> Inode for Node<C> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        let mut meta = attributes(C::DEV, self.ino, self.mode(), self.context.owner());
        if let Kind::Dir(entries) = self.entry.kind {
            let dirs = entries.iter().filter(|e| matches!(e.kind, Kind::Dir(_)));
            meta.nlink = 2 + dirs.count() as u32;
        }
        if let Kind::Link { read, .. } = self.entry.kind
            && C::MAGIC == TMPFS_MAGIC
        {
            meta.size = read(&self.context)?.len() as u64;
        }
        if C::MAGIC == SYSFS_MAGIC && self.mode() & S_IFMT == S_IFREG {
            meta.size = 4096;
        }
        Ok(meta)
    }

    fn set_attr(&self, attr: &super::SetAttr) -> Result<(), Errno> {
        // O_TRUNC of a writable file does nothing and succeeds.
        let only_size = attr.mode.is_none() && attr.uid.is_none() && attr.gid.is_none();
        if only_size { Ok(()) } else { Err(Errno::EPERM) }
    }

    fn create(&self, _name: &[u8], mode: u32, _rdev: u64) -> Result<Arc<dyn Inode>, Errno> {
        Err(refuse_create(C::MAGIC, mode))
    }

    fn symlink(&self, _name: &[u8], _target: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        Err(refuse_create(C::MAGIC, S_IFLNK))
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        match self.entry.kind {
            Kind::Dir(entries) => find(entries, &self.context, self.ino, name),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn read_dir(&self, from: u64, each: &mut dyn FnMut(DirEntry) -> bool) -> Result<(), Errno> {
        match self.entry.kind {
            Kind::Dir(entries) => {
                self.context.alive().map_err(|_| Errno::ENOENT)?;
                list(entries, &self.context, self.ino, from, each);
                Ok(())
            }
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        match self.entry.kind {
            Kind::Link { read, .. } => read(&self.context),
            _ => Err(Errno::EINVAL),
        }
    }

    fn follow(&self) -> Option<Location> {
        match self.entry.kind {
            Kind::Link {
                follow: Some(follow),
                ..
            } => follow(&self.context),
            _ => None,
        }
    }

    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        match self.entry.kind {
            Kind::File {
                show,
                store,
                guarded,
            } => {
                if guarded {
                    self.context.may_inspect()?;
                }
                self.context.alive()?;
                let context = self.context.clone();
                let file = TextFile::new(Arc::new(self.clone()), move || show(&context));
                let context = self.context.clone();
                Ok(Arc::new(match store {
                    Some(store) => file.storing(move |data| store(&context, data)),
                    None => file,
                }))
            }
            Kind::Dir(_) => open_directory(Arc::new(self.clone()), flags),
            _ => Err(Errno::ELOOP),
        }
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(empty_statfs(C::MAGIC))
    }
}

/// Opens a directory of one of these trees.
pub fn open_directory(inode: Arc<dyn Inode>, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
    if flags & O_ACCMODE != O_RDONLY {
        return Err(Errno::EISDIR);
    }
    Ok(Arc::new(super::OpenDirectory { inode }))
}
