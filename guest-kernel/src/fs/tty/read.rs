//! Reading a terminal.

use super::{Tty, job};
use crate::{
    Errno, SysResult,
    fs::{File, Sink},
    sync::{Interruptible, WaitError, wait_until},
};
use alloc::vec::Vec;
use linux_raw_sys::general::*;

/// What a look at the input found.
enum Found {
    /// Bytes, whether the read ends with them, and whether the other side may have waited for room.
    Bytes(Vec<u8>, bool, bool),
    /// The other side is gone.
    HungUp,
}

impl Tty {
    /// read(2): a line in canonical mode, else as VMIN and VTIME say.
    pub(super) fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        job::check_change(self, SIGTTIN)?;
        let (canonical, vmin, vtime) = {
            let state = self.state.lock();
            let t = &state.termios;
            (
                state.canonical(),
                usize::from(t.char(VMIN)),
                u64::from(t.char(VTIME)) * 100_000_000,
            )
        };
        let raw_least = if canonical { 1 } else { vmin.max(1) };
        // VMIN 0: VTIME runs from the call on; else from each byte on, once there is one.
        let mut deadline = match (canonical, vmin) {
            (false, 0) => Some(crate::time::monotonic_ns().saturating_add(vtime)),
            _ => None,
        };
        let mut done = 0;
        while out.room() > 0 {
            let wait = if file.nonblocking() {
                Some(0)
            } else {
                deadline
            };
            let found = match self.await_input(out.room(), wait) {
                Ok(found) => found,
                Err(WaitError::Signal) if done > 0 => break,
                Err(WaitError::Signal) => return Err(Errno::ERESTARTSYS),
                Err(WaitError::Timeout) => {
                    let expired = deadline.is_some_and(|d| crate::time::monotonic_ns() >= d);
                    if done > 0 || expired {
                        break;
                    }
                    return Err(Errno::EAGAIN);
                }
            };
            let (bytes, last, was_full) = match found {
                Found::Bytes(bytes, last, was_full) => (bytes, last, was_full),
                Found::HungUp => break,
            };
            if was_full {
                self.backend.input_drained();
            }
            let n = match out.put(&bytes) {
                Ok(n) => n,
                Err(e) if done == 0 && !bytes.is_empty() => return Err(e),
                Err(_) => break,
            };
            done += n;
            if last || n < bytes.len() || done >= raw_least {
                break;
            }
            if vtime > 0 && vmin > 0 {
                deadline = Some(crate::time::monotonic_ns().saturating_add(vtime));
            }
        }
        if done > 0 {
            self.touch(false);
        }
        Ok(done)
    }

    /// Waits for input and takes it. A deadline of 0: doesn't wait.
    fn await_input(&self, room: usize, deadline: Option<u64>) -> Result<Found, WaitError> {
        let look = || {
            let mut state = self.state.lock();
            if state.input_available(1) {
                let was_full = state.input_room() == 0;
                let (bytes, last) = state.take(room);
                return Some(Found::Bytes(bytes, last, was_full));
            }
            state.hung_up.then_some(Found::HungUp)
        };
        if let Some(found) = look() {
            return Ok(found);
        }
        self.backend.input_drained();
        // A read that doesn't wait isn't interrupted either.
        if deadline.is_some_and(|d| d <= crate::time::monotonic_ns()) {
            return look().ok_or(WaitError::Timeout);
        }
        wait_until(&[&self.input_queue], deadline, Interruptible::Yes, look)
    }
}
