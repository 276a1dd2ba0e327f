//! The control API of a running sandbox: selection, rules and filters changed while it runs, live traces, and clients that misbehave.

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use vitrine_tests::{run, scaled, schema, shell_status, vitrine};

const SCHEMA: &str = include_str!("../../../resources/control.schema.json");

const EVENTS: &str = include_str!("../../../resources/event.schema.json");

type Test = fn() -> Result<(), Failed>;

const TESTS: &[(&str, Test)] = &[
    ("selection", selection),
    ("requests_reach_every_guest", requests_reach_every_guest),
    ("bad_requests_are_answered", bad_requests_are_answered),
    ("rules_are_swapped_whole", rules_are_swapped_whole),
    ("counts_survive_other_changes", counts_survive_other_changes),
    ("reload_keeps_the_old_set", reload_keeps_the_old_set),
    ("live_trace", live_trace),
    ("changes_are_in_the_log", changes_are_in_the_log),
    ("a_client_that_does_not_read", a_client_that_does_not_read),
    (
        "nothing_is_done_for_the_refused",
        nothing_is_done_for_the_refused,
    ),
];

/// A directory for sockets of its own, and sandboxes in it.
struct Sandboxes {
    home: PathBuf,
    running: Vec<Child>,
}

impl Sandboxes {
    fn new() -> Result<Sandboxes, Failed> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("vc-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&home)?;
        Ok(Sandboxes {
            home,
            running: Vec::new(),
        })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(vitrine());
        command.args(args);
        command.env("XDG_RUNTIME_DIR", &self.home);
        command.env_remove("VITRINE_SANDBOX");
        command
    }

    /// Starts a sandbox that runs a script, and waits until it answers.
    fn start(&mut self, name: &str, options: &[&str], script: &str) -> Result<(), Failed> {
        let mut command = self.command(&["run", "--name", name]);
        command.args(options).args(["--", "bash", "-c", script]);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        self.running.push(command.stdout(Stdio::piped()).spawn()?);
        let start = Instant::now();
        while self.client(name).is_err() {
            if start.elapsed() > scaled(Duration::from_secs(5)) {
                return Err("the sandbox has no control socket".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// A command's status and outputs.
    fn vitrine(&self, args: &[&str]) -> Result<(i32, String, String), Failed> {
        let outcome = run(self.command(args), b"", scaled(Duration::from_secs(10)))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let status = outcome.status.ok_or("the command hangs")?;
        Ok((
            shell_status(status),
            text(&outcome.stdout),
            text(&outcome.stderr),
        ))
    }

    fn client(&self, name: &str) -> Result<BufReader<UnixStream>, Failed> {
        let path = self.home.join(format!("vitrine/{name}.sock"));
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(scaled(Duration::from_secs(5))))?;
        let mut client = BufReader::new(stream);
        let greeting = line(&mut client)?;
        check(greeting["version"] == 1, || format!("{greeting}"))?;
        Ok(client)
    }
}

impl Drop for Sandboxes {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

fn line(client: &mut BufReader<UnixStream>) -> Result<Value, Failed> {
    let mut text = String::new();
    client.read_line(&mut text)?;
    let value = serde_json::from_str(&text).map_err(|error| format!("{text:?}: {error}"))?;
    let schema: Value = serde_json::from_str(SCHEMA)?;
    schema::validate(&schema, &schema, &value, "line")?;
    let members = value.as_object().into_iter().flatten();
    for (name, _) in members {
        check(!schema["properties"][name].is_null(), || {
            format!("the schema has no {name}")
        })?;
    }
    Ok(value)
}

fn ask(client: &mut BufReader<UnixStream>, request: &Value) -> Result<Value, Failed> {
    client
        .get_mut()
        .write_all(format!("{request}\n").as_bytes())?;
    line(client)
}

fn check(holds: bool, why: impl Fn() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(why().into()) }
}

/// Sleeps without a child that would be waited for.
const IDLE: &str = "exec sleep 30";

fn selection() -> Result<(), Failed> {
    let mut all = Sandboxes::new()?;
    let none = all.vitrine(&["rules", "list"])?;
    check(none.0 == 1 && none.2.contains("no sandbox"), || {
        format!("{none:?}")
    })?;
    all.start("one", &[], IDLE)?;
    let listed = all.vitrine(&["rules", "list", "--json"])?;
    check(listed.0 == 0 && listed.1 == "[]\n", || {
        format!("{listed:?}")
    })?;
    all.start("two", &[], IDLE)?;
    let several = all.vitrine(&["rules", "list"])?;
    check(several.0 == 1 && several.2.contains("one, two"), || {
        format!("{several:?}")
    })?;
    let unknown = all.vitrine(&["rules", "list", "-S", "three"])?;
    check(unknown.0 == 1, || format!("{unknown:?}"))?;
    let chosen = all.vitrine(&["rules", "list", "-S", "two"])?;
    check(chosen.0 == 0, || format!("{chosen:?}"))?;
    let taken = all.vitrine(&["run", "--name", "one", "--", "true"])?;
    check(taken.0 == 2 && taken.2.contains("one"), || {
        format!("{taken:?}")
    })?;
    // A killed sandbox leaves its socket: `ls` cleans it away.
    if let Some(child) = all.running.get_mut(1) {
        child.kill()?;
        child.wait()?;
    }
    let ls = all.vitrine(&["ls", "--json"])?;
    let list: Value = serde_json::from_str(&ls.1)?;
    let names: Vec<&Value> = list.as_array().into_iter().flatten().collect();
    check(names.len() == 1 && names[0]["name"] == "one", || {
        ls.1.clone()
    })?;
    check(!all.home.join("vitrine/two.sock").exists(), || {
        "the stale socket is still there".to_owned()
    })
}

fn requests_reach_every_guest() -> Result<(), Failed> {
    let mut all = Sandboxes::new()?;
    all.start("idle", &[], IDLE)?;
    all.start("busy", &[], "while :; do :; done")?;
    for name in ["idle", "busy"] {
        let mut client = all.client(name)?;
        for id in 0..20 {
            let answer = ask(&mut client, &json!({"id": id, "verb": "ping"}))?;
            check(
                answer["id"] == id && answer["ok"]["micros"].is_u64(),
                || format!("{name}: {answer}"),
            )?;
        }
    }
    Ok(())
}

fn bad_requests_are_answered() -> Result<(), Failed> {
    let mut all = Sandboxes::new()?;
    all.start("it", &[], IDLE)?;
    let mut client = all.client("it")?;
    for (text, kind) in [
        ("{", "malformed"),
        ("[]", "malformed"),
        (r#"{"verb":"no"}"#, "unknown-verb"),
        (r#"{"verb":"info","version":2}"#, "version"),
        (r#"{"verb":"info","x":1}"#, "bad-argument"),
        (r#"{"verb":"rules.add","rule":"nonsense"}"#, "language"),
        (r#"{"verb":"rules.remove","rule":9}"#, "not-found"),
        (r#"{"verb":"filter.set","filter":"evt.failed"}"#, "refused"),
    ] {
        client.get_mut().write_all(format!("{text}\n").as_bytes())?;
        let answer = line(&mut client)?;
        check(answer["error"]["kind"] == kind, || {
            format!("{text}: {answer}")
        })?;
    }
    // A very long line is answered once, thrown away, and the next request is heard.
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        client.get_mut().write_all(&piece)?;
    }
    client.get_mut().write_all(b"\n")?;
    let answer = line(&mut client)?;
    check(answer["error"]["kind"] == "malformed", || {
        format!("{answer}")
    })?;
    let answer = ask(&mut client, &json!({"id": "x", "verb": "info"}))?;
    check(answer["ok"]["name"] == "it", || format!("{answer}"))
}

/// Two rules that agree only if both are of the same set.
fn set(number: u32) -> String {
    format!(
        "[[rule]]\nname = 'a'\ncalls = 'umask'\nthen = 'return {number}'\n\
         [[rule]]\nname = 'b'\ncalls = 'umask'\nif = 'evt.res = {number}'\nthen = 'return {}'\n",
        number + 8
    )
}

fn rules_are_swapped_whole() -> Result<(), Failed> {
    let mut all = Sandboxes::new()?;
    let file = all.home.join("rules.toml");
    std::fs::write(&file, set(1))?;
    let path = file.to_string_lossy().into_owned();
    // umask 1 and 2 never come out: only 9 (octal 11) and 10 (octal 12).
    let script = "while :; do umask; done";
    all.start("it", &["--rules", &path], script)?;
    let mut child = all.running.pop().ok_or("no sandbox")?;
    let mut out = child.stdout.take().ok_or("no output")?;
    let reader = std::thread::spawn(move || {
        let mut seen = Vec::new();
        out.read_to_end(&mut seen).map(|_| seen)
    });
    let mut client = all.client("it")?;
    let swapped = (0..300).try_for_each(|round| {
        let files = json!([{ "path": path, "text": set(1 + round % 2) }]);
        let request = json!({"id": round, "verb": "rules.reload", "files": files});
        let answer = ask(&mut client, &request)?;
        check(answer["ok"]["rules"] == 2, || format!("{answer}"))
    });
    child.kill()?;
    child.wait()?;
    swapped?;
    let seen = reader.join().map_err(|_| "the reader panicked")??;
    let text = String::from_utf8_lossy(&seen).into_owned();
    let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    let wrong: Vec<&str> = complete
        .lines()
        .filter(|line| !["0011", "0012"].contains(line))
        .collect();
    check(wrong.is_empty() && complete.lines().count() > 10, || {
        format!("{wrong:?} of {} lines", complete.lines().count())
    })
}

fn counts_survive_other_changes() -> Result<(), Failed> {
    let mut all = Sandboxes::new()?;
    let script = "while :; do umask >/dev/null; done";
    all.start("it", &["--rule", "umask when=1 then return 5"], script)?;
    let mut client = all.client("it")?;
    let mut before = 0;
    for round in 0..10 {
        let rule = "umask when=1000000 then return 1";
        let request = json!({"verb": "rules.add", "rule": rule, "name": format!("r{round}")});
        let answer = ask(&mut client, &request)?;
        check(answer["ok"]["id"].is_u64(), || format!("{answer}"))?;
        let start = Instant::now();
        let matched = loop {
            std::thread::sleep(Duration::from_millis(5));
            let list = ask(&mut client, &json!({"verb": "rules.list"}))?;
            let first = &list["ok"][0];
            let matched = first["matched"].as_u64().unwrap_or(0);
            if matched > before {
                check(first["applied"] == 1, || first.to_string())?;
                break matched;
            }
            check(start.elapsed() < scaled(Duration::from_secs(3)), || {
                format!("{first} after {before}")
            })?;
        };
        before = matched;
    }
    for (verb, enabled) in [("rules.disable", false), ("rules.enable", true)] {
        ask(&mut client, &json!({"verb": verb, "rule": 1}))?;
        let list = ask(&mut client, &json!({"verb": "rules.list"}))?;
        check(list["ok"][0]["enabled"] == enabled, || format!("{list}"))?;
    }
    Ok(())
}

fn reload_keeps_the_old_set() -> Result<(), Failed> {
    let mut all = Sandboxes::new()?;
    let file = all.home.join("rules.toml");
    std::fs::write(&file, set(1))?;
    let path = file.to_string_lossy().into_owned();
    all.start("it", &["--rules", &path], IDLE)?;
    let before = all.vitrine(&["rules", "list", "--json"])?.1;
    std::fs::write(&file, "[[rule]]\ncalls = 'open")?;
    let half = all.vitrine(&["rules", "reload"])?;
    check(half.0 == 2 && half.2.contains("rules.toml"), || {
        format!("{half:?}")
    })?;
    std::fs::remove_file(&file)?;
    let gone = all.vitrine(&["rules", "reload"])?;
    check(gone.0 == 1 && gone.2.contains("stay as they are"), || {
        format!("{gone:?}")
    })?;
    let after = all.vitrine(&["rules", "list", "--json"])?.1;
    check(before == after, || format!("{before}{after}"))
}

fn live_trace() -> Result<(), Failed> {
    let mut all = Sandboxes::new()?;
    all.start("it", &[], "while :; do umask >/dev/null; done")?;
    let mut client = all.client("it")?;
    let request = json!({"id": 1, "verb": "trace", "filter": "evt.type = umask"});
    let answer = ask(&mut client, &request)?;
    check(answer["ok"]["following"] == true, || format!("{answer}"))?;
    let mut calls = 0;
    while calls < 100 {
        let message = line(&mut client)?;
        let text = message["event"].to_string();
        check(text.contains("umask") || !text.contains("\"call\""), || {
            message.to_string()
        })?;
        calls += usize::from(text.contains("umask"));
        // The follower knows the time of day, although it came late.
        let day = message["event"]["wall_ns"].as_u64().unwrap_or(0);
        check(day > 1 << 60, || message.to_string())?;
    }
    // A second one with other wishes, and the first goes on.
    let mut other = all.client("it")?;
    let request =
        json!({"id": 1, "verb": "trace", "filter": "evt.type = dup2", "format": "strace"});
    ask(&mut other, &request)?;
    let text = line(&mut other)?;
    check(
        text["text"]
            .as_str()
            .is_some_and(|text| text.contains("dup2(") && !text.contains("umask(")),
        || format!("{text}"),
    )?;
    drop(client);
    drop(other);
    let ls = all.vitrine(&["ls"])?;
    check(ls.0 == 0 && ls.1.contains("it"), || format!("{ls:?}"))
}

fn changes_are_in_the_log() -> Result<(), Failed> {
    let mut all = Sandboxes::new()?;
    let log = all.home.join("log");
    let path = log.to_string_lossy().into_owned();
    let options = [
        "--format",
        "json",
        "-o",
        &path,
        "--filter",
        "evt.type = umask",
    ];
    all.start("it", &options, "while :; do umask >/dev/null; done")?;
    const RULE: &str = "umask then return 7";
    for (args, ids) in [
        (&["rules", "add", RULE][..], "1"),
        (&["rules", "remove", "1"], "1"),
        (&["filter", "set", "evt.type = dup2"], ""),
    ] {
        let answer = all.vitrine(args)?;
        check(answer.0 == 0 && answer.1.contains(ids), || {
            format!("{answer:?}")
        })?;
        std::thread::sleep(scaled(Duration::from_millis(50)));
    }
    // Who comes late is told who is there.
    let mut client = all.client("it")?;
    ask(
        &mut client,
        &json!({"id": 1, "verb": "trace", "filter": "evt.kind = process"}),
    )?;
    let there = line(&mut client)?["event"].clone();
    let bash = there["type"] == "process" && there["comm"] == "bash" && there["pid"] == 1;
    check(bash && there["argv"][0] == "bash", || format!("{there}"))?;
    drop(
        all.running
            .pop()
            .map(|mut child| (child.kill(), child.wait())),
    );

    let text = std::fs::read_to_string(&log)?;
    let schema: Value = serde_json::from_str(EVENTS)?;
    let mut part = 0;
    let mut changes = Vec::new();
    let mut last = 0;
    for line in text.lines() {
        let event: Value = serde_json::from_str(line)?;
        schema::validate(&schema, &schema, &event, "event")?;
        let seq = event["seq"].as_u64().unwrap_or(0);
        check(seq > last, || format!("after {last}: {event}"))?;
        last = seq;
        if event["type"] == "config" {
            part += 1;
            changes.push((event["change"].clone(), event["text"].clone()));
        } else if event["type"] == "syscall" {
            // Every call is as the rules say that were told before it.
            let by_rule = part == 1;
            let name = if part == 3 { "dup2" } else { "umask" };
            let ruled = !event["rules"].is_null();
            check(event["name"] == name && ruled == by_rule, || {
                format!("after {part} changes: {event}")
            })?;
        }
    }
    let told = [
        (json!("rules.add"), json!(RULE)),
        (json!("rules.remove"), json!("1")),
        (json!("filter.set"), json!("evt.type = dup2")),
    ];
    check(changes == told, || format!("{changes:?}"))
}

fn nothing_is_done_for_the_refused() -> Result<(), Failed> {
    const MOST: usize = 32;
    let mut all = Sandboxes::new()?;
    all.start("it", &[], "sleep 1000")?;
    let mut clients = Vec::new();
    while clients.len() < MOST {
        // Those that `start` had may still be there.
        clients.extend(all.client("it").ok());
    }
    let path = all.home.join("vitrine/it.sock");
    for _ in 0..20 {
        let mut one_more = UnixStream::connect(&path)?;
        // It may be gone by then.
        let _ = one_more.write_all(
            b"{\"id\": 1, \"verb\": \"rules.add\", \"rule\": \"umask then return 7\"}\n",
        );
        let mut answer = String::new();
        one_more.set_read_timeout(Some(scaled(Duration::from_secs(5))))?;
        let _ = one_more.read_to_string(&mut answer);
        check(answer.contains("refused"), || answer.clone())?;
    }
    let client = clients.first_mut().ok_or("no client")?;
    let rules = ask(client, &json!({"id": 1, "verb": "rules.list"}))?;
    check(rules["ok"] == json!([]), || format!("{rules}"))
}

fn a_client_that_does_not_read() -> Result<(), Failed> {
    let mut all = Sandboxes::new()?;
    all.start("it", &[], "while :; do umask; done >/dev/null")?;
    let mut client = all.client("it")?;
    client.get_mut().write_all(b"{\"verb\":\"trace\"}\n")?;
    std::thread::sleep(Duration::from_millis(500));
    let mut other = all.client("it")?;
    for id in 0..10 {
        let answer = ask(&mut other, &json!({"id": id, "verb": "ping"}))?;
        check(answer["ok"]["micros"].is_u64(), || format!("{answer}"))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let trials = TESTS
        .iter()
        .map(|(name, test)| Trial::test(*name, *test))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
