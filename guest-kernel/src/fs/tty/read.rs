//! Reading a terminal.

use super::{
    Tty, job,
    state::{END_OF_FILE, LINE_END, State},
};
use crate::{
    Errno, SysResult,
    fs::{File, Sink},
    sync::{Interruptible, WaitError, wait_until},
};
use alloc::vec::Vec;
use linux_raw_sys::general::*;

/// What a look at the input found.
enum Found {
    /// Bytes, and whether the read ends with them.
    Bytes(Vec<u8>, bool),
    /// The other side is gone.
    HungUp,
}

impl State {
    /// Takes up to `room` bytes: of one line, or of what is there.
    fn take(&mut self, room: usize) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        if !self.canonical() {
            let n = room.min(self.input.len());
            bytes.extend(self.input.drain(..n).map(|element| element as u8));
            return (bytes, false);
        }
        while self.committed > 0 {
            let Some(&element) = self.input.front() else {
                break;
            };
            // An end-of-file mark right after the last byte that fits is taken too, or the next read would see it.
            if bytes.len() == room && element != END_OF_FILE {
                break;
            }
            self.input.pop_front();
            self.committed -= 1;
            if element == END_OF_FILE {
                break;
            }
            bytes.push(element as u8);
            if element & LINE_END != 0 {
                break;
            }
        }
        (bytes, true)
    }
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
            let (bytes, last) = match found {
                Found::Bytes(bytes, last) => (bytes, last),
                Found::HungUp => break,
            };
            self.backend.input_drained();
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
        self.backend.input_drained();
        let look = || {
            let mut state = self.state.lock();
            if state.input_available(1) {
                let (bytes, last) = state.take(room);
                return Some(Found::Bytes(bytes, last));
            }
            state.hung_up.then_some(Found::HungUp)
        };
        // A read that doesn't wait isn't interrupted either.
        if deadline.is_some_and(|d| d <= crate::time::monotonic_ns()) {
            return look().ok_or(WaitError::Timeout);
        }
        wait_until(&[&self.input_queue], deadline, Interruptible::Yes, look)
    }
}
