//! What is wrong with an expression or a rule, and where.

use std::{fmt, ops::Range, sync::Arc};

/// Longest line of the source that is shown around the place.
const SHOWN: usize = 100;

/// An error in an expression, with its place. Its display has several lines: what is wrong, the source with the place marked, and help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub message: String,
    /// Where: bytes of `source`.
    pub at: Range<usize>,
    /// What to do about it.
    pub help: Option<String>,
    /// The text that it is about.
    pub source: Arc<str>,
}

/// A result with such an error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error without help. The source is filled in by whoever knows it ([`Error::of`]).
    pub fn new(message: impl Into<String>, at: Range<usize>) -> Error {
        Error {
            message: message.into(),
            at,
            help: None,
            source: Arc::from(""),
        }
    }

    /// With help.
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.help = Some(help.into());
        self
    }

    /// With help, if there is any.
    pub fn maybe(mut self, help: Option<String>) -> Error {
        self.help = help.or(self.help);
        self
    }

    /// With the text that it is about, unless it has one.
    pub fn of(mut self, source: &str) -> Error {
        if self.source.is_empty() {
            self.source = Arc::from(source);
        }
        self
    }

    /// Column of its place, counted from 1, in characters.
    pub fn column(&self) -> usize {
        let start = floor(&self.source, self.at.start);
        self.source[..start].chars().count() + 1
    }
}

/// The nearest boundary of a character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.source.is_empty() {
            let start = floor(&self.source, self.at.start);
            let end = floor(&self.source, self.at.end).max(start);
            let before: Vec<char> = self.source[..start].chars().map(plain).collect();
            let skipped = before.len().saturating_sub(SHOWN / 2);
            let lead = if skipped > 0 { "…" } else { "" };
            let after: String = self.source[start..]
                .chars()
                .take(SHOWN)
                .map(plain)
                .collect();
            let shown: String = before[skipped..].iter().collect();
            let width = self.source[start..end].chars().count().clamp(1, SHOWN);
            let indent = before.len() - skipped + lead.chars().count();
            write!(f, "\n  {lead}{shown}{after}\n  ")?;
            write!(f, "{:indent$}{:^<width$}", "", "")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// A character that takes one column.
fn plain(char: char) -> char {
    if char.is_control() { ' ' } else { char }
}

/// `did you mean …?`, if one of `candidates` is close to `name`.
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let short: String = name.chars().take(64).collect();
    let most = short.chars().count().div_ceil(3).min(3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&short, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}
