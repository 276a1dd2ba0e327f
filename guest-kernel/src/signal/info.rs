//! [`SigInfo`]: who sent a signal and why, and its form in user memory (`siginfo_t`, sigaction(2)).

use super::numbers::*;

/// `si_code`: sent by kill(2).
pub const SI_USER: i32 = 0;
/// `si_code`: sent by the kernel.
pub const SI_KERNEL: i32 = 0x80;
/// `si_code`: a POSIX timer expired.
pub const SI_TIMER: i32 = -2;
/// `si_code`: queued SIGIO.
pub const SI_SIGIO: i32 = -5;
/// `si_code` of SIGIO: the connection ended; the last of its codes.
pub const POLL_HUP: i32 = 6;
/// `si_code`: sent by tkill(2) or tgkill(2).
pub const SI_TKILL: i32 = -6;
/// `si_code` of SIGCHLD: the child stopped.
pub const CLD_STOPPED: i32 = 5;
/// `si_code` of SIGCHLD: the child continued.
pub const CLD_CONTINUED: i32 = 6;
/// `si_code` of SIGSEGV: nothing is mapped there.
pub const SEGV_MAPERR: i32 = 1;
/// `si_code` of SIGSEGV: the mapping forbids it.
pub const SEGV_ACCERR: i32 = 2;
/// Who sent a signal and why: `siginfo_t` in the kernel's own form. Which fields count depends on `signo` and `code`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SigInfo {
    /// Signal number, 1…64.
    pub signo: u32,
    /// `si_code`: `SI_USER`, `SI_KERNEL`, `SEGV_MAPERR`, `CLD_EXITED`, …
    pub code: i32,
    /// `si_errno`.
    pub errno: i32,
    /// Sender's pid (or child's); the timer's id for `SI_TIMER`.
    pub pid: i32,
    /// Sender's real uid; the overrun count for `SI_TIMER`; the architecture for SIGSYS.
    pub uid: u32,
    /// Fault address, for hardware faults; the call's address for SIGSYS.
    pub addr: u64,
    /// Exit status, for SIGCHLD; the descriptor for SIGIO; the call's number for SIGSYS.
    pub status: i32,
    /// `si_value`, for queued signals and timers; `si_band` for SIGIO.
    pub value: u64,
    /// The child's user time in clock ticks, for SIGCHLD.
    pub utime: u64,
    /// The child's system time in clock ticks, for SIGCHLD.
    pub stime: u64,
}

/// Bytes of a `siginfo_t`.
pub const SIGINFO_SIZE: usize = 128;

/// Which member of the union in `siginfo_t` is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Kill,
    Timer,
    Queue,
    Child,
    Fault,
    Poll,
    Sys,
}

impl SigInfo {
    /// A signal from the kernel itself (`SI_KERNEL`).
    pub fn kernel(signo: u32) -> SigInfo {
        SigInfo {
            signo,
            code: SI_KERNEL,
            ..SigInfo::default()
        }
    }

    /// A signal from the current process, as kill(2) sends it (`SI_USER`).
    pub fn user(signo: u32) -> SigInfo {
        let task = crate::sched::current();
        SigInfo {
            signo,
            code: SI_USER,
            pid: task.process.pid,
            uid: task.credentials().uid,
            ..SigInfo::default()
        }
    }

    fn layout(&self) -> Layout {
        if self.code > SI_USER && self.code < SI_KERNEL {
            match self.signo {
                SIGILL | SIGFPE | SIGSEGV | SIGBUS | SIGTRAP => Layout::Fault,
                SIGCHLD => Layout::Child,
                SIGIO => Layout::Poll,
                SIGSYS => Layout::Sys,
                // What F_SETSIG chose, with what became possible.
                _ if self.code <= POLL_HUP => Layout::Poll,
                _ => Layout::Kill,
            }
        } else {
            match self.code {
                SI_TIMER => Layout::Timer,
                SI_SIGIO => Layout::Poll,
                code if code < 0 => Layout::Queue,
                _ => Layout::Kill,
            }
        }
    }

    /// The `siginfo_t` that a program sees.
    pub fn encode(&self) -> [u8; SIGINFO_SIZE] {
        let mut out = Writer([0; SIGINFO_SIZE]);
        out.put(0, &self.signo.to_le_bytes());
        out.put(4, &self.errno.to_le_bytes());
        out.put(8, &self.code.to_le_bytes());
        match self.layout() {
            Layout::Kill => {
                out.put(16, &self.pid.to_le_bytes());
                out.put(20, &self.uid.to_le_bytes());
            }
            Layout::Timer | Layout::Queue => {
                out.put(16, &self.pid.to_le_bytes());
                out.put(20, &self.uid.to_le_bytes());
                out.put(24, &self.value.to_le_bytes());
            }
            Layout::Child => {
                out.put(16, &self.pid.to_le_bytes());
                out.put(20, &self.uid.to_le_bytes());
                out.put(24, &self.status.to_le_bytes());
                out.put(32, &self.utime.to_le_bytes());
                out.put(40, &self.stime.to_le_bytes());
            }
            Layout::Fault => out.put(16, &self.addr.to_le_bytes()),
            Layout::Poll => {
                out.put(16, &self.value.to_le_bytes());
                out.put(24, &self.status.to_le_bytes());
            }
            Layout::Sys => {
                out.put(16, &self.addr.to_le_bytes());
                out.put(24, &self.status.to_le_bytes());
                out.put(28, &self.uid.to_le_bytes());
            }
        }
        out.0
    }

    /// Reads what a program passes to rt_sigqueueinfo(2): `signo` replaces the number in it. Only codes that programs may send
    /// keep their fields.
    pub fn decode(signo: u32, raw: &[u8; SIGINFO_SIZE]) -> SigInfo {
        let word = |at: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&raw[at..at + 4]);
            u32::from_le_bytes(bytes)
        };
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let mut info = SigInfo {
            signo,
            errno: word(4) as i32,
            code: word(8) as i32,
            ..SigInfo::default()
        };
        match info.layout() {
            Layout::Kill | Layout::Timer | Layout::Queue => {
                info.pid = word(16) as i32;
                info.uid = word(20);
                info.value = long(24);
            }
            Layout::Child => {
                info.pid = word(16) as i32;
                info.uid = word(20);
                info.status = word(24) as i32;
                info.utime = long(32);
                info.stime = long(40);
            }
            Layout::Fault => info.addr = long(16),
            Layout::Poll => {
                info.value = long(16);
                info.status = word(24) as i32;
            }
            Layout::Sys => {
                info.addr = long(16);
                info.status = word(24) as i32;
                info.uid = word(28);
            }
        }
        info
    }
}

struct Writer([u8; SIGINFO_SIZE]);

impl Writer {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
}
