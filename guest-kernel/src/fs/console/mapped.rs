//! A standard descriptor's regular file in memory, for mmap(2): its pages are read from the host when they are first touched. Those that
//! a shared mapping may have written go back to the host before a call looks at the file, and when the last mapping is gone.

use crate::{
    Errno, hostcall,
    mm::{MemoryObject, ObjectIdentity, frame::Frame},
    sync::Mutex,
};
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicU32, Ordering};
use linux_raw_sys::general::{O_ACCMODE, O_RDWR};
use vitrine_abi::{boot::ConsoleFd, layout::PAGE_SIZE};

/// Device and inode number at the host: several standard descriptors may be one file.
type Key = (u64, u64);

/// The files that are mapped.
static MAPPED: Mutex<BTreeMap<Key, Weak<MappedFile>>> = Mutex::new(BTreeMap::new());

/// A file that is mapped.
pub(super) struct MappedFile {
    key: Key,
    /// The caller's descriptor that it is read and written by.
    fd: AtomicU32,
    pages: Mutex<BTreeMap<u64, Page>>,
}

struct Page {
    frame: Frame,
    /// A shared mapping may write it. It stays set: later writes through the mapping go unnoticed.
    written: bool,
}

fn key(console: &ConsoleFd) -> Key {
    (console.dev, console.ino)
}

fn existing(key: Key) -> Option<Arc<MappedFile>> {
    MAPPED.lock().get(&key).and_then(Weak::upgrade)
}

/// The file behind the caller's descriptor `fd`, to be mapped.
pub(super) fn open(fd: u32, console: &ConsoleFd) -> Arc<MappedFile> {
    let key = key(console);
    let mut mapped = MAPPED.lock();
    if let Some(file) = mapped.get(&key).and_then(Weak::upgrade) {
        if console.flags & O_ACCMODE == O_RDWR {
            file.fd.store(fd, Ordering::Relaxed);
        }
        return file;
    }
    let file = Arc::new(MappedFile {
        key,
        fd: AtomicU32::new(fd),
        pages: Mutex::new(BTreeMap::new()),
    });
    mapped.insert(key, Arc::downgrade(&file));
    file
}

/// Gives the host what was written through mappings, before a call looks at the file.
pub(super) fn flush(console: &ConsoleFd) {
    if let Some(file) = existing(key(console)) {
        file.write_back();
    }
}

/// Brings the mapped pages up to date with the host, after a call wrote to the file.
pub(super) fn refresh(console: &ConsoleFd) {
    if let Some(file) = existing(key(console)) {
        for (index, page) in &*file.pages.lock() {
            // A page that can't be read keeps what it has.
            let _ = file.fill(*index, &page.frame);
        }
    }
}

impl MappedFile {
    fn fd(&self) -> u32 {
        self.fd.load(Ordering::Relaxed)
    }

    /// Reads page `index` from the host; what lies behind the end is zero.
    fn fill(&self, index: u64, frame: &Frame) -> Result<(), Errno> {
        let mut buf: Vec<u8> = alloc::vec![0; PAGE_SIZE as usize];
        let mut done = 0;
        while done < buf.len() {
            let at = index * PAGE_SIZE + done as u64;
            match hostcall::console_read_at(self.fd(), at, &mut buf[done..])? {
                0 => break,
                n => done += n,
            }
        }
        buf[done..].fill(0);
        frame.write(0, &buf);
        Ok(())
    }

    /// Writes back what may have been written, up to the file's end. As on Linux, nobody hears of an error of a mapping's write.
    fn write_back(&self) {
        let pages = self.pages.lock();
        if !pages.values().any(|page| page.written) {
            return;
        }
        let Ok(attr) = hostcall::console_attr(self.fd()) else {
            return;
        };
        let mut buf: Vec<u8> = alloc::vec![0; PAGE_SIZE as usize];
        for (index, page) in pages.iter().filter(|(_, page)| page.written) {
            let start = index * PAGE_SIZE;
            let len = attr.size.saturating_sub(start).min(PAGE_SIZE) as usize;
            page.frame.read(0, &mut buf);
            let mut done = 0;
            while done < len {
                let at = start + done as u64;
                match hostcall::console_write_at(self.fd(), at, &buf[done..len]) {
                    Ok(n) if n > 0 => done += n,
                    _ => break,
                }
            }
        }
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        self.write_back();
        let mut mapped = MAPPED.lock();
        if mapped
            .get(&self.key)
            .is_some_and(|file| file.strong_count() == 0)
        {
            mapped.remove(&self.key);
        }
    }
}

impl MemoryObject for MappedFile {
    fn page(&self, index: u64, write: bool) -> Result<Frame, Errno> {
        let size = hostcall::console_attr(self.fd())?.size;
        if index >= size.div_ceil(PAGE_SIZE) {
            return Err(Errno::ENXIO);
        }
        let mut pages = self.pages.lock();
        if let Some(page) = pages.get_mut(&index) {
            page.written |= write;
            return Ok(page.frame.clone());
        }
        let frame = Frame::zeroed()?;
        self.fill(index, &frame)?;
        let page = Page {
            frame: frame.clone(),
            written: write,
        };
        pages.insert(index, page);
        Ok(frame)
    }

    fn identity(&self) -> Option<ObjectIdentity> {
        Some(ObjectIdentity {
            dev: self.key.0,
            ino: self.key.1,
            path: Arc::from(alloc::format!("file:[{}]", self.key.1).into_bytes()),
        })
    }
}
