//! Those who follow a sandbox's events over the control socket: each with a decoder, a filter and a form of its own. They live on the ring's
//! thread; what they print goes to their client's [`Outbox`], which drops a slow client rather than wait for it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use vitrine_introspect::filter::Residual;
use vitrine_introspect::filter::expr::Expr;
use vitrine_introspect::print::Options;
use vitrine_introspect::record::whole_records;
use vitrine_introspect::{Format, Pipeline};

use super::outbox::Outbox;
use super::protocol::line;
use crate::ring::Sink;

struct Follower {
    client: u64,
    expr: Arc<Expr>,
    pipeline: Pipeline,
    outbox: Arc<Outbox>,
}

/// All of them.
#[derive(Default)]
pub struct Followers(Mutex<Vec<Follower>>);

impl Followers {
    fn lock(&self) -> MutexGuard<'_, Vec<Follower>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What they want to see.
    pub fn wanted(&self) -> Vec<Arc<Expr>> {
        let list = self.lock();
        list.iter().map(|one| Arc::clone(&one.expr)).collect()
    }

    /// Adds one.
    pub fn add(
        &self,
        client: u64,
        expr: Arc<Expr>,
        format: Format,
        options: Options,
        outbox: &Arc<Outbox>,
    ) {
        let writer = Lines {
            buffer: Vec::new(),
            events: format == Format::Json,
            outbox: Arc::clone(outbox),
        };
        let mut pipeline = Pipeline::new(format, options, Box::new(writer));
        let mut residual = Residual::new(Arc::clone(&expr), Vec::new());
        pipeline.only(Box::new(move |event| residual.accepts(event)));
        self.lock().push(Follower {
            client,
            expr,
            pipeline,
            outbox: Arc::clone(outbox),
        });
    }

    /// Removes a client's; whether there was one.
    pub fn remove(&self, client: u64) -> bool {
        let mut list = self.lock();
        let before = list.len();
        list.retain(|one| one.client != client);
        list.len() < before
    }

    fn feed(&self, bytes: &[u8]) {
        self.lock().retain_mut(|one| {
            // A failure is a closed outbox: the control thread removes its client.
            one.pipeline.feed(bytes).is_ok() && !one.outbox.is_closed()
        });
    }

    fn finish(&self, dropped: u64) {
        for mut one in self.lock().drain(..) {
            let _ = one.pipeline.finish(dropped);
        }
    }
}

/// Frames what a printer writes: an object an event, or pieces of text.
struct Lines {
    buffer: Vec<u8>,
    /// The printer writes JSON lines.
    events: bool,
    outbox: Arc<Outbox>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = std::mem::take(&mut self.buffer);
        let framed = if self.events {
            let mut framed = Vec::with_capacity(written.len() + written.len() / 8);
            for event in written.split(|&byte| byte == b'\n') {
                if !event.is_empty() {
                    framed.extend_from_slice(b"{\"event\":");
                    framed.extend_from_slice(event);
                    framed.extend_from_slice(b"}\n");
                }
            }
            framed
        } else {
            line(&json!({ "text": String::from_utf8_lossy(&written) }))
        };
        if self.outbox.push(framed) {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
}

/// The sink of the ring: the log, if there is one, and the followers.
pub struct FanOut {
    /// The log.
    pub log: Option<Box<dyn Sink>>,
    /// The followers.
    pub followers: Arc<Followers>,
}

impl Sink for FanOut {
    fn records(&mut self, bytes: &[u8]) -> usize {
        let whole = whole_records(bytes);
        let taken = match &mut self.log {
            Some(log) => log.records(bytes),
            None => whole,
        };
        self.followers
            .feed(bytes.get(..taken.min(whole)).unwrap_or_default());
        taken
    }

    fn finish(&mut self, dropped: u64, corrupt: u64) {
        self.followers.finish(dropped);
        if let Some(log) = &mut self.log {
            log.finish(dropped, corrupt);
        }
    }
}
