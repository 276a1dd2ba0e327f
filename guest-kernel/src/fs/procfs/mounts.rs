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
use linux_raw_sys::general::MS_RDONLY;

/// Characters that Linux writes in octal in these files.
const ESCAPED: &[u8] = b" \t\n\\#";

/// /proc/PID/mounts, as fstab(5) has it.
pub fn mounts(subject: &Subject) -> Result<Text, Errno> {
    subject.process()?;
    let mut out = Text::new();
    for mount in mount::list().iter() {
        out.escaped(&mount.source, ESCAPED).bytes(b" ");
        out.escaped(&mount.point.path, ESCAPED);
        out.put(format_args!(" {} {}", mount.kind, mount.flag_words()));
        super_options(&mut out, mount);
        out.bytes(b" 0 0\n");
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

/// The options of a mount's file system, each after a comma.
fn super_options(out: &mut Text, mount: &Mount) {
    if !mount.options.is_empty() {
        out.put(format_args!(",{}", mount.options));
    }
}

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
        out.bytes(mount.flag_words().as_bytes());
        out.put(format_args!(" - {} ", mount.kind));
        out.escaped(&mount.source, ESCAPED);
        out.bytes(if mount.is(MS_RDONLY) { b" ro" } else { b" rw" });
        super_options(&mut out, mount);
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
