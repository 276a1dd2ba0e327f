//! Requests of the VMM: bytes of some kind come in by the mailbox, bytes or the reason for a refusal go back.
//!
//! A request is taken where the VMM's interrupt is ([`crate::trap::take_host_events`]): between two instructions of the workload, or while
//! nothing runs. It must not block: the interrupted task would be held up for it. To add a kind: a constant in `vitrine_abi::shared`, a line in [`serve`].

use crate::{mm::host, trace};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::sync::atomic::Ordering;
use spin::Once;
use vitrine_abi::{
    boot::Region,
    shared::{
        REQUEST_COUNTS, REQUEST_DONE, REQUEST_ECHO, REQUEST_FAILED, REQUEST_FILTER, REQUEST_RESUME,
        REQUEST_TAKEN, REQUEST_WAITS,
    },
};

/// Where the VMM leaves what its requests carry, and takes answers from.
static MAILBOX: Once<host::SharedRegion> = Once::new();

/// What comes of a request: the answer's bytes, or why nothing was done.
type Answer = Result<Vec<u8>, String>;

/// Takes the mailbox into use.
pub fn init(region: Region, ram_bytes: u64) {
    if let Some(memory) = host::SharedRegion::new(region, ram_bytes) {
        MAILBOX.call_once(|| memory);
    }
}

/// Does what is asked for, by kind.
fn serve(kind: u32, bytes: Vec<u8>) -> Answer {
    match kind {
        REQUEST_FILTER => trace::replace_filter(&bytes)
            .map(|()| Vec::new())
            .map_err(|why| why.to_string()),
        REQUEST_ECHO => Ok(bytes),
        REQUEST_COUNTS => trace::rule_counts(),
        REQUEST_RESUME => match trace::resume(&bytes) {
            true => Ok(Vec::new()),
            false => Err("no thread is parked by this stop".to_string()),
        },
        kind => Err(alloc::format!("there is no request of kind {kind}")),
    }
}

/// A request may wait: takes it, does what it asks for, and answers.
pub fn take() {
    let control = host::control();
    let taken = control.request_status.compare_exchange(
        REQUEST_WAITS,
        REQUEST_TAKEN,
        Ordering::SeqCst,
        Ordering::SeqCst,
    );
    let (Ok(_), Some(mailbox)) = (taken, MAILBOX.get()) else {
        return;
    };
    let kind = control.request_kind.load(Ordering::SeqCst);
    let answer = received(mailbox, control.request_len.load(Ordering::SeqCst))
        .and_then(|bytes| serve(kind, bytes))
        .and_then(|answer| {
            if answer.len() <= mailbox.len() {
                return Ok(answer);
            }
            Err(alloc::format!(
                "the answer of {} bytes doesn't fit into the mailbox of {}",
                answer.len(),
                mailbox.len()
            ))
        });
    let (status, bytes) = match &answer {
        Ok(bytes) => (REQUEST_DONE, bytes.as_slice()),
        Err(why) => (REQUEST_FAILED, why.as_bytes()),
    };
    mailbox.write(0, bytes);
    control
        .answer_len
        .store(bytes.len() as u64, Ordering::SeqCst);
    control.request_status.store(status, Ordering::SeqCst);
}

fn received(mailbox: &host::SharedRegion, len: u64) -> Answer {
    let len = usize::try_from(len)
        .ok()
        .filter(|&len| len <= mailbox.len())
        .ok_or_else(|| alloc::format!("{len} bytes don't fit into the mailbox"))?;
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(len)
        .map_err(|_| "the guest kernel has no memory for the request".to_string())?;
    bytes.resize(len, 0);
    mailbox.read(0, &mut bytes);
    Ok(bytes)
}
