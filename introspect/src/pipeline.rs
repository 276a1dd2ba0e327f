//! From drained bytes to output, in one object: what the VMM holds.

use crate::{
    decoder::Decoder,
    event::{Event, EventKind},
    print::{Options, Sink, json::JsonSink, strace::StraceSink},
    record::Records,
};
use std::io::{self, Write};

/// Forms of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// strace's text.
    #[default]
    Strace,
    /// JSON lines.
    Json,
}

/// Decides whether an event is printed. It is asked about each, in order.
pub type Select = Box<dyn FnMut(&Event) -> bool + Send>;

/// A decoder and its sinks.
pub struct Pipeline {
    decoder: Decoder,
    sinks: Vec<Box<dyn Sink>>,
    /// Decides which events are printed; `None`: all.
    select: Option<Select>,
    /// Dropped records that the stream itself has told of.
    told_drops: u64,
}

impl Pipeline {
    /// A pipeline that prints to `writer`.
    pub fn new(format: Format, options: Options, writer: Box<dyn Write + Send>) -> Pipeline {
        let sink: Box<dyn Sink> = match format {
            Format::Strace => Box::new(StraceSink::new(options, writer)),
            Format::Json => Box::new(JsonSink::new(options, writer)),
        };
        Pipeline {
            decoder: Decoder::new(),
            sinks: vec![sink],
            select: None,
            told_drops: 0,
        }
    }

    /// Prints only what `select` says; what is lost or corrupt is always told.
    pub fn select(&mut self, select: Select) {
        self.select = Some(select);
    }

    /// Adds another sink.
    pub fn add(&mut self, sink: Box<dyn Sink>) {
        self.sinks.push(sink);
    }

    /// Takes bytes that were drained from the ring: whole records. What they make is written out before it returns.
    pub fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        for record in Records::new(bytes) {
            let event = match &record {
                Ok(record) => self.decoder.decode(record),
                Err(why) => self.decoder.corrupt(*why),
            };
            if let EventKind::Drops { count, .. } = event.kind {
                self.told_drops = self.told_drops.saturating_add(count);
            }
            let wanted = self.select.as_mut().is_none_or(|select| select(event));
            let always = matches!(event.kind, EventKind::Drops { .. } | EventKind::Corrupt(_));
            for sink in &mut self.sinks {
                if wanted || always {
                    sink.event(event)?;
                } else {
                    sink.skipped(event);
                }
            }
        }
        for sink in &mut self.sinks {
            sink.flush()?;
        }
        Ok(())
    }

    /// The stream has ended; `dropped` records in all found no room in the ring.
    pub fn finish(&mut self, dropped: u64) -> io::Result<()> {
        let untold = dropped.saturating_sub(self.told_drops);
        if untold > 0 {
            let event = self.decoder.lost(untold);
            for sink in &mut self.sinks {
                sink.event(event)?;
            }
        }
        for sink in &mut self.sinks {
            sink.finish()?;
        }
        Ok(())
    }
}
