//! Gets the guest's attention from any thread: sets `pending` bits in the control page, then wakes or kicks the vCPU's thread. Also
//! carries the end of the run to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use crate::kvm::{GuestRam, Kicker};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The workload ended by itself, with this wait(2) status.
    Exited(u32),
    /// The VMM was told to end it, by this signal.
    Killed(i32),
}

/// The bell of one VM. Made on the thread that runs the vCPU.
pub struct Bell {
    ram: Arc<GuestRam>,
    thread: Thread,
    kicker: Kicker,
    idle: AtomicBool,
    end: OnceLock<End>,
}

impl Bell {
    /// For the calling thread, which will run the vCPU.
    pub fn new(ram: Arc<GuestRam>) -> std::io::Result<Bell> {
        Ok(Bell {
            ram,
            thread: std::thread::current(),
            kicker: Kicker::for_this_thread()?,
            idle: AtomicBool::new(false),
            end: OnceLock::new(),
        })
    }

    /// Sets `PENDING_*` bits and makes sure that the guest sees them soon.
    pub fn raise(&self, bits: u64) {
        self.ram.control().pending.fetch_or(bits, Ordering::SeqCst);
        self.ring();
    }

    /// Ends the run. The first end counts.
    pub fn finish(&self, end: End) {
        let _ = self.end.set(end);
        self.ring();
    }

    /// How the run ended, if it has.
    pub fn end(&self) -> Option<End> {
        self.end.get().copied()
    }

    /// Wakes an idle vCPU thread, or gets a running one out of the guest.
    pub fn ring(&self) {
        if self.idle.load(Ordering::SeqCst) {
            self.thread.unpark();
        } else if std::thread::current().id() != self.thread.id() {
            self.kicker.kick();
        }
    }

    /// Whether the vCPU waits for something to do.
    pub fn is_idle(&self) -> bool {
        self.idle.load(Ordering::SeqCst)
    }

    /// Declares the vCPU's thread idle or not. After declaring it idle that thread must look once more at what it waits for: what
    /// was raised before was told by a kick.
    pub(crate) fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::SeqCst);
    }

    /// Whether anything is pending for the guest, or the run has ended.
    pub fn has_news(&self) -> bool {
        self.end.get().is_some() || self.pending() != 0
    }

    /// The bits that the guest has not taken yet.
    pub fn pending(&self) -> u64 {
        self.ram.control().pending.load(Ordering::SeqCst)
    }
}
