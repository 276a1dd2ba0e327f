# Takes 20 timer interrupts while it runs, then sleeps through 5 deadlines in the idle doorbell. Exits with 0.
        .include "common.S"
        .macro  deadline_in ticks
        rdtsc
        shl     $32, %rdx
        or      %rdx, %rax
        add     $\ticks, %rax
        mov     %rax, DEADLINE
        .endm
_start:
        stacks
        gate    0x40, on_interrupt
        mov     $20, %r12d
        mov     %cs, %eax
        test    $3, %al
        jnz     1f
        sti                             # privileged mode starts with interrupts off
1:      mov     count, %r13
        deadline_in 500000
2:      pause
        cmp     count, %r13
        je      2b
        dec     %r12d
        jnz     1b
        movq    $-1, DEADLINE

        mov     $5, %r12d
        mov     count, %r13
        mov     %cs, %eax
        test    $3, %al
        jnz     3f
        cli
3:      deadline_in 5000000
        mov     DEADLINE, %r14
        out     %al, $0x11
        rdtsc
        shl     $32, %rdx
        or      %rdx, %rax
        cmp     %r14, %rax
        jb      early
        xor     %eax, %eax
        xchg    %rax, PENDING
        test    $1, %al
        jz      early
        movq    $-1, DEADLINE
        dec     %r12d
        jnz     3b
        cmp     count, %r13             # waking from idle takes no interrupt
        jne     extra
        finish  $0
early:
        finish  $1*256
extra:
        finish  $2*256
on_interrupt:
        push    %rax
        incq    count
        xor     %eax, %eax
        movl    $0, OUTSTANDING
        xchg    %rax, PENDING
        pop     %rax
        iretq
        .data
count:  .quad   0
