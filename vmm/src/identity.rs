//! What the executables of a run are (hash, build id, hardening), for the log: read from the host by the ring's thread, once each, where the
//! guest says that it runs the host's own contents.
//!
//! The guest may lie: whatever it names, only a regular file beneath the root with the device, inode and size that it claims is read.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use vitrine_abi::event::change::FileItem;
use vitrine_introspect::Event;
use vitrine_introspect::event::EventKind;
use vitrine_introspect::executable::{self, Identity};
use vitrine_introspect::pipeline::Identify;

/// Most files that are remembered.
const MAX_KNOWN: usize = 4096;

/// A file, as it was: device, inode, size, time of change.
type Key = (u64, u64, u64, i64);

/// What is known of files beneath a root.
pub struct Identities {
    root: OwnedFd,
    known: HashMap<Key, Option<Arc<Identity>>>,
}

impl Identities {
    /// None known yet. To be called before the jail is closed; `None`: the root can't be opened, which others report.
    pub fn new(root: &Path) -> Option<Identities> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, root, flags, Mode::empty()).ok()?;
        Some(Identities {
            root,
            known: HashMap::new(),
        })
    }

    /// As a pipeline wants it.
    pub fn hook(mut self) -> Identify {
        Box::new(move |event| self.of(event))
    }

    fn of(&mut self, event: &Event) -> Option<Arc<Identity>> {
        let EventKind::Exec(exec) = &event.kind else {
            return None;
        };
        let file = event.extra.file.filter(|file| file.host == 1)?;
        let key = (exec.dev, exec.ino, file.size, file.mtime_ns);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let found = self.read(&event.exe, key, &file).map(Arc::new);
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(key, found.clone());
        found
    }

    fn read(&self, path: &[u8], (dev, ino, ..): Key, wanted: &FileItem) -> Option<Identity> {
        let path = CString::new(path).ok()?;
        let is_it = |file: &File| {
            let found = file.metadata().ok()?;
            let same = (found.dev(), found.ino(), found.len()) == (dev, ino, wanted.size);
            (found.is_file() && same).then_some(())
        };
        // Opening alone can have effects where it is no regular file: looked at first.
        is_it(&self.open(&path, OFlags::PATH)?)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let mut file = self.open(&path, flags)?;
        is_it(&file)?;
        executable::identify(&mut file).ok()
    }

    fn open(&self, path: &CString, flags: OFlags) -> Option<File> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC;
        rustix::fs::openat2(self.root.as_fd(), path, flags, Mode::empty(), resolve)
            .ok()
            .map(File::from)
    }
}
