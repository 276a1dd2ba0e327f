//! Rules and `-e inject`: what they do to a program, what the program notices of it, and what the log says. Injection is compared with strace's.

mod delays;
mod inject;
mod races;
mod told;

use libtest_mimic::{Arguments, Failed, Trial};
use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use vitrine_tests::{Outcome, contains, expect, nested, run, sandboxed};

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
    ("delay", delays::delay),
    ("delay_is_not_cut_short", delays::delay_is_not_cut_short),
    (
        "delay_goes_on_after_a_handler",
        delays::delay_goes_on_after_a_handler,
    ),
    ("delay_can_be_killed", delays::delay_can_be_killed),
    (
        "delay_ends_with_the_sandbox",
        delays::delay_ends_with_the_sandbox,
    ),
    ("signal", delays::signal),
    ("kill", delays::kill),
    ("stop_without_controller", delays::stop_without_controller),
    ("rules_compose", rules_compose),
    ("a_child_has_its_own_registers", races::child_registers),
    ("a_racing_thread_changes_nothing", races::racing_thread),
    (
        "a_racing_thread_changes_no_address",
        races::racing_thread_and_address,
    ),
    (
        "a_racing_thread_changes_nothing_that_is_logged",
        races::racing_thread_and_log,
    ),
    ("address_replaced", address_replaced),
    ("structure_replaced", structure_replaced),
    ("numbers_poked", numbers_poked),
    ("result_increased", result_increased),
    ("absolute_paths", absolute_paths),
    ("the_first_execve_logged", first_execve_logged),
    ("the_first_execve_changed", first_execve_changed),
    ("hostile_arguments", races::hostile_arguments),
    ("rules_from_a_file", told::rules_from_a_file),
    ("what_is_wrong_is_told", told::what_is_wrong_is_told),
    ("json", told::json),
    ("only_logged_hits", told::only_logged_hits),
    ("filter", told::filter),
    ("filter_by_result", told::filter_by_result),
];

/// What takes minutes in the nested machine, and doesn't depend on the mode.
const SLOW: &[&str] = &[
    "a_racing_thread_changes_no_address",
    "a_racing_thread_changes_nothing_that_is_logged",
    "hostile_arguments",
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
        trials.extend(inject::INJECTIONS.iter().map(|(name, options, argv)| {
            Trial::test(format!("inject::{name}"), || {
                inject::inject(&Folder::new()?, options, argv)
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
