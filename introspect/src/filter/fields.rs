//! The fields of the language: their names, and what they are.

use super::error::did_you_mean;
use std::sync::Arc;
use vitrine_abi::syscall;

/// A field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Field {
    Type,
    Kind,
    Dir,
    Nr,
    Arg(ArgRef),
    RawArg(u8),
    Path,
    AnyPath,
    /// The call's first or second path, absolute.
    FullPath(u8),
    Address,
    FdNum,
    FdName,
    FdType,
    FdDirectory,
    FdFilename,
    AnyFd,
    Res,
    Errno,
    Failed,
    Latency,
    Args,
    Seq,
    Time,
    Cpu,
    Pid,
    Tid,
    Ppid,
    Sid,
    Uid,
    Gid,
    ProcName,
    ProcExe,
    Cmdline,
    ParentName,
    AncestorName,
    AncestorPid,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArgRef {
    /// By its name in the man page.
    Name(Arc<str>),
    /// By its number.
    Index(u8),
}

/// What values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Numbers.
    Number,
    /// Nanoseconds.
    Duration,
    /// Strings.
    Text,
    /// True or false.
    Bool,
    /// It depends on the call.
    Argument,
}

/// Every field with a name of its own: name, field, type, description.
pub const FIELDS: &[(&str, Field, Type, &str)] = &[
    (
        "evt.type",
        Field::Type,
        Type::Text,
        "name of the call (also %class); procstart, procfork, procexit, procname, signaldeliver, mapping, descriptor, credentials, session, umask, signal_sent, drops for other events",
    ),
    (
        "evt.kind",
        Field::Kind,
        Type::Text,
        "kind of event, as `type` in JSON: syscall, exec, fork, exit, signal, …",
    ),
    (
        "evt.dir",
        Field::Dir,
        Type::Text,
        "> any call, < one that has returned",
    ),
    ("evt.nr", Field::Nr, Type::Number, "number of the call"),
    (
        "evt.res",
        Field::Res,
        Type::Number,
        "result; -ENOENT and the like for an error, SUCCESS for any other",
    ),
    ("evt.rawres", Field::Res, Type::Number, "the same"),
    (
        "evt.errno",
        Field::Errno,
        Type::Number,
        "error number; absent if the call succeeded",
    ),
    (
        "evt.failed",
        Field::Failed,
        Type::Bool,
        "whether the call returned an error",
    ),
    (
        "evt.latency",
        Field::Latency,
        Type::Duration,
        "how long the call took",
    ),
    ("evt.duration", Field::Latency, Type::Duration, "the same"),
    (
        "evt.args",
        Field::Args,
        Type::Text,
        "all arguments as strace prints them",
    ),
    ("evt.path", Field::Path, Type::Text, "the call's first path"),
    (
        "evt.paths",
        Field::AnyPath,
        Type::Text,
        "any path of the call, in an argument or behind a descriptor",
    ),
    (
        "fs.path.name",
        Field::FullPath(0),
        Type::Text,
        "the call's first path, made absolute with its directory, without . and ..; links are not followed",
    ),
    ("fs.path.source", Field::FullPath(0), Type::Text, "the same"),
    (
        "fs.path.target",
        Field::FullPath(1),
        Type::Text,
        "the call's second path, made absolute",
    ),
    (
        "evt.address",
        Field::Address,
        Type::Text,
        "the socket address that the call is given: 127.0.0.1:80, [::1]:80, unix:/path, unix:@name",
    ),
    ("evt.num", Field::Seq, Type::Number, "number of the event"),
    (
        "evt.time",
        Field::Time,
        Type::Number,
        "nanoseconds since the epoch",
    ),
    ("evt.cpu", Field::Cpu, Type::Number, "virtual CPU"),
    ("path", Field::Path, Type::Text, "the call's first path"),
    (
        "fd.num",
        Field::FdNum,
        Type::Number,
        "the call's descriptor: its first one, or the one it returns",
    ),
    (
        "fd.nums",
        Field::AnyFd,
        Type::Number,
        "any descriptor argument of the call",
    ),
    (
        "fd.name",
        Field::FdName,
        Type::Text,
        "path or address of what the descriptor refers to",
    ),
    (
        "fd.type",
        Field::FdType,
        Type::Text,
        "its kind: file, dir, pipe, tty, …",
    ),
    (
        "fd.directory",
        Field::FdDirectory,
        Type::Text,
        "its path up to the last /",
    ),
    (
        "fd.filename",
        Field::FdFilename,
        Type::Text,
        "its path after the last /",
    ),
    (
        "proc.name",
        Field::ProcName,
        Type::Text,
        "name of the thread (comm)",
    ),
    (
        "proc.exe",
        Field::ProcExe,
        Type::Text,
        "path of the executable",
    ),
    ("proc.exepath", Field::ProcExe, Type::Text, "the same"),
    (
        "proc.cmdline",
        Field::Cmdline,
        Type::Text,
        "arguments of the program, separated by spaces",
    ),
    ("proc.pid", Field::Pid, Type::Number, "process id"),
    (
        "proc.ppid",
        Field::Ppid,
        Type::Number,
        "parent's process id",
    ),
    ("proc.sid", Field::Sid, Type::Number, "session"),
    (
        "proc.pname",
        Field::ParentName,
        Type::Text,
        "name of the parent process",
    ),
    (
        "proc.aname",
        Field::AncestorName,
        Type::Text,
        "name of any ancestor",
    ),
    (
        "proc.apid",
        Field::AncestorPid,
        Type::Number,
        "process id of any ancestor",
    ),
    ("thread.tid", Field::Tid, Type::Number, "thread id"),
    ("user.uid", Field::Uid, Type::Number, "effective user id"),
    ("user.gid", Field::Gid, Type::Number, "effective group id"),
    ("group.gid", Field::Gid, Type::Number, "the same"),
];

/// The field that a name means; the error is message and help. A name without a dot is an argument.
pub fn by_name(name: &str) -> Result<(Field, Type), (String, Option<String>)> {
    if let Some((_, field, ty, _)) = FIELDS.iter().find(|(known, ..)| *known == name) {
        return Ok((field.clone(), *ty));
    }
    let argument = name.strip_prefix("evt.arg.").or_else(|| {
        name.strip_prefix("evt.arg[")
            .and_then(|rest| rest.strip_suffix(']'))
    });
    let index = |text: &str| text.parse::<u8>().ok().filter(|index| *index < 6);
    if let Some(argument) = argument {
        let field = match argument.parse::<u64>() {
            Ok(_) => ArgRef::Index(index(argument).ok_or_else(|| {
                (
                    format!("there is no argument {argument}"),
                    Some("arguments are counted from 0 to 5".to_owned()),
                )
            })?),
            Err(_) => ArgRef::Name(Arc::from(argument)),
        };
        return Ok((Field::Arg(field), Type::Argument));
    }
    if let Some(number) = name.strip_prefix("evt.rawarg.").or_else(|| {
        name.strip_prefix("evt.rawarg[")
            .and_then(|rest| rest.strip_suffix(']'))
    }) {
        return match index(number) {
            Some(index) => Ok((Field::RawArg(index), Type::Number)),
            None => Err((
                format!("`{number}` is no number of an argument"),
                Some("raw arguments are evt.rawarg.0 to evt.rawarg.5".to_owned()),
            )),
        };
    }
    if name.contains('.') || !is_name(name) {
        let names = FIELDS.iter().map(|(name, ..)| *name);
        let families = ["evt.", "proc.", "thread.", "user.", "group.", "fd.", "fs."];
        let family = families.iter().find(|prefix| name.starts_with(**prefix));
        let help = did_you_mean(name, names.clone()).or_else(|| {
            let prefix = family.copied().unwrap_or("");
            let list: Vec<&str> = names.filter(|name| name.starts_with(prefix)).collect();
            Some(format!(
                "there are {}, evt.arg.NAME, evt.rawarg.N",
                list.join(", ")
            ))
        });
        return Err((format!("there is no field `{name}`"), help));
    }
    Ok((Field::Arg(ArgRef::Name(Arc::from(name))), Type::Argument))
}

/// Whether it looks like a name of an argument.
fn is_name(name: &str) -> bool {
    name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// Names of arguments that any call has.
pub fn argument_names() -> impl Iterator<Item = &'static str> {
    syscall::all().flat_map(|call| call.args.iter().map(|arg| arg.name))
}
