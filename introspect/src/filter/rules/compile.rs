//! Rules into the in-guest filter: arguments found, values typed, conflicts reported.

use super::{Action, ActionKind, Rule, Scope, SetHow, structs};
use crate::filter::{
    ast::Value,
    calls::CallSet,
    check::{no_such_argument, own_constant},
    compile::{Built, Compiler, Full},
    constants,
    error::{Error, Result, did_you_mean},
    expr::{self, is_textual, width},
    fields::ArgRef,
    lower::{Leaf, Lowered, Subject, lower},
};
use std::collections::HashMap;
use vitrine_abi::{
    filter::{
        ALWAYS, AT_EXIT, ActionEntry, FILTER_NO_VDSO, MAX_ACTIONS, MAX_RULE_LISTS, MAX_RULES,
        MAX_STRING, NO_LAST, NO_LENGTH, PHASE_ENTRY, PHASE_EXIT, RuleEntry, SCOPE_GLOBAL,
        SCOPE_PROCESS, SCOPE_THREAD, Span, WATCH_RULES, action, how,
    },
    nr,
    syscall::{ArgKind, Dir, RetKind, Syscall},
};

/// Calls that programs make through the vDSO, which asks no kernel: where rules are for them, it has to.
const VDSO_CALLS: [usize; 4] = [nr::CLOCK_GETTIME, nr::GETTIMEOFDAY, nr::TIME, nr::GETCPU];
/// Longest `struct sockaddr_un`'s path.
const SUN_PATH: usize = 108;

impl Compiler {
    /// Adds rules, in the order in which they apply; disabled ones are checked, and left out. `ids` are the numbers under which the guest counts their hits.
    /// Nothing may be done with the filter if this fails.
    pub fn rules(&mut self, rules: &[Rule], ids: &[u64]) -> Result<()> {
        conflicts(rules)?;
        let mut lists: Vec<Vec<u32>> = vec![Vec::new(); self.filter.calls.len()];
        for (index, rule) in rules.iter().enumerate() {
            let id = ids.get(index).copied().unwrap_or(index as u64 + 1);
            self.rule(rule, id, &mut lists)
                .map_err(|error| error.of(&rule.text))?;
        }
        let mut known: HashMap<Vec<u32>, Span> = HashMap::new();
        for (index, list) in lists.into_iter().enumerate() {
            if list.is_empty() {
                continue;
            }
            let table = &mut self.filter.rule_lists;
            let span = *known.entry(list).or_insert_with_key(|list| {
                let start = table.len() as u32;
                table.extend_from_slice(list);
                Span {
                    start,
                    len: list.len() as u32,
                }
            });
            if self.filter.rule_lists.len() > MAX_RULE_LISTS as usize {
                return Err(Error::new("there are too many rules", 0..0));
            }
            if let Some(call) = self.filter.calls.get_mut(index) {
                call.rules = span;
                call.watch |= WATCH_RULES;
            }
            if VDSO_CALLS.contains(&index) {
                self.filter.header.flags |= FILTER_NO_VDSO;
            }
        }
        Ok(())
    }

    /// One rule: an entry for each way in which it looks to its calls, for arguments lie elsewhere in each.
    fn rule(&mut self, rule: &Rule, id: u64, lists: &mut [Vec<u32>]) -> Result<()> {
        let mut entries: HashMap<(u32, Vec<ActionEntry>), u32> = HashMap::new();
        let full = |Full| Error::new("the rules are too large for the guest", 0..0);
        let name = rule.name.as_bytes();
        let name = self
            .bytes(&name[..name.len().min(MAX_STRING as usize)])
            .map_err(full)?;
        let late = self.is_late(rule)?;
        for index in rule.calls.iter() {
            let subject = Subject::Call(index);
            let lowered = match &rule.condition {
                Some(condition) => lower(condition, subject),
                None => Lowered::Const(true),
            };
            let (built, exact) = self.program(&lowered, late).map_err(full)?;
            debug_assert!(exact);
            if built == Built::Never || late && subject.call().is_some_and(Syscall::never_returns) {
                continue;
            }
            let actions = self.actions(rule, subject.call(), late)?;
            if !rule.enabled {
                continue;
            }
            let key = (built.number(), actions);
            let number = match entries.get(&key) {
                Some(number) => *number,
                None => {
                    let number = self.entry(rule, id, late, name, &key)?;
                    entries.insert(key, number);
                    number
                }
            };
            if let Some(list) = lists.get_mut(index) {
                list.push(number);
            }
        }
        Ok(())
    }

    /// Whether a rule applies after its calls; an error if only the host could tell whether it applies.
    fn is_late(&self, rule: &Rule) -> Result<bool> {
        let Some(condition) = &rule.condition else {
            return Ok(false);
        };
        let mut late = false;
        let mut host: Option<Leaf> = None;
        for index in rule.calls.iter() {
            lower(condition, Subject::Call(index)).any_leaf(&mut |leaf| {
                late |= leaf.is_late();
                if leaf.is_host() {
                    host.get_or_insert_with(|| leaf.clone());
                }
                false
            });
        }
        if host.is_some() {
            let at = host_test(condition).unwrap_or(0..0);
            return Err(Error::new("a rule can't ask for this: only the host knows it, when the call is over", at)
                .help("rules may use arguments that go in, path, fd.name, fd.type, fd.num, evt.res, evt.errno, evt.latency, proc.name, proc.exe, ids"));
        }
        Ok(late)
    }

    fn entry(
        &mut self,
        rule: &Rule,
        id: u64,
        late: bool,
        name: Span,
        key: &(u32, Vec<ActionEntry>),
    ) -> Result<u32> {
        let (program, actions) = key;
        let filter = &mut self.filter;
        let number = filter.rules.len();
        if number >= MAX_RULES as usize
            || filter.actions.len() + actions.len() > MAX_ACTIONS as usize
        {
            return Err(Error::new("there are too many rules", 0..0));
        }
        let start = filter.actions.len() as u32;
        filter.actions.extend_from_slice(actions);
        filter.rules.push(RuleEntry {
            id,
            program: *program,
            phase: if late { PHASE_EXIT } else { PHASE_ENTRY },
            scope: match rule.scope {
                Scope::Global => SCOPE_GLOBAL,
                Scope::Process => SCOPE_PROCESS,
                Scope::Thread => SCOPE_THREAD,
            },
            first: rule.when.first,
            last: rule.when.last.unwrap_or(NO_LAST),
            step: rule.when.step,
            probability: (rule.probability * ALWAYS as f64) as u64,
            actions: Span {
                start,
                len: actions.len() as u32,
            },
            name,
            ..RuleEntry::default()
        });
        Ok(number as u32)
    }

    fn actions(
        &mut self,
        rule: &Rule,
        call: Option<&'static Syscall>,
        late: bool,
    ) -> Result<Vec<ActionEntry>> {
        let mut list = Vec::new();
        for step in &rule.actions {
            let mut entry = self.action(rule, step, call)?;
            let before_only = matches!(
                entry.kind,
                action::SET..=action::SET_BYTES | action::SET_NUMBER
            );
            if before_only && (late || step.after) {
                return Err(Error::new("an argument can't be set after the call", step.at.clone())
                    .help("the rule asks for the result, so it applies after the call; `poke` writes where an argument points"));
            }
            if (step.after || only_after(&entry, call)) && !late {
                entry.flags = AT_EXIT;
            }
            list.push(entry);
        }
        Ok(list)
    }

    pub(super) fn action(
        &mut self,
        rule: &Rule,
        step: &Action,
        call: Option<&'static Syscall>,
    ) -> Result<ActionEntry> {
        let full = |Full| Error::new("the rules are too large for the guest", step.at.clone());
        let plain = |kind, value| ActionEntry {
            kind,
            value,
            length_arg: NO_LENGTH,
            ..ActionEntry::default()
        };
        Ok(match &step.kind {
            ActionKind::Set { arg, how, value } if member_of(arg).is_some() => {
                let mut entry = self.poke_number(arg, *how, value, call, &rule.calls, step)?;
                let kind = call.and_then(|call| call.args.get(usize::from(entry.arg)));
                if !kind.is_some_and(|arg| structs::is_input(arg.kind)) {
                    return Err(Error::new(
                        format!(
                            "the call writes to `{arg}`, so nothing else can stand in its place"
                        ),
                        step.at.clone(),
                    )
                    .help(format!(
                        "`poke {arg}` changes it in the program's own memory"
                    )));
                }
                entry.kind = action::SET_NUMBER;
                entry
            }
            ActionKind::Set { arg, how, value } => {
                let (index, kind) = find_argument(arg, call, &rule.calls, step)?;
                self.set_argument(index, kind, *how, value)?
            }
            ActionKind::Poke { arg, bytes } => {
                let (index, _) = find_argument(arg, call, &rule.calls, step)?;
                ActionEntry {
                    arg: index,
                    bytes: self.bytes(bytes).map_err(full)?,
                    ..plain(action::POKE, 0)
                }
            }
            ActionKind::PokeNumber { place, how, value } => {
                self.poke_number(place, *how, value, call, &rule.calls, step)?
            }
            ActionKind::ReturnMore(value) => ActionEntry {
                how: how::ADD,
                ..plain(action::RETURN, *value as u64)
            },
            ActionKind::Hide(pattern) => {
                let lists = |call: &Syscall| {
                    let mut args = call.args.iter();
                    args.any(|arg| arg.kind == ArgKind::DirEntries)
                };
                if !call.is_some_and(lists) {
                    let name = call.map_or("the call", |call| call.name);
                    return Err(Error::new(
                        format!("{name} lists no directory, so there is nothing to hide"),
                        step.at.clone(),
                    )
                    .help("`hide` is for getdents,getdents64"));
                }
                ActionEntry {
                    bytes: self.bytes(pattern).map_err(full)?,
                    ..plain(action::HIDE, 0)
                }
            }
            ActionKind::Return(value) => {
                let most = match call.map(|call| call.ret) {
                    Some(RetKind::Fd | RetKind::Pid | RetKind::Mode) => i32::MAX.into(),
                    _ => i64::MAX,
                };
                if *value > most {
                    let name = call.map_or("the call", |call| call.name);
                    return Err(Error::new(
                        format!("{value} is out of range for the result of {name}"),
                        step.at.clone(),
                    ));
                }
                plain(action::RETURN, *value as u64)
            }
            ActionKind::Delay(ns) => plain(action::DELAY, *ns),
            ActionKind::Signal(number) => plain(action::SIGNAL, (*number).into()),
            ActionKind::Kill => plain(action::KILL, 0),
            ActionKind::Stop => plain(action::STOP, 0),
            ActionKind::Log(text) => ActionEntry {
                bytes: self.bytes(text.as_bytes()).map_err(full)?,
                ..plain(action::LOG, 0)
            },
            ActionKind::Annotate(key, value) => ActionEntry {
                bytes: self.bytes(key.as_bytes()).map_err(full)?,
                more: self.bytes(value.as_bytes()).map_err(full)?,
                ..plain(action::ANNOTATE, 0)
            },
        })
    }

    /// A number where an argument points; bytes, if the argument points to no numbers.
    fn poke_number(
        &mut self,
        place: &str,
        how: SetHow,
        value: &Value,
        call: Option<&'static Syscall>,
        calls: &CallSet,
        step: &Action,
    ) -> Result<ActionEntry> {
        let place = place.strip_prefix("evt.arg.").unwrap_or(place);
        let arg = place.split_once('.').map_or(place, |(arg, _)| arg);
        let name = member_of(place).unwrap_or_default();
        let (index, kind) = find_argument(arg, call, calls, step)?;
        let plain = ActionEntry {
            arg: index,
            length_arg: NO_LENGTH,
            ..ActionEntry::default()
        };
        let Some(member) = structs::find(kind, name) else {
            let text = match value.parts.as_slice() {
                [part] if !part.complement && how == SetHow::Assign && name.is_empty() => {
                    &part.text
                }
                _ => return Err(no_number(arg, name, kind, step)),
            };
            let full = |Full| Error::new("the rules are too large for the guest", step.at.clone());
            return Ok(ActionEntry {
                kind: action::POKE,
                bytes: self.bytes(text).map_err(full)?,
                ..plain
            });
        };
        let bits = u32::from(member.width) * 8;
        let mut sum = 0u64;
        for part in &value.parts {
            let text = String::from_utf8_lossy(&part.text);
            let number = match constants::number(&text) {
                Some((value, constants::Unit::Time)) if member.unit > 0 => {
                    Some(value / i128::from(member.unit))
                }
                _ => number(kind, &part.text),
            }
            .ok_or_else(|| {
                Error::new(
                    format!("`{text}` is no number for `{place}`"),
                    part.at.clone(),
                )
            })?;
            if !(-(1i128 << (bits - 1))..1i128 << bits).contains(&number) {
                let message =
                    format!("`{text}` is out of range for `{place}`, which has {bits} bits");
                return Err(Error::new(message, part.at.clone()));
            }
            sum |= if part.complement {
                !(number as u64)
            } else {
                number as u64
            };
        }
        if how == SetHow::Subtract {
            sum = sum.wrapping_neg();
        }
        Ok(ActionEntry {
            kind: action::POKE_NUMBER,
            value: sum,
            offset: member.offset,
            width: member.width,
            how: how.code(),
            ..plain
        })
    }

    fn set_argument(
        &mut self,
        index: u8,
        kind: ArgKind,
        how: SetHow,
        value: &Value,
    ) -> Result<ActionEntry> {
        let full = |Full| Error::new("the rules are too large for the guest", value.at.clone());
        let entry = ActionEntry {
            arg: index,
            length_arg: NO_LENGTH,
            ..ActionEntry::default()
        };
        let part = match value.parts.as_slice() {
            [part] if !part.complement => Some(part),
            _ => None,
        };
        let text = part.filter(|part| {
            let takes_text = is_textual(kind) || matches!(kind, ArgKind::SockAddr(_, Dir::In));
            part.quoted || takes_text && number(kind, &part.text).is_none()
        });
        if let Some(part) = text {
            let refuse = |what: &str| Err(Error::new(what, value.at.clone()));
            if how != SetHow::Assign {
                return refuse("a string can only be set with `=`");
            }
            if part.text.len() > MAX_STRING as usize {
                let message = format!(
                    "the string has {} bytes; at most {MAX_STRING} are possible",
                    part.text.len()
                );
                return refuse(&message);
            }
            let (kind, bytes, length_arg) = match kind {
                ArgKind::Path | ArgKind::Str => {
                    if part.text.contains(&0) {
                        return refuse("the string has a NUL in it");
                    }
                    if kind == ArgKind::Path && part.text.len() >= MAX_STRING as usize {
                        return refuse("a path has at most 4095 bytes");
                    }
                    (action::SET_STRING, part.text.clone(), NO_LENGTH)
                }
                ArgKind::BufIn(length) => (action::SET_BYTES, part.text.clone(), length),
                ArgKind::SockAddr(length, Dir::In) => {
                    let Some(bytes) = socket_address(&part.text) else {
                        return Err(Error::new("this is no socket address", value.at.clone())
                            .help("write 127.0.0.1:80, [::1]:80, unix:/path or unix:@name"));
                    };
                    (action::SET_BYTES, bytes, length)
                }
                _ => return refuse("this argument is no string, buffer or address"),
            };
            return Ok(ActionEntry {
                kind,
                length_arg,
                bytes: self.bytes(&bytes).map_err(full)?,
                ..entry
            });
        }
        let mut sum = 0u64;
        for part in &value.parts {
            let number = number(kind, &part.text).ok_or_else(|| {
                let text = String::from_utf8_lossy(&part.text);
                Error::new(
                    format!("`{text}` is no number or constant"),
                    part.at.clone(),
                )
            })?;
            let narrow = width(kind).narrow;
            let fits = if narrow {
                -(1i128 << 31)..1i128 << 32
            } else {
                -(1i128 << 63)..1i128 << 64
            };
            if !fits.contains(&number) {
                return Err(Error::new(
                    "the value is out of range for this argument",
                    part.at.clone(),
                ));
            }
            sum |= if part.complement {
                !(number as u64)
            } else {
                number as u64
            };
        }
        let kind = match how {
            SetHow::Assign | SetHow::Add | SetHow::Subtract => action::SET,
            SetHow::Or => action::SET_OR,
            SetHow::And => action::SET_AND,
        };
        if how == SetHow::Subtract {
            sum = sum.wrapping_neg();
        }
        let adds = matches!(how, SetHow::Add | SetHow::Subtract);
        Ok(ActionEntry {
            kind,
            value: sum,
            how: if adds { how::ADD } else { how::SET },
            ..entry
        })
    }
}

/// The member in `argument.member`.
fn member_of(place: &str) -> Option<&str> {
    let place = place.strip_prefix("evt.arg.").unwrap_or(place);
    Some(place.split_once('.')?.1)
}

/// The error that an argument has no such number.
fn no_number(arg: &str, name: &str, kind: ArgKind, step: &Action) -> Error {
    let names: Vec<&str> = structs::names(kind).collect();
    let message = match (names.as_slice(), name) {
        ([], "") => format!("`{arg}` points to no number"),
        ([], _) => format!(
            "`{arg}` has no member `{name}`: it points to no structure whose members are known"
        ),
        (_, "") => format!("`{arg}` points to a structure: say which member"),
        _ => format!("`{arg}` has no member `{name}`"),
    };
    let error = Error::new(message, step.at.clone());
    if names.is_empty() {
        return error.help(format!(
            "bytes in quotes go anywhere: poke {arg} = \"\\x01\""
        ));
    }
    let close = did_you_mean(name, names.iter().copied());
    error.help(close.unwrap_or_else(|| format!("there are {}", names.join(", "))))
}

/// Whether an action changes what only the call brings about.
fn only_after(entry: &ActionEntry, call: Option<&'static Syscall>) -> bool {
    let kind = call.and_then(|call| call.args.get(usize::from(entry.arg)));
    entry.kind == action::POKE_NUMBER && kind.is_some_and(|arg| structs::is_result(arg.kind))
}

fn number(kind: ArgKind, text: &[u8]) -> Option<i128> {
    let word = std::str::from_utf8(text).ok()?;
    if let Some((value, unit)) = constants::number(word) {
        return (unit != constants::Unit::Time).then_some(value);
    }
    let constant = own_constant(&[kind], word).or_else(|| constants::any(word))?;
    Some(constant.value)
}

/// The argument that a name means: as in the man page, `path` (the first path), or `arg0` to `arg5`.
pub(super) fn find_argument(
    name: &str,
    call: Option<&'static Syscall>,
    calls: &CallSet,
    step: &Action,
) -> Result<(u8, ArgKind)> {
    let raw = name
        .strip_prefix("arg")
        .and_then(|index| index.parse::<u8>().ok())
        .filter(|index| *index < 6);
    let Some(call) = call else {
        // A number without a row has raw arguments only.
        return match raw {
            Some(index) => Ok((index, ArgKind::Ulong)),
            None => Err(Error::new(
                format!("an unknown call has no argument `{name}`"),
                step.at.clone(),
            )
            .help("name the calls, or set arg0 to arg5")),
        };
    };
    let name = name.strip_prefix("evt.arg.").unwrap_or(name);
    let named = expr::argument(call, &ArgRef::Name(name.into()));
    let path = || {
        let index = call.args.iter().position(|arg| arg.kind == ArgKind::Path)?;
        (name == "path").then_some((index as u8, ArgKind::Path))
    };
    let by_number = || {
        let index = raw?;
        let kind = call
            .args
            .get(usize::from(index))
            .map_or(ArgKind::Ulong, |arg| arg.kind);
        Some((index, kind))
    };
    named.or_else(path).or_else(by_number).ok_or_else(|| {
        let error = no_such_argument(name, &[call], step.at.clone());
        if calls.len() > 1 {
            error.help("the rule is for other calls too: name only those that have it")
        } else {
            error
        }
    })
}

/// Where the test of an expression stands that only the host can do.
fn host_test(condition: &expr::Expr) -> Option<std::ops::Range<usize>> {
    use expr::Expr;
    match condition {
        Expr::Const(_) => None,
        Expr::And(list) | Expr::Or(list) => list.iter().find_map(host_test),
        Expr::Not(inner) => host_test(inner),
        Expr::Test(test) => {
            let is_host = CallSet::all().iter().any(|index| {
                lower(condition, Subject::Call(index)).any_leaf(&mut |leaf| leaf.is_host())
            });
            is_host.then(|| test.at.clone())
        }
    }
}

/// Rules that can't both be meant.
fn conflicts(rules: &[Rule]) -> Result<()> {
    let mut returning: Vec<(&Rule, CallSet)> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.enabled) {
        let returns: Vec<&Action> = rule
            .actions
            .iter()
            .filter(|action| matches!(action.kind, ActionKind::Return(_)))
            .collect();
        if let [_, second, ..] = returns.as_slice() {
            return Err(Error::new("the rule returns twice", second.at.clone()).of(&rule.text));
        }
        let (Some(first), true) = (returns.first(), rule.is_unconditional()) else {
            continue;
        };
        if let Some((other, calls)) = returning
            .iter()
            .map(|(other, calls)| (other, calls.and(&rule.calls)))
            .find(|(_, calls)| !calls.is_empty())
        {
            let name = calls
                .rows()
                .next()
                .map_or("the same call", |call| call.name);
            let message = format!(
                "{name} returns always already, by the rule `{}`",
                other.name
            );
            return Err(Error::new(message, first.at.clone())
                .help("disable one of them, or give one an `if`")
                .of(&rule.text));
        }
        returning.push((rule, rule.calls));
    }
    useless_sets(rules, &returning)
}

/// Arguments that are set in vain: the call never runs, or a later rule always sets them to something else.
fn useless_sets(rules: &[Rule], returning: &[(&Rule, CallSet)]) -> Result<()> {
    let mut always: HashMap<(usize, u8), &Rule> = HashMap::new();
    for rule in rules.iter().filter(|rule| rule.enabled) {
        for step in &rule.actions {
            let ActionKind::Set { arg, how, .. } = &step.kind else {
                continue;
            };
            if !rule.is_unconditional() {
                continue;
            }
            let runs_never = |rule: &Rule| {
                let mut actions = rule.actions.iter();
                actions.any(|step| matches!(step.kind, ActionKind::Return(_)) && !step.after)
            };
            let returning = returning.iter().filter(|(other, _)| runs_never(other));
            let found = returning.clone().find_map(|(other, calls)| {
                let both = calls.and(&rule.calls);
                Some((*other, both.rows().next()?)).filter(|(other, _)| !std::ptr::eq(*other, rule))
            });
            if let Some((other, call)) = found {
                let message = format!(
                    "`{arg}` is set in vain: {} never runs, by the rule `{}`",
                    call.name, other.name
                );
                return Err(Error::new(message, step.at.clone())
                    .help("disable one of them, or give one an `if`")
                    .of(&rule.text));
            }
            for index in rule.calls.iter() {
                let call = Subject::Call(index).call();
                let Ok((number, _)) = find_argument(arg, call, &rule.calls, step) else {
                    continue;
                };
                let other = always.insert((index, number), rule);
                if *how == SetHow::Assign
                    && let Some(other) = other.filter(|other| !std::ptr::eq(*other, rule))
                {
                    let name = call.map_or("the call", |call| call.name);
                    let message = format!(
                        "`{arg}` of {name} is set always already, by the rule `{}`",
                        other.name
                    );
                    return Err(Error::new(message, step.at.clone())
                        .help("disable one of them, or give one an `if`")
                        .of(&rule.text));
                }
            }
        }
    }
    Ok(())
}

/// A `struct sockaddr` from its text.
fn socket_address(text: &[u8]) -> Option<Vec<u8>> {
    if let Some(path) = text.strip_prefix(b"unix:") {
        let mut bytes = 1u16.to_le_bytes().to_vec();
        if path.is_empty() || path.len() >= SUN_PATH {
            return None;
        }
        match path.strip_prefix(b"@") {
            Some(name) => {
                bytes.push(0);
                bytes.extend_from_slice(name);
            }
            None => {
                bytes.extend_from_slice(path);
                bytes.push(0);
            }
        }
        return Some(bytes);
    }
    let address: std::net::SocketAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    let mut bytes = Vec::new();
    match address {
        std::net::SocketAddr::V4(address) => {
            bytes.extend_from_slice(&2u16.to_le_bytes());
            bytes.extend_from_slice(&address.port().to_be_bytes());
            bytes.extend_from_slice(&address.ip().octets());
            bytes.extend_from_slice(&[0; 8]);
        }
        std::net::SocketAddr::V6(address) => {
            bytes.extend_from_slice(&10u16.to_le_bytes());
            bytes.extend_from_slice(&address.port().to_be_bytes());
            bytes.extend_from_slice(&address.flowinfo().to_be_bytes());
            bytes.extend_from_slice(&address.ip().octets());
            bytes.extend_from_slice(&address.scope_id().to_le_bytes());
        }
    }
    Some(bytes)
}
