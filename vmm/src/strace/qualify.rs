//! strace's `-e`: `trace=`, `status=`, `signal=` and their kin.

use vitrine_introspect::filter::{Rule, strace};
use vitrine_introspect::print::Options;
use vitrine_introspect::print::Quiet;
use vitrine_introspect::select::{CallSet, DescriptorSet, StatusSet, parse_signals};

/// What all `-e` together say.
#[derive(Clone, Debug)]
pub struct Qualifiers {
    /// Calls that are traced.
    pub trace: CallSet,
    /// Signals that are shown, bit `n - 1` for signal `n`.
    pub signals: u64,
    /// Calls that are shown, by how they ended.
    pub status: StatusSet,
    /// Descriptors are shown with their paths.
    pub fd_paths: bool,
    /// And with more.
    pub fd_details: bool,
    /// `decode-fds` was given.
    pub descriptors_set: bool,
    /// `quiet` was given.
    pub quiet_set: bool,
    /// Whether a path that leads elsewhere is told.
    pub quiet_paths: bool,
    /// How calls are to be changed.
    pub rules: Vec<Rule>,
    abbrev: Option<CallSet>,
    verbose: CallSet,
    raw: CallSet,
    read: DescriptorSet,
    write: DescriptorSet,
    quiet: Quiet,
    comm: bool,
}

impl Default for Qualifiers {
    fn default() -> Qualifiers {
        Qualifiers {
            trace: CallSet::ALL,
            signals: u64::MAX,
            status: StatusSet::ALL,
            fd_paths: false,
            fd_details: false,
            descriptors_set: false,
            quiet_set: false,
            quiet_paths: false,
            rules: Vec::new(),
            abbrev: None,
            verbose: CallSet::ALL,
            raw: CallSet::NONE,
            read: DescriptorSet::default(),
            write: DescriptorSet::default(),
            quiet: Quiet::default(),
            comm: false,
        }
    }
}

impl Qualifiers {
    /// `[QUALIFIER=]VALUE`; without a known qualifier the whole is a set of calls.
    pub fn apply(&mut self, expression: &str) -> Result<(), String> {
        if let Some((name, value)) = expression.split_once('=')
            && let Some(name) = canonical(name)
        {
            return self.set(name, value);
        }
        self.set("trace", expression)
    }

    /// Sets one qualifier by its full name.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "trace" => self.trace = CallSet::parse(value)?,
            "abbrev" => self.abbrev = Some(CallSet::parse(value)?),
            "verbose" => self.verbose = CallSet::parse(value)?,
            "raw" => self.raw = CallSet::parse(value)?,
            "signal" => self.signals = parse_signals(value)?,
            "status" => self.status = StatusSet::parse(value)?,
            "read" => self.read = DescriptorSet::parse(value)?,
            "write" => self.write = DescriptorSet::parse(value)?,
            "quiet" => self.set_quiet(value)?,
            "decode-fds" => self.set_descriptors(value)?,
            "decode-pids" => {
                for item in value.split(',') {
                    match item {
                        "comm" | "all" => self.comm = true,
                        "pidns" | "none" => {}
                        _ => return Err(format!("invalid decode-pids '{item}'")),
                    }
                }
            }
            "kvm" if value == "vcpu" => {}
            "kvm" => return Err(format!("invalid -e kvm= argument: '{value}'")),
            "inject" => self.tamper("inject", value)?,
            "fault" => self.tamper("fault", value)?,
            _ => {}
        }
        Ok(())
    }

    fn set_quiet(&mut self, value: &str) -> Result<(), String> {
        let list = value.trim_start_matches('!');
        let inverted = list.len() != value.len();
        let mut quiet = Quiet::default();
        let mut paths = false;
        for item in list.split(',') {
            match item {
                "all" => {
                    quiet = Quiet {
                        attach: true,
                        exit: true,
                        thread_execve: true,
                    };
                    paths = true;
                }
                "none" | "personality" => {}
                "attach" => quiet.attach = true,
                "exit" | "exits" => quiet.exit = true,
                "path-resolution" | "path-resolve" | "path-resolving" => paths = true,
                "thread-execve" | "superseded" => quiet.thread_execve = true,
                _ => return Err(format!("invalid quiet '{item}'")),
            }
        }
        self.quiet = Quiet {
            attach: quiet.attach != inverted,
            exit: quiet.exit != inverted,
            thread_execve: quiet.thread_execve != inverted,
        };
        self.quiet_paths = paths != inverted;
        self.quiet_set = true;
        Ok(())
    }

    fn set_descriptors(&mut self, value: &str) -> Result<(), String> {
        let list = value.trim_start_matches('!');
        let inverted = list.len() != value.len();
        let (mut paths, mut details) = (false, false);
        for item in list.split(',') {
            match item {
                "all" => (paths, details) = (true, true),
                "none" => {}
                "path" => paths = true,
                "dev" | "socket" | "pidfd" => details = true,
                _ => return Err(format!("invalid decode-fds '{item}'")),
            }
        }
        self.fd_paths = paths != inverted;
        self.fd_details = details != inverted;
        self.descriptors_set = true;
        Ok(())
    }

    /// `SET[:ACTION]…`: what can't be meant is told as strace tells it.
    fn tamper(&mut self, option: &'static str, value: &str) -> Result<(), String> {
        let (calls, actions) = value.split_once(':').unwrap_or((value, ""));
        CallSet::parse(calls)?;
        let valid = actions.split(':').all(|action| {
            let known = [
                "error=",
                "retval=",
                "signal=",
                "syscall=",
                "delay_enter=",
                "delay_exit=",
                "poke_enter=",
                "poke_exit=",
            ];
            match action.split_once('=') {
                None => action.is_empty() && option == "fault" && actions.is_empty(),
                Some(("when", when)) => valid_when(when),
                Some(("error", error)) => valid_error(error),
                Some(_) => known.iter().any(|known| action.starts_with(known)),
            }
        });
        if !valid {
            return Err(format!("invalid {option} argument '{value}'"));
        }
        let mut options = strace::Options::default();
        options
            .apply(&format!("{option}={value}"))
            .map_err(|error| error.to_string())?;
        self.rules.append(&mut options.rules);
        Ok(())
    }

    /// Passes on what concerns printing.
    pub fn print(&self, options: &mut Options) {
        options.style.fd_paths = self.fd_paths;
        options.style.notation.devices = self.fd_details;
        if let Some(abbreviated) = self.abbrev {
            options.abbreviated = abbreviated;
        }
        options.verbose = self.verbose;
        options.raw = self.raw;
        options.dump_read = self.read;
        options.dump_write = self.write;
        options.quiet = self.quiet;
        options.signals = self.signals;
        options.status = self.status;
        options.comm = self.comm;
    }
}

fn canonical(name: &str) -> Option<&'static str> {
    Some(match name {
        "trace" | "t" => "trace",
        "abbrev" | "a" => "abbrev",
        "verbose" | "v" => "verbose",
        "raw" | "x" => "raw",
        "signal" | "signals" | "s" => "signal",
        "status" => "status",
        "read" | "reads" | "r" => "read",
        "write" | "writes" | "w" => "write",
        "quiet" | "silent" | "silence" | "q" => "quiet",
        "decode-fds" | "decode-fd" => "decode-fds",
        "decode-pids" | "decode-pid" => "decode-pids",
        "kvm" => "kvm",
        "inject" => "inject",
        "fault" => "fault",
        _ => return None,
    })
}

fn valid_error(error: &str) -> bool {
    match error.parse::<u16>() {
        Ok(number) => number <= 4095,
        Err(_) => {
            (1..4095).any(|code| vitrine_introspect::decode::errno::name(code) == Some(error))
        }
    }
}

/// `FIRST[..LAST][+[STEP]]`.
fn valid_when(when: &str) -> bool {
    let (range, step) = match when.split_once('+') {
        Some((range, step)) => (range, step),
        None => (when, ""),
    };
    let (first, last) = match range.split_once("..") {
        Some((first, last)) => (first, last),
        None => (range, "1"),
    };
    let number = |text: &str| text.parse::<u16>().is_ok_and(|number| number > 0);
    number(first) && number(last) && (step.is_empty() || number(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(expression: &str) -> String {
        Qualifiers::default().apply(expression).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_named_as_strace_names_it() {
        assert_eq!(error("foo=bar"), "invalid system call 'foo=bar'");
        assert_eq!(error("signal=FOO"), "invalid signal 'FOO'");
        assert_eq!(error("quiet=foo"), "invalid quiet 'foo'");
        assert_eq!(error("kvm=x"), "invalid -e kvm= argument: 'x'");
        assert_eq!(
            error("inject=openat:error=FOO"),
            "invalid inject argument 'openat:error=FOO'"
        );
        assert_eq!(
            error("fault=openat:when=0"),
            "invalid fault argument 'openat:when=0'"
        );
        assert_eq!(error("inject=foo"), "invalid system call 'foo'");
    }

    #[test]
    fn the_default_qualifier_is_trace() {
        let mut qualifiers = Qualifiers::default();
        qualifiers.apply("!%file").unwrap();
        assert!(!qualifiers.trace.contains(257) && qualifiers.trace.contains(0));
    }
}
