//! Finds out, on the VM about to be used, whether SYSCALL from ring 3 arrives in ring 0 (hardware KVM) or stays in ring 3
//! (software-virtualised KVM), and by how much the guest's TSC is ahead of the host's.
//!
//! A dozen bytes of code run in ring 3 in pages below the kernel image that are still unused; they are zeroed afterwards.

use std::arch::global_asm;

use vitrine_abi::layout::{GDT, IMAGE_BASE, PAGE_SIZE, SFMASK_DEPRIVILEGED, TSS, TSS_LIMIT, port};

use super::cpu::{self, CpuState, Mode, Ring};
use super::vcpu::host_tsc;
use super::{GuestRam, KvmError, Vcpu};
use crate::vcpu::exit::Exit;

// Written for one run of the guest: SYSCALL, and at its target the selector in CS and the TSC.
global_asm!(
    ".pushsection .rodata.vitrine_probe, \"a\", @progbits",
    ".globl vitrine_probe_start, vitrine_probe_target, vitrine_probe_end",
    "vitrine_probe_start:",
    "syscall",
    "vitrine_probe_target:",
    "rdtsc",
    "shl $32, %rdx",
    "or %rdx, %rax",
    "mov %rax, %rdx",
    "mov %cs, %eax",
    "shl $8, %rdx",
    "mov %al, %dl",
    "mov %rdx, %rax",
    "out %al, ${port}",
    "vitrine_probe_end:",
    ".popsection",
    port = const port::NOP,
    options(att_syntax),
);

unsafe extern "C" {
    static vitrine_probe_start: u8;
    static vitrine_probe_target: u8;
    static vitrine_probe_end: u8;
}

/// Where the probe's pages lie: PML4, PDPT, PD, PT and code.
pub(super) const SCRATCH: u64 = 0x1_0000;
pub(super) const CODE: u64 = SCRATCH + 4 * PAGE_SIZE;
pub(super) const STACK_TOP: u64 = CODE + 2 * PAGE_SIZE;

/// What the probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The mode in which the guest kernel can run here.
    pub mode: Mode,
    /// Guest TSC minus host TSC.
    pub tsc_offset: u64,
}

/// Runs the probe on a vCPU that has not run anything else, and leaves RAM as it was. Also tells the vCPU its TSC offset.
pub fn run(vcpu: &mut Vcpu, ram: &GuestRam) -> Result<Finding, KvmError> {
    let code = code();
    let target = code.1;
    map_low_memory(ram)?;
    ram.write(CODE, code.0)?;
    ram.write(GDT, zerocopy::IntoBytes::as_bytes(&cpu::gdt()))?;
    ram.write(TSS, &cpu::tss(Mode::Deprivileged))?;
    vcpu.set_state(&CpuState {
        ring: Ring::User,
        cr3: SCRATCH,
        rip: IMAGE_BASE + CODE,
        rsp: IMAGE_BASE + STACK_TOP,
        rdi: 0,
        lstar: IMAGE_BASE + CODE + target,
        sfmask: SFMASK_DEPRIVILEGED,
    })?;
    let before = host_tsc();
    let exit = loop {
        match vcpu.run()? {
            Exit::Interrupted => {}
            exit => break exit,
        }
    };
    let after = host_tsc();
    let Exit::Out {
        port: port::NOP, ..
    } = exit
    else {
        return Err(KvmError::Probe {
            what: format!("{exit:?} at {}", vcpu.registers()),
        });
    };
    let rax = vcpu.rax()?;
    ram.write(SCRATCH, &[0; 6 * PAGE_SIZE as usize])?;
    ram.write(GDT, &[0; cpu::GDT_BYTES])?;
    ram.write(TSS, &[0; TSS_LIMIT as usize + 1])?;
    let mode = if rax & 3 == 0 {
        Mode::Privileged
    } else {
        Mode::Deprivileged
    };
    let tsc_offset = tsc_offset(rax >> 8, before, after);
    vcpu.set_tsc_offset(tsc_offset);
    Ok(Finding { mode, tsc_offset })
}

/// The guest's TSC (56 bits of it) was read between `before` and `after`: 0 if it may be the host's own.
fn tsc_offset(guest: u64, before: u64, after: u64) -> u64 {
    const MASK: u64 = (1 << 56) - 1;
    let ahead = guest.wrapping_sub(before & MASK) & MASK;
    if ahead <= after.wrapping_sub(before) {
        return 0;
    }
    let middle = before + after.wrapping_sub(before) / 2;
    let offset = guest.wrapping_sub(middle & MASK) & MASK;
    // Sign-extend: a guest that started its TSC at zero is far behind.
    (offset << 8).cast_signed().wrapping_shr(8).cast_unsigned()
}

fn code() -> (&'static [u8], u64) {
    // SAFETY: the labels bound one block of read-only data made by the global_asm above, in this order.
    unsafe {
        let start = &raw const vitrine_probe_start;
        let len = (&raw const vitrine_probe_end).offset_from_unsigned(start);
        let target = (&raw const vitrine_probe_target).offset_from_unsigned(start);
        (std::slice::from_raw_parts(start, len), target as u64)
    }
}

/// Maps the first 2 MiB at `IMAGE_BASE`, open to ring 3.
pub(super) fn map_low_memory(ram: &GuestRam) -> Result<(), KvmError> {
    const OPEN: u64 = 0x67;
    let page = |index: u64| SCRATCH + index * PAGE_SIZE;
    ram.write_obj(page(0) + 511 * 8, &(page(1) | OPEN))?;
    ram.write_obj(page(1) + 510 * 8, &(page(2) | OPEN))?;
    ram.write_obj(page(2), &(page(3) | OPEN))?;
    let leaves: Vec<u64> = (0..512).map(|index| (index * PAGE_SIZE) | OPEN).collect();
    ram.write(page(3), zerocopy::IntoBytes::as_bytes(leaves.as_slice()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::tsc_offset;

    #[test]
    fn offsets() {
        assert_eq!(tsc_offset(150, 100, 200), 0);
        assert_eq!(tsc_offset(1_000_150, 100, 200), 1_000_000);
        let behind = tsc_offset(50, 1_000_000, 1_000_100);
        assert_eq!(1_000_050u64.wrapping_add(behind), 50);
    }
}
