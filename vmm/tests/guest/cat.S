# Copies standard input to standard output, waiting in the idle doorbell; a signal from the VMM ends it with that status.
        .include "common.S"
_start:
        stacks
        gate    0x40, only_acknowledge
        movq    $-1, DEADLINE
again:
        movq    $buf - IMAGE_BASE, SLOT+32
        movq    $4096, SLOT+40
        hostcall 17
        cmp     $-11, %rax
        je      wait
        test    %rax, %rax
        jle     done
        movq    $buf - IMAGE_BASE, %r12
        mov     %rax, %r13
write:
        movq    $1, SLOT+32
        mov     %r12, SLOT+40
        mov     %r13, SLOT+48
        hostcall 16
        cmp     $-32, %rax
        je      broken
        add     %rax, %r12
        sub     %rax, %r13
        jz      again
        test    %rax, %rax
        jnz     write
        call    idle
        jmp     write
wait:
        call    idle
        jmp     again
idle:
        out     %al, $0x11
        xor     %eax, %eax
        xchg    %rax, PENDING
        test    $0x10, %al
        jnz     signalled
        ret
signalled:
        mov     CONTROL + 28, %eax
        finish  %rax
broken:
        finish  $13
done:
        finish  $0
        .bss
        .align  4096
buf:    .skip   4096
