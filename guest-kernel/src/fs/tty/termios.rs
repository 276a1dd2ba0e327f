//! Terminal attributes (termios(3)): the kernel's structures and their older and newer forms.

use linux_raw_sys::general::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct winsize`.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Winsize {
    /// Rows, in characters.
    pub rows: u16,
    /// Columns, in characters.
    pub cols: u16,
    /// Width in pixels.
    pub x_pixels: u16,
    /// Height in pixels.
    pub y_pixels: u16,
}

/// The kernel's `struct termios` (TCGETS).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Termios1 {
    /// Input modes.
    pub iflag: u32,
    /// Output modes.
    pub oflag: u32,
    /// Control modes.
    pub cflag: u32,
    /// Local modes.
    pub lflag: u32,
    /// Line discipline.
    pub line: u8,
    /// Special characters.
    pub cc: [u8; 19],
}

/// `struct termios2` (TCGETS2): with speeds as numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Termios {
    /// Input modes.
    pub iflag: u32,
    /// Output modes.
    pub oflag: u32,
    /// Control modes.
    pub cflag: u32,
    /// Local modes.
    pub lflag: u32,
    /// Line discipline.
    pub line: u8,
    /// Special characters.
    pub cc: [u8; 19],
    /// Input speed in bits a second.
    pub ispeed: u32,
    /// Output speed in bits a second.
    pub ospeed: u32,
}

/// `struct termio` (TCGETA), of System V.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Termio {
    /// Input modes.
    pub iflag: u16,
    /// Output modes.
    pub oflag: u16,
    /// Control modes.
    pub cflag: u16,
    /// Local modes.
    pub lflag: u16,
    /// Line discipline.
    pub line: u8,
    /// Special characters.
    pub cc: [u8; 8],
    /// Padding of the C structure.
    pub pad: u8,
}

/// Speeds by the number in c_cflag's CBAUD bits; those with CBAUDEX set follow.
const SPEEDS: [u32; 31] = [
    0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600,
    115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000,
    3000000, 3500000, 4000000,
];

/// The code of a speed in CBAUD (BOTHER, where no code stands for it).
fn speed_code(speed: u32) -> u32 {
    match SPEEDS.iter().position(|s| *s == speed) {
        Some(index) if index < 16 => index as u32,
        Some(index) => CBAUDEX | (index as u32 - 15),
        None => BOTHER,
    }
}

/// The speed of a code in CBAUD; `None`: BOTHER or no such code.
fn speed_of(code: u32) -> Option<u32> {
    let index = code & 0xf;
    if code & CBAUDEX == 0 {
        SPEEDS.get(index as usize).copied()
    } else if index == 0 {
        None
    } else {
        SPEEDS.get(index as usize + 15).copied()
    }
}

impl Default for Termios {
    fn default() -> Self {
        let mut cc = [0; 19];
        for (index, value) in [
            (VINTR, 3),
            (VQUIT, 0o34),
            (VERASE, 0o177),
            (VKILL, 0o25),
            (VEOF, 4),
            (VMIN, 1),
            (VSTART, 0o21),
            (VSTOP, 0o23),
            (VSUSP, 0o32),
            (VREPRINT, 0o22),
            (VDISCARD, 0o17),
            (VWERASE, 0o27),
            (VLNEXT, 0o26),
        ] {
            cc[index as usize] = value;
        }
        Termios {
            iflag: ICRNL | IXON,
            oflag: OPOST | ONLCR,
            cflag: B38400 | CS8 | CREAD,
            lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
            line: 0,
            cc,
            ispeed: 38400,
            ospeed: 38400,
        }
    }
}

impl Termios {
    /// Whether an input mode is set.
    pub fn input(&self, flag: u32) -> bool {
        self.iflag & flag != 0
    }

    /// Whether an output mode is set.
    pub fn output(&self, flag: u32) -> bool {
        self.oflag & flag != 0
    }

    /// Whether a local mode is set.
    pub fn local(&self, flag: u32) -> bool {
        self.lflag & flag != 0
    }

    /// Whether `c` is the special character `index` (NUL disables one).
    pub fn is(&self, index: u32, c: u8) -> bool {
        c != 0 && self.cc.get(index as usize) == Some(&c)
    }

    /// Special character `index`.
    pub fn char(&self, index: u32) -> u8 {
        self.cc.get(index as usize).copied().unwrap_or(0)
    }

    /// The TCGETS form.
    pub fn to_termios1(self) -> Termios1 {
        Termios1 {
            iflag: self.iflag,
            oflag: self.oflag,
            cflag: self.cflag,
            lflag: self.lflag,
            line: self.line,
            cc: self.cc,
        }
    }

    /// Takes the TCSETS form; the speeds follow from c_cflag.
    pub fn set_termios1(&mut self, new: &Termios1) {
        self.iflag = new.iflag;
        self.oflag = new.oflag;
        self.cflag = new.cflag;
        self.lflag = new.lflag;
        self.line = new.line;
        self.cc = new.cc;
        self.speeds_from_cflag();
    }

    /// The TCGETA form: lower halves.
    pub fn to_termio(self) -> Termio {
        let mut cc = [0; 8];
        cc.copy_from_slice(&self.cc[..8]);
        Termio {
            iflag: self.iflag as u16,
            oflag: self.oflag as u16,
            cflag: self.cflag as u16,
            lflag: self.lflag as u16,
            line: self.line,
            cc,
            pad: 0,
        }
    }

    /// Takes the TCSETA form: upper halves stay.
    pub fn set_termio(&mut self, new: &Termio) {
        let join = |old: u32, low: u16| old & 0xffff_0000 | u32::from(low);
        self.iflag = join(self.iflag, new.iflag);
        self.oflag = join(self.oflag, new.oflag);
        self.cflag = join(self.cflag, new.cflag);
        self.lflag = join(self.lflag, new.lflag);
        self.line = new.line;
        self.cc[..8].copy_from_slice(&new.cc);
        self.speeds_from_cflag();
    }

    fn speeds_from_cflag(&mut self) {
        if let Some(speed) = speed_of(self.cflag & CBAUD) {
            self.ospeed = speed;
        }
        let input = (self.cflag & CIBAUD) >> IBSHIFT;
        self.ispeed = match (input, speed_of(input)) {
            (0, _) => self.ospeed,
            (_, Some(speed)) => speed,
            (_, None) => self.ispeed,
        };
    }

    /// Takes the TCSETS2 form.
    pub fn set_termios2(&mut self, new: &Termios) {
        *self = *new;
        self.speeds_from_cflag();
        // A speed given as a number that has a code shows by its code afterwards.
        if self.cflag & CBAUD == BOTHER {
            self.cflag = self.cflag & !CBAUD | speed_code(self.ospeed);
        }
        if (self.cflag & CIBAUD) >> IBSHIFT == BOTHER {
            self.cflag = self.cflag & !CIBAUD | speed_code(self.ispeed) << IBSHIFT;
        }
    }
}
