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

/// The event ring's header.
pub fn ring_header(ring: Region) -> &'static RingHeader {
    // SAFETY: the VMM reserved `ring` for this; all fields are atomics.
    unsafe { &*((layout::DIRECT_MAP + ring.addr) as *const RingHeader) }
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
