//! Structures that few programs pass: io_uring, segments, mount attributes, System V IPC, performance events.

use super::{View, args, names, put, text};
use crate::event::SyscallEvent;
use vitrine_abi::{nr, syscall::Set};

/// `label` and a number without sign.
fn unsigned(out: &mut Vec<u8>, label: &str, value: u64) {
    put(out, label);
    text::udec(out, value);
}

/// Appends a `struct io_uring_params`: what was asked for, and after the call what there is.
pub(super) fn io_uring(out: &mut Vec<u8>, view: View<'_>, after: bool) {
    put(out, "{flags=");
    names::of(Set::IoUringSetup).write(out, u64::from(view.u32(8)));
    put(out, ", sq_thread_cpu=");
    text::hex(out, u64::from(view.u32(12)));
    unsigned(out, ", sq_thread_idle=", u64::from(view.u32(16)));
    if after {
        unsigned(out, ", sq_entries=", u64::from(view.u32(0)));
        unsigned(out, ", cq_entries=", u64::from(view.u32(4)));
        put(out, ", features=");
        names::of(Set::IoUringFeatures).write(out, u64::from(view.u32(20)));
        let queues: [(&str, usize, &[&str]); 2] = [
            (
                ", sq_off={",
                40,
                &[
                    "head=",
                    ", tail=",
                    ", ring_mask=",
                    ", ring_entries=",
                    ", flags=",
                    ", dropped=",
                    ", array=",
                ],
            ),
            (
                ", cq_off={",
                80,
                &[
                    "head=",
                    ", tail=",
                    ", ring_mask=",
                    ", ring_entries=",
                    ", overflow=",
                    ", cqes=",
                    ", flags=",
                ],
            ),
        ];
        for (label, offset, members) in queues {
            put(out, label);
            for (i, member) in members.iter().enumerate() {
                unsigned(out, member, u64::from(view.u32(offset + i * 4)));
            }
            out.push(b'}');
        }
    }
    out.push(b'}');
}

/// Appends a `struct user_desc`; of one that is asked for only its number.
pub(super) fn segment(out: &mut Vec<u8>, view: View<'_>, call: &SyscallEvent) {
    put(out, "{entry_number=");
    text::dec(out, i64::from(view.i32(0)));
    if call.nr as usize == nr::GET_THREAD_AREA && !call.succeeded() {
        return put(out, ", ...}");
    }
    for (label, offset) in [(", base_addr=", 4), (", limit=", 8)] {
        put(out, label);
        text::hex_padded(out, u64::from(view.u32(offset)), 8);
    }
    let bits = view.u32(12);
    for (label, shift, mask) in [
        (", seg_32bit=", 0, 1),
        (", contents=", 1, 3),
        (", read_exec_only=", 3, 1),
        (", limit_in_pages=", 4, 1),
        (", seg_not_present=", 5, 1),
        (", useable=", 6, 1),
        (", lm=", 7, 1),
    ] {
        unsigned(out, label, u64::from(bits >> shift & mask));
    }
    out.push(b'}');
}

/// Appends a `struct __sysctl_args`.
pub(super) fn sysctl(out: &mut Vec<u8>, view: View<'_>) {
    put(out, "{name=");
    text::address(out, view.u64(0));
    put(out, ", nlen=");
    text::dec(out, i64::from(view.i32(8)));
    for (label, offset) in [(", oldval=", 16), (", oldlenp=", 24), (", newval=", 32)] {
        put(out, label);
        text::address(out, view.u64(offset));
    }
    unsigned(out, ", newlen=", view.u64(40));
    out.push(b'}');
}

/// Appends a `struct mount_attr`.
pub(super) fn mount_attributes(out: &mut Vec<u8>, view: View<'_>) {
    put(out, "{attr_set=");
    names::of(Set::MountAttr).write(out, view.u64(0));
    put(out, ", attr_clr=");
    names::of(Set::MountAttr).write(out, view.u64(8));
    put(out, ", propagation=");
    names::of(Set::Propagation).write(out, view.u64(16));
    put(out, ", userns_fd=");
    text::dec(out, i64::from(view.i32(24)));
    out.push(b'}');
}

/// Appends a `struct ipc64_perm`: all of it as the kernel fills it in, or what may be set.
fn permissions(out: &mut Vec<u8>, label: &str, view: View<'_>, sets: bool) {
    put(out, label);
    put(out, "={uid=");
    args::id(out, view.u32(4));
    put(out, ", gid=");
    args::id(out, view.u32(8));
    put(out, ", mode=");
    text::mode(out, u64::from(view.u32(20)));
    if !sets {
        unsigned(out, ", key=", u64::from(view.u32(0)));
        put(out, ", cuid=");
        args::id(out, view.u32(12));
        put(out, ", cgid=");
        args::id(out, view.u32(16));
    }
    out.push(b'}');
}

const IPC_SET: u32 = 1;
/// `struct ipc64_perm`.
const PERMISSIONS: usize = 48;

/// Appends a `struct shmid64_ds`.
pub(super) fn shared_memory(out: &mut Vec<u8>, view: View<'_>, call: &SyscallEvent) {
    let sets = call.args[1] as u32 & 0xff == IPC_SET;
    permissions(out, "{shm_perm", view, sets);
    if sets {
        return out.push(b'}');
    }
    unsigned(out, ", shm_segsz=", view.u64(PERMISSIONS));
    unsigned(out, ", shm_cpid=", u64::from(view.u32(80)));
    unsigned(out, ", shm_lpid=", u64::from(view.u32(84)));
    unsigned(out, ", shm_nattch=", view.u64(88));
    unsigned(out, ", shm_atime=", view.u64(56));
    unsigned(out, ", shm_dtime=", view.u64(64));
    unsigned(out, ", shm_ctime=", view.u64(72));
    out.push(b'}');
}

/// Appends a `struct msqid64_ds`.
pub(super) fn queue(out: &mut Vec<u8>, view: View<'_>, call: &SyscallEvent) {
    let sets = call.args[1] as u32 & 0xff == IPC_SET;
    permissions(out, "{msg_perm", view, sets);
    if sets {
        unsigned(out, ", msg_qbytes=", view.u64(88));
        return put(out, ", ...}");
    }
    for (label, offset) in [
        (", msg_stime=", 48),
        (", msg_rtime=", 56),
        (", msg_ctime=", 64),
        (", msg_qnum=", 80),
        (", msg_qbytes=", 88),
    ] {
        unsigned(out, label, view.u64(offset));
    }
    unsigned(out, ", msg_lspid=", u64::from(view.u32(96)));
    unsigned(out, ", msg_lrpid=", u64::from(view.u32(100)));
    out.push(b'}');
}

/// Appends the head of a `struct perf_event_attr`.
pub(super) fn perf_event(out: &mut Vec<u8>, view: View<'_>) {
    const TYPES: [&str; 6] = [
        "PERF_TYPE_HARDWARE",
        "PERF_TYPE_SOFTWARE",
        "PERF_TYPE_TRACEPOINT",
        "PERF_TYPE_HW_CACHE",
        "PERF_TYPE_RAW",
        "PERF_TYPE_BREAKPOINT",
    ];
    const HARDWARE: [&str; 10] = [
        "CPU_CYCLES",
        "INSTRUCTIONS",
        "CACHE_REFERENCES",
        "CACHE_MISSES",
        "BRANCH_INSTRUCTIONS",
        "BRANCH_MISSES",
        "BUS_CYCLES",
        "STALLED_CYCLES_FRONTEND",
        "STALLED_CYCLES_BACKEND",
        "REF_CPU_CYCLES",
    ];
    const SOFTWARE: [&str; 12] = [
        "CPU_CLOCK",
        "TASK_CLOCK",
        "PAGE_FAULTS",
        "CONTEXT_SWITCHES",
        "CPU_MIGRATIONS",
        "PAGE_FAULTS_MIN",
        "PAGE_FAULTS_MAJ",
        "ALIGNMENT_FAULTS",
        "EMULATION_FAULTS",
        "DUMMY",
        "BPF_OUTPUT",
        "CGROUP_SWITCHES",
    ];
    const SIZES: [(u32, &str); 8] = [
        (64, "0"),
        (72, "1"),
        (80, "2"),
        (96, "3"),
        (104, "4"),
        (112, "5"),
        (120, "6"),
        (128, "7"),
    ];
    let (kind, size, config) = (view.u32(0), view.u32(4), view.u64(8));
    put(out, "{type=");
    match TYPES.get(kind as usize) {
        Some(name) => put(out, name),
        None => {
            text::hex(out, u64::from(kind));
            put(out, " /* PERF_TYPE_??? */");
        }
    }
    put(out, ", size=");
    match SIZES.iter().find(|(known, _)| *known == size) {
        Some((_, version)) => {
            put(out, "PERF_ATTR_SIZE_VER");
            put(out, version);
        }
        None => {
            text::hex(out, u64::from(size));
            put(out, " /* PERF_ATTR_SIZE_??? */");
        }
    }
    put(out, ", config=");
    let named = match kind {
        0 => HARDWARE.get(config as usize).map(|name| ("HW_", *name)),
        1 => SOFTWARE.get(config as usize).map(|name| ("SW_", *name)),
        _ => None,
    };
    match named {
        Some((class, name)) => {
            put(out, "PERF_COUNT_");
            put(out, class);
            put(out, name);
        }
        None => text::hex(out, config),
    }
    const FREQUENCY: u64 = 1 << 10;
    let by_frequency = view.u64(40) & FREQUENCY != 0;
    unsigned(
        out,
        if by_frequency {
            ", sample_freq="
        } else {
            ", sample_period="
        },
        view.u64(16),
    );
    put(out, ", sample_type=");
    SAMPLES.write(out, view.u64(24));
    put(out, ", read_format=");
    FORMATS.write(out, view.u64(32));
    for (bit, label) in [
        (0, ", disabled=1"),
        (1, ", inherit=1"),
        (2, ", pinned=1"),
        (3, ", exclusive=1"),
        (4, ", exclude_user=1"),
        (5, ", exclude_kernel=1"),
        (6, ", exclude_hv=1"),
        (7, ", exclude_idle=1"),
        (8, ", mmap=1"),
        (9, ", comm=1"),
        (10, ", freq=1"),
        (11, ", inherit_stat=1"),
        (12, ", enable_on_exec=1"),
        (13, ", task=1"),
        (14, ", watermark=1"),
    ] {
        if view.u64(40) >> bit & 1 != 0 {
            put(out, label);
        }
    }
    let precise = view.u64(40) >> 15 & 3;
    unsigned(out, ", precise_ip=", precise);
    put(
        out,
        [
            " /* arbitrary skid */",
            " /* constant skid */",
            " /* requested to have 0 skid */",
            " /* must have 0 skid */",
        ][precise as usize],
    );
    put(out, ", ...}");
}

static SAMPLES: names::Names = names::Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "PERF_SAMPLE_IP"),
        (0x2, "PERF_SAMPLE_TID"),
        (0x4, "PERF_SAMPLE_TIME"),
        (0x8, "PERF_SAMPLE_ADDR"),
        (0x10, "PERF_SAMPLE_READ"),
        (0x20, "PERF_SAMPLE_CALLCHAIN"),
        (0x40, "PERF_SAMPLE_ID"),
        (0x80, "PERF_SAMPLE_CPU"),
        (0x100, "PERF_SAMPLE_PERIOD"),
        (0x200, "PERF_SAMPLE_STREAM_ID"),
        (0x400, "PERF_SAMPLE_RAW"),
        (0x800, "PERF_SAMPLE_BRANCH_STACK"),
        (0x1000, "PERF_SAMPLE_REGS_USER"),
        (0x2000, "PERF_SAMPLE_STACK_USER"),
        (0x4000, "PERF_SAMPLE_WEIGHT"),
        (0x8000, "PERF_SAMPLE_DATA_SRC"),
        (0x10000, "PERF_SAMPLE_IDENTIFIER"),
    ],
    unknown: "PERF_SAMPLE_???",
    zero: "0",
    unknown_bits: "",
};

static FORMATS: names::Names = names::Names {
    field: 0,
    values: &[],
    bits: &[
        (0x1, "PERF_FORMAT_TOTAL_TIME_ENABLED"),
        (0x2, "PERF_FORMAT_TOTAL_TIME_RUNNING"),
        (0x4, "PERF_FORMAT_ID"),
        (0x8, "PERF_FORMAT_GROUP"),
        (0x10, "PERF_FORMAT_LOST"),
    ],
    unknown: "PERF_FORMAT_???",
    zero: "0",
    unknown_bits: "",
};
