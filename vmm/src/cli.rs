//! The command line.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use vitrine_introspect::change::Groups;
use vitrine_introspect::decode::{Notation, Style};
use vitrine_introspect::print::{Options, PidPrefix, Precision, Timestamps};

use crate::account::User;
use crate::kvm::{MIN_RAM, Mode};
use crate::stops::OnDetach;

const EXAMPLES: &str = "\
Examples:
  vitrine run -- ls -l /etc             run a program in a sandbox of its own
  vitrine run --trace -- ls -l /etc     and print its system calls to standard error
  vitrine doctor                        see what this machine can do";

const RUN_EXAMPLES: &str = "\
Examples:
  vitrine run --trace -- ls -l /etc
  vitrine run --trace -o log.jsonl --format json -- make
  vitrine run -e trace=%file -e status=failed -- make
  vitrine run --rule 'write if fd == 1 when=3+ then return -ENOSPC' -- ./backup.sh
  vitrine run --preset disk-full -- ./backup.sh
  vitrine run --mem 512M --max-processes 64 --hide ~/.ssh -- ./install.sh

The program sees this machine's files read-only beneath a layer in memory: what it writes is gone when it ends.
Exit status: the program's own; 128+N if signal N ended it; 125 if vitrine failed, 126 if the program can't be executed, 127 if there is none.";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  vitrine doctor
  vitrine doctor --json | jq .mode";

const PRESET_EXAMPLES: &str = "\
Examples:
  vitrine presets
  vitrine presets fake-time > my-time.toml
  vitrine run --preset fake-time:offset=-1h -- date";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  vitrine filter explain 'evt.type = openat and path startswith /etc/'
  vitrine filter explain 'evt.failed and evt.latency > 10ms'
  vitrine filter explain 'evt.type in (%network) and not proc.aname = sshd'";

const LS_EXAMPLES: &str = "\
Examples:
  vitrine ls                  names, commands and ages of the running sandboxes
  vitrine ls --json";

const RULES_EXAMPLES: &str = "\
Examples:
  vitrine rules add 'openat if path == /etc/passwd then return -ENOENT'
  vitrine rules list
  vitrine rules disable 1     keep the rule, and apply it no more
  vitrine rules -h            all that can be done with rules";

const TRACE_EXAMPLES: &str = "\
Examples:
  vitrine trace                                   follow the only sandbox that runs
  vitrine trace -S web --filter 'evt.failed = true' --format json";

const FILTER_EXAMPLES: &str = "\
Examples:
  vitrine filter set 'evt.type = openat and proc.name = cc1'
  vitrine filter get
  vitrine filter explain 'path startswith /etc'   where it is decided";

const STOPS_EXAMPLES: &str = "\
Examples:
  vitrine stops
  vitrine stops -v
  vitrine stops --json | jq '.[0].call'";

const RESUME_EXAMPLES: &str = "\
Examples:
  vitrine resume 12
  vitrine resume 12 --set pathname=/tmp/fake --set 'flags|=O_CLOEXEC'
  vitrine resume s3 --return -ENOENT
  vitrine resume --all";

const BREAK_EXAMPLES: &str = "\
Examples:
  vitrine break 'openat if path startswith /etc/'
  vitrine break --exit 'connect if evt.failed'";

/// Runs an unmodified Linux program in a micro-VM of its own and shows everything that it does.
#[derive(Debug, Parser)]
#[command(name = "vitrine", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Cli {
    /// Say more about what vitrine itself does (twice: everything)
    #[arg(long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program in a sandbox
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunOptions>),
    /// Run a program in a sandbox with strace's command line, output and exit status (`strace -h` lists its options)
    #[command(disable_help_flag = true)]
    Strace(StraceOptions),
    /// Check this machine: KVM, guest mode, processor features, jail, costs
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorOptions),
    /// List the sandboxes that are running
    #[command(after_help = LS_EXAMPLES)]
    Ls(LsOptions),
    /// See and change the rules of a running sandbox
    #[command(after_help = RULES_EXAMPLES)]
    Rules(RulesOptions),
    /// Follow the system calls of a running sandbox; Ctrl-C leaves, and the program goes on
    #[command(after_help = TRACE_EXAMPLES)]
    Trace(TraceOptions),
    /// List the threads that breakpoints and stop rules hold
    #[command(after_help = STOPS_EXAMPLES)]
    Stops(StopsOptions),
    /// Let a stopped thread go on: as it was, with other arguments, with a result of its own, or killed
    #[command(after_help = RESUME_EXAMPLES)]
    Resume(ResumeOptions),
    /// Stop threads of a running sandbox before (or after) calls; vitrine rules lists and removes breakpoints
    #[command(after_help = BREAK_EXAMPLES)]
    Break(BreakOptions),
    /// Work with filter expressions
    #[command(after_help = FILTER_EXAMPLES)]
    Filter {
        /// What to do with them.
        #[command(subcommand)]
        command: FilterCommand,
    },
    /// List the rules that come with vitrine (for run --preset), or print some of them
    #[command(after_help = PRESET_EXAMPLES)]
    Presets(PresetOptions),
}

/// Options of `vitrine presets`.
#[derive(Debug, Args)]
pub struct PresetOptions {
    /// Print this one's rules, as TOML to change and to give to --rules
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// What to do with filter expressions.
#[derive(Debug, Subcommand)]
pub enum FilterCommand {
    /// Show which calls an expression watches, what the guest decides, what is left to the host, and the guest's programs
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainOptions),
    /// Show the filter of a running sandbox's log
    #[command(after_help = FILTER_EXAMPLES)]
    Get(Target),
    /// Have a running sandbox's log show only what an expression holds for
    #[command(after_help = FILTER_EXAMPLES)]
    Set {
        /// The expression
        #[arg(value_name = "EXPR", allow_hyphen_values = true)]
        expression: String,
        /// Which sandbox.
        #[command(flatten)]
        target: Target,
    },
}

/// Which sandbox a command is for, and how it answers.
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// The sandbox's name (default: the only one that runs)
    #[arg(short = 'S', long, value_name = "NAME")]
    pub sandbox: Option<String>,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `vitrine ls`.
#[derive(Debug, Args)]
pub struct LsOptions {
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `vitrine rules`.
#[derive(Debug, Args)]
pub struct RulesOptions {
    /// What to do with them.
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// What to do with the rules of a running sandbox.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Show all rules with how often they have matched and applied
    #[command(after_help = RULES_EXAMPLES)]
    List(Target),
    /// Add a rule behind the others
    #[command(after_help = RULES_EXAMPLES)]
    Add {
        /// The rule
        #[arg(value_name = "RULE")]
        rule: String,
        /// A name for it (default: its text)
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Which sandbox.
        #[command(flatten)]
        target: Target,
    },
    /// Remove a rule
    #[command(after_help = RULES_EXAMPLES)]
    Remove(OneRule),
    /// Put a rule in force again, with its count at 0
    #[command(after_help = RULES_EXAMPLES)]
    Enable(OneRule),
    /// Keep a rule from being applied
    #[command(after_help = RULES_EXAMPLES)]
    Disable(OneRule),
    /// Read the files of --rules again; if one of them is wrong, nothing changes
    #[command(after_help = RULES_EXAMPLES)]
    Reload(Target),
}

/// A rule.
#[derive(Debug, Args)]
pub struct OneRule {
    /// Its id or name
    #[arg(value_name = "ID|NAME")]
    pub rule: String,
    /// Which sandbox.
    #[command(flatten)]
    pub target: Target,
}

/// Options of `vitrine trace`.
#[derive(Debug, Args)]
pub struct TraceOptions {
    /// The sandbox's name (default: the only one that runs)
    #[arg(short = 'S', long, value_name = "NAME")]
    pub sandbox: Option<String>,
    /// Show only what this expression holds for
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// How the trace looks
    #[arg(long, value_enum, default_value_t = Format::Strace)]
    pub format: Format,
    /// Longest string that is printed whole
    #[arg(short, long, value_name = "SIZE", default_value_t = 32)]
    pub string_limit: u32,
    /// Write the trace to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `vitrine stops`.
#[derive(Debug, Args)]
pub struct StopsOptions {
    /// Show registers too
    #[arg(short = 'v', long)]
    pub registers: bool,
    /// Which sandbox, and how the answer looks.
    #[command(flatten)]
    pub target: Target,
}

/// Options of `vitrine resume`.
#[derive(Debug, Args)]
pub struct ResumeOptions {
    /// A process or thread by its id, or one stop, as in s3
    #[arg(
        value_name = "PID|sID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub which: Option<String>,
    /// All stopped threads
    #[arg(long)]
    pub all: bool,
    /// Run the call with another argument, as in pathname=/tmp/x, flags|=O_CLOEXEC or arg2=0 (may be repeated)
    #[arg(long, value_name = "ARG=VALUE")]
    pub set: Vec<String>,
    /// Don't run the call (or, after it, forget its result) and return this
    #[arg(
        long = "return",
        value_name = "VALUE|-ERRNO",
        allow_hyphen_values = true
    )]
    pub returned: Option<String>,
    /// Kill the process
    #[arg(long)]
    pub kill: bool,
    /// Which sandbox, and how the answer looks.
    #[command(flatten)]
    pub target: Target,
}

/// Options of `vitrine break`.
#[derive(Debug, Args)]
pub struct BreakOptions {
    /// CALLS [if EXPR], or an expression alone
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub at: String,
    /// Stop after the calls, not before them
    #[arg(long)]
    pub exit: bool,
    /// Which sandbox, and how the answer looks.
    #[command(flatten)]
    pub target: Target,
}

/// Options of `vitrine filter explain`.
#[derive(Debug, Args)]
pub struct ExplainOptions {
    /// The expression
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expression: String,
}

/// Options of `vitrine strace`, which it reads by strace's own rules.
#[derive(Debug, Args)]
pub struct StraceOptions {
    /// strace's options, the program and its arguments
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    pub words: Vec<OsString>,
}

/// Options of `vitrine doctor`.
#[derive(Debug, Args)]
pub struct DoctorOptions {
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `vitrine run`.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// Print the program's system calls, to standard error unless -o says otherwise
    #[arg(long)]
    pub trace: bool,
    /// Write the trace to FILE
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Don't show on a terminal how a trace to a file is getting on
    #[arg(long)]
    pub no_progress: bool,
    /// Trace only what this expression holds for, as in 'evt.type = openat and path startswith /etc' (vitrine filter explain shows what becomes of it)
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Trace, fault and inject as strace's -e says: trace=%file, status=failed, inject=openat:error=ENOENT:when=3+, … (may be repeated)
    #[arg(short = 'e', value_name = "EXPR")]
    pub strace: Vec<String>,
    /// Tell of these groups of events only: syscalls, process, signals, mappings, descriptors, credentials, or all; the last three, and signals that are sent, cost nothing unless named (default: syscalls,process and signals that are delivered)
    #[arg(long, value_name = "GROUPS", value_parser = Groups::parse)]
    pub events: Option<Groups>,
    /// Change calls: 'openat if path == /etc/passwd then set path = /tmp/fake' (may be repeated)
    #[arg(long, value_name = "RULE")]
    pub rule: Vec<String>,
    /// Use rules that come with vitrine, as in fake-time:offset=-1h (vitrine presets lists them; may be repeated)
    #[arg(long, value_name = "NAME[:KEY=VALUE,…]")]
    pub preset: Vec<String>,
    /// Take rules from a TOML file, before those of --rule and after presets; preset:NAME is one that comes with vitrine (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// Stop a thread before the calls of CALLS [if EXPR], until `vitrine resume`: 'openat if path startswith /etc/', or an expression alone (may be repeated)
    #[arg(long = "break", value_name = "EXPR")]
    pub breakpoints: Vec<String>,
    /// As --break, after the calls: with their results
    #[arg(long, value_name = "EXPR")]
    pub break_exit: Vec<String>,
    /// Let a stopped thread go on by itself after this time, as in 500ms or 1m (default: never)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub stop_timeout: Option<std::time::Duration>,
    /// What becomes of stopped threads when the last program that watches stops is gone
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnDetach::Resume)]
    pub on_detach: OnDetach,
    /// Let the program that listens on the Unix socket PATH decide about stopped threads, in JSON lines
    #[arg(long, value_name = "PATH")]
    pub controller: Option<PathBuf>,
    /// How the trace looks: strace's text, one JSON object an event, or a trace for ui.perfetto.dev
    #[arg(long, value_enum, default_value_t = Format::Strace)]
    pub format: Format,
    /// How calls are printed.
    #[command(flatten)]
    pub print: PrintOptions,
    /// Never wait for the trace: a full event ring drops events, and says how many
    #[arg(long)]
    pub lossy: bool,
    /// The sandbox's memory, in bytes or with a suffix K, M, G or T
    #[arg(long, value_name = "SIZE", default_value = "2G", value_parser = memory_size)]
    pub mem: u64,
    /// Most processes and threads at once
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_processes: u32,
    /// How the guest kernel runs: chosen by what this machine's KVM can do, or forced
    #[arg(long, value_enum, default_value_t = GuestMode::Auto, value_name = "MODE")]
    pub guest_mode: GuestMode,
    /// The directory that the sandbox sees as /
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// Make PATH, relative to the program's working directory, look as if it didn't exist (may be repeated)
    #[arg(long, value_name = "PATH")]
    pub hide: Vec<PathBuf>,
    /// Set a variable in the program's environment, or with NAME alone pass on the caller's (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = OsStringValueParser::new().try_map(variable))]
    pub env: Vec<OsString>,
    /// Start from an empty environment
    #[arg(long)]
    pub clear_env: bool,
    /// The program's working directory (default: the caller's, or / if the sandbox has none like it)
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// Run as this user and group, names (of the caller's /etc/passwd and /etc/group) or numbers (default: the caller's)
    #[arg(long, value_name = "USER[:GROUP]", value_parser = User::parse)]
    pub user: Option<User>,
    /// The sandbox's host name
    #[arg(long, value_name = "NAME", default_value = "vitrine", value_parser = hostname)]
    pub hostname: String,
    /// A name for the sandbox, for other commands
    #[arg(long, value_name = "NAME", value_parser = sandbox_name)]
    pub name: Option<String>,
    /// Have no control socket: no other command finds this sandbox
    #[arg(long, conflicts_with = "name")]
    pub no_control: bool,
    /// Don't confine vitrine itself (for debugging it)
    #[arg(long)]
    pub no_jail: bool,
    /// Boot this guest kernel instead of the built-in one (for developing it)
    #[arg(long, value_name = "FILE", hide = true)]
    pub kernel: Option<PathBuf>,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// How calls are printed: strace's options of the same names.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Trace")]
pub struct PrintOptions {
    /// Longest string that is printed whole
    #[arg(short, long, value_name = "SIZE", default_value_t = 32, value_parser = clap::value_parser!(u32).range(..=1 << 30))]
    pub string_limit: u32,
    /// Print structures and environments in full
    #[arg(short = 'v', long)]
    pub no_abbrev: bool,
    /// Print what descriptors refer to (they are without being asked; twice: devices' numbers too)
    #[arg(short = 'y', long, action = clap::ArgAction::Count)]
    pub decode_fds: u8,
    /// Print the time of day (twice: with microseconds; three times: since the epoch)
    #[arg(short = 't', long, action = clap::ArgAction::Count)]
    pub absolute_timestamps: u8,
    /// Print the time since the line before
    #[arg(short, long)]
    pub relative_timestamps: bool,
    /// Print the time that each call took (it is without being asked)
    #[arg(short = 'T', long)]
    pub syscall_times: bool,
    /// Print the address that each call was made from
    #[arg(short, long)]
    pub instruction_pointer: bool,
    /// Print nothing but a table of calls with times, latencies and errors at the end
    #[arg(short = 'c', long = "summary-only")]
    pub summary: bool,
}

impl PrintOptions {
    /// As the printers know them. Lines of a file always begin with the thread's id.
    pub fn options(&self, to_file: bool) -> Options {
        Options {
            style: Style {
                string_limit: usize::try_from(self.string_limit).unwrap_or(usize::MAX),
                abbreviate: !self.no_abbrev,
                fd_paths: true,
                notation: Notation {
                    devices: self.decode_fds > 1,
                    ..Notation::default()
                },
            },
            pid_prefix: if to_file {
                PidPrefix::Always
            } else {
                PidPrefix::Several
            },
            timestamps: match self.absolute_timestamps {
                0 => Timestamps::None,
                1 => Timestamps::Time(Precision::Seconds),
                2 => Timestamps::Time(Precision::Micros),
                _ => Timestamps::Epoch(Precision::Micros),
            },
            relative: self.relative_timestamps.then_some(Precision::Micros),
            durations: Some(Precision::Micros),
            instruction_pointer: self.instruction_pointer,
            ..Options::default()
        }
    }
}

/// How a trace is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// strace's text
    Strace,
    /// One JSON object an event
    Json,
    /// JSON that ui.perfetto.dev and chrome://tracing open
    Perfetto,
}

/// `--guest-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GuestMode {
    /// Ring 0 where the KVM runs it natively, else ring 3
    Auto,
    /// Ring 0
    Privileged,
    /// Ring 3
    Deprivileged,
}

impl GuestMode {
    /// The mode, unless the probe is to find it.
    pub fn forced(self) -> Option<Mode> {
        match self {
            GuestMode::Auto => None,
            GuestMode::Privileged => Some(Mode::Privileged),
            GuestMode::Deprivileged => Some(Mode::Deprivileged),
        }
    }
}

/// A time with its unit.
fn time(text: &str) -> Result<std::time::Duration, String> {
    let ns = vitrine_introspect::filter::rules::duration(text).map_err(|error| error.message)?;
    Ok(std::time::Duration::from_nanos(ns))
}

/// Bytes from `64M` and the like, rounded up to 2 MiB.
fn memory_size(text: &str) -> Result<u64, String> {
    const STEP: u64 = 2 << 20;
    const MOST: u64 = 512 << 30;
    let digits = text.trim_end_matches(|char: char| !char.is_ascii_digit());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        suffix => return Err(format!("unknown suffix {suffix}; use K, M, G or T")),
    };
    let bytes = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or("a whole number of bytes is needed, as in 512M")?;
    if bytes < MIN_RAM {
        return Err(format!("at least {}M are needed", MIN_RAM >> 20));
    }
    if bytes > MOST {
        return Err(format!("at most {}G are possible", MOST >> 30));
    }
    Ok(bytes.next_multiple_of(STEP))
}

/// An assignment, or a variable's name alone.
fn variable(setting: OsString) -> Result<OsString, &'static str> {
    if setting.is_empty() || setting.as_bytes().starts_with(b"=") {
        return Err("a variable needs a name");
    }
    Ok(setting)
}

fn sandbox_name(text: &str) -> Result<String, String> {
    crate::control::place::check_name(text).map(|()| text.to_owned())
}

/// What sethostname(2) takes.
fn hostname(text: &str) -> Result<String, String> {
    const MOST: usize = 64;
    if text.len() > MOST {
        return Err(format!("at most {MOST} bytes are possible"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes() {
        assert_eq!(memory_size("64M"), Ok(64 << 20));
        assert_eq!(memory_size("2g"), Ok(2 << 30));
        assert_eq!(memory_size("33554433"), Ok(34 << 20));
        for bad in ["", "M", "1M", "12Q", "-5M", "99999999999G", "1.5G"] {
            assert!(memory_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_programs_options_are_its_own() {
        let cli = Cli::try_parse_from(["vitrine", "run", "--trace", "ls", "-l", "--help"]).unwrap();
        let Command::Run(options) = cli.command else {
            panic!("not run")
        };
        assert!(options.trace);
        assert_eq!(options.command, ["ls", "-l", "--help"]);
        assert!(Cli::try_parse_from(["vitrine", "run", "--no-such-option", "ls"]).is_err());
    }

    #[test]
    fn names() {
        assert!(variable("=x".into()).is_err());
        assert_eq!(variable("A=".into()), Ok("A=".into()));
        assert!(hostname(&"a".repeat(65)).is_err());
        assert!(hostname(&"a".repeat(64)).is_ok());
    }
}
