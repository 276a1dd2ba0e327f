//! The tests and the bench.

use crate::{
    nested,
    run::{cargo, check, output, target},
    setup,
};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// Every test, in both guest modes.
pub fn run(_args: &[String]) -> Result<()> {
    setup::run(&[])?;
    unit(&[])?;
    oracle(&[])?;
    nested::run(&[])
}

/// Tests that need no /dev/kvm.
pub fn unit(args: &[String]) -> Result<()> {
    let mut test = cargo(&[
        "test",
        "--release",
        "--locked",
        "-p",
        "vitrine-abi",
        "-p",
        "vitrine-introspect",
        "-p",
        "vitrine",
        "-p",
        "xtask",
    ]);
    check(test.args(args))
}

/// End-to-end tests on this machine's KVM.
pub fn oracle(args: &[String]) -> Result<()> {
    if let Err(error) = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
    {
        bail!(
            "the end-to-end tests need /dev/kvm, which cannot be opened: {error}; run `vitrine doctor` for the remedy"
        );
    }
    let vitrine = build()?;
    let mut test = cargo(&["test", "--release", "--locked", "-p", "vitrine-tests", "--"]);
    check(test.args(args).env("VITRINE", vitrine))
}

/// The bench.
pub fn bench(args: &[String]) -> Result<()> {
    let vitrine = build()?;
    let mut bench = cargo(&["bench", "--locked", "-p", "vitrine-benches", "--"]);
    check(bench.args(args).env("VITRINE", vitrine))
}

/// Builds the product; its path.
pub fn build() -> Result<PathBuf> {
    check(&mut cargo(&[
        "build",
        "--release",
        "--locked",
        "-p",
        "vitrine",
    ]))?;
    Ok(target().join("release/vitrine"))
}

/// One of the end-to-end tests.
pub struct BuiltTest {
    /// The test binary.
    pub binary: PathBuf,
    /// Where the programs lie that it runs.
    pub programs: PathBuf,
}

/// Builds one of the end-to-end tests.
pub fn build_test(name: &str) -> Result<BuiltTest> {
    let messages = output(&mut cargo(&[
        "test",
        "--release",
        "--locked",
        "-p",
        "vitrine-tests",
        "--test",
        name,
        "--no-run",
        "--message-format",
        "json",
    ]))?;
    let find = |reason: &str, of: &str, key: &str| {
        messages
            .lines()
            .filter(|line| line.contains(&format!("\"{reason}\"")) && line.contains(of))
            .filter_map(|line| {
                line.split(&format!("\"{key}\":\""))
                    .nth(1)?
                    .split('"')
                    .next()
            })
            .next_back()
            .map(PathBuf::from)
    };
    let artifact = format!("\"name\":\"{name}\"");
    Ok(BuiltTest {
        binary: find("compiler-artifact", &artifact, "executable")
            .with_context(|| format!("cargo named no test binary called `{name}`"))?,
        programs: find("build-script-executed", "/tests#", "out_dir")
            .context("cargo named no folder of test programs")?,
    })
}
