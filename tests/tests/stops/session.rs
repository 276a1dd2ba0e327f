//! A sandbox with the test as its controller.

use libtest_mimic::Failed;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    process::{Child, Stdio},
    time::{Duration, Instant},
};
use vitrine_tests::{Outcome, sandboxed, scaled, scratch::Scratch, shell_status};

/// How long a sandbox may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A running sandbox.
pub struct Session {
    /// A folder of its own.
    pub folder: Scratch,
    child: Child,
    connection: Option<BufReader<UnixStream>>,
}

impl Session {
    /// Starts one; `options` and `argv` may say `{}` for the folder.
    pub fn start(options: &[&str], argv: &[&str]) -> Result<Session, Failed> {
        let folder = Scratch::new()?;
        let place = folder.path().to_string_lossy().into_owned();
        for name in ["allowed", "forbidden"] {
            folder.file(name, format!("{name}\n"), 0o644)?;
        }
        let socket = folder.path().join("control");
        let listener = UnixListener::bind(&socket)?;
        listener.set_nonblocking(true)?;
        let mut all = vec!["--controller".to_owned(), format!("{place}/control")];
        all.extend(options.iter().map(|option| option.replace("{}", &place)));
        let argv: Vec<String> = argv.iter().map(|word| word.replace("{}", &place)).collect();
        let mut child = sandboxed(&all, &argv)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let start = Instant::now();
        let stream = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(_) if start.elapsed() < scaled(LIMIT) && child.try_wait()?.is_none() => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => {
                    let _ = child.kill();
                    let output = child.wait_with_output()?;
                    let text = String::from_utf8_lossy(&output.stderr).into_owned();
                    return Err(format!("no connection: {error}\n{text}").into());
                }
            }
        };
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(scaled(LIMIT)))?;
        Ok(Session {
            folder,
            child,
            connection: Some(BufReader::new(stream)),
        })
    }

    /// The answer to a request, whatever it is.
    pub fn ask(&mut self, request: &Value) -> Result<Value, Failed> {
        let connection = self.connection.as_mut().ok_or("hung up already")?;
        connection
            .get_mut()
            .write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        connection.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// The parked threads that an answer lists.
    fn listed(&mut self, request: &Value) -> Result<Vec<Value>, Failed> {
        let answer = self.ask(request)?;
        match (&answer["ok"], answer["stops"].as_array()) {
            (Value::Bool(true), Some(stops)) => Ok(stops.clone()),
            _ => Err(format!("{request} is answered with {answer}").into()),
        }
    }

    /// What is parked now.
    pub fn stops(&mut self) -> Result<Vec<Value>, Failed> {
        self.listed(&json!({"op": "stops"}))
    }

    /// Waits until a thread is parked: the first one.
    pub fn stop(&mut self) -> Result<Value, Failed> {
        let request = json!({"op": "wait", "timeout_ms": scaled(LIMIT).as_millis() as u64});
        let stops = self.listed(&request)?;
        stops.first().cloned().ok_or_else(|| "nothing stops".into())
    }

    /// Waits until this many threads are parked.
    pub fn several(&mut self, count: usize) -> Result<Vec<Value>, Failed> {
        let start = Instant::now();
        loop {
            let stops = self.stops()?;
            if stops.len() == count {
                return Ok(stops);
            }
            if start.elapsed() > scaled(LIMIT) {
                return Err(format!("not {count} threads are parked but {stops:?}").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Resumes a stop, with these members of the request.
    pub fn resume(&mut self, stop: &Value, mut how: Value) -> Result<(), Failed> {
        how["op"] = "resume".into();
        how["which"] = format!("s{}", stop["id"]).into();
        match self.listed(&how)?.len() {
            1 => Ok(()),
            count => Err(format!("{count} threads were resumed").into()),
        }
    }

    /// The controller is gone.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    /// Waits for the end: status as a shell's, and output.
    pub fn end(mut self) -> Result<(i32, String, String), Failed> {
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > scaled(LIMIT) {
                let _ = self.child.kill();
                return Err("the sandbox doesn't end".into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let status = self.child.wait()?;
        let text = |stream: Option<&mut dyn std::io::Read>| -> Result<String, Failed> {
            let mut bytes = Vec::new();
            if let Some(stream) = stream {
                stream.read_to_end(&mut bytes)?;
            }
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let stdout = text(self.child.stdout.as_mut().map(|pipe| pipe as _))?;
        let stderr = text(self.child.stderr.as_mut().map(|pipe| pipe as _))?;
        Ok((shell_status(status), stdout, stderr))
    }

    /// Waits for the end, which has to be this.
    pub fn ends(self, status: i32, stdout: &str) -> Result<String, Failed> {
        let (got, out, err) = self.end()?;
        if got == status && out == stdout {
            return Ok(err);
        }
        Err(format!("status {got} instead of {status}\n--- stdout\n{out}--- expected\n{stdout}--- stderr\n{err}").into())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a sandbox without a controller.
pub fn uncontrolled(options: &[&str], argv: &[&str]) -> Result<Outcome, Failed> {
    Ok(vitrine_tests::run(
        sandboxed(options, argv),
        b"",
        scaled(LIMIT),
    )?)
}
