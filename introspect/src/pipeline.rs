//! From drained bytes to output, in one object: what the VMM holds.

use crate::{
    decoder::Decoder,
    event::{Event, EventKind},
    executable::Identity,
    print::{Options, Sink, json::JsonSink, perfetto::PerfettoSink, strace::StraceSink},
    record::Records,
    select::Selection,
};
use std::{
    io::{self, Write},
    sync::Arc,
};

/// Forms of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// strace's text.
    #[default]
    Strace,
    /// JSON lines.
    Json,
    /// A trace that ui.perfetto.dev opens.
    Perfetto,
}

/// Decides whether an event is printed. It is asked about each, in order.
pub type Only = Box<dyn FnMut(&Event) -> bool + Send>;

/// Finds out what the file of an exec event is.
pub type Identify = Box<dyn FnMut(&Event) -> Option<Arc<Identity>> + Send>;

/// A decoder and its sinks.
pub struct Pipeline {
    decoder: Decoder,
    selection: Selection,
    sinks: Vec<Box<dyn Sink>>,
    /// Decides which events are printed; `None`: all.
    only: Option<Only>,
    /// Asked about each exec; `None`: nobody wants to know.
    identify: Option<Identify>,
    /// Dropped records that the stream itself has told of.
    told_drops: u64,
}

impl Pipeline {
    /// A pipeline that prints to `writer`.
    pub fn new(format: Format, options: Options, writer: Box<dyn Write + Send>) -> Pipeline {
        let sink: Box<dyn Sink> = match format {
            Format::Strace => Box::new(StraceSink::new(options, writer)),
            Format::Json => Box::new(JsonSink::new(options, writer)),
            Format::Perfetto => Box::new(PerfettoSink::new(options, writer)),
        };
        Pipeline::with_sinks(vec![sink])
    }

    /// A pipeline that feeds these.
    pub fn with_sinks(sinks: Vec<Box<dyn Sink>>) -> Pipeline {
        Pipeline {
            decoder: Decoder::new(),
            selection: Selection::default(),
            sinks,
            only: None,
            identify: None,
            told_drops: 0,
        }
    }

    /// Shows the sinks only what is selected.
    pub fn select(&mut self, selection: Selection) {
        self.selection = selection;
    }

    /// Prints only what `only` says; what is lost or corrupt, and that other rules are in force, is always told.
    pub fn only(&mut self, only: Only) {
        self.only = Some(only);
    }

    /// Lets exec events tell what their files are.
    pub fn identify(&mut self, identify: Identify) {
        self.identify = Some(identify);
    }

    /// Adds another sink.
    pub fn add(&mut self, sink: Box<dyn Sink>) {
        self.sinks.push(sink);
    }

    /// Takes bytes that were drained from the ring: whole records. What they make is written out before it returns.
    pub fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        for record in Records::new(bytes) {
            let mut event = match &record {
                Ok(record) => self.decoder.decode(record),
                Err(why) => self.decoder.corrupt(*why),
            };
            if let EventKind::Drops { count, .. } = event.kind {
                self.told_drops = self.told_drops.saturating_add(count);
            }
            if !self.selection.admits(event) {
                continue;
            }
            let wanted = self.only.as_mut().is_none_or(|only| only(event));
            if wanted
                && let (EventKind::Exec(_), Some(identify)) = (&event.kind, &mut self.identify)
            {
                let found = identify(event);
                event = self.decoder.identified(found);
            }
            let always = matches!(
                event.kind,
                EventKind::Drops { .. } | EventKind::Corrupt(_) | EventKind::Config(_)
            );
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
