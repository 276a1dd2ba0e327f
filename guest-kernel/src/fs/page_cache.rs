//! The contents of a regular file: its pages in memory, read from the host where the lower layer has them.
//!
//! Pages lie in chunks of 64. A page that is missing reads as the host's below `lower_limit`, and as zeros above it. Frames are shared with
//! mappings: what is written to one is seen by the other. A page is *dirty* when it differs from the host's: a clean one
//! that nobody maps can be given back ([`reclaim`]).

use super::{Sink, Source, hostfs::Lower, io, quota::Quota};
use crate::{
    Errno, SysResult, hostcall,
    mm::frame::{self, Frame},
    sync::Mutex,
};
use alloc::{
    boxed::Box,
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};
use vitrine_abi::layout::PAGE_SIZE;

const CHUNK: u64 = 64;
/// Files up to this size are read from the host at once.
const WHOLE: u64 = 4 << 20;
/// Pages of one host call at most.
const MAX_READ: u64 = 512;
/// Pages that a first read in a large file brings in; consecutive ones double it.
const MIN_READ: u64 = 32;
/// Frames that files leave free for everything else.
const RESERVE: u64 = 256;
/// The same in a large machine.
const MAX_RESERVE: u64 = 16384;

struct Chunk {
    frames: [Option<Frame>; CHUNK as usize],
    /// A bit for each page that differs from the host's.
    dirty: u64,
}

/// A regular file's contents.
pub struct Contents {
    state: Mutex<State>,
}

struct State {
    size: u64,
    /// Missing pages below it are the host's.
    lower_limit: u64,
    lower: Option<Arc<Lower>>,
    chunks: BTreeMap<u64, Box<Chunk>>,
    present: u64,
    modified: bool,
    /// Where a sequential reader will come next, and how much it gets then.
    next_fill: u64,
    window: u64,
    /// The limit that its pages count against.
    quota: Option<Arc<Quota>>,
    /// On the list of files with pages that can be given back.
    listed: bool,
}

/// Files that have clean pages, in the order of their first read.
static CLEAN: Mutex<Vec<Weak<Contents>>> = Mutex::new(Vec::new());

/// Gives back clean, unmapped pages of host files, at least `pages` of them if there are as many; how many were. It may be called by an
/// allocation anywhere: it takes no lock that is held, and neither allocates nor frees kernel memory.
pub fn reclaim(pages: u64) -> u64 {
    let Some(clean) = CLEAN.try_lock() else {
        return 0;
    };
    let mut freed = 0;
    for contents in clean.iter().filter_map(Weak::upgrade) {
        if freed >= pages {
            break;
        }
        if let Some(mut state) = contents.state.try_lock() {
            freed += state.drop_clean();
        }
    }
    freed
}

/// A frame of zeros; makes room if there is none.
fn new_frame() -> Result<Frame, Errno> {
    match Frame::zeroed() {
        Ok(frame) => Ok(frame),
        Err(_) if reclaim(RESERVE) > 0 => Frame::zeroed(),
        Err(e) => Err(e),
    }
}

/// Whether a file may grow by `pages`, or a file of a page or less be made; `ENOSPC`. Nobody can be killed for what lies in files,
/// so they leave a quarter of the memory to the processes.
pub fn check_space(pages: u64) -> Result<(), Errno> {
    let stats = frame::stats();
    let left = (stats.total / 4).clamp(RESERVE, MAX_RESERVE);
    let needed = pages.saturating_add(left);
    if stats.free >= needed {
        return Ok(());
    }
    reclaim(needed);
    if frame::stats().free >= needed {
        Ok(())
    } else {
        Err(Errno::ENOSPC)
    }
}

impl Chunk {
    fn new() -> Box<Chunk> {
        Box::new(Chunk {
            frames: [const { None }; CHUNK as usize],
            dirty: 0,
        })
    }
}

impl State {
    fn check_quota(&self, pages: u64) -> Result<(), Errno> {
        self.quota
            .as_ref()
            .map_or(Ok(()), |quota| quota.check(pages))
    }

    fn pages(&self) -> u64 {
        self.size.div_ceil(PAGE_SIZE)
    }

    fn lower_pages(&self) -> u64 {
        self.lower_limit.div_ceil(PAGE_SIZE)
    }

    fn get(&self, index: u64) -> Option<&Frame> {
        let chunk = self.chunks.get(&(index / CHUNK))?;
        chunk.frames[(index % CHUNK) as usize].as_ref()
    }

    fn put(&mut self, index: u64, frame: Frame, dirty: bool) {
        let chunk = self.chunks.entry(index / CHUNK).or_insert_with(Chunk::new);
        let slot = (index % CHUNK) as usize;
        if chunk.frames[slot].replace(frame).is_none() {
            self.present += 1;
            if let Some(quota) = &self.quota {
                quota.take(1);
            }
        }
        if dirty {
            chunk.dirty |= 1 << slot;
        }
    }

    fn mark_dirty(&mut self, index: u64) {
        self.modified = true;
        if let Some(chunk) = self.chunks.get_mut(&(index / CHUNK)) {
            chunk.dirty |= 1 << (index % CHUNK);
        }
    }

    /// Brings in the host's pages around `index`, which is missing.
    fn fill(&mut self, index: u64) -> Result<(), Errno> {
        let end = self.lower_pages();
        let (start, end) = if self.lower_limit <= WHOLE {
            (0, end)
        } else if index == self.next_fill {
            self.window = (self.window * 2).clamp(MIN_READ, MAX_READ);
            (index, end.min(index + self.window))
        } else {
            self.window = MIN_READ;
            let start = index / MIN_READ * MIN_READ;
            (start, end.min(start + MIN_READ))
        };
        self.next_fill = end;
        let result = self.fill_range(start, end);
        if self.get(index).is_some() {
            Ok(())
        } else {
            result.and(Err(Errno::EIO))
        }
    }

    /// Brings in the missing ones of the host's pages `start..end`.
    fn fill_range(&mut self, start: u64, end: u64) -> Result<(), Errno> {
        let end = end.min(self.lower_pages());
        let Some(lower) = self.lower.clone() else {
            return Ok(());
        };
        let mut index = start;
        while index < end {
            if self.get(index).is_some() {
                index += 1;
                continue;
            }
            let mut frames = Vec::new();
            let mut short = None;
            while index + (frames.len() as u64) < end
                && (frames.len() as u64) < MAX_READ
                && self.get(index + frames.len() as u64).is_none()
            {
                match Frame::zeroed() {
                    Ok(frame) => frames.push(frame),
                    Err(e) => {
                        short = Some(e);
                        break;
                    }
                }
            }
            if frames.is_empty() {
                // Not even one: make room, else give up.
                frames.push(new_frame()?);
            }
            let handle = lower.handle()?;
            hostcall::read_pages(&handle, index * PAGE_SIZE, &frames)?;
            for frame in frames {
                let tail = self.lower_limit.saturating_sub(index * PAGE_SIZE);
                if tail < PAGE_SIZE {
                    frame.zero(tail as usize, (PAGE_SIZE - tail) as usize);
                }
                self.put(index, frame, false);
                index += 1;
            }
            if let Some(e) = short {
                return Err(e);
            }
        }
        Ok(())
    }

    /// The page at `index`; `None`: a hole.
    fn find(&mut self, index: u64) -> Result<Option<Frame>, Errno> {
        if self.get(index).is_none() && index < self.lower_pages() {
            self.fill(index)?;
        }
        Ok(self.get(index).cloned())
    }

    /// The page at `index`, made if it is a hole.
    fn obtain(&mut self, index: u64) -> Result<Frame, Errno> {
        if let Some(frame) = self.find(index)? {
            return Ok(frame);
        }
        self.check_quota(1)?;
        let frame = new_frame()?;
        self.put(index, frame.clone(), true);
        Ok(frame)
    }

    fn drop_clean(&mut self) -> u64 {
        let mut freed = 0;
        for chunk in self.chunks.values_mut() {
            for slot in 0..CHUNK as usize {
                let unused = chunk.frames[slot].as_ref();
                let unused = unused.is_some_and(|frame| frame.references() == 1);
                if unused && chunk.dirty & 1 << slot == 0 {
                    chunk.frames[slot] = None;
                    freed += 1;
                }
            }
        }
        self.present -= freed;
        freed
    }

    /// Sets the size; whether a page that was cut off is still mapped somewhere.
    fn resize(&mut self, size: u64) -> bool {
        let mut mapped = false;
        if size < self.size {
            self.zero_tail(size);
            let pages = size.div_ceil(PAGE_SIZE);
            mapped = self.drop_pages(pages, u64::MAX);
            self.lower_limit = self.lower_limit.min(size);
        }
        if size != self.size {
            self.modified = true;
        }
        self.size = size;
        mapped
    }

    /// Zeros the rest of the page that holds byte `size`, so that growing shows zeros.
    fn zero_tail(&mut self, size: u64) {
        let inside = (size % PAGE_SIZE) as usize;
        if inside == 0 {
            return;
        }
        let index = size / PAGE_SIZE;
        if let Some(frame) = self.get(index) {
            frame.zero(inside, PAGE_SIZE as usize - inside);
            self.mark_dirty(index);
        }
    }

    /// Forgets the pages `start..end`; whether one of them is still mapped somewhere.
    fn drop_pages(&mut self, start: u64, end: u64) -> bool {
        let mut mapped = false;
        let keys: Vec<u64> = self
            .chunks
            .range(start / CHUNK..=(end - 1) / CHUNK)
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            let Some(chunk) = self.chunks.get_mut(&key) else {
                continue;
            };
            for slot in 0..CHUNK {
                let index = key * CHUNK + slot;
                if (start..end).contains(&index) {
                    if let Some(frame) = chunk.frames[slot as usize].take() {
                        self.present -= 1;
                        if let Some(quota) = &self.quota {
                            quota.give(1);
                        }
                        mapped |= frame.references() > 1;
                    }
                    chunk.dirty &= !(1 << slot);
                }
            }
            if chunk.frames.iter().all(Option::is_none) {
                self.chunks.remove(&key);
            }
        }
        mapped
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(quota) = &self.quota {
            quota.give(self.present);
        }
    }
}

impl Contents {
    /// The contents of a new, empty file, whose pages count against `quota`.
    pub fn empty(quota: Option<Arc<Quota>>) -> Arc<Contents> {
        Self::with(0, None, quota)
    }

    /// The contents of a host file of `size` bytes.
    pub fn of_host(lower: Arc<Lower>, size: u64) -> Arc<Contents> {
        Self::with(size, Some(lower), None)
    }

    fn with(size: u64, lower: Option<Arc<Lower>>, quota: Option<Arc<Quota>>) -> Arc<Contents> {
        Arc::new(Contents {
            state: Mutex::new(State {
                size,
                lower_limit: if lower.is_some() { size } else { 0 },
                lower,
                chunks: BTreeMap::new(),
                present: 0,
                modified: false,
                next_fill: 0,
                window: 0,
                quota,
                listed: false,
            }),
        })
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.state.lock().size
    }

    /// Whether these are the contents of a file of the host's, as they are there.
    pub fn is_original(&self) -> bool {
        let state = self.state.lock();
        state.lower.is_some() && !state.modified
    }

    /// Bytes, and 512-byte blocks unless the host's figure still holds.
    pub fn usage(&self) -> (u64, Option<u64>) {
        let state = self.state.lock();
        let blocks = state.modified.then(|| {
            let lower = state.lower_pages();
            let above = if lower == 0 {
                state.present
            } else {
                let chunks = state.chunks.range(lower / CHUNK..);
                let pages = chunks.flat_map(|(key, chunk)| {
                    let first = key * CHUNK;
                    (first..).zip(chunk.frames.iter())
                });
                pages.filter(|(i, f)| *i >= lower && f.is_some()).count() as u64
            };
            (lower + above) * (PAGE_SIZE / 512)
        });
        (state.size, blocks)
    }

    /// Puts this on the list of files with clean pages.
    fn list(self: &Arc<Self>, state: &mut State) {
        if !state.listed && state.lower.is_some() && state.present > 0 {
            state.listed = true;
            let mut clean = CLEAN.lock();
            if clean.len().is_power_of_two() && clean.len() >= 64 {
                clean.retain(|contents| contents.strong_count() > 0);
            }
            clean.push(Arc::downgrade(self));
        }
    }

    /// Reads from `offset` on.
    pub fn read_at(self: &Arc<Self>, offset: u64, out: &mut dyn Sink) -> SysResult {
        let mut done = 0usize;
        while out.room() > 0 {
            let at = offset.saturating_add(done as u64);
            let inside = (at % PAGE_SIZE) as usize;
            let (page, left) = {
                let mut state = self.state.lock();
                if at >= state.size {
                    break;
                }
                let left = state.size - at;
                let page = match state.find(at / PAGE_SIZE) {
                    Ok(page) => page,
                    Err(e) if done == 0 => return Err(e),
                    Err(_) => break,
                };
                self.list(&mut state);
                (page, left)
            };
            let room = out.room().min(PAGE_SIZE as usize - inside);
            let want = usize::try_from(left).map_or(room, |l| room.min(l));
            let put = match &page {
                Some(frame) => out.put_frame(frame, inside, want),
                None => io::put_zeros(out, want),
            };
            match put {
                Ok(n) => {
                    done += n;
                    if n < want {
                        break;
                    }
                }
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Writes at `offset`, growing the file as needed. The caller checked that `offset` plus what is left stays below the largest size.
    pub fn write_at(self: &Arc<Self>, offset: u64, src: &mut dyn Source) -> SysResult {
        let mut done = 0usize;
        while src.left() > 0 {
            let at = offset.saturating_add(done as u64);
            let inside = (at % PAGE_SIZE) as usize;
            let want = src.left().min(PAGE_SIZE as usize - inside);
            match self.write_page(at / PAGE_SIZE, inside, want, src) {
                Ok(0) => break,
                Ok(n) => {
                    done += n;
                    if n < want {
                        break;
                    }
                }
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn write_page(
        self: &Arc<Self>,
        index: u64,
        inside: usize,
        want: usize,
        src: &mut dyn Source,
    ) -> SysResult {
        let start = index * PAGE_SIZE + inside as u64;
        let (frame, fresh) = {
            let mut state = self.state.lock();
            // A page that is wholly overwritten need not be read first.
            let covers = inside == 0 && start + want as u64 >= state.size.min(start + PAGE_SIZE);
            match state.get(index) {
                Some(frame) => (frame.clone(), false),
                None => {
                    check_space(1)?;
                    state.check_quota(1)?;
                    if covers {
                        (new_frame().map_err(|_| Errno::ENOSPC)?, true)
                    } else {
                        let frame = state.obtain(index).map_err(no_space)?;
                        self.list(&mut state);
                        (frame, false)
                    }
                }
            }
        };
        // The source may fault in a mapping of this very file: not under the lock.
        let n = src.take_frame(&frame, inside, want)?;
        let mut state = self.state.lock();
        if fresh {
            if n == want && state.get(index).is_none() {
                state.put(index, frame, true);
            } else {
                // Cut short, or the page came in meanwhile: only what was taken counts.
                let page = state.obtain(index).map_err(no_space)?;
                let mut part = [0u8; 256];
                let mut at = 0;
                while at < n {
                    let len = (n - at).min(part.len());
                    frame.read(inside + at, &mut part[..len]);
                    page.write(inside + at, &part[..len]);
                    at += len;
                }
            }
        }
        if n > 0 {
            state.mark_dirty(index);
            state.size = state.size.max(start + n as u64);
        }
        Ok(n)
    }

    /// Sets the size; new bytes are zeros. Returns whether pages that were cut off are still mapped somewhere.
    pub fn resize(&self, size: u64) -> bool {
        self.state.lock().resize(size)
    }

    /// Makes `offset..offset + len` read as zeros, within the file's size. Returns whether pages that were replaced are still mapped somewhere.
    pub fn zero_range(&self, offset: u64, len: u64) -> Result<bool, Errno> {
        let mut state = self.state.lock();
        let end = offset.saturating_add(len).min(state.size);
        if offset >= end {
            return Ok(false);
        }
        let mut mapped = false;
        state.modified = true;
        let (first, last) = (offset / PAGE_SIZE, (end - 1) / PAGE_SIZE);
        let lower_pages = state.lower_pages();
        for index in [first, last] {
            let from = offset.max(index * PAGE_SIZE);
            let to = end.min((index + 1) * PAGE_SIZE);
            if let Some(frame) = state.find(index)? {
                frame.zero((from % PAGE_SIZE) as usize, (to - from) as usize);
                state.mark_dirty(index);
            }
        }
        if last > first + 1 {
            mapped = state.drop_pages(first + 1, last);
            // What the host has there is covered by pages of zeros.
            for index in first + 1..last.min(lower_pages) {
                let frame = new_frame().map_err(|_| Errno::ENOSPC)?;
                state.put(index, frame, true);
            }
        }
        Ok(mapped)
    }

    /// lseek(2)'s SEEK_DATA (`hole` false) and SEEK_HOLE; `ENXIO` beyond the end.
    pub fn seek_data(&self, offset: u64, hole: bool) -> Result<u64, Errno> {
        let state = self.state.lock();
        if offset >= state.size {
            return Err(Errno::ENXIO);
        }
        let is_data = |index: u64| index < state.lower_pages() || state.get(index).is_some();
        let mut index = offset / PAGE_SIZE;
        while index < state.pages() {
            if is_data(index) != hole {
                return Ok((index * PAGE_SIZE).max(offset));
            }
            // Skip what the host has, and chunks that are not there at all.
            let chunk = index / CHUNK;
            index = if index < state.lower_pages() {
                state.lower_pages()
            } else if !state.chunks.contains_key(&chunk) {
                let next = state.chunks.range(chunk..).next();
                next.map_or(state.pages(), |(key, _)| key * CHUNK)
            } else {
                index + 1
            };
        }
        if hole {
            Ok(state.size)
        } else {
            Err(Errno::ENXIO)
        }
    }

    /// The page at `index` for a mapping; `ENXIO` beyond the end.
    pub fn page(self: &Arc<Self>, index: u64, write: bool) -> Result<Frame, Errno> {
        let mut state = self.state.lock();
        if index >= state.pages() {
            return Err(Errno::ENXIO);
        }
        let frame = state.obtain(index)?;
        if write {
            state.mark_dirty(index);
        }
        self.list(&mut state);
        Ok(frame)
    }

    /// Calls `each` for the pages of `start..start + count` that are there, bringing in the host's first if `fill`.
    pub fn pages(
        self: &Arc<Self>,
        start: u64,
        count: u64,
        fill: bool,
        each: &mut dyn FnMut(u64, Frame),
    ) {
        let end = {
            let mut state = self.state.lock();
            let end = start.saturating_add(count).min(state.pages());
            if fill {
                // What could not be read is simply not there: a fault will tell why.
                let _ = state.fill_range(start, end);
                self.list(&mut state);
            }
            end
        };
        let mut index = start;
        while index < end {
            let stop = end.min((index / CHUNK + 1) * CHUNK);
            let batch: Vec<(u64, Frame)> = {
                let state = self.state.lock();
                let there = |i: u64| state.get(i).map(|frame| (i, frame.clone()));
                match state.chunks.contains_key(&(index / CHUNK)) {
                    true => (index..stop).filter_map(there).collect(),
                    false => Vec::new(),
                }
            };
            for (i, frame) in batch {
                each(i, frame);
            }
            index = stop;
        }
    }
}

/// A lack of memory for contents is a full file system.
fn no_space(e: Errno) -> Errno {
    if e == Errno::ENOMEM { Errno::ENOSPC } else { e }
}
