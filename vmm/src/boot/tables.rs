//! The page tables that the kernel boots with: the window at −2 GiB and the direct map of all RAM (`vitrine_abi::layout`).

use vitrine_abi::layout::{
    DIRECT_MAP, GDT, HUGE_PAGE_SIZE, IDT, IMAGE_BASE, IMAGE_MAP_BYTES, PAGE_SIZE,
};
use zerocopy::IntoBytes;

use super::image::KernelImage;
use crate::kvm::{GuestRam, MemoryError, Mode};

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
/// Accessed and dirty: set now, so that neither the processor nor an interpreter has to.
const USED: u64 = 1 << 5 | 1 << 6;
const HUGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ENTRIES: u64 = 512;
const GIB: u64 = 1 << 30;

/// The tables, built.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// Guest physical address of the PML4.
    pub pml4: u64,
    /// Guest physical address of the first page after the tables.
    pub end: u64,
}

struct Builder<'a> {
    ram: &'a GuestRam,
    next: u64,
    user: u64,
}

impl Builder<'_> {
    /// A zeroed page (fresh RAM).
    fn table(&mut self) -> u64 {
        let page = self.next;
        self.next += PAGE_SIZE;
        page
    }

    fn fill(&self, table: u64, first: u64, entries: &[u64]) -> Result<(), MemoryError> {
        self.ram.write(table + first * 8, entries.as_bytes())
    }

    fn link(&self, table: u64, index: u64, child: u64) -> Result<(), MemoryError> {
        self.fill(
            table,
            index,
            &[child | PRESENT | WRITABLE | USED | self.user],
        )
    }
}

/// Builds the tables behind the image.
pub fn build(ram: &GuestRam, image: &KernelImage<'_>, mode: Mode) -> Result<Tables, MemoryError> {
    let user = match mode {
        Mode::Privileged => 0,
        Mode::Deprivileged => USER,
    };
    let mut builder = Builder {
        ram,
        next: image.end(),
        user,
    };
    let pml4 = builder.table();

    let window_pdpt = builder.table();
    let window_pd = builder.table();
    builder.link(pml4, slot(IMAGE_BASE, 39), window_pdpt)?;
    builder.link(window_pdpt, slot(IMAGE_BASE, 30), window_pd)?;
    let data = PRESENT | WRITABLE | USED | NO_EXECUTE | user;
    let window = IMAGE_MAP_BYTES.min(ram.bytes());
    for index in 0..window / HUGE_PAGE_SIZE {
        let start = index * HUGE_PAGE_SIZE;
        if start >= image.end() {
            builder.fill(window_pd, index, &[start | HUGE | data])?;
            continue;
        }
        let table = builder.table();
        builder.link(window_pd, index, table)?;
        let leaves: Vec<u64> = (0..ENTRIES)
            .map(|page| start + page * PAGE_SIZE)
            .map(|page| page | page_flags(image, page, data))
            .collect();
        builder.fill(table, 0, &leaves)?;
    }

    let direct_pdpt = builder.table();
    builder.link(pml4, slot(DIRECT_MAP, 39), direct_pdpt)?;
    for gib in 0..ram.bytes().div_ceil(GIB).min(ENTRIES) {
        let pd = builder.table();
        builder.link(direct_pdpt, gib, pd)?;
        let start = gib * GIB;
        let leaves: Vec<u64> = (0..ENTRIES.min((ram.bytes() - start) / HUGE_PAGE_SIZE))
            .map(|page| start + page * HUGE_PAGE_SIZE)
            .map(|page| page | HUGE | data)
            .collect();
        builder.fill(pd, 0, &leaves)?;
    }
    Ok(Tables {
        pml4,
        end: builder.next,
    })
}

/// Flags of the 4 KiB page at guest physical `page` in the window.
fn page_flags(image: &KernelImage<'_>, page: u64, data: u64) -> u64 {
    if (GDT..IDT + PAGE_SIZE).contains(&page) {
        return data & !USER;
    }
    match image
        .segments()
        .iter()
        .find(|segment| segment.pages().contains(&page))
    {
        Some(segment) => {
            let mut flags = data;
            if !segment.writable {
                flags &= !WRITABLE;
            }
            if segment.executable {
                flags &= !NO_EXECUTE;
            }
            flags
        }
        None => data,
    }
}

fn slot(addr: u64, shift: u32) -> u64 {
    addr >> shift & 511
}

#[cfg(test)]
mod tests {
    use vitrine_abi::layout::{BOOT_INFO, CONTROL_PAGE, KERNEL_IMAGE, TSS};

    use super::*;
    use crate::boot::Segment;

    const RAM: u64 = 128 << 20;

    fn walk(ram: &GuestRam, pml4: u64, addr: u64) -> Option<(u64, u64)> {
        let mut table = pml4;
        let mut user = USER;
        for shift in [39, 30, 21, 12] {
            let entry: u64 = ram.read_obj(table + slot(addr, shift) * 8).unwrap();
            if entry & PRESENT == 0 {
                return None;
            }
            user &= entry;
            let frame = entry & 0x000f_ffff_ffff_f000;
            if shift == 12 || entry & HUGE != 0 {
                let offset = addr & ((1 << shift) - 1);
                return Some((frame + offset, entry & !USER | user));
            }
            table = frame;
        }
        None
    }

    fn built(mode: Mode) -> (GuestRam, Tables) {
        let ram = GuestRam::new(RAM, RAM).unwrap();
        let segment = |page: u64, writable, executable| Segment {
            addr: IMAGE_BASE + KERNEL_IMAGE + page * PAGE_SIZE,
            len: PAGE_SIZE,
            data: &[0x90; 16],
            writable,
            executable,
        };
        let segments = vec![
            segment(0, false, false),
            segment(1, false, true),
            segment(2, true, false),
        ];
        let entry = segments[1].addr;
        let image = KernelImage::new(entry, segments, Vec::new()).unwrap();
        let tables = build(&ram, &image, mode).unwrap();
        (ram, tables)
    }

    #[test]
    fn ring_0_tables_are_closed_and_the_rest_open_in_deprivileged_mode() {
        let (ram, tables) = built(Mode::Deprivileged);
        for page in [GDT, TSS, IDT] {
            let (at, flags) = walk(&ram, tables.pml4, IMAGE_BASE + page).unwrap();
            assert_eq!((at, flags & USER), (page, 0));
        }
        for page in [
            BOOT_INFO,
            CONTROL_PAGE,
            40 << 20,
            IMAGE_MAP_BYTES - PAGE_SIZE,
        ] {
            let (at, flags) = walk(&ram, tables.pml4, IMAGE_BASE + page).unwrap();
            assert_eq!((at, flags & USER), (page, USER));
            assert_ne!(flags & NO_EXECUTE, 0);
        }
    }

    #[test]
    fn nothing_is_open_to_ring_3_in_privileged_mode() {
        let (ram, tables) = built(Mode::Privileged);
        for addr in [
            IMAGE_BASE + GDT,
            IMAGE_BASE + KERNEL_IMAGE,
            DIRECT_MAP,
            DIRECT_MAP + (100 << 20),
        ] {
            assert_eq!(walk(&ram, tables.pml4, addr).unwrap().1 & USER, 0);
        }
    }

    #[test]
    fn the_image_has_its_segments_rights() {
        let (ram, tables) = built(Mode::Deprivileged);
        let rights = |page: u64| {
            let addr = IMAGE_BASE + KERNEL_IMAGE + page * PAGE_SIZE;
            walk(&ram, tables.pml4, addr).unwrap().1 & (WRITABLE | NO_EXECUTE)
        };
        assert_eq!(rights(0), NO_EXECUTE);
        assert_eq!(rights(1), 0);
        assert_eq!(rights(2), WRITABLE | NO_EXECUTE);
    }

    #[test]
    fn the_direct_map_ends_where_ram_ends() {
        let (ram, tables) = built(Mode::Deprivileged);
        let last = RAM - 8;
        let (at, flags) = walk(&ram, tables.pml4, DIRECT_MAP + last).unwrap();
        assert_eq!(at, last);
        assert_ne!(flags & NO_EXECUTE, 0);
        assert!(walk(&ram, tables.pml4, DIRECT_MAP + RAM).is_none());
        assert!(walk(&ram, tables.pml4, IMAGE_BASE + IMAGE_MAP_BYTES).is_none());
    }
}
