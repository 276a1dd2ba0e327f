//! /proc/PID/status, stat and statm.

use super::{
    super::{
        pseudo::{Text, text},
        tty::job,
    },
    subject::Subject,
    ticks,
};
use crate::{
    Errno,
    mm::space::{Prot, SpaceStats},
    sched,
    task::{
        Process, Task,
        usage::{self, Counter},
    },
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use linux_raw_sys::general::*;

/// `PF_RANDOMIZE`: the only one of the kernel's task flags that says something here.
const FLAGS: u64 = 0x40_0000;
/// Bytes in a page.
const PAGE: u64 = 4096;

/// State letter and its name.
pub fn state(process: &Process, task: Option<&Arc<Task>>) -> (char, &'static str) {
    let Some(task) = task else {
        return ('Z', "zombie");
    };
    if process.stop.lock().stopped_by.is_some() {
        ('T', "stopped")
    } else if Arc::ptr_eq(task, &sched::current()) || sched::is_runnable(task) {
        ('R', "running")
    } else {
        ('S', "sleeping")
    }
}

fn parent_pid(process: &Process) -> i32 {
    process.parent().map_or(0, |parent| parent.pid)
}

/// Signal sets: of the thread and the process pending, blocked, ignored, caught.
struct Signals {
    pending: u64,
    shared: u64,
    blocked: u64,
    ignored: u64,
    caught: u64,
}

fn signals(process: &Process, task: Option<&Arc<Task>>) -> Signals {
    let (ignored, caught) = process.signals.ignored_and_caught();
    Signals {
        pending: task.map_or(0, |task| task.signals.pending()),
        shared: process.signals.pending(),
        blocked: task.map_or(0, |task| task.signals.mask()),
        ignored,
        caught,
    }
}

/// /proc/PID/status.
pub fn status(subject: &Subject) -> Result<Text, Errno> {
    let process = subject.process()?;
    let task = subject.task().ok();
    let cred = subject.credentials()?;
    let mut out = Text::new();
    out.bytes(b"Name:\t").escaped(&subject.comm()?, b"\n\\");
    if let Some(task) = &task {
        let context = task.fs.lock().clone();
        let umask = context.umask.load(Ordering::Relaxed);
        out.put(format_args!("\nUmask:\t{umask:04o}"));
    }
    let (letter, name) = state(&process, task.as_ref());
    let pgid = process.pgid.load(Ordering::Relaxed);
    let sid = process.sid.load(Ordering::Relaxed);
    let files = task.as_ref().and_then(|task| task.files().ok());
    out.put(format_args!(
        "\nState:\t{letter} ({name})\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t0\n\
         Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\nFDSize:\t{}\nGroups:\t",
        subject.pid,
        subject.tid,
        parent_pid(&process),
        cred.uid,
        cred.euid,
        cred.suid,
        cred.fsuid,
        cred.gid,
        cred.egid,
        cred.sgid,
        cred.fsgid,
        files.map_or(0, |files| files.capacity()),
    ));
    for group in &cred.groups {
        out.put(format_args!("{group} "));
    }
    out.put(format_args!(
        "{}\nNStgid:\t{}\nNSpid:\t{}\nNSpgid:\t{pgid}\nNSsid:\t{sid}\nKthread:\t0\n",
        if cred.groups.is_empty() { " " } else { "" },
        subject.pid,
        subject.tid,
    ));
    if let Ok(space) = subject.space() {
        memory_lines(&mut out, &space.stats());
        out.bytes(b"CoreDumping:\t0\nTHP_enabled:\t1\nuntag_mask:\t0xffffffffffffffff\n");
    }
    let set = signals(&process, task.as_ref());
    let limit = process.rlimits.lock()[RLIMIT_SIGPENDING as usize][0];
    let queued = set.pending.count_ones() + set.shared.count_ones();
    out.put(format_args!(
        "Threads:\t{}\nSigQ:\t{queued}/{limit}\nSigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\n\
         SigIgn:\t{:016x}\nSigCgt:\t{:016x}\nCapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\n\
         CapBnd:\t{:016x}\nCapAmb:\t{:016x}\nNoNewPrivs:\t{}\nSeccomp:\t0\nSeccomp_filters:\t0\n",
        process.threads.lock().len().max(1),
        set.pending,
        set.shared,
        set.blocked,
        set.ignored,
        set.caught,
        cred.cap_inheritable,
        cred.cap_permitted,
        cred.cap_effective,
        cred.cap_bounding,
        cred.cap_ambient,
        u32::from(cred.no_new_privs),
    ));
    let counts = task.as_ref().map(|task| task.counters.get());
    let count = |counter| counts.map_or(0, |counts| counts.get(counter));
    let voluntary = count(Counter::VoluntarySwitches);
    let forced = count(Counter::InvoluntarySwitches);
    out.put(format_args!(
        "Speculation_Store_Bypass:\tvulnerable\nSpeculationIndirectBranch:\talways enabled\n\
         Cpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t1\nMems_allowed_list:\t0\n\
         voluntary_ctxt_switches:\t{voluntary}\nnonvoluntary_ctxt_switches:\t{forced}\n"
    ));
    Ok(out)
}

fn memory_lines(out: &mut Text, stats: &SpaceStats) {
    let kib = |bytes: u64| bytes / 1024;
    let anonymous = stats.resident.saturating_sub(stats.shared);
    for (name, bytes) in [
        ("VmPeak", stats.peak_total),
        ("VmSize", stats.total),
        ("VmLck", 0),
        ("VmPin", 0),
        ("VmHWM", stats.peak_resident.max(stats.resident)),
        ("VmRSS", stats.resident),
        ("RssAnon", anonymous),
        ("RssFile", stats.shared),
        ("RssShmem", 0),
        ("VmData", stats.data),
        ("VmStk", stats.stack),
        ("VmExe", stats.text),
        ("VmLib", 0),
        ("VmPTE", stats.resident / 512),
        ("VmSwap", 0),
        ("HugetlbPages", 0),
    ] {
        out.put(format_args!("{name}:\t{:8} kB\n", kib(bytes)));
    }
}

/// /proc/PID/statm, in pages.
pub fn statm(subject: &Subject) -> Result<Text, Errno> {
    subject.process()?;
    let stats = match subject.space() {
        Ok(space) => space.stats(),
        Err(_) => SpaceStats::default(),
    };
    Ok(text!(
        "{} {} {} {} 0 {} 0\n",
        stats.total / PAGE,
        stats.resident / PAGE,
        stats.shared / PAGE,
        stats.text / PAGE,
        (stats.data + stats.stack) / PAGE,
    ))
}

/// Addresses that stat shows to who may inspect the process.
#[derive(Default)]
struct Layout {
    code: (u64, u64),
    data: (u64, u64),
    heap: u64,
    stack: u64,
    arguments: (u64, u64),
    environment: (u64, u64),
}

fn layout(subject: &Subject, process: &Process) -> Layout {
    use super::super::pseudo::Context;
    let Ok(space) = subject.space() else {
        return Layout::default();
    };
    if subject.may_inspect().is_err() {
        return Layout {
            code: (1, 1),
            ..Layout::default()
        };
    }
    let path = process.executable.lock().as_ref().map(|e| e.path.clone());
    let mappings = space.mappings().unwrap_or_default();
    let own = |prot: Prot| {
        mappings
            .iter()
            .find(|m| m.prot.contains(prot) && m.object.as_ref().map(|o| &o.path) == path.as_ref())
            .map_or((0, 0), |m| (m.start, m.end))
    };
    let (arguments, environment) = {
        let arguments = process.arguments.lock();
        (arguments.arg_range, arguments.env_range)
    };
    Layout {
        code: own(Prot::EXEC),
        data: own(Prot::WRITE),
        heap: space.heap().0,
        stack: arguments.0 & !15,
        arguments,
        environment,
    }
}

/// /proc/PID/stat.
pub fn stat(subject: &Subject) -> Result<Text, Errno> {
    let process = subject.process()?;
    let task = subject.task().ok();
    let used = match &task {
        Some(task) if subject.is_thread => usage::of_task(task),
        _ => usage::of_process(&process),
    };
    let children = *process.child_usage.lock();
    let (tty, foreground) = job::terminal_numbers(&process);
    let space = subject.space().ok();
    let stats = space.as_ref().map_or(SpaceStats::default(), |s| s.stats());
    let nice = task
        .as_ref()
        .map_or(0, |task| task.sched.nice.load(Ordering::Relaxed));
    let (policy, real_time) = task.as_ref().map_or((0, 0), |task| {
        let attributes = task.attributes.lock();
        (attributes.policy, attributes.priority)
    });
    let priority = match real_time {
        0 => i64::from(20 + nice),
        level => -1 - i64::from(level),
    };
    let at = layout(subject, &process);
    let set = signals(&process, task.as_ref());
    let limit = process.rlimits.lock()[RLIMIT_RSS as usize][0];
    let exit_code = process.zombie.lock().map_or(0, |zombie| zombie.status);
    let mut out = text!("{} (", subject.tid);
    out.bytes(&subject.comm()?);
    out.put(format_args!(
        ") {} {} {} {} {tty} {foreground} {FLAGS} {} {} {} {} {} {} {} {} {priority} {nice} {} 0 {} {} {} {limit} ",
        state(&process, task.as_ref()).0,
        parent_pid(&process),
        process.pgid.load(Ordering::Relaxed),
        process.sid.load(Ordering::Relaxed),
        used.counts.get(Counter::MinorFaults),
        children.counts.get(Counter::MinorFaults),
        used.counts.get(Counter::MajorFaults),
        children.counts.get(Counter::MajorFaults),
        ticks(used.user_ns),
        ticks(used.system_ns),
        ticks(children.user_ns),
        ticks(children.system_ns),
        process.threads.lock().len().max(1),
        ticks(process.start_ns),
        stats.total,
        stats.resident / PAGE,
    ));
    out.put(format_args!(
        "{} {} {} 0 0 {} {} {} {} 0 0 0 {} 0 {real_time} {policy} 0 0 0 {} {} {} {} {} {} {} {exit_code}\n",
        at.code.0,
        at.code.1,
        at.stack,
        set.pending & 0x7fff_ffff,
        set.blocked & 0x7fff_ffff,
        set.ignored & 0x7fff_ffff,
        set.caught & 0x7fff_ffff,
        process.exit_signal.load(Ordering::Relaxed),
        at.data.0,
        at.data.1,
        at.heap,
        at.arguments.0,
        at.arguments.1,
        at.environment.0,
        at.environment.1,
    ));
    Ok(out)
}
