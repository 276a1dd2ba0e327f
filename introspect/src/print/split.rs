//! A text for each thread, as `strace -ff -o FILE` writes them.

use super::{Options, Sink, strace::StraceSink};
use crate::event::{Event, EventKind};
use std::{
    collections::HashMap,
    io::{self, Write},
};

/// Opens the output of a thread.
pub type Opener = Box<dyn FnMut(i32) -> io::Result<Box<dyn Write + Send>> + Send>;

/// Prints strace's text, each thread's to an output of its own.
pub struct SplitSink {
    options: Options,
    open: Opener,
    sinks: HashMap<i32, StraceSink>,
}

impl SplitSink {
    /// `open` is called when a thread is first heard of.
    pub fn new(options: Options, open: Opener) -> SplitSink {
        SplitSink {
            options,
            open,
            sinks: HashMap::new(),
        }
    }

    fn sink(&mut self, tid: i32) -> io::Result<&mut StraceSink> {
        let entry = match self.sinks.entry(tid) {
            std::collections::hash_map::Entry::Occupied(entry) => return Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => entry,
        };
        let writer = (self.open)(tid)?;
        Ok(entry.insert(StraceSink::new(self.options, writer)))
    }
}

impl Sink for SplitSink {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if event.tid == 0 {
            // About the stream, not about a thread.
            for sink in self.sinks.values_mut() {
                sink.event(event)?;
            }
            return Ok(());
        }
        self.sink(event.tid)?.event(event)?;
        match event.kind {
            EventKind::Fork { child_tid, .. } => {
                self.sink(child_tid)?;
            }
            EventKind::Exit(_) => {
                if let Some(mut sink) = self.sinks.remove(&event.tid) {
                    sink.finish()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sinks.values_mut().try_for_each(StraceSink::flush)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.sinks.values_mut().try_for_each(StraceSink::finish)
    }
}
