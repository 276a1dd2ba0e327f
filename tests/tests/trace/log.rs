//! Logs in strace's form, made comparable: [`Log`] has one list of lines a thread, without what two runs can't share.

use regex_lite::Regex;
use std::collections::BTreeMap;

/// What stands for a thread: `0` is the first one, `0.2` its third child.
type Key = String;

/// A log, by threads.
pub struct Log {
    /// Calls and endings of each thread, in order.
    pub calls: BTreeMap<Key, Vec<String>>,
    /// Signals of each thread: when they arrive is chance.
    pub signals: BTreeMap<Key, Vec<String>>,
}

/// Replaces what differs from run to run, and from machine to machine.
pub struct Normalizer(Vec<(Regex, &'static str)>);

impl Normalizer {
    /// The rules.
    pub fn new() -> Result<Normalizer, regex_lite::Error> {
        let rules = [
            (r" <\d+\.\d{6}>$", ""),
            (r" += ", " = "),
            // Addresses, and sizes that depend on the machine's memory.
            (r"0x[0-9a-f]{6,16}", "ADDR"),
            (r"\b0000[0-9a-f]{12}\b", "ADDR"),
            (r"^(mmap\(NULL|munmap\(ADDR), \d{7,}", "$1, BIG"),
            (r":\[\d+\]", ":[INO]"),
            (r"/#\d+", "/#INO"),
            // Ids.
            (r"\b(si_pid|l_pid|pid|parent_tid)=\[?\d+\]?", "$1=P"),
            (
                r"^(v?fork|clone3?|wait4|getp?pid|gettid|getpgid|getpgrp|getsid|setsid|set_tid_address|waitid)(\(.*\)) = \d+",
                "$1$2 = P",
            ),
            (
                r"^(wait4|kill|tkill|getpgid|setpgid|getsid|rt_sigqueueinfo|prlimit64|sched_\w+|pidfd_open)\((-?)\d+",
                "$1(${2}P",
            ),
            (
                r"^(tgkill|rt_tgsigqueueinfo|setpgid)\([P\d]+, \d+",
                "$1(P, P",
            ),
            (r"\b(P_PID|P_PGID|PRIO_PROCESS), \d+", "$1, P"),
            (r"by execve in pid \d+", "by execve in pid P"),
            (r"/proc/\d+", "/proc/P"),
            (r"vt-socket-\d+", "vt-socket-P"),
            // Times and random bytes.
            (
                r"si_utime=\d+( /\* \S+ s \*/)?, si_stime=\d+( /\* \S+ s \*/)?",
                "TIMES",
            ),
            (r"tv_sec=\d+, tv_([un])sec=\d+", "TV$1"),
            (r"^times\(.*", "times"),
            (r#"^getrandom\("[^"]*""#, "getrandom(RANDOM"),
            (r"((?:vt-\w+-|/cc|etilqs_)\w*?)\w{6}\b", "${1}XXXXXX"),
            (
                r"^((?:p?read|p?write)(?:64)?\(\d+</(?:proc|sys|dev/urandom|\S*-journal)[^>]*>, ).*",
                "${1}MACHINE",
            ),
            // The machine.
            (r"^sysinfo\(.*", "sysinfo"),
            (r"^(uname\(\{sysname=.Linux., nodename=).*", "$1"),
            (r"^(f?statfs\(.*\{f_type=).*", "$1"),
            (r"^(sched_getaffinity\().*", "$1"),
            (r"/\* \d+ vars? \*/", "/* vars */"),
            // A handler's return has no result of its own.
            (r"^(rt_sigreturn\(.*\)) = .*", "$1"),
        ];
        rules
            .into_iter()
            .map(|(rule, with)| Ok((Regex::new(rule)?, with)))
            .collect::<Result<_, _>>()
            .map(Normalizer)
    }

    fn apply(&self, line: &str) -> String {
        self.0.iter().fold(line.to_owned(), |line, (rule, with)| {
            rule.replace_all(&line, *with).into_owned()
        })
    }
}

impl Log {
    /// Reads what `strace -f -o FILE` or `vitrine run --trace -o FILE` wrote.
    pub fn parse(text: &str, normalizer: &Normalizer) -> Result<Log, String> {
        let mut raw: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut pending: BTreeMap<&str, String> = BTreeMap::new();
        let mut first = None;
        for line in text.lines() {
            let (tid, rest) = line.split_once(' ').ok_or(format!("no id in {line:?}"))?;
            let rest = rest.trim_start();
            first.get_or_insert(tid);
            if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
                pending.insert(tid, begun.trim_end().to_owned());
                continue;
            }
            let line = match rest.strip_prefix("<... ") {
                Some(resumed) => {
                    let (_, end) = resumed.split_once(" resumed>").ok_or("not resumed")?;
                    let begun = pending.remove(tid);
                    let begun = begun.unwrap_or_else(|| "execve(…".to_owned());
                    let gap = if begun.ends_with(',') { " " } else { "" };
                    format!("{begun}{gap}{end}")
                }
                None => rest.to_owned(),
            };
            raw.entry(tid).or_default().push(line);
        }
        let keys = keys(first.unwrap_or_default(), &raw)?;
        let mut log = Log {
            calls: BTreeMap::new(),
            signals: BTreeMap::new(),
        };
        for (tid, lines) in raw {
            let key = keys.get(tid).cloned().unwrap_or_else(|| tid.to_owned());
            let calls = log.calls.entry(key.clone()).or_default();
            let signals = log.signals.entry(key).or_default();
            for line in lines {
                let line = normalizer.apply(&line);
                if line.starts_with("--- ") {
                    signals.push(line);
                } else {
                    calls.push(line);
                }
            }
            // Of two that are alike the second is thrown away while the first is pending.
            signals.sort();
            signals.dedup();
        }
        Ok(log)
    }

    /// Leaves out lines that begin with one of `prefixes`.
    pub fn without(&mut self, prefixes: &[&str]) {
        for lines in self.calls.values_mut() {
            lines.retain(|line| !prefixes.iter().any(|prefix| line.starts_with(prefix)));
        }
    }

    /// Leaves out calls that a signal interrupted before they did anything: the restarted ones stand behind them.
    pub fn without_restarts(&mut self) {
        for lines in self.calls.values_mut() {
            lines
                .retain(|line| !line.contains("= ? ERESTART") && !line.starts_with("rt_sigreturn"));
        }
    }
}

/// Which thread is whose child, by what the calls that made them returned.
fn keys<'a>(
    first: &'a str,
    raw: &BTreeMap<&'a str, Vec<String>>,
) -> Result<BTreeMap<&'a str, Key>, String> {
    let made = Regex::new(r"^(?:v?fork|clone3?)\(.* = (\d+)(?: <\d+\.\d+>)?$")
        .map_err(|error| error.to_string())?;
    let mut keys = BTreeMap::from([(first, "0".to_owned())]);
    let mut todo = vec![first];
    while let Some(parent) = todo.pop() {
        let key = keys.get(parent).cloned().unwrap_or_default();
        let children = raw.get(parent).into_iter().flatten();
        let children = children.filter_map(|line| Some(made.captures(line)?.get(1)?.as_str()));
        for (number, child) in children.enumerate() {
            if let Some((child, _)) = raw.get_key_value(child) {
                keys.insert(child, format!("{key}.{number}"));
                todo.push(child);
            }
        }
    }
    Ok(keys)
}

/// The first difference between two logs, with its surroundings.
pub fn difference(native: &Log, inside: &Log) -> Option<String> {
    for (what, native, inside) in [
        ("calls", &native.calls, &inside.calls),
        ("signals", &native.signals, &inside.signals),
    ] {
        if native.keys().ne(inside.keys()) {
            let keys = |log: &BTreeMap<Key, _>| log.keys().cloned().collect::<Vec<_>>().join(" ");
            return Some(format!(
                "threads: strace {}; vitrine {}",
                keys(native),
                keys(inside)
            ));
        }
        for (key, lines) in native {
            let others = inside.get(key).map(Vec::as_slice).unwrap_or_default();
            let at = lines.iter().zip(others).take_while(|(a, b)| a == b).count();
            if at == lines.len() && at == others.len() {
                continue;
            }
            let show = |lines: &[String]| {
                let part = lines.get(at..lines.len().min(at + 4)).unwrap_or_default();
                part.join("\n    ")
            };
            return Some(format!(
                "{what} of thread {key}, line {at}:\n  after {:?}\n  strace:\n    {}\n  vitrine:\n    {}",
                at.checked_sub(1).and_then(|before| lines.get(before)),
                show(lines),
                show(others)
            ));
        }
    }
    None
}
