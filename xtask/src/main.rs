//! Developer tasks: `cargo xtask TASK`. Without a task it lists them.

mod ci;
mod image;
mod machine;
mod nested;
mod run;
mod setup;
mod test;

use anyhow::Result;
use std::process::ExitCode;

/// A task: its name, what it does in a line, and the function.
type Task = (&'static str, &'static str, fn(&[String]) -> Result<()>);

const TASKS: &[Task] = &[
    (
        "test",
        "install what is missing and run every test, in both guest modes",
        test::run,
    ),
    ("unit", "the tests that need no /dev/kvm", test::unit),
    (
        "oracle",
        "the end-to-end tests on this machine's KVM; arguments select tests by name",
        test::oracle,
    ),
    (
        "nested",
        "the end-to-end tests in privileged mode: kvm_amd under emulated SVM; arguments select tests by name",
        nested::run,
    ),
    ("bench", "the bench, on this machine's KVM", test::bench),
    ("lint", "rustfmt and clippy as CI runs them", ci::lint),
    ("ci", "exactly what CI runs: lint, then test", ci::run),
    (
        "setup",
        "install the Debian packages that tests and bench need (as root; else names them)",
        setup::run,
    ),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(name) = args.first() else {
        list();
        return ExitCode::SUCCESS;
    };
    let Some((_, _, task)) = TASKS.iter().find(|(task, _, _)| task == name) else {
        eprintln!("xtask: there is no task '{name}'");
        list();
        return ExitCode::from(2);
    };
    match task(&args[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    println!("cargo xtask TASK [ARGS…], TASK one of:");
    for (name, what, _) in TASKS {
        println!("  {name:8} {what}");
    }
}
