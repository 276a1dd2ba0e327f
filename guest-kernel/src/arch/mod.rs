//! Everything that knows x86-64 and the two guest modes. The rest of the kernel sees this interface only:
//! [`TrapFrame`], [`Thread`] (kernel stack and saved state of a task), the running task, loading and flushing address spaces, the
//! cycle counter, and the doorbells.
//!
//! - `entry`, `privileged`, `deprivileged`: the ways in and out, in assembly.
//! - `frame`, `thread`, `fpu`, `percpu`: what is saved where.
//! - `descriptors`: IDT and TSS. `doorbell`: exits to the VMM.

mod deprivileged;
mod descriptors;
pub mod doorbell;
mod entry;
mod fpu;
mod frame;
mod percpu;
mod privileged;
mod runtime;
mod thread;

pub use descriptors::set_ring0_stack;
pub use doorbell::ring_full as doorbell_ring_full;
pub use fpu::{extended_state, reset_extended_state, set_extended_state, xcr0, xsave_size};
pub use frame::TrapFrame;
pub use percpu::{
    cpu, current, has_current, request_reschedule, set_current, take_interrupt, take_reschedule,
    with_current,
};
pub use thread::{Thread, switch, switch_first};

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use vitrine_abi::boot::{BootInfo, MODE_DEPRIVILEGED};

static DEPRIVILEGED: AtomicBool = AtomicBool::new(false);
static ROOT: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    fn return_slow_privileged();
    fn return_slow_deprivileged();
}

/// Prepares the processor: tables, modes, extended state. First thing at boot.
pub fn init(boot: &BootInfo) {
    let deprivileged = boot.mode == MODE_DEPRIVILEGED;
    DEPRIVILEGED.store(deprivileged, Relaxed);
    ROOT.store(boot.boot_pml4, Relaxed);
    descriptors::init(deprivileged);
    let slow = if deprivileged {
        return_slow_deprivileged as *const ()
    } else {
        return_slow_privileged as *const ()
    };
    percpu::cpu_return_slow.store(slow as u64, Relaxed);
    fpu::init(boot.xcr0);
}

/// Loads the page tables rooted at guest physical `pml4`, which flushes the TLB. `mm::tlb` calls it, and knows which are loaded.
pub fn load_address_space(pml4: u64) {
    ROOT.store(pml4, Relaxed);
    load_cr3(pml4);
}

/// Flushes the current address space's TLB entries: due after a present entry was reduced or removed, never after one was
/// added. In deprivileged mode it costs 17 µs: batch.
pub fn flush_tlb() {
    load_cr3(ROOT.load(Relaxed));
}

fn load_cr3(root: u64) {
    if DEPRIVILEGED.load(Relaxed) {
        deprivileged::load_cr3(root)
    } else {
        privileged::load_cr3(root)
    }
}

/// The cycle counter, constant rate.
pub fn tsc() -> u64 {
    // SAFETY: RDTSC has no effect but its result; CR4.TSD is clear.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// What the way into the kernel and back takes, which no clock read inside it shows: by SYSCALL, and by an exception, in nanoseconds. In
/// deprivileged mode the host emulates both; `vitrine doctor` measures them.
pub fn transition_ns() -> (u64, u64) {
    if DEPRIVILEGED.load(Relaxed) {
        (1_000, 12_000)
    } else {
        (50, 500)
    }
}

/// CPUID leaf 1, EDX: the features that AT_HWCAP shows. CPUID traps on some machines: it is executed once.
pub fn cpu_features() -> u32 {
    static FEATURES: spin::Once<u32> = spin::Once::new();
    *FEATURES.call_once(|| core::arch::x86_64::__cpuid(1).edx)
}

/// CPUID: EAX, EBX, ECX, EDX of a leaf. It may trap, so don't call it often.
pub fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    let result = core::arch::x86_64::__cpuid_count(leaf, subleaf);
    [result.eax, result.ebx, result.ecx, result.edx]
}
