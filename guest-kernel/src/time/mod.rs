//! Clocks and timers.
//!
//! - [`clock`]: the counter made into nanoseconds; [`clock_id`]: clocks as programs name them.
//! - [`cpu`]: processor time of threads and processes; [`cpu_timer`]: timers that run on it.
//! - [`timer`]: the kernel's queue of deadlines; [`itimer`] and [`posix`]: the programs' timers.
//! - [`value`]: `timespec` and `timeval`.

pub mod clock;
pub mod clock_id;
pub mod cpu;
pub mod cpu_timer;
pub mod itimer;
pub mod posix;
pub mod timer;
pub mod value;

pub use clock::{init, monotonic_ns, ns_to_tsc, realtime_ns};
pub use cpu::TaskTimes;

/// Nanoseconds in a second.
pub const NS_PER_SEC: u64 = 1_000_000_000;

/// A process's interval timers, POSIX timers, and processor time.
#[derive(Default)]
pub struct ProcessTimers {
    /// Processor time of all its threads, ended ones included.
    pub cpu: TaskTimes,
    itimers: crate::sync::Mutex<itimer::Itimers>,
    posix: crate::sync::Mutex<posix::PosixTimers>,
    cpu_watch: cpu_timer::Watch,
}

impl ProcessTimers {
    /// execve: POSIX timers are deleted, interval timers stay.
    pub fn exec(&self) {
        posix::delete_all(self);
    }
}

impl Drop for ProcessTimers {
    fn drop(&mut self) {
        itimer::disarm(self.itimers.get_mut());
        posix::delete_all(self);
    }
}
