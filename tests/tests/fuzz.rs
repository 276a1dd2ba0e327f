//! Hostile programs: nothing that they do may end anything but themselves. The fuzzer and the exhauster of `fuzz/` run in sandboxes
//! with fixed seeds; a kernel panic, a hang or a complaint of the VMM's fails the test.

use libtest_mimic::{Arguments, Failed, Trial};
use std::{path::Path, process::Command, process::ExitCode, time::Duration};
use vitrine_tests::{excerpt, nested, run, sandboxed, shell_status};

/// What one sandbox is given.
struct Attack {
    name: &'static str,
    options: &'static [&'static str],
    program: &'static str,
    arguments: &'static [&'static str],
    /// Seconds after which it hangs.
    limit: u64,
}

const SMALL: &[&str] = &["--mem", "128M", "--max-processes", "200"];
const TRACED: &[&str] = &[
    "--mem",
    "128M",
    "--max-processes",
    "200",
    "--trace",
    "-o",
    "/dev/null",
];

const ATTACKS: &[Attack] = &[
    Attack {
        name: "syscalls_seed_1",
        options: SMALL,
        program: "syscalls",
        arguments: &["1", "1000000", "3"],
        limit: 30,
    },
    Attack {
        name: "syscalls_seed_2",
        options: SMALL,
        program: "syscalls",
        arguments: &["2", "1000000", "3"],
        limit: 30,
    },
    Attack {
        name: "syscalls_traced",
        options: TRACED,
        program: "syscalls",
        arguments: &["3", "1000000", "3"],
        limit: 30,
    },
    Attack {
        name: "pressure",
        options: &["--mem", "64M", "--max-processes", "400"],
        program: "pressure",
        arguments: &[],
        limit: 120,
    },
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let mut trials: Vec<Trial> = ATTACKS
        .iter()
        .map(|attack| Trial::test(attack.name, || withstand(attack)))
        .collect();
    trials.push(Trial::test("refuses_to_run_outside", refuses));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn program(name: &str) -> String {
    let path = Path::new(env!("VITRINE_FUZZ_PROGRAMS")).join(name);
    path.to_string_lossy().into_owned()
}

fn withstand(attack: &Attack) -> Result<(), Failed> {
    let program = program(attack.program);
    let mut argv = vec![program.as_str()];
    argv.extend(attack.arguments);
    let limit = Duration::from_secs(attack.limit * if nested() { 10 } else { 1 });
    let outcome = run(sandboxed(attack.options, &argv), b"", limit)?;
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    // A panic, a fault of the kernel's and a failure of the VM all ask for a report.
    let complains = ["panicked", "please report"]
        .iter()
        .any(|text| stderr.contains(text));
    match outcome.status.map(shell_status) {
        Some(0) if !complains => Ok(()),
        status => Err(format!(
            "status {status:?} (None: over its limit of {limit:?})\n--- stdout\n{}\n--- stderr\n{}",
            excerpt(&outcome.stdout),
            excerpt(&outcome.stderr)
        )
        .into()),
    }
}

/// On the host they would do harm.
fn refuses() -> Result<(), Failed> {
    for name in ["syscalls", "pressure"] {
        let mut command = Command::new(program(name));
        command.args(["1", "1", "1"]);
        let outcome = run(command, b"", Duration::from_secs(10))?;
        if outcome.status.map(shell_status) != Some(2) {
            return Err(format!("{name} ran outside a sandbox").into());
        }
    }
    Ok(())
}
