//! Extended processor state (x87, SSE, AVX, AVX-512): kept per thread by XSAVE, shown to signal handlers, taken back from them.
//!
//! The kernel's own code uses XMM0–15 and nothing else, so the low halves of those live in the trap frame and the rest stays in the registers
//! while a task is in the kernel.

use super::TrapFrame;
use crate::{
    Errno,
    mm::frame::{Contiguous, alloc_contiguous},
};
use alloc::vec::Vec;
use core::{
    arch::{asm, x86_64::__cpuid_count},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

static XCR0: AtomicU64 = AtomicU64::new(3);
static SIZE: AtomicUsize = AtomicUsize::new(576);
static MXCSR_MASK: AtomicU64 = AtomicU64::new(0xffff);

/// Offset of XMM0 in the legacy area.
const XMM_OFFSET: usize = 160;
/// Offset of the XSAVE header (SDM vol. 1, 13.4.2).
const HEADER: usize = 512;
const MXCSR_DEFAULT: u32 = 0x1f80;

/// Learns which components are enabled (`xcr0`) and how large their area is.
pub fn init(xcr0: u64) {
    let xcr0 = if xcr0 & 3 == 3 { xcr0 } else { 3 };
    XCR0.store(xcr0, Relaxed);
    let mut size = HEADER + 64;
    for component in 2..63 {
        if xcr0 & 1 << component != 0 {
            let leaf = __cpuid_count(0xd, component);
            size = size.max(leaf.eax as usize + leaf.ebx as usize);
        }
    }
    SIZE.store(size.next_multiple_of(64), Relaxed);
    let mut area = Area([0; 512]);
    // SAFETY: FXSAVE writes 512 bytes to a 16-byte aligned area.
    unsafe { asm!("fxsave64 [{}]", in(reg) &mut area, options(nostack, preserves_flags)) };
    let mask = u32::from_le_bytes([area.0[28], area.0[29], area.0[30], area.0[31]]);
    MXCSR_MASK.store(if mask == 0 { 0xffbf } else { u64::from(mask) }, Relaxed);
}

#[repr(align(64))]
struct Area([u8; 512]);

/// XCR0: the enabled state components.
pub fn xcr0() -> u64 {
    XCR0.load(Relaxed)
}

/// Bytes that the extended state takes (XSAVE standard format; a multiple of 64).
pub fn xsave_size() -> usize {
    SIZE.load(Relaxed)
}

/// One thread's saved state: a page or two of its own, 64-byte aligned.
pub struct XsaveArea(Contiguous);

impl XsaveArea {
    /// A new area with the initial state, or with what is in the registers now.
    pub(super) fn new(inherit: bool) -> Result<XsaveArea, Errno> {
        let pages = xsave_size().div_ceil(4096);
        let area = XsaveArea(alloc_contiguous(
            pages.next_power_of_two().trailing_zeros() as usize,
        )?);
        // SAFETY: the block is at least `xsave_size` bytes and ours.
        unsafe { core::ptr::write_bytes(area.0.ptr(), 0, xsave_size()) };
        if inherit {
            area.save();
        } else {
            area.reset();
        }
        Ok(area)
    }

    fn reset(&self) {
        let at = self.0.ptr();
        // SAFETY: the block is at least `xsave_size` bytes and ours. XSTATE_BV = 0 means the initial state for
        // every component; MXCSR is loaded from the legacy area all the same.
        unsafe {
            core::ptr::write_bytes(at, 0, HEADER + 64);
            at.add(24).cast::<u32>().write(MXCSR_DEFAULT);
            at.cast::<u16>().write(0x37f);
        }
    }

    /// Saves the registers here.
    pub(super) fn save(&self) {
        let mask = xcr0();
        // SAFETY: the area is large enough for all of XCR0's components and aligned; its header is zero or left by XSAVE.
        unsafe {
            asm!("xsave64 [{}]", in(reg) self.0.ptr(), in("eax") mask as u32, in("edx") (mask >> 32) as u32, options(nostack, preserves_flags));
        }
    }

    /// Loads the registers from here.
    pub(super) fn restore(&self) {
        load(self.0.ptr());
    }
}

/// XRSTOR; the area at `at` must be valid for it.
fn load(at: *mut u8) {
    let mask = xcr0();
    // SAFETY: only areas that `save`, `reset` or `set_extended_state` (which validates) made get here. The XMM registers that Rust code might hold
    // values in are declared as clobbered.
    unsafe {
        asm!("xrstor64 [{}]", in(reg) at, in("eax") mask as u32, in("edx") (mask >> 32) as u32, options(nostack),
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _, out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _);
    }
}

/// The current thread's extended state in XSAVE standard format, with `frame`'s XMM registers in it: for signal frames and core files.
pub fn extended_state(frame: &TrapFrame) -> Vec<u8> {
    super::percpu::with_current(|task| {
        let area = task.thread.xsave();
        area.save();
        let mut bytes = Vec::with_capacity(xsave_size());
        // SAFETY: the area has `xsave_size` initialised bytes (frames are zeroed, XSAVE wrote the rest).
        bytes.extend_from_slice(unsafe { core::slice::from_raw_parts(area.0.ptr(), xsave_size()) });
        for (n, register) in frame.xmm.iter().enumerate() {
            bytes[XMM_OFFSET + 16 * n..][..16].copy_from_slice(&register.to_le_bytes());
        }
        // The SSE component may be in its initial state as far as the processor knows; the frame says otherwise.
        bytes[HEADER] |= 2;
        bytes
    })
}

/// Loads extended state that came from user memory into the current thread (XMM registers into `frame`). `state` is at least the legacy area (512 bytes) and may
/// be shorter than [`xsave_size`]. `EFAULT`: the processor would refuse it.
pub fn set_extended_state(frame: &mut TrapFrame, state: &[u8]) -> Result<(), Errno> {
    if state.len() < HEADER {
        return Err(Errno::EFAULT);
    }
    let mut clean = alloc::vec![0u8; xsave_size()];
    let length = state.len().min(clean.len());
    clean[..length].copy_from_slice(&state[..length]);
    let mxcsr = u32::from_le_bytes([clean[24], clean[25], clean[26], clean[27]]);
    let mut header = [0u8; 8];
    header.copy_from_slice(&clean[HEADER..HEADER + 8]);
    let components = u64::from_le_bytes(header);
    // What XRSTOR raises #GP for (SDM vol. 1, 13.8.1): unknown components, the compacted format, reserved bytes and MXCSR bits.
    if components & !xcr0() != 0
        || clean[HEADER + 8..HEADER + 64].iter().any(|&byte| byte != 0)
        || u64::from(mxcsr) & !MXCSR_MASK.load(Relaxed) != 0
    {
        return Err(Errno::EFAULT);
    }
    for (n, register) in frame.xmm.iter_mut().enumerate() {
        let mut value = [0u8; 16];
        value.copy_from_slice(&clean[XMM_OFFSET + 16 * n..][..16]);
        *register = if components & 2 != 0 {
            u128::from_le_bytes(value)
        } else {
            0
        };
    }
    super::percpu::with_current(|task| {
        let area = task.thread.xsave();
        // SAFETY: the area has `xsave_size` bytes and is this thread's own.
        unsafe { core::ptr::copy_nonoverlapping(clean.as_ptr(), area.0.ptr(), clean.len()) };
        area.restore();
    });
    Ok(())
}

/// Resets the current thread's extended state to the initial one (execve).
pub fn reset_extended_state(frame: &mut TrapFrame) {
    frame.xmm = [0; 16];
    super::percpu::with_current(|task| {
        task.thread.xsave().reset();
        task.thread.xsave().restore();
    });
}
