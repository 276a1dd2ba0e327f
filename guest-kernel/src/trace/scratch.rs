//! Memory that stands in for arguments: what a rule puts in the place of a string or buffer, and what a filter has looked at.
//!
//! The bytes lie in frames of the kernel's own, which a task keeps between calls. The handler finds them by addresses below
//! `mmap_min_addr`, where no program can map anything: `mm::user` resolves those here, and only for reading. So the workload's
//! memory stays as it is, no mapping shows up in /proc/PID/maps, and no other thread can change the bytes.
//!
//! ```text
//! window of argument i: pages 1 + 2i and 2 + 2i, bytes from the start of the first
//! ```

use crate::{Errno, arch, mm::frame::Frame};
use core::sync::atomic::{AtomicU32, Ordering};
use vitrine_abi::layout::PAGE_SIZE;

use crate::sync::Mutex;

const PAGE: usize = PAGE_SIZE as usize;
/// Pages of an argument.
const PAGES: usize = 2;
/// Most bytes in the place of an argument.
pub(super) const MAX_BYTES: usize = PAGES * PAGE;

/// Behind the last window.
pub(super) const END: u64 = (1 + 6 * PAGES as u64) * PAGE_SIZE;

/// Where what stands in for argument `arg` is found.
pub(super) const fn window(arg: usize) -> u64 {
    (arg as u64 * PAGES as u64 + 1) * PAGE_SIZE
}

/// A task's stand-ins.
#[derive(Default)]
pub(super) struct Scratch {
    /// Which pages of the window are in use, by page number.
    active: AtomicU32,
    pages: Mutex<[Page; 6 * PAGES]>,
}

#[derive(Default)]
struct Page {
    frame: Option<Frame>,
    /// Bytes from the start that may not be 0.
    used: usize,
}

impl Scratch {
    /// Puts `data` in the place of argument `arg`, zeros behind it; the address under which the handler finds it. `E2BIG`: more than
    /// [`MAX_BYTES`].
    pub(super) fn put(&self, arg: usize, data: &[u8]) -> Result<u64, Errno> {
        if data.len() > MAX_BYTES || arg >= 6 {
            return Err(Errno::E2BIG);
        }
        let first = arg * PAGES;
        let mut pages = self.pages.lock();
        let mut active = 0;
        // A string's NUL may be the first byte of the second page.
        let count = (data.len() / PAGE + 1).min(PAGES);
        for index in 0..count {
            let page = &mut pages[first + index];
            let start = (index * PAGE).min(data.len());
            let part = &data[start..data.len().min(start + PAGE)];
            let frame = match &page.frame {
                Some(frame) => frame,
                None => page.frame.insert(Frame::zeroed()?),
            };
            frame.write(0, part);
            if page.used > part.len() {
                frame.zero(part.len(), page.used - part.len());
            }
            page.used = part.len();
            active |= 1 << (first + index + 1);
        }
        self.active.fetch_or(active, Ordering::Relaxed);
        Ok(window(arg))
    }

    /// Nothing stands in any longer.
    pub(super) fn clear(&self) {
        if self.active.load(Ordering::Relaxed) != 0 {
            self.active.store(0, Ordering::Relaxed);
        }
    }

    fn resolve(&self, addr: u64) -> Option<u64> {
        let number = addr / PAGE_SIZE;
        let bit = 1u32.checked_shl(u32::try_from(number).ok()?)?;
        if self.active.load(Ordering::Relaxed) & bit == 0 {
            return None;
        }
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let pages = self.pages.lock();
        let frame = pages.get(index)?.frame.as_ref()?;
        Some(frame.phys() + addr % PAGE_SIZE)
    }
}

/// Where what stands at `addr` in the current task's call lies physically. It stays there to the end of the call.
pub fn scratch(addr: u64) -> Option<u64> {
    arch::with_current(|task| task.trace.scratch.resolve(addr))
}
