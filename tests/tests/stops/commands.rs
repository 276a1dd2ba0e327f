//! `vitrine stops`, `vitrine resume`, `vitrine break`, and a client of the control socket that dies.

use super::ensure;
use libtest_mimic::Failed;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use vitrine_tests::{sandboxed, scaled, scratch::Scratch, shell_status, vitrine};

/// A sandbox in a runtime folder of its own.
struct Sandbox {
    folder: Scratch,
    child: Child,
}

impl Sandbox {
    fn start(options: &[&str], script: &str) -> Result<Sandbox, Failed> {
        let folder = Scratch::new()?;
        folder.file("allowed", "allowed\n", 0o644)?;
        folder.file("forbidden", "forbidden\n", 0o644)?;
        let place = folder.path().to_string_lossy().into_owned();
        let mut all = vec!["--name".to_owned(), "test".to_owned()];
        all.extend(options.iter().map(|word| word.replace("{}", &place)));
        let argv = [
            "bash".to_owned(),
            "-c".to_owned(),
            script.replace("{}", &place),
        ];
        let child = sandboxed(&all, &argv)
            .env("XDG_RUNTIME_DIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Sandbox { folder, child })
    }

    fn command(&self, words: &[&str]) -> Result<Output, Failed> {
        Ok(Command::new(vitrine())
            .args(words)
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .stdin(Stdio::null())
            .output()?)
    }

    /// Repeats a command until its output is good.
    fn until(&self, words: &[&str], good: impl Fn(&str) -> bool) -> Result<String, Failed> {
        let start = Instant::now();
        loop {
            let output = self.command(words)?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() && good(&text) {
                return Ok(text);
            }
            if start.elapsed() > scaled(Duration::from_secs(15)) {
                return Err(format!("{words:?}: {output:?}").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn stops(&self) -> Result<Value, Failed> {
        let text = self.until(&["stops", "--json"], |text| text.trim() != "[]")?;
        Ok(serde_json::from_str(&text)?)
    }

    fn ends(mut self, stdout: &str) -> Result<String, Failed> {
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > scaled(Duration::from_secs(15)) {
                return Err("the sandbox doesn't end".into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let status = self.child.wait()?;
        let mut texts = [Vec::new(), Vec::new()];
        if let (Some(out), Some(err)) = (&mut self.child.stdout, &mut self.child.stderr) {
            std::io::Read::read_to_end(out, &mut texts[0])?;
            std::io::Read::read_to_end(err, &mut texts[1])?;
        }
        let [out, err] = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
        ensure(shell_status(status) == 0 && out == stdout, || {
            format!("{status}\n--- stdout\n{out}--- expected\n{stdout}--- stderr\n{err}")
        })?;
        Ok(err)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ON_FORBIDDEN: &[&str] = &["--break", "openat if path == {}/forbidden"];

pub fn commands() -> Result<(), Failed> {
    let script = "for i in 1 2 3 4; do cat {}/forbidden; echo $?; done";
    let sandbox = Sandbox::start(ON_FORBIDDEN, script)?;
    let stop = sandbox.stops()?[0].clone();
    let pid = stop["pid"].to_string();
    let table = sandbox.command(&["stops", "-v"])?;
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    ensure(
        table.starts_with("s1 ")
            && table.contains("/forbidden\", O_RDONLY)")
            && table.contains("rip "),
        || table,
    )?;
    for (words, status, about) in [
        (&["resume", "99999"][..], 1, "99999"),
        (&["resume", &pid, "--set", "nosuch=1"], 2, "nosuch"),
        (&["resume", &pid, "--return", "-ENOSUCH"], 2, "ENOSUCH"),
        (&["resume", "cat"], 2, "cat"),
        (&["resume"], 2, "required"),
    ] {
        let output = sandbox.command(words)?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure(
            output.status.code() == Some(status) && text.contains(about),
            || format!("{words:?}: {output:?}"),
        )?;
    }
    let set = format!("pathname={}/allowed", sandbox.folder.path().display());
    for how in [
        &["--set", &set][..],
        &["--return", "-ENOENT"],
        &["--kill"],
        &[],
    ] {
        let stop = sandbox.stops()?[0].clone();
        let pid = stop["pid"].to_string();
        let words = [&["resume", &pid], how].concat();
        let output = sandbox.command(&words)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure(
            output.status.success() && text.starts_with(&format!("s{} ", stop["id"])),
            || format!("{words:?}: {output:?}"),
        )?;
    }
    let stderr = sandbox.ends("allowed\n0\n1\n137\nforbidden\n0\n")?;
    // Once, for somebody who doesn't know.
    ensure(stderr.matches("`vitrine resume ").count() == 1, || stderr)
}

pub fn live_breakpoint() -> Result<(), Failed> {
    let script =
        "while [ ! -e /tmp/seen ]; do cat {}/forbidden >/dev/null; sleep 0.05; done; echo end";
    let sandbox = Sandbox::start(&[], script)?;
    let at = format!(
        "openat if path == {}/forbidden",
        sandbox.folder.path().display()
    );
    let added = sandbox.until(&["break", &at], |text| text.starts_with("added rule "))?;
    let rule = added.trim().trim_start_matches("added rule ").to_owned();
    let stop = sandbox.stops()?[0].clone();
    let removed = sandbox.command(&["rules", "remove", &rule])?;
    ensure(removed.status.success(), || format!("{removed:?}"))?;
    // From now on nothing stops; the script's condition comes true by another change of the same call.
    let seen = "flags=O_RDONLY|O_CREAT";
    let output = sandbox.command(&[
        "resume",
        &stop["pid"].to_string(),
        "--set",
        "path=/tmp/seen",
        "--set",
        seen,
        "--set",
        "mode=0644",
    ])?;
    ensure(output.status.success(), || format!("{output:?}"))?;
    sandbox.ends("end\n").map(drop)
}

pub fn watcher_dies() -> Result<(), Failed> {
    let sandbox = Sandbox::start(
        ON_FORBIDDEN,
        "sleep 0.5; cat {}/forbidden; cat {}/forbidden",
    )?;
    sandbox.until(&["stops"], |_| true)?;
    let stream = UnixStream::connect(sandbox.folder.path().join("vitrine/test.sock"))?;
    stream.set_read_timeout(Some(scaled(Duration::from_secs(15))))?;
    let request = json!({"id": 1, "verb": "stops.watch"});
    (&stream).write_all(format!("{request}\n").as_bytes())?;
    let mut lines = BufReader::new(&stream).lines();
    let told = loop {
        let line = lines.next().ok_or("the connection ends")??;
        let value: Value = serde_json::from_str(&line)?;
        if !value["stop"].is_null() {
            break value;
        }
    };
    ensure(
        told["stop"]["id"] == 1 && told["stop"]["name"] == "openat",
        || told.to_string(),
    )?;
    drop(lines);
    drop(stream);
    sandbox.ends("forbidden\nforbidden\n").map(drop)
}
