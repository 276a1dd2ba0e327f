//! The VMM against tiny guests written in assembly (`tests/guest/*.S`): each behaves like the guest kernel in one respect.
//!
//! They need /dev/kvm and the C compiler that links Rust programs.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Builds a guest.
fn guest(name: &str) -> PathBuf {
    assert!(
        Path::new("/dev/kvm").exists(),
        "these tests need /dev/kvm: see `vitrine doctor`"
    );
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest");
    let image = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guest-{name}"));
    // Tests run at the same time: each links a file of its own and puts it in place whole.
    let scratch = image.with_extension(format!("{:?}", std::thread::current().id()));
    let status = Command::new("cc")
        .current_dir(&sources)
        .args(["-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"])
        .arg("-Wl,-Ttext-segment=0xffffffff80100000")
        .arg("-o")
        .arg(&scratch)
        .arg(format!("{name}.S"))
        .status()
        .expect("running cc");
    assert!(status.success(), "building {name}.S");
    std::fs::rename(&scratch, &image).unwrap();
    image
}

fn vitrine(guest_name: &str, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command
        .args(["run", "--kernel"])
        .arg(guest(guest_name))
        .args(options)
        .args(["--", "/bin/true"]);
    command
}

fn output(guest_name: &str, options: &[&str]) -> Output {
    vitrine(guest_name, options)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether the sandbox runs in ring 3 here.
fn deprivileged() -> bool {
    let output = output("hello", &["--verbose"]);
    stderr(&output).contains("guest mode deprivileged")
}

#[test]
fn output_log_and_exit_status() {
    let output = output("hello", &[]);
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert_eq!(output.stdout, b"out\n");
    let stderr = stderr(&output);
    assert!(stderr.contains("err\n"), "{stderr}");
    assert!(stderr.contains("vitrine: log \\u{1b}[2Jend\n"), "{stderr}");
}

#[test]
fn timers_interrupt_a_running_guest_and_wake_an_idle_one() {
    let output = output("timer", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_programs_port_access_faults() {
    if !deprivileged() {
        // In ring 0 mode the processor itself refuses; the VMM never sees it.
        return;
    }
    let output = output("port", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_dead_guest_is_one_line_with_registers() {
    let output = output("bad", &[]);
    assert_eq!(output.status.code(), Some(125));
    let stderr = stderr(&output);
    assert!(
        stderr.starts_with("vitrine: running the guest: "),
        "{stderr}"
    );
    assert!(stderr.contains("rip 0xffffffff8010"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn a_panic_shows_its_text() {
    let output = output("panic", &[]);
    assert_eq!(output.status.code(), Some(125));
    let stderr = stderr(&output);
    assert!(stderr.contains("its kernel panicked: kick;"), "{stderr}");
}

fn start_cat() -> Child {
    vitrine("cat", &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn input_is_passed_on_as_it_comes_and_ends() {
    let mut child = start_cat();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    for round in 0..20u8 {
        let sent = vec![round; 1 + usize::from(round) * 997];
        stdin.write_all(&sent).unwrap();
        let mut got = vec![0; sent.len()];
        stdout.read_exact(&mut got).unwrap();
        assert_eq!(got, sent);
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn much_data_goes_through_the_bounded_queue() {
    let mut child = start_cat();
    let mut stdin = child.stdin.take().unwrap();
    let sent: Vec<u8> = (0..4_000_000u32).map(|index| (index / 7) as u8).collect();
    let copy = sent.clone();
    let feeder = std::thread::spawn(move || stdin.write_all(&copy));
    std::thread::sleep(Duration::from_millis(50));
    let mut got = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut got).unwrap();
    feeder.join().unwrap().unwrap();
    assert!(got == sent);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn regular_files_are_read_and_written_in_place() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (input, output) = (folder.join("cat-input"), folder.join("cat-output"));
    let sent: Vec<u8> = (0..300_000u32).map(|index| (index / 3) as u8).collect();
    std::fs::write(&input, &sent).unwrap();
    let status = vitrine("cat", &[])
        .stdin(std::fs::File::open(&input).unwrap())
        .stdout(std::fs::File::create(&output).unwrap())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(std::fs::read(&output).unwrap() == sent);
}

#[test]
fn a_reader_that_leaves_is_a_broken_pipe() {
    let mut child = start_cat();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    // The first bytes find out that nobody reads, later ones are told.
    while child.try_wait().unwrap().is_none() {
        let _ = stdin.write_all(b"x");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(child.wait().unwrap().code(), Some(128 + 13));
}

#[test]
fn an_idle_guest_uses_no_processor_and_ends_on_a_signal() {
    let mut child = start_cat();
    std::thread::sleep(Duration::from_millis(100));
    let before = processor_ticks(child.id());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(processor_ticks(child.id()), before);
    kill(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
}

#[test]
fn a_hung_guest_is_killed_by_the_second_request() {
    let image = guest("hang");
    let mut child = Command::new(env!("CARGO_BIN_EXE_vitrine"))
        .args(["run", "--kernel"])
        .arg(image)
        .args(["--", "/bin/true"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    kill(&child, "INT");
    std::thread::sleep(Duration::from_millis(100));
    assert!(child.try_wait().unwrap().is_none());
    kill(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(128 + 2));
    assert!(start.elapsed() < Duration::from_secs(1));
}

fn kill(child: &Child, signal: &str) {
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("kill -{signal} {}", child.id()))
        .status()
        .unwrap();
    assert!(status.success());
}

/// User and system time of a process, in clock ticks.
fn processor_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split(' ').collect();
    fields[12].parse::<u64>().unwrap() + fields[13].parse::<u64>().unwrap()
}
