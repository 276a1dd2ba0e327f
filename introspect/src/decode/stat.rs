//! The stat family: modes, devices, `struct stat`, `struct statx`, `struct statfs`.

use super::{Style, View, names, notation, put, text, times::date_comment};
use vitrine_abi::syscall::Set;

/// File type and permission bits: `S_IFREG|0644`.
pub fn file_mode(out: &mut Vec<u8>, mode: u32) {
    notation::constant(
        out,
        |out| text::mode(out, u64::from(mode)),
        |out| symbolic_mode(out, mode),
    );
}

fn symbolic_mode(out: &mut Vec<u8>, mode: u32) {
    let kind = match mode & 0o170_000 {
        0o010_000 => "S_IFIFO",
        0o020_000 => "S_IFCHR",
        0o040_000 => "S_IFDIR",
        0o060_000 => "S_IFBLK",
        0o100_000 => "S_IFREG",
        0o120_000 => "S_IFLNK",
        0o140_000 => "S_IFSOCK",
        _ => "",
    };
    if kind.is_empty() && (mode & 0o170_000 != 0 || mode & 0o7000 == 0) {
        return text::mode(out, u64::from(mode));
    }
    let start = out.len();
    put(out, kind);
    for (bit, name) in [
        (0o4000, "|S_ISUID"),
        (0o2000, "|S_ISGID"),
        (0o1000, "|S_ISVTX"),
    ] {
        if mode & bit != 0 {
            put(out, name);
        }
    }
    if kind.is_empty() {
        out.remove(start);
    }
    out.push(b'|');
    text::mode(out, u64::from(mode & 0o777));
}

/// A device number: `makedev(0x1, 0x3)`.
pub fn device(out: &mut Vec<u8>, dev: u64) {
    let major = dev >> 8 & 0xfff | dev >> 32 & 0xffff_f000;
    let minor = dev & 0xff | dev >> 12 & 0xffff_ff00;
    notation::constant(
        out,
        |out| text::hex(out, dev),
        |out| make_device(out, major, minor),
    );
}

fn make_device(out: &mut Vec<u8>, major: u64, minor: u64) {
    put(out, "makedev(");
    text::hex(out, major);
    put(out, ", ");
    text::hex(out, minor);
    out.push(b')');
}

/// A `struct stat`.
pub fn stat(out: &mut Vec<u8>, view: View<'_>, style: &Style) {
    let mode = view.u32(24);
    out.push(b'{');
    if !style.abbreviate {
        put(out, "st_dev=");
        device(out, view.u64(0));
        put(out, ", st_ino=");
        text::udec(out, view.u64(8));
        put(out, ", ");
    }
    put(out, "st_mode=");
    file_mode(out, mode);
    put(out, ", ");
    if !style.abbreviate {
        put(out, "st_nlink=");
        text::udec(out, view.u64(16));
        put(out, ", st_uid=");
        text::udec(out, u64::from(view.u32(28)));
        put(out, ", st_gid=");
        text::udec(out, u64::from(view.u32(32)));
        put(out, ", st_blksize=");
        text::udec(out, view.u64(56));
        put(out, ", st_blocks=");
        text::udec(out, view.u64(64));
        put(out, ", ");
    }
    if matches!(mode & 0o170_000, 0o020_000 | 0o060_000) {
        put(out, "st_rdev=");
        device(out, view.u64(40));
    } else {
        put(out, "st_size=");
        text::dec(out, view.i64(48));
    }
    if style.abbreviate {
        return put(out, ", ...}");
    }
    for (offset, label) in [(72, "atime"), (88, "mtime"), (104, "ctime")] {
        put(out, ", st_");
        put(out, label);
        out.push(b'=');
        text::dec(out, view.i64(offset));
        date_comment(out, view.i64(offset), view.i64(offset + 8), 9);
        put(out, ", st_");
        put(out, label);
        put(out, "_nsec=");
        text::dec(out, view.i64(offset + 8));
    }
    out.push(b'}');
}

/// A `struct statx`.
pub fn statx(out: &mut Vec<u8>, view: View<'_>, style: &Style) {
    put(out, "{stx_mask=");
    names::of(Set::StatxMask).write(out, u64::from(view.u32(0)));
    if !style.abbreviate {
        put(out, ", stx_blksize=");
        text::udec(out, u64::from(view.u32(4)));
    }
    put(out, ", stx_attributes=");
    names::of(Set::StatxAttr).write(out, view.u64(8));
    if !style.abbreviate {
        put(out, ", stx_nlink=");
        text::udec(out, u64::from(view.u32(16)));
        put(out, ", stx_uid=");
        text::udec(out, u64::from(view.u32(20)));
        put(out, ", stx_gid=");
        text::udec(out, u64::from(view.u32(24)));
    }
    put(out, ", stx_mode=");
    file_mode(out, u32::from(view.u16(28)));
    if !style.abbreviate {
        put(out, ", stx_ino=");
        text::udec(out, view.u64(32));
    }
    put(out, ", stx_size=");
    text::udec(out, view.u64(40));
    if style.abbreviate {
        return put(out, ", ...}");
    }
    put(out, ", stx_blocks=");
    text::udec(out, view.u64(48));
    put(out, ", stx_attributes_mask=");
    names::of(Set::StatxAttr).write(out, view.u64(56));
    for (offset, label) in [(64, "atime"), (80, "btime"), (96, "ctime"), (112, "mtime")] {
        put(out, ", stx_");
        put(out, label);
        put(out, "={tv_sec=");
        text::dec(out, view.i64(offset));
        put(out, ", tv_nsec=");
        text::udec(out, u64::from(view.u32(offset + 8)));
        out.push(b'}');
        date_comment(out, view.i64(offset), i64::from(view.u32(offset + 8)), 9);
    }
    for (offset, label) in [(128, "rdev"), (136, "dev")] {
        for (part, name) in [(0, "_major="), (4, "_minor=")] {
            put(out, ", stx_");
            put(out, label);
            put(out, name);
            text::hex(out, u64::from(view.u32(offset + part)));
        }
    }
    out.push(b'}');
}

/// A `struct statfs`.
pub fn statfs(out: &mut Vec<u8>, view: View<'_>) {
    put(out, "{f_type=");
    match file_system(view.u64(0)) {
        Some(name) => put(out, name),
        None => text::hex(out, view.u64(0)),
    }
    let labels = [
        "f_bsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree",
    ];
    for (i, label) in labels.into_iter().enumerate() {
        put(out, ", ");
        put(out, label);
        out.push(b'=');
        text::udec(out, view.u64(8 + i * 8));
    }
    put(out, ", f_fsid={val=[");
    text::hex(out, u64::from(view.u32(56)));
    put(out, ", ");
    text::hex(out, u64::from(view.u32(60)));
    put(out, "]}, f_namelen=");
    text::udec(out, view.u64(64));
    put(out, ", f_frsize=");
    text::udec(out, view.u64(72));
    put(out, ", f_flags=");
    MOUNT_STATE.write(out, view.u64(80));
    out.push(b'}');
}

static MOUNT_STATE: names::Names = names::Names {
    field: 0,
    values: &[],
    bits: &[
        (0x20, "ST_VALID"),
        (0x1, "ST_RDONLY"),
        (0x2, "ST_NOSUID"),
        (0x4, "ST_NODEV"),
        (0x8, "ST_NOEXEC"),
        (0x10, "ST_SYNCHRONOUS"),
        (0x40, "ST_MANDLOCK"),
        (0x80, "ST_WRITE"),
        (0x100, "ST_APPEND"),
        (0x200, "ST_IMMUTABLE"),
        (0x400, "ST_NOATIME"),
        (0x800, "ST_NODIRATIME"),
        (0x1000, "ST_RELATIME"),
        (0x2000, "ST_NOSYMFOLLOW"),
    ],
    unknown: "ST_???",
    zero: "0",
    unknown_bits: "",
};

fn file_system(magic: u64) -> Option<&'static str> {
    Some(match magic {
        0xef53 => "EXT2_SUPER_MAGIC",
        0x0102_1994 => "TMPFS_MAGIC",
        0x9fa0 => "PROC_SUPER_MAGIC",
        0x6265_6572 => "SYSFS_MAGIC",
        0x1cd1 => "DEVPTS_SUPER_MAGIC",
        0x794c_7630 => "OVERLAYFS_SUPER_MAGIC",
        0x9123_683e => "BTRFS_SUPER_MAGIC",
        0x5846_5342 => "XFS_SUPER_MAGIC",
        0x6969 => "NFS_SUPER_MAGIC",
        0x5049_5045 => "PIPEFS_MAGIC",
        0x534f_434b => "SOCKFS_MAGIC",
        0x0904_1934 => "ANON_INODE_FS_MAGIC",
        0x6367_7270 => "CGROUP2_SUPER_MAGIC",
        0x0027_e0eb => "CGROUP_SUPER_MAGIC",
        0x8584_58f6 => "RAMFS_MAGIC",
        0x7371_7368 => "SQUASHFS_MAGIC",
        0x4d44 => "MSDOS_SUPER_MAGIC",
        0x6573_5546 => "FUSE_SUPER_MAGIC",
        _ => return None,
    })
}

/// Appends a `struct ustat`.
pub fn ustat(out: &mut Vec<u8>, view: View<'_>) {
    put(out, "{f_tfree=");
    text::udec(out, u64::from(view.u32(0)));
    put(out, ", f_tinode=");
    text::udec(out, view.u64(8));
    put(out, ", f_fname=");
    text::quoted(out, view.string(16, 6));
    put(out, ", f_fpack=");
    text::quoted(out, view.string(22, 6));
    out.push(b'}');
}
