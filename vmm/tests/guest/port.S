# Deprivileged mode only: a port access outside of the kernel's text is the program's own and faults with #GP at its address.
        .include "common.S"
        .set    PROGRAM, 0x400000
_start:
        stacks
        gate    13, on_fault
        # PML4[0] -> page -> page -> page -> code, all open to ring 3.
        mov     BOOT_INFO + 56, %rdi    # boot_pml4
        movabs  $DIRECT_MAP, %rax
        add     %rax, %rdi
        movq    $tables - IMAGE_BASE + 7, (%rdi)
        movq    $tables - IMAGE_BASE + 0x1007, tables
        movq    $tables - IMAGE_BASE + 0x2007, tables + 0x1000 + (PROGRAM >> 21) * 8
        movq    $code - IMAGE_BASE + 5, tables + 0x2000
        mov     $PROGRAM, %rax
        jmp     *%rax
on_fault:                               # ring 0, on its own stack: error code, RIP, ...
        mov     8(%rsp), %rax
        mov     %rax, fault_rip
        lea     next(%rip), %rcx
        mov     %rcx, 8(%rsp)
        add     $8, %rsp
        iretq
next:
        incl    faults
        mov     fault_rip, %rax
        sub     $PROGRAM, %eax
        cmp     $code_second - code, %eax
        je      second
        cmp     $code_third - code, %eax
        je      third
        test    %eax, %eax
        jnz     wrong
        mov     $PROGRAM + code_second - code, %rax
        jmp     *%rax
second:
        mov     $PROGRAM + code_third - code, %rax
        mov     $0x10, %edx
        jmp     *%rax
third:
        cmpl    $3, faults
        jne     wrong
        finish  $0
wrong:
        finish  $1*256
        .data
        .align  4096
code:
        out     %al, $0x10
code_second:
        out     %al, $0x80
code_third:
        out     %al, %dx
        .align  4096
fault_rip: .quad 0
faults: .long   0
        .bss
        .align  4096
tables: .skip   0x3000
