//! What `vitrine run --trace` logs: against what strace logs of the same program on the host ([`compare`]), as JSON, complete, and true.

mod changes;
mod compare;
mod contents;
mod log;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use vitrine_tests::nested;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    // The nested machine has no strace, and is too slow for logs of a million lines.
    let trials: Vec<Trial> = if nested() {
        Vec::new()
    } else {
        compare::trials()
            .into_iter()
            .chain(changes::trials())
            .chain(contents::trials())
            .collect()
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}
