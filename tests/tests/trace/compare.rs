//! Programs under the host's strace and under `vitrine run --trace`: the logs must agree, line by line, once normalised.

use crate::log::{Log, Normalizer, difference};
use libtest_mimic::{Failed, Trial};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use vitrine_tests::{excerpt, nested, run, scaled, vitrine};

struct Case {
    name: &'static str,
    argv: Vec<String>,
    /// Calls that are left to chance: who finds a lock taken, how much a pipe holds.
    chance: &'static [&'static str],
    /// Whether interrupted calls must agree as well.
    interruptions: bool,
}

/// Where the host's clock can't be read without a system call, as in the nested machine, its programs make these.
const CLOCKS: &[&str] = &["clock_gettime(", "gettimeofday("];
/// Not in the nested machine: it has no compiler, and its file system keeps no birth times and has other
/// sizes of directories; its Linux 6.1 looks at the arguments of an execve before it looks for the file.
const NOT_NESTED: &[&str] = &["decoding", "files", "gcc", "ls"];

/// With a handler of SIGCHLD that waits, whenever it comes.
const PIPES: &[&str] = &["read(", "poll(", "wait4(", "close("];
const THREADS: &[&str] = &[
    "futex(",
    "mmap(",
    "munmap(",
    "mprotect(",
    "madvise(",
    "getrandom(",
];

fn cases() -> Vec<Case> {
    let listed: [(&str, &[&str], &[&str]); 13] = [
        ("true", &["/bin/true"], &[]),
        ("ls", &["ls", "-l", "/etc/apt"], &[]),
        ("cat", &["cat", "/etc/hostname", "/nonexistent"], &[]),
        (
            "pipeline",
            &["sh", "-c", "echo a b c | tr ' ' '\\n' | head -2; exit 3"],
            PIPES,
        ),
        (
            "loop",
            &[
                "bash",
                "-c",
                "for i in 1 2 3; do /bin/true; done; x=$(echo hi); kill -9 $$",
            ],
            PIPES,
        ),
        (
            "python",
            &[
                "/usr/bin/python3",
                "-I",
                "-c",
                "import json, os; print(json.dumps(os.uname().sysname))",
            ],
            &[],
        ),
        (
            "find",
            &["find", "/etc/apt", "-type", "f", "-newer", "/etc/passwd"],
            &[],
        ),
        ("tar", &["tar", "cf", "a.tar", "/etc/apt"], &[]),
        (
            "sqlite",
            &[
                "sqlite3",
                "a.db",
                "create table t(a); insert into t values(1); select * from t;",
            ],
            &[],
        ),
        (
            "gcc",
            &["gcc", "-E", "-x", "c", "/dev/null", "-o", "a.i"],
            &[],
        ),
        ("missing_in_path", &["env", "no-such-program"], &[]),
        ("script", &["/usr/bin/ldd", "/bin/true"], PIPES),
        ("mkdir", &["mkdir", "-p", "one/two/three"], &[]),
    ];
    let mut cases: Vec<Case> = listed
        .into_iter()
        .map(|(name, argv, chance)| Case {
            name,
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            chance,
            interruptions: false,
        })
        .collect();
    let programs: [(&'static str, &'static [&'static str]); 9] = [
        ("decoding", &[]),
        ("hello", &[]),
        ("files", &["statfs(", "getrandom("]),
        ("ipc", PIPES),
        ("memory", &["getrandom("]),
        ("process", &["wait4(", "write(1<"]),
        ("signals", &[]),
        ("system", &[]),
        ("calls", &["pselect6(", "pause("]),
    ];
    for (name, chance) in programs {
        let path = PathBuf::from(env!("VITRINE_TEST_PROGRAMS")).join(name);
        cases.push(Case {
            name,
            argv: vec![path.to_string_lossy().into_owned()],
            chance,
            interruptions: name == "calls",
        });
    }
    cases
}

/// One trial a program.
pub fn trials() -> Vec<Trial> {
    let one = |case: Case| {
        Trial::test(format!("strace::{}", case.name), move || {
            // Which of two processes is faster is chance, more so under strace.
            let again = |_| check(&case);
            check(&case).or_else(again).or_else(again)
        })
    };
    cases()
        .into_iter()
        .filter(|case| !nested() || !NOT_NESTED.contains(&case.name))
        .map(one)
        .collect()
}

/// Runs it under `tracer` in an empty folder; its log. The folder is the same both times, for its path is in the log.
fn log(case: &Case, tracer: &[&str], folder: &Path, name: &str) -> Result<String, Failed> {
    let work = folder.join("work");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work)?;
    let file = folder.join(name);
    // Whatever descriptors this process was started with are in no other program's way.
    const CLOSE: &str = "for fd in {3..30}; do eval \"exec $fd>&-\"; done; exec \"$@\"";
    let mut command = Command::new("/bin/bash");
    command.args(["-c", CLOSE, "bash"]).args(tracer);
    command.arg("-o").arg(&file);
    if name.starts_with("vitrine") {
        command.arg("--");
    }
    command.args(&case.argv).current_dir(&work).env_clear();
    command.envs([
        ("PATH", "/usr/bin:/bin"),
        ("HOME", "/root"),
        ("LC_ALL", "C"),
    ]);
    let outcome = run(command, b"", scaled(Duration::from_secs(60)))?;
    let text = std::fs::read(&file)
        .map_err(|error| format!("{name}: {error}\n{}", excerpt(&outcome.stderr)))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn check(case: &Case) -> Result<(), Failed> {
    let folder = std::env::temp_dir().join(format!("vitrine-trace-{}", case.name));
    let vitrine = vitrine();
    let vitrine = vitrine.to_string_lossy();
    // The sandbox comes first, for what it writes vanishes.
    let inside = log(case, &[&vitrine, "run", "--trace"], &folder, "vitrine.log")?;
    let native = log(case, &["strace", "-f", "-y", "-T"], &folder, "strace.log")?;
    let normalizer = Normalizer::new()?;
    let mut logs = [
        Log::parse(&native, &normalizer)?,
        Log::parse(&inside, &normalizer)?,
    ];
    for log in &mut logs {
        log.without(case.chance);
        if nested() {
            log.without(CLOCKS);
        }
        if !case.interruptions {
            log.without_restarts();
        }
        if log
            .calls
            .values()
            .flatten()
            .any(|line| line.contains("CLONE_THREAD"))
        {
            log.without(THREADS);
        }
    }
    let [native, inside] = logs;
    match difference(&native, &inside) {
        None => {
            let _ = std::fs::remove_dir_all(&folder);
            Ok(())
        }
        Some(difference) => Err(format!("{difference}\n  logs in {}", folder.display()).into()),
    }
}
