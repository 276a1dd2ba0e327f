//! What is watched and changed while a sandbox runs: the rules, the log's filter, and the filters of those who follow. Every change compiles all of
//! it anew and puts it in force in the guest in one request; what is wrong, or refused, changes nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use vitrine_abi::shared::{FilterRequest, REQUEST_COUNTS, REQUEST_FILTER, RuleCount};
use vitrine_introspect::filter::expr::Expr;
use vitrine_introspect::filter::rules::{self, Rule};
use vitrine_introspect::filter::{self, Compiler, Definitions, Residual};
use zerocopy::FromBytes;

use super::follow::Followers;
use super::protocol::{Failure, Kind};
use crate::requests::{PATIENCE, Requests};
use crate::ring::RingReader;
use crate::run::Capture;
use crate::watch::{Live, Shown, logs};

/// A rule in force, or disabled.
#[derive(Clone)]
struct Entry {
    /// Never used again for another rule; the guest counts by it.
    id: u64,
    rule: Rule,
    /// The file that it came from.
    file: Option<String>,
}

#[derive(Clone)]
struct State {
    entries: Vec<Entry>,
    definitions: Definitions,
    next_id: u64,
    generation: u64,
    /// What the log shows; `None`: there is no log.
    shown: Option<Arc<Expr>>,
    text: Option<String>,
}

/// It.
pub struct Policy {
    state: Mutex<State>,
    requests: Arc<Requests>,
    ring: Arc<RingReader>,
    followers: Arc<Followers>,
    shown: Shown,
    capture: Capture,
    files: Vec<String>,
}

impl Policy {
    /// As the command line says, which is in force already.
    pub fn new(
        live: Live,
        requests: Arc<Requests>,
        ring: Arc<RingReader>,
        followers: Arc<Followers>,
        capture: Capture,
    ) -> Policy {
        let entries: Vec<Entry> = (1..)
            .zip(live.rules)
            .map(|(id, (rule, file))| Entry { id, rule, file })
            .collect();
        Policy {
            state: Mutex::new(State {
                next_id: entries.len() as u64 + 1,
                entries,
                definitions: live.definitions,
                generation: 0,
                shown: live.expr.map(Arc::new),
                text: live.text,
            }),
            requests,
            ring,
            followers,
            shown: live.shown,
            capture,
            files: live.files,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a rule at the end. Its id.
    pub fn add(&self, text: &str, name: Option<String>) -> Result<u64, Failure> {
        self.add_rule("rules.add", text, |definitions| {
            let mut rule = Rule::parse(text, definitions).map_err(language)?;
            if let Some(name) = name {
                rule.name = name;
            }
            Ok(rule)
        })
    }

    /// Adds a breakpoint: a rule behind all others that stops threads. Its id.
    pub fn add_breakpoint(&self, text: &str, exit: bool) -> Result<u64, Failure> {
        self.add_rule("break", text, |definitions| {
            Rule::breakpoint(text, exit, definitions).map_err(language)
        })
    }

    fn add_rule(
        &self,
        verb: &str,
        text: &str,
        parse: impl FnOnce(&Definitions) -> Result<Rule, Failure>,
    ) -> Result<u64, Failure> {
        let mut state = self.lock();
        let mut next = state.clone();
        let rule = parse(&next.definitions)?;
        let id = next.next_id;
        next.next_id += 1;
        next.entries.push(Entry {
            id,
            rule,
            file: None,
        });
        self.put_in_force(&mut state, next, verb, text)?;
        Ok(id)
    }

    /// Removes a rule by id or name. Its id.
    pub fn remove(&self, which: &str) -> Result<u64, Failure> {
        let mut state = self.lock();
        let mut next = state.clone();
        let index = find(&next.entries, which)?;
        let id = next.entries.remove(index).id;
        self.put_in_force(&mut state, next, "rules.remove", which)?;
        Ok(id)
    }

    /// Enables or disables a rule by id or name. Its id.
    pub fn enable(&self, which: &str, enabled: bool) -> Result<u64, Failure> {
        let mut state = self.lock();
        let mut next = state.clone();
        let index = find(&next.entries, which)?;
        let entry = next.entries.get_mut(index);
        let id = entry.map_or(0, |entry| {
            entry.rule.enabled = enabled;
            entry.id
        });
        let change = if enabled {
            "rules.enable"
        } else {
            "rules.disable"
        };
        self.put_in_force(&mut state, next, change, which)?;
        Ok(id)
    }

    /// Puts what these files hold in the place of what came from files before. Rules whose name and text are as before keep their ids, and so their counts.
    pub fn reload(&self, files: &[(String, String)]) -> Result<usize, Failure> {
        let mut state = self.lock();
        let mut next = state.clone();
        let mut definitions = Definitions::default();
        let mut entries = Vec::new();
        for (path, text) in files {
            let read = rules::from_toml(text, &definitions)
                .map_err(|cause| Failure::new(Kind::Language, format!("{path}: {cause}")))?;
            definitions = read.definitions;
            for rule in read.rules {
                let same = |entry: &&Entry| {
                    entry.file.as_ref() == Some(path)
                        && (&entry.rule.name, &entry.rule.text) == (&rule.name, &rule.text)
                        && !entries.iter().any(|known: &Entry| known.id == entry.id)
                };
                let kept = state.entries.iter().find(same).map(|entry| entry.id);
                let id = kept.unwrap_or_else(|| {
                    next.next_id += 1;
                    next.next_id - 1
                });
                entries.push(Entry {
                    id,
                    rule,
                    file: Some(path.clone()),
                });
            }
        }
        let count = entries.len();
        let others = state.entries.iter().filter(|entry| entry.file.is_none());
        entries.extend(others.cloned());
        next.entries = entries;
        next.definitions = definitions;
        self.put_in_force(&mut state, next, "rules.reload", "")?;
        Ok(count)
    }

    /// The files that rules came from.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// All rules with their counts.
    pub fn list(&self) -> Result<Value, Failure> {
        let state = self.lock();
        let answer = self.requests.ask(REQUEST_COUNTS, &[], PATIENCE)?;
        let counts: Vec<RuleCount> = answer
            .chunks_exact(size_of::<RuleCount>())
            .filter_map(|bytes| RuleCount::read_from_bytes(bytes).ok())
            .collect();
        let list = state.entries.iter().map(|entry| {
            let count = counts.iter().find(|count| count.id == entry.id);
            let count = count.copied().unwrap_or_default();
            json!({
                "id": entry.id,
                "name": entry.rule.name,
                "text": &*entry.rule.text,
                "enabled": entry.rule.enabled,
                "file": entry.file,
                "matched": count.matched,
                "applied": count.applied,
            })
        });
        Ok(Value::Array(list.collect()))
    }

    /// What the log shows, as text; `None`: everything, or there is no log.
    pub fn filter(&self) -> Value {
        let state = self.lock();
        json!({ "traced": state.shown.is_some(), "filter": state.text })
    }

    /// Has the log show only what an expression holds for.
    pub fn set_filter(&self, text: &str) -> Result<(), Failure> {
        let mut state = self.lock();
        let mut next = state.clone();
        if next.shown.is_none() {
            let message = "this sandbox was started without --trace: there is no log whose filter could be set; use vitrine trace --filter";
            return Err(Failure::new(Kind::Refused, message));
        }
        let expr = filter::parse(text, &next.definitions).map_err(language)?;
        next.shown = Some(Arc::new(expr));
        next.text = Some(text.to_owned());
        self.put_in_force(&mut state, next, "filter.set", text)
    }

    /// An expression of a follower; without one it wants to see everything.
    pub fn parse(&self, text: Option<&str>) -> Result<Arc<Expr>, Failure> {
        let Some(text) = text else {
            return Ok(Arc::new(Expr::Const(true)));
        };
        let state = self.lock();
        let expr = filter::parse(text, &state.definitions).map_err(language)?;
        Ok(Arc::new(expr))
    }

    /// The followers have changed: watches what they want to see.
    pub fn followers_changed(&self) -> Result<(), Failure> {
        let state = self.lock();
        self.install(&state, &state, "", "")
    }

    fn put_in_force(
        &self,
        state: &mut State,
        mut next: State,
        change: &str,
        text: &str,
    ) -> Result<(), Failure> {
        next.generation += 1;
        self.install(state, &next, change, text)?;
        *state = next;
        tracing::info!("{change} {text}");
        Ok(())
    }

    /// Puts `state` in the place of `before`. `change`: what was done, to what (`text`), for the log; empty: nothing that it has to tell.
    fn install(
        &self,
        before: &State,
        state: &State,
        change: &str,
        text: &str,
    ) -> Result<(), Failure> {
        let followed = self.followers.wanted();
        let mut wanted: Vec<Expr> = followed.iter().map(|expr| (**expr).clone()).collect();
        wanted.extend(state.shown.as_deref().cloned());
        let rules: Vec<Rule> = state
            .entries
            .iter()
            .map(|entry| entry.rule.clone())
            .collect();
        let ids: Vec<u64> = state.entries.iter().map(|entry| entry.id).collect();
        let recorded = !wanted.is_empty() || rules.iter().any(logs);
        let union = match wanted.len() {
            0 => Expr::Const(false),
            1 => wanted.remove(0),
            _ => Expr::Or(wanted),
        };
        let mut compiler = Compiler::new();
        compiler.record(&union);
        compiler.rules(&rules, &ids).map_err(language)?;
        let header = &mut compiler.filter.header;
        if !recorded {
            header.flags = 0;
        }
        header.generation = u32::try_from(state.generation).unwrap_or(u32::MAX).into();
        header.buffer_limit = header.buffer_limit.max(self.capture.buffer);
        header.string_limit = header.string_limit.max(self.capture.string);
        let was_active = self.ring.is_active();
        if recorded {
            self.ring.set_active(true);
        }
        // From now on the guest records for several: each of them looks at all of it by itself.
        self.shown.set(shown_by(before));
        if !change.is_empty() {
            self.shown.await_change(state.generation, shown_by(state));
        }
        let request = FilterRequest {
            change: change.as_bytes(),
            text: text.as_bytes(),
            filter: &compiler.filter.encode(),
        };
        let done = self
            .requests
            .ask(REQUEST_FILTER, &request.encode(), PATIENCE);
        if let Err(failure) = done {
            if !change.is_empty() {
                self.shown.forget_change(state.generation);
            }
            self.ring.set_active(was_active);
            return Err(failure.into());
        }
        self.ring.set_active(recorded);
        Ok(())
    }
}

/// What the log shows of all that is recorded.
fn shown_by(state: &State) -> Residual {
    let expr = state.shown.as_ref().map(Arc::clone);
    Residual::new(
        expr.unwrap_or_else(|| Arc::new(Expr::Const(false))),
        Vec::new(),
    )
}

fn language(error: filter::Error) -> Failure {
    Failure::new(Kind::Language, error.to_string())
}

/// The rule with this id, or the only one with this name.
fn find(entries: &[Entry], which: &str) -> Result<usize, Failure> {
    let by_id = |entry: &Entry| which.parse() == Ok(entry.id);
    let by_name = |entry: &Entry| entry.rule.name == which;
    if let Some(index) = entries.iter().position(by_id) {
        return Ok(index);
    }
    let mut named = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| by_name(entry));
    match (named.next(), named.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some(_), Some(_)) => Err(Failure::new(
            Kind::NotFound,
            format!("several rules are named {which}; give an id (vitrine rules list)"),
        )),
        (None, _) => Err(Failure::new(
            Kind::NotFound,
            format!("there is no rule {which}; vitrine rules list shows all"),
        )),
    }
}
