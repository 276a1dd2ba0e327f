//! Breakpoints, and what is done to a call that one has stopped: both in the language of rules.

use super::{Action, ActionKind, Rule, Scope, SetHow, When, compile::find_argument, parse};
use crate::filter::{
    Compiler, Definitions,
    ast::{Part, Value},
    calls::{self, CallSet},
    error::{Error, Result},
    expr::is_textual,
    parser::Parser,
};
use vitrine_abi::{
    filter::ActionEntry,
    stop::MAX_ACTIONS,
    syscall::{self, ArgKind, Dir},
};

/// What somebody wants done to a stopped call before it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// `ARG=VALUE`, `ARG|=VALUE`, `ARG&=VALUE`: a string stands without quotes, or with them.
    pub set: Vec<String>,
    /// A result, or `-ERRNO`.
    pub returned: Option<String>,
    /// Its process is killed.
    pub kill: bool,
}

impl Rule {
    /// The rule that a breakpoint is: `CALLS [if EXPR]`, or an expression alone, for all calls. `exit`: it stops after the call.
    pub fn breakpoint(text: &str, exit: bool, definitions: &Definitions) -> Result<Rule> {
        let stop = if exit { "after stop" } else { "stop" };
        let first = text
            .split(|char: char| char.is_whitespace() || matches!(char, ',' | '='))
            .next()
            .unwrap_or_default();
        let names_calls = calls::word(first.trim_start_matches('!')).is_ok();
        let whole = if names_calls {
            format!("{text} then {stop}")
        } else {
            format!("* if {text} then {stop}")
        };
        let mut rule = Rule::parse(&whole, definitions)?;
        rule.name = format!("break {text}");
        Ok(rule)
    }
}

/// A time as rules have them, in nanoseconds: `10ms`, `1.5s`.
pub fn duration(text: &str) -> Result<u64> {
    parse::delay(text, 0..text.len()).map_err(|error| error.of(text))
}

/// The actions of a decision about call `nr` that is stopped (`exit`: after it has run), and the bytes that they refer to.
pub fn edit(nr: u64, exit: bool, edit: &Edit) -> Result<(Vec<ActionEntry>, Vec<u8>)> {
    let row = syscall::get(nr);
    let mut compiler = Compiler::new();
    let rule = Rule {
        name: String::new(),
        text: "".into(),
        enabled: true,
        calls: CallSet::NONE,
        condition: None,
        when: When::ALWAYS,
        probability: 1.0,
        scope: Scope::Global,
        actions: Vec::new(),
    };
    let mut steps = Vec::new();
    for text in &edit.set {
        steps.push((text.as_str(), set(text, row)?));
    }
    if exit && let Some((text, step)) = steps.first() {
        return Err(Error::new(
            "the call has run: its arguments can't be set any more",
            step.at.clone(),
        )
        .help("--return VALUE gives it another result")
        .of(text));
    }
    if let Some(text) = &edit.returned {
        let value = parse::returned(text, 0..text.len()).map_err(|error| error.of(text))?;
        steps.push((text, plain(ActionKind::Return(value), text)));
    }
    if edit.kill {
        steps.push(("kill", plain(ActionKind::Kill, "kill")));
    }
    if steps.len() > MAX_ACTIONS {
        let message = format!("at most {MAX_ACTIONS} changes are possible at once");
        return Err(Error::new(message, 0..0));
    }
    let mut actions = Vec::new();
    for (text, step) in &steps {
        let entry = compiler
            .action(&rule, step, row)
            .map_err(|error| error.of(text))?;
        actions.push(entry);
    }
    Ok((actions, compiler.filter.pool))
}

fn plain(kind: ActionKind, text: &str) -> Action {
    Action {
        kind,
        after: false,
        at: 0..text.len(),
    }
}

/// `ARG=VALUE`. A string needs no quotes here: the shell has had its turn.
fn set(text: &str, row: Option<&'static syscall::Syscall>) -> Result<Action> {
    let wrong = || {
        Error::new("this is no ARG=VALUE", 0..text.len())
            .help("as in pathname=/tmp/x, flags|=O_CLOEXEC or arg2=0")
            .of(text)
    };
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let (name, how) = match name.as_bytes().last() {
        Some(b'|') => (&name[..name.len() - 1], SetHow::Or),
        Some(b'&') => (&name[..name.len() - 1], SetHow::And),
        Some(b'+') => (&name[..name.len() - 1], SetHow::Add),
        Some(b'-') => (&name[..name.len() - 1], SetHow::Subtract),
        _ => (name, SetHow::Assign),
    };
    let (name, value) = (name.trim(), value.trim_start());
    let at = 0..text.len();
    let mut step = plain(ActionKind::Kill, text);
    let (_, kind) =
        find_argument(name, row, &CallSet::NONE, &step).map_err(|error| error.of(text))?;
    let takes_text = is_textual(kind) || matches!(kind, ArgKind::SockAddr(_, Dir::In));
    if takes_text && how == SetHow::Assign && !value.starts_with('"') {
        let part = Part {
            text: value.as_bytes().to_vec(),
            quoted: false,
            complement: false,
            at: at.clone(),
        };
        step.kind = ActionKind::Set {
            arg: name.to_owned(),
            how,
            value: Value {
                parts: vec![part],
                at,
            },
        };
        return Ok(step);
    }
    let operator = match how {
        SetHow::Assign => "=",
        SetHow::Add => "+=",
        SetHow::Subtract => "-=",
        SetHow::Or => "|=",
        SetHow::And => "&=",
    };
    let words = format!("set {name} {operator} {value}");
    let definitions = Definitions::default();
    let mut parser = Parser::new(&words, &definitions).map_err(|error| error.of(&words))?;
    let mut actions = parse::actions(&mut parser).map_err(|error| error.of(&words))?;
    match (actions.pop(), actions.is_empty()) {
        (Some(action), true) => Ok(action),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_abi::{filter::action, nr};

    fn one(nr: usize, text: &str) -> (ActionEntry, Vec<u8>) {
        let wanted = Edit {
            set: vec![text.to_owned()],
            ..Edit::default()
        };
        let (actions, pool) = edit(nr as u64, false, &wanted).unwrap();
        (actions[0], pool)
    }

    #[test]
    fn arguments_of_all_kinds_are_set() {
        let (entry, pool) = one(nr::OPENAT, "pathname=/tmp/a b");
        assert_eq!((entry.kind, entry.arg), (action::SET_STRING, 1));
        assert_eq!(pool, b"/tmp/a b");
        let (entry, pool) = one(nr::OPENAT, "path=\"x\\n\"");
        assert_eq!((entry.kind, entry.arg), (action::SET_STRING, 1));
        assert_eq!(pool, b"x\n");
        let (entry, _) = one(nr::OPENAT, "flags|=O_CLOEXEC");
        assert_eq!(
            (entry.kind, entry.arg, entry.value),
            (action::SET_OR, 2, 0o2000000)
        );
        let (entry, _) = one(nr::OPENAT, "arg3=0x10");
        assert_eq!((entry.kind, entry.arg, entry.value), (action::SET, 3, 16));
        let (entry, pool) = one(nr::WRITE, "buf=hello");
        assert_eq!((entry.kind, entry.length_arg), (action::SET_BYTES, 2));
        assert_eq!(pool, b"hello");
    }

    #[test]
    fn nonsense_is_refused() {
        let wanted = |set: &str, returned: Option<&str>| Edit {
            set: vec![set.to_owned()],
            returned: returned.map(str::to_owned),
            kill: false,
        };
        let open = nr::OPENAT as u64;
        for set in [
            "",
            "path",
            "nosuch=1",
            "flags=O_NOSUCH",
            "arg9=1",
            "path=a; kill",
            "flags=1; kill",
        ] {
            let result = edit(open, false, &wanted(set, None));
            assert!(result.is_err() || set.starts_with("path=a"), "{set}");
        }
        assert!(edit(open, true, &wanted("path=a", None)).is_err());
        let returned = Edit {
            returned: Some("-ENOSUCH".into()),
            ..Edit::default()
        };
        assert!(edit(open, false, &returned).is_err());
    }

    #[test]
    fn breakpoints_are_calls_or_expressions() {
        let definitions = Definitions::default();
        for (text, calls) in [
            ("openat", 1),
            ("openat,close if fd == 3", 2),
            ("openat if path == /etc/hostname", 1),
        ] {
            let rule = Rule::breakpoint(text, false, &definitions).unwrap();
            assert_eq!(rule.calls.len(), calls, "{text}");
            assert_eq!(rule.actions[0].kind, ActionKind::Stop);
        }
        let rule = Rule::breakpoint("evt.type = openat", true, &definitions).unwrap();
        assert!(rule.calls.len() > 300 && rule.actions[0].after);
        assert!(Rule::breakpoint("nosuchcall", false, &definitions).is_err());
        assert!(Rule::breakpoint("openat if", false, &definitions).is_err());
    }
}
