//! The VMM's own messages: `vitrine: …` lines on standard error, through `tracing`.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// Whether the terminal leaves output as it is: a line feed doesn't return the carriage.
static RAW_TERMINAL: AtomicBool = AtomicBool::new(false);

/// Says whether the terminal leaves output as it is.
pub fn set_raw_terminal(raw: bool) {
    RAW_TERMINAL.store(raw, Ordering::Relaxed);
}

/// Whether the terminal leaves output as it is.
pub fn raw_terminal() -> bool {
    RAW_TERMINAL.load(Ordering::Relaxed)
}

/// Standard error, with carriage returns where the terminal needs them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let _way = crate::progress::make_way(buf);
        let mut stderr = io::stderr().lock();
        if raw_terminal() && buf.contains(&b'\n') {
            let mut text = Vec::with_capacity(buf.len() + 8);
            for &byte in buf {
                if byte == b'\n' {
                    text.push(b'\r');
                }
                text.push(byte);
            }
            stderr.write_all(&text)?;
        } else {
            stderr.write_all(buf)?;
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Stderr {
    type Writer = Stderr;

    fn make_writer(&self) -> Stderr {
        Stderr
    }
}

struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("vitrine: ")?;
        if *event.metadata().level() > Level::WARN {
            write!(writer, "{}: ", event.metadata().target())?;
        }
        context
            .field_format()
            .format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Starts logging: warnings and errors; with `verbose` 1 milestones, with more everything.
pub fn start(verbose: u8) {
    let level = match verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        _ => Level::DEBUG,
    };
    let started = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .event_format(Line)
        .with_writer(Stderr)
        .try_init();
    if started.is_err() {
        // A test's second sandbox in one process: the first one's choice stands.
        tracing::debug!("logging was already on");
    }
}

/// Text from the guest, safe to show on a terminal: control characters escaped.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for char in String::from_utf8_lossy(bytes).chars() {
        if char.is_control() {
            text.extend(char.escape_default());
        } else {
            text.push(char);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(printable(b"a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("ü".as_bytes()), "ü");
    }
}
