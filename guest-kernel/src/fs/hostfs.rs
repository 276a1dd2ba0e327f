//! The host's tree as the lower layer: where a node's original lies, and host handles to it, opened when needed.
//!
//! At most [`MAX_HANDLES`] handles stay open; the oldest gives way, and is looked up again if it is missed.

use crate::{
    Errno,
    hostcall::{self, HostHandle},
    sync::Mutex,
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Weak},
    vec::Vec,
};
use vitrine_abi::hostcall::HostAttr;

/// Handles kept open besides the root's.
const MAX_HANDLES: usize = 400;
/// Longest relative path asked for at once.
const MAX_RELATIVE: usize = 2048;

static OPEN: Mutex<VecDeque<Weak<Lower>>> = Mutex::new(VecDeque::new());

/// The original of a node on the host. Names on the host don't change under the guest, so it stays valid when the node is renamed.
pub struct Lower {
    /// The host directory that holds it; `None`: it is the root.
    parent: Option<Arc<Lower>>,
    name: Arc<[u8]>,
    handle: Mutex<Option<Arc<HostHandle>>>,
    /// Which entries of a directory have extended attributes.
    xattr_entries: Mutex<XattrEntries>,
}

/// Which entries of a directory have extended attributes.
enum XattrEntries {
    /// So many of its entries were asked for theirs.
    Asked(u32),
    /// Those of these names.
    Known(BTreeSet<Vec<u8>>),
    /// Too many to list.
    Unknown,
}

/// Once so many entries of a directory were asked for their extended attributes, the host is asked for all of the directory at once.
const ASK_ONE_BY_ONE: u32 = 4;

impl Lower {
    /// The root of the host's tree.
    pub fn root() -> Arc<Lower> {
        Arc::new(Lower {
            parent: None,
            name: Arc::from(&b""[..]),
            handle: Mutex::new(Some(Arc::new(HostHandle::ROOT))),
            xattr_entries: Mutex::new(XattrEntries::Asked(0)),
        })
    }

    /// A child that is known to exist (from a listing): no handle yet.
    pub fn child(self: &Arc<Lower>, name: &Arc<[u8]>) -> Arc<Lower> {
        Arc::new(Lower {
            parent: Some(self.clone()),
            name: name.clone(),
            handle: Mutex::new(None),
            xattr_entries: Mutex::new(XattrEntries::Asked(0)),
        })
    }

    /// Looks a child up on the host.
    pub fn lookup(self: &Arc<Lower>, name: &Arc<[u8]>) -> Result<(Arc<Lower>, HostAttr), Errno> {
        let child = self.child(name);
        let (handle, attr) = child.find()?;
        child.keep(handle);
        Ok((child, attr))
    }

    /// A handle to it.
    pub fn handle(self: &Arc<Lower>) -> Result<Arc<HostHandle>, Errno> {
        if let Some(handle) = &*self.handle.lock() {
            return Ok(handle.clone());
        }
        let (handle, _) = self.find()?;
        self.keep(handle.clone());
        Ok(handle)
    }

    /// Its extended attributes. What can't be read isn't there.
    pub fn xattrs(self: &Arc<Lower>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let parent = self.parent.as_ref();
        if !parent.is_none_or(|parent| parent.may_have_xattrs(&self.name)) {
            return BTreeMap::new();
        }
        let Ok(handle) = self.handle() else {
            return BTreeMap::new();
        };
        let names = hostcall::list_xattr(&handle).unwrap_or_default();
        let names = names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty());
        names
            .filter_map(|name| Some((name.to_vec(), hostcall::get_xattr(&handle, name).ok()?)))
            .collect()
    }

    /// Whether the entry `name` of this directory may have extended attributes.
    fn may_have_xattrs(self: &Arc<Lower>, name: &[u8]) -> bool {
        let mut entries = self.xattr_entries.lock();
        if let XattrEntries::Asked(count) = *entries {
            if count < ASK_ONE_BY_ONE {
                *entries = XattrEntries::Asked(count + 1);
                return true;
            }
            let listed = self
                .handle()
                .and_then(|handle| hostcall::xattr_entries(&handle));
            *entries = match listed {
                Ok(names) => {
                    let names = names.split(|byte| *byte == 0).map(<[u8]>::to_vec);
                    XattrEntries::Known(names.collect())
                }
                Err(_) => XattrEntries::Unknown,
            };
        }
        match &*entries {
            XattrEntries::Known(names) => names.contains(name),
            _ => true,
        }
    }

    /// Looks it up on the host. If the VMM has no descriptor left, all other handles make room.
    fn find(self: &Arc<Lower>) -> Result<(Arc<HostHandle>, HostAttr), Errno> {
        let (base, path) = self.nearest()?;
        let (handle, attr) = match hostcall::lookup(&base, &path) {
            Err(Errno::EMFILE | Errno::ENFILE) => {
                close_oldest(MAX_HANDLES);
                hostcall::lookup(&base, &path)?
            }
            found => found?,
        };
        Ok((Arc::new(handle), attr))
    }

    /// The nearest ancestor with an open handle, and the path from there.
    fn nearest(self: &Arc<Lower>) -> Result<(Arc<HostHandle>, Vec<u8>), Errno> {
        let mut names = alloc::vec![self.name.clone()];
        let mut len = self.name.len();
        let mut next = self.parent.as_ref();
        let base = loop {
            let lower = next.ok_or(Errno::EIO)?;
            let open = lower.handle.lock().clone();
            if let Some(handle) = open {
                break handle;
            }
            len += lower.name.len() + 1;
            if len > MAX_RELATIVE {
                break lower.handle()?;
            }
            names.push(lower.name.clone());
            next = lower.parent.as_ref();
        };
        names.reverse();
        Ok((base, names.join(&b'/')))
    }

    fn keep(self: &Arc<Lower>, handle: Arc<HostHandle>) {
        *self.handle.lock() = Some(handle);
        let mut open = OPEN.lock();
        open.push_back(Arc::downgrade(self));
        let surplus = open.len().saturating_sub(MAX_HANDLES);
        drop(open);
        close_oldest(surplus);
    }
}

/// Lets go of the `count` handles that were opened first. (Who is using one keeps it open until done.)
fn close_oldest(count: usize) {
    for _ in 0..count {
        let Some(oldest) = OPEN.lock().pop_front() else {
            break;
        };
        if let Some(lower) = oldest.upgrade()
            && lower.parent.is_some()
        {
            lower.handle.lock().take();
        }
    }
}
