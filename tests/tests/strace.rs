//! `vitrine strace` beside the host's strace: the same command line must give the same trace, output and exit status, once addresses, process
//! ids and times are made equal. Beyond that: JSON lines fit their schema, and a Perfetto trace is what it says.

use libtest_mimic::{Arguments, Failed, Trial};
use regex_lite::Regex;
use serde_json::Value;
use std::{
    path::PathBuf,
    process::{Command, ExitCode},
    sync::LazyLock,
    time::Duration,
};
use vitrine_tests::{excerpt, run, sandboxed, scaled, schema, shell_status, vitrine};

const LIMIT: Duration = Duration::from_secs(30);

/// Command lines, split at blanks unless quoted by `'`. `@` stands for the name of a file for the trace, which is then compared as well.
const LINES: &[&str] = &[
    // What is printed.
    "-o @ true",
    "-o @ -e trace=%file cat /etc/hostname",
    "-o @ -e '!%file,%memory' true",
    "-o @ -e trace=/^(open|close) true",
    "-o @ -e trace=257,?nonsense,stat64,read@64,open@32 true",
    "-o @ -e status=failed true",
    "-o @ -e status=!failed true",
    "-o @ -z -e trace=access,openat true",
    "-o @ -Z true",
    "-o @ -P /etc/ld.so.cache true",
    "-P /etc/../etc/ld.so.cache true",
    "-e trace=none sh -c 'kill -USR1 $$'",
    "-e trace=none -e signal=none sh -c 'kill -USR1 $$; :'",
    "-e exit_group sh -c 'exit 7'",
    "-qq -e exit_group sh -c 'exit 7'",
    "-o @ -q -e trace=execve,exit_group sh -c 'true; /bin/true; exit 3'",
    "-o @ -f -e trace=execve,exit_group sh -c '/bin/true; /bin/true; exit 3'",
    "-o @ -ff -e trace=execve,exit_group sh -c '/bin/true; exit 3'",
    "-f -e trace=execve sh -c '/bin/true; exit 3'",
    "-f --quiet=attach -e trace=execve sh -c '/bin/true; exit 3'",
    // How it is printed.
    "-o @ -x -e read,openat true",
    "-o @ -xx -e read,openat true",
    "-o @ --strings-in-hex=non-ascii-chars -e read true",
    "-o @ -X raw -e openat,access,mmap,newfstatat true",
    "-o @ -X verbose -e openat,access,mmap,newfstatat true",
    "-o @ -e raw=openat,mmap,read -e openat,mmap,read true",
    "-o @ -e verbose=none -e execve,newfstatat true",
    "-o @ -v -e execve true",
    "-o @ -s 5 -e read,execve true",
    "-o @ -s 200 -e read true",
    "-o @ -n true",
    "-o @ -i -e '!execve' true",
    "-o @ -t -e openat true",
    "-o @ -ttt -r -T -e openat true",
    "-o @ --timestamps=ns --relative-timestamps=ms --syscall-times=ns -e openat true",
    "-o @ -a 60 -e close true",
    "-o @ -a0 -e close true",
    "-o @ -y -e openat,close,read true",
    "-o @ -yy -e lseek,read,close head -c 1 /dev/null",
    "-o @ -f -Y -e exit_group sh -c '/bin/true; exit 3'",
    "-o @ -e read=3 -e trace=read true",
    "-o @ -e write=1 -e trace=write echo one two three four five",
    "-o '|cat -n' -e trace=openat true",
    "-o '!sort' -e trace=openat true",
    "-E FOO=bar -E HOME -o @ -e exit sh -c 'echo $FOO $HOME'",
    "-u nobody -o @ -e getuid id",
    "-o @ -v -e trace=getdents64 ls /etc/ssl",
    "-o @ -X verbose -e trace=rt_sigaction,rt_sigprocmask,prlimit64 sh -c 'trap : INT; ulimit -c 0; :'",
    "-o @ -X raw -v -e trace=rt_sigaction,rt_sigprocmask,newfstatat sh -c 'trap : INT; :'",
    "-o @ -X verbose -v -e trace=newfstatat true",
    // Summaries.
    "-c -S name -U calls,errors,name true",
    "-C -e trace=openat -S nothing -U name,calls true",
    "-f -c -S calls -e openat,close -U calls,name sh -c '/bin/true; exit 3'",
    "-c -e trace=none true",
    // Endings.
    "-qqq -e none sh -c 'kill -9 $$'",
    "-o @ -e none sh -c 'kill -TERM $$'",
    "-- true -x",
    // What is wrong.
    "",
    "-z",
    "-p x true",
    "-o",
    "-fo",
    "-J true",
    "--foo true",
    "--summ true",
    "--string=5 true",
    "--summary-on=x true",
    "--string-limit",
    "-s x true",
    "-s -1 true",
    "-a x true",
    "-S foo -c true",
    "-U foo -c true",
    "-U calls,calls -c true",
    "-O foo -c true",
    "-X foo true",
    "-I 9 true",
    "-b foo true",
    "-c -C true",
    "-ff -c true",
    "-w true",
    "-U calls true",
    "-DDDD true",
    "-q -e quiet=exit true",
    "-tt --absolute-timestamps=time true",
    "--timestamps=foo true",
    "--syscall-times=x true",
    "-o '|cat' -ff true",
    "-o /nonexistent/x true",
    "-e trace=foo true",
    "-e foo=bar true",
    "-e trace= true",
    "-e %foo true",
    "-e /[ true",
    "-e signal=FOO true",
    "-e status=foo true",
    "-e quiet=foo true",
    "-e decode-fds=foo true",
    "-e read=x true",
    "-e kvm=x true",
    "-e inject=foo true",
    "-e inject=openat:error=FOO true",
    "-e fault=openat:when=0 true",
    "-u nosuchuser true",
    "nosuchprogram",
    "./nosuchprogram",
    // What is odd, and said.
    "-A -e none true",
    "-F -e none true",
    "-z -Z -e openat true",
    "-S name -e none true",
    "-c -y -e none true",
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let mut trials: Vec<Trial> = LINES
        .iter()
        .map(|line| Trial::test(format!("strace {line}"), || compare(line)))
        .collect();
    trials.push(Trial::test("separate files", separate_files));
    trials.push(Trial::test("json lines fit the schema", fits_schema));
    trials.push(Trial::test("perfetto", perfetto));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    let words = parts.flat_map(|(index, part)| {
        let quoted = index % 2 == 1;
        let pieces: Vec<&str> = if quoted {
            vec![part]
        } else {
            part.split_whitespace().collect()
        };
        pieces.into_iter().map(str::to_owned)
    });
    words.collect()
}

fn scratch(name: &str) -> PathBuf {
    let unique = std::thread::current().id();
    std::env::temp_dir().join(format!(
        "vitrine-strace-{}-{unique:?}-{name}",
        std::process::id()
    ))
}

struct Ended {
    status: i32,
    stdout: Vec<u8>,
    trace: String,
}

fn ended(mut command: Command, line: &str, side: &str) -> Result<Ended, Failed> {
    let file = scratch(side);
    for word in words(line) {
        if word == "@" {
            command.arg(&file);
        } else {
            command.arg(word);
        }
    }
    let outcome = run(command, b"", scaled(LIMIT))?;
    let status = outcome.status.ok_or(format!("{side}: over its limit"))?;
    let mut trace = String::from_utf8_lossy(&outcome.stderr).into_owned();
    if let Ok(text) = std::fs::read(&file) {
        trace.push_str("--- file\n");
        trace.push_str(&String::from_utf8_lossy(&text));
        let _ = std::fs::remove_file(&file);
    }
    for piece in pieces(&file) {
        let _ = std::fs::remove_file(piece);
    }
    Ok(Ended {
        status: shell_status(status),
        stdout: outcome.stdout,
        trace,
    })
}

/// `FILE.PID` files of a file.
fn pieces(file: &std::path::Path) -> Vec<PathBuf> {
    let prefix = format!(
        "{}.",
        file.file_name().unwrap_or_default().to_string_lossy()
    );
    let entries = std::fs::read_dir(file.parent().unwrap_or(file));
    let paths = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let is_piece = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix)
    };
    let mut found: Vec<PathBuf> = paths.filter(is_piece).collect();
    found.sort();
    found
}

fn compare(line: &str) -> Result<(), Failed> {
    let native = ended(Command::new("strace"), line, "native")?;
    let mut inside = Command::new(vitrine());
    inside.arg("strace");
    let inside = ended(inside, line, "sandbox")?;
    let mut complaints = Vec::new();
    if native.status != inside.status {
        complaints.push(format!(
            "status: strace {}, vitrine {}",
            native.status, inside.status
        ));
    }
    let (one, other) = (equalised(&native.trace), equalised(&inside.trace));
    let piped = (
        String::from_utf8_lossy(&native.stdout),
        String::from_utf8_lossy(&inside.stdout),
    );
    if equalised(&piped.0) != equalised(&piped.1) {
        complaints.push(format!("stdout: strace\n{}\nvitrine\n{}", piped.0, piped.1));
    }
    if one != other {
        let differing = one
            .lines()
            .zip(other.lines())
            .find(|(one, other)| one != other);
        let (a, b) = differing.unwrap_or(("(more or fewer lines)", ""));
        complaints.push(format!(
            "first difference\n{a}\n{b}\n--- strace\n{}\n--- vitrine\n{}",
            excerpt(one.as_bytes()),
            excerpt(other.as_bytes())
        ));
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints.join("\n").into())
    }
}

/// A trace with everything made equal that differs from run to run.
fn equalised(text: &str) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        [
            (r"\[[0-9a-f]{16}\]", "[IP]"),
            (r"0x[0-9a-f]{6,}", "ADDRESS"),
            (r"/\* \d+ vars? \*/", "/* VARS */"),
            (
                r"si_utime=\d+( /\* \S+ s \*/)?, si_stime=\d+( /\* \S+ s \*/)?",
                "TIMES",
            ),
            // Reading may change it.
            (r"st_atime=\d+( /\* \S+ \*/)?, st_atime_nsec=\d+", "ATIME"),
            (r"(?m)^\d+(<\w+>)? +", "PID$1 "),
            (r"(?m)^\d{10}(\.\d+)? ", "EPOCH "),
            (r"(?m)^\d\d:\d\d:\d\d(\.\d+)? ", "TIME "),
            (r"(?m)^(TIME |EPOCH )\(\+ +\d+(\.\d+)?\) ", "$1RELATIVE "),
            (r"<\d+(\.\d+)>$", "<DURATION>"),
            (r"(?m) <\d+(\.\d+)?>$", " <DURATION>"),
            (r"\[pid +\d+", "[pid N"),
            (r"Process \d+ attached", "Process N attached"),
            (r"si_pid=\d+", "si_pid=N"),
            (r"d_off=\d+", "d_off=N"),
            (r"pipe:\[\d+\]", "pipe:[N]"),
            (r"(set_tid_address\(ADDRESS\) += )\d+", "${1}N"),
            (r"(?m)(prlimit64|getrandom)\(.*$", "$1(…)"),
            (r"  +", " "),
        ]
        .map(|(pattern, with)| (Regex::new(pattern).expect("a rule of this test"), with))
        .into()
    });
    RULES
        .iter()
        .fold(sorted_entries(text), |text, (pattern, with)| {
            pattern.replace_all(&text, *with).into_owned()
        })
}

/// A file system returns its entries in the order that it likes: each list of them sorted.
fn sorted_entries(text: &str) -> String {
    static LIST: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[\{d_ino=.*\}\]").expect("a rule of this test"));
    let sorted = |found: &regex_lite::Captures<'_>| {
        let mut entries: Vec<&str> = found[0][2..found[0].len() - 2].split("}, {").collect();
        entries.sort_unstable();
        format!("[{{{}}}]", entries.join("}, {"))
    };
    LIST.replace_all(text, sorted).into_owned()
}

/// `-ff -o FILE` writes one file a process.
fn separate_files() -> Result<(), Failed> {
    let script = ["sh", "-c", "/bin/true; exit 3"];
    let mut texts = Vec::new();
    for side in ["native", "sandbox"] {
        let mut command = match side {
            "native" => Command::new("strace"),
            _ => Command::new(vitrine()),
        };
        let file = scratch(&format!("files-{side}"));
        if side == "sandbox" {
            command.arg("strace");
        }
        command
            .args(["-ff", "-e", "trace=execve,exit_group", "-o"])
            .arg(&file)
            .args(script);
        run(command, b"", scaled(LIMIT))?;
        let mut found = String::new();
        for piece in pieces(&file) {
            found.push_str("--- file\n");
            found.push_str(&std::fs::read_to_string(&piece)?);
            std::fs::remove_file(&piece)?;
        }
        texts.push(equalised(&found));
    }
    if texts[0] != texts[1] || texts[0].matches("--- file").count() != 2 {
        return Err(format!("--- strace\n{}\n--- vitrine\n{}", texts[0], texts[1]).into());
    }
    Ok(())
}

const SCRIPT: &str = "./nosuch; ls / | head -1; kill -USR1 $$";

fn traced(format: &str) -> Result<String, Failed> {
    let file = scratch(format);
    let path = file.to_string_lossy().into_owned();
    let options = ["--trace", "--format", format, "-o", &path];
    run(
        sandboxed(&options, &["sh", "-c", SCRIPT]),
        b"",
        scaled(LIMIT * 4),
    )?;
    let text = std::fs::read_to_string(&file)?;
    std::fs::remove_file(&file)?;
    Ok(text)
}

/// Whether an event is a pipe's creation and describes both ends.
fn is_pipe(event: &Value) -> bool {
    let ends = event["args"][0]["fds"].as_array();
    event["name"]
        .as_str()
        .is_some_and(|name| name.starts_with("pipe"))
        && ends.is_some_and(|ends| {
            ends.len() == 2
                && ends
                    .iter()
                    .all(|end| end["fd"].is_i64() && end["kind"] == "pipe")
        })
}

fn fits_schema() -> Result<(), Failed> {
    let root: Value = serde_json::from_str(include_str!("../../resources/event.schema.json"))?;
    let text = traced("json")?;
    let mut piped = false;
    let mut types = std::collections::BTreeSet::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line)?;
        schema::validate(&root, &root, &event, "event").map_err(|why| format!("{why}\n{line}"))?;
        let strange = schema::undescribed(&root, &event);
        if !strange.is_empty() {
            return Err(format!("not in the schema: {strange:?}\n{line}").into());
        }
        if is_pipe(&event) {
            piped = true;
        }
        types.insert(event["type"].as_str().unwrap_or_default().to_owned());
    }
    if !piped {
        return Err("no pipe with two described descriptors".into());
    }
    for wanted in ["exec", "exit", "fork", "signal", "syscall", "syscall_enter"] {
        if !types.contains(wanted) {
            return Err(format!("no {wanted} among {types:?}").into());
        }
    }
    Ok(())
}

/// Each track has a name, and the calls of one follow one another.
fn tracks(events: &[Value]) -> Result<(), Failed> {
    let number = |event: &Value, key: &str| event[key].as_f64().unwrap_or(f64::NAN);
    let named = |what: &str, key: &str, value: &Value| {
        let mut names = events.iter().filter(|event| event["name"] == what);
        names.any(|event| event["ph"] == "M" && event[key] == *value)
    };
    let mut ends = std::collections::BTreeMap::new();
    let mut slices: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
    slices.sort_by(|a, b| number(a, "ts").total_cmp(&number(b, "ts")));
    for slice in slices {
        if !named("process_name", "pid", &slice["pid"])
            || !named("thread_name", "tid", &slice["tid"])
        {
            return Err(format!("a track without a name: {slice}").into());
        }
        let (start, duration) = (number(slice, "ts"), number(slice, "dur"));
        let end = ends.entry(slice["tid"].as_i64()).or_insert(0.0);
        // A microsecond's thousandth is the last digit.
        if start + 0.0005 < *end || duration < 0.0 {
            return Err(format!("begins before the last one ended, at {end}: {slice}").into());
        }
        *end = start + duration;
    }
    if ends.len() < 3 {
        return Err(format!("{} threads have tracks", ends.len()).into());
    }
    Ok(())
}

fn perfetto() -> Result<(), Failed> {
    let trace: Value = serde_json::from_str(&traced("perfetto")?)?;
    let events = trace["traceEvents"].as_array().ok_or("no traceEvents")?;
    let with = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
    for event in events {
        for member in ["ph", "ts", "pid", "tid", "name"] {
            if event[member].is_null() {
                return Err(format!("no {member} in {event}").into());
            }
        }
        if event["ph"] == "X" && !(event["dur"].is_number() && event["args"]["result"].is_string())
        {
            return Err(format!("a slice without duration or result: {event}").into());
        }
    }
    tracks(events)?;
    if with("s") == 0 || with("s") != with("f") {
        return Err(format!("{} arrows begin, {} end", with("s"), with("f")).into());
    }
    let named = events
        .iter()
        .any(|event| event["name"] == "process_name" && event["args"]["name"] == "ls");
    let signalled = events
        .iter()
        .any(|event| event["ph"] == "i" && event["name"] == "SIGUSR1");
    if !named || !signalled {
        return Err(format!("ls has a track: {named}; SIGUSR1 is shown: {signalled}").into());
    }
    Ok(())
}
