//! Text to tokens, each with its place.

use super::error::{Error, Result};
use std::ops::Range;

/// Longest text of an expression or rule, bytes.
pub const MAX_TEXT: usize = 4 << 20;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name, number, or unquoted string.
    Word(String),
    /// A quoted string.
    Quoted(Vec<u8>),
    /// An operator or bracket: one of [`OPERATORS`].
    Op(&'static str),
}

/// Operators and brackets; longer ones first.
const OPERATORS: &[&str] = &[
    "==", "!=", "<=", ">=", "|=", "&=", "+=", "-=", "&&", "||", "=", "<", ">", "(", ")", ",", "|",
    "&", "!", ";", "~",
];

/// A token and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned {
    /// The token.
    pub token: Token,
    /// Its bytes in the text.
    pub at: Range<usize>,
}

/// All tokens of a text.
pub fn tokens(text: &str) -> Result<Vec<Spanned>> {
    if text.len() > MAX_TEXT {
        return Err(Error::new(
            format!("the text is longer than {MAX_TEXT} bytes"),
            0..0,
        ));
    }
    let mut list = Vec::new();
    let mut at = 0;
    while let Some(char) = text[at..].chars().next() {
        if char.is_whitespace() {
            at += char.len_utf8();
            continue;
        }
        let (token, end) = match char {
            '"' => quoted(text, at)?,
            '\'' => raw(text, at)?,
            _ => match OPERATORS.iter().find(|op| text[at..].starts_with(**op)) {
                Some(op) => (Token::Op(op), at + op.len()),
                None => word(text, at),
            },
        };
        list.push(Spanned { token, at: at..end });
        at = end;
    }
    Ok(list)
}

/// Whether a character ends a word.
fn ends_word(char: char) -> bool {
    char.is_whitespace() || "()=!<>,|&;\"'~".contains(char)
}

fn word(text: &str, at: usize) -> (Token, usize) {
    let rest = &text[at..];
    // A set in a pattern may hold what ends a word elsewhere: [!a-z].
    let mut in_set = false;
    let mut len = rest.len();
    for (index, char) in rest.char_indices() {
        match char {
            '[' => in_set = true,
            ']' => in_set = false,
            '!' if in_set => continue,
            _ => {}
        }
        if ends_word(char) || ["+=", "-="].iter().any(|op| rest[index..].starts_with(op)) {
            len = index;
            break;
        }
    }
    (Token::Word(rest[..len].to_owned()), at + len)
}

/// A string in single quotes: as it stands.
fn raw(text: &str, at: usize) -> Result<(Token, usize)> {
    match text[at + 1..].find('\'') {
        Some(len) => {
            let end = at + 1 + len;
            Ok((
                Token::Quoted(text.as_bytes()[at + 1..end].to_vec()),
                end + 1,
            ))
        }
        None => Err(unclosed(at, text)),
    }
}

/// A string in double quotes, with C's escapes.
fn quoted(text: &str, at: usize) -> Result<(Token, usize)> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut i = at + 1;
    loop {
        match bytes.get(i) {
            None => return Err(unclosed(at, text)),
            Some(b'"') => return Ok((Token::Quoted(out), i + 1)),
            Some(b'\\') => {
                let (byte, next) = escape(bytes, i)
                    .ok_or_else(|| {
                        let end = text[i + 1..].chars().next().map_or(0, char::len_utf8) + i + 1;
                        Error::new("unknown escape sequence", i..end).help(
                            "known are \\n \\t \\r \\f \\v \\e \\\\ \\\" \\' \\xHH and octal \\NNN; in single quotes a \\ is itself",
                        )
                    })?;
                out.push(byte);
                i = next;
            }
            Some(byte) => {
                out.push(*byte);
                i += 1;
            }
        }
    }
}

fn unclosed(at: usize, text: &str) -> Error {
    Error::new(
        "the string has no closing quote",
        at..text.len().min(at + 1),
    )
}

/// The escape sequence at `i`: its byte and where it ends.
fn escape(bytes: &[u8], i: usize) -> Option<(u8, usize)> {
    let hex = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let simple = match *bytes.get(i + 1)? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'f' => 0x0c,
        b'v' => 0x0b,
        b'e' => 0x1b,
        byte @ (b'\\' | b'"' | b'\'') => byte,
        b'x' => {
            let high = hex(bytes.get(i + 2)?)?;
            let low = hex(bytes.get(i + 3)?)?;
            return Some((high << 4 | low, i + 4));
        }
        b'0'..=b'7' => {
            let digits = bytes[i + 1..]
                .iter()
                .take(3)
                .take_while(|byte| matches!(byte, b'0'..=b'7'));
            let len = digits.clone().count();
            let value = digits.fold(0u32, |value, byte| value * 8 + u32::from(byte - b'0'));
            return u8::try_from(value).ok().map(|byte| (byte, i + 1 + len));
        }
        _ => return None,
    };
    Some((simple, i + 2))
}
