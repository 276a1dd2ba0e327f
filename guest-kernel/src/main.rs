//! The guest kernel: a Linux-ABI kernel for one sandboxed workload.
//!
//! It is linked at −2 GiB, entered by the VMM in ring 0 (privileged) or ring 3 (deprivileged) at
//! `arch::entry`, and reached again through system calls, faults and one interrupt vector.
//! `unsafe` lives in `arch/` and `mm/` only.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

#[allow(unsafe_code)]
mod arch;
mod boot;
mod fs;
mod futex;
mod hostcall;
mod log;
#[allow(unsafe_code)]
mod mm;
mod net;
mod random;
mod request;
mod sched;
mod signal;
mod sync;
mod syscall;
mod task;
mod time;
mod trace;
mod trap;

pub(crate) use vitrine_abi::Errno;

/// What a system call's handler returns: a value of at least 0, or an error; the gate negates it.
pub(crate) type SysResult = Result<usize, Errno>;
