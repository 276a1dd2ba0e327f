//! Requests to the guest kernel: bytes in the mailbox, a kind and a status in the control page, an interrupt.
//!
//! One at a time. The status is hostile as all that the guest writes: at worst a request counts as done that wasn't.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use vitrine_abi::boot::Region;
use vitrine_abi::shared::{PENDING_REQUEST, REQUEST_DONE, REQUEST_WAITS};

use crate::bell::Bell;
use crate::kvm::GuestRam;

/// How long the guest kernel may take: it answers between two calls of the workload.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long its status is left alone between two looks, at first and at most.
const NAPS: [Duration; 2] = [Duration::from_micros(20), Duration::from_millis(2)];

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// More than fits.
    #[error("{0} bytes are too many for the guest kernel's mailbox")]
    TooLong(usize),
    /// No answer.
    #[error("the guest kernel doesn't answer")]
    NoAnswer,
    /// The run is over.
    #[error("the sandbox has ended")]
    Ended,
}

/// The mailbox of one VM.
pub struct Mailbox {
    ram: Arc<GuestRam>,
    bell: Arc<Bell>,
    region: Region,
    turn: Mutex<()>,
}

impl Mailbox {
    /// At `region`, as the VMM laid it out.
    pub fn new(ram: Arc<GuestRam>, bell: Arc<Bell>, region: Region) -> Mailbox {
        Mailbox {
            ram,
            bell,
            region,
            turn: Mutex::default(),
        }
    }

    /// Makes a request and waits for its end: whether the guest did what was asked.
    pub fn request(&self, kind: u32, data: &[u8]) -> Result<bool, RequestError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let control = self.ram.control();
        // One that nobody answered in time may still be taken up: its bytes stay as they are until then.
        self.wait()?;
        if data.len() as u64 > self.region.len {
            return Err(RequestError::TooLong(data.len()));
        }
        self.ram
            .write(self.region.addr, data)
            .map_err(|_| RequestError::TooLong(data.len()))?;
        control.request_kind.store(kind, Ordering::SeqCst);
        control
            .request_len
            .store(data.len() as u64, Ordering::SeqCst);
        control
            .request_status
            .store(REQUEST_WAITS, Ordering::SeqCst);
        self.bell.raise(PENDING_REQUEST);
        Ok(self.wait()? == REQUEST_DONE)
    }

    /// Waits until no request waits.
    fn wait(&self) -> Result<u32, RequestError> {
        let status = &self.ram.control().request_status;
        let start = Instant::now();
        let mut nap = NAPS[0];
        loop {
            match status.load(Ordering::SeqCst) {
                REQUEST_WAITS => {}
                other => return Ok(other),
            }
            if self.bell.end().is_some() {
                return Err(RequestError::Ended);
            }
            if start.elapsed() > PATIENCE {
                return Err(RequestError::NoAnswer);
            }
            std::thread::sleep(nap);
            nap = (nap * 2).min(NAPS[1]);
        }
    }
}
