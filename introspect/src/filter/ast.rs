//! An expression as it is written, before anybody has looked at what its names mean.

use std::ops::Range;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ast {
    /// All of them.
    And(Vec<Ast>),
    /// Any of them.
    Or(Vec<Ast>),
    /// Not it.
    Not(Box<Ast>),
    /// A test of a field.
    Test(Test),
}

/// A test of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The field's name.
    pub field: String,
    /// Where the name stands.
    pub field_at: Range<usize>,
    /// What the field is ANDed with.
    pub mask: Option<Value>,
    /// The operator.
    pub op: Op,
    /// Where the operator stands.
    pub op_at: Range<usize>,
    /// What it is compared with: one value, several for `in` (and lists of the others: any of them), none for `exists`.
    pub values: Vec<Value>,
}

/// Operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    Contains,
    IContains,
    StartsWith,
    EndsWith,
    Glob,
    Exists,
    /// No operator: a field that is true or false by itself.
    Bare,
}

impl Op {
    /// The operator with this name.
    pub fn from_name(name: &str) -> Option<Op> {
        Some(match name {
            "=" | "==" | "eq" => Op::Eq,
            "!=" | "ne" => Op::Ne,
            "<" | "lt" => Op::Lt,
            "<=" | "le" => Op::Le,
            ">" | "gt" => Op::Gt,
            ">=" | "ge" => Op::Ge,
            "in" => Op::In,
            "contains" => Op::Contains,
            "icontains" => Op::IContains,
            "startswith" => Op::StartsWith,
            "endswith" => Op::EndsWith,
            "glob" => Op::Glob,
            "exists" => Op::Exists,
            _ => return None,
        })
    }

    /// The names of those that are words.
    pub const WORDS: &[&str] = &[
        "in",
        "contains",
        "icontains",
        "startswith",
        "endswith",
        "glob",
        "exists",
        "not",
    ];
}

/// A value: parts joined by `|`, of which there is one nearly always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its parts.
    pub parts: Vec<Part>,
    /// Where it stands.
    pub at: Range<usize>,
}

/// One part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The bytes: a string's contents, or a word.
    pub text: Vec<u8>,
    /// Whether it was in quotes.
    pub quoted: bool,
    /// Whether `~` stood before it.
    pub complement: bool,
    /// Where it stands.
    pub at: Range<usize>,
}

impl Part {
    /// It as a word, unless it was in quotes.
    pub fn word(&self) -> Option<&str> {
        std::str::from_utf8(&self.text)
            .ok()
            .filter(|_| !self.quoted)
    }
}
