//! Too much: memory, processes, arguments.

use crate::{Check, ensure, text};
use libtest_mimic::Failed;
use vitrine_tests::{run_sandbox, run_script, same};

pub const CHECKS: &[(&str, Check)] = &[
    ("memory_of_a_child", memory_of_a_child),
    ("memory_of_the_workload", memory_of_the_workload),
    ("memory_of_files", memory_of_files),
    ("size_of_a_tmpfs", size_of_a_tmpfs),
    ("memory_sizes", memory_sizes),
    ("fork_bomb", fork_bomb),
    ("fork_fails_with_eagain", fork_fails_with_eagain),
    ("threads_fail_with_eagain", threads_fail_with_eagain),
    (
        "arguments_as_long_as_they_may_be",
        arguments_as_long_as_they_may_be,
    ),
    ("arguments_of_the_workload", arguments_of_the_workload),
];

/// Holds more and more memory.
const GLUTTON: &str = "x = []\nwhile True: x.append(bytearray(1 << 20))";

fn memory_of_a_child() -> Result<(), Failed> {
    let script = format!("/usr/bin/python3 -c '{GLUTTON}'; echo alive $?; echo child | cat");
    let outcome = run_sandbox(&["--mem", "256M"], &["sh", "-c", &script], 60)?;
    ensure(outcome.1 == 0, "status is not 0", &outcome)?;
    let lives = text(&outcome) == "alive 137\nchild\n";
    ensure(lives, "the shell didn't live on", &outcome)?;
    told(&outcome)
}

/// What Linux prints for it (to root, in a mount namespace of its own).
fn size_of_a_tmpfs() -> Result<(), Failed> {
    let script = r#"
d=/tmp/vt-size-$$; mkdir $d && mount -t tmpfs -o size=1m none $d && cd $d || exit
grep -c " $d tmpfs rw.*size=1024k" /proc/mounts
stat -f -c '%b %f %S' .
head -c 2M /dev/zero > a; echo $?; stat -c %s a; stat -f -c '%b %f' .
rm a; stat -f -c '%b %f' .
head -c 300k /dev/zero > b; stat -f -c '%b %f' .; truncate -s 4096 b; stat -f -c '%b %f' .
truncate -s 10M c; stat -f -c '%b %f' .; fallocate -l 2M e; echo $?; fallocate -l 100k f; echo $?
df -k . | tail -1 | tr -s ' ' | cut -d' ' -f2
cd /; umount $d; rmdir $d
mkdir $d; mount -t tmpfs -o size=bad none $d; echo $?; rmdir $d
"#;
    let outcome = run_sandbox(&["--user", "0:0"], &["bash", "-c", script], 20)?;
    let expected =
        "1\n256 256 4096\n1\n1048576\n256 0\n256 256\n256 181\n256 255\n256 255\n1\n0\n1024\n32\n";
    ensure(
        text(&outcome) == expected,
        "the size doesn't hold",
        &outcome,
    )
}

fn memory_of_the_workload() -> Result<(), Failed> {
    let argv = ["/usr/bin/python3", "-c", GLUTTON];
    let outcome = run_sandbox(&["--mem", "256M"], &argv, 60)?;
    ensure(outcome.1 == 137, "status is not 137", &outcome)?;
    told(&outcome)
}

fn told(outcome: &(vitrine_tests::Outcome, i32)) -> Result<(), Failed> {
    let stderr = String::from_utf8_lossy(&outcome.0.stderr);
    let told = stderr.contains("vitrine: out of memory: killed process");
    ensure(told, "no word about memory", outcome)
}

fn memory_of_files() -> Result<(), Failed> {
    let script = "head -c 300M /dev/zero > /tmp/big; echo $?; rm /tmp/big; echo x > /tmp/small; cat /tmp/small";
    let outcome = run_sandbox(&["--mem", "128M"], &["sh", "-c", script], 60)?;
    ensure(
        outcome.1 == 0 && text(&outcome) == "1\nx\n",
        "no ENOSPC, or no recovery",
        &outcome,
    )
}

fn memory_sizes() -> Result<(), Failed> {
    for size in ["16M", "17M", "64M", "3G", "512G"] {
        let outcome = run_sandbox(&["--mem", size], &["echo", "hi"], 30)?;
        let fine = outcome.1 == 0 && text(&outcome) == "hi\n";
        ensure(fine, &format!("--mem {size}"), &outcome)?;
    }
    for size in [
        "0",
        "1M",
        "8M",
        "513G",
        "99999999999999999999",
        "-1",
        "1X",
        "",
    ] {
        let outcome = run_sandbox(&[&format!("--mem={size}")[..]], &["echo", "hi"], 30)?;
        ensure(outcome.1 == 2, &format!("--mem={size} is taken"), &outcome)?;
    }
    Ok(())
}

fn fork_bomb() -> Result<(), Failed> {
    let bomb = "b() { b | b & }; b 2>/dev/null; sleep 1; exec echo end";
    let outcome = run_sandbox(&["--max-processes", "64"], &["bash", "-c", bomb], 60)?;
    ensure(
        outcome.1 == 0 && text(&outcome) == "end\n",
        "it didn't end",
        &outcome,
    )
}

fn fork_fails_with_eagain() -> Result<(), Failed> {
    let code = "
import os, errno, signal
pids = []
try:
    while True:
        pid = os.fork()
        if pid == 0: signal.pause()
        pids.append(pid)
except OSError as e: print(len(pids), errno.errorcode[e.errno])
for pid in pids: os.kill(pid, 9)
print(sum(os.waitpid(pid, 0)[1] == 9 for pid in pids))
pid = os.fork()
if pid == 0: os._exit(7)
print(os.waitpid(pid, 0)[1] >> 8)
";
    let argv = ["/usr/bin/python3", "-c", code];
    let outcome = run_sandbox(&["--max-processes", "64"], &argv, 60)?;
    let fine = outcome.1 == 0 && text(&outcome) == "63 EAGAIN\n63\n7\n";
    ensure(
        fine,
        "not 63 children, then EAGAIN, then recovery",
        &outcome,
    )
}

fn threads_fail_with_eagain() -> Result<(), Failed> {
    let code = "
import threading
stop = threading.Event(); threads = []
try:
    while True:
        thread = threading.Thread(target=stop.wait); thread.start(); threads.append(thread)
except RuntimeError as e: print(len(threads), e)
stop.set(); [thread.join() for thread in threads]
print(threading.active_count())
";
    let argv = ["/usr/bin/python3", "-c", code];
    let outcome = run_sandbox(&["--max-processes", "64"], &argv, 60)?;
    let expected = "63 can't start new thread\n1\n";
    ensure(
        outcome.1 == 0 && text(&outcome) == expected,
        "not 63 threads",
        &outcome,
    )
}

fn arguments_as_long_as_they_may_be() -> Result<(), Failed> {
    // The longest string; then the most bytes in all, at this stack limit.
    let code = "
import os, errno
def run(argv):
    pid = os.fork()
    if pid == 0:
        try: os.execve(\"/bin/true\", argv, {})
        except OSError as e: os._exit(e.errno)
    return os.waitpid(pid, 0)[1] >> 8
for length in 131070, 131071, 131072, 200000:
    print(length, run([\"true\", \"x\" * length]))
def most(step):
    low, high = 0, 16 << 20
    while high - low > 1:
        middle = (low + high) // 2
        argv = [\"true\"] + [\"x\" * (step - 9)] * (middle // step) + [\"x\" * (middle % step)]
        low, high = (middle, high) if run(argv) == 0 else (low, middle)
    return low
print(most(100000), most(1000))
print(run([\"true\"] + [\"x\" * 100000] * 40))
";
    for limit in ["8192", "1024", "unlimited"] {
        same(
            &format!("ulimit -s {limit} && $R /usr/bin/python3 -c '{code}'"),
            60,
        )?;
    }
    Ok(())
}

fn arguments_of_the_workload() -> Result<(), Failed> {
    for (limit, count) in [("8192", 100_000), ("unlimited", 350_000)] {
        same(
            &format!("ulimit -s {limit}; $R /usr/bin/printf '%s\\n' $(seq {count}) | md5sum"),
            60,
        )?;
    }
    // More than the sandbox's own stack limit lets it start with.
    let outcome = run_script(
        "ulimit -s unlimited; $V run --mem 16M -- /bin/true $(seq 350000)",
        30,
    )?;
    ensure(
        outcome.1 != 0 && outcome.0.stdout.is_empty(),
        "16M hold it all?",
        &outcome,
    )
}
