//! /proc/PID/mounts, mountinfo and mountstats.

use super::{
    super::{
        mount::{self, Mount},
        pseudo::Text,
    },
    memory::split_dev,
    subject::Subject,
};
use crate::Errno;

/// Characters that Linux writes in octal in these files.
const ESCAPED: &[u8] = b" \t\n\\#";

/// /proc/PID/mounts, as fstab(5) has it.
pub fn mounts(subject: &Subject) -> Result<Text, Errno> {
    subject.process()?;
    let mut out = Text::new();
    for mount in mount::list().iter() {
        out.escaped(&mount.source, ESCAPED).bytes(b" ");
        out.escaped(&mount.point.path, ESCAPED);
        out.put(format_args!(" {} {} 0 0\n", mount.kind, mount.options));
    }
    Ok(out)
}

/// The number of the mount that another lies on; of the root its own.
fn parent(mount: &Mount) -> u64 {
    let point = &mount.point.path[..];
    if point == b"/" {
        return mount.id;
    }
    let mounts = mount::list();
    let above = mounts.iter().filter(|m| {
        let upper = &m.point.path[..];
        let under = upper == b"/"
            || point.starts_with(upper) && matches!(point.get(upper.len()), None | Some(b'/'));
        m.id < mount.id && under
    });
    above
        .max_by_key(|m| m.point.path.len())
        .map_or(mount.id, |m| m.id)
}

/// Options of a mount that are its own rather than its file system's.
const PER_MOUNT: [&str; 11] = [
    "rw",
    "ro",
    "nosuid",
    "nodev",
    "noexec",
    "noatime",
    "nodiratime",
    "relatime",
    "nosymfollow",
    "strictatime",
    "lazytime",
];

/// /proc/PID/mountinfo (proc_pid_mountinfo(5)).
pub fn mountinfo(subject: &Subject) -> Result<Text, Errno> {
    subject.process()?;
    let mut out = Text::new();
    for mount in mount::list().iter() {
        let dev = mount.root.metadata().map_or(0, |meta| meta.dev);
        let (major, minor) = split_dev(dev);
        out.put(format_args!(
            "{} {} {major}:{minor} / ",
            mount.id,
            parent(mount)
        ));
        out.escaped(&mount.point.path, ESCAPED).bytes(b" ");
        let own = mount.options.split(',').filter(|o| PER_MOUNT.contains(o));
        for (index, option) in own.enumerate() {
            out.put(format_args!("{}{option}", if index > 0 { "," } else { "" }));
        }
        out.put(format_args!(" - {} ", mount.kind));
        out.escaped(&mount.source, ESCAPED);
        out.bytes(if mount.read_only { b" ro" } else { b" rw" });
        for option in mount.options.split(',').filter(|o| !PER_MOUNT.contains(o)) {
            out.put(format_args!(",{option}"));
        }
        out.bytes(b"\n");
    }
    Ok(out)
}

/// /proc/PID/mountstats.
pub fn mountstats(subject: &Subject) -> Result<Text, Errno> {
    subject.process()?;
    let mut out = Text::new();
    for mount in mount::list().iter() {
        out.bytes(b"device ").escaped(&mount.source, ESCAPED);
        out.bytes(b" mounted on ")
            .escaped(&mount.point.path, ESCAPED);
        out.put(format_args!(" with fstype {}\n", mount.kind));
    }
    Ok(out)
}
