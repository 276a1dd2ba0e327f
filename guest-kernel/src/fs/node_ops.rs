//! The traits of inodes, open files and mappable objects for [`Node`].

use super::{
    Description, DirEntry, File, FileOps, Inode, Metadata, OpenDirectory, Ownership, Placement,
    SetAttr, Sink, Source, StatFs, describe_location, devfs, events,
    io::{MAX_FILE_SIZE, check_end},
    node::{Body, NewNode, Node},
    page_cache, pipe,
};
use crate::{
    Errno, SysResult,
    mm::{
        MemoryObject, ObjectIdentity,
        frame::{self, Frame},
        space::forget_object_pages,
    },
    signal,
};
use alloc::{sync::Arc, vec::Vec};
use core::any::Any;
use linux_raw_sys::general::*;
use vitrine_abi::layout::PAGE_SIZE;

/// Longest extended attribute value.
const XATTR_MAX: usize = 65536;

impl Node {
    fn strong(&self) -> Result<Arc<Node>, Errno> {
        self.me.upgrade().ok_or(Errno::EIO)
    }

    /// Makes a child of this directory with the running task's credentials.
    fn make(
        &self,
        name: &[u8],
        mode: u32,
        rdev: u64,
        target: Option<Arc<[u8]>>,
    ) -> Result<Arc<Node>, Errno> {
        page_cache::check_space(1)?;
        let node = self.new_node(mode, rdev, target);
        self.add_child(name, &node)?;
        Ok(node)
    }

    fn new_node(&self, mode: u32, rdev: u64, target: Option<Arc<[u8]>>) -> Arc<Node> {
        let (uid, gid, mode) = self.new_owner(mode);
        let new = NewNode {
            mode,
            uid,
            gid,
            rdev,
            dev: self.dev,
            target,
        };
        Node::new(&self.fs, new)
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        let contents = self.contents()?;
        let old = contents.size();
        if size < old && self.is_sealed(F_SEAL_SHRINK) || size > old && self.is_sealed(F_SEAL_GROW)
        {
            return Err(Errno::EPERM);
        }
        if contents.resize(size) {
            self.unmap(size.div_ceil(PAGE_SIZE), u64::MAX);
        }
        Ok(())
    }

    /// Takes pages that are no longer the file's out of all mappings.
    fn unmap(&self, first: u64, count: u64) {
        if let Some(object) = Inode::object(self) {
            forget_object_pages(&object, first, count);
        }
    }

    fn write_contents(&self, offset: u64, src: &mut dyn Source) -> SysResult {
        let contents = self.contents()?;
        let left = src.left() as u64;
        if left == 0 {
            return Ok(0);
        }
        if self.is_sealed(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) {
            return Err(Errno::EPERM);
        }
        let grows = offset.saturating_add(left) > contents.size();
        if grows && self.is_sealed(F_SEAL_GROW) {
            return Err(Errno::EPERM);
        }
        let room = writable_room(offset)?;
        let written = if left > room {
            let mut limited = Limited {
                source: src,
                left: usize::try_from(room).unwrap_or(usize::MAX),
            };
            contents.write_at(offset, &mut limited)
        } else {
            contents.write_at(offset, src)
        }?;
        if written > 0 {
            self.touch_write();
            events::happened(self, IN_MODIFY);
        }
        Ok(written)
    }
}

/// Bytes that may be written at `offset` below RLIMIT_FSIZE and the largest size; none: `EFBIG` (with SIGXFSZ for the limit).
pub fn writable_room(offset: u64) -> Result<u64, Errno> {
    let limit = file_size_limit();
    if offset >= limit {
        exceed_file_size();
        return Err(Errno::EFBIG);
    }
    match limit.min(MAX_FILE_SIZE).checked_sub(offset) {
        None | Some(0) => Err(Errno::EFBIG),
        Some(room) => Ok(room),
    }
}

/// RLIMIT_FSIZE of the running process.
pub fn file_size_limit() -> u64 {
    let task = crate::sched::current();
    let limits = task.process.rlimits.lock();
    limits[RLIMIT_FSIZE as usize][0]
}

/// Sends SIGXFSZ to the running task.
pub fn exceed_file_size() {
    let task = crate::sched::current();
    let info = signal::SigInfo {
        signo: SIGXFSZ,
        code: SI_KERNEL as i32,
        ..signal::SigInfo::default()
    };
    signal::send_to_task(&task, info);
}

/// The first bytes of a source.
struct Limited<'a> {
    source: &'a mut dyn Source,
    left: usize,
}

impl Source for Limited<'_> {
    fn left(&self) -> usize {
        self.left.min(self.source.left())
    }
    fn take(&mut self, buf: &mut [u8]) -> SysResult {
        let n = buf.len().min(self.left);
        let taken = self.source.take(&mut buf[..n])?;
        self.left -= taken;
        Ok(taken)
    }
}

impl Inode for Node {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.stat())
    }

    fn is_unlinked(&self) -> bool {
        self.attr().nlink == 0
    }

    fn ownership(&self) -> Result<Ownership, Errno> {
        Ok(self.owner())
    }

    fn place(&self) -> Option<Placement> {
        let (parent, name) = self.find_place()?;
        Some((parent, name))
    }

    fn set_attr(&self, set: &SetAttr) -> Result<(), Errno> {
        if let Some(size) = set.size {
            if size > MAX_FILE_SIZE {
                return Err(Errno::EFBIG);
            }
            self.set_size(size)?;
        }
        let now = super::now();
        self.change(|attr| {
            if let Some(mode) = set.mode {
                attr.mode = attr.mode & S_IFMT | mode & 0o7777;
            }
            attr.uid = set.uid.unwrap_or(attr.uid);
            attr.gid = set.gid.unwrap_or(attr.gid);
            attr.atime = set.atime.unwrap_or(attr.atime);
            if set.size.is_some() {
                attr.mtime = now;
            }
            attr.mtime = set.mtime.unwrap_or(attr.mtime);
        });
        let mask = if set.size.is_some() {
            IN_MODIFY
        } else {
            IN_ATTRIB
        };
        events::happened(self, mask);
        Ok(())
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        Ok(self.child(name)?)
    }

    fn create(&self, name: &[u8], mode: u32, rdev: u64) -> Result<Arc<dyn Inode>, Errno> {
        Ok(self.make(name, mode, rdev, None)?)
    }

    fn symlink(&self, name: &[u8], target: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        Ok(self.make(name, S_IFLNK | 0o777, 0, Some(Arc::from(target)))?)
    }

    fn link(&self, name: &[u8], target: &Arc<dyn Inode>) -> Result<(), Errno> {
        let node = Node::of(target).ok_or(Errno::EXDEV)?;
        if !Arc::ptr_eq(&node.fs, &self.fs) {
            return Err(Errno::EXDEV);
        }
        if node.is_dir() {
            return Err(Errno::EPERM);
        }
        if node.attr().nlink == 0 && !node.linkable() {
            return Err(Errno::ENOENT);
        }
        page_cache::check_space(1)?;
        self.add_child(name, &node)?;
        node.set_linkable(false);
        Ok(())
    }

    fn unlink(&self, name: &[u8]) -> Result<(), Errno> {
        self.remove_file(name)
    }

    fn rmdir(&self, name: &[u8]) -> Result<(), Errno> {
        self.remove_directory(name)
    }

    fn rename(
        &self,
        old: &[u8],
        new_dir: &Arc<dyn Inode>,
        new: &[u8],
        flags: u32,
    ) -> Result<(), Errno> {
        let new_dir = Node::of(new_dir).ok_or(Errno::EXDEV)?;
        if !Arc::ptr_eq(&new_dir.fs, &self.fs) {
            return Err(Errno::EXDEV);
        }
        self.rename_child(old, &new_dir, new, flags)
    }

    fn read_dir(&self, from: u64, each: &mut dyn FnMut(DirEntry) -> bool) -> Result<(), Errno> {
        self.list_children(from, each)?;
        self.touch_read();
        Ok(())
    }

    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        let Body::Symlink(target) = &self.body else {
            return Err(Errno::EINVAL);
        };
        let mut target = target.lock();
        if target.is_none() {
            let lower = self.lower.as_ref().ok_or(Errno::EIO)?;
            let text = crate::hostcall::read_link(&*lower.handle()?)?;
            *target = Some(Arc::from(text));
        }
        Ok(target.as_deref().unwrap_or_default().to_vec())
    }

    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        match self.kind() {
            S_IFREG => Ok(self.strong()?),
            S_IFDIR => Ok(Arc::new(OpenDirectory {
                inode: self.strong()?,
            })),
            S_IFIFO => pipe::open_fifo((self.dev, self.ino), flags),
            S_IFCHR | S_IFBLK => devfs::open_device(self.rdev, flags),
            S_IFLNK => Err(Errno::ELOOP),
            _ => Err(Errno::ENXIO),
        }
    }

    fn object(&self) -> Option<Arc<dyn MemoryObject>> {
        match self.body {
            Body::File(_) => Some(self.me.upgrade()?),
            _ => None,
        }
    }

    fn xattr(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        self.with_xattrs(|all| all.get(name).cloned())
            .ok_or(Errno::ENODATA)
    }

    fn set_xattr(&self, name: &[u8], value: &[u8], flags: u32) -> Result<(), Errno> {
        super::page_cache::check_space(1 + value.len() as u64 / PAGE_SIZE)?;
        if value.len() > XATTR_MAX {
            return Err(Errno::E2BIG);
        }
        page_cache::check_space(1)?;
        self.with_xattrs(|all| {
            let there = all.contains_key(name);
            if there && flags & XATTR_CREATE != 0 {
                return Err(Errno::EEXIST);
            }
            if !there && flags & XATTR_REPLACE != 0 {
                return Err(Errno::ENODATA);
            }
            let used: usize = all.iter().map(|(n, v)| n.len() + v.len()).sum();
            if used.saturating_add(name.len() + value.len()) > XATTR_MAX {
                return Err(Errno::ENOSPC);
            }
            all.insert(name.to_vec(), value.to_vec());
            Ok(())
        })?;
        self.change(|_| ());
        Ok(())
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<(), Errno> {
        let removed = self.with_xattrs(|all| all.remove(name));
        removed.ok_or(Errno::ENODATA)?;
        self.change(|_| ());
        Ok(())
    }

    fn list_xattr(&self) -> Result<Vec<u8>, Errno> {
        Ok(self.with_xattrs(|all| {
            let mut names = Vec::new();
            for name in all.keys() {
                names.extend_from_slice(name);
                names.push(0);
            }
            names
        }))
    }

    fn temporary(&self, mode: u32, linkable: bool) -> Result<Arc<dyn Inode>, Errno> {
        if !self.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        page_cache::check_space(1)?;
        let node = self.new_node(mode, 0, None);
        let name = alloc::format!("#{}", node.ino);
        node.set_place(&self.me, &Arc::from(name.as_bytes()));
        node.set_linkable(linkable);
        Ok(node)
    }

    fn fallocate(&self, mode: u32, offset: u64, len: u64) -> Result<(), Errno> {
        let contents = self.contents().map_err(|_| Errno::ENODEV)?;
        let end = offset.checked_add(len).ok_or(Errno::EFBIG)?;
        if end > MAX_FILE_SIZE {
            return Err(Errno::EFBIG);
        }
        let keep = mode & FALLOC_FL_KEEP_SIZE != 0;
        let grows = end > contents.size() && !keep;
        let room = |pages: u64| match &self.fs.quota {
            Some(quota) => quota.check(pages),
            None => Ok(()),
        };
        match mode & !FALLOC_FL_KEEP_SIZE {
            0 => {
                if grows && self.is_sealed(F_SEAL_GROW) {
                    return Err(Errno::EPERM);
                }
                page_cache::check_space(len.div_ceil(PAGE_SIZE))?;
                if grows {
                    room((end - contents.size()).div_ceil(PAGE_SIZE))?;
                }
            }
            FALLOC_FL_PUNCH_HOLE if keep => {
                if self.is_sealed(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) {
                    return Err(Errno::EPERM);
                }
                if contents.zero_range(offset, len)? {
                    let first = offset.div_ceil(PAGE_SIZE);
                    self.unmap(first, (end / PAGE_SIZE).saturating_sub(first));
                }
            }
            FALLOC_FL_ZERO_RANGE => {
                let growth = grows && self.is_sealed(F_SEAL_GROW);
                if growth || self.is_sealed(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) {
                    return Err(Errno::EPERM);
                }
                if contents.zero_range(offset, len)? {
                    let first = offset.div_ceil(PAGE_SIZE);
                    self.unmap(first, (end / PAGE_SIZE).saturating_sub(first));
                }
            }
            _ => return Err(Errno::EOPNOTSUPP),
        }
        if grows {
            contents.resize(end);
        }
        self.touch_write();
        Ok(())
    }

    fn add_seals(&self, seals: u32) -> Result<(), Errno> {
        const ALL: u32 = F_SEAL_SEAL
            | F_SEAL_SHRINK
            | F_SEAL_GROW
            | F_SEAL_WRITE
            | F_SEAL_FUTURE_WRITE
            | F_SEAL_EXEC;
        let have = self.get_seals().ok_or(Errno::EINVAL)?;
        if seals & !ALL != 0 {
            return Err(Errno::EINVAL);
        }
        if have & F_SEAL_SEAL != 0 {
            return Err(Errno::EPERM);
        }
        if seals & F_SEAL_WRITE != 0
            && have & F_SEAL_WRITE == 0
            && let Some(object) = Inode::object(self)
            && crate::mm::space::is_mapped_writable(&object)
        {
            return Err(Errno::EBUSY);
        }
        self.put_seals(seals);
        Ok(())
    }

    fn seals(&self) -> Result<u32, Errno> {
        self.get_seals().ok_or(Errno::EINVAL)
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        let frames = frame::stats();
        if let Some(quota) = &self.fs.quota {
            return Ok(StatFs {
                kind: self.fs.magic,
                bsize: PAGE_SIZE,
                blocks: quota.limit,
                bfree: quota.left(),
                files: frames.total / 2,
                ffree: frames.free / 2,
            });
        }
        Ok(StatFs {
            kind: self.fs.magic,
            bsize: PAGE_SIZE,
            blocks: frames.total,
            bfree: frames.free,
            files: frames.total,
            ffree: frames.free,
        })
    }
}

impl FileOps for Node {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        let mut position = file.position.lock();
        let n = self.read_at(file, *position, out)?;
        *position += n as u64;
        Ok(n)
    }

    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        let mut position = file.position.lock();
        if src.left() == 0 {
            return Ok(0);
        }
        check_end(*position, src.left())?;
        let start = if file.append() {
            self.contents()?.size()
        } else {
            *position
        };
        let n = self.write_contents(start, src)?;
        *position = start + n as u64;
        Ok(n)
    }

    fn read_at(&self, file: &File, offset: u64, out: &mut dyn Sink) -> SysResult {
        check_end(offset, out.room())?;
        let n = self.contents()?.read_at(offset, out)?;
        if n > 0 && file.flags() & O_NOATIME == 0 {
            self.touch_read();
        }
        if n > 0 {
            events::happened(self, IN_ACCESS);
        }
        Ok(n)
    }

    fn write_at(&self, file: &File, offset: u64, src: &mut dyn Source) -> SysResult {
        check_end(offset, src.left())?;
        // Linux appends whatever the offset says (pwrite(2), BUGS).
        let offset = if file.append() {
            self.contents()?.size()
        } else {
            offset
        };
        self.write_contents(offset, src)
    }

    fn seek(&self, file: &File, offset: i64, whence: u32) -> SysResult {
        let contents = self.contents()?;
        let mut position = file.position.lock();
        let size = i64::try_from(contents.size()).unwrap_or(i64::MAX);
        let target = match whence {
            SEEK_SET => offset,
            SEEK_CUR => {
                let now = i64::try_from(*position).unwrap_or(i64::MAX);
                now.checked_add(offset).ok_or(Errno::EINVAL)?
            }
            SEEK_END => size.checked_add(offset).ok_or(Errno::EINVAL)?,
            SEEK_DATA | SEEK_HOLE => {
                let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
                contents.seek_data(from, whence == SEEK_HOLE)? as i64
            }
            _ => return Err(Errno::EINVAL),
        };
        *position = u64::try_from(target).map_err(|_| Errno::EINVAL)?;
        Ok(target as usize)
    }

    fn object(&self) -> Result<Arc<dyn MemoryObject>, Errno> {
        match self.body {
            Body::File(_) => Ok(self.strong()?),
            _ => Err(Errno::ENODEV),
        }
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.stat())
    }

    fn describe(&self, file: &File) -> Description {
        let kind = if self.get_seals().is_some() {
            "memfd"
        } else {
            "file"
        };
        describe_location(kind, file)
    }
}

impl MemoryObject for Node {
    fn page(&self, index: u64, write: bool) -> Result<Frame, Errno> {
        let contents = self.contents().map_err(|_| Errno::ENXIO)?;
        let frame = contents.page(index, write)?;
        if write {
            self.touch();
        }
        Ok(frame)
    }

    fn pages(&self, start: u64, count: u64, fill: bool, each: &mut dyn FnMut(u64, Frame)) {
        if let Ok(contents) = self.contents() {
            contents.pages(start, count, fill, each);
        }
    }

    fn identity(&self) -> Option<ObjectIdentity> {
        Some(ObjectIdentity {
            dev: self.dev,
            ino: self.ino,
            path: self.path(),
        })
    }
}
