//! `#!` lines (execve(2), "Interpreter scripts").

use crate::Errno;
use alloc::vec::Vec;

/// Bytes of a file that the kernel looks at to tell what it is (BINPRM_BUF_SIZE).
pub const HEAD: usize = 256;

/// What a `#!` line names.
pub struct Interpreter {
    /// Path of the program that runs the script.
    pub path: Vec<u8>,
    /// Its one optional argument: all the rest of the line.
    pub argument: Option<Vec<u8>>,
}

/// Reads the line at the start of a file; `head` is its first bytes, filled up with NULs. `None`: it doesn't start with `#!`.
pub fn parse(head: &[u8; HEAD]) -> Option<Result<Interpreter, Errno>> {
    // The last byte doesn't count, as on Linux: there it ends the buffer.
    let line = head[..HEAD - 1].strip_prefix(b"#!")?;
    Some(parse_line(line))
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn parse_line(buffer: &[u8]) -> Result<Interpreter, Errno> {
    let newline = buffer.iter().position(|byte| *byte == b'\n');
    let line = newline.map_or(buffer, |end| &buffer[..end]);
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let start = line
        .iter()
        .position(|byte| !is_blank(byte))
        .ok_or(Errno::ENOEXEC)?;
    let line = &line[start..];
    let path_len = line.iter().position(is_blank).unwrap_or(line.len());
    // Without an end of the line or of the path in sight the path may be cut short: another program than the one meant.
    if newline.is_none() && start + path_len == buffer.len() {
        return Err(Errno::ENOEXEC);
    }
    let (path, rest) = line.split_at(path_len);
    let argument = rest.trim_ascii();
    Ok(Interpreter {
        path: path.to_vec(),
        argument: (!argument.is_empty()).then(|| argument.to_vec()),
    })
}
