//! Output processing (c_oflag) and echo.

use super::state::{ECHO_MAX, State};
use alloc::vec::Vec;
use linux_raw_sys::general::*;

/// Whether `c` is a control character.
pub fn is_control(c: u8) -> bool {
    c < 0x20 || c == 0x7f
}

/// Whether `c` continues a UTF-8 sequence.
pub fn is_continuation(c: u8) -> bool {
    c & 0xc0 == 0x80
}

/// Upper case of an ASCII or Latin-1 letter, as Linux's table has it.
fn to_upper(c: u8) -> u8 {
    match c {
        b'a'..=b'z' | 0xdf..=0xf6 | 0xf8..=0xff => c - 0x20,
        _ => c,
    }
}

impl State {
    /// Appends `data` to `out`, processed as c_oflag says.
    pub fn process(&mut self, data: &[u8], out: &mut Vec<u8>) {
        if !self.termios.output(OPOST) {
            out.extend_from_slice(data);
            return;
        }
        let plain_case = !self.termios.output(OLCUC);
        let mut rest = data;
        while !rest.is_empty() {
            // Runs of printable ASCII go as they are.
            let run = rest.iter().take_while(|c| matches!(c, 0x20..0x7f)).count();
            if run > 0 && plain_case {
                out.extend_from_slice(&rest[..run]);
                self.column = self.column.wrapping_add(run);
                rest = &rest[run..];
            } else if let Some((c, after)) = rest.split_first() {
                self.process_byte(*c, &mut |byte| out.push(byte));
                rest = after;
            }
        }
    }

    fn process_byte(&mut self, c: u8, put: &mut dyn FnMut(u8)) {
        let on = |flag| self.termios.output(flag);
        match c {
            b'\n' => {
                if on(ONLRET) {
                    self.column = 0;
                }
                if on(ONLCR) {
                    self.column = 0;
                    put(b'\r');
                }
                self.line_column = self.column;
                put(b'\n');
            }
            b'\r' => {
                if on(ONOCR) && self.column == 0 {
                    return;
                }
                if on(OCRNL) {
                    if on(ONLRET) {
                        self.column = 0;
                        self.line_column = 0;
                    }
                    put(b'\n');
                } else {
                    self.column = 0;
                    self.line_column = 0;
                    put(b'\r');
                }
            }
            b'\t' => {
                let spaces = 8 - (self.column & 7);
                self.column = self.column.wrapping_add(spaces);
                if self.termios.oflag & TABDLY == XTABS {
                    for _ in 0..spaces {
                        put(b' ');
                    }
                } else {
                    put(b'\t');
                }
            }
            8 => {
                self.column = self.column.saturating_sub(1);
                put(c);
            }
            _ => {
                let mut c = c;
                if !is_control(c) {
                    if on(OLCUC) {
                        c = to_upper(c);
                    }
                    if !(self.termios.input(IUTF8) && is_continuation(c)) {
                        self.column = self.column.wrapping_add(1);
                    }
                }
                put(c);
            }
        }
    }

    /// Echoes a byte as output.
    pub fn echo_raw(&mut self, c: u8) {
        if self.out.len() >= ECHO_MAX {
            return;
        }
        if c == 0xff {
            // Linux's echo buffer uses this byte as a mark, and puts it out as it is.
            self.echo_byte(c, 1);
            return;
        }
        if !self.termios.output(OPOST) {
            self.out.push_back(c);
            return;
        }
        let mut out = core::mem::take(&mut self.out);
        self.process_byte(c, &mut |byte| out.push_back(byte));
        self.out = out;
    }

    /// Echoes a byte that isn't processed; the cursor moves by `columns`.
    fn echo_byte(&mut self, c: u8, columns: isize) {
        if self.out.len() < ECHO_MAX {
            self.out.push_back(c);
            self.column = self.column.saturating_add_signed(columns);
        }
    }

    /// Echoes a byte, control characters as `^X` with ECHOCTL.
    pub fn echo(&mut self, c: u8) {
        if self.termios.local(ECHOCTL) && is_control(c) && c != b'\t' {
            self.echo_byte(b'^', 1);
            self.echo_byte(c ^ 0x40, 1);
        } else {
            self.echo_raw(c);
        }
    }

    /// Moves the cursor back over a tab: `before` is the width of what stands before it since the last tab, or since the
    /// start of the line (then `from_line_start`, and the line's own start column counts).
    pub fn echo_erase_tab(&mut self, before: usize, from_line_start: bool) {
        let mut columns = before;
        if from_line_start {
            columns = columns.wrapping_add(self.line_column);
        }
        for _ in 0..8 - (columns & 7) {
            self.echo_byte(8, -1);
        }
    }
}
