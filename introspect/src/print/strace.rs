//! strace's text, as strace 6.1 prints it.
//!
//! A call that blocks is printed up to what is known; its line stays open, and ends with `<unfinished ...>` only if another
//! thread has something to say meanwhile, as strace does.

use super::{Options, PidPrefix, Sink, Timestamps, dump};
use crate::{
    decode::{Style, args, notation, put, ret, signals, text, zone},
    event::{Event, EventKind, ExitEvent, Phase, SyscallEvent},
    hits,
};
use std::{
    collections::{HashMap, HashSet},
    io::{self, Write},
};
use vitrine_abi::{event::SignalBody, nr, syscall::ArgKind};

/// The buffer is written out beyond this size.
const BUFFER: usize = 64 << 10;
/// Most threads that are counted.
const MAX_THREADS: usize = 1 << 16;
/// [`vitrine_abi::event::ExitBody::process_ended`] of a leader that another thread's execve replaces.
const REPLACED: u32 = 2;

/// A sink that prints strace's text.
pub struct StraceSink {
    writer: Box<dyn Write + Send>,
    options: Options,
    out: Vec<u8>,
    /// Where in `out` the current line starts; what of it was written out already.
    line_start: usize,
    line_written: usize,
    /// The thread whose line is open.
    open: Option<i32>,
    /// Calls that were begun: how many arguments are printed.
    begun: HashMap<i32, usize>,
    live: HashSet<i32>,
    last_ns: Option<u64>,
    /// The last call of each thread and where it was made, where lines begin with them.
    places: HashMap<i32, (u64, Option<u64>)>,
}

impl StraceSink {
    /// Prints to `writer`.
    pub fn new(options: Options, writer: Box<dyn Write + Send>) -> StraceSink {
        StraceSink {
            writer,
            options,
            out: Vec::new(),
            line_start: 0,
            line_written: 0,
            open: None,
            begun: HashMap::new(),
            live: HashSet::new(),
            last_ns: None,
            places: HashMap::new(),
        }
    }

    fn syscall(&mut self, event: &Event, call: &SyscallEvent) {
        let never_returns = call.call.is_some_and(|row| row.never_returns());
        if self.options.numbers || self.options.instruction_pointer {
            if self.places.len() >= MAX_THREADS {
                self.places.clear();
            }
            self.places.insert(event.tid, (call.nr, call.items.rip()));
        }
        if self.options.status.is_restricted() {
            return self.judged(event, call, never_returns);
        }
        match call.phase {
            Phase::Complete => self.whole(event, call),
            Phase::Enter if never_returns => self.whole(event, call),
            Phase::Enter => {
                self.leader(event);
                self.name(call);
                let printed = known_at_entry(call);
                self.arguments(call, 0, printed);
                if printed > 0 && visible(call, printed) {
                    put(&mut self.out, ", ");
                }
                self.begin(event.tid, printed);
                self.open = Some(event.tid);
            }
            Phase::Exit => {
                let printed = self.begun.remove(&event.tid).unwrap_or(0);
                self.resume(event, call.name());
                self.arguments(call, printed, usize::MAX);
                self.result(call);
            }
        }
    }

    fn whole(&mut self, event: &Event, call: &SyscallEvent) {
        self.leader(event);
        self.name(call);
        self.arguments(call, 0, usize::MAX);
        self.result(call);
    }

    fn begin(&mut self, tid: i32, printed: usize) {
        if self.begun.len() >= MAX_THREADS {
            self.begun.clear();
        }
        self.begun.insert(tid, printed);
    }

    /// A call that is printed as a whole or not at all, by how it ended.
    fn judged(&mut self, event: &Event, call: &SyscallEvent, never_returns: bool) {
        if call.phase == Phase::Enter && !never_returns {
            return self.begin(event.tid, 0);
        }
        self.begun.remove(&event.tid);
        if self.options.status.shows(call) {
            self.leader_at(event, event.time_ns.saturating_sub(call.start_ns));
            self.name(call);
            self.arguments(call, 0, usize::MAX);
            self.result(call);
        }
    }

    /// Goes on with the line of a call that was begun, on its own line if that is still open.
    fn resume(&mut self, event: &Event, name: impl std::fmt::Display) {
        if self.open == Some(event.tid) {
            self.open = None;
            return;
        }
        self.leader(event);
        let _ = write!(self.out, "<... {name} resumed>");
    }

    fn name(&mut self, call: &SyscallEvent) {
        match call.call {
            Some(row) => put(&mut self.out, row.name),
            None => {
                let _ = write!(self.out, "{}", call.name());
            }
        }
        self.out.push(b'(');
    }

    /// Prints arguments `from..to` (those that the call looks at).
    fn arguments(&mut self, call: &SyscallEvent, from: usize, to: usize) {
        let style = &Style {
            abbreviate: self.options.style.abbreviate && self.options.abbreviated.contains(call.nr),
            ..self.options.style
        };
        let raw = self.options.raw.contains(call.nr);
        let verbose = self.options.verbose.contains(call.nr);
        let out = &mut self.out;
        match call.nr as usize {
            _ if raw => {}
            nr::CLONE => return clone_arguments(out, call, from, to),
            nr::RT_SIGRETURN if from == 0 => {
                if let Some(set) = call.items.find(vitrine_abi::event::tag::STRUCT, 0, false) {
                    put(out, "{mask=");
                    signals::set(out, crate::decode::View(set.data).u64(0));
                    out.push(b'}');
                }
                return;
            }
            _ => {}
        }
        let mut first = from == 0 || from == known_at_entry(call) && visible(call, from);
        for index in from..to.min(argument_count(call)) {
            if !(raw || visible(call, index)) {
                continue;
            }
            if !first {
                put(out, ", ");
            }
            first = false;
            let value = call.args.get(index).copied().unwrap_or(0);
            if raw {
                text::hex(out, value);
            } else if !verbose && points_to_structure(call, index) {
                text::address(out, value);
            } else {
                args::write(out, call, index, style);
            }
        }
    }

    fn result(&mut self, call: &SyscallEvent) {
        put(&mut self.out, ") ");
        self.pad();
        put(&mut self.out, "= ");
        let raw = self.options.raw.contains(call.nr);
        match call.ret.filter(|_| raw && call.errno().is_none()) {
            Some(ret) if !call.call.is_some_and(|row| row.never_returns()) => {
                text::hex(&mut self.out, ret as u64);
            }
            _ => ret::write(&mut self.out, call, &self.options.style),
        }
        hits::note(&mut self.out, call);
        if let Some(precision) = self.options.durations.filter(|_| call.ret.is_some()) {
            put(&mut self.out, " <");
            text::udec(&mut self.out, call.duration_ns / 1_000_000_000);
            precision.fraction(&mut self.out, call.duration_ns);
            self.out.push(b'>');
        }
        self.end_line();
        if !(self.options.dump_read.is_empty() && self.options.dump_write.is_empty()) {
            dump::data(&mut self.out, call, &self.options);
            self.line_start = self.out.len();
        }
    }

    /// Fills up with blanks to the result's column.
    fn pad(&mut self) {
        let column = self.line_written + (self.out.len() - self.line_start);
        for _ in column..self.options.column {
            self.out.push(b' ');
        }
    }

    fn end_line(&mut self) {
        self.out.push(b'\n');
        self.line_start = self.out.len();
        self.line_written = 0;
    }

    /// Begins a line: ends an open one, prints process id, time and place.
    fn leader(&mut self, event: &Event) {
        self.leader_at(event, 0);
    }

    /// As [`Self::leader`], for something that was `ago` nanoseconds before the event.
    fn leader_at(&mut self, event: &Event, ago: u64) {
        self.close_line();
        let out = &mut self.out;
        let bracketed = self.options.pid_prefix == PidPrefix::Several && self.live.len() > 1;
        if bracketed {
            let _ = write!(out, "[pid {:5}", event.tid);
        } else if self.options.pid_prefix == PidPrefix::Always {
            let width = if self.options.comm { 0 } else { 5 };
            let _ = write!(out, "{:<width$}", event.tid);
        }
        if bracketed || self.options.pid_prefix == PidPrefix::Always {
            if self.options.comm {
                out.push(b'<');
                text::escaped(out, &event.comm);
                out.push(b'>');
            }
            put(out, if bracketed { "] " } else { " " });
        }
        self.timestamp(event.wall_ns.saturating_sub(ago));
        self.relative(event.time_ns.saturating_sub(ago));
        self.place(event);
    }

    fn close_line(&mut self) {
        if self.open.take().is_some() {
            put(&mut self.out, " <unfinished ...>");
            self.end_line();
        }
    }

    fn timestamp(&mut self, wall_ns: u64) {
        let out = &mut self.out;
        let seconds = wall_ns / 1_000_000_000;
        let precision = match self.options.timestamps {
            Timestamps::None => return,
            Timestamps::Time(precision) => {
                let offset = i64::from(zone::offset(seconds.cast_signed()));
                let local = seconds.saturating_add_signed(offset);
                text::clock(out, local % 86_400);
                precision
            }
            Timestamps::Epoch(precision) => {
                text::udec(out, seconds);
                precision
            }
        };
        precision.fraction(out, wall_ns);
        out.push(b' ');
    }

    fn relative(&mut self, time_ns: u64) {
        let Some(precision) = self.options.relative else {
            return;
        };
        let since = time_ns.saturating_sub(self.last_ns.unwrap_or(time_ns));
        self.last_ns = Some(time_ns);
        let beside_time = self.options.timestamps != Timestamps::None;
        put(&mut self.out, if beside_time { "(+" } else { "" });
        let _ = write!(self.out, "{:6}", since / 1_000_000_000);
        precision.fraction(&mut self.out, since);
        put(&mut self.out, if beside_time { ") " } else { " " });
    }

    /// Number and address of the thread's call.
    fn place(&mut self, event: &Event) {
        let (nr, rip) = self
            .places
            .get(&event.tid)
            .map_or((None, None), |(nr, rip)| (Some(*nr), *rip));
        if self.options.numbers {
            let _ = match nr {
                Some(nr) => write!(self.out, "[{nr:4}] "),
                None => write!(self.out, "[????] "),
            };
        }
        if self.options.instruction_pointer {
            let ended = matches!(event.kind, EventKind::Exit(_));
            let _ = match rip.filter(|_| !ended) {
                Some(rip) => write!(self.out, "[{rip:016x}] "),
                None => write!(self.out, "[????????????????] "),
            };
        }
    }

    /// Says that a process is followed from now on, as strace says it beside its output.
    fn announce(&mut self, tid: i32) {
        if self.options.announce && !self.options.quiet.attach {
            self.close_line();
            let _ = write!(self.out, "strace: Process {tid} attached");
            self.end_line();
        }
    }

    fn signal(&mut self, event: &Event, body: &SignalBody) {
        self.leader(event);
        put(&mut self.out, "--- ");
        signals::name(&mut self.out, body.signo);
        self.out.push(b' ');
        signals::info(&mut self.out, &signal_info(body));
        put(&mut self.out, " ---");
        self.end_line();
    }

    /// Ends the line of the call that a thread was in when it ended.
    fn cut_off(&mut self, event: &Event, exit: &ExitEvent) {
        let status_shown = self.options.status.shows_unfinished();
        if let Some(printed) = self.begun.remove(&event.tid).filter(|_| status_shown) {
            // Killed inside a call.
            let call = vitrine_abi::syscall::get(exit.in_call.unwrap_or(u64::MAX));
            self.resume(event, call.map_or("?", |row| row.name));
            // Something of it would have been known only afterwards.
            if printed < call.map_or(6, |row| row.args.len()) {
                put(&mut self.out, " <unfinished ...>");
            }
            put(&mut self.out, ") ");
            self.pad();
            put(&mut self.out, "= ?");
            self.end_line();
        }
    }

    fn exit(&mut self, event: &Event, exit: &ExitEvent) {
        let status = exit.body.status;
        self.cut_off(event, exit);
        if exit.body.process_ended == REPLACED {
            return;
        }
        let left_out = match (status & 0x7f).checked_sub(1) {
            Some(-1) | None => self.options.quiet.exit,
            Some(bit) => self.options.signals >> (bit & 63) & 1 == 0,
        };
        if left_out {
            self.forget(event.tid);
            return;
        }
        self.leader(event);
        put(&mut self.out, "+++ ");
        if status & 0x7f == 0 {
            put(&mut self.out, "exited with ");
            text::dec(&mut self.out, i64::from(status >> 8 & 0xff));
        } else {
            put(&mut self.out, "killed by ");
            signals::name(&mut self.out, status & 0x7f);
            if status & 0x80 != 0 {
                put(&mut self.out, " (core dumped)");
            }
        }
        put(&mut self.out, " +++");
        self.end_line();
        self.forget(event.tid);
    }

    fn forget(&mut self, tid: i32) {
        self.live.remove(&tid);
        self.places.remove(&tid);
    }

    /// Another thread than the leader called execve and takes its place.
    fn superseded(&mut self, event: &Event, caller: i32) {
        if !self.options.quiet.thread_execve {
            self.note(event, format_args!("superseded by execve in pid {caller}"));
        }
        if let Some(printed) = self.begun.remove(&caller) {
            self.begun.insert(event.tid, printed);
        }
        self.live.remove(&caller);
    }

    fn stop(&mut self, event: &Event, signo: i32) {
        self.leader(event);
        put(&mut self.out, "--- stopped by ");
        signals::name(&mut self.out, signo);
        put(&mut self.out, " ---");
        self.end_line();
    }

    fn note(&mut self, event: &Event, text: std::fmt::Arguments<'_>) {
        self.leader(event);
        let _ = write!(self.out, "+++ {text} +++");
        self.end_line();
    }

    fn note_change(&mut self, event: &Event, change: &crate::change::Change) {
        self.leader(event);
        put(&mut self.out, &crate::change::line(change));
        self.end_line();
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.line_written += self.out.len() - self.line_start;
        self.line_start = 0;
        let result = self.writer.write_all(&self.out);
        self.out.clear();
        result
    }
}

impl Sink for StraceSink {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        notation::apply(self.options.style.notation);
        if event.tid != 0 && self.live.len() < MAX_THREADS {
            self.live.insert(event.tid);
        }
        match &event.kind {
            EventKind::Syscall(call) => self.syscall(event, call),
            EventKind::Signal(body) => self.signal(event, body),
            EventKind::Exit(exit) => self.exit(event, exit),
            EventKind::Fork { child_tid, .. } => {
                self.live.insert(*child_tid);
                self.announce(*child_tid);
            }
            EventKind::Drops { count, .. } => {
                self.begun.clear();
                self.note(event, format_args!("{count} events lost"));
            }
            EventKind::Corrupt(why) => self.note(event, format_args!("corrupt: {why}")),
            EventKind::Stop { signo } => self.stop(event, *signo),
            EventKind::Exec(exec) => {
                if let Some(caller) = exec.old_tid {
                    self.superseded(event, caller);
                }
            }
            EventKind::Change(change) => self.note_change(event, change),
            // strace knows no such thing: the call stands in the log when it has run.
            EventKind::Park(_) | EventKind::Resume(_) => {}
            EventKind::Internal | EventKind::Unimplemented { .. } | EventKind::Comm => {}
        }
        if self.out.len() >= BUFFER {
            self.write_out()?;
        }
        Ok(())
    }

    fn skipped(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Fork { child_tid, .. } => {
                self.live.insert(*child_tid);
            }
            EventKind::Exit(exit) => {
                self.cut_off(event, exit);
                if exit.body.process_ended != REPLACED {
                    self.live.remove(&event.tid);
                }
            }
            _ => {}
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.write_out()?;
        }
        self.writer.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.close_line();
        self.flush()
    }
}

/// A signal record's fields.
pub(crate) fn signal_info(body: &SignalBody) -> signals::Info {
    signals::Info {
        signo: body.signo,
        code: body.code,
        errno: body.errno,
        pid: body.pid,
        uid: body.uid,
        status: body.status,
        addr: body.addr,
        value: body.value,
        utime: body.utime,
        stime: body.stime,
    }
}

/// A call as its line has it, without time or place; its result as far as there is one.
pub fn call_text(call: &SyscallEvent, style: &Style) -> Vec<u8> {
    let options = Options {
        style: *style,
        ..Options::default()
    };
    let mut sink = StraceSink::new(options, Box::new(io::sink()));
    notation::apply(style.notation);
    sink.name(call);
    sink.arguments(call, 0, argument_count(call));
    sink.out.push(b')');
    if call.ret.is_some() {
        put(&mut sink.out, " = ");
        ret::write(&mut sink.out, call, style);
    }
    sink.out
}

fn argument_count(call: &SyscallEvent) -> usize {
    call.call.map_or(6, |row| row.args.len())
}

fn visible(call: &SyscallEvent, index: usize) -> bool {
    match call.call {
        Some(row) => index < row.args.len() && row.kind(&call.args, index) != ArgKind::Unused,
        None => index < 6,
    }
}

/// Whether an argument is the address of a structure, which is shown only if asked for (`-e verbose=`).
fn points_to_structure(call: &SyscallEvent, index: usize) -> bool {
    call.call.is_some_and(|row| {
        matches!(
            row.kind(&call.args, index),
            ArgKind::Struct(..)
                | ArgKind::Structs(..)
                | ArgKind::IoVec(..)
                | ArgKind::SockAddr(..)
                | ArgKind::StrArray
                | ArgKind::EnvArray
                | ArgKind::FdSet(_)
                | ArgKind::CpuSet(..)
        )
    })
}

/// How many arguments are known before the call has run: all up to the first one that it fills in.
fn known_at_entry(call: &SyscallEvent) -> usize {
    let count = argument_count(call);
    (0..count)
        .find(|index| args::is_out(call, *index))
        .unwrap_or(count)
}

/// clone's arguments in strace's order, with its names.
fn clone_arguments(out: &mut Vec<u8>, call: &SyscallEvent, from: usize, to: usize) {
    const CLONE_PARENT_SETTID: u64 = 0x0010_0000;
    const CLONE_SETTLS: u64 = 0x0008_0000;
    const CLONE_CHILD: u64 = 0x0120_0000;
    let flags = call.args[0];
    if from == 0 {
        put(out, "child_stack=");
        text::address(out, call.args[1]);
        put(out, ", flags=");
        args::write(out, call, 0, &crate::decode::Style::default());
    }
    if to != usize::MAX {
        return;
    }
    if flags & CLONE_PARENT_SETTID != 0 {
        put(out, ", parent_tid=");
        match call.ret.filter(|_| call.succeeded()) {
            // What the kernel stored is what it returned.
            Some(child) => {
                out.push(b'[');
                text::dec(out, child);
                out.push(b']');
            }
            None => text::address(out, call.args[2]),
        }
    }
    if flags & CLONE_SETTLS != 0 {
        put(out, ", tls=");
        text::address(out, call.args[4]);
    }
    if flags & CLONE_CHILD != 0 {
        put(out, ", child_tidptr=");
        text::address(out, call.args[3]);
    }
}
