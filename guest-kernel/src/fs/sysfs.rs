//! /sys: the read-only part that common tools read: processors, memory nodes, huge pages, empty classes.

use super::{
    Inode,
    procfs::node_meminfo,
    pseudo::{self, Context, Entry, Node},
};
use crate::Errno;
use alloc::{sync::Arc, vec::Vec};
use spin::Once;

/// The root of /sys.
pub fn root() -> Arc<dyn Inode> {
    static ROOT: Once<Arc<dyn Inode>> = Once::new();
    ROOT.call_once(|| Arc::new(Node::new(&TREE, Sys, 1)))
        .clone()
}

/// The tree knows nothing but itself.
#[derive(Clone)]
struct Sys;

impl Context for Sys {
    const DEV: u64 = pseudo::SYSFS_DEV;
    const MAGIC: u64 = pseudo::SYSFS_MAGIC;
}

/// `dir!("name", entries…)`: a directory.
macro_rules! dir {
    ($name:literal $(, $entry:expr)* $(,)?) => {
        Entry::dir($name, 0o755, &[$($entry),*])
    };
}

/// `file!("name", "text")`: a file with that line.
macro_rules! file {
    ($name:literal, $text:literal) => {
        Entry::file($name, 0o444, |_| Ok(concat!($text, "\n").into()))
    };
}

static TREE: Entry<Sys> = dir!(
    "",
    dir!("block"),
    dir!("bus"),
    dir!(
        "class",
        dir!("block"),
        dir!("mem"),
        dir!("misc"),
        dir!("net"),
        dir!("tty")
    ),
    dir!("dev", dir!("block"), dir!("char")),
    dir!(
        "devices",
        dir!(
            "system",
            dir!(
                "clocksource",
                dir!(
                    "clocksource0",
                    file!("available_clocksource", "tsc "),
                    file!("current_clocksource", "tsc")
                )
            ),
            dir!(
                "cpu",
                CPU0,
                file!("isolated", ""),
                file!("kernel_max", "0"),
                file!("offline", ""),
                file!("online", "0"),
                file!("possible", "0"),
                file!("present", "0"),
                dir!(
                    "smt",
                    file!("active", "0"),
                    file!("control", "notsupported")
                ),
            ),
            dir!(
                "node",
                file!("has_cpu", "0"),
                file!("has_memory", "0"),
                file!("has_normal_memory", "0"),
                NODE0,
                file!("online", "0"),
                file!("possible", "0"),
            )
        )
    ),
    dir!("firmware"),
    dir!("fs", dir!("cgroup")),
    dir!(
        "kernel",
        file!("address_bits", "64"),
        file!("cpu_byteorder", "little"),
        dir!(
            "mm",
            dir!("hugepages"),
            dir!(
                "transparent_hugepage",
                file!("defrag", "always defer defer+madvise [madvise] never"),
                file!("enabled", "[always] madvise never"),
                file!("hpage_pmd_size", "2097152"),
                file!(
                    "shmem_enabled",
                    "always within_size advise [never] deny force"
                ),
                file!("use_zero_page", "1"),
            )
        ),
        dir!("security"),
    ),
    dir!("module"),
    dir!("power"),
);

const CPU0: Entry<Sys> = dir!(
    "cpu0",
    Entry::link("node0", |_| target("../../node/node0")),
    file!("online", "1"),
    dir!(
        "topology",
        file!("cluster_cpus", "1"),
        file!("cluster_cpus_list", "0"),
        file!("cluster_id", "65535"),
        file!("core_cpus", "1"),
        file!("core_cpus_list", "0"),
        file!("core_id", "0"),
        file!("core_siblings", "1"),
        file!("core_siblings_list", "0"),
        file!("die_cpus", "1"),
        file!("die_cpus_list", "0"),
        file!("die_id", "0"),
        file!("package_cpus", "1"),
        file!("package_cpus_list", "0"),
        file!("physical_package_id", "0"),
        file!("thread_siblings", "1"),
        file!("thread_siblings_list", "0"),
    ),
);

const NODE0: Entry<Sys> = dir!(
    "node0",
    Entry::link("cpu0", |_| target("../../cpu/cpu0")),
    file!("cpulist", "0"),
    file!("cpumap", "1"),
    file!("distance", "10"),
    Entry::file("meminfo", 0o444, |_| Ok(node_meminfo())),
);

fn target(path: &str) -> Result<Vec<u8>, Errno> {
    Ok(Vec::from(path.as_bytes()))
}
