//! Programs that can't be run: missing, no program at all, broken, foreign.

use crate::{Check, ensure, one_line};
use libtest_mimic::Failed;
use std::path::Path;
use vitrine_tests::{run_sandbox, same, scratch::Scratch};

pub const CHECKS: &[(&str, Check)] = &[
    ("missing", missing),
    ("not_executable", not_executable),
    ("no_interpreter_line", no_interpreter_line),
    ("missing_interpreters", missing_interpreters),
    ("no_command", no_command),
    ("broken_elf", broken_elf),
    ("broken_elf_as_workload", broken_elf_as_workload),
    ("empty_argv", empty_argv),
];

fn missing() -> Result<(), Failed> {
    for name in ["/no/such/program", "no-such-program", "./no-such-program"] {
        one_line(&run_sandbox(&[], &[name], 20)?, 127, name)?;
    }
    one_line(&run_sandbox(&[], &[""], 20)?, 127, "empty")
}

fn not_executable() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    let plain = folder.file("plain", "echo hi\n", 0o644)?;
    one_line(
        &run_sandbox(&[], &[&name(&plain)], 20)?,
        126,
        "execute permission",
    )?;
    one_line(&run_sandbox(&[], &["/etc"], 20)?, 126, "directory")?;
    let beneath = format!("{}/x", plain.display());
    one_line(&run_sandbox(&[], &[&beneath], 20)?, 126, "not a directory")
}

fn no_interpreter_line() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    let text = folder.file("text", "echo hi $0\n", 0o755)?;
    one_line(
        &run_sandbox(&[], &[&name(&text)], 20)?,
        126,
        "Exec format error",
    )?;
    let empty = folder.file("empty", "", 0o755)?;
    one_line(
        &run_sandbox(&[], &[&name(&empty)], 20)?,
        126,
        "Exec format error",
    )?;
    // Shells and execvp run it with a shell, here as there.
    for runner in ["bash -c", "sh -c", "env", "nohup"] {
        same(&format!("$R {runner} {} 2>&1", name(&text)), 20)?;
    }
    Ok(())
}

fn missing_interpreters() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    let script = folder.file("script", "#!/no/such/interpreter\n", 0o755)?;
    one_line(
        &run_sandbox(&[], &[&name(&script)], 20)?,
        127,
        "No such file",
    )?;
    same(&format!("$R bash -c {}; echo $?", name(&script)), 20)?;
    let mut elf = std::fs::read("/bin/true")?;
    replace(
        &mut elf,
        b"/lib64/ld-linux-x86-64.so.2",
        b"/lib64/no-linker-here.so.9!",
    );
    let elf = folder.file("elf", elf, 0o755)?;
    one_line(&run_sandbox(&[], &[&name(&elf)], 20)?, 127, "No such file")?;
    same(&format!("$R bash -c {}; echo $?", name(&elf)), 20)?;
    Ok(())
}

fn no_command() -> Result<(), Failed> {
    for options in [&[][..], &["--mem", "64M"], &["--"]] {
        let mut argv = vec!["run"];
        argv.extend(options);
        let script = format!("$V {}", argv.join(" "));
        let outcome = vitrine_tests::run_script(&script, 20)?;
        ensure(outcome.1 == 2, "status is not 2", &outcome)?;
        let usage = String::from_utf8_lossy(&outcome.0.stderr).contains("<CMD>");
        ensure(usage, "no word about CMD", &outcome)?;
    }
    Ok(())
}

/// Tries to run each file of the folder, and prints what execve(2) or the program's end says.
const TRY_ALL: &str = r#"
import os, sys, errno
for name in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], name)
    pid = os.fork()
    if pid == 0:
        try: os.execv(path, [path])
        except OSError as e: print(name, errno.errorcode[e.errno], flush=True)
        os._exit(99)
    _, status = os.waitpid(pid, 0)
    print(name, status, flush=True)
"#;

fn broken_elf() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    broken_elves(&folder)?;
    let launcher = folder.path().with_extension("py");
    std::fs::write(&launcher, TRY_ALL)?;
    let script = format!(
        "ulimit -c 0; $R /usr/bin/python3 {} {}",
        launcher.display(),
        folder.path().display()
    );
    let result = same(&script, 60);
    std::fs::remove_file(&launcher)?;
    Ok(result?)
}

fn broken_elf_as_workload() -> Result<(), Failed> {
    let folder = Scratch::new()?;
    broken_elves(&folder)?;
    for entry in std::fs::read_dir(folder.path())? {
        let path = entry?.path();
        let outcome = run_sandbox(&[], &[&name(&path)], 20)?;
        let stderr = String::from_utf8_lossy(&outcome.0.stderr);
        // Refused in one line; or loaded, and it died of what it is.
        let ours = stderr.starts_with("vitrine: ");
        let clear = stderr.lines().count() == 1 && stderr.starts_with("vitrine: cannot run");
        let fine = match ours {
            true => clear && [126, 127].contains(&outcome.1),
            false => outcome.1 != 126,
        };
        ensure(
            fine,
            &format!("{} is not refused in one line", path.display()),
            &outcome,
        )?;
    }
    Ok(())
}

/// `/bin/true`, spoilt in many ways.
fn broken_elves(folder: &Scratch) -> Result<(), Failed> {
    let good = std::fs::read("/bin/true")?;
    folder.file("good", &good, 0o755)?;
    for length in [4, 5, 16, 40, 63, 64, 100, 500, 4096, 8192] {
        folder.file(&format!("cut-at-{length}"), &good[..length], 0o755)?;
    }
    let headers = read(&good, 32, 8) as usize;
    let count = read(&good, 56, 2) as usize;
    let segment = |kind: u64, number: usize| {
        (0..count)
            .map(|index| headers + index * 56)
            .filter(|&at| read(&good, at, 4) == kind)
            .nth(number)
            .unwrap_or(headers)
    };
    let (load, second, data, interp) = (segment(1, 0), segment(1, 1), segment(1, 3), segment(3, 0));
    let changes: &[(&str, usize, &[u8])] = &[
        ("class-32", 4, &[1]),
        ("class-9", 4, &[9]),
        ("big-endian", 5, &[2]),
        ("version-9", 6, &[9]),
        ("kind-relocatable", 16, &[1, 0]),
        ("kind-core", 16, &[4, 0]),
        ("machine-arm64", 18, &[183, 0]),
        ("machine-386", 18, &[3, 0]),
        ("entry-0", 24, &[0; 8]),
        ("entry-high", 24, &[0xff; 8]),
        ("entry-kernel", 24, &0xffff_ffff_8010_0000u64.to_le_bytes()),
        ("headers-far", 32, &[0xff; 8]),
        ("headers-behind-the-end", 32, &0x10_0000u64.to_le_bytes()),
        ("headers-at-0", 32, &[0; 8]),
        ("header-size-0", 54, &[0, 0]),
        ("header-size-32", 54, &[32, 0]),
        ("no-headers", 56, &[0, 0]),
        ("headers-65535", 56, &[0xff, 0xff]),
        ("load-flags-0", load + 4, &[0; 4]),
        ("code-not-executable", second + 4, &[4, 0, 0, 0]),
        ("load-offset-odd", load + 8, &[1]),
        (
            "load-offset-behind-the-end",
            second + 8,
            &0x1000_0000u64.to_le_bytes(),
        ),
        (
            "load-address-kernel",
            second + 16,
            &0xffff_ffff_8010_0000u64.to_le_bytes(),
        ),
        (
            "load-address-edge",
            second + 16,
            &0x7fff_ffff_f000u64.to_le_bytes(),
        ),
        (
            "load-address-wraps",
            second + 16,
            &0xffff_ffff_ffff_f000u64.to_le_bytes(),
        ),
        ("load-overlaps", second + 16, &[0; 8]),
        (
            "file-size-over-memory-size",
            second + 32,
            &0x10_0000u64.to_le_bytes(),
        ),
        ("file-size-huge", second + 32, &[0xff; 8]),
        (
            "memory-size-huge",
            data + 40,
            &0x7000_0000_0000u64.to_le_bytes(),
        ),
        ("memory-size-max", data + 40, &[0xff; 8]),
        ("memory-size-0", load + 40, &[0; 8]),
        ("align-3", load + 48, &3u64.to_le_bytes()),
        ("align-huge", load + 48, &0x4000_0000_0000u64.to_le_bytes()),
        ("interpreter-far", interp + 8, &0x10_0000u64.to_le_bytes()),
        ("interpreter-size-0", interp + 32, &[0; 8]),
        ("interpreter-size-1", interp + 32, &1u64.to_le_bytes()),
        (
            "interpreter-size-huge",
            interp + 32,
            &0x1_0000u64.to_le_bytes(),
        ),
        ("interpreter-not-ended", interp + 32, &8u64.to_le_bytes()),
    ];
    for (name, at, bytes) in changes {
        let mut spoilt = good.clone();
        spoilt[*at..at + bytes.len()].copy_from_slice(bytes);
        folder.file(name, spoilt, 0o755)?;
    }
    let mut itself = good.clone();
    let place = folder.path().join("self").display().to_string();
    let path = b"/lib64/ld-linux-x86-64.so.2";
    replace(
        &mut itself,
        path,
        b"/etc/passwd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    );
    folder.file("interpreter-is-text", &itself, 0o755)?;
    let mut itself = good.clone();
    replace(
        &mut itself,
        path,
        b"/etc\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    );
    folder.file("interpreter-is-directory", &itself, 0o755)?;
    folder.file("script-of-itself", format!("#!{place}\n"), 0o755)?;
    folder.file("script-without-name", "#!\n", 0o755)?;
    folder.file("script-cut", format!("#!{}", "/".repeat(300)), 0o755)?;
    Ok(())
}

fn empty_argv() -> Result<(), Failed> {
    let code = r#"
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
none = (ctypes.c_char_p * 1)(None)
libc.execve(b"/bin/sh", none, none)
print("errno", ctypes.get_errno())
"#;
    same(
        &format!("$R /usr/bin/python3 -c '{code}' <<< 'echo \"name <$0>, $# arguments\"'"),
        20,
    )?;
    let code = code.replace("/bin/sh", "/bin/echo");
    Ok(same(&format!("$R /usr/bin/python3 -c '{code}'"), 20)?)
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn read(bytes: &[u8], at: usize, size: usize) -> u64 {
    let mut word = [0; 8];
    word[..size].copy_from_slice(&bytes[at..at + size]);
    u64::from_le_bytes(word)
}

fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    let at = bytes.windows(old.len()).position(|window| window == old);
    if let Some(at) = at {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
}
