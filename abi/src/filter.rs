//! The in-guest filter: what the VMM compiles an expression and its rules into, and the guest kernel's system-call gate runs.
//!
//! One [`Filter`] holds all of it and is replaced as a whole. It travels as one blob ([`Filter::encode`], [`Filter::decode`]); decoding copies
//! every part out and [`Filter::verify`]s it, so that what was checked is what runs.
//!
//! ```text
//! blob = Header, then each table of it in this order, each padded with zeros to 8 bytes:
//!   calls       CallEntry × CALLS     one for each call number, the last one for all numbers past the table
//!   programs    ProgramEntry          a run of instructions
//!   insns       Insn                  24 bytes each; jumps go forward only, so every program ends
//!   rules       RuleEntry             match, when, how often, a run of actions
//!   rule_lists  u32                   numbers of rules, in the order in which they apply; runs of it belong to calls
//!   actions     ActionEntry
//!   pool        bytes                 strings, sets of integers and of strings
//! ```
//!
//! What the gate does for call `nr`, with `entry = filter.call(nr)`:
//! 1. `entry.watch == 0`: nothing (keep `watch` in an array of its own: one load).
//! 2. The rules of `entry.rules`, in order, those of [`PHASE_ENTRY`]. A rule applies if its program says [`YES`] (of the arguments as they are by then:
//!    an earlier rule may have set them), the count is among `first..=last` by `step`, and the draw is below `probability`.
//!    Then its actions are done in order. The first [`action::RETURN`] keeps the call from running; later rules still apply, but a further `RETURN` is ignored.
//! 3. `WATCH_RECORD`: the `entry` program (on the arguments as the program gave them); [`NO`] means that no record is made. A [`ProgramEntry`] says
//!    whether it reads captured strings or descriptors: one that doesn't runs before anything is captured.
//! 4. The call runs. Rules of [`PHASE_EXIT`], and the actions with [`AT_EXIT`] of rules that applied at entry, follow it.
//! 5. The `exit` program, if there is one, decides again, now with the result. A call that has one gets no enter record when it blocks: its
//!    record is held back until its end, and is a `SYSCALL` record then. If the task ends inside the call, the `exit` program runs with the result absent,
//!    and its `YES` makes an enter record. The `entry` program has decided for calls that never return; they have no `exit` program.
//!
//! A test of a value that is absent (no such argument string, a descriptor that isn't open, no error) is false, whatever the operator.
//!
//! - [`Filter::run`] interprets a program over a [`Source`] of values; [`verify`](Filter::verify) is the check.

extern crate alloc;

mod run;
#[cfg(test)]
mod tests;
mod text;
mod verify;

pub use run::{Source, glob};
pub use text::{absolute, address};
pub use verify::Invalid;

use crate::nr::TABLE_LEN;
use alloc::vec::Vec;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First word of a blob: `VFILTER\0`, little endian.
pub const MAGIC: u64 = u64::from_le_bytes(*b"VFILTER\0");
/// [`Header::version`].
pub const VERSION: u32 = 1;

/// Entries in [`Filter::calls`].
pub const CALLS: usize = TABLE_LEN + 1;
/// Most instructions of one program.
pub const MAX_PROGRAM: u32 = 1 << 15;
/// Most instructions of a filter.
pub const MAX_INSNS: u32 = 1 << 17;
/// Most programs.
pub const MAX_PROGRAMS: u32 = 1 << 12;
/// Most rules.
pub const MAX_RULES: u32 = 1 << 12;
/// Most entries of [`Filter::rule_lists`].
pub const MAX_RULE_LISTS: u32 = 1 << 18;
/// Most actions.
pub const MAX_ACTIONS: u32 = 1 << 14;
/// Most bytes of [`Filter::pool`].
pub const MAX_POOL: u32 = 8 << 20;
/// Longest string, pattern or buffer that an instruction or action refers to.
pub const MAX_STRING: u32 = 4096;
/// Longest pattern of [`op::GLOB`].
pub const MAX_GLOB: u32 = 1024;
/// Longest blob.
pub const MAX_BLOB: usize = 24 << 20;

/// In place of the number of a program: there is none.
pub const NO_PROGRAM: u32 = u32::MAX;

/// A program's answer: don't record; the rule doesn't match.
pub const NO: u64 = 0;
/// A program's answer: record; the rule matches.
pub const YES: u64 = 1;

/// A filter: plain tables that refer to each other by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Flags and capture limits; its counts are filled in by [`Filter::encode`].
    pub header: Header,
    /// By call number, [`CALLS`] of them.
    pub calls: Vec<CallEntry>,
    /// Programs.
    pub programs: Vec<ProgramEntry>,
    /// Instructions of all programs.
    pub insns: Vec<Insn>,
    /// Rules.
    pub rules: Vec<RuleEntry>,
    /// Numbers of rules; runs of it belong to calls.
    pub rule_lists: Vec<u32>,
    /// Actions of all rules.
    pub actions: Vec<ActionEntry>,
    /// Strings and sets.
    pub pool: Vec<u8>,
}

/// A run of entries in another table, or of bytes in the pool.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Span {
    /// Number of the first.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// The head of a blob.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`VERSION`].
    pub version: u32,
    /// Bits `FILTER_*`.
    pub flags: u32,
    /// Counts filters of this sandbox: says which one a rule hit or a record belongs to.
    pub generation: u64,
    /// Entries of each table, in the order of the blob: calls, programs, insns, rules, rule_lists, actions, bytes of the pool.
    pub counts: [u32; 7],
    /// Bytes captured of a string that isn't a path.
    pub string_limit: u32,
    /// Bytes captured of a buffer.
    pub buffer_limit: u32,
    /// Reserved, 0.
    pub reserved: u32,
}

/// [`Header::flags`]: events other than calls (fork, exec, exit, signals, names) are recorded. The host's decoder needs them to name processes.
pub const FILTER_EVENTS: u32 = 1 << 0;
/// [`Header::flags`]: records say what descriptors refer to.
pub const FILTER_DESCRIPTORS: u32 = 1 << 1;
/// [`Header::flags`]: the vDSO makes system calls instead of answering itself, so that rules on clock calls apply to all of them.
pub const FILTER_NO_VDSO: u32 = 1 << 2;

/// [`CallEntry::watch`]: the `entry` program decides whether the call is recorded; without one it is.
pub const WATCH_RECORD: u8 = 1 << 0;
/// [`CallEntry::watch`]: rules may apply.
pub const WATCH_RULES: u8 = 1 << 1;

/// What is done about one call number. All zero but for the two `NO_PROGRAM`: nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CallEntry {
    /// Bits `WATCH_*`; 0: nobody watches it.
    pub watch: u8,
    /// Explicit padding.
    pub pad: [u8; 3],
    /// Program before the call, or [`NO_PROGRAM`]: always [`YES`].
    pub entry: u32,
    /// Program after the call, or [`NO_PROGRAM`]: as `entry` decided.
    pub exit: u32,
    /// Its rules: a run of [`Filter::rule_lists`].
    pub rules: Span,
}

impl CallEntry {
    /// The entry of a call that nobody watches.
    pub const UNWATCHED: CallEntry = CallEntry {
        watch: 0,
        pad: [0; 3],
        entry: NO_PROGRAM,
        exit: NO_PROGRAM,
        rules: Span { start: 0, len: 0 },
    };
}

/// A program.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ProgramEntry {
    /// Its run of [`Filter::insns`]; at least one.
    pub insns: Span,
    /// Bit n: it reads the captured string or buffer of argument n.
    pub strings: u8,
    /// Bit n: it asks what the descriptor in argument n refers to (bit 6: the result).
    pub descriptors: u8,
    /// 1: it reads the result, so it makes sense after the call only.
    pub result: u8,
    /// Explicit padding.
    pub pad: u8,
}

/// One instruction: a test with two ways on, or the end.
///
/// A test on an integer loads `field` (of argument `arg`, where the field has one), narrows it by `flags`, ANDs it with `mask`, compares it with `value`.
/// A test on a string compares it with the string in the pool that `value` tells ([`Insn::span`]).
/// Then the instruction `1 + if_true` or `1 + if_false` further on is next.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Insn {
    /// One of [`op`].
    pub op: u8,
    /// One of [`field`].
    pub field: u8,
    /// Number of an argument, 0…5 (6: the result, for descriptors).
    pub arg: u8,
    /// Bits `INSN_*`.
    pub flags: u8,
    /// How many instructions to skip if the test is true.
    pub if_true: u16,
    /// How many instructions to skip if it is false.
    pub if_false: u16,
    /// ANDed with an integer before the comparison (all ones: nothing).
    pub mask: u64,
    /// A constant; or `start | len << 32` of a run in the pool; of [`op::END`] the answer.
    pub value: u64,
}

/// [`Insn::flags`]: the integer is its low 32 bits.
pub const INSN_32: u8 = 1 << 0;
/// [`Insn::flags`]: the integer is signed: sign-extended from 32 bits (with [`INSN_32`]) and compared as such.
pub const INSN_SIGNED: u8 = 1 << 1;
/// [`Insn::flags`]: the case of ASCII letters doesn't matter; the string in the pool is in lower case.
pub const INSN_NOCASE: u8 = 1 << 2;

impl Insn {
    /// The run in the pool that `value` tells.
    pub const fn span(&self) -> Span {
        Span {
            start: self.value as u32,
            len: (self.value >> 32) as u32,
        }
    }
}

impl Span {
    /// As [`Insn::value`] holds it.
    pub const fn to_value(self) -> u64 {
        self.start as u64 | (self.len as u64) << 32
    }
}

/// What an instruction does ([`Insn::op`]).
pub mod op {
    /// The end; `value` is the answer.
    pub const END: u8 = 0;
    /// The value is there at all (integer or string field).
    pub const EXISTS: u8 = 1;
    /// Integer equal to `value`.
    pub const EQ: u8 = 2;
    /// Integer less than `value`.
    pub const LT: u8 = 3;
    /// Integer less than or equal to `value`.
    pub const LE: u8 = 4;
    /// Integer, masked, not 0: any of the bits of `mask`.
    pub const ANY: u8 = 5;
    /// Integer in a set: `span` tells the first *byte* and the number of *elements*, 64-bit little-endian words, ascending as unsigned numbers.
    /// Signed values are sign-extended to 64 bits in it.
    pub const IN: u8 = 6;
    /// String equal.
    pub const STR_EQ: u8 = 16;
    /// String begins with it.
    pub const STARTS: u8 = 17;
    /// String ends with it.
    pub const ENDS: u8 = 18;
    /// String contains it.
    pub const CONTAINS: u8 = 19;
    /// String matches a pattern: `*` any bytes, `?` any byte, `[a-z]` `[!a-z]` a set, `\` the next byte itself.
    pub const GLOB: u8 = 20;
    /// String in a set: `span` tells the first byte and the number of elements of an array of [`super::Span`]s into the pool, ascending by their strings.
    pub const STR_IN: u8 = 21;
    /// String less than it, byte by byte.
    pub const STR_LT: u8 = 22;
    /// String less than or equal to it.
    pub const STR_LE: u8 = 23;
}

/// What an instruction tests ([`Insn::field`]).
pub mod field {
    /// Integer: call number.
    pub const NR: u8 = 0;
    /// Integer: raw argument `arg`.
    pub const ARG: u8 = 1;
    /// Integer, signed, 64 bits, after the call: the result as the program sees it, negated error numbers included.
    pub const RESULT: u8 = 2;
    /// Integer, after the call: the error number, positive; absent if the call succeeded.
    pub const ERRNO: u8 = 3;
    /// Integer, after the call: its duration in nanoseconds.
    pub const LATENCY: u8 = 4;
    /// Integer, signed: process id.
    pub const PID: u8 = 5;
    /// Integer, signed: thread id.
    pub const TID: u8 = 6;
    /// Integer, signed: parent's process id.
    pub const PPID: u8 = 7;
    /// Integer, signed: process group.
    pub const PGID: u8 = 8;
    /// Integer, signed: session.
    pub const SID: u8 = 9;
    /// Integer: real user id.
    pub const UID: u8 = 10;
    /// Integer: effective user id.
    pub const EUID: u8 = 11;
    /// Integer: real group id.
    pub const GID: u8 = 12;
    /// Integer: effective group id.
    pub const EGID: u8 = 13;
    /// Integer: vCPU.
    pub const CPU: u8 = 14;

    /// The first field that is a string.
    pub const FIRST_STRING: u8 = 64;
    /// String: argument `arg` as it was captured before the call, a path, another string or a buffer, without NUL; as much as was captured of it. Absent
    /// if it is NULL or can't be read.
    pub const STRING: u8 = 64;
    /// String: path or text of what the descriptor in argument `arg` refers to (AT_FDCWD: the working directory); `arg` 6, after the call: the result.
    /// Absent if it isn't open.
    pub const FD_PATH: u8 = 65;
    /// String: kind of what it refers to, as in event records.
    pub const FD_KIND: u8 = 66;
    /// String: the thread's name.
    pub const COMM: u8 = 67;
    /// String: path of the executable.
    pub const EXE: u8 = 68;
    /// String: path of the working directory.
    pub const CWD: u8 = 69;
    /// String: the path in argument `arg`, made absolute with the directory that it is relative to, without `.`, `..` and `//`; links are not followed.
    pub const FULL_PATH: u8 = 70;
    /// String: the socket address in argument `arg`: `127.0.0.1:80`, `[::1]:80`, `unix:/path`, `unix:@name`; absent for other families.
    pub const ADDRESS: u8 = 71;
}

/// [`RuleEntry::phase`]: before the call.
pub const PHASE_ENTRY: u8 = 0;
/// [`RuleEntry::phase`]: after the call; the program may read the result.
pub const PHASE_EXIT: u8 = 1;

/// [`RuleEntry::scope`]: all hits are counted together.
pub const SCOPE_GLOBAL: u8 = 0;
/// [`RuleEntry::scope`]: hits are counted for each process.
pub const SCOPE_PROCESS: u8 = 1;
/// [`RuleEntry::scope`]: hits are counted for each thread.
pub const SCOPE_THREAD: u8 = 2;

/// [`RuleEntry::probability`]: always.
pub const ALWAYS: u64 = 1 << 32;
/// [`RuleEntry::last`]: no end.
pub const NO_LAST: u32 = u32::MAX;

/// A rule. Which calls it is for is in [`CallEntry::rules`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct RuleEntry {
    /// The VMM's number for the rule. Several entries may share it (one rule whose calls have their arguments in other places): hits are counted by it, and
    /// counts survive when a new filter has it too.
    pub id: u64,
    /// Program, or [`NO_PROGRAM`]: always.
    pub program: u32,
    /// One of `PHASE_*`.
    pub phase: u8,
    /// One of `SCOPE_*`.
    pub scope: u8,
    /// Explicit padding.
    pub pad: [u8; 2],
    /// The first hit (of calls that the program matches, counted from 1) for which it applies.
    pub first: u32,
    /// The last one, or [`NO_LAST`].
    pub last: u32,
    /// Every how many from the first; at least 1.
    pub step: u32,
    /// Explicit padding.
    pub pad2: u32,
    /// It applies if a draw from 0…2³²−1 is below this; [`ALWAYS`]: no draw.
    pub probability: u64,
    /// Its run of [`Filter::actions`].
    pub actions: Span,
    /// Its name in the pool, UTF-8.
    pub name: Span,
}

impl RuleEntry {
    /// Whether it applies to the `hit`th match, counted from 1.
    pub fn counts(&self, hit: u64) -> bool {
        let Some(past) = hit.checked_sub(u64::from(self.first)) else {
            return false;
        };
        let ended = self.last != NO_LAST && hit > u64::from(self.last);
        !ended && past.checked_rem(u64::from(self.step)) == Some(0)
    }
}

/// One thing that a rule does.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ActionEntry {
    /// One of [`action`].
    pub kind: u8,
    /// Number of an argument, 0…5.
    pub arg: u8,
    /// Of [`action::SET_BYTES`]: number of the argument that gives the length and is set with it, or [`NO_LENGTH`].
    pub length_arg: u8,
    /// [`AT_EXIT`] or 0.
    pub flags: u8,
    /// Of [`action::POKE_NUMBER`] and [`action::SET_NUMBER`]: bytes from where the argument points.
    pub offset: u16,
    /// Of [`action::POKE_NUMBER`] and [`action::SET_NUMBER`]: bytes of the number, 1, 2, 4 or 8.
    pub width: u8,
    /// Of [`action::POKE_NUMBER`], [`action::SET_NUMBER`], [`action::SET`] and [`action::RETURN`]: one of [`how`].
    pub how: u8,
    /// A number; see [`action`].
    pub value: u64,
    /// Bytes in the pool; see [`action`].
    pub bytes: Span,
    /// More bytes in the pool; see [`action`].
    pub more: Span,
}

/// [`ActionEntry::length_arg`]: the call has none.
pub const NO_LENGTH: u8 = u8::MAX;
/// [`ActionEntry::flags`]: of a rule that applied at entry, but done after the call.
pub const AT_EXIT: u8 = 1 << 0;

/// What becomes of a number that was there before ([`ActionEntry::how`]).
pub mod how {
    /// It is replaced.
    pub const SET: u8 = 0;
    /// The other is added to it, modulo its width.
    pub const ADD: u8 = 1;
    /// The bits of the other are set in it.
    pub const OR: u8 = 2;
    /// Only the bits of the other stay in it.
    pub const AND: u8 = 3;

    /// The number afterwards.
    pub const fn apply(how: u8, before: u64, value: u64) -> u64 {
        match how {
            ADD => before.wrapping_add(value),
            OR => before | value,
            AND => before & value,
            _ => value,
        }
    }
}

/// What an action does ([`ActionEntry::kind`]).
pub mod action {
    /// Before the call: argument `arg` = `value`, or with [`super::how::ADD`] `value` more.
    pub const SET: u8 = 1;
    /// Before the call: argument `arg` |= `value`.
    pub const SET_OR: u8 = 2;
    /// Before the call: argument `arg` &= `value`.
    pub const SET_AND: u8 = 3;
    /// Before the call: argument `arg` points to the string `bytes` (without its NUL) in scratch memory.
    pub const SET_STRING: u8 = 4;
    /// Before the call: argument `arg` points to `bytes` in scratch memory, and `length_arg`, if there is one, is their number.
    pub const SET_BYTES: u8 = 5;
    /// Before the call: it doesn't run, its result is `value` (signed, negated error numbers). After the call: it returns `value` instead, or with
    /// [`super::how::ADD`], if it succeeded, `value` more.
    pub const RETURN: u8 = 6;
    /// The thread sleeps for `value` nanoseconds, interruptible by a fatal signal only.
    pub const DELAY: u8 = 7;
    /// Signal `value` is sent to the thread.
    pub const SIGNAL: u8 = 8;
    /// The process is killed (SIGKILL); the call doesn't run.
    pub const KILL: u8 = 9;
    /// The thread is parked until somebody resumes it.
    pub const STOP: u8 = 10;
    /// The hit is recorded with the text `bytes` (may be empty), UTF-8.
    pub const LOG: u8 = 11;
    /// The process and its later events get annotation `bytes` (key) = `more` (value), UTF-8.
    pub const ANNOTATE: u8 = 12;
    /// `bytes` are written to the program's own memory, where argument `arg` points; before or after the call.
    pub const POKE: u8 = 13;
    /// A number in the program's own memory is changed: of `width` bytes, `offset` from where argument `arg` points; after the call only if it succeeded.
    pub const POKE_NUMBER: u8 = 14;
    /// After a call that lists a directory: entries are taken away whose name, or if the pattern has a slash in it whose path, matches the pattern `bytes` (as in
    /// [`super::op::GLOB`]).
    pub const HIDE: u8 = 15;
    /// Before the call: argument `arg` points to a copy, in scratch memory, of the structure that it points to, with a number changed as in [`POKE_NUMBER`]. Nothing if the call
    /// reads no structure there that has the number.
    pub const SET_NUMBER: u8 = 16;
}

impl Default for Filter {
    fn default() -> Filter {
        Filter::empty()
    }
}

impl Filter {
    /// A filter that watches nothing.
    pub fn empty() -> Filter {
        Filter {
            header: Header {
                magic: MAGIC,
                version: VERSION,
                string_limit: 256,
                buffer_limit: 64,
                ..Header::default()
            },
            calls: alloc::vec![CallEntry::UNWATCHED; CALLS],
            programs: Vec::new(),
            insns: Vec::new(),
            rules: Vec::new(),
            rule_lists: Vec::new(),
            actions: Vec::new(),
            pool: Vec::new(),
        }
    }

    /// A filter that records all calls and events.
    pub fn record_all() -> Filter {
        let mut filter = Filter::empty();
        filter.header.flags = FILTER_EVENTS | FILTER_DESCRIPTORS;
        for call in &mut filter.calls {
            call.watch = WATCH_RECORD;
        }
        filter
    }

    /// What is done about call `nr`.
    #[inline]
    pub fn call(&self, nr: u64) -> CallEntry {
        let index = nr.min(TABLE_LEN as u64) as usize;
        self.calls
            .get(index)
            .copied()
            .unwrap_or(CallEntry::UNWATCHED)
    }

    /// The rules of a call, in order.
    pub fn rules_of(&self, call: &CallEntry) -> impl Iterator<Item = &RuleEntry> {
        let list = run_of(&self.rule_lists, call.rules);
        list.iter()
            .filter_map(|&number| self.rules.get(number as usize))
    }

    /// The actions of a rule, in order.
    pub fn actions_of(&self, rule: &RuleEntry) -> &[ActionEntry] {
        run_of(&self.actions, rule.actions)
    }

    /// A run of bytes in the pool; empty if it isn't there.
    pub fn bytes(&self, span: Span) -> &[u8] {
        run_of(&self.pool, span)
    }

    /// As one blob.
    pub fn encode(&self) -> Vec<u8> {
        let counts = [
            self.calls.len(),
            self.programs.len(),
            self.insns.len(),
            self.rules.len(),
            self.rule_lists.len(),
            self.actions.len(),
            self.pool.len(),
        ];
        let header = Header {
            magic: MAGIC,
            version: VERSION,
            counts: counts.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
            ..self.header
        };
        let mut blob = Vec::from(header.as_bytes());
        for table in [
            self.calls.as_slice().as_bytes(),
            self.programs.as_slice().as_bytes(),
            self.insns.as_slice().as_bytes(),
            self.rules.as_slice().as_bytes(),
            self.rule_lists.as_slice().as_bytes(),
            self.actions.as_slice().as_bytes(),
            &self.pool,
        ] {
            blob.extend_from_slice(table);
            blob.resize(blob.len().next_multiple_of(8), 0);
        }
        blob
    }

    /// From a blob, checked. Bytes past its end are not looked at.
    pub fn decode(blob: &[u8]) -> Result<Filter, Invalid> {
        let (header, mut rest) =
            Header::read_from_prefix(blob).map_err(|_| Invalid::Truncated("header"))?;
        verify::header(&header)?;
        let [calls, programs, insns, rules, rule_lists, actions, pool] = header.counts;
        let filter = Filter {
            header,
            calls: table(&mut rest, calls, "calls")?,
            programs: table(&mut rest, programs, "programs")?,
            insns: table(&mut rest, insns, "insns")?,
            rules: table(&mut rest, rules, "rules")?,
            rule_lists: table(&mut rest, rule_lists, "rule_lists")?,
            actions: table(&mut rest, actions, "actions")?,
            pool: table(&mut rest, pool, "pool")?,
        };
        filter.verify()?;
        Ok(filter)
    }
}

/// A run of a table; empty if it isn't there.
fn run_of<T>(table: &[T], span: Span) -> &[T] {
    let start = span.start as usize;
    let end = start.saturating_add(span.len as usize);
    table.get(start..end).unwrap_or_default()
}

/// Takes a table of `count` entries, padding included.
fn table<T: FromBytes>(
    rest: &mut &[u8],
    count: u32,
    name: &'static str,
) -> Result<Vec<T>, Invalid> {
    let bytes = (count as usize)
        .checked_mul(size_of::<T>())
        .ok_or(Invalid::Truncated(name))?;
    let taken = rest.get(..bytes).ok_or(Invalid::Truncated(name))?;
    let mut entries = Vec::new();
    if entries.try_reserve_exact(count as usize).is_err() {
        return Err(Invalid::NoMemory);
    }
    let chunks = taken.chunks_exact(size_of::<T>());
    entries.extend(chunks.filter_map(|chunk| T::read_from_bytes(chunk).ok()));
    // The last table may come without its padding.
    *rest = rest.get(bytes.next_multiple_of(8)..).unwrap_or_default();
    Ok(entries)
}
