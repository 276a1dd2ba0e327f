//! Threads that rules and breakpoints stop: listed, resumed with changes, killed, left alone, and left behind by their controller.

mod commands;
mod session;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use session::{Session, uncontrolled};
use std::{process::ExitCode, time::Duration};
use vitrine_tests::{nested, scratch::Scratch, shell_status};

type Test = fn() -> Result<(), Failed>;

const TESTS: &[(&str, Test)] = &[
    ("listed", listed),
    ("resumed_as_it_was", resumed_as_it_was),
    ("resumed_with_another_path", resumed_with_another_path),
    ("resumed_with_a_register", resumed_with_a_register),
    ("resumed_with_a_buffer", resumed_with_a_buffer),
    ("resumed_with_an_error", resumed_with_an_error),
    ("resumed_with_a_kill", resumed_with_a_kill),
    ("after_the_call", after_the_call),
    ("after_rules_before_it", after_rules_before_it),
    ("wrong_changes", wrong_changes),
    ("killed_while_parked", killed_while_parked),
    ("signals_wait", signals_wait),
    ("exec_of_another_thread", exec_of_another_thread),
    ("other_threads_run", other_threads_run),
    ("several_resumed_at_once", several_resumed_at_once),
    ("many_in_a_row", many_in_a_row),
    ("timeout", timeout),
    ("timeout_without_controller", timeout_without_controller),
    ("nobody_can_resume", nobody_can_resume),
    ("detached_and_resumed", detached_and_resumed),
    ("detached_and_killed", detached_and_killed),
    ("detached_and_kept", detached_and_kept),
    ("sandbox_ends", sandbox_ends),
    ("told_in_the_log", told_in_the_log),
    ("bad_requests", bad_requests),
    ("commands", commands::commands),
    ("live_breakpoint", commands::live_breakpoint),
    ("watcher_dies", commands::watcher_dies),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let trials = TESTS
        .iter()
        .map(|(name, test)| Trial::test(format!("stops::{name}"), test))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(what().into()) }
}

const ON_FORBIDDEN: &[&str] = &["--break", "openat if path == {}/forbidden"];
const CAT: &[&str] = &["bash", "-c", "cat {}/forbidden; echo status $?"];

fn listed() -> Result<(), Failed> {
    let mut session = Session::start(ON_FORBIDDEN, CAT)?;
    let stop = session.stop()?;
    let call = format!(
        "openat(AT_FDCWD, \"{}/forbidden\", O_RDONLY)",
        session.folder.path().display()
    );
    // Descriptors are described only where events are recorded.
    ensure(
        stop["call"] == call.as_str()
            && stop["comm"] == "cat"
            && stop["at"] == "entry"
            && stop["name"] == "openat"
            && stop["tid"] == stop["pid"]
            && stop["raw"][2] == 0
            && stop["registers"]["rax"] == stop["nr"]
            && stop["registers"]["rsi"] == stop["raw"][1]
            && stop["ret"].is_null(),
        || format!("{stop} instead of {call}"),
    )?;
    session.resume(&stop, json!({}))?;
    session.ends(0, "forbidden\nstatus 0\n").map(drop)
}

fn resumed_as_it_was() -> Result<(), Failed> {
    let mut session = Session::start(ON_FORBIDDEN, CAT)?;
    let stop = session.stop()?;
    let answer = session.ask(&json!({"op": "resume", "which": stop["tid"].to_string()}))?;
    ensure(answer["stops"][0]["id"] == stop["id"], || {
        answer.to_string()
    })?;
    session.ends(0, "forbidden\nstatus 0\n").map(drop)
}

fn resumed_with_another_path() -> Result<(), Failed> {
    let mut session = Session::start(ON_FORBIDDEN, CAT)?;
    let stop = session.stop()?;
    let set = format!("pathname={}/allowed", session.folder.path().display());
    session.resume(&stop, json!({"set": [set]}))?;
    session.ends(0, "allowed\nstatus 0\n").map(drop)
}

fn resumed_with_a_register() -> Result<(), Failed> {
    let script = "import os; os.write(2, b'to\\n')";
    let options = &["--break", "write if buf == \"to\\n\""];
    let mut session = Session::start(options, &["python3", "-c", script])?;
    let stop = session.stop()?;
    session.resume(&stop, json!({"set": ["arg0=1"]}))?;
    session.ends(0, "to\n").map(drop)
}

fn resumed_with_a_buffer() -> Result<(), Failed> {
    let mut session = Session::start(&["--break", "write if fd == 1"], &["echo", "short"])?;
    let stop = session.stop()?;
    session.resume(&stop, json!({"set": ["buf=\"something longer\\n\""]}))?;
    session.ends(0, "something longer\n").map(drop)
}

fn resumed_with_an_error() -> Result<(), Failed> {
    let mut session = Session::start(ON_FORBIDDEN, CAT)?;
    let stop = session.stop()?;
    session.resume(&stop, json!({"return": "-ENOENT"}))?;
    let stderr = session.ends(0, "status 1\n")?;
    ensure(stderr.contains("No such file or directory"), || stderr)
}

fn resumed_with_a_kill() -> Result<(), Failed> {
    let mut session = Session::start(ON_FORBIDDEN, CAT)?;
    let stop = session.stop()?;
    session.resume(&stop, json!({"kill": true}))?;
    session.ends(0, "status 137\n").map(drop)
}

fn after_the_call() -> Result<(), Failed> {
    let options = &["--break-exit", "openat if path == {}/forbidden"];
    let mut session = Session::start(options, CAT)?;
    let stop = session.stop()?;
    ensure(stop["at"] == "exit" && stop["ret"] == 3, || {
        stop.to_string()
    })?;
    let answer = session.ask(&json!({"op": "resume", "set": ["pathname=/x"]}))?;
    ensure(answer["ok"] == false, || answer.to_string())?;
    session.resume(&stop, json!({"return": "-EIO"}))?;
    let stderr = session.ends(0, "status 1\n")?;
    ensure(stderr.contains("Input/output error"), || stderr)?;

    // What asks for the result stops after the call.
    let options = &[
        "--break",
        "openat if evt.res == -ENOENT and path == /no/such",
    ];
    let mut session = Session::start(options, &["bash", "-c", "cat /no/such; echo $?"])?;
    let stop = session.stop()?;
    ensure(stop["at"] == "exit" && stop["ret"] == -2, || {
        stop.to_string()
    })?;
    session.resume(&stop, json!({}))?;
    session.ends(0, "1\n").map(drop)
}

fn after_rules_before_it() -> Result<(), Failed> {
    let options = &[
        "--rule",
        "openat if path == {}/forbidden then set path = \"{}/allowed\"",
        "--break",
        "openat if path == {}/allowed",
    ];
    let mut session = Session::start(options, CAT)?;
    let stop = session.stop()?;
    let call = stop["call"].as_str().unwrap_or_default().to_owned();
    ensure(call.contains("/allowed"), || call)?;
    session.resume(&stop, json!({}))?;
    session.ends(0, "allowed\nstatus 0\n").map(drop)
}

fn wrong_changes() -> Result<(), Failed> {
    let mut session = Session::start(ON_FORBIDDEN, CAT)?;
    let stop = session.stop()?;
    for (how, about) in [
        (json!({"set": ["nosuch=1"]}), "nosuch"),
        (json!({"set": ["flags=O_NOSUCH"]}), "O_NOSUCH"),
        (json!({"set": ["flags"]}), "ARG=VALUE"),
        (json!({"return": "-ENOSUCH"}), "ENOSUCH"),
        (json!({"return": "nothing"}), "nothing"),
        (json!({"which": "s99"}), "s99"),
        (json!({"which": "cat"}), "cat"),
    ] {
        let mut request = how;
        request["op"] = "resume".into();
        let answer = session.ask(&request)?;
        let error = answer["error"].as_str().unwrap_or_default().to_owned();
        ensure(error.contains(about), || format!("{request}: {answer}"))?;
        ensure(session.stops()?.len() == 1, || "it is gone".to_owned())?;
    }
    session.resume(&stop, json!({}))?;
    session.ends(0, "forbidden\nstatus 0\n").map(drop)
}

/// A child parks; what its parent does to it.
fn parked_child(rest: &str, status: i32, stdout: &str) -> Result<(), Failed> {
    let script = format!("cat {{}}/forbidden & sleep 0.3; {rest}");
    let mut session = Session::start(ON_FORBIDDEN, &["bash", "-c", &script])?;
    session.stop()?;
    session.ends(status, stdout).map(drop)
}

fn killed_while_parked() -> Result<(), Failed> {
    parked_child("kill -9 $!; wait $!; echo $?", 0, "137\n")?;
    // A signal that kills by default, too.
    parked_child("kill $!; wait $!; echo $?", 0, "143\n")
}

fn signals_wait() -> Result<(), Failed> {
    let script = "trap 'echo caught' USR1; (sleep 0.2; kill -USR1 $$; kill -STOP $$; kill -CONT $$) & read -r line <{}/forbidden; echo $line; wait";
    let mut session = Session::start(ON_FORBIDDEN, &["bash", "-c", script])?;
    let stop = session.stop()?;
    std::thread::sleep(vitrine_tests::scaled(Duration::from_millis(500)));
    ensure(session.stops()?.len() == 1, || {
        "a signal has ended the stop".into()
    })?;
    session.resume(&stop, json!({}))?;
    let (status, stdout, stderr) = session.end()?;
    ensure(
        status == 0 && stdout.contains("caught\n") && stdout.contains("forbidden\n"),
        || format!("status {status}: {stdout}{stderr}"),
    )
}

fn exec_of_another_thread() -> Result<(), Failed> {
    let script = "
import os, threading, time
threading.Thread(target=lambda: open('{}/forbidden'), daemon=True).start()
time.sleep(0.3)
os.execv('/bin/echo', ['echo', 'replaced'])
";
    let mut session = Session::start(ON_FORBIDDEN, &["python3", "-c", script])?;
    session.stop()?;
    session.ends(0, "replaced\n").map(drop)
}

const THREADS: &str = "
import os, threading
def one(number):
    text = open('{}/' + ('forbidden' if number % 2 else 'allowed')).read()
    done.append(number)
done = []
threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
for thread in threads: thread.start()
for number in (0, 2, 4): threads[number].join()
total = sum(number * number for number in range(100000))
os.write(1, b'%d run, %d\\n' % (len(done), total))
for thread in threads: thread.join()
os.write(1, b'%d done\\n' % len(done))
";

fn other_threads_run() -> Result<(), Failed> {
    let mut session = Session::start(ON_FORBIDDEN, &["python3", "-c", THREADS])?;
    let stops = session.several(3)?;
    let process = &stops[0]["pid"];
    ensure(
        stops
            .iter()
            .all(|stop| stop["pid"] == *process && stop["tid"] != *process),
        || format!("{stops:?}"),
    )?;
    // Time for the others to end.
    std::thread::sleep(vitrine_tests::scaled(Duration::from_millis(300)));
    for stop in &stops {
        session.resume(stop, json!({}))?;
    }
    session
        .ends(0, "3 run, 333328333350000\n6 done\n")
        .map(drop)
}

fn several_resumed_at_once() -> Result<(), Failed> {
    let mut session = Session::start(ON_FORBIDDEN, &["python3", "-c", THREADS])?;
    let stops = session.several(3)?;
    let answer = session.ask(&json!({"op": "resume", "which": stops[0]["pid"].to_string()}))?;
    ensure(
        answer["stops"]
            .as_array()
            .is_some_and(|list| list.len() == 3),
        || answer.to_string(),
    )?;
    let (status, stdout, stderr) = session.end()?;
    ensure(status == 0 && stdout.ends_with("6 done\n"), || {
        stdout + &stderr
    })
}

fn many_in_a_row() -> Result<(), Failed> {
    let count = if nested() { 50 } else { 1000 };
    let script = format!(
        "import os\nfor number in range({count}): \n  got = os.getpgid(777777)\n  assert got == number, (got, number)\nos.write(1, b'done\\n')"
    );
    let mut session = Session::start(
        &["--break", "getpgid if pid == 777777"],
        &["python3", "-c", &script],
    )?;
    for number in 0..count {
        let Ok(stop) = session.stop() else {
            return Err(format!("call {number}: {:?}", session.end()?).into());
        };
        ensure(stop["id"] == number + 1, || stop.to_string())?;
        session.resume(&stop, json!({"return": number.to_string()}))?;
    }
    session.ends(0, "done\n").map(drop)
}

fn timeout() -> Result<(), Failed> {
    let options = &[ON_FORBIDDEN, &["--stop-timeout", "200ms"]].concat();
    let script = "cat {}/forbidden; sleep 0.5";
    let mut session = Session::start(options, &["bash", "-c", script])?;
    let stop = session.stop()?;
    session.several(0)?;
    let answer = session.ask(&json!({"op": "resume", "which": format!("s{}", stop["id"])}))?;
    ensure(answer["ok"] == false, || answer.to_string())?;
    session.ends(0, "forbidden\n").map(drop)
}

fn timeout_without_controller() -> Result<(), Failed> {
    let options = [
        "--no-control",
        "--break",
        "write if fd == 1",
        "--stop-timeout",
        "300ms",
    ];
    let outcome = uncontrolled(&options, &["echo", "out"])?;
    ensure(
        outcome.status.map(shell_status) == Some(0)
            && outcome.stdout == b"out\n"
            && outcome.time >= Duration::from_millis(300),
        || format!("{outcome:?}"),
    )
}

fn nobody_can_resume() -> Result<(), Failed> {
    let outcome = uncontrolled(
        &["--no-control", "--break", "write if fd == 1"],
        &["echo", "out"],
    )?;
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    ensure(
        outcome.status.map(shell_status) == Some(0) && outcome.stdout == b"out\n",
        || format!("{outcome:?}"),
    )?;
    ensure(
        stderr.lines().count() == 1 && stderr.contains("can't be controlled: it goes on"),
        || stderr,
    )
}

/// The controller dies while a thread is parked; a second one would be parked later.
fn detached(how: &str, status: i32, stdout: &str) -> Result<(), Failed> {
    let options = &[ON_FORBIDDEN, &["--on-detach", how]].concat();
    let script = "cat {}/forbidden; echo $?; cat {}/forbidden; echo $?";
    let mut session = Session::start(options, &["bash", "-c", script])?;
    session.stop()?;
    session.hang_up();
    session.ends(status, stdout).map(drop)
}

fn detached_and_resumed() -> Result<(), Failed> {
    detached("resume", 0, "forbidden\n0\nforbidden\n0\n")
}

fn detached_and_killed() -> Result<(), Failed> {
    detached("kill", 0, "137\n137\n")
}

fn detached_and_kept() -> Result<(), Failed> {
    let options = &[
        ON_FORBIDDEN,
        &["--on-detach", "keep", "--stop-timeout", "700ms"],
    ]
    .concat();
    let script = "(sleep 0.3; echo meanwhile) & cat {}/forbidden; wait";
    let mut session = Session::start(options, &["bash", "-c", script])?;
    session.stop()?;
    session.hang_up();
    session.ends(0, "meanwhile\nforbidden\n").map(drop)
}

fn sandbox_ends() -> Result<(), Failed> {
    // The first process ends while another is parked.
    let script = "cat {}/forbidden & sleep 0.3; echo end";
    let mut session = Session::start(ON_FORBIDDEN, &["bash", "-c", script])?;
    session.stop()?;
    session.ends(0, "end\n").map(drop)
}

fn told_in_the_log() -> Result<(), Failed> {
    let log = Scratch::new()?;
    let path = log.path().join("log.jsonl");
    let path = path.to_string_lossy();
    let options = &[ON_FORBIDDEN, &["--trace", "--format", "json", "-o", &path]].concat();
    let mut session = Session::start(options, CAT)?;
    let stop = session.stop()?;
    let other = format!("{}/allowed", session.folder.path().display());
    session.resume(
        &stop,
        json!({"set": [format!("path={other}"), "flags|=O_CLOEXEC"]}),
    )?;
    session.ends(0, "allowed\nstatus 0\n")?;
    let text = std::fs::read_to_string(&*path)?;
    let events: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let find = |kind: &str| {
        let found = events
            .iter()
            .position(|event| event["type"] == kind && event["tid"] == stop["tid"]);
        found.ok_or_else(|| format!("no {kind} in\n{text}"))
    };
    let (stopped, resumed) = (find("stop")?, find("resume")?);
    let schema: Value = serde_json::from_str(include_str!("../../../resources/event.schema.json"))?;
    for index in [stopped, resumed] {
        vitrine_tests::schema::validate(&schema, &schema, &events[index], "event")?;
        let more = vitrine_tests::schema::undescribed(&schema, &events[index]);
        ensure(more.is_empty(), || format!("{more:?} isn't described"))?;
    }
    let call = events[resumed..]
        .iter()
        .find(|event| event["name"] == "openat" && event["rules"].is_array())
        .ok_or_else(|| format!("no call in\n{text}"))?;
    let rules = &call["rules"];
    ensure(
        stopped < resumed
            && events[stopped]["id"] == events[resumed]["id"]
            && events[stopped]["name"] == "openat"
            && events[resumed]["reason"] == "resumed"
            && events[resumed]["changes"] == 2
            && rules[0]["action"] == "stop"
            && rules[1]["action"] == "set"
            && rules[1]["by"] == "resume"
            && rules[1]["after"] == other.as_str()
            && rules[1]["before"]
                .as_str()
                .is_some_and(|path| path.ends_with("/forbidden"))
            && rules[2]["before"] == 0
            && call["args"][1]["value"] == other.as_str(),
        || format!("{}\n{}\n{call}", events[stopped], events[resumed]),
    )?;

    // strace's text has the call once, and nothing odd.
    let options = &[ON_FORBIDDEN, &["--trace", "-o", &path]].concat();
    let mut session = Session::start(options, CAT)?;
    let stop = session.stop()?;
    session.resume(&stop, json!({"return": "-EPERM"}))?;
    session.ends(0, "status 1\n")?;
    let text = std::fs::read_to_string(&*path)?;
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("/forbidden\", O_"))
        .collect();
    ensure(
        lines.len() == 1 && lines[0].contains("= -1 EPERM (Operation not permitted) (INJECTED)"),
        || format!("{lines:#?}"),
    )
}

fn bad_requests() -> Result<(), Failed> {
    let mut session = Session::start(ON_FORBIDDEN, CAT)?;
    let stop = session.stop()?;
    for request in [
        json!(1),
        json!({}),
        json!({"op": "nosuch"}),
        json!({"op": "resume", "set": 1}),
    ] {
        let answer = session.ask(&request)?;
        ensure(answer["ok"] == false, || format!("{request}: {answer}"))?;
    }
    session.resume(&stop, json!({}))?;
    session.ends(0, "forbidden\nstatus 0\n").map(drop)
}
