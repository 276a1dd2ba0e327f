//! strace's `-e` (and `-P`, `-z`, `-Z`), translated: what is traced becomes an expression, what is injected becomes rules, the rest becomes sets.

use super::{
    calls::{self, CallSet},
    constants::{self, Unit},
    error::did_you_mean,
    rules::{Action, ActionKind, Rule, Scope, When, parse},
};
use std::collections::BTreeSet;
use vitrine_abi::{Errno, nr::TABLE_LEN, syscall};

/// What strace's options say. Start from the default, apply options in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Calls that are traced (`trace=`); nothing: all.
    pub trace: Option<CallSet>,
    /// How calls have to end (`status=`, `-z`, `-Z`); nothing: anyhow.
    pub status: Option<Vec<Status>>,
    /// Paths that are traced (`-P`).
    pub paths: Vec<String>,
    /// Descriptors that are traced (`fd=`).
    pub fds: Option<NumberSet>,
    /// Signals that are shown (`signal=`); nothing: all.
    pub signals: Option<NumberSet>,
    /// Calls whose structures are shortened (`abbrev=`); nothing: as `-v` says.
    pub abbrev: Option<CallSet>,
    /// Calls whose structures are shown (`verbose=`).
    pub verbose: Option<CallSet>,
    /// Calls whose arguments are shown raw (`raw=`).
    pub raw: Option<CallSet>,
    /// Descriptors of which all that is read is dumped (`read=`).
    pub read: Option<NumberSet>,
    /// Descriptors of which all that is written is dumped (`write=`).
    pub write: Option<NumberSet>,
    /// Messages that are left out (`quiet=`).
    pub quiet: Option<Words>,
    /// What is shown of descriptors (`decode-fds=`).
    pub decode_fds: Option<Words>,
    /// Rules (`inject=`, `fault=`).
    pub rules: Vec<Rule>,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    Successful,
    Failed,
    Unfinished,
    Unavailable,
    Detached,
}

/// A set of small numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberSet {
    /// Whether `numbers` are those that are not in it.
    pub negated: bool,
    /// Numbers.
    pub numbers: BTreeSet<u32>,
}

impl NumberSet {
    /// Whether a number is in it.
    pub fn contains(&self, number: u32) -> bool {
        self.numbers.contains(&number) != self.negated
    }
}

/// A set of words out of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The words in it.
    pub words: BTreeSet<&'static str>,
}

/// Why an option was refused, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

type Result<T> = std::result::Result<T, Invalid>;

const QUALIFIERS: &[&str] = &[
    "trace",
    "abbrev",
    "verbose",
    "raw",
    "signal",
    "read",
    "write",
    "fault",
    "inject",
    "status",
    "quiet",
    "decode-fds",
    "fd",
    "kvm",
];
const QUIET: &[&str] = &[
    "attach",
    "exit",
    "path-resolution",
    "personality",
    "thread-execve",
    "superseded",
];
const DECODE_FDS: &[&str] = &["path", "socket", "dev", "pidfd", "signalfd", "eventfd"];

impl Options {
    /// Applies the argument of an `-e`.
    pub fn apply(&mut self, text: &str) -> Result<()> {
        let (name, value) = text.split_once('=').unwrap_or(("trace", text));
        match name {
            "trace" | "t" => self.trace = Some(call_set(value)?),
            "abbrev" | "a" => self.abbrev = Some(call_set(value)?),
            "verbose" | "v" => self.verbose = Some(call_set(value)?),
            "raw" | "x" => self.raw = Some(call_set(value)?),
            "signal" | "signals" | "s" => self.signals = Some(signal_set(value)?),
            "read" | "reads" | "r" => self.read = Some(number_set(value)?),
            "write" | "writes" | "w" => self.write = Some(number_set(value)?),
            "fd" | "fds" | "trace-fds" => self.fds = Some(number_set(value)?),
            "quiet" | "silent" | "silence" | "q" => self.quiet = Some(words(value, QUIET)?),
            "decode-fds" | "decode-fd" => self.decode_fds = Some(words(value, DECODE_FDS)?),
            "status" => self.status = statuses(value)?,
            "inject" => self.rules.push(injection(value, false)?),
            "fault" => self.rules.push(injection(value, true)?),
            "kvm" => return Err(Invalid("-e kvm is not possible here".into())),
            _ if text.contains('=') => {
                let help = did_you_mean(name, QUALIFIERS.iter().copied());
                return Err(invalid(format!("invalid -e qualifier '{name}'"), help));
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds a path (`-P`).
    pub fn path(&mut self, path: &str) {
        self.paths.push(path.to_owned());
    }

    /// What is traced, as an expression; nothing: everything. Events other than calls stay.
    pub fn expression(&self) -> Option<String> {
        let mut all = Vec::new();
        if let Some(set) = &self.trace
            && *set != CallSet::all()
        {
            all.push(calls_expression(set));
        }
        if let Some(status) = &self.status {
            let mut any: Vec<&str> = Vec::new();
            for status in status {
                any.push(match status {
                    Status::Successful => "evt.failed = false",
                    Status::Failed => "evt.failed = true",
                    Status::Unfinished => "not evt.res exists",
                    // Nobody can detach here, and results are always there.
                    Status::Unavailable | Status::Detached => continue,
                });
            }
            all.push(match any.as_slice() {
                [] => "evt.type in ()".to_owned(),
                any => format!("({})", any.join(" or ")),
            });
        }
        let mut places = Vec::new();
        if !self.paths.is_empty() {
            let paths: Vec<String> = self.paths.iter().map(|path| quoted(path)).collect();
            places.push(format!("evt.paths in ({})", paths.join(", ")));
        }
        if let Some(fds) = &self.fds {
            let numbers: Vec<String> = fds.numbers.iter().map(u32::to_string).collect();
            let not = if fds.negated {
                "fd.nums exists and not "
            } else {
                ""
            };
            places.push(format!("({not}fd.nums in ({}))", numbers.join(", ")));
        }
        if !places.is_empty() {
            all.push(format!("({})", places.join(" or ")));
        }
        (!all.is_empty()).then(|| format!("evt.kind != syscall or ({})", all.join(" and ")))
    }
}

fn invalid(message: String, help: Option<String>) -> Invalid {
    Invalid(match help {
        Some(help) => format!("{message}; {help}"),
        None => message,
    })
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    crate::decode::text::quoted_hex(&mut out, text.as_bytes());
    let plain = !text.contains(['\'', '\n']);
    if plain {
        format!("'{text}'")
    } else {
        String::from_utf8_lossy(&out).into_owned()
    }
}

fn calls_expression(set: &CallSet) -> String {
    let list = |set: &CallSet| {
        set.rows()
            .map(|call| call.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    if set.contains(TABLE_LEN) {
        format!("not evt.type in ({})", list(&set.not()))
    } else {
        format!("evt.type in ({})", list(set))
    }
}

/// A set of calls as strace writes it: names, numbers, `%class`, `/regex`, `?` before what may be missing, `!` before all of it, `all`, `none`.
pub fn call_set(text: &str) -> Result<CallSet> {
    let (negated, list) = negation(text);
    let mut set = CallSet::NONE;
    for word in list.split(',') {
        set = set.or(&one_call(word, text)?);
    }
    Ok(if negated { set.not() } else { set })
}

fn one_call(word: &str, whole: &str) -> Result<CallSet> {
    let (optional, name) = match word.strip_prefix('?') {
        Some(name) => (true, name),
        None => (false, word),
    };
    // A personality may follow: there is only one here.
    let name = name.strip_suffix("@64").unwrap_or(name);
    if name.ends_with("@32") || name.ends_with("@x32") {
        return if optional {
            Ok(CallSet::NONE)
        } else {
            Err(Invalid(format!(
                "invalid system call '{word}': there are 64-bit programs only"
            )))
        };
    }
    if let Some(pattern) = name.strip_prefix('/') {
        let regex = regex_lite::Regex::new(pattern)
            .map_err(|error| Invalid(format!("invalid regular expression '{pattern}': {error}")))?;
        let set: CallSet = syscall::all()
            .filter(|call| regex.is_match(call.name))
            .map(|call| usize::from(call.nr))
            .collect();
        if set.is_empty() && !optional {
            return Err(Invalid(format!("no system call matches '{pattern}'")));
        }
        return Ok(set);
    }
    match name {
        "all" => return Ok(CallSet::all()),
        "none" => return Ok(CallSet::NONE),
        "" => {
            return Err(Invalid(format!(
                "there is no system call before a comma in '{whole}'"
            )));
        }
        _ => {}
    }
    if let Ok(number) = name.parse::<usize>() {
        return if number < TABLE_LEN {
            Ok([number].into_iter().collect())
        } else {
            Err(Invalid(format!("invalid system call '{name}'")))
        };
    }
    // Classes may be written without their %, as older versions of strace had them.
    let class = || calls::word(&format!("%{name}")).ok();
    match calls::word(name).ok().or_else(class) {
        Some(set) => Ok(set),
        None if optional => Ok(CallSet::NONE),
        None => {
            let help = calls::word(name).err().and_then(|(_, help)| help);
            Err(invalid(format!("invalid system call '{word}'"), help))
        }
    }
}

fn negation(text: &str) -> (bool, &str) {
    match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    }
}

fn number_set(text: &str) -> Result<NumberSet> {
    let (negated, list) = negation(text);
    let mut set = NumberSet {
        negated,
        ..NumberSet::default()
    };
    match list {
        "all" => set.negated = !negated,
        "none" => {}
        _ => {
            for word in list.split(',') {
                let number = word
                    .parse::<u32>()
                    .ok()
                    .filter(|number| *number <= i32::MAX as u32);
                set.numbers
                    .insert(number.ok_or_else(|| Invalid(format!("invalid descriptor '{word}'")))?);
            }
        }
    }
    Ok(set)
}

fn signal_set(text: &str) -> Result<NumberSet> {
    let (negated, list) = negation(text);
    let mut set = NumberSet {
        negated,
        ..NumberSet::default()
    };
    match list {
        "all" => set.negated = !negated,
        "none" => {}
        _ => {
            for word in list.split(',') {
                let number = word
                    .parse::<u64>()
                    .ok()
                    .or_else(|| constants::signal(&word.to_ascii_uppercase()));
                match number.filter(|number| (1..=64).contains(number)) {
                    Some(number) => set.numbers.insert(number as u32),
                    None => return Err(Invalid(format!("invalid signal '{word}'"))),
                };
            }
        }
    }
    Ok(set)
}

fn words(text: &str, known: &[&'static str]) -> Result<Words> {
    let (negated, list) = negation(text);
    let mut set = BTreeSet::new();
    for word in list.split(',') {
        let singular = known
            .iter()
            .find(|known| **known == word || word.strip_suffix('s') == Some(known));
        match (word, singular) {
            ("all", _) => set.extend(known),
            ("none", _) => {}
            (_, Some(known)) => {
                set.insert(*known);
            }
            (_, None) => {
                let help = did_you_mean(word, known.iter().copied());
                return Err(invalid(format!("invalid word '{word}'"), help));
            }
        }
    }
    let words = known
        .iter()
        .copied()
        .filter(|word| set.contains(word) != negated);
    Ok(Words {
        words: words.collect(),
    })
}

fn statuses(text: &str) -> Result<Option<Vec<Status>>> {
    const ALL: &[(&str, Status)] = &[
        ("successful", Status::Successful),
        ("failed", Status::Failed),
        ("unfinished", Status::Unfinished),
        ("unavailable", Status::Unavailable),
        ("detached", Status::Detached),
    ];
    let names: Vec<&'static str> = ALL.iter().map(|(name, _)| *name).collect();
    let set = words(text, &names)?;
    let chosen = ALL.iter().filter(|(name, _)| set.words.contains(name));
    let chosen: Vec<Status> = chosen.map(|(_, status)| *status).collect();
    Ok((chosen.len() < ALL.len()).then_some(chosen))
}

/// `SET[:error=E|:retval=V][:signal=S][:delay_enter=T][:delay_exit=T][:poke_exit=…][:when=W]`.
fn injection(text: &str, fault: bool) -> Result<Rule> {
    let mut parts = text.split(':');
    let calls = call_set(parts.next().unwrap_or(""))?;
    let what = if fault { "fault" } else { "inject" };
    let mut rule = Rule {
        name: format!("{what}={text}"),
        text: text.into(),
        enabled: true,
        calls,
        condition: None,
        when: When::ALWAYS,
        probability: 1.0,
        scope: Scope::Thread,
        actions: Vec::new(),
    };
    let mut returned = None;
    let bad = |part: &str| Invalid(format!("invalid {what} argument '{part}' in '{text}'"));
    for part in parts {
        let (key, value) = part.split_once('=').ok_or_else(|| bad(part))?;
        let (kind, after) = match key {
            "error" | "retval" if returned.is_some() => {
                return Err(Invalid(format!(
                    "'{text}' has more than one error or retval"
                )));
            }
            "error" => {
                let number = value
                    .parse::<u16>()
                    .ok()
                    .filter(|number| (1..=4095).contains(number));
                let errno = number.or_else(|| Errno::from_name(value).map(|errno| errno.0));
                returned = Some(-i64::from(errno.ok_or_else(|| bad(part))?));
                continue;
            }
            "retval" if !fault => {
                let number = constants::number(value)
                    .filter(|(number, unit)| *unit == Unit::None && *number >= 0);
                let number = number.and_then(|(number, _)| i64::try_from(number).ok());
                returned = Some(number.ok_or_else(|| bad(part))?);
                continue;
            }
            "when" => {
                rule.when = parse::when(value)
                    .map_err(|error| Invalid(format!("{}: {error}", bad(part))))?;
                continue;
            }
            "signal" if !fault => {
                let number = value
                    .parse::<u64>()
                    .ok()
                    .or_else(|| constants::signal(value));
                let number = number.filter(|number| (1..=64).contains(number));
                (
                    ActionKind::Signal(number.ok_or_else(|| bad(part))? as u8),
                    false,
                )
            }
            "delay_enter" | "delay_exit" if !fault => (
                ActionKind::Delay(delay(value).ok_or_else(|| bad(part))?),
                key == "delay_exit",
            ),
            "poke_enter" | "poke_exit" if !fault => {
                for poke in value.split(',') {
                    let (arg, bytes) = poked(poke).ok_or_else(|| bad(part))?;
                    let kind = ActionKind::Poke { arg, bytes };
                    rule.actions.push(Action {
                        kind,
                        after: key == "poke_exit",
                        at: 0..text.len(),
                    });
                }
                continue;
            }
            "syscall" => {
                return Err(Invalid(format!(
                    "'{part}' is not possible here; use a rule with `return`"
                )));
            }
            _ => return Err(bad(part)),
        };
        rule.actions.push(Action {
            kind,
            after,
            at: 0..text.len(),
        });
    }
    if fault && returned.is_none() {
        returned = Some(-i64::from(Errno::ENOSYS.0));
    }
    if let Some(value) = returned {
        let kind = ActionKind::Return(value);
        rule.actions.push(Action {
            kind,
            after: false,
            at: 0..text.len(),
        });
    }
    if rule.actions.is_empty() {
        return Err(Invalid(format!(
            "'{text}' says nothing of what is to be injected"
        )));
    }
    Ok(rule)
}

/// A delay: microseconds, or with a unit.
fn delay(text: &str) -> Option<u64> {
    let ns = match constants::number(text)? {
        (number, Unit::None) => number.checked_mul(1000)?,
        (number, Unit::Time) => number,
        (_, Unit::Bytes) => return None,
    };
    u64::try_from(ns)
        .ok()
        .filter(|ns| *ns <= 86_400_000_000_000)
}

/// `@argN=HEX`, counted from 1.
fn poked(text: &str) -> Option<(String, Vec<u8>)> {
    let (arg, hex) = text.strip_prefix("@arg")?.split_once('=')?;
    let arg = arg.parse::<u8>().ok().filter(|arg| (1..=6).contains(arg))?;
    if !hex.is_ascii() || hex.is_empty() || hex.len() % 2 != 0 || hex.len() > 2048 {
        return None;
    }
    let bytes = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok());
    Some((format!("arg{}", arg - 1), bytes.collect::<Option<_>>()?))
}
