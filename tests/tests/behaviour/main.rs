//! What must happen when things go wrong, and when a person sits at the terminal.

mod console;
mod endings;
mod interactive;
mod limits;
mod options;
mod programs;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use vitrine_tests::{Outcome, excerpt, nested};

/// A test.
type Check = fn() -> Result<(), Failed>;

/// Not in the nested machine: its Linux 6.1 refuses some broken files with other errors than Linux does since.
const NOT_NESTED: &[&str] = &["broken_elf"];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Two sandboxes at once keep two CPUs busy; more would only distort time limits.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let groups: [(&str, &[(&str, Check)]); 6] = [
        ("programs", programs::CHECKS),
        ("limits", limits::CHECKS),
        ("endings", endings::CHECKS),
        ("console", console::CHECKS),
        ("options", options::CHECKS),
        ("interactive", interactive::CHECKS),
    ];
    let trials = groups
        .into_iter()
        .flat_map(|(group, checks)| checks.iter().map(move |check| (group, check)))
        .filter(|(_, (name, _))| !nested() || !NOT_NESTED.contains(name))
        .map(|(group, &(name, check))| Trial::test(format!("{group}::{name}"), check))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Fails with both outputs unless `holds`.
fn ensure(holds: bool, what: &str, outcome: &(Outcome, i32)) -> Result<(), Failed> {
    if holds {
        return Ok(());
    }
    let (outcome, status) = outcome;
    Err(format!(
        "{what}; status {status}\n--- stdout\n{}\n--- stderr\n{}",
        excerpt(&outcome.stdout),
        excerpt(&outcome.stderr)
    )
    .into())
}

/// That a run ended with this status, nothing on standard output, and one line of vitrine's on standard error that contains `text`.
fn one_line(outcome: &(Outcome, i32), status: i32, text: &str) -> Result<(), Failed> {
    let line = String::from_utf8_lossy(&outcome.0.stderr);
    ensure(
        outcome.1 == status,
        &format!("status is not {status}"),
        outcome,
    )?;
    ensure(
        outcome.0.stdout.is_empty(),
        "standard output is not empty",
        outcome,
    )?;
    let clear = line.lines().count() == 1 && line.starts_with("vitrine: ") && line.contains(text);
    ensure(clear, &format!("not one line about {text:?}"), outcome)
}

/// Standard output as text.
fn text(outcome: &(Outcome, i32)) -> String {
    String::from_utf8_lossy(&outcome.0.stdout).into_owned()
}
