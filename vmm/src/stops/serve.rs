//! Stops over a connection: JSON lines in, one answer a line out.
//!
//! ```text
//! {"op":"stops"}                                   what is parked
//! {"op":"wait","timeout_ms":1000}                  the same, as soon as anything is
//! {"op":"resume","which":"12","set":["pathname=/tmp/x"],"return":"-ENOENT","kill":false}      without "which": all
//! ```
//!
//! An answer is `{"ok":true,"stops":[…]}` or `{"ok":false,"error":"…"}`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Listed, Requests, ResumeError, Selector, Stops};
use vitrine_introspect::filter::rules::Edit;

/// Longest request.
const MAX_LINE: u64 = 1 << 20;

/// What can be asked for.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Request {
    Stops,
    Wait {
        timeout_ms: u32,
    },
    Resume {
        which: Option<String>,
        #[serde(default)]
        set: Vec<String>,
        #[serde(rename = "return")]
        returned: Option<String>,
        #[serde(default)]
        kill: bool,
    },
}

/// Answers one request.
pub fn answer(stops: &Stops, requests: &dyn Requests, line: &[u8]) -> Value {
    let request = match serde_json::from_slice::<Request>(line) {
        Ok(request) => request,
        Err(error) => return json!({"ok": false, "error": format!("reading the request: {error}")}),
    };
    let listed = match request {
        Request::Stops => Ok(stops.list()),
        Request::Wait { timeout_ms } => {
            Ok(stops.wait(Duration::from_millis(u64::from(timeout_ms))))
        }
        Request::Resume {
            which,
            set,
            returned,
            kill,
        } => {
            let edit = Edit {
                set,
                returned,
                kill,
            };
            resume(stops, requests, which.as_deref(), &edit)
        }
    };
    match listed {
        Ok(listed) => json!({"ok": true, "stops": listed.iter().map(describe).collect::<Vec<_>>()}),
        Err(error) => json!({"ok": false, "error": error.to_string()}),
    }
}

fn resume(
    stops: &Stops,
    requests: &dyn Requests,
    which: Option<&str>,
    edit: &Edit,
) -> Result<Vec<Listed>, ResumeError> {
    let selector = which.map_or(Ok(Selector::All), Selector::parse)?;
    stops.resume(selector, edit, requests)
}

/// A parked thread, as a list has it.
pub fn describe(stop: &Listed) -> Value {
    let event = &stop.thread.event;
    let registers: serde_json::Map<String, Value> = stop
        .thread
        .registers()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    json!({
        "id": event.stop,
        "pid": stop.thread.pid,
        "tid": stop.thread.tid,
        "comm": String::from_utf8_lossy(&stop.thread.comm),
        "since_ns": u64::try_from(stop.since.as_nanos()).unwrap_or(u64::MAX),
        "at": if event.exit { "exit" } else { "entry" },
        "rule": String::from_utf8_lossy(&event.rule_name),
        "name": event.call.name().to_string(),
        "nr": event.call.nr,
        "raw": event.call.args,
        "ret": event.call.ret,
        "call": stop.thread.text(),
        "registers": registers,
    })
}

/// A connection by read(2) and write(2), which the jail allows.
struct Plain<'a>(&'a UnixStream);

impl Read for Plain<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.0, buf)?)
    }
}

impl Write for Plain<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0, buf)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Serves a controller that was attached ([`Stops::attach`]) to its end; then what it held is done with as the policy says.
pub fn controller(stops: &Stops, number: u64, requests: &dyn Requests, stream: &UnixStream) {
    let mut reader = BufReader::new(Plain(stream));
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        if read.is_err() || line.last() != Some(&b'\n') {
            break;
        }
        let _answering = stops.answering();
        let mut text = answer(stops, requests, &line).to_string();
        text.push('\n');
        if Plain(stream).write_all(text.as_bytes()).is_err() {
            break;
        }
    }
    stops.detach(number, requests);
}
