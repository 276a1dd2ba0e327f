//! Signals: names, sets, `siginfo_t`, wait statuses.

use super::{notation, text};

const NAMES: [&str; 32] = [
    "0", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// Appends a signal's name without `SIG`; nothing for a number that is none.
fn short_name(out: &mut Vec<u8>, signal: u64) -> bool {
    match signal {
        1..32 => out.extend_from_slice(NAMES[signal as usize].as_bytes()),
        32 => out.extend_from_slice(b"RTMIN"),
        33..=64 => {
            out.extend_from_slice(b"RT_");
            text::udec(out, signal - 32);
        }
        _ => return false,
    }
    true
}

/// Appends a signal's name (`SIGINT`, `SIGRT_1`), or its number.
pub fn name(out: &mut Vec<u8>, signal: i32) {
    let start = out.len();
    out.extend_from_slice(b"SIG");
    if !short_name(out, signal as u64) {
        out.truncate(start);
        text::dec(out, i64::from(signal));
    }
}

/// As [`name`], as this thread writes constants.
pub fn constant(out: &mut Vec<u8>, signal: i32) {
    notation::constant(
        out,
        |out| text::dec(out, i64::from(signal)),
        |out| name(out, signal),
    );
}

/// Appends a set of signals: `[INT QUIT]`, or `~[KILL STOP]` when it is shorter.
pub fn set(out: &mut Vec<u8>, mask: u64) {
    let mut shown = mask;
    if mask.count_ones() >= 64 * 2 / 3 {
        out.push(b'~');
        shown = !mask;
    }
    out.push(b'[');
    let mut first = true;
    for bit in 0..64 {
        if shown >> bit & 1 != 0 {
            if !first {
                out.push(b' ');
            }
            first = false;
            notation::constant(
                out,
                |out| text::udec(out, bit + 1),
                |out| {
                    short_name(out, bit + 1);
                },
            );
        }
    }
    out.push(b']');
}

/// The fields of `siginfo_t` that matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Info {
    /// `si_signo`.
    pub signo: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_errno`.
    pub errno: i32,
    /// `si_pid`.
    pub pid: i32,
    /// `si_uid`.
    pub uid: u32,
    /// `si_status`.
    pub status: i32,
    /// `si_addr`.
    pub addr: u64,
    /// `si_value`.
    pub value: u64,
    /// `si_utime`.
    pub utime: u64,
    /// `si_stime`.
    pub stime: u64,
}

const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGBUS: i32 = 7;
const SIGFPE: i32 = 8;
const SIGSEGV: i32 = 11;
const SIGCHLD: i32 = 17;
const SIGSYS: i32 = 31;

/// The name of an `si_code`.
fn code_name(signo: i32, code: i32) -> Option<&'static str> {
    let names: &[&str] = match signo {
        _ if code <= 0 || code == 0x80 => {
            return Some(match code {
                0 => "SI_USER",
                0x80 => "SI_KERNEL",
                -1 => "SI_QUEUE",
                -2 => "SI_TIMER",
                -3 => "SI_MESGQ",
                -4 => "SI_ASYNCIO",
                -5 => "SI_SIGIO",
                -6 => "SI_TKILL",
                -7 => "SI_DETHREAD",
                -60 => "SI_ASYNCNL",
                _ => return None,
            });
        }
        SIGILL => &[
            "ILL_ILLOPC",
            "ILL_ILLOPN",
            "ILL_ILLADR",
            "ILL_ILLTRP",
            "ILL_PRVOPC",
            "ILL_PRVREG",
            "ILL_COPROC",
            "ILL_BADSTK",
            "ILL_BADIADDR",
        ],
        SIGTRAP => &[
            "TRAP_BRKPT",
            "TRAP_TRACE",
            "TRAP_BRANCH",
            "TRAP_HWBKPT",
            "TRAP_UNK",
            "TRAP_PERF",
        ],
        SIGBUS => &[
            "BUS_ADRALN",
            "BUS_ADRERR",
            "BUS_OBJERR",
            "BUS_MCEERR_AR",
            "BUS_MCEERR_AO",
        ],
        SIGFPE => &[
            "FPE_INTDIV",
            "FPE_INTOVF",
            "FPE_FLTDIV",
            "FPE_FLTOVF",
            "FPE_FLTUND",
            "FPE_FLTRES",
            "FPE_FLTINV",
            "FPE_FLTSUB",
        ],
        SIGSEGV => &["SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR"],
        SIGCHLD => &[
            "CLD_EXITED",
            "CLD_KILLED",
            "CLD_DUMPED",
            "CLD_TRAPPED",
            "CLD_STOPPED",
            "CLD_CONTINUED",
        ],
        SIGSYS => &["SYS_SECCOMP", "SYS_USER_DISPATCH"],
        _ => return None,
    };
    names.get(code as usize - 1).copied()
}

/// Appends `{si_signo=SIGCHLD, si_code=CLD_EXITED, …}`.
pub fn info(out: &mut Vec<u8>, info: &Info) {
    let put = |out: &mut Vec<u8>, label: &str, value: i64| {
        out.extend_from_slice(label.as_bytes());
        text::dec(out, value);
    };
    if info.signo == 0 {
        out.extend_from_slice(b"{}");
        return;
    }
    out.extend_from_slice(b"{si_signo=");
    constant(out, info.signo);
    out.extend_from_slice(b", si_code=");
    let number = |out: &mut Vec<u8>| text::hex(out, u64::from(info.code.cast_unsigned()));
    match code_name(info.signo, info.code) {
        Some(name) => notation::constant(out, number, |out| {
            out.extend_from_slice(name.as_bytes());
        }),
        None => number(out),
    }
    if info.errno != 0 {
        out.extend_from_slice(b", si_errno=");
        match u16::try_from(info.errno).ok().and_then(super::errno::name) {
            Some(name) => out.extend_from_slice(name.as_bytes()),
            None => text::udec(out, u64::from(info.errno.cast_unsigned())),
        }
    }
    match (info.signo, info.code) {
        (_, 0 | -6) => {
            put(out, ", si_pid=", info.pid.into());
            user(out, info.uid);
        }
        (_, -2) => {
            out.extend_from_slice(b", si_timerid=");
            text::hex(out, info.pid as u32 as u64);
            put(out, ", si_overrun=", info.uid.into());
            value(out, info.value);
        }
        (_, -1 | -3) => {
            put(out, ", si_pid=", info.pid.into());
            user(out, info.uid);
            value(out, info.value);
        }
        (SIGCHLD, 1..) => {
            put(out, ", si_pid=", info.pid.into());
            user(out, info.uid);
            out.extend_from_slice(b", si_status=");
            if info.code == 1 {
                text::dec(out, info.status.into());
            } else {
                constant(out, info.status);
            }
            put(out, ", si_utime=", info.utime as i64);
            put(out, ", si_stime=", info.stime as i64);
        }
        (SIGILL | SIGFPE | SIGSEGV | SIGBUS | SIGTRAP, _) => {
            out.extend_from_slice(b", si_addr=");
            text::address(out, info.addr);
        }
        _ => {
            if info.pid != 0 || info.uid != 0 {
                put(out, ", si_pid=", info.pid.into());
                user(out, info.uid);
            }
            if info.value != 0 {
                value(out, info.value);
            }
        }
    }
    out.push(b'}');
}

fn user(out: &mut Vec<u8>, uid: u32) {
    out.extend_from_slice(b", si_uid=");
    super::args::id(out, uid);
}

fn value(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(b", si_int=");
    text::dec(out, i64::from(value as i32));
    out.extend_from_slice(b", si_ptr=");
    text::address(out, value);
}

/// Appends a wait(2) status: `{WIFEXITED(s) && WEXITSTATUS(s) == 7}`.
pub fn wait_status(out: &mut Vec<u8>, status: i32) {
    let low = status & 0x7f;
    if status == 0xffff {
        out.extend_from_slice(b"{WIFCONTINUED(s)}");
    } else if low == 0 {
        out.extend_from_slice(b"{WIFEXITED(s) && WEXITSTATUS(s) == ");
        text::dec(out, i64::from(status >> 8 & 0xff));
        out.push(b'}');
    } else if status & 0xff == 0x7f {
        out.extend_from_slice(b"{WIFSTOPPED(s) && WSTOPSIG(s) == ");
        name(out, status >> 8 & 0xff);
        out.push(b'}');
    } else {
        out.extend_from_slice(b"{WIFSIGNALED(s) && WTERMSIG(s) == ");
        name(out, low);
        if status & 0x80 != 0 {
            out.extend_from_slice(b" && WCOREDUMP(s)");
        }
        out.push(b'}');
    }
}
