//! Sinks: what becomes of events. [`strace`] prints strace's text, [`json`] JSON lines.

pub mod json;
pub mod strace;

use crate::{decode::Style, event::Event};
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

/// What stands before a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamps {
    /// Nothing.
    #[default]
    None,
    /// Time of day (`-t`).
    Seconds,
    /// Time of day with microseconds (`-tt`).
    Micros,
    /// Seconds since the epoch with microseconds (`-ttt`).
    Epoch,
    /// Seconds since the line before (`-r`).
    Relative,
}

/// How events are printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Strings, structures and descriptors (`-s`, `-v`, `-y`).
    pub style: Style,
    /// Process ids.
    pub pid_prefix: PidPrefix,
    /// Times.
    pub timestamps: Timestamps,
    /// Duration of each call (`-T`).
    pub durations: bool,
    /// Seconds that local time is ahead of UTC, for times of day.
    pub utc_offset: i32,
}
