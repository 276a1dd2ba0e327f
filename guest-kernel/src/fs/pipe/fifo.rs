//! Named pipes: which pipe an inode means, and the rules by which opening one blocks (fifo(7)).

use super::{Pipe, PipeEnd};
use crate::{
    Errno,
    fs::{FileOps, Metadata},
    sync::{Interruptible, Mutex, wait_until},
};
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};
use core::sync::atomic::AtomicU64;
use linux_raw_sys::general::{O_ACCMODE, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, S_IFIFO};

/// Pipes of the named pipes that are open, by device and inode number.
static FIFOS: Mutex<BTreeMap<(u64, u64), Weak<Pipe>>> = Mutex::new(BTreeMap::new());

/// Opens the named pipe with this device and inode number. May block, as open(2) of a fifo does.
pub fn open_fifo(key: (u64, u64), flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
    open_fifo_inode(
        Metadata {
            dev: key.0,
            ino: key.1,
            mode: S_IFIFO | 0o600,
            nlink: 1,
            blksize: 4096,
            ..Metadata::default()
        },
        flags,
    )
}

/// As [`open_fifo`], for an inode with these attributes, which fstat(2) of the open file shows.
pub fn open_fifo_inode(metadata: Metadata, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
    let key = (metadata.dev, metadata.ino);
    let pipe = {
        let mut fifos = FIFOS.lock();
        match fifos.get(&key).and_then(Weak::upgrade) {
            Some(pipe) => pipe,
            None => {
                let pipe = Pipe::new(metadata, Some(key));
                fifos.insert(key, Arc::downgrade(&pipe));
                pipe
            }
        }
    };
    open_end(&pipe, flags)
}

/// Opens an end (or both) of `pipe`, waiting for the other end where fifo(7) says so. A nameless one (pipe(2), opened again through
/// /proc/PID/fd) never waits for anybody: whoever has gone left what there is to read.
pub fn open_end(pipe: &Arc<Pipe>, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
    let named = pipe.fifo.is_some();
    let nonblocking = flags & O_NONBLOCK != 0;
    let (read, write) = match flags & O_ACCMODE {
        O_RDONLY => (true, false),
        O_WRONLY => (false, true),
        O_RDWR => (true, true),
        _ => return Err(Errno::EINVAL),
    };
    // The counts of opens so far: an end that waits is satisfied by a partner who came and went again.
    let (readers_seen, writers_seen, partner_missing) = {
        let mut state = pipe.state.lock();
        if named && !read && nonblocking && state.readers == 0 {
            return Err(Errno::ENXIO);
        }
        let seen = (state.reader_opens, state.writer_opens);
        if read {
            state.readers += 1;
            state.reader_opens += 1;
        }
        if write {
            state.writers += 1;
            state.writer_opens += 1;
        }
        let missing = named
            && match (read, write) {
                (true, false) => state.writers == 0,
                (false, true) => state.readers == 0,
                _ => false,
            };
        (seen.0, seen.1, missing)
    };
    let quiet = read && !write && nonblocking && partner_missing;
    let end = Arc::new(PipeEnd {
        pipe: pipe.clone(),
        read,
        write,
        hup_silent_at: AtomicU64::new(if quiet { writers_seen } else { u64::MAX }),
    });
    if read {
        pipe.write_queue.wake_all();
    }
    if write {
        pipe.read_queue.wake_all();
    }
    if partner_missing && !nonblocking {
        let queue = if read {
            &pipe.read_queue
        } else {
            &pipe.write_queue
        };
        wait_until(&[queue], None, Interruptible::Yes, || {
            let state = pipe.state.lock();
            let came = if read {
                state.writer_opens != writers_seen
            } else {
                state.reader_opens != readers_seen
            };
            came.then_some(())
        })
        .map_err(|_| Errno::ERESTARTSYS)?;
    }
    Ok(end)
}

/// Forgets a named pipe that nobody has open any more.
pub(super) fn forget(key: (u64, u64)) {
    let mut fifos = FIFOS.lock();
    if fifos.get(&key).is_some_and(|pipe| pipe.strong_count() == 0) {
        fifos.remove(&key);
    }
}
