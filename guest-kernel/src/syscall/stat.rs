//! stat and its kin, access, statfs.

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{
        self, File, Inode, Location, Metadata, access as permission, mount,
        path::{Walker, start_of},
    },
    mm::user,
    task::Credentials,
};
use alloc::sync::Arc;
use linux_raw_sys::general::*;
use vitrine_abi::nr;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::STAT, call!(stat; 2));
    table.set(nr::LSTAT, call!(lstat; 2));
    table.set(nr::FSTAT, call!(fstat; 2));
    table.set(nr::NEWFSTATAT, call!(newfstatat; 4));
    table.set(nr::STATX, call!(statx; 5));
    table.set(nr::ACCESS, call!(access; 2));
    table.set(nr::FACCESSAT, call!(faccessat; 3));
    table.set(nr::FACCESSAT2, call!(faccessat2; 4));
    table.set(nr::STATFS, call!(statfs; 2));
    table.set(nr::FSTATFS, call!(fstatfs; 2));
    table.set(nr::USTAT, call!(ustat; 2));
}

/// What a descriptor and a path, maybe empty, name.
pub enum Target {
    /// A place in the tree.
    Place(Location),
    /// An open file without one: a pipe, a socket.
    Nameless(Arc<File>),
}

impl Target {
    /// What stat shows.
    pub fn metadata(&self) -> Result<Metadata, Errno> {
        match self {
            Target::Place(place) => place.inode.metadata(),
            Target::Nameless(file) => file.metadata(),
        }
    }

    /// The inode; `EINVAL` for a nameless file, whose attributes can't be changed here.
    pub fn inode(&self) -> Result<&Arc<dyn Inode>, Errno> {
        match self {
            Target::Place(place) => Ok(&place.inode),
            Target::Nameless(_) => Err(Errno::EINVAL),
        }
    }

    /// An open file's.
    pub fn of_file(file: Arc<File>) -> Target {
        match &file.location {
            Some(place) => Target::Place(place.clone()),
            None => Target::Nameless(file),
        }
    }
}

/// What `dirfd` and the path at `path` name, with AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH in `flags` (others are the caller's business).
pub fn target(dirfd: i32, path: u64, flags: u32) -> Result<Target, Errno> {
    let may_be_empty = flags & AT_EMPTY_PATH != 0;
    // The commonest case: glibc's fstat. A null path is as good as an empty one.
    if may_be_empty && (path == 0 || user::read::<u8>(path)? == 0) {
        if dirfd == AT_FDCWD {
            return Ok(Target::Place(start_of(dirfd)?));
        }
        return Ok(Target::of_file(fs::current_files()?.get(dirfd)?));
    }
    let path = user::read_path(path)?;
    let walker = Walker::new(dirfd, &path)?;
    let place = walker.finish(flags & AT_SYMLINK_NOFOLLOW == 0)?;
    Ok(Target::Place(place))
}

/// `struct stat` of x86-64.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Stat {
    dev: u64,
    ino: u64,
    nlink: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    pad: u32,
    rdev: u64,
    size: u64,
    blksize: u64,
    blocks: u64,
    atime: [i64; 2],
    mtime: [i64; 2],
    ctime: [i64; 2],
    unused: [u64; 3],
}

fn write_stat(addr: u64, meta: &Metadata) -> SysResult {
    let stat = Stat {
        dev: meta.dev,
        ino: meta.ino,
        nlink: u64::from(meta.nlink),
        mode: meta.mode,
        uid: meta.uid,
        gid: meta.gid,
        pad: 0,
        rdev: meta.rdev,
        size: meta.size,
        blksize: u64::from(meta.blksize),
        blocks: meta.blocks,
        atime: [meta.atime.sec, meta.atime.nsec],
        mtime: [meta.mtime.sec, meta.mtime.nsec],
        ctime: [meta.ctime.sec, meta.ctime.nsec],
        unused: [0; 3],
    };
    user::write(addr, &stat)?;
    Ok(0)
}

/// stat(2).
pub fn stat(path: u64, buf: u64) -> SysResult {
    write_stat(buf, &target(AT_FDCWD, path, 0)?.metadata()?)
}

/// lstat(2).
pub fn lstat(path: u64, buf: u64) -> SysResult {
    let target = target(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW)?;
    write_stat(buf, &target.metadata()?)
}

/// fstat(2).
pub fn fstat(fd: i32, buf: u64) -> SysResult {
    let file = fs::current_files()?.get(fd)?;
    write_stat(buf, &file.metadata()?)
}

/// fstatat(2).
pub fn newfstatat(dirfd: i32, path: u64, buf: u64, flags: u32) -> SysResult {
    const KNOWN: u32 = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    write_stat(buf, &target(dirfd, path, flags)?.metadata()?)
}

/// `struct statx_timestamp`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct StatxTime {
    sec: i64,
    nsec: u32,
    pad: u32,
}

impl From<fs::Timestamp> for StatxTime {
    fn from(time: fs::Timestamp) -> Self {
        StatxTime {
            sec: time.sec,
            nsec: time.nsec as u32,
            pad: 0,
        }
    }
}

/// `struct statx`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Statx {
    mask: u32,
    blksize: u32,
    attributes: u64,
    nlink: u32,
    uid: u32,
    gid: u32,
    mode: u16,
    pad: u16,
    ino: u64,
    size: u64,
    blocks: u64,
    attributes_mask: u64,
    atime: StatxTime,
    btime: StatxTime,
    ctime: StatxTime,
    mtime: StatxTime,
    rdev: [u32; 2],
    dev: [u32; 2],
    mnt_id: u64,
    unused: [u64; 13],
}

/// Major and minor number of a device number as stat(2) encodes it.
pub fn major_minor(dev: u64) -> [u32; 2] {
    let major = dev >> 8 & 0xfff | dev >> 32 & 0xffff_f000;
    let minor = dev & 0xff | dev >> 12 & 0xffff_ff00;
    [major as u32, minor as u32]
}

/// statx(2).
pub fn statx(dirfd: i32, path: u64, flags: u32, mask: u32, buf: u64) -> SysResult {
    const KNOWN: u32 = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
    if mask & STATX__RESERVED != 0
        || flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE
        || flags & !KNOWN != 0
    {
        return Err(Errno::EINVAL);
    }
    let target = target(dirfd, path, flags)?;
    let meta = target.metadata()?;
    let mut found = STATX_BASIC_STATS;
    if meta.btime.sec != 0 || meta.btime.nsec != 0 {
        found |= STATX_BTIME;
    }
    let mut attributes = 0;
    let mut mnt_id = 0;
    if let Target::Place(place) = &target
        && let Some(mount) = mount::of_path(&place.path)
    {
        found |= STATX_MNT_ID;
        mnt_id = mount.id;
        if fs::same_inode(&mount.root, &place.inode) {
            attributes |= u64::from(STATX_ATTR_MOUNT_ROOT);
        }
    }
    let statx = Statx {
        mask: found,
        blksize: meta.blksize,
        attributes,
        nlink: meta.nlink,
        uid: meta.uid,
        gid: meta.gid,
        mode: meta.mode as u16,
        pad: 0,
        ino: meta.ino,
        size: meta.size,
        blocks: meta.blocks,
        attributes_mask: u64::from(STATX_ATTR_MOUNT_ROOT | STATX_ATTR_AUTOMOUNT),
        atime: meta.atime.into(),
        btime: meta.btime.into(),
        ctime: meta.ctime.into(),
        mtime: meta.mtime.into(),
        rdev: major_minor(meta.rdev),
        dev: major_minor(meta.dev),
        mnt_id,
        unused: [0; 13],
    };
    user::write(buf, &statx)?;
    Ok(0)
}

/// access(2).
pub fn access(path: u64, mode: u32) -> SysResult {
    faccessat2(AT_FDCWD, path, mode, 0)
}

/// faccessat(2), the old system call without flags.
pub fn faccessat(dirfd: i32, path: u64, mode: u32) -> SysResult {
    faccessat2(dirfd, path, mode, 0)
}

/// The credentials that access(2) checks with: the real ids, and the capabilities that go with them.
fn real_credentials() -> Arc<Credentials> {
    let cred = permission::current();
    let cap_effective = if cred.uid == 0 { cred.cap_permitted } else { 0 };
    if cred.fsuid == cred.uid && cred.fsgid == cred.gid && cred.cap_effective == cap_effective {
        return cred;
    }
    Arc::new(Credentials {
        fsuid: cred.uid,
        fsgid: cred.gid,
        cap_effective,
        ..(*cred).clone()
    })
}

/// faccessat2(2).
pub fn faccessat2(dirfd: i32, path: u64, mode: u32, flags: u32) -> SysResult {
    const ANY: u32 = permission::READ | permission::WRITE | permission::EXEC;
    if mode & !ANY != 0 || flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let cred = if flags & AT_EACCESS != 0 {
        permission::current()
    } else {
        real_credentials()
    };
    let text = user::read_path(path)?;
    let target = if text.is_empty() && flags & AT_EMPTY_PATH != 0 {
        target(dirfd, path, flags)?
    } else {
        let walker = Walker::new(dirfd, &text)?.with_credentials(cred.clone());
        Target::Place(walker.finish(flags & AT_SYMLINK_NOFOLLOW == 0)?)
    };
    let Target::Place(place) = target else {
        return Ok(0);
    };
    if mode == F_OK {
        return Ok(0);
    }
    let own = place.inode.ownership()?;
    permission::check(&own, &cred, mode)?;
    let special = matches!(own.kind(), S_IFIFO | S_IFSOCK | S_IFCHR | S_IFBLK);
    if mode & permission::WRITE != 0 && !special {
        mount::check_writable(&place)?;
    }
    Ok(0)
}

/// `struct statfs` of x86-64.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Statfs {
    kind: u64,
    bsize: u64,
    blocks: u64,
    bfree: u64,
    bavail: u64,
    files: u64,
    ffree: u64,
    fsid: [u32; 2],
    namelen: u64,
    frsize: u64,
    flags: u64,
    spare: [u64; 4],
}

fn write_statfs(buf: u64, place: &Location) -> SysResult {
    /// ST_VALID, ST_RDONLY and ST_RELATIME (statfs(2)).
    const VALID: u64 = 0x20;
    const RDONLY: u64 = 0x1;
    const RELATIME: u64 = 0x1000;
    let of = place.inode.statfs()?;
    let read_only = mount::has_flag(place, MS_RDONLY);
    let dev = place.inode.metadata().map_or(0, |meta| meta.dev);
    let statfs = Statfs {
        kind: of.kind,
        bsize: of.bsize,
        blocks: of.blocks,
        bfree: of.bfree,
        bavail: of.bfree,
        files: of.files,
        ffree: of.ffree,
        fsid: [dev as u32, (dev >> 32) as u32],
        namelen: 255,
        frsize: of.bsize,
        flags: VALID | RELATIME | if read_only { RDONLY } else { 0 },
        spare: [0; 4],
    };
    user::write(buf, &statfs)?;
    Ok(0)
}

/// statfs(2).
pub fn statfs(path: u64, buf: u64) -> SysResult {
    let path = user::read_path(path)?;
    write_statfs(buf, &Walker::new(AT_FDCWD, &path)?.finish(true)?)
}

/// `f_type` of pipes and sockets.
const PIPEFS_MAGIC: u64 = 0x5049_5045;
const SOCKFS_MAGIC: u64 = 0x534f_434b;
const ANON_INODE_MAGIC: u64 = 0x0904_1934;

/// fstatfs(2).
pub fn fstatfs(fd: i32, buf: u64) -> SysResult {
    let file = fs::current_files()?.get(fd)?;
    if let Some(place) = &file.location {
        return write_statfs(buf, place);
    }
    let kind = match file.metadata()?.mode & S_IFMT {
        S_IFIFO => PIPEFS_MAGIC,
        S_IFSOCK => SOCKFS_MAGIC,
        _ => ANON_INODE_MAGIC,
    };
    let statfs = Statfs {
        kind,
        bsize: 4096,
        namelen: 255,
        frsize: 4096,
        flags: 0x20,
        ..Statfs::default()
    };
    user::write(buf, &statfs)?;
    Ok(0)
}

/// ustat(2).
pub fn ustat(dev: u32, buf: u64) -> SysResult {
    /// `struct ustat`.
    #[repr(C)]
    #[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
    struct Ustat {
        tfree: u32,
        pad: u32,
        tinode: u64,
        fname: [u8; 12],
        end: u32,
    }
    let mounts = mount::list();
    let of_dev = |m: &&Arc<mount::Mount>| {
        let meta = m.root.metadata();
        meta.is_ok_and(|meta| meta.dev == u64::from(dev))
    };
    let mount = mounts.iter().find(of_dev).ok_or(Errno::EINVAL)?;
    let of = mount.root.statfs()?;
    let ustat = Ustat {
        tfree: of.bfree as u32,
        pad: 0,
        tinode: of.ffree,
        fname: [0; 12],
        end: 0,
    };
    user::write(buf, &ustat)?;
    Ok(0)
}
