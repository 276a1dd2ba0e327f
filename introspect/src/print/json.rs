//! JSON lines: one object an event.
//!
//! Paths and buffers are bytes: valid UTF-8 stands as it is, another byte is `\xNN`, and a backslash is `\\` (each of them once more
//! escaped by JSON itself), so that the bytes can be had back. `text` is what strace prints.
//!
//! Written by hand into one buffer: a serializer would allocate for every field.

use super::{Options, Sink, strace};
use crate::{
    decode::{args, errno, names, notation, put, signals, text},
    event::{
        Captured, ConfigEvent, Event, EventKind, ExecEvent, ExitEvent, FdInfo, ParkEvent, Phase,
        ResumeEvent, Strings, SyscallEvent,
    },
    executable::file_json,
    hits,
};
use std::io::{self, Write};
use vitrine_abi::{
    event::{ARG_RESULT, SignalBody, tag},
    stop::REGISTERS,
    syscall::{ArgKind, RetKind},
};

/// The buffer is written out beyond this size.
const BUFFER: usize = 64 << 10;

/// A sink that prints JSON lines.
pub struct JsonSink {
    writer: Box<dyn Write + Send>,
    options: Options,
    out: Vec<u8>,
    scratch: Vec<u8>,
}

impl JsonSink {
    /// Prints to `writer`.
    pub fn new(options: Options, writer: Box<dyn Write + Send>) -> JsonSink {
        JsonSink {
            writer,
            options,
            out: Vec::with_capacity(BUFFER + 4096),
            scratch: Vec::new(),
        }
    }

    fn head(&mut self, event: &Event, kind: &str) {
        let out = &mut self.out;
        put(out, "{\"seq\":");
        text::udec(out, event.seq);
        unsigned(out, "time_ns", event.time_ns);
        unsigned(out, "wall_ns", event.wall_ns);
        put(out, ",\"type\":\"");
        put(out, kind);
        out.push(b'"');
        unsigned(out, "vcpu", event.vcpu.into());
        signed(out, "pid", event.pid.into());
        signed(out, "tid", event.tid.into());
        signed(out, "ppid", event.ppid.into());
        signed(out, "session", event.sid.into());
        unsigned(out, "uid", event.uid.into());
        unsigned(out, "gid", event.gid.into());
        bytes_field(out, "comm", &event.comm);
        bytes_field(out, "exe", &event.exe);
    }

    fn tail(&mut self) {
        put(&mut self.out, "}\n");
    }

    fn syscall(&mut self, event: &Event, call: &SyscallEvent) {
        let never_returns = call.call.is_some_and(|row| row.never_returns());
        let kind = if call.phase == Phase::Enter && !never_returns {
            "syscall_enter"
        } else {
            "syscall"
        };
        self.head(event, kind);
        self.call(call);
        let out = &mut self.out;
        if call.phase != Phase::Complete {
            unsigned(out, "start_ns", call.start_ns);
        }
        match call.ret {
            Some(ret) if !never_returns => signed(out, "ret", ret),
            _ => put(out, ",\"ret\":null"),
        }
        error_name(out, call);
        match call.ret {
            Some(_) if !never_returns => unsigned(out, "duration_ns", call.duration_ns),
            _ => put(out, ",\"duration_ns\":null"),
        }
        let is_fd = call
            .call
            .is_some_and(|row| row.ret_kind(&call.args) == RetKind::Fd);
        if is_fd && let Some(info) = call.items.fd(ARG_RESULT as usize, 0) {
            put(out, ",\"ret_fd\":");
            descriptor(out, &info);
        }
        hits::json(out, call);
        self.tail();
    }

    fn park(&mut self, event: &Event, park: &ParkEvent) {
        self.head(event, "stop");
        unsigned(&mut self.out, "id", park.stop);
        put(
            &mut self.out,
            if park.exit {
                ",\"at\":\"exit\""
            } else {
                ",\"at\":\"entry\""
            },
        );
        bytes_field(&mut self.out, "rule", &park.rule_name);
        self.call(&park.call);
        let out = &mut self.out;
        if let Some(ret) = park.call.ret {
            signed(out, "ret", ret);
            error_name(out, &park.call);
        }
        key_of(out, "registers");
        for (index, (name, value)) in REGISTERS.iter().zip(&park.registers).enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            let _ = write!(out, "\"{name}\":{value}");
        }
        if park.registers.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
        self.tail();
    }

    fn config(&mut self, event: &Event, config: &ConfigEvent) {
        self.head(event, "config");
        unsigned(&mut self.out, "generation", config.generation);
        bytes_field(&mut self.out, "change", &config.change);
        bytes_field(&mut self.out, "text", &config.text);
        self.tail();
    }

    fn resume(&mut self, event: &Event, resume: &ResumeEvent) {
        self.head(event, "resume");
        let out = &mut self.out;
        unsigned(out, "id", resume.stop);
        bytes_field(out, "reason", resume.reason().as_bytes());
        unsigned(out, "changes", resume.actions.into());
        unsigned(out, "stopped_ns", resume.duration_ns);
        self.tail();
    }

    /// What was called, and with what.
    fn call(&mut self, call: &SyscallEvent) {
        let out = &mut self.out;
        unsigned(out, "nr", call.nr);
        match call.call {
            Some(row) => {
                put(out, ",\"name\":\"");
                put(out, row.name);
                out.push(b'"');
            }
            None => {
                let _ = write!(out, ",\"name\":\"{}\"", call.name());
            }
        }
        put(out, ",\"raw\":[");
        for (i, arg) in call.args.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            text::udec(out, *arg);
        }
        put(out, "],\"args\":[");
        self.arguments(call);
        let out = &mut self.out;
        out.push(b']');
    }

    fn arguments(&mut self, call: &SyscallEvent) {
        let Some(row) = call.call else { return };
        let mut first = true;
        for (index, arg) in row.args.iter().enumerate() {
            let kind = row.kind(&call.args, index);
            if kind == ArgKind::Unused {
                continue;
            }
            let out = &mut self.out;
            if !first {
                out.push(b',');
            }
            first = false;
            put(out, "{\"name\":\"");
            put(out, arg.name);
            put(out, "\",\"value\":");
            value(out, call, index, kind);
            self.scratch.clear();
            args::write(&mut self.scratch, call, index, &self.options.style);
            put(out, ",\"text\":");
            ascii(out, &self.scratch);
            if matches!(kind, ArgKind::Fd | ArgKind::AtFd)
                && let Some(info) = call.items.fd(index, 0)
            {
                put(out, ",\"fd\":");
                descriptor(out, &info);
            } else {
                self.others(call, index);
            }
            self.out.push(b'}');
        }
    }

    /// The descriptors that a structure, set or message of an argument speaks of.
    fn others(&mut self, call: &SyscallEvent, index: usize) {
        let out = &mut self.out;
        let mut first = true;
        for (_, info) in call.items.descriptors().filter(|(at, _)| *at == index) {
            put(out, if first { ",\"fds\":[{" } else { ",{" });
            first = false;
            put(out, "\"fd\":");
            text::dec(out, info.fd.into());
            out.push(b',');
            members(out, &info);
        }
        if !first {
            out.push(b']');
        }
    }

    fn exec(&mut self, event: &Event, exec: &ExecEvent) {
        self.head(event, if exec.snapshot { "process" } else { "exec" });
        let out = &mut self.out;
        bytes_field(out, "cwd", &exec.cwd);
        string_list(out, "argv", &exec.argv);
        string_list(out, "envp", &exec.envp);
        for (label, ids) in [("uids", exec.uids), ("gids", exec.gids)] {
            let _ = write!(out, ",\"{label}\":[{},{},{}]", ids[0], ids[1], ids[2]);
        }
        unsigned(out, "dev", exec.dev);
        unsigned(out, "ino", exec.ino);
        if let Some(caller) = exec.old_tid {
            signed(out, "old_tid", caller.into());
        }
        event.extra.json(out);
        if let Some(file) = event.extra.file {
            file_json(out, &file, exec.identity.as_deref());
        }
        self.tail();
    }

    fn exit(&mut self, event: &Event, exit: &ExitEvent) {
        self.head(event, "exit");
        let out = &mut self.out;
        let status = exit.body.status;
        signed(out, "status", status.into());
        if status & 0x7f == 0 {
            signed(out, "code", (status >> 8 & 0xff).into());
            put(out, ",\"signal\":null");
        } else {
            put(out, ",\"code\":null,\"signal\":\"");
            signals::name(out, status & 0x7f);
            out.push(b'"');
        }
        put(out, ",\"process_ended\":");
        put(
            out,
            if exit.body.process_ended == 1 {
                "true"
            } else {
                "false"
            },
        );
        unsigned(out, "user_ns", exit.body.user_ns);
        unsigned(out, "system_ns", exit.body.system_ns);
        unsigned(out, "max_rss", exit.body.max_rss);
        key_of(out, "core");
        let core = status & 0x7f != 0 && status & 0x80 != 0;
        put(out, if core { "true" } else { "false" });
        event.extra.json(out);
        self.tail();
    }

    fn signal(&mut self, event: &Event, body: &SignalBody) {
        self.head(event, "signal");
        let out = &mut self.out;
        put(out, ",\"signal\":\"");
        signals::name(out, body.signo);
        out.push(b'"');
        signed(out, "code", body.code.into());
        signed(out, "sender_pid", body.pid.into());
        unsigned(out, "sender_uid", body.uid.into());
        signed(out, "status", body.status.into());
        unsigned(out, "addr", body.addr);
        self.scratch.clear();
        signals::info(&mut self.scratch, &strace::signal_info(body));
        put(out, ",\"text\":");
        ascii(out, &self.scratch);
        event.extra.json(out);
        self.tail();
    }
}

impl Sink for JsonSink {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        notation::apply(self.options.style.notation);
        match &event.kind {
            EventKind::Syscall(call)
                if call.phase != Phase::Enter && !self.options.status.shows(call) => {}
            EventKind::Syscall(call) => self.syscall(event, call),
            EventKind::Exec(exec) => self.exec(event, exec),
            EventKind::Exit(exit) => self.exit(event, exit),
            EventKind::Signal(body) => self.signal(event, body),
            EventKind::Change(change) => {
                self.head(event, change.name());
                change.json(&mut self.out);
                self.tail();
            }
            EventKind::Fork {
                child_pid,
                child_tid,
                clone_flags,
            } => {
                self.head(event, "fork");
                let out = &mut self.out;
                signed(out, "child_pid", (*child_pid).into());
                signed(out, "child_tid", (*child_tid).into());
                put(out, ",\"flags\":\"");
                names::CLONE.write(out, clone_flags & !0xff);
                out.push(b'"');
                self.tail();
            }
            EventKind::Stop { signo } => {
                self.head(event, "stop");
                put(&mut self.out, ",\"signal\":\"");
                signals::name(&mut self.out, *signo);
                self.out.push(b'"');
                self.tail();
            }
            EventKind::Park(park) => self.park(event, park),
            EventKind::Config(config) => self.config(event, config),
            EventKind::Resume(resume) => self.resume(event, resume),
            EventKind::Drops { count, first_seq } => {
                self.head(event, "drops");
                unsigned(&mut self.out, "count", *count);
                unsigned(&mut self.out, "first_seq", *first_seq);
                self.tail();
            }
            EventKind::Unimplemented { nr } => {
                self.head(event, "unimplemented");
                unsigned(&mut self.out, "nr", *nr);
                if let Some(row) = vitrine_abi::syscall::get(*nr) {
                    let _ = write!(self.out, ",\"name\":\"{}\"", row.name);
                }
                self.tail();
            }
            EventKind::Comm => {
                self.head(event, "comm");
                self.tail();
            }
            EventKind::Corrupt(why) => {
                self.head(event, "corrupt");
                let _ = write!(self.out, ",\"reason\":\"{why}\"");
                self.tail();
            }
            EventKind::Internal => {}
        }
        if self.out.len() >= BUFFER {
            self.writer.write_all(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.writer.write_all(&self.out);
        self.out.clear();
        result?;
        self.writer.flush()
    }
}

fn error_name(out: &mut Vec<u8>, call: &SyscallEvent) {
    put(out, ",\"errno\":");
    match call.errno() {
        Some(code) => match errno::name(code) {
            Some(name) => {
                out.push(b'"');
                put(out, name);
                out.push(b'"');
            }
            None => {
                let _ = write!(out, "\"errno {code}\"");
            }
        },
        None => put(out, "null"),
    }
}

pub(crate) fn unsigned(out: &mut Vec<u8>, key: &str, value: u64) {
    key_of(out, key);
    text::udec(out, value);
}

pub(crate) fn signed(out: &mut Vec<u8>, key: &str, value: i64) {
    key_of(out, key);
    text::dec(out, value);
}

pub(crate) fn key_of(out: &mut Vec<u8>, key: &str) {
    put(out, ",\"");
    put(out, key);
    put(out, "\":");
}

pub(crate) fn bytes_field(out: &mut Vec<u8>, key: &str, data: &[u8]) {
    key_of(out, key);
    bytes(out, data);
}

fn descriptor(out: &mut Vec<u8>, info: &FdInfo<'_>) {
    out.push(b'{');
    members(out, info);
}

fn members(out: &mut Vec<u8>, info: &FdInfo<'_>) {
    put(out, "\"kind\":");
    bytes(out, info.kind);
    bytes_field(out, "path", info.text);
    put(out, ",\"flags\":");
    text::udec(out, info.flags.into());
    out.push(b'}');
}

fn string_list(out: &mut Vec<u8>, key: &str, strings: &Strings) {
    key_of(out, key);
    list(out, strings);
    if strings.list.len() < strings.count as usize {
        put(out, ",\"");
        put(out, key);
        put(out, "_count\":");
        text::udec(out, strings.count.into());
    }
}

fn list(out: &mut Vec<u8>, strings: &Strings) {
    out.push(b'[');
    for (i, string) in strings.list.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        bytes(out, &string.bytes);
    }
    out.push(b']');
}

/// An argument's value: strings and buffers as strings, numbers by their kind, all else raw.
fn value(out: &mut Vec<u8>, call: &SyscallEvent, index: usize, kind: ArgKind) {
    let raw = call.args.get(index).copied().unwrap_or(0);
    let items: &Captured = &call.items;
    let captured = match kind {
        ArgKind::Path | ArgKind::Str => items.find(tag::STRING, index, false),
        ArgKind::StrOut => items.find(tag::STRING, index, true),
        ArgKind::BufIn(_) => items.find(tag::BYTES, index, false),
        ArgKind::BufOut(_) => items.find(tag::BYTES, index, true),
        ArgKind::StrArray => {
            return match items.find(tag::STRINGS, index, false) {
                Some(item) => list(out, &Strings::parse(item.data)),
                None => text::udec(out, raw),
            };
        }
        ArgKind::Fd
        | ArgKind::AtFd
        | ArgKind::Int
        | ArgKind::Pid
        | ArgKind::Uid
        | ArgKind::Gid
        | ArgKind::Signal => return text::dec(out, i64::from(raw as i32)),
        ArgKind::Long | ArgKind::Offset => return text::dec(out, raw as i64),
        ArgKind::Uint | ArgKind::Mode => return text::udec(out, u64::from(raw as u32)),
        _ => None,
    };
    match captured {
        Some(item) if !item.is_fault() => {
            bytes(out, item.data);
            if item.is_cut() {
                put(out, ",\"truncated\":true");
            }
        }
        _ => text::udec(out, raw),
    }
}

/// Text that is known to be ASCII, as a JSON string.
fn ascii(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        plain(out, byte);
    }
    out.push(b'"');
}

fn plain(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => put(out, "\\\""),
        b'\\' => put(out, "\\\\"),
        0..0x20 | 0x7f.. => {
            put(out, "\\u00");
            out.push(b"0123456789abcdef"[(byte >> 4) as usize]);
            out.push(b"0123456789abcdef"[(byte & 15) as usize]);
        }
        _ => out.push(byte),
    }
}

/// Bytes as a JSON string from which they can be had back.
pub(super) fn bytes(out: &mut Vec<u8>, data: &[u8]) {
    out.push(b'"');
    for chunk in data.utf8_chunks() {
        let valid = chunk.valid();
        // Runs without anything to escape are copied whole.
        let mut rest = valid.as_bytes();
        while let Some(at) = rest
            .iter()
            .position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\' | 0x7f))
        {
            out.extend_from_slice(&rest[..at]);
            match rest[at] {
                b'\\' => put(out, "\\\\\\\\"),
                byte => plain(out, byte),
            }
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
        for byte in chunk.invalid() {
            put(out, "\\\\x");
            out.push(b"0123456789abcdef"[(byte >> 4) as usize]);
            out.push(b"0123456789abcdef"[(byte & 15) as usize]);
        }
    }
    out.push(b'"');
}
