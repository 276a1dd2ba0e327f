//! What clients can ask for, by verb.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vitrine_abi::shared::REQUEST_ECHO;
use vitrine_introspect::Format;
use vitrine_introspect::decode::Style;
use vitrine_introspect::filter::rules::Edit;
use vitrine_introspect::print::{Options, PidPrefix, Precision};

use super::follow::Followers;
use super::outbox::Outbox;
use super::policy::Policy;
use super::protocol::{Args, Failure, Kind, Request, line};
use crate::requests::{PATIENCE, Requests};
use crate::stops::{Listed, ResumeError, Selector, Stops, serve};

/// All verbs, for messages and tests.
pub const VERBS: &[&str] = &[
    "info",
    "ping",
    "rules.list",
    "rules.add",
    "rules.remove",
    "rules.enable",
    "rules.disable",
    "rules.files",
    "rules.reload",
    "filter.get",
    "filter.set",
    "trace",
    "stops",
    "stops.watch",
    "resume",
    "break",
];

/// What verbs work on.
pub struct Context {
    /// The sandbox's name.
    pub name: String,
    /// The command line that it runs.
    pub command: Vec<String>,
    /// Privileged or deprivileged.
    pub mode: &'static str,
    /// Bytes of memory.
    pub memory: u64,
    /// When it was started.
    pub started: Instant,
    /// Whose it is.
    pub uid: u32,
    /// The way to the guest kernel.
    pub requests: Arc<Requests>,
    /// Rules and filters.
    pub policy: Policy,
    /// Who follows.
    pub followers: Arc<Followers>,
    /// Parked threads.
    pub stops: Arc<Stops>,
}

impl Context {
    /// A client is gone.
    pub fn left(&self, client: u64) {
        self.stops.detach(client, self.requests.as_ref());
        if self.followers.remove(client)
            && let Err(failure) = self.policy.followers_changed()
        {
            tracing::info!("after a client left: {}", failure.message);
        }
    }

    fn info(&self) -> Value {
        json!({
            "name": self.name,
            "pid": std::process::id(),
            "command": self.command,
            "uptime_ms": u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "mode": self.mode,
            "memory": self.memory,
        })
    }

    /// Asks the guest kernel for nothing, and says how long that took.
    fn ping(&self, limit: Duration) -> Result<Value, Failure> {
        let start = Instant::now();
        let answer = self.requests.ask(REQUEST_ECHO, b"ping", limit)?;
        if answer != b"ping" {
            let message = "the guest kernel answered something else than it was asked";
            return Err(Failure::new(Kind::Guest, message));
        }
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(json!({ "micros": micros }))
    }

    /// The client is told of each stop from now on, and is its controller. What is parked already.
    fn watch_stops(&self, client: u64, outbox: &Arc<Outbox>) -> Value {
        let outbox = Arc::clone(outbox);
        let tell = move |stop: &Listed| {
            outbox.push(line(&json!({ "stop": serve::describe(stop) })));
        };
        self.stops.attach(client, Box::new(tell));
        listed(&self.stops.list())
    }

    fn resume(&self, mut args: Args) -> Result<Value, Failure> {
        let selector = match args.text("which")? {
            Some(which) => Selector::parse(&which)?,
            None => Selector::All,
        };
        let set = match args.take("set") {
            None => Vec::new(),
            Some(list) => serde_json::from_value(list).map_err(|_| {
                let message = "`set` must be a list of strings ARG=VALUE";
                Failure::new(Kind::BadArgument, message)
            })?,
        };
        let edit = Edit {
            set,
            returned: args.text("return")?,
            kill: args.take("kill") == Some(Value::Bool(true)),
        };
        args.end()?;
        let resumed = self.stops.resume(selector, &edit, self.requests.as_ref())?;
        Ok(listed(&resumed))
    }

    fn trace(&self, client: u64, outbox: &Arc<Outbox>, mut args: Args) -> Result<Value, Failure> {
        let filter = args.text("filter")?;
        let format = match args.text("format")?.as_deref() {
            None | Some("json") => Format::Json,
            Some("strace") => Format::Strace,
            Some("perfetto") => Format::Perfetto,
            Some(other) => {
                let message =
                    format!("there is no format {other}; there are json, strace, perfetto");
                return Err(Failure::new(Kind::BadArgument, message));
            }
        };
        let string_limit = args.number("string_limit")?.unwrap_or(32).min(1 << 17);
        args.end()?;
        let expr = self.policy.parse(filter.as_deref())?;
        let options = Options {
            style: Style {
                string_limit: usize::try_from(string_limit).unwrap_or(32),
                fd_paths: true,
                ..Style::default()
            },
            pid_prefix: PidPrefix::Always,
            durations: Some(Precision::Micros),
            ..Options::default()
        };
        // One subscription a client: a second request replaces the first.
        self.followers.remove(client);
        self.followers.add(client, expr, format, options, outbox);
        if let Err(failure) = self.policy.followers_changed() {
            self.followers.remove(client);
            return Err(failure);
        }
        Ok(json!({ "following": true }))
    }
}

/// Does what a request asks for.
pub fn perform(
    context: &Context,
    client: u64,
    outbox: &Arc<Outbox>,
    request: Request,
) -> Result<Value, Failure> {
    let mut args = request.args;
    match request.verb.as_str() {
        "info" => args.end().map(|()| context.info()),
        "ping" => {
            let limit = args.number("timeout_ms")?;
            args.end()?;
            let limit = limit.map_or(PATIENCE, |ms| Duration::from_millis(ms).min(PATIENCE));
            context.ping(limit)
        }
        "rules.list" => args.end().and_then(|()| context.policy.list()),
        "rules.add" => {
            let rule = Args::needed("rule", args.text("rule")?)?;
            let name = args.text("name")?;
            args.end()?;
            let id = context.policy.add(&rule, name)?;
            Ok(json!({ "id": id }))
        }
        verb @ ("rules.remove" | "rules.enable" | "rules.disable") => {
            let which = match args.take("rule") {
                Some(Value::String(name)) => name,
                Some(Value::Number(id)) => id.to_string(),
                _ => {
                    let message = "`rule` must be a rule's id or name";
                    return Err(Failure::new(Kind::BadArgument, message));
                }
            };
            args.end()?;
            let id = match verb {
                "rules.remove" => context.policy.remove(&which)?,
                verb => context.policy.enable(&which, verb == "rules.enable")?,
            };
            Ok(json!({ "id": id }))
        }
        "rules.files" => args.end().map(|()| json!(context.policy.files())),
        "rules.reload" => {
            let files = files(args.take("files"))?;
            args.end()?;
            let count = context.policy.reload(&files)?;
            Ok(json!({ "rules": count }))
        }
        "filter.get" => args.end().map(|()| context.policy.filter()),
        "filter.set" => {
            let text = Args::needed("filter", args.text("filter")?)?;
            args.end()?;
            context.policy.set_filter(&text)?;
            Ok(context.policy.filter())
        }
        "stops" => args.end().map(|()| listed(&context.stops.list())),
        "stops.watch" => args.end().map(|()| context.watch_stops(client, outbox)),
        "resume" => context.resume(args),
        "break" => {
            let text = Args::needed("at", args.text("at")?)?;
            let exit = args.take("exit") == Some(Value::Bool(true));
            args.end()?;
            let id = context.policy.add_breakpoint(&text, exit)?;
            Ok(json!({ "id": id }))
        }
        "trace" => context.trace(client, outbox, args),
        other => Err(Failure::new(
            Kind::UnknownVerb,
            format!("there is no verb {other}; there are {}", VERBS.join(", ")),
        )),
    }
}

fn listed(stops: &[Listed]) -> Value {
    stops.iter().map(serve::describe).collect()
}

impl From<ResumeError> for Failure {
    fn from(error: ResumeError) -> Failure {
        let kind = match error {
            ResumeError::NotParked(_) => Kind::NotFound,
            ResumeError::Selector(_) => Kind::BadArgument,
            ResumeError::Edit { .. } => Kind::Language,
            ResumeError::Request { .. } => Kind::Guest,
        };
        Failure::new(kind, error.to_string())
    }
}

/// `[{"path": …, "text": …}, …]`: clients read the files, for the sandbox's own process may not.
fn files(value: Option<Value>) -> Result<Vec<(String, String)>, Failure> {
    let wrong = || {
        let message = "`files` must be a list of objects with the strings `path` and `text`";
        Failure::new(Kind::BadArgument, message)
    };
    let Some(Value::Array(list)) = value else {
        return Err(wrong());
    };
    let one = |file: &Value| {
        let text = |key: &str| file.get(key)?.as_str().map(ToOwned::to_owned);
        Some((text("path")?, text("text")?))
    };
    list.iter()
        .map(|file| one(file).ok_or_else(wrong))
        .collect()
}
