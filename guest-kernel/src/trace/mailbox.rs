//! Where filters come from: the boot information, and later the VMM's requests.

use super::{filter, stops};
use crate::mm::host;
use core::sync::atomic::Ordering;
use spin::Once;
use vitrine_abi::{
    boot::{BootInfo, Region},
    shared::{REQUEST_DONE, REQUEST_FAILED, REQUEST_FILTER, REQUEST_RESUME, REQUEST_WAITS},
};

/// Where the VMM leaves what its requests carry.
static MAILBOX: Once<host::SharedRegion> = Once::new();

/// Puts the filter that the VMM left in guest memory before boot in force. One that is wrong is a bug of the VMM's: everything is
/// recorded then rather than nothing.
pub(super) fn boot_filter(boot: &BootInfo) {
    if let Err(why) = filter::install(host::boot_bytes(boot.filter)) {
        crate::error!("{why}; everything is recorded instead");
        super::arm_all(true);
    }
}

/// Takes the mailbox into use.
pub(super) fn init(region: Region, ram_bytes: u64) {
    if let Some(memory) = host::SharedRegion::new(region, ram_bytes) {
        MAILBOX.call_once(|| memory);
    }
}

/// A request waits: does what it asks for and says so in the control page.
pub fn take_request() {
    let control = host::control();
    if control.request_status.load(Ordering::SeqCst) != REQUEST_WAITS {
        return;
    }
    let status = match control.request_kind.load(Ordering::SeqCst) {
        REQUEST_FILTER => replace_filter(control.request_len.load(Ordering::SeqCst)),
        REQUEST_RESUME => resume(control.request_len.load(Ordering::SeqCst)),
        kind => {
            crate::error!("the VMM made a request of the unknown kind {kind}");
            REQUEST_FAILED
        }
    };
    control.request_status.store(status, Ordering::SeqCst);
}

/// The first `len` bytes in the mailbox, if there are so many, and memory for them.
fn contents(len: u64) -> Option<alloc::vec::Vec<u8>> {
    let memory = MAILBOX.get()?;
    let len = usize::try_from(len)
        .ok()
        .filter(|&len| len <= memory.len())?;
    let mut bytes = alloc::vec::Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    bytes.resize(len, 0);
    memory.read(0, &mut bytes);
    Some(bytes)
}

/// Whoever asks may be too late: a stop that has ended is no error.
fn resume(len: u64) -> u32 {
    match contents(len) {
        Some(bytes) if stops::decide(&bytes) => REQUEST_DONE,
        _ => REQUEST_FAILED,
    }
}

fn replace_filter(len: u64) -> u32 {
    let Some(blob) = contents(len) else {
        crate::error!("a filter of {len} bytes doesn't fit into the mailbox; the one before stays");
        return REQUEST_FAILED;
    };
    match filter::install(&blob) {
        Ok(()) => REQUEST_DONE,
        Err(why) => {
            crate::error!("{why}; the filter before stays");
            REQUEST_FAILED
        }
    }
}
