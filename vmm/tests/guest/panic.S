# Panics with a text.
        .include "common.S"
_start:
        movl    $0x6b63696b, CONTROL + 56       # "kick"
        movl    $4, CONTROL + 48
        out     %al, $0x13
