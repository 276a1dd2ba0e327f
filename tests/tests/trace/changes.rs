//! Changes to a process's state, told where `--events` asks for them: all kinds, in order, as the schema says; none where it doesn't.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::{process::Command, time::Duration};
use vitrine_tests::{excerpt, run, schema, vitrine};

/// The trials.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("events::every_kind_fits_the_schema", every_kind),
        Trial::test("events::only_what_is_asked_for", only_asked),
        Trial::test("events::unknown_group", unknown_group),
        Trial::test("events::executables", executables),
        Trial::test("events::a_filter_asks_for_them", by_filter),
    ]
}

const SCRIPT: &str = "
import os, fcntl, mmap, signal, socket
a, b = os.pipe()
os.dup2(a, 50)
os.set_inheritable(b, True)
x, y = socket.socketpair()
socket.send_fds(x, [b'!'], [a])
socket.recv_fds(y, 1, 1)
os.close(b)
m = mmap.mmap(-1, 1 << 20)
m.resize(1 << 22)
m.close()
os.umask(0o27)
signal.signal(signal.SIGUSR1, lambda *_: None)
os.kill(os.getpid(), signal.SIGUSR1)
if os.fork() == 0:
    os.setsid()
    if os.getuid() == 0:
        os.setresuid(1000, 1000, 1000)
    os.execv('/bin/true', ['true'])
os.wait()
";

fn log(groups: &str) -> Result<(Option<i32>, String), Failed> {
    let mut command = Command::new(vitrine());
    command.args(["run", "--events", groups, "--format", "json", "-o"]);
    let path = std::env::temp_dir().join(format!(
        "vitrine-changes-{}-{}",
        std::process::id(),
        groups.len()
    ));
    command.arg(&path);
    command.args(["--", "/usr/bin/python3", "-I", "-c", SCRIPT]);
    let outcome = run(command, b"", Duration::from_secs(60))?;
    let text =
        std::fs::read(&path).map_err(|error| format!("{error}\n{}", excerpt(&outcome.stderr)))?;
    let _ = std::fs::remove_file(&path);
    let status = outcome.status.and_then(|status| status.code());
    Ok((status, String::from_utf8(text)?))
}

fn parsed(text: &str) -> Result<Vec<Value>, Failed> {
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}

fn every_kind() -> Result<(), Failed> {
    let (status, text) = log("all")?;
    if status != Some(0) {
        return Err(format!("ended with {status:?}").into());
    }
    let root: Value = serde_json::from_str(include_str!("../../../resources/event.schema.json"))?;
    let events = parsed(&text)?;
    let mut last: Option<u64> = None;
    for event in &events {
        schema::validate(&root, &root, event, "event").map_err(|why| format!("{why}: {event}"))?;
        let unknown = schema::undescribed(&root, event);
        if !unknown.is_empty() {
            return Err(format!("{unknown:?} are in no schema: {event}").into());
        }
        let seq = event["seq"].as_u64().ok_or("no seq")?;
        if last.is_some_and(|last| seq != last + 1) {
            return Err(format!("after event {last:?} comes {event}").into());
        }
        last = Some(seq);
    }
    let has = |members: &[(&str, &str)]| {
        events.iter().any(|event| {
            let mut members = members.iter();
            members.all(|(name, value)| event[*name] == **value)
        })
    };
    let mut wanted = vec![
        vec![("type", "umask")],
        vec![("type", "session")],
        vec![("type", "signal_sent"), ("signal", "SIGUSR1")],
        vec![("type", "signal"), ("action", "handler")],
    ];
    // Only root can become somebody else.
    if events.first().is_some_and(|event| event["uid"] == 0) {
        wanted.push(vec![("type", "credentials")]);
    }
    for op in ["map", "unmap", "protect", "brk", "remap", "clear"] {
        wanted.push(vec![("type", "mapping"), ("op", op)]);
    }
    for op in [
        "opened",
        "closed",
        "duplicated",
        "cloexec",
        "received",
        "closed_by_exec",
    ] {
        wanted.push(vec![("type", "descriptor"), ("op", op)]);
    }
    for members in wanted {
        if !has(&members) {
            return Err(format!("no event with {members:?}").into());
        }
    }
    Ok(())
}

fn only_asked() -> Result<(), Failed> {
    let (_, text) = log("credentials")?;
    let events = parsed(&text)?;
    let others = ["syscall", "exec", "fork", "mapping", "descriptor", "signal"];
    if events.is_empty() {
        return Err("nothing was told".into());
    }
    match events
        .iter()
        .find(|event| others.iter().any(|name| event["type"] == **name))
    {
        Some(event) => Err(format!("nobody asked for {event}").into()),
        None => Ok(()),
    }
}

fn unknown_group() -> Result<(), Failed> {
    let mut command = Command::new(vitrine());
    command.args(["run", "--events", "maps", "--", "/bin/true"]);
    let outcome = run(command, b"", Duration::from_secs(20))?;
    let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
    if outcome.status.and_then(|status| status.code()) == Some(2) && said.contains("mappings") {
        return Ok(());
    }
    Err(format!("{:?}: {said}", outcome.status).into())
}

/// A program's file is known by its hash, but only as long as it is the host's.
fn executables() -> Result<(), Failed> {
    const SCRIPT: &str = "/bin/true; cp /bin/true /usr/bin/env; /usr/bin/env";
    let path = std::env::temp_dir().join(format!("vitrine-executables-{}", std::process::id()));
    let mut command = Command::new(vitrine());
    command.args(["run", "--events", "process", "--format", "json", "-o"]);
    command.arg(&path);
    command.args(["--user", "0:0", "--", "/bin/sh", "-c", SCRIPT]);
    let outcome = run(command, b"", Duration::from_secs(30))?;
    let text =
        std::fs::read(&path).map_err(|error| format!("{error}\n{}", excerpt(&outcome.stderr)))?;
    let _ = std::fs::remove_file(&path);
    let events = parsed(&String::from_utf8(text)?)?;
    let file = |name: &str| {
        let mut found = events.iter().filter(|event| event["type"] == "exec");
        let found =
            found.find(|event| event["exe"].as_str().is_some_and(|exe| exe.ends_with(name)));
        found
            .map(|event| event["file"].clone())
            .ok_or(format!("no {name} was executed"))
    };
    let original = file("/true")?;
    let sum = Command::new("sha256sum").arg("/bin/true").output()?;
    let sum = String::from_utf8(sum.stdout)?;
    let sum = sum.split(' ').next();
    if original["sha256"].as_str() != sum || original["elf"]["kind"].is_null() {
        return Err(format!("sha256sum says {sum:?}, the event {original}").into());
    }
    let changed = file("/env")?;
    if changed["original"] != false || !changed["sha256"].is_null() {
        return Err(format!("what the host has says nothing of {changed}").into());
    }
    Ok(())
}

/// What a filter names is written without `--events`.
fn by_filter() -> Result<(), Failed> {
    let path = std::env::temp_dir().join(format!("vitrine-by-filter-{}", std::process::id()));
    let mut command = Command::new(vitrine());
    command.args([
        "run",
        "--filter",
        "evt.type = mapping",
        "--format",
        "json",
        "-o",
    ]);
    command.arg(&path).args(["--", "/bin/true"]);
    let outcome = run(command, b"", Duration::from_secs(20))?;
    let text =
        std::fs::read(&path).map_err(|error| format!("{error}\n{}", excerpt(&outcome.stderr)))?;
    let _ = std::fs::remove_file(&path);
    let events = parsed(&String::from_utf8(text)?)?;
    match events.iter().find(|event| event["type"] != "mapping") {
        _ if events.is_empty() => Err("nothing was told".into()),
        Some(event) => Err(format!("nobody asked for {event}").into()),
        None => Ok(()),
    }
}
