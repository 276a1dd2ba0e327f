//! Stops: a thread that a rule parks at the entry or exit of a call, until somebody decides what becomes of it.
//!
//! The VMM is told by a host call. Its answer either decides at once, or says how long the thread waits for a decision that comes through
//! the mailbox. A parked thread waits as any blocked one does: without the processor, and a signal that kills it ends the wait. What the
//! decision asks for is done by [`super::rules`], as if the rule had asked for it. Format: `vitrine_abi::stop`.

use super::{capture, emit, events_on, ring};
use crate::{
    SysResult, arch,
    arch::TrapFrame,
    hostcall,
    sync::{Interruptible, Mutex, WaitError, WaitQueue, wait_until},
    task::Task,
    time,
};
use alloc::{collections::BTreeMap, sync::Arc};
use core::sync::atomic::{AtomicU64, Ordering};
use vitrine_abi::{
    event::{ParkBody, Record, ResumeBody, SyscallBody, field, kind, tag},
    stop::{
        AT_ENTRY, AT_EXIT, Decision, HOW_KILLED, HOW_POLICY, HOW_TIMEOUT, MAX_STOP_RECORD,
        REGISTERS,
    },
    syscall::Syscall,
};
use zerocopy::IntoBytes;

/// Where a call is when a rule stops it.
pub(super) struct Moment<'a> {
    /// The program's registers.
    pub frame: &'a TrapFrame,
    /// Its result, after it has run.
    pub result: Option<&'a SysResult>,
}

/// What is known of a call that is stopped.
pub(super) struct Call<'a> {
    pub task: &'a Task,
    pub row: Option<&'static Syscall>,
    pub nr: u64,
    /// As the handler gets them.
    pub args: [u64; 6],
    /// As a record shows them.
    pub shown: [u64; 6],
    /// Number and name of the rule.
    pub rule: (u64, &'a [u8]),
}

/// A thread that waits.
#[derive(Default)]
struct Parked {
    decision: Mutex<Option<Decision>>,
    decided: WaitQueue,
}

static PARKED: Mutex<BTreeMap<u64, Arc<Parked>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Parks the current thread until it is decided what becomes of it; `None`: it was killed meanwhile.
pub(super) fn park(call: &Call<'_>, moment: &Moment<'_>) -> Option<Decision> {
    let start = arch::tsc();
    let stop = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut record = describe(stop, call, moment);
    if events_on() {
        ring::put(&mut record);
    }
    // Known before the VMM hears of it, for the answer may be quick.
    let parked = Arc::new(Parked::default());
    PARKED.lock().insert(stop, parked.clone());
    let (at_once, timeout) = match hostcall::stopped(record.as_bytes()) {
        Ok((Some((_, decision)), _)) => (Some(decision), u64::MAX),
        Ok((None, timeout)) => (None, timeout),
        // Without anybody to ask, nothing may hang.
        Err(_) => (Some(Decision::go_on(HOW_POLICY)), u64::MAX),
    };
    drop(record);
    let waited = at_once.is_none();
    let decision = at_once.or_else(|| wait(&parked, timeout));
    PARKED.lock().remove(&stop);
    if waited {
        hostcall::stop_ended(stop);
    }
    if events_on() {
        let body = ResumeBody {
            stop,
            duration: arch::tsc().wrapping_sub(start),
            how: decision
                .as_ref()
                .map_or(HOW_KILLED, |decision| decision.how),
            actions: decision
                .as_ref()
                .map_or(0, |decision| decision.actions.len() as u32),
        };
        emit::put(kind::RESUME, call.task, body.as_bytes(), |_| ());
    }
    decision
}

fn wait(parked: &Parked, timeout: u64) -> Option<Decision> {
    let deadline = match timeout {
        u64::MAX => None,
        ns => Some(time::monotonic_ns().saturating_add(ns)),
    };
    let decided = wait_until(
        &[&parked.decided],
        deadline,
        Interruptible::Killable,
        || parked.decision.lock().take(),
    );
    match decided {
        Ok(decision) => Some(decision),
        Err(WaitError::Timeout) => Some(Decision::go_on(HOW_TIMEOUT)),
        Err(WaitError::Signal) => None,
    }
}

/// A decision has come: whether it is one, and its thread still waits for it.
pub(super) fn decide(bytes: &[u8]) -> bool {
    let Some((stop, decision)) = Decision::decode(bytes) else {
        return false;
    };
    // Taken out at once: the first decision counts.
    let Some(parked) = PARKED.lock().remove(&stop) else {
        return false;
    };
    *parked.decision.lock() = Some(decision);
    parked.decided.wake_all();
    true
}

/// The record of a stop.
fn describe(stop: u64, call: &Call<'_>, moment: &Moment<'_>) -> Record {
    let body = ParkBody {
        call: SyscallBody {
            nr: call.nr,
            args: call.shown,
            ret: moment.result.map_or(0, super::rules::to_raw),
            duration: 0,
        },
        stop,
        rule: call.rule.0,
        at: if moment.result.is_some() {
            AT_EXIT
        } else {
            AT_ENTRY
        },
        pad: 0,
    };
    let mut record = Record::new();
    start(&mut record, &body, call, moment);
    if let Some(row) = call.row {
        capture::before(&mut record, row, &call.args, call.task);
        if let Some(result) = moment.result {
            capture::after(&mut record, row, &call.args, result, call.task);
        }
    }
    if record.len() > MAX_STOP_RECORD {
        start(&mut record, &body, call, moment);
    }
    record.set_header(&emit::header(kind::PARK, call.task));
    record
}

/// Begins it with what is short.
fn start(record: &mut Record, body: &ParkBody, call: &Call<'_>, moment: &Moment<'_>) {
    record.start(body.as_bytes());
    let registers = registers(moment.frame);
    record.item(tag::BYTES, field::REGISTERS, 0, 0, registers.as_bytes());
    record.item(tag::STRING, field::RULE, 0, 0, call.rule.1);
    let comm = *call.task.comm.lock();
    record.item(tag::STRING, field::COMM, 0, 0, capture::until_nul(&comm));
}

/// As [`REGISTERS`] names them.
fn registers(frame: &TrapFrame) -> [u64; REGISTERS.len()] {
    let [rdi, rsi, rdx, r10, r8, r9] = frame.args();
    [
        frame.orig_rax,
        rdi,
        rsi,
        rdx,
        r10,
        r8,
        r9,
        frame.rbx,
        frame.rcx,
        frame.rbp,
        frame.rsp,
        frame.r11,
        frame.r12,
        frame.r13,
        frame.r14,
        frame.r15,
        frame.rip,
        frame.rflags,
    ]
}
