//! Which word a futex is: the same one from every thread and every process that maps it.

use crate::{Errno, mm::space::AddressSpace};
use alloc::sync::Arc;
use vitrine_abi::layout::USER_END;

/// A futex's identity. `space` is the address space that `at` is an address of, or 0 for a physical location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    space: u64,
    at: u64,
}

impl Key {
    /// The futex at `addr` of `space`. A private one, or one in memory that no other process shares, is known by its address, which copy-on-write doesn't
    /// change; one in shared memory by where it lies physically.
    pub fn new(space: &Arc<AddressSpace>, addr: u64, private: bool) -> Result<Key, Errno> {
        if !addr.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        if addr >= USER_END {
            return Err(Errno::EFAULT);
        }
        if !private && space.is_shared(addr) {
            return Ok(Key {
                space: 0,
                at: space.physical(addr)?,
            });
        }
        Ok(Key {
            space: Arc::as_ptr(space) as usize as u64,
            at: addr,
        })
    }

    /// A number below `buckets` (a power of two, at most 2¹⁶) that spreads keys evenly.
    pub fn bucket(&self, buckets: usize) -> usize {
        let mixed = (self.at >> 2)
            .wrapping_add(self.space)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 48) as usize & (buckets - 1)
    }
}
