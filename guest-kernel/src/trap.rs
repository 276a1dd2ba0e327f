//! What `arch` calls when the processor enters the kernel for anything but a system call, and before it leaves.
