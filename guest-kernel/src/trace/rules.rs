//! What rules do to a call: before it, after it, and what the record says of that.

use super::{
    filter::Active,
    pause::Paused,
    results,
    stops::{self, Moment},
    values::{Known, Values},
};
use crate::{
    Errno, SysResult,
    arch::TrapFrame,
    mm::user,
    signal::{self, SigInfo},
    sync::{Interruptible, wait_until},
    time,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use vitrine_abi::{
    event::{ARG_RESULT, BY_HAND, ITEM_OUT, Record, RuleBody, tag},
    filter::{
        AT_EXIT, ActionEntry, CallEntry, NO_LENGTH, PHASE_ENTRY, PHASE_EXIT, RuleEntry, Span,
        action, how,
    },
    stop::Decision,
    syscall::ArgKind,
};
use zerocopy::IntoBytes;

/// `si_code` of a signal that a tracer sends.
const SI_KERNEL: i32 = 0x80;
const SIGKILL: u32 = 9;

/// What rules have decided about a call.
#[derive(Default)]
pub(super) struct Outcome {
    /// It doesn't run: this is its result.
    pub instead: Option<SysResult>,
    /// A rule wants it recorded, whatever the filter says.
    pub logged: bool,
    /// Items for the record: what was done before the call.
    pub hits: Hits,
    /// Numbers of the rules whose later actions follow the call.
    pub later: Vec<u32>,
    /// A buffer has another length: which argument says so, the length given and the one that is passed.
    resized: Option<(u64, u64)>,
}

/// Items [`tag::RULE`] under construction.
#[derive(Default)]
pub(super) struct Hits {
    list: Vec<Hit>,
}

struct Hit {
    arg: u8,
    flags: u8,
    /// Number of the rule in its filter.
    rule: u32,
    /// The action.
    action: ActionEntry,
    before: u64,
    after: u64,
    /// What the argument pointed to.
    old: Vec<u8>,
    /// The decision about a stop that it comes from, if it isn't the rule's own action.
    by: Option<Arc<Decision>>,
}

/// Where an action comes from.
#[derive(Clone, Copy)]
struct Origin<'a> {
    active: &'a Active,
    /// Number of the rule in its filter.
    rule: u32,
    /// The decision about the stop that the rule made.
    by: Option<&'a Arc<Decision>>,
    /// Where the call is.
    moment: &'a Moment<'a>,
}

impl<'a> Origin<'a> {
    /// The bytes that an action refers to.
    fn bytes(&self, span: Span) -> &'a [u8] {
        bytes(self.active, self.by, span)
    }
}

fn bytes<'a>(active: &'a Active, by: Option<&'a Arc<Decision>>, span: Span) -> &'a [u8] {
    match by {
        Some(decision) => decision.bytes(span),
        None => active.filter.bytes(span),
    }
}

impl Hit {
    /// Of an action that changes nothing.
    fn of(rule: u32, action: &ActionEntry) -> Hit {
        Hit {
            arg: ARG_RESULT,
            flags: 0,
            rule,
            action: *action,
            before: 0,
            after: action.value,
            old: Vec::new(),
            by: None,
        }
    }
}

impl Hits {
    /// Adds them to a record.
    pub fn write(&self, record: &mut Record, active: &Active) {
        for hit in &self.list {
            let Some(rule) = active.filter.rules.get(hit.rule as usize) else {
                continue;
            };
            let action = &hit.action;
            let name = active.filter.bytes(rule.name);
            let name = &name[..name.len().min(usize::from(u16::MAX))];
            let pool = |span| bytes(active, hit.by.as_ref(), span);
            let new = pool(action.bytes);
            let (old, new) = match action.kind {
                action::ANNOTATE => (new, pool(action.more)),
                action::SET_STRING
                | action::SET_BYTES
                | action::POKE
                | action::HIDE
                | action::LOG => (hit.old.as_slice(), new),
                _ => Default::default(),
            };
            let body = RuleBody {
                rule: rule.id,
                generation: active.filter.header.generation,
                before: hit.before,
                after: hit.after,
                action: action.kind,
                flags: hit.flags & AT_EXIT | if hit.by.is_some() { BY_HAND } else { 0 },
                name_len: name.len() as u16,
                before_len: old.len() as u32,
                after_len: new.len() as u32,
                pad: 0,
            };
            let item = record.begin_item(tag::RULE, hit.arg, 0);
            record.extend(body.as_bytes());
            record.extend(old);
            record.extend(new);
            record.extend(name);
            let out = if hit.flags & AT_EXIT != 0 {
                ITEM_OUT
            } else {
                0
            };
            record.end_item(item, out);
        }
    }
}

/// Applies the rules that come before the call. `detailed`: the call is recorded, so what strings were before matters.
pub(super) fn before(
    active: &Arc<Active>,
    call: &CallEntry,
    values: &mut Values<'_>,
    frame: &TrapFrame,
    detailed: bool,
) -> Outcome {
    let moment = Moment {
        frame,
        result: None,
    };
    let mut outcome = Outcome::default();
    let resumed = Paused::take(values.task, &values.place, active);
    let mut applied = Vec::new();
    for (position, &number) in active.rules_of(call).iter().enumerate() {
        let Some(rule) = active.filter.rules.get(number as usize) else {
            continue;
        };
        if rule.phase != PHASE_ENTRY {
            continue;
        }
        let had_applied = resumed
            .as_ref()
            .and_then(|resumed| resumed.had_applied(position, number));
        if !had_applied.unwrap_or_else(|| applies(active, number, rule, values)) {
            continue;
        }
        applied.push(number);
        for (index, action) in active.filter.actions_of(rule).iter().enumerate() {
            let at = (position, index);
            let mut deadline = None;
            if let Some(resumed) = &resumed {
                if resumed.has_done(at) && !is_repeatable(action) {
                    continue;
                }
                deadline = (at == resumed.at).then_some(resumed.deadline);
            }
            if action.flags & AT_EXIT != 0 {
                if outcome.later.last() != Some(&number) {
                    outcome.later.push(number);
                }
            } else if action.kind == action::DELAY {
                let deadline =
                    deadline.unwrap_or_else(|| time::monotonic_ns().saturating_add(action.value));
                outcome.hits.list.push(Hit::of(number, action));
                if sleep(deadline, Interruptible::Yes) {
                    continue;
                }
                if !signal::is_killed(values.task) && outcome.instead.is_none() {
                    *values.task.trace.paused.lock() = Some(Box::new(Paused {
                        place: values.place,
                        active: active.clone(),
                        applied,
                        at,
                        deadline,
                    }));
                }
                outcome.instead.get_or_insert(Err(Errno::ERESTARTNOINTR));
                return outcome;
            } else {
                let origin = Origin {
                    active,
                    rule: number,
                    by: None,
                    moment: &moment,
                };
                act_before(origin, action, values, &mut outcome, detailed);
            }
        }
    }
    outcome
}

/// Whether an action is done again when the program makes an interrupted call again: what says what becomes of the call, and what the log has to tell.
fn is_repeatable(action: &ActionEntry) -> bool {
    matches!(
        action.kind,
        action::SET..=action::RETURN | action::SET_NUMBER | action::LOG | action::ANNOTATE
    ) || action.flags & AT_EXIT != 0
}

/// Sleeps up to a time of CLOCK_MONOTONIC; false: a signal came first.
fn sleep(deadline: u64, how: Interruptible) -> bool {
    let wait = wait_until(&[], Some(deadline), how, || None::<()>);
    !matches!(wait, Err(crate::sync::WaitError::Signal))
}

/// Applies what follows the call: later actions of rules that applied before it, then the rules that look at its result.
pub(super) fn after(
    active: &Active,
    call: &CallEntry,
    values: &mut Values<'_>,
    outcome: &mut Outcome,
    frame: &TrapFrame,
    result: SysResult,
) -> SysResult {
    let mut result = as_given(result, outcome);
    let act = |number,
               action: &ActionEntry,
               values: &mut Values<'_>,
               outcome: &mut Outcome,
               result: &mut SysResult| {
        let so_far = *result;
        let moment = Moment {
            frame,
            result: Some(&so_far),
        };
        let origin = Origin {
            active,
            rule: number,
            by: None,
            moment: &moment,
        };
        act_after(origin, action, values, outcome, result);
    };
    for number in core::mem::take(&mut outcome.later) {
        if let Some(rule) = active.filter.rules.get(number as usize) {
            let later = |action: &&ActionEntry| action.flags & AT_EXIT != 0;
            for action in active.filter.actions_of(rule).iter().filter(later) {
                act(number, action, values, outcome, &mut result);
            }
        }
    }
    for &number in active.rules_of(call) {
        let Some(rule) = active.filter.rules.get(number as usize) else {
            continue;
        };
        if rule.phase != PHASE_EXIT {
            continue;
        }
        if let Some(ended) = &mut values.ended {
            ended.ret = to_raw(&result);
        }
        if applies(active, number, rule, values) {
            for action in active.filter.actions_of(rule) {
                act(number, action, values, outcome, &mut result);
            }
        }
    }
    result
}

/// A call that took all of a buffer that a rule made longer or shorter took all of what the program gave.
fn as_given(result: SysResult, outcome: &Outcome) -> SysResult {
    match (result, outcome.resized) {
        (Ok(taken), Some((given, passed))) => {
            let given = usize::try_from(given).unwrap_or(usize::MAX);
            Ok(if taken as u64 == passed {
                given
            } else {
                taken.min(given)
            })
        }
        (result, _) => result,
    }
}

fn applies(active: &Active, number: u32, rule: &RuleEntry, values: &mut Values<'_>) -> bool {
    active.filter.run(rule.program, values) && active.hit(number, rule, values.task)
}

fn act_before(
    origin: Origin<'_>,
    action: &ActionEntry,
    values: &mut Values<'_>,
    outcome: &mut Outcome,
    detailed: bool,
) {
    let arg = action.arg as usize;
    let before = values.shown().get(arg).copied().unwrap_or(0);
    let mut hit = Hit {
        arg: action.arg,
        flags: 0,
        rule: origin.rule,
        action: *action,
        before,
        after: action.value,
        old: Vec::new(),
        by: origin.by.cloned(),
    };
    match action.kind {
        action::SET | action::SET_OR | action::SET_AND => {
            hit.after = match action.kind {
                action::SET => how::apply(action.how, before, action.value),
                action::SET_OR => before | action.value,
                _ => before & action.value,
            };
            values.set(arg, hit.after);
        }
        action::SET_STRING | action::SET_BYTES => {
            if detailed && let Some(old) = values.argument(arg) {
                hit.old.extend_from_slice(old);
            }
            hit.before = values.given.get(arg).copied().unwrap_or(0);
            let data = origin.bytes(action.bytes);
            let resizes = action.kind == action::SET_BYTES && action.length_arg != NO_LENGTH;
            if resizes {
                let length_arg = action.length_arg as usize;
                let is_buffer = values
                    .call
                    .is_some_and(|call| matches!(call.kind(&values.args, arg), ArgKind::BufIn(_)));
                let passed = data.len() as u64;
                if is_buffer && outcome.resized.is_none() {
                    let given = values.given.get(length_arg).copied().unwrap_or(0);
                    outcome.resized = Some((given, passed));
                } else if let Some((_, length)) = &mut outcome.resized {
                    *length = passed;
                }
                values.set(length_arg, passed);
            }
            values.replace(arg, data);
        }
        action::RETURN => {
            // The first rule's result counts, but who decides by hand has seen it.
            if outcome.instead.is_some() && origin.by.is_none() {
                return;
            }
            hit.arg = ARG_RESULT;
            outcome.instead = Some(from_raw(action.value as i64));
        }
        action::POKE => hit.old = poke(origin, action, values, detailed),
        action::SET_NUMBER => match values.replace_number(action) {
            Some((before, after)) => (hit.before, hit.after) = (before, after),
            None => return,
        },
        action::POKE_NUMBER => match results::poke_number(action, values) {
            Some((before, after)) => (hit.before, hit.after) = (before, after),
            None => return,
        },
        action::STOP => {
            hit.arg = ARG_RESULT;
            outcome.hits.list.push(hit);
            match stop(origin, values) {
                Some(decision) => {
                    let origin = Origin {
                        by: Some(&decision),
                        ..origin
                    };
                    for action in &decision.actions {
                        act_before(origin, action, values, outcome, true);
                    }
                }
                None => interrupt(outcome),
            }
            return;
        }
        _ => {
            hit.arg = ARG_RESULT;
            let interrupted = act_anywhere(action, values, outcome);
            if interrupted {
                interrupt(outcome);
            }
        }
    }
    outcome.hits.list.push(hit);
}

/// The thread is about to die: its call doesn't run.
fn interrupt(outcome: &mut Outcome) {
    outcome.instead.get_or_insert(Err(Errno::ERESTARTNOINTR));
}

/// Parks the current thread until it is decided what becomes of it; `None`: it was killed.
fn stop(origin: Origin<'_>, values: &Values<'_>) -> Option<Arc<Decision>> {
    let filter = &origin.active.filter;
    let rule = filter
        .rules
        .get(origin.rule as usize)
        .copied()
        .unwrap_or_default();
    let call = stops::Call {
        task: values.task,
        row: values.call,
        nr: values.nr,
        args: values.args,
        shown: values.shown(),
        rule: (rule.id, filter.bytes(rule.name)),
    };
    stops::park(&call, origin.moment).map(Arc::new)
}

fn act_after(
    origin: Origin<'_>,
    action: &ActionEntry,
    values: &mut Values<'_>,
    outcome: &mut Outcome,
    result: &mut SysResult,
) {
    let mut hit = Hit {
        arg: ARG_RESULT,
        flags: AT_EXIT,
        rule: origin.rule,
        action: *action,
        before: to_raw(result) as u64,
        after: action.value,
        old: Vec::new(),
        by: origin.by.cloned(),
    };
    match action.kind {
        action::RETURN if action.how == how::ADD => {
            let Ok(value) = result else { return };
            hit.after = (*value as u64).wrapping_add(action.value);
            *result = from_raw(hit.after as i64);
        }
        action::RETURN => *result = from_raw(action.value as i64),
        // What a call that failed would have written isn't there.
        action::POKE_NUMBER | action::HIDE if result.is_err() => return,
        action::POKE_NUMBER => {
            hit.arg = action.arg;
            match results::poke_number(action, values) {
                Some((before, after)) => (hit.before, hit.after) = (before, after),
                None => return,
            }
        }
        action::HIDE => {
            let pattern = origin.bytes(action.bytes);
            let hidden = results::hide(pattern, values, result);
            if hit.before == to_raw(&hidden) as u64 {
                return;
            }
            hit.after = to_raw(&hidden) as u64;
            *result = hidden;
        }
        action::POKE => {
            hit.arg = action.arg;
            hit.old = poke(origin, action, values, true);
        }
        action::SET..=action::SET_BYTES | action::SET_NUMBER => return,
        action::STOP => {
            outcome.hits.list.push(hit);
            if let Some(decision) = stop(origin, values) {
                let origin = Origin {
                    by: Some(&decision),
                    ..origin
                };
                for action in &decision.actions {
                    act_after(origin, action, values, outcome, result);
                }
            }
            return;
        }
        _ => {
            act_anywhere(action, values, outcome);
        }
    }
    outcome.hits.list.push(hit);
}

/// What makes sense before and after a call; whether a deadly signal cut it short.
fn act_anywhere(action: &ActionEntry, values: &Values<'_>, outcome: &mut Outcome) -> bool {
    match action.kind {
        action::DELAY => {
            let deadline = time::monotonic_ns().saturating_add(action.value);
            return !sleep(deadline, Interruptible::Killable);
        }
        action::SIGNAL => {
            let info = SigInfo {
                signo: action.value as u32,
                code: SI_KERNEL,
                ..SigInfo::default()
            };
            crate::sched::with_current(|task| signal::send_to_task(task, info));
        }
        action::KILL => {
            let info = SigInfo {
                signo: SIGKILL,
                code: SI_KERNEL,
                ..SigInfo::default()
            };
            signal::send_to_process(&values.task.process, info);
            return true;
        }
        action::LOG | action::ANNOTATE => outcome.logged = true,
        _ => {}
    }
    false
}

/// Writes to the program's memory; what was there before, if that matters.
fn poke(origin: Origin<'_>, action: &ActionEntry, values: &Values<'_>, detailed: bool) -> Vec<u8> {
    let addr = values.given.get(action.arg as usize).copied().unwrap_or(0);
    let data = origin.bytes(action.bytes);
    let mut old = Vec::new();
    if detailed {
        old.resize(data.len(), 0);
        if user::read_bytes(addr, &mut old).is_err() {
            old.clear();
        }
    }
    // Where the program has no memory there is nothing to change.
    let _ = user::write_bytes(addr, data);
    old
}

/// A result as a program sees it.
pub(super) fn to_raw(result: &SysResult) -> i64 {
    match result {
        Ok(value) => *value as i64,
        Err(errno) => -i64::from(errno.0),
    }
}

fn from_raw(value: i64) -> SysResult {
    match value {
        -4095..0 => Err(Errno(value.unsigned_abs() as u16)),
        _ => Ok(value as usize),
    }
}

/// What may still follow a call.
pub(super) struct FollowUps {
    /// Anything at all.
    pub any: bool,
    /// Something that is recorded, whatever the filter says.
    pub may_log: bool,
}

/// What may follow a call to which `outcome` was done already.
pub(super) fn follow_ups(active: &Active, call: &CallEntry, outcome: &Outcome) -> FollowUps {
    let rule = |number: &u32| active.filter.rules.get(*number as usize);
    let at_exit = active
        .rules_of(call)
        .iter()
        .filter_map(rule)
        .filter(|rule| rule.phase == PHASE_EXIT);
    let mut follow = FollowUps {
        any: false,
        may_log: false,
    };
    for rule in outcome.later.iter().filter_map(rule).chain(at_exit) {
        follow.any = true;
        follow.may_log |= active
            .filter
            .actions_of(rule)
            .iter()
            .any(|action| matches!(action.kind, action::LOG | action::ANNOTATE));
    }
    follow
}

/// What has to be kept of a consulted call while it runs.
pub(super) struct Kept {
    /// The filter that it began with.
    pub active: Arc<Active>,
    /// Whether the filter's program wants it recorded, as far as is known before the call.
    pub wanted: bool,
    /// What its rules did.
    pub outcome: Outcome,
    /// What was learnt of its arguments.
    pub known: Known,
}

impl Kept {
    /// Whether the call is recorded, now that everything is known of it.
    pub fn is_wanted(&self, values: &mut Values<'_>) -> bool {
        let exit = self.active.call(values.nr).exit;
        self.outcome.logged || (self.wanted && self.active.filter.run(exit, values))
    }
}
