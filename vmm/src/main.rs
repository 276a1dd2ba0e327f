//! The `vitrine` command: parses the command line, calls the library, and turns results into exit codes.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use vitrine_vmm::cli::{Cli, Command, FilterCommand};
use vitrine_vmm::control::place::PlaceError;
use vitrine_vmm::run::RunError;
use vitrine_vmm::strace::{self, Ending};
use vitrine_vmm::{End, commands, doctor, filter_explain, kvm, log, presets, run, tty};

/// The sandbox itself failed.
const OWN_FAILURE: u8 = 125;
/// The program exists but can't be executed.
const NOT_EXECUTABLE: u8 = 126;
/// There is no such program.
const NOT_FOUND: u8 = 127;
/// The command line is wrong.
const USAGE: u8 = 2;
/// A signal's number is added to this.
const SIGNALLED: i32 = 128;
/// `doctor` found something that keeps sandboxes from running.
const UNHEALTHY: u8 = 1;
/// A filter expression is wrong: as any other usage error.
const WRONG_EXPRESSION: u8 = 2;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some((first, rest)) = words.split_first()
        && first == "strace"
    {
        return strace(rest);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(USAGE),
            };
        }
    };
    log::start(cli.verbose);
    tty::restore_on_panic();
    match cli.command {
        Command::Run(options) => {
            let result = run::run(*options);
            tty::restore();
            match result {
                Ok(end) => ExitCode::from(exit_code(end)),
                Err(error) => {
                    tracing::error!("{error}");
                    ExitCode::from(match error {
                        RunError::NotFound { .. } | RunError::Empty => NOT_FOUND,
                        RunError::NotExecutable { .. } => NOT_EXECUTABLE,
                        RunError::Watch(_) | RunError::Place(PlaceError::Taken(_)) => USAGE,
                        _ => OWN_FAILURE,
                    })
                }
            }
        }
        Command::Strace(options) => strace(&options.words),
        Command::Doctor(options) => {
            if doctor::doctor(&options) {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(UNHEALTHY)
            }
        }
        Command::Presets(options) => {
            if presets::presets(&options) {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(USAGE)
            }
        }
        Command::Ls(options) => remote(commands::ls(&options)),
        Command::Rules(options) => remote(commands::rules(options.command)),
        Command::Stops(options) => remote(commands::stops(&options)),
        Command::Resume(options) => remote(commands::resume(&options)),
        Command::Break(options) => remote(commands::breakpoint(&options)),
        Command::Trace(options) => remote(commands::trace(&options)),
        Command::Filter {
            command: FilterCommand::Get(target),
        } => remote(commands::filter(&target, None)),
        Command::Filter {
            command: FilterCommand::Set { expression, target },
        } => remote(commands::filter(&target, Some(&expression))),
        Command::Filter {
            command: FilterCommand::Explain(options),
        } => {
            if filter_explain::explain(&options) {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(WRONG_EXPRESSION)
            }
        }
    }
}

/// The end of a command that talks to a sandbox.
fn remote(result: Result<(), commands::CommandError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(if error.is_usage() { USAGE } else { UNHEALTHY })
        }
    }
}

fn strace(words: &[OsString]) -> ExitCode {
    log::start(0);
    tty::restore_on_panic();
    match strace::main(words) {
        Ending::Status(status) => ExitCode::from(status),
        Ending::Signal(signal) => {
            kvm::signal::end_by(signal);
            ExitCode::from(u8::try_from(SIGNALLED + signal).unwrap_or(OWN_FAILURE))
        }
    }
}

/// As a shell reports a program's end.
fn exit_code(end: End) -> u8 {
    let code = match end {
        End::Exited(status) if status & 0x7f == 0 => (status >> 8 & 0xff).cast_signed(),
        End::Exited(status) => SIGNALLED + (status & 0x7f).cast_signed(),
        End::Killed(signal) => SIGNALLED + signal,
    };
    u8::try_from(code).unwrap_or(OWN_FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_a_shells() {
        assert_eq!(exit_code(End::Exited(3 << 8)), 3);
        assert_eq!(exit_code(End::Exited(9)), 137);
        assert_eq!(exit_code(End::Exited(11 | 0x80)), 139);
        assert_eq!(exit_code(End::Killed(15)), 143);
    }
}
