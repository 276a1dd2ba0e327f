//! The mount table: which inode covers which.
//!
//! There is one mount namespace. A walk that reaches a covered inode goes on at the root of what is mounted there; `..` at such a
//! root goes on at the covered inode.

use super::{Inode, Location, node::Node, same_inode};
use crate::{Errno, sync::Mutex};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering};

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
    /// Options as /proc/mounts shows them.
    pub options: &'static str,
    /// MS_RDONLY.
    pub read_only: bool,
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
        options: "rw,relatime",
        read_only: false,
    };
    *MOUNTS.lock() = Some(Arc::new(alloc::vec![Arc::new(mount)]));
}

/// The root of everything. Before [`set_root`] it is an empty directory.
pub fn root_location() -> Location {
    let first = list().first().cloned();
    let inode = match first {
        Some(mount) => mount.root.clone(),
        None => super::tmpfs::root(0o755, 0, 0),
    };
    Location {
        inode,
        path: Arc::from(&b"/"[..]),
    }
}

/// Mounts `root` on `point`.
pub fn add(
    point: Location,
    root: Arc<dyn Inode>,
    kind: &'static str,
    source: Vec<u8>,
    options: &'static str,
    read_only: bool,
) -> Result<(), Errno> {
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
        options,
        read_only,
    };
    all.push(Arc::new(mount));
    *mounts = Some(Arc::new(all));
    Ok(())
}

/// Unmounts what has its root at `place`. `EINVAL` if nothing has, `EBUSY` if something is mounted beneath it.
pub fn remove(place: &Location) -> Result<(), Errno> {
    let mut mounts = MOUNTS.lock();
    let mut all = mounts.as_deref().cloned().unwrap_or_default();
    let index = all
        .iter()
        .rposition(|m| same_inode(&m.root, &place.inode) && m.point.path == place.path)
        .ok_or(Errno::EINVAL)?;
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
    match of_path(&place.path) {
        Some(mount) if mount.read_only => Err(Errno::EROFS),
        _ => Ok(()),
    }
}

/// Whether something is mounted on this inode, or it is the root of a mount: then it may not be removed or renamed.
pub fn is_busy(inode: &Arc<dyn Inode>) -> bool {
    list()
        .iter()
        .any(|m| same_inode(&m.point.inode, inode) || same_inode(&m.root, inode))
}
