//! timerfd_create(2): a timer as a file.
//!
//! What is kept is the next expiry on CLOCK_MONOTONIC and the interval; how often it expired is worked out when somebody asks. The kernel
//! timer only wakes those who wait, and is not set again before the expiry is read.

use super::{Description, File, FileOps, Metadata, PollEvents, PollTable, Sink, anon};
use crate::{
    Errno, SysResult,
    sync::{Interruptible, Mutex, WaitQueue, wait_until},
    time::{self, timer},
};
use alloc::{boxed::Box, sync::Arc};
use core::any::Any;

/// Which clock a timer goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// CLOCK_REALTIME and its alarm variant.
    Realtime,
    /// CLOCK_MONOTONIC; CLOCK_BOOTTIME is the same, for a machine that never sleeps.
    Monotonic,
}

/// The timer.
pub struct TimerFd {
    clock: Clock,
    state: Mutex<State>,
    queue: Arc<WaitQueue>,
}

#[derive(Default)]
struct State {
    /// Next expiry, CLOCK_MONOTONIC; `None`: disarmed, or a one-shot that was read.
    next: Option<u64>,
    interval: u64,
    timer: Option<timer::TimerId>,
}

/// A setting: time to the next expiry and interval, in nanoseconds; `value` 0: disarmed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setting {
    /// Until the first expiry, or (absolute) its time on the timer's clock.
    pub value: u64,
    /// Between later ones; 0: only once.
    pub interval: u64,
}

impl TimerFd {
    /// A disarmed timer.
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::new(State::default()),
            queue: Arc::new(WaitQueue::new()),
        })
    }

    /// timerfd_settime(2); the setting before.
    pub fn set(&self, setting: Setting, absolute: bool) -> Setting {
        let now = time::monotonic_ns();
        let next = match (setting.value, absolute, self.clock) {
            (0, ..) => None,
            (value, false, _) => Some(now.saturating_add(value)),
            (value, true, Clock::Monotonic) => Some(value),
            (value, true, Clock::Realtime) => {
                Some(now.saturating_add(value.saturating_sub(time::realtime_ns())))
            }
        };
        let old;
        {
            let mut state = self.state.lock();
            old = state.remaining(now);
            state.next = next;
            state.interval = setting.interval;
            self.arm(&mut state);
        }
        self.queue.wake_all();
        old
    }

    /// timerfd_gettime(2).
    pub fn get(&self) -> Setting {
        self.state.lock().remaining(time::monotonic_ns())
    }

    /// Sets the kernel timer to the next expiry.
    fn arm(&self, state: &mut State) {
        if let Some(id) = state.timer.take() {
            timer::cancel(id);
        }
        if let Some(next) = state.next {
            let queue = self.queue.clone();
            state.timer = Some(timer::add(next, Box::new(move || queue.wake_all())));
        }
    }

    /// Takes the expiries so far.
    fn take(&self) -> Option<u64> {
        let now = time::monotonic_ns();
        let mut state = self.state.lock();
        let next = state.next.filter(|next| *next <= now)?;
        let more = (now - next).checked_div(state.interval).unwrap_or(0);
        state.next = (state.interval != 0).then(|| {
            let steps = more.saturating_add(1);
            next.saturating_add(state.interval.saturating_mul(steps))
        });
        self.arm(&mut state);
        Some(more.saturating_add(1))
    }
}

impl State {
    fn remaining(&self, now: u64) -> Setting {
        let value = match self.next {
            None => 0,
            Some(next) if next > now => next - now,
            // Expired: a one-shot shows 0, a periodic one what is left to its next expiry.
            Some(next) => match (now - next).checked_rem(self.interval) {
                None => 0,
                Some(past) => self.interval - past,
            },
        };
        Setting {
            value,
            interval: self.interval,
        }
    }
}

impl Drop for TimerFd {
    fn drop(&mut self) {
        if let Some(id) = self.state.lock().timer.take() {
            timer::cancel(id);
        }
    }
}

impl FileOps for TimerFd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        if out.room() < size_of::<u64>() {
            return Err(Errno::EINVAL);
        }
        let ticks = if file.nonblocking() {
            self.take().ok_or(Errno::EAGAIN)?
        } else {
            wait_until(&[&self.queue], None, Interruptible::Yes, || self.take())
                .map_err(|_| Errno::ERESTARTSYS)?
        };
        out.put(&ticks.to_ne_bytes())
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        table.add(&self.queue);
        let now = time::monotonic_ns();
        if self.state.lock().next.is_some_and(|next| next <= now) {
            PollEvents::IN
        } else {
            PollEvents::empty()
        }
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(anon::anon_metadata())
    }

    fn describe(&self, _file: &File) -> Description {
        anon::anon_description("timerfd", "timerfd")
    }
}
