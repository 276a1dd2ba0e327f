//! Names of flags and constants: signals and time.
//! Values are the kernel's (`include/uapi`); the order is the one in which strace prints them.

use super::Names;

/// clock_gettime, argument 0.
pub(super) const CLOCK_ID: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "CLOCK_REALTIME"),
        (0x1, "CLOCK_MONOTONIC"),
        (0x2, "CLOCK_PROCESS_CPUTIME_ID"),
        (0x3, "CLOCK_THREAD_CPUTIME_ID"),
        (0x4, "CLOCK_MONOTONIC_RAW"),
        (0x5, "CLOCK_REALTIME_COARSE"),
        (0x6, "CLOCK_MONOTONIC_COARSE"),
        (0x7, "CLOCK_BOOTTIME"),
        (0x8, "CLOCK_REALTIME_ALARM"),
        (0x9, "CLOCK_BOOTTIME_ALARM"),
        (0xa, "CLOCK_SGI_CYCLE"),
        (0xb, "CLOCK_TAI"),
    ],
    bits: &[],
    unknown: "CLOCK_???",
    zero: "0",
    unknown_bits: "",
};

/// getitimer, argument 0.
pub(super) const ITIMER: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "ITIMER_REAL"),
        (0x1, "ITIMER_VIRTUAL"),
        (0x2, "ITIMER_PROF"),
    ],
    bits: &[],
    unknown: "ITIMER_???",
    zero: "0",
    unknown_bits: "",
};

/// rt_sigprocmask, argument 0.
pub(super) const SIG_PROC_MASK: Names = Names {
    field: u64::MAX,
    values: &[
        (0x0, "SIG_BLOCK"),
        (0x1, "SIG_UNBLOCK"),
        (0x2, "SIG_SETMASK"),
    ],
    bits: &[],
    unknown: "SIG_???",
    zero: "0",
    unknown_bits: "",
};

/// clock_nanosleep, argument 1.
pub(super) const TIMER_ABS: Names = Names {
    field: 0,
    values: &[],
    bits: &[(0x1, "TIMER_ABSTIME")],
    unknown: "TIMER_???",
    zero: "0",
    unknown_bits: "",
};

/// sigaltstack, ss_flags.
pub(super) const SIGALTSTACK_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "SS_ONSTACK"),
        (0x2, "SS_DISABLE"),
        (0x80000000, "SS_AUTODISARM"),
    ],
    unknown: "SS_???",
    zero: "0",
    unknown_bits: "",
};

/// rt_sigaction, sa_flags.
pub(super) const SIGACTION_FLAGS: Names = Names {
    field: 0,
    values: &[],
    bits: &[
        (0x4000000, "SA_RESTORER"),
        (0x8000000, "SA_ONSTACK"),
        (0x10000000, "SA_RESTART"),
        (0x20000000, "SA_INTERRUPT"),
        (0x40000000, "SA_NODEFER"),
        (0x80000000, "SA_RESETHAND"),
        (0x4, "SA_SIGINFO"),
        (0x1, "SA_NOCLDSTOP"),
        (0x2, "SA_NOCLDWAIT"),
    ],
    unknown: "SA_???",
    zero: "0",
    unknown_bits: "",
};
