//! The host's evaluator: a whole expression over an event.

use super::{
    expr::Expr,
    lower::{Leaf, Lowered, Operand, Subject, contains, host, lower},
};
use crate::{
    decode::{Style, args},
    event::{Event, EventKind, SyscallEvent},
};
use std::{borrow::Cow, collections::HashMap, sync::Arc};
use vitrine_abi::{
    event::{ARG_RESULT, tag},
    filter::{INSN_32, INSN_NOCASE, INSN_SIGNED, absolute, address, field, glob, op},
    nr::TABLE_LEN,
};

/// Most processes that are remembered.
const MAX_PROCESSES: usize = 1 << 16;
/// Most ancestors that are looked at.
const MAX_ANCESTORS: usize = 256;

/// An expression ready to be evaluated, with what it remembers of processes.
#[derive(Clone, Debug)]
pub struct Evaluator {
    expr: Arc<Expr>,
    lowered: HashMap<Subject, Arc<Lowered>>,
    processes: Processes,
}

/// What is known of processes, for the fields about ancestors.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    by_pid: HashMap<i32, Process>,
}

#[derive(Clone, Debug, Default)]
struct Process {
    ppid: i32,
    name: Arc<[u8]>,
    cmdline: Arc<[u8]>,
    /// Its working directory when it began; empty if that isn't known.
    cwd: Arc<[u8]>,
}

impl Processes {
    /// Takes note of what an event says about processes.
    pub fn observe(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Exec(exec) => {
                let args: Vec<&[u8]> = exec
                    .argv
                    .list
                    .iter()
                    .map(|arg| arg.bytes.as_slice())
                    .collect();
                let process = Process {
                    ppid: event.ppid,
                    name: event.comm.clone(),
                    cmdline: args.join(&b' ').into(),
                    cwd: exec.cwd.as_slice().into(),
                };
                self.insert(event.pid, process);
            }
            EventKind::Fork { child_pid, .. } if *child_pid != event.pid => {
                let parent = self.by_pid.get(&event.pid);
                let process = Process {
                    ppid: event.pid,
                    name: event.comm.clone(),
                    cmdline: parent
                        .map(|parent| parent.cmdline.clone())
                        .unwrap_or_default(),
                    cwd: parent.map(|parent| parent.cwd.clone()).unwrap_or_default(),
                };
                self.insert(*child_pid, process);
            }
            EventKind::Comm if event.pid == event.tid => {
                if let Some(process) = self.by_pid.get_mut(&event.pid) {
                    process.name = event.comm.clone();
                }
            }
            EventKind::Exit(exit) if exit.body.process_ended != 0 => {
                self.by_pid.remove(&event.pid);
            }
            _ => {}
        }
    }

    fn insert(&mut self, pid: i32, process: Process) {
        if self.by_pid.len() >= MAX_PROCESSES && !self.by_pid.contains_key(&pid) {
            self.by_pid.clear();
        }
        self.by_pid.insert(pid, process);
    }

    /// A process's ancestors: their process ids, and what is known of them.
    fn ancestors(&self, event: &Event) -> impl Iterator<Item = (i32, Option<&Process>)> {
        let mut next = event.ppid;
        let walk = std::iter::from_fn(move || {
            if next <= 0 {
                return None;
            }
            let pid = next;
            let process = self.by_pid.get(&pid);
            next = process.map_or(0, |process| process.ppid);
            Some((pid, process))
        });
        walk.take(MAX_ANCESTORS)
    }
}

impl Evaluator {
    /// An evaluator of this expression.
    pub fn new(expr: Arc<Expr>) -> Evaluator {
        Evaluator {
            expr,
            lowered: HashMap::new(),
            processes: Processes::default(),
        }
    }

    /// Whether the expression holds for an event. Events have to come in order, and all of them, for the fields about ancestors.
    pub fn matches(&mut self, event: &Event) -> bool {
        // A process that ends is still known for its own end.
        if !matches!(event.kind, EventKind::Exit(_)) {
            self.processes.observe(event);
        }
        let lowered = match subject(event) {
            Some(subject) => {
                let expr = &self.expr;
                let entry = self.lowered.entry(subject);
                entry
                    .or_insert_with(|| Arc::new(lower(expr, subject)))
                    .clone()
            }
            None => return false,
        };
        let holds = holds(&lowered, event, &self.processes);
        if matches!(event.kind, EventKind::Exit(_)) {
            self.processes.observe(event);
        }
        holds
    }
}

/// What an event is for an expression; `None` for one that is never shown.
pub fn subject(event: &Event) -> Option<Subject> {
    Some(match &event.kind {
        EventKind::Internal => return None,
        EventKind::Syscall(call) => Subject::Call(call.nr.min(TABLE_LEN as u64) as usize),
        EventKind::Fork { .. } => Subject::Event("procfork", "fork"),
        EventKind::Exec(exec) if exec.snapshot => Subject::Event("procstart", "process"),
        EventKind::Exec(_) => Subject::Event("procstart", "exec"),
        EventKind::Exit(_) => Subject::Event("procexit", "exit"),
        EventKind::Signal(_) => Subject::Event("signaldeliver", "signal"),
        EventKind::Change(change) => Subject::Event(change.name(), change.name()),
        EventKind::Stop { .. } => Subject::Event("procstop", "stop"),
        EventKind::Park(_) => Subject::Event("stop", "stop"),
        EventKind::Resume(_) => Subject::Event("resume", "resume"),
        EventKind::Drops { .. } => Subject::Event("drops", "drops"),
        EventKind::Unimplemented { .. } => Subject::Event("unimplemented", "unimplemented"),
        EventKind::Comm => Subject::Event("procname", "comm"),
        EventKind::Corrupt(_) => Subject::Event("corrupt", "corrupt"),
    })
}

/// Whether a lowered expression holds for an event.
pub fn holds(lowered: &Lowered, event: &Event, processes: &Processes) -> bool {
    match lowered {
        Lowered::Const(value) => *value,
        Lowered::And(list) => list.iter().all(|part| holds(part, event, processes)),
        Lowered::Or(list) => list.iter().any(|part| holds(part, event, processes)),
        Lowered::Not(inner) => !holds(inner, event, processes),
        Lowered::Leaf(leaf) => leaf_holds(leaf, event, processes),
    }
}

fn leaf_holds(leaf: &Leaf, event: &Event, processes: &Processes) -> bool {
    match leaf.field {
        host::ANCESTOR_PID => processes
            .ancestors(event)
            .any(|(pid, _)| integer_holds(leaf, i64::from(pid) as u64)),
        host::ANCESTOR_NAME => processes
            .ancestors(event)
            .any(|(_, process)| process.is_some_and(|process| string_holds(leaf, &process.name))),
        _ if leaf.is_string() => {
            string(leaf, event, processes).is_some_and(|string| string_holds(leaf, &string))
        }
        _ => integer(leaf, event).is_some_and(|value| integer_holds(leaf, value)),
    }
}

fn integer(leaf: &Leaf, event: &Event) -> Option<u64> {
    let signed = |value: i32| Some(i64::from(value) as u64);
    let call = || match &event.kind {
        EventKind::Syscall(call) => Some(call),
        _ => None,
    };
    match leaf.field {
        field::NR => call().map(|call| call.nr),
        field::ARG => call()?.args.get(usize::from(leaf.arg)).copied(),
        field::RESULT => call()?.ret.map(|ret| ret as u64),
        field::ERRNO => call()?.errno().map(u64::from),
        field::LATENCY => call()
            .filter(|call| call.ret.is_some())
            .map(|call| call.duration_ns),
        field::PID => signed(event.pid),
        field::TID => signed(event.tid),
        field::PPID => signed(event.ppid),
        field::SID => signed(event.sid),
        field::EUID => Some(event.uid.into()),
        field::EGID => Some(event.gid.into()),
        field::CPU => Some(event.vcpu.into()),
        host::SEQ => Some(event.seq),
        host::TIME => Some(event.wall_ns),
        _ => None,
    }
}

fn string<'a>(leaf: &Leaf, event: &'a Event, processes: &'a Processes) -> Option<Cow<'a, [u8]>> {
    let arg = usize::from(leaf.arg);
    match leaf.field {
        field::COMM => return Some(Cow::Borrowed(&event.comm)),
        field::EXE => return Some(Cow::Borrowed(&event.exe)),
        host::CMDLINE => {
            let process = processes.by_pid.get(&event.pid)?;
            return Some(Cow::Borrowed(&process.cmdline));
        }
        host::PARENT_NAME => {
            let process = processes.by_pid.get(&event.ppid)?;
            return Some(Cow::Borrowed(&process.name));
        }
        _ => {}
    }
    let EventKind::Syscall(call) = &event.kind else {
        return None;
    };
    let captured = |out: bool| {
        let items = &call.items;
        let item = items
            .find(tag::STRING, arg, out)
            .or_else(|| items.find(tag::BYTES, arg, out))?;
        (!item.is_fault()).then_some(Cow::Borrowed(item.data))
    };
    match leaf.field {
        field::STRING => captured(false),
        host::OUT_STRING => captured(true),
        field::FULL_PATH => {
            let path = captured(false)?;
            let own = processes.by_pid.get(&event.pid);
            // The directory that it is relative to is the argument before it, if that is one.
            let base = arg
                .checked_sub(1)
                .and_then(|arg| fd(call, arg))
                .map(|(path, _)| path)
                .or_else(|| own.map(|process| &*process.cwd));
            Some(Cow::Owned(absolute(base.unwrap_or_default(), &path)))
        }
        field::ADDRESS => address(&captured(false)?).map(Cow::Owned),
        field::FD_PATH => fd(call, arg).map(|(path, _)| Cow::Borrowed(path)),
        field::FD_KIND => fd(call, arg).map(|(_, kind)| Cow::Borrowed(kind)),
        host::FD_DIRECTORY | host::FD_FILENAME => {
            let (path, _) = fd(call, arg)?;
            let slash = path.iter().rposition(|byte| *byte == b'/')?;
            Some(Cow::Borrowed(if leaf.field == host::FD_FILENAME {
                &path[slash + 1..]
            } else {
                &path[..slash.max(1)]
            }))
        }
        host::ARG_TEXT => Some(Cow::Owned(text(call, arg))),
        host::ARG_TEXT_OUT => call.ret.map(|_| Cow::Owned(text(call, arg))),
        host::ALL_ARGS => {
            let mut all = Vec::new();
            for index in 0..call.call?.args.len() {
                if index > 0 {
                    all.extend_from_slice(b", ");
                }
                all.extend_from_slice(&text(call, index));
            }
            Some(Cow::Owned(all))
        }
        _ => None,
    }
}

fn fd(call: &SyscallEvent, arg: usize) -> Option<(&[u8], &[u8])> {
    let info = call.items.fd(arg, 0)?;
    // What the result refers to is known once there is one.
    (arg != usize::from(ARG_RESULT) || call.ret.is_some()).then_some((info.text, info.kind))
}

fn text(call: &SyscallEvent, arg: usize) -> Vec<u8> {
    let style = Style {
        string_limit: usize::MAX,
        abbreviate: false,
        fd_paths: true,
        ..Style::default()
    };
    let mut out = Vec::new();
    args::write(&mut out, call, arg, &style);
    out
}

/// Whether a test of an integer holds.
pub fn integer_holds(leaf: &Leaf, value: u64) -> bool {
    let signed = leaf.flags & INSN_SIGNED != 0;
    let value = match (leaf.flags & INSN_32 != 0, signed) {
        (true, true) => i64::from(value as i32) as u64,
        (true, false) => u64::from(value as u32),
        (false, _) => value,
    } & leaf.mask;
    let less = |than: u64| {
        if signed {
            (value as i64) < than as i64
        } else {
            value < than
        }
    };
    match (leaf.op, &leaf.operand) {
        (op::EXISTS, _) => true,
        (op::EQ, Operand::Int(other)) => value == *other,
        (op::LT, Operand::Int(other)) => less(*other),
        (op::LE, Operand::Int(other)) => less(*other) || value == *other,
        (op::IN, Operand::Ints(set)) => set.binary_search(&value).is_ok(),
        _ => false,
    }
}

fn string_holds(leaf: &Leaf, string: &[u8]) -> bool {
    let folded;
    let string = if leaf.flags & INSN_NOCASE != 0 {
        folded = string.to_ascii_lowercase();
        &folded
    } else {
        string
    };
    match (leaf.op, &leaf.operand) {
        (op::EXISTS, _) => true,
        (op::STR_EQ, Operand::Text(text)) => string == &**text,
        (op::STARTS, Operand::Text(text)) => string.starts_with(text),
        (op::ENDS, Operand::Text(text)) => string.ends_with(text),
        (op::CONTAINS, Operand::Text(text)) => contains(string, text),
        (op::GLOB, Operand::Text(text)) => glob(text, string, false),
        (op::STR_LT, Operand::Text(text)) => string < &**text,
        (op::STR_LE, Operand::Text(text)) => string <= &**text,
        (op::STR_IN, Operand::Texts(set)) => set
            .binary_search_by(|element| (**element).cmp(string))
            .is_ok(),
        _ => false,
    }
}
