//! `-e inject`, beside strace's.

use crate::{Folder, limit, with};
use libtest_mimic::Failed;
use regex_lite::Regex;
use std::{fs, process::Command};
use vitrine_tests::{expect, run, shell_status, vitrine};

/// `-e` options, the program, and whether the program's own output has to agree.
pub(crate) const INJECTIONS: &[(&str, &[&str], &[&str])] = &[
    (
        "error",
        &["trace=write", "inject=write:error=ENOSPC:when=2"],
        &["bash", "-c", "echo a; echo b; echo c"],
    ),
    (
        "retval",
        &["trace=write", "inject=write:retval=2:when=1+2"],
        &["bash", "-c", "echo a; echo b; echo c; echo d"],
    ),
    (
        "signal",
        &["trace=write", "inject=write:signal=SIGUSR1"],
        &["echo", "a"],
    ),
    (
        "delay",
        &["trace=write", "inject=write:delay_enter=20000"],
        &["echo", "a"],
    ),
    (
        "delay_exit",
        &["trace=write", "inject=write:delay_exit=20000:error=EIO"],
        &["echo", "a"],
    ),
    (
        "range",
        &["trace=write", "inject=write:error=EPIPE:when=2..3"],
        &[
            "bash",
            "-c",
            "for i in 1 2 3 4 5; do echo $i 2>/dev/null; done",
        ],
    ),
    (
        "poke",
        &["trace=write", "inject=write:poke_enter=@arg2=4142"],
        &["echo", "a"],
    ),
    (
        "fault",
        &["trace=getuid,write", "fault=getuid"],
        &["bash", "-c", "echo $UID"],
    ),
    (
        "fault_error",
        &["trace=unlinkat,unlink", "fault=/^unlink:error=EACCES"],
        &["rm", "-f", "/nonexistent"],
    ),
    (
        "by_thread",
        &["trace=write", "inject=write:error=ENOSPC:when=1"],
        &["bash", "-c", "echo a; (echo b); echo c"],
    ),
];

/// Injection natively under strace, and in the sandbox: the program and the log have to agree.
pub(crate) fn inject(folder: &Folder, options: &[&str], argv: &[&str]) -> Result<(), Failed> {
    let options: Vec<&str> = options.iter().flat_map(|text| ["-e", text]).collect();
    let log = folder.path("strace.log");
    let mut native = Command::new("strace");
    native
        .args(["-f", "-qq", "-o", &log])
        .args(&options)
        .args(argv);
    let native = run(native, b"", limit())?;
    let native_log = fs::read_to_string(&log)?;
    let log = folder.path("vitrine.log");
    let inside = with(&[&["-o", &log][..], &options].concat(), argv)?;
    let inside_log = fs::read_to_string(&log)?;
    let status = native
        .status
        .map(shell_status)
        .ok_or("strace did not end")?;
    expect(&inside, status, &String::from_utf8_lossy(&native.stdout))?;
    let log = folder.path("vitrine-strace.log");
    let mut drop_in = Command::new(vitrine());
    drop_in
        .args(["strace", "-f", "-qq", "-o", &log])
        .args(&options)
        .args(argv);
    let drop_in = run(drop_in, b"", limit())?;
    let drop_in_log = fs::read_to_string(&log)?;
    if (&drop_in.stdout, drop_in.status) != (&native.stdout, native.status) {
        return Err(format!("strace: {native:?}\nvitrine strace: {drop_in:?}").into());
    }
    let expected = normalised(&native_log)?;
    for got in [normalised(&inside_log)?, normalised(&drop_in_log)?] {
        if expected != got {
            return Err(format!("--- strace\n{expected}\n--- vitrine\n{got}").into());
        }
    }
    Ok(())
}

/// A log without process ids, durations, what descriptors are, and how processes end.
fn normalised(log: &str) -> Result<String, Failed> {
    let rules = [
        (r"(?m)^\d+ +", ""),
        (r"(?m) <\d+\.\d+>$", ""),
        (r"(\d|AT_FDCWD)<[^>]*>", "$1"),
        (r"(?m)^\+\+\+.*\n", ""),
        (r" +=", " ="),
        (r"si_pid=\d+", "si_pid=PID"),
        (r"(?m)^--- SIGCHLD.*\n", ""),
    ];
    let mut text = log.to_owned();
    for (pattern, with) in rules {
        text = Regex::new(pattern)?.replace_all(&text, with).into_owned();
    }
    Ok(text)
}
