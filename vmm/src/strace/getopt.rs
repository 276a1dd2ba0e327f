//! The rules by which strace reads its command line: GNU getopt_long's, stopping at the first word that is no option.
//!
//! Short options may be combined (`-fo FILE`, `-ffoFILE`), long ones abbreviated as long as they stay unambiguous.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Whether an option has an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Never.
    None,
    /// Always.
    Required,
    /// Only as `--name=argument`.
    Optional,
}

/// A long option and the key that it is known by.
pub type Long<K> = (&'static str, Argument, K);

/// An option as it was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<K> {
    /// Which.
    pub key: K,
    /// As messages name it: `-s`, `--string-limit`.
    pub name: String,
    /// Its argument.
    pub argument: Option<OsString>,
}

/// Reads options off the front of a command line.
pub struct Getopt<'a, K> {
    words: &'a [OsString],
    /// Letters still to come of a word of short options.
    letters: &'a [u8],
    short: &'a [(u8, Argument, K)],
    long: &'a [Long<K>],
}

impl<'a, K: Copy + PartialEq> Getopt<'a, K> {
    /// For the words behind the program's name.
    pub fn new(
        words: &'a [OsString],
        short: &'a [(u8, Argument, K)],
        long: &'a [Long<K>],
    ) -> Getopt<'a, K> {
        Getopt {
            words,
            letters: &[],
            short,
            long,
        }
    }

    /// The words behind the options.
    pub fn rest(&self) -> &'a [OsString] {
        self.words
    }

    /// The next option; the message says what is wrong with it.
    pub fn next_option(&mut self) -> Option<Result<Found<K>, String>> {
        if self.letters.is_empty() {
            let (word, rest) = self.words.split_first()?;
            let bytes = word.as_bytes();
            if bytes == b"--" {
                self.words = rest;
                return None;
            }
            if let Some(name) = bytes.strip_prefix(b"--") {
                self.words = rest;
                return Some(self.long_option(name));
            }
            if bytes.len() < 2 || bytes[0] != b'-' {
                return None;
            }
            self.words = rest;
            self.letters = &bytes[1..];
        }
        Some(self.short_option())
    }

    fn short_option(&mut self) -> Result<Found<K>, String> {
        let (letter, behind) = (self.letters[0], &self.letters[1..]);
        self.letters = behind;
        let known = self.short.iter().find(|(known, ..)| *known == letter);
        let Some(&(_, argument, key)) = known else {
            let letter = OsStr::from_bytes(std::slice::from_ref(&letter));
            return Err(format!("invalid option -- '{}'", letter.display()));
        };
        let name = format!("-{}", char::from(letter));
        let argument = if argument != Argument::Required {
            None
        } else if !behind.is_empty() {
            self.letters = &[];
            Some(OsStr::from_bytes(behind).to_owned())
        } else {
            let missing = || format!("option requires an argument -- '{}'", char::from(letter));
            Some(self.take_word().ok_or_else(missing)?)
        };
        Ok(Found {
            key,
            name,
            argument,
        })
    }

    fn long_option(&mut self, text: &[u8]) -> Result<Found<K>, String> {
        let at = text.iter().position(|&byte| byte == b'=');
        let (given, argument) = match at {
            Some(at) => (
                &text[..at],
                Some(OsStr::from_bytes(&text[at + 1..]).to_owned()),
            ),
            None => (text, None),
        };
        let shown = OsStr::from_bytes(text).display();
        let candidates: Vec<&Long<K>> = self
            .long
            .iter()
            .filter(|(name, ..)| name.as_bytes().starts_with(given))
            .collect();
        let exact = candidates
            .iter()
            .find(|(name, ..)| name.as_bytes() == given);
        let (name, takes, key) = match (exact, &candidates[..]) {
            (Some(exact), _) => **exact,
            (None, []) => return Err(format!("unrecognized option '--{shown}'")),
            (None, [first, others @ ..]) => {
                let same = |other: &&Long<K>| other.1 == first.1 && other.2 == first.2;
                if !others.iter().all(same) {
                    let names: Vec<String> = candidates
                        .iter()
                        .map(|(name, ..)| format!("'--{name}'"))
                        .collect();
                    return Err(format!(
                        "option '--{shown}' is ambiguous; possibilities: {}",
                        names.join(" ")
                    ));
                }
                **first
            }
        };
        let argument = match (takes, argument) {
            (Argument::None, Some(_)) => {
                return Err(format!("option '--{name}' doesn't allow an argument"));
            }
            (Argument::Required, None) => {
                let missing = || format!("option '--{name}' requires an argument");
                Some(self.take_word().ok_or_else(missing)?)
            }
            (_, argument) => argument,
        };
        Ok(Found {
            key,
            name: format!("--{name}"),
            argument,
        })
    }

    fn take_word(&mut self) -> Option<OsString> {
        let (word, rest) = self.words.split_first()?;
        self.words = rest;
        Some(word.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &[(u8, Argument, u8)] = &[
        (b'f', Argument::None, b'f'),
        (b'o', Argument::Required, b'o'),
    ];
    const LONG: &[Long<u8>] = &[
        ("summary-only", Argument::None, b'c'),
        ("summary", Argument::None, b'C'),
        ("string-limit", Argument::Required, b's'),
        ("quiet", Argument::Optional, b'q'),
        ("silent", Argument::Optional, b'q'),
        ("silence", Argument::Optional, b'q'),
    ];

    fn parse(line: &str) -> (Vec<String>, Vec<OsString>) {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let mut options = Getopt::new(&words, SHORT, LONG);
        let mut found = Vec::new();
        while let Some(option) = options.next_option() {
            match option {
                Ok(option) => found.push(format!(
                    "{}{}",
                    char::from(option.key),
                    option.argument.unwrap_or_default().display()
                )),
                Err(message) => {
                    found.push(message);
                    break;
                }
            }
        }
        (found, options.rest().to_vec())
    }

    #[test]
    fn options_combine_and_end() {
        assert_eq!(parse("-ffoX ls -f").0, ["f", "f", "oX"]);
        assert_eq!(parse("-fo X -- -f").1, ["-f"]);
        assert_eq!(
            parse("--string-limit 5 --quiet=all --summary a").0,
            ["s5", "qall", "C"]
        );
        assert_eq!(parse("--str=5 --quiet - x").1, ["-", "x"]);
        assert_eq!(parse("--sil ls").0, ["q"]);
    }

    #[test]
    fn mistakes_are_told_as_getopt_tells_them() {
        for (line, message) in [
            ("-J", "invalid option -- 'J'"),
            ("-o", "option requires an argument -- 'o'"),
            ("--foo=1", "unrecognized option '--foo=1'"),
            (
                "--string-limit",
                "option '--string-limit' requires an argument",
            ),
            (
                "--summary-on=x",
                "option '--summary-only' doesn't allow an argument",
            ),
            (
                "--summ",
                "option '--summ' is ambiguous; possibilities: '--summary-only' '--summary'",
            ),
        ] {
            assert_eq!(parse(line).0, [message], "{line}");
        }
    }
}
