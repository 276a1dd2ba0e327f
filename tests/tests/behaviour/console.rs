//! Standard descriptors of every kind.

use crate::{Check, ensure, text};
use libtest_mimic::Failed;
use vitrine_tests::{run_script, same, scratch::Scratch};

pub const CHECKS: &[(&str, Check)] = &[
    ("input", input),
    ("closed_descriptors", closed_descriptors),
    ("much_output", much_output),
    ("a_slow_reader", a_slow_reader),
    ("output_to_files", output_to_files),
    ("mapped_files", mapped_files),
    ("a_full_disk", a_full_disk),
    ("sockets", sockets),
    ("non_blocking_descriptors", non_blocking_descriptors),
];

fn input() -> Result<(), Failed> {
    for command in [
        "$R wc -c < /dev/null",
        "$R wc -l < /etc/passwd",
        "head -c 5M /dev/zero | $R wc -c",
        "head -c 3M /dev/urandom > \"$T\"; $R md5sum < \"$T\" | cut -c1-32; md5sum < \"$T\" | cut -c1-32; rm \"$T\"",
        "(sleep 0.3; echo late) | $R cat",
        "printf 'a\\nb\\nc\\n' | $R sh -c 'read x; echo got $x; cat'",
        "seq 5 | $R tail -2",
        "$R sh -c 'cat; cat' <<< here",
    ] {
        let command = command.replace("$T", &format!("/tmp/vitrine-input-{}", std::process::id()));
        let hashes = command.contains("urandom");
        if hashes {
            let outcome = run_script(&command, 30)?;
            let shown = text(&outcome);
            let lines: Vec<&str> = shown.lines().collect();
            ensure(lines.len() == 2 && lines[0] == lines[1], &command, &outcome)?;
        } else {
            same(&command, 30)?;
        }
    }
    Ok(())
}

fn closed_descriptors() -> Result<(), Failed> {
    for command in [
        "$R cat <&-; echo $?",
        "$R echo hi >&-; echo $?",
        "$R sh -c 'echo err >&2; echo out' 2>&-; echo $?",
        "$R sh -c 'echo hi' >&- 2>&-; echo $?",
        "$R sh -c 'readlink /proc/self/fd/0 || echo none' <&-",
        "$R sh -c 'test -e /proc/self/fd/1; echo $? >&2' 2>&1 >&-",
    ] {
        same(command, 20).map_err(|error| format!("{command}: {error}"))?;
    }
    Ok(())
}

fn much_output() -> Result<(), Failed> {
    same("$R seq 2000000 | md5sum", 60)?;
    same("$R head -c 64M /dev/zero | md5sum", 60)?;
    Ok(same(
        "$R sh -c 'seq 100000; seq 100000 >&2' 2>&1 | md5sum",
        60,
    )?)
}

fn a_slow_reader() -> Result<(), Failed> {
    same("$R seq 300000 | { sleep 1; md5sum; }", 30)?;
    Ok(same(
        "$R seq 100000 | while read -r x; do read -r y; s=$((s + x)); done; echo $?",
        60,
    )?)
}

fn output_to_files() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    let script = format!(
        "cd {}; $R sh -c 'echo one; echo two >&2; echo three' > f 2>&1; cat f; $R echo four >> f; cat f; $R echo five > f; cat f",
        folder.path().display()
    );
    Ok(same(&script, 20)?)
}

fn mapped_files() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    let read = "import mmap; m = mmap.mmap(0, 0, prot=mmap.PROT_READ); print(len(m), m[:4], m[-6:]); c = mmap.mmap(0, 0, access=mmap.ACCESS_COPY); c[0] = 65; print(c[:2])";
    let write = "import mmap, os; m = mmap.mmap(0, 0); m[1:3] = b\"XY\"; print(os.pread(0, 4, 0)); os.pwrite(0, b\"Z\", 0); print(m[:4]); m[9998:] = b\"QR\"";
    let script = format!(
        "cd {}; head -c 10000 /dev/zero | tr '\\0' a > f; $R /usr/bin/python3 -c '{read}' < f; cksum < f; $R /usr/bin/python3 -c '{write}' <> f; cksum < f; $R /usr/bin/python3 -c 'import mmap; mmap.mmap(0, 4096)' < f 2>/dev/null; echo $?",
        folder.path().display()
    );
    Ok(same(&script, 20)?)
}

fn a_full_disk() -> Result<(), Failed> {
    same("$R echo hi > /dev/full; echo $?", 20)?;
    same("$R sh -c 'echo hi; echo $? >&2' 2>&1 > /dev/full", 20)?;
    Ok(same(
        "$R dd if=/dev/zero bs=1k count=3 of=/dev/stdout > /dev/full; echo $?",
        20,
    )?)
}

fn sockets() -> Result<(), Failed> {
    let code = r#"
import socket, subprocess, sys
ours, theirs = socket.socketpair()
child = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs)
theirs.close(); ours.sendall(b"over a socket\n"); ours.shutdown(socket.SHUT_WR)
print(ours.recv(100), child.wait())
"#;
    Ok(same(&format!("/usr/bin/python3 -c '{code}' $R cat"), 20)?)
}

fn non_blocking_descriptors() -> Result<(), Failed> {
    let code = r#"
import os, subprocess, sys
r, w = os.pipe(); os.set_blocking(w, False); os.set_blocking(r, False)
i, o = os.pipe(); os.set_blocking(i, False)
child = subprocess.Popen(sys.argv[1:], stdin=i, stdout=w, pass_fds=[])
os.close(w); os.close(i); os.set_blocking(r, True)
import time; time.sleep(0.3)
os.write(o, b"x" * 1000); os.close(o)
n = 0
while True:
    piece = os.read(r, 65536)
    if not piece: break
    n += len(piece)
print(n, child.wait())
"#;
    let outcome = run_script(
        &format!("/usr/bin/python3 -c '{code}' $R sh -c 'seq 50000; cat'"),
        30,
    )?;
    ensure(outcome.1 == 0, "it failed", &outcome)
}
