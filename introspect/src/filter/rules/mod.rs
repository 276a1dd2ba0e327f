//! Rules: what is done to calls before (or after) they run.
//!
//! ```text
//! rule   = calls [ "if" expression ] { "when=" when | "probability=" number | "scope=" scope } "then" action { ";" action }
//! calls  = [ "!" ] ( name | %class | "*" ) { "," … }
//! when   = first [ ".." last ] [ "+" [ step ] ]        of the calls for which the expression holds, counted from 1
//! scope  = "global" | "process" | "thread"             whose calls are counted together
//! action = [ "after" ] ( "set" argument [ "." member ] op value | "return" ( value | -ERRNO | "+=" value )
//!        | "poke" argument "=" string | "poke" argument [ "." member ] op value | "hide" pattern
//!        | "delay" duration | "signal" name | "kill" | "stop" | "log" [ string ] | "annotate" key "=" string )
//! op     = "=" | "+=" | "-=" | "|=" | "&="
//! ```
//!
//! [`Rule::parse`] reads that text, [`from_toml`] a file of `[[rule]]` tables with the same things as keys. [`Compiler::rules`](super::Compiler::rules) checks them against
//! each other and against the table of calls, and puts them into the in-guest filter. A rule whose expression asks for the result applies after the call.

mod compile;
mod file;
pub(in crate::filter) mod parse;
mod presets;
mod stop;
mod structs;

pub use file::{FileError, RuleFile, from_toml, from_toml_with};
pub use presets::{PRESETS, Preset, preset};
pub use stop::{Edit, duration, edit};

use super::{calls::CallSet, error::Error, expr::Expr};
use std::sync::Arc;
use vitrine_abi::filter::how;

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name; the text if nobody gave it one.
    pub name: String,
    /// Its text, to which places in errors refer.
    pub text: Arc<str>,
    /// Whether it is in force.
    pub enabled: bool,
    /// The calls that it is for.
    pub calls: CallSet,
    /// When it is for them; nothing: always.
    pub condition: Option<Expr>,
    /// For which of the matching calls.
    pub when: When,
    /// With which probability, 0 to 1.
    pub probability: f64,
    /// Whose calls are counted together.
    pub scope: Scope,
    /// What is done, in order.
    pub actions: Vec<Action>,
}

/// Which of the matching calls a rule applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// The first, counted from 1.
    pub first: u32,
    /// The last, if there is one.
    pub last: Option<u32>,
    /// Every how many.
    pub step: u32,
}

impl When {
    /// All of them.
    pub const ALWAYS: When = When {
        first: 1,
        last: None,
        step: 1,
    };
}

/// Whose calls are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everybody's.
    #[default]
    Global,
    /// A process's.
    Process,
    /// A thread's.
    Thread,
}

/// An action, and where it stands in the rule's text.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// What is done.
    pub kind: ActionKind,
    /// After the call, though the rule applied before it.
    pub after: bool,
    /// Where it stands.
    pub at: std::ops::Range<usize>,
}

/// What is done.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionKind {
    /// An argument gets another value.
    Set {
        /// Its name, or `argN`; with the member of the structure that it points to, if that is set: `request.tv_sec`.
        arg: String,
        /// The operator.
        how: SetHow,
        /// The value as it is written; what it means depends on the argument.
        value: super::ast::Value,
    },
    /// Bytes are written where an argument points.
    Poke {
        /// Its name, or `argN`.
        arg: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A number in the program's memory is changed.
    PokeNumber {
        /// The argument that points to it, with the member of the structure if it is in one: `tp.tv_sec`.
        place: String,
        /// The operator.
        how: SetHow,
        /// The value as it is written.
        value: super::ast::Value,
    },
    /// The call returns this (without running, if the rule applies before it).
    Return(i64),
    /// The call returns this much more, if it succeeds.
    ReturnMore(i64),
    /// A listed directory doesn't have entries that match this pattern.
    Hide(Vec<u8>),
    /// The thread sleeps, nanoseconds.
    Delay(u64),
    /// The thread gets a signal.
    Signal(u8),
    /// The process is killed.
    Kill,
    /// The thread stops.
    Stop,
    /// The hit is logged.
    Log(String),
    /// The process is annotated.
    Annotate(String, String),
}

/// How an argument is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SetHow {
    Assign,
    Add,
    Subtract,
    Or,
    And,
}

impl SetHow {
    /// One of `vitrine_abi::filter::how`.
    pub fn code(self) -> u8 {
        match self {
            SetHow::Assign => how::SET,
            SetHow::Add | SetHow::Subtract => how::ADD,
            SetHow::Or => how::OR,
            SetHow::And => how::AND,
        }
    }
}

impl Rule {
    /// Reads a rule.
    pub fn parse(text: &str, definitions: &super::Definitions) -> Result<Rule, Error> {
        parse::rule(text, definitions).map_err(|error| error.of(text))
    }

    /// Whether it applies to every one of its calls.
    pub fn is_unconditional(&self) -> bool {
        self.condition.is_none() && self.when == When::ALWAYS && self.probability >= 1.0
    }
}
