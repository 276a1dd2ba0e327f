//! [`KernelCell`]: state of the memory manager that only the vCPU that runs touches.

use core::cell::{Cell, UnsafeCell};

/// Exclusive access without a lock. There is one vCPU, the kernel is not pre-empted, and interrupts that hit it are only noted; so a closure
/// that neither yields nor calls back into the same cell has the value for itself. With several vCPUs this is where a lock goes.
pub struct KernelCell<T> {
    value: UnsafeCell<T>,
    busy: Cell<bool>,
}

// SAFETY: see the type: there is one vCPU, and `with` forbids re-entry.
unsafe impl<T> Sync for KernelCell<T> {}

impl<T> KernelCell<T> {
    /// A cell with this value.
    pub const fn new(value: T) -> Self {
        Self {
            value: UnsafeCell::new(value),
            busy: Cell::new(false),
        }
    }

    /// Runs `f` on the value. `f` must not yield, allocate from what the cell guards, or enter the same cell.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        debug_assert!(!self.busy.replace(true), "re-entered a KernelCell");
        // SAFETY: nobody else has a reference: one vCPU, no pre-emption, no re-entry (checked in debug builds).
        let result = f(unsafe { &mut *self.value.get() });
        self.busy.set(false);
        result
    }
}
