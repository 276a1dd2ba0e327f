//! POSIX per-process timers (timer_create(2)).
//!
//! Each timer has at most one signal pending; expirations while it is are counted as overruns, which the signal brings along when it is taken.

use super::{
    ProcessTimers,
    clock_id::{Clock, CpuKind, CpuOwner, Wall},
    cpu_timer,
    itimer::MIN_PERIOD_NS,
    monotonic_ns,
    timer::{self, TimerId},
};
use crate::{
    Errno,
    signal::{self, SigInfo, info::SI_TIMER},
    task::{Process, Task},
};
use alloc::{
    boxed::Box,
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};

/// Index of RLIMIT_SIGPENDING: timers count, as each keeps room for a signal.
const RLIMIT_SIGPENDING: usize = 11;
/// Timers of a process at most, whatever its limit.
const MAX_TIMERS: u64 = 65_536;

/// The POSIX timers of a process.
#[derive(Default)]
pub struct PosixTimers {
    timers: BTreeMap<i32, PosixTimer>,
    next_id: i32,
}

/// What a timer runs on.
#[derive(Clone)]
enum Base {
    /// `expires` is of CLOCK_MONOTONIC.
    Wall(Wall),
    /// `expires` is of this processor time.
    Process(Weak<Process>, CpuKind),
    /// As above.
    Thread(Weak<Task>, CpuKind),
}

/// What an expiry does.
#[derive(Clone)]
pub enum Notify {
    /// Nothing: the timer is only read.
    None,
    /// A signal to the process.
    Process(u32),
    /// A signal to a thread.
    Thread(u32, Weak<Task>),
}

struct PosixTimer {
    base: Base,
    notify: Notify,
    value: u64,
    /// `None`: disarmed.
    expires: Option<u64>,
    interval: u64,
    queued: Option<TimerId>,
    /// Its signal is pending.
    pending: bool,
    overrun: u64,
    last_overrun: u64,
}

impl Base {
    fn now(&self) -> u64 {
        match self {
            Base::Wall(_) => monotonic_ns(),
            Base::Process(process, kind) => process
                .upgrade()
                .map_or(0, |process| kind.of(&process.timers.cpu)),
            Base::Thread(task, kind) => task.upgrade().map_or(0, |task| kind.of(&task.times)),
        }
    }

    fn is_cpu(&self) -> bool {
        !matches!(self, Base::Wall(_))
    }
}

impl PosixTimer {
    /// Time until the next expiry: 1 ns if that is due but not handled yet, or its period goes on while its signal is pending; 0 if disarmed.
    fn left(&self, now: u64) -> u64 {
        match self.expires {
            None => 0,
            Some(expires) if expires > now => expires - now,
            Some(_) if self.interval == 0 && matches!(self.notify, Notify::None) => 0,
            Some(expires) if self.interval != 0 => {
                self.interval - now.saturating_sub(expires) % self.interval
            }
            Some(_) => 1,
        }
    }

    /// Moves past `now`: the expirations that this covers.
    fn advance(&mut self, now: u64) -> u64 {
        let Some(expires) = self.expires.filter(|expires| *expires <= now) else {
            return 0;
        };
        let Some(periods) = now.saturating_sub(expires).checked_div(self.interval) else {
            self.expires = None;
            return 1;
        };
        let count = periods + 1;
        self.expires = Some(expires.saturating_add(self.interval.saturating_mul(count)));
        count
    }
}

/// Creates a timer. `value` is what its signal brings; `None`: its own id.
pub fn create(
    process: &Process,
    clock: Clock,
    notify: Notify,
    value: Option<u64>,
) -> Result<i32, Errno> {
    let base = match clock {
        Clock::Wall(wall) => Base::Wall(wall),
        Clock::Cpu(CpuOwner::Process(owner), kind) => Base::Process(Arc::downgrade(&owner), kind),
        Clock::Cpu(CpuOwner::Thread(owner), kind) => Base::Thread(Arc::downgrade(&owner), kind),
    };
    let limit = process.rlimits.lock()[RLIMIT_SIGPENDING][0].min(MAX_TIMERS);
    let mut posix = process.timers.posix.lock();
    if posix.timers.len() as u64 >= limit {
        return Err(Errno::EAGAIN);
    }
    let mut id = posix.next_id;
    while posix.timers.contains_key(&id) {
        id = id.wrapping_add(1) & i32::MAX;
    }
    posix.next_id = id.wrapping_add(1) & i32::MAX;
    posix.timers.insert(
        id,
        PosixTimer {
            base,
            notify,
            value: value.unwrap_or(id as u64),
            expires: None,
            interval: 0,
            queued: None,
            pending: false,
            overrun: 0,
            last_overrun: 0,
        },
    );
    Ok(id)
}

/// Deletes a timer. A signal of it that is pending stays pending.
pub fn delete(process: &Process, id: i32) -> Result<(), Errno> {
    let timer = process
        .timers
        .posix
        .lock()
        .timers
        .remove(&id)
        .ok_or(Errno::EINVAL)?;
    if let Some(queued) = timer.queued {
        timer::cancel(queued);
    }
    Ok(())
}

/// Deletes all timers of a process.
pub(super) fn delete_all(timers: &ProcessTimers) {
    let all = core::mem::take(&mut *timers.posix.lock());
    for queued in all.timers.values().filter_map(|timer| timer.queued) {
        timer::cancel(queued);
    }
}

/// Time left and interval of a timer, nanoseconds.
pub fn get(process: &Process, id: i32) -> Result<(u64, u64), Errno> {
    let posix = process.timers.posix.lock();
    let timer = posix.timers.get(&id).ok_or(Errno::EINVAL)?;
    Ok((timer.left(timer.base.now()), timer.interval))
}

/// Arms a timer to expire in `value` nanoseconds, or at `value` of its clock if `absolute` (0: disarms it), and then every `interval`; what [`get`] said
/// before.
pub fn set(
    process: &Arc<Process>,
    id: i32,
    absolute: bool,
    value: u64,
    interval: u64,
) -> Result<(u64, u64), Errno> {
    let (old, queued, is_cpu) = {
        let mut posix = process.timers.posix.lock();
        let timer = posix.timers.get_mut(&id).ok_or(Errno::EINVAL)?;
        let now = timer.base.now();
        let old = (timer.left(now), timer.interval);
        timer.expires = match (&timer.base, absolute) {
            _ if value == 0 => None,
            (_, false) => Some(now.saturating_add(value)),
            (Base::Wall(wall), true) => Some(wall.to_monotonic(value)),
            (_, true) => Some(value),
        };
        timer.interval = interval;
        // A signal that is pending still belongs to the old setting; the count starts anew.
        timer.overrun = 0;
        timer.last_overrun = 0;
        (old, timer.queued.take(), timer.base.is_cpu())
    };
    if let Some(queued) = queued {
        timer::cancel(queued);
    }
    if value != 0 {
        if is_cpu {
            cpu_timer::watch(process);
        } else {
            arm(process, id);
        }
    }
    Ok(old)
}

/// Puts the timer's next expiry into the kernel's queue. A timer that only is read needs none.
fn arm(process: &Arc<Process>, id: i32) {
    let mut posix = process.timers.posix.lock();
    let Some(timer) = posix.timers.get_mut(&id) else {
        return;
    };
    let (Some(expires), false) = (timer.expires, matches!(timer.notify, Notify::None)) else {
        return;
    };
    let weak = Arc::downgrade(process);
    timer.queued = Some(timer::add(
        expires,
        Box::new(move || {
            if let Some(process) = weak.upgrade() {
                expire_wall(&process, id);
            }
        }),
    ));
}

fn expire_wall(process: &Arc<Process>, id: i32) {
    if process.threads.lock().is_empty() {
        return;
    }
    if let Some(timer) = process.timers.posix.lock().timers.get_mut(&id) {
        timer.queued = None;
    }
    expire(process, id);
    {
        let mut posix = process.timers.posix.lock();
        let Some(timer) = posix.timers.get_mut(&id) else {
            return;
        };
        // A very short period is looked at less often: the rest are overruns.
        let floor = monotonic_ns().saturating_add(MIN_PERIOD_NS);
        if let Some(expires) = timer.expires.filter(|expires| *expires < floor) {
            let skipped = (floor - expires).checked_div(timer.interval).unwrap_or(0);
            timer.overrun = timer.overrun.saturating_add(skipped);
            timer.expires = Some(expires.saturating_add(timer.interval.saturating_mul(skipped)));
        }
    }
    arm(process, id);
}

/// Counts and announces the expirations up to now.
fn expire(process: &Arc<Process>, id: i32) {
    let (notify, info) = {
        let mut posix = process.timers.posix.lock();
        let Some(timer) = posix.timers.get_mut(&id) else {
            return;
        };
        let now = timer.base.now();
        let count = timer.advance(now);
        let signo = match timer.notify {
            Notify::None => return,
            Notify::Process(signo) | Notify::Thread(signo, _) => signo,
        };
        if count == 0 {
            return;
        }
        if timer.pending {
            timer.overrun = timer.overrun.saturating_add(count);
            return;
        }
        timer.overrun = timer.overrun.saturating_add(count - 1);
        timer.pending = true;
        let info = SigInfo {
            signo,
            code: SI_TIMER,
            pid: id,
            value: timer.value,
            ..SigInfo::default()
        };
        (timer.notify.clone(), info)
    };
    let sent = match &notify {
        Notify::Thread(_, task) => match task.upgrade() {
            Some(task) => signal::generate(process, Some(&task), info),
            None => Ok(signal::Sent::Ignored),
        },
        _ => signal::generate(process, None, info),
    };
    if sent != Ok(signal::Sent::Queued)
        && let Some(timer) = process.timers.posix.lock().timers.get_mut(&id)
    {
        timer.pending = false;
    }
}

/// A signal is taken: if it is a timer's, it learns its overruns.
pub fn signal_taken(process: &Process, info: &mut SigInfo) {
    if info.code != SI_TIMER {
        return;
    }
    let mut posix = process.timers.posix.lock();
    if let Some(timer) = posix
        .timers
        .get_mut(&info.pid)
        .filter(|timer| timer.pending)
    {
        timer.pending = false;
        timer.last_overrun = core::mem::take(&mut timer.overrun);
        info.uid = timer.last_overrun.min(i32::MAX as u64) as u32;
    }
}

/// timer_getoverrun(2).
pub fn overrun(process: &Process, id: i32) -> Result<usize, Errno> {
    let posix = process.timers.posix.lock();
    let timer = posix.timers.get(&id).ok_or(Errno::EINVAL)?;
    Ok(timer.last_overrun.min(i32::MAX as u64) as usize)
}

/// Fires the timers on processor time that have expired; the time until the next one.
pub(super) fn check_cpu(process: &Arc<Process>) -> Option<u64> {
    let ids: Vec<i32> = {
        let posix = process.timers.posix.lock();
        let armed = posix.timers.iter().filter(|(_, timer)| {
            timer.base.is_cpu() && timer.expires.is_some() && !matches!(timer.notify, Notify::None)
        });
        armed.map(|(id, _)| *id).collect()
    };
    let mut soonest: Option<u64> = None;
    for id in ids {
        expire(process, id);
        let posix = process.timers.posix.lock();
        if let Some(timer) = posix.timers.get(&id)
            && let Some(expires) = timer.expires
        {
            let left = expires.saturating_sub(timer.base.now());
            soonest = Some(soonest.map_or(left, |soonest| soonest.min(left)));
        }
    }
    soonest
}
