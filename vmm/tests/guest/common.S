# What the test guests share: stand-ins for the guest kernel, in the ring that the VMM starts them in.
        .set    IMAGE_BASE, 0xffffffff80000000
        .set    DIRECT_MAP, 0xffff888000000000
        .set    BOOT_INFO, IMAGE_BASE + 0x8000
        .set    CONTROL, IMAGE_BASE + 0x9000
        .set    SLOT, IMAGE_BASE + 0xa000
        .set    PENDING, CONTROL
        .set    DEADLINE, CONTROL + 8
        .set    OUTSTANDING, CONTROL + 16
        .set    SPINNING, CONTROL + 24
        .globl  _start, boot_stack_top, syscall_entry_privileged, syscall_entry_deprivileged

# A host call whose arguments stand in the slot; its result is in RAX.
        .macro  hostcall op
        movl    $\op, SLOT+16
        mov     $1, %eax
        lock xadd %rax, SLOT
        cmpl    $0, SPINNING
        jne     2f
        out     %al, $0x10
2:      pause
        mov     SLOT, %rax
        cmp     SLOT+8, %rax
        jne     2b
        mov     SLOT+24, %rax
        .endm
# ConsoleWrite.
        .macro  print fd, text, len
        movq    $\fd, SLOT+32
        movq    $\text - IMAGE_BASE, SLOT+40
        movq    $\len, SLOT+48
        hostcall 16
        .endm
# Exit with the wait(2) status in a register or constant.
        .macro  finish status
        movq    \status, SLOT+32
        hostcall 35
        jmp     .
        .endm
# An interrupt gate for ring-0 handler \handler on IST stack 1.
        .macro  gate vector, handler, dpl=0
        movabs  $DIRECT_MAP + 0x3000 + \vector * 16, %rdi
        mov     $\handler, %rax
        mov     %ax, (%rdi)
        movw    $0x10, 2(%rdi)
        movw    $0x8e01, 4(%rdi)
        shr     $16, %rax
        mov     %ax, 6(%rdi)
        movl    $0xffffffff, 8(%rdi)
        movl    $0, 12(%rdi)
        .endm
# IST stack 1 and the ring-0 stack.
        .macro  stacks
        movabs  $DIRECT_MAP + 0x2000, %rdi
        mov     $interrupt_stack_top, %rax
        mov     %rax, 4(%rdi)
        mov     %rax, 0x24(%rdi)
        .endm

        .bss
        .align  16
        .skip   4096
boot_stack_top:
        .skip   4096
interrupt_stack_top:
        .text
# An interrupt handler that leaves what is pending to others.
only_acknowledge:
        movl    $0, OUTSTANDING
        iretq
syscall_entry_privileged:
syscall_entry_deprivileged:
        jmp     .
