//! Privileged mode: the kernel in ring 0 on supervisor pages, as on hardware KVM.
//!
//! Interrupts stay off in the kernel (SFMASK clears IF, gates are interrupt gates), so they come from user mode only.

use super::entry::{push_registers, restore_registers, save_xmm};
use core::arch::{asm, global_asm};

global_asm!(
    ".pushsection .text.entry, \"ax\"",
    // The processor has pushed SS, RSP, RFLAGS, CS, RIP on the task's kernel stack (TSS.RSP0), and for some vectors an error code.
    ".macro TRAP_PRIVILEGED vector, has_error",
    ".balign 16",
    "trap_privileged_\\vector:",
    ".if \\has_error == 0",
    "push 0",
    ".endif",
    "push \\vector",
    "jmp trap_privileged_common",
    ".endm",
    ".irp v, 0,1,2,3,4,5,6,7,9,15,16,18,19,20,22,23,24,25,26,27,28,31,64",
    "TRAP_PRIVILEGED \\v, 0",
    ".endr",
    ".irp v, 8,10,11,12,13,14,17,21,29,30",
    "TRAP_PRIVILEGED \\v, 1",
    ".endr",
    "trap_privileged_common:",
    push_registers!(),
    save_xmm!(),
    "cld",
    "mov rsi, [rsp+376]",
    "mov qword ptr [rsp+376], -1",
    "mov rdi, rsp",
    "call {trap}",
    ".globl return_to_user_privileged",
    "return_to_user_privileged:",
    "test al, al",
    "jnz 3f",
    restore_registers!(),
    "mov r11, [rsp+408]",
    "mov rcx, [rsp+392]",
    "mov rsp, [rsp+416]",
    "sysretq",
    "3:",
    restore_registers!(),
    "mov r11, [rsp+304]",
    "mov rcx, [rsp+344]",
    "add rsp, 392",
    "iretq",
    ".globl return_slow_privileged",
    "return_slow_privileged:",
    "mov rdi, rsp",
    "call {before_user}",
    "jmp return_to_user_privileged",
    ".globl trap_table_privileged",
    ".popsection",
    ".pushsection .rodata, \"a\"",
    ".balign 8",
    "trap_table_privileged:",
    ".irp v, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,64",
    ".quad trap_privileged_\\v",
    ".endr",
    ".popsection",
    trap = sym trap,
    before_user = sym crate::trap::before_user_full,
);

extern "C" fn trap(frame: &mut super::TrapFrame, vector: u64) -> u64 {
    if frame.cs & 3 == 0 {
        panic!(
            "exception {vector} in the kernel at {:#x}, error {:#x}, CR2 {:#x}, rsp {:#x}",
            frame.rip,
            frame.error,
            cr2(),
            frame.rsp
        );
    }
    crate::trap::trap(frame, vector, if vector == 14 { cr2() } else { 0 })
}

fn cr2() -> u64 {
    let value: u64;
    // SAFETY: reading CR2 in ring 0 has no effect.
    unsafe { asm!("mov {}, cr2", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Loads CR3.
pub(super) fn load_cr3(root: u64) {
    // SAFETY: callers pass a PML4 whose upper half is the kernel's own, so the code and stack in use stay mapped.
    unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack, preserves_flags)) };
}
