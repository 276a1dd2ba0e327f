//! A rule's text.

use super::{Action, ActionKind, Rule, Scope, SetHow, When};
use crate::filter::{
    Definitions,
    calls::{self, CallSet},
    check,
    constants::{self, Unit},
    error::{Error, Result, did_you_mean},
    lexer::Token,
    parser::Parser,
};
use std::ops::Range;
use vitrine_abi::{
    Errno,
    filter::{MAX_GLOB, MAX_STRING},
};

/// Longest delay: a day.
const MAX_DELAY: i128 = 86_400_000_000_000;
/// Most actions of a rule.
const MAX_ACTIONS: usize = 64;
const ACTIONS: &[&str] = &[
    "set", "poke", "return", "hide", "delay", "signal", "kill", "stop", "log", "annotate", "after",
];

pub(super) fn rule(text: &str, definitions: &Definitions) -> Result<Rule> {
    let mut parser = Parser::new(text, definitions)?;
    let calls = call_list(&mut parser)?;
    let condition = if parser.eat_word("if") {
        Some(check::check(&parser.expression()?, &calls)?)
    } else {
        None
    };
    let mut rule = Rule {
        name: text.to_owned(),
        text: text.into(),
        enabled: true,
        calls,
        condition,
        when: When::ALWAYS,
        probability: 1.0,
        scope: Scope::Global,
        actions: Vec::new(),
    };
    loop {
        if parser.eat_word("when") {
            let (word, at) = option(&mut parser, "when")?;
            rule.when = when(&word).map_err(|message| Error::new(message, at).help(WHEN_HELP))?;
        } else if parser.eat_word("probability") {
            let (word, at) = option(&mut parser, "probability")?;
            rule.probability = probability(&word).map_err(|message| Error::new(message, at))?;
        } else if parser.eat_word("scope") {
            let (word, at) = option(&mut parser, "scope")?;
            rule.scope = match word.as_str() {
                "global" => Scope::Global,
                "process" => Scope::Process,
                "thread" => Scope::Thread,
                _ => return Err(Error::new("the scopes are global, process and thread", at)),
            };
        } else if parser.eat_word("then") {
            break;
        } else {
            let what = match rule.condition {
                Some(_) => "`and`, `or`, `when=`, `probability=`, `scope=` or `then`",
                None => "`if`, `when=`, `probability=`, `scope=` or `then`",
            };
            return Err(parser.expected(what));
        }
    }
    rule.actions = actions(&mut parser)?;
    Ok(rule)
}

/// Actions up to the end.
pub(super) fn actions(parser: &mut Parser<'_>) -> Result<Vec<Action>> {
    let mut list = Vec::new();
    loop {
        let start = parser.at();
        let after = parser.eat_word("after");
        let kind = action(parser)?;
        let only_after = matches!(kind, ActionKind::ReturnMore(_) | ActionKind::Hide(_));
        list.push(Action {
            kind,
            after: after || only_after,
            at: start.clone(),
        });
        if list.len() > MAX_ACTIONS {
            return Err(Error::new(
                format!("a rule has at most {MAX_ACTIONS} actions"),
                start,
            ));
        }
        if !parser.eat(";") {
            break;
        }
        if parser.peek().is_none() {
            break;
        }
    }
    match parser.peek() {
        None => Ok(list),
        Some(_) => Err(parser.expected("`;` or the end")),
    }
}

fn call_list(parser: &mut Parser<'_>) -> Result<CallSet> {
    let negated = parser.eat("!");
    let mut set = CallSet::NONE;
    loop {
        let at = parser.at();
        let Some(Token::Word(word)) = parser.peek().cloned() else {
            return Err(parser.expected("a system call, a class such as %file, or `*`"));
        };
        parser.take();
        let found =
            calls::word(&word).map_err(|(message, help)| Error::new(message, at).maybe(help))?;
        set = set.or(&found);
        if !parser.eat(",") {
            break;
        }
    }
    Ok(if negated { set.not() } else { set })
}

fn option(parser: &mut Parser<'_>, name: &str) -> Result<(String, Range<usize>)> {
    if !parser.eat("=") {
        return Err(parser.expected(&format!("`=` after `{name}`")));
    }
    let at = parser.at();
    match parser.peek().cloned() {
        Some(Token::Word(word)) => {
            parser.take();
            Ok((word, at))
        }
        _ => Err(parser.expected(&format!("a value for `{name}`"))),
    }
}

const WHEN_HELP: &str = "it is FIRST, FIRST+, FIRST+STEP, FIRST..LAST or FIRST..LAST+STEP";

/// `FIRST[..LAST][+[STEP]]`, as strace has it: a number alone means that one.
pub(in crate::filter) fn when(text: &str) -> std::result::Result<When, String> {
    let number = |text: &str| match text.parse::<u32>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!(
            "`{text}` is no number of a call; they are counted from 1"
        )),
    };
    let (range, step) = match text.split_once('+') {
        Some((range, "")) => (range, Some(1)),
        Some((range, step)) => (range, Some(number(step)?)),
        None => (text, None),
    };
    let (first, last) = match range.split_once("..") {
        Some((first, last)) => (number(first)?, Some(number(last)?)),
        None => (number(range)?, None),
    };
    let last = match (last, step) {
        (None, None) => Some(first),
        (last, _) => last,
    };
    if last.is_some_and(|last| last < first) {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok(When {
        first,
        last,
        step: step.unwrap_or(1),
    })
}

/// A number from 0 to 1.
pub(super) fn probability(text: &str) -> std::result::Result<f64, String> {
    let value = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>(),
    };
    value
        .ok()
        .filter(|value| (0.0..=1.0).contains(value))
        .ok_or_else(|| {
            format!("`{text}` is no probability; it is a number from 0 to 1, or 0% to 100%")
        })
}

fn action(parser: &mut Parser<'_>) -> Result<ActionKind> {
    let at = parser.at();
    let Some(Token::Word(word)) = parser.peek().cloned() else {
        return Err(parser
            .expected("an action")
            .help(format!("there are {}", ACTIONS.join(", "))));
    };
    parser.take();
    Ok(match word.as_str() {
        "set" => {
            let (arg, _) = name(parser, "an argument")?;
            let how = operator(parser)?;
            let value = parser.value(&arg)?;
            ActionKind::Set { arg, how, value }
        }
        "poke" => {
            let (arg, _) = name(parser, "an argument")?;
            let how = operator(parser)?;
            if how == SetHow::Assign && matches!(parser.peek(), Some(Token::Quoted(_))) {
                let bytes = string(parser, "the bytes")?;
                ActionKind::Poke { arg, bytes }
            } else {
                let value = parser.value(&arg)?;
                ActionKind::PokeNumber {
                    place: arg,
                    how,
                    value,
                }
            }
        }
        "return" if parser.eat("+=") => {
            let (word, at) = name(parser, "a number or a duration")?;
            ActionKind::ReturnMore(more(&word, at)?)
        }
        "hide" => {
            let at = parser.at();
            let pattern = string(parser, "a pattern of names or paths")?;
            if pattern.len() > MAX_GLOB as usize || pattern.is_empty() {
                return Err(Error::new(
                    format!("a pattern has 1 to {MAX_GLOB} bytes"),
                    at,
                ));
            }
            ActionKind::Hide(pattern)
        }
        "return" => {
            let (word, at) = name(parser, "a value or -ERRNO")?;
            ActionKind::Return(returned(&word, at)?)
        }
        "delay" => {
            let (word, at) = name(parser, "a duration")?;
            ActionKind::Delay(delay(&word, at)?)
        }
        "signal" => {
            let (word, at) = name(parser, "a signal")?;
            ActionKind::Signal(signal(&word, at)?)
        }
        "kill" => ActionKind::Kill,
        "stop" => ActionKind::Stop,
        "log" => match parser.peek() {
            Some(Token::Quoted(_) | Token::Word(_)) => {
                let text = string(parser, "a text")?;
                ActionKind::Log(String::from_utf8_lossy(&text).into_owned())
            }
            _ => ActionKind::Log(String::new()),
        },
        "annotate" => {
            let (key, at) = name(parser, "a key")?;
            if key.len() > 64 {
                return Err(Error::new("a key has at most 64 bytes", at));
            }
            equals(parser)?;
            let value = string(parser, "a value")?;
            ActionKind::Annotate(key, String::from_utf8_lossy(&value).into_owned())
        }
        other => {
            return Err(
                Error::new(format!("there is no action `{other}`"), at).help(
                    did_you_mean(other, ACTIONS.iter().copied())
                        .unwrap_or_else(|| format!("there are {}", ACTIONS.join(", "))),
                ),
            );
        }
    })
}

fn name(parser: &mut Parser<'_>, what: &str) -> Result<(String, Range<usize>)> {
    let at = parser.at();
    match parser.peek().cloned() {
        Some(Token::Word(word)) => {
            parser.take();
            Ok((word, at))
        }
        _ => Err(parser.expected(what)),
    }
}

/// How something is set.
fn operator(parser: &mut Parser<'_>) -> Result<SetHow> {
    [
        ("=", SetHow::Assign),
        ("+=", SetHow::Add),
        ("-=", SetHow::Subtract),
        ("|=", SetHow::Or),
        ("&=", SetHow::And),
    ]
    .into_iter()
    .find_map(|(op, how)| parser.eat(op).then_some(how))
    .ok_or_else(|| parser.expected("`=`, `+=`, `-=`, `|=` or `&=`"))
}

fn equals(parser: &mut Parser<'_>) -> Result<()> {
    if parser.eat("=") {
        Ok(())
    } else {
        Err(parser.expected("`=`"))
    }
}

fn string(parser: &mut Parser<'_>, what: &str) -> Result<Vec<u8>> {
    let at = parser.at();
    let bytes = match parser.peek().cloned() {
        Some(Token::Word(word)) => word.into_bytes(),
        Some(Token::Quoted(bytes)) => bytes,
        _ => return Err(parser.expected(what)),
    };
    parser.take();
    if bytes.len() > MAX_STRING as usize {
        return Err(Error::new(
            format!(
                "the string has {} bytes; at most {MAX_STRING} are possible",
                bytes.len()
            ),
            at,
        ));
    }
    Ok(bytes)
}

/// A call's result: a number, or a negated error number.
pub(in crate::filter) fn returned(word: &str, at: Range<usize>) -> Result<i64> {
    let value = match (constants::number(word), word.strip_prefix('-')) {
        (Some((value, Unit::None | Unit::Bytes)), _) => value,
        (Some(_), _) => return Err(Error::new("a result isn't counted in that unit", at)),
        (None, negated) => {
            let name = negated.unwrap_or(word);
            let Some(errno) = Errno::from_name(name) else {
                return Err(
                    Error::new(format!("`{word}` is neither a number nor an error"), at)
                        .maybe(did_you_mean(name, constants::errno_names()))
                        .maybe(None),
                );
            };
            if negated.is_none() {
                return Err(Error::new(format!("`{word}` is returned negated"), at)
                    .help(format!("write -{word}")));
            }
            -i128::from(errno.0)
        }
    };
    match i64::try_from(value) {
        Ok(value) if value >= -4095 => Ok(value),
        _ => Err(
            Error::new(format!("`{word}` is out of range for a result"), at)
                .help("errors are -1 to -4095; other results aren't negative and have 63 bits"),
        ),
    }
}

/// What a result is increased by: a number, or a duration as whole seconds.
fn more(word: &str, at: Range<usize>) -> Result<i64> {
    let value = match constants::number(word) {
        Some((value, Unit::None | Unit::Bytes)) => Some(value),
        Some((value, Unit::Time)) => Some(value / 1_000_000_000),
        None => None,
    };
    value
        .and_then(|value| i64::try_from(value).ok())
        .ok_or_else(|| {
            Error::new(
                format!("`{word}` is no number that a result can be increased by"),
                at,
            )
            .help("as in `return += 1`, or `return += 30d` for a call that returns seconds")
        })
}

/// A delay in nanoseconds.
pub(in crate::filter) fn delay(word: &str, at: Range<usize>) -> Result<u64> {
    match constants::number(word) {
        Some((value, Unit::Time)) if (0..=MAX_DELAY).contains(&value) => Ok(value as u64),
        Some((_, Unit::Time)) => Err(Error::new("a delay is from 0 to 24h", at)),
        Some((value, _)) => Err(Error::new("the delay has no unit", at)
            .help(format!("write {value}ms, or another of ns us ms s m h"))),
        None => Err(Error::new(format!("`{word}` is no duration"), at).help("as in 10ms or 1.5s")),
    }
}

/// A signal's number.
pub(in crate::filter) fn signal(word: &str, at: Range<usize>) -> Result<u8> {
    let number = match constants::number(word) {
        Some((number, Unit::None)) => u64::try_from(number).ok(),
        _ => constants::signal(word),
    };
    match number.filter(|number| (1..=64).contains(number)) {
        Some(number) => Ok(number as u8),
        None => {
            let all: Vec<String> = (1..32)
                .map(|number| {
                    let mut name = Vec::new();
                    crate::decode::signals::name(&mut name, number);
                    String::from_utf8_lossy(&name).into_owned()
                })
                .collect();
            Err(Error::new(format!("there is no signal `{word}`"), at)
                .maybe(did_you_mean(word, all.iter().map(String::as_str))))
        }
    }
}
