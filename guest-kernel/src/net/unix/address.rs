//! Names of AF_UNIX sockets: paths, which are socket inodes, and abstract names; and finding the socket that has one.

use super::{Kind, UnixSocket};
use crate::{
    Errno,
    fs::{self, Follow, Location, access},
    sched,
    sync::Mutex,
};
use alloc::{
    collections::BTreeMap,
    format,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicU32, Ordering};
use linux_raw_sys::{
    general::{AT_FDCWD, S_IFMT, S_IFSOCK},
    net::AF_UNIX,
};

/// Bytes of `sockaddr_un` before the path.
const HEADER: usize = 2;
/// Bytes of `sockaddr_un`.
const SIZE: usize = 110;

/// The name that a socket is bound to.
pub(super) struct Bound {
    address: Arc<[u8]>,
    place: Place,
}

enum Place {
    /// Device and inode number; the location keeps the inode, and so its number, alive.
    Path((u64, u64), Location),
    Abstract(Kind),
    /// The listener's, which an accepted socket shows as its own.
    Inherited,
}

/// Bound sockets by some name.
type Registry<K> = BTreeMap<K, Weak<UnixSocket>>;

/// Sockets by the inode that they are bound to.
static BY_INODE: Mutex<Registry<(u64, u64)>> = Mutex::new(BTreeMap::new());
/// Sockets by type and abstract name (the whole address).
static BY_NAME: Mutex<Registry<(Kind, Arc<[u8]>)>> = Mutex::new(BTreeMap::new());

/// What an address says.
pub(super) enum Name<'a> {
    /// No name: bind chooses an abstract one.
    Unnamed,
    Path(&'a [u8]),
    /// The whole address.
    Abstract(&'a [u8]),
}

impl Bound {
    /// The name of an accepted socket: its listener's.
    pub(super) fn inherited(address: Arc<[u8]>) -> Self {
        Self {
            address,
            place: Place::Inherited,
        }
    }

    pub(super) fn address(&self) -> Arc<[u8]> {
        self.address.clone()
    }
}

/// The address of a socket without a name: only the family.
pub(super) fn unnamed() -> Arc<[u8]> {
    Arc::from((AF_UNIX as u16).to_ne_bytes())
}

/// Takes an address apart; `EINVAL`.
pub(super) fn parse(addr: &[u8]) -> Result<Name<'_>, Errno> {
    let Some((family, path)) = addr.split_first_chunk::<HEADER>() else {
        return Err(Errno::EINVAL);
    };
    if addr.len() > SIZE || u32::from(u16::from_ne_bytes(*family)) != AF_UNIX {
        return Err(Errno::EINVAL);
    }
    match path.first() {
        None => Ok(Name::Unnamed),
        Some(0) => Ok(Name::Abstract(addr)),
        Some(_) => {
            let len = path
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(path.len());
            Ok(Name::Path(&path[..len]))
        }
    }
}

fn path_address(path: &[u8]) -> Arc<[u8]> {
    let mut address = Vec::with_capacity(HEADER + path.len() + 1);
    address.extend_from_slice(&(AF_UNIX as u16).to_ne_bytes());
    address.extend_from_slice(path);
    address.push(0);
    Arc::from(address)
}

/// The socket that an address leads to. `ECONNREFUSED` if there is none, `EPROTOTYPE` if it is of another type, and what path resolution gives.
pub(super) fn find(addr: &[u8], kind: Kind) -> Result<Arc<UnixSocket>, Errno> {
    match parse(addr)? {
        Name::Unnamed => Err(Errno::EINVAL),
        Name::Abstract(name) => BY_NAME
            .lock()
            .get(&(kind, Arc::from(name)))
            .and_then(Weak::upgrade)
            .ok_or(Errno::ECONNREFUSED),
        Name::Path(path) => {
            let location = fs::resolve(AT_FDCWD, path, Follow::Yes)?;
            access::check_inode(&location.inode, access::WRITE)?;
            let metadata = location.inode.metadata()?;
            if metadata.mode & S_IFMT != S_IFSOCK {
                return Err(Errno::ECONNREFUSED);
            }
            let socket = BY_INODE
                .lock()
                .get(&(metadata.dev, metadata.ino))
                .and_then(Weak::upgrade)
                .ok_or(Errno::ECONNREFUSED)?;
            if socket.kind == kind {
                Ok(socket)
            } else {
                Err(Errno::EPROTOTYPE)
            }
        }
    }
}

/// Makes the socket's inode at `path` and binds to it.
pub(super) fn bind_path(socket: &UnixSocket, path: &[u8]) -> Result<Bound, Errno> {
    let (dir, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (&path[..1], &path[1..]),
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&b"."[..], path),
    };
    let parent = fs::resolve(AT_FDCWD, dir, Follow::Yes)?;
    if name.is_empty() {
        // A path that ends in a slash: a directory may stand there, a socket can't be made.
        return Err(match fs::resolve(AT_FDCWD, path, Follow::Yes) {
            Ok(_) => Errno::EADDRINUSE,
            Err(error) => error,
        });
    }
    if name == b"." || name == b".." {
        return Err(Errno::EADDRINUSE);
    }
    if name.len() > 255 {
        return Err(Errno::ENAMETOOLONG);
    }
    match parent.inode.lookup(name) {
        Ok(_) => return Err(Errno::EADDRINUSE),
        Err(Errno::ENOENT) => {}
        Err(error) => return Err(error),
    }
    access::check_inode(&parent.inode, access::WRITE | access::EXEC)?;
    let umask = sched::current().fs.lock().umask.load(Ordering::Relaxed);
    let inode = parent
        .inode
        .create(name, S_IFSOCK | 0o777 & !umask, 0)
        .map_err(|error| match error {
            Errno::EEXIST => Errno::EADDRINUSE,
            error => error,
        })?;
    let metadata = inode.metadata()?;
    let key = (metadata.dev, metadata.ino);
    BY_INODE.lock().insert(key, socket.me.clone());
    let address = path_address(path);
    Ok(Bound {
        place: Place::Path(
            key,
            Location {
                inode,
                path: Arc::from(path),
            },
        ),
        address,
    })
}

/// How binding a socket that has a name already to a path fails: a path that exists is noticed first.
pub(super) fn rebind_error(path: &[u8]) -> Errno {
    match fs::resolve(AT_FDCWD, path, Follow::No) {
        Ok(_) => Errno::EADDRINUSE,
        Err(Errno::ENOENT) => Errno::EINVAL,
        Err(error) => error,
    }
}

/// Binds to an abstract name; `EADDRINUSE`.
pub(super) fn bind_abstract(socket: &UnixSocket, name: &[u8]) -> Result<Bound, Errno> {
    let address: Arc<[u8]> = Arc::from(name);
    let mut names = BY_NAME.lock();
    let key = (socket.kind, address.clone());
    if names
        .get(&key)
        .is_some_and(|other| other.strong_count() > 0)
    {
        return Err(Errno::EADDRINUSE);
    }
    names.insert(key, socket.me.clone());
    Ok(Bound {
        address,
        place: Place::Abstract(socket.kind),
    })
}

/// Binds to an abstract name of five hexadecimal digits that is free.
pub(super) fn bind_automatically(socket: &UnixSocket) -> Result<Bound, Errno> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    for _ in 0..=0xf_ffff {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) & 0xf_ffff;
        let mut name = (AF_UNIX as u16).to_ne_bytes().to_vec();
        name.push(0);
        name.extend_from_slice(format!("{number:05x}").as_bytes());
        match bind_abstract(socket, &name) {
            Err(Errno::EADDRINUSE) => {}
            result => return result,
        }
    }
    Err(Errno::ENOSPC)
}

/// Gives a name up. A path stays as a socket that nobody answers at.
pub(super) fn unbind(bound: Bound) {
    match bound.place {
        Place::Path(key, location) => {
            BY_INODE.lock().remove(&key);
            drop(location);
        }
        Place::Abstract(kind) => {
            BY_NAME.lock().remove(&(kind, bound.address));
        }
        Place::Inherited => {}
    }
}
