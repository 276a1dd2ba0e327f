//! What is told: files of rules, mistakes in them, the log of what rules did, and filters.

use crate::{Folder, with, with_rule};
use libtest_mimic::Failed;
use std::fs;
use vitrine_tests::{contains, expect};

pub(crate) fn rules_from_a_file(folder: &Folder) -> Result<(), Failed> {
    let (allowed, forbidden) = (folder.path("allowed"), folder.path("forbidden"));
    let text = format!(
        "[macros]\nsecret = 'path == \"{forbidden}\"'\n\n[[rule]]\nname = \"other file\"\ncalls = \"open,openat\"\nif = \"secret\"\nthen = ['set path = \"{allowed}\"']\n"
    );
    let file = folder.path("rules.toml");
    fs::write(&file, text)?;
    expect(
        &with(&["--rules", &file], &["cat", &forbidden])?,
        0,
        "allowed\n",
    )
}

pub(crate) fn what_is_wrong_is_told(folder: &Folder) -> Result<(), Failed> {
    let file = folder.path("rules.toml");
    fs::write(&file, "[[rule]\n")?;
    let missing = folder.path("none.toml");
    for (options, text) in [
        (&["--rule", "openat if pth == x then kill"][..], "pth"),
        (&["--rule", "openat then set offset = 3"], "offset"),
        (
            &["--rule", "openat then return 1; return -ENOENT frob"],
            "frob",
        ),
        (&["--filter", "evt.type = openat and ("], "filter"),
        (&["-e", "inject=frobnicate:error=EIO"], "frobnicate"),
        (&["-e", "inject=write:error=EFROB"], "EFROB"),
        (&["--rules", &file], "rules.toml"),
        (&["--rules", &missing], "No such file"),
    ] {
        let outcome = with(options, &["echo", "ran"])?;
        expect(&outcome, 2, "")?;
        contains(&outcome.stderr, text)?;
    }
    Ok(())
}

pub(crate) fn json(folder: &Folder) -> Result<(), Failed> {
    let (allowed, forbidden) = (folder.path("allowed"), folder.path("forbidden"));
    let log = folder.path("log");
    let rule = format!(
        "openat if path == \"{forbidden}\" then set path = \"{allowed}\"; set flags |= O_CLOEXEC"
    );
    let options = ["--trace", "--format", "json", "-o", &log, "--rule", &rule];
    expect(&with(&options, &["cat", &forbidden])?, 0, "allowed\n")?;
    let text = fs::read_to_string(&log)?;
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line)?;
        let Some(rules) = event["rules"].as_array() else {
            continue;
        };
        let [path, flags] = rules.as_slice() else {
            return Err(format!("not two hits in {line}").into());
        };
        let right = path["before"] == forbidden.as_str()
            && path["after"] == allowed.as_str()
            && flags["before"] == 0
            && flags["after"] == 0o2_000_000
            && event["args"][1]["value"] == allowed.as_str()
            && event["args"][2]["text"] == "O_RDONLY|O_CLOEXEC";
        return if right {
            Ok(())
        } else {
            Err(format!("the hits are wrong in {line}").into())
        };
    }
    Err(format!("no call with rules in\n{text}").into())
}

pub(crate) fn only_logged_hits(folder: &Folder) -> Result<(), Failed> {
    let path = folder.path("allowed");
    let rule = format!("openat if path == \"{path}\" then log \"seen\"");
    let outcome = with_rule(&rule, &["cat", &path])?;
    expect(&outcome, 0, "allowed\n")?;
    let lines = String::from_utf8_lossy(&outcome.stderr);
    let calls: Vec<&str> = lines.lines().filter(|line| line.contains(" = ")).collect();
    match calls.as_slice() {
        [one] if one.contains("openat(") && one.contains("allowed") => Ok(()),
        _ => Err(format!("not the one call that was logged:\n{lines}").into()),
    }
}

pub(crate) fn filter(folder: &Folder) -> Result<(), Failed> {
    let path = folder.path("allowed");
    let log = folder.path("log");
    let expression = format!("evt.type = openat and path == \"{path}\"");
    let options = ["-o", &log, "--filter", &expression];
    expect(&with(&options, &["cat", &path])?, 0, "allowed\n")?;
    let text = fs::read_to_string(&log)?;
    if text.lines().count() == 1 && text.contains("allowed") {
        return Ok(());
    }
    Err(format!("not the one call:\n{text}").into())
}

pub(crate) fn filter_by_result(folder: &Folder) -> Result<(), Failed> {
    let missing = folder.path("missing");
    let log = folder.path("log");
    let options = [
        "-o",
        &log,
        "--filter",
        "evt.res = ENOENT and path contains /rules-",
    ];
    expect(&with(&options, &["cat", &missing])?, 1, "")?;
    let text = fs::read_to_string(&log)?;
    let all_failed = text.lines().all(|line| line.contains("= -1 ENOENT"));
    if all_failed && text.contains("missing") {
        return Ok(());
    }
    Err(format!("not the calls that failed:\n{text}").into())
}
