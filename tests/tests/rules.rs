//! Rules and `-e inject`: what they do to a program, what the program notices of it, and what the log says. Injection is compared with strace's.

use libtest_mimic::{Arguments, Failed, Trial};
use regex_lite::Regex;
use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use vitrine_tests::{Outcome, excerpt, nested, run, sandboxed, shell_status, vitrine};

type Test = fn(&Folder) -> Result<(), Failed>;

const TESTS: &[(&str, Test)] = &[
    ("path_replaced", path_replaced),
    ("path_replaced_registers_kept", registers_kept),
    ("buffer_replaced", buffer_replaced),
    ("flags_changed", flags_changed),
    ("error_returned", error_returned),
    ("when", when),
    ("counts_by_process", counts_by_process),
    ("probability", probability),
    ("delay", delay),
    ("delay_is_not_cut_short", delay_is_not_cut_short),
    ("delay_can_be_killed", delay_can_be_killed),
    ("signal", signal),
    ("kill", kill),
    ("stop_without_controller", stop_without_controller),
    ("rules_compose", rules_compose),
    ("a_child_has_its_own_registers", child_registers),
    ("a_racing_thread_changes_nothing", racing_thread),
    ("rules_from_a_file", rules_from_a_file),
    ("what_is_wrong_is_told", what_is_wrong_is_told),
    ("json", json),
    ("only_logged_hits", only_logged_hits),
    ("filter", filter),
    ("filter_by_result", filter_by_result),
];

/// `-e` options, the program, and whether the program's own output has to agree.
const INJECTIONS: &[(&str, &[&str], &[&str])] = &[
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

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let mut trials: Vec<Trial> = TESTS
        .iter()
        .map(|(name, test)| Trial::test(*name, || test(&Folder::new()?)))
        .collect();
    if !nested() {
        trials.extend(INJECTIONS.iter().map(|(name, options, argv)| {
            Trial::test(format!("inject::{name}"), || {
                inject(&Folder::new()?, options, argv)
            })
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A folder of one test, with a file `allowed` and a file `forbidden` that say so.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder, Failed> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rules-{}-{number}", std::process::id()));
        fs::create_dir_all(&path)?;
        for name in ["allowed", "forbidden"] {
            fs::write(path.join(name), format!("{name}\n"))?;
        }
        Ok(Folder(path))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn limit() -> Duration {
    Duration::from_secs(if nested() { 200 } else { 20 })
}

fn with(options: &[&str], argv: &[&str]) -> Result<Outcome, Failed> {
    Ok(run(sandboxed(options, argv), b"", limit())?)
}

fn with_rule(rule: &str, argv: &[&str]) -> Result<Outcome, Failed> {
    with(&["--rule", rule], argv)
}

fn expect(outcome: &Outcome, status: i32, stdout: &str) -> Result<(), Failed> {
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

fn contains(bytes: &[u8], text: &str) -> Result<(), Failed> {
    let all = String::from_utf8_lossy(bytes);
    if all.contains(text) {
        Ok(())
    } else {
        Err(format!("no {text:?} in\n{all}").into())
    }
}

fn program(name: &str) -> String {
    format!("{}/{name}", env!("VITRINE_TEST_PROGRAMS"))
}

fn path_replaced(folder: &Folder) -> Result<(), Failed> {
    let (forbidden, allowed) = (folder.path("forbidden"), folder.path("allowed"));
    let rule = format!("openat if path == \"{forbidden}\" then set path = \"{allowed}\"");
    expect(&with_rule(&rule, &["cat", &forbidden])?, 0, "allowed\n")
}

fn registers_kept(folder: &Folder) -> Result<(), Failed> {
    let (forbidden, allowed) = (folder.path("forbidden"), folder.path("allowed"));
    let rule = format!(
        "openat if path == \"{forbidden}\" then set path = \"{allowed}\"; set flags |= O_CLOEXEC"
    );
    let kept = "registers are kept: yes\nthe path is kept: yes\n8 bytes: allowed\n\nhello\nwrite returns 6\nregisters are kept: yes\nthe buffer is kept: yes\n";
    for name in ["arguments", "arguments.static"] {
        for more in [&[][..], &["--trace", "-o", "/dev/null"]] {
            let options: Vec<&str> = [&["--rule", &rule], more].concat();
            expect(&with(&options, &[&program(name), &forbidden])?, 0, kept)?;
        }
    }
    Ok(())
}

fn buffer_replaced(folder: &Folder) -> Result<(), Failed> {
    let rule = r#"write if fd == 1 and buf == "hello\n" then set buf = "something longer\n""#;
    let path = folder.path("allowed");
    let kept = "registers are kept: yes\nthe path is kept: yes\n8 bytes: allowed\n\nsomething longer\nwrite returns 6\nregisters are kept: yes\nthe buffer is kept: yes\n";
    expect(&with_rule(rule, &[&program("arguments"), &path])?, 0, kept)
}

fn flags_changed(folder: &Folder) -> Result<(), Failed> {
    let path = folder.path("allowed");
    let rule = format!("openat if path == \"{path}\" then set flags &= ~O_WRONLY");
    let script = format!("echo changed >> {path} || echo refused; cat {path}");
    expect(
        &with_rule(&rule, &["bash", "-c", &script])?,
        0,
        "refused\nallowed\n",
    )
}

fn error_returned(folder: &Folder) -> Result<(), Failed> {
    let path = folder.path("allowed");
    let rule = format!("%file if path == \"{path}\" then return -ENOENT");
    let outcome = with_rule(&rule, &["cat", &path])?;
    expect(&outcome, 1, "")?;
    contains(&outcome.stderr, "No such file or directory")
}

const FIVE: &[&str] = &[
    "bash",
    "-c",
    "for i in 1 2 3 4 5; do echo $i; done 2>/dev/null; true",
];

fn when(_: &Folder) -> Result<(), Failed> {
    let rule = |when: &str| format!("write if fd == 1 when={when} then return -ENOSPC");
    for (text, left) in [
        ("2+2", "1\n3\n5\n"),
        ("2", "1\n3\n4\n5\n"),
        ("2..4", "1\n5\n"),
        ("4+", "1\n2\n3\n"),
        ("1..4+3", "2\n3\n5\n"),
    ] {
        expect(&with_rule(&rule(text), FIVE)?, 0, left)?;
    }
    Ok(())
}

fn counts_by_process(_: &Folder) -> Result<(), Failed> {
    let rule = |scope: &str| format!("write if fd == 1 when=1 scope={scope} then return -ENOSPC");
    let script = "echo a; (echo b; echo c); echo d";
    let argv = ["bash", "-c", script];
    let outcome = with_rule(&rule("process"), &argv)?;
    expect(&outcome, 0, "c\nd\n")?;
    expect(&with_rule(&rule("global"), &argv)?, 0, "b\nc\nd\n")
}

fn probability(_: &Folder) -> Result<(), Failed> {
    let script = "for i in {1..400}; do echo x; done";
    let lines = |probability: &str| -> Result<usize, Failed> {
        let rule = format!("write if fd == 1 probability={probability} then return 2");
        Ok(with_rule(&rule, &["bash", "-c", script])?.stdout.len() / 2)
    };
    let half = lines("0.5")?;
    if !(120..=280).contains(&half) {
        return Err(format!("{half} of 400 lines are left of a rule with probability 0.5").into());
    }
    match lines("1")? {
        0 => Ok(()),
        some => Err(format!("{some} lines are left of a rule with probability 1").into()),
    }
}

fn delay(_: &Folder) -> Result<(), Failed> {
    let outcome = with_rule("write if fd == 1 then delay 700ms", &["echo", "late"])?;
    expect(&outcome, 0, "late\n")?;
    if outcome.time < Duration::from_millis(700) {
        return Err(format!("it took only {:?}", outcome.time).into());
    }
    Ok(())
}

fn delay_is_not_cut_short(_: &Folder) -> Result<(), Failed> {
    let script = "trap 'echo trapped' USR1; (sleep 0.1; kill -USR1 $$) & echo first; wait; date +%s >/dev/null";
    let rule = "write if fd == 1 when=1 then delay 1s";
    let outcome = with_rule(rule, &["bash", "-c", script])?;
    expect(&outcome, 0, "first\ntrapped\n")?;
    if outcome.time < Duration::from_secs(1) {
        return Err(format!("it took only {:?}", outcome.time).into());
    }
    Ok(())
}

fn delay_can_be_killed(_: &Folder) -> Result<(), Failed> {
    let script = "echo never & sleep 0.3; kill -9 $!; wait $!; echo $?";
    let outcome = with_rule(
        "write if fd == 1 when=1 then delay 1h",
        &["bash", "-c", script],
    )?;
    expect(&outcome, 0, "137\n")
}

fn signal(_: &Folder) -> Result<(), Failed> {
    let outcome = with_rule("write if fd == 1 then signal SIGTERM", &["echo", "out"])?;
    expect(&outcome, 143, "out\n")
}

fn kill(_: &Folder) -> Result<(), Failed> {
    expect(
        &with_rule("write if fd == 1 then kill", &["echo", "out"])?,
        137,
        "",
    )
}

fn stop_without_controller(_: &Folder) -> Result<(), Failed> {
    let outcome = with(
        &["--no-control", "--rule", "write if fd == 1 then stop"],
        &["echo", "out"],
    )?;
    expect(&outcome, 0, "out\n")?;
    contains(&outcome.stderr, "can't be controlled: it goes on")
}

fn rules_compose(folder: &Folder) -> Result<(), Failed> {
    let (first, second, third) = (
        folder.path("first"),
        folder.path("forbidden"),
        folder.path("allowed"),
    );
    let one = format!("openat if path == \"{first}\" then set path = \"{second}\"");
    let two = format!("openat if path == \"{second}\" then set path = \"{third}\"");
    let in_order = with(&["--rule", &one, "--rule", &two], &["cat", &first])?;
    expect(&in_order, 0, "allowed\n")?;
    let other_order = with(&["--rule", &two, "--rule", &one], &["cat", &first])?;
    expect(&other_order, 0, "forbidden\n")
}

fn child_registers(_: &Folder) -> Result<(), Failed> {
    // A child of a call whose arguments a rule has changed goes on like its parent.
    let rule = "clone then set flags |= CLONE_UNTRACED; log";
    let script = "(echo child); echo parent";
    let outcome = with_rule(rule, &["bash", "-c", script])?;
    expect(&outcome, 0, "child\nparent\n")
}

fn racing_thread(folder: &Folder) -> Result<(), Failed> {
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

fn rules_from_a_file(folder: &Folder) -> Result<(), Failed> {
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

fn what_is_wrong_is_told(folder: &Folder) -> Result<(), Failed> {
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

fn json(folder: &Folder) -> Result<(), Failed> {
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

fn only_logged_hits(folder: &Folder) -> Result<(), Failed> {
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

fn filter(folder: &Folder) -> Result<(), Failed> {
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

fn filter_by_result(folder: &Folder) -> Result<(), Failed> {
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

/// Injection natively under strace, and in the sandbox: the program and the log have to agree.
fn inject(folder: &Folder, options: &[&str], argv: &[&str]) -> Result<(), Failed> {
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
