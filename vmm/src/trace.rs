//! The sink of the event ring: `introspect`'s decoder and printer behind the ring reader's interface, writing to a file or standard error.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use vitrine_introspect::Pipeline;
use vitrine_introspect::record::whole_records;

use crate::ring::Sink;

/// Where a trace goes.
pub enum Output {
    /// A file, already open: the jail opens none later.
    File(File),
    /// Standard error, beside the workload's own.
    Stderr,
}

impl Output {
    /// A buffered writer to it.
    pub fn writer(self) -> Box<dyn Write + Send> {
        match self {
            Output::File(file) => Box::new(BufWriter::with_capacity(256 << 10, file)),
            Output::Stderr => Box::new(BufWriter::with_capacity(64 << 10, crate::log::Stderr)),
        }
    }
}

/// Decodes and prints records.
pub struct TraceSink {
    pipeline: Pipeline,
    failed: bool,
}

impl TraceSink {
    /// A sink that feeds a pipeline.
    pub fn of(pipeline: Pipeline) -> TraceSink {
        TraceSink {
            pipeline,
            failed: false,
        }
    }

    /// Reports the first failure to write; the workload goes on without its trace.
    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result
            && !self.failed
        {
            self.failed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                tracing::error!("writing the trace: {error}; the rest of it is lost");
            }
        }
    }
}

impl Sink for TraceSink {
    fn records(&mut self, bytes: &[u8]) -> usize {
        let whole = whole_records(bytes);
        if !self.failed
            && let Some(records) = bytes.get(..whole)
        {
            let result = self.pipeline.feed(records);
            self.note(result);
        }
        whole
    }

    fn finish(&mut self, dropped: u64, corrupt: u64) {
        if !self.failed {
            let result = self.pipeline.finish(dropped);
            self.note(result);
        }
        if dropped > 0 {
            tracing::warn!(
                "{dropped} events were dropped because the event ring was full (--lossy)"
            );
        }
        if corrupt > 0 {
            tracing::warn!("{corrupt} bytes of the event ring could not be read");
        }
    }
}
