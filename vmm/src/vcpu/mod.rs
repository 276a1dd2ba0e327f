//! The run loop: enters the guest, turns each exit into an action, delivers the interrupt, and sleeps while the guest is idle.

pub mod exit;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use vitrine_abi::layout::INTERRUPT_VECTOR;
use vitrine_abi::shared::PENDING_TIMER;

use crate::bell::{Bell, End};
use crate::events::Ticker;
use crate::host::Host;
use crate::host::service::Doorbells;
use crate::kvm::{GuestRam, KvmError, Registers, Vcpu};
use crate::ring::RingReader;
use exit::{Action, Context, Failure, decide};

/// Why a run ended that shouldn't have.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// KVM.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// The guest kernel panicked.
    #[error(
        "running the guest: its kernel panicked: {text}; please report this with the command that caused it ({registers})"
    )]
    Panic {
        /// What the kernel says.
        text: String,
        /// The vCPU's registers.
        registers: Box<Registers>,
    },
    /// The vCPU can't go on.
    #[error(
        "running the guest: {failure}; please report this with the command that caused it ({registers})"
    )]
    Guest {
        /// What happened.
        failure: Failure,
        /// The vCPU's registers.
        registers: Box<Registers>,
    },
}

/// Everything that the run loop works with.
pub struct RunLoop {
    /// The vCPU, already set up.
    pub vcpu: Vcpu,
    /// Guest RAM.
    pub ram: Arc<GuestRam>,
    /// What distinguishes doorbells from the program's port accesses.
    pub context: Context,
    /// The host's services.
    pub host: Arc<Host>,
    /// Starts the service thread when calls come often, if there is one.
    pub doorbells: Option<Doorbells>,
    /// Wakes and ends this loop.
    pub bell: Arc<Bell>,
    /// Looks at deadlines while the guest runs.
    pub ticker: Ticker,
    /// The event ring's reader, when there is one.
    pub ring: Option<Arc<RingReader>>,
}

impl RunLoop {
    /// Runs the guest to its end.
    pub fn run(mut self) -> Result<End, RunError> {
        self.vcpu.bind_to_this_thread();
        self.ticker.guest_runs();
        let result = self.run_guest();
        // From here on nobody has to look after the guest.
        self.bell.set_idle(true);
        result
    }

    fn run_guest(&mut self) -> Result<End, RunError> {
        let mut debug_line = Vec::new();
        loop {
            if let Some(end) = self.bell.end() {
                return Ok(end);
            }
            let exit = self.vcpu.run()?;
            match decide(exit, &self.context) {
                Action::Resume => {}
                Action::HostCall => {
                    self.host.try_serve();
                    if let Some(doorbells) = &self.doorbells {
                        doorbells.rang();
                    }
                }
                Action::Idle => self.idle(),
                Action::RingFull => self.wait_for_ring(),
                Action::Deliver => self.deliver()?,
                Action::RefusePortAccess(port) => self.vcpu.refuse_port_access(port)?,
                Action::Debug(byte) => debug_output(&mut debug_line, byte),
                Action::Panic => {
                    return Err(RunError::Panic {
                        text: self.panic_text(),
                        registers: Box::new(self.vcpu.registers()),
                    });
                }
                Action::Fail(failure) => {
                    return Err(RunError::Guest {
                        failure,
                        registers: Box::new(self.vcpu.registers()),
                    });
                }
            }
        }
    }

    /// Injects the interrupt if something is pending and the last one has been acknowledged.
    fn deliver(&mut self) -> Result<(), RunError> {
        let control = self.ram.control();
        let due =
            self.bell.pending() != 0 && control.interrupt_outstanding.load(Ordering::SeqCst) == 0;
        if !due {
            self.vcpu.request_interrupt_window(false);
            return Ok(());
        }
        if self.vcpu.ready_for_interrupt() {
            control.interrupt_outstanding.store(1, Ordering::SeqCst);
            if self.vcpu.interrupt(INTERRUPT_VECTOR)? {
                self.vcpu.request_interrupt_window(false);
                return Ok(());
            }
            control.interrupt_outstanding.store(0, Ordering::SeqCst);
        }
        self.vcpu.request_interrupt_window(true);
        Ok(())
    }

    /// Blocks until something is pending, the timer is due, or the run ends.
    fn idle(&mut self) {
        let control = self.ram.control();
        self.bell.set_idle(true);
        control.idle.store(1, Ordering::SeqCst);
        while !self.bell.has_news() {
            let deadline = control.timer_deadline_tsc.load(Ordering::SeqCst);
            if deadline == u64::MAX {
                std::thread::park();
                continue;
            }
            let ticks = deadline.saturating_sub(self.vcpu.guest_tsc());
            if ticks == 0 {
                self.ticker.deadline_told(deadline);
                control.pending.fetch_or(PENDING_TIMER, Ordering::SeqCst);
                break;
            }
            std::thread::park_timeout(self.ticker.duration(ticks));
        }
        control.idle.store(0, Ordering::SeqCst);
        self.bell.set_idle(false);
        // The guest looks at what is pending by itself when the doorbell returns.
        self.vcpu.request_interrupt_window(false);
        self.ticker.guest_runs();
        if let Some(ring) = &self.ring {
            ring.guest_runs();
        }
    }

    /// Blocks until the ring's reader has made room.
    fn wait_for_ring(&mut self) {
        let Some(ring) = &self.ring else { return };
        while !ring.wait_for_room(Duration::from_millis(50)) {
            if self.bell.end().is_some() {
                return;
            }
        }
    }

    fn panic_text(&self) -> String {
        let control = self.ram.control();
        let len = control.panic_len.load(Ordering::SeqCst) as usize;
        let bytes: Vec<u8> = control
            .panic_text
            .iter()
            .take(len)
            .map(|byte| byte.load(Ordering::Relaxed))
            .collect();
        crate::log::printable(&bytes)
    }
}

fn debug_output(line: &mut Vec<u8>, byte: u8) {
    if byte != b'\n' {
        line.push(byte);
    }
    if byte == b'\n' || line.len() >= 512 {
        tracing::debug!(target: "guest", "{}", crate::log::printable(line));
        line.clear();
    }
}
