//! The filter in force: which calls are watched, and by what programs and rules.
//!
//! A filter is replaced as a whole ([`install`]), between calls: a call that has begun goes on with the one that it began with. The
//! entry code sees it as one byte a call number ([`super::ARMED`]). Format, check and interpreter are `vitrine_abi::filter`.

use super::{
    ARMED, EVENTS, LIMITS, MAX_CAPTURE,
    values::{Ended, Needs, Values},
    watch,
};
use crate::{random, sync::Mutex, task::Task};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};
use core::sync::atomic::{AtomicU64, Ordering};
use vitrine_abi::{
    filter::{
        ALWAYS, CALLS, CallEntry, FILTER_DESCRIPTORS, FILTER_EVENTS, Filter, Invalid, NO_PROGRAM,
        PHASE_EXIT, RuleEntry, SCOPE_GLOBAL, SCOPE_PROCESS, WATCH_RECORD, WATCH_RULES,
    },
    shared::RuleCount,
    syscall,
};
use zerocopy::IntoBytes;

/// A filter and what it has counted.
pub(super) struct Active {
    /// The tables.
    pub filter: Filter,
    counts: Vec<Count>,
    /// By number of the rule: which of the counts is its. Rules with the same id are one rule, which looks different to different calls.
    count_of: Vec<u32>,
}

/// Matches of one rule so far, and the state of its draws.
#[derive(Default)]
struct Count {
    /// [`RuleEntry::scope`].
    scope: u8,
    all: AtomicU64,
    /// By process or thread id.
    each: Mutex<BTreeMap<i32, u64>>,
    draws: AtomicU64,
    /// In all, whoever made the calls.
    matched: AtomicU64,
    /// Those that the rule was applied to.
    applied: AtomicU64,
}

static FILTER: Mutex<Option<Arc<Active>>> = Mutex::new(None);

/// The filter in force.
pub(super) fn current() -> Option<Arc<Active>> {
    FILTER.lock().clone()
}

/// Calls `f` with the filter in force, without counting a reference: `f` must not block.
pub(super) fn with_current<R>(f: impl FnOnce(&Active) -> R) -> Option<R> {
    FILTER.lock().as_deref().map(f)
}

/// Whether a call that has been done, of which no rule knows, is to be recorded.
pub(super) fn wants_done(task: &Task, nr: u64, args: [u64; 6], ended: Ended) -> bool {
    let Some(active) = current() else {
        return true;
    };
    let entry = active.call(nr);
    let mut values = Values::new(task, syscall::get(nr), nr, args);
    if entry.watch & WATCH_RECORD == 0 || !active.filter.run(entry.entry, &mut values) {
        return false;
    }
    values.ended = Some(ended);
    let wanted = active.filter.run(entry.exit, &mut values);
    task.trace.scratch.clear();
    wanted
}

/// Puts the filter in `blob` in force, or says what is wrong with it; then the one before stays.
pub(super) fn install(blob: &[u8]) -> Result<(), Invalid> {
    install_filter(Filter::decode(blob)?)
}

/// Puts a checked filter in force. Rules that the one before had too go on counting where they were.
fn install_filter(filter: Filter) -> Result<(), Invalid> {
    let (mut counts, mut count_of) = (Vec::new(), Vec::new());
    let rules = filter.rules.len();
    if counts.try_reserve_exact(rules).is_err() || count_of.try_reserve_exact(rules).is_err() {
        return Err(Invalid::NoMemory);
    }
    let old = current();
    let mut known = BTreeMap::new();
    for rule in &filter.rules {
        let number = *known.entry(rule.id).or_insert_with(|| {
            let kept = old.as_ref().and_then(|old| old.count(rule.id));
            counts.push(kept.unwrap_or_else(|| Count {
                scope: rule.scope,
                draws: AtomicU64::new(seed()),
                ..Count::default()
            }));
            counts.len() as u32 - 1
        });
        count_of.push(number);
    }
    let header = filter.header;
    let armed: [u8; CALLS] = core::array::from_fn(|nr| armed_by(&filter, nr));
    *FILTER.lock() = Some(Arc::new(Active {
        filter,
        counts,
        count_of,
    }));
    for (byte, value) in ARMED.iter().zip(armed) {
        byte.store(value, Ordering::Relaxed);
    }
    EVENTS.store(header.flags & FILTER_EVENTS != 0, Ordering::Relaxed);
    LIMITS
        .descriptors
        .store(header.flags & FILTER_DESCRIPTORS != 0, Ordering::Relaxed);
    for (limit, wanted) in [
        (&LIMITS.string, header.string_limit),
        (&LIMITS.buffer, header.buffer_limit),
    ] {
        limit.store(wanted.min(MAX_CAPTURE), Ordering::Relaxed);
    }
    Ok(())
}

fn seed() -> u64 {
    let mut bytes = [0; 8];
    random::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// What the entry code is to know of call `nr`.
fn armed_by(filter: &Filter, nr: usize) -> u8 {
    let call = filter.call(nr as u64);
    if call.watch & WATCH_RULES != 0 && call.rules.len > 0 {
        return watch::CONSULT;
    }
    if call.watch & WATCH_RECORD == 0 {
        return 0;
    }
    if call.exit != NO_PROGRAM {
        return watch::CONSULT;
    }
    match filter.programs.get(call.entry as usize) {
        None => watch::RECORD,
        Some(program) if program.strings == 0 && program.descriptors == 0 => {
            watch::CONSULT | watch::NUMBERS_ONLY
        }
        Some(_) => watch::CONSULT,
    }
}

impl Active {
    /// What is done about call `nr`.
    pub fn call(&self, nr: u64) -> CallEntry {
        self.filter.call(nr)
    }

    /// The numbers of the rules of a call, in order.
    pub fn rules_of(&self, call: &CallEntry) -> &[u32] {
        let start = call.rules.start as usize;
        let end = start.saturating_add(call.rules.len as usize);
        if call.watch & WATCH_RULES == 0 {
            return &[];
        }
        self.filter.rule_lists.get(start..end).unwrap_or_default()
    }

    /// What the programs that follow a call read of its arguments.
    pub fn needs_after(&self, call: &CallEntry) -> Needs {
        let rules = self
            .rules_of(call)
            .iter()
            .filter_map(|&number| self.filter.rules.get(number as usize))
            .filter(|rule| rule.phase == PHASE_EXIT)
            .map(|rule| rule.program);
        let mut needs = Needs::default();
        for program in rules.chain([call.exit]) {
            if let Some(program) = self.filter.programs.get(program as usize) {
                needs.strings |= program.strings;
                needs.descriptors |= program.descriptors;
            }
        }
        needs
    }

    /// Counts a match of rule `number` by `task`, and says whether the rule applies to it.
    pub fn hit(&self, number: u32, rule: &RuleEntry, task: &Task) -> bool {
        let index = self.count_of.get(number as usize).copied();
        let Some(count) = index.and_then(|index| self.counts.get(index as usize)) else {
            return false;
        };
        let hit = match rule.scope {
            SCOPE_GLOBAL => count.all.fetch_add(1, Ordering::Relaxed) + 1,
            scope => {
                let id = if scope == SCOPE_PROCESS {
                    task.process.pid
                } else {
                    task.tid
                };
                let mut each = count.each.lock();
                let hits = each.entry(id).or_insert(0);
                *hits += 1;
                *hits
            }
        };
        let applies =
            rule.counts(hit) && (rule.probability >= ALWAYS || count.draw() < rule.probability);
        count.matched.fetch_add(1, Ordering::Relaxed);
        count.applied.fetch_add(applies.into(), Ordering::Relaxed);
        applies
    }

    /// The count so far of the rule with this id.
    fn count(&self, id: u64) -> Option<Count> {
        let number = self.filter.rules.iter().position(|rule| rule.id == id)?;
        let count = self.counts.get(*self.count_of.get(number)? as usize)?;
        Some(Count {
            scope: count.scope,
            all: AtomicU64::new(count.all.load(Ordering::Relaxed)),
            each: Mutex::new(count.each.lock().clone()),
            draws: AtomicU64::new(count.draws.load(Ordering::Relaxed)),
            matched: AtomicU64::new(count.matched.load(Ordering::Relaxed)),
            applied: AtomicU64::new(count.applied.load(Ordering::Relaxed)),
        })
    }
}

/// Every rule in force with its counts, as [`RuleCount`]s.
pub(super) fn rule_counts() -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let Some(active) = current() else {
        return Ok(bytes);
    };
    let mut told = BTreeSet::new();
    for (rule, &number) in active.filter.rules.iter().zip(&active.count_of) {
        let Some(count) = active.counts.get(number as usize) else {
            continue;
        };
        if !told.insert(number) {
            continue;
        }
        let count = RuleCount {
            id: rule.id,
            matched: count.matched.load(Ordering::Relaxed),
            applied: count.applied.load(Ordering::Relaxed),
        };
        if bytes.try_reserve(size_of::<RuleCount>()).is_err() {
            return Err(String::from(
                "the guest kernel has no memory for the answer",
            ));
        }
        bytes.extend_from_slice(count.as_bytes());
    }
    Ok(bytes)
}

impl Count {
    /// A number from 0 to 2³²−1 (splitmix64).
    fn draw(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self
            .draws
            .fetch_add(STEP, Ordering::Relaxed)
            .wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) >> 32
    }
}

/// A thread has ended (and its process with it): nothing is counted for it any more.
pub(super) fn forget(task: &Task, process_ended: bool) {
    let Some(active) = current() else {
        return;
    };
    for count in &active.counts {
        match count.scope {
            SCOPE_GLOBAL => {}
            SCOPE_PROCESS if !process_ended => {}
            SCOPE_PROCESS => {
                count.each.lock().remove(&task.process.pid);
            }
            _ => {
                count.each.lock().remove(&task.tid);
            }
        }
    }
}
