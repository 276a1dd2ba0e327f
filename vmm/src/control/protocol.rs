//! The control protocol: one JSON object a line, both ways. `resources/control-api.md` describes it, `resources/control.schema.json` defines it.

use serde_json::{Map, Value, json};

/// Version of the protocol. Additions don't change it.
pub const VERSION: u64 = 1;
/// Longest request.
pub const MAX_LINE: usize = 4 << 20;

/// An error's kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No JSON object, or a line that is too long.
    Malformed,
    /// Another version of the protocol.
    Version,
    /// There is no such verb.
    UnknownVerb,
    /// An argument is missing, has another type, or is unknown.
    BadArgument,
    /// A rule or an expression is wrong.
    Language,
    /// What is named doesn't exist.
    NotFound,
    /// It can't be done in this sandbox, or not now.
    Refused,
    /// The guest kernel doesn't answer, or nonsense.
    Guest,
}

impl Kind {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Malformed => "malformed",
            Kind::Version => "version",
            Kind::UnknownVerb => "unknown-verb",
            Kind::BadArgument => "bad-argument",
            Kind::Language => "language",
            Kind::NotFound => "not-found",
            Kind::Refused => "refused",
            Kind::Guest => "guest",
        }
    }
}

/// Why a request wasn't followed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub kind: Kind,
    /// What went wrong, with which value, and what to do.
    pub message: String,
}

impl Failure {
    /// A failure of some kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure {
            kind,
            message: message.into(),
        }
    }
}

impl From<crate::requests::RequestError> for Failure {
    fn from(error: crate::requests::RequestError) -> Failure {
        Failure::new(Kind::Guest, error.to_string())
    }
}

/// A request.
#[derive(Debug, PartialEq)]
pub struct Request {
    /// What comes back with the answer.
    pub id: Value,
    /// What is to be done.
    pub verb: String,
    /// With what.
    pub args: Args,
}

/// The other members of a request.
#[derive(Debug, Default, PartialEq)]
pub struct Args(Map<String, Value>);

impl Request {
    /// Reads a line; an error comes with the id, where one could be read.
    pub fn parse(line: &[u8]) -> Result<Request, (Value, Failure)> {
        let malformed = |message: String| (Value::Null, Failure::new(Kind::Malformed, message));
        let value: Value = serde_json::from_slice(line)
            .map_err(|cause| malformed(format!("the request is no JSON: {cause}")))?;
        let Value::Object(mut members) = value else {
            return Err(malformed("the request is no JSON object".to_owned()));
        };
        let id = members.remove("id").unwrap_or(Value::Null);
        if !(id.is_null() || id.is_number() || id.is_string()) {
            return Err(malformed(
                "`id` is neither a number nor a string".to_owned(),
            ));
        }
        match members.remove("version") {
            None => {}
            Some(version) if version == VERSION => {}
            Some(version) => {
                let message = format!("version {version} is asked for; this is version {VERSION}");
                return Err((id, Failure::new(Kind::Version, message)));
            }
        }
        match members.remove("verb") {
            Some(Value::String(verb)) => Ok(Request {
                id,
                verb,
                args: Args(members),
            }),
            _ => {
                let message = "`verb` is missing or no string";
                Err((id, Failure::new(Kind::BadArgument, message)))
            }
        }
    }
}

impl Args {
    /// Takes a member out, if it is there and not null.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// A string that may be left out.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Failure::new(
                Kind::BadArgument,
                format!("`{name}` is {other}; a string is needed"),
            )),
        }
    }

    /// A whole number that may be left out.
    pub fn number(&mut self, name: &str) -> Result<Option<u64>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| {
                let message = format!("`{name}` is {value}; a whole number is needed");
                Failure::new(Kind::BadArgument, message)
            }),
        }
    }

    /// What must not be left out.
    pub fn needed<T>(name: &str, value: Option<T>) -> Result<T, Failure> {
        value.ok_or_else(|| Failure::new(Kind::BadArgument, format!("`{name}` is missing")))
    }

    /// Nothing may be left over.
    pub fn end(self) -> Result<(), Failure> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(Failure::new(
                Kind::BadArgument,
                format!("there is no argument `{name}`"),
            )),
        }
    }
}

/// The line that answers a request.
pub fn answer(id: &Value, result: &Result<Value, Failure>) -> Vec<u8> {
    line(&match result {
        Ok(value) => json!({ "id": id, "ok": value }),
        Err(failure) => json!({
            "id": id,
            "error": { "kind": failure.kind.name(), "message": failure.message },
        }),
    })
}

/// A value as a line.
pub fn line(value: &Value) -> Vec<u8> {
    let mut bytes = value.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let request = Request::parse(br#"{"id":7,"verb":"info","x":1}"#).unwrap();
        assert_eq!((request.id, request.verb.as_str()), (json!(7), "info"));
        let mut args = request.args;
        assert_eq!(args.number("x"), Ok(Some(1)));
        assert_eq!(args.end(), Ok(()));
        for (line, kind) in [
            (&b"{"[..], Kind::Malformed),
            (b"[]", Kind::Malformed),
            (b"\xff\xfe", Kind::Malformed),
            (br#"{"id":{},"verb":"info"}"#, Kind::Malformed),
            (br#"{"id":1}"#, Kind::BadArgument),
            (br#"{"id":1,"verb":2}"#, Kind::BadArgument),
            (br#"{"id":1,"version":9,"verb":"info"}"#, Kind::Version),
        ] {
            assert_eq!(Request::parse(line).unwrap_err().1.kind, kind, "{line:?}");
        }
        let deep = vec![b'['; 100_000];
        assert_eq!(Request::parse(&deep).unwrap_err().1.kind, Kind::Malformed);
    }
}
