//! The interpreter of filter programs: the same code in the guest's gate and in the host's tests.

use super::{
    Filter, INSN_32, INSN_NOCASE, INSN_SIGNED, Insn, NO, ProgramEntry, Span, YES, field, op, run_of,
};
use core::cmp::Ordering;
use zerocopy::FromBytes;

/// Where a program's values come from: the gate's task and captured arguments, or an event.
pub trait Source {
    /// An integer field (below [`field::FIRST_STRING`]), `None` if it is absent. Signed ones are sign-extended to 64 bits.
    fn integer(&mut self, field: u8, arg: u8) -> Option<u64>;
    /// A string field, `None` if it is absent.
    fn string(&mut self, field: u8, arg: u8) -> Option<&[u8]>;
}

impl Filter {
    /// Whether program `number` says [`YES`]; a number that there isn't (such as [`super::NO_PROGRAM`]) does.
    pub fn run(&self, number: u32, source: &mut impl Source) -> bool {
        match self.programs.get(number as usize) {
            Some(program) => self.run_program(program, source),
            None => true,
        }
    }

    fn run_program(&self, program: &ProgramEntry, source: &mut impl Source) -> bool {
        let mut rest = run_of(&self.insns, program.insns);
        while let Some((insn, next)) = rest.split_first() {
            if insn.op == op::END {
                return insn.value == YES;
            }
            let holds = self.test(insn, source);
            let skip = if holds { insn.if_true } else { insn.if_false };
            rest = next.get(skip as usize..).unwrap_or_default();
        }
        // Not reached in a verified program.
        NO == YES
    }

    fn test(&self, insn: &Insn, source: &mut impl Source) -> bool {
        if insn.field >= field::FIRST_STRING {
            return source
                .string(insn.field, insn.arg)
                .is_some_and(|string| self.test_string(insn, string));
        }
        let Some(value) = source.integer(insn.field, insn.arg) else {
            return false;
        };
        let value = match insn.flags & (INSN_32 | INSN_SIGNED) {
            INSN_32 => u64::from(value as u32),
            flags if flags & INSN_32 != 0 => i64::from(value as i32) as u64,
            _ => value,
        } & insn.mask;
        let order = || {
            if insn.flags & INSN_SIGNED != 0 {
                (value as i64).cmp(&(insn.value as i64))
            } else {
                value.cmp(&insn.value)
            }
        };
        match insn.op {
            op::EXISTS => true,
            op::EQ => value == insn.value,
            op::LT => order().is_lt(),
            op::LE => order().is_le(),
            op::ANY => value != 0,
            op::IN => search(insn.span().len, |index| {
                let offset = (insn.span().start as usize).checked_add(index as usize * 8)?;
                let word = self.pool.get(offset..)?.first_chunk::<8>()?;
                Some(u64::from_le_bytes(*word).cmp(&value))
            }),
            _ => false,
        }
    }

    fn test_string(&self, insn: &Insn, string: &[u8]) -> bool {
        let nocase = insn.flags & INSN_NOCASE != 0;
        let wanted = self.bytes(insn.span());
        match insn.op {
            op::EXISTS => true,
            op::STR_EQ => same(string, wanted, nocase),
            op::STARTS => string
                .get(..wanted.len())
                .is_some_and(|head| same(head, wanted, nocase)),
            op::ENDS => string
                .len()
                .checked_sub(wanted.len())
                .and_then(|start| string.get(start..))
                .is_some_and(|tail| same(tail, wanted, nocase)),
            op::CONTAINS => contains(string, wanted, nocase),
            op::GLOB => glob(wanted, string, nocase),
            op::STR_IN => search(insn.span().len, |index| {
                let size = size_of::<Span>();
                let offset = (insn.span().start as usize).checked_add(index as usize * size)?;
                let (element, _) = Span::read_from_prefix(self.pool.get(offset..)?).ok()?;
                Some(order(self.bytes(element), string, nocase))
            }),
            op::STR_LT => string < wanted,
            op::STR_LE => string <= wanted,
            _ => false,
        }
    }
}

/// Binary search among `len` elements; `compare` tells how one stands to the value sought.
fn search(len: u32, compare: impl Fn(u32) -> Option<Ordering>) -> bool {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        match compare(middle) {
            Some(Ordering::Equal) => return true,
            Some(Ordering::Less) => low = middle + 1,
            Some(Ordering::Greater) => high = middle,
            None => return false,
        }
    }
    false
}

fn fold(byte: u8, nocase: bool) -> u8 {
    if nocase {
        byte.to_ascii_lowercase()
    } else {
        byte
    }
}

/// How `element` (in lower case with `nocase`) stands to `string`.
fn order(element: &[u8], string: &[u8], nocase: bool) -> Ordering {
    if nocase {
        let folded = string.iter().map(|byte| byte.to_ascii_lowercase());
        element.iter().copied().cmp(folded)
    } else {
        element.cmp(string)
    }
}

fn same(string: &[u8], wanted: &[u8], nocase: bool) -> bool {
    string.len() == wanted.len() && order(wanted, string, nocase).is_eq()
}

fn contains(string: &[u8], wanted: &[u8], nocase: bool) -> bool {
    let Some((first, _)) = wanted.split_first() else {
        return true;
    };
    string
        .windows(wanted.len())
        .any(|window| fold(window[0], nocase) == *first && same(window, wanted, nocase))
}

/// Whether `string` matches `pattern`: `*` is any bytes, `?` any byte, `[a-z]` and `[!a-z]` sets, `\` takes the next byte as it is. An unclosed `[` is
/// itself. With `nocase` the pattern is in lower case. Takes at most about `pattern.len() * string.len()` steps.
pub fn glob(pattern: &[u8], string: &[u8], nocase: bool) -> bool {
    let (mut p, mut s) = (0, 0);
    // Where to go on after the last star, which takes one byte more each time.
    let mut star: Option<(usize, usize)> = None;
    while s < string.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, s));
            continue;
        }
        if let Some(after) = matches_one(pattern, p, fold(string[s], nocase)) {
            p = after;
            s += 1;
            continue;
        }
        let Some((after_star, taken)) = star else {
            return false;
        };
        star = Some((after_star, taken + 1));
        (p, s) = (after_star, taken + 1);
    }
    pattern
        .get(p..)
        .is_none_or(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// If the element of `pattern` at `p` matches `byte`, where the next element begins.
fn matches_one(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'\\' if p + 1 < pattern.len() => (pattern[p + 1] == byte).then_some(p + 2),
        b'[' => match set(pattern, p + 1, byte) {
            Some((holds, after)) => holds.then_some(after),
            None => (byte == b'[').then_some(p + 1),
        },
        literal => (literal == byte).then_some(p + 1),
    }
}

/// The set that begins at `p` (after its bracket): whether `byte` is in it, and where it ends; `None` if it doesn't.
fn set(pattern: &[u8], mut p: usize, byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(p), Some(b'!' | b'^'));
    p += usize::from(negated);
    let mut holds = false;
    let mut first = true;
    loop {
        let low = *pattern.get(p)?;
        if low == b']' && !first {
            return Some((holds != negated, p + 1));
        }
        first = false;
        match (pattern.get(p + 1), pattern.get(p + 2)) {
            (Some(b'-'), Some(&high)) if high != b']' => {
                holds |= (low..=high).contains(&byte);
                p += 3;
            }
            _ => {
                holds |= low == byte;
                p += 1;
            }
        }
    }
}
