//! The kernel heap: size classes of up to 2 KiB carved from single frames, larger allocations from contiguous frames.
//!
//! A frame of a size class has no header: its free list's start and the number of objects in use are packed into the frame's
//! reference count, and its links chain the frames of a class that have room.

use super::{
    DIRECT_MAP,
    buddy::{MAX_ORDER, count, links},
    cell::KernelCell,
    frame::{give_pages, take_pages},
    phys_ptr,
};
use core::alloc::{GlobalAlloc, Layout};

const CLASSES: [u16; 13] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048];
/// The largest size that a class serves.
const LARGEST: usize = 2048;
/// The class of each size, by size / 16 rounded up.
const CLASS_OF: [u8; LARGEST / 16 + 1] = {
    let mut table = [0; LARGEST / 16 + 1];
    let mut i = 0;
    while i < table.len() {
        let mut class = 0;
        while (CLASSES[class] as usize) < i * 16 {
            class += 1;
        }
        table[i] = class as u8;
        i += 1;
    }
    table
};
/// End of a free list inside a frame: no object starts there.
const NIL: u16 = u16::MAX;

/// Heads of the lists of frames with room, by class.
static PARTIAL: KernelCell<[u32; CLASSES.len()]> = KernelCell::new([0; CLASSES.len()]);

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

/// Where a layout is served from.
enum Place {
    Class(usize),
    Pages(usize),
}

#[inline(always)]
fn place(layout: Layout) -> Place {
    // An object at a multiple of its class's size is aligned to the largest power of two in that size, so
    // an alignment above 16 is met by rounding up to a power of two.
    let size = if layout.align() <= 16 {
        layout.size()
    } else {
        layout.size().max(layout.align()).next_power_of_two()
    };
    if size <= LARGEST {
        Place::Class(usize::from(CLASS_OF[size.div_ceil(16)]))
    } else {
        let pages = size.max(layout.align()).div_ceil(4096);
        Place::Pages(pages.next_power_of_two().ilog2() as usize)
    }
}

/// Takes an object of a class.
#[inline]
fn take(class: usize) -> *mut u8 {
    PARTIAL.with(|partial| {
        if partial[class] == 0 {
            let Some(frame) = carve(class) else {
                return core::ptr::null_mut();
            };
            partial[class] = frame;
        }
        let frame = partial[class];
        // SAFETY: `frame` belongs to this class and has room: its count word holds the offset of a free object in it, whose first two bytes
        // hold the next one's.
        unsafe {
            let word = count(frame);
            let (used, first) = unpack(*word);
            let object = phys_ptr(u64::from(frame) << 12).add(usize::from(first));
            let next = (object as *const u16).read();
            *word = pack(used + 1, next);
            if next == NIL {
                let [after, _] = *links(frame);
                partial[class] = after;
                if after != 0 {
                    (*links(after))[1] = 0;
                }
            }
            object
        }
    })
}

/// Gives an object back; a frame that becomes empty is freed unless it is its class's only one with room.
///
/// # Safety
/// `object` came from [`take`] with the same class and is no longer used.
#[inline]
unsafe fn give(object: *mut u8, class: usize) {
    let phys = object as u64 - DIRECT_MAP;
    let frame = (phys >> 12) as u32;
    PARTIAL.with(|partial| {
        // SAFETY: by the contract the frame belongs to this class; its links are meaningful iff it has room.
        unsafe {
            let word = count(frame);
            let (used, first) = unpack(*word);
            (object as *mut u16).write(first);
            *word = pack(used - 1, (phys & 0xfff) as u16);
            if first == NIL {
                let next = partial[class];
                *links(frame) = [next, 0];
                if next != 0 {
                    (*links(next))[1] = frame;
                }
                partial[class] = frame;
            }
            if used == 1 {
                let [next, previous] = *links(frame);
                if next == 0 && previous == 0 {
                    return;
                }
                if previous != 0 {
                    (*links(previous))[0] = next;
                } else {
                    partial[class] = next;
                }
                if next != 0 {
                    (*links(next))[1] = previous;
                }
                give_pages(u64::from(frame) << 12, 0);
            }
        }
    });
}

/// A new frame of a class, all of its objects free.
#[cold]
fn carve(class: usize) -> Option<u32> {
    let (phys, _) = take_pages(0)?;
    let size = CLASSES[class];
    let objects = 4096 / size;
    let frame = (phys >> 12) as u32;
    // SAFETY: the frame is ours; every write lies in it.
    unsafe {
        for i in 0..objects {
            let next = if i + 1 == objects {
                NIL
            } else {
                (i + 1) * size
            };
            let object = phys_ptr(phys).add(usize::from(i * size));
            (object as *mut u16).write(next);
        }
        *count(frame) = pack(0, 0);
        *links(frame) = [0, 0];
    }
    Some(frame)
}

fn pack(used: u16, first: u16) -> u32 {
    u32::from(used) << 16 | u32::from(first)
}

fn unpack(word: u32) -> (u16, u16) {
    ((word >> 16) as u16, word as u16)
}

// SAFETY: objects of a class are distinct parts of frames that the heap owns, aligned as `place` says; larger ones are whole blocks of frames.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match place(layout) {
            Place::Class(class) => take(class),
            Place::Pages(order) if order <= MAX_ORDER => {
                take_pages(order).map_or(core::ptr::null_mut(), |(phys, _)| phys_ptr(phys))
            }
            Place::Pages(_) => core::ptr::null_mut(),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        match place(layout) {
            // SAFETY: by the trait's contract it came from `alloc` with this layout.
            Place::Class(class) => unsafe { give(ptr, class) },
            Place::Pages(order) => give_pages(ptr as u64 - DIRECT_MAP, order),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if let Place::Pages(order) = place(layout) {
            let Some((phys, zero)) = take_pages(order) else {
                return core::ptr::null_mut();
            };
            if !zero {
                // SAFETY: the block is new and at least this long.
                unsafe { phys_ptr(phys).write_bytes(0, layout.size()) };
            }
            return phys_ptr(phys);
        }
        // SAFETY: same layout; a new object is as long as it says.
        unsafe {
            let ptr = self.alloc(layout);
            if !ptr.is_null() {
                ptr.write_bytes(0, layout.size());
            }
            ptr
        }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the trait's contract makes the new layout valid.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match (place(layout), place(new)) {
            (Place::Class(a), Place::Class(b)) if a == b => return ptr,
            (Place::Pages(a), Place::Pages(b)) if a == b => return ptr,
            _ => {}
        }
        // SAFETY: `ptr` is valid for the old size, the new block for the new one, and they are distinct.
        unsafe {
            let target = self.alloc(new);
            if !target.is_null() {
                core::ptr::copy_nonoverlapping(ptr, target, layout.size().min(new_size));
                self.dealloc(ptr, layout);
            }
            target
        }
    }
}
