//! Puts the guest kernel into a VM: image, page tables, boot information. [`load`] does all of it and says how the vCPU starts.

mod image;
mod info;
mod tables;

use vitrine_abi::boot::Region;
use vitrine_abi::layout::{
    BOOT_INFO, DIRECT_MAP, GDT, KERNEL_IMAGE, PAGE_SIZE, SFMASK_DEPRIVILEGED, SFMASK_PRIVILEGED,
    TSS,
};
use vitrine_abi::shared::RING_DATA_OFFSET;
use zerocopy::IntoBytes;

#[cfg(test)]
pub use image::Segment;
pub use image::{ImageError, KernelImage};
pub use info::{Workload, winsize_word};

use crate::kvm::{CpuState, GuestRam, MemoryError, Mode, Vcpu, gdt, tss};

/// Bytes of data in the event ring.
pub const RING_DATA_BYTES: u64 = 4 << 20;
/// Bytes of the mailbox at least; it also holds the filter at boot.
const MAILBOX_BYTES: u64 = 1 << 20;

/// Why the kernel could not be put into the VM.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The image itself.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Something doesn't fit.
    #[error("laying out guest memory: {0}; give the guest more with --mem")]
    Memory(#[from] MemoryError),
    /// Image, tables, ring and strings leave no room.
    #[error(
        "the guest's {ram} bytes of RAM are too few for the kernel and its arguments ({needed} bytes); give it more with --mem"
    )]
    TooSmall {
        /// Bytes of RAM.
        ram: u64,
        /// Bytes taken before the first free frame.
        needed: u64,
    },
}

/// A loaded kernel.
#[derive(Debug)]
pub struct Loaded {
    /// How the vCPU starts.
    pub cpu: CpuState,
    /// Virtual addresses of the kernel's code.
    pub kernel_text: std::ops::Range<u64>,
    /// The event ring.
    pub ring: Region,
    /// Where requests to the guest kernel go ([`crate::requests`]).
    pub mailbox: Region,
}

/// Loads `image` and everything that it needs to boot `workload` in `mode`.
pub fn load(
    ram: &GuestRam,
    vcpu: &Vcpu,
    image: &KernelImage<'_>,
    mode: Mode,
    workload: &Workload,
) -> Result<Loaded, BootError> {
    image.copy_to(ram)?;
    let kernel_image = Region {
        addr: KERNEL_IMAGE,
        len: image.end() - KERNEL_IMAGE,
    };
    let tables = tables::build(ram, image, mode)?;
    let ring = Region {
        addr: tables.end,
        len: RING_DATA_OFFSET + RING_DATA_BYTES,
    };
    if !ram.contains(ring.addr, ring.len) {
        return Err(BootError::TooSmall {
            ram: ram.bytes(),
            needed: ring.addr.saturating_add(ring.len),
        });
    }
    ram.write_obj(ring.addr, &RING_DATA_BYTES)?;

    let strings = workload.strings();
    let strings_at = info::place_strings(&strings, ring.addr + ring.len);
    let mut free_start = ring.addr + ring.len;
    if strings_at.addr >= free_start {
        free_start = (strings_at.addr + strings_at.len).next_multiple_of(PAGE_SIZE);
    }
    let filter = workload.filter.as_slice();
    let mailbox = Region {
        addr: free_start,
        len: (filter.len() as u64)
            .max(MAILBOX_BYTES)
            .next_multiple_of(PAGE_SIZE),
    };
    free_start = free_start.saturating_add(mailbox.len);
    if free_start.saturating_add(1 << 20) > ram.bytes() {
        return Err(BootError::TooSmall {
            ram: ram.bytes(),
            needed: free_start,
        });
    }
    ram.write(strings_at.addr, &strings)?;
    ram.write(mailbox.addr, filter)?;

    let mut boot_info = workload.boot_info();
    boot_info.mode = match mode {
        Mode::Privileged => vitrine_abi::boot::MODE_PRIVILEGED,
        Mode::Deprivileged => vitrine_abi::boot::MODE_DEPRIVILEGED,
    };
    boot_info.ram_bytes = ram.bytes();
    boot_info.free_start = free_start;
    boot_info.kernel_image = kernel_image;
    boot_info.boot_pml4 = tables.pml4;
    boot_info.ring = ring;
    boot_info.tsc_khz = vcpu.tsc_khz();
    boot_info.strings = strings_at;
    boot_info.xcr0 = vcpu.xcr0();
    boot_info.mailbox = mailbox;
    boot_info.filter = Region {
        addr: mailbox.addr,
        len: filter.len() as u64,
    };
    ram.write_obj(BOOT_INFO, &boot_info)?;

    ram.write(GDT, gdt().as_bytes())?;
    ram.write(TSS, &tss(mode))?;
    let control = ram.control();
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    control.timer_deadline_tsc.store(u64::MAX, relaxed);
    control.winsize.store(workload.winsize_word(), relaxed);

    let lstar = match mode {
        Mode::Privileged => "syscall_entry_privileged",
        Mode::Deprivileged => "syscall_entry_deprivileged",
    };
    Ok(Loaded {
        cpu: CpuState {
            ring: mode.ring(),
            cr3: tables.pml4,
            rip: image.entry(),
            rsp: image.symbol("boot_stack_top")?,
            rdi: DIRECT_MAP + BOOT_INFO,
            lstar: image.symbol(lstar)?,
            sfmask: match mode {
                Mode::Privileged => SFMASK_PRIVILEGED,
                Mode::Deprivileged => SFMASK_DEPRIVILEGED,
            },
        },
        kernel_text: image.text(),
        ring,
        mailbox,
    })
}
