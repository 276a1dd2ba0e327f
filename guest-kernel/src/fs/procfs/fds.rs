//! /proc/PID/fd and /proc/PID/fdinfo.

use super::{
    super::{
        Description, DirEntry, File, FileOps, Inode, Location, Metadata, PollEvents, PollTable,
        Sink, Source, StatFs, mount,
        pseudo::{self, Context, Text, TextFile, text},
    },
    subject::Subject,
};
use crate::{Errno, SysResult, mm::MemoryObject};
use alloc::{format, sync::Arc, vec::Vec};
use core::any::Any;
use linux_raw_sys::general::*;

/// The directory fd, or with `info` fdinfo.
pub fn directory(subject: &Subject, ino: u64, info: bool) -> Arc<dyn Inode> {
    Arc::new(Directory {
        subject: subject.clone(),
        ino,
        info,
    })
}

#[derive(Clone)]
struct Directory {
    subject: Subject,
    ino: u64,
    info: bool,
}

type Open = (i32, bool, Arc<File>);

fn open_files(subject: &Subject) -> Vec<Open> {
    let files = subject.task().and_then(|task| task.files());
    files.map_or_else(|_| Vec::new(), |files| files.list())
}

fn open_file(subject: &Subject, fd: i32) -> Result<Open, Errno> {
    let found = open_files(subject).into_iter().find(|open| open.0 == fd);
    found.ok_or(Errno::ENOENT)
}

impl Inode for Directory {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        let mode = if self.info { 0o555 } else { 0o500 };
        // A process may always look at its own.
        let owner = if self.subject.is_own() {
            self.subject.effective_owner()
        } else {
            self.subject.owner()
        };
        let mut meta = pseudo::attributes(pseudo::PROC_DEV, self.ino, S_IFDIR | mode, owner);
        if !self.info {
            meta.size = open_files(&self.subject).len() as u64;
        }
        Ok(meta)
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let fd = super::parse_id(name).ok_or(Errno::ENOENT)?;
        open_file(&self.subject, fd)?;
        Ok(Arc::new(Descriptor {
            subject: self.subject.clone(),
            ino: pseudo::child_ino(self.ino, name),
            fd,
            info: self.info,
        }))
    }

    fn read_dir(&self, from: u64, each: &mut dyn FnMut(DirEntry) -> bool) -> Result<(), Errno> {
        self.subject.alive().map_err(|_| Errno::ENOENT)?;
        self.subject.may_inspect()?;
        for (fd, _, _) in open_files(&self.subject) {
            let position = u64::from(fd.unsigned_abs());
            if position < from {
                continue;
            }
            let name = format!("{fd}").into_bytes();
            let more = each(DirEntry {
                ino: pseudo::child_ino(self.ino, &name),
                name,
                kind: if self.info { DT_REG } else { DT_LNK } as u8,
                next: position + 1,
            });
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        pseudo::open_directory(Arc::new(self.clone()), flags)
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(pseudo::empty_statfs(pseudo::PROC_MAGIC))
    }
}

/// fd/N or fdinfo/N.
#[derive(Clone)]
struct Descriptor {
    subject: Subject,
    ino: u64,
    fd: i32,
    info: bool,
}

impl Inode for Descriptor {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        let (_, _, file) = open_file(&self.subject, self.fd)?;
        let mode = if self.info {
            S_IFREG | 0o444
        } else {
            let read = if file.readable() { 0o500 } else { 0 };
            let write = if file.writable() { 0o300 } else { 0 };
            S_IFLNK | read | write
        };
        let owner = self.subject.owner();
        let mut meta = pseudo::attributes(pseudo::PROC_DEV, self.ino, mode, owner);
        if !self.info {
            meta.size = 64;
        }
        Ok(meta)
    }

    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        if self.info {
            return Err(Errno::EINVAL);
        }
        self.subject.may_inspect()?;
        let (_, _, file) = open_file(&self.subject, self.fd)?;
        Ok(file.ops.describe(&file).text.to_vec())
    }

    fn follow(&self) -> Option<Location> {
        if self.info || self.subject.may_inspect().is_err() {
            return None;
        }
        let (_, _, file) = open_file(&self.subject, self.fd).ok()?;
        match &file.location {
            Some(location) => Some(location.clone()),
            None => Some(Location {
                path: file.ops.describe(&file).text,
                inode: match file.ops.inode() {
                    Some(inode) => inode,
                    None => Arc::new(OpenInode { file }),
                },
            }),
        }
    }

    fn open(&self, _flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        if !self.info {
            return Err(Errno::ELOOP);
        }
        self.subject.may_inspect()?;
        let descriptor = self.clone();
        let inode = Arc::new(self.clone());
        Ok(Arc::new(TextFile::new(inode, move || descriptor.text())))
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(pseudo::empty_statfs(pseudo::PROC_MAGIC))
    }
}

impl Descriptor {
    /// fdinfo's text.
    fn text(&self) -> Result<Text, Errno> {
        let (_, cloexec, file) = open_file(&self.subject, self.fd)?;
        // Whoever is in the middle of a read or write holds the position.
        let position = file.position.try_lock().map_or(0, |position| *position);
        let flags = file.flags() | if cloexec { O_CLOEXEC } else { 0 };
        let mount = file.location.as_ref();
        let mount = mount.and_then(|location| mount::of_path(&location.path));
        let ino = file.ops.metadata().map_or(0, |meta| meta.ino);
        Ok(text!(
            "pos:\t{position}\nflags:\t0{flags:o}\nmnt_id:\t{}\nino:\t{ino}\n",
            mount.map_or(15, |mount| mount.id),
        ))
    }
}

/// The inode of a nameless open file that has none of its own (a socket, a console stream), as /proc/PID/fd/N leads to it.
struct OpenInode {
    file: Arc<File>,
}

impl Inode for OpenInode {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        self.file.ops.metadata()
    }

    /// Opens what is behind it anew. Sockets and anonymous inodes can't be.
    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        let kind = self.file.ops.metadata()?.mode & S_IFMT;
        if kind != S_IFIFO && kind != S_IFCHR && kind != S_IFREG {
            return Err(Errno::ENXIO);
        }
        // An end of a pipe stays that end.
        let reads = matches!(flags & O_ACCMODE, O_RDONLY | O_RDWR);
        let writes = matches!(flags & O_ACCMODE, O_WRONLY | O_RDWR);
        if reads && !self.file.readable() || writes && !self.file.writable() {
            return Err(Errno::EACCES);
        }
        Ok(Arc::new(Reopened {
            file: self.file.clone(),
        }))
    }
}

/// A second open file of something nameless: it keeps the first alive and works through it.
struct Reopened {
    file: Arc<File>,
}

impl FileOps for Reopened {
    fn as_any(&self) -> &dyn Any {
        self.file.ops.as_any()
    }
    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        self.file.ops.read(file, out)
    }
    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        self.file.ops.write(file, src)
    }
    fn read_at(&self, file: &File, offset: u64, out: &mut dyn Sink) -> SysResult {
        self.file.ops.read_at(file, offset, out)
    }
    fn write_at(&self, file: &File, offset: u64, src: &mut dyn Source) -> SysResult {
        self.file.ops.write_at(file, offset, src)
    }
    fn seek(&self, file: &File, offset: i64, whence: u32) -> SysResult {
        self.file.ops.seek(file, offset, whence)
    }
    fn poll(&self, file: &File, table: &mut PollTable) -> PollEvents {
        self.file.ops.poll(file, table)
    }
    fn ioctl(&self, file: &File, request: u32, arg: u64) -> SysResult {
        self.file.ops.ioctl(file, request, arg)
    }
    fn object(&self) -> Result<Arc<dyn MemoryObject>, Errno> {
        self.file.ops.object()
    }
    fn metadata(&self) -> Result<Metadata, Errno> {
        self.file.ops.metadata()
    }
    fn describe(&self, file: &File) -> Description {
        self.file.ops.describe(file)
    }
    fn inode(&self) -> Option<Arc<dyn Inode>> {
        self.file.ops.inode()
    }
    fn flags_changed(&self, file: &File) {
        self.file.ops.flags_changed(file);
    }
}
