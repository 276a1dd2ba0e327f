//! /proc/sys: settings of the kernel. Most are facts here, and can't be changed.

use super::{
    super::{
        devpts,
        pseudo::{Entry, Show, Text, text},
    },
    Global,
    global::{fixed, memory},
};
use crate::{
    Errno, random, sched,
    task::{table, uts},
};
use linux_raw_sys::general::CAP_SYS_ADMIN;

/// The tree.
pub static ENTRIES: &[Entry<Global>] = &[
    Entry::dir("fs", 0o555, FS),
    Entry::dir("kernel", 0o555, KERNEL),
    Entry::dir("net", 0o555, NET),
    Entry::dir("vm", 0o555, VM),
];

/// A setting that root could change on Linux, and that is fixed here.
const fn setting(name: &'static str, show: Show<Global>) -> Entry<Global> {
    Entry::stored(name, 0o644, show, fixed)
}

/// A fact.
const fn fact(name: &'static str, show: Show<Global>) -> Entry<Global> {
    Entry::stored(name, 0o444, show, fixed)
}

static FS: &[Entry<Global>] = &[
    setting("aio-max-nr", |_| Ok("65536\n".into())),
    fact("aio-nr", |_| Ok("0\n".into())),
    fact("dentry-state", |_| Ok("0\t0\t45\t0\t0\t0\n".into())),
    Entry::dir(
        "epoll",
        0o555,
        &[setting("max_user_watches", |_| Ok("1048576\n".into()))],
    ),
    setting("file-max", |_| Ok("9223372036854775807\n".into())),
    fact("file-nr", |_| Ok("0\t0\t9223372036854775807\n".into())),
    fact("inode-nr", |_| Ok("0\t0\n".into())),
    Entry::dir(
        "inotify",
        0o555,
        &[
            setting("max_queued_events", |_| Ok("16384\n".into())),
            setting("max_user_instances", |_| Ok("128\n".into())),
            setting("max_user_watches", |_| Ok("65536\n".into())),
        ],
    ),
    setting("lease-break-time", |_| Ok("45\n".into())),
    setting("mount-max", |_| Ok("100000\n".into())),
    setting("nr_open", |_| Ok("1048576\n".into())),
    setting("overflowgid", |_| Ok("65534\n".into())),
    setting("overflowuid", |_| Ok("65534\n".into())),
    setting("pipe-max-size", |_| Ok("1048576\n".into())),
    setting("pipe-user-pages-hard", |_| Ok("0\n".into())),
    setting("pipe-user-pages-soft", |_| Ok("16384\n".into())),
    setting("protected_fifos", |_| Ok("0\n".into())),
    setting("protected_hardlinks", |_| Ok("1\n".into())),
    setting("protected_regular", |_| Ok("0\n".into())),
    setting("protected_symlinks", |_| Ok("1\n".into())),
    setting("suid_dumpable", |_| Ok("0\n".into())),
];

static KERNEL: &[Entry<Global>] = &[
    fact("cap_last_cap", |_| Ok("40\n".into())),
    setting("core_pattern", |_| Ok("core\n".into())),
    setting("core_uses_pid", |_| Ok("0\n".into())),
    setting("dmesg_restrict", |_| Ok("1\n".into())),
    Entry::stored(
        "domainname",
        0o644,
        |_| Ok(line(&uts::domainname())),
        |_, data| {
            require_admin()?;
            uts::set_domainname(first_line(data));
            Ok(())
        },
    ),
    Entry::stored(
        "hostname",
        0o644,
        |_| Ok(line(&uts::hostname())),
        |_, data| {
            require_admin()?;
            uts::set_hostname(first_line(data));
            Ok(())
        },
    ),
    setting("io_uring_disabled", |_| Ok("2\n".into())),
    setting("kptr_restrict", |_| Ok("1\n".into())),
    setting("msgmax", |_| Ok("8192\n".into())),
    setting("msgmnb", |_| Ok("16384\n".into())),
    setting("msgmni", |_| Ok("32000\n".into())),
    fact("ngroups_max", |_| Ok("65536\n".into())),
    setting("ns_last_pid", |_| Ok(text!("{}\n", table::last_id()))),
    fact("osrelease", |_| Ok(text!("{}\n", uts::RELEASE))),
    fact("ostype", |_| Ok(text!("{}\n", uts::SYSNAME))),
    setting("overflowgid", |_| Ok("65534\n".into())),
    setting("overflowuid", |_| Ok("65534\n".into())),
    setting("panic", |_| Ok("0\n".into())),
    setting("perf_event_paranoid", |_| Ok("4\n".into())),
    setting("pid_max", |_| Ok(text!("{}\n", table::PID_MAX))),
    setting("printk", |_| Ok("4\t4\t1\t7\n".into())),
    Entry::dir(
        "pty",
        0o555,
        &[
            setting("max", |_| Ok(text!("{}\n", devpts::PTY_MAX))),
            fact("nr", |_| Ok(text!("{}\n", devpts::count()))),
            setting("reserve", |_| Ok("0\n".into())),
        ],
    ),
    Entry::dir("random", 0o555, RANDOM),
    setting("randomize_va_space", |_| Ok("2\n".into())),
    setting("sched_rr_timeslice_ms", |_| Ok("100\n".into())),
    setting("sched_rt_period_us", |_| Ok("1000000\n".into())),
    setting("sched_rt_runtime_us", |_| Ok("950000\n".into())),
    setting("sem", |_| Ok("32000\t1024000000\t500\t32000\n".into())),
    setting("shmall", |_| Ok("18446744073692774399\n".into())),
    setting("shmmax", |_| Ok("18446744073692774399\n".into())),
    setting("shmmni", |_| Ok("4096\n".into())),
    setting("tainted", |_| Ok("0\n".into())),
    setting("threads-max", |_| Ok(text!("{}\n", table::counts().1))),
    setting("unprivileged_bpf_disabled", |_| Ok("2\n".into())),
    fact("version", |_| Ok(text!("{}\n", uts::VERSION))),
];

static RANDOM: &[Entry<Global>] = &[
    fact("boot_id", |_| {
        static BOOT_ID: spin::Once<[u8; 16]> = spin::Once::new();
        Ok(uuid(*BOOT_ID.call_once(random_uuid)))
    }),
    fact("entropy_avail", |_| Ok("256\n".into())),
    fact("poolsize", |_| Ok("256\n".into())),
    setting("urandom_min_reseed_secs", |_| Ok("60\n".into())),
    fact("uuid", |_| Ok(uuid(random_uuid()))),
    setting("write_wakeup_threshold", |_| Ok("256\n".into())),
];

static VM: &[Entry<Global>] = &[
    setting("admin_reserve_kbytes", |_| Ok("8192\n".into())),
    setting("dirty_background_ratio", |_| Ok("10\n".into())),
    setting("dirty_ratio", |_| Ok("20\n".into())),
    setting("legacy_va_layout", |_| Ok("0\n".into())),
    setting("max_map_count", |_| Ok("65530\n".into())),
    setting("min_free_kbytes", |_| {
        Ok(text!("{}\n", memory().total / 256))
    }),
    setting("mmap_min_addr", |_| {
        Ok(text!("{}\n", vitrine_abi::layout::USER_MIN))
    }),
    setting("nr_hugepages", |_| Ok("0\n".into())),
    setting("overcommit_kbytes", |_| Ok("0\n".into())),
    setting("overcommit_memory", |_| Ok("1\n".into())),
    setting("overcommit_ratio", |_| Ok("50\n".into())),
    setting("page-cluster", |_| Ok("3\n".into())),
    setting("panic_on_oom", |_| Ok("0\n".into())),
    setting("swappiness", |_| Ok("60\n".into())),
    setting("vfs_cache_pressure", |_| Ok("100\n".into())),
];

static NET: &[Entry<Global>] = &[
    Entry::dir(
        "core",
        0o555,
        &[
            setting("optmem_max", |_| Ok("131072\n".into())),
            setting("rmem_default", |_| Ok("212992\n".into())),
            setting("rmem_max", |_| Ok("212992\n".into())),
            setting("somaxconn", |_| Ok("4096\n".into())),
            setting("wmem_default", |_| Ok("212992\n".into())),
            setting("wmem_max", |_| Ok("212992\n".into())),
        ],
    ),
    Entry::dir(
        "ipv4",
        0o555,
        &[
            setting("ip_forward", |_| Ok("0\n".into())),
            setting("ip_local_port_range", |_| Ok("32768\t60999\n".into())),
            setting("ip_unprivileged_port_start", |_| Ok("1024\n".into())),
            setting("ping_group_range", |_| Ok("1\t0\n".into())),
            setting("tcp_fin_timeout", |_| Ok("60\n".into())),
            setting("tcp_rmem", |_| Ok("4096\t131072\t6291456\n".into())),
            setting("tcp_wmem", |_| Ok("4096\t16384\t4194304\n".into())),
        ],
    ),
    Entry::dir(
        "unix",
        0o555,
        &[setting("max_dgram_qlen", |_| Ok("512\n".into()))],
    ),
];

fn line(text: &[u8]) -> Text {
    let mut out = Text::new();
    out.bytes(text).bytes(b"\n");
    out
}

fn first_line(data: &[u8]) -> &[u8] {
    let end = data.iter().position(|b| matches!(b, b'\n' | 0));
    &data[..end.unwrap_or(data.len())]
}

fn require_admin() -> Result<(), Errno> {
    if sched::current().credentials().cap_effective & 1 << CAP_SYS_ADMIN != 0 {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

fn random_uuid() -> [u8; 16] {
    let mut uuid = [0; 16];
    random::fill(&mut uuid);
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    uuid
}

fn uuid(bytes: [u8; 16]) -> Text {
    let mut out = Text::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.bytes(b"-");
        }
        out.put(format_args!("{byte:02x}"));
    }
    out.bytes(b"\n");
    out
}
