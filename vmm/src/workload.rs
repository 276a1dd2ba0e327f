//! Gathers what the sandboxed program inherits from the caller: descriptors, credentials, limits, environment.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::FileType;
use rustix::stdio::{stderr, stdin, stdout};
use vitrine_abi::boot::ConsoleFd;

/// Kinds of `ConsoleFd::kind`.
pub mod kind {
    /// Closed.
    pub const CLOSED: u32 = 0;
    /// Terminal.
    pub const TERMINAL: u32 = 1;
    /// Pipe.
    pub const PIPE: u32 = 2;
    /// Regular file.
    pub const FILE: u32 = 3;
    /// Character device.
    pub const DEVICE: u32 = 4;
    /// Socket.
    pub const SOCKET: u32 = 5;
}

/// Which standard descriptors the caller left closed.
static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

/// Runs before Rust's own start-up, which opens /dev/null in place of closed standard descriptors.
#[ctor::ctor(unsafe)]
fn note_closed_descriptors() {
    for (fd, closed) in [stdin(), stdout(), stderr()].into_iter().zip(&CLOSED) {
        closed.store(rustix::io::fcntl_getfd(fd).is_err(), Ordering::Relaxed);
    }
}

/// What the guest is told about the caller's standard descriptors.
pub fn console() -> [ConsoleFd; 3] {
    let fds = [stdin(), stdout(), stderr()];
    let closed = CLOSED.each_ref().map(|fd| fd.load(Ordering::Relaxed));
    [0, 1, 2].map(|index: usize| match closed[index] {
        true => ConsoleFd::default(),
        false => console_fd(fds[index]),
    })
}

/// What the guest is told about one of the caller's standard descriptors.
fn console_fd(fd: BorrowedFd<'_>) -> ConsoleFd {
    let (Ok(stat), Ok(flags)) = (rustix::fs::fstat(fd), rustix::fs::fcntl_getfl(fd)) else {
        return ConsoleFd::default();
    };
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice if rustix::termios::isatty(fd) => kind::TERMINAL,
        FileType::CharacterDevice => kind::DEVICE,
        FileType::Fifo => kind::PIPE,
        FileType::Socket => kind::SOCKET,
        _ => kind::FILE,
    };
    ConsoleFd {
        kind,
        mode: stat.st_mode,
        dev: stat.st_dev,
        ino: stat.st_ino,
        rdev: stat.st_rdev,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        flags: flags.bits(),
        pad: 0,
    }
}

/// The caller's resource limits, by RLIMIT number.
pub fn rlimits() -> [[u64; 2]; 16] {
    use rustix::process::{Resource, getrlimit};
    let mut limits = [[u64::MAX; 2]; 16];
    for (resource, number) in [
        (Resource::Cpu, 0),
        (Resource::Fsize, 1),
        (Resource::Data, 2),
        (Resource::Stack, 3),
        (Resource::Core, 4),
        (Resource::Rss, 5),
        (Resource::Nproc, 6),
        (Resource::Nofile, 7),
        (Resource::Memlock, 8),
        (Resource::As, 9),
        (Resource::Locks, 10),
        (Resource::Sigpending, 11),
        (Resource::Msgqueue, 12),
        (Resource::Nice, 13),
        (Resource::Rtprio, 14),
        (Resource::Rttime, 15),
    ] {
        let limit = getrlimit(resource);
        let slot: &mut [u64; 2] = &mut limits[number];
        *slot = [
            limit.current.unwrap_or(u64::MAX),
            limit.maximum.unwrap_or(u64::MAX),
        ];
    }
    limits
}

/// The caller's umask. It can only be read by setting it, which other threads would see: call before there are any.
pub fn umask() -> u32 {
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o77));
    rustix::process::umask(mask);
    mask.as_raw_mode()
}

/// The caller's supplementary groups.
pub fn groups() -> Vec<u32> {
    rustix::process::getgroups()
        .map(|groups| groups.into_iter().map(|group| group.as_raw()).collect())
        .unwrap_or_default()
}

/// The caller's niceness.
pub fn nice() -> i32 {
    rustix::process::getpriority_process(None).unwrap_or(0)
}

/// Fills `buf` from the host's entropy.
pub fn fill_random(buf: &mut [u8]) -> Result<(), rustix::io::Errno> {
    let mut rest = buf;
    while !rest.is_empty() {
        match rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => rest = &mut rest[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(())
}
