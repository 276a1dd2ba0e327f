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
use vitrine_tests::{
    Outcome, contains, expect, nested, run, sandboxed, scaled, shell_status, vitrine,
};

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
    (
        "delay_goes_on_after_a_handler",
        delay_goes_on_after_a_handler,
    ),
    ("delay_can_be_killed", delay_can_be_killed),
    ("delay_ends_with_the_sandbox", delay_ends_with_the_sandbox),
    ("signal", signal),
    ("kill", kill),
    ("stop_without_controller", stop_without_controller),
    ("rules_compose", rules_compose),
    ("a_child_has_its_own_registers", child_registers),
    ("a_racing_thread_changes_nothing", racing_thread),
    (
        "a_racing_thread_changes_no_address",
        racing_thread_and_address,
    ),
    (
        "a_racing_thread_changes_nothing_that_is_logged",
        racing_thread_and_log,
    ),
    ("address_replaced", address_replaced),
    ("structure_replaced", structure_replaced),
    ("numbers_poked", numbers_poked),
    ("result_increased", result_increased),
    ("absolute_paths", absolute_paths),
    ("the_first_execve_logged", first_execve_logged),
    ("the_first_execve_changed", first_execve_changed),
    ("hostile_arguments", hostile_arguments),
    ("rules_from_a_file", rules_from_a_file),
    ("what_is_wrong_is_told", what_is_wrong_is_told),
    ("json", json),
    ("only_logged_hits", only_logged_hits),
    ("filter", filter),
    ("filter_by_result", filter_by_result),
];

/// What takes minutes in the nested machine, and doesn't depend on the mode.
const SLOW: &[&str] = &[
    "a_racing_thread_changes_no_address",
    "a_racing_thread_changes_nothing_that_is_logged",
    "hostile_arguments",
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
        .filter(|(name, _)| !nested() || !SLOW.contains(name))
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

/// The handler runs during the delay, and what was done before it is neither counted nor done again.
fn delay_goes_on_after_a_handler(folder: &Folder) -> Result<(), Failed> {
    let log = folder.path("log");
    let script =
        "trap 'echo trapped' USR1; (sleep 0.1; kill -USR1 $$) & echo first; echo second; wait";
    let rule = "write if fd == 1 when=1 then set buf = changed; signal SIGUSR1; delay 600ms; log; set buf = \"third\\n\"";
    let options = ["--rule", rule, "--trace", "-o", &log];
    let outcome = with(&options, &["bash", "-c", script])?;
    if outcome.time < Duration::from_millis(600) {
        return Err(format!("it took only {:?}", outcome.time).into());
    }
    expect(&outcome, 0, "third\ntrapped\nsecond\n")?;
    let text = fs::read_to_string(&log)?;
    let place = |piece: &str| text.find(piece).ok_or(format!("no {piece} in\n{text}"));
    let handler = place("rt_sigreturn")?;
    if handler < place("\"third")? {
        return Ok(());
    }
    Err(format!("the handler ran after the call:\n{text}").into())
}

fn delay_ends_with_the_sandbox(_: &Folder) -> Result<(), Failed> {
    use rustix::process::{Pid, Signal, kill_process};
    // Of these two the shell handles SIGINT, and echo doesn't.
    for argv in [&["echo", "never"][..], &["sh", "-c", "echo never"]] {
        for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let mut command = sandboxed(&["--rule", "write if fd == 1 then delay 1h"], argv);
            let mut child = command.stdin(std::process::Stdio::null()).spawn()?;
            std::thread::sleep(scaled(Duration::from_millis(300)));
            kill_process(Pid::from_child(&child), signal)?;
            let start = std::time::Instant::now();
            while child.try_wait()?.is_none() {
                if start.elapsed() > scaled(Duration::from_secs(5)) {
                    child.kill()?;
                    child.wait()?;
                    return Err(format!("{argv:?} goes on after {signal:?}").into());
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            let got = child.wait()?.code();
            if got != Some(status) {
                return Err(format!("{argv:?}: {got:?} after {signal:?}").into());
            }
        }
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

fn racing_thread_and_address(folder: &Folder) -> Result<(), Failed> {
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
fn racing_thread_and_log(folder: &Folder) -> Result<(), Failed> {
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

fn address_replaced(folder: &Folder) -> Result<(), Failed> {
    let (asked, real) = (folder.path("asked"), folder.path("real"));
    let script = format!(
        "import socket\ns = socket.socket(socket.AF_UNIX); s.bind({real:?}); s.listen()\n\
         c = socket.socket(socket.AF_UNIX); c.connect({asked:?}); print(c.getpeername() == {real:?})\n\
         try: c.connect('/other')\nexcept OSError as e: print(e.errno)\n"
    );
    let rule = format!("connect if evt.address = \"unix:{asked}\" then set addr = \"unix:{real}\"");
    let outcome = with_rule(&rule, &["python3", "-c", &script])?;
    expect(&outcome, 0, "True\n2\n")
}

/// The call gets another structure, and the program keeps its own.
fn structure_replaced(folder: &Folder) -> Result<(), Failed> {
    let log = folder.path("log");
    let rule = "clock_nanosleep if clockid = CLOCK_REALTIME then set request.tv_sec -= 100";
    let options = ["--rule", rule, "--trace", "--format", "json", "-o", &log];
    expect(
        &with(&options, &[&program("arguments"), "sleep"])?,
        0,
        "0: 100 s, 5 ns\n",
    )?;
    let text = fs::read_to_string(&log)?;
    contains(
        text.as_bytes(),
        "\"action\":\"set\",\"at\":\"entry\",\"arg\":\"request\",\"before\":100,\"after\":0",
    )?;
    contains(text.as_bytes(), "{tv_sec=0, tv_nsec=5}")
}

fn numbers_poked(folder: &Folder) -> Result<(), Failed> {
    let file = folder.path("allowed");
    let script = format!("stat -c '%s %u %f' {file}; stat -f -c '%a' {file}; uname");
    let rules = [
        "--rule",
        "newfstatat then poke statbuf.st_size = 4K; poke statbuf.st_uid += 5; poke statbuf.st_mode &= ~0o777",
        "--rule",
        "statx then poke statxbuf.stx_size = 4K; poke statxbuf.stx_uid += 5; poke statxbuf.stx_mode &= ~0o777",
        "--rule",
        "statfs then poke buf.f_bavail = 17",
    ];
    let uid = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&file)?) + 5;
    let outcome = with(&rules, &["bash", "-c", &script])?;
    expect(&outcome, 0, &format!("4096 {uid} 8000\n17\nLinux\n"))
}

fn result_increased(_: &Folder) -> Result<(), Failed> {
    let rule = "lseek then return += 1000";
    let script = "import os\nfd = os.open('/etc/passwd', os.O_RDONLY)\nprint(os.lseek(fd, 5, 0))\n\
                  try: os.lseek(fd, -5, 0)\nexcept OSError as e: print(e.errno)\n";
    expect(
        &with_rule(rule, &["python3", "-S", "-c", script])?,
        0,
        "1005\n22\n",
    )
}

fn absolute_paths(folder: &Folder) -> Result<(), Failed> {
    let forbidden = folder.path("forbidden");
    let rule = format!("%file if fs.path.name = \"{forbidden}\" then return -EPERM");
    let root = folder.0.to_string_lossy();
    let name = folder.0.file_name().unwrap_or_default().to_string_lossy();
    let script = format!(
        "cd {root}; cat forbidden; cat ./forbidden ../{name}//forbidden; cd /; cat {root}/x/../forbidden; cd {root}; \
         python3 -c 'import os; fd = os.open(\".\", os.O_RDONLY); os.chdir(\"/\"); os.open(\"forbidden\", 0, dir_fd=fd)'; cat allowed"
    );
    let outcome = with_rule(&rule, &["bash", "-c", &script])?;
    expect(&outcome, 0, "allowed\n")?;
    let errors = String::from_utf8_lossy(&outcome.stderr);
    match errors.matches("Operation not permitted").count() {
        5 => Ok(()),
        count => Err(format!("{count} refusals in\n{errors}").into()),
    }
}

fn first_execve_logged(folder: &Folder) -> Result<(), Failed> {
    let log = folder.path("log");
    let rule = "execve if path endswith /true then log \"the first one\"; after log \"and ran\"";
    let options = ["--rule", rule, "--format", "json", "-o", &log];
    expect(&with(&options, &["/bin/true"])?, 0, "")?;
    let text = fs::read_to_string(&log)?;
    contains(text.as_bytes(), "\"text\":\"the first one\"")?;
    contains(text.as_bytes(), "\"text\":\"and ran\"")
}

fn first_execve_changed(_: &Folder) -> Result<(), Failed> {
    let rule = |action: &str| format!("execve if path endswith /false then {action}");
    let run = |action: &str| with_rule(&rule(action), &["/bin/false", "text"]);
    expect(&run("set path = /bin/echo")?, 0, "text\n")?;
    expect(&run("return -EACCES")?, 126, "")?;
    expect(&run("return -ENOENT")?, 127, "")?;
    expect(&run("kill")?, 137, "")?;
    expect(&run("signal SIGTERM")?, 143, "")?;
    let slow = run("delay 300ms")?;
    expect(&slow, 1, "")?;
    if slow.time < Duration::from_millis(300) {
        return Err(format!("it took only {:?}", slow.time).into());
    }
    // The rule holds for a script's own calls too, and the first one is counted.
    let counted = "execve when=2 then return -EPERM";
    let outcome = with_rule(counted, &["bash", "-c", "/bin/true || echo refused"])?;
    expect(&outcome, 0, "refused\n")
}

/// Whoever looks at hostile arguments, the program gets what it gets natively.
fn hostile_arguments(_: &Folder) -> Result<(), Failed> {
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
