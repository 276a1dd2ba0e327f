//! From drained bytes to output, in one object: what the VMM holds.

use crate::{
    decoder::Decoder,
    event::EventKind,
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

/// A decoder and its sinks.
pub struct Pipeline {
    decoder: Decoder,
    sinks: Vec<Box<dyn Sink>>,
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
            told_drops: 0,
        }
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
            for sink in &mut self.sinks {
                sink.event(event)?;
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
