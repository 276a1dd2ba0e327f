//! A pseudo terminal with a session on it, driven like a person does: type, wait for what appears, resize.
//!
//! The session's leader is a small shell that runs the command and then waits, as a login shell would: a terminal whose session leader ends is
//! hung up, and its modes are lost with it.

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Termios, Winsize, tcgetattr, tcsetwinsize},
};
use std::{
    fs::File,
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long the command may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the command, tells how it ended, and keeps the session until the terminal is gone.
const LEADER: &str = r#"trap : INT QUIT TSTP; "$@"; s=$?; printf '\n[ended %s]\n' $s; exec sleep 1000 >/dev/null 2>&1"#;

/// A terminal and the command on it.
pub struct Terminal {
    leader: Child,
    master: OwnedFd,
    seen: Vec<u8>,
    mark: usize,
}

fn failed(what: &str) -> impl Fn(rustix::io::Errno) -> String + '_ {
    move |error| format!("{what}: {error}")
}

impl Terminal {
    /// Starts a command on a terminal of this size.
    pub fn start(command: &Command, rows: u16, cols: u16) -> Result<Terminal, String> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).map_err(failed("opening a pseudo terminal"))?;
        grantpt(&master).map_err(failed("grantpt"))?;
        unlockpt(&master).map_err(failed("unlockpt"))?;
        let name = ptsname(&master, Vec::new()).map_err(failed("ptsname"))?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(&name, flags, Mode::empty()).map_err(failed("opening it"))?;
        tcsetwinsize(&master, size(rows, cols)).map_err(failed("setting its size"))?;
        let slave = File::from(slave);
        let again = || slave.try_clone().map_err(|error| error.to_string());
        let mut leader = Command::new("setsid");
        leader.args(["--ctty", "sh", "-c", LEADER, "sh"]);
        leader.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => leader.env(name, value),
                None => leader.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            leader.current_dir(folder);
        }
        let leader = leader
            .stdin(Stdio::from(again()?))
            .stdout(Stdio::from(again()?))
            .stderr(Stdio::from(again()?))
            .spawn()
            .map_err(|error| format!("starting setsid: {error}"))?;
        Ok(Terminal {
            leader,
            master,
            seen: Vec::new(),
            mark: 0,
        })
    }

    /// Types.
    pub fn send(&self, text: &str) -> Result<(), String> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let count = rustix::io::write(&self.master, rest).map_err(failed("typing"))?;
            rest = &rest[count..];
        }
        Ok(())
    }

    /// Waits until `text` has appeared after what was waited for before; what appeared, up to and with it.
    pub fn expect(&mut self, text: &str) -> Result<String, String> {
        self.expect_within(text, PATIENCE)
    }

    /// As [`Terminal::expect`], for at most `patience`.
    pub fn expect_within(&mut self, text: &str, patience: Duration) -> Result<String, String> {
        let until = Instant::now() + crate::scaled(patience);
        loop {
            let fresh = &self.seen[self.mark..];
            if let Some(at) = find(fresh, text.as_bytes()) {
                let end = at + text.len();
                let found = String::from_utf8_lossy(&fresh[..end]).into_owned();
                self.mark += end;
                return Ok(found);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.read(left)? {
                let fresh = String::from_utf8_lossy(&self.seen[self.mark..]).into_owned();
                let all = String::from_utf8_lossy(&self.seen).into_owned();
                return Err(format!(
                    "waited for {text:?}, but got {fresh:?}\n--- the whole session\n{all}"
                ));
            }
        }
    }

    /// Types a line and waits for what shows that it was done.
    pub fn line(&mut self, line: &str, text: &str) -> Result<String, String> {
        self.send(line)?;
        self.send("\n")?;
        self.expect(text)
    }

    /// Waits for the command's end; its status as a shell shows it.
    pub fn end(&mut self) -> Result<i32, String> {
        self.expect("\n[ended ")?;
        let status = self.expect("]")?;
        self.expect("\n")?;
        status
            .trim_end_matches(']')
            .parse()
            .map_err(|error| format!("status {status:?}: {error}"))
    }

    /// Everything that was shown so far.
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Gives the terminal another size.
    pub fn resize(&self, rows: u16, cols: u16) -> Result<(), String> {
        tcsetwinsize(&self.master, size(rows, cols)).map_err(failed("resizing"))
    }

    /// Its modes, for comparison.
    pub fn modes(&self) -> Result<String, String> {
        let modes: Termios = tcgetattr(&self.master).map_err(failed("tcgetattr"))?;
        Ok(format!("{modes:?}"))
    }

    /// Waits until the modes are others than these.
    pub fn modes_differ(&self, from: &str) -> Result<(), String> {
        let until = Instant::now() + crate::scaled(PATIENCE);
        while self.modes()? == from {
            if Instant::now() >= until {
                return Err("the terminal's modes never changed".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Sends a signal to the command itself.
    pub fn signal(&self, signal: Signal) -> Result<(), String> {
        let path = format!("/proc/{0}/task/{0}/children", self.leader.id());
        let children =
            std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let pid = children
            .split_whitespace()
            .next()
            .and_then(|pid| Pid::from_raw(pid.parse().ok()?))
            .ok_or("the command has ended already")?;
        kill_process(pid, signal).map_err(failed("kill"))
    }

    /// Reads what there is within `time`; false: nothing.
    fn read(&mut self, time: Duration) -> Result<bool, String> {
        let timeout = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let count = poll(&mut fds, Some(&timeout)).map_err(failed("poll"))?;
        if count == 0 {
            return Ok(false);
        }
        let mut buffer = [0; 4096];
        match rustix::io::read(&self.master, &mut buffer) {
            Ok(count) => {
                self.seen.extend(&buffer[..count]);
                Ok(count > 0)
            }
            Err(_) => Ok(false),
        }
    }
}

impl Drop for Terminal {
    /// The leader's end hangs the terminal up, which ends what is still on it.
    fn drop(&mut self) {
        let _ = self.signal(Signal::KILL);
        let _ = self.leader.kill();
        let _ = self.leader.wait();
    }
}

fn size(rows: u16, cols: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// The text with each number replaced: process ids and terminal numbers differ from run to run.
pub fn without_numbers(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for char in text.chars() {
        if !char.is_ascii_digit() {
            result.push(char);
        } else if !result.ends_with('#') {
            result.push('#');
        }
    }
    result
}
