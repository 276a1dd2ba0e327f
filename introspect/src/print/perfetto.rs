//! A trace in the Trace Event Format (JSON), which ui.perfetto.dev and chrome://tracing open: a track a process and thread, a slice a call,
//! an instant a signal or end, an arrow from each fork to the child's first slice.

use super::{Options, Sink, json, strace};
use crate::{
    decode::{args, notation, put, ret, signals, text},
    event::{Event, EventKind, ExitEvent, Phase, SyscallEvent},
};
use std::{
    collections::HashMap,
    io::{self, Write},
    sync::Arc,
};
use vitrine_abi::{event::SignalBody, syscall::ArgKind};

/// The buffer is written out beyond this size.
const BUFFER: usize = 64 << 10;
/// Most threads that are remembered.
const MAX_THREADS: usize = 1 << 16;

/// A sink that prints a trace for Perfetto.
pub struct PerfettoSink {
    writer: Box<dyn Write + Send>,
    options: Options,
    out: Vec<u8>,
    scratch: Vec<u8>,
    started: bool,
    threads: HashMap<i32, Thread>,
    flows: u64,
}

#[derive(Default)]
struct Thread {
    comm: Arc<[u8]>,
    /// A call that has begun: its start and name.
    pending: Option<(u64, String)>,
    /// The arrow that ends at the thread's first event.
    flow: Option<u64>,
}

impl PerfettoSink {
    /// Prints to `writer`.
    pub fn new(options: Options, writer: Box<dyn Write + Send>) -> PerfettoSink {
        PerfettoSink {
            writer,
            options,
            out: Vec::new(),
            scratch: Vec::new(),
            started: false,
            threads: HashMap::new(),
            flows: 0,
        }
    }

    /// Begins an entry: phase, time and track.
    fn entry(&mut self, phase: char, ns: u64, pid: i32, tid: i32) {
        let first = !self.started;
        self.started = true;
        let start = if first {
            "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
        } else {
            ",\n"
        };
        put(&mut self.out, start);
        let _ = write!(
            self.out,
            "{{\"ph\":\"{phase}\",\"ts\":{}.{:03},\"pid\":{pid},\"tid\":{tid}",
            ns / 1000,
            ns % 1000
        );
    }

    fn name(&mut self, name: &[u8]) {
        put(&mut self.out, ",\"name\":");
        json::bytes(&mut self.out, name);
    }

    /// Names the tracks whenever a thread is new or has another name.
    fn tracks(&mut self, event: &Event) {
        if self.threads.len() >= MAX_THREADS {
            self.threads.clear();
        }
        let known = self.threads.get(&event.tid);
        if known.is_none_or(|thread| thread.comm != event.comm) {
            // A process whose first thread isn't watched bears the name of the one that is.
            let leads = event.pid == event.tid || !self.threads.contains_key(&event.pid);
            self.threads.entry(event.tid).or_default().comm = event.comm.clone();
            for what in ["process_name", "thread_name"] {
                if what == "process_name" && !leads {
                    continue;
                }
                self.entry('M', event.time_ns, event.pid, event.tid);
                self.name(what.as_bytes());
                put(&mut self.out, ",\"args\":{\"name\":");
                json::bytes(&mut self.out, &event.comm);
                put(&mut self.out, "}}");
            }
        }
    }

    /// Ends the arrow from a thread's parent at its first slice.
    fn arrive(&mut self, event: &Event, ns: u64) {
        let thread = self.threads.get_mut(&event.tid);
        if let Some(flow) = thread.and_then(|thread| thread.flow.take()) {
            self.entry('f', ns, event.pid, event.tid);
            let _ = write!(
                self.out,
                ",\"bp\":\"e\",\"cat\":\"fork\",\"name\":\"fork\",\"id\":{flow}}}"
            );
        }
    }

    fn slice(&mut self, event: &Event, start_ns: u64, duration_ns: u64, name: &str) {
        self.arrive(event, start_ns);
        self.entry('X', start_ns, event.pid, event.tid);
        let _ = write!(
            self.out,
            ",\"dur\":{}.{:03},\"cat\":\"syscall\"",
            duration_ns / 1000,
            duration_ns % 1000
        );
        self.name(name.as_bytes());
        put(&mut self.out, ",\"args\":{");
    }

    fn syscall(&mut self, event: &Event, call: &SyscallEvent) {
        let never_returns = call.call.is_some_and(|row| row.never_returns());
        let name = call.name().to_string();
        if call.phase == Phase::Enter && !never_returns {
            if let Some(thread) = self.threads.get_mut(&event.tid) {
                thread.pending = Some((call.start_ns, name));
            }
            return;
        }
        if let Some(thread) = self.threads.get_mut(&event.tid) {
            thread.pending = None;
        }
        if !self.options.status.shows(call) {
            return;
        }
        self.slice(event, call.start_ns, call.duration_ns, &name);
        for (index, arg) in call.call.map_or(&[][..], |row| row.args).iter().enumerate() {
            let kind = call.call.map(|row| row.kind(&call.args, index));
            if kind == Some(ArgKind::Unused) {
                continue;
            }
            self.scratch.clear();
            args::write(&mut self.scratch, call, index, &self.options.style);
            let _ = write!(self.out, "\"{}\":", arg.name);
            json::bytes(&mut self.out, &self.scratch);
            self.out.push(b',');
        }
        self.scratch.clear();
        ret::write(&mut self.scratch, call, &self.options.style);
        put(&mut self.out, "\"result\":");
        json::bytes(&mut self.out, &self.scratch);
        put(&mut self.out, "}}");
    }

    fn instant(&mut self, event: &Event, category: &str, name: &[u8], details: &[u8]) {
        self.entry('i', event.time_ns, event.pid, event.tid);
        let _ = write!(self.out, ",\"s\":\"t\",\"cat\":\"{category}\"");
        self.name(name);
        put(&mut self.out, ",\"args\":{\"details\":");
        json::bytes(&mut self.out, details);
        put(&mut self.out, "}}");
    }

    fn signal(&mut self, event: &Event, body: &SignalBody) {
        let (mut name, mut info) = (Vec::new(), Vec::new());
        signals::name(&mut name, body.signo);
        signals::info(&mut info, &strace::signal_info(body));
        self.instant(event, "signal", &name, &info);
    }

    fn fork(&mut self, event: &Event, child_pid: i32, child_tid: i32) {
        self.flows += 1;
        let flow = self.flows;
        self.entry('s', event.time_ns, event.pid, event.tid);
        let _ = write!(
            self.out,
            ",\"cat\":\"fork\",\"name\":\"fork\",\"id\":{flow},\"args\":{{\"child_pid\":{child_pid},\"child_tid\":{child_tid}}}}}"
        );
        self.threads.entry(child_tid).or_default().flow = Some(flow);
    }

    fn exit(&mut self, event: &Event, exit: &ExitEvent) {
        let thread = self.threads.remove(&event.tid);
        if let Some((start_ns, name)) = thread.and_then(|thread| thread.pending) {
            let duration = event.time_ns.saturating_sub(start_ns);
            self.slice(event, start_ns, duration, &name);
            put(&mut self.out, "\"result\":\"?\"}}");
        }
        let mut details = Vec::new();
        let status = exit.body.status;
        if status & 0x7f == 0 {
            put(&mut details, "exited with ");
            text::dec(&mut details, i64::from(status >> 8 & 0xff));
        } else {
            put(&mut details, "killed by ");
            signals::name(&mut details, status & 0x7f);
        }
        self.instant(event, "process", b"exit", &details);
    }

    fn write_out(&mut self) -> io::Result<()> {
        let result = self.writer.write_all(&self.out);
        self.out.clear();
        result
    }
}

impl Sink for PerfettoSink {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        notation::apply(self.options.style.notation);
        if event.tid != 0 && !matches!(event.kind, EventKind::Internal) {
            self.tracks(event);
        }
        match &event.kind {
            EventKind::Syscall(call) => self.syscall(event, call),
            EventKind::Signal(body) => self.signal(event, body),
            EventKind::Fork {
                child_pid,
                child_tid,
                ..
            } => self.fork(event, *child_pid, *child_tid),
            EventKind::Exit(exit) => self.exit(event, exit),
            EventKind::Change(change) => {
                let line = crate::change::line(change);
                self.instant(event, "process", change.name().as_bytes(), line.as_bytes());
            }
            EventKind::Exec(_) => self.instant(event, "process", b"exec", &event.exe.clone()),
            EventKind::Drops { count, .. } => {
                let details = format!("{count} events lost");
                self.instant(event, "vitrine", b"drops", details.as_bytes());
            }
            _ => {}
        }
        if self.out.len() >= BUFFER {
            self.write_out()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.writer.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        let start = if self.started {
            ""
        } else {
            "{\"traceEvents\":["
        };
        put(&mut self.out, start);
        put(&mut self.out, "\n]}\n");
        self.flush()
    }
}
