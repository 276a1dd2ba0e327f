//! /dev/pts: the table of terminals, and its directory.

use super::{
    DirEntry, FileOps, Inode, Location, Metadata, SetAttr, StatFs, devices, pseudo, pty,
    tty::{Name, Tty, TtyBackend, TtyFile},
};
use crate::{Errno, sync::Mutex};
use alloc::{boxed::Box, collections::BTreeMap, format, sync::Arc, vec::Vec};
use core::any::Any;
use linux_raw_sys::general::*;
use spin::Once;

/// Most pseudo terminals at once (`kernel.pty.max`).
pub const PTY_MAX: usize = 4096;

/// All terminals of /dev/pts by number.
static TERMINALS: Mutex<BTreeMap<u32, Arc<Tty>>> = Mutex::new(BTreeMap::new());

/// Adds a terminal, at the lowest free number.
pub fn register(uid: u32, make: impl FnOnce() -> Box<dyn TtyBackend>) -> Result<Arc<Tty>, Errno> {
    let mut terminals = TERMINALS.lock();
    if terminals.len() >= PTY_MAX {
        return Err(Errno::ENOSPC);
    }
    let free = (0..).zip(terminals.keys()).find(|(n, used)| n != *used);
    let index = free.map_or(terminals.len() as u32, |(n, _)| n);
    let tty = Tty::new(index, uid, make());
    terminals.insert(index, tty.clone());
    Ok(tty)
}

/// Forgets a terminal: its number is free.
pub fn remove(index: u32) {
    TERMINALS.lock().remove(&index);
}

/// Terminals in use (`kernel.pty.nr`).
pub fn count() -> usize {
    TERMINALS.lock().len()
}

/// The terminal with this device number.
pub fn by_rdev(rdev: u64) -> Option<Arc<Tty>> {
    let terminals = TERMINALS.lock();
    terminals.values().find(|tty| tty.rdev() == rdev).cloned()
}

/// The inode of a terminal that has no open file yet, with its path.
pub fn location(tty: &Arc<Tty>) -> Location {
    Location {
        inode: Arc::new(TerminalNode { tty: tty.clone() }),
        path: Arc::from(tty.path().as_bytes()),
    }
}

/// The root of /dev/pts.
pub fn root() -> Arc<dyn Inode> {
    static ROOT: Once<Arc<Directory>> = Once::new();
    ROOT.call_once(|| Arc::new(Directory)).clone()
}

/// /dev/pts.
struct Directory;

impl Inode for Directory {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        let dev = pseudo::DEVPTS_DEV;
        Ok(pseudo::attributes(dev, 1, S_IFDIR | 0o755, (0, 0)))
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        if name == b"ptmx" {
            return Ok(Arc::new(MultiplexerNode));
        }
        let index = core::str::from_utf8(name)
            .ok()
            .filter(|text| text.as_bytes() == b"0" || !text.starts_with(['0', '+']))
            .and_then(|text| text.parse::<u32>().ok())
            .ok_or(Errno::ENOENT)?;
        let tty = TERMINALS.lock().get(&index).cloned();
        let tty = tty.ok_or(Errno::ENOENT)?;
        Ok(Arc::new(TerminalNode { tty }))
    }

    fn read_dir(&self, from: u64, each: &mut dyn FnMut(DirEntry) -> bool) -> Result<(), Errno> {
        // Position 1 is after ptmx, position N + 2 after terminal N.
        let char_device = DT_CHR as u8;
        if from == 0
            && !each(DirEntry {
                name: b"ptmx".to_vec(),
                ino: 2,
                kind: char_device,
                next: 1,
            })
        {
            return Ok(());
        }
        let first = u32::try_from(from.saturating_sub(1)).unwrap_or(u32::MAX);
        let numbers: Vec<u32> = TERMINALS.lock().range(first..).map(|(n, _)| *n).collect();
        for index in numbers {
            let more = each(DirEntry {
                name: format!("{index}").into_bytes(),
                ino: u64::from(index) + 3,
                kind: char_device,
                next: u64::from(index) + 2,
            });
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        pseudo::open_directory(root(), flags)
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(pseudo::empty_statfs(pseudo::DEVPTS_MAGIC))
    }
}

/// /dev/pts/ptmx.
struct MultiplexerNode;

impl Inode for MultiplexerNode {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(Metadata {
            rdev: devices::PTMX,
            ..pseudo::attributes(pseudo::DEVPTS_DEV, 2, S_IFCHR | 0o666, (0, 0))
        })
    }

    fn open(&self, _flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        pty::open_master()
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(pseudo::empty_statfs(pseudo::DEVPTS_MAGIC))
    }
}

/// /dev/pts/N.
struct TerminalNode {
    tty: Arc<Tty>,
}

impl Inode for TerminalNode {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.tty.metadata())
    }

    fn set_attr(&self, attr: &SetAttr) -> Result<(), Errno> {
        self.tty.set_attr(attr);
        Ok(())
    }

    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        TtyFile::open(&self.tty, Name::Slave, flags)
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(pseudo::empty_statfs(pseudo::DEVPTS_MAGIC))
    }
}
