//! What the line discipline does with a received byte: special characters, editing, echo (c_iflag, c_lflag).

use super::{
    Effects,
    output::{is_continuation, is_control},
    state::{END_OF_FILE, INPUT_MAX, LINE_END, State},
};
use linux_raw_sys::general::*;

/// Which erasing character was typed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Erase {
    Character,
    Word,
    Line,
}

/// Whether `c` is a letter or digit for VWERASE: ASCII and Latin-1, as Linux's table has it.
fn is_alphanumeric(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c >= 0xc0 && c != 0xd7 && c != 0xf7
}

/// Lower case of an ASCII or Latin-1 letter.
fn to_lower(c: u8) -> u8 {
    match c {
        b'A'..=b'Z' | 0xc0..=0xd6 | 0xd8..=0xde => c + 0x20,
        _ => c,
    }
}

impl State {
    /// Takes bytes while there is room; how many.
    pub fn receive(&mut self, data: &[u8], effects: &mut Effects) -> usize {
        for (taken, &byte) in data.iter().enumerate() {
            if self.input_room() == 0 {
                return taken;
            }
            self.receive_byte(byte, effects);
        }
        data.len()
    }

    fn receive_byte(&mut self, byte: u8, effects: &mut Effects) {
        let t = self.termios;
        let mut c = byte;
        if t.input(ISTRIP) {
            c &= 0x7f;
        }
        if t.input(IUCLC) && t.local(IEXTEN) {
            c = to_lower(c);
        }
        if t.local(EXTPROC) {
            self.put(u16::from(c), effects);
            return;
        }
        if core::mem::take(&mut self.literal) {
            self.receive_plain(c, false, effects);
            return;
        }
        if t.input(IXON) && (t.is(VSTART, c) || t.is(VSTOP, c)) {
            if t.is(VSTART, c) {
                self.start(effects);
            } else {
                self.stop(effects);
            }
            return;
        }
        if t.local(ISIG) {
            for (index, signo) in [(VINTR, SIGINT), (VQUIT, SIGQUIT), (VSUSP, SIGTSTP)] {
                if t.is(index, c) {
                    self.receive_signal(c, signo, effects);
                    return;
                }
            }
        }
        if self.stopped && t.input(IXON) && t.input(IXANY) {
            self.start(effects);
        }
        let mut newline = false;
        if c == b'\r' {
            if t.input(IGNCR) {
                return;
            }
            if t.input(ICRNL) {
                c = b'\n';
                newline = true;
            }
        } else if c == b'\n' && t.input(INLCR) {
            c = b'\r';
        }
        if t.local(ICANON) && self.receive_editing(c, effects) {
            return;
        }
        self.receive_plain(c, newline, effects);
    }

    /// A byte without meaning: echoed and put. `newline`: it was made from a carriage return, and echoes as a new line even with ECHOCTL.
    fn receive_plain(&mut self, c: u8, newline: bool, effects: &mut Effects) {
        if self.termios.local(ECHO) {
            self.finish_erasing();
            if newline {
                self.echo_raw(b'\n');
            } else {
                self.mark_line_start();
                self.echo(c);
            }
        }
        if c == 0xff && self.termios.input(PARMRK) {
            self.put(0xff, effects);
        }
        self.put(u16::from(c), effects);
    }

    fn receive_signal(&mut self, c: u8, signo: u32, effects: &mut Effects) {
        effects.signals.push(signo);
        if !self.termios.local(NOFLSH) {
            self.out.clear();
            self.discard_input();
            effects.discard = true;
            effects.output = true;
            effects.packet |= (TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE) as u8;
        }
        if self.termios.input(IXON) {
            self.start(effects);
        }
        if self.termios.local(ECHO) {
            self.echo(c);
        }
    }

    /// The special characters of canonical mode; false: `c` is none of them.
    fn receive_editing(&mut self, c: u8, effects: &mut Effects) -> bool {
        let t = self.termios;
        let extended = t.local(IEXTEN);
        if t.is(VERASE, c) {
            self.erase(Erase::Character);
        } else if t.is(VKILL, c) {
            self.erase(Erase::Line);
        } else if t.is(VWERASE, c) && extended {
            self.erase(Erase::Word);
        } else if t.is(VLNEXT, c) && extended {
            self.literal = true;
            if t.local(ECHO) {
                self.finish_erasing();
                if t.local(ECHOCTL) {
                    self.echo_raw(b'^');
                    self.echo_raw(8);
                }
            }
        } else if t.is(VREPRINT, c) && t.local(ECHO) && extended {
            self.finish_erasing();
            self.echo(c);
            self.echo_raw(b'\n');
            for at in self.committed..self.input.len() {
                let byte = self.byte_at(at);
                self.echo(byte);
            }
        } else if c == b'\n' {
            if t.local(ECHO) || t.local(ECHONL) {
                self.echo_raw(b'\n');
            }
            self.end_line(u16::from(c) | LINE_END, effects);
        } else if t.is(VEOF, c) {
            self.end_line(END_OF_FILE, effects);
        } else if t.is(VEOL, c) || t.is(VEOL2, c) && extended {
            if t.local(ECHO) {
                self.mark_line_start();
                self.echo(c);
            }
            if c == 0xff && t.input(PARMRK) {
                self.put(0xff, effects);
            }
            self.end_line(u16::from(c) | LINE_END, effects);
        } else {
            return false;
        }
        true
    }

    fn end_line(&mut self, element: u16, effects: &mut Effects) {
        self.input.push_back(element);
        self.committed = self.input.len();
        effects.input = true;
    }

    fn put(&mut self, element: u16, effects: &mut Effects) {
        // One place is kept for the end of a line.
        if self.input.len() + 1 >= INPUT_MAX + usize::from(!self.canonical()) {
            return;
        }
        self.input.push_back(element);
        if !self.canonical() {
            effects.input = true;
        }
    }

    fn byte_at(&self, at: usize) -> u8 {
        self.input.get(at).map_or(0, |element| *element as u8)
    }

    /// Remembers the column at which the line starts, for erasing tabs.
    fn mark_line_start(&mut self) {
        if self.committed == self.input.len() {
            self.line_column = self.column;
        }
    }

    /// Ends a `\…/` of ECHOPRT.
    fn finish_erasing(&mut self) {
        if core::mem::take(&mut self.erasing) {
            self.echo_raw(b'/');
        }
    }

    fn erase(&mut self, what: Erase) {
        if self.input.len() <= self.committed {
            return;
        }
        let t = self.termios;
        if what == Erase::Line {
            if !t.local(ECHO) {
                self.input.truncate(self.committed);
                return;
            }
            if !t.local(ECHOK) || !t.local(ECHOKE) || !t.local(ECHOE) {
                self.input.truncate(self.committed);
                self.finish_erasing();
                self.echo(t.char(VKILL));
                // The kill character alone doesn't make the line look gone.
                if t.local(ECHOK) {
                    self.echo_raw(b'\n');
                }
                return;
            }
        }
        let mut in_word = false;
        while self.input.len() > self.committed {
            // A character is its lead byte and what continues it.
            let mut head = self.input.len() - 1;
            while t.input(IUTF8) && is_continuation(self.byte_at(head)) && head > self.committed {
                head -= 1;
            }
            let c = self.byte_at(head);
            if t.input(IUTF8) && is_continuation(c) {
                break;
            }
            if what == Erase::Word {
                if is_alphanumeric(c) || c == b'_' {
                    in_word = true;
                } else if in_word {
                    break;
                }
            }
            if t.local(ECHO) && t.local(ECHOPRT) {
                if !self.erasing {
                    self.echo_raw(b'\\');
                    self.erasing = true;
                }
                self.echo(c);
                for at in head + 1..self.input.len() {
                    let byte = self.byte_at(at);
                    self.echo_raw(byte);
                }
            }
            self.input.truncate(head);
            if t.local(ECHO) && !t.local(ECHOPRT) {
                if what == Erase::Character && !t.local(ECHOE) {
                    self.echo(t.char(VERASE));
                } else if c == b'\t' {
                    self.erase_tab();
                } else {
                    if is_control(c) && t.local(ECHOCTL) {
                        self.echo_back();
                    }
                    if !is_control(c) || t.local(ECHOCTL) {
                        self.echo_back();
                    }
                }
            }
            if what == Erase::Character {
                break;
            }
        }
        if self.input.len() == self.committed && t.local(ECHO) {
            self.finish_erasing();
        }
    }

    fn echo_back(&mut self) {
        self.echo_raw(8);
        self.echo_raw(b' ');
        self.echo_raw(8);
    }

    /// Moves back over a tab that was just taken from the line: how wide it was depends on what stands before it.
    fn erase_tab(&mut self) {
        let t = self.termios;
        let mut before = 0;
        let mut from_line_start = true;
        for at in (self.committed..self.input.len()).rev() {
            let c = self.byte_at(at);
            if c == b'\t' {
                from_line_start = false;
                break;
            }
            if is_control(c) {
                before += if t.local(ECHOCTL) { 2 } else { 0 };
            } else if !(t.input(IUTF8) && is_continuation(c)) {
                before += 1;
            }
        }
        self.echo_erase_tab(before, from_line_start);
    }
}
