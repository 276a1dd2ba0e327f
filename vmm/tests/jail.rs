//! The jail refuses what it must. Landlock and seccomp confine a thread: each test shuts one in and lets it try.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;

use vitrine_vmm::jail::{Jail, ThreadKind};

fn root(name: &str) -> PathBuf {
    let root = std::env::temp_dir().join(format!("vitrine-jail-{name}-{}", std::process::id()));
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("inside"), b"inside").unwrap();
    root
}

/// Runs `attempt` in a thread confined to `root`, with the vCPU thread's filter or without any.
fn confined(name: &str, filtered: bool, attempt: fn(&Path)) {
    let root = root(name);
    let inner = root.clone();
    let result = std::thread::spawn(move || {
        let jail = Jail::enter(&inner, None).unwrap();
        if filtered {
            jail.confine(ThreadKind::Vcpu).unwrap();
        }
        attempt(&inner);
    })
    .join();
    fs::remove_dir_all(&root).unwrap();
    result.unwrap();
}

fn refused<T: std::fmt::Debug>(result: std::io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn landlock_keeps_files_to_reading_beneath_the_root() {
    confined("landlock", false, |root| {
        assert_eq!(fs::read(root.join("inside")).unwrap(), b"inside");
        refused(fs::read("/etc/passwd"));
        refused(File::create(root.join("inside")));
        refused(File::create(root.join("new")));
        refused(File::create("/tmp/vitrine-jail-outside"));
        refused(fs::remove_file(root.join("inside")));
        refused(Command::new("/bin/true").status());
        refused(TcpListener::bind("127.0.0.1:0"));
    });
}

#[test]
fn seccomp_refuses_programs_sockets_and_writing() {
    confined("seccomp", true, |root| {
        assert_eq!(fs::read(root.join("inside")).unwrap(), b"inside");
        refused(fs::read("/etc/passwd"));
        refused(File::create(root.join("new")));
        refused(fs::create_dir(root.join("new")));
        refused(Command::new("/bin/true").status());
        refused(UdpSocket::bind("127.0.0.1:0"));
        refused(fs::hard_link(root.join("inside"), root.join("link")));
    });
}
