//! strace's options: what a command line asks for, and what is wrong with it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use vitrine_introspect::decode::notation::{Constants, HexStrings};
use vitrine_introspect::print::summary::{Column, SortBy, SummaryOptions};
use vitrine_introspect::print::{Options, Precision, Timestamps};
use vitrine_introspect::select::{CallSet, StatusSet};

use super::getopt::{Argument, Found, Getopt, Long};
use super::qualify::Qualifiers;

/// Why strace would end with status 1 before it runs anything.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A message.
    Message(String),
    /// A message, and a hint at `-h`.
    Usage(String),
}

impl Refusal {
    fn usage(text: impl Into<String>) -> Refusal {
        Refusal::Usage(text.into())
    }

    fn message(text: impl Into<String>) -> Refusal {
        Refusal::Message(text.into())
    }
}

/// Whether there is a summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Summary {
    /// None.
    #[default]
    None,
    /// Nothing but it (`-c`).
    Only,
    /// It comes after the trace (`-C`).
    Both,
}

/// What is to be done.
#[derive(Debug)]
pub enum Request {
    /// `-h`.
    Help,
    /// `-V`.
    Version,
    /// Run a program.
    Run(Box<Strace>),
}

/// A program to run and how to show it.
#[derive(Debug, Default)]
pub struct Strace {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// How calls are printed.
    pub print: Options,
    /// What is printed.
    pub qualifiers: Qualifiers,
    /// Follow children (`-f`).
    pub follow: bool,
    /// A file for each process (`-ff -o`).
    pub separately: bool,
    /// `-o`.
    pub output: Option<OsString>,
    /// `-A`.
    pub append: bool,
    /// `-c`, `-C`.
    pub summary: Summary,
    /// How the summary looks.
    pub table: SummaryOptions,
    /// `-P`.
    pub paths: Vec<Vec<u8>>,
    /// `-E`: what to set, or (without `=`) to remove.
    pub environment: Vec<OsString>,
    /// `-u`.
    pub user: Option<String>,
    /// `-b execve`.
    pub detach_on_execve: bool,
    /// Whether a terminal is told how a trace to a file is getting on.
    pub progress: bool,
    /// What strace says before it starts, without stopping.
    pub warnings: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Columns,
    Append,
    DetachOn,
    SummaryOnly,
    SummaryToo,
    Debug,
    Daemonize,
    DaemonizeLong,
    Qualify,
    Env,
    Follow,
    FollowLong,
    FollowOld,
    Separately,
    Help,
    InstructionPointer,
    Interruptible,
    Stack,
    Number,
    Output,
    Overhead,
    Attach,
    Path,
    Quiet,
    QuietLong,
    Relative,
    StringLimit,
    SortBy,
    Time,
    TimeLong,
    Duration,
    User,
    SummaryColumns,
    NoAbbrev,
    Version,
    WallClock,
    Hex,
    HexLong,
    Constants,
    Descriptors,
    DescriptorsLong,
    PidComm,
    PidNamespace,
    Successful,
    Failed,
    Seccomp,
    Tips,
    NoProgress,
    Qualifier(&'static str),
}

use Argument::{None as Bare, Optional, Required};

const SHORT: &[(u8, Argument, Key)] = &[
    (b'a', Required, Key::Columns),
    (b'A', Bare, Key::Append),
    (b'b', Required, Key::DetachOn),
    (b'c', Bare, Key::SummaryOnly),
    (b'C', Bare, Key::SummaryToo),
    (b'd', Bare, Key::Debug),
    (b'D', Bare, Key::Daemonize),
    (b'e', Required, Key::Qualify),
    (b'E', Required, Key::Env),
    (b'f', Bare, Key::Follow),
    (b'F', Bare, Key::FollowOld),
    (b'h', Bare, Key::Help),
    (b'i', Bare, Key::InstructionPointer),
    (b'I', Required, Key::Interruptible),
    (b'k', Bare, Key::Stack),
    (b'n', Bare, Key::Number),
    (b'o', Required, Key::Output),
    (b'O', Required, Key::Overhead),
    (b'p', Required, Key::Attach),
    (b'P', Required, Key::Path),
    (b'q', Bare, Key::Quiet),
    (b'r', Bare, Key::Relative),
    (b's', Required, Key::StringLimit),
    (b'S', Required, Key::SortBy),
    (b't', Bare, Key::Time),
    (b'T', Bare, Key::Duration),
    (b'u', Required, Key::User),
    (b'U', Required, Key::SummaryColumns),
    (b'v', Bare, Key::NoAbbrev),
    (b'V', Bare, Key::Version),
    (b'w', Bare, Key::WallClock),
    (b'x', Bare, Key::Hex),
    (b'X', Required, Key::Constants),
    (b'y', Bare, Key::Descriptors),
    (b'Y', Bare, Key::PidComm),
    (b'z', Bare, Key::Successful),
    (b'Z', Bare, Key::Failed),
];

const LONG: &[Long<Key>] = &[
    ("columns", Required, Key::Columns),
    ("output-append-mode", Bare, Key::Append),
    ("detach-on", Required, Key::DetachOn),
    ("summary-only", Bare, Key::SummaryOnly),
    ("summary", Bare, Key::SummaryToo),
    ("debug", Bare, Key::Debug),
    ("daemonize", Optional, Key::DaemonizeLong),
    ("daemonised", Optional, Key::DaemonizeLong),
    ("daemonized", Optional, Key::DaemonizeLong),
    ("env", Required, Key::Env),
    ("follow-forks", Bare, Key::FollowLong),
    ("output-separately", Bare, Key::Separately),
    ("help", Bare, Key::Help),
    ("instruction-pointer", Bare, Key::InstructionPointer),
    ("interruptible", Required, Key::Interruptible),
    ("stack-traces", Bare, Key::Stack),
    ("syscall-number", Bare, Key::Number),
    ("output", Required, Key::Output),
    ("summary-syscall-overhead", Required, Key::Overhead),
    ("attach", Required, Key::Attach),
    ("trace-path", Required, Key::Path),
    ("relative-timestamps", Optional, Key::Relative),
    ("string-limit", Required, Key::StringLimit),
    ("summary-sort-by", Required, Key::SortBy),
    ("absolute-timestamps", Optional, Key::TimeLong),
    ("timestamps", Optional, Key::TimeLong),
    ("syscall-times", Optional, Key::Duration),
    ("user", Required, Key::User),
    ("summary-columns", Required, Key::SummaryColumns),
    ("no-abbrev", Bare, Key::NoAbbrev),
    ("version", Bare, Key::Version),
    ("summary-wall-clock", Bare, Key::WallClock),
    ("strings-in-hex", Optional, Key::HexLong),
    ("const-print-style", Required, Key::Constants),
    ("pidns-translation", Bare, Key::PidNamespace),
    ("successful-only", Bare, Key::Successful),
    ("failed-only", Bare, Key::Failed),
    ("failing-only", Bare, Key::Failed),
    ("seccomp-bpf", Bare, Key::Seccomp),
    ("tips", Optional, Key::Tips),
    ("no-progress", Bare, Key::NoProgress),
    ("trace", Required, Key::Qualifier("trace")),
    ("abbrev", Required, Key::Qualifier("abbrev")),
    ("verbose", Required, Key::Qualifier("verbose")),
    ("raw", Required, Key::Qualifier("raw")),
    ("signals", Required, Key::Qualifier("signal")),
    ("status", Required, Key::Qualifier("status")),
    ("read", Required, Key::Qualifier("read")),
    ("write", Required, Key::Qualifier("write")),
    ("fault", Required, Key::Qualifier("fault")),
    ("inject", Required, Key::Qualifier("inject")),
    ("kvm", Required, Key::Qualifier("kvm")),
    ("quiet", Optional, Key::QuietLong),
    ("silent", Optional, Key::QuietLong),
    ("silence", Optional, Key::QuietLong),
    ("decode-fds", Optional, Key::DescriptorsLong),
    ("decode-pids", Required, Key::Qualifier("decode-pids")),
];

/// Options that only have a meaning together with others, counted until the end.
#[derive(Default)]
struct Counts {
    follow: u32,
    follow_long: bool,
    follow_old: bool,
    separately: bool,
    time: u32,
    time_long: bool,
    hex: u32,
    hex_long: bool,
    descriptors: u32,
    quiet: u32,
    status: u32,
    daemonize: u32,
    daemonize_long: bool,
    seccomp: bool,
    no_progress: bool,
    columns: bool,
    sort_by: bool,
}

/// Reads a command line, without the program's name.
pub fn parse(words: &[OsString]) -> Result<Request, Refusal> {
    let mut strace = Strace::default();
    let mut counts = Counts::default();
    let mut options = Getopt::new(words, SHORT, LONG);
    let mut version = false;
    while let Some(option) = options.next_option() {
        let option = option.map_err(Refusal::Usage)?;
        match option.key {
            Key::Help => return Ok(Request::Help),
            Key::Version => version = true,
            _ => apply(&mut strace, &mut counts, option)?,
        }
    }
    if version {
        return Ok(Request::Version);
    }
    strace.command = options.rest().to_vec();
    finish(&mut strace, &counts)?;
    Ok(Request::Run(Box::new(strace)))
}

fn apply(strace: &mut Strace, counts: &mut Counts, option: Found<Key>) -> Result<(), Refusal> {
    let text = option
        .argument
        .as_ref()
        .map(|text| text.to_string_lossy().into_owned());
    let argument = text.as_deref().unwrap_or_default();
    let invalid = || Refusal::usage(format!("invalid {} argument: '{argument}'", option.name));
    let qualify = |strace: &mut Strace, name: &str, value: &str| {
        strace.qualifiers.set(name, value).map_err(Refusal::Message)
    };
    match option.key {
        Key::Columns => strace.print.column = number(argument).ok_or_else(invalid)?,
        Key::Append => strace.append = true,
        Key::DetachOn if argument != "execve" => {
            return Err(Refusal::message(format!(
                "Syscall '{argument}' for -b isn't supported"
            )));
        }
        Key::DetachOn => strace.detach_on_execve = true,
        Key::SummaryOnly | Key::SummaryToo => {
            let (wanted, other) = match option.key {
                Key::SummaryOnly => (Summary::Only, Summary::Both),
                _ => (Summary::Both, Summary::Only),
            };
            if strace.summary == other {
                return Err(Refusal::usage(
                    "-c/--summary-only and -C/--summary are mutually exclusive",
                ));
            }
            strace.summary = wanted;
        }
        Key::Debug | Key::Tips => {}
        Key::Daemonize => counts.daemonize += 1,
        Key::DaemonizeLong => {
            if !matches!(argument, "" | "grandchild" | "pgroup" | "pgrp" | "session") {
                return Err(invalid());
            }
            counts.daemonize_long = true;
        }
        Key::Qualify => strace
            .qualifiers
            .apply(argument)
            .map_err(Refusal::Message)?,
        Key::Env => strace.environment.extend(option.argument),
        Key::Follow => counts.follow += 1,
        Key::FollowLong => counts.follow_long = true,
        Key::FollowOld => counts.follow_old = true,
        Key::Separately => counts.separately = true,
        Key::InstructionPointer => strace.print.instruction_pointer = true,
        Key::Interruptible => {
            let known = ["anywhere", "always", "waiting", "never", "never_tstp"];
            let valid = number(argument).is_some_and(|n| (1..=4).contains(&n));
            if !valid && !known.contains(&argument) {
                return Err(invalid());
            }
        }
        Key::Stack => {
            return Err(Refusal::message(
                "Stack traces (-k/--stack-traces option) are not supported by vitrine",
            ));
        }
        Key::Number => strace.print.numbers = true,
        Key::Output => strace.output = option.argument,
        Key::Overhead => strace.table.overhead_ns = duration(argument).ok_or_else(invalid)?,
        Key::Attach => {
            let mut pids = argument.split([',', ' ', '\t', '\n']);
            if let Some(pid) = pids.find(|pid| !pid.is_empty()) {
                return Err(Refusal::Message(match number(pid) {
                    None | Some(0) => format!("Invalid process id: '{pid}'"),
                    Some(_) => format!(
                        "attach: process {pid} is outside of the sandbox: vitrine can't attach to it"
                    ),
                }));
            }
        }
        Key::Path => strace.paths.extend(option.argument.map(OsString::into_vec)),
        Key::Quiet => counts.quiet += 1,
        Key::QuietLong => {
            let value = text.as_deref().unwrap_or("attach,personality");
            qualify(strace, "quiet", value)?;
        }
        Key::Relative => {
            strace.print.relative = Some(precision(text.as_deref()).ok_or_else(invalid)?)
        }
        Key::StringLimit => {
            let limit = number(argument).filter(|&limit| limit <= u32::MAX as usize / 4);
            strace.print.style.string_limit = limit.ok_or_else(invalid)?;
        }
        Key::SortBy => {
            let order = SortBy::from_name(argument);
            let unknown = || Refusal::usage(format!("invalid sortby: '{argument}'"));
            strace.table.sort_by = order.ok_or_else(unknown)?;
            counts.sort_by = true;
        }
        Key::Time => counts.time += 1,
        Key::TimeLong => {
            counts.time_long = true;
            strace.print.timestamps =
                timestamps(text.as_deref().unwrap_or("time")).ok_or_else(invalid)?;
        }
        Key::Duration => {
            strace.print.durations = Some(precision(text.as_deref()).ok_or_else(invalid)?)
        }
        Key::User => strace.user = Some(argument.to_owned()),
        Key::SummaryColumns => {
            strace.table.columns = columns(argument)?;
            counts.columns = true;
        }
        Key::NoAbbrev => strace.print.abbreviated = CallSet::NONE,
        Key::WallClock => strace.table.wall_clock = true,
        Key::Hex => counts.hex += 1,
        Key::HexLong => {
            counts.hex_long = true;
            strace.print.style.notation.strings = match text.as_deref() {
                None | Some("all") => HexStrings::All,
                Some("none") => HexStrings::None,
                Some("non-ascii-chars") => HexStrings::Escapes,
                Some("non-ascii") => HexStrings::NonAscii,
                Some(_) => return Err(invalid()),
            };
        }
        Key::Constants => {
            strace.print.style.notation.constants = match argument {
                "raw" => Constants::Numbers,
                "abbrev" => Constants::Symbols,
                "verbose" => Constants::Both,
                _ => return Err(invalid()),
            };
        }
        Key::Descriptors => counts.descriptors += 1,
        Key::DescriptorsLong => {
            let value = text.as_deref().unwrap_or("path");
            qualify(strace, "decode-fds", value)?;
        }
        Key::PidComm => qualify(strace, "decode-pids", "comm")?,
        Key::PidNamespace => qualify(strace, "decode-pids", "pidns")?,
        Key::Successful => {
            strace.qualifiers.status = StatusSet::SUCCESSFUL;
            counts.status += 1;
        }
        Key::Failed => {
            strace.qualifiers.status = StatusSet::FAILED;
            counts.status += 1;
        }
        Key::Seccomp => counts.seccomp = true,
        Key::NoProgress => counts.no_progress = true,
        Key::Qualifier(name) => qualify(strace, name, argument)?,
        Key::Help | Key::Version => {}
    }
    Ok(())
}

/// What can be said only when all options are known, in strace's order.
fn finish(strace: &mut Strace, counts: &Counts) -> Result<(), Refusal> {
    if strace.command.is_empty() {
        return Err(Refusal::usage(
            if counts.daemonize > 0 || counts.daemonize_long {
                "PROG [ARGS] must be specified with -D/--daemonize"
            } else {
                "must have PROG [ARGS] or -p PID"
            },
        ));
    }
    let both = |short: &str, long: &str| {
        Refusal::message(format!(
            "{short} and {long} cannot be provided simultaneously"
        ))
    };
    if counts.daemonize > 0 && counts.daemonize_long {
        return Err(both("-D", "--daemonize"));
    }
    if counts.daemonize > 3 {
        return Err(Refusal::usage(format!(
            "Too many -D's ({}), maximum supported -D count is 3",
            counts.daemonize
        )));
    }
    if counts.time > 0 {
        if counts.time_long {
            return Err(both("-t", "--absolute-timestamps"));
        }
        strace.print.timestamps = match counts.time {
            1 => Timestamps::Time(Precision::Seconds),
            2 => Timestamps::Time(Precision::Micros),
            _ => Timestamps::Epoch(Precision::Micros),
        };
    }
    if counts.hex > 0 {
        if counts.hex_long {
            return Err(both("-x", "--strings-in-hex"));
        }
        strace.print.style.notation.strings = match counts.hex {
            1 => HexStrings::NonAscii,
            _ => HexStrings::All,
        };
    }
    if counts.descriptors > 0 {
        if strace.qualifiers.descriptors_set {
            return Err(both("-y", "--decode-fds"));
        }
        strace.qualifiers.fd_paths = true;
        strace.qualifiers.fd_details = counts.descriptors > 1;
    }
    strace.follow = counts.follow_long;
    strace.separately = counts.separately;
    if counts.follow > 0 {
        if counts.follow_long {
            return Err(both("-f", "--follow-forks"));
        }
        if counts.follow > 1 && counts.separately {
            return Err(both("-ff", "--output-separately"));
        }
        strace.follow = true;
        strace.separately = counts.separately || counts.follow > 1;
    }
    if counts.seccomp && !strace.follow {
        strace.warn("--seccomp-bpf cannot be used without -f/--follow-forks, disabling");
    }
    if counts.follow_old {
        if strace.follow {
            strace.warn("deprecated option -F ignored");
        } else {
            strace.warn("option -F is deprecated, please use -f/--follow-forks instead");
            strace.follow = true;
        }
    }
    summary_rules(strace, counts)?;
    if strace.output.is_none() {
        if strace.separately && !strace.follow {
            strace.warn("--output-separately has no effect without -o/--output");
        }
        if strace.append {
            strace.warn("-A/--output-append-mode has no effect without -o/--output");
        }
        strace.separately = false;
    }
    if counts.status > 1 {
        strace.warn(
            "Only the last of -z/--successful-only/-Z/--failed-only options will take effect. \
             See status qualifier for more complex filters.",
        );
    }
    let piped = |output: &OsString| matches!(output.as_bytes().first(), Some(b'|' | b'!'));
    if strace.separately && strace.output.as_ref().is_some_and(piped) {
        return Err(Refusal::usage(
            "piping the output and -ff/--output-separately are mutually exclusive",
        ));
    }
    let to_file = strace.output.as_ref().is_some_and(|output| !piped(output));
    strace.progress = to_file && counts.quiet == 0 && !counts.no_progress;
    let quiet = match counts.quiet {
        0 if strace.output.is_some() && !strace.qualifiers.quiet_set => 1,
        count => count,
    };
    if quiet > 0 {
        if strace.qualifiers.quiet_set {
            return Err(both("-q", "-e quiet/--quiet"));
        }
        let value = match quiet {
            1 => "attach,personality",
            2 => "exit,attach,personality",
            _ => "all",
        };
        strace
            .qualifiers
            .set("quiet", value)
            .map_err(Refusal::Message)?;
    }
    strace.qualifiers.print(&mut strace.print);
    Ok(())
}

fn summary_rules(strace: &mut Strace, counts: &Counts) -> Result<(), Refusal> {
    const WITH: &str = "(-c/--summary-only or -C/--summary)";
    let summary = strace.summary != Summary::None;
    if strace.separately && summary {
        return Err(Refusal::usage(format!(
            "{WITH} and -ff/--output-separately are mutually exclusive"
        )));
    }
    if strace.table.wall_clock && !summary {
        return Err(Refusal::usage(format!(
            "-w/--summary-wall-clock must be given with {WITH}"
        )));
    }
    if counts.columns && !summary {
        return Err(Refusal::usage(format!(
            "-U/--summary-columns must be given with {WITH}"
        )));
    }
    if counts.sort_by && !summary {
        strace.warn(&format!(
            "-S/--summary-sort-by has no effect without {WITH}"
        ));
    }
    if strace.summary == Summary::Only {
        for (given, option) in [
            (strace.print.instruction_pointer, "-i/--instruction-pointer"),
            (strace.print.numbers, "-n/--syscall-number"),
            (strace.print.relative.is_some(), "-r/--relative-timestamps"),
            (
                strace.print.timestamps != Timestamps::None,
                "-t/--absolute-timestamps",
            ),
            (strace.print.durations.is_some(), "-T/--syscall-times"),
            (
                strace.qualifiers.fd_paths || strace.qualifiers.fd_details,
                "-y/--decode-fds",
            ),
        ] {
            if given {
                strace.warn(&format!("{option} has no effect with -c/--summary-only"));
            }
        }
    }
    Ok(())
}

impl Strace {
    fn warn(&mut self, text: &str) {
        self.warnings.push(text.to_owned());
    }
}

fn number(text: &str) -> Option<usize> {
    text.parse::<i32>()
        .ok()
        .and_then(|number| usize::try_from(number).ok())
}

fn precision(text: Option<&str>) -> Option<Precision> {
    Some(match text {
        Some("s") => Precision::Seconds,
        Some("ms") => Precision::Millis,
        None | Some("us") => Precision::Micros,
        Some("ns") => Precision::Nanos,
        Some(_) => return None,
    })
}

/// `[[format:]FORMAT[,[precision:]PRECISION]]`.
fn timestamps(text: &str) -> Option<Timestamps> {
    let mut format = "time";
    let mut digits = Precision::Seconds;
    for token in text.split(',').filter(|token| !token.is_empty()) {
        let (token, is_format, is_precision) = if let Some(token) = token.strip_prefix("format:") {
            (token, true, false)
        } else if let Some(token) = token.strip_prefix("precision:") {
            (token, false, true)
        } else {
            (token, true, true)
        };
        if is_format && matches!(token, "none" | "time" | "unix") {
            format = token;
        } else if is_precision {
            digits = precision(Some(token))?;
        } else {
            return None;
        }
    }
    Some(match format {
        "none" => Timestamps::None,
        "unix" => Timestamps::Epoch(digits),
        _ => Timestamps::Time(digits),
    })
}

/// A number with an optional unit, microseconds without; in nanoseconds.
fn duration(text: &str) -> Option<u64> {
    let end = text
        .find(|char: char| char.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let unit = match text.get(end..)? {
        "" | "us" => 1e3,
        "s" => 1e9,
        "ms" => 1e6,
        "ns" => 1.0,
        _ => return None,
    };
    let value: f64 = text.get(..end)?.parse().ok()?;
    (value >= 0.0 && value.is_finite()).then_some((value * unit) as u64)
}

fn columns(text: &str) -> Result<Vec<Column>, Refusal> {
    let mut columns = Vec::new();
    let mut rest = text;
    loop {
        let (name, behind) = match rest.split_once(',') {
            Some((name, behind)) => (name, Some(behind)),
            None => (rest, None),
        };
        let unknown = || Refusal::usage(format!("unknown column name: '{name}'"));
        let column = Column::from_name(name).ok_or_else(unknown)?;
        if columns.contains(&column) {
            return Err(Refusal::usage(format!(
                "call summary column has been provided more than once: '{name}' (-U option residual: '{rest}')"
            )));
        }
        columns.push(column);
        match behind {
            Some(behind) => rest = behind,
            None => return Ok(columns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        match parse(&words) {
            Err(Refusal::Message(text) | Refusal::Usage(text)) => text,
            Ok(_) => panic!("{line} is taken"),
        }
    }

    fn taken(line: &str) -> Strace {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        match parse(&words) {
            Ok(Request::Run(strace)) => *strace,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn mistakes() {
        for (line, message) in [
            ("-s x true", "invalid -s argument: 'x'"),
            (
                "--string-limit=-1 true",
                "invalid --string-limit argument: '-1'",
            ),
            (
                "-c -C true",
                "-c/--summary-only and -C/--summary are mutually exclusive",
            ),
            ("-I 9 true", "invalid -I argument: '9'"),
            ("-p x true", "Invalid process id: 'x'"),
            (
                "-U calls,calls -c true",
                "call summary column has been provided more than once: 'calls' (-U option residual: 'calls')",
            ),
            (
                "-q -e quiet=exit true",
                "-q and -e quiet/--quiet cannot be provided simultaneously",
            ),
            ("-f", "must have PROG [ARGS] or -p PID"),
        ] {
            assert_eq!(refused(line), message, "{line}");
        }
    }

    #[test]
    fn meanings() {
        let strace = taken("-fttTyys100 -o log -e trace=%file ls -l");
        assert!(strace.follow && !strace.separately);
        assert_eq!(strace.print.timestamps, Timestamps::Time(Precision::Micros));
        assert_eq!(strace.print.durations, Some(Precision::Micros));
        assert!(strace.print.style.fd_paths && strace.print.style.notation.devices);
        assert_eq!(strace.print.style.string_limit, 100);
        assert!(strace.print.quiet.attach && !strace.print.quiet.exit);
        assert_eq!(strace.command, ["ls", "-l"]);
        let strace = taken("--timestamps=format:unix,precision:ns --syscall-times=ms true");
        assert_eq!(strace.print.timestamps, Timestamps::Epoch(Precision::Nanos));
        assert_eq!(strace.print.durations, Some(Precision::Millis));
        assert_eq!(taken("-O 1.5ms -c true").table.overhead_ns, 1_500_000);
    }
}
