//! `vitrine strace`: strace's command line, its output and its exit status, with a sandbox in ptrace's place.
//!
//! [`getopt`] and [`options`] read the command line, [`qualify`] its `-e`; [`output`] opens where the trace goes; [`main`] puts a run together
//! of them (`crate::run`). Messages go to standard error behind `strace: `, as scripts expect them.

mod getopt;
mod options;
mod output;
mod qualify;
mod text;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use clap::Parser;
use vitrine_introspect::Pipeline;
use vitrine_introspect::Selection;
use vitrine_introspect::print::split::SplitSink;
use vitrine_introspect::print::strace::StraceSink;
use vitrine_introspect::print::summary::SummarySink;
use vitrine_introspect::print::{PidPrefix, Sink};

use crate::account::User;
use crate::bell::End;
use crate::cli::{Cli, Command, RunOptions};
use crate::log::Stderr;
use crate::run::{self, Capture, RunError, Tracing};
use crate::trace::TraceSink;
use crate::watch;
use options::{Refusal, Request, Strace, Summary};
use output::Outputs;

/// How `vitrine strace` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this exit status.
    Status(u8),
    /// By this signal, as the program did.
    Signal(i32),
}

/// Does what strace does with these words behind its name.
pub fn main(words: &[OsString]) -> Ending {
    if let [first, rest @ ..] = words
        && first == output::SPLITTER
    {
        return output::split_main(rest);
    }
    match options::parse(words) {
        Ok(Request::Help) => {
            print!("{}", text::HELP);
            Ending::Status(0)
        }
        Ok(Request::Version) => {
            println!(
                "strace -- version 6.1 (vitrine {})",
                env!("CARGO_PKG_VERSION")
            );
            Ending::Status(0)
        }
        Ok(Request::Run(strace)) => run(*strace).unwrap_or_else(|refusal| refuse(&refusal)),
        Err(refusal) => refuse(&refusal),
    }
}

fn say(text: &str) {
    let _ = writeln!(Stderr, "strace: {text}");
}

fn refuse(refusal: &Refusal) -> Ending {
    match refusal {
        Refusal::Message(text) => say(text),
        Refusal::Usage(text) => {
            say(text);
            let _ = writeln!(Stderr, "Try 'strace -h' for more information.");
        }
    }
    Ending::Status(1)
}

fn run(mut strace: Strace) -> Result<Ending, Refusal> {
    for warning in &strace.warnings {
        say(warning);
    }
    let paths = resolved_paths(&strace);
    let run_options = run_options(&strace)?;
    let mut outputs = Outputs::open(&strace).map_err(Refusal::Message)?;

    strace.print.pid_prefix = match (&strace.output, strace.follow, strace.separately) {
        (None, ..) => PidPrefix::Several,
        (Some(_), true, false) => PidPrefix::Always,
        _ => PidPrefix::Never,
    };
    strace.print.announce = strace.follow && strace.output.is_none();
    let qualifiers = strace.qualifiers.clone();
    let dumps = !(strace.print.dump_read.is_empty() && strace.print.dump_write.is_empty());
    let limit = u32::try_from(strace.print.style.string_limit)
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let capture = Capture {
        buffer: if dumps { u32::MAX } else { limit.max(64) },
        string: limit.max(256),
        environment: strace.print.abbreviated != vitrine_introspect::select::CallSet::ALL,
        rip: strace.print.instruction_pointer,
        groups: 0,
    };
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if strace.summary != Summary::Only {
        sinks.push(if strace.separately {
            Box::new(SplitSink::new(strace.print, outputs.opener()))
        } else {
            Box::new(StraceSink::new(strace.print, outputs.writer()))
        });
    }
    if strace.summary != Summary::None {
        strace.table.announce =
            strace.print.announce && strace.summary == Summary::Only && !strace.print.quiet.attach;
        sinks.push(Box::new(SummarySink::new(
            strace.table.clone(),
            outputs.writer(),
        )));
    }
    let mut pipeline = Pipeline::with_sinks(sinks);
    let mut selection = Selection::new(qualifiers.trace, qualifiers.signals);
    selection.paths = paths;
    selection.follow = strace.follow;
    selection.detach_on_execve = strace.detach_on_execve;
    pipeline.select(selection);
    let tracing = Tracing {
        sink: Box::new(TraceSink::of(pipeline)),
        capture,
        progress: strace.progress,
    };
    let filter = watch::calls_with(&qualifiers.trace, strace.follow, &qualifiers.rules)
        .map_err(|error| Refusal::Message(error.to_string()))?;
    let result = run::run_traced(run_options, Some(tracing), filter, None);
    outputs.finish();
    crate::tty::restore();
    Ok(match result {
        Ok(End::Exited(status)) if status & 0x7f == 0 => {
            Ending::Status(u8::try_from(status >> 8 & 0xff).unwrap_or(1))
        }
        Ok(End::Exited(status)) => Ending::Signal((status & 0x7f).cast_signed()),
        Ok(End::Killed(signal)) => Ending::Signal(signal),
        Err(RunError::NotFound { program }) => {
            say(&format!(
                "Can't stat '{program}': No such file or directory"
            ));
            Ending::Status(1)
        }
        Err(RunError::NotExecutable { .. }) => {
            say("exec: Permission denied");
            Ending::Status(1)
        }
        Err(error) => {
            say(&error.to_string());
            Ending::Status(1)
        }
    })
}

/// The paths of `-P`, and what they lead to.
fn resolved_paths(strace: &Strace) -> Vec<Vec<u8>> {
    let mut paths = strace.paths.clone();
    for path in &strace.paths {
        let given = Path::new(std::ffi::OsStr::from_bytes(path));
        let Ok(real) = given.canonicalize() else {
            continue;
        };
        if real != given {
            if !strace.qualifiers.quiet_paths {
                say(&format!(
                    "Requested path \"{}\" resolved into \"{}\"",
                    given.display(),
                    real.display()
                ));
            }
            paths.push(real.into_os_string().into_vec());
        }
    }
    paths
}

/// The sandbox: `vitrine run`'s defaults, with the caller's environment as changed by `-E`, and the user of `-u`.
fn run_options(strace: &Strace) -> Result<RunOptions, Refusal> {
    let words = ["vitrine", "run", "--clear-env", "--"].map(OsString::from);
    let line = words.into_iter().chain(strace.command.iter().cloned());
    let cli = Cli::try_parse_from(line).map_err(|error| Refusal::Message(error.to_string()))?;
    let Command::Run(mut options) = cli.command else {
        return Err(Refusal::Message("no program to run".to_owned()));
    };
    options.env = environment(&strace.environment);
    if let Some(name) = &strace.user {
        options.user = Some(user(name)?);
    }
    Ok(*options)
}

fn environment(changes: &[OsString]) -> Vec<OsString> {
    let mut variables: Vec<OsString> = std::env::vars_os()
        .map(|(mut variable, value)| {
            variable.push("=");
            variable.push(value);
            variable
        })
        .collect();
    for change in changes {
        let bytes = change.as_bytes();
        let name = bytes.split(|&byte| byte == b'=').next().unwrap_or_default();
        let is_same = |variable: &OsString| {
            variable.as_bytes().split(|&byte| byte == b'=').next() == Some(name)
        };
        let at = variables.iter().position(is_same);
        match (at, bytes.contains(&b'=')) {
            (Some(at), true) => variables[at].clone_from(change),
            (None, true) => variables.push(change.clone()),
            (_, false) => variables.retain(|variable| !is_same(variable)),
        }
    }
    variables
}

/// A user's ids and supplementary groups, from the caller's own files.
fn user(name: &str) -> Result<User, Refusal> {
    if !rustix::process::geteuid().is_root() {
        return Err(Refusal::Message(
            "You must be root to use the -u/--username option".to_owned(),
        ));
    }
    User::named(name).ok_or_else(|| Refusal::Message(format!("Cannot find user '{name}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_set_and_removed() {
        let changed = environment(&["VITRINE_A=1=2".into(), "PATH".into(), "VITRINE_A=3".into()]);
        let with = |name: &str| {
            changed
                .iter()
                .filter(|v| v.as_bytes().starts_with(name.as_bytes()))
                .count()
        };
        assert_eq!((with("PATH="), with("VITRINE_A=")), (0, 1));
        assert_eq!(changed.last().unwrap(), "VITRINE_A=3");
    }
}
