//! What CI runs.

use crate::run::{cargo, check};
use anyhow::Result;

/// The guest kernel's package: linted alone, because together with the others its dependencies would be built with `std`.
const KERNEL: &str = "vitrine-guest-kernel";

/// Formatting and lints, warnings denied.
pub fn lint(_args: &[String]) -> Result<()> {
    check(&mut cargo(&["fmt", "--all", "--check"]))?;
    let deny = ["--", "-D", "warnings"];
    let mut rest = cargo(&[
        "clippy",
        "--workspace",
        "--exclude",
        KERNEL,
        "--all-targets",
        "--locked",
    ]);
    check(rest.args(deny))?;
    check(cargo(&["clippy", "-p", KERNEL, "--locked"]).args(deny))
}

/// All of CI.
pub fn run(args: &[String]) -> Result<()> {
    lint(args)?;
    crate::test::run(args)
}
