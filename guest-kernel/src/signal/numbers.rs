//! Signal numbers, names, sets and default actions (signal(7)).
//!
//! A set of signals is a `u64` as in the system calls: bit `n - 1` is signal `n`; [`bit`] makes one.

/// Highest signal number.
pub const MAX: u32 = 64;
/// The first real-time signal: from here on signals queue up instead of merging.
pub const SIGRTMIN: u32 = 32;

macro_rules! signals {
    ($($name:ident = $value:literal;)*) => {
        $(#[doc = concat!("Signal ", $value, ".")] pub const $name: u32 = $value;)*
    };
}

signals! {
    SIGQUIT = 3;
    SIGILL = 4;
    SIGTRAP = 5;
    SIGABRT = 6;
    SIGBUS = 7;
    SIGFPE = 8;
    SIGKILL = 9;
    SIGSEGV = 11;
    SIGALRM = 14;
    SIGCHLD = 17;
    SIGCONT = 18;
    SIGSTOP = 19;
    SIGTSTP = 20;
    SIGTTIN = 21;
    SIGTTOU = 22;
    SIGURG = 23;
    SIGXCPU = 24;
    SIGXFSZ = 25;
    SIGVTALRM = 26;
    SIGPROF = 27;
    SIGWINCH = 28;
    SIGIO = 29;
    SIGSYS = 31;
}

/// The set that holds `signo` alone; empty for a number that is no signal.
pub const fn bit(signo: u32) -> u64 {
    if signo >= 1 && signo <= MAX {
        1 << (signo - 1)
    } else {
        0
    }
}

/// Signals that can be neither blocked, ignored nor caught.
pub const UNBLOCKABLE: u64 = bit(SIGKILL) | bit(SIGSTOP);
/// Signals that stop by default.
pub const STOPS: u64 = bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
/// Signals that a task's own instruction causes: taken before all others.
pub const SYNCHRONOUS: u64 =
    bit(SIGSEGV) | bit(SIGBUS) | bit(SIGILL) | bit(SIGTRAP) | bit(SIGFPE) | bit(SIGSYS);
/// Signals that do nothing by default. SIGCONT is among them: it acts when it is sent.
pub const IGNORED_BY_DEFAULT: u64 = bit(SIGCONT) | bit(SIGCHLD) | bit(SIGWINCH) | bit(SIGURG);
/// Signals that by default end the process with a core dump.
pub const CORE: u64 = bit(SIGQUIT)
    | bit(SIGILL)
    | bit(SIGTRAP)
    | bit(SIGABRT)
    | bit(SIGFPE)
    | bit(SIGSEGV)
    | bit(SIGBUS)
    | bit(SIGSYS)
    | bit(SIGXCPU)
    | bit(SIGXFSZ);

/// What a signal does to a process that neither ignores nor catches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// Ends the process.
    Terminate,
    /// Ends the process; the status says that it dumped core.
    Core,
    /// Nothing.
    Ignore,
    /// Stops the process until SIGCONT.
    Stop,
}

/// The default action of a signal.
pub const fn default_action(signo: u32) -> DefaultAction {
    let one = bit(signo);
    if one & IGNORED_BY_DEFAULT != 0 {
        DefaultAction::Ignore
    } else if one & STOPS != 0 {
        DefaultAction::Stop
    } else if one & CORE != 0 {
        DefaultAction::Core
    } else {
        DefaultAction::Terminate
    }
}
