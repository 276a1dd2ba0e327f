//! The emulated machine that the nested tests run in: qemu without hardware acceleration, watched.

use crate::run::{command, target};
use anyhow::{Context, Result, bail};
use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

/// The machine's first program says so often that it lives; without a word for so long, the emulator or its Linux has died.
const SILENCE: Duration = Duration::from_secs(120);

/// How a run of the machine ended.
enum End {
    /// The tests ended with this status.
    Tests(String),
    /// The machine went off without them.
    Off,
    /// It took longer than it may.
    Late,
    /// Nothing came from it any more, not even signs of life.
    Dead,
}

/// Runs the machine to its end, with its console on our output; an error unless the tests ended with 0. If the emulated machine dies (which
/// no test can do to it: they are its users), that is told and it gets one more chance.
pub fn run(kernel: &Path, initramfs: &Path, limit: Duration) -> Result<()> {
    let mut end = boot(kernel, initramfs, limit)?;
    if matches!(end, End::Dead) {
        println!("xtask: the emulated machine itself has died; once more, from the start");
        end = boot(kernel, initramfs, limit)?;
    }
    match end {
        End::Tests(status) if status == "0" => Ok(()),
        End::Tests(status) => bail!("the tests in the nested machine ended with status {status}"),
        End::Off => bail!("the nested machine went off before the tests ended"),
        End::Late => bail!(
            "the tests in the nested machine were not done after {} s",
            limit.as_secs()
        ),
        End::Dead => bail!("the emulated machine died twice"),
    }
}

fn boot(kernel: &Path, initramfs: &Path, limit: Duration) -> Result<End> {
    let monitor = target().join("nested/monitor");
    let _ = std::fs::remove_file(&monitor);
    // In one thread: with one for each processor, QEMU 7.2 was seen with one processor of Linux 6.1 waiting in `try_to_wake_up` for the other one,
    // which stood for ever before a `nop` in `__schedule`, interrupts off. It is hardly slower.
    let mut child = command(
        "qemu-system-x86_64",
        &[
            "-accel",
            "tcg,thread=single",
            "-cpu",
            "max,+svm",
            "-smp",
            "2",
            "-m",
            "4096",
            "-display",
            "none",
            "-serial",
            "stdio",
            "-no-reboot",
            "-append",
            "console=ttyS0 quiet panic=-1",
        ],
    )
    .arg("-monitor")
    .arg(format!("unix:{},server,nowait", monitor.display()))
    .arg("-kernel")
    .arg(kernel)
    .arg("-initrd")
    .arg(initramfs)
    .stdin(Stdio::null())
    .stdout(Stdio::piped())
    .spawn()
    .context("starting qemu-system-x86_64")?;
    let lines = lines(child.stdout.take().context("qemu has no output")?);
    let end = watch(&lines, Instant::now() + limit);
    if matches!(end, End::Dead) {
        println!("{}", state(&monitor));
    }
    stop(&mut child)?;
    Ok(end)
}

/// Prints what the machine says until it is done or given up.
fn watch(lines: &Receiver<String>, until: Instant) -> End {
    let mut status = None;
    let mut heard = Instant::now();
    loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                heard = Instant::now();
                if let Some(value) = line.strip_prefix("NESTED-EXIT ") {
                    status = Some(value.to_owned());
                } else if line != "NESTED-ALIVE" {
                    println!("nested| {line}");
                }
            }
            Err(RecvTimeoutError::Disconnected) => return status.map_or(End::Off, End::Tests),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(status) = status.as_ref()
            && heard.elapsed() > Duration::from_secs(30)
        {
            return End::Tests(status.clone());
        }
        if heard.elapsed() > SILENCE {
            return End::Dead;
        }
        if Instant::now() > until {
            return End::Late;
        }
    }
}

/// The lines that come from the machine's console.
fn lines(console: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if sender.send(line.trim_end_matches('\r').to_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What the emulator knows of its processors.
fn state(monitor: &Path) -> String {
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(monitor)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"info status\ninfo cpus\ninfo registers -a\n")?;
        let mut answer = Vec::new();
        // It never closes the connection: the time limit ends this.
        let _ = stream.read_to_end(&mut answer);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask().unwrap_or_else(|error| format!("the emulator doesn't answer: {error}"))
}

/// Ends the emulator if it still runs.
fn stop(child: &mut Child) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(10);
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
