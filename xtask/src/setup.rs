//! The Debian packages that the tests use.

use crate::run::{check, command};
use anyhow::{Result, bail};
use std::{path::Path, process::Stdio};

/// Program that shows that a package is there, and the package.
const PACKAGES: &[(&str, &str)] = &[
    ("/usr/bin/qemu-system-x86_64", "qemu-system-x86"),
    ("/bin/busybox", "busybox-static"),
    ("/usr/bin/cpio", "cpio"),
    ("/usr/bin/strace", "strace"),
    ("/usr/bin/gcc", "gcc"),
    ("/usr/bin/make", "make"),
    ("/usr/bin/python3", "python3"),
    ("/usr/bin/sqlite3", "sqlite3"),
    ("/usr/bin/git", "git"),
    ("/usr/bin/script", "bsdutils"),
    ("/usr/bin/less", "less"),
    ("/usr/bin/pgrep", "procps"),
    ("/usr/bin/vi", "vim-tiny"),
];

/// Installs what is missing, as root; else says what to install.
pub fn run(_args: &[String]) -> Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(program, _)| !present(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let root = command("id", &["-u"])
        .output()
        .is_ok_and(|output| output.stdout == b"0\n");
    if !root {
        bail!(
            "missing Debian packages; install them with: sudo apt-get install {}",
            missing.join(" ")
        );
    }
    eprintln!("xtask: installing {}", missing.join(" "));
    check(command("apt-get", &["update", "-q"]).stdout(Stdio::null()))?;
    let mut install = command(
        "apt-get",
        &["install", "-y", "-q", "--no-install-recommends"],
    );
    check(
        install
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null()),
    )
}

/// Whether the program is there, at that place or (for one that a machine may have elsewhere) in PATH.
fn present(program: &str) -> bool {
    let name = Path::new(program).file_name().unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    Path::new(program).exists()
        || (program.contains("git")
            && std::env::split_paths(&path).any(|dir| dir.join(name).exists()))
}
