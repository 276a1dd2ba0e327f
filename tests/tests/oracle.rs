//! Each case natively and in the sandbox: both must print the same and end with the same status.

use libtest_mimic::{Arguments, Failed, Trial};
use std::{
    process::{Command, ExitCode},
    time::Duration,
};
use vitrine_tests::{Case, excerpt, nested, run, sandboxed, shell_status};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Two sandboxes at once keep two CPUs busy; more would only distort time limits.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let cases = match vitrine_tests::cases() {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("oracle: {error}");
            return ExitCode::FAILURE;
        }
    };
    let trials = cases
        .into_iter()
        .filter(|case| case.nested || !nested())
        .map(|case| Trial::test(case.name.clone(), move || check(&case)))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn check(case: &Case) -> Result<(), Failed> {
    let limit = Duration::from_secs(if nested() {
        case.limit * 10
    } else {
        case.limit
    });
    let (program, rest) = case.argv.split_first().ok_or("the case has no command")?;
    let mut native = Command::new(program);
    native.args(rest);
    let native = run(native, case.stdin.as_bytes(), limit)?;
    let inside = run(
        sandboxed(&case.options, &case.argv),
        case.stdin.as_bytes(),
        limit,
    )?;
    let mut complaints = Vec::new();
    match (native.status, inside.status) {
        (Some(native), Some(inside)) if shell_status(native) == shell_status(inside) => {}
        (native, inside) => complaints.push(format!(
            "status: native {:?}, sandbox {:?} (None: over its limit of {limit:?})",
            native.map(shell_status),
            inside.map(shell_status)
        )),
    }
    if native.stdout != inside.stdout {
        complaints.push(format!(
            "stdout differs\n--- native\n{}\n--- sandbox\n{}",
            excerpt(&native.stdout),
            excerpt(&inside.stdout)
        ));
    }
    if case.stderr && native.stderr != inside.stderr {
        complaints.push("stderr differs".into());
    }
    if complaints.is_empty() {
        return Ok(());
    }
    complaints.push(format!("--- sandbox's stderr\n{}", excerpt(&inside.stderr)));
    Err(complaints.join("\n").into())
}
