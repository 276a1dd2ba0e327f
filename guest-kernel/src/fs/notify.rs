//! Who watches which inode, and telling them what happened there (inotify(7)).
//!
//! File systems call [`emit`] after each change; it costs one load where nobody watches anything.

use super::inotify::Inotify;
use crate::{Errno, sync::Mutex};
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicUsize, Ordering};
use linux_raw_sys::general::{IN_DELETE_SELF, IN_IGNORED, IN_UNMOUNT};

/// Names an inode: device and inode number.
pub type Key = (u64, u64);

/// Most watches in all (/proc/sys/fs/inotify/max_user_watches).
pub const MAX_WATCHES: usize = 65536;

struct Watch {
    owner: Weak<Inotify>,
    wd: i32,
}

static WATCHES: Mutex<BTreeMap<Key, Vec<Watch>>> = Mutex::new(BTreeMap::new());
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// Whether anything is watched at all.
pub fn active() -> bool {
    COUNT.load(Ordering::Relaxed) != 0
}

/// As [`emit`], with a [`cookie`].
pub fn emit_with_cookie(key: Key, mask: u32, name: Option<&[u8]>, cookie: u32) {
    if !active() {
        return;
    }
    let watchers: Vec<(Arc<Inotify>, i32)> = {
        let watches = WATCHES.lock();
        let Some(list) = watches.get(&key) else {
            return;
        };
        list.iter()
            .filter_map(|watch| Some((watch.owner.upgrade()?, watch.wd)))
            .collect()
    };
    for (owner, wd) in watchers {
        let over = owner.notify(wd, mask, name.unwrap_or_default(), cookie);
        if over || mask & (IN_DELETE_SELF | IN_UNMOUNT) != 0 {
            remove(key, &owner, wd);
            owner.forget(wd);
            owner.notify(wd, IN_IGNORED, &[], 0);
        }
    }
}

/// Adds a watch; `ENOSPC` past [`MAX_WATCHES`].
pub(super) fn add(key: Key, owner: &Weak<Inotify>, wd: i32) -> Result<(), Errno> {
    if COUNT.load(Ordering::Relaxed) >= MAX_WATCHES {
        return Err(Errno::ENOSPC);
    }
    WATCHES.lock().entry(key).or_default().push(Watch {
        owner: owner.clone(),
        wd,
    });
    COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Removes a watch.
pub(super) fn remove(key: Key, owner: &Inotify, wd: i32) {
    let mut watches = WATCHES.lock();
    let Some(list) = watches.get_mut(&key) else {
        return;
    };
    let before = list.len();
    list.retain(|watch| watch.wd != wd || !core::ptr::eq(watch.owner.as_ptr(), owner));
    COUNT.fetch_sub(before - list.len(), Ordering::Relaxed);
    if list.is_empty() {
        watches.remove(&key);
    }
}
