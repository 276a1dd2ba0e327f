//! Options of `vitrine run`, good and bad.

use crate::{Check, ensure, one_line, text};
use libtest_mimic::Failed;
use vitrine_tests::{run_sandbox, run_script, scratch::Scratch};

pub const CHECKS: &[(&str, Check)] = &[
    ("hide", hide),
    ("environment", environment),
    ("working_directory", working_directory),
    ("user", user),
    ("hostname", hostname),
    ("root", root),
    ("bad_values", bad_values),
    ("no_kvm", no_kvm),
    ("trace_output", trace_output),
];

fn hide() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    folder.file("secret", "s\n", 0o644)?;
    folder.file("open", "o\n", 0o644)?;
    let place = folder.path().display();
    let look = "ls; cat open secret; test -e secret; echo $?";
    for path in [
        format!("{place}/secret"),
        "secret".into(),
        "./secret".into(),
    ] {
        let script = format!("cd {place}; $V run --hide {path} -- sh -c '{look}'");
        let outcome = run_script(&script, 20)?;
        ensure(
            text(&outcome) == "open\no\n1\n",
            &format!("--hide {path}"),
            &outcome,
        )?;
    }
    let script = format!("$V run --hide {place} --hide /no/such -- ls {place}");
    let outcome = run_script(&script.replace(" --hide /no/such", ""), 20)?;
    ensure(outcome.1 == 2, "a folder is not hidden", &outcome)?;
    let outcome = run_sandbox(&["--hide", "/bin/true"], &["/bin/true"], 20)?;
    one_line(&outcome, 127, "/bin/true")
}

fn environment() -> Result<(), Failed> {
    let script = "A=1 $V run --env B=2 --env A --env C= --env D=x=y -- env | grep '^[A-D]=' | sort";
    let outcome = run_script(script, 20)?;
    ensure(
        text(&outcome) == "A=1\nB=2\nC=\nD=x=y\n",
        "variables",
        &outcome,
    )?;
    let script =
        "A=1 B=2 $V run --clear-env --env B --env C=3 --env NOT_SET -- /usr/bin/env | sort";
    let outcome = run_script(script, 20)?;
    ensure(text(&outcome) == "B=2\nC=3\n", "not cleared", &outcome)?;
    let outcome = run_sandbox(&["--env", "PATH=/nowhere"], &["ls"], 20)?;
    one_line(&outcome, 127, "ls")
}

fn working_directory() -> Result<(), Failed> {
    let outcome = run_sandbox(&["--cwd", "/usr/lib"], &["pwd"], 20)?;
    ensure(text(&outcome) == "/usr/lib\n", "--cwd", &outcome)?;
    let outcome = run_script("cd /usr/share; $V run -- /bin/pwd", 20)?;
    ensure(text(&outcome) == "/usr/share\n", "the caller's", &outcome)?;
    for bad in ["/no/such", "/etc/passwd"] {
        one_line(&run_sandbox(&["--cwd", bad], &["pwd"], 20)?, 125, bad)?;
    }
    Ok(())
}

fn user() -> Result<(), Failed> {
    let outcome = run_sandbox(
        &["--user", "1000:100"],
        &["sh", "-c", "id -u; id -g; id -G"],
        20,
    )?;
    ensure(text(&outcome) == "1000\n100\n100\n", "--user", &outcome)?;
    for (user, ids) in [
        ("daemon", "1\n1\n1\n"),
        ("daemon:tty", "1\n5\n5\n"),
        ("7:tty", "7\n5\n5\n"),
    ] {
        let argv = ["sh", "-c", "id -u; id -g; id -G"];
        let outcome = run_sandbox(&["--user", user], &argv, 20)?;
        ensure(text(&outcome) == ids, &format!("--user {user}"), &outcome)?;
    }
    let outcome = run_sandbox(
        &["--user", "1000"],
        &["sh", "-c", "cat /etc/shadow; echo x > /etc/x"],
        20,
    )?;
    ensure(
        outcome.1 != 0 && outcome.0.stdout.is_empty(),
        "it may do what root may",
        &outcome,
    )
}

fn hostname() -> Result<(), Failed> {
    let outcome = run_sandbox(
        &["--hostname", "glass"],
        &["sh", "-c", "hostname; uname -n"],
        20,
    )?;
    ensure(text(&outcome) == "glass\nglass\n", "--hostname", &outcome)
}

fn root() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    std::fs::copy("/bin/busybox", folder.path().join("busybox"))?;
    let place = folder.path().display().to_string();
    let argv = ["/busybox", "ls", "/"];
    let outcome = run_sandbox(&["--root", &place], &argv, 20)?;
    let listed = text(&outcome);
    ensure(
        outcome.1 == 0 && listed.contains("busybox") && !listed.contains("etc"),
        "--root",
        &outcome,
    )?;
    one_line(&run_sandbox(&["--root", &place], &["ls"], 20)?, 127, "ls")?;
    one_line(
        &run_sandbox(&["--root", "/no/such"], &["ls"], 20)?,
        125,
        "/no/such",
    )
}

fn bad_values() -> Result<(), Failed> {
    for options in [
        &["--no-such-option"][..],
        &["--mem"],
        &["--mem", "lots"],
        &["--max-processes", "0"],
        &["--max-processes", "x"],
        &["--guest-mode", "other"],
        &["--format", "xml"],
        &["--user", "no-such-user"],
        &["--user", "1:"],
        &["--user", "0:no-such-group"],
        &["--env", "=x"],
        &["--env", ""],
        &[
            "--hostname",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ],
    ] {
        let outcome = run_sandbox(options, &["echo", "ran"], 20)?;
        ensure(outcome.1 == 2, &format!("{options:?} are taken"), &outcome)?;
        let told = outcome.0.stderr.starts_with(b"error: ") && outcome.0.stdout.is_empty();
        ensure(told, &format!("{options:?}: no clear error"), &outcome)?;
    }
    Ok(())
}

fn no_kvm() -> Result<(), Failed> {
    // The binary may lie where other users can't reach it.
    let folder = Scratch::new()?;
    let copy = folder.path().join("vitrine");
    std::fs::copy(vitrine_tests::vitrine(), &copy)?;
    let other = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    let script = format!("cd /; {other} {} run -- true", copy.display());
    let outcome = run_script(&script, 20)?;
    let opens = outcome.1 == 0;
    if !opens {
        one_line(&outcome, 125, "/dev/kvm")?;
    }
    let unshare = format!(
        "unshare -m sh -c 'mount -t tmpfs none /dev; exec {} run -- true'",
        copy.display()
    );
    let outcome = run_script(&unshare, 20)?;
    one_line(&outcome, 125, "/dev/kvm")
}

fn trace_output() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    let file = folder.path().join("log").display().to_string();
    let outcome = run_sandbox(&["--trace", "-o", &file], &["echo", "hi"], 20)?;
    ensure(outcome.1 == 0 && text(&outcome) == "hi\n", "-o", &outcome)?;
    let log = std::fs::read_to_string(&file)?;
    ensure(log.contains("\"hi\\n\", 3) = 3"), "no log", &outcome)?;
    one_line(
        &run_sandbox(&["--trace", "-o", "/no/such/log"], &["true"], 20)?,
        125,
        "/no/such/log",
    )?;
    let outcome = run_script("$V run --trace -o /dev/full -- true; echo $?", 20)?;
    ensure(
        !outcome.0.stderr.is_empty(),
        "a trace that can't be written goes unnoticed",
        &outcome,
    )?;
    let outcome = run_script(
        "$V run --trace -- seq 100000 2>&1 >/dev/null | head -1; echo ${PIPESTATUS[0]}",
        20,
    )?;
    ensure(
        text(&outcome).lines().count() == 2,
        "a reader of the trace that goes away",
        &outcome,
    )
}
