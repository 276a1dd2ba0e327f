//! Timers that run on processor time: ITIMER_VIRTUAL, ITIMER_PROF, POSIX timers on CPU clocks, RLIMIT_CPU.
//!
//! A process with such a timer is *watched*: a kernel timer looks at it about when the timer can expire at the earliest (processor time
//! never runs faster than the clock), but not more often than once a tick.

use super::{NS_PER_SEC, itimer, monotonic_ns, posix, timer};
use crate::{
    signal::{self, SigInfo, numbers::SIGKILL, numbers::SIGXCPU},
    sync::Mutex,
    task::Process,
};
use alloc::{
    boxed::Box,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Processor time is looked at this often at most: a timer tick of a kernel with HZ=250.
const TICK_NS: u64 = 4_000_000;
/// Index of RLIMIT_CPU.
const RLIMIT_CPU: usize = 0;

/// A process's part in the watch.
#[derive(Default)]
pub struct Watch {
    watched: AtomicBool,
    /// Seconds of processor time at which SIGXCPU was last sent; 0: never.
    warned_at: AtomicU64,
}

static WATCHED: Mutex<Vec<Weak<Process>>> = Mutex::new(Vec::new());
/// The kernel timer that looks next.
static LOOK: Mutex<Option<timer::TimerId>> = Mutex::new(None);

/// The process has a timer that runs on processor time, or an RLIMIT_CPU: it is looked at from now on.
pub fn watch(process: &Arc<Process>) {
    if !process.timers.cpu_watch.watched.swap(true, Relaxed) {
        WATCHED.lock().push(Arc::downgrade(process));
    }
    let sooner = monotonic_ns().saturating_add(TICK_NS);
    if let Some(id) = LOOK.lock().take() {
        timer::cancel(id);
    }
    look_at(sooner);
}

fn look_at(deadline: u64) {
    let id = timer::add(deadline, Box::new(look));
    *LOOK.lock() = Some(id);
}

/// Looks at all watched processes; those that have nothing to be watched for are dropped.
fn look() {
    *LOOK.lock() = None;
    let watched = core::mem::take(&mut *WATCHED.lock());
    let mut kept = Vec::with_capacity(watched.len());
    let mut soonest = u64::MAX;
    for weak in watched {
        let Some(process) = weak.upgrade() else {
            continue;
        };
        let left = if process.threads.lock().is_empty() {
            None
        } else {
            check(&process)
        };
        if let Some(left) = left {
            soonest = soonest.min(left);
            kept.push(weak);
        } else {
            process.timers.cpu_watch.watched.store(false, Relaxed);
        }
    }
    WATCHED.lock().append(&mut kept);
    if soonest != u64::MAX {
        look_at(monotonic_ns().saturating_add(soonest.max(TICK_NS)));
    }
}

/// Fires what has expired; the processor time until the next expiry, or `None` if nothing is armed.
fn check(process: &Arc<Process>) -> Option<u64> {
    let limit = check_limit(process);
    let interval = itimer::check_cpu(process);
    let timers = posix::check_cpu(process);
    [limit, interval, timers].into_iter().flatten().min()
}

/// RLIMIT_CPU: SIGXCPU at the soft limit and every second from there, SIGKILL at the hard one.
fn check_limit(process: &Arc<Process>) -> Option<u64> {
    let [soft, hard] = process.rlimits.lock()[RLIMIT_CPU];
    if soft == u64::MAX && hard == u64::MAX {
        return None;
    }
    let used = process.timers.cpu.total_ns();
    let seconds = used / NS_PER_SEC;
    if seconds >= hard {
        signal::send_to_process(process, SigInfo::kernel(SIGKILL));
        return Some(NS_PER_SEC);
    }
    let warned = process.timers.cpu_watch.warned_at.load(Relaxed);
    let next = if warned == 0 {
        soft
    } else {
        warned.saturating_add(1)
    };
    if seconds >= next {
        process
            .timers
            .cpu_watch
            .warned_at
            .store(seconds.max(1), Relaxed);
        signal::send_to_process(process, SigInfo::kernel(SIGXCPU));
        return Some(NS_PER_SEC);
    }
    Some(
        next.min(hard)
            .saturating_mul(NS_PER_SEC)
            .saturating_sub(used),
    )
}
