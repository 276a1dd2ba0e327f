//! A standard descriptor that is a regular file of the host: read, written and sought there, so that position, size and appending are the
//! caller's, as are those of its other descriptors for the same open file. Opened anew (/dev/stdin, /proc/self/fd/1), it has a position of
//! its own, which is the guest's.

use super::{
    super::{
        Description, File, FileOps, Inode, Metadata, PollEvents, PollTable, SetAttr, Sink, Source,
        Timestamp,
        node_ops::{file_size_limit, writable_room},
        pseudo,
    },
    CHUNK, mapped,
};
use crate::{
    Errno, SysResult, hostcall,
    mm::{MemoryObject, user},
};
use alloc::{format, sync::Arc, vec::Vec};
use core::any::Any;
use linux_raw_sys::{general::*, ioctl::FIONREAD};
use vitrine_abi::boot::ConsoleFd;

/// A standard descriptor that is a regular file.
#[derive(Clone, Copy)]
pub(super) struct HostFile {
    /// Its number at the caller.
    pub(super) fd: u32,
    /// What the host said of it at the start.
    pub(super) console: ConsoleFd,
    /// Whether it was opened anew.
    pub(super) reopened: bool,
}

/// Bytes that the running task may write at `offset`; see [`writable_room`].
fn room(offset: u64) -> SysResult {
    Ok(usize::try_from(writable_room(offset)?).unwrap_or(usize::MAX))
}

impl HostFile {
    fn read_by(
        &self,
        out: &mut dyn Sink,
        fetch: impl Fn(usize, &mut [u8]) -> SysResult,
    ) -> SysResult {
        mapped::flush(&self.console);
        let mut buf = alloc::vec![0; out.room().min(CHUNK)];
        let mut done = 0;
        while out.room() > 0 {
            let want = out.room().min(buf.len());
            let step = fetch(done, &mut buf[..want]).and_then(|n| match n {
                0 => Ok((0, 0)),
                n => Ok((n, out.put(&buf[..n])?)),
            });
            match step {
                Ok((got, put)) => {
                    done += put;
                    if put < got || got < want {
                        break;
                    }
                }
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn write_by(
        &self,
        src: &mut dyn Source,
        room: usize,
        store: impl Fn(usize, &[u8]) -> SysResult,
    ) -> SysResult {
        mapped::flush(&self.console);
        let mut buf = Vec::new();
        let mut done = 0;
        while src.left() > 0 && done < room {
            buf.resize(src.left().min(CHUNK).min(room - done), 0);
            let step = src.take(&mut buf).and_then(|n| match n {
                0 => Ok((0, 0)),
                n => Ok((n, store(done, &buf[..n])?)),
            });
            match step {
                Ok((got, put)) => {
                    done += put;
                    if put < got || got == 0 {
                        break;
                    }
                }
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        mapped::refresh(&self.console);
        Ok(done)
    }
}

impl FileOps for HostFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        if self.reopened {
            let mut position = file.position.lock();
            let n = self.read_at(file, *position, out)?;
            *position += n as u64;
            return Ok(n);
        }
        match self.fd {
            0 => self.read_by(out, |_, buf| hostcall::console_read(buf)),
            // The host reads only descriptor 0 at its position.
            fd => self.read_by(out, |_, buf| {
                let at = hostcall::console_seek(fd, 0, SEEK_CUR)?;
                let n = hostcall::console_read_at(fd, at as u64, buf)?;
                hostcall::console_seek(fd, n as i64, SEEK_CUR)?;
                Ok(n)
            }),
        }
    }

    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        if self.reopened {
            let mut position = file.position.lock();
            if file.append() {
                *position = hostcall::console_attr(self.fd)?.size;
            }
            let n = self.write_at(file, *position, src)?;
            *position += n as u64;
            return Ok(n);
        }
        let room = if file_size_limit() == u64::MAX {
            usize::MAX
        } else if file.append() {
            room(hostcall::console_attr(self.fd)?.size)?
        } else {
            room(hostcall::console_seek(self.fd, 0, SEEK_CUR)? as u64)?
        };
        self.write_by(src, room, |_, data| hostcall::console_write(self.fd, data))
    }

    fn read_at(&self, _file: &File, offset: u64, out: &mut dyn Sink) -> SysResult {
        self.read_by(out, |done, buf| {
            hostcall::console_read_at(self.fd, offset.saturating_add(done as u64), buf)
        })
    }

    fn write_at(&self, _file: &File, offset: u64, src: &mut dyn Source) -> SysResult {
        self.write_by(src, room(offset)?, |done, data| {
            hostcall::console_write_at(self.fd, offset.saturating_add(done as u64), data)
        })
    }

    fn seek(&self, file: &File, offset: i64, whence: u32) -> SysResult {
        if self.reopened {
            let mut position = file.position.lock();
            let now = i64::try_from(*position).unwrap_or(i64::MAX);
            let base = match whence {
                SEEK_SET => 0,
                SEEK_CUR => now,
                SEEK_END => i64::try_from(hostcall::console_attr(self.fd)?.size).unwrap_or(0),
                _ => return Err(Errno::EINVAL),
            };
            let target = base.checked_add(offset).ok_or(Errno::EINVAL)?;
            *position = u64::try_from(target).map_err(|_| Errno::EINVAL)?;
            return Ok(target as usize);
        }
        hostcall::console_seek(self.fd, offset, whence)
    }

    fn ioctl(&self, file: &File, request: u32, arg: u64) -> SysResult {
        if request != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let position = self.seek(file, 0, SEEK_CUR)? as u64;
        let size = hostcall::console_attr(self.fd)?.size;
        user::write(arg, &(size.saturating_sub(position) as u32))?;
        Ok(0)
    }

    fn poll(&self, _file: &File, _table: &mut PollTable) -> PollEvents {
        PollEvents::IN | PollEvents::OUT | PollEvents::RDNORM | PollEvents::WRNORM
    }

    fn object(&self) -> Result<Arc<dyn MemoryObject>, Errno> {
        Ok(mapped::open(self.fd, &self.console))
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        let attr = hostcall::console_attr(self.fd)?;
        let time = |[sec, nsec]: [i64; 2]| Timestamp { sec, nsec };
        let owner = (attr.uid, attr.gid);
        Ok(Metadata {
            nlink: attr.nlink,
            size: attr.size,
            blocks: attr.blocks,
            blksize: attr.blksize as u32,
            atime: time(attr.atime),
            mtime: time(attr.mtime),
            ctime: time(attr.ctime),
            btime: time(attr.btime),
            ..pseudo::attributes(attr.dev, attr.ino, attr.mode, owner)
        })
    }

    fn describe(&self, file: &File) -> Description {
        let text = format!("file:[{}]", self.console.ino);
        pseudo::describe("file", file, text.as_bytes())
    }

    fn inode(&self) -> Option<Arc<dyn Inode>> {
        Some(Arc::new(HostInode(*self)))
    }
}

/// The inode behind a [`HostFile`].
struct HostInode(HostFile);

impl Inode for HostInode {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        FileOps::metadata(&self.0)
    }

    fn set_attr(&self, attr: &SetAttr) -> Result<(), Errno> {
        match attr.size {
            Some(size) => hostcall::console_truncate(self.0.fd, size),
            None => Err(Errno::EPERM),
        }
    }

    /// The caller's descriptor is all that there is: what it can't do, the new one can't either.
    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        let have = self.0.console.flags & O_ACCMODE;
        if have != O_RDWR && have != flags & O_ACCMODE {
            return Err(Errno::EACCES);
        }
        Ok(Arc::new(HostFile {
            reopened: true,
            ..self.0
        }))
    }
}
