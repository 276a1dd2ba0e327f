//! A checked expression for one call number (or one kind of other event): every test is of a certain argument and width, what the call decides is decided.

use super::{
    ast::Op,
    expr::{self, Expr, Literal, Test},
    fields::Field,
};
use std::sync::Arc;
use vitrine_abi::{
    event::ARG_RESULT,
    filter::{INSN_32, INSN_NOCASE, INSN_SIGNED, field, glob, op},
    nr::TABLE_LEN,
    syscall::{self, ArgKind, Dir, RetKind, Syscall},
};

/// Fields that only the host knows, numbered after those of the abi. Integers: below [`host::FIRST_STRING`].
#[allow(missing_docs)]
pub mod host {
    pub const FIRST: u8 = 128;
    pub const SEQ: u8 = 128;
    pub const TIME: u8 = 129;
    /// Several values: of all ancestors.
    pub const ANCESTOR_PID: u8 = 130;

    pub const FIRST_STRING: u8 = 192;
    /// A string or buffer that the call filled.
    pub const OUT_STRING: u8 = 192;
    /// An argument as strace prints it, known before the call.
    pub const ARG_TEXT: u8 = 193;
    /// The same, known after it.
    pub const ARG_TEXT_OUT: u8 = 194;
    pub const ALL_ARGS: u8 = 195;
    pub const FD_DIRECTORY: u8 = 196;
    pub const FD_FILENAME: u8 = 197;
    pub const CMDLINE: u8 = 198;
    pub const PARENT_NAME: u8 = 199;
    /// Several values: of all ancestors.
    pub const ANCESTOR_NAME: u8 = 200;
}

/// What an expression is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A call by its index in the table (`TABLE_LEN`: all numbers past it).
    Call(usize),
    /// Another event: its type and kind.
    Event(&'static str, &'static str),
}

impl Subject {
    /// The call's row.
    pub fn call(self) -> Option<&'static Syscall> {
        match self {
            Subject::Call(index) => syscall::get(index as u64),
            Subject::Event(..) => None,
        }
    }

    fn returns(self) -> bool {
        match self {
            Subject::Call(_) => !self.call().is_some_and(Syscall::never_returns),
            Subject::Event(..) => false,
        }
    }
}

/// A lowered expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Lowered {
    /// Decided.
    Const(bool),
    /// All of them; at least two.
    And(Vec<Lowered>),
    /// Any of them; at least two.
    Or(Vec<Lowered>),
    /// Not it.
    Not(Box<Lowered>),
    /// A test.
    Leaf(Arc<Leaf>),
}

/// One test, in the abi's terms: fields, operators, flags and masks are those of `vitrine_abi::filter`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// One of `vitrine_abi::filter::field` or [`host`].
    pub field: u8,
    /// Number of an argument.
    pub arg: u8,
    /// `INSN_*`.
    pub flags: u8,
    /// One of `vitrine_abi::filter::op`.
    pub op: u8,
    /// What an integer is ANDed with.
    pub mask: u64,
    /// With what it is compared.
    pub operand: Operand,
}

/// With what a value is compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// Nothing (`EXISTS`).
    None,
    /// An integer.
    Int(u64),
    /// A string.
    Text(Arc<[u8]>),
    /// A set of integers, ascending.
    Ints(Vec<u64>),
    /// A set of strings, ascending.
    Texts(Vec<Arc<[u8]>>),
}

impl Leaf {
    /// Whether the guest can't decide it.
    pub fn is_host(&self) -> bool {
        self.field >= host::FIRST
    }

    /// Whether its value is a string.
    pub fn is_string(&self) -> bool {
        self.field >= host::FIRST_STRING || (field::FIRST_STRING..host::FIRST).contains(&self.field)
    }

    /// Whether its value is there only after the call.
    pub fn is_late(&self) -> bool {
        match self.field {
            field::RESULT | field::ERRNO | field::LATENCY => true,
            field::FD_PATH | field::FD_KIND | host::FD_DIRECTORY | host::FD_FILENAME => {
                self.arg == ARG_RESULT
            }
            host::OUT_STRING | host::ARG_TEXT_OUT | host::ALL_ARGS => true,
            _ => false,
        }
    }

    /// Whether its value may be absent.
    fn may_be_absent(&self) -> bool {
        self.is_late()
            || !matches!(
                self.field,
                field::NR | field::ARG | field::PID
                    ..=field::CPU | field::COMM | field::EXE | host::SEQ | host::TIME
            )
    }
}

impl Lowered {
    /// All of them.
    pub fn and(list: Vec<Lowered>) -> Lowered {
        let mut all = Vec::new();
        for part in list {
            match part {
                Lowered::Const(true) => {}
                Lowered::Const(false) => return Lowered::Const(false),
                Lowered::And(parts) => all.extend(parts),
                part => all.push(part),
            }
        }
        match all.len() {
            0 => Lowered::Const(true),
            1 => all.remove(0),
            _ => Lowered::And(all),
        }
    }

    /// Any of them. Comparisons of one value with several become one with a set.
    pub fn or(list: Vec<Lowered>) -> Lowered {
        let mut any: Vec<Lowered> = Vec::new();
        let mut sets: std::collections::HashMap<(u8, u8, u8, u64), usize> = Default::default();
        for part in list {
            match part {
                Lowered::Const(false) => {}
                Lowered::Const(true) => return Lowered::Const(true),
                Lowered::Or(parts) => any.extend(parts),
                Lowered::Leaf(leaf) => {
                    if matches!(leaf.op, op::EQ | op::IN | op::STR_EQ | op::STR_IN) {
                        let key = (leaf.field, leaf.arg, leaf.flags, leaf.mask);
                        if let Some(Lowered::Leaf(first)) =
                            sets.get(&key).and_then(|at| any.get_mut(*at))
                        {
                            Arc::make_mut(first).join(&leaf);
                            continue;
                        }
                        sets.insert(key, any.len());
                    }
                    any.push(Lowered::Leaf(leaf));
                }
                part => any.push(part),
            }
        }
        for part in &mut any {
            if let Lowered::Leaf(leaf) = part {
                Leaf::finish(leaf);
            }
        }
        match any.len() {
            0 => Lowered::Const(false),
            1 => any.remove(0),
            _ => Lowered::Or(any),
        }
    }

    /// Not it.
    pub fn negated(self) -> Lowered {
        match self {
            Lowered::Const(value) => Lowered::Const(!value),
            Lowered::Not(inner) => *inner,
            other => Lowered::Not(Box::new(other)),
        }
    }

    /// Whether a test in it fulfils a condition.
    pub fn any_leaf(&self, condition: &mut impl FnMut(&Leaf) -> bool) -> bool {
        match self {
            Lowered::Const(_) => false,
            Lowered::And(list) | Lowered::Or(list) => {
                list.iter().any(|part| part.any_leaf(condition))
            }
            Lowered::Not(inner) => inner.any_leaf(condition),
            Lowered::Leaf(leaf) => condition(leaf),
        }
    }
}

impl Leaf {
    /// Adds what another comparison of the same value compares with.
    fn join(&mut self, other: &Leaf) {
        let old = std::mem::replace(&mut self.operand, Operand::None);
        self.operand = match (old, &other.operand) {
            (Operand::Int(a), Operand::Int(b)) => Operand::Ints(vec![a, *b]),
            (Operand::Int(a), Operand::Ints(b)) => Operand::Ints([&[a], b.as_slice()].concat()),
            (Operand::Ints(mut a), Operand::Int(b)) => {
                a.push(*b);
                Operand::Ints(a)
            }
            (Operand::Ints(mut a), Operand::Ints(b)) => {
                a.extend(b);
                Operand::Ints(a)
            }
            (Operand::Text(a), Operand::Text(b)) => Operand::Texts(vec![a, b.clone()]),
            (Operand::Text(a), Operand::Texts(b)) => {
                let mut all = vec![a];
                all.extend(b.iter().cloned());
                Operand::Texts(all)
            }
            (Operand::Texts(mut a), Operand::Text(b)) => {
                a.push(b.clone());
                Operand::Texts(a)
            }
            (Operand::Texts(mut a), Operand::Texts(b)) => {
                a.extend(b.iter().cloned());
                Operand::Texts(a)
            }
            (old, _) => old,
        };
        self.op = match self.operand {
            Operand::Ints(_) => op::IN,
            Operand::Texts(_) => op::STR_IN,
            _ => self.op,
        };
    }

    /// Puts sets in order; a set of one is that one.
    fn finish(leaf: &mut Arc<Leaf>) {
        if !matches!(leaf.operand, Operand::Ints(_) | Operand::Texts(_)) {
            return;
        }
        let leaf = Arc::make_mut(leaf);
        match &mut leaf.operand {
            Operand::Ints(set) => {
                set.sort_unstable();
                set.dedup();
                if let [only] = set.as_slice() {
                    (leaf.op, leaf.operand) = (op::EQ, Operand::Int(*only));
                }
            }
            Operand::Texts(set) => {
                set.sort_unstable();
                set.dedup();
                if let [only] = set.as_slice() {
                    (leaf.op, leaf.operand) = (op::STR_EQ, Operand::Text(only.clone()));
                }
            }
            _ => {}
        }
    }
}

/// Lowers an expression.
pub fn lower(expr: &Expr, subject: Subject) -> Lowered {
    match expr {
        Expr::Const(value) => Lowered::Const(*value),
        Expr::And(list) => {
            let mut parts = Vec::new();
            for part in list {
                match lower(part, subject) {
                    Lowered::Const(false) => return Lowered::Const(false),
                    part => parts.push(part),
                }
            }
            Lowered::and(parts)
        }
        Expr::Or(list) => Lowered::or(list.iter().map(|part| lower(part, subject)).collect()),
        Expr::Not(inner) => lower(inner, subject).negated(),
        Expr::Test(test) => lower_test(test, subject),
    }
}

/// A value of the call, as one or several fields of the abi.
struct Place {
    field: u8,
    arg: u8,
    /// Of an integer: `INSN_32`, `INSN_SIGNED`.
    flags: u8,
}

fn place(field: u8, arg: u8, flags: u8) -> Place {
    Place { field, arg, flags }
}

fn lower_test(test: &Test, subject: Subject) -> Lowered {
    let constant = |text: &str| Lowered::Const(text_holds(test, text.as_bytes(), subject));
    match (&test.field, subject) {
        (Field::Type, Subject::Call(index)) => match syscall::get(index as u64) {
            Some(call) => constant(call.name),
            None if index < TABLE_LEN => constant(&format!("syscall_{index:#x}")),
            None => constant("syscall_unknown"),
        },
        (Field::Type, Subject::Event(name, _)) | (Field::Kind, Subject::Event(_, name)) => {
            constant(name)
        }
        (Field::Kind, Subject::Call(_)) => constant("syscall"),
        (Field::Nr, Subject::Call(index)) if index < TABLE_LEN => {
            let leaf = number_leaf(test, &place(field::NR, 0, 0));
            fold(leaf, index as u64)
        }
        (Field::Dir, Subject::Call(_)) => direction(test, subject),
        (Field::Failed, _) => failed(test, subject),
        _ => {
            let places = places(test, subject);
            let tests = places.iter().map(|place| {
                if test.text {
                    text_leaf(test, place)
                } else {
                    number_leaf(test, place)
                }
            });
            Lowered::or(tests.collect())
        }
    }
}

/// Where the values of a field are: none if there is no such value.
fn places(test: &Test, subject: Subject) -> Vec<Place> {
    const INT: u8 = INSN_SIGNED;
    let is_call = matches!(subject, Subject::Call(_));
    let late = |place: Place| {
        if subject.returns() {
            vec![place]
        } else {
            Vec::new()
        }
    };
    let plain = |field, flags| vec![place(field, 0, flags)];
    match &test.field {
        Field::Pid => plain(field::PID, INT),
        Field::Tid => plain(field::TID, INT),
        Field::Ppid => plain(field::PPID, INT),
        Field::Sid => plain(field::SID, INT),
        Field::Uid => plain(field::EUID, INSN_32),
        Field::Gid => plain(field::EGID, INSN_32),
        Field::Cpu => plain(field::CPU, 0),
        Field::ProcName => plain(field::COMM, 0),
        Field::ProcExe => plain(field::EXE, 0),
        Field::Cmdline => plain(host::CMDLINE, 0),
        Field::ParentName => plain(host::PARENT_NAME, 0),
        Field::AncestorName => plain(host::ANCESTOR_NAME, 0),
        Field::AncestorPid => plain(host::ANCESTOR_PID, INT),
        Field::Seq => plain(host::SEQ, 0),
        Field::Time => plain(host::TIME, 0),
        Field::Nr if is_call => plain(field::NR, 0),
        Field::RawArg(index) if is_call => vec![place(field::ARG, *index, 0)],
        Field::Res => late(place(field::RESULT, 0, INT)),
        Field::Errno => late(place(field::ERRNO, 0, 0)),
        Field::Latency => late(place(field::LATENCY, 0, 0)),
        _ => match subject.call() {
            Some(call) => call_places(test, call, subject.returns()),
            None => Vec::new(),
        },
    }
}

fn call_places(test: &Test, call: &'static Syscall, returns: bool) -> Vec<Place> {
    let kinds = || (0u8..).zip(call.args.iter().map(|arg| arg.kind));
    let first_path = || kinds().find(|(_, kind)| *kind == ArgKind::Path);
    match &test.field {
        Field::Arg(arg) => match expr::argument(call, arg) {
            Some((index, kind)) => argument_place(test, call, index, kind, returns),
            None => Vec::new(),
        },
        Field::Path => first_path()
            .map(|(index, _)| place(field::STRING, index, 0))
            .into_iter()
            .collect(),
        Field::FullPath(number) => kinds()
            .filter(|(_, kind)| *kind == ArgKind::Path)
            .nth(usize::from(*number))
            .map(|(index, _)| place(field::FULL_PATH, index, 0))
            .into_iter()
            .collect(),
        Field::Address => kinds()
            .find(|(_, kind)| matches!(kind, ArgKind::SockAddr(_, Dir::In)))
            .map(|(index, _)| place(field::ADDRESS, index, 0))
            .into_iter()
            .collect(),
        Field::AnyPath => {
            let paths = kinds().filter_map(|(index, kind)| match kind {
                ArgKind::Path => Some(place(field::STRING, index, 0)),
                ArgKind::Fd => Some(place(field::FD_PATH, index, 0)),
                _ => None,
            });
            let result = returns && call.ret == RetKind::Fd;
            paths
                .chain(result.then(|| place(field::FD_PATH, ARG_RESULT, 0)))
                .collect()
        }
        Field::AnyFd => {
            let fds = kinds().filter(|(_, kind)| matches!(kind, ArgKind::Fd | ArgKind::AtFd));
            fds.map(|(index, _)| place(field::ARG, index, INSN_32 | INSN_SIGNED))
                .collect()
        }
        Field::FdNum | Field::FdName | Field::FdType | Field::FdDirectory | Field::FdFilename => {
            let find = |wanted| {
                kinds()
                    .find(|(_, kind)| *kind == wanted)
                    .map(|(index, _)| index)
            };
            let result = (returns && call.ret == RetKind::Fd).then_some(ARG_RESULT);
            let Some(arg) = find(ArgKind::Fd).or(result).or_else(|| find(ArgKind::AtFd)) else {
                return Vec::new();
            };
            let field = match test.field {
                Field::FdName => field::FD_PATH,
                Field::FdType => field::FD_KIND,
                Field::FdDirectory => host::FD_DIRECTORY,
                Field::FdFilename => host::FD_FILENAME,
                _ if arg == ARG_RESULT => return vec![place(field::RESULT, 0, INSN_SIGNED)],
                _ => return vec![place(field::ARG, arg, INSN_32 | INSN_SIGNED)],
            };
            vec![place(field, arg, 0)]
        }
        Field::Args => vec![place(host::ALL_ARGS, 0, 0)],
        _ => Vec::new(),
    }
}

fn argument_place(
    test: &Test,
    call: &'static Syscall,
    index: u8,
    kind: ArgKind,
    returns: bool,
) -> Vec<Place> {
    if !test.text {
        let width = expr::width(kind);
        let narrow = if width.narrow { INSN_32 } else { 0 };
        let signed = if width.signed { INSN_SIGNED } else { 0 };
        return vec![place(field::ARG, index, narrow | signed)];
    }
    let field = match kind {
        ArgKind::Path | ArgKind::Str | ArgKind::BufIn(_) => field::STRING,
        ArgKind::StrOut | ArgKind::BufOut(_) => host::OUT_STRING,
        ArgKind::Fd | ArgKind::AtFd => field::FD_PATH,
        ArgKind::Depends => host::ARG_TEXT_OUT,
        _ => {
            let event = crate::event::SyscallEvent {
                call: Some(call),
                nr: call.nr.into(),
                ..Default::default()
            };
            if crate::decode::args::is_out(&event, index.into()) {
                host::ARG_TEXT_OUT
            } else {
                host::ARG_TEXT
            }
        }
    };
    if !returns && matches!(field, host::OUT_STRING | host::ARG_TEXT_OUT) {
        return Vec::new();
    }
    vec![place(field, index, 0)]
}

/// `present and not inner`, the first part only where it says something.
fn present_and_not(leaf: Leaf) -> Lowered {
    let exists = Leaf {
        op: op::EXISTS,
        operand: Operand::None,
        mask: u64::MAX,
        flags: 0,
        ..leaf
    };
    let absent = leaf.may_be_absent();
    let not = Lowered::Leaf(Arc::new(leaf)).negated();
    if absent {
        Lowered::and(vec![Lowered::Leaf(Arc::new(exists)), not])
    } else {
        not
    }
}

fn exists(place: &Place) -> Lowered {
    let leaf = Leaf {
        field: place.field,
        arg: place.arg,
        flags: 0,
        op: op::EXISTS,
        mask: u64::MAX,
        operand: Operand::None,
    };
    if leaf.may_be_absent() {
        Lowered::Leaf(Arc::new(leaf))
    } else {
        Lowered::Const(true)
    }
}

fn number_leaf(test: &Test, place: &Place) -> Lowered {
    // What was masked has no sign.
    let flags = match test.mask {
        Some(_) => place.flags & !INSN_SIGNED,
        None => place.flags,
    };
    let leaf = |op, mask, operand| Leaf {
        field: place.field,
        arg: place.arg,
        flags,
        op,
        mask,
        operand,
    };
    let mask = test.mask.unwrap_or(u64::MAX);
    let equal = |literal: &Literal| match literal {
        Literal::Number(number) => match narrowed(*number, flags) {
            Some(value) => Lowered::Leaf(Arc::new(leaf(op::EQ, mask, Operand::Int(value)))),
            None => Lowered::Const(false),
        },
        Literal::Bits { value, mask: bits } => {
            let unsigned = Leaf {
                flags: flags & !INSN_SIGNED,
                ..leaf(op::EQ, mask & bits, Operand::Int(*value & bits))
            };
            Lowered::Leaf(Arc::new(unsigned))
        }
        _ => Lowered::Const(false),
    };
    match test.op {
        Op::Exists => exists(place),
        Op::Eq | Op::In | Op::Contains => Lowered::or(test.values.iter().map(equal).collect()),
        Op::Ne => match test.values.first().map(equal) {
            Some(Lowered::Leaf(leaf)) => present_and_not((*leaf).clone()),
            // Never equal: true wherever there is a value.
            _ => exists(place),
        },
        Op::Lt | Op::Le | Op::Gt | Op::Ge => {
            let Some(Literal::Number(number)) = test.values.first() else {
                return Lowered::Const(false);
            };
            let (least, most) = match flags {
                f if f & INSN_SIGNED == 0 && f & INSN_32 != 0 => (0, i128::from(u32::MAX)),
                f if f & INSN_SIGNED == 0 => (0, i128::from(u64::MAX)),
                f if f & INSN_32 != 0 => (i32::MIN.into(), i32::MAX.into()),
                _ => (i64::MIN.into(), i64::MAX.into()),
            };
            let inclusive = matches!(test.op, Op::Le | Op::Gt);
            let upward = matches!(test.op, Op::Gt | Op::Ge);
            let all_below = *number > most;
            if all_below || *number < least {
                return if all_below != upward {
                    exists(place)
                } else {
                    Lowered::Const(false)
                };
            }
            let op = if inclusive { op::LE } else { op::LT };
            let leaf = leaf(op, mask, Operand::Int(*number as u64));
            if upward {
                present_and_not(leaf)
            } else {
                Lowered::Leaf(Arc::new(leaf))
            }
        }
        _ => Lowered::Const(false),
    }
}

/// A number as the value it is compared with is narrowed; `None` if no such value is equal to it.
fn narrowed(number: i128, flags: u8) -> Option<u64> {
    let narrow = flags & INSN_32 != 0;
    let fits = if narrow {
        (-(1i128 << 31)..1 << 32).contains(&number)
    } else {
        (-(1i128 << 63)..1 << 64).contains(&number)
    };
    fits.then_some(match (narrow, flags & INSN_SIGNED != 0) {
        (true, true) => i64::from(number as i32) as u64,
        (true, false) => u64::from(number as u32),
        (false, _) => number as u64,
    })
}

fn text_leaf(test: &Test, place: &Place) -> Lowered {
    let leaf = |op, flags, text: &Arc<[u8]>| Leaf {
        field: place.field,
        arg: place.arg,
        flags,
        op,
        mask: u64::MAX,
        operand: Operand::Text(text.clone()),
    };
    let any = |op, flags| {
        let tests = test.values.iter().map(|value| match value {
            Literal::Text(text) => Lowered::Leaf(Arc::new(leaf(op, flags, text))),
            _ => Lowered::Const(false),
        });
        Lowered::or(tests.collect())
    };
    let negated = |op| match test.values.first() {
        Some(Literal::Text(text)) => present_and_not(leaf(op, 0, text)),
        _ => Lowered::Const(false),
    };
    match test.op {
        Op::Exists => exists(place),
        Op::Eq | Op::In => any(op::STR_EQ, 0),
        Op::Ne => negated(op::STR_EQ),
        Op::Contains => any(op::CONTAINS, 0),
        Op::IContains => any(op::CONTAINS, INSN_NOCASE),
        Op::StartsWith => any(op::STARTS, 0),
        Op::EndsWith => any(op::ENDS, 0),
        Op::Glob => any(op::GLOB, 0),
        Op::Lt => any(op::STR_LT, 0),
        Op::Le => any(op::STR_LE, 0),
        Op::Gt => negated(op::STR_LE),
        Op::Ge => negated(op::STR_LT),
        Op::Bare => Lowered::Const(false),
    }
}

/// A test of a string that is known now.
fn text_holds(test: &Test, string: &[u8], subject: Subject) -> bool {
    let any = |holds: &dyn Fn(&[u8]) -> bool| {
        test.values.iter().any(|value| match value {
            Literal::Text(text) => holds(text),
            Literal::Calls(set) => matches!(subject, Subject::Call(index) if set.contains(index)),
            _ => false,
        })
    };
    match test.op {
        Op::Eq | Op::In => any(&|text| string == text),
        Op::Ne => !any(&|text| string == text),
        Op::Lt => any(&|text| string < text),
        Op::Le => any(&|text| string <= text),
        Op::Gt => any(&|text| string > text),
        Op::Ge => any(&|text| string >= text),
        Op::Contains => any(&|text| contains(string, text)),
        Op::IContains => any(&|text| contains(&string.to_ascii_lowercase(), text)),
        Op::StartsWith => any(&|text| string.starts_with(text)),
        Op::EndsWith => any(&|text| string.ends_with(text)),
        Op::Glob => any(&|text| glob(text, string, false)),
        Op::Exists => true,
        Op::Bare => false,
    }
}

/// Whether `string` contains `part`.
pub(super) fn contains(string: &[u8], part: &[u8]) -> bool {
    part.is_empty() || string.windows(part.len()).any(|window| window == part)
}

/// Decides the tests of a value that is known now.
fn fold(lowered: Lowered, value: u64) -> Lowered {
    match lowered {
        Lowered::Leaf(leaf) => Lowered::Const(super::eval::integer_holds(&leaf, value)),
        Lowered::Not(inner) => fold(*inner, value).negated(),
        Lowered::And(list) => {
            Lowered::and(list.into_iter().map(|part| fold(part, value)).collect())
        }
        Lowered::Or(list) => Lowered::or(list.into_iter().map(|part| fold(part, value)).collect()),
        constant => constant,
    }
}

fn direction(test: &Test, subject: Subject) -> Lowered {
    let returned = if subject.returns() {
        exists(&place(field::RESULT, 0, 0))
    } else {
        Lowered::Const(false)
    };
    let tests = test.values.iter().map(|value| match value {
        Literal::Text(text) if **text == *b"<" => returned.clone(),
        Literal::Text(text) if **text == *b">" => Lowered::Const(true),
        _ => Lowered::Const(false),
    });
    match test.op {
        Op::Eq | Op::In => Lowered::or(tests.collect()),
        Op::Ne => Lowered::or(tests.collect()).negated(),
        Op::Exists => Lowered::Const(true),
        _ => Lowered::Const(false),
    }
}

fn failed(test: &Test, subject: Subject) -> Lowered {
    if !subject.returns() {
        return Lowered::Const(false);
    }
    let has_error = exists(&place(field::ERRNO, 0, 0));
    let returned = exists(&place(field::RESULT, 0, 0));
    if test.op == Op::Exists {
        return returned;
    }
    let tests = test.values.iter().map(|value| {
        let wanted = matches!(value, Literal::Number(number) if *number != 0);
        if wanted != (test.op == Op::Ne) {
            has_error.clone()
        } else {
            Lowered::and(vec![returned.clone(), has_error.clone().negated()])
        }
    });
    Lowered::or(tests.collect())
}
