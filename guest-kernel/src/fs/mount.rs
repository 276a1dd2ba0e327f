//! The mount table: which inode covers which.
//!
//! There is one mount namespace. A walk that reaches a covered inode goes on at the root of what is mounted there; `..` at such a
//! root goes on at the covered inode.

use super::{Inode, Location, node::Node, same_inode};
use crate::{Errno, sync::Mutex};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering};
use linux_raw_sys::general::*;

/// Something mounted.
pub struct Mount {
    /// Number, as /proc/PID/mountinfo and statx show it.
    pub id: u64,
    /// The covered place; for the root of everything, itself.
    pub point: Location,
    /// What is seen there.
    pub root: Arc<dyn Inode>,
    /// File system type.
    pub kind: &'static str,
    /// Source, as mount(2) was given it.
    pub source: Vec<u8>,
    /// `MS_*`: those of [`FLAGS`].
    pub flags: u32,
    /// Options of its file system as /proc/mounts shows them, comma-separated.
    pub options: String,
}

/// The flags that a mount has, with their names.
pub const FLAGS: [(u32, &str); 7] = [
    (MS_RDONLY, "ro"),
    (MS_NOSUID, "nosuid"),
    (MS_NODEV, "nodev"),
    (MS_NOEXEC, "noexec"),
    (MS_NOATIME, "noatime"),
    (MS_NODIRATIME, "nodiratime"),
    (MS_NOSYMFOLLOW, "nosymfollow"),
];

/// All bits of [`FLAGS`].
pub const FLAG_BITS: u32 =
    MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_NOSYMFOLLOW;

impl Mount {
    /// Whether it has this flag.
    pub fn is(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Its flags in words, as /proc/mounts has them.
    pub fn flag_words(&self) -> String {
        let mut words = String::from(if self.is(MS_RDONLY) { "ro" } else { "rw" });
        for (_, name) in FLAGS.iter().skip(1).filter(|(flag, _)| self.is(*flag)) {
            words.push(',');
            words.push_str(name);
        }
        if !self.is(MS_NOATIME) {
            words.push_str(",relatime");
        }
        words
    }
}

/// Splits options in words into flags and the rest, which is its file system's.
fn parse(options: &str) -> (u32, String) {
    let mut flags = 0;
    let mut rest = Vec::new();
    for word in options.split(',') {
        match FLAGS.iter().find(|(_, name)| *name == word) {
            Some((flag, _)) => flags |= flag,
            None if matches!(word, "rw" | "relatime" | "") => {}
            None => rest.push(word),
        }
    }
    (flags, rest.join(","))
}

/// All mounts, the root of everything first.
pub type Mounts = Arc<Vec<Arc<Mount>>>;

static MOUNTS: Mutex<Option<Mounts>> = Mutex::new(None);

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(21);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The mounts now.
pub fn list() -> Mounts {
    MOUNTS.lock().clone().unwrap_or_default()
}

/// Makes `root` the root of everything.
pub fn set_root(root: Arc<dyn Inode>) {
    let mount = Mount {
        id: next_id(),
        point: Location {
            inode: root.clone(),
            path: Arc::from(&b"/"[..]),
        },
        root,
        kind: "overlay",
        source: b"overlay".to_vec(),
        flags: 0,
        options: String::new(),
    };
    *MOUNTS.lock() = Some(Arc::new(alloc::vec![Arc::new(mount)]));
}

/// The root of everything. Before [`set_root`] it is an empty directory.
pub fn root_location() -> Location {
    let first = list().first().cloned();
    let inode = match first {
        Some(mount) => mount.root.clone(),
        None => super::tmpfs::root(0o755, 0, 0, None),
    };
    Location {
        inode,
        path: Arc::from(&b"/"[..]),
    }
}

/// Mounts `root` on `point`, with flags and options of the file system in words.
pub fn add(
    point: Location,
    root: Arc<dyn Inode>,
    kind: &'static str,
    source: Vec<u8>,
    options: &str,
) -> Result<(), Errno> {
    let (flags, options) = parse(options);
    let mut mounts = MOUNTS.lock();
    let mut all = mounts.as_deref().cloned().unwrap_or_default();
    let again = all.iter().any(|m| same_inode(&m.root, &root));
    if let Some(node) = root.as_any().downcast_ref::<Node>()
        && !again
    {
        node.note_mounted_at(&point.path);
    }
    let mount = Mount {
        id: next_id(),
        point,
        root,
        kind,
        source,
        flags,
        options,
    };
    all.push(Arc::new(mount));
    *mounts = Some(Arc::new(all));
    Ok(())
}

fn index_at(all: &[Arc<Mount>], place: &Location) -> Result<usize, Errno> {
    all.iter()
        .rposition(|m| same_inode(&m.root, &place.inode) && m.point.path == place.path)
        .ok_or(Errno::EINVAL)
}

/// A mount like `mount`, with the same number, and with other flags or another place.
fn changed(mount: &Mount, flags: u32, point: Location) -> Arc<Mount> {
    Arc::new(Mount {
        id: mount.id,
        point,
        root: mount.root.clone(),
        kind: mount.kind,
        source: mount.source.clone(),
        flags,
        options: mount.options.clone(),
    })
}

/// Changes the flags of the mount that has its root at `place`; `EINVAL` if none has.
pub fn remount(place: &Location, flags: u32) -> Result<(), Errno> {
    let mut mounts = MOUNTS.lock();
    let mut all = mounts.as_deref().cloned().unwrap_or_default();
    let index = index_at(&all, place)?;
    all[index] = changed(&all[index], flags & FLAG_BITS, all[index].point.clone());
    *mounts = Some(Arc::new(all));
    Ok(())
}

/// Moves the mount that has its root at `place` to `target`, and with it what is mounted beneath. `EINVAL` if none has, `ELOOP` if the target
/// lies in it.
pub fn relocate(place: &Location, target: Location) -> Result<(), Errno> {
    let mut mounts = MOUNTS.lock();
    let mut all = mounts.as_deref().cloned().unwrap_or_default();
    let index = index_at(&all, place)?;
    if index == 0 {
        return Err(Errno::EINVAL);
    }
    let below = |path: &[u8]| {
        path.strip_prefix(&place.path[..])
            .filter(|rest| rest.first() == Some(&b'/'))
            .map(<[u8]>::to_vec)
    };
    if below(&target.path).is_some() {
        return Err(Errno::ELOOP);
    }
    for mount in &mut all {
        if let Some(rest) = below(&mount.point.path) {
            let path = [&target.path[..], &rest].concat();
            let inode = mount.point.inode.clone();
            let point = Location {
                inode,
                path: Arc::from(path),
            };
            *mount = changed(mount, mount.flags, point);
        }
    }
    let moved = all.remove(index);
    all.push(changed(&moved, moved.flags, target));
    *mounts = Some(Arc::new(all));
    Ok(())
}

/// Whether the place lies in a mount with this flag.
pub fn has_flag(place: &Location, flag: u32) -> bool {
    of_path(&place.path).is_some_and(|mount| mount.is(flag))
}

/// Unmounts what has its root at `place`. `EINVAL` if nothing has, `EBUSY` if something is mounted beneath it.
pub fn remove(place: &Location) -> Result<(), Errno> {
    let mut mounts = MOUNTS.lock();
    let mut all = mounts.as_deref().cloned().unwrap_or_default();
    let index = index_at(&all, place)?;
    if index == 0 {
        return Err(Errno::EBUSY);
    }
    let mut prefix = place.path.to_vec();
    prefix.push(b'/');
    if all.iter().any(|m| m.point.path.starts_with(&prefix)) {
        return Err(Errno::EBUSY);
    }
    all.remove(index);
    *mounts = Some(Arc::new(all));
    Ok(())
}

/// What is mounted on the inode that a walk reached by `path`, if anything is; the topmost.
pub fn covering<'a>(
    mounts: &'a Mounts,
    inode: &Arc<dyn Inode>,
    path: &[u8],
) -> Option<&'a Arc<Mount>> {
    let mut found: Option<&Arc<Mount>> = None;
    // Mounts stacked on one place come in order, each on the root of the one before.
    for mount in mounts.iter().skip(1) {
        if *mount.point.path != *path {
            continue;
        }
        let under = found.map_or(inode, |m| &m.root);
        let covered = &mount.point.inode;
        // Other file systems may make a new object at each lookup: there the path alone decides.
        let foreign = !under.as_any().is::<Node>() && !covered.as_any().is::<Node>();
        if foreign || same_inode(covered, under) {
            found = Some(mount);
        }
    }
    found
}

/// The mount whose root a walk stands at, if it stands at one, and its number, among the first `count` mounts. Who goes on at the covered
/// place passes that number as the next `count`: a mount covers only what was there before, so every such climb ends, even
/// where a directory is mounted on itself.
pub fn rooted_at<'a>(
    mounts: &'a Mounts,
    count: usize,
    inode: &Arc<dyn Inode>,
    path: &[u8],
) -> Option<(usize, &'a Arc<Mount>)> {
    let mut each = mounts.iter().enumerate().take(count).skip(1);
    each.rfind(|(_, m)| same_inode(&m.root, inode) && *m.point.path == *path)
}

/// The mount that a path belongs to.
pub fn of_path(path: &[u8]) -> Option<Arc<Mount>> {
    let mounts = list();
    let longest = mounts.iter().filter(|m| {
        let point = &m.point.path[..];
        point == b"/"
            || path.starts_with(point) && matches!(path.get(point.len()), None | Some(b'/'))
    });
    // Of equals the last wins: it covers the others.
    longest.max_by_key(|m| m.point.path.len()).cloned()
}

/// `EROFS` if the place lies in a mount that was made read-only.
pub fn check_writable(place: &Location) -> Result<(), Errno> {
    if has_flag(place, MS_RDONLY) {
        Err(Errno::EROFS)
    } else {
        Ok(())
    }
}

/// Whether something is mounted on this inode, or it is the root of a mount: then it may not be removed or renamed.
pub fn is_busy(inode: &Arc<dyn Inode>) -> bool {
    list()
        .iter()
        .any(|m| same_inode(&m.point.inode, inode) || same_inode(&m.root, inode))
}
