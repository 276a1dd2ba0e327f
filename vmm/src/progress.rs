//! How a trace to a file is getting on: one line on standard error, if that is a terminal, at most four times a second.
//!
//! The workload writes to the same terminal as a rule. So every output asks [`make_way`] first, which takes the line away and keeps it away while
//! the output is written; it comes back only when the cursor stands at the start of a line. A program that takes the whole screen ends it for good.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stderr;

/// Between two updates.
const PERIOD: Duration = Duration::from_millis(250);
/// Runs shorter than this show nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Takes the line away.
const ERASE: &[u8] = b"\r\x1b[K";
/// How programs that draw on the whole screen begin.
const PRIVATE_MODE: &[u8] = b"\x1b[?";

static ENABLED: AtomicBool = AtomicBool::new(false);
static LINE: Mutex<Line> = Mutex::new(Line {
    shown: false,
    elsewhere: false,
});

/// The terminal's last line.
struct Line {
    /// It is ours.
    shown: bool,
    /// The workload has left the cursor within a line.
    elsewhere: bool,
}

/// Keeps the line away.
pub struct Way {
    _line: MutexGuard<'static, Line>,
}

/// Shows progress from now on, if standard error is a terminal and this process is in its foreground.
pub fn enable() {
    let ours =
        rustix::termios::tcgetpgrp(stderr()).is_ok_and(|group| group == rustix::process::getpgrp());
    ENABLED.store(ours, Ordering::Relaxed);
}

/// Whether there is a line to keep out of the way of.
pub fn is_on() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// Takes the line away before `output` goes to the terminal; it stays away until the guard is dropped.
pub fn make_way(output: &[u8]) -> Option<Way> {
    if !is_on() {
        return None;
    }
    let mut line = LINE.lock().ok()?;
    line.erase();
    line.elsewhere = match output.last() {
        Some(last) => *last != b'\n',
        None => line.elsewhere,
    };
    let takes_screen = output
        .windows(PRIVATE_MODE.len())
        .any(|window| window == PRIVATE_MODE);
    if takes_screen {
        ENABLED.store(false, Ordering::Relaxed);
    }
    Some(Way { _line: line })
}

/// Takes the line away for good.
pub fn finish() {
    if ENABLED.swap(false, Ordering::Relaxed)
        && let Ok(mut line) = LINE.lock()
    {
        line.erase();
    }
}

impl Line {
    fn erase(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = rustix::io::write(stderr(), ERASE);
        }
    }
}

/// What the line says, counted by the thread that empties the event ring.
pub struct Meter {
    events: u64,
    before: u64,
    since: Instant,
    next: Instant,
}

impl Meter {
    /// Nothing yet.
    pub fn new() -> Meter {
        let now = Instant::now();
        Meter {
            events: 0,
            before: 0,
            since: now,
            next: now + PATIENCE,
        }
    }

    /// Counts events.
    pub fn add(&mut self, events: u64) {
        self.events = self.events.saturating_add(events);
    }

    /// Rewrites the line if it is time; `fill` is the ring's in percent.
    pub fn update(&mut self, fill: u64, dropped: u64) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + PERIOD;
        let mut line: MutexGuard<'_, Line> = match LINE.try_lock() {
            Ok(line) => line,
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => return,
        };
        if line.elsewhere || !is_on() || !is_writable() {
            return;
        }
        let elapsed = now.duration_since(self.since).as_millis().max(1);
        let rate = u128::from(self.events - self.before) * 1000 / elapsed;
        (self.before, self.since) = (self.events, now);
        let width = match rustix::termios::tcgetwinsize(stderr()) {
            Ok(size) if size.ws_col > 0 => size.ws_col,
            _ => 80,
        };
        let mut text = ERASE.to_vec();
        let words = format!(
            "vitrine: {} events, {rate}/s, ring {fill}% full, {dropped} dropped",
            self.events
        );
        // A line that is as long as the terminal is wide would wrap.
        let room = usize::from(width).saturating_sub(1);
        text.extend(words.bytes().take(room));
        line.shown = rustix::io::write(stderr(), &text).is_ok();
    }
}

/// Whether standard error takes a line now: nobody waits for a terminal that was stopped.
fn is_writable() -> bool {
    let none = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let stderr = stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    poll(&mut fds, Some(&none)).is_ok_and(|count| count > 0)
}
