//! What tasks and processes have used: for getrusage, times, wait4 and /proc.

use super::{Process, Task};
use core::sync::atomic::Ordering;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Sums of what was used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Nanoseconds in user mode.
    pub user_ns: u64,
    /// Nanoseconds in the kernel.
    pub system_ns: u64,
    /// Highest resident size of any one process, bytes.
    pub peak_resident: u64,
}

/// `struct rusage`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RawRusage {
    utime: [i64; 2],
    stime: [i64; 2],
    maxrss: i64,
    rest: [i64; 13],
}

impl Usage {
    /// Adds another's figures: times add up, the peak is the higher one.
    pub fn add(&mut self, other: &Usage) {
        self.user_ns = self.user_ns.saturating_add(other.user_ns);
        self.system_ns = self.system_ns.saturating_add(other.system_ns);
        self.peak_resident = self.peak_resident.max(other.peak_resident);
    }

    /// In the form of getrusage(2).
    pub fn raw(&self) -> RawRusage {
        RawRusage {
            utime: timeval(self.user_ns),
            stime: timeval(self.system_ns),
            maxrss: (self.peak_resident / 1024) as i64,
            rest: [0; 13],
        }
    }
}

fn timeval(ns: u64) -> [i64; 2] {
    [
        (ns / 1_000_000_000) as i64,
        (ns % 1_000_000_000 / 1000) as i64,
    ]
}

/// Highest resident size of the task's address space so far.
fn peak_resident(task: &Task) -> u64 {
    let space = task.space.lock().clone();
    space.map_or(0, |space| space.stats().peak_resident)
}

/// What one thread has used; the memory is its process's.
pub fn of_task(task: &Task) -> Usage {
    let (user_ns, system_ns) = task.times.user_and_system_ns();
    Usage {
        user_ns,
        system_ns,
        peak_resident: peak_resident(task),
    }
}

/// What a process has used with all its threads, ended ones included; not its children.
pub fn of_process(process: &Process) -> Usage {
    let (user_ns, system_ns) = process.timers.cpu.user_and_system_ns();
    let now = process
        .representative()
        .map_or(0, |task| peak_resident(&task));
    Usage {
        user_ns,
        system_ns,
        peak_resident: now.max(process.peak_resident.load(Ordering::Relaxed)),
    }
}

/// The task gives up its address space (exit, execve): what it took at most is remembered.
pub fn note_peak(task: &Task) {
    let process = &task.process;
    process
        .peak_resident
        .fetch_max(peak_resident(task), Ordering::Relaxed);
}
