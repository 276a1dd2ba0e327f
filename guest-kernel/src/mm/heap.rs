//! The kernel heap.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    sync::atomic::{AtomicUsize, Ordering},
};

#[repr(align(4096))]
struct Arena(UnsafeCell<[u8; 1 << 20]>);
// SAFETY: bytes are handed out once each through the atomic `USED`.
unsafe impl Sync for Arena {}
static ARENA: Arena = Arena(UnsafeCell::new([0; 1 << 20]));
static USED: AtomicUsize = AtomicUsize::new(0);

struct Heap;

// SAFETY: every allocation is a distinct part of ARENA; nothing is freed.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = USED
            .load(Ordering::Relaxed)
            .next_multiple_of(layout.align());
        if start + layout.size() > 1 << 20 {
            return core::ptr::null_mut();
        }
        USED.store(start + layout.size(), Ordering::Relaxed);
        // SAFETY: inside ARENA, as checked above.
        unsafe { (ARENA.0.get() as *mut u8).add(start) }
    }
    unsafe fn dealloc(&self, _ptr: *mut u8, _layout: Layout) {}
}

#[global_allocator]
static HEAP: Heap = Heap;
