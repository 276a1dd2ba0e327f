//! What tasks and processes have used: for getrusage, times, wait4 and /proc.

use super::{Process, Task};
use core::sync::atomic::{AtomicU64, Ordering};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a task counts. One vCPU and no pre-emption in the kernel: plain loads and stores do.
#[derive(Debug, Default)]
pub struct Counters {
    values: [AtomicU64; COUNTERS],
}

/// How many counters there are.
const COUNTERS: usize = 8;

/// A counter's place in [`Counters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Page faults that needed nothing from the host.
    MinorFaults,
    /// Page faults that read from the host.
    MajorFaults,
    /// Switches away from it when it blocked.
    VoluntarySwitches,
    /// Switches away from it when its slice was over.
    InvoluntarySwitches,
    /// Bytes that read(2) and its kin returned.
    BytesRead,
    /// Bytes that write(2) and its kin took.
    BytesWritten,
    /// Calls of read(2) and its kin.
    Reads,
    /// Calls of write(2) and its kin.
    Writes,
}

/// Values of the counters, to add up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts([u64; COUNTERS]);

impl Counters {
    /// Counts up.
    #[inline]
    pub fn add(&self, counter: Counter, by: u64) {
        let value = &self.values[counter as usize];
        value.store(
            value.load(Ordering::Relaxed).wrapping_add(by),
            Ordering::Relaxed,
        );
    }

    /// The values now.
    pub fn get(&self) -> Counts {
        Counts(core::array::from_fn(|i| {
            self.values[i].load(Ordering::Relaxed)
        }))
    }

    /// Adds another's values.
    pub fn absorb(&self, other: &Counters) {
        for (value, by) in self.values.iter().zip(other.get().0) {
            value.store(
                value.load(Ordering::Relaxed).wrapping_add(by),
                Ordering::Relaxed,
            );
        }
    }
}

impl Counts {
    /// One of the values.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    fn add(&mut self, other: &Counts) {
        for (value, by) in self.0.iter_mut().zip(other.0) {
            *value = value.wrapping_add(by);
        }
    }
}

/// Sums of what was used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Faults, switches, input and output.
    pub counts: Counts,
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
    /// ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals, nvcsw, nivcsw.
    rest: [i64; 13],
}

impl Usage {
    /// Adds another's figures: times add up, the peak is the higher one.
    pub fn add(&mut self, other: &Usage) {
        self.user_ns = self.user_ns.saturating_add(other.user_ns);
        self.system_ns = self.system_ns.saturating_add(other.system_ns);
        self.peak_resident = self.peak_resident.max(other.peak_resident);
        self.counts.add(&other.counts);
    }

    /// In the form of getrusage(2).
    pub fn raw(&self) -> RawRusage {
        let count = |counter| self.counts.get(counter) as i64;
        let mut rest = [0; 13];
        rest[3] = count(Counter::MinorFaults);
        rest[4] = count(Counter::MajorFaults);
        rest[11] = count(Counter::VoluntarySwitches);
        rest[12] = count(Counter::InvoluntarySwitches);
        RawRusage {
            utime: timeval(self.user_ns),
            stime: timeval(self.system_ns),
            maxrss: (self.peak_resident / 1024) as i64,
            rest,
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
        counts: task.counters.get(),
    }
}

/// What a process has used with all its threads, ended ones included; not its children.
pub fn of_process(process: &Process) -> Usage {
    let (user_ns, system_ns) = process.timers.cpu.user_and_system_ns();
    let now = process
        .representative()
        .map_or(0, |task| peak_resident(&task));
    let mut counts = process.ended_counters.get();
    for task in process.threads.lock().iter() {
        counts.add(&task.counters.get());
    }
    Usage {
        user_ns,
        system_ns,
        peak_resident: now.max(process.peak_resident.load(Ordering::Relaxed)),
        counts,
    }
}

/// The task gives up its address space (exit, execve): what it took at most is remembered.
pub fn note_peak(task: &Task) {
    let process = &task.process;
    process
        .peak_resident
        .fetch_max(peak_resident(task), Ordering::Relaxed);
}
