//! Which events are shown, in strace's terms: calls (`-e trace=`), paths (`-P`), signals (`-e signal=`), how calls ended (`-e status=`), and
//! whether children are followed (`-f`).
//!
//! [`Selection::admits`] is what a pipeline asks of each event. The sets are parsed from strace's text: [`CallSet::parse`],
//! [`parse_signals`], [`StatusSet::parse`], [`DescriptorSet::parse`].

use crate::{
    decode::signals,
    event::{Event, EventKind, ExitEvent, SyscallEvent},
};
use std::collections::HashSet;
use vitrine_abi::{
    event::{ARG_RESULT, tag},
    nr::TABLE_LEN,
    syscall::{self, ArgKind, Class},
};

const WORDS: usize = TABLE_LEN / 64 + 1;
/// Calls that only 32-bit programs make: named in many scripts, and never seen here.
const ONLY_32_BIT: &[&str] = &[
    "_llseek",
    "_newselect",
    "chown32",
    "clock_adjtime64",
    "clock_getres_time64",
    "clock_gettime64",
    "clock_nanosleep_time64",
    "clock_settime64",
    "fadvise64_64",
    "fchown32",
    "fcntl64",
    "fstat64",
    "fstatat64",
    "fstatfs64",
    "ftruncate64",
    "futex_time64",
    "getegid32",
    "geteuid32",
    "getgid32",
    "getgroups32",
    "getresgid32",
    "getresuid32",
    "getuid32",
    "ipc",
    "lchown32",
    "lstat64",
    "mmap2",
    "nice",
    "oldfstat",
    "oldlstat",
    "oldolduname",
    "oldstat",
    "olduname",
    "ppoll_time64",
    "pselect6_time64",
    "readdir",
    "recvmmsg_time64",
    "sendfile64",
    "setgid32",
    "setgroups32",
    "setregid32",
    "setresgid32",
    "setresuid32",
    "setreuid32",
    "setuid32",
    "sgetmask",
    "sigaction",
    "signal",
    "sigpending",
    "sigprocmask",
    "sigreturn",
    "sigsuspend",
    "socketcall",
    "ssetmask",
    "stat64",
    "statfs64",
    "stime",
    "truncate64",
    "ugetrlimit",
    "umount",
    "utimensat_time64",
    "waitpid",
];

/// A set of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSet([u64; WORDS]);

impl CallSet {
    /// No call.
    pub const NONE: CallSet = CallSet([0; WORDS]);
    /// All calls, those without a name too.
    pub const ALL: CallSet = CallSet([u64::MAX; WORDS]);

    /// Whether it has call `nr`.
    pub fn contains(&self, nr: u64) -> bool {
        let bit = usize::try_from(nr).map_or(TABLE_LEN, |nr| nr.min(TABLE_LEN));
        self.0
            .get(bit / 64)
            .is_some_and(|word| word >> (bit % 64) & 1 != 0)
    }

    fn insert(&mut self, nr: usize) {
        if let Some(word) = self.0.get_mut(nr / 64) {
            *word |= 1 << (nr % 64);
        }
    }

    fn insert_where(&mut self, matches: impl Fn(&syscall::Syscall) -> bool) -> bool {
        let mut any = false;
        for call in syscall::all().filter(|call| matches(call)) {
            self.insert(call.nr as usize);
            any = true;
        }
        any
    }

    /// Whether it has no call at all.
    pub fn is_empty(&self) -> bool {
        *self == CallSet::NONE
    }

    /// strace's notation: `open,openat`, `%file`, `!close`, `/^get`, `?maybe`, `all`, `none`.
    pub fn parse(text: &str) -> Result<CallSet, String> {
        let (list, inverted) = negated(text);
        let set = match list {
            "all" => CallSet::ALL,
            "none" => CallSet::NONE,
            _ => {
                let mut set = CallSet::NONE;
                for item in list.split(',') {
                    set.add(item)?;
                }
                set
            }
        };
        Ok(if inverted {
            CallSet(set.0.map(|word| !word))
        } else {
            set
        })
    }

    fn add(&mut self, item: &str) -> Result<(), String> {
        let (name, optional) = match item.strip_prefix('?') {
            Some(rest) => (rest, true),
            None => (item, false),
        };
        let (name, here) = match name.rsplit_once('@') {
            Some((name, "64")) => (name, true),
            Some((name, "32" | "x32")) => (name, false),
            _ => (name, true),
        };
        // What names calls of 32-bit programs has to be right, and selects nothing.
        let mut elsewhere = CallSet::NONE;
        let set = if here { self } else { &mut elsewhere };
        let class = match name.strip_prefix('%') {
            Some(class) => Class::from_name(class),
            // Without the percent sign only the oldest classes are known.
            None => match name {
                "file" | "desc" | "process" | "network" | "ipc" | "memory" => {
                    Class::from_name(name)
                }
                "signal" => Some(Class::SIGNAL),
                _ => None,
            },
        };
        let known = if name == "all" || name == "none" {
            if name == "all" {
                *set = CallSet::ALL;
            }
            true
        } else if let Some(pattern) = name.strip_prefix('/') {
            let regex = regex_lite::Regex::new(pattern)
                .map_err(|_| format!("regcomp: {pattern}: Invalid regular expression"))?;
            set.insert_where(|call| regex.is_match(call.name))
        } else if let Some(class) = class {
            set.insert_where(|call| call.class().intersects(class))
        } else if name.starts_with(|first: char| first.is_ascii_digit()) {
            let call = name.parse().ok().and_then(syscall::get);
            call.is_some_and(|call| set.insert_where(|row| row.nr == call.nr))
        } else {
            set.insert_where(|call| call.name == name) || ONLY_32_BIT.contains(&name)
        };
        if known || optional {
            Ok(())
        } else {
            Err(format!("invalid system call '{name}'"))
        }
    }
}

/// `!list`: the list, and whether it is negated.
fn negated(text: &str) -> (&str, bool) {
    let list = text.trim_start_matches('!');
    (list, (text.len() - list.len()) % 2 == 1)
}

/// A set of signals, bit `n - 1` for signal `n`: `INT,SIGTERM`, `!CHLD`, `all`, `none`.
pub fn parse_signals(text: &str) -> Result<u64, String> {
    let (list, inverted) = negated(text);
    let mut set = 0;
    for item in list.split(',') {
        set |= match item {
            "all" => u64::MAX,
            "none" => 0,
            _ => {
                let number = signal_number(item).ok_or(format!("invalid signal '{item}'"))?;
                1_u64.checked_shl(number.wrapping_sub(1)).unwrap_or(0)
            }
        };
    }
    Ok(if inverted { !set } else { set })
}

fn signal_number(text: &str) -> Option<u32> {
    if let Ok(number) = text.parse::<u32>() {
        return (number <= 64).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    (1..=64).find(|signal| {
        let mut known = Vec::new();
        signals::name(&mut known, *signal as i32);
        known.strip_prefix(b"SIG") == Some(name.as_bytes())
    })
}

/// How calls ended, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusSet(u8);

const SUCCESSFUL: u8 = 1 << 0;
const FAILED: u8 = 1 << 1;
const UNFINISHED: u8 = 1 << 2;
const UNAVAILABLE: u8 = 1 << 3;
const DETACHED: u8 = 1 << 4;

impl StatusSet {
    /// However they ended.
    pub const ALL: StatusSet = StatusSet(SUCCESSFUL | FAILED | UNFINISHED | UNAVAILABLE | DETACHED);
    /// Without an error (`-z`).
    pub const SUCCESSFUL: StatusSet = StatusSet(SUCCESSFUL);
    /// With an error (`-Z`).
    pub const FAILED: StatusSet = StatusSet(FAILED);

    /// `successful,unfinished`, `!failed`, `all`, `none`.
    pub fn parse(text: &str) -> Result<StatusSet, String> {
        let (list, inverted) = negated(text);
        let mut set = 0;
        for item in list.split(',') {
            set |= match item {
                "all" => StatusSet::ALL.0,
                "none" => 0,
                "successful" => SUCCESSFUL,
                "failed" => FAILED,
                "unfinished" => UNFINISHED,
                "unavailable" => UNAVAILABLE,
                "detached" => DETACHED,
                _ => return Err(format!("invalid status '{item}'")),
            };
        }
        Ok(StatusSet(if inverted {
            !set & StatusSet::ALL.0
        } else {
            set
        }))
    }

    /// Whether some calls are left out because of how they ended.
    pub fn is_restricted(self) -> bool {
        self != StatusSet::ALL
    }

    /// Whether calls are shown that never returned.
    pub fn shows_unfinished(self) -> bool {
        self.0 & UNFINISHED != 0
    }

    /// Whether it shows a call that has ended, or never will.
    pub fn shows(self, call: &SyscallEvent) -> bool {
        let never_returns = call.call.is_some_and(|row| row.never_returns());
        let status = match call.ret {
            _ if never_returns => UNFINISHED,
            None => UNFINISHED,
            Some(_) if call.succeeded() => SUCCESSFUL,
            Some(_) => FAILED,
        };
        self.0 & status != 0
    }
}

/// A set of descriptors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DescriptorSet {
    bits: [u64; 16],
    inverted: bool,
}

impl DescriptorSet {
    /// `3,5`, `!1`, `all`, `none`.
    pub fn parse(text: &str) -> Result<DescriptorSet, String> {
        let (list, inverted) = negated(text);
        let mut set = DescriptorSet {
            bits: [0; 16],
            inverted,
        };
        match list {
            "all" => set.inverted = !inverted,
            "none" => {}
            _ => {
                for item in list.split(',') {
                    let invalid = || format!("invalid descriptor '{item}'");
                    let fd: usize = item.parse().map_err(|_| invalid())?;
                    let word = set.bits.get_mut(fd / 64).ok_or_else(invalid)?;
                    *word |= 1 << (fd % 64);
                }
            }
        }
        Ok(set)
    }

    /// Whether it has `fd`.
    pub fn contains(&self, fd: i32) -> bool {
        let Ok(fd) = usize::try_from(fd) else {
            return false;
        };
        let listed = self
            .bits
            .get(fd / 64)
            .is_some_and(|word| word >> (fd % 64) & 1 != 0);
        listed != self.inverted
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        *self == DescriptorSet::default()
    }
}

/// Which events are shown.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Calls.
    pub calls: CallSet,
    /// Only calls that name one of these paths, or use a descriptor of one; empty: all.
    pub paths: Vec<Vec<u8>>,
    /// Signals, bit `n - 1` for signal `n`.
    pub signals: u64,
    /// Whether children and other threads are shown; else the first thread alone.
    pub follow: bool,
    /// Whether a process is let go when it runs another program (`-b execve`).
    pub detach_on_execve: bool,
    first: Option<i32>,
    detached: HashSet<i32>,
}

impl Default for Selection {
    fn default() -> Selection {
        Selection {
            calls: CallSet::ALL,
            paths: Vec::new(),
            signals: u64::MAX,
            follow: true,
            detach_on_execve: false,
            first: None,
            detached: HashSet::new(),
        }
    }
}

impl Selection {
    /// These calls and signals (bit `n - 1` for signal `n`), of all threads.
    pub fn new(calls: CallSet, signals: u64) -> Selection {
        Selection {
            calls,
            signals,
            ..Selection::default()
        }
    }

    /// Whether the sinks are to see an event. To be asked of every event in order.
    pub fn admits(&mut self, event: &Event) -> bool {
        if event.tid == 0 {
            return true;
        }
        let first = *self.first.get_or_insert(event.tid);
        if !self.follow && event.tid != first {
            return false;
        }
        if self.detached.contains(&event.pid) {
            if let EventKind::Exit(ExitEvent { body, .. }) = &event.kind
                && body.process_ended == 1
            {
                self.detached.remove(&event.pid);
            }
            return false;
        }
        match &event.kind {
            EventKind::Syscall(call) => self.call(call),
            EventKind::Signal(body) => {
                let bit = u32::try_from(body.signo.saturating_sub(1)).unwrap_or(64);
                self.signals
                    .checked_shr(bit)
                    .is_none_or(|bits| bits & 1 != 0)
            }
            EventKind::Fork { .. } => self.follow,
            EventKind::Exec(exec) => {
                if self.detach_on_execve && !exec.snapshot && event.tid != first {
                    self.detached.insert(event.pid);
                    return false;
                }
                true
            }
            _ => true,
        }
    }

    fn call(&self, call: &SyscallEvent) -> bool {
        self.calls.contains(call.nr) && (self.paths.is_empty() || self.names_path(call))
    }

    /// Whether a call names one of the paths, or uses a descriptor that refers to one.
    fn names_path(&self, call: &SyscallEvent) -> bool {
        let wanted = |text: &[u8]| self.paths.iter().any(|path| path == text);
        let named = call.items.iter().any(|item| {
            let index = item.head.arg as usize;
            let is_path = call
                .call
                .is_some_and(|row| row.kind(&call.args, index) == ArgKind::Path);
            item.head.tag == tag::STRING && is_path && !item.is_out() && wanted(item.data)
        });
        named
            || call
                .items
                .descriptors()
                .any(|(index, info)| index != ARG_RESULT as usize && wanted(info.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        let set = CallSet::parse(text).unwrap();
        let shown = syscall::all().filter(|call| set.contains(call.nr.into()));
        shown.map(|call| call.name).collect()
    }

    #[test]
    fn calls_by_name_class_number_and_pattern() {
        assert_eq!(names("openat,read"), ["read", "openat"]);
        assert_eq!(names("257"), ["openat"]);
        assert_eq!(names("/^getp?pid$"), ["getpid", "getppid"]);
        assert_eq!(names("%clock"), names("%clock@64"));
        assert!(names("stat64,?nonsense,open@32").is_empty());
        assert!(names("file").contains(&"openat"));
        assert!(!names("!%file").contains(&"openat"));
        assert!(names("!%file").contains(&"read"));
        assert!(CallSet::parse("all").unwrap().contains(1 << 40));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, name) in [
            ("foo", "foo"),
            ("", ""),
            ("%foo", "%foo"),
            ("9999", "9999"),
            ("read,", ""),
        ] {
            let message = CallSet::parse(text).unwrap_err();
            assert_eq!(message, format!("invalid system call '{name}'"));
        }
        assert!(CallSet::parse("/[").unwrap_err().starts_with("regcomp"));
        assert_eq!(parse_signals("FOO").unwrap_err(), "invalid signal 'FOO'");
        assert_eq!(StatusSet::parse("foo").unwrap_err(), "invalid status 'foo'");
        assert_eq!(
            DescriptorSet::parse("x").unwrap_err(),
            "invalid descriptor 'x'"
        );
    }

    #[test]
    fn signals_and_descriptors() {
        assert_eq!(
            parse_signals("INT,sigterm,9"),
            Ok(1 << 1 | 1 << 14 | 1 << 8)
        );
        assert_eq!(parse_signals("!none"), Ok(u64::MAX));
        let set = DescriptorSet::parse("!1,2").unwrap();
        assert!(set.contains(0) && !set.contains(1) && set.contains(5000) && !set.contains(-1));
    }
}
