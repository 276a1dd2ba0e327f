//! Privileged mode on any machine: Debian's kernel with its real kvm_amd, on software-emulated AMD SVM, runs the end-to-end tests.

use crate::{
    image::Image,
    machine,
    run::{check, command, output, root, target},
    setup,
    test::{self, BuiltTest},
};
use anyhow::{Context, Result};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

/// Longest that the whole nested run may take.
const LIMIT: Duration = Duration::from_secs(2400);

/// Debian packages whose programs the end-to-end tests run.
const PACKAGES: &[&str] = &[
    "bsdutils",
    "coreutils",
    "findutils",
    "grep",
    "hostname",
    "less",
    "mawk",
    "mount",
    "procps",
    "sed",
    "sqlite3",
    "strace",
    "tar",
];

/// More programs that they run.
const PROGRAMS: &[&str] = &[
    "/usr/bin/dash",
    "/bin/bash",
    "/usr/bin/awk",
    "/usr/bin/fallocate",
    "/usr/bin/ldd",
    "/usr/bin/python3.11",
    "/usr/bin/setpriv",
    "/usr/bin/setsid",
    "/usr/bin/unshare",
    "/usr/bin/vi",
];

/// Files that they or these programs read.
const DATA: &[&str] = &["/etc/apt", "/lib/terminfo", "/usr/lib/python3.11"];

const INIT: &str = "#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /dev/shm /dev/pts
/bin/busybox mount -t devpts devpts /dev/pts
/bin/busybox ln -s /proc/self/fd /dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do /bin/busybox ln -s /proc/self/fd/${stream%:*} /dev/${stream#*:}; done
# The test programs lie where they were built, which may be below /tmp.
/bin/busybox mv /tmp /image-tmp
/bin/busybox mkdir /tmp
/bin/busybox mount -t tmpfs tmpfs /tmp
for entry in /image-tmp/*; do [ -e \"$entry\" ] && /bin/busybox ln -s \"$entry\" /tmp/; done
for module in irqbypass kvm kvm-amd; do /bin/busybox insmod /modules/$module.ko; done
export PATH=/usr/bin:/bin:/sbin HOME=/root VITRINE=/bin/vitrine VITRINE_TESTS_NESTED=1 TERM=dumb
while sleep 5; do echo NESTED-ALIVE; done &
/bin/busybox sh /watchdog LIMIT &
/bin/busybox sh /run-tests
echo \"NESTED-EXIT $?\"
/bin/busybox poweroff -f
";

/// Tells what hangs, shortly before the machine is ended for having taken too long.
const WATCHDOG: &str = "sleep \"$1\"
echo 'NESTED: not done; what runs, and where it waits:'
/bin/busybox ps -o pid,ppid,stat,time,args | /bin/busybox grep -v '\\[.*\\]$'
for task in /proc/[0-9]*/task/[0-9]*; do
  [ -s $task/cmdline ] || continue
  echo \"$task: $(cat $task/comm) $(cat $task/wchan) $(cat $task/syscall)\"
  /bin/busybox grep -E 'State|SigQ|SigPnd|ShdPnd' $task/status
  /bin/busybox cat $task/stack
done 2>/dev/null
echo l > /proc/sysrq-trigger
";

/// Boots the nested machine and runs the tests in it. `--repeat N` runs them so often; the other `args` go to the test binaries.
pub fn run(args: &[String]) -> Result<()> {
    setup::run(&[])?;
    let vitrine = test::build()?;
    let names = [
        "oracle",
        "fuzz",
        "rules",
        "presets",
        "stops",
        "control",
        "behaviour",
        "trace",
        "strace",
    ];
    let tests = names
        .iter()
        .map(|name| Ok((*name, test::build_test(name)?)))
        .collect::<Result<Vec<_>>>()?;
    let (repeat, args) = match args {
        [option, times, rest @ ..] if option == "--repeat" => (
            times
                .parse()
                .with_context(|| format!("--repeat {times}: not a number"))?,
            rest,
        ),
        _ => (1, args),
    };
    let quoted: Vec<String> = args
        .iter()
        .map(|arg| format!("'{}'", arg.replace('\'', "'\\''")))
        .collect();
    let quoted = quoted.join(" ");
    let mut script = format!("status=0\nfor i in $(seq {repeat}); do\n");
    for (name, _) in &tests {
        script += &format!("/bin/test-{name} {quoted} || status=1\n");
    }
    script += "done\nexit $status\n";
    boot(&vitrine, &tests, &script)
}

fn boot(vitrine: &Path, tests: &[(&str, BuiltTest)], script: &str) -> Result<()> {
    let work = target().join("nested");
    fs::create_dir_all(&work)?;
    let (kernel, modules) = linux(&work)?;
    let mut image = Image::new(work.join("root"))?;
    image.file(Path::new("/bin/busybox"), "/bin/busybox")?;
    image.program(vitrine, "/bin/vitrine")?;
    let mut programs = BTreeSet::new();
    for (name, test) in tests {
        image.program(&test.binary, &format!("/bin/test-{name}"))?;
        if programs.insert(&test.programs) {
            image.tree(&test.programs)?;
        }
    }
    let packaged = packaged()?;
    for program in PROGRAMS.iter().copied().chain(packaged.lines()) {
        let real = fs::canonicalize(program).with_context(|| format!("looking for {program}"))?;
        image.program(&real, program)?;
    }
    image.link("dash", "/usr/bin/sh")?;
    image.link("python3.11", "/usr/bin/python3")?;
    for module in find(Path::new("/usr/lib/python3.11/lib-dynload"), &|_| true)? {
        image.libraries_of(&module)?;
    }
    for data in DATA {
        image.tree(Path::new(data))?;
    }
    image.tree(&root().join("tests/cases"))?;
    let patience = (LIMIT - Duration::from_secs(90)).as_secs().to_string();
    image.script("/init", &INIT.replace("LIMIT", &patience))?;
    image.script("/watchdog", WATCHDOG)?;
    image.script("/run-tests", script)?;
    for accounts in ["/etc/passwd", "/etc/group"] {
        image.file(Path::new(accounts), accounts)?;
    }
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
    machine::run(&kernel, &initramfs, LIMIT)
}

/// The programs of [`PACKAGES`], one a line.
fn packaged() -> Result<String> {
    let files = output(&mut command("dpkg", &[&["-L"], PACKAGES].concat()))?;
    Ok(files
        .lines()
        .filter(|file| file.contains("bin/") && Path::new(file).is_file())
        .fold(String::new(), |list, file| list + file + "\n"))
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
