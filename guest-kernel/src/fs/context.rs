//! A process's root, working directory and umask; and the mounts that the sandbox starts with.

use super::{Inode, Location, devfs, devpts, mount, overlay, path::Walker, procfs, sysfs, tmpfs};
use crate::{Errno, sync::Mutex};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU32, Ordering};
use vitrine_abi::boot::BootInfo;

/// Root, working directory and umask; shared by threads (CLONE_FS).
pub struct FsContext {
    /// Working directory.
    pub cwd: Mutex<Location>,
    /// Root directory.
    pub root: Mutex<Location>,
    /// File mode creation mask.
    pub umask: AtomicU32,
}

impl FsContext {
    /// A copy for a new process (fork).
    pub fn fork(&self) -> Arc<FsContext> {
        Arc::new(FsContext {
            cwd: Mutex::new(self.cwd.lock().clone()),
            root: Mutex::new(self.root.lock().clone()),
            umask: AtomicU32::new(self.umask.load(Ordering::Relaxed)),
        })
    }
}

/// The running task's context.
pub fn current_fs() -> Arc<FsContext> {
    crate::sched::current().fs.lock().clone()
}

/// Builds the mounts: the overlay at `/`, devices at `/dev`, `/proc`, `/sys`, and memory at `/dev/shm`. Returns the context of the first
/// process, with `cwd` as its working directory (`/` if there is no such directory).
pub fn init(boot: &BootInfo, cwd: &[u8]) -> Result<Arc<FsContext>, Errno> {
    crate::mm::frame::on_pressure(super::reclaim);
    let root = overlay::root()?;
    mount::set_root(root.clone());
    mount_at(b"/dev", "devtmpfs", devfs::root(), "rw,nosuid")?;
    mount_at(
        b"/proc",
        "proc",
        procfs::root(),
        "rw,nosuid,nodev,noexec,relatime",
    )?;
    mount_at(
        b"/sys",
        "sysfs",
        sysfs::root(),
        "ro,nosuid,nodev,noexec,relatime",
    )?;
    mount_at(
        b"/dev/pts",
        "devpts",
        devpts::root(),
        "rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666",
    )?;
    let shm = tmpfs::root(0o1777, 0, 0, None);
    // A device file system without the directory simply has no /dev/shm.
    let _ = mount_at(b"/dev/shm", "tmpfs", shm, "rw,nosuid,nodev");
    let cwd = Walker::kernel(cwd)
        .and_then(|walker| walker.finish(true))
        .ok()
        .filter(|place| place.inode.ownership().is_ok_and(|own| own.is_dir()));
    let root = mount::root_location();
    Ok(Arc::new(FsContext {
        cwd: Mutex::new(cwd.unwrap_or_else(|| root.clone())),
        root: Mutex::new(root),
        umask: AtomicU32::new(boot.umask & 0o777),
    }))
}

/// Mounts `inode` at an absolute path, whose last component is made if it is missing.
fn mount_at(
    path: &[u8],
    kind: &'static str,
    inode: Arc<dyn Inode>,
    options: &'static str,
) -> Result<(), Errno> {
    let point = match Walker::kernel(path)?.finish(true) {
        Ok(point) => point,
        Err(Errno::ENOENT) => {
            let split = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
            let parent = Walker::kernel(&path[..split.max(1)])?.finish(true)?;
            let name = &path[split + 1..];
            Location {
                inode: tmpfs::make_directory(&parent.inode, name, 0o755)?,
                path: Arc::from(path),
            }
        }
        Err(e) => return Err(e),
    };
    mount::add(point, inode, kind, Vec::from(kind.as_bytes()), options)
}
