//! Memory that the guest and the VMM share, as references and as physical addresses.

use core::slice;
use vitrine_abi::{
    boot::{BootInfo, Region},
    hostcall::HostCallSlot,
    layout,
    shared::{ControlPage, RingHeader},
};

/// The boot information: written by the VMM before the first instruction, read-only since.
pub fn boot_info() -> &'static BootInfo {
    // SAFETY: the VMM placed it there; it holds plain integers, for which every bit pattern is valid.
    unsafe { &*((layout::DIRECT_MAP + layout::BOOT_INFO) as *const BootInfo) }
}

/// The control page.
pub fn control() -> &'static ControlPage {
    // SAFETY: the page is reserved for this; all fields are atomics.
    unsafe { &*((layout::DIRECT_MAP + layout::CONTROL_PAGE) as *const ControlPage) }
}

/// The host-call slot of this vCPU.
pub fn host_call_slot() -> &'static HostCallSlot {
    // SAFETY: as for `control`.
    unsafe { &*((layout::DIRECT_MAP + layout::HOST_CALL_SLOTS) as *const HostCallSlot) }
}

/// Bytes that the VMM left at a region before boot, and that nothing overwrites.
pub fn boot_bytes(region: Region) -> &'static [u8] {
    let ram = boot_info().ram_bytes;
    assert!(
        region
            .addr
            .checked_add(region.len)
            .is_some_and(|end| end <= ram),
        "boot region outside RAM"
    );
    // SAFETY: inside the direct map, as checked; reserved by the VMM, which keeps `free_start` above it.
    unsafe {
        slice::from_raw_parts(
            (layout::DIRECT_MAP + region.addr) as *const u8,
            region.len as usize,
        )
    }
}

/// Guest physical address of kernel memory (direct map or image), for a host call's buffer. Contiguous for the
/// whole slice: heap blocks, stacks and statics are.
pub fn physical(bytes: &[u8]) -> u64 {
    let address = bytes.as_ptr() as u64;
    if address >= layout::IMAGE_BASE {
        address - layout::IMAGE_BASE
    } else {
        address - layout::DIRECT_MAP
    }
}

/// As [`physical`], for memory that the VMM will write.
pub fn physical_mut(bytes: &mut [u8]) -> u64 {
    physical(bytes)
}

/// A region of RAM that both sides use, in bytes.
pub struct SharedRegion {
    base: *mut u8,
    len: usize,
}

// SAFETY: the region lives for ever and is only accessed by bounded copies.
unsafe impl Send for SharedRegion {}
// SAFETY: as above; two copies to the same place would garble bytes, nothing more, and the kernel runs on one vCPU.
unsafe impl Sync for SharedRegion {}

impl SharedRegion {
    /// The region that the VMM named in the boot information; `None` if it doesn't lie in the first `ram_bytes` of RAM.
    pub fn new(region: Region, ram_bytes: u64) -> Option<SharedRegion> {
        let end = region.addr.checked_add(region.len)?;
        if region.len == 0 || end > ram_bytes {
            return None;
        }
        Some(SharedRegion {
            base: (layout::DIRECT_MAP + region.addr) as *mut u8,
            len: region.len as usize,
        })
    }

    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The ring header at its start; `None` if the region is too small or not aligned.
    pub fn ring_header(&self) -> Option<&'static RingHeader> {
        let fits = self.len >= size_of::<RingHeader>();
        let aligned = (self.base as usize).is_multiple_of(align_of::<RingHeader>());
        // SAFETY: in bounds and aligned as just checked; RAM that is mapped for good; all fields are atomics.
        (fits && aligned).then(|| unsafe { &*(self.base as *const RingHeader) })
    }

    /// Copies `data` to `offset`; nothing happens if it doesn't fit.
    pub fn write(&self, offset: usize, data: &[u8]) {
        if offset
            .checked_add(data.len())
            .is_none_or(|end| end > self.len)
        {
            return;
        }
        // SAFETY: the destination is inside the region, as just checked, and no Rust reference to it exists.
        unsafe { core::ptr::copy_nonoverlapping(data.as_ptr(), self.base.add(offset), data.len()) }
    }

    /// Copies out from `offset`; `buf` is unchanged if that is outside.
    pub fn read(&self, offset: usize, buf: &mut [u8]) {
        if offset
            .checked_add(buf.len())
            .is_none_or(|end| end > self.len)
        {
            return;
        }
        // SAFETY: the source is inside the region, as just checked.
        unsafe {
            core::ptr::copy_nonoverlapping(self.base.add(offset), buf.as_mut_ptr(), buf.len())
        }
    }
}
