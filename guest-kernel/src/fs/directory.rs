//! Children of a node: names in memory over those of the host's directory.
//!
//! Names are looked up on the host one by one until the directory is listed: from then on memory knows all. What is looked up stays known, missing names too.
//! Positions of a listing are numbers given at listing or creation, never used again, so that a listing goes on rightly whatever happens in between.

use super::{
    DirEntry, events,
    node::{Node, without_set_id},
};
use crate::{Errno, hostcall};
use alloc::{boxed::Box, collections::BTreeMap, sync::Arc, vec::Vec};
use linux_raw_sys::general::*;
use vitrine_abi::hostcall::HostAttr;

use super::node::Body;

/// Names known to be missing, at most; beyond, they are forgotten.
const MAX_ABSENT: usize = 4096;

/// Children by name and by position.
#[derive(Default)]
pub struct Directory {
    by_name: BTreeMap<Arc<[u8]>, Entry>,
    /// Names by position: only once the directory is `complete`.
    by_position: BTreeMap<u64, Arc<[u8]>>,
    next_position: u64,
    /// Whether there are names on the host that memory may not know.
    partial: bool,
    absent: usize,
    /// Removed: nothing can be made in it.
    dead: bool,
}

struct Entry {
    position: u64,
    child: Child,
}

enum Child {
    Node(Arc<Node>),
    /// On the host, with these attributes; no node was needed yet.
    Listed(Box<HostAttr>),
    /// Not there: it isn't on the host, or was removed.
    Absent,
}

impl Directory {
    /// A directory over one of the host.
    pub fn of_host() -> Directory {
        let mut directory = Directory::default();
        directory.partial = true;
        directory
    }

    /// How many names there are, as far as known.
    pub fn len(&self) -> usize {
        self.by_name.len() - self.absent
    }

    fn insert(&mut self, name: &Arc<[u8]>, child: Child) {
        let position = self.next_position;
        if !self.partial {
            self.next_position += 1;
            self.by_position.insert(position, name.clone());
        }
        let old = self.by_name.insert(name.clone(), Entry { position, child });
        if let Some(old) = old {
            match old.child {
                Child::Absent => self.absent -= 1,
                _ => {
                    self.by_position.remove(&old.position);
                }
            }
        }
    }

    /// Notes the node of a name that the host has.
    fn learn(&mut self, name: Arc<[u8]>, node: Arc<Node>) {
        let entry = self.by_name.entry(name).or_insert(Entry {
            position: 0,
            child: Child::Absent,
        });
        entry.child = Child::Node(node);
    }

    /// Puts another node under a name that is there.
    fn replace(&mut self, name: &[u8], node: Arc<Node>) {
        if let Some(entry) = self.by_name.get_mut(name) {
            entry.child = Child::Node(node);
        }
    }

    fn remove(&mut self, name: &[u8]) {
        if self.partial {
            if let Some(entry) = self.by_name.get_mut(name) {
                entry.child = Child::Absent;
                self.absent += 1;
            }
        } else if let Some(entry) = self.by_name.remove(name) {
            self.by_position.remove(&entry.position);
        }
    }

    /// Remembers that the host has no such name.
    fn note_absent(&mut self, name: Arc<[u8]>) {
        if self.absent >= MAX_ABSENT {
            // Removed names must stay removed: only a full listing may forget them.
            return;
        }
        self.absent += 1;
        let entry = Entry {
            position: 0,
            child: Child::Absent,
        };
        self.by_name.insert(name, entry);
    }

    /// Takes in all names that the host has.
    fn complete(&mut self, listing: Vec<hostcall::DirEntry>) {
        for entry in listing {
            let position = self.next_position;
            let name: Arc<[u8]> = match self.by_name.get_key_value(&entry.name[..]) {
                Some((name, known)) => match known.child {
                    Child::Absent => continue,
                    _ => name.clone(),
                },
                None => Arc::from(entry.name),
            };
            if let Some(known) = self.by_name.get_mut(&name) {
                known.position = position;
            } else if let Some(attr) = entry.attr {
                let child = Child::Listed(Box::new(attr));
                self.by_name.insert(name.clone(), Entry { position, child });
            } else {
                continue;
            }
            self.by_position.insert(position, name);
            self.next_position += 1;
        }
        self.by_name
            .retain(|_, entry| !matches!(entry.child, Child::Absent));
        self.absent = 0;
        self.partial = false;
        // What was made here before the listing comes after the host's names.
        for (name, entry) in &mut self.by_name {
            let placed = self.by_position.get(&entry.position);
            if placed.is_none_or(|at| at != name) {
                entry.position = self.next_position;
                self.by_position.insert(entry.position, name.clone());
                self.next_position += 1;
            }
        }
    }
}

impl Drop for Directory {
    /// Lets go of a tree level by level rather than by recursion, since nothing bounds its depth but memory.
    fn drop(&mut self) {
        let mut levels = Vec::new();
        let mut level = core::mem::take(&mut self.by_name);
        loop {
            let Some((_, entry)) = level.pop_first() else {
                match levels.pop() {
                    Some(above) => level = above,
                    None => return,
                }
                continue;
            };
            let Child::Node(node) = entry.child else {
                continue;
            };
            let Some(mut node) = Arc::into_inner(node) else {
                continue;
            };
            if let Body::Dir(dir) = &mut node.body {
                let below = core::mem::take(&mut dir.get_mut().by_name);
                let above = core::mem::replace(&mut level, below);
                if !above.is_empty() && levels.try_reserve(1).is_ok() {
                    levels.push(above);
                } else {
                    // Rather lost than recursed into.
                    core::mem::forget(above);
                }
            }
        }
    }
}

/// `DT_*` of a mode.
pub fn dirent_kind(mode: u32) -> u8 {
    (mode >> 12 & 0xf) as u8
}

impl Node {
    fn directory(&self) -> Result<crate::sync::MutexGuard<'_, Directory>, Errno> {
        match &self.body {
            Body::Dir(dir) => Ok(dir.lock()),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// The child called `name`; `ENOENT`.
    pub fn child(&self, name: &[u8]) -> Result<Arc<Node>, Errno> {
        let mut dir = self.directory()?;
        let found = match dir.by_name.get_key_value(name) {
            Some((key, entry)) => match &entry.child {
                Child::Node(node) => return Ok(node.clone()),
                Child::Absent => return Err(Errno::ENOENT),
                Child::Listed(attr) => Some((key.clone(), **attr)),
            },
            None if dir.partial => None,
            None => return Err(Errno::ENOENT),
        };
        let Some(lower) = &self.lower else {
            return Err(Errno::ENOENT);
        };
        let (key, original, attr) = match found {
            Some((key, attr)) => {
                let original = lower.child(&key);
                (key, original, attr)
            }
            None => {
                let key: Arc<[u8]> = Arc::from(name);
                match lower.lookup(&key) {
                    Ok((original, attr)) => (key, original, attr),
                    Err(Errno::ENOENT) => {
                        dir.note_absent(key);
                        return Err(Errno::ENOENT);
                    }
                    Err(e) => return Err(e),
                }
            }
        };
        let node = Node::of_host(&self.fs, original, &attr);
        node.set_place(&self.me, &key);
        dir.learn(key, node.clone());
        Ok(node)
    }

    /// As [`Node::child`], with `None` for a name that is not there.
    fn find(&self, name: &[u8]) -> Result<Option<Arc<Node>>, Errno> {
        match self.child(name) {
            Ok(node) => Ok(Some(node)),
            Err(Errno::ENOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Reads the host's listing if that wasn't done yet.
    fn complete(&self) -> Result<(), Errno> {
        if !self.directory()?.partial {
            return Ok(());
        }
        let Some(lower) = &self.lower else {
            return Ok(());
        };
        let handle = lower.handle()?;
        let mut listing = hostcall::read_dir(&handle)?;
        for entry in &mut listing {
            if entry.attr.is_none() {
                let name: Arc<[u8]> = Arc::from(&entry.name[..]);
                entry.attr = lower.lookup(&name).ok().map(|(_, attr)| attr);
            }
        }
        self.directory()?.complete(listing);
        Ok(())
    }

    /// The owner, group and mode that a file made here by the running task gets (setgid directories hand down their group).
    pub fn new_owner(&self, mode: u32) -> (u32, u32, u32) {
        let cred = super::access::current();
        let dir = self.owner();
        if dir.mode & S_ISGID == 0 {
            return (cred.fsuid, cred.fsgid, mode);
        }
        let mode = if mode & S_IFMT == S_IFDIR {
            mode | S_ISGID
        } else if super::access::in_group(&cred, dir.gid)
            || super::access::capable(&cred, CAP_FSETID)
        {
            mode
        } else {
            mode & S_ISUID | without_set_id(mode)
        };
        (cred.fsuid, dir.gid, mode)
    }

    /// Gives a node a name here; `EEXIST`, or `ENOENT` in a removed directory.
    pub fn add_child(&self, name: &[u8], node: &Arc<Node>) -> Result<(), Errno> {
        if self.find(name)?.is_some() {
            return Err(Errno::EEXIST);
        }
        super::page_cache::check_space(1)?;
        let key: Arc<[u8]> = Arc::from(name);
        {
            let mut dir = self.directory()?;
            if dir.dead {
                return Err(Errno::ENOENT);
            }
            dir.insert(&key, Child::Node(node.clone()));
        }
        node.set_place(&self.me, &key);
        node.add_links(1);
        if node.is_dir() {
            node.add_links(1);
            self.count_directory(1);
        }
        self.touch();
        events::created(self, name, node);
        Ok(())
    }

    /// A subdirectory came or went. (File systems that don't count them show 1.)
    fn count_directory(&self, delta: i32) {
        if self.attr().nlink > 1 {
            self.add_links(delta);
        }
    }

    /// Removes the name of a non-directory.
    pub fn remove_file(&self, name: &[u8]) -> Result<(), Errno> {
        let node = self.child(name)?;
        if node.is_dir() {
            return Err(Errno::EISDIR);
        }
        self.directory()?.remove(name);
        node.add_links(-1);
        self.touch();
        events::removed(self, name, &node);
        Ok(())
    }

    /// Removes an empty directory.
    pub fn remove_directory(&self, name: &[u8]) -> Result<(), Errno> {
        let node = self.child(name)?;
        node.bury()?;
        self.directory()?.remove(name);
        self.count_directory(-1);
        self.touch();
        events::removed(self, name, &node);
        Ok(())
    }

    /// Marks a directory removed; `ENOTEMPTY`, `ENOTDIR`.
    fn bury(&self) -> Result<(), Errno> {
        self.complete()?;
        let mut dir = self.directory()?;
        if !dir.by_name.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        dir.dead = true;
        drop(dir);
        self.change(|attr| attr.nlink = 0);
        Ok(())
    }

    /// Whether `other` is this node or lies below it.
    fn holds(&self, other: &Arc<Node>) -> bool {
        let mut at = Some(other.clone());
        while let Some(node) = at {
            if core::ptr::eq(&*node, self) {
                return true;
            }
            at = node.find_place().map(|(parent, _)| parent);
        }
        false
    }

    /// renameat2(2).
    pub fn rename_child(
        &self,
        old: &[u8],
        new_dir: &Arc<Node>,
        new: &[u8],
        flags: u32,
    ) -> Result<(), Errno> {
        let node = self.child(old)?;
        let there = new_dir.find(new)?;
        if flags & RENAME_NOREPLACE != 0 && there.is_some() {
            return Err(Errno::EEXIST);
        }
        let exchange = flags & RENAME_EXCHANGE != 0;
        if exchange && there.is_none() {
            return Err(Errno::ENOENT);
        }
        if node.is_dir() && node.holds(new_dir) {
            return Err(Errno::EINVAL);
        }
        let me = self.me.upgrade().ok_or(Errno::ENOENT)?;
        if let Some(there) = &there {
            if Arc::ptr_eq(there, &node) {
                return Ok(());
            }
            if there.is_dir() && there.holds(&me) {
                return Err(if exchange {
                    Errno::EINVAL
                } else {
                    Errno::ENOTEMPTY
                });
            }
            if exchange {
                return self.exchange(old, &node, new_dir, new, there);
            }
            match (node.is_dir(), there.is_dir()) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                (true, true) => there.bury()?,
                (false, false) => there.add_links(-1),
            }
        }
        let key: Arc<[u8]> = Arc::from(new);
        {
            let mut dir = new_dir.directory()?;
            if dir.dead {
                return Err(Errno::ENOENT);
            }
            dir.insert(&key, Child::Node(node.clone()));
        }
        self.directory()?.remove(old);
        node.set_place(&new_dir.me, &key);
        node.change(|_| ());
        if node.is_dir() {
            self.count_directory(-1);
            if there.is_none() {
                new_dir.count_directory(1);
            }
        }
        self.touch();
        new_dir.touch();
        events::moved((self, old), (new_dir, new), &node, there.as_deref());
        Ok(())
    }

    fn exchange(
        &self,
        old: &[u8],
        node: &Arc<Node>,
        new_dir: &Arc<Node>,
        new: &[u8],
        there: &Arc<Node>,
    ) -> Result<(), Errno> {
        self.directory()?.replace(old, there.clone());
        new_dir.directory()?.replace(new, node.clone());
        there.set_place(&self.me, &Arc::from(old));
        node.set_place(&new_dir.me, &Arc::from(new));
        let delta = i32::from(there.is_dir()) - i32::from(node.is_dir());
        self.count_directory(delta);
        new_dir.count_directory(-delta);
        for changed in [node, there] {
            changed.change(|_| ());
        }
        self.touch();
        new_dir.touch();
        events::moved((self, old), (new_dir, new), node, None);
        events::moved((new_dir, new), (self, old), there, None);
        Ok(())
    }

    /// Calls `each` with the entries from position `from` on until it returns false.
    pub fn list_children(
        &self,
        from: u64,
        each: &mut dyn FnMut(DirEntry) -> bool,
    ) -> Result<(), Errno> {
        self.complete()?;
        let dir = self.directory()?;
        for (position, name) in dir.by_position.range(from..) {
            let Some(entry) = dir.by_name.get(name) else {
                continue;
            };
            let (ino, kind) = match &entry.child {
                Child::Node(node) => (node.ino, dirent_kind(node.kind())),
                Child::Listed(attr) => (attr.ino, dirent_kind(attr.mode)),
                Child::Absent => continue,
            };
            let entry = DirEntry {
                name: name.to_vec(),
                ino,
                kind,
                next: position + 1,
            };
            if !each(entry) {
                break;
            }
        }
        Ok(())
    }
}
