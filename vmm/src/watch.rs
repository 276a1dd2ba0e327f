//! What `vitrine run` is told to watch and to change: `--filter`, `-e`, `--rule` and `--rules`, compiled into the filter that the guest runs
//! and the half that is left to the host.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
#[derive(Default)]
pub struct Watch {
    /// Whether events are printed.
    pub printed: bool,
    /// The guest's filter; `None`: none is needed.
    pub filter: Option<Filter>,
    /// The host's half.
    pub shown: Shown,
    /// What can be changed later.
    pub live: Option<Live>,
    /// Signals that are printed; `None`: all.
    signals: Option<NumberSet>,
    /// Groups of events that are printed; `None`: all that the guest writes.
    groups: Option<Groups>,
    /// Groups that the guest writes only when asked (`vitrine_abi::event::change::group`).
    pub guest_groups: u8,
}

/// The host's half of the log's filter, which can be replaced while the log is written. `None`: all that the guest lets through is printed.
#[derive(Clone, Default)]
pub struct Shown(Arc<Mutex<Halves>>);

#[derive(Default)]
struct Halves {
    now: Option<Residual>,
    /// What follows when the log says that the change with this number, or a later one, is in force; in order.
    next: VecDeque<(u64, Residual)>,
}

impl Shown {
    fn lock(&self) -> MutexGuard<'_, Halves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says anew what is shown now, and until a change that the log has still to come to.
    pub fn set(&self, residual: Residual) {
        let mut halves = self.lock();
        if halves.next.is_empty() {
            halves.now = Some(residual);
        }
    }

    /// Replaces it when the log has come to the change with this number: what was recorded before is judged by what was in force then.
    pub fn await_change(&self, number: u64, residual: Residual) {
        self.lock().next.push_back((number, residual));
    }

    /// There will be no change with this number.
    pub fn forget_change(&self, number: u64) {
        self.lock().next.retain(|(awaited, _)| *awaited != number);
    }

    fn accepts(&self, event: &Event) -> bool {
        let mut halves = self.lock();
        let reached = match &event.kind {
            EventKind::Config(config) => config.generation,
            // Changes may be among what is lost.
            EventKind::Drops { .. } => u64::MAX,
            _ => 0,
        };
        while let Some((_, residual)) = halves.next.pop_front_if(|(number, _)| *number <= reached) {
            halves.now = Some(residual);
        }
        halves
            .now
            .as_mut()
            .is_none_or(|residual| residual.accepts(event))
    }
}

/// What was compiled into the filter, to be changed while the sandbox runs.
#[derive(Default)]
pub struct Live {
    /// The rules, and the file that each came from.
    pub rules: Vec<(Rule, Option<String>)>,
    /// What names in expressions mean.
    pub definitions: Definitions,
    /// What the log shows; `None`: there is no log.
    pub expr: Option<Expr>,
    /// As it was given; `None`: everything.
    pub text: Option<String>,
    /// The log's filter.
    pub shown: Shown,
    /// The files of rules.
    pub files: Vec<String>,
}

impl Watch {
    /// What the options ask for.
    pub fn new(options: &RunOptions) -> Result<Watch, WatchError> {
        let (mut sourced, definitions) = rules_of(options)?;
        let own_rules = !sourced.is_empty();
        let mut strace = strace::Options::default();
        for text in &options.strace {
            strace.apply(text)?;
        }
        sourced.extend(strace.rules.drain(..).map(|rule| (rule, None)));
        sourced.extend(
            breakpoints(options, &definitions)?
                .into_iter()
                .map(|rule| (rule, None)),
        );
        let rules: Vec<Rule> = sourced.iter().map(|(rule, _)| rule.clone()).collect();
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
        let guest_groups = match (groups, &filter) {
            (Some(groups), _) => groups.guest(),
            (None, Some(filter)) => Groups::named_in(filter),
            (None, None) => 0,
        };
        let filtered = filter.is_some() || set.is_some();
        let shown = Shown::default();
        if rules.is_empty() && !filtered && calls {
            return Ok(Watch {
                printed: traced,
                live: Some(Live {
                    definitions,
                    expr: traced.then_some(Expr::Const(true)),
                    files: files(options),
                    shown: shown.clone(),
                    ..Live::default()
                }),
                signals: strace.signals,
                groups,
                guest_groups,
                shown,
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
        if filtered {
            shown.set(Residual::new(Arc::new(expr.clone()), plans));
        }
        Ok(Watch {
            printed: traced || logs,
            filter: Some(compiler.filter),
            live: Some(Live {
                rules: sourced,
                definitions,
                expr: traced.then_some(if calls { expr } else { Expr::Const(false) }),
                text: options.filter.clone(),
                shown: shown.clone(),
                files: files(options),
            }),
            shown,
            signals: strace.signals,
            groups,
            guest_groups,
        })
    }

    /// Whether an event that the guest let through is to be printed.
    pub fn accepts(&mut self, event: &Event) -> bool {
        let logged =
            matches!(&event.kind, EventKind::Syscall(call) if call.hits().any(|hit| hit.logs()));
        let wanted = self.shown.accepts(event);
        match &event.kind {
            // Whoever reads a log has to know by which rules it was written.
            EventKind::Config(_) => return true,
            // For those who came later: this log has told it.
            EventKind::Exec(exec) if exec.snapshot => return false,
            _ => {}
        }
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
pub fn logs(rule: &Rule) -> bool {
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

/// Rules, and the file that each came from.
type Sourced = Vec<(Rule, Option<String>)>;

fn absolute(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.to_string_lossy().into_owned()
}

fn files(options: &RunOptions) -> Vec<String> {
    options
        .rules
        .iter()
        .filter(|path| !path.to_string_lossy().starts_with("preset:"))
        .map(|path| absolute(path))
        .collect()
}

/// All rules, those of presets first, then those of files, and what the files define for the expressions.
fn rules_of(options: &RunOptions) -> Result<(Sourced, Definitions), WatchError> {
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
        all.extend(file.rules.into_iter().map(|rule| (rule, None)));
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
        let from = Some(absolute(path));
        all.extend(file.rules.into_iter().map(|rule| (rule, from.clone())));
    }
    for text in &options.rule {
        let rule = Rule::parse(text, &definitions).map_err(|cause| WatchError::Language {
            option: "--rule",
            cause,
        })?;
        all.push((rule, None));
    }
    Ok((all, definitions))
}

/// The rules that breakpoints are; they come last, and see what others have done.
fn breakpoints(options: &RunOptions, definitions: &Definitions) -> Result<Vec<Rule>, WatchError> {
    let entry = options.breakpoints.iter().map(|text| ("--break", text));
    let exit = options.break_exit.iter().map(|text| ("--break-exit", text));
    entry
        .chain(exit)
        .map(|(option, text)| {
            Rule::breakpoint(text, option == "--break-exit", definitions)
                .map_err(|cause| WatchError::Language { option, cause })
        })
        .collect()
}

fn read(path: &Path) -> Result<String, WatchError> {
    std::fs::read_to_string(path).map_err(|cause| WatchError::Unreadable {
        path: path.to_owned(),
        cause,
    })
}
