//! Rules that come with Vitrine, each on real programs.

use libtest_mimic::{Arguments, Failed, Trial};
use std::{fs, path::PathBuf, process::ExitCode, time::Duration};
use vitrine_tests::{Outcome, contains, expect, nested, run, sandboxed, scaled};

type Test = fn(&Folder) -> Result<(), Failed>;

const TESTS: &[(&str, Test)] = &[
    ("deny_network", deny_network),
    ("disk_full", disk_full),
    ("fake_time", fake_time),
    ("fake_uid", fake_uid),
    ("flaky_network", flaky_network),
    ("hide_files", hide_files),
    ("package_audit", package_audit),
    ("readonly_home", readonly_home),
    ("slow_disk", slow_disk),
    ("as_files", as_files),
    ("settings_are_checked", settings_are_checked),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let trials = TESTS
        .iter()
        .map(|(name, test)| Trial::test(*name, || test(&Folder::new(name)?)))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A folder of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Folder, Failed> {
        let path = std::env::temp_dir().join(format!("presets-{}-{name}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    fn root(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A script under a preset.
fn under(preset: &str, script: &str) -> Result<Outcome, Failed> {
    with(&["--preset", preset], &["bash", "-c", script])
}

fn with(options: &[&str], argv: &[&str]) -> Result<Outcome, Failed> {
    let limit = scaled(Duration::from_secs(20));
    Ok(run(sandboxed(options, argv), b"", limit)?)
}

/// Makes sockets, and uses one that claims to be of the internet: the rules decide before the kernel finds out.
const SOCKETS: &str = r#"
import errno, socket
def tell(what, *args):
    try:
        what(*args)
        print("works")
    except OSError as error:
        print(errno.errorcode[error.errno])
tell(socket.socket, socket.AF_INET)
tell(socket.socket, socket.AF_INET6)
tell(socket.socket, socket.AF_UNIX)
tell(socket.socketpair)
unix = socket.socket(socket.AF_UNIX)
inet = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=unix.detach())
tell(inet.connect, ("10.0.0.1", 80))
tell(inet.sendto, b"x", ("10.0.0.1", 80))
a, b = socket.socketpair()
a.send(b"over unix\n")
print(b.recv(100).decode(), end="")
"#;

fn deny_network(_: &Folder) -> Result<(), Failed> {
    let outcome = with(&["--preset", "deny-network"], &["python3", "-c", SOCKETS])?;
    let text = "EACCES\nEACCES\nworks\nworks\nEACCES\nEACCES\nover unix\n";
    expect(&outcome, 0, text)
}

fn flaky_network(_: &Folder) -> Result<(), Failed> {
    let preset = "flaky-network:probability=1,delay=150ms";
    let outcome = with(&["--preset", preset], &["python3", "-c", SOCKETS])?;
    let lines = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let rest: Vec<&str> = lines.lines().skip(2).collect();
    if rest != ["works", "works", "ETIMEDOUT", "EHOSTUNREACH", "over unix"] {
        return Err(format!("{outcome:?}").into());
    }
    if outcome.time < Duration::from_millis(300) {
        return Err(format!("it took only {:?}", outcome.time).into());
    }
    let outcome = with(
        &["--preset", "flaky-network:probability=0"],
        &["python3", "-c", SOCKETS],
    )?;
    if contains(&outcome.stdout, "ETIMEDOUT").is_ok() {
        return Err("it fails with probability 0".into());
    }
    contains(&outcome.stdout, "over unix")
}

fn disk_full(folder: &Folder) -> Result<(), Failed> {
    fs::write(folder.path("old"), "old\n")?;
    let script = format!(
        "cd {}; cp old new; dd if=/dev/zero of=zeros bs=1k count=2; mkdir d; cat old; echo piped | cat; echo x > /dev/null && echo null; \
         stat -f -c %a .; stat -c %s zeros",
        folder.root()
    );
    let outcome = under("disk-full", &script)?;
    expect(&outcome, 0, "old\npiped\nnull\n0\n0\n")?;
    for text in [
        "error copying 'old' to 'new': No space left on device",
        "error writing 'zeros': No space left on device",
        "cannot create directory",
    ] {
        contains(&outcome.stderr, text)?;
    }
    // The first two writes pass.
    let script = format!(
        "cd {}; for i in 1 2 3; do echo $i >> f; done; cat f",
        folder.root()
    );
    expect(&under("disk-full:from=3", &script)?, 0, "1\n2\n")
}

fn slow_disk(folder: &Folder) -> Result<(), Failed> {
    fs::write(folder.path("f"), "slow\n")?;
    let script = format!("read line < {}; echo $line", folder.path("f"));
    let quick = under("slow-disk:read=0ms", &script)?;
    expect(&quick, 0, "slow\n")?;
    // So long that what else takes time doesn't matter.
    let delay = scaled(Duration::from_millis(600));
    let slow = under(&format!("slow-disk:read={}ms", delay.as_millis()), &script)?;
    expect(&slow, 0, "slow\n")?;
    if slow.time < quick.time + delay / 2 {
        return Err(format!("{:?}, and slowly {:?}", quick.time, slow.time).into());
    }
    Ok(())
}

/// Every way in which programs ask for the time agrees with every other.
fn fake_time(_: &Folder) -> Result<(), Failed> {
    let python = r#"
import ctypes, time
libc = ctypes.CDLL(None)
tv = (ctypes.c_long * 2)()
libc.gettimeofday(tv, None)
stored = ctypes.c_long()
libc.time(ctypes.byref(stored))
for seconds in (time.time(), time.clock_gettime(time.CLOCK_REALTIME), libc.time(None), stored.value, tv[0], libc.syscall(201, 0)):
    print(int(seconds))
print(int(time.monotonic()))
"#;
    let now = || {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map(|time| time.as_secs() as i64)
    };
    for (preset, offset) in [
        ("fake-time", 30 * 86400),
        ("fake-time:offset=-400d", -400 * 86400),
    ] {
        // Its Python has no ctypes.
        if nested() {
            let outcome = with(&["--preset", preset], &["date", "+%s"])?;
            expect_near(&outcome, 0, now()? + offset)?;
            continue;
        }
        let outcome = with(
            &["--preset", preset],
            &["bash", "-c", "date +%s; exec python3 -c \"$0\"", python],
        )?;
        expect_times(&outcome, now()? + offset)?;
    }
    if !nested() {
        deadlines()?;
    }
    // Without it the vDSO answers, and tells the truth.
    let outcome = with(&["--rule", "getpid then log"], &["date", "+%s"])?;
    expect_near(&outcome, 0, now()?)
}

/// Waiting until a moment that is near by the faked calendar takes that long.
fn deadlines() -> Result<(), Failed> {
    let python = r#"
import ctypes, time
libc = ctypes.CDLL(None)
def until():
    moment = time.time() + 0.3
    return (ctypes.c_long * 2)(int(moment), int(moment % 1 * 1e9))
def took(what):
    start = time.monotonic()
    what()
    return 0.25 < time.monotonic() - start < 5
print(took(lambda: libc.clock_nanosleep(0, 1, until(), None)))
semaphore = ctypes.create_string_buffer(64)
libc.sem_init(semaphore, 0, 0)
print(took(lambda: libc.sem_timedwait(semaphore, until())))
"#;
    for preset in ["fake-time", "fake-time:offset=-30d"] {
        let outcome = with(&["--preset", preset], &["python3", "-S", "-c", python])?;
        expect(&outcome, 0, "True\nTrue\n")?;
    }
    Ok(())
}

fn expect_times(outcome: &Outcome, time: i64) -> Result<(), Failed> {
    for line in 0..7 {
        expect_near(outcome, line, time)?;
    }
    let text = String::from_utf8_lossy(&outcome.stdout);
    let monotonic: i64 = text.lines().nth(7).unwrap_or("").parse()?;
    if monotonic > time / 2 {
        return Err(format!("the monotonic clock is {monotonic}").into());
    }
    Ok(())
}

fn expect_near(outcome: &Outcome, line: usize, time: i64) -> Result<(), Failed> {
    let text = String::from_utf8_lossy(&outcome.stdout);
    let got: i64 = text
        .lines()
        .nth(line)
        .and_then(|line| line.parse().ok())
        .ok_or_else(|| format!("no time in {outcome:?}"))?;
    if (got - time).abs() > 120 {
        return Err(format!("line {line}: {got} instead of {time} in\n{text}").into());
    }
    Ok(())
}

fn fake_uid(folder: &Folder) -> Result<(), Failed> {
    fs::write(folder.path("f"), "")?;
    let script = format!(
        "id -u; id -g; echo $UID; python3 -c 'import os; print(os.getresuid(), os.getresgid()); os.setuid(5); os.chown(\"{}\", 4321, 1)'",
        folder.path("f")
    );
    let outcome = under("fake-uid:uid=1234,gid=77", &script)?;
    let text = "1234\n77\n1234\n(1234, 1234, 1234) (77, 77, 77)\n";
    expect(&outcome, 0, text)
}

fn hide_files(folder: &Folder) -> Result<(), Failed> {
    for name in ["secret-a", "secret-b", "shown"] {
        fs::write(folder.path(name), name)?;
    }
    // So many that a listing takes several calls, some of which have nothing to show.
    for number in 0..2000 {
        fs::write(folder.path(&format!("secret-{number}-{:0>60}", "")), "")?;
    }
    let root = folder.root();
    let preset = format!("hide-files:path={root}/secret*");
    let script = format!(
        "cd {root}; for name in secret-a {root}/secret-a ./secret-b ../{}/secret-a {root}/x/../secret-b; do cat $name || echo gone; done 2>/dev/null; \
         ls; find . | sort; mv shown secret-c 2>/dev/null || echo cannot; echo *; cat shown",
        folder.0.file_name().unwrap_or_default().to_string_lossy()
    );
    let text = "gone\ngone\ngone\ngone\ngone\nshown\n.\n./shown\ncannot\nshown\nshown";
    expect(&under(&preset, &script)?, 0, text)
}

fn readonly_home(folder: &Folder) -> Result<(), Failed> {
    fs::write(folder.path("f"), "kept\n")?;
    let root = folder.root();
    let script = format!(
        "cd {root}; (echo x > f) ; echo x >> f; touch new; mkdir d; rm f; mv f g; ln -s f l; ln f h; chmod 0 f; truncate -s 0 f; test -w f || echo unwritable; \
         cat f; echo elsewhere > /tmp/presets-$$ && cat /tmp/presets-$$; (HOME=/root; echo x > ~/presets) || echo no; ls {root}"
    );
    let outcome = under(&format!("readonly-home:home={root}"), &script)?;
    expect(&outcome, 0, "unwritable\nkept\nelsewhere\nno\nf\n")?;
    let errors = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let count = errors.matches("Read-only file system").count();
    if count < 10 {
        return Err(format!("{count} refusals in\n{errors}").into());
    }
    Ok(())
}

fn package_audit(folder: &Folder) -> Result<(), Failed> {
    let pip = folder.path("pip");
    fs::create_dir_all(folder.path(".ssh"))?;
    fs::write(folder.path(".ssh/id"), "key\n")?;
    let script = format!(
        "#!/bin/sh\ncat {root}/.ssh/id\ncat {root}/pip > /dev/null\necho x > /etc/cron.d/x\necho y >> {root}/.bashrc\nchmod 4755 {root}/pip\n",
        root = folder.root()
    );
    fs::write(&pip, script)?;
    let log = folder.path("log");
    let install = format!("cp {pip} {pip}2; chmod 755 {pip}2; {pip}2 install something");
    let options = ["--preset", "package-audit", "--format", "json", "-o", &log];
    expect(&with(&options, &["bash", "-c", &install])?, 0, "key\n")?;
    let text = fs::read_to_string(&log)?;
    let mut told = Vec::new();
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line)?;
        // Its end says the same again.
        if event["type"] == "syscall_enter" {
            continue;
        }
        for hit in event["rules"].as_array().into_iter().flatten() {
            if let Some(text) = hit["text"].as_str() {
                told.push(text.to_owned());
            }
        }
    }
    let expected = [
        "a package manager runs",
        "runs from a writable place",
        "reads credentials",
        "writes to the system",
        "changes what runs later",
        "changes what runs later",
        "sets a setuid or setgid bit",
    ];
    if told != expected {
        return Err(format!("{told:?} instead of {expected:?}").into());
    }
    Ok(())
}

/// What `vitrine presets NAME` prints is a file for --rules.
fn as_files(folder: &Folder) -> Result<(), Failed> {
    let list = std::process::Command::new(vitrine_tests::vitrine())
        .arg("presets")
        .output()?;
    contains(&list.stdout, "fake-uid\n    Programs believe")?;
    let one = std::process::Command::new(vitrine_tests::vitrine())
        .args(["presets", "fake-uid"])
        .output()?;
    let text = String::from_utf8_lossy(&one.stdout).replace("uid = 0", "uid = 99");
    let file = folder.path("rules.toml");
    fs::write(&file, text)?;
    expect(&with(&["--rules", &file], &["id", "-u"])?, 0, "99\n")?;
    expect(
        &with(&["--rules", "preset:fake-uid:uid=98"], &["id", "-u"])?,
        0,
        "98\n",
    )
}

fn settings_are_checked(_: &Folder) -> Result<(), Failed> {
    for (preset, text) in [
        ("fake-tim", "did you mean `fake-time`?"),
        ("fake-time:ofset=1h", "it has offset"),
        ("fake-time:1h", "no setting"),
        ("fake-time:offset=soon", "`soon` is no number"),
    ] {
        let outcome = with(&["--preset", preset], &["echo", "ran"])?;
        expect(&outcome, 2, "")?;
        contains(&outcome.stderr, text)?;
    }
    let twice = ["--preset", "fake-uid", "--preset", "fake-uid:uid=5"];
    let outcome = with(&twice, &["echo", "ran"])?;
    expect(&outcome, 2, "")?;
    contains(&outcome.stderr, "returns always already")
}
