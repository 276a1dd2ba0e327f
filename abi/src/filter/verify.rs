//! The check that a filter passes before anything of it runs: everything refers to what there is, every program ends.

use super::*;
use core::fmt;

/// Why a filter was refused. The numbers are of entries in the table that the variant names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The blob doesn't begin with [`MAGIC`].
    Magic,
    /// Another version.
    Version(u32),
    /// The blob ends inside this table.
    Truncated(&'static str),
    /// More entries than allowed, or for `calls` another number than [`CALLS`].
    Count(&'static str),
    /// No memory for it.
    NoMemory,
    /// A call's entry refers to a program or to rules that aren't there, or to a program that reads the result before the call.
    Call(u32),
    /// A program's instructions aren't there, are none or too many, or its needs aren't what its instructions read.
    Program(u32),
    /// An instruction is unknown, jumps out of its program, reads a field that isn't there, or a run of the pool that isn't.
    Insn(u32),
    /// A rule refers to what isn't there, or its count makes no sense.
    Rule(u32),
    /// An entry of `rule_lists` is no rule.
    RuleList(u32),
    /// An action is unknown, or its arguments make no sense.
    Action(u32),
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invalid::Magic => f.write_str("this is no filter"),
            Invalid::Version(version) => write!(
                f,
                "the filter has version {version}, version {VERSION} is needed"
            ),
            Invalid::Truncated(table) => write!(f, "the filter ends inside its {table}"),
            Invalid::Count(table) => write!(f, "the filter has a wrong number of {table}"),
            Invalid::NoMemory => f.write_str("there is no memory for the filter"),
            Invalid::Call(nr) => write!(f, "the filter's entry for call {nr} is invalid"),
            Invalid::Program(number) => write!(f, "the filter's program {number} is invalid"),
            Invalid::Insn(number) => write!(f, "the filter's instruction {number} is invalid"),
            Invalid::Rule(number) => write!(f, "the filter's rule {number} is invalid"),
            Invalid::RuleList(number) => write!(f, "the filter's rule list {number} is invalid"),
            Invalid::Action(number) => write!(f, "the filter's action {number} is invalid"),
        }
    }
}

impl core::error::Error for Invalid {}

/// Magic, version and counts.
pub(super) fn header(header: &Header) -> Result<(), Invalid> {
    if header.magic != MAGIC {
        return Err(Invalid::Magic);
    }
    if header.version != VERSION {
        return Err(Invalid::Version(header.version));
    }
    counts(header.counts)
}

fn counts(counts: [u32; 7]) -> Result<(), Invalid> {
    if counts[0] as usize != CALLS {
        return Err(Invalid::Count("calls"));
    }
    for (count, most, name) in [
        (counts[1], MAX_PROGRAMS, "programs"),
        (counts[2], MAX_INSNS, "insns"),
        (counts[3], MAX_RULES, "rules"),
        (counts[4], MAX_RULE_LISTS, "rule_lists"),
        (counts[5], MAX_ACTIONS, "actions"),
        (counts[6], MAX_POOL, "pool"),
    ] {
        if count > most {
            return Err(Invalid::Count(name));
        }
    }
    Ok(())
}

impl Filter {
    /// Checks that every reference is to something that there is and every program ends.
    pub fn verify(&self) -> Result<(), Invalid> {
        counts(
            [
                self.calls.len(),
                self.programs.len(),
                self.insns.len(),
                self.rules.len(),
                self.rule_lists.len(),
                self.actions.len(),
                self.pool.len(),
            ]
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        )?;
        // Each program's needs follow from its instructions, so instructions are looked at by program; overlapping ones could make that slow.
        let mut total = 0u32;
        for (number, program) in (0..).zip(&self.programs) {
            total = total.saturating_add(program.insns.len);
            if total > MAX_INSNS || !self.program(program)? {
                return Err(Invalid::Program(number));
            }
        }
        for (nr, call) in (0..).zip(&self.calls) {
            let fits = self.has_program(call.entry, false)
                && self.has_program(call.exit, true)
                && in_range(call.rules, self.rule_lists.len())
                && call.watch & !(WATCH_RECORD | WATCH_RULES) == 0;
            if !fits {
                return Err(Invalid::Call(nr));
            }
        }
        for (number, rule) in (0..).zip(&self.rule_lists) {
            if *rule as usize >= self.rules.len() {
                return Err(Invalid::RuleList(number));
            }
        }
        for (number, rule) in (0..).zip(&self.rules) {
            if !self.rule(rule) {
                return Err(Invalid::Rule(number));
            }
        }
        for (number, action) in (0..).zip(&self.actions) {
            if !self.action(action) {
                return Err(Invalid::Action(number));
            }
        }
        Ok(())
    }

    fn has_program(&self, number: u32, after: bool) -> bool {
        number == NO_PROGRAM
            || self
                .programs
                .get(number as usize)
                .is_some_and(|program| after || program.result == 0)
    }

    /// Whether a program is right; an error if one of its instructions isn't.
    fn program(&self, program: &ProgramEntry) -> Result<bool, Invalid> {
        if !in_range(program.insns, self.insns.len())
            || program.insns.len == 0
            || program.insns.len > MAX_PROGRAM
        {
            return Ok(false);
        }
        let mut needs = ProgramEntry::default();
        let insns = run_of(&self.insns, program.insns);
        for (index, insn) in insns.iter().enumerate() {
            if !self.insn(insn, insns.len() - index - 1) {
                return Err(Invalid::Insn(program.insns.start + index as u32));
            }
            needs.add(insn);
        }
        Ok(needs.strings == program.strings
            && needs.descriptors == program.descriptors
            && needs.result == program.result)
    }

    /// Whether an instruction that `after` others follow is right.
    fn insn(&self, insn: &Insn, after: usize) -> bool {
        if insn.op == op::END {
            return insn.value == YES || insn.value == NO;
        }
        if insn.if_true as usize >= after || insn.if_false as usize >= after {
            return false;
        }
        let arg_fits = match insn.field {
            field::ARG | field::STRING | field::FULL_PATH | field::ADDRESS => insn.arg < 6,
            field::FD_PATH | field::FD_KIND => insn.arg <= 6,
            field::NR..=field::CPU | field::COMM..=field::CWD => insn.arg == 0,
            _ => false,
        };
        let is_string = insn.field >= field::FIRST_STRING;
        let span = insn.span();
        let op_fits = match insn.op {
            op::EXISTS => true,
            op::EQ..=op::ANY => !is_string,
            op::IN => !is_string && self.has_bytes(span.start, span.len, 8),
            op::GLOB => {
                is_string && span.len <= MAX_GLOB && self.has_bytes(span.start, span.len, 1)
            }
            op::STR_EQ..=op::CONTAINS | op::STR_LT | op::STR_LE => {
                is_string && span.len <= MAX_STRING && self.has_bytes(span.start, span.len, 1)
            }
            op::STR_IN => is_string && self.string_set(span),
            _ => false,
        };
        arg_fits && op_fits
    }

    fn has_bytes(&self, start: u32, count: u32, size: u64) -> bool {
        u64::from(start) + u64::from(count) * size <= self.pool.len() as u64
    }

    fn string_set(&self, span: Span) -> bool {
        self.has_bytes(span.start, span.len, size_of::<Span>() as u64)
            && (0..span.len as usize).all(|index| {
                let offset = span.start as usize + index * size_of::<Span>();
                self.pool
                    .get(offset..)
                    .and_then(|rest| Span::read_from_prefix(rest).ok())
                    .is_some_and(|(element, _)| self.string(element))
            })
    }

    fn string(&self, span: Span) -> bool {
        span.len <= MAX_STRING && in_range(span, self.pool.len())
    }

    fn rule(&self, rule: &RuleEntry) -> bool {
        let at_exit = rule.phase == PHASE_EXIT;
        self.has_program(rule.program, at_exit)
            && rule.phase <= PHASE_EXIT
            && rule.scope <= SCOPE_THREAD
            && rule.first >= 1
            && rule.first <= rule.last
            && rule.step >= 1
            && rule.probability <= ALWAYS
            && in_range(rule.actions, self.actions.len())
            && self.string(rule.name)
            && self.actions_of(rule).iter().all(|action| {
                // What changes arguments makes sense before the call only.
                let before_only = matches!(
                    action.kind,
                    action::SET..=action::SET_BYTES | action::SET_NUMBER
                );
                // What changes what the call did makes sense after it only.
                let adds = action.kind == action::RETURN && action.how != how::SET;
                let after_only = adds || action.kind == action::HIDE;
                let after = at_exit || action.flags & AT_EXIT != 0;
                !(before_only && after || after_only && !after)
            })
    }

    fn action(&self, action: &ActionEntry) -> bool {
        let kind_fits = match action.kind {
            action::SET..=action::SET_STRING | action::POKE => action.arg < 6,
            action::SET_BYTES => {
                action.arg < 6 && (action.length_arg < 6 || action.length_arg == NO_LENGTH)
            }
            action::POKE_NUMBER | action::SET_NUMBER => {
                action.arg < 6 && matches!(action.width, 1 | 2 | 4 | 8) && action.how <= how::AND
            }
            action::SIGNAL => (1..=64).contains(&action.value),
            action::RETURN => action.how <= how::ADD,
            action::HIDE => action.bytes.len <= MAX_GLOB,
            action::DELAY | action::KILL..=action::ANNOTATE => true,
            _ => false,
        };
        kind_fits
            && action.flags & !AT_EXIT == 0
            && self.string(action.bytes)
            && self.string(action.more)
    }
}

impl ProgramEntry {
    /// Adds what an instruction reads to the program's needs.
    pub fn add(&mut self, insn: &Insn) {
        if insn.op == op::END {
            return;
        }
        let bit = 1u8.checked_shl(u32::from(insn.arg)).unwrap_or(0);
        match insn.field {
            field::STRING | field::FULL_PATH | field::ADDRESS => self.strings |= bit,
            field::FD_PATH | field::FD_KIND => {
                self.descriptors |= bit;
                self.result |= u8::from(insn.arg == 6);
            }
            field::RESULT | field::ERRNO | field::LATENCY => self.result = 1,
            _ => {}
        }
    }
}

fn in_range(span: Span, len: usize) -> bool {
    u64::from(span.start) + u64::from(span.len) <= len as u64
}
