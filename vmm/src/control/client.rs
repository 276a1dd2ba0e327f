//! The client's end of the control socket, and which sandbox is meant.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::place::{self, PlaceError};

/// How long an answer may take: longer than the sandbox waits for its guest.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a command couldn't be done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No sandbox.
    #[error("no sandbox is running; start one with vitrine run")]
    None,
    /// More than one.
    #[error("several sandboxes are running: {0}; choose one with -S NAME or VITRINE_SANDBOX")]
    Several(String),
    /// Not this one.
    #[error("no sandbox named {0} is running; vitrine ls shows those that are")]
    Unknown(String),
    /// The directory.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The socket.
    #[error("talking to the sandbox {name}: {cause}")]
    Socket {
        /// Its name.
        name: String,
        /// The host's answer.
        cause: io::Error,
    },
    /// The answer.
    #[error("the sandbox {0} answers nonsense; is it another version of vitrine?")]
    Nonsense(String),
    /// It says no.
    #[error("{message}")]
    Refused {
        /// The error's kind.
        kind: String,
        /// What it says.
        message: String,
    },
}

/// A connection.
pub struct Client {
    name: String,
    stream: BufReader<UnixStream>,
    next: u64,
}

impl Client {
    /// Connects to the sandbox that is meant: by name, else the only one.
    pub fn select(name: Option<&str>) -> Result<Client, ClientError> {
        if let Some(name) = name {
            return Client::connect(name);
        }
        let running = place::running()?;
        match running.as_slice() {
            [] => Err(ClientError::None),
            [(name, _)] => Client::connect(name),
            several => {
                let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
                Err(ClientError::Several(names.join(", ")))
            }
        }
    }

    /// Connects to the sandbox of this name.
    pub fn connect(name: &str) -> Result<Client, ClientError> {
        if place::check_name(name).is_err() {
            return Err(ClientError::Unknown(name.to_owned()));
        }
        let stream =
            UnixStream::connect(place::socket_of(name)).map_err(|cause| match cause.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    ClientError::Unknown(name.to_owned())
                }
                _ => ClientError::Socket {
                    name: name.to_owned(),
                    cause,
                },
            })?;
        let mut client = Client {
            name: name.to_owned(),
            stream: BufReader::new(stream),
            next: 1,
        };
        client.set_patience(Some(PATIENCE))?;
        let greeting = client.line()?.unwrap_or(Value::Null);
        client.refusal(&greeting)?;
        if greeting.get("version") != Some(&json!(super::protocol::VERSION)) {
            return Err(ClientError::Nonsense(client.name));
        }
        Ok(client)
    }

    /// How long to wait for lines.
    pub fn set_patience(&mut self, patience: Option<Duration>) -> Result<(), ClientError> {
        let result = self.stream.get_ref().set_read_timeout(patience);
        result.map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: io::Error) -> ClientError {
        ClientError::Socket {
            name: self.name.clone(),
            cause,
        }
    }

    /// The next line; `None` at the end.
    pub fn line(&mut self) -> Result<Option<Value>, ClientError> {
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line);
        match read {
            Ok(0) => Ok(None),
            Ok(_) => serde_json::from_slice(&line)
                .map(Some)
                .map_err(|_| ClientError::Nonsense(self.name.clone())),
            Err(cause) => Err(self.failed(cause)),
        }
    }

    fn refusal(&self, value: &Value) -> Result<(), ClientError> {
        let Some(error) = value.get("error") else {
            return Ok(());
        };
        let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        Err(ClientError::Refused {
            kind: text("kind").to_owned(),
            message: text("message").to_owned(),
        })
    }

    /// Asks, and waits for the answer. `args` is an object.
    pub fn ask(&mut self, verb: &str, mut args: Value) -> Result<Value, ClientError> {
        let id = self.next;
        self.next += 1;
        if let Value::Object(members) = &mut args {
            members.insert("id".to_owned(), json!(id));
            members.insert("verb".to_owned(), json!(verb));
        }
        let sent = self
            .stream
            .get_mut()
            .write_all(&super::protocol::line(&args));
        sent.map_err(|cause| self.failed(cause))?;
        while let Some(mut value) = self.line()? {
            let answers = value.get("id") == Some(&json!(id));
            if answers || value.get("error").is_some() {
                self.refusal(&value)?;
                return Ok(value.get_mut("ok").map_or(Value::Null, Value::take));
            }
        }
        Err(self.failed(io::ErrorKind::UnexpectedEof.into()))
    }
}
