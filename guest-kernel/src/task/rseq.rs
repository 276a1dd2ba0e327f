//! Restartable sequences (rseq(2)).
//!
//! There is one vCPU, so the ids that the area shows are always 0 and are written once, at registration. What
//! remains is the abort: a thread that was interrupted by another one or by a signal inside a critical section
//! goes on at the section's abort address: [`before_user`].

use crate::{arch::TrapFrame, mm::user, sched, signal};
use linux_raw_sys::general::SIGSEGV;

/// Bytes of `struct rseq` that are in use (AT_RSEQ_FEATURE_SIZE).
pub const FEATURE_SIZE: u64 = 28;
/// Alignment of the area (AT_RSEQ_ALIGN).
pub const ALIGN: u64 = 32;
/// Offset of `rseq_cs`, the address of the descriptor of the section that runs.
const SECTION_OFFSET: u64 = 8;
/// SI_KERNEL.
const SI_KERNEL: i32 = 0x80;

/// A thread's registration; address 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// Address of its `struct rseq`.
    pub area: u64,
    /// Length that it was registered with.
    pub len: u32,
    /// Signature that stands before every abort address.
    pub signature: u32,
}

/// The current task was interrupted and is about to go on in user mode at `frame`: called after it was switched away from, and before a
/// signal handler's frame is set up. A broken area kills it. No section contains a system call, so a return from one needs nothing.
pub fn before_user(frame: &mut TrapFrame) {
    let in_call = frame.orig_rax as i64 >= 0;
    let registration = sched::with_current(|task| *task.rseq.lock());
    if !in_call && registration.area != 0 && abort_section(&registration, frame).is_none() {
        signal::force(signal::SigInfo {
            signo: SIGSEGV,
            code: SI_KERNEL,
            ..Default::default()
        });
    }
}

/// `None`: what the program put there is not valid.
fn abort_section(registration: &Registration, frame: &mut TrapFrame) -> Option<()> {
    let pointer = registration.area.checked_add(SECTION_OFFSET)?;
    let section: u64 = user::read(pointer).ok()?;
    if section == 0 {
        return Some(());
    }
    // struct rseq_cs: version and flags, start, length after it, abort address.
    let [head, start, len, abort]: [u64; 4] = user::read(section).ok()?;
    if head as u32 != 0 || start.checked_add(len).is_none() || abort.wrapping_sub(start) < len {
        return None;
    }
    user::write(pointer, &0u64).ok()?;
    if frame.rip.wrapping_sub(start) < len {
        let signature: u32 = user::read(abort.checked_sub(4)?).ok()?;
        if signature != registration.signature {
            return None;
        }
        frame.rip = abort;
    }
    Some(())
}
