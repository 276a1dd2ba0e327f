//! Pending signals: of one thread or of a whole process.

use super::{
    info::{SI_USER, SigInfo},
    numbers::{SIGKILL, SIGRTMIN, SYNCHRONOUS, bit},
};
use crate::{Errno, sync::Mutex};
use alloc::collections::VecDeque;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Entries in all queues: what RLIMIT_SIGPENDING limits. Linux counts by user; a sandbox is one user's.
static QUEUED: AtomicUsize = AtomicUsize::new(0);

/// Number of queued signals in the sandbox (`SigQ` in /proc/PID/status).
pub fn queued() -> usize {
    QUEUED.load(Relaxed)
}

/// Pending signals. The set is exact and read without a lock; the queue holds what is known of their senders. A signal that found no
/// room is in the set only.
#[derive(Default)]
pub struct Pending {
    set: AtomicU64,
    queue: Mutex<VecDeque<SigInfo>>,
}

impl Pending {
    /// Which signals are pending.
    pub fn set(&self) -> u64 {
        self.set.load(Relaxed)
    }

    /// Adds a signal. `Ok(false)`: a standard signal that was pending already. `EAGAIN`: `limit` is reached, and
    /// the sender of a real-time signal wants to know (`info.code` tells: all but kill(2) do).
    pub fn add(&self, info: SigInfo, limit: u64) -> Result<bool, Errno> {
        let one = bit(info.signo);
        let known = self.set() & one != 0;
        if info.signo < SIGRTMIN && known {
            return Ok(false);
        }
        // SIGKILL needs no room; what standard signals need is bounded by itself.
        if info.signo != SIGKILL {
            let mut queue = self.queue.lock();
            let room = info.signo < SIGRTMIN || (queued() as u64) < limit;
            if room && queue.try_reserve(1).is_ok() {
                queue.push_back(info);
                QUEUED.fetch_add(1, Relaxed);
            } else if info.code != SI_USER {
                return Err(Errno::EAGAIN);
            }
        }
        self.set.fetch_or(one, Relaxed);
        Ok(true)
    }

    /// Marks SIGKILL pending.
    pub fn add_kill(&self) {
        self.set.fetch_or(bit(SIGKILL), Relaxed);
    }

    /// Takes the first signal out of `mask`: those that the task's own instructions caused, then by number, each in the order of sending.
    pub fn take(&self, mask: u64) -> Option<SigInfo> {
        let wanted = self.set() & mask;
        let first = match wanted & SYNCHRONOUS {
            0 => wanted,
            synchronous => synchronous,
        };
        if first == 0 {
            return None;
        }
        let signo = first.trailing_zeros() + 1;
        let mut queue = self.queue.lock();
        let info = queue
            .iter()
            .position(|info| info.signo == signo)
            .and_then(|at| queue.remove(at));
        if info.is_some() {
            QUEUED.fetch_sub(1, Relaxed);
        }
        if !queue.iter().any(|info| info.signo == signo) {
            self.set.fetch_and(!bit(signo), Relaxed);
        }
        Some(info.unwrap_or(SigInfo {
            signo,
            ..SigInfo::default()
        }))
    }

    /// Throws away all signals of `mask`.
    pub fn discard(&self, mask: u64) {
        if self.set() & mask == 0 {
            return;
        }
        self.set.fetch_and(!mask, Relaxed);
        let mut queue = self.queue.lock();
        let before = queue.len();
        queue.retain(|info| bit(info.signo) & mask == 0);
        QUEUED.fetch_sub(before - queue.len(), Relaxed);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        QUEUED.fetch_sub(self.queue.get_mut().len(), Relaxed);
    }
}
