//! The interrupt descriptor table and the task-state segment. The VMM has loaded GDTR, IDTR and TR with their places
//! and filled in the TSS's I/O permission bitmap, which says whose the ports are; the rest is filled in here.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use vitrine_abi::layout;

unsafe extern "C" {
    static stub_table: [u64; 33];
    static trap_table_privileged: [u64; 33];
    static exception_stack_top: [u64; 0];
    static interrupt_stack_top: [u64; 0];
    static upcall_stack_top_privileged: [u64; 0];
}

core::arch::global_asm!(
    ".pushsection .bss, \"aw\", @nobits",
    ".balign 4096",
    ".skip 16384",
    ".globl upcall_stack_top_privileged",
    "upcall_stack_top_privileged:",
    ".popsection"
);

/// Writes a 64-bit word of the low tables through the direct map.
fn write(phys: u64, value: u64) {
    // SAFETY: GDT, TSS and IDT lie in the first pages of RAM, which nothing else uses; the direct map covers them.
    unsafe { ((layout::DIRECT_MAP + phys) as *mut u64).write_unaligned(value) };
}

const PRESENT: u64 = 1 << 47;
const INTERRUPT_GATE: u64 = 0xe << 40;
const DPL_3: u64 = 3 << 45;

/// Fills the tables; the I/O permission bitmap behind the TSS is the VMM's. Vector 8 (double fault) and, in deprivileged mode, all vectors use stacks of their own (IST).
pub fn init(deprivileged: bool) {
    // SAFETY: the tables are read-only data of the entry code.
    let handlers = unsafe {
        if deprivileged {
            &stub_table
        } else {
            &trap_table_privileged
        }
    };
    for (n, &handler) in handlers.iter().enumerate() {
        let vector = if n == 32 {
            u64::from(layout::INTERRUPT_VECTOR)
        } else {
            n as u64
        };
        let ist = match (deprivileged, vector) {
            (true, 64) => 2,
            (true, _) => 1,
            (false, 8) => 1,
            (false, _) => 0,
        };
        let dpl = if matches!(vector, 3 | 4) { DPL_3 } else { 0 };
        let low = handler & 0xffff
            | u64::from(layout::KERNEL_CS) << 16
            | ist << 32
            | INTERRUPT_GATE
            | dpl
            | PRESENT
            | (handler >> 16 & 0xffff) << 48;
        write(layout::IDT + vector * 16, low);
        write(layout::IDT + vector * 16 + 8, handler >> 32);
    }
    let (ist1, ist2) = if deprivileged {
        (
            &raw const exception_stack_top as u64,
            &raw const interrupt_stack_top as u64,
        )
    } else {
        (&raw const upcall_stack_top_privileged as u64, 0)
    };
    write(layout::TSS + 36, ist1);
    write(layout::TSS + 44, ist2);
    set_ring0_stack(ist1);
}

static RING0_STACK: AtomicU64 = AtomicU64::new(0);

/// The stack on which ring 0 is entered from user mode, in privileged mode: the running thread's.
pub fn set_ring0_stack(top: u64) {
    if RING0_STACK.swap(top, Relaxed) != top {
        write(layout::TSS + 4, top);
    }
}
