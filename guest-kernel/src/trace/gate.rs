//! A traced system call, from the gate to its record.
//!
//! What goes in is captured once, before the call; paths are then handed to the handler from the capture ([`captured_path`]), so that another
//! thread can't change them in between. A call that blocks has its enter record written at that moment ([`on_block`]), and an exit record
//! later; any other call has one record.
//!
//! State is per task: while one task's call blocks, others trace theirs.

use super::{capture, emit, ring};
use crate::{
    Errno, SysResult,
    arch::{self, TrapFrame},
    sched,
    signal::{self, SigInfo},
    sync::Mutex,
    syscall,
    task::Task,
};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use vitrine_abi::{
    event::{Record, RecordHeader, SyscallBody, kind},
    nr as table_nr, syscall as table,
};
use zerocopy::IntoBytes;

/// A task's memory for records is kept between calls up to this many bytes.
const KEEP: usize = 8 << 10;
/// Most ignored signals that are kept to be told.
const MAX_IGNORED: usize = 32;

/// The traced call that a task is in.
#[derive(Default)]
pub struct TaskTrace {
    call: Mutex<InFlight>,
    /// Signals that were thrown away because the task ignores them: told when its call is done.
    ignored: Mutex<Vec<SigInfo>>,
    /// Whether there are any.
    has_ignored: AtomicBool,
}

#[derive(Default)]
struct InFlight {
    /// Whether there is one.
    active: bool,
    /// Whether its enter record was written.
    entered: bool,
    start: u64,
    body: SyscallBody,
    /// What went in; after the enter record it stays for [`captured_path`].
    record: Record,
}

/// Traced calls in flight: while there are none, [`captured_path`] costs one load.
static IN_FLIGHT: AtomicU32 = AtomicU32::new(0);

/// Runs the call that `frame` made, with a record of it.
pub fn traced_dispatch(frame: &mut TrapFrame) -> SysResult {
    let task = sched::current();
    tell_ignored(&task);
    let start = arch::tsc();
    let args = frame.args();
    let nr = frame.orig_rax;
    let call = table::get(nr);
    let body = SyscallBody {
        nr,
        args,
        ret: 0,
        duration: 0,
    };

    // Captured outside the lock: reading user memory may let another task run.
    let mut record = core::mem::take(&mut task.trace.call.lock().record);
    record.start(body.as_bytes());
    if let Some(call) = call {
        capture::before(&mut record, call, &args, &task);
        if call.never_returns() {
            // Whoever waits for the end of this task must not find it held from a stack that nobody returns to.
            let header = emit::header(kind::SYSCALL_ENTER, &task);
            record.set_header(&RecordHeader {
                tsc: start,
                ..header
            });
            ring::put(&mut record);
            drop(record);
            drop(task);
            return syscall::dispatch(frame);
        }
        if nr == table_nr::RT_SIGRETURN as u64 {
            capture::sigreturn(&mut record, frame.rsp);
        }
    }
    let captured = record.len();
    {
        let mut slot = task.trace.call.lock();
        slot.active = true;
        slot.entered = false;
        slot.start = start;
        slot.body = body;
        slot.record = record;
    }
    IN_FLIGHT.fetch_add(1, Ordering::Relaxed);

    let result = syscall::dispatch(frame);

    if signal::is_killed(&task) {
        // As on Linux, a call that SIGKILL ends has no result.
        emit_enter(&task);
        forget(&task);
        return result;
    }
    let (mut record, entered) = {
        let mut slot = task.trace.call.lock();
        if slot.active {
            IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
        }
        slot.active = false;
        (core::mem::take(&mut slot.record), slot.entered)
    };
    let end = arch::tsc();
    if let Some(call) = call {
        capture::after(&mut record, call, &args, &result, &task);
    }
    let body = SyscallBody {
        nr,
        args,
        ret: match result {
            Ok(value) => value as i64,
            Err(errno) => -i64::from(errno.0),
        },
        duration: end.wrapping_sub(start),
    };
    record.set_body(body.as_bytes());
    if entered {
        record.remove_items_before(size_of::<SyscallBody>(), captured);
        let header = emit::header(kind::SYSCALL_EXIT, &task);
        record.set_header(&RecordHeader { tsc: end, ..header });
    } else {
        let header = emit::header(kind::SYSCALL, &task);
        record.set_header(&RecordHeader {
            tsc: start,
            ..header
        });
    }
    ring::put(&mut record);
    record.trim(KEEP);
    task.trace.call.lock().record = record;
    tell_ignored(&task);
    result
}

/// To be called by the scheduler before it switches away from `task`: if it is in a traced call, the ring says so before any other task's
/// records. One load when nothing is traced.
#[inline]
pub fn on_block(task: &Task) {
    if IN_FLIGHT.load(Ordering::Relaxed) != 0 {
        emit_enter(task);
    }
}

/// Writes the enter record of the traced call that `task` is in, unless that was done.
pub(super) fn emit_enter(task: &Task) {
    let mut slot = task.trace.call.lock();
    if !slot.active || slot.entered {
        return;
    }
    slot.entered = true;
    let header = emit::header(kind::SYSCALL_ENTER, task);
    let tsc = slot.start;
    slot.record.set_header(&RecordHeader { tsc, ..header });
    ring::put(&mut slot.record);
}

/// The task ends: its call never returns.
pub(super) fn forget(task: &Task) {
    let mut slot = task.trace.call.lock();
    if slot.active {
        slot.active = false;
        IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `from`, which is in a traced execve, ends, and `to` runs the new program: the call's end belongs to that one.
pub(super) fn succeed(from: &Task, to: &Task) {
    let mut record = {
        let mut slot = from.trace.call.lock();
        if !slot.active {
            return;
        }
        slot.active = false;
        IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
        let end = arch::tsc();
        let body = SyscallBody {
            ret: 0,
            duration: end.wrapping_sub(slot.start),
            ..slot.body
        };
        let mut record = Record::new();
        record.start(body.as_bytes());
        let header = emit::header(kind::SYSCALL_EXIT, to);
        record.set_header(&RecordHeader { tsc: end, ..header });
        record
    };
    ring::put(&mut record);
}

/// The record of the execve that nobody called: the kernel itself runs the first program. `args` are addresses in its new memory.
pub(super) fn first_exec(
    task: &Task,
    nr: u64,
    args: [u64; 6],
    start: u64,
    items: impl FnOnce(&mut Record),
) {
    let body = SyscallBody {
        nr,
        args,
        ret: 0,
        duration: arch::tsc().wrapping_sub(start),
    };
    let mut record = Record::new();
    record.start(body.as_bytes());
    items(&mut record);
    let header = emit::header(kind::SYSCALL, task);
    record.set_header(&RecordHeader {
        tsc: start,
        ..header
    });
    ring::put(&mut record);
}

/// Keeps a signal that `task` ignores, to be told when the call that it is in is done, or before its next one.
pub(super) fn keep_ignored(task: &Task, info: &SigInfo) {
    let mut ignored = task.trace.ignored.lock();
    if ignored.len() < MAX_IGNORED {
        ignored.push(*info);
        task.trace.has_ignored.store(true, Ordering::Relaxed);
    }
}

fn tell_ignored(task: &Task) {
    if !task.trace.has_ignored.load(Ordering::Relaxed) {
        return;
    }
    task.trace.has_ignored.store(false, Ordering::Relaxed);
    let ignored = core::mem::take(&mut *task.trace.ignored.lock());
    for info in &ignored {
        emit::signal(task, info);
    }
}

/// The path at `addr` as it was captured, or the error that its capture met, if the current task is in a traced call that has it
/// as an argument.
pub fn captured_path(addr: u64) -> Option<Result<Vec<u8>, Errno>> {
    if IN_FLIGHT.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let task = sched::current();
    let slot = task.trace.call.lock();
    if !slot.active {
        return None;
    }
    capture::find_path(&slot.record, &slot.body.args, addr)
}
