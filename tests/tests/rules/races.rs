//! Programs that work against the rules, or beside them: racing threads, children, hostile arguments.

use crate::{Folder, limit, program, with, with_rule};
use libtest_mimic::Failed;
use std::{fs, process::Command};
use vitrine_tests::{expect, run};

pub(crate) fn child_registers(_: &Folder) -> Result<(), Failed> {
    // A child of a call whose arguments a rule has changed goes on like its parent.
    let rule = "clone then set flags |= CLONE_UNTRACED; log";
    let script = "(echo child); echo parent";
    let outcome = with_rule(rule, &["bash", "-c", script])?;
    expect(&outcome, 0, "child\nparent\n")
}

pub(crate) fn racing_thread(folder: &Folder) -> Result<(), Failed> {
    let (allowed, forbidden) = (folder.path("allowed"), folder.path("forbidden"));
    let deny = format!("openat if path == \"{forbidden}\" then return -EACCES");
    // Between the decision and the call the other thread has time to exchange the path.
    let wait = format!("openat if path == \"{allowed}\" probability=0.01 then delay 1ms");
    let program = program("arguments");
    for options in [
        &["--rule", &deny][..],
        &["--rule", &deny, "--rule", &wait],
        &[
            "--rule",
            &deny,
            "--rule",
            &wait,
            "--trace",
            "-o",
            "/dev/null",
        ],
    ] {
        let outcome = with(options, &[&program, "race", &allowed, &forbidden])?;
        expect(&outcome, 0, "allowed: sometimes\nforbidden: 0\n")?;
    }
    Ok(())
}

pub(crate) fn racing_thread_and_address(folder: &Folder) -> Result<(), Failed> {
    let (allowed, forbidden) = (folder.path("right"), folder.path("wrong"));
    let deny = format!("connect if evt.address = \"unix:{forbidden}\" then return -EACCES");
    let wait =
        format!("connect if evt.address = \"unix:{allowed}\" probability=0.05 then delay 1ms");
    for more in [&[][..], &["--trace", "-o", "/dev/null"]] {
        let options = [&["--rule", &deny, "--rule", &wait][..], more].concat();
        let argv = [&program("arguments"), "race-connect", &allowed, &forbidden];
        expect(
            &with(&options, &argv)?,
            0,
            "allowed: sometimes\nforbidden: 0\n",
        )?;
    }
    Ok(())
}

/// What a pipe's reader gets is what the log says was written, though the writer waits and its buffer changes meanwhile.
pub(crate) fn racing_thread_and_log(folder: &Folder) -> Result<(), Failed> {
    let log = folder.path("log");
    let options = ["--trace", "-s", "4", "--format", "json", "-o", &log];
    let outcome = with(&options, &[&program("arguments"), "race-write"])?;
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let (fd, got) = text
        .trim()
        .split_once(':')
        .ok_or_else(|| format!("{outcome:?}"))?;
    let fd: u64 = fd.parse()?;
    let mut logged = String::new();
    let mut entered = std::collections::HashSet::new();
    for line in fs::read_to_string(&log)?.lines() {
        let event: serde_json::Value = serde_json::from_str(line)?;
        if event["name"] != "write" || event["raw"][0] != fd {
            continue;
        }
        // A call that waited is told twice.
        let is_end = event["type"] == "syscall_exit" || event["type"] == "syscall";
        let is_start = event["type"] == "syscall_enter";
        if is_end && entered.remove(&event["tid"].as_u64()) {
            continue;
        }
        if is_start {
            entered.insert(event["tid"].as_u64());
        }
        let bytes = event["args"][1]["value"].as_str().unwrap_or("?");
        logged.push(bytes.chars().next().unwrap_or('?'));
    }
    if got == logged && got.contains('A') && got.contains('B') {
        return Ok(());
    }
    Err(format!("read   {got}\nlogged {logged}").into())
}

/// Whoever looks at hostile arguments, the program gets what it gets natively.
pub(crate) fn hostile_arguments(_: &Folder) -> Result<(), Failed> {
    let program = program("hostile");
    let native = run(Command::new(&program), b"", limit())?;
    let text = String::from_utf8_lossy(&native.stdout);
    let look = "path contains zz or fs.path.name contains zz or fs.path.target contains zz or evt.address contains zz or fd.name contains zz";
    let all = format!("* if {look} then log");
    let rules = [
        "--rule",
        &all,
        "--rule",
        "write if buf contains zz then log",
        "--rule",
        "clock_gettime then poke tp.tv_sec += 5",
        "--rule",
        "getdents64 then hide \"z*\"",
        "--rule",
        "newfstatat then poke statbuf.st_uid += 1",
    ];
    let trace = ["--trace", "-v", "-s", "4096", "-o", "/dev/null"];
    let json = ["--trace", "--format", "json", "-o", "/dev/null"];
    let filter = ["--filter", look, "-o", "/dev/null"];
    for options in [
        &trace[..],
        &json,
        &filter,
        &rules,
        &[&rules[..], &json].concat(),
    ] {
        expect(&with(options, &[&program])?, 0, &text)?;
        expect(&with(options, &[&program, "race"])?, 0, "survived\n")?;
    }
    Ok(())
}
