//! A checked expression: names are resolved, values have the types of their fields. Which argument is meant still depends on the call.

use super::{
    ast::Op,
    calls::CallSet,
    fields::{ArgRef, Field},
};
use std::sync::Arc;
use vitrine_abi::syscall::{ArgKind, Syscall};

/// A checked expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Always or never.
    Const(bool),
    /// All of them.
    And(Vec<Expr>),
    /// Any of them.
    Or(Vec<Expr>),
    /// Not it.
    Not(Box<Expr>),
    /// A test.
    Test(Arc<Test>),
}

/// A checked test.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// What is tested.
    pub field: Field,
    /// Whether it is taken as a string (arguments can be taken both ways).
    pub text: bool,
    /// What a number is ANDed with first.
    pub mask: Option<u64>,
    /// The operator. `Contains` of a number: all bits of a value.
    pub op: Op,
    /// With what it is compared.
    pub values: Vec<Literal>,
    /// Where the field stands in the text.
    pub at: std::ops::Range<usize>,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A number.
    Number(i128),
    /// Bits among others.
    Bits {
        /// What they are.
        value: u64,
        /// Which ones are looked at.
        mask: u64,
    },
    /// A string.
    Text(Arc<[u8]>),
    /// The names of some calls.
    Calls(Box<CallSet>),
}

/// The argument of a call that a reference means: its number and kind.
pub fn argument(call: &Syscall, arg: &ArgRef) -> Option<(u8, ArgKind)> {
    let index = match arg {
        ArgRef::Index(index) => usize::from(*index),
        ArgRef::Name(name) => call.args.iter().position(|arg| arg.name == &**name)?,
    };
    let arg = call.args.get(index)?;
    Some((index as u8, arg.kind))
}

/// How an argument is compared as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    /// Only its low 32 bits count.
    pub narrow: bool,
    /// It has a sign.
    pub signed: bool,
}

/// How an argument of this kind is compared as a number.
pub fn width(kind: ArgKind) -> Width {
    use ArgKind::*;
    let (narrow, signed) = match kind {
        Fd | AtFd | Int | Pid | Signal => (true, true),
        Long | Offset => (false, true),
        Uint | Hex32 | Mode | FileMode | Uid | Gid | FutexOp | SocketType | FlagsMode(_)
        | IoctlRequest | Key | Ioprio | QuotaCommand => (true, false),
        Flags(set) => (
            crate::decode::args::flag_bits(set, u64::MAX) != u64::MAX,
            false,
        ),
        Enum(set) => (set != vitrine_abi::syscall::Set::Ptrace, false),
        _ => (false, false),
    };
    Width { narrow, signed }
}

/// Whether an argument of this kind is a string for the language.
pub fn is_textual(kind: ArgKind) -> bool {
    use ArgKind::*;
    matches!(kind, Path | Str | StrOut | BufIn(_) | BufOut(_))
}

/// Whether an argument of this kind has no number that means something: what it points to is shown as strace does.
pub fn is_pointed(kind: ArgKind) -> bool {
    use ArgKind::*;
    matches!(
        kind,
        StrArray
            | EnvArray
            | Struct(..)
            | Structs(..)
            | IoVec(..)
            | SockAddr(..)
            | FdSet(_)
            | CpuSet(..)
            | DirEntries
    )
}
