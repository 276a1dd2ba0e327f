# Output on both descriptors, a line in the log, exit status 7.
        .include "common.S"
_start:
        movabs  $0x00454e4952544956, %rax       # "VITRINE"
        cmp     %rax, (%rdi)
        jne     wrong
        print   1, out, 4
        print   2, err, 4
        movq    $2, SLOT+32
        movq    $line - IMAGE_BASE, SLOT+40
        movq    $11, SLOT+48
        hostcall 34
        finish  $7*256
wrong:
        finish  $99*256
        .data
out:    .ascii  "out\n"
err:    .ascii  "err\n"
line:   .ascii  "log \33[2Jend"
