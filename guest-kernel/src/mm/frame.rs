//! Physical frames, reference-counted.

use crate::Errno;

/// A counted reference to one 4 KiB physical frame. Cloning counts up; the last drop frees it.
pub struct Frame {}

impl Frame {
    /// A frame of zeros.
    pub fn zeroed() -> Result<Frame, Errno> {
        Err(Errno::ENOMEM)
    }

    /// Guest physical address.
    pub fn phys(&self) -> u64 {
        0
    }

    /// Copies out of the frame; `offset + buf.len()` must not exceed the page size.
    pub fn read(&self, _offset: usize, _buf: &mut [u8]) {}

    /// Copies into the frame.
    pub fn write(&self, _offset: usize, _data: &[u8]) {}

    /// Fills a part with zeros.
    pub fn zero(&self, _offset: usize, _len: usize) {}

    /// How many references there are, mappings included.
    pub fn references(&self) -> u32 {
        1
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        Frame {}
    }
}

/// Frames in all, free, and used by page caches: for sysinfo, /proc/meminfo and the OOM killer.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameStats {
    /// All frames of RAM that the allocator manages.
    pub total: u64,
    /// Free ones.
    pub free: u64,
}

/// Current figures.
pub fn stats() -> FrameStats {
    FrameStats::default()
}

/// Sets what is asked to drop caches when the workload's memory is used up, before an allocation fails: it gets the number of frames
/// wanted and returns how many it freed. It may be called with any lock of a file system held: it must only *try* to lock.
pub fn on_pressure(_hook: fn(u64) -> u64) {}
