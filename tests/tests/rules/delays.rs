//! What holds a call up, or ends its caller: delays, signals, kills, and stops that nobody controls.

use crate::{Folder, with, with_rule};
use libtest_mimic::Failed;
use std::{fs, time::Duration};
use vitrine_tests::{contains, expect, sandboxed, scaled};

pub(crate) fn delay(_: &Folder) -> Result<(), Failed> {
    let outcome = with_rule("write if fd == 1 then delay 700ms", &["echo", "late"])?;
    expect(&outcome, 0, "late\n")?;
    if outcome.time < Duration::from_millis(700) {
        return Err(format!("it took only {:?}", outcome.time).into());
    }
    Ok(())
}

pub(crate) fn delay_is_not_cut_short(_: &Folder) -> Result<(), Failed> {
    let script = "trap 'echo trapped' USR1; (sleep 0.1; kill -USR1 $$) & echo first; wait; date +%s >/dev/null";
    let rule = "write if fd == 1 when=1 then delay 1s";
    let outcome = with_rule(rule, &["bash", "-c", script])?;
    expect(&outcome, 0, "first\ntrapped\n")?;
    if outcome.time < Duration::from_secs(1) {
        return Err(format!("it took only {:?}", outcome.time).into());
    }
    Ok(())
}

/// The handler runs during the delay, and what was done before it is neither counted nor done again.
pub(crate) fn delay_goes_on_after_a_handler(folder: &Folder) -> Result<(), Failed> {
    let log = folder.path("log");
    let script =
        "trap 'echo trapped' USR1; (sleep 0.1; kill -USR1 $$) & echo first; echo second; wait";
    let rule = "write if fd == 1 when=1 then set buf = changed; signal SIGUSR1; delay 600ms; log; set buf = \"third\\n\"";
    let options = ["--rule", rule, "--trace", "-o", &log];
    let outcome = with(&options, &["bash", "-c", script])?;
    if outcome.time < Duration::from_millis(600) {
        return Err(format!("it took only {:?}", outcome.time).into());
    }
    expect(&outcome, 0, "third\ntrapped\nsecond\n")?;
    let text = fs::read_to_string(&log)?;
    let place = |piece: &str| text.find(piece).ok_or(format!("no {piece} in\n{text}"));
    let handler = place("rt_sigreturn")?;
    if handler < place("\"third")? {
        return Ok(());
    }
    Err(format!("the handler ran after the call:\n{text}").into())
}

pub(crate) fn delay_ends_with_the_sandbox(_: &Folder) -> Result<(), Failed> {
    use rustix::process::{Pid, Signal, kill_process};
    // Of these two the shell handles SIGINT, and echo doesn't.
    for argv in [&["echo", "never"][..], &["sh", "-c", "echo never"]] {
        for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let mut command = sandboxed(&["--rule", "write if fd == 1 then delay 1h"], argv);
            let mut child = command.stdin(std::process::Stdio::null()).spawn()?;
            std::thread::sleep(scaled(Duration::from_millis(300)));
            kill_process(Pid::from_child(&child), signal)?;
            let start = std::time::Instant::now();
            while child.try_wait()?.is_none() {
                if start.elapsed() > scaled(Duration::from_secs(5)) {
                    child.kill()?;
                    child.wait()?;
                    return Err(format!("{argv:?} goes on after {signal:?}").into());
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            let got = child.wait()?.code();
            if got != Some(status) {
                return Err(format!("{argv:?}: {got:?} after {signal:?}").into());
            }
        }
    }
    Ok(())
}

pub(crate) fn delay_can_be_killed(_: &Folder) -> Result<(), Failed> {
    let script = "echo never & sleep 0.3; kill -9 $!; wait $!; echo $?";
    let outcome = with_rule(
        "write if fd == 1 when=1 then delay 1h",
        &["bash", "-c", script],
    )?;
    expect(&outcome, 0, "137\n")
}

pub(crate) fn signal(_: &Folder) -> Result<(), Failed> {
    let outcome = with_rule("write if fd == 1 then signal SIGTERM", &["echo", "out"])?;
    expect(&outcome, 143, "out\n")
}

pub(crate) fn kill(_: &Folder) -> Result<(), Failed> {
    expect(
        &with_rule("write if fd == 1 then kill", &["echo", "out"])?,
        137,
        "",
    )
}

pub(crate) fn stop_without_controller(_: &Folder) -> Result<(), Failed> {
    let outcome = with(
        &["--no-control", "--rule", "write if fd == 1 then stop"],
        &["echo", "out"],
    )?;
    expect(&outcome, 0, "out\n")?;
    contains(&outcome.stderr, "can't be controlled: it goes on")
}
