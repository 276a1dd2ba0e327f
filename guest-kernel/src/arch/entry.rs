//! The ways into the kernel and back that both modes share: SYSCALL, and the return to user mode.
//!
//! Stack at `call`: RSP points at the [`TrapFrame`](super::TrapFrame), which ends at the top of the task's kernel stack.

use core::arch::global_asm;

/// Pushes the general registers of a trap frame, RDI first; RAX must hold what is to stand in its slot.
macro_rules! push_registers {
    () => {
        "push rdi; push rsi; push rdx; push rcx; push rax; push r8; push r9; push r10; push r11
         push rbx; push rbp; push r12; push r13; push r14; push r15"
    };
}
/// Saves XMM0–15 below the general registers: kernel code, `core` included, uses them.
macro_rules! save_xmm {
    () => {
        "sub rsp, 256
         movaps [rsp], xmm0; movaps [rsp+16], xmm1; movaps [rsp+32], xmm2; movaps [rsp+48], xmm3
         movaps [rsp+64], xmm4; movaps [rsp+80], xmm5; movaps [rsp+96], xmm6; movaps [rsp+112], xmm7
         movaps [rsp+128], xmm8; movaps [rsp+144], xmm9; movaps [rsp+160], xmm10; movaps [rsp+176], xmm11
         movaps [rsp+192], xmm12; movaps [rsp+208], xmm13; movaps [rsp+224], xmm14; movaps [rsp+240], xmm15"
    };
}
/// Loads everything but RCX, R11, RIP, RFLAGS and RSP from the frame at RSP, without moving RSP: an interrupt can restart it.
macro_rules! restore_registers {
    () => {
        "movaps xmm0, [rsp]; movaps xmm1, [rsp+16]; movaps xmm2, [rsp+32]; movaps xmm3, [rsp+48]
         movaps xmm4, [rsp+64]; movaps xmm5, [rsp+80]; movaps xmm6, [rsp+96]; movaps xmm7, [rsp+112]
         movaps xmm8, [rsp+128]; movaps xmm9, [rsp+144]; movaps xmm10, [rsp+160]; movaps xmm11, [rsp+176]
         movaps xmm12, [rsp+192]; movaps xmm13, [rsp+208]; movaps xmm14, [rsp+224]; movaps xmm15, [rsp+240]
         mov r15, [rsp+256]; mov r14, [rsp+264]; mov r13, [rsp+272]; mov r12, [rsp+280]
         mov rbp, [rsp+288]; mov rbx, [rsp+296]; mov r10, [rsp+312]; mov r9, [rsp+320]; mov r8, [rsp+328]
         mov rax, [rsp+336]; mov rdx, [rsp+352]; mov rsi, [rsp+360]; mov rdi, [rsp+368]"
    };
}
pub(super) use {push_registers, restore_registers, save_xmm};

const _: () = assert!(super::frame::FRAME_BYTES == 256 + 22 * 8);

global_asm!(
    ".pushsection .text.entry, \"ax\"",
    // SYSCALL: RCX = return address, R11 = flags, RSP still the user's. `return_to_user_*` is chosen per mode.
    // Where ring 3 is native, a SYSCALL that KVM happens to interpret still enters ring 0 as the manual says: then an IRETQ leaves it again.
    ".macro SYSCALL_ENTRY name, return_to_user, leave_ring0",
    ".globl \\name",
    ".balign 64",
    "\\name:",
    "mov qword ptr [cpu_user_rsp], rsp",
    "mov rsp, qword ptr [cpu_kernel_stack]",
    "push 0x2b",
    "push qword ptr [cpu_user_rsp]",
    "push r11",
    "push 0x33",
    "push rcx",
    "push 0",
    "push rax",
    ".if \\leave_ring0",
    "mov eax, cs",
    "test al, 3",
    "jz 9f",
    "8:",
    ".endif",
    "mov rax, -38", // what a tracer sees in RAX at entry: -ENOSYS
    push_registers!(),
    save_xmm!(),
    "mov rdi, rsp",
    "call {syscall}",
    "jmp \\return_to_user",
    ".if \\leave_ring0",
    "9: mov rax, rsp",
    "push 0x2b",
    "push rax",
    "push 0x3202",
    "push 0x33",
    "lea rax, [rip+8b]",
    "push rax",
    "iretq",
    ".endif",
    ".endm",
    "SYSCALL_ENTRY syscall_entry_privileged, return_to_user_privileged, 0",
    "SYSCALL_ENTRY syscall_entry_deprivileged, return_to_user_deprivileged, 1",
    // A new thread's first instructions: `switch_stacks` returns here.
    ".globl thread_first_run",
    "thread_first_run:",
    "call {first_run}",
    "jmp qword ptr [cpu_return_slow]",
    ".popsection",
    syscall = sym crate::trap::syscall,
    first_run = sym crate::arch::thread::first_run,
);

// The VMM enters at `_start` with RSP at `boot_stack_top` and RDI at the boot information.
global_asm!(
    ".pushsection .text.entry, \"ax\"",
    ".globl _start",
    "_start:",
    "mov rsp, offset boot_stack_top", // also keeps the linker from dropping the stack
    "xor ebp, ebp",
    "call {main}",
    "ud2",
    ".popsection",
    ".pushsection .bss, \"aw\", @nobits",
    ".balign 4096",
    ".globl boot_stack_bottom",
    "boot_stack_bottom:",
    ".skip 65536",
    ".globl boot_stack_top",
    "boot_stack_top:",
    ".popsection",
    main = sym crate::boot::main,
);
