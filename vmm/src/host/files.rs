//! Host files, read-only, beneath one root directory: a table of O_PATH descriptors that the guest names by handle.
//!
//! A file is opened for reading only when its contents are asked for, and only if it is a regular file or a directory: looking at a
//! device or a FIFO has no effect on it. Contents go straight from the host's page cache into guest memory.

use std::collections::HashMap;
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, SeekFrom, Statx, StatxFlags,
};
use rustix::io::Errno;
use vitrine_abi::boot::Region;
use vitrine_abi::hostcall::{HostAttr, HostDirEntry, HostStatFs};
use zerocopy::{FromZeros, IntoBytes};

use super::hide::Hidden;
use super::put;
use crate::kvm::{GuestRam, MAX_PIECES};

/// Longest path of one call (PATH_MAX).
const MAX_PATH: u64 = 4096;
/// Most bytes that one `ReadDir` fills.
const MAX_LISTING: u64 = 256 << 10;
/// Longest extended attribute (XATTR_SIZE_MAX).
const MAX_XATTR: u64 = 64 << 10;
/// Descriptors that stay for everything but the guest's handles.
const OTHER_DESCRIPTORS: u64 = 64;
/// Most handles, however many descriptors the host allows.
const MAX_HANDLES: u64 = 1 << 20;
/// `f_type` of procfs.
const PROC_MAGIC: u64 = 0x9fa0;
/// Inode number of procfs' root.
const PROC_ROOT: u64 = 1;

/// Why the guest's view of files could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The root.
    #[error("opening the root directory {}: {cause}; name another with --root", .path.display())]
    Root {
        /// As given.
        path: PathBuf,
        /// The host's answer.
        cause: Errno,
    },
    /// The root is in procfs.
    #[error("using {} as root: it belongs to procfs, which is never served; name another with --root", .0.display())]
    ProcRoot(PathBuf),
    /// `/proc` isn't there.
    #[error("opening /proc/self/fd: {0}; mount procfs on /proc")]
    Proc(Errno),
    /// A path to hide.
    #[error("hiding {}: {cause}; --hide takes a path below the sandbox's root whose directory exists", .path.display())]
    Hide {
        /// As given.
        path: PathBuf,
        /// The host's answer.
        cause: Errno,
    },
}

struct Handle {
    fd: OwnedFd,
    kind: FileType,
    dev: u64,
    ino: u64,
    /// `fd` may be read from.
    open: bool,
}

/// The table of handles.
pub struct Files {
    handles: Vec<Option<Handle>>,
    free: Vec<u64>,
    limit: u64,
    own_descriptors: OwnedFd,
    hidden: Hidden,
    /// Whether a device (st_dev) is a procfs.
    procfs: HashMap<u64, bool>,
}

impl Files {
    /// For `root`, with the paths in `hide` (absolute, below the root) out of sight. `descriptors` is the process's limit of them.
    pub fn new(root: &Path, hide: &[PathBuf], descriptors: u64) -> Result<Files, FileError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fail = |cause| FileError::Root {
            path: root.to_owned(),
            cause,
        };
        let fd = rustix::fs::openat(CWD, root, flags, Mode::empty()).map_err(fail)?;
        if is_procfs(fd.as_fd()) {
            return Err(FileError::ProcRoot(root.to_owned()));
        }
        let own_descriptors = rustix::fs::openat(CWD, "/proc/self/fd", flags, Mode::empty())
            .map_err(FileError::Proc)?;
        let mut hidden = Hidden::default();
        for path in hide {
            hidden
                .add(fd.as_fd(), path)
                .map_err(|cause| FileError::Hide {
                    path: path.clone(),
                    cause,
                })?;
        }
        let stat = stat_of(fd.as_fd()).map_err(fail)?;
        let root = Handle {
            fd,
            kind: FileType::Directory,
            dev: device(&stat),
            ino: stat.stx_ino,
            open: false,
        };
        Ok(Files {
            handles: vec![Some(root)],
            free: Vec::new(),
            limit: descriptors
                .saturating_sub(OTHER_DESCRIPTORS)
                .clamp(16, MAX_HANDLES),
            own_descriptors,
            hidden,
            procfs: HashMap::new(),
        })
    }

    /// What `path` (absolute in the sandbox) is, following symlinks. For the VMM's own checks.
    pub fn look_at(&self, path: &[u8]) -> Result<(FileType, u32), Errno> {
        let root = self.handle(0)?;
        let path = CString::new(path).map_err(|_| Errno::INVAL)?;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let fd = open_beneath(root.fd.as_fd(), &path, flags, resolve)?;
        let stat = stat_of(fd.as_fd())?;
        if self.hidden.hides_node(device(&stat), stat.stx_ino) {
            return Err(Errno::NOENT);
        }
        let mode = u32::from(stat.stx_mode);
        Ok((FileType::from_raw_mode(mode), mode))
    }

    fn handle(&self, number: u64) -> Result<&Handle, Errno> {
        usize::try_from(number)
            .ok()
            .and_then(|index| self.handles.get(index)?.as_ref())
            .ok_or(Errno::BADF)
    }

    fn handle_mut(&mut self, number: u64) -> Result<&mut Handle, Errno> {
        usize::try_from(number)
            .ok()
            .and_then(|index| self.handles.get_mut(index)?.as_mut())
            .ok_or(Errno::BADF)
    }

    fn insert(&mut self, handle: Handle) -> Result<u64, Errno> {
        if let Some(number) = self.free.pop() {
            self.handles[number as usize] = Some(handle);
            return Ok(number);
        }
        let number = self.handles.len() as u64;
        if number >= self.limit {
            return Err(Errno::MFILE);
        }
        self.handles.push(Some(handle));
        Ok(number)
    }

    /// `Op::Lookup`.
    pub(super) fn lookup(
        &mut self,
        ram: &GuestRam,
        parent: u64,
        buf: u64,
        len: u64,
        attr_buf: u64,
    ) -> Result<u64, Errno> {
        let path = relative_path(ram, buf, len)?;
        let parent = self.handle(parent)?;
        if parent.kind != FileType::Directory {
            return Err(Errno::NOTDIR);
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let fd = if self.hidden.is_empty() {
            open_beneath(parent.fd.as_fd(), &path, flags, resolve)?
        } else {
            self.hidden
                .walk(parent.fd.as_fd(), (parent.dev, parent.ino), &path)?
        };
        let stat = stat_of(fd.as_fd())?;
        let dev = device(&stat);
        let served = *self
            .procfs
            .entry(dev)
            .or_insert_with(|| is_procfs(fd.as_fd()));
        if served && stat.stx_ino != PROC_ROOT {
            return Err(Errno::NOENT);
        }
        put(ram, attr_buf, &attributes(&stat))?;
        self.insert(Handle {
            fd,
            kind: FileType::from_raw_mode(stat.stx_mode.into()),
            dev,
            ino: stat.stx_ino,
            open: false,
        })
    }

    /// `Op::GetAttr`.
    pub(super) fn get_attr(&self, ram: &GuestRam, handle: u64, buf: u64) -> Result<u64, Errno> {
        let stat = stat_of(self.handle(handle)?.fd.as_fd())?;
        put(ram, buf, &attributes(&stat))
    }

    /// `Op::Close`. The root can't be closed.
    pub(super) fn close(&mut self, number: u64) -> Result<u64, Errno> {
        let slot = usize::try_from(number)
            .ok()
            .filter(|&index| index != 0)
            .and_then(|index| self.handles.get_mut(index))
            .ok_or(Errno::BADF)?;
        if slot.take().is_none() {
            return Err(Errno::BADF);
        }
        self.free.push(number);
        Ok(0)
    }

    /// `Op::ReadLink`.
    pub(super) fn read_link(
        &self,
        ram: &GuestRam,
        handle: u64,
        buf: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        let handle = self.handle(handle)?;
        if handle.kind != FileType::Symlink {
            return Err(Errno::INVAL);
        }
        let target = rustix::fs::readlinkat(&handle.fd, "", Vec::new())?;
        let target = target.as_bytes();
        let count = target.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        ram.write(buf, &target[..count])?;
        Ok(count as u64)
    }

    /// `Op::Read`.
    pub(super) fn read(
        &mut self,
        ram: &GuestRam,
        handle: u64,
        offset: u64,
        iov_buf: u64,
        iov_count: u64,
    ) -> Result<u64, Errno> {
        let count = usize::try_from(iov_count).map_err(|_| Errno::INVAL)?;
        if count > MAX_PIECES {
            return Err(Errno::INVAL);
        }
        let mut pieces = vec![Region::default(); count];
        ram.read(iov_buf, pieces.as_mut_bytes())?;
        self.open_for_reading(handle)?;
        let fd = self.handle(handle)?.fd.as_fd();
        let wanted = pieces
            .iter()
            .fold(0u64, |sum, piece| sum.saturating_add(piece.len));
        if !pieces
            .iter()
            .all(|piece| ram.contains(piece.addr, piece.len))
        {
            return Err(Errno::FAULT);
        }
        // Pieces may name the same memory many times over, but not to keep the vCPU's thread here for as long as they like.
        if wanted > ram.bytes() {
            return Err(Errno::INVAL);
        }
        // "A short count means the end of the file": go on where the host stopped early.
        let mut done = 0u64;
        while done < wanted {
            let read = match ram.read_file(fd, offset.saturating_add(done), &pieces) {
                Ok(read) => read as u64,
                Err(cause) if cause.raw_os_error() == Some(Errno::INTR.raw_os_error()) => continue,
                Err(_) if done > 0 => break,
                Err(cause) => {
                    return Err(Errno::from_io_error(&cause).unwrap_or(Errno::IO));
                }
            };
            if read == 0 {
                break;
            }
            done += read;
            advance(&mut pieces, read);
        }
        Ok(done)
    }

    /// `Op::StatFs`.
    pub(super) fn statfs(&self, ram: &GuestRam, handle: u64, buf: u64) -> Result<u64, Errno> {
        let stat = rustix::fs::fstatfs(&self.handle(handle)?.fd)?;
        let statfs = HostStatFs {
            kind: stat.f_type.cast_unsigned(),
            bsize: stat.f_bsize.cast_unsigned(),
            blocks: stat.f_blocks,
            bfree: stat.f_bfree,
            bavail: stat.f_bavail,
            files: stat.f_files,
            ffree: stat.f_ffree,
            namelen: stat.f_namelen.cast_unsigned(),
            frsize: stat.f_frsize.cast_unsigned(),
        };
        put(ram, buf, &statfs)
    }

    /// `Op::GetXattr`.
    pub(super) fn get_xattr(
        &self,
        ram: &GuestRam,
        handle: u64,
        name_buf: u64,
        name_len: u64,
        buf: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        let name = string(ram, name_buf, name_len)?;
        let handle = self.handle(handle)?;
        // An O_PATH descriptor gives no attributes; the path that stands for it does.
        let path = format!("/proc/self/fd/{}", handle.fd.as_raw_fd());
        if len == 0 {
            return Ok(rustix::fs::getxattr_query(path, name)? as u64);
        }
        let mut value = vec![0; len.min(MAX_XATTR) as usize];
        let count = rustix::fs::getxattr(path, name, &mut value[..])?;
        ram.write(buf, &value[..count])?;
        Ok(count as u64)
    }

    /// `Op::ListXattr`.
    pub(super) fn list_xattr(
        &self,
        ram: &GuestRam,
        handle: u64,
        buf: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        let handle = self.handle(handle)?;
        let path = format!("/proc/self/fd/{}", handle.fd.as_raw_fd());
        if len == 0 {
            return Ok(rustix::fs::listxattr_query(path)? as u64);
        }
        let mut names = vec![0; len.min(MAX_XATTR) as usize];
        let count = rustix::fs::listxattr(path, &mut names[..])?;
        ram.write(buf, &names[..count])?;
        Ok(count as u64)
    }

    /// `Op::XattrEntries`.
    pub(super) fn xattr_entries(
        &mut self,
        ram: &GuestRam,
        number: u64,
        buf: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        if self.handle(number)?.kind != FileType::Directory {
            return Err(Errno::NOTDIR);
        }
        self.open_for_reading(number)?;
        let handle = self.handle(number)?;
        if is_procfs(handle.fd.as_fd()) {
            return Ok(0);
        }
        rustix::fs::seek(&handle.fd, SeekFrom::Start(0))?;
        let limit = len.min(MAX_LISTING) as usize;
        let mut names = Vec::new();
        let mut path = format!("/proc/self/fd/{}/", handle.fd.as_raw_fd()).into_bytes();
        let prefix = path.len();
        let mut host_buf = [MaybeUninit::uninit(); 8 << 10];
        let mut entries = RawDir::new(&handle.fd, &mut host_buf);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            path.truncate(prefix);
            path.extend_from_slice(name);
            if matches!(name, b"." | b"..")
                || rustix::fs::llistxattr_query(&path[..]).unwrap_or(0) == 0
            {
                continue;
            }
            if names.len() + name.len() >= limit {
                return Err(Errno::RANGE);
            }
            names.extend_from_slice(name);
            names.push(0);
        }
        ram.write(buf, &names)?;
        Ok(names.len() as u64)
    }

    /// Replaces a handle's O_PATH descriptor by one that can be read.
    fn open_for_reading(&mut self, number: u64) -> Result<(), Errno> {
        let handle = self.handle(number)?;
        if handle.open {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
        let fd = match handle.kind {
            FileType::RegularFile => {
                let name = handle.fd.as_raw_fd().to_string();
                let flags = flags | OFlags::NONBLOCK;
                rustix::fs::openat(&self.own_descriptors, name, flags, Mode::empty())?
            }
            FileType::Directory => {
                let flags = flags | OFlags::DIRECTORY;
                rustix::fs::openat(&handle.fd, ".", flags, Mode::empty())?
            }
            _ => return Err(Errno::INVAL),
        };
        let handle = self.handle_mut(number)?;
        handle.fd = fd;
        handle.open = true;
        Ok(())
    }

    /// `Op::ReadDir`.
    pub(super) fn read_dir(
        &mut self,
        ram: &GuestRam,
        number: u64,
        cookie: u64,
        buf: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        if !ram.contains(buf, len) {
            return Err(Errno::FAULT);
        }
        if self.handle(number)?.kind != FileType::Directory {
            return Err(Errno::NOTDIR);
        }
        self.open_for_reading(number)?;
        let handle = self.handle(number)?;
        if is_procfs(handle.fd.as_fd()) {
            return Ok(0);
        }
        rustix::fs::seek(&handle.fd, SeekFrom::Start(cookie))?;
        let limit = len.min(MAX_LISTING) as usize;
        let mut listing = Vec::with_capacity(limit.min(32 << 10));
        let mut host_buf = [MaybeUninit::uninit(); 8 << 10];
        let mut entries = RawDir::new(&handle.fd, &mut host_buf);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
            let stat = rustix::fs::statx(&handle.fd, name, flags, WANTED).ok();
            let node = stat.as_ref().map(|stat| (device(stat), stat.stx_ino));
            if self
                .hidden
                .hides((handle.dev, handle.ino), name.to_bytes(), node)
            {
                continue;
            }
            let attr = stat.as_ref().map(attributes).unwrap_or_default();
            if !push_entry(
                &mut listing,
                limit,
                name.to_bytes(),
                entry.next_entry_cookie(),
                attr,
            ) {
                if listing.is_empty() {
                    return Err(Errno::INVAL);
                }
                break;
            }
        }
        ram.write(buf, &listing)?;
        Ok(listing.len() as u64)
    }
}

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// Appends a record if it fits.
fn push_entry(
    listing: &mut Vec<u8>,
    limit: usize,
    name: &[u8],
    next_cookie: u64,
    attr: HostAttr,
) -> bool {
    let len = (size_of::<HostDirEntry>() + name.len()).next_multiple_of(8);
    if listing.len() + len > limit {
        return false;
    }
    let mut record = HostDirEntry::new_zeroed();
    record.record_len = len as u32;
    record.name_len = name.len() as u32;
    record.next_cookie = next_cookie;
    record.attr = attr;
    let end = listing.len() + len;
    listing.extend_from_slice(record.as_bytes());
    listing.extend_from_slice(name);
    listing.resize(end, 0);
    true
}

/// Drops the first `count` bytes from the front of the pieces.
fn advance(pieces: &mut Vec<Region>, mut count: u64) {
    let mut whole = 0;
    for piece in pieces.iter_mut() {
        if count < piece.len {
            piece.addr += count;
            piece.len -= count;
            break;
        }
        count -= piece.len;
        whole += 1;
    }
    pieces.drain(..whole);
}

fn string(ram: &GuestRam, buf: u64, len: u64) -> Result<CString, Errno> {
    if len > MAX_PATH {
        return Err(Errno::NAMETOOLONG);
    }
    let mut bytes = vec![0; len as usize];
    ram.read(buf, &mut bytes)?;
    CString::new(bytes).map_err(|_| Errno::INVAL)
}

/// A path that can only lead downwards.
fn relative_path(ram: &GuestRam, buf: u64, len: u64) -> Result<CString, Errno> {
    let path = string(ram, buf, len)?;
    let bytes = path.as_bytes();
    if bytes.is_empty() {
        return Err(Errno::NOENT);
    }
    let climbs = bytes
        .split(|&byte| byte == b'/')
        .any(|component| component == b"..");
    if bytes[0] == b'/' || climbs {
        return Err(Errno::INVAL);
    }
    Ok(path)
}

/// openat2(2), again when a rename elsewhere disturbed it.
pub(super) fn open_beneath(
    dir: BorrowedFd<'_>,
    path: &CString,
    flags: OFlags,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    for _ in 0..16 {
        match rustix::fs::openat2(dir, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

pub(super) fn stat_of(fd: BorrowedFd<'_>) -> Result<Statx, Errno> {
    rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, WANTED)
}

pub(super) fn device(stat: &Statx) -> u64 {
    rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor)
}

fn is_procfs(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstatfs(fd).is_ok_and(|stat| stat.f_type.cast_unsigned() == PROC_MAGIC)
}

pub(super) fn attributes(stat: &Statx) -> HostAttr {
    let time =
        |time: &rustix::fs::StatxTimestamp| -> [i64; 2] { [time.tv_sec, time.tv_nsec.into()] };
    HostAttr {
        dev: device(stat),
        ino: stat.stx_ino,
        mode: stat.stx_mode.into(),
        nlink: stat.stx_nlink,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        rdev: rustix::fs::makedev(stat.stx_rdev_major, stat.stx_rdev_minor),
        size: stat.stx_size,
        blocks: stat.stx_blocks,
        blksize: stat.stx_blksize.into(),
        atime: time(&stat.stx_atime),
        mtime: time(&stat.stx_mtime),
        ctime: time(&stat.stx_ctime),
        btime: if StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME) {
            time(&stat.stx_btime)
        } else {
            [0; 2]
        },
    }
}

#[cfg(test)]
mod tests;
