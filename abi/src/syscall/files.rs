//! Rows: names, metadata, directories, extended attributes.
use super::{
    kinds::{ArgKind::*, Dir::*, Set as S, StructKind as K},
    rows,
};

rows! {
    OPEN open(pathname: Path, flags: Flags(S::OpenFlags), mode: Depends) -> Fd;
    OPENAT openat(dirfd: AtFd, pathname: Path, flags: Flags(S::OpenFlags), mode: Depends) -> Fd;
    OPENAT2 openat2(dirfd: AtFd, pathname: Path, how: Struct(K::OpenHow, In), size: Size) -> Fd;
    CREAT creat(pathname: Path, mode: Mode) -> Fd;
    NAME_TO_HANDLE_AT name_to_handle_at(dirfd: AtFd, pathname: Path, handle: Struct(K::FileHandle, InOut), mount_id: Struct(K::Int, Out), flags: Flags(S::AtHandle)) -> Int;
    OPEN_BY_HANDLE_AT open_by_handle_at(mount_fd: Fd, handle: Struct(K::FileHandle, In), flags: Flags(S::OpenFlags)) -> Fd;
    STAT stat(pathname: Path, statbuf: Struct(K::Stat, Out)) -> Int;
    FSTAT fstat(fd: Fd, statbuf: Struct(K::Stat, Out)) -> Int;
    LSTAT lstat(pathname: Path, statbuf: Struct(K::Stat, Out)) -> Int;
    NEWFSTATAT newfstatat(dirfd: AtFd, pathname: Path, statbuf: Struct(K::Stat, Out), flags: Flags(S::AtStat)) -> Int;
    STATX statx(dirfd: AtFd, pathname: Path, flags: Flags(S::AtStatx), mask: Flags(S::StatxMask), statxbuf: Struct(K::Statx, Out)) -> Int;
    STATFS statfs(path: Path, buf: Struct(K::Statfs, Out)) -> Int;
    FSTATFS fstatfs(fd: Fd, buf: Struct(K::Statfs, Out)) -> Int;
    USTAT ustat(dev: Dev, ubuf: Struct(K::Ustat, Out)) -> Int;
    ACCESS access(pathname: Path, mode: Flags(S::Access)) -> Int;
    FACCESSAT faccessat(dirfd: AtFd, pathname: Path, mode: Flags(S::Access)) -> Int;
    FACCESSAT2 faccessat2(dirfd: AtFd, pathname: Path, mode: Flags(S::Access), flags: Flags(S::AtAccess)) -> Int;
    TRUNCATE truncate(path: Path, length: Ulong) -> Int;
    FTRUNCATE ftruncate(fd: Fd, length: Ulong) -> Int;
    GETDENTS getdents(fd: Fd, dirp: DirEntries, count: Uint) -> Int;
    GETDENTS64 getdents64(fd: Fd, dirp: DirEntries, count: Uint) -> Int;
    GETCWD getcwd(buf: StrOut, size: Size) -> Int;
    CHDIR chdir(path: Path) -> Int;
    FCHDIR fchdir(fd: Fd) -> Int;
    CHROOT chroot(path: Path) -> Int;
    PIVOT_ROOT pivot_root(new_root: Path, put_old: Path) -> Int;
    RENAME rename(oldpath: Path, newpath: Path) -> Int;
    RENAMEAT renameat(olddirfd: AtFd, oldpath: Path, newdirfd: AtFd, newpath: Path) -> Int;
    RENAMEAT2 renameat2(olddirfd: AtFd, oldpath: Path, newdirfd: AtFd, newpath: Path, flags: Flags(S::Rename)) -> Int;
    MKDIR mkdir(pathname: Path, mode: Mode) -> Int;
    MKDIRAT mkdirat(dirfd: AtFd, pathname: Path, mode: Mode) -> Int;
    RMDIR rmdir(pathname: Path) -> Int;
    LINK link(oldpath: Path, newpath: Path) -> Int;
    LINKAT linkat(olddirfd: AtFd, oldpath: Path, newdirfd: AtFd, newpath: Path, flags: Flags(S::AtLink)) -> Int;
    UNLINK unlink(pathname: Path) -> Int;
    UNLINKAT unlinkat(dirfd: AtFd, pathname: Path, flags: Flags(S::AtUnlink)) -> Int;
    SYMLINK symlink(target: Path, linkpath: Path) -> Int;
    SYMLINKAT symlinkat(target: Path, newdirfd: AtFd, linkpath: Path) -> Int;
    READLINK readlink(pathname: Path, buf: BufOut(2), bufsiz: Size) -> Int;
    READLINKAT readlinkat(dirfd: AtFd, pathname: Path, buf: BufOut(3), bufsiz: Size) -> Int;
    CHMOD chmod(pathname: Path, mode: Mode) -> Int;
    FCHMOD fchmod(fd: Fd, mode: Mode) -> Int;
    FCHMODAT fchmodat(dirfd: AtFd, pathname: Path, mode: Mode) -> Int;
    FCHMODAT2 fchmodat2(dirfd: AtFd, pathname: Path, mode: Mode, flags: Flags(S::AtEmptyNofollow)) -> Int;
    CHOWN chown(pathname: Path, owner: Uid, group: Gid) -> Int;
    FCHOWN fchown(fd: Fd, owner: Uid, group: Gid) -> Int;
    LCHOWN lchown(pathname: Path, owner: Uid, group: Gid) -> Int;
    FCHOWNAT fchownat(dirfd: AtFd, pathname: Path, owner: Uid, group: Gid, flags: Flags(S::AtEmptyNofollow)) -> Int;
    UMASK umask(mask: Mode) -> Mode;
    UTIME utime(filename: Path, times: Struct(K::Utimbuf, In)) -> Int;
    UTIMES utimes(filename: Path, times: Struct(K::TimevalPair, In)) -> Int;
    FUTIMESAT futimesat(dirfd: AtFd, pathname: Path, times: Struct(K::TimevalPair, In)) -> Int;
    UTIMENSAT utimensat(dirfd: AtFd, pathname: Path, times: Struct(K::TimespecPair, In), flags: Flags(S::AtEmptyNofollow)) -> Int;
    MKNOD mknod(pathname: Path, mode: FileMode, dev: Depends) -> Int;
    MKNODAT mknodat(dirfd: AtFd, pathname: Path, mode: FileMode, dev: Depends) -> Int;
    SETXATTR setxattr(path: Path, name: Str, value: BufIn(3), size: Size, flags: Flags(S::Xattr)) -> Int;
    LSETXATTR lsetxattr(path: Path, name: Str, value: BufIn(3), size: Size, flags: Flags(S::Xattr)) -> Int;
    FSETXATTR fsetxattr(fd: Fd, name: Str, value: BufIn(3), size: Size, flags: Flags(S::Xattr)) -> Int;
    GETXATTR getxattr(path: Path, name: Str, value: BufOut(3), size: Size) -> Int;
    LGETXATTR lgetxattr(path: Path, name: Str, value: BufOut(3), size: Size) -> Int;
    FGETXATTR fgetxattr(fd: Fd, name: Str, value: BufOut(3), size: Size) -> Int;
    LISTXATTR listxattr(path: Path, list: BufOut(2), size: Size) -> Int;
    LLISTXATTR llistxattr(path: Path, list: BufOut(2), size: Size) -> Int;
    FLISTXATTR flistxattr(fd: Fd, list: BufOut(2), size: Size) -> Int;
    REMOVEXATTR removexattr(path: Path, name: Str) -> Int;
    LREMOVEXATTR lremovexattr(path: Path, name: Str) -> Int;
    FREMOVEXATTR fremovexattr(fd: Fd, name: Str) -> Int;
    LOOKUP_DCOOKIE lookup_dcookie(cookie: Ulong, buffer: BufOut(2), len: Size) -> Int;
}
