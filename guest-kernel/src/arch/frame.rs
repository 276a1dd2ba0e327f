//! The user's registers as they lie at the top of a task's kernel stack while it is in the kernel.

/// The user state at entry to the kernel. What a task returns to user mode with is what stands here.
///
/// The field order is the one in which `entry.rs` pushes; the last five are the processor's own frame.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default)]
pub struct TrapFrame {
    /// XMM0–15 as the user left them (the kernel's own code uses them).
    pub xmm: [u128; 16],
    /// General register.
    pub r15: u64,
    /// General register.
    pub r14: u64,
    /// General register.
    pub r13: u64,
    /// General register.
    pub r12: u64,
    /// General register.
    pub rbp: u64,
    /// General register.
    pub rbx: u64,
    /// General register; the flags, right after SYSCALL.
    pub r11: u64,
    /// Fourth argument of a system call.
    pub r10: u64,
    /// Sixth argument.
    pub r9: u64,
    /// Fifth argument.
    pub r8: u64,
    /// Return value of a system call.
    pub rax: u64,
    /// General register; the return address, right after SYSCALL.
    pub rcx: u64,
    /// Third argument.
    pub rdx: u64,
    /// Second argument.
    pub rsi: u64,
    /// First argument.
    pub rdi: u64,
    /// The system call's number, or −1 when the kernel was entered otherwise (Linux's `orig_rax`).
    pub orig_rax: u64,
    /// Hardware error code, or 0.
    pub error: u64,
    /// User instruction pointer.
    pub rip: u64,
    /// Code selector.
    pub cs: u64,
    /// Flags. In deprivileged mode bits IF and IOPL are the kernel's business: they are forced on return.
    pub rflags: u64,
    /// User stack pointer.
    pub rsp: u64,
    /// Stack selector.
    pub ss: u64,
}

/// Bytes in a [`TrapFrame`].
pub const FRAME_BYTES: usize = size_of::<TrapFrame>();

impl TrapFrame {
    /// The six arguments of the system call that this frame made.
    pub fn args(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }

    /// Gives the system call that this frame made other arguments.
    pub fn set_args(&mut self, args: [u64; 6]) {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9] = args;
    }
}
