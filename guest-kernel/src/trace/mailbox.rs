//! Where filters come from: the boot information, and later the VMM's requests.

use super::filter;
use crate::mm::host;
use core::sync::atomic::Ordering;
use spin::Once;
use vitrine_abi::{
    boot::{BootInfo, Region},
    shared::{REQUEST_DONE, REQUEST_FAILED, REQUEST_FILTER, REQUEST_WAITS},
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
        kind => {
            crate::error!("the VMM made a request of the unknown kind {kind}");
            REQUEST_FAILED
        }
    };
    control.request_status.store(status, Ordering::SeqCst);
}

fn replace_filter(len: u64) -> u32 {
    let blob = MAILBOX.get().and_then(|memory| {
        let len = usize::try_from(len)
            .ok()
            .filter(|&len| len <= memory.len())?;
        let mut blob = alloc::vec::Vec::new();
        blob.try_reserve_exact(len).ok()?;
        blob.resize(len, 0);
        memory.read(0, &mut blob);
        Some(blob)
    });
    let Some(blob) = blob else {
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
