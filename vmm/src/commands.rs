//! Commands that talk to a running sandbox: `ls`, `rules`, `filter`, `trace`.

use std::fs::File;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::{
    BreakOptions, Format, LsOptions, ResumeOptions, RulesCommand, StopsOptions, Target,
    TraceOptions,
};
use crate::control::client::{Client, ClientError};
use crate::control::place;
use crate::stops::table as stops_table;

/// Names the sandbox where -S doesn't.
const VARIABLE: &str = "VITRINE_SANDBOX";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The sandbox, or the way to it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file.
    #[error("{doing} {path}: {cause}{then}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// Which file.
        path: String,
        /// The host's answer.
        cause: io::Error,
        /// What that means.
        then: &'static str,
    },
}

impl CommandError {
    /// Whether the caller's own words are wrong.
    pub fn is_usage(&self) -> bool {
        matches!(self, CommandError::Client(ClientError::Refused { kind, .. }) if kind == "language" || kind == "bad-argument")
    }
}

type Done = Result<(), CommandError>;

fn connect(sandbox: Option<&str>) -> Result<Client, ClientError> {
    let variable = std::env::var(VARIABLE).ok().filter(|name| !name.is_empty());
    Client::select(sandbox.or(variable.as_deref()))
}

fn say(text: &str) {
    // A reader that has gone away has seen enough.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// Rows below a heading; columns are as wide as they must be, those of numbers aligned to the right.
fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let printable = |cell: &str| crate::log::printable(cell.as_bytes());
    let mut all = vec![heading.iter().map(|&word| word.to_owned()).collect()];
    all.extend(
        rows.iter()
            .map(|row| row.iter().map(|cell| printable(cell)).collect::<Vec<_>>()),
    );
    let width = |column: usize| {
        let cells = all.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let mut out = String::new();
    for row in &all {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// `vitrine ls`: stale sockets are removed on the way.
pub fn ls(options: &LsOptions) -> Done {
    let mut all = Vec::new();
    for (name, _) in place::running().map_err(ClientError::from)? {
        // One that ends meanwhile isn't running.
        if let Ok(info) =
            Client::connect(&name).and_then(|mut client| client.ask("info", json!({})))
        {
            all.push(info);
        }
    }
    if options.json {
        say(&format!("{}\n", Value::Array(all)));
        return Ok(());
    }
    let row = |info: &Value| {
        let words = info.get("command").and_then(Value::as_array);
        let words: Vec<&str> = words
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        vec![
            text(info, "name").to_owned(),
            number(info, "pid").to_string(),
            uptime(number(info, "uptime_ms") / 1000),
            text(info, "mode").to_owned(),
            words.join(" "),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    say(&table(&["NAME", "PID", "UPTIME", "MODE", "COMMAND"], &rows));
    Ok(())
}

fn uptime(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (_, _) => format!("{hours}h{:02}m", minutes % 60),
    }
}

/// `vitrine rules`.
pub fn rules(command: RulesCommand) -> Done {
    match command {
        RulesCommand::List(target) => list(&target),
        RulesCommand::Add { rule, name, target } => {
            let answer = connect(target.sandbox.as_deref())?
                .ask("rules.add", json!({ "rule": rule, "name": name }))?;
            answered(&target, &answer, "added rule");
            Ok(())
        }
        RulesCommand::Remove(one) => change(&one.target, "rules.remove", &one.rule, "removed rule"),
        RulesCommand::Enable(one) => change(&one.target, "rules.enable", &one.rule, "enabled rule"),
        RulesCommand::Disable(one) => {
            change(&one.target, "rules.disable", &one.rule, "disabled rule")
        }
        RulesCommand::Reload(target) => reload(&target),
    }
}

fn answered(target: &Target, answer: &Value, done: &str) {
    say(&if target.json {
        format!("{answer}\n")
    } else {
        format!("{done} {}\n", number(answer, "id"))
    });
}

fn change(target: &Target, verb: &str, rule: &str, done: &str) -> Done {
    let answer = connect(target.sandbox.as_deref())?.ask(verb, json!({ "rule": rule }))?;
    answered(target, &answer, done);
    Ok(())
}

fn list(target: &Target) -> Done {
    let answer = connect(target.sandbox.as_deref())?.ask("rules.list", json!({}))?;
    if target.json {
        say(&format!("{answer}\n"));
        return Ok(());
    }
    let row = |rule: &Value| {
        let enabled = rule.get("enabled") == Some(&Value::Bool(true));
        let (name, source) = (text(rule, "name"), text(rule, "text"));
        vec![
            number(rule, "id").to_string(),
            if enabled { "on" } else { "off" }.to_owned(),
            number(rule, "matched").to_string(),
            number(rule, "applied").to_string(),
            if name == source { "" } else { name }.to_owned(),
            source.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = answer.as_array().into_iter().flatten().map(row).collect();
    say(&table(
        &["ID", "STATE", "MATCHED", "APPLIED", "NAME", "RULE"],
        &rows,
    ));
    Ok(())
}

fn reload(target: &Target) -> Done {
    let mut client = connect(target.sandbox.as_deref())?;
    let paths = client.ask("rules.files", json!({}))?;
    let mut files = Vec::new();
    for path in paths
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        let text = std::fs::read_to_string(path).map_err(|cause| CommandError::File {
            doing: "reading the rules",
            path: path.to_owned(),
            cause,
            then: "; the rules stay as they are",
        })?;
        files.push(json!({ "path": path, "text": text }));
    }
    let answer = client.ask("rules.reload", json!({ "files": files }))?;
    say(&if target.json {
        format!("{answer}\n")
    } else {
        format!(
            "{} rules from {} files\n",
            number(&answer, "rules"),
            files.len()
        )
    });
    Ok(())
}

/// `vitrine filter get` and `set`.
pub fn filter(target: &Target, expression: Option<&str>) -> Done {
    let mut client = connect(target.sandbox.as_deref())?;
    let answer = match expression {
        Some(text) => client.ask("filter.set", json!({ "filter": text }))?,
        None => client.ask("filter.get", json!({}))?,
    };
    if target.json {
        say(&format!("{answer}\n"));
    } else if answer.get("traced") != Some(&Value::Bool(true)) {
        say("there is no log\n");
    } else {
        let shown = answer.get("filter").and_then(Value::as_str);
        say(&format!("{}\n", shown.unwrap_or("everything is logged")));
    }
    Ok(())
}

/// `vitrine trace`: until the sandbox ends, or the reader is gone, or Ctrl-C.
pub fn trace(options: &TraceOptions) -> Done {
    let mut client = connect(options.sandbox.as_deref())?;
    let mut out: Box<dyn Write> = match &options.output {
        Some(path) => Box::new(File::create(path).map_err(|cause| CommandError::File {
            doing: "creating",
            path: path.display().to_string(),
            cause,
            then: "; name another file with -o",
        })?),
        None => Box::new(io::stdout().lock()),
    };
    let format = match options.format {
        Format::Strace => "strace",
        Format::Json => "json",
        Format::Perfetto => "perfetto",
    };
    client.ask(
        "trace",
        json!({ "filter": options.filter, "format": format, "string_limit": options.string_limit }),
    )?;
    client.set_patience(None)?;
    while let Some(value) = client.line()? {
        let written = if let Some(event) = value.get("event") {
            writeln!(out, "{event}")
        } else if let Some(text) = value.get("text").and_then(Value::as_str) {
            out.write_all(text.as_bytes())
        } else if let Some(error) = value.get("error") {
            return Err(ClientError::Refused {
                kind: text(error, "kind").to_owned(),
                message: text(error, "message").to_owned(),
            }
            .into());
        } else {
            Ok(())
        };
        if written.and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    Ok(())
}

/// `vitrine stops`.
pub fn stops(options: &StopsOptions) -> Done {
    let answer = connect(options.target.sandbox.as_deref())?.ask("stops", json!({}))?;
    show_stops(&options.target, &answer, options.registers);
    Ok(())
}

fn show_stops(target: &Target, answer: &Value, registers: bool) {
    if target.json {
        say(&format!("{answer}\n"));
    } else {
        let stops = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        say(&stops_table::text(stops, registers));
    }
}

/// `vitrine resume`: shows what goes on.
pub fn resume(options: &ResumeOptions) -> Done {
    let request = json!({
        "which": options.which,
        "set": options.set,
        "return": options.returned,
        "kill": options.kill,
    });
    let answer = connect(options.target.sandbox.as_deref())?.ask("resume", request)?;
    show_stops(&options.target, &answer, false);
    Ok(())
}

/// `vitrine break`.
pub fn breakpoint(options: &BreakOptions) -> Done {
    let request = json!({ "at": options.at, "exit": options.exit });
    let answer = connect(options.target.sandbox.as_deref())?.ask("break", request)?;
    answered(&options.target, &answer, "added rule");
    Ok(())
}
