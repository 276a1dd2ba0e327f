//! What a terminal's lock protects, and the elementary steps on it.

use super::{
    Effects, TtyBackend,
    termios::{Termios, Winsize},
};
use alloc::{collections::VecDeque, vec::Vec};
use linux_raw_sys::general::*;

/// Received bytes held for readers (Linux's N_TTY_BUF_SIZE).
pub const INPUT_MAX: usize = 4096;
/// Echo kept while the other side takes no output.
pub const ECHO_MAX: usize = 4096;

/// An input element: the byte, and whether it ends a line.
pub const LINE_END: u16 = 0x100;
/// An end-of-file mark: ends a line and is no byte.
pub const END_OF_FILE: u16 = 0x300;

/// A terminal's state.
#[derive(Default)]
pub struct State {
    /// Attributes.
    pub termios: Termios,
    /// Size.
    pub winsize: Winsize,
    /// The session that it controls; 0: none.
    pub session: i32,
    /// Its foreground process group; 0: none.
    pub foreground: i32,
    /// Received and not yet read: bytes with [`LINE_END`], or [`END_OF_FILE`].
    pub input: VecDeque<u16>,
    /// How much of `input` is complete lines; the rest is the line being edited. Meaningless without ICANON.
    pub committed: usize,
    /// The next byte is taken literally (VLNEXT).
    pub literal: bool,
    /// ECHOPRT: within `\…/`.
    pub erasing: bool,
    /// Cursor column as the output so far leaves it.
    pub column: usize,
    /// Column at which the line being edited starts.
    pub line_column: usize,
    /// Output that the other side had no room for.
    pub out: VecDeque<u8>,
    /// Output is stopped (VSTOP, TCOOFF).
    pub stopped: bool,
    /// It was stopped by TCOOFF: a start character doesn't end that.
    pub stopped_by_call: bool,
    /// The other side is gone.
    pub hung_up: bool,
    /// TIOCEXCL.
    pub exclusive: bool,
    /// Open files.
    pub opens: u32,
}

impl State {
    /// ICANON.
    pub fn canonical(&self) -> bool {
        self.termios.local(ICANON)
    }

    /// Bytes that can be received now. With a line that is full but not ended all is taken, and all but a line's end thrown away.
    pub fn input_room(&self) -> usize {
        if self.canonical() && self.committed == 0 {
            return INPUT_MAX;
        }
        INPUT_MAX.saturating_sub(self.input.len())
    }

    /// Bytes that a read could take (for FIONREAD).
    pub fn readable_bytes(&self) -> usize {
        if self.canonical() {
            let lines = self.input.iter().take(self.committed);
            lines.filter(|c| **c != END_OF_FILE).count()
        } else {
            self.input.len()
        }
    }

    /// Whether a read finds something. `least`: bytes wanted without ICANON.
    pub fn input_available(&self, least: usize) -> bool {
        if self.canonical() {
            self.committed > 0
        } else {
            self.input.len() >= least.max(1)
        }
    }

    /// Throws away input.
    pub fn discard_input(&mut self) {
        self.input.clear();
        self.committed = 0;
        self.literal = false;
        self.erasing = false;
    }

    /// Takes new attributes; what was received so far is readable after a change of ICANON.
    pub fn set_termios(&mut self, new: Termios, effects: &mut Effects) {
        let old = core::mem::replace(&mut self.termios, new);
        if (old.lflag ^ new.lflag) & ICANON != 0 {
            self.literal = false;
            if self.canonical() && !self.input.is_empty() {
                // What is there becomes a line of its own, without a line end to remove.
                self.committed = self.input.len();
                if let Some(last) = self.input.back_mut() {
                    *last |= LINE_END;
                }
            } else {
                self.committed = 0;
                for element in &mut self.input {
                    // End-of-file marks read as NUL, as on Linux.
                    *element &= 0xff;
                }
            }
            effects.input = true;
        }
        if self.stopped && !self.stopped_by_call && old.input(IXON) && !new.input(IXON) {
            self.start(effects);
        }
        let flow = |t: &Termios| t.input(IXON) && t.is(VSTOP, 0o23) && t.is(VSTART, 0o21);
        match (flow(&old), flow(&new)) {
            (true, false) => effects.packet |= TIOCPKT_NOSTOP as u8,
            (false, true) => effects.packet |= TIOCPKT_DOSTOP as u8,
            _ => {}
        }
    }

    /// Stops output.
    pub fn stop(&mut self, effects: &mut Effects) {
        if !self.stopped {
            self.stopped = true;
            effects.packet = effects.packet & !(TIOCPKT_START as u8) | TIOCPKT_STOP as u8;
        }
    }

    /// Lets output go on.
    pub fn start(&mut self, effects: &mut Effects) {
        if self.stopped && !self.stopped_by_call {
            self.stopped = false;
            effects.packet = effects.packet & !(TIOCPKT_STOP as u8) | TIOCPKT_START as u8;
            effects.output = true;
        }
    }

    /// Hands the other side what output waits.
    pub fn flush(&mut self, backend: &dyn TtyBackend, effects: &mut Effects) {
        if effects.discard {
            // A signal character voided it; the echo of that character comes after.
            backend.discard_output();
            effects.discard = false;
        }
        while !self.out.is_empty() && !self.stopped {
            let (first, _) = self.out.as_slices();
            match backend.write(first) {
                Ok(0) => break,
                Ok(n) => {
                    self.out.drain(..n.min(self.out.len()));
                    effects.output = true;
                }
                Err(_) => {
                    self.out.clear();
                    break;
                }
            }
        }
    }
}

impl State {
    /// Puts a byte before all other output (NUL: a disabled character, nothing).
    pub fn send_now(&mut self, c: u8) {
        if c != 0 {
            self.out.push_front(c);
        }
    }
}

impl State {
    /// Takes up to `room` bytes: of one line, or of what is there; whether the read ends with that.
    pub fn take(&mut self, room: usize) -> (Vec<u8>, bool) {
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
