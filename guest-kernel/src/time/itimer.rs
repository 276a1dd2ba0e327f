//! Interval timers: ITIMER_REAL (alarm(2)), ITIMER_VIRTUAL, ITIMER_PROF (setitimer(2)).

use super::{
    clock_id::CpuKind,
    cpu_timer, monotonic_ns,
    timer::{self, TimerId},
};
use crate::{
    signal::{
        self, SigInfo,
        numbers::{SIGALRM, SIGPROF, SIGVTALRM},
    },
    task::Process,
};
use alloc::{boxed::Box, sync::Arc};

/// Shortest time from one expiry to the next look at a periodic timer: those in between merge, as their signals would.
pub(super) const MIN_PERIOD_NS: u64 = 100_000;

/// The interval timers of a process. Intervals and times in nanoseconds.
#[derive(Default)]
pub struct Itimers {
    real: Itimer,
    virtual_: Itimer,
    prof: Itimer,
}

#[derive(Default)]
struct Itimer {
    /// When it expires, on its clock; `None`: disarmed.
    expires: Option<u64>,
    interval: u64,
    queued: Option<TimerId>,
}

/// Which interval timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Wall time, SIGALRM.
    Real,
    /// User time, SIGVTALRM.
    Virtual,
    /// Processor time, SIGPROF.
    Prof,
}

impl Which {
    fn now(self, process: &Process) -> u64 {
        match self {
            Which::Real => monotonic_ns(),
            Which::Virtual => CpuKind::User.of(&process.timers.cpu),
            Which::Prof => CpuKind::All.of(&process.timers.cpu),
        }
    }
}

impl Itimers {
    fn get(&mut self, which: Which) -> &mut Itimer {
        match which {
            Which::Real => &mut self.real,
            Which::Virtual => &mut self.virtual_,
            Which::Prof => &mut self.prof,
        }
    }
}

impl Itimer {
    fn left(&self, now: u64) -> u64 {
        // An expiry that is due but not handled yet is a moment away: zero would say that it is disarmed.
        self.expires
            .map_or(0, |expires| expires.saturating_sub(now).max(1000))
    }

    /// It has expired: the next time.
    fn advance(&mut self, now: u64) {
        self.expires = next_expiry(self.expires.unwrap_or(now), self.interval, now);
    }
}

/// The first expiry after `now` of a periodic timer, and how many periods lie between; `None` without a period.
fn next_expiry(expires: u64, interval: u64, now: u64) -> Option<u64> {
    if interval == 0 {
        return None;
    }
    let periods = now.saturating_sub(expires) / interval + 1;
    let next = expires.saturating_add(interval.saturating_mul(periods));
    Some(next.max(now.saturating_add(MIN_PERIOD_NS)))
}

/// Time left and interval of a timer.
pub fn get(process: &Process, which: Which) -> (u64, u64) {
    let now = which.now(process);
    let mut timers = process.timers.itimers.lock();
    let timer = timers.get(which);
    (timer.left(now), timer.interval)
}

/// Arms a timer to expire in `value` (0: disarms it) and then every `interval`; what [`get`] said before.
pub fn set(process: &Arc<Process>, which: Which, value: u64, interval: u64) -> (u64, u64) {
    let now = which.now(process);
    let (old, queued) = {
        let mut timers = process.timers.itimers.lock();
        let timer = timers.get(which);
        let old = (timer.left(now), timer.interval);
        timer.expires = (value != 0).then(|| now.saturating_add(value));
        timer.interval = interval;
        (old, timer.queued.take())
    };
    if let Some(id) = queued {
        timer::cancel(id);
    }
    if value != 0 {
        if which == Which::Real {
            arm_real(process);
        } else {
            cpu_timer::watch(process);
        }
    }
    old
}

fn arm_real(process: &Arc<Process>) {
    let Some(expires) = process.timers.itimers.lock().real.expires else {
        return;
    };
    let weak = Arc::downgrade(process);
    let id = timer::add(
        expires,
        Box::new(move || {
            if let Some(process) = weak.upgrade() {
                expire_real(&process);
            }
        }),
    );
    process.timers.itimers.lock().real.queued = Some(id);
}

fn expire_real(process: &Arc<Process>) {
    if process.threads.lock().is_empty() {
        return;
    }
    {
        let mut timers = process.timers.itimers.lock();
        timers.real.queued = None;
        timers.real.advance(monotonic_ns());
    }
    signal::send_to_process(process, SigInfo::kernel(SIGALRM));
    arm_real(process);
}

/// Fires the timers on processor time that have expired; the time until the next one.
pub(super) fn check_cpu(process: &Arc<Process>) -> Option<u64> {
    let mut soonest: Option<u64> = None;
    for (which, signo) in [(Which::Virtual, SIGVTALRM), (Which::Prof, SIGPROF)] {
        let now = which.now(process);
        let expired = {
            let mut timers = process.timers.itimers.lock();
            let timer = timers.get(which);
            let expired = timer.expires.is_some_and(|expires| expires <= now);
            if expired {
                timer.advance(now);
            }
            if let Some(expires) = timer.expires {
                let left = expires.saturating_sub(now);
                soonest = Some(soonest.map_or(left, |soonest| soonest.min(left)));
            }
            expired
        };
        if expired {
            signal::send_to_process(process, SigInfo::kernel(signo));
        }
    }
    soonest
}

/// The process is gone: its deadline is no longer waited for.
pub(super) fn disarm(timers: &mut Itimers) {
    if let Some(id) = timers.real.queued.take() {
        timer::cancel(id);
    }
}
