//! What the guest kernel and the VMM must agree on: memory layout, boot information, shared pages,
//! host calls, event records, and the one table of system calls.
//!
//! Everything here is plain data with a fixed representation. The VMM treats what it finds in guest
//! memory as hostile: it copies a structure out, checks it, and only then uses it.
#![no_std]
#![forbid(unsafe_code)]

pub mod boot;
pub mod errno;
pub mod event;
pub mod filter;
pub mod hostcall;
pub mod layout;
pub mod nr;
pub mod shared;
pub mod stop;
pub mod syscall;
pub mod vdso;

pub use errno::Errno;
