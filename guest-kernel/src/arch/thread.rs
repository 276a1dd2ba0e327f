//! A task's kernel stack and the processor state that is kept while it doesn't run.

use super::{
    fpu::XsaveArea,
    frame::{FRAME_BYTES, TrapFrame},
    percpu,
};
use crate::{
    Errno,
    mm::frame::{Contiguous, alloc_contiguous},
};
use core::{
    arch::{asm, global_asm},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Kernel stacks are 2³ pages: 32 KiB, touched only as far as they are used.
const STACK_ORDER: usize = 3;
const STACK_BYTES: u64 = 4096 << STACK_ORDER;
/// Stands at the bottom of every kernel stack; a switch away from a thread checks it.
const CANARY: u64 = 0x7669_7472_696e_6521;

/// Kernel stack, FS and GS base, extended (XSAVE) state.
pub struct Thread {
    stack: Contiguous,
    saved_rsp: AtomicU64,
    fs_base: AtomicU64,
    gs_base: AtomicU64,
    xsave: XsaveArea,
    entry: fn(),
}

impl Thread {
    /// A thread that, when first switched to, calls `entry` on its own kernel stack and, when that returns, goes to user mode with the
    /// trap frame `frame`. Its extended state is a copy of the current thread's if `inherit`, else the initial one.
    pub fn new(frame: &TrapFrame, entry: fn(), inherit: bool) -> Result<Thread, Errno> {
        let thread = Thread {
            stack: alloc_contiguous(STACK_ORDER)?,
            saved_rsp: AtomicU64::new(0),
            fs_base: AtomicU64::new(if inherit { read_fs_base() } else { 0 }),
            gs_base: AtomicU64::new(if inherit { read_gs_base() } else { 0 }),
            xsave: XsaveArea::new(inherit)?,
            entry,
        };
        let at = thread.frame_address();
        // SAFETY: the stack is this thread's own and not running yet. Below the frame lie the return address and the six
        // registers that `switch_stacks` pops.
        unsafe {
            (thread.stack.ptr().cast::<u64>()).write(CANARY);
            (at as *mut TrapFrame).write(*frame);
            let words = at as *mut u64;
            words.sub(1).write(thread_first_run as *const () as u64);
            for n in 2..=7 {
                words.sub(n).write(0);
            }
        }
        thread.saved_rsp.store(at - 7 * 8, Relaxed);
        Ok(thread)
    }

    /// Top of the kernel stack.
    pub(super) fn stack_top(&self) -> u64 {
        self.stack.ptr() as u64 + STACK_BYTES
    }

    fn frame_address(&self) -> u64 {
        self.stack_top() - FRAME_BYTES as u64
    }

    /// A copy of the trap frame of a thread that is not running (or of the current one, in a system call).
    pub fn frame(&self) -> TrapFrame {
        // SAFETY: a frame was written there by `new`, and entries overwrite it whole; the kernel isn't pre-empted.
        unsafe { (self.frame_address() as *const TrapFrame).read_volatile() }
    }

    /// Replaces the trap frame of a thread that is not running (or of the current one).
    pub fn set_frame(&self, frame: &TrapFrame) {
        // SAFETY: as in `frame`.
        unsafe { (self.frame_address() as *mut TrapFrame).write_volatile(*frame) }
    }

    fn is_current(&self) -> bool {
        percpu::has_current() && percpu::with_current(|t| core::ptr::eq(&t.thread, self))
    }

    /// FS base (thread pointer) of this thread, running or not.
    pub fn fs_base(&self) -> u64 {
        if self.is_current() {
            read_fs_base()
        } else {
            self.fs_base.load(Relaxed)
        }
    }

    /// Sets the FS base of this thread, running or not. `base` must be canonical.
    pub fn set_fs_base(&self, base: u64) {
        self.fs_base.store(base, Relaxed);
        if self.is_current() {
            write_fs_base(base);
        }
    }

    /// GS base of this thread, running or not.
    pub fn gs_base(&self) -> u64 {
        if self.is_current() {
            read_gs_base()
        } else {
            self.gs_base.load(Relaxed)
        }
    }

    /// Sets the GS base of this thread, running or not. `base` must be canonical.
    pub fn set_gs_base(&self, base: u64) {
        self.gs_base.store(base, Relaxed);
        if self.is_current() {
            write_gs_base(base);
        }
    }

    /// For [`switch`].
    pub fn handle(&self) -> ThreadHandle {
        ThreadHandle(self)
    }

    pub(super) fn xsave(&self) -> &XsaveArea {
        &self.xsave
    }
}

/// Names a thread for a switch, beyond the borrow of its task.
#[derive(Clone, Copy)]
pub struct ThreadHandle(*const Thread);

/// Switches from the running thread to `next`; returns when somebody switches back. `percpu::set_current` was called
/// for `next` by the scheduler, which also keeps both alive.
pub fn switch(previous: ThreadHandle, next: ThreadHandle) {
    // SAFETY: handles come from `Thread::handle`; the scheduler keeps both tasks alive across the switch: the one in the per-CPU
    // slot, the other as its `previous`.
    let (previous, next) = unsafe { (&*previous.0, &*next.0) };
    // SAFETY: the canary was written by `new` at the bottom of this stack.
    if unsafe { (previous.stack.ptr().cast::<u64>()).read_volatile() } != CANARY {
        panic!("kernel stack overflow");
    }
    previous.fs_base.store(read_fs_base(), Relaxed);
    previous.gs_base.store(read_gs_base(), Relaxed);
    previous.xsave.save();
    load(next);
    // SAFETY: `saved_rsp` of `next` was left by this function or by `new`.
    unsafe { switch_stacks(previous.saved_rsp.as_ptr(), next.saved_rsp.load(Relaxed)) };
}

/// Leaves the boot stack for the first thread.
pub fn switch_first(next: ThreadHandle) -> ! {
    // SAFETY: as in `switch`.
    let next = unsafe { &*next.0 };
    load(next);
    let mut unused = 0;
    // SAFETY: as in `switch`; the boot stack is never used again.
    unsafe { switch_stacks(&mut unused, next.saved_rsp.load(Relaxed)) };
    unreachable!("the boot stack was switched back to")
}

fn load(next: &Thread) {
    percpu::set_kernel_stack(next);
    super::set_ring0_stack(next.stack_top());
    next.xsave.restore();
    write_fs_base(next.fs_base.load(Relaxed));
    write_gs_base(next.gs_base.load(Relaxed));
}

/// What a new thread runs first.
pub(super) extern "C" fn first_run() {
    crate::sched::finish_switch();
    let entry = percpu::with_current(|t| t.thread.entry);
    entry();
}

unsafe extern "C" {
    fn switch_stacks(save: *mut u64, rsp: u64);
    fn thread_first_run();
}

global_asm!(
    ".pushsection .text.entry, \"ax\"",
    "switch_stacks:",
    "push rbx; push rbp; push r12; push r13; push r14; push r15",
    "mov [rdi], rsp",
    "mov rsp, rsi",
    "pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx",
    "ret",
    ".popsection",
);

fn read_fs_base() -> u64 {
    let base: u64;
    // SAFETY: CR4.FSGSBASE is set by the VMM; no memory is touched.
    unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

fn write_fs_base(base: u64) {
    // SAFETY: callers pass canonical addresses; the kernel uses no FS-relative memory.
    unsafe { asm!("wrfsbase {}", in(reg) base, options(nomem, nostack, preserves_flags)) };
}

fn read_gs_base() -> u64 {
    let base: u64;
    // SAFETY: as in `read_fs_base`.
    unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

fn write_gs_base(base: u64) {
    // SAFETY: as in `write_fs_base`.
    unsafe { asm!("wrgsbase {}", in(reg) base, options(nomem, nostack, preserves_flags)) };
}
