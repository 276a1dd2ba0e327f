# Ends in a triple fault.
        .include "common.S"
_start:
        ud2
