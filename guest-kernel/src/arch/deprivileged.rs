//! Deprivileged mode: the kernel in ring 3 beside the workload, on a KVM that interprets ring 0.
//!
//! What runs in ring 0 is counted in instructions (0.7 µs each): per vector an **upcall stub** that loads RSP with a ready-made frame and IRETQs into
//! the ring-3 kernel, which finds the processor's frame on the IST stack; and the **UD2 gate**, which loads CR3 from RAX for `load_cr3`.
//!
//! IF is always set, since nothing in ring 3 could set it again. An interrupt that hits the kernel is noted in `cpu_interrupt_noted` and returns at once; between
//! the kernel's last look at that word and the user's first instruction (`return_critical`…`return_critical_end`)
//! it instead restarts the return. The VMM keeps at most one interrupt outstanding, so the interrupt's IST frame is safe until it is acknowledged.

use super::entry::{push_registers, restore_registers, save_xmm};
use core::arch::{asm, global_asm};

global_asm!(
    ".pushsection .text.entry, \"ax\"",
    // Ring 0.
    ".macro STUB vector",
    ".balign 16",
    "stub_\\vector:",
    "mov rsp, offset upcall_frame_\\vector",
    "iretq",
    ".endm",
    ".irp v, 0,1,2,3,4,5,7,8,9,10,11,12,13,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,64",
    "STUB \\v",
    ".endr",
    ".balign 16",
    "stub_14:",
    "mov qword ptr [cpu_saved_rax], rax",
    "mov rax, cr2",
    "mov qword ptr [cpu_saved_cr2], rax",
    "mov rsp, offset upcall_frame_14",
    "iretq",
    ".balign 16",
    "stub_6:",
    "cmp qword ptr [rsp], offset cr3_gate",
    "jne 3f",
    "mov cr3, rax",
    "add qword ptr [rsp], 2",
    "iretq",
    "3: mov rsp, offset upcall_frame_6",
    "iretq",
    // Ring 3 from here on. All registers but RSP are the interrupted ones.
    ".globl cr3_gate",
    "cr3_gate:",
    "ud2",
    "ret",
    // The kernel's own fault: RIP in its text, and RSP in the upper half. A program that jumps to where it shouldn't has not both.
    ".macro UPCALL vector, has_error",
    ".balign 16",
    "upcall_\\vector:",
    ".if \\vector == 14",
    "mov rax, qword ptr [cpu_saved_rax]",
    ".endif",
    "cmp qword ptr [exception_stack_top-40], offset __executable_start",
    "jb 1f",
    "cmp qword ptr [exception_stack_top-40], offset etext",
    "jae 1f",
    "cmp dword ptr [exception_stack_top-12], 0",
    "js 2f",
    "1: mov rsp, qword ptr [cpu_kernel_stack]",
    "push qword ptr [exception_stack_top-8]",
    "push qword ptr [exception_stack_top-16]",
    "push qword ptr [exception_stack_top-24]",
    "push qword ptr [exception_stack_top-32]",
    "push qword ptr [exception_stack_top-40]",
    ".if \\has_error",
    "push qword ptr [exception_stack_top-48]",
    ".else",
    "push 0",
    ".endif",
    "push \\vector",
    "jmp upcall_common",
    "2: push \\vector",
    "jmp upcall_kernel_fault",
    ".endm",
    ".irp v, 0,1,2,3,4,5,6,7,9,15,16,18,19,20,22,23,24,25,26,27,28,31",
    "UPCALL \\v, 0",
    ".endr",
    ".irp v, 8,10,11,12,13,14,17,21,29,30",
    "UPCALL \\v, 1",
    ".endr",
    "upcall_common:",
    push_registers!(),
    save_xmm!(),
    "cld",
    "mov rsi, [rsp+376]",
    "mov qword ptr [rsp+376], -1",
    "mov rdi, rsp",
    "call {trap}",
    ".globl return_to_user_deprivileged",
    "return_to_user_deprivileged:",
    "or dword ptr [rsp+408], 0x3200", // IOPL 3, IF
    "test al, al",
    "return_critical:",
    "jnz 3f",
    "cmp dword ptr [cpu_interrupt_noted], 0",
    "jne return_slow_deprivileged",
    restore_registers!(),
    "mov rcx, [rsp+392]",
    "add rsp, 408",
    "popfq",
    "mov rsp, [rsp]",
    "jmp rcx",
    "3:",
    "cmp dword ptr [cpu_interrupt_noted], 0",
    "jne return_slow_deprivileged",
    restore_registers!(),
    "mov r11, [rsp+304]",
    "mov rcx, [rsp+344]",
    "add rsp, 392",
    "iretq",
    "return_critical_end:",
    ".globl return_slow_deprivileged",
    "return_slow_deprivileged:",
    "mov rdi, rsp",
    "call {before_user}",
    "jmp return_to_user_deprivileged",
    // The interrupt. No register may change unless it came from user mode.
    ".balign 16",
    "upcall_64:",
    "cmp dword ptr [interrupt_stack_top-36], 0",
    "js 3f",
    "mov rsp, qword ptr [cpu_kernel_stack]",
    "push qword ptr [interrupt_stack_top-8]",
    "push qword ptr [interrupt_stack_top-16]",
    "push qword ptr [interrupt_stack_top-24]",
    "push qword ptr [interrupt_stack_top-32]",
    "push qword ptr [interrupt_stack_top-40]",
    "push 0",
    "push 64",
    "jmp upcall_common",
    "3: mov dword ptr [cpu_interrupt_noted], 1",
    "cmp qword ptr [interrupt_stack_top-40], offset return_critical",
    "jb 2f",
    "cmp qword ptr [interrupt_stack_top-40], offset return_critical_end",
    "jae 2f",
    "mov rsp, qword ptr [cpu_kernel_stack]",
    "sub rsp, 432",
    "jmp return_slow_deprivileged",
    // Where SYSCALL was interpreted, the kernel's first instructions run in ring 0: they go on in ring 3.
    "2: mov dword ptr [interrupt_stack_top-32], 0x33",
    "mov dword ptr [interrupt_stack_top-8], 0x2b",
    "mov rsp, offset interrupt_stack_top-40",
    "iretq",
    "upcall_kernel_fault:",
    "pop rdi",
    "and rsp, -16",
    "call {kernel_fault}",
    "ud2",
    ".popsection",
    ".pushsection .rodata, \"a\"",
    ".balign 16",
    ".globl stub_table",
    "stub_table:",
    ".irp v, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,64",
    ".quad stub_\\v",
    ".endr",
    // What the stubs' IRETQ loads: RIP, CS, RFLAGS (IOPL 3, IF), RSP, SS.
    ".macro UPCALL_FRAME vector, stack",
    "upcall_frame_\\vector: .quad upcall_\\vector, 0x33, 0x3202, \\stack, 0x2b",
    ".endm",
    ".irp v, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "UPCALL_FRAME \\v, upcall_stack_top",
    ".endr",
    "UPCALL_FRAME 64, upcall_stack_top",
    ".popsection",
    ".pushsection .data, \"aw\"",
    ".balign 4096",
    ".skip 256", // the processor's exception frame: SS, RSP, RFLAGS, CS, RIP, error
    ".globl exception_stack_top",
    "exception_stack_top:",
    ".skip 256",
    ".globl interrupt_stack_top",
    "interrupt_stack_top:",
    ".skip 16384", // only a kernel fault's report runs on it
    "upcall_stack_top:",
    ".popsection",
    trap = sym trap,
    before_user = sym crate::trap::before_user_full,
    kernel_fault = sym kernel_fault,
);

unsafe extern "C" {
    static exception_stack_top: [u64; 0];
}

extern "C" fn trap(frame: &mut super::TrapFrame, vector: u64) -> u64 {
    crate::trap::trap(
        frame,
        vector,
        if vector == 14 {
            super::percpu::saved_cr2()
        } else {
            0
        },
    )
}

extern "C" fn kernel_fault(vector: u64) -> ! {
    // SAFETY: the six words below the top are the frame that the processor just pushed.
    let word = |n: usize| unsafe {
        (&raw const exception_stack_top)
            .cast::<u64>()
            .sub(n)
            .read_volatile()
    };
    panic!(
        "exception {vector} in the kernel at {:#x}, error {:#x}, CR2 {:#x}, rsp {:#x}",
        word(5),
        word(6),
        super::percpu::saved_cr2(),
        word(2)
    );
}

/// Loads CR3, through the gate.
pub(super) fn load_cr3(root: u64) {
    // SAFETY: UD2 at `cr3_gate` reaches `stub_6`, which loads CR3 from RAX and skips the UD2; callers pass a PML4 whose upper
    // half is the kernel's own.
    unsafe { asm!("call cr3_gate", in("rax") root) };
}
