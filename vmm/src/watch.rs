//! What `vitrine run` is told to watch and to change: `--filter`, `-e`, `--rule` and `--rules`, compiled into the filter that the guest runs
//! and the half that is left to the host.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vitrine_introspect::Event;
use vitrine_introspect::change::Groups;
use vitrine_introspect::event::EventKind;
use vitrine_introspect::filter::expr::Expr;
use vitrine_introspect::filter::rules::{self, ActionKind, Rule};
use vitrine_introspect::filter::strace::{self, NumberSet};
use vitrine_introspect::filter::{self, Compiler, Definitions, Residual};
use vitrine_introspect::select::CallSet;

use vitrine_abi::filter::{FILTER_NO_VDSO, Filter, WATCH_RECORD};

use crate::cli::RunOptions;
use crate::presets::{self, PresetError};

/// Why the options can't be followed. All of them are the caller's mistakes.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// An expression or a rule.
    #[error("{option}: {cause}")]
    Language {
        /// Which option.
        option: &'static str,
        /// What is wrong, where.
        cause: filter::Error,
    },
    /// strace's option.
    #[error("-e: {0}")]
    Strace(#[from] strace::Invalid),
    /// A file of rules.
    #[error("--rules {}: {cause}", .path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// What is wrong with it.
        cause: rules::FileError,
    },
    /// Rules that come with Vitrine.
    #[error("--preset {spec}: {cause}")]
    Preset {
        /// As given.
        spec: String,
        /// What is wrong with it.
        cause: PresetError,
    },
    /// The file can't be read.
    #[error("--rules {}: {cause}", .path.display())]
    Unreadable {
        /// As given.
        path: PathBuf,
        /// The host's answer.
        cause: std::io::Error,
    },
}

/// The thread that a sandbox starts with.
const FIRST_THREAD: &str = "thread.tid = 1";

/// What is watched.
#[derive(Debug, Default)]
pub struct Watch {
    /// Whether events are printed.
    pub printed: bool,
    /// The guest's filter; `None`: none is needed.
    pub filter: Option<Filter>,
    /// The host's half; `None`: all that the guest lets through is printed.
    residual: Option<Residual>,
    /// Signals that are printed; `None`: all.
    signals: Option<NumberSet>,
    /// Groups of events that are printed; `None`: all that the guest writes.
    groups: Option<Groups>,
}

impl Watch {
    /// What the options ask for.
    pub fn new(options: &RunOptions) -> Result<Watch, WatchError> {
        let (mut rules, definitions) = rules_of(options)?;
        let own_rules = !rules.is_empty();
        let mut strace = strace::Options::default();
        for text in &options.strace {
            strace.apply(text)?;
        }
        rules.append(&mut strace.rules);
        let groups = options.events;
        let traced = options.trace
            || groups.is_some()
            || options.filter.is_some()
            || !options.strace.is_empty();
        let filter = options
            .filter
            .as_deref()
            .map(|text| parse("--filter", text, &definitions))
            .transpose()?;
        let set = strace
            .expression()
            .map(|text| parse("-e", &text, &Definitions::default()))
            .transpose()?;
        let calls = groups.is_none_or(Groups::syscalls);
        let filtered = filter.is_some() || set.is_some();
        if rules.is_empty() && !filtered && calls {
            return Ok(Watch {
                printed: traced,
                signals: strace.signals,
                groups,
                ..Watch::default()
            });
        }

        // Without a trace, only what rules log is told.
        let expr = match (filter, set) {
            (Some(filter), Some(set)) => Expr::And(vec![filter, set]),
            (Some(expr), None) | (None, Some(expr)) => expr,
            (None, None) => Expr::Const(traced && calls),
        };
        let mut compiler = Compiler::new();
        let recorded = if calls {
            expr.clone()
        } else {
            Expr::Const(false)
        };
        let plans = compiler.record(&recorded);
        let logs = rules.iter().any(logs);
        if !traced && !logs {
            compiler.filter.header.flags = 0;
        }
        compiler
            .rules(&rules, &[])
            .map_err(|cause| WatchError::Language {
                option: "--rule",
                cause,
            })?;
        if !own_rules {
            compiler.filter.header.flags &= !FILTER_NO_VDSO;
        }
        Ok(Watch {
            printed: traced || logs,
            filter: Some(compiler.filter),
            residual: filtered.then(|| Residual::new(Arc::new(expr), plans)),
            signals: strace.signals,
            groups,
        })
    }

    /// Whether some of what the guest lets through is not to be printed.
    pub fn restricts(&self) -> bool {
        self.residual.is_some() || self.signals.is_some() || self.groups.is_some()
    }

    /// Whether an event that the guest let through is to be printed.
    pub fn accepts(&mut self, event: &Event) -> bool {
        let logged =
            matches!(&event.kind, EventKind::Syscall(call) if call.hits().any(|hit| hit.logs()));
        let wanted = self
            .residual
            .as_mut()
            .is_none_or(|residual| residual.accepts(event));
        let shown = match (&event.kind, &self.signals) {
            (EventKind::Signal(body), Some(set)) => {
                u32::try_from(body.signo).is_ok_and(|signo| set.contains(signo))
            }
            _ => true,
        };
        let chosen = self.groups.is_none_or(|groups| groups.shows(event));
        (wanted || logged) && shown && (chosen || logged)
    }
}

fn parse(option: &'static str, text: &str, definitions: &Definitions) -> Result<Expr, WatchError> {
    filter::parse(text, definitions).map_err(|cause| WatchError::Language { option, cause })
}

/// Whether what the rule does to a call is told, whoever wants to see the call.
fn logs(rule: &Rule) -> bool {
    rule.enabled
        && rule
            .actions
            .iter()
            .any(|action| matches!(action.kind, ActionKind::Log(_) | ActionKind::Annotate(..)))
}

/// A filter that records these calls, of the first thread or of all, and has these rules; `None` if it is everything, without rules.
pub fn calls_with(
    calls: &CallSet,
    all: bool,
    rules: &[Rule],
) -> Result<Option<Filter>, WatchError> {
    if rules.is_empty() && all && *calls == CallSet::ALL {
        return Ok(None);
    }
    let recorded = match all {
        true => Expr::Const(true),
        false => parse("--follow-forks", FIRST_THREAD, &Definitions::default())?,
    };
    let mut compiler = Compiler::new();
    compiler.record(&recorded);
    for (nr, call) in (0..).zip(&mut compiler.filter.calls) {
        if !calls.contains(nr) {
            call.watch &= !WATCH_RECORD;
        }
    }
    compiler
        .rules(rules, &[])
        .map_err(|cause| WatchError::Language {
            option: "-e inject",
            cause,
        })?;
    // strace doesn't see what the vDSO answers.
    compiler.filter.header.flags &= !FILTER_NO_VDSO;
    Ok(Some(compiler.filter))
}

/// All rules, those of presets first, then those of files, and what the files define for the expressions.
fn rules_of(options: &RunOptions) -> Result<(Vec<Rule>, Definitions), WatchError> {
    let mut definitions = Definitions::default();
    let mut all = Vec::new();
    let mut presets: Vec<&str> = options.preset.iter().map(String::as_str).collect();
    for path in &options.rules {
        if let Some(spec) = path.to_str().and_then(|path| path.strip_prefix("preset:")) {
            presets.push(spec);
        }
    }
    for spec in presets {
        let file = presets::rules_of(spec, &definitions).map_err(|cause| WatchError::Preset {
            spec: spec.to_owned(),
            cause,
        })?;
        all.extend(file.rules);
    }
    for path in &options.rules {
        if path.to_string_lossy().starts_with("preset:") {
            continue;
        }
        let text = read(path)?;
        let file = rules::from_toml(&text, &definitions).map_err(|cause| WatchError::File {
            path: path.clone(),
            cause,
        })?;
        definitions = file.definitions;
        all.extend(file.rules);
    }
    for text in &options.rule {
        let rule = Rule::parse(text, &definitions).map_err(|cause| WatchError::Language {
            option: "--rule",
            cause,
        })?;
        all.push(rule);
    }
    Ok((all, definitions))
}

fn read(path: &Path) -> Result<String, WatchError> {
    std::fs::read_to_string(path).map_err(|cause| WatchError::Unreadable {
        path: path.to_owned(),
        cause,
    })
}
