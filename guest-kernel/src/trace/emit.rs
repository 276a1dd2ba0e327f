//! Records that are not about calls: clocks, fork, exec, exit, signals, names. Each costs one load while nothing is traced.

use super::{capture, events_on, filter, gate, ring, values::Ended};
use crate::{
    arch,
    arch::TrapFrame,
    mm::user,
    signal::SigInfo,
    task::{ExecArguments, Process, Task, usage},
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use vitrine_abi::event::{
    ClockBody, ExecBody, ExitBody, ForkBody, ITEM_CUT, MAX_RECORD, Record, RecordHeader,
    SignalBody, StopBody, UnimplementedBody, field, kind, tag,
};
use vitrine_abi::nr;
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
    /// `st_dev` of the executable.
    pub dev: u64,
    /// `st_ino` of the executable.
    pub ino: u64,
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
        dev,
        ino,
    } = *program;
    let credentials = task.credentials();
    let body = ExecBody {
        uids: [credentials.uid, credentials.euid, credentials.suid],
        gids: [credentials.gid, credentials.egid, credentials.sgid],
        dev,
        ino,
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
        if caller.tid != task.tid {
            let old_tid = caller.tid as u64;
            record.item(tag::COUNT, field::OLD_TID, 0, 0, old_tid.as_bytes());
        }
    });
    if caller.tid != task.tid {
        gate::succeed(caller, task);
    }
}

/// The kernel itself has started the first program, as `path` with `argv`; its registers are `frame`, and it began at time-stamp `start`. The
/// log has an execve for it as it has for any other.
pub fn first_exec(task: &Task, frame: &TrapFrame, path: &[u8], argv: &[Arc<[u8]>], start: u64) {
    const AT_EXECFN: u64 = 31;
    /// Words on a new program's stack that are looked at.
    const MAX_WORDS: u64 = 1 << 20;
    if super::armed(nr::EXECVE as u64) == 0 {
        return;
    }
    let word = |index: u64| user::read::<u64>(frame.rsp.wrapping_add(index * 8));
    let Ok(argc) = word(0) else { return };
    let environment = argc.saturating_add(2).min(MAX_WORDS);
    let end = (environment..MAX_WORDS).find(|index| matches!(word(*index), Ok(0) | Err(_)));
    // The auxiliary vector is pairs up to one of type 0.
    let mut at = end.unwrap_or(MAX_WORDS) + 1;
    let name = loop {
        match word(at) {
            Ok(AT_EXECFN) => break word(at + 1).unwrap_or(0),
            Ok(1..) if at < MAX_WORDS => at += 2,
            _ => break 0,
        }
    };
    let at_argv = frame.rsp.wrapping_add(8);
    let at_envp = frame.rsp.wrapping_add(environment * 8);
    let args = [name, at_argv, at_envp, 0, 0, 0];
    let ticks = arch::tsc().wrapping_sub(start);
    if !filter::wants_done(task, nr::EXECVE as u64, args, Ended { ret: 0, ticks }) {
        return;
    }
    gate::first_exec(task, nr::EXECVE as u64, args, start, |record| {
        record.item(tag::STRING, 0, 0, 0, path);
        strings(record, 1, argv, MAX_RECORD / 2);
        capture::environment(record, 2, at_envp);
    });
}

/// A whole array of strings, as long as the record stays below `limit` bytes.
fn strings(record: &mut Record, field: u8, list: &[Arc<[u8]>], limit: usize) {
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
    put(kind::EXIT, task, body.as_bytes(), |_| ());
}

/// A signal is delivered to `task`: its handler is about to run, or its default action (not for one that is ignored).
pub fn signal(task: &Task, info: &SigInfo) {
    if !events_on() {
        return;
    }
    let body = SignalBody {
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
    };
    put(kind::SIGNAL, task, body.as_bytes(), |_| ());
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

pub(super) fn put(kind: u16, task: &Task, body: &[u8], items: impl FnOnce(&mut Record)) {
    let mut record = Record::new();
    record.start(body);
    items(&mut record);
    record.set_header(&header(kind, task));
    ring::put(&mut record);
}
