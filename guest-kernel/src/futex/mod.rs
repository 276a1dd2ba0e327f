//! futex(2): waiting for a word of user memory to change.
//!
//! - [`key`]: which word is meant, across address spaces; [`table`]: who waits for it.
//! - [`wait`], [`wake`]: the operations; [`pi`]: locks that name their owner; [`robust`]: what a thread that ends leaves behind.
//!
//! The kernel isn't pre-empted, but reading user memory may let others run; so a waiter queues up first and compares then, which needs no
//! lock around both.

pub mod key;
pub mod pi;
mod robust;
mod table;
pub mod wait;
pub mod wake;

pub use robust::exit_robust_list;
pub use wake::wake_address;

/// A bitset that all waiters and wakers match.
pub const MATCH_ANY: u32 = u32::MAX;
