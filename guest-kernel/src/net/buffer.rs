//! Accounting of what a socket has sent and its receiver has not yet taken: SO_SNDBUF is a limit on that.
//!
//! What a message counts is what Linux counts (the sizes of its socket buffers, with their overhead): how much a program can send
//! before it blocks is visible to it.

use crate::sync::WaitQueue;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Default of SO_SNDBUF and SO_RCVBUF.
pub const DEFAULT: usize = 212_992;
const PAGE: usize = 4096;
/// Bytes of bookkeeping behind a buffer's data.
const TAIL: usize = 320;
/// Bytes of a buffer's own record.
const RECORD: usize = 256;
/// The most that one page holds as the linear part of a buffer.
const MAX_HEAD: usize = PAGE - TAIL;
/// The most that four pages hold.
const MAX_BIG_HEAD: usize = 4 * PAGE - TAIL;
/// The most that one buffer of a stream holds.
const MAX_STREAM: usize = MAX_HEAD + 8 * PAGE;

/// What one socket has under way.
pub struct SendBuffer {
    used: AtomicUsize,
    limit: AtomicUsize,
    /// Woken when room appears.
    pub queue: Arc<WaitQueue>,
}

/// A share of a [`SendBuffer`], given back when dropped.
pub struct Charge {
    buffer: Arc<SendBuffer>,
    size: usize,
}

impl SendBuffer {
    /// An empty one with the default limit.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            limit: AtomicUsize::new(DEFAULT),
            queue: Arc::new(WaitQueue::new()),
        })
    }

    /// SO_SNDBUF as getsockopt shows it.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Changes the limit.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
        self.queue.wake_all();
    }

    /// What is under way (SIOCOUTQ).
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether another message may be sent, whatever its size.
    pub fn has_room(&self) -> bool {
        self.used() < self.limit()
    }

    /// Whether poll calls it writable: at most a quarter is used.
    pub fn is_writable(&self) -> bool {
        self.used().saturating_mul(4) <= self.limit()
    }

    /// Counts `size` as under way.
    pub fn charge(self: &Arc<Self>, size: usize) -> Charge {
        self.used.fetch_add(size, Ordering::Relaxed);
        Charge {
            buffer: self.clone(),
            size,
        }
    }

    /// How much of `len` bytes goes into the next buffer of a stream.
    pub fn stream_piece(&self, len: usize) -> usize {
        len.min((self.limit() / 2).saturating_sub(64).max(1))
            .min(MAX_STREAM)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.buffer.used.fetch_sub(self.size, Ordering::Relaxed);
        if self.buffer.is_writable() {
            self.buffer.queue.wake_all();
        }
    }
}

/// What a piece of a stream counts.
pub fn stream_size(len: usize) -> usize {
    let pages = len.saturating_sub(MAX_HEAD).next_multiple_of(PAGE);
    let paged = pages.min(len);
    head_size(len - paged) + paged.next_multiple_of(PAGE)
}

/// What a datagram counts.
pub fn datagram_size(len: usize) -> usize {
    let paged = len.saturating_sub(MAX_BIG_HEAD).next_multiple_of(PAGE);
    head_size(len.saturating_sub(paged)) + paged
}

/// The linear part, in an allocation of a power of two, and the record.
fn head_size(len: usize) -> usize {
    (len.next_multiple_of(64) + TAIL)
        .next_power_of_two()
        .max(512)
        + RECORD
}
