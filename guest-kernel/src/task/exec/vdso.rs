//! The vDSO: its image (built from `guest-kernel/vdso`) and the page of clock parameters, mapped into every program.

use crate::{
    Errno,
    mm::{
        MemoryObject,
        frame::Frame,
        space::{AddressSpace, Backing, MapRequest, Prot},
    },
    sync::Mutex,
    time::clock,
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use vitrine_abi::{layout::PAGE_SIZE, vdso::VdsoData};

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vdso.so"));

/// The two pages, shared by all programs.
struct Pages {
    data: Arc<Page>,
    text: Arc<Page>,
}

static PAGES: Mutex<Option<Pages>> = Mutex::new(None);

/// One page that is mapped as it is.
struct Page(Frame);

impl MemoryObject for Page {
    fn page(&self, index: u64, _write: bool) -> Result<Frame, Errno> {
        if index == 0 {
            Ok(self.0.clone())
        } else {
            Err(Errno::ENXIO)
        }
    }

    fn pages(&self, start: u64, count: u64, _fill: bool, each: &mut dyn FnMut(u64, Frame)) {
        if start == 0 && count > 0 {
            each(0, self.0.clone());
        }
    }
}

fn pages() -> Result<(Arc<Page>, Arc<Page>), Errno> {
    let mut pages = PAGES.lock();
    let pages = match &mut *pages {
        Some(pages) => pages,
        empty => {
            let text = Frame::zeroed()?;
            text.write(0, IMAGE);
            let data = Frame::zeroed()?;
            empty.insert(Pages {
                data: Arc::new(Page(data)),
                text: Arc::new(Page(text)),
            })
        }
    };
    Ok((pages.data.clone(), pages.text.clone()))
}

/// Whether programs may read the clocks without a system call.
static ENABLED: AtomicBool = AtomicBool::new(true);

/// Tells all programs the clock's parameters, or that they have to ask the kernel. There is one vCPU, so no program reads in the middle of it; one that was interrupted
/// while it read sees `seq` change.
pub fn publish() {
    let data = if ENABLED.load(Ordering::Relaxed) {
        clock::vdso_data()
    } else {
        VdsoData::default()
    };
    if let Ok((page, _)) = pages() {
        page.0.write(0, &data.to_bytes());
    }
}

/// Lets the vDSO answer itself, or makes it ask the kernel, so that rules see all calls.
pub fn set_enabled(enabled: bool) {
    if ENABLED.swap(enabled, Ordering::Relaxed) != enabled {
        publish();
    }
}

/// Maps both pages; the address of the image (AT_SYSINFO_EHDR).
pub fn map(space: &AddressSpace) -> Result<u64, Errno> {
    let (data, text) = pages()?;
    let start = super::elf::reserve(space, 2 * PAGE_SIZE, PAGE_SIZE)?;
    let request = |addr, prot, page: Arc<Page>, name| MapRequest {
        addr,
        len: PAGE_SIZE,
        prot,
        shared: false,
        fixed: true,
        no_replace: false,
        populate: true,
        grows_down: false,
        backing: Backing::Object(page, 0),
        name: Some(name),
        max_prot: prot,
    };
    space.map(&request(start, Prot::READ, data, "[vvar]"))?;
    let text_at = start + PAGE_SIZE;
    space.map(&request(text_at, Prot::READ | Prot::EXEC, text, "[vdso]"))?;
    Ok(text_at)
}
