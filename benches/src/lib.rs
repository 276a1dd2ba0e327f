//! Helpers of the bench: running the measured program in its four settings, and the table.

pub mod project;

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The binary under test: `VITRINE`, else the release build in the same target folder.
pub fn vitrine() -> PathBuf {
    if let Some(path) = std::env::var_os("VITRINE") {
        return path.into();
    }
    let here = std::env::current_exe().unwrap_or_default();
    here.ancestors()
        .nth(2)
        .map_or_else(|| "vitrine".into(), |profile| profile.join("vitrine"))
}

/// Where a primitive runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// On the host.
    Native,
    /// In the sandbox, nothing watched.
    Sandbox,
    /// In the sandbox, with these options of `vitrine run`.
    With(&'static [&'static str]),
    /// In the sandbox, every call recorded and printed to /dev/null.
    Recorded,
    /// On the host under `strace -f -o /dev/null`.
    Strace,
}

/// Nanoseconds each of a primitive; `None` where it could not run.
pub fn primitive(setting: Setting, name: &str, count: u64) -> Option<f64> {
    let program = env!("VITRINE_BENCH_PRIMITIVES");
    let count = count.to_string();
    let mut command = match setting {
        Setting::Native => Command::new(program),
        Setting::Sandbox => {
            let mut command = Command::new(vitrine());
            command.args(["run", "--", program]);
            command
        }
        Setting::With(options) => {
            let mut command = Command::new(vitrine());
            command.arg("run").args(options).args(["--", program]);
            command
        }
        Setting::Recorded => {
            let mut command = Command::new(vitrine());
            command.args(["run", "--trace", "-o", "/dev/null", "--", program]);
            command
        }
        Setting::Strace => {
            let mut command = Command::new("strace");
            command.args(["-f", "-o", "/dev/null", program]);
            command
        }
    };
    let output = command
        .args([name, &count])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// The median of several measurements.
pub fn median(mut measure: impl FnMut() -> Option<f64>, times: usize) -> Option<f64> {
    let mut values: Vec<f64> = (0..times).filter_map(|_| measure()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Wall time of a whole command.
pub fn wall(command: &mut Command) -> Option<Duration> {
    let start = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .ok()?;
    status.success().then(|| start.elapsed())
}

/// Nanoseconds as text in a fitting unit.
pub fn show(ns: Option<f64>) -> String {
    match ns {
        None => "-".into(),
        Some(ns) if ns < 1e3 => format!("{ns:.0} ns"),
        Some(ns) if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        Some(ns) if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        Some(ns) => format!("{:.2} s", ns / 1e9),
    }
}
