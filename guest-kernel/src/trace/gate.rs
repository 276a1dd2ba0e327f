//! A watched system call, from the gate to its record.
//!
//! The filter decides first, by the arguments as they were given, whether there may be a record; then rules apply. What goes in is captured
//! once, before the call; paths are then handed to the handler from the capture ([`captured_path`]), so that another thread can't
//! change them in between. A call that blocks has its enter record written at that moment ([`on_block`]), and an exit record later;
//! any other call has one record. Where the result decides, the record is held back until the end.
//!
//! State is per task: while one task's call blocks, others trace theirs. It lies in the task and not on the stack, for some calls end the
//! task that made them.

use super::{
    LIMITS, capture, emit, filter, freeze,
    pause::{Paused, Place},
    ring,
    rules::{self, Kept},
    scratch::Scratch,
    values::{Ended, Values, wanted_by_numbers},
    watch,
};
use crate::{
    Errno, SysResult,
    arch::{self, TrapFrame},
    sched,
    signal::{self, SigInfo},
    sync::Mutex,
    syscall,
    task::Task,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use vitrine_abi::{
    event::{Record, RecordHeader, SyscallBody, field, kind, tag},
    filter::{NO_PROGRAM, WATCH_RECORD},
    nr as table_nr,
    syscall::{self as table, Syscall},
};
use zerocopy::IntoBytes;

/// A task's memory for records is kept between calls up to this many bytes.
const KEEP: usize = 8 << 10;
/// Most ignored signals that are kept to be told.
const MAX_IGNORED: usize = 32;

/// The watched call that a task is in.
#[derive(Default)]
pub struct TaskTrace {
    call: Mutex<InFlight>,
    pub(super) scratch: Scratch,
    /// Where rules were when a signal interrupted them.
    pub(super) paused: Mutex<Option<Box<Paused>>>,
    /// Signals that were thrown away because the task ignores them: told when its call is done.
    ignored: Mutex<Vec<SigInfo>>,
    /// Whether there are any.
    has_ignored: AtomicBool,
}

#[derive(Default)]
struct InFlight {
    /// Whether there is one that is (or may be) recorded.
    active: bool,
    /// Whether its enter record was written.
    entered: bool,
    /// Whether the result decides if there is a record: none before the end.
    held: bool,
    start: u64,
    /// As the record shows it.
    body: SyscallBody,
    /// Arguments as the handler gets them.
    args: [u64; 6],
    /// What went in; after the enter record it stays for [`captured_path`].
    record: Record,
    /// Bytes of it that are from before the call.
    captured: usize,
    /// The registers' own values, if the handler gets others.
    given: Option<[u64; 6]>,
    /// The filter and what its rules did, if it was consulted.
    kept: Option<Box<Kept>>,
}

/// Recorded calls in flight: while there are none, [`captured_path`] costs one load.
static IN_FLIGHT: AtomicU32 = AtomicU32::new(0);

/// Runs the call that `frame` made, which is watched as `watch` says.
pub fn watched_dispatch(frame: &mut TrapFrame, watch: u8) -> SysResult {
    if watch & watch::CONSULT == 0 {
        return record(frame, None);
    }
    if watch & watch::NUMBERS_ONLY != 0 {
        let (nr, args) = (frame.orig_rax, frame.args());
        return match filter::with_current(|active| wanted_by_numbers(active, nr, args)) {
            Some(true) => record(frame, None),
            _ => syscall::dispatch(frame),
        };
    }
    consult(frame)
}

/// Lets the filter's programs and rules decide.
fn consult(frame: &mut TrapFrame) -> SysResult {
    let Some(active) = filter::current() else {
        return syscall::dispatch(frame);
    };
    let start = arch::tsc();
    let task = sched::current();
    let nr = frame.orig_rax;
    let entry = active.call(nr);
    let given = frame.args();
    let mut values = Values::new(&task, table::get(nr), nr, given);
    values.place = Place {
        rip: frame.rip,
        rsp: frame.rsp,
        nr,
        given,
    };

    let wanted = entry.watch & WATCH_RECORD != 0 && active.filter.run(entry.entry, &mut values);
    let outcome = rules::before(&active, &entry, &mut values, frame, wanted);
    let follow = rules::follow_ups(&active, &entry, &outcome);
    let recorded = wanted || outcome.logged || follow.may_log;
    let held = !outcome.logged && (!wanted || entry.exit != NO_PROGRAM);
    if follow.any || entry.exit != NO_PROGRAM {
        values.learn(active.needs_after(&entry));
    }
    let (args, shown) = (values.args, values.shown());
    let changed = args != given;
    let quiet = !recorded && outcome.instead.is_none() && !follow.any;
    let known = values.known();
    if quiet && !changed {
        drop((outcome, known, active, task));
        return syscall::dispatch(frame);
    }

    frame.set_args(args);
    let plan = Plan {
        start,
        shown,
        given: changed.then_some(given),
        held,
        kept: Box::new(Kept {
            active,
            wanted,
            outcome,
            known,
        }),
    };
    drop(task);
    if recorded {
        return record(frame, Some(plan));
    }
    run_unrecorded(frame, plan)
}

/// What the filter has decided about a call that is about to run.
struct Plan {
    /// When it began: what rules delay counts.
    start: u64,
    /// Arguments as a record shows them.
    shown: [u64; 6],
    /// Arguments as the program gave them, if the handler gets others.
    given: Option<[u64; 6]>,
    /// Whether the end of the call decides if it is recorded.
    held: bool,
    kept: Box<Kept>,
}

/// A call that rules change and nobody records.
fn run_unrecorded(frame: &mut TrapFrame, plan: Plan) -> SysResult {
    let Plan {
        start,
        shown,
        given,
        kept,
        ..
    } = plan;
    sched::with_current(|task| {
        let mut slot = task.trace.call.lock();
        slot.given = given;
        slot.kept = Some(kept);
    });
    let result = run(frame);
    let task = sched::current();
    let kept = {
        let mut slot = task.trace.call.lock();
        slot.given = None;
        slot.kept.take()
    };
    let result = match kept {
        Some(mut kept) => {
            let mut values = Values::after(&task, frame.orig_rax, shown, &mut kept.known);
            follow(&mut kept, &mut values, frame, result, (start, arch::tsc()))
        }
        None => result,
    };
    task.trace.scratch.clear();
    result
}

/// Runs the call, unless a rule has its result already; the frame has its own arguments again afterwards.
fn run(frame: &mut TrapFrame) -> SysResult {
    let (given, instead) = sched::with_current(|task| {
        let slot = task.trace.call.lock();
        let outcome = slot.kept.as_ref().map(|kept| &kept.outcome);
        (slot.given, outcome.and_then(|outcome| outcome.instead))
    });
    let rip = frame.rip;
    let result = match instead {
        Some(result) => result,
        None => syscall::dispatch(frame),
    };
    // A call that went on elsewhere (execve, rt_sigreturn) has set all registers itself.
    if let Some(given) = given
        && frame.rip == rip
    {
        frame.set_args(given);
    }
    result
}

/// Lets the rules that follow the call apply.
fn follow(
    kept: &mut Kept,
    values: &mut Values<'_>,
    frame: &TrapFrame,
    result: SysResult,
    (start, end): (u64, u64),
) -> SysResult {
    values.ended = Some(Ended {
        ret: rules::to_raw(&result),
        ticks: end.wrapping_sub(start),
    });
    if result == Err(Errno::ERESTARTNOINTR) {
        // It isn't over: the program makes it again.
        return result;
    }
    let entry = kept.active.call(values.nr);
    let result = rules::after(
        &kept.active,
        &entry,
        values,
        &mut kept.outcome,
        frame,
        result,
    );
    if let Some(ended) = &mut values.ended {
        ended.ret = rules::to_raw(&result);
    }
    result
}

/// Runs the call that `frame` made, with a record of it.
fn record(frame: &mut TrapFrame, plan: Option<Plan>) -> SysResult {
    let task = sched::current();
    tell_ignored(&task);
    let start = plan.as_ref().map_or_else(arch::tsc, |plan| plan.start);
    let mut args = frame.args();
    let nr = frame.orig_rax;
    let call = table::get(nr);
    let own = args;
    if let Some(call) = call
        && freeze::is_shared(&task)
    {
        args = freeze::arguments(call, &args, &task);
        frame.set_args(args);
    }
    let body = SyscallBody {
        nr,
        args: plan.as_ref().map_or(own, |plan| plan.shown),
        ret: 0,
        duration: 0,
    };

    // Captured outside the lock: reading user memory may let another task run.
    let mut record = core::mem::take(&mut task.trace.call.lock().record);
    record.start(body.as_bytes());
    if LIMITS.rip.load(Ordering::Relaxed) {
        record.item(tag::COUNT, field::RIP, 0, 0, frame.rip.as_bytes());
    }
    let mut never_returns = false;
    if let Some(call) = call {
        capture::before(&mut record, call, &args, &task);
        never_returns = call.never_returns();
        if nr == table_nr::RT_SIGRETURN as u64 {
            capture::sigreturn(&mut record, frame.rsp);
        }
    }
    let mut given = (args != own).then_some(own);
    let mut held = false;
    let mut kept = None;
    if let Some(plan) = plan {
        plan.kept.outcome.hits.write(&mut record, &plan.kept.active);
        given = plan.given.or(given);
        (held, kept) = (plan.held, Some(plan.kept));
        never_returns &= kept
            .as_ref()
            .is_none_or(|kept| kept.outcome.instead.is_none());
    }
    if never_returns {
        // Whoever waits for the end of this task must not find it held from a stack that nobody returns to.
        put_enter(&task, &mut record, start);
        drop((record, kept, task));
        return syscall::dispatch(frame);
    }
    {
        let mut slot = task.trace.call.lock();
        slot.active = true;
        slot.entered = false;
        slot.held = held;
        slot.start = start;
        slot.body = body;
        slot.args = args;
        slot.captured = record.len();
        slot.record = record;
        slot.given = given;
        slot.kept = kept;
    }
    IN_FLIGHT.fetch_add(1, Ordering::Relaxed);
    drop(task);

    let result = run(frame);

    let task = sched::current();
    if signal::is_killed(&task) {
        // As on Linux, a call that SIGKILL ends has no result.
        emit_enter(&task);
        forget(&task);
        return result;
    }
    finish(&task, call, frame, result)
}

/// The recorded call of the current task has ended: completes its record. The result as rules leave it.
fn finish(
    task: &Arc<Task>,
    call: Option<&'static Syscall>,
    frame: &TrapFrame,
    result: SysResult,
) -> SysResult {
    let (mut record, mut slot) = {
        let mut slot = task.trace.call.lock();
        if slot.active {
            IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
        }
        slot.active = false;
        let record = core::mem::take(&mut slot.record);
        let state = Ending {
            entered: slot.entered,
            start: slot.start,
            body: slot.body,
            args: slot.args,
            captured: slot.captured,
            kept: slot.kept.take(),
        };
        slot.given = None;
        (record, state)
    };
    let end = arch::tsc();
    if let Some(call) = call {
        capture::after(&mut record, call, &slot.args, &result, task);
    }
    let mut result = result;
    let mut wanted = true;
    if let Some(mut kept) = slot.kept.take() {
        kept.outcome.hits = Default::default();
        let mut values = Values::after(task, slot.body.nr, slot.body.args, &mut kept.known);
        result = follow(&mut kept, &mut values, frame, result, (slot.start, end));
        kept.outcome.hits.write(&mut record, &kept.active);
        wanted = kept.is_wanted(&mut values);
    }
    if wanted {
        let body = SyscallBody {
            ret: rules::to_raw(&result),
            duration: end.wrapping_sub(slot.start),
            ..slot.body
        };
        record.set_body(body.as_bytes());
        if slot.entered {
            record.remove_items_before(size_of::<SyscallBody>(), slot.captured);
            let header = emit::header(kind::SYSCALL_EXIT, task);
            record.set_header(&RecordHeader { tsc: end, ..header });
        } else {
            let header = emit::header(kind::SYSCALL, task);
            record.set_header(&RecordHeader {
                tsc: slot.start,
                ..header
            });
        }
        ring::put(&mut record);
    }
    task.trace.scratch.clear();
    record.trim(KEEP);
    task.trace.call.lock().record = record;
    tell_ignored(task);
    result
}

/// What is left of a call's state at its end.
struct Ending {
    entered: bool,
    start: u64,
    body: SyscallBody,
    args: [u64; 6],
    captured: usize,
    kept: Option<Box<Kept>>,
}

fn put_enter(task: &Task, record: &mut Record, start: u64) {
    let header = emit::header(kind::SYSCALL_ENTER, task);
    record.set_header(&RecordHeader {
        tsc: start,
        ..header
    });
    ring::put(record);
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
    if !slot.active || slot.entered || slot.held {
        return;
    }
    slot.entered = true;
    let start = slot.start;
    put_enter(task, &mut slot.record, start);
}

/// The task ends: its call never returns.
pub(super) fn forget(task: &Task) {
    let (kept, held, body) = {
        let mut slot = task.trace.call.lock();
        if slot.active {
            IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
        }
        let held = slot.active && slot.held;
        slot.active = false;
        slot.given = None;
        (slot.kept.take(), held, slot.body)
    };
    if let Some(mut kept) = kept
        && held
    {
        let mut known = core::mem::take(&mut kept.known);
        let mut values = Values::after(task, body.nr, body.args, &mut known);
        if kept.is_wanted(&mut values) {
            let mut slot = task.trace.call.lock();
            let start = slot.start;
            put_enter(task, &mut slot.record, start);
        }
    }
}

/// Gives `frame`, a copy of the current task's, the arguments that the program itself gave.
pub fn own_arguments(frame: &mut TrapFrame) {
    let given = sched::with_current(|task| task.trace.call.lock().given);
    if let Some(given) = given {
        frame.set_args(given);
    }
}

/// `from`, which is in a traced execve, ends, and `to` runs the new program: the call's end belongs to that one.
pub(super) fn succeed(from: &Task, to: &Task) {
    let (kept, mut entered, start, body, mut record) = {
        let mut slot = from.trace.call.lock();
        if !slot.active {
            return;
        }
        slot.active = false;
        slot.given = None;
        IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
        let record = core::mem::take(&mut slot.record);
        let entered = if slot.held { None } else { Some(slot.entered) };
        (slot.kept.take(), entered, slot.start, slot.body, record)
    };
    let end = arch::tsc();
    let ticks = end.wrapping_sub(start);
    if let Some(mut kept) = kept
        && entered.is_none()
    {
        let mut known = core::mem::take(&mut kept.known);
        let mut values = Values::after(from, body.nr, body.args, &mut known);
        values.ended = Some(Ended { ret: 0, ticks });
        entered = kept.is_wanted(&mut values).then_some(false);
    }
    match entered {
        None => return,
        Some(false) => put_enter(from, &mut record, start),
        Some(true) => {}
    }
    let body = SyscallBody {
        ret: 0,
        duration: ticks,
        ..body
    };
    record.start(body.as_bytes());
    let header = emit::header(kind::SYSCALL_EXIT, to);
    record.set_header(&RecordHeader { tsc: end, ..header });
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
    capture::find_path(&slot.record, &slot.args, addr)
}
