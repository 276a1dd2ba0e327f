//! The log itself: JSON that keeps its promises, nothing lost that isn't said, paths as they ran.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::{
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use vitrine_tests::{Outcome, excerpt, nested, run, scaled, shell_status, vitrine};

/// The trials.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("json::keys", json_keys),
        Trial::test("json::names_follow_fork_and_exec", names_follow),
        Trial::test("lossless::to_a_file", || lossless("file")),
        Trial::test("lossless::to_a_slow_pipe", || lossless("pipe")),
        Trial::test("lossy::counts_what_is_lost", lossy),
        Trial::test("complete::killed", killed),
        Trial::test("complete::terminated", terminated),
        Trial::test("complete::vmm_killed_while_quiet", vmm_killed_while_quiet),
        Trial::test("complete::vmm_killed_while_busy", vmm_killed_while_busy),
        Trial::test("paths::a_race_is_logged_as_it_ran", race),
    ]
}

fn python(script: &str) -> [String; 4] {
    ["/usr/bin/python3", "-I", "-c", script].map(str::to_owned)
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("vitrine-contents-{}-{name}", std::process::id()))
}

/// Runs a command traced into a file; what it did and the log.
fn traced(options: &[&str], argv: &[String], name: &str) -> Result<(Outcome, String), Failed> {
    let path = file(name);
    let mut command = Command::new(vitrine());
    command
        .args(["run", "--trace"])
        .args(options)
        .arg("-o")
        .arg(&path);
    command.arg("--").args(argv);
    let outcome = run(command, b"", scaled(Duration::from_secs(60)))?;
    let log =
        std::fs::read(&path).map_err(|error| format!("{error}\n{}", excerpt(&outcome.stderr)))?;
    let _ = std::fs::remove_file(&path);
    Ok((outcome, String::from_utf8_lossy(&log).into_owned()))
}

fn events(argv: &[String], name: &str) -> Result<Vec<Value>, Failed> {
    let (_, log) = traced(&["--format", "json"], argv, name)?;
    let parse = |line: &str| {
        serde_json::from_str(line).map_err(|error| Failed::from(format!("{error}: {line}")))
    };
    log.lines().map(parse).collect()
}

const FORKS: &str = "
import ctypes, os, signal, threading
def work():
    ctypes.CDLL(None).prctl(15, b'worker', 0, 0, 0)
    open('/etc/hostname').read()
thread = threading.Thread(target=work)
thread.start()
thread.join()
child = os.fork()
if child == 0:
    os.getppid()
    os.execve('/bin/sh', ['sh', '-c', 'exit 3'], {'A': 'b'})
os.waitpid(child, 0)
open(b'/tmp/\\xff\\\\x', 'w').write('a')
";

fn json_keys() -> Result<(), Failed> {
    let events = events(&python(FORKS), "keys")?;
    let mut last = 0;
    for event in &events {
        let need = |keys: &[&str]| match keys.iter().find(|key| event.get(**key).is_none()) {
            Some(key) => Err(Failed::from(format!("no {key} in {event}"))),
            None => Ok(()),
        };
        need(&[
            "seq", "time_ns", "type", "pid", "tid", "ppid", "uid", "gid", "comm", "exe",
        ])?;
        let seq = event["seq"].as_u64().unwrap_or(0);
        if seq <= last {
            return Err(format!("{seq} after {last}").into());
        }
        last = seq;
        match event["type"].as_str().unwrap_or_default() {
            "syscall" | "syscall_enter" => {
                need(&["nr", "name", "raw", "args", "ret", "errno", "duration_ns"])?;
                let raw = event["raw"].as_array().ok_or("raw is no list")?;
                if raw.len() != 6 || !raw.iter().all(Value::is_u64) {
                    return Err(format!("raw of {event}").into());
                }
                let args = event["args"].as_array().ok_or("args is no list")?;
                let whole = |arg: &Value| {
                    arg["name"].is_string() && arg["text"].is_string() && arg.get("value").is_some()
                };
                if !args.iter().all(whole) {
                    return Err(format!("args of {event}").into());
                }
            }
            "exec" => need(&["argv", "envp", "cwd"])?,
            "exit" => need(&["status", "user_ns", "system_ns", "max_rss"])?,
            _ => {}
        }
    }
    let opened = |event: &&Value| {
        event["name"] == "openat" && event["args"][1]["value"] == "/tmp/\\xff\\\\x"
    };
    let opened = events.iter().find(opened).ok_or("no escaped path")?;
    if opened["ret_fd"]["path"] != "/tmp/\\xff\\\\x" || opened["args"][0]["fd"]["kind"] != "dir" {
        return Err(format!("descriptors of {opened}").into());
    }
    Ok(())
}

fn names_follow() -> Result<(), Failed> {
    let events = events(&python(FORKS), "names")?;
    let find = |what: &str, is_it: &dyn Fn(&Value) -> bool| {
        let found = events.iter().find(|event| is_it(event)).cloned();
        found.ok_or_else(|| Failed::from(format!("no {what}")))
    };
    let fork = find("fork", &|e| {
        e["type"] == "fork" && e["child_pid"] != e["pid"]
    })?;
    let child = &fork["child_pid"];
    let before = find("getppid", &|e| e["name"] == "getppid" && e["pid"] == *child)?;
    let exec = find("exec", &|e| e["type"] == "exec" && e["pid"] == *child)?;
    let end = find("exit", &|e| e["type"] == "exit" && e["pid"] == *child)?;
    let worker = find("worker", &|e| e["comm"] == "worker" && e["name"] == "read")?;
    let first = find("execve", &|e| e["name"] == "execve" && e["pid"] == 1)?;
    let checks = [
        ("before exec", before["comm"] == "python3"),
        ("ppid", before["ppid"] == 1 && before["ret"] == 1),
        (
            "exec",
            exec["comm"] == "sh" && exec["exe"] == "/usr/bin/dash",
        ),
        (
            "argv",
            exec["argv"] == serde_json::json!(["sh", "-c", "exit 3"]),
        ),
        ("envp", exec["envp"] == serde_json::json!(["A=b"])),
        (
            "exit",
            end["comm"] == "sh" && end["code"] == 3 && end["status"] == 768,
        ),
        ("thread", worker["pid"] == 1 && worker["tid"] != 1),
        ("first", first["args"][0]["value"] == "/usr/bin/python3"),
    ];
    match checks.iter().find(|(_, holds)| !holds) {
        None => Ok(()),
        Some((name, _)) => {
            Err(format!("{name}: {before}\n{exec}\n{end}\n{worker}\n{first}").into())
        }
    }
}

fn program(name: &str, argument: &str) -> [String; 2] {
    let path = PathBuf::from(env!("VITRINE_TEST_PROGRAMS")).join(name);
    [path.to_string_lossy().into_owned(), argument.to_owned()]
}

/// Reads a log from a pipe as long as it comes, pausing while it is short.
fn slow_log(options: &[&str], argv: &[String]) -> Result<(String, String), Failed> {
    let mut command = Command::new(vitrine());
    command
        .args(["run", "--trace"])
        .args(options)
        .args(["-o", "/dev/stdout", "--"]);
    command
        .args(argv)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut pipe = child.stdout.take().ok_or("no pipe")?;
    let mut log = Vec::new();
    let mut piece = vec![0; 64 << 10];
    std::thread::sleep(Duration::from_secs(1));
    loop {
        let len = pipe.read(&mut piece)?;
        if len == 0 {
            break;
        }
        log.extend_from_slice(&piece[..len]);
        if log.len() < 4 << 20 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let output = child.wait_with_output()?;
    Ok((
        String::from_utf8_lossy(&log).into_owned(),
        excerpt(&output.stderr),
    ))
}

/// So many calls that the ring runs full, in the time that the machine has for it.
fn many() -> usize {
    if nested() { 200_000 } else { 1_000_000 }
}

fn lossless(to: &str) -> Result<(), Failed> {
    let calls = many();
    let argv = program("repeat", &calls.to_string());
    let log = match to {
        "pipe" => slow_log(&[], &argv)?.0,
        _ => traced(&[], &argv, "lossless")?.1,
    };
    let count = log.matches("getppid()").count();
    let ends = log.trim_end().ends_with("+++ exited with 0 +++");
    if count == calls && ends && !log.contains("lost") {
        return Ok(());
    }
    Err(format!("{count} of {calls} calls; {}", excerpt(log.as_bytes())).into())
}

fn lossy() -> Result<(), Failed> {
    let argv = program("repeat", &many().to_string());
    let (log, messages) = slow_log(&["--lossy", "--format", "json"], &argv)?;
    let mut last = 0;
    let mut lost = 0;
    for line in log.lines() {
        let event: Value = serde_json::from_str(line)?;
        let seq = event["seq"].as_u64().unwrap_or(0);
        if event["type"] == "drops" {
            let count = event["count"].as_u64().unwrap_or(0);
            if event["first_seq"] != last + 1 {
                return Err(format!("after {last}: {line}").into());
            }
            lost += count;
            last += count;
        } else if seq != last + 1 && last != 0 {
            return Err(format!("a gap that nothing tells of, after {last}: {line}").into());
        } else {
            last = seq;
        }
    }
    if lost > 0 && messages.contains(&format!("{lost} events were dropped")) {
        return Ok(());
    }
    Err(format!("{lost} lost; {messages}").into())
}

fn killed() -> Result<(), Failed> {
    let argv = ["sh", "-c", "kill -9 $$"].map(str::to_owned);
    let (outcome, log) = traced(&[], &argv, "killed")?;
    let status = outcome.status.map(shell_status);
    let mut lines = log.lines().rev();
    let last = lines.next().unwrap_or_default();
    let call = lines.next().unwrap_or_default();
    if status == Some(137)
        && last.ends_with("+++ killed by SIGKILL +++")
        && call.contains("kill(1, SIGKILL)")
        && call.ends_with("= ?")
    {
        return Ok(());
    }
    Err(format!("{status:?}\n{call}\n{last}").into())
}

fn terminated() -> Result<(), Failed> {
    let path = file("terminated");
    let mut command = Command::new("timeout");
    let seconds = scaled(Duration::from_secs(1)).as_secs().to_string();
    command.args(["-s", "TERM", &seconds]).arg(vitrine());
    command
        .args(["run", "--trace", "-o"])
        .arg(&path)
        .args(["--", "sleep", "300"]);
    let outcome = run(command, b"", scaled(Duration::from_secs(20)))?;
    let log = std::fs::read_to_string(&path)?;
    let _ = std::fs::remove_file(&path);
    let expected = [
        "? ERESTART_RESTARTBLOCK",
        "--- SIGTERM {",
        "+++ killed by SIGTERM +++",
    ];
    let tail: Vec<&str> = log.lines().rev().take(3).collect();
    let agrees = tail.len() == 3
        && tail
            .iter()
            .rev()
            .zip(expected)
            .all(|(line, part)| line.contains(part));
    if agrees && outcome.status.is_some() {
        return Ok(());
    }
    Err(format!("{:?}\n{}", outcome.status, excerpt(log.as_bytes())).into())
}

/// Runs a command traced to JSON, kills the VMM when `until` says so of the program's output, and returns the log's events.
fn vmm_killed(
    argv: &[String],
    name: &str,
    until: impl FnOnce(&mut dyn Read) -> std::io::Result<()>,
) -> Result<Vec<Value>, Failed> {
    let path = file(name);
    let mut child = Command::new(vitrine())
        .args(["run", "--trace", "--format", "json", "-o"])
        .arg(&path)
        .arg("--")
        .args(argv)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut pipe = child.stdout.take().ok_or("no pipe")?;
    let seen = until(&mut pipe);
    child.kill()?;
    child.wait()?;
    seen?;
    let log = std::fs::read_to_string(&path)?;
    let _ = std::fs::remove_file(&path);
    // Linux ends a write(2) that SIGKILL finds under way at a page boundary: of the last line there may be a part.
    let whole = log.rfind('\n').map_or(0, |end| end + 1);
    let parse = |line: &str| {
        serde_json::from_str(line).map_err(|error| Failed::from(format!("{error}: {line}")))
    };
    log[..whole].lines().map(parse).collect()
}

/// What a program did a moment before its VMM is killed is in the log.
fn vmm_killed_while_quiet() -> Result<(), Failed> {
    let argv = ["sh", "-c", "echo first; sleep 0.2; echo last; sleep 100"].map(str::to_owned);
    let events = vmm_killed(&argv, "quiet", |pipe| {
        let mut text = [0; 11];
        pipe.read_exact(&mut text)?;
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    })?;
    let has = |text: &str| {
        events
            .iter()
            .any(|event| event["name"] == "write" && event["args"][1]["value"] == text)
    };
    if has("first\n") && has("last\n") {
        return Ok(());
    }
    Err(format!("{:?}", events.last()).into())
}

/// However busy it is: what is there of the log has no gap.
fn vmm_killed_while_busy() -> Result<(), Failed> {
    let argv = program("repeat", "1000000000");
    let events = vmm_killed(&argv, "busy", |_| {
        // It is busy when it has written this much, however fast the machine is.
        const BUSY: u64 = 2 << 20;
        let until = Instant::now() + scaled(Duration::from_secs(10));
        while std::fs::metadata(file("busy")).map_or(0, |log| log.len()) < BUSY {
            if Instant::now() > until {
                return Err(std::io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    })?;
    let calls: Vec<u64> = events
        .iter()
        .filter(|event| event["name"] == "getppid")
        .filter_map(|event| event["seq"].as_u64())
        .collect();
    let gap = calls.windows(2).find(|pair| pair[1] != pair[0] + 1);
    match gap {
        None if calls.len() > 1000 => Ok(()),
        _ => Err(format!("{} calls, gap {gap:?}", calls.len()).into()),
    }
}

/// One thread changes the path that another one opens: each line's path and descriptor must be the same file.
fn race() -> Result<(), Failed> {
    let opens = many() / 10;
    let (_, log) = traced(&[], &program("race", &opens.to_string()), "race")?;
    let mut seen = [0; 2];
    // A call may have two lines, but its path and its result are what counts.
    let mut begun = std::collections::BTreeMap::new();
    for line in log.lines() {
        let tid = line.split(' ').next().unwrap_or_default();
        let path = |mark: char, end: char| {
            let rest = line.get(line.find(mark)? + 1..)?;
            rest.split(end).next()
        };
        let named = if line.contains("openat(") {
            path('"', '"')
        } else {
            begun.remove(tid)
        };
        if line.ends_with("<unfinished ...>") {
            begun.extend(named.map(|named| (tid, named)));
            continue;
        }
        let (Some(named), Some((_, result))) = (named, line.rsplit_once("= ")) else {
            continue;
        };
        if !named.starts_with("/tmp/vitrine-race") {
            continue;
        }
        if !result.contains(&format!("<{named}>")) {
            return Err(format!("logged {named}, opened {result}").into());
        }
        seen[usize::from(named.ends_with('b'))] += 1;
    }
    if seen[0] + seen[1] < opens || seen[0] < 100 || seen[1] < 100 {
        return Err(format!("seen {seen:?}").into());
    }
    Ok(())
}
