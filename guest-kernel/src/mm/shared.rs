//! [`SharedAnonymous`]: memory without a file that several address spaces share (MAP_SHARED | MAP_ANONYMOUS).

use super::{MemoryObject, ObjectIdentity, frame::Frame};
use crate::{Errno, sync::Mutex};
use alloc::{collections::BTreeMap, sync::Arc};
use core::sync::atomic::{AtomicU64, Ordering};

/// Pages a chunk.
const CHUNK: u64 = 64;

type Chunk = [Option<Frame>; CHUNK as usize];

/// Zero pages that come into being when they are first touched, and live as long as the object.
pub struct SharedAnonymous {
    pages: u64,
    ino: u64,
    chunks: Mutex<BTreeMap<u64, Chunk>>,
}

impl SharedAnonymous {
    /// An object of this many pages.
    pub fn new(pages: u64) -> SharedAnonymous {
        static NEXT_INO: AtomicU64 = AtomicU64::new(1);
        SharedAnonymous {
            pages,
            ino: NEXT_INO.fetch_add(1, Ordering::Relaxed),
            chunks: Mutex::new(BTreeMap::new()),
        }
    }
}

impl MemoryObject for SharedAnonymous {
    fn page(&self, index: u64, _write: bool) -> Result<Frame, Errno> {
        if index >= self.pages {
            return Err(Errno::ENXIO);
        }
        let mut chunks = self.chunks.lock();
        let chunk = chunks
            .entry(index / CHUNK)
            .or_insert_with(|| [const { None }; CHUNK as usize]);
        let place = &mut chunk[(index % CHUNK) as usize];
        match place {
            Some(frame) => Ok(frame.clone()),
            None => Ok(place.insert(Frame::zeroed()?).clone()),
        }
    }

    fn pages(&self, start: u64, count: u64, fill: bool, each: &mut dyn FnMut(u64, Frame)) {
        let end = start.saturating_add(count).min(self.pages);
        if start >= end {
            return;
        }
        if fill {
            for index in start..end {
                let Ok(frame) = self.page(index, true) else {
                    break;
                };
                each(index, frame);
            }
            return;
        }
        let chunks = self.chunks.lock();
        for (number, chunk) in chunks.range(start / CHUNK..end.div_ceil(CHUNK)) {
            for (i, place) in chunk.iter().enumerate() {
                let index = number * CHUNK + i as u64;
                if (start..end).contains(&index)
                    && let Some(frame) = place
                {
                    each(index, frame.clone());
                }
            }
        }
    }

    fn wants_write_notice(&self) -> bool {
        false
    }

    fn identity(&self) -> Option<ObjectIdentity> {
        Some(ObjectIdentity {
            dev: 1,
            ino: self.ino,
            path: Arc::from(&b"/dev/zero (deleted)"[..]),
        })
    }
}
