//! The event thread: signals, readiness of standard input, and, only while the guest runs, the ticker that looks at its timer's deadline.
//!
//! It sleeps in one poll(2). [`Ticker`] is the run loop's handle on it, [`InputArm`] the console's.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use vitrine_abi::shared::{PENDING_CONSOLE_INPUT, PENDING_SIGNAL, PENDING_TIMER, PENDING_WINSIZE};

use crate::bell::{Bell, End};
use crate::kvm::{GuestRam, host_tsc};
use crate::tty;

/// How often the ticker looks while a timer is set.
const TICK: Duration = Duration::from_millis(1);
/// How often it looks while none is: a timer may be set without telling us.
const SLOW_TICK: Duration = Duration::from_millis(4);
/// Ticks that must find the guest idle before the ticker stops: short naps don't cost a wake-up then.
const IDLE_TICKS: u32 = 3;
/// A deadline that still stands this long after the guest was told is told again.
const FORGOTTEN: Duration = Duration::from_millis(20);
/// A second request to end within this time, or a kernel that hasn't taken the first one for as long, ends the guest at once.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a background job that waits for input looks whether it has come to the foreground: nothing tells it.
const BACKGROUND_TICK: Duration = Duration::from_millis(200);

/// Why the event thread could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("setting up the event thread: {0}")]
pub struct EventError(#[from] std::io::Error);

/// What the thread and its handles share.
struct Shared {
    wake: OwnedFd,
    sleeping: AtomicBool,
    input_armed: AtomicBool,
    /// The deadline that `PENDING_TIMER` was last raised for: it is raised once each.
    told_deadline: AtomicU64,
    tsc_khz: u64,
    tsc_offset: u64,
}

impl Shared {
    fn wake(&self) {
        // A full counter is as good a wake-up as any.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    fn duration(&self, ticks: u64) -> Duration {
        let nanos = u128::from(ticks) * 1_000_000 / u128::from(self.tsc_khz.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The run loop's handle.
#[derive(Clone)]
pub struct Ticker(Arc<Shared>);

impl Ticker {
    /// The guest is about to run: its deadline needs looking at from now on.
    pub fn guest_runs(&self) {
        if self.0.sleeping.swap(false, Ordering::SeqCst) {
            self.0.wake();
        }
    }

    /// The guest is being told of this deadline by the run loop.
    pub fn deadline_told(&self, deadline: u64) {
        self.0.told_deadline.store(deadline, Ordering::SeqCst);
    }

    /// TSC ticks as time.
    pub fn duration(&self, ticks: u64) -> Duration {
        self.0.duration(ticks)
    }
}

/// The console's handle.
#[derive(Clone)]
pub struct InputArm(Arc<Shared>);

impl InputArm {
    /// `PENDING_CONSOLE_INPUT` is wanted, once, when standard input has data or ends.
    pub fn arm(&self) {
        if !self.0.input_armed.swap(true, Ordering::SeqCst) {
            self.0.wake();
        }
    }
}

/// The event thread, not yet running.
pub struct Events {
    shared: Arc<Shared>,
    signals: SignalFd,
}

/// The signals that the event thread takes; everybody else has them blocked.
fn signals() -> SigSet {
    [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGWINCH,
        Signal::SIGCONT,
    ]
    .into_iter()
    .collect()
}

impl Events {
    /// Blocks the signals in the calling thread, which must be the only one so far.
    pub fn new(tsc_khz: u64, tsc_offset: u64) -> Result<Events, EventError> {
        let signals = signals();
        signals.thread_block().map_err(std::io::Error::from)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&signals, flags).map_err(std::io::Error::from)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(std::io::Error::from)?;
        let shared = Arc::new(Shared {
            wake,
            sleeping: AtomicBool::new(false),
            input_armed: AtomicBool::new(false),
            told_deadline: AtomicU64::new(u64::MAX),
            tsc_khz,
            tsc_offset,
        });
        Ok(Events { shared, signals })
    }

    /// The run loop's handle.
    pub fn ticker(&self) -> Ticker {
        Ticker(Arc::clone(&self.shared))
    }

    /// The console's handle.
    pub fn input_arm(&self) -> InputArm {
        InputArm(Arc::clone(&self.shared))
    }

    /// The thread's body: never returns; the process's end ends it.
    pub fn run(self, ram: &GuestRam, bell: &Bell) -> ! {
        let mut idle_ticks = 0;
        let mut pending = 0;
        let mut asked_to_end: Option<Instant> = None;
        let mut was_background = false;
        loop {
            let mut timeout = self.timeout(ram, bell, &mut idle_ticks, asked_to_end);
            let wanted = self.shared.input_armed.load(Ordering::SeqCst);
            let background = wanted && tty::in_background();
            if background {
                timeout = Some(timeout.map_or(BACKGROUND_TICK, |time| time.min(BACKGROUND_TICK)));
            } else if wanted && was_background {
                tty::enter_raw_mode();
                Self::resize(ram, bell);
            }
            was_background = background || was_background && !wanted;
            let armed = wanted && !background;
            let stdin = rustix::stdio::stdin();
            let mut fds = [
                PollFd::new(&self.shared.wake, PollFlags::IN),
                PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(stdin, PollFlags::IN),
            ];
            let count = if armed { 3 } else { 2 };
            let timeout = timeout.map(|timeout| Timespec {
                tv_sec: timeout.as_secs().cast_signed(),
                tv_nsec: timeout.subsec_nanos().into(),
            });
            let _ = poll(&mut fds[..count], timeout.as_ref());
            let ready = fds.map(|fd| !fd.revents().is_empty());
            self.shared.sleeping.store(false, Ordering::SeqCst);
            if ready[0] {
                let _ = rustix::io::read(&self.shared.wake, &mut [0u8; 8]);
            }
            if ready[1] {
                self.take_signals(ram, bell, &mut asked_to_end);
            }
            if armed && ready[2] {
                self.shared.input_armed.store(false, Ordering::SeqCst);
                bell.raise(PENDING_CONSOLE_INPUT);
            }
            if let Some(since) = asked_to_end
                && bell.pending() & PENDING_SIGNAL != 0
                && since.elapsed() >= PATIENCE
            {
                bell.finish(End::Killed(ram.control().signal.load(Ordering::SeqCst)));
            }
            pending = if bell.is_idle() {
                0
            } else {
                self.tick(ram, bell, pending)
            };
        }
    }

    /// How long to sleep. `None`: until something happens, because the guest has been idle for a while.
    fn timeout(
        &self,
        ram: &GuestRam,
        bell: &Bell,
        idle_ticks: &mut u32,
        asked_to_end: Option<Instant>,
    ) -> Option<Duration> {
        if bell.is_idle() {
            *idle_ticks += 1;
            if *idle_ticks > IDLE_TICKS && asked_to_end.is_none() {
                self.shared.sleeping.store(true, Ordering::SeqCst);
                if bell.is_idle() {
                    return None;
                }
            }
            return Some(SLOW_TICK);
        }
        *idle_ticks = 0;
        let deadline = ram.control().timer_deadline_tsc.load(Ordering::SeqCst);
        if deadline == u64::MAX {
            return Some(SLOW_TICK);
        }
        if self.shared.told_deadline.load(Ordering::SeqCst) == deadline {
            return Some(TICK);
        }
        let left = deadline.saturating_sub(self.guest_tsc());
        Some(self.shared.duration(left).clamp(TICK / 10, TICK))
    }

    /// While the guest runs: is its timer due, or has a kick been in vain? Returns what is pending.
    fn tick(&self, ram: &GuestRam, bell: &Bell, pending_before: u64) -> u64 {
        let control = ram.control();
        let deadline = control.timer_deadline_tsc.load(Ordering::SeqCst);
        let late = self.guest_tsc().checked_sub(deadline);
        let told = self.shared.told_deadline.load(Ordering::SeqCst) == deadline;
        let forgotten = |late: u64| self.shared.duration(late) > FORGOTTEN;
        let due = late.is_some_and(|late| !told || forgotten(late));
        if due {
            self.shared.told_deadline.store(deadline, Ordering::SeqCst);
            control.pending.fetch_or(PENDING_TIMER, Ordering::SeqCst);
        }
        let pending = bell.pending();
        let unheard = pending & pending_before != 0;
        if (due || unheard) && control.interrupt_outstanding.load(Ordering::SeqCst) == 0 {
            bell.ring();
        }
        pending
    }

    fn guest_tsc(&self) -> u64 {
        host_tsc().wrapping_add(self.shared.tsc_offset)
    }

    fn take_signals(&self, ram: &GuestRam, bell: &Bell, asked_to_end: &mut Option<Instant>) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            let Ok(number) = i32::try_from(info.ssi_signo) else {
                continue;
            };
            match Signal::try_from(number) {
                Ok(Signal::SIGWINCH) => Self::resize(ram, bell),
                Ok(Signal::SIGCONT) => {
                    tty::enter_raw_mode();
                    Self::resize(ram, bell);
                }
                _ => {
                    let again = asked_to_end.is_some_and(|since| since.elapsed() < PATIENCE);
                    if again {
                        bell.finish(End::Killed(number));
                    } else {
                        *asked_to_end = Some(Instant::now());
                        ram.control().signal.store(number, Ordering::SeqCst);
                        bell.raise(PENDING_SIGNAL);
                    }
                }
            }
        }
    }

    fn resize(ram: &GuestRam, bell: &Bell) {
        if let Some(winsize) = tty::window_size() {
            let word = crate::boot::winsize_word(winsize);
            ram.control().winsize.store(word, Ordering::SeqCst);
            bell.raise(PENDING_WINSIZE);
        }
    }
}
