//! Privileged mode on any machine: Debian's kernel with its real kvm_amd, on software-emulated AMD SVM, runs the end-to-end tests.

use crate::{
    image::Image,
    run::{check, command, output, root, target},
    setup, test,
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

/// Longest that the whole nested run may take.
const LIMIT: Duration = Duration::from_secs(900);

/// Programs that the end-to-end tests run, beside busybox.
const PROGRAMS: &[&str] = &[
    "/bin/true",
    "/bin/false",
    "/bin/ls",
    "/bin/cat",
    "/bin/sh",
    "/bin/bash",
    "/usr/bin/python3.11",
    "/usr/bin/find",
    "/usr/bin/sort",
    "/usr/bin/head",
    "/usr/bin/tr",
    "/usr/bin/wc",
    "/usr/bin/seq",
    "/usr/bin/env",
    "/bin/dd",
    "/usr/bin/sha256sum",
    "/bin/sleep",
    "/usr/bin/sqlite3",
    "/bin/echo",
    "/usr/bin/id",
    "/bin/pwd",
    "/usr/bin/stat",
    "/bin/uname",
    "/bin/mkdir",
    "/bin/rm",
    "/bin/mv",
    "/bin/cp",
    "/bin/ln",
    "/usr/bin/touch",
    "/bin/chmod",
    "/bin/date",
    "/bin/stty",
    "/usr/bin/tty",
    "/usr/bin/tail",
    "/usr/bin/timeout",
    "/usr/bin/setpriv",
    "/usr/bin/yes",
    "/usr/bin/truncate",
    "/bin/kill",
    "/bin/ps",
    "/usr/bin/script",
];

const INIT: &str = "#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /dev/shm /dev/pts
/bin/busybox mount -t devpts devpts /dev/pts
# The test programs lie where they were built, which may be below /tmp.
/bin/busybox mv /tmp /image-tmp
/bin/busybox mkdir /tmp
/bin/busybox mount -t tmpfs tmpfs /tmp
for entry in /image-tmp/*; do [ -e \"$entry\" ] && /bin/busybox ln -s \"$entry\" /tmp/; done
for module in irqbypass kvm kvm-amd; do /bin/busybox insmod /modules/$module.ko; done
export PATH=/usr/bin:/bin:/sbin HOME=/root VITRINE=/bin/vitrine VITRINE_TESTS_NESTED=1 TERM=dumb
/bin/busybox sh /run-tests
echo \"NESTED-EXIT $?\"
/bin/busybox poweroff -f
";

/// Boots the nested machine and runs the tests in it; `args` go to the test binary.
pub fn run(args: &[String]) -> Result<()> {
    setup::run(&[])?;
    let vitrine = test::build()?;
    let names = ["oracle", "fuzz", "rules", "stops"];
    let tests = names
        .iter()
        .map(|name| Ok((*name, test::build_test(name)?)))
        .collect::<Result<Vec<_>>>()?;
    let quoted: Vec<String> = args
        .iter()
        .map(|arg| format!("'{}'", arg.replace('\'', "'\\''")))
        .collect();
    let quoted = quoted.join(" ");
    let mut script = String::from("status=0\n");
    for (name, _) in &tests {
        script += &format!("/bin/test-{name} {quoted} || status=1\n");
    }
    script += "exit $status\n";
    boot(&vitrine, &tests, &script)
}

fn boot(vitrine: &Path, tests: &[(&str, PathBuf)], script: &str) -> Result<()> {
    let work = target().join("nested");
    fs::create_dir_all(&work)?;
    let (kernel, modules) = linux(&work)?;
    let mut image = Image::new(work.join("root"))?;
    image.file(Path::new("/bin/busybox"), "/bin/busybox")?;
    image.program(vitrine, "/bin/vitrine")?;
    for (name, path) in tests {
        image.program(path, &format!("/bin/test-{name}"))?;
    }
    for program in PROGRAMS {
        let real = fs::canonicalize(program).with_context(|| format!("looking for {program}"))?;
        image.program(&real, program)?;
    }
    image.link("python3.11", "/usr/bin/python3")?;
    image.tree(Path::new("/usr/lib/python3.11"))?;
    image.tree(&root().join("tests/cases"))?;
    for programs in test_programs()? {
        image.tree(&programs)?;
    }
    image.script("/init", INIT)?;
    image.script("/run-tests", script)?;
    image.script("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")?;
    image.script("/etc/group", "root:x:0:\n")?;
    image.script("/etc/hostname", "nested\n")?;
    for module in modules {
        image.file(
            &module,
            &format!(
                "/modules/{}",
                module.file_name().unwrap_or_default().to_string_lossy()
            ),
        )?;
    }
    let initramfs = work.join("initramfs");
    image.pack(&initramfs)?;
    qemu(&kernel, &initramfs)
}

/// Where the tests' build script has put the compiled guest programs: named by the marker file that it writes.
fn test_programs() -> Result<Vec<PathBuf>> {
    let marker = target().join("test-programs");
    if !marker.exists() {
        return Ok(Vec::new());
    }
    Ok(fs::read_to_string(marker)?
        .lines()
        .map(PathBuf::from)
        .collect())
}

/// Debian's cloud kernel and the KVM modules, downloaded once.
fn linux(work: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
    let unpacked = work.join("linux");
    if !unpacked.join("boot").exists() {
        let depends = output(&mut command(
            "apt-cache",
            &["depends", "linux-image-cloud-amd64"],
        ));
        let package = |text: &str| {
            text.lines()
                .find_map(|line| line.trim().strip_prefix("Depends: ").map(String::from))
        };
        let package = match depends.ok().as_deref().and_then(package) {
            Some(package) => package,
            None => {
                check(command("apt-get", &["update", "-q"]).stdout(Stdio::null()))?;
                let depends = output(&mut command(
                    "apt-cache",
                    &["depends", "linux-image-cloud-amd64"],
                ))?;
                package(&depends).context("apt-cache names no linux-image-cloud-amd64")?
            }
        };
        eprintln!("xtask: downloading {package}");
        let download = |()| {
            check(
                command("apt-get", &["download", "-q", &package])
                    .current_dir(work)
                    .stdout(Stdio::null()),
            )
        };
        if download(()).is_err() {
            check(command("apt-get", &["update", "-q"]).stdout(Stdio::null()))?;
            download(())?;
        }
        let deb = find(work, &|name| {
            name.starts_with(&package) && name.ends_with(".deb")
        })?;
        let deb = deb.first().context("apt-get downloaded no package")?;
        check(command("dpkg-deb", &["-x"]).arg(deb).arg(&unpacked))?;
        fs::remove_file(deb)?;
    }
    let kernel = find(&unpacked.join("boot"), &|name| name.starts_with("vmlinuz-"))?;
    let mut modules = Vec::new();
    for name in ["irqbypass.ko", "kvm.ko", "kvm-amd.ko"] {
        modules.extend(find(&unpacked, &|file| file == name)?);
    }
    Ok((
        kernel
            .into_iter()
            .next()
            .context("the package has no kernel")?,
        modules,
    ))
}

fn find(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(find(&entry.path(), wanted)?);
        } else if wanted(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Runs the machine to its end, with its console on our output; an error unless the tests ended with 0.
fn qemu(kernel: &Path, initramfs: &Path) -> Result<()> {
    let limit = LIMIT.as_secs().to_string();
    let mut child = command(
        "timeout",
        &[
            &limit,
            "qemu-system-x86_64",
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max,+svm",
            "-smp",
            "2",
            "-m",
            "3072",
        ],
    )
    .args([
        "-nographic",
        "-no-reboot",
        "-append",
        "console=ttyS0 quiet panic=-1",
    ])
    .arg("-kernel")
    .arg(kernel)
    .arg("-initrd")
    .arg(initramfs)
    .stdin(Stdio::null())
    .stdout(Stdio::piped())
    .spawn()
    .context("starting qemu-system-x86_64")?;
    let mut status = None;
    for line in BufReader::new(child.stdout.take().context("qemu has no output")?).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches('\r');
        if let Some(value) = line.strip_prefix("NESTED-EXIT ") {
            status = Some(value.to_owned());
        } else {
            println!("nested| {line}");
        }
    }
    child.wait()?;
    match status.as_deref() {
        Some("0") => Ok(()),
        Some(other) => bail!("the tests in the nested machine ended with status {other}"),
        None => bail!("the nested machine stopped before the tests ended (limit {limit} s)"),
    }
}
