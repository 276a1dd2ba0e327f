//! Requests to the guest kernel: bytes of some kind go into the mailbox, an answer or a refusal comes back, within a deadline.
//!
//! The other side is `guest-kernel/src/request.rs`, the states are in `vitrine_abi::shared`. The guest is interrupted when it computes and woken when
//! it is idle. What it answers is copied out before anybody looks at it, and is never believed: callers check it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vitrine_abi::boot::Region;
use vitrine_abi::shared::{
    PENDING_REQUEST, REQUEST_DONE, REQUEST_FAILED, REQUEST_NONE, REQUEST_TAKEN, REQUEST_WAITS,
};

use crate::bell::Bell;
use crate::kvm::GuestRam;

/// How long a request may take unless the caller knows better.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Longest text of a refusal.
const MAX_REASON: usize = 4096;
/// How often the answer is looked for, at first and later.
const LOOK: [Duration; 2] = [Duration::from_micros(20), Duration::from_micros(500)];
/// How long it is looked for often.
const SOON: Duration = Duration::from_millis(3);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It doesn't fit.
    #[error("a request of {len} bytes doesn't fit into the mailbox of {room}")]
    TooLarge {
        /// Its length.
        len: usize,
        /// The mailbox's.
        room: u64,
    },
    /// Nobody took it.
    #[error(
        "the guest kernel hasn't taken the request within {0:?}: it is stuck, or waits for the reader of its trace; nothing has changed"
    )]
    Untaken(Duration),
    /// It is still at it, or at one before.
    #[error("the guest kernel took a request and hasn't answered within {0:?}: it is stuck")]
    Stuck(Duration),
    /// It says no.
    #[error("the guest kernel refused: {0}")]
    Refused(String),
    /// The answer makes no sense.
    #[error("the guest kernel's answer makes no sense: {0}")]
    Nonsense(&'static str),
    /// There is no guest any more.
    #[error("the sandbox has ended")]
    Ended,
}

/// The way to the guest kernel. One request at a time: others wait for it.
pub struct Requests {
    ram: Arc<GuestRam>,
    bell: Arc<Bell>,
    mailbox: Region,
    one: Mutex<()>,
}

impl Requests {
    /// For the guest with its mailbox at `mailbox`.
    pub fn new(ram: Arc<GuestRam>, bell: Arc<Bell>, mailbox: Region) -> Requests {
        Requests {
            ram,
            bell,
            mailbox,
            one: Mutex::new(()),
        }
    }

    /// Asks the guest kernel for something of `kind` (`REQUEST_*`) and returns its answer.
    pub fn ask(&self, kind: u32, bytes: &[u8], limit: Duration) -> Result<Vec<u8>, RequestError> {
        let _one = self
            .one
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let control = self.ram.control();
        if control.request_status.load(Ordering::SeqCst) == REQUEST_TAKEN {
            return Err(RequestError::Stuck(limit));
        }
        let too_large = RequestError::TooLarge {
            len: bytes.len(),
            room: self.mailbox.len,
        };
        if bytes.len() as u64 > self.mailbox.len
            || self.ram.write(self.mailbox.addr, bytes).is_err()
        {
            return Err(too_large);
        }
        control
            .request_len
            .store(bytes.len() as u64, Ordering::SeqCst);
        control.request_kind.store(kind, Ordering::SeqCst);
        control
            .request_status
            .store(REQUEST_WAITS, Ordering::SeqCst);
        self.bell.raise(PENDING_REQUEST);
        let start = Instant::now();
        loop {
            match control.request_status.load(Ordering::SeqCst) {
                REQUEST_DONE => return self.answer(self.mailbox.len),
                REQUEST_FAILED => {
                    let reason = self.answer(MAX_REASON as u64)?;
                    return Err(RequestError::Refused(crate::log::printable(&reason)));
                }
                REQUEST_WAITS | REQUEST_TAKEN => {}
                _ => return Err(RequestError::Nonsense("its state is unknown")),
            }
            let waited = start.elapsed();
            if self.bell.end().is_some() {
                return Err(RequestError::Ended);
            }
            if waited >= limit {
                return match control.request_status.compare_exchange(
                    REQUEST_WAITS,
                    REQUEST_NONE,
                    Ordering::SeqCst,
                    Ordering::SeqCst,
                ) {
                    Ok(_) => Err(RequestError::Untaken(limit)),
                    // It came at the last moment.
                    Err(REQUEST_DONE | REQUEST_FAILED) => continue,
                    Err(_) => Err(RequestError::Stuck(limit)),
                };
            }
            std::thread::sleep(LOOK[usize::from(waited > SOON)]);
        }
    }

    fn answer(&self, most: u64) -> Result<Vec<u8>, RequestError> {
        let len = self.ram.control().answer_len.load(Ordering::SeqCst);
        if len > most.min(self.mailbox.len) {
            return Err(RequestError::Nonsense("it is longer than the mailbox"));
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        self.ram
            .read(self.mailbox.addr, &mut bytes)
            .map_err(|_| RequestError::Nonsense("it lies outside of memory"))?;
        Ok(bytes)
    }
}
