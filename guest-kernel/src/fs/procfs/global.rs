//! The files of /proc that describe the kernel and the machine.

use super::{
    super::pseudo::{Entry, Text, text},
    Global, bytes, constant, cpu, load, sys, ticks,
};
use crate::{
    Errno,
    mm::frame,
    sched,
    task::{self, table, usage, uts},
    time,
};
use alloc::format;

/// The names in /proc besides the processes.
pub static ENTRIES: &[Entry<Global>] = &[
    constant("cgroups", |_| {
        Ok("#subsys_name\thierarchy\tnum_cgroups\tenabled\n".into())
    }),
    constant("cmdline", |_| Ok("vitrine\n".into())),
    constant("consoles", |_| Ok(Text::new())),
    constant("cpuinfo", |_| Ok(cpu::cpuinfo())),
    constant("crypto", |_| Ok(Text::new())),
    constant("devices", |_| Ok(DEVICES.into())),
    constant("diskstats", |_| Ok(Text::new())),
    constant("filesystems", |_| Ok(FILE_SYSTEMS.into())),
    constant("interrupts", |_| Ok("           CPU0       \n".into())),
    constant("loadavg", |_| Ok(loadavg())),
    constant("locks", |_| Ok(Text::new())),
    constant("meminfo", |_| Ok(meminfo())),
    constant("misc", |_| Ok(Text::new())),
    constant("modules", |_| Ok(Text::new())),
    Entry::link("mounts", |_| Ok(bytes("self/mounts"))),
    Entry::link("net", |_| Ok(bytes("self/net"))),
    constant("partitions", |_| Ok(Text::new())),
    Entry::link("self", |_| {
        Ok(format!("{}", sched::current().process.pid).into_bytes())
    }),
    constant("stat", |_| Ok(stat())),
    constant("swaps", |_| {
        Ok("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".into())
    }),
    Entry::dir("sys", 0o555, sys::ENTRIES),
    Entry::dir("sysvipc", 0o555, SYSVIPC),
    Entry::link("thread-self", |_| {
        let task = sched::current();
        Ok(format!("{}/task/{}", task.process.pid, task.tid).into_bytes())
    }),
    Entry::dir("tty", 0o555, TTY),
    constant("uptime", |_| Ok(uptime())),
    constant("version", |_| Ok(version())),
    constant("vmstat", |_| Ok(vmstat())),
];

const DEVICES: &str = "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n128 ptm\n136 pts\n\nBlock devices:\n";

const FILE_SYSTEMS: &str = "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tsockfs\nnodev\tpipefs\nnodev\tdevpts\nnodev\toverlay\n";

static TTY: &[Entry<Global>] = &[constant("drivers", |_| {
    Ok(
        "/dev/tty             /dev/tty        5       0 system:/dev/tty\n\
        /dev/console         /dev/console    5       1 system:console\n\
        /dev/ptmx            /dev/ptmx       5       2 system\n\
        pty_slave            /dev/pts      136 0-1048575 pty:slave\n\
        pty_master           /dev/ptm      128 0-1048575 pty:master\n"
            .into(),
    )
})];

static SYSVIPC: &[Entry<Global>] = &[
    constant("msg", |_| {
        Ok("       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n".into())
    }),
    constant("sem", |_| {
        Ok("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n".into())
    }),
    constant("shm", |_| {
        Ok("       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n".into())
    }),
];

/// KiB of memory: in all, free, of processes' own pages, of files' pages.
pub struct Memory {
    /// In all.
    pub total: u64,
    /// Free.
    pub free: u64,
    /// Anonymous pages of processes.
    pub anonymous: u64,
    /// What files' contents take.
    pub cached: u64,
}

/// Memory figures now.
pub fn memory() -> Memory {
    let frames = frame::stats();
    let own = task::processes().iter().fold(0u64, |sum, process| {
        let task = process.threads.lock().first().cloned();
        let space = task.and_then(|task| task.space().ok());
        let stats = space.map(|space| space.stats()).unwrap_or_default();
        sum.saturating_add(stats.resident.saturating_sub(stats.shared))
    });
    let used = frames.total.saturating_sub(frames.free) * 4;
    let anonymous = (own / 1024).min(used);
    Memory {
        total: frames.total * 4,
        free: frames.free * 4,
        anonymous,
        cached: used - anonymous,
    }
}

fn meminfo() -> Text {
    let Memory {
        total,
        free,
        anonymous,
        cached,
    } = memory();
    let mut out = Text::new();
    for (name, kib) in [
        ("MemTotal:", total),
        ("MemFree:", free),
        ("MemAvailable:", free + cached),
        ("Buffers:", 0),
        ("Cached:", cached),
        ("SwapCached:", 0),
        ("Active:", anonymous + cached),
        ("Inactive:", 0),
        ("Active(anon):", anonymous),
        ("Inactive(anon):", 0),
        ("Active(file):", cached),
        ("Inactive(file):", 0),
        ("Unevictable:", 0),
        ("Mlocked:", 0),
        ("SwapTotal:", 0),
        ("SwapFree:", 0),
        ("Dirty:", 0),
        ("Writeback:", 0),
        ("AnonPages:", anonymous),
        ("Mapped:", cached),
        ("Shmem:", 0),
        ("KReclaimable:", 0),
        ("Slab:", 0),
        ("SReclaimable:", 0),
        ("SUnreclaim:", 0),
        ("KernelStack:", table::counts().0 as u64 * 16),
        ("PageTables:", 0),
        ("NFS_Unstable:", 0),
        ("Bounce:", 0),
        ("WritebackTmp:", 0),
        ("CommitLimit:", total / 2),
        ("Committed_AS:", anonymous),
        ("VmallocTotal:", 34_359_738_367),
        ("VmallocUsed:", 0),
        ("VmallocChunk:", 0),
        ("Percpu:", 0),
        ("AnonHugePages:", 0),
        ("ShmemHugePages:", 0),
        ("ShmemPmdMapped:", 0),
        ("FileHugePages:", 0),
        ("FilePmdMapped:", 0),
    ] {
        out.put(format_args!("{name:<16}{kib:8} kB\n"));
    }
    for name in [
        "HugePages_Total:",
        "HugePages_Free:",
        "HugePages_Rsvd:",
        "HugePages_Surp:",
    ] {
        out.put(format_args!("{name:<16}{:8}\n", 0));
    }
    out.put(format_args!(
        "Hugepagesize:   {:8} kB\nHugetlb:        {:8} kB\n",
        2048, 0
    ));
    out
}

/// Nanoseconds that the vCPU was busy: in user mode, in the kernel.
fn busy() -> (u64, u64) {
    let mut sum = usage::Usage::default();
    for process in task::processes() {
        for used in [usage::of_process(&process), *process.child_usage.lock()] {
            sum.user_ns = sum.user_ns.saturating_add(used.user_ns);
            sum.system_ns = sum.system_ns.saturating_add(used.system_ns);
        }
    }
    (sum.user_ns, sum.system_ns)
}

/// CLOCK_MONOTONIC at the start of the kernel.
fn boot_ns() -> u64 {
    task::process(1).map_or(0, |first| first.start_ns)
}

fn stat() -> Text {
    let uptime = time::monotonic_ns();
    let (user, system) = busy();
    let idle = uptime
        .saturating_sub(boot_ns())
        .saturating_sub(user + system);
    let mut out = Text::new();
    for name in ["cpu ", "cpu0"] {
        let (user, system, idle) = (ticks(user), ticks(system), ticks(idle));
        out.put(format_args!(
            "{name} {user} 0 {system} {idle} 0 0 0 0 0 0\n"
        ));
    }
    let boot = time::realtime_ns().saturating_sub(uptime) / 1_000_000_000;
    out.put(format_args!(
        "intr 0\nctxt {}\nbtime {boot}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\n\
         softirq 0 0 0 0 0 0 0 0 0 0 0\n",
        sched::switches(),
        table::last_id(),
        load::runnable().max(1),
    ));
    out
}

fn hundredths(ns: u64) -> (u64, u64) {
    (ns / 1_000_000_000, ns % 1_000_000_000 / 10_000_000)
}

fn uptime() -> Text {
    let now = time::monotonic_ns();
    let (user, system) = busy();
    let idle = now.saturating_sub(boot_ns()).saturating_sub(user + system);
    let ((up, up_part), (idle, idle_part)) = (hundredths(now), hundredths(idle));
    text!("{up}.{up_part:02} {idle}.{idle_part:02}\n")
}

fn loadavg() -> Text {
    let mut out = Text::new();
    for (whole, part) in load::averages() {
        out.put(format_args!("{whole}.{part:02} "));
    }
    out.put(format_args!(
        "{}/{} {}\n",
        load::runnable().max(1),
        table::counts().0,
        table::last_id()
    ));
    out
}

fn version() -> Text {
    text!(
        "{} version {} (vitrine@vitrine) (rustc) {}\n",
        uts::SYSNAME,
        uts::RELEASE,
        uts::VERSION
    )
}

fn vmstat() -> Text {
    let frames = frame::stats();
    let Memory {
        anonymous, cached, ..
    } = memory();
    text!(
        "nr_free_pages {}\nnr_anon_pages {}\nnr_mapped {}\nnr_file_pages {}\nnr_dirty 0\nnr_writeback 0\n\
         pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault 0\npgmajfault 0\noom_kill 0\n",
        frames.free,
        anonymous / 4,
        cached / 4,
        cached / 4,
    )
}

/// Why a setting can't be changed: it is a fact of this kernel.
pub fn fixed(_: &Global, _: &[u8]) -> Result<(), Errno> {
    Err(Errno::EPERM)
}
