//! What devfs, procfs and sysfs share: trees that are described by static tables.
//!
//! A table is a slice of [`Entry`]; each names a file whose text a function makes, a directory with a table of its own, or a link. `C` is what the
//! functions are told: nothing (`Global`) or a process ([`super::procfs`]'s `Subject`). [`Node`] makes an
//! [`Inode`] of an entry, [`TextFile`] is an open text file.

use super::{
    Description, DirEntry, File, FileOps, Inode, Location, Metadata, Sink, Source, StatFs,
    Timestamp,
};
use crate::{Errno, SysResult, sync::Mutex};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{any::Any, fmt};
use linux_raw_sys::general::*;

/// `st_dev` of /dev.
pub const DEVTMPFS_DEV: u64 = 5;
/// `st_dev` of /proc.
pub const PROC_DEV: u64 = 21;
/// `st_dev` of /sys.
pub const SYSFS_DEV: u64 = 22;
/// `st_dev` of /dev/pts.
pub const DEVPTS_DEV: u64 = 23;

/// Most bytes that one write to a text file hands over, as Linux limits it.
const MAX_STORE: usize = 4096;

/// A device number as `st_rdev` holds it, for majors and minors below 4096 and 256.
pub const fn makedev(major: u64, minor: u64) -> u64 {
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12
}

/// Text under construction; `write!` works on it.
#[derive(Default)]
pub struct Text(pub Vec<u8>);

impl Text {
    /// Nothing yet.
    pub fn new() -> Text {
        Text(Vec::new())
    }

    /// Adds bytes that need not be UTF-8.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Text {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a path, with the characters of `escape` (and backslashes) in octal.
    pub fn escaped(&mut self, bytes: &[u8], escape: &[u8]) -> &mut Text {
        for &byte in bytes {
            if escape.contains(&byte) {
                self.put(format_args!("\\{byte:03o}"));
            } else {
                self.0.push(byte);
            }
        }
        self
    }

    /// Adds formatted text.
    pub fn put(&mut self, args: fmt::Arguments<'_>) -> &mut Text {
        // Appending to a Vec can't fail.
        let _ = fmt::Write::write_fmt(self, args);
        self
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(Vec::from(text.as_bytes()))
    }
}

/// `text!("format", args…)`: a [`Text`] of that.
macro_rules! text {
    ($($arg:tt)*) => {{
        let mut text = $crate::fs::pseudo::Text::new();
        text.put(format_args!($($arg)*));
        text
    }};
}
pub(crate) use text;

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

/// The current time as attributes hold it.
pub fn now() -> Timestamp {
    let ns = crate::time::realtime_ns();
    Timestamp {
        sec: i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX),
        nsec: i64::try_from(ns % 1_000_000_000).unwrap_or(0),
    }
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
                let for_store = self.context.clone();
                Ok(Arc::new(TextFile {
                    inode: Arc::new(self.clone()),
                    show: Box::new(move || show(&context)),
                    store: store.map(|store| -> BoxedStore {
                        Box::new(move |data: &[u8]| store(&for_store, data))
                    }),
                    text: Mutex::new(None),
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

/// Opens a directory of one of these trees.
pub fn open_directory(inode: Arc<dyn Inode>, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
    if flags & O_ACCMODE != O_RDONLY {
        return Err(Errno::EISDIR);
    }
    Ok(Arc::new(super::OpenDirectory { inode }))
}

type BoxedShow = Box<dyn Fn() -> Result<Text, Errno> + Send + Sync>;
type BoxedStore = Box<dyn Fn(&[u8]) -> Result<(), Errno> + Send + Sync>;

/// An open text file. The text is made anew by each read at offset 0 (as monitors rely on, which rewind), and stays the same from there on.
pub struct TextFile {
    inode: Arc<dyn Inode>,
    show: BoxedShow,
    store: Option<BoxedStore>,
    text: Mutex<Option<Arc<[u8]>>>,
}

impl TextFile {
    /// A read-only open file of `inode` with text made by `show`.
    pub fn new(
        inode: Arc<dyn Inode>,
        show: impl Fn() -> Result<Text, Errno> + Send + Sync + 'static,
    ) -> TextFile {
        TextFile {
            inode,
            show: Box::new(show),
            store: None,
            text: Mutex::new(None),
        }
    }

    fn text(&self, offset: u64) -> Result<Arc<[u8]>, Errno> {
        if offset > 0
            && let Some(text) = self.text.lock().clone()
        {
            return Ok(text);
        }
        let text: Arc<[u8]> = Arc::from((self.show)()?.0);
        *self.text.lock() = Some(text.clone());
        Ok(text)
    }
}

impl FileOps for TextFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    // The position is not held while the text is made: that of /proc/self/fdinfo/N may be asked for the same file.
    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        let position = *file.position.lock();
        let n = self.read_at(file, position, out)?;
        *file.position.lock() = position.saturating_add(n as u64);
        Ok(n)
    }

    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        let n = self.write_at(file, 0, src)?;
        let mut position = file.position.lock();
        *position = position.saturating_add(n as u64);
        Ok(n)
    }

    fn read_at(&self, _file: &File, offset: u64, out: &mut dyn Sink) -> SysResult {
        let text = self.text(offset)?;
        match usize::try_from(offset).ok().and_then(|at| text.get(at..)) {
            Some([]) | None => Ok(0),
            Some(rest) => out.put(&rest[..rest.len().min(out.room())]),
        }
    }

    fn write_at(&self, _file: &File, _offset: u64, src: &mut dyn Source) -> SysResult {
        let store = self.store.as_ref().ok_or(Errno::EIO)?;
        let mut data = alloc::vec![0; src.left().min(MAX_STORE)];
        let n = src.take(&mut data)?;
        store(&data[..n])?;
        Ok(n)
    }

    fn seek(&self, file: &File, offset: i64, whence: u32) -> SysResult {
        let mut position = file.position.lock();
        seek_position(&mut position, None, offset, whence)
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        self.inode.metadata()
    }

    fn describe(&self, file: &File) -> Description {
        describe("file", file, b"?")
    }
}

/// lseek(2) on a position; `end` is the size, for files that have one.
pub fn seek_position(position: &mut u64, end: Option<u64>, offset: i64, whence: u32) -> SysResult {
    let base = match whence {
        SEEK_SET => 0,
        SEEK_CUR => i64::try_from(*position).map_err(|_| Errno::EOVERFLOW)?,
        SEEK_END => end
            .and_then(|end| i64::try_from(end).ok())
            .ok_or(Errno::EINVAL)?,
        _ => return Err(Errno::EINVAL),
    };
    let target = base.checked_add(offset).filter(|t| *t >= 0);
    let target = target.ok_or(Errno::EINVAL)?;
    *position = target.unsigned_abs();
    usize::try_from(target).map_err(|_| Errno::EINVAL)
}

/// Kind, and the path that a file was opened by (`fallback` if it has none).
pub fn describe(kind: &'static str, file: &File, fallback: &[u8]) -> Description {
    Description {
        kind,
        text: match &file.location {
            Some(location) => location.path.clone(),
            None => Arc::from(fallback),
        },
    }
}

/// The number written to a file, as kstrtoint reads it: decimal, with a sign, surrounding white space and a trailing newline ignored.
pub fn parse_number(data: &[u8]) -> Result<i64, Errno> {
    core::str::from_utf8(data)
        .ok()
        .and_then(|text| {
            text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0')
                .parse()
                .ok()
        })
        .ok_or(Errno::EINVAL)
}
