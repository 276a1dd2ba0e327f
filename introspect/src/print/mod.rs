//! Sinks: what becomes of events. [`strace`] prints strace's text ([`split`]: a file a process), [`json`] JSON lines, [`perfetto`] a trace for
//! ui.perfetto.dev, [`summary`] a table of counts and times.

mod dump;
pub mod json;
pub mod perfetto;
pub mod split;
pub mod strace;
pub mod summary;

use crate::{
    decode::{Style, text},
    event::Event,
    select::{CallSet, DescriptorSet, StatusSet},
};
use std::io;

/// Something that takes events.
pub trait Sink: Send {
    /// Takes an event.
    fn event(&mut self, event: &Event) -> io::Result<()>;
    /// Takes note of an event that isn't printed.
    fn skipped(&mut self, _event: &Event) {}
    /// Lets go of what is buffered: called when no more events are at hand.
    fn flush(&mut self) -> io::Result<()>;
    /// The stream has ended.
    fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }
}

/// Which thread a line belongs to, and how that is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PidPrefix {
    /// Not at all.
    #[default]
    Never,
    /// `[pid  1234] `, once there are several (strace -f to a terminal).
    Several,
    /// `1234  ` always (strace -f -o FILE).
    Always,
}

/// How exactly a time is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Whole seconds.
    Seconds,
    /// Three digits.
    Millis,
    /// Six digits.
    #[default]
    Micros,
    /// Nine digits.
    Nanos,
}

impl Precision {
    /// Digits behind the point, and nanoseconds of the last one.
    fn digits(self) -> (usize, u64) {
        match self {
            Precision::Seconds => (0, 1_000_000_000),
            Precision::Millis => (3, 1_000_000),
            Precision::Micros => (6, 1000),
            Precision::Nanos => (9, 1),
        }
    }

    /// Appends the part of `ns` behind the point, and the point.
    pub fn fraction(self, out: &mut Vec<u8>, ns: u64) {
        let (digits, unit) = self.digits();
        if digits > 0 {
            out.push(b'.');
            text::padded(out, ns % 1_000_000_000 / unit, digits);
        }
    }
}

/// What stands before a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamps {
    /// Nothing.
    #[default]
    None,
    /// Time of day (`-t`, `-tt`).
    Time(Precision),
    /// Seconds since the epoch (`-ttt`).
    Epoch(Precision),
}

/// Which messages about processes are left out (`-q`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// That a process is followed from now on.
    pub attach: bool,
    /// How a process ended.
    pub exit: bool,
    /// That another thread's execve replaces one.
    pub thread_execve: bool,
}

/// How events are printed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Strings, structures and descriptors (`-s`, `-v`, `-y`).
    pub style: Style,
    /// Process ids.
    pub pid_prefix: PidPrefix,
    /// Whether thread names stand beside their ids (`-Y`).
    pub comm: bool,
    /// Times.
    pub timestamps: Timestamps,
    /// Seconds since the line before (`-r`).
    pub relative: Option<Precision>,
    /// Duration of each call (`-T`).
    pub durations: Option<Precision>,
    /// Column at which results stand (`-a`).
    pub column: usize,
    /// Call numbers (`-n`).
    pub numbers: bool,
    /// Addresses of calls (`-i`).
    pub instruction_pointer: bool,
    /// Whether new processes are announced (strace -f).
    pub announce: bool,
    /// Messages left out.
    pub quiet: Quiet,
    /// Calls whose arguments aren't decoded (`-e raw=`).
    pub raw: CallSet,
    /// Calls whose structures are cut (`-e abbrev=`); none if [`Style::abbreviate`] is off.
    pub abbreviated: CallSet,
    /// Calls whose structures are shown (`-e verbose=`).
    pub verbose: CallSet,
    /// Descriptors whose input is dumped (`-e read=`).
    pub dump_read: DescriptorSet,
    /// Descriptors whose output is dumped (`-e write=`).
    pub dump_write: DescriptorSet,
    /// Signals by which an end is told, bit `n - 1` for signal `n` (`-e signal=`).
    pub signals: u64,
    /// Calls that are printed, by how they ended (`-e status=`).
    pub status: StatusSet,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            style: Style::default(),
            pid_prefix: PidPrefix::default(),
            comm: false,
            timestamps: Timestamps::default(),
            relative: None,
            durations: None,
            column: 40,
            numbers: false,
            instruction_pointer: false,
            announce: false,
            quiet: Quiet::default(),
            raw: CallSet::NONE,
            abbreviated: CallSet::ALL,
            verbose: CallSet::ALL,
            dump_read: DescriptorSet::default(),
            dump_write: DescriptorSet::default(),
            signals: u64::MAX,
            status: StatusSet::ALL,
        }
    }
}
