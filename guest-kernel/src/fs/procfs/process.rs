//! The files of /proc/PID and /proc/PID/task/TID.

use super::{
    super::{
        DirEntry, File, FileOps, Inode, Location, Metadata, StatFs,
        pseudo::{self, Context, Entry, Text, text},
    },
    bytes, constant, fds, memory, mounts, net, status,
    subject::{Subject, directory_ino},
};
use crate::{
    Errno, sched,
    task::usage::{self, Counter},
};
use alloc::{format, sync::Arc, vec::Vec};
use core::{any::Any, sync::atomic::Ordering};
use linux_raw_sys::general::*;

/// What a process and a thread both have, followed by what only a process has: the order of a listing.
macro_rules! entries {
    ($($extra:expr,)*) => {
        &[
            Entry::guarded("auxv", 0o400, auxv),
            Entry::file("cgroup", 0o444, |_| Ok("0::/\n".into())),
            Entry::file("cmdline", 0o444, memory::cmdline),
            Entry::stored("comm", 0o644, comm, set_comm),
            Entry::file("cpuset", 0o444, |_| Ok("/\n".into())),
            Entry::magic("cwd", |s| path_of(working_directory(s)), |s| working_directory(s).ok()),
            Entry::guarded("environ", 0o400, memory::environ),
            Entry::magic("exe", |s| path_of(executable(s)), |s| executable(s).ok()),
            Entry::other("fd", DT_DIR, |s, ino| Ok(fds::directory(s, ino, false))),
            Entry::other("fdinfo", DT_DIR, |s, ino| Ok(fds::directory(s, ino, true))),
            Entry::file("gid_map", 0o644, |_| Ok(IDENTITY_MAP.into())),
            Entry::guarded("io", 0o400, io),
            Entry::file("limits", 0o444, limits),
            Entry::file("schedstat", 0o444, schedstat),
            Entry::stored("loginuid", 0o644, |_| Ok("4294967295".into()), |_, _| Err(Errno::EPERM)),
            Entry::guarded("maps", 0o444, memory::maps),
            Entry::other("mem", DT_REG, |s, ino| Ok(memory::mem(s, ino))),
            Entry::file("mountinfo", 0o444, mounts::mountinfo),
            Entry::file("mounts", 0o444, mounts::mounts),
            Entry::dir("net", 0o555, net::ENTRIES),
            Entry::dir("ns", 0o511, NAMESPACES),
            Entry::file("oom_adj", 0o644, |s| Ok(text!("{}\n", oom_score_adj(s)? * 17 / 1000))),
            Entry::file("oom_score", 0o444, oom_score),
            Entry::stored(
                "oom_score_adj",
                0o644,
                |s| Ok(text!("{}\n", oom_score_adj(s)?)),
                set_oom_score_adj,
            ),
            Entry::guarded("pagemap", 0o400, |_| Err(Errno::EPERM)),
            Entry::guarded("personality", 0o400, personality),
            Entry::file("projid_map", 0o644, |_| Ok(IDENTITY_MAP.into())),
            Entry::magic("root", |s| path_of(root_directory(s)), |s| root_directory(s).ok()),
            Entry::file("sessionid", 0o444, |_| Ok("4294967295".into())),
            Entry::file("setgroups", 0o644, |_| Ok("allow\n".into())),
            Entry::guarded("smaps", 0o444, memory::smaps),
            Entry::guarded("smaps_rollup", 0o444, memory::smaps_rollup),
            Entry::guarded("stack", 0o400, |_| Ok(Text::new())),
            Entry::file("stat", 0o444, status::stat),
            Entry::file("statm", 0o444, status::statm),
            Entry::file("status", 0o444, status::status),
            Entry::file("uid_map", 0o644, |_| Ok(IDENTITY_MAP.into())),
            constant("wchan", |_| Ok("0".into())),
            $($extra,)*
        ]
    };
}

static THREAD: &[Entry<Subject>] = entries![];
static PROCESS: &[Entry<Subject>] = entries![
    Entry::file("coredump_filter", 0o644, |_| Ok("00000033\n".into())),
    Entry::guarded("mountstats", 0o400, mounts::mountstats),
    Entry::other("task", DT_DIR, |s, ino| Ok(Arc::new(TaskDirectory {
        subject: s.clone(),
        ino,
    }))),
    Entry::stored("timerslack_ns", 0o666, timer_slack, set_timer_slack),
];

/// uid_map and gid_map of the only user namespace.
const IDENTITY_MAP: &str = "         0          0 4294967295\n";

/// The entry `name` in ns/ for the namespace `kind` of this number.
macro_rules! namespace {
    ($name:literal, $kind:literal, $ino:literal) => {
        Entry::magic(
            $name,
            |s| {
                s.may_inspect()?;
                Ok(bytes(concat!($kind, ":[", $ino, "]")))
            },
            |s| namespace_location(s, concat!($kind, ":[", $ino, "]"), $ino),
        )
    };
}

static NAMESPACES: &[Entry<Subject>] = &[
    namespace!("cgroup", "cgroup", 4026531835),
    namespace!("ipc", "ipc", 4026531839),
    namespace!("mnt", "mnt", 4026531840),
    namespace!("net", "net", 4026531992),
    namespace!("pid", "pid", 4026531836),
    namespace!("pid_for_children", "pid", 4026531836),
    namespace!("time", "time", 4026531834),
    namespace!("time_for_children", "time", 4026531834),
    namespace!("user", "user", 4026531837),
    namespace!("uts", "uts", 4026531838),
];

/// The directory of a process, or of a thread.
pub fn directory(subject: Subject) -> Arc<dyn Inode> {
    let ino = if subject.is_thread {
        directory_ino(subject.tid) | 1
    } else {
        directory_ino(subject.tid)
    };
    Arc::new(Directory { subject, ino })
}

/// /proc/PID or /proc/PID/task/TID.
struct Directory {
    subject: Subject,
    ino: u64,
}

impl Directory {
    fn entries(&self) -> &'static [Entry<Subject>] {
        if self.subject.is_thread {
            THREAD
        } else {
            PROCESS
        }
    }
}

impl Inode for Directory {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        let owner = self.subject.effective_owner();
        let mut meta = pseudo::attributes(pseudo::PROC_DEV, self.ino, S_IFDIR | 0o555, owner);
        meta.nlink = if self.subject.is_thread { 6 } else { 7 };
        Ok(meta)
    }

    fn create(&self, _name: &[u8], mode: u32, _rdev: u64) -> Result<Arc<dyn Inode>, Errno> {
        Err(pseudo::refuse_create(pseudo::PROC_MAGIC, mode))
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        pseudo::find(self.entries(), &self.subject, self.ino, name)
    }

    fn read_dir(&self, from: u64, each: &mut dyn FnMut(DirEntry) -> bool) -> Result<(), Errno> {
        self.subject.alive().map_err(|_| Errno::ENOENT)?;
        pseudo::list(self.entries(), &self.subject, self.ino, from, each);
        Ok(())
    }

    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        pseudo::open_directory(directory(self.subject.clone()), flags)
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(pseudo::empty_statfs(pseudo::PROC_MAGIC))
    }
}

/// /proc/PID/task.
struct TaskDirectory {
    subject: Subject,
    ino: u64,
}

impl Inode for TaskDirectory {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        let threads = self.subject.process().map(|p| p.threads.lock().len());
        let owner = self.subject.effective_owner();
        let mut meta = pseudo::attributes(pseudo::PROC_DEV, self.ino, S_IFDIR | 0o555, owner);
        meta.nlink = 2 + threads.unwrap_or(1).max(1) as u32;
        Ok(meta)
    }

    fn create(&self, _name: &[u8], mode: u32, _rdev: u64) -> Result<Arc<dyn Inode>, Errno> {
        Err(pseudo::refuse_create(pseudo::PROC_MAGIC, mode))
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        self.subject.process()?;
        let tid = super::parse_id(name).ok_or(Errno::ENOENT)?;
        let thread = self.subject.thread(tid).ok_or(Errno::ENOENT)?;
        Ok(directory(thread))
    }

    fn read_dir(&self, from: u64, each: &mut dyn FnMut(DirEntry) -> bool) -> Result<(), Errno> {
        let process = self.subject.process().map_err(|_| Errno::ENOENT)?;
        let mut tids: Vec<i32> = process.threads.lock().iter().map(|t| t.tid).collect();
        if tids.is_empty() {
            tids.push(process.pid);
        }
        tids.sort_unstable();
        for tid in tids {
            let position = u64::from(tid.unsigned_abs());
            if position < from {
                continue;
            }
            let more = each(DirEntry {
                name: format!("{tid}").into_bytes(),
                ino: directory_ino(tid) | 1,
                kind: DT_DIR as u8,
                next: position + 1,
            });
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        let again = TaskDirectory {
            subject: self.subject.clone(),
            ino: self.ino,
        };
        pseudo::open_directory(Arc::new(again), flags)
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(pseudo::empty_statfs(pseudo::PROC_MAGIC))
    }
}

fn working_directory(subject: &Subject) -> Result<Location, Errno> {
    subject.may_inspect()?;
    let task = subject.task().map_err(|_| Errno::ENOENT)?;
    let context = task.fs.lock().clone();
    let place = context.cwd.lock().clone();
    Ok(place)
}

fn root_directory(subject: &Subject) -> Result<Location, Errno> {
    subject.may_inspect()?;
    let task = subject.task().map_err(|_| Errno::ENOENT)?;
    let context = task.fs.lock().clone();
    let place = context.root.lock().clone();
    Ok(place)
}

fn executable(subject: &Subject) -> Result<Location, Errno> {
    subject.may_inspect()?;
    subject.space().map_err(|_| Errno::ENOENT)?;
    let process = subject.process()?;
    let executable = process.executable.lock();
    executable.as_deref().cloned().ok_or(Errno::ENOENT)
}

fn path_of(place: Result<Location, Errno>) -> Result<Vec<u8>, Errno> {
    let place = place?;
    let mut path = place.path.to_vec();
    let gone = place.inode.metadata().is_ok_and(|meta| meta.nlink == 0);
    if gone && !path.ends_with(b" (deleted)") {
        path.extend_from_slice(b" (deleted)");
    }
    Ok(path)
}

fn auxv(subject: &Subject) -> Result<Text, Errno> {
    let mut out = Text::new();
    for word in subject.process()?.arguments.lock().auxv.iter().flatten() {
        out.bytes(&word.to_ne_bytes());
    }
    Ok(out)
}

fn comm(subject: &Subject) -> Result<Text, Errno> {
    let mut out = Text::from(subject.comm()?);
    out.bytes(b"\n");
    Ok(out)
}

fn set_comm(subject: &Subject, data: &[u8]) -> Result<(), Errno> {
    let task = subject.task()?;
    if !subject.is_own() {
        return Err(Errno::EINVAL);
    }
    let mut comm = [0; 16];
    let name = data.iter().take(15);
    for (to, from) in comm.iter_mut().zip(name) {
        *to = *from;
    }
    *task.comm.lock() = comm;
    Ok(())
}

fn io(subject: &Subject) -> Result<Text, Errno> {
    subject.alive()?;
    let counts = match (subject.is_thread, subject.task()) {
        (true, Ok(task)) => task.counters.get(),
        _ => {
            let process = subject.process()?;
            let mut used = usage::of_process(&process);
            used.add(&process.child_usage.lock());
            used.counts
        }
    };
    Ok(text!(
        "rchar: {}\nwchar: {}\nsyscr: {}\nsyscw: {}\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
        counts.get(Counter::BytesRead),
        counts.get(Counter::BytesWritten),
        counts.get(Counter::Reads),
        counts.get(Counter::Writes),
    ))
}

/// Time on the vCPU, time waited for it (nanoseconds), and turns.
fn schedstat(subject: &Subject) -> Result<Text, Errno> {
    let task = subject.task()?;
    let running = Arc::ptr_eq(&task, &sched::current());
    Ok(text!(
        "{} {} {}\n",
        task.sched.total_run_ns(running),
        task.sched.waited_ns.load(Ordering::Relaxed),
        task.sched.turns.load(Ordering::Relaxed),
    ))
}

/// Name and unit of each limit, by its number.
const LIMITS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

fn limits(subject: &Subject) -> Result<Text, Errno> {
    let limits = *subject.process()?.rlimits.lock();
    let mut out = text!(
        "{:<25} {:<20} {:<20} {:<10}\n",
        "Limit",
        "Soft Limit",
        "Hard Limit",
        "Units"
    );
    for ((name, unit), [soft, hard]) in LIMITS.iter().zip(limits) {
        out.put(format_args!("{name:<25} "));
        for value in [soft, hard] {
            if value == u64::MAX {
                out.put(format_args!("{:<20} ", "unlimited"));
            } else {
                out.put(format_args!("{value:<20} "));
            }
        }
        if unit.is_empty() {
            out.bytes(b"\n");
        } else {
            out.put(format_args!("{unit:<10}\n"));
        }
    }
    Ok(out)
}

fn personality(subject: &Subject) -> Result<Text, Errno> {
    let personality = subject.task()?.attributes.lock().personality;
    Ok(text!("{personality:08x}\n"))
}

fn timer_slack(subject: &Subject) -> Result<Text, Errno> {
    subject.may_inspect().map_err(|_| Errno::EPERM)?;
    let slack = subject.task()?.attributes.lock().timer_slack;
    Ok(text!("{slack}\n"))
}

fn set_timer_slack(subject: &Subject, data: &[u8]) -> Result<(), Errno> {
    subject.may_inspect().map_err(|_| Errno::EPERM)?;
    let slack = u64::try_from(pseudo::parse_number(data)?).map_err(|_| Errno::EINVAL)?;
    let task = subject.task()?;
    task.attributes.lock().timer_slack = if slack == 0 { 50_000 } else { slack };
    Ok(())
}

fn oom_score_adj(subject: &Subject) -> Result<i32, Errno> {
    Ok(subject.process()?.oom_score_adj.load(Ordering::Relaxed))
}

fn set_oom_score_adj(subject: &Subject, data: &[u8]) -> Result<(), Errno> {
    let value = pseudo::parse_number(data)?;
    let value = i32::try_from(value).map_err(|_| Errno::EINVAL)?;
    if !(-1000..=1000).contains(&value) {
        return Err(Errno::EINVAL);
    }
    let process = subject.process()?;
    let privileged =
        crate::sched::current().credentials().cap_effective & 1 << CAP_SYS_RESOURCE != 0;
    if value < process.oom_score_adj.load(Ordering::Relaxed) && !privileged {
        return Err(Errno::EACCES);
    }
    process.oom_score_adj.store(value, Ordering::Relaxed);
    Ok(())
}

fn oom_score(subject: &Subject) -> Result<Text, Errno> {
    let total = crate::mm::frame::stats().total.max(1);
    let pages = subject
        .space()
        .map_or(0, |space| space.stats().resident / 4096);
    let share = i64::try_from(pages.saturating_mul(1000) / total).unwrap_or(1000);
    // As Linux scales it: 0 for −1000, 667 for an idle process at 0, 1334 at most.
    let points = 1000 + share + i64::from(oom_score_adj(subject)?);
    Ok(text!("{}\n", points.max(0) * 2 / 3))
}

/// The inode that a link in ns/ leads to.
struct NamespaceNode(u64);

/// `st_dev` of namespaces.
const NSFS_DEV: u64 = 4;

fn namespace_location(subject: &Subject, text: &str, ino: u64) -> Option<Location> {
    subject.may_inspect().ok()?;
    Some(Location {
        inode: Arc::new(NamespaceNode(ino)),
        path: Arc::from(text.as_bytes()),
    })
}

impl Inode for NamespaceNode {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(pseudo::attributes(
            NSFS_DEV,
            self.0,
            S_IFREG | 0o444,
            (0, 0),
        ))
    }

    fn open(&self, _flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        Ok(Arc::new(NamespaceFile(self.0)))
    }
}

/// An open namespace: something to compare by fstat, no more.
struct NamespaceFile(u64);

impl FileOps for NamespaceFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        NamespaceNode(self.0).metadata()
    }

    fn describe(&self, file: &File) -> super::super::Description {
        pseudo::describe("file", file, b"ns")
    }
}
