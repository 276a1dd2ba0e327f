//! What CI runs.

use crate::run::{cargo, check};
use anyhow::Result;

/// Formatting and lints, warnings denied.
pub fn lint(_args: &[String]) -> Result<()> {
    check(&mut cargo(&["fmt", "--all", "--check"]))?;
    check(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

/// All of CI.
pub fn run(args: &[String]) -> Result<()> {
    lint(args)?;
    crate::test::run(args)
}
