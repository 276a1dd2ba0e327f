//! A person at a terminal. Sessions whose text is determined are held natively too, and must look the same.

use crate::Check;
use libtest_mimic::Failed;
use rustix::process::Signal;
use std::{process::Command, thread::sleep, time::Duration};
use vitrine_tests::{
    sandboxed,
    terminal::{Terminal, without_numbers},
};

pub const CHECKS: &[(&str, Check)] = &[
    ("shell", shell),
    ("interrupt", interrupt),
    ("job_control", job_control),
    ("line_editing", line_editing),
    ("resize", resize),
    ("readline_programs", readline_programs),
    ("raw_programs", raw_programs),
    ("screen_programs", screen_programs),
    ("passwords", passwords),
    ("modes_after_exit", modes_after_exit),
    ("modes_after_signals", modes_after_signals),
    (
        "modes_after_a_killed_workload",
        modes_after_a_killed_workload,
    ),
    ("modes_after_failure", modes_after_failure),
    ("hang_up", hang_up),
    ("only_output_is_a_terminal", only_output_is_a_terminal),
    ("in_the_background", in_the_background),
    ("flow_control_and_big_output", flow_control_and_big_output),
    ("input_before_it_is_wanted", input_before_it_is_wanted),
];

/// A session's course.
type Course = fn(&mut Terminal) -> Result<(), String>;

const SHELL: &[&str] = &["bash", "--norc", "--noprofile", "-i"];

/// A terminal with a command, natively or in a sandbox.
fn terminal(argv: &[&str], natively: bool) -> Result<Terminal, String> {
    let mut command = if natively {
        let mut command = Command::new(argv.first().ok_or("no command")?);
        command.args(&argv[1..]);
        command
    } else {
        sandboxed(&[], argv)
    };
    for (name, value) in [
        ("PS1", "$ "),
        ("TERM", "dumb"),
        ("HISTFILE", "/dev/null"),
        ("PYTHON_HISTORY", "/dev/null"),
    ] {
        command.env(name, value);
    }
    command.env_remove("PROMPT_COMMAND").current_dir("/tmp");
    Terminal::start(&command, 30, 100)
}

/// Takes the course in a sandbox; the session's text.
fn session(argv: &[&str], natively: bool, course: Course) -> Result<String, String> {
    let mut terminal = terminal(argv, natively)?;
    course(&mut terminal).map_err(|error| {
        let place = if natively {
            "natively"
        } else {
            "in the sandbox"
        };
        format!("{place}: {error}")
    })?;
    Ok(without_numbers(&terminal.seen()))
}

/// Takes the course natively and in a sandbox: both sessions must look the same but for numbers.
fn alike(argv: &[&str], course: Course) -> Result<(), Failed> {
    let native = session(argv, true, course)?;
    let inside = session(argv, false, course)?;
    if native == inside {
        return Ok(());
    }
    Err(format!("--- native\n{native:?}\n--- sandbox\n{inside:?}").into())
}

fn same(what: &str, left: &str, right: &str) -> Result<(), Failed> {
    if left == right {
        return Ok(());
    }
    Err(format!("{what}\n{left:?}\n{right:?}").into())
}

fn shell() -> Result<(), Failed> {
    alike(SHELL, |t| {
        t.expect("$ ")?;
        t.line("echo a b", "\na b\r\n$ ")?;
        t.line("tty | sed 's/[0-9]*$//'", "\n/dev/pts/\r\n$ ")?;
        t.line("stty size", "\n30 100\r\n$ ")?;
        t.line("test -t 0 -a -t 1 -a -t 2; echo tty $?", "\ntty 0\r\n$ ")?;
        t.line("ls -d /et?", "\n/etc\r\n$ ")?;
        t.line("(exit 3)", "$ ")?;
        t.line("echo $?", "\n3\r\n$ ")?;
        t.line("stty -a | grep -o 'isig icanon'", "\nisig icanon\r\n$ ")?;
        t.line("echo x > /dev/tty", "\nx\r\n$ ")?;
        t.send("\x04")?;
        assert_status(t.end()?, 0)
    })
}

fn assert_status(status: i32, expected: i32) -> Result<(), String> {
    if status == expected {
        Ok(())
    } else {
        Err(format!("status {status}, not {expected}"))
    }
}

/// The foreground job has been started: nothing shows that on the terminal.
fn settle() {
    sleep(vitrine_tests::scaled(Duration::from_millis(400)));
}

fn interrupt() -> Result<(), Failed> {
    alike(SHELL, |t| {
        t.expect("$ ")?;
        t.line("sleep 100", "\n")?;
        settle();
        t.send("\x03")?;
        t.expect("^C\r\n$ ")?;
        t.line("echo $?", "\n130\r\n$ ")?;
        t.line("while :; do :; done", "\n")?;
        settle();
        t.send("\x03")?;
        t.expect("$ ")?;
        t.line("sleep 100", "\n")?;
        settle();
        t.send("\x1c")?;
        t.expect("Quit")?;
        t.expect("$ ")?;
        t.send("half a line")?;
        t.expect("half a line")?;
        // Readline loses a signal that comes while it isn't reading.
        settle();
        t.send("\x03")?;
        t.expect("$ ")?;
        t.line("/usr/bin/python3 -c 'while True: pass'", "\n")?;
        settle();
        t.send("\x03")?;
        t.expect("KeyboardInterrupt\r\n")?;
        t.expect("$ ")?;
        t.line("exit 5", "\n")?;
        assert_status(t.end()?, 5)
    })
}

fn job_control() -> Result<(), Failed> {
    alike(SHELL, |t| {
        t.expect("$ ")?;
        t.line("sleep 100", "\n")?;
        settle();
        t.send("\x1a")?;
        t.expect("Stopped")?;
        t.expect("$ ")?;
        t.line("jobs", "Stopped")?;
        t.expect("$ ")?;
        t.line("fg", "\nsleep 100\r\n")?;
        settle();
        t.send("\x03")?;
        t.expect("$ ")?;
        t.line("sleep 100 &", "\n[1] ")?;
        t.expect("$ ")?;
        t.line("jobs", "Running")?;
        t.expect("$ ")?;
        t.line("kill %1; wait", "$ ")?;
        t.line("cat", "\n")?;
        settle();
        t.line("typed", "\ntyped\r\n")?;
        t.send("\x1a")?;
        t.expect("Stopped")?;
        t.expect("$ ")?;
        // It reads in the background: stopped by SIGTTIN.
        t.line("bg; sleep 0.5", "Stopped")?;
        t.expect("$ ")?;
        t.line("jobs", "Stopped")?;
        t.expect("$ ")?;
        t.line("fg", "\ncat\r\n")?;
        t.line("again", "\nagain\r\n")?;
        t.send("\x04")?;
        t.expect("$ ")?;
        t.line("(sleep 0.3; echo late) & wait", "late\r\n")?;
        t.expect("$ ")?;
        t.line("sleep 100 | cat", "\n")?;
        settle();
        t.send("\x1a")?;
        t.expect("Stopped")?;
        t.expect("$ ")?;
        t.line("exit", "There are stopped jobs")?;
        t.expect("$ ")?;
        t.line("exit", "\n")?;
        t.end().map(drop)
    })
}

fn line_editing() -> Result<(), Failed> {
    alike(&["cat"], |t| {
        settle();
        t.line("plain", "\nplain\r\n")?;
        t.line("abX\x7fc", "\nabc\r\n")?;
        t.line("all gone\x15kept", "\nkept\r\n")?;
        t.line("one two\x17three", "\none three\r\n")?;
        t.line("\x16\x03literal", "\n\x03literal\r\n")?;
        t.line("tab\there \x1b[A", "\ntab\there \x1b[A\r\n")?;
        t.line("reprint\x12ed", "ed\r\nreprinted\r\n")?;
        t.send("no newline\x04")?;
        t.expect("no newlineno newline")?;
        t.send("\x04")?;
        assert_status(t.end()?, 0)
    })?;
    // The guest's terminal starts with the modes of the caller's: what erases, and whether a character may have several bytes.
    for setup in [
        "iutf8",
        "-iutf8",
        "erase ^H",
        "intr ^K -ixon",
        "-echo",
        "tab3",
    ] {
        let script = format!("stty {setup}; {} sh -c 'echo up; cat; stty -a'", "\"$@\"");
        let vitrine = vitrine_tests::vitrine().display().to_string();
        let mut texts = Vec::new();
        for runner in [&["env"][..], &[&vitrine, "run", "--"]] {
            let argv = [&["sh", "-c", &script, "sh"], runner].concat();
            let mut t = terminal(&argv, true)?;
            t.expect("up\r\n")?;
            settle();
            t.send("grüße\x7f\x7fx\x08\x08y\tz\n\x04")?;
            assert_status(t.end()?, 0)?;
            texts.push(t.seen());
        }
        same(setup, &texts[0], &texts[1])?;
    }
    // Without a handler Ctrl-C ends the program, and so the sandbox.
    alike(&["cat"], |t| {
        settle();
        t.send("\x03")?;
        assert_status(t.end()?, 130)
    })
}

fn resize() -> Result<(), Failed> {
    alike(SHELL, |t| {
        t.expect("$ ")?;
        t.line("shopt -s checkwinsize", "$ ")?;
        t.line("cat", "\n")?;
        settle();
        t.resize(40, 123)?;
        settle();
        t.send("\x04")?;
        t.expect("$ ")?;
        t.line("stty size", "\n40 123\r\n$ ")?;
        t.line("/bin/true; echo $LINES $COLUMNS", "\n40 123\r\n$ ")?;
        t.line("exit", "\n")?;
        t.end().map(drop)
    })?;
    let script = "trap 'stty size; exit 6' WINCH; echo up; while :; do sleep 0.1; done";
    alike(&["bash", "-c", script], |t| {
        t.expect("up\r\n")?;
        t.resize(11, 22)?;
        t.expect("11 22\r\n")?;
        assert_status(t.end()?, 6)
    })
}

fn readline_programs() -> Result<(), Failed> {
    alike(&["/usr/bin/python3", "-q", "-i"], |t| {
        t.expect(">>> ")?;
        t.line("6 * 7", "\n42\r\n>>> ")?;
        t.line("input('name? ')", "\r\nname? ")?;
        t.line("me", "'me'\r\n>>> ")?;
        t.line("import time; time.sleep(100)", "\n")?;
        settle();
        t.send("\x03")?;
        t.expect("KeyboardInterrupt")?;
        t.expect(">>> ")?;
        t.line("1/0", "ZeroDivisionError: division by zero\r\n>>> ")?;
        t.send("\x04")?;
        t.end().map(drop)
    })?;
    alike(&["sqlite3"], |t| {
        t.expect("sqlite> ")?;
        t.line(
            "create table t(a); insert into t values (4), (5);",
            "sqlite> ",
        )?;
        t.line("select sum(a) from t;", "\n9\r\n")?;
        t.expect("sqlite> ")?;
        t.line(".quit", "\n")?;
        t.end().map(drop)
    })
}

fn raw_programs() -> Result<(), Failed> {
    let script = "stty raw -echo; echo ready; x=$(dd bs=1 count=3 2>/dev/null | od -An -c); stty sane; echo; echo \"got$x\"; \
        stty -icanon min 0 time 3; head -c 5 | wc -c; stty sane; read -t 1 -n 2 y; echo; echo read $y";
    alike(&["bash", "-c", script], |t| {
        t.expect("ready")?;
        t.send("a\x03\x04")?;
        t.expect("got   a 003 004")?;
        t.expect("0\r\n")?;
        t.send("xy")?;
        t.expect("read xy\r\n")?;
        assert_status(t.end()?, 0)
    })
}

fn screen_programs() -> Result<(), Failed> {
    let file = std::env::temp_dir().join(format!("vitrine-screen-{}", std::process::id()));
    let lines: Vec<String> = (1..=200).map(|line| format!("line {line}")).collect();
    std::fs::write(&file, lines.join("\n"))?;
    let path = file.display().to_string();
    let result = screens(&path);
    std::fs::remove_file(&file)?;
    result
}

fn screens(path: &str) -> Result<(), Failed> {
    let less = format!("TERM=xterm LESS= exec less {path}");
    let mut t = terminal(&["sh", "-c", &less], false)?;
    t.expect("line 29")?;
    t.send(" ")?;
    t.expect("line 58")?;
    t.send("G")?;
    t.expect("line 200")?;
    t.send("q")?;
    assert_status(t.end()?, 0)?;
    let vi = format!("TERM=xterm exec vi -u NONE {path}");
    let mut t = terminal(&["sh", "-c", &format!("{vi}; ")], false)?;
    t.expect("line 28")?;
    t.send("dG")?;
    t.send("ityped text\x1b")?;
    t.send(":w! /tmp/out\r")?;
    t.expect("written")?;
    t.send(":!cat /tmp/out\r")?;
    t.expect("typed text\r\n")?;
    t.send("\r:q!\r")?;
    assert_status(t.end()?, 0)?;
    Ok(())
}

fn passwords() -> Result<(), Failed> {
    alike(
        &[
            "bash",
            "-c",
            "read -s -p 'Password: ' p; echo; echo ${#p} characters",
        ],
        |t| {
            t.expect("Password: ")?;
            settle();
            t.line("secret", "6 characters\r\n")?;
            if t.seen().contains("secret") {
                return Err("the password was shown".into());
            }
            assert_status(t.end()?, 0)
        },
    )
}

/// The modes of an untouched terminal, and a sandbox that has made it raw.
fn raw_sandbox(argv: &[&str]) -> Result<(String, Terminal), String> {
    let before = terminal(&["true"], true)?;
    let mut t = terminal(argv, false)?;
    let modes = before.modes()?;
    t.expect("up\r\n")?;
    t.modes_differ(&modes)?;
    Ok((modes, t))
}

fn modes_after_exit() -> Result<(), Failed> {
    for script in [
        "echo up; read x; exit 3",
        "echo up; stty raw -echo; read x; exit 3",
    ] {
        let (modes, mut t) = raw_sandbox(&["bash", "-c", script])?;
        settle();
        t.send("\n")?;
        let status = t.end();
        let status = match status {
            Ok(status) => status,
            Err(_) => {
                t.send("\r\n")?;
                t.end()?
            }
        };
        assert_status(status, 3)?;
        same("modes after exit", &modes, &t.modes()?)?;
    }
    Ok(())
}

fn modes_after_signals() -> Result<(), Failed> {
    for (signal, status) in [
        (Signal::TERM, 143),
        (Signal::HUP, 129),
        (Signal::INT, 130),
        (Signal::QUIT, 131),
    ] {
        for script in ["echo up; exec sleep 100", "echo up; while :; do :; done"] {
            let case = |error| format!("{signal:?} to {script:?}: {error}");
            let (modes, mut t) = raw_sandbox(&["sh", "-c", script]).map_err(case)?;
            t.signal(signal)?;
            let end = t.end().map_err(case)?;
            assert_status(end, status).map_err(case)?;
            same("modes after a signal", &modes, &t.modes()?)?;
        }
    }
    let (modes, mut t) = raw_sandbox(&[
        "bash",
        "-c",
        "trap '' TERM; echo up; while :; do sleep 1; done",
    ])?;
    t.signal(Signal::TERM)?;
    // Longer than two signals that are meant as one are apart, and shorter than the second still means it.
    sleep(Duration::from_millis(500));
    t.signal(Signal::TERM)?;
    assert_status(t.end()?, 143)?;
    same("modes after two signals", &modes, &t.modes()?)
}

fn modes_after_a_killed_workload() -> Result<(), Failed> {
    for (script, status) in [
        ("kill -KILL $$", 137),
        ("kill -SEGV $$", 139),
        ("stty raw; kill -ABRT $$", 134),
    ] {
        let script = format!("ulimit -c 0; echo up; sleep 0.3; {script}");
        let (modes, mut t) = raw_sandbox(&["sh", "-c", &script])?;
        assert_status(t.end()?, status)?;
        same("modes after the workload was killed", &modes, &t.modes()?)?;
    }
    Ok(())
}

fn modes_after_failure() -> Result<(), Failed> {
    let untouched = terminal(&["true"], true)?.modes()?;
    for (argv, status) in [
        (&["/no/such"][..], 127),
        (&["/etc"], 126),
        (&["/usr/bin/env", "/no/such"], 127),
    ] {
        let mut t = terminal(argv, false)?;
        assert_status(t.end()?, status)?;
        same("modes after a failure", &untouched, &t.modes()?)?;
    }
    Ok(())
}

fn hang_up() -> Result<(), Failed> {
    let mut t = terminal(SHELL, false)?;
    t.expect("$ ")?;
    let children = || {
        let output = Command::new("pgrep")
            .args(["-f", "vitrine-hang-up-mark"])
            .output();
        output.map(|output| output.stdout)
    };
    t.line("exec -a vitrine-hang-up-mark sleep 100", "\n")?;
    drop(t);
    settle();
    if children()?.is_empty() {
        return Ok(());
    }
    Err("a sandbox outlives its terminal".into())
}

fn only_output_is_a_terminal() -> Result<(), Failed> {
    for script in [
        "echo piped | \"$@\" sh -c 'cat; test -t 0; echo $?; test -t 1; echo $?'",
        "\"$@\" sh -c 'test -t 0; echo $?; test -t 1; echo $? >&2' </dev/null | cat",
        "\"$@\" sh -c 'test -t 0; echo $? >&2; echo data; read x; echo $x' | cat",
    ] {
        let mut texts = Vec::new();
        for natively in [true, false] {
            let vitrine = vitrine_tests::vitrine().display().to_string();
            let mut argv = vec!["sh", "-c", script, "sh"];
            if natively {
                argv.push("env");
            } else {
                argv.extend([&vitrine, "run", "--"]);
            }
            let mut t = terminal(&argv, true)?;
            t.send("typed\n")?;
            assert_status(t.end()?, 0)?;
            // When the terminal shows what was typed ahead is a matter of chance.
            texts.push(t.seen().replace("typed\r\n", ""));
        }
        same(script, &texts[0], &texts[1])?;
    }
    Ok(())
}

fn in_the_background() -> Result<(), Failed> {
    let vitrine = vitrine_tests::vitrine();
    let mut t = terminal(SHELL, true)?;
    t.expect("$ ")?;
    let modes = t.modes()?;
    // It may write; it doesn't touch the terminal's modes.
    t.line(
        &format!("{} run -- echo from behind & wait", vitrine.display()),
        "from behind\r\n",
    )?;
    t.expect("$ ")?;
    same("modes", &modes, &t.modes()?)?;
    t.line(&format!("{} run -- sleep 100 &", vitrine.display()), "$ ")?;
    settle();
    t.line("kill %1; wait %1; echo status $?", "\nstatus 143\r\n")?;
    t.line(&format!("{} run -- cat &", vitrine.display()), "$ ")?;
    settle();
    t.line("echo not its input", "\nnot its input\r\n")?;
    t.line("fg", "run -- cat\r\n")?;
    settle();
    t.line("its input", "\nits input\r\n")?;
    t.send("\x04")?;
    t.expect("$ ")?;
    t.line("exit", "\n")?;
    t.end()?;
    Ok(())
}

fn flow_control_and_big_output() -> Result<(), Failed> {
    let mut t = terminal(SHELL, false)?;
    t.expect("$ ")?;
    t.line("seq 1 60000 | tail -60000", "\n60000\r\n$ ")?;
    t.send("\x13")?;
    settle();
    t.send("echo hidden\n")?;
    if t.expect_within("hidden", Duration::from_millis(500))
        .is_ok()
    {
        return Err("Ctrl-S didn't stop the output".into());
    }
    t.send("\x11")?;
    t.expect("hidden\r\n")?;
    t.line("yes", "y\r\ny\r\n")?;
    settle();
    t.send("\x03")?;
    t.expect_within("$ ", Duration::from_secs(30))?;
    t.line("exit 4", "\n")?;
    assert_status(t.end()?, 4)?;
    Ok(())
}

fn input_before_it_is_wanted() -> Result<(), Failed> {
    let mut t = terminal(&["sh", "-c", "sleep 1; cat; cat"], false)?;
    t.send("typed ahead\nmore\n")?;
    t.expect("typed ahead\r\nmore\r\n")?;
    settle();
    t.send("\x04")?;
    settle();
    t.send("second\n\x04")?;
    t.expect("second\r\n")?;
    assert_status(t.end()?, 0)?;
    Ok(())
}
