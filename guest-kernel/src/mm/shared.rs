//! Memory that the kernel and the VMM share: the control page, the host-call slots, and raw regions such as the event ring.
//!
//! All of it lies in RAM at fixed or boot-given guest physical addresses and is reached through the direct map. What is in it is read and
//! written by the VMM at any time, so it is handed out as atomics or copied, never as plain references.

use vitrine_abi::{
    boot::Region,
    hostcall::HostCallSlot,
    layout,
    shared::{ControlPage, RingHeader},
};

/// The control page.
pub fn control_page() -> &'static ControlPage {
    // SAFETY: the page is RAM that nothing else uses, mapped for good at this address; all its fields are atomics.
    unsafe { &*((layout::DIRECT_MAP + layout::CONTROL_PAGE) as *const ControlPage) }
}

/// The host-call slot of vCPU `cpu`; `None` past the last one.
pub fn host_call_slot(cpu: usize) -> Option<&'static HostCallSlot> {
    let slots =
        (layout::BOOT_STRINGS - layout::HOST_CALL_SLOTS) as usize / size_of::<HostCallSlot>();
    if cpu >= slots {
        return None;
    }
    let addr = layout::DIRECT_MAP + layout::HOST_CALL_SLOTS;
    // SAFETY: as for the control page; `cpu` is within the page of slots.
    Some(unsafe { &*(addr as *const HostCallSlot).add(cpu) })
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
        let aligned = self.base as usize % align_of::<RingHeader>() == 0;
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
