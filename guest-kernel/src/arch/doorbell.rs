//! Doorbells: OUT instructions that hand the vCPU to the VMM.

use core::arch::asm;
use vitrine_abi::layout::port;

macro_rules! ring {
    ($port:expr) => {
        // SAFETY: the VMM answers these ports; all it changes is memory that both sides share, for which asm! without `nomem` is a barrier.
        unsafe { asm!("out {}, al", const $port, in("al") 0u8, options(nostack, preserves_flags)) }
    };
}

/// A host call waits in the slot.
pub fn host_call() {
    ring!(port::HOST_CALL);
}

/// Nothing is runnable; returns when there may be.
pub fn idle() {
    ring!(port::IDLE);
}

/// The event ring is full; returns when there is room.
pub fn ring_full() {
    ring!(port::RING_FULL);
}

/// The kernel cannot go on.
pub fn panic() -> ! {
    loop {
        ring!(port::PANIC);
    }
}
