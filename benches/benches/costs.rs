//! `cargo bench`: what the sandbox costs, with native and strace beside it, in one run, and the goal of each line.

use std::process::Command;
use vitrine_benches::project::Project;
use vitrine_benches::{Setting, median, primitive, show, vitrine, wall};

/// One line of the table.
struct Row {
    what: &'static str,
    native: Option<f64>,
    sandbox: Option<f64>,
    recorded: Option<f64>,
    strace: Option<f64>,
    /// The goal in words, and whether it was met.
    goals: Vec<(String, Option<bool>)>,
}

const ROUNDS: usize = 5;

/// What it is, primitive, count, options, and the most that they may add, nanoseconds.
type Filtered = (
    &'static str,
    &'static str,
    u64,
    &'static [&'static str],
    f64,
);

/// Calls that a filter looks at, or that a rule changes; in the table's `recorded` column.
const FILTERED: [Filtered; 5] = [
    (
        "getppid, recorded",
        "getppid",
        100_000,
        &["--trace", "-o", "/dev/null"],
        350.0,
    ),
    (
        "openat and close, recorded",
        "openat",
        30_000,
        &["--trace", "-o", "/dev/null", "-e", "trace=openat"],
        600.0,
    ),
    (
        "getppid, rejected by a filter",
        "getppid",
        100_000,
        &[
            "-o",
            "/dev/null",
            "--filter",
            "evt.type = getppid and proc.pid = 999999",
        ],
        150.0,
    ),
    (
        "getppid, an argument rewritten",
        "getppid",
        100_000,
        &["--rule", "getppid then set arg0 = 77"],
        400.0,
    ),
    (
        "openat and close, the path rewritten",
        "openat",
        30_000,
        &[
            "--rule",
            "openat if path == /etc/hostname then set path = /etc/hosts",
        ],
        800.0,
    ),
];

fn measure(name: &str, count: u64, strace_count: u64) -> [Option<f64>; 4] {
    let one = |setting, count| median(|| primitive(setting, name, count), ROUNDS);
    [
        one(Setting::Native, count),
        one(Setting::Sandbox, count),
        one(Setting::Recorded, count),
        if strace_count == 0 {
            None
        } else {
            median(|| primitive(Setting::Strace, name, strace_count), 1)
        },
    ]
}

/// What options of `vitrine run` add to a primitive in an unwatched sandbox, measured in turns.
fn added(name: &str, count: u64, options: &'static [&'static str]) -> [Option<f64>; 2] {
    let mut least = [None::<f64>; 2];
    for _ in 0..ROUNDS {
        for (least, setting) in least
            .iter_mut()
            .zip([Setting::Sandbox, Setting::With(options)])
        {
            if let Some(value) = primitive(setting, name, count) {
                *least = Some(least.map_or(value, |least| least.min(value)));
            }
        }
    }
    least
}

fn row(what: &'static str, values: [Option<f64>; 4], goals: Vec<(String, Option<bool>)>) -> Row {
    let [native, sandbox, recorded, strace] = values;
    Row {
        what,
        native,
        sandbox,
        recorded,
        strace,
        goals,
    }
}

/// A goal `value ≤ limit`, both in nanoseconds.
fn goal(text: &str, value: Option<f64>, limit: Option<f64>) -> (String, Option<bool>) {
    match (value, limit) {
        (Some(value), Some(limit)) => (
            format!("{text}: {} ≤ {}", show(Some(value)), show(Some(limit))),
            Some(value <= limit),
        ),
        _ => (format!("{text}: not measured"), None),
    }
}

/// A cost that `vitrine doctor` measures in a bare VM, in nanoseconds: `syscall_ns`, the SYSCALL round trip; `exit_ns`, an exit to the VMM.
fn doctor(what: &str) -> Option<f64> {
    let output = Command::new(vitrine())
        .args(["doctor", "--json"])
        .output()
        .ok()?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    report["costs"][what].as_f64()
}

/// What watching and changing cost over the unwatched sandbox.
fn watching(rows: &mut Vec<Row>) {
    for (what, name, count, options, limit) in FILTERED {
        let [unwatched, watched] = added(name, count, options);
        let difference = watched.zip(unwatched).map(|(with, without)| with - without);
        let text = format!("adds ≤ {}", show(Some(limit)));
        rows.push(row(
            what,
            [None, unwatched, watched, None],
            vec![goal(&text, difference, Some(limit))],
        ));
    }
    let log = std::env::temp_dir().join(format!("vitrine-bench-{}.jsonl", std::process::id()));
    let path = log.display().to_string();
    let options = ["run", "--trace", "--format", "json", "-o", &path, "--"];
    let each = median(
        || {
            let mut command = Command::new(vitrine());
            let program = env!("VITRINE_BENCH_PRIMITIVES");
            command.args(options).args([program, "getppid", "200000"]);
            let took = wall(&mut command)?;
            let text = std::fs::read(&log).ok()?;
            let events = text.iter().filter(|&&byte| byte == b'\n').count();
            Some(took.as_nanos() as f64 / events as f64)
        },
        3,
    );
    let _ = std::fs::remove_file(&log);
    rows.push(row(
        "JSON lines to a file, an event",
        [None, None, each, None],
        vec![goal("500,000 events/s", each, Some(2000.0))],
    ));

    let Ok(project) = Project::new() else {
        return;
    };
    let binary = vitrine().display().to_string();
    let log = std::env::temp_dir().join(format!("vitrine-bench-{}.log", std::process::id()));
    let path = log.display().to_string();
    let settings: [&[&str]; 4] = [
        &[],
        &[&binary, "run", "--"],
        &[&binary, "run", "--trace", "-o", &path, "--"],
        &["strace", "-f", "-o", "/dev/null"],
    ];
    let v = settings.map(|prefix| {
        median(
            || Some(wall(&mut project.build(prefix))?.as_nanos() as f64),
            3,
        )
    });
    let _ = std::fs::remove_file(log);
    rows.push(row(
        "make -j2 of a C project",
        v,
        vec![goal(
            "traced ≤ 1.25 × untraced",
            v[2],
            v[1].map(|n| n * 1.25),
        )],
    ));
}

fn main() {
    let mut rows = Vec::new();
    let bare = median(|| doctor("syscall_ns"), 3);

    let v = measure("getppid", 300_000, 2_000);
    rows.push(row(
        "getppid",
        v,
        vec![
            goal(
                "unwatched ≤ 1.25 × bare SYSCALL",
                v[1],
                bare.map(|b| b * 1.25),
            ),
            goal("recorded ≤ bare + 0.6 µs", v[2], bare.map(|b| b + 600.0)),
        ],
    ));

    let v = measure("openat", 100_000, 1_000);
    let close = measure("close", 100_000, 0);
    let open = |n: usize| Some(v[n]? - close[n]?);
    let only = [open(0), open(1), open(2), v[3]];
    rows.push(row(
        "openat (existing path)",
        only,
        vec![
            goal(
                "unwatched ≤ 1.5 × native + 1.2 µs",
                only[1],
                only[0].map(|n| n * 1.5 + 1200.0),
            ),
            goal(
                "recorded ≤ that + 0.8 µs",
                only[2],
                only[0].map(|n| n * 1.5 + 2000.0),
            ),
        ],
    ));

    watching(&mut rows);

    let exit = median(|| doctor("exit_ns"), 3);
    let options = &["--break", "getppid", "--stop-timeout", "0ms"];
    let [unwatched, stopped] = added("getppid", 5_000, options);
    rows.push(row(
        "getppid: stop, decision, resume",
        [None, unwatched, stopped, None],
        vec![goal(
            "≤ 1.5 × bare exit",
            stopped,
            exit.map(|exit| exit * 1.5),
        )],
    ));

    let v = measure("touch", 512, 0);
    rows.push(row(
        "touching anonymous memory, a MiB",
        v,
        vec![goal("≤ 1.2 × native", v[1], v[0].map(|n| n * 1.2))],
    ));

    let v = measure("compute", 64, 0);
    rows.push(row(
        "compute, a MiB hashed",
        v,
        vec![goal("≤ 1.03 × native", v[1], v[0].map(|n| n * 1.03))],
    ));

    let v = measure("pipe", 50_000, 0);
    rows.push(row("a byte through a pipe", v, vec![]));

    let v = measure("forkexec", 40, 10);
    rows.push(row(
        "fork+exec+wait of /bin/true",
        v,
        vec![goal("≤ 2 × native", v[1], v[0].map(|n| n * 2.0))],
    ));

    let v = measure("python", 5, 1);
    rows.push(row(
        "python3 -c pass",
        v,
        vec![goal("≤ 1.5 × native", v[1], v[0].map(|n| n * 1.5))],
    ));

    let run = median(
        || Some(wall(Command::new(vitrine()).args(["run", "--", "/bin/true"]))?.as_nanos() as f64),
        21,
    );
    let native = median(
        || Some(wall(&mut Command::new("/bin/true"))?.as_nanos() as f64),
        21,
    );
    rows.push(row(
        "vitrine run -- /bin/true, all of it",
        [native, run, None, None],
        vec![goal("≤ 10 ms", run, Some(10e6))],
    ));

    println!("bare SYSCALL round trip in this VM: {}", show(bare));
    println!(
        "{:38} {:>10} {:>10} {:>10} {:>10}",
        "medians", "native", "sandbox", "recorded", "strace"
    );
    for row in &rows {
        println!(
            "{:38} {:>10} {:>10} {:>10} {:>10}",
            row.what,
            show(row.native),
            show(row.sandbox),
            show(row.recorded),
            show(row.strace)
        );
        for (text, met) in &row.goals {
            let mark = match met {
                Some(true) => "met   ",
                Some(false) => "MISSED",
                None => "?     ",
            };
            println!("    {mark} {text}");
        }
    }
}
