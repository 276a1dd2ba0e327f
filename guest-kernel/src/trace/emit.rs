//! Records that are not about calls: clocks, fork, exec, exit, signals, names. Each costs one load while nothing is traced.

use super::{capture, events_on, filter, gate, ring};
use crate::{
    arch,
    fs::Metadata,
    signal::{
        SigInfo,
        action::{SIG_DFL, SIG_IGN},
        numbers::{DefaultAction, default_action},
    },
    task::{
        ExecArguments, Process, Task,
        usage::{self, Counter},
    },
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use vitrine_abi::event::{
    ClockBody, ExecBody, ExitBody, ForkBody, ITEM_CUT, MAX_RECORD, Record, RecordHeader,
    SignalBody, StopBody, UnimplementedBody, change, field, kind, tag,
};
use zerocopy::IntoBytes;

static TSC_KHZ: AtomicU64 = AtomicU64::new(0);

pub(super) fn set_frequency(tsc_khz: u64) {
    TSC_KHZ.store(tsc_khz, Ordering::Relaxed);
}

/// The header of a record about `task`, now.
pub(super) fn header(kind: u16, task: &Task) -> RecordHeader {
    let credentials = task.credentials.lock();
    let parent = task
        .process
        .parent
        .lock()
        .upgrade()
        .map_or(0, |parent| parent.pid);
    RecordHeader {
        kind,
        tsc: arch::tsc(),
        vcpu: arch::cpu() as u16,
        pid: task.process.pid,
        tid: task.tid,
        ppid: parent,
        sid: task.process.sid.load(Ordering::Relaxed),
        uid: credentials.euid,
        gid: credentials.egid,
        ..RecordHeader::default()
    }
}

/// Says what time-stamp counter values mean.
pub(super) fn clock() {
    let body = ClockBody {
        tsc_khz: TSC_KHZ.load(Ordering::Relaxed),
        monotonic_ns: crate::time::monotonic_ns(),
        realtime_ns: crate::time::realtime_ns(),
    };
    let mut record = Record::new();
    record.start(body.as_bytes());
    record.set_header(&RecordHeader {
        kind: kind::CLOCK,
        tsc: arch::tsc(),
        ..RecordHeader::default()
    });
    ring::put(&mut record);
}

/// `parent` made `child`, a process or a thread, with these clone(2) flags. To be called before the child runs.
pub fn process_forked(parent: &Task, child: &Task, clone_flags: u64) {
    if !events_on() {
        return;
    }
    let body = ForkBody {
        child_pid: child.process.pid,
        child_tid: child.tid,
        clone_flags,
    };
    put(kind::FORK, parent, body.as_bytes(), |_| ());
}

/// What a process runs after an execve.
pub struct Program<'a> {
    /// Path of the executable.
    pub path: &'a [u8],
    /// What it was given, really.
    pub arguments: &'a ExecArguments,
    /// Working directory.
    pub cwd: &'a [u8],
    /// The executable.
    pub file: Metadata,
    /// Whether its contents are the host's.
    pub original: bool,
}

/// The process runs another program, in `task`; `caller` called execve, and ends if it is another. To be called when exec can no longer fail.
pub fn exec(caller: &Task, task: &Task, program: &Program<'_>) {
    if !events_on() {
        return;
    }
    gate::emit_enter(caller);
    let Program {
        path,
        arguments,
        cwd,
        ref file,
        original,
    } = *program;
    let credentials = task.credentials();
    let body = ExecBody {
        uids: [credentials.uid, credentials.euid, credentials.suid],
        gids: [credentials.gid, credentials.egid, credentials.sgid],
        dev: file.dev,
        ino: file.ino,
        argc: arguments.argv.len() as u32,
        envc: arguments.envp.len() as u32,
    };
    let comm = *task.comm.lock();
    put(kind::EXEC, task, body.as_bytes(), |record| {
        record.item(tag::STRING, field::EXE, 0, 0, path);
        record.item(tag::STRING, field::CWD, 0, 0, cwd);
        record.item(tag::STRING, field::COMM, 0, 0, capture::until_nul(&comm));
        strings(record, field::ARGV, &arguments.argv, MAX_RECORD / 2);
        strings(record, field::ENVP, &arguments.envp, MAX_RECORD);
        let file = change::FileItem {
            size: file.size,
            mtime_ns: (file.mtime.sec.saturating_mul(1_000_000_000))
                .saturating_add(file.mtime.nsec),
            mode: file.mode,
            uid: file.uid,
            gid: file.gid,
            host: original.into(),
        };
        record.item(tag::STRUCT, change::field::FILE, 0, 0, file.as_bytes());
        if caller.tid != task.tid {
            let old_tid = caller.tid as u64;
            record.item(tag::COUNT, field::OLD_TID, 0, 0, old_tid.as_bytes());
        }
    });
    if caller.tid != task.tid {
        gate::succeed(caller, task);
    }
}

/// A whole array of strings, as long as the record stays below `limit` bytes.
pub(super) fn strings(record: &mut Record, field: u8, list: &[Arc<[u8]>], limit: usize) {
    let item = record.begin_item(tag::STRINGS, field, 0);
    record.extend(&(list.len() as u32).to_le_bytes());
    let mut flags = 0;
    for string in list {
        if record.len() + string.len() + 64 > limit {
            flags = ITEM_CUT;
            break;
        }
        record.extend(&(string.len() as u32).to_le_bytes());
        record.extend(string);
    }
    record.end_item(item, flags);
}

/// `task` ended with this wait(2) status; `process_ended`: it was the last thread. A call that it was in never returns.
pub fn exited(task: &Task, status: u32, process_ended: bool) {
    gate::forget(task);
    filter::forget(task, process_ended);
    if !events_on() {
        return;
    }
    let used = if process_ended {
        usage::of_process(&task.process)
    } else {
        usage::of_task(task)
    };
    let replaced = task.is_leader()
        && task.dying.load(Ordering::Relaxed)
        && task.process.stop.lock().group_exit.is_none();
    let body = ExitBody {
        status: status as i32,
        process_ended: match (process_ended, replaced) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 0,
        },
        user_ns: used.user_ns,
        system_ns: used.system_ns,
        max_rss: used.peak_resident,
    };
    let count = |counter| used.counts.get(counter);
    let usage = change::UsageItem {
        faults: [count(Counter::MinorFaults), count(Counter::MajorFaults)],
        switches: [
            count(Counter::VoluntarySwitches),
            count(Counter::InvoluntarySwitches),
        ],
        bytes: [count(Counter::BytesRead), count(Counter::BytesWritten)],
    };
    put(kind::EXIT, task, body.as_bytes(), |record| {
        record.item(tag::STRUCT, change::field::USAGE, 0, 0, usage.as_bytes());
    });
}

/// A signal is delivered to `task`: its handler is about to run, or its default action (not for one that is ignored).
pub fn signal(task: &Task, info: &SigInfo) {
    if !events_on() {
        return;
    }
    let action = task.process.signals.action(info.signo);
    let what = match (action.handler, default_action(info.signo)) {
        (SIG_IGN, _) | (SIG_DFL, DefaultAction::Ignore) => change::action::IGNORE,
        (SIG_DFL, DefaultAction::Stop) => change::action::STOP,
        (SIG_DFL, DefaultAction::Terminate) => change::action::TERMINATE,
        (SIG_DFL, DefaultAction::Core) => change::action::CORE,
        _ => change::action::HANDLER,
    };
    let caught = what == change::action::HANDLER;
    let effect = change::ActionItem {
        handler: if caught { action.handler } else { 0 },
        flags: action.flags,
        mask: action.mask,
        what,
        pad: 0,
    };
    put(kind::SIGNAL, task, signal_body(info).as_bytes(), |record| {
        record.item(tag::STRUCT, change::field::ACTION, 0, 0, effect.as_bytes());
    });
}

/// `siginfo_t` as records have it.
pub(super) fn signal_body(info: &SigInfo) -> SignalBody {
    SignalBody {
        signo: info.signo as i32,
        code: info.code,
        errno: info.errno,
        pid: info.pid,
        uid: info.uid,
        status: info.status,
        addr: info.addr,
        value: info.value,
        utime: info.utime,
        stime: info.stime,
    }
}

/// A signal was thrown away because the process, or its thread if one is given, ignores it.
pub fn ignored(process: &Process, thread: Option<&Task>, info: &SigInfo) {
    if !events_on() {
        return;
    }
    match thread {
        Some(task) => gate::keep_ignored(task, info),
        None => {
            let first = process.threads.lock().first().cloned();
            if let Some(task) = first {
                gate::keep_ignored(&task, info);
            }
        }
    }
}

/// `task` stands still with its process, which this signal stopped.
pub fn stopped(task: &Task, signo: u32) {
    if !events_on() {
        return;
    }
    let body = StopBody {
        signo: signo as i32,
        reserved: 0,
    };
    put(kind::STOP, task, body.as_bytes(), |_| ());
}

/// `task` has another name now (prctl, /proc/self/comm).
pub fn comm_changed(task: &Task) {
    if !events_on() {
        return;
    }
    let comm = *task.comm.lock();
    put(kind::COMM, task, &[], |record| {
        record.item(tag::STRING, field::COMM, 0, 0, capture::until_nul(&comm));
    });
}

/// A program made a call that this kernel doesn't have; to be called once per number.
pub fn unimplemented(task: &Task, nr: u64) {
    if !events_on() {
        return;
    }
    let body = UnimplementedBody { nr };
    put(kind::UNIMPLEMENTED, task, body.as_bytes(), |_| ());
}

/// Writes a record about `task`.
pub(super) fn put(kind: u16, task: &Task, body: &[u8], items: impl FnOnce(&mut Record)) {
    let mut record = Record::new();
    record.start(body);
    items(&mut record);
    record.set_header(&header(kind, task));
    ring::put(&mut record);
}
