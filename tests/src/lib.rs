//! Helpers of the end-to-end tests: test cases, and running a command natively and in the sandbox.

pub mod scratch;
pub mod terminal;

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process_group};
pub mod schema;

use serde::Deserialize;
use std::{
    ffi::OsStr,
    io::{Read, Write},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

/// One command that must behave in the sandbox as on the host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Name of the test.
    pub name: String,
    /// The command.
    pub argv: Vec<String>,
    /// What it reads.
    #[serde(default)]
    pub stdin: String,
    /// Whether it also runs in the nested machine, whose image holds few programs and which is slow.
    #[serde(default = "yes")]
    pub nested: bool,
    /// Whether standard error must agree as well.
    #[serde(default)]
    pub stderr: bool,
    /// More arguments for `vitrine run`.
    #[serde(default)]
    pub options: Vec<String>,
    /// Seconds it may take in the sandbox; ten times that in the nested machine.
    #[serde(default = "seconds")]
    pub limit: u64,
}

fn yes() -> bool {
    true
}

fn seconds() -> u64 {
    30
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

/// The cases of `cases.toml`, and one for each guest test program, dynamic and static.
pub fn cases() -> Result<Vec<Case>, String> {
    let listed: Cases = toml::from_str(include_str!("../cases/cases.toml"))
        .map_err(|error| format!("cases.toml: {error}"))?;
    let mut cases = listed.case;
    let folder = PathBuf::from(env!("VITRINE_TEST_PROGRAMS"));
    let entries = std::fs::read_dir(&folder)
        .map_err(|error| format!("reading {}: {error}", folder.display()))?;
    let mut programs: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    programs.sort();
    for program in programs {
        let name = program
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        cases.push(Case {
            name: format!("program::{}", name.replace('.', "_")),
            argv: vec![program.to_string_lossy().into_owned()],
            stdin: String::new(),
            // Of `exceptions` the emulated processor gets some instructions wrong, which its own Linux doesn't survive; `sealing` shows rules
            // that are younger than the nested machine's Linux 6.1.
            nested: !["exceptions", "sealing"]
                .iter()
                .any(|other| name.starts_with(other)),
            stderr: false,
            options: Vec::new(),
            limit: seconds(),
        });
    }
    Ok(cases)
}

/// A limit or a pause: ten times as long in the nested machine, which is that slow.
pub fn scaled(time: Duration) -> Duration {
    if nested() { time * 10 } else { time }
}

/// Whether this runs in the nested machine.
pub fn nested() -> bool {
    std::env::var_os("VITRINE_TESTS_NESTED").is_some()
}

/// The binary under test: `VITRINE`, else the release build beside this test.
pub fn vitrine() -> PathBuf {
    if let Some(path) = std::env::var_os("VITRINE") {
        return path.into();
    }
    let here = std::env::current_exe().unwrap_or_default();
    here.ancestors()
        .nth(2)
        .map_or_else(|| "vitrine".into(), |profile| profile.join("vitrine"))
}

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended; `None`: it was ended because it took too long.
    pub status: Option<ExitStatus>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// How long it took.
    pub time: Duration,
}

/// `vitrine run OPTIONS -- ARGV`.
pub fn sandboxed<S: AsRef<OsStr>>(options: &[S], argv: &[S]) -> Command {
    let mut command = Command::new(vitrine());
    command.arg("run");
    command.args(options).arg("--").args(argv);
    command
}

/// A script for bash, with `$V` the binary under test and `$R` what a sandboxed command begins with (natively: nothing).
pub fn script(text: &str, natively: bool) -> Command {
    let vitrine = vitrine();
    let run = if natively {
        String::new()
    } else {
        format!("{} run --", vitrine.display())
    };
    let mut command = Command::new("bash");
    command.args(["-c", text]);
    command.env("V", vitrine).env("R", run);
    command
}

/// A script's outcome in the sandbox, and its exit status; an error if it takes more than `seconds`.
pub fn run_script(text: &str, seconds: u64) -> Result<(Outcome, i32), String> {
    outcome_of(script(text, false), seconds)
}

/// As [`run_script`], for one sandbox.
pub fn run_sandbox(
    options: &[&str],
    argv: &[&str],
    seconds: u64,
) -> Result<(Outcome, i32), String> {
    outcome_of(sandboxed(options, argv), seconds)
}

fn outcome_of(command: Command, seconds: u64) -> Result<(Outcome, i32), String> {
    let outcome = run(command, b"", scaled(Duration::from_secs(seconds)))?;
    match outcome.status {
        Some(status) => Ok((outcome, shell_status(status))),
        None => Err(format!(
            "not done after {seconds} s\n--- stdout\n{}\n--- stderr\n{}",
            excerpt(&outcome.stdout),
            excerpt(&outcome.stderr)
        )),
    }
}

/// Runs a script natively and with a sandbox wherever it says `$R`: both must print the same and end alike.
pub fn same(text: &str, seconds: u64) -> Result<(), String> {
    let (native, native_status) = outcome_of(script(text, true), seconds)?;
    let (inside, inside_status) = outcome_of(script(text, false), seconds)?;
    if native_status == inside_status && native.stdout == inside.stdout {
        return Ok(());
    }
    Err(format!(
        "native: {native_status}, sandbox: {inside_status}\n--- native only\n{}\n{}\n--- sandbox only\n{}\n{}",
        missing_from(&native.stdout, &inside.stdout),
        excerpt(&native.stderr),
        missing_from(&inside.stdout, &native.stdout),
        excerpt(&inside.stderr)
    ))
}

/// The lines of `one` that `other` hasn't.
fn missing_from(one: &[u8], other: &[u8]) -> String {
    let lines: Vec<&[u8]> = other.split(|&byte| byte == b'\n').collect();
    let missing: Vec<&[u8]> = one
        .split(|&byte| byte == b'\n')
        .filter(|line| !lines.contains(line))
        .collect();
    excerpt(&missing.join(&b'\n'))
}

/// Runs a command with this input, for at most `limit`. It leads a process group, so that nothing of it outlives the limit.
pub fn run(mut command: Command, stdin: &[u8], limit: Duration) -> Result<Outcome, String> {
    use std::os::unix::process::CommandExt;
    let start = Instant::now();
    let mut child = command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("starting {command:?}: {error}"))?;
    let input = child.stdin.take();
    let stdin = stdin.to_vec();
    let writer = std::thread::spawn(move || {
        if let Some(mut input) = input {
            let _ = input.write_all(&stdin);
        }
    });
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = wait(&mut child, start + limit)?;
    // What it left behind may hold the pipes open for ever.
    let patience = scaled(Duration::from_secs(5));
    let output = |pipe: Receiver<Vec<u8>>, name| {
        pipe.recv_timeout(patience)
            .map_err(|_| format!("{command:?} ended ({status:?}), but something that it left behind keeps its {name} open"))
    };
    let outcome = Outcome {
        status,
        stdout: output(stdout, "standard output")?,
        stderr: output(stderr, "standard error")?,
        time: start.elapsed(),
    };
    let _ = writer.join();
    Ok(outcome)
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}

fn wait(child: &mut Child, until: Instant) -> Result<Option<ExitStatus>, String> {
    loop {
        if let Some(status) = child
            .try_wait()
            .map_err(|error| format!("waiting: {error}"))?
        {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let _ = group.map(|group| kill_process_group(group, Signal::KILL));
            let _ = child.kill();
            let _ = child.wait();
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The exit status that a shell shows for this ending.
pub fn shell_status(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Bytes for an error message: as text, cut.
pub fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    let cut = if lines.len() > 30 {
        lines.len() - 30
    } else {
        0
    };
    let head = if cut > 0 {
        format!("… {cut} lines\n")
    } else {
        String::new()
    };
    format!("{head}{}", lines[cut..].join("\n"))
}

/// That a command ended with this status and printed this.
pub fn expect(outcome: &Outcome, status: i32, stdout: &str) -> Result<(), Failed> {
    let got = outcome.status.map(shell_status);
    if got == Some(status) && outcome.stdout == stdout.as_bytes() {
        return Ok(());
    }
    Err(format!(
        "status {got:?} instead of {status}\n--- stdout\n{}\n--- expected\n{stdout}\n--- stderr\n{}",
        excerpt(&outcome.stdout),
        excerpt(&outcome.stderr)
    )
    .into())
}

/// That output has this in it.
pub fn contains(bytes: &[u8], text: &str) -> Result<(), Failed> {
    let all = String::from_utf8_lossy(bytes);
    if all.contains(text) {
        return Ok(());
    }
    Err(format!("no {text:?} in\n{all}").into())
}
