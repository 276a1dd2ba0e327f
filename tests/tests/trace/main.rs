//! What `vitrine run --trace` logs: against what strace logs of the same program on the host ([`compare`]), as JSON, complete, and true.

mod compare;
mod contents;
mod log;

use libtest_mimic::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let trials = compare::trials()
        .into_iter()
        .chain(contents::trials())
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
