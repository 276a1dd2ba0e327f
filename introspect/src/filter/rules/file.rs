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

use super::{Rule, Scope};
use crate::filter::{Definitions, error::Error};
use serde::Deserialize;

/// Most rules in a file.
const MAX_RULES: usize = 4096;

/// A file of rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    macros: std::collections::BTreeMap<String, String>,
    lists: std::collections::BTreeMap<String, Vec<String>>,
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
    probability: Option<f64>,
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
    let file: File = toml::from_str(text).map_err(Box::new)?;
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
        if let Some(probability) = self.probability {
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
    fn joined(&self, by: &str) -> String {
        match self {
            OneOrMany::One(text) => text.clone(),
            OneOrMany::Many(list) => list.join(by),
        }
    }
}
