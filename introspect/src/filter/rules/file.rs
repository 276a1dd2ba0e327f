//! Rules in TOML.
//!
//! ```toml
//! [macros]
//! config = "path startswith /etc/"
//!
//! [[rule]]
//! name = "no passwords"
//! calls = "open,openat"
//! if = "config and path endswith shadow"
//! when = "3+2"
//! probability = 0.5
//! scope = "process"
//! then = ["log", "return -EACCES"]
//! ```
//!
//! A file may have `[values]`, which stand in its texts as `$NAME` and which whoever uses the file may set ([`from_toml_with`]).

use super::{Rule, Scope};
use crate::filter::{Definitions, error::Error};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most rules in a file.
const MAX_RULES: usize = 4096;

/// A file of rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    values: BTreeMap<String, Plain>,
    macros: BTreeMap<String, String>,
    lists: BTreeMap<String, Vec<String>>,
    rule: Vec<Table>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Option<String>,
    #[serde(alias = "call")]
    calls: OneOrMany,
    #[serde(rename = "if")]
    condition: Option<String>,
    when: Option<Count>,
    probability: Option<Plain>,
    #[serde(default)]
    scope: Scope,
    then: OneOrMany,
    #[serde(default = "enabled")]
    enabled: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u32),
    Text(String),
}

/// A number or a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Plain {
    Whole(i64),
    Number(f64),
    Text(String),
}

impl std::fmt::Display for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Plain::Whole(number) => number.fmt(f),
            Plain::Number(number) => number.fmt(f),
            Plain::Text(text) => f.write_str(text),
        }
    }
}

fn enabled() -> bool {
    true
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct RuleFile {
    /// Its macros and lists, added to those given.
    pub definitions: Definitions,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is no TOML, or has unknown keys.
    #[error("the rules are no valid TOML: {0}")]
    Toml(#[from] Box<toml::de::Error>),
    /// A value is set that it doesn't have.
    #[error("the rules have no value `{name}`{help}")]
    NoSuchValue {
        /// Which.
        name: String,
        /// Those that it has.
        help: String,
    },
    /// There are too many.
    #[error("there are {0} rules; at most {MAX_RULES} are possible")]
    TooMany(usize),
    /// One of them is wrong.
    #[error("rule {number} ({name}): {error}")]
    Rule {
        /// Which one, counted from 1.
        number: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        error: Box<Error>,
    },
}

/// Reads a file of rules: all of it, or the first error.
pub fn from_toml(text: &str, definitions: &Definitions) -> Result<RuleFile, FileError> {
    from_toml_with(text, definitions, &[])
}

/// The same with other values for some of its `[values]`.
pub fn from_toml_with(
    text: &str,
    definitions: &Definitions,
    values: &[(&str, &str)],
) -> Result<RuleFile, FileError> {
    let mut file: File = toml::from_str(text).map_err(Box::new)?;
    for (name, value) in values {
        let Some(place) = file.values.get_mut(*name) else {
            return Err(FileError::NoSuchValue {
                name: (*name).to_owned(),
                help: known_values(&file.values),
            });
        };
        *place = Plain::Text((*value).to_owned());
    }
    let file = file.filled_in();
    if file.rule.len() > MAX_RULES {
        return Err(FileError::TooMany(file.rule.len()));
    }
    let mut result = RuleFile {
        definitions: definitions.clone(),
        rules: Vec::new(),
    };
    result.definitions.macros.extend(file.macros);
    result.definitions.lists.extend(file.lists);
    for (index, table) in file.rule.iter().enumerate() {
        let text = table.text();
        let number = index + 1;
        let name = table
            .name
            .clone()
            .unwrap_or_else(|| format!("rule {number}"));
        let rule = Rule::parse(&text, &result.definitions).map_err(|error| FileError::Rule {
            number,
            name: name.clone(),
            error: Box::new(error),
        })?;
        result.rules.push(Rule {
            name,
            enabled: table.enabled,
            ..rule
        });
    }
    Ok(result)
}

/// The end of an error's message.
fn known_values(values: &BTreeMap<String, Plain>) -> String {
    if values.is_empty() {
        return "; it has none".to_owned();
    }
    let names: Vec<&str> = values.keys().map(String::as_str).collect();
    format!("; it has {}", names.join(", "))
}

impl File {
    /// With its values in the place of their names.
    fn filled_in(mut self) -> File {
        if self.values.is_empty() {
            return self;
        }
        // A name that begins like another comes first.
        let values: Vec<(String, String)> = std::mem::take(&mut self.values)
            .into_iter()
            .rev()
            .map(|(name, value)| (format!("${name}"), value.to_string()))
            .collect();
        let fill = |text: &mut String| {
            for (name, value) in &values {
                if text.contains(name.as_str()) {
                    *text = text.replace(name.as_str(), value);
                }
            }
        };
        self.macros.values_mut().for_each(fill);
        self.lists.values_mut().flatten().for_each(fill);
        for rule in &mut self.rule {
            rule.calls.each(fill);
            rule.then.each(fill);
            rule.condition.iter_mut().for_each(fill);
            if let Some(Count::Text(when)) = &mut rule.when {
                fill(when);
            }
            if let Some(Plain::Text(probability)) = &mut rule.probability {
                fill(probability);
            }
        }
        self
    }
}

impl Table {
    /// As the rule's text form.
    fn text(&self) -> String {
        let mut text = self.calls.joined(",");
        if let Some(condition) = &self.condition {
            text.push_str(" if ");
            text.push_str(condition);
        }
        match &self.when {
            Some(Count::Number(number)) => text.push_str(&format!(" when={number}")),
            Some(Count::Text(when)) => text.push_str(&format!(" when={when}")),
            None => {}
        }
        if let Some(probability) = &self.probability {
            text.push_str(&format!(" probability={probability}"));
        }
        text.push_str(match self.scope {
            Scope::Global => "",
            Scope::Process => " scope=process",
            Scope::Thread => " scope=thread",
        });
        text.push_str(" then ");
        text.push_str(&self.then.joined("; "));
        text
    }
}

impl OneOrMany {
    fn each(&mut self, change: impl Fn(&mut String)) {
        match self {
            OneOrMany::One(text) => change(text),
            OneOrMany::Many(list) => list.iter_mut().for_each(change),
        }
    }

    fn joined(&self, by: &str) -> String {
        match self {
            OneOrMany::One(text) => text.clone(),
            OneOrMany::Many(list) => list.join(by),
        }
    }
}
