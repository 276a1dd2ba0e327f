//! Everything that knows x86-64 and the two guest modes. The rest of the kernel sees this interface only:
//! [`TrapFrame`], [`Thread`] (kernel stack and saved state of a task), loading and flushing address spaces, the
//! cycle counter, and the doorbells.

use crate::Errno;
use alloc::vec::Vec;

/// The user state at entry to the kernel, at the top of the task's kernel stack. What a task
/// returns to user mode with is what stands here.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default)]
pub struct TrapFrame {
    /// XMM0–15 as the user left them (the kernel's own code uses them).
    pub xmm: [u128; 16],
    /// General registers.
    pub r15: u64,
    /// …
    pub r14: u64,
    /// …
    pub r13: u64,
    /// …
    pub r12: u64,
    /// …
    pub rbp: u64,
    /// …
    pub rbx: u64,
    /// …
    pub r11: u64,
    /// …
    pub r10: u64,
    /// …
    pub r9: u64,
    /// …
    pub r8: u64,
    /// Return value of a system call.
    pub rax: u64,
    /// …
    pub rcx: u64,
    /// …
    pub rdx: u64,
    /// …
    pub rsi: u64,
    /// …
    pub rdi: u64,
    /// The system call's number, or −1 when the kernel was entered otherwise (Linux's `orig_rax`).
    pub orig_rax: u64,
    /// Hardware error code, or 0.
    pub error: u64,
    /// User instruction pointer.
    pub rip: u64,
    /// Code selector.
    pub cs: u64,
    /// Flags. In deprivileged mode bits IF and IOPL are the kernel's business: `arch` forces them on return.
    pub rflags: u64,
    /// User stack pointer.
    pub rsp: u64,
    /// Stack selector.
    pub ss: u64,
}

impl TrapFrame {
    /// The six arguments of the system call that this frame made.
    pub fn args(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }
}

/// A task's kernel stack and the processor state that is saved while it doesn't run: FS and GS base, extended (XSAVE) state.
pub struct Thread {}

impl Thread {
    /// A thread that, when first switched to, calls `entry` on its own kernel stack and, when that returns, goes to user mode with the
    /// trap frame `frame`. Its extended state is a copy of the current thread's if `inherit`, else the initial one.
    pub fn new(_frame: &TrapFrame, _entry: fn(), _inherit: bool) -> Result<Thread, Errno> {
        Err(Errno::ENOMEM)
    }

    /// A copy of the trap frame of a thread that is not running (or of the current one, in a system call).
    pub fn frame(&self) -> TrapFrame {
        TrapFrame::default()
    }

    /// Replaces the trap frame of a thread that is not running (or of the current one).
    pub fn set_frame(&self, _frame: &TrapFrame) {}

    /// FS base (thread pointer) of this thread, running or not.
    pub fn fs_base(&self) -> u64 {
        0
    }

    /// Sets the FS base of this thread, running or not.
    pub fn set_fs_base(&self, _base: u64) {}

    /// GS base of this thread, running or not.
    pub fn gs_base(&self) -> u64 {
        0
    }

    /// Sets the GS base of this thread, running or not.
    pub fn set_gs_base(&self, _base: u64) {}
}

/// Bytes that the extended state takes in a signal frame (XSAVE layout, standard format; multiple of 64).
pub fn xsave_size() -> usize {
    512 + 64
}

/// XCR0: the enabled state components.
pub fn xcr0() -> u64 {
    3
}

/// The current thread's extended state in XSAVE standard format, with `frame`'s XMM registers in it: for signal frames and core files.
pub fn extended_state(_frame: &TrapFrame) -> Vec<u8> {
    Vec::new()
}

/// Loads extended state that came from user memory into the current thread (XMM registers into `frame`). Reserved bits that
/// the processor would refuse are cleared or rejected: never faults.
pub fn set_extended_state(_frame: &mut TrapFrame, _state: &[u8]) -> Result<(), Errno> {
    Ok(())
}

/// Resets the current thread's extended state to the initial one (execve).
pub fn reset_extended_state(_frame: &mut TrapFrame) {}

/// Loads the page tables rooted at guest physical `pml4`. Also flushes the TLB.
pub fn load_address_space(_pml4: u64) {}

/// Flushes the current address space's TLB entries: due after a present entry was reduced or removed, never after one was
/// added. In deprivileged mode it costs 17 µs: batch.
pub fn flush_tlb() {}

/// The cycle counter, constant rate.
pub fn tsc() -> u64 {
    0
}

/// CPUID leaf 1, EDX: the features that AT_HWCAP shows. CPUID traps on some machines: it is executed once.
pub fn cpu_features() -> u32 {
    0
}

/// Number of the current vCPU.
pub fn cpu() -> usize {
    0
}
