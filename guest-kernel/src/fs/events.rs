//! What happens to inodes, told to whoever observes it (inotify).
//!
//! The file system reports here; [`observe`] says to whom. With nobody to tell, a report costs one load.

use super::{File, node::Node};
use core::sync::atomic::{AtomicU32, Ordering};
use linux_raw_sys::general::*;

/// Device and inode number.
pub type Key = (u64, u64);

/// Who is told.
#[derive(Clone, Copy)]
pub struct Observer {
    /// Whether anything is watched at all.
    pub active: fn() -> bool,
    /// Something happened to an inode, or to its child of that name: `IN_*` bits, and a number that ties the halves of a rename together (else 0).
    pub emit: fn(Key, u32, Option<&[u8]>, u32),
}

static OBSERVER: spin::Once<Observer> = spin::Once::new();

/// Sets who is told of events, once, at boot.
pub fn observe(observer: Observer) {
    OBSERVER.call_once(|| observer);
}

fn observer() -> Option<&'static Observer> {
    OBSERVER.get().filter(|observer| (observer.active)())
}

fn key(node: &Node) -> Key {
    (node.dev, node.ino)
}

/// `IN_ISDIR` for directories.
fn directory_bit(node: &Node) -> u32 {
    if node.is_dir() { IN_ISDIR } else { 0 }
}

/// Something happened to the node itself: those who watch it hear of it, and those who watch its directory.
pub fn happened(node: &Node, mask: u32) {
    let Some(observer) = observer() else {
        return;
    };
    let mask = mask | directory_bit(node);
    if let Some((parent, name)) = node.find_place()
        && node.attr().nlink > 0
    {
        (observer.emit)(key(&parent), mask, Some(&name), 0);
    }
    (observer.emit)(key(node), mask, None, 0);
}

/// A name was made in `directory`.
pub fn created(directory: &Node, name: &[u8], node: &Node) {
    if let Some(observer) = observer() {
        let mask = IN_CREATE | directory_bit(node);
        (observer.emit)(key(directory), mask, Some(name), 0);
    }
}

/// A name was removed from `directory`.
pub fn removed(directory: &Node, name: &[u8], node: &Node) {
    let Some(observer) = observer() else {
        return;
    };
    let bit = directory_bit(node);
    if bit == 0 {
        (observer.emit)(key(node), IN_ATTRIB, None, 0);
    }
    if node.attr().nlink == 0 {
        (observer.emit)(key(node), IN_DELETE_SELF, None, 0);
    }
    (observer.emit)(key(directory), IN_DELETE | bit, Some(name), 0);
}

/// A node moved from one name to another.
pub fn moved(from: (&Node, &[u8]), to: (&Node, &[u8]), node: &Node, replaced: Option<&Node>) {
    static COOKIE: AtomicU32 = AtomicU32::new(1);
    let Some(observer) = observer() else {
        return;
    };
    let cookie = COOKIE.fetch_add(1, Ordering::Relaxed);
    let bit = directory_bit(node);
    (observer.emit)(key(from.0), IN_MOVED_FROM | bit, Some(from.1), cookie);
    (observer.emit)(key(to.0), IN_MOVED_TO | bit, Some(to.1), cookie);
    (observer.emit)(key(node), IN_MOVE_SELF, None, 0);
    if let Some(gone) = replaced {
        if !gone.is_dir() {
            (observer.emit)(key(gone), IN_ATTRIB, None, 0);
        }
        if gone.attr().nlink == 0 {
            (observer.emit)(key(gone), IN_DELETE_SELF, None, 0);
        }
    }
}

/// A file was opened or closed.
pub fn opened_or_closed(file: &File, opened: bool) {
    if observer().is_none() || file.is_path() {
        return;
    }
    let place = file.location.as_ref();
    if let Some(node) = place.and_then(|place| Node::of(&place.inode)) {
        let mask = match (opened, file.writable()) {
            (true, _) => IN_OPEN,
            (false, true) => IN_CLOSE_WRITE,
            (false, false) => IN_CLOSE_NOWRITE,
        };
        happened(&node, mask);
    }
}
