//! How a run ends that somebody cuts short.

use crate::{Check, ensure, text};
use libtest_mimic::Failed;
use vitrine_tests::{run_script, same, scratch::Scratch};

pub const CHECKS: &[(&str, Check)] = &[
    ("signals_end_the_workload", signals_end_the_workload),
    ("the_workload_may_catch_them", the_workload_may_catch_them),
    (
        "the_second_signal_ends_a_deaf_one",
        the_second_signal_ends_a_deaf_one,
    ),
    ("signals_end_a_busy_one", signals_end_a_busy_one),
    ("nothing_is_left_behind", nothing_is_left_behind),
    ("a_reader_that_goes_away", a_reader_that_goes_away),
    (
        "background_processes_end_with_it",
        background_processes_end_with_it,
    ),
    ("two_at_once", two_at_once),
    ("writes_vanish", writes_vanish),
];

fn signals_end_the_workload() -> Result<(), Failed> {
    let script = "for s in TERM INT HUP QUIT KILL; do $V run -- sh -c 'echo up; exec sleep 100' | { \
        read; kill -$s $(pgrep -P $$ vitrine); cat; } ; echo $s ${PIPESTATUS[0]}; done";
    let outcome = run_script(script, 60)?;
    let expected = "TERM 143\nINT 130\nHUP 129\nQUIT 131\nKILL 137\n";
    ensure(
        text(&outcome) == expected,
        "not the signals' statuses",
        &outcome,
    )?;
    ensure(
        outcome.0.stderr.iter().all(|&byte| byte != b'v'),
        "vitrine complains",
        &outcome,
    )
}

fn the_workload_may_catch_them() -> Result<(), Failed> {
    let script = "$V run -- bash -c 'trap \"echo caught; exit 9\" TERM; echo up; while :; do sleep 0.1; done' | { \
        read; kill -TERM $(pgrep -P $$ vitrine); cat; }; echo ${PIPESTATUS[0]}";
    let outcome = run_script(script, 30)?;
    ensure(
        text(&outcome) == "caught\n9\n",
        "it didn't catch it",
        &outcome,
    )
}

fn the_second_signal_ends_a_deaf_one() -> Result<(), Failed> {
    let script = "$V run -- bash -c 'trap \"\" TERM; echo up; while :; do sleep 0.1; done' | { \
        read; v=$(pgrep -P $$ vitrine); kill -TERM $v; sleep 0.2; kill -TERM $v; cat; }; echo ${PIPESTATUS[0]}";
    let outcome = run_script(script, 30)?;
    ensure(text(&outcome) == "143\n", "it lives", &outcome)
}

fn signals_end_a_busy_one() -> Result<(), Failed> {
    for work in [
        "while :; do :; done",
        "exec dd if=/dev/zero of=/dev/null bs=1M",
        "yes > /dev/null",
    ] {
        let script = format!(
            "$V run -- sh -c 'echo up; {work}' | {{ read; kill -TERM $(pgrep -P $$ vitrine); cat; }}; echo ${{PIPESTATUS[0]}}"
        );
        let outcome = run_script(&script, 30)?;
        ensure(
            text(&outcome) == "143\n",
            &format!("{work}: status"),
            &outcome,
        )?;
    }
    Ok(())
}

/// But the directory of control sockets, which is empty; a killed sandbox's socket stays until `vitrine ls` finds it stale.
fn nothing_is_left_behind() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    let script = format!(
        "cd {0}; export TMPDIR={0} XDG_RUNTIME_DIR={0}; for s in TERM KILL; do \
         $V run -- sh -c 'touch made-inside; sleep 100 & echo up; wait' | {{ read; kill -$s $(pgrep -P $$ vitrine); cat; }}; \
         [ $s = KILL ] && $V ls >/dev/null; ls -A {0}/vitrine; done; \
         ls -A {0} | grep -vx vitrine; pgrep -P $$ vitrine",
        folder.path().display()
    );
    let outcome = run_script(&script, 30)?;
    ensure(
        outcome.0.stdout.is_empty(),
        "files or processes are left",
        &outcome,
    )
}

fn a_reader_that_goes_away() -> Result<(), Failed> {
    same("$R yes | head -1; echo ${PIPESTATUS[0]}", 20)?;
    same("$R sh -c 'yes; echo $? >&2' 2>&1 >&1 | head -1", 20)?;
    same(
        "$R /usr/bin/python3 -c 'while True: print(1)' 2>/dev/null | head -1; echo ${PIPESTATUS[0]}",
        20,
    )?;
    same("$R sh -c 'trap \"\" PIPE; while echo x; do :; done; echo ended $? >&2' 2>&1 >&3 3>&- | cat", 20)
        .or_else(|_| same("{ $R sh -c 'trap \"\" PIPE; while echo x 2>/dev/null; do :; done; exit 5'; echo $? >&2; } | head -1", 20))?;
    Ok(same(
        "{ $R sh -c 'cat /etc/passwd; exit 4'; echo $? >&2; } 2>&1 >/dev/null | cat",
        20,
    )?)
}

fn background_processes_end_with_it() -> Result<(), Failed> {
    let outcome = run_script("time $V run -- sh -c 'sleep 100 & echo up'", 30)?;
    let prompt = outcome.0.time.as_secs() < 10;
    ensure(
        outcome.1 == 0 && text(&outcome) == "up\n" && prompt,
        "it waits",
        &outcome,
    )
}

fn two_at_once() -> Result<(), Failed> {
    let script = "for i in 1 2; do $V run -- sh -c \"echo $i > /tmp/vitrine-mine; sleep 0.5; cat /tmp/vitrine-mine; ls /proc | grep -c '^[0-9]'\" > >(tr '\\n' ' ') & \
        pids=\"$pids $!\"; done; wait $pids; sleep 0.2";
    let outcome = run_script(script, 30)?;
    let shown = text(&outcome);
    let mut words: Vec<&str> = shown.split_whitespace().collect();
    words.sort_unstable();
    ensure(
        words.len() == 4 && words[0] == "1",
        "they see each other",
        &outcome,
    )
}

fn writes_vanish() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    let kept = folder.file("kept", "old\n", 0o644)?;
    let kept = kept.display();
    let script = format!(
        "cd {}; $V run -- sh -c 'echo new > kept; cat kept; rm kept; ls; echo x > made; mkdir d; ls; chmod 0 .'; ls; cat kept; stat -c %a .",
        folder.path().display()
    );
    let outcome = run_script(&script, 20)?;
    let expected = "new\nd\nmade\nkept\nold\n755\n";
    ensure(
        text(&outcome) == expected,
        &format!("{kept} was touched"),
        &outcome,
    )
}
