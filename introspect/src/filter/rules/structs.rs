//! Numbers that calls write into a program's structures: where they lie, so that `poke` can name them.

use vitrine_abi::syscall::{ArgKind, Dir, StructKind};

/// A number in a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name in the man page; empty for what is a number as a whole.
    pub name: &'static str,
    /// Bytes from the structure's start.
    pub offset: u16,
    /// Bytes: 1, 2, 4 or 8.
    pub width: u8,
    /// Nanoseconds of what it counts, if it counts time; else 0.
    pub unit: u64,
}

const SECOND: u64 = 1_000_000_000;

const fn member(name: &'static str, offset: u16, width: u8) -> Member {
    Member {
        name,
        offset,
        width,
        unit: 0,
    }
}

const fn timed(name: &'static str, offset: u16, unit: u64) -> Member {
    Member {
        name,
        offset,
        width: 8,
        unit,
    }
}

/// The members of a structure that can be named.
fn members(kind: StructKind) -> &'static [Member] {
    match kind {
        StructKind::Int | StructKind::Uint | StructKind::WaitStatus | StructKind::Id => {
            const { &[member("", 0, 4)] }
        }
        StructKind::Long | StructKind::Pointer => const { &[member("", 0, 8)] },
        StructKind::Time => const { &[timed("", 0, SECOND)] },
        StructKind::Timespec => const { &[timed("tv_sec", 0, SECOND), timed("tv_nsec", 8, 1)] },
        StructKind::Timeval => const { &[timed("tv_sec", 0, SECOND), timed("tv_usec", 8, 1000)] },
        StructKind::Timezone => {
            const { &[member("tz_minuteswest", 0, 4), member("tz_dsttime", 4, 4)] }
        }
        StructKind::Stat => {
            const {
                &[
                    member("st_dev", 0, 8),
                    member("st_ino", 8, 8),
                    member("st_nlink", 16, 8),
                    member("st_mode", 24, 4),
                    member("st_uid", 28, 4),
                    member("st_gid", 32, 4),
                    member("st_rdev", 40, 8),
                    member("st_size", 48, 8),
                    member("st_blksize", 56, 8),
                    member("st_blocks", 64, 8),
                    timed("st_atime", 72, SECOND),
                    timed("st_mtime", 88, SECOND),
                    timed("st_ctime", 104, SECOND),
                ]
            }
        }
        StructKind::Statx => {
            const {
                &[
                    member("stx_mask", 0, 4),
                    member("stx_blksize", 4, 4),
                    member("stx_attributes", 8, 8),
                    member("stx_nlink", 16, 4),
                    member("stx_uid", 20, 4),
                    member("stx_gid", 24, 4),
                    member("stx_mode", 28, 2),
                    member("stx_ino", 32, 8),
                    member("stx_size", 40, 8),
                    member("stx_blocks", 48, 8),
                    timed("stx_atime", 64, SECOND),
                    timed("stx_btime", 80, SECOND),
                    timed("stx_ctime", 96, SECOND),
                    timed("stx_mtime", 112, SECOND),
                ]
            }
        }
        StructKind::Statfs => {
            const {
                &[
                    member("f_type", 0, 8),
                    member("f_bsize", 8, 8),
                    member("f_blocks", 16, 8),
                    member("f_bfree", 24, 8),
                    member("f_bavail", 32, 8),
                    member("f_files", 40, 8),
                    member("f_ffree", 48, 8),
                    member("f_flags", 80, 8),
                ]
            }
        }
        StructKind::Rlimit => const { &[member("rlim_cur", 0, 8), member("rlim_max", 8, 8)] },
        StructKind::Rusage => {
            const {
                &[
                    timed("ru_utime", 0, SECOND),
                    timed("ru_stime", 16, SECOND),
                    member("ru_maxrss", 32, 8),
                ]
            }
        }
        StructKind::Sysinfo => {
            const {
                &[
                    timed("uptime", 0, SECOND),
                    member("totalram", 32, 8),
                    member("freeram", 40, 8),
                    member("procs", 80, 2),
                ]
            }
        }
        _ => &[],
    }
}

/// What an argument of this kind points to, and whether only the call fills it in.
fn pointed(kind: ArgKind) -> Option<(StructKind, bool)> {
    match kind {
        ArgKind::Struct(kind, dir) | ArgKind::Structs(kind, dir, _) => Some((kind, !dir.is_in())),
        _ => None,
    }
}

/// The number that `name` is in an argument of this kind (no name: the argument points to nothing else).
pub(super) fn find(kind: ArgKind, name: &str) -> Option<Member> {
    if kind == ArgKind::Depends && !name.is_empty() {
        // What it points to shows when the call is made.
        return DEPENDENT
            .iter()
            .find_map(|kind| find(ArgKind::Struct(*kind, Dir::InOut), name));
    }
    let (kind, _) = pointed(kind)?;
    members(kind)
        .iter()
        .copied()
        .find(|known| known.name == name)
}

/// Structures that arguments point to of which other arguments decide what they are.
const DEPENDENT: &[StructKind] = &[StructKind::Timespec, StructKind::Rlimit];

/// Whether the call reads it and doesn't write it, as far as that is known.
pub(super) fn is_input(kind: ArgKind) -> bool {
    matches!(
        kind,
        ArgKind::Struct(_, Dir::In) | ArgKind::Structs(_, Dir::In, _) | ArgKind::Depends
    )
}

/// Whether it is there only after the call.
pub(super) fn is_result(kind: ArgKind) -> bool {
    pointed(kind).is_some_and(|(_, out)| out)
}

/// The names of the numbers in an argument of this kind.
pub(super) fn names(kind: ArgKind) -> impl Iterator<Item = &'static str> {
    let list = pointed(kind).map_or(&[][..], |(kind, _)| members(kind));
    list.iter()
        .map(|member| member.name)
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn members_lie_where_linux_has_them() {
        let all = [
            (StructKind::Stat, "st_uid", offset_of!(libc::stat, st_uid)),
            (StructKind::Stat, "st_size", offset_of!(libc::stat, st_size)),
            (
                StructKind::Stat,
                "st_mtime",
                offset_of!(libc::stat, st_mtime),
            ),
            (
                StructKind::Statx,
                "stx_uid",
                offset_of!(libc::statx, stx_uid),
            ),
            (
                StructKind::Statx,
                "stx_mtime",
                offset_of!(libc::statx, stx_mtime),
            ),
            (
                StructKind::Statx,
                "stx_btime",
                offset_of!(libc::statx, stx_btime),
            ),
            (
                StructKind::Statfs,
                "f_bavail",
                offset_of!(libc::statfs, f_bavail),
            ),
            (
                StructKind::Sysinfo,
                "totalram",
                offset_of!(libc::sysinfo, totalram),
            ),
            (
                StructKind::Sysinfo,
                "procs",
                offset_of!(libc::sysinfo, procs),
            ),
            (
                StructKind::Rusage,
                "ru_maxrss",
                offset_of!(libc::rusage, ru_maxrss),
            ),
        ];
        for (kind, name, offset) in all {
            let member = members(kind).iter().find(|member| member.name == name);
            assert_eq!(
                member.map(|member| usize::from(member.offset)),
                Some(offset),
                "{name}"
            );
        }
        for kind in [
            StructKind::Stat,
            StructKind::Statx,
            StructKind::Statfs,
            StructKind::Rusage,
        ] {
            for member in members(kind) {
                assert!(usize::from(member.offset) + usize::from(member.width) <= kind.size());
            }
        }
    }
}
