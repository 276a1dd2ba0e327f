//! Expressions to the in-guest filter: what the guest can decide before a call, what after it, and what is left to the host.
//!
//! A program that can't decide all of an expression lets through too much, never too little: a test that it can't do counts as true, under `not` as false.

use super::{
    calls::CallSet,
    expr::Expr,
    lower::{Leaf, Lowered, Operand, Subject, lower},
};
use std::collections::HashMap;
use vitrine_abi::filter::{
    CALLS, FILTER_DESCRIPTORS, FILTER_EVENTS, Filter, Insn, MAX_INSNS, MAX_POOL, MAX_PROGRAM,
    MAX_PROGRAMS, NO, NO_PROGRAM, ProgramEntry, Span, WATCH_RECORD, YES, op,
};
use zerocopy::IntoBytes;

/// Lowered expressions that are remembered with their programs: most calls have the same.
const REMEMBERED: usize = 16;

/// What is done with an expression for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Whether the call is watched at all.
    pub watched: bool,
    /// Whether the guest decides alone; otherwise the host looks at what it lets through.
    pub exact: bool,
    /// Whether the guest's program was too large, so that it lets everything through.
    pub too_large: bool,
    /// Whether the decision waits for the end of the call.
    pub late: bool,
}

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Built {
    /// It says no.
    Never,
    /// It says yes.
    Always,
    /// It is this one.
    Program(u32),
}

impl Built {
    /// Its number in the abi; `Never` has none.
    pub fn number(self) -> u32 {
        match self {
            Built::Program(number) => number,
            _ => NO_PROGRAM,
        }
    }
}

/// A filter under construction.
#[derive(Clone, Debug, Default)]
pub struct Compiler {
    /// It, so far.
    pub filter: Filter,
    programs: HashMap<Vec<Insn>, u32>,
    strings: HashMap<Vec<u8>, Span>,
    sets: HashMap<Operand, Span>,
}

/// There is no room for a program: it stays with the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Compiler {
    /// A compiler of a filter that watches nothing yet, but records events other than calls.
    pub fn new() -> Compiler {
        let mut compiler = Compiler::default();
        compiler.filter.header.flags = FILTER_EVENTS | FILTER_DESCRIPTORS;
        compiler
    }

    /// Records the calls for which an expression holds; what is done for each call number.
    pub fn record(&mut self, expr: &Expr) -> Vec<Plan> {
        let mut known: Vec<(Lowered, Plan, u32, u32)> = Vec::new();
        let mut plans = Vec::with_capacity(CALLS);
        for index in 0..CALLS {
            let lowered = lower(expr, Subject::Call(index));
            let found = known.iter().find(|(other, ..)| *other == lowered);
            let (plan, entry, exit) = match found {
                Some((_, plan, entry, exit)) => (*plan, *entry, *exit),
                None => {
                    let (plan, entry, exit) = self.plan(&lowered);
                    if known.len() >= REMEMBERED {
                        known.remove(0);
                    }
                    known.push((lowered, plan, entry, exit));
                    (plan, entry, exit)
                }
            };
            if let Some(call) = self.filter.calls.get_mut(index)
                && plan.watched
            {
                call.watch |= WATCH_RECORD;
                (call.entry, call.exit) = (entry, exit);
            }
            plans.push(plan);
        }
        plans
    }

    fn plan(&mut self, lowered: &Lowered) -> (Plan, u32, u32) {
        let late = lowered.any_leaf(&mut |leaf| leaf.is_late());
        let unwatched = Plan {
            watched: false,
            exact: true,
            too_large: false,
            late: false,
        };
        let watched = Plan {
            watched: true,
            late,
            ..unwatched
        };
        let mut too_large = false;
        let mut build = |late| match self.program(lowered, late) {
            Ok(built) => built,
            Err(Full) => {
                too_large = true;
                (Built::Always, false)
            }
        };
        let (entry, mut exact) = build(false);
        if entry == Built::Never {
            return (unwatched, NO_PROGRAM, NO_PROGRAM);
        }
        let mut exit = Built::Always;
        if late {
            (exit, exact) = build(true);
        }
        let exit = match exit {
            Built::Never => return (unwatched, NO_PROGRAM, NO_PROGRAM),
            // That there is one makes the record wait for the result.
            Built::Always if late => self.end(YES).unwrap_or(NO_PROGRAM),
            built => built.number(),
        };
        let plan = Plan {
            exact,
            too_large,
            ..watched
        };
        (plan, entry.number(), exit)
    }

    /// The program for an expression, before or after the call, and whether it decides all of it.
    pub fn program(&mut self, lowered: &Lowered, late: bool) -> Result<(Built, bool), Full> {
        let mut exact = true;
        let mut reversed = vec![end(NO), end(YES)];
        let start = self.emit(lowered, late, false, (1, 0), &mut reversed, &mut exact)?;
        let built = match start {
            0 => Built::Never,
            1 => Built::Always,
            _ => {
                reversed.truncate(start + 1);
                reversed.reverse();
                Built::Program(self.add(reversed)?)
            }
        };
        Ok((built, exact))
    }

    /// Emits a program backwards: places are counted from the end, so that all that is jumped to is there already. `to` is where to go on if the
    /// expression is true, and if it is false; the result is where it begins.
    fn emit(
        &mut self,
        lowered: &Lowered,
        late: bool,
        negated: bool,
        to: (usize, usize),
        code: &mut Vec<Insn>,
        exact: &mut bool,
    ) -> Result<usize, Full> {
        let (yes, no) = to;
        Ok(match lowered {
            Lowered::Const(true) => yes,
            Lowered::Const(false) => no,
            Lowered::Not(inner) => self.emit(inner, late, !negated, (no, yes), code, exact)?,
            Lowered::And(list) => {
                let mut yes = yes;
                for part in list.iter().rev() {
                    yes = self.emit(part, late, negated, (yes, no), code, exact)?;
                }
                yes
            }
            Lowered::Or(list) => {
                let mut no = no;
                for part in list.iter().rev() {
                    no = self.emit(part, late, negated, (yes, no), code, exact)?;
                }
                no
            }
            Lowered::Leaf(leaf) if leaf.is_host() || leaf.is_late() && !late => {
                *exact = false;
                if negated { no } else { yes }
            }
            // A test that doesn't matter: both ways lead to the same place.
            Lowered::Leaf(_) if yes == no => yes,
            Lowered::Leaf(leaf) => {
                let at = code.len();
                if at >= MAX_PROGRAM as usize {
                    return Err(Full);
                }
                let skip = |to: usize| u16::try_from(at - to - 1).map_err(|_| Full);
                let (if_true, if_false) = (skip(yes)?, skip(no)?);
                let insn = Insn {
                    if_true,
                    if_false,
                    ..self.insn(leaf)?
                };
                code.push(insn);
                at
            }
        })
    }

    fn insn(&mut self, leaf: &Leaf) -> Result<Insn, Full> {
        let value = match &leaf.operand {
            Operand::None => 0,
            Operand::Int(value) => *value,
            Operand::Text(text) => self.bytes(text)?.to_value(),
            Operand::Ints(set) => {
                let bytes: Vec<u8> = set.iter().flat_map(|value| value.to_le_bytes()).collect();
                self.set(&leaf.operand, &bytes, set.len())?
            }
            Operand::Texts(set) => {
                let mut bytes = Vec::new();
                for text in set {
                    bytes.extend_from_slice(self.bytes(text)?.as_bytes());
                }
                self.set(&leaf.operand, &bytes, set.len())?
            }
        };
        Ok(Insn {
            op: leaf.op,
            field: leaf.field,
            arg: leaf.arg,
            flags: leaf.flags,
            mask: leaf.mask,
            value,
            ..Insn::default()
        })
    }

    /// Bytes in the pool.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<Span, Full> {
        if let Some(span) = self.strings.get(bytes) {
            return Ok(*span);
        }
        let span = self.put(bytes, 1)?;
        self.strings.insert(bytes.to_vec(), span);
        Ok(span)
    }

    fn set(&mut self, operand: &Operand, bytes: &[u8], len: usize) -> Result<u64, Full> {
        let span = match self.sets.get(operand) {
            Some(span) => *span,
            None => {
                let span = self.put(bytes, 8)?;
                self.sets.insert(operand.clone(), span);
                span
            }
        };
        let len = u32::try_from(len).map_err(|_| Full)?;
        Ok(Span { len, ..span }.to_value())
    }

    fn put(&mut self, bytes: &[u8], align: usize) -> Result<Span, Full> {
        let pool = &mut self.filter.pool;
        let start = pool.len().next_multiple_of(align);
        let end = start.saturating_add(bytes.len());
        if end > MAX_POOL as usize {
            return Err(Full);
        }
        pool.resize(start, 0);
        pool.extend_from_slice(bytes);
        Ok(Span {
            start: start as u32,
            len: bytes.len() as u32,
        })
    }

    /// The program that does nothing but end with this answer.
    pub fn end(&mut self, answer: u64) -> Result<u32, Full> {
        self.add(vec![end(answer)])
    }

    fn add(&mut self, insns: Vec<Insn>) -> Result<u32, Full> {
        if let Some(number) = self.programs.get(&insns) {
            return Ok(*number);
        }
        let start = self.filter.insns.len();
        let number = self.filter.programs.len();
        if start + insns.len() > MAX_INSNS as usize
            || insns.len() > MAX_PROGRAM as usize
            || number >= MAX_PROGRAMS as usize
        {
            return Err(Full);
        }
        let mut program = ProgramEntry {
            insns: Span {
                start: start as u32,
                len: insns.len() as u32,
            },
            ..ProgramEntry::default()
        };
        insns.iter().for_each(|insn| program.add(insn));
        self.filter.insns.extend_from_slice(&insns);
        self.filter.programs.push(program);
        self.programs.insert(insns, number as u32);
        Ok(number as u32)
    }
}

fn end(answer: u64) -> Insn {
    Insn {
        op: op::END,
        value: answer,
        ..Insn::default()
    }
}

/// The calls that are watched.
pub fn watched(plans: &[Plan]) -> CallSet {
    let indices = plans.iter().enumerate().filter(|(_, plan)| plan.watched);
    indices.map(|(index, _)| index).collect()
}
