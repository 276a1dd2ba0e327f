//! What waits to be sent to a client: a bounded queue of lines, filled by any thread, emptied by the control thread.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::protocol::line;

/// Most bytes that wait for a client. One that leaves more unread is dropped.
const MOST: usize = 8 << 20;

/// Wakes the control thread.
#[derive(Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Of the eventfd that the control thread polls.
    pub fn new(eventfd: OwnedFd) -> Waker {
        Waker(Arc::new(eventfd))
    }

    /// Wakes it.
    pub fn wake(&self) {
        // A full counter is as good a wake-up as any.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// The eventfd.
    pub fn fd(&self) -> impl AsFd + '_ {
        self.0.as_fd()
    }
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Bytes of the first line that are gone already.
    sent: usize,
    /// While a request is looked after: what came since, which stands behind its answer.
    later: Option<Vec<Vec<u8>>>,
    /// Nothing more goes in: the client was too slow, or is gone.
    closed: bool,
}

/// The queue of one client.
pub struct Outbox {
    queue: Mutex<Queue>,
    waker: Waker,
}

impl Outbox {
    /// An empty one.
    pub fn new(waker: Waker) -> Outbox {
        Outbox {
            queue: Mutex::default(),
            waker,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a line, or several. False: the client is dropped.
    pub fn push(&self, bytes: Vec<u8>) -> bool {
        let mut queue = self.lock();
        if queue.closed {
            return false;
        }
        if queue.bytes + bytes.len() > MOST {
            queue.close_because("slow", "the client reads too slowly: too much waits for it");
        } else {
            queue.bytes += bytes.len();
            match &mut queue.later {
                Some(later) => later.push(bytes),
                None => queue.lines.push_back(bytes),
            }
        }
        let closed = queue.closed;
        drop(queue);
        self.waker.wake();
        !closed
    }

    /// From now on what is pushed stands behind the answer that comes next.
    pub fn expect_answer(&self) {
        self.lock().later.get_or_insert_default();
    }

    /// Appends the answer, and what has been pushed since it is expected.
    pub fn answer(&self, bytes: Vec<u8>) {
        let mut queue = self.lock();
        let later = queue.later.take();
        if !queue.closed {
            queue.bytes += bytes.len();
            queue.lines.push_back(bytes);
            queue.lines.extend(later.into_iter().flatten());
        }
        drop(queue);
        self.waker.wake();
    }

    /// Appends a last line, which tells why there are no more.
    pub fn close_because(&self, kind: &str, message: &str) {
        self.lock().close_because(kind, message);
    }

    /// Nothing more goes in.
    pub fn close(&self) {
        self.lock().closed = true;
    }

    /// Whether nothing more goes in.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.lock().bytes
    }

    /// Sends as much as the socket takes. False: the client is gone.
    pub fn send(&self, socket: &OwnedFd) -> bool {
        let mut queue = self.lock();
        while let Some(first) = queue.lines.front() {
            let rest = first.get(queue.sent..).unwrap_or_default();
            let len = first.len();
            match send(socket, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) if sent < rest.len() => queue.sent += sent,
                Ok(_) => {
                    queue.lines.pop_front();
                    queue.sent = 0;
                    queue.bytes = queue.bytes.saturating_sub(len);
                }
                Err(Errno::AGAIN | Errno::INTR) => return true,
                Err(_) => return false,
            }
        }
        true
    }
}

impl Queue {
    fn close_because(&mut self, kind: &str, message: &str) {
        if self.closed {
            return;
        }
        // A line that is half sent has to be completed, or the message would be unreadable.
        self.lines.truncate(usize::from(self.sent > 0));
        let error = serde_json::json!({ "error": { "kind": kind, "message": message } });
        self.lines.push_back(line(&error));
        self.bytes = self.lines.iter().map(Vec::len).sum();
        self.closed = true;
    }
}
