//! Structures as strace prints them, from their bytes as they lay in the program's memory.

use super::{
    Style, View, args, names, notation, put, rare, signals, sockets, stat, system, terminal, text,
    times::{dated, time, time_pair},
    zone,
};
use crate::event::SyscallEvent;
use vitrine_abi::{
    event::tag,
    syscall::{Set, StructKind},
};

/// Where a structure belongs.
pub struct Context<'a> {
    /// The call.
    pub call: &'a SyscallEvent,
    /// The argument.
    pub index: usize,
    /// Whether it was captured after the call.
    pub out: bool,
    /// How much is shown.
    pub style: &'a Style,
}

/// Appends a structure.
pub fn write(out: &mut Vec<u8>, kind: StructKind, view: View<'_>, context: &Context<'_>) {
    match kind {
        StructKind::Int => bracketed(out, |out| text::dec(out, i64::from(view.i32(0)))),
        StructKind::Uint => bracketed(out, |out| text::udec(out, u64::from(view.u32(0)))),
        StructKind::Ulong => bracketed(out, |out| text::udec(out, view.u64(0))),
        StructKind::Long => bracketed(out, |out| text::dec(out, view.i64(0))),
        StructKind::Pointer => bracketed(out, |out| text::address(out, view.u64(0))),
        StructKind::Id => bracketed(out, |out| args::id(out, view.u32(0))),
        StructKind::WaitStatus => bracketed(out, |out| signals::wait_status(out, view.i32(0))),
        StructKind::SchedParam => bracketed(out, |out| text::dec(out, i64::from(view.i32(0)))),
        StructKind::Time => bracketed(out, |out| {
            text::dec(out, view.i64(0));
            put(out, " /* ");
            zone::date_time(out, view.i64(0), |_| ());
            put(out, " */");
        }),
        StructKind::FdPair => fd_pair(out, view, context),
        StructKind::Stat => stat::stat(out, view, context.style),
        StructKind::Statx => stat::statx(out, view, context.style),
        StructKind::Statfs => stat::statfs(out, view),
        StructKind::Timespec | StructKind::Timeval => time(out, kind, view),
        StructKind::TimespecPair => time_pair(out, view, "nsec"),
        StructKind::TimevalPair => time_pair(out, view, "usec"),
        StructKind::Timezone => {
            put(out, "{tz_minuteswest=");
            text::dec(out, i64::from(view.i32(0)));
            put(out, ", tz_dsttime=");
            text::dec(out, i64::from(view.i32(4)));
            out.push(b'}');
        }
        StructKind::Utimbuf => {
            for (offset, label) in [(0, "{actime="), (8, ", modtime=")] {
                put(out, label);
                dated(out, view.i64(offset));
            }
            out.push(b'}');
        }
        StructKind::Itimerval | StructKind::Itimerspec => {
            let part = if kind == StructKind::Itimerval {
                StructKind::Timeval
            } else {
                StructKind::Timespec
            };
            put(out, "{it_interval=");
            time(out, part, view);
            put(out, ", it_value=");
            time(out, part, View(view.0.get(16..).unwrap_or_default()));
            out.push(b'}');
        }
        StructKind::Tms => {
            let labels = [
                "{tms_utime=",
                ", tms_stime=",
                ", tms_cutime=",
                ", tms_cstime=",
            ];
            for (i, label) in labels.into_iter().enumerate() {
                put(out, label);
                text::dec(out, view.i64(i * 8));
            }
            out.push(b'}');
        }
        StructKind::Rlimit => {
            put(out, "{rlim_cur=");
            limit(out, view.u64(0));
            put(out, ", rlim_max=");
            limit(out, view.u64(8));
            out.push(b'}');
        }
        StructKind::Rusage => rusage(out, view, context.style),
        StructKind::Sigaction => sigaction(out, view),
        StructKind::SigSet => signals::set(out, view.u64(0)),
        StructKind::SigInfo => signals::info(out, &siginfo(view)),
        StructKind::SigStack => sigstack(out, view),
        StructKind::SigSetArg => {
            put(out, "{sigmask=");
            match context.call.items.find(tag::BYTES, context.index, false) {
                Some(set) if !set.is_fault() => signals::set(out, View(set.data).u64(0)),
                _ => text::address(out, view.u64(0)),
            }
            put(out, ", sigsetsize=");
            text::udec(out, view.u64(8));
            out.push(b'}');
        }
        StructKind::Utsname => utsname(out, view, context.style),
        StructKind::Sysinfo => sysinfo(out, view),
        StructKind::Flock => flock(out, view, matches!(context.call.args[1] as u32, 5 | 36)),
        StructKind::FOwnerEx => {
            put(out, "{type=");
            match view.u32(0) {
                0 => put(out, "F_OWNER_TID"),
                1 => put(out, "F_OWNER_PID"),
                2 => put(out, "F_OWNER_PGRP"),
                other => {
                    text::hex(out, u64::from(other));
                    put(out, " /* F_OWNER_??? */");
                }
            }
            put(out, ", pid=");
            text::dec(out, i64::from(view.i32(4)));
            out.push(b'}');
        }
        StructKind::Termios => terminal::termios(out, view, context.style),
        StructKind::Winsize => {
            let labels = ["{ws_row=", ", ws_col=", ", ws_xpixel=", ", ws_ypixel="];
            for (i, label) in labels.into_iter().enumerate() {
                put(out, label);
                text::udec(out, u64::from(view.u16(i * 2)));
            }
            out.push(b'}');
        }
        StructKind::PollFd => {
            put(out, "{fd=");
            text::dec(out, i64::from(view.i32(0)));
            if context.style.fd_paths {
                args::info_path(out, context.call.items.fd_among(context.index, view.i32(0)));
            }
            if view.i32(0) >= 0 {
                put(out, ", events=");
                names::of(Set::PollEvents).write(out, u64::from(view.u16(4)));
            }
            out.push(b'}');
        }
        StructKind::EpollEvent => {
            put(out, "{events=");
            names::of(Set::EpollEvents).write(out, u64::from(view.u32(0)));
            put(out, ", data={u32=");
            text::udec(out, u64::from(view.u32(4)));
            put(out, ", u64=");
            text::udec(out, view.u64(4));
            put(out, "}}");
        }
        StructKind::CloneArgs => clone_args(out, view, context),
        StructKind::OpenHow => {
            put(out, "{flags=");
            names::of(Set::OpenFlags).write(out, view.u64(0));
            if view.u64(0) & 0o20_000_100 != 0 || view.u64(8) != 0 {
                put(out, ", mode=");
                text::mode(out, view.u64(8));
            }
            put(out, ", resolve=");
            names::of(Set::Resolve).write(out, view.u64(16));
            out.push(b'}');
        }
        StructKind::MsgHdr => sockets::message(out, view, context),
        StructKind::Ucred => sockets::credentials(out, view),
        StructKind::IntPair => {
            put(out, "{l_onoff=");
            text::dec(out, i64::from(view.i32(0)));
            put(out, ", l_linger=");
            text::dec(out, i64::from(view.i32(4)));
            out.push(b'}');
        }
        StructKind::CapHeader => {
            put(out, "{version=");
            match view.u32(0) {
                0x1998_0330 => put(out, "_LINUX_CAPABILITY_VERSION_1"),
                0x2007_1026 => put(out, "_LINUX_CAPABILITY_VERSION_2"),
                0x2008_0522 => put(out, "_LINUX_CAPABILITY_VERSION_3"),
                other => {
                    text::hex(out, u64::from(other));
                    put(out, " /* _LINUX_CAPABILITY_VERSION_??? */");
                }
            }
            put(out, ", pid=");
            text::dec(out, i64::from(view.i32(4)));
            out.push(b'}');
        }
        StructKind::IoVec => {
            put(out, "{iov_base=");
            text::address(out, view.u64(0));
            put(out, ", iov_len=");
            text::udec(out, view.u64(8));
            out.push(b'}');
        }
        StructKind::Sembuf => {
            put(out, "{sem_num=");
            text::udec(out, u64::from(view.u16(0)));
            put(out, ", sem_op=");
            text::dec(out, i64::from(view.u16(2) as i16));
            put(out, ", sem_flg=");
            names::of(Set::SemopFlags).write(out, u64::from(view.u16(4)));
            put(out, "}");
        }
        StructKind::Timex => system::timex(out, view),
        StructKind::Sigevent => system::sigevent(out, view),
        StructKind::SchedAttr => system::sched_attr(out, view),
        StructKind::CapData => {
            let header = context.call.items.find(tag::STRUCT, 0, false);
            let version = header.map(|header| View(header.data).u32(0));
            let two = matches!(version, Some(0x2007_1026 | 0x2008_0522));
            system::capabilities(out, view, two);
        }
        StructKind::FutexWaitv => system::futex_waitv(out, view),
        StructKind::MqAttr => system::mq_attr(out, view),
        StructKind::Ifreq => system::interface(out, view, context.call),
        StructKind::Termios2 => terminal::termios(out, view, context.style),
        StructKind::Ustat => stat::ustat(out, view),
        StructKind::IoUringParams => rare::io_uring(out, view, context.out),
        StructKind::SockFprog => {
            put(out, "{len=");
            text::udec(out, u64::from(view.u16(0)));
            put(out, ", filter=");
            text::address(out, view.u64(8));
            out.push(b'}');
        }
        StructKind::TscMode => bracketed(out, |out| {
            names::of(Set::TscMode).write(out, u64::from(view.u32(0)));
        }),
        StructKind::Termio => terminal::termio(out, view, context.style),
        StructKind::SeccompAction => bracketed(out, |out| {
            names::of(Set::SeccompAction).write(out, u64::from(view.u32(0)));
        }),
        StructKind::MpolMode => bracketed(out, |out| {
            names::of(Set::MpolMode).write(out, u64::from(view.u32(0)));
        }),
        StructKind::UserDesc => rare::segment(out, view, context.call),
        StructKind::SysctlArgs => rare::sysctl(out, view),
        StructKind::FileHandle => file_handle(out, view, None, context),
        StructKind::MountAttr => rare::mount_attributes(out, view),
        StructKind::LandlockRuleset => {
            put(out, "{handled_access_fs=");
            names::of(Set::LandlockAccess).write(out, view.u64(0));
            put(
                out,
                if context.call.args[1] > 8 {
                    ", ...}"
                } else {
                    "}"
                },
            );
        }
        StructKind::LandlockPath => {
            put(out, "{allowed_access=");
            names::of(Set::LandlockAccess).write(out, view.u64(0));
            put(out, ", parent_fd=");
            text::dec(out, i64::from(view.i32(8)));
            if context.style.fd_paths {
                args::info_path(out, context.call.items.fd_among(context.index, view.i32(8)));
            }
            out.push(b'}');
        }
        StructKind::ShmidDs => rare::shared_memory(out, view, context.call),
        StructKind::MsqidDs => rare::queue(out, view, context.call),
        StructKind::PerfEventAttr => rare::perf_event(out, view),
        // A message is more than its head.
        StructKind::MMsgHdr => {
            let raw = context.call.args.get(context.index).copied().unwrap_or(0);
            text::address(out, raw);
        }
    }
}

/// A file's handle: how long one may be until it is filled in, as a whole then.
pub(super) fn file_handle(
    out: &mut Vec<u8>,
    before: View<'_>,
    after: Option<View<'_>>,
    context: &Context<'_>,
) {
    const HEADER: usize = 8;
    const MAX_HANDLE: u32 = 128;
    let given = context.call.nr as usize == vitrine_abi::nr::OPEN_BY_HANDLE_AT;
    put(out, "{handle_bytes=");
    text::udec(out, u64::from(before.u32(0)));
    let whole = after.or(given.then_some(before));
    let Some(whole) = whole else {
        return out.push(b'}');
    };
    if whole.u32(0) != before.u32(0) {
        put(out, " => ");
        text::udec(out, u64::from(whole.u32(0)));
    }
    if context.call.succeeded() || given {
        put(out, ", handle_type=");
        text::dec(out, i64::from(whole.i32(4)));
        put(out, ", f_handle=");
        let len = HEADER + whole.u32(0).min(MAX_HANDLE) as usize;
        let handle = whole.0.get(HEADER..len).unwrap_or_default();
        text::quoted_hex(out, handle);
        if whole.u32(0) > MAX_HANDLE {
            put(out, "...");
        }
    }
    out.push(b'}');
}

fn bracketed(out: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'[');
    inner(out);
    out.push(b']');
}

fn fd_pair(out: &mut Vec<u8>, view: View<'_>, context: &Context<'_>) {
    for which in 0..2u8 {
        put(out, if which == 0 { "[" } else { ", " });
        text::dec(out, i64::from(view.i32(which as usize * 4)));
        if context.style.fd_paths {
            args::fd_path(out, context.call, context.index, which);
        }
    }
    out.push(b']');
}

fn limit(out: &mut Vec<u8>, value: u64) {
    let number = |out: &mut Vec<u8>| text::udec(out, value);
    if value == u64::MAX {
        notation::constant(out, number, |out| put(out, "RLIM64_INFINITY"));
    } else if value > 1024 && value.is_multiple_of(1024) {
        notation::product(out, value, value / 1024, 1024);
    } else {
        number(out);
    }
}

fn rusage(out: &mut Vec<u8>, view: View<'_>, style: &Style) {
    put(out, "{ru_utime=");
    time(out, StructKind::Timeval, view);
    put(out, ", ru_stime=");
    time(
        out,
        StructKind::Timeval,
        View(view.0.get(16..).unwrap_or_default()),
    );
    if style.abbreviate {
        return put(out, ", ...}");
    }
    let labels = [
        "maxrss", "ixrss", "idrss", "isrss", "minflt", "majflt", "nswap", "inblock", "oublock",
        "msgsnd", "msgrcv", "nsignals", "nvcsw", "nivcsw",
    ];
    for (i, label) in labels.into_iter().enumerate() {
        put(out, ", ru_");
        put(out, label);
        out.push(b'=');
        text::udec(out, view.u64(32 + i * 8));
    }
    out.push(b'}');
}

fn sigaction(out: &mut Vec<u8>, view: View<'_>) {
    const SA_RESTORER: u64 = 0x0400_0000;
    put(out, "{sa_handler=");
    let handler = view.u64(0);
    let name = match handler {
        0 => Some("SIG_DFL"),
        1 => Some("SIG_IGN"),
        u64::MAX => Some("SIG_ERR"),
        _ => None,
    };
    let number = |out: &mut Vec<u8>| text::hex(out, handler);
    match name {
        Some(name) => notation::constant(out, number, |out| put(out, name)),
        None => number(out),
    }
    put(out, ", sa_mask=");
    signals::set(out, view.u64(24));
    put(out, ", sa_flags=");
    names::of(Set::SigactionFlags).write(out, view.u64(8));
    if view.u64(8) & SA_RESTORER != 0 {
        put(out, ", sa_restorer=");
        text::address(out, view.u64(16));
    }
    out.push(b'}');
}

/// Reads a `siginfo_t`.
pub fn siginfo(view: View<'_>) -> signals::Info {
    let signo = view.i32(0);
    let code = view.i32(8);
    let fault = code > 0 && code != 0x80 && matches!(signo, 4 | 5 | 7 | 8 | 11);
    let child = signo == 17 && code > 0;
    signals::Info {
        signo,
        errno: view.i32(4),
        code,
        pid: view.i32(16),
        uid: view.u32(20),
        status: view.i32(24),
        addr: if fault || code == 0x80 {
            view.u64(16)
        } else {
            0
        },
        value: view.u64(24),
        utime: if child { view.u64(32) } else { 0 },
        stime: if child { view.u64(40) } else { 0 },
    }
}

fn sigstack(out: &mut Vec<u8>, view: View<'_>) {
    put(out, "{ss_sp=");
    text::address(out, view.u64(0));
    put(out, ", ss_flags=");
    names::of(Set::SigaltstackFlags).write(out, u64::from(view.u32(8)));
    put(out, ", ss_size=");
    text::udec(out, view.u64(16));
    out.push(b'}');
}

fn utsname(out: &mut Vec<u8>, view: View<'_>, style: &Style) {
    let labels = [
        "{sysname=",
        ", nodename=",
        ", release=",
        ", version=",
        ", machine=",
        ", domainname=",
    ];
    for (i, label) in labels.into_iter().enumerate() {
        if style.abbreviate && i == 2 {
            return put(out, ", ...}");
        }
        put(out, label);
        text::quoted(out, view.string(i * 65, 65));
    }
    out.push(b'}');
}

fn sysinfo(out: &mut Vec<u8>, view: View<'_>) {
    put(out, "{uptime=");
    text::dec(out, view.i64(0));
    put(out, ", loads=[");
    for i in 0..3 {
        if i > 0 {
            put(out, ", ");
        }
        text::udec(out, view.u64(8 + i * 8));
    }
    out.push(b']');
    let labels = [
        "totalram",
        "freeram",
        "sharedram",
        "bufferram",
        "totalswap",
        "freeswap",
    ];
    for (i, label) in labels.into_iter().enumerate() {
        put(out, ", ");
        put(out, label);
        out.push(b'=');
        text::udec(out, view.u64(32 + i * 8));
    }
    put(out, ", procs=");
    text::udec(out, u64::from(view.u16(80)));
    put(out, ", totalhigh=");
    text::udec(out, view.u64(88));
    put(out, ", freehigh=");
    text::udec(out, view.u64(96));
    put(out, ", mem_unit=");
    text::udec(out, u64::from(view.u32(104)));
    out.push(b'}');
}

fn flock(out: &mut Vec<u8>, view: View<'_>, with_pid: bool) {
    put(out, "{l_type=");
    names::of(Set::FcntlLease).write(out, u64::from(view.u16(0)));
    put(out, ", l_whence=");
    names::of(Set::Seek).write(out, u64::from(view.u16(2)));
    put(out, ", l_start=");
    text::dec(out, view.i64(8));
    put(out, ", l_len=");
    text::dec(out, view.i64(16));
    if with_pid {
        put(out, ", l_pid=");
        text::dec(out, i64::from(view.i32(24)));
    }
    out.push(b'}');
}

fn clone_args(out: &mut Vec<u8>, view: View<'_>, context: &Context<'_>) {
    const CLONE_PIDFD: u64 = 0x1000;
    const CLONE_PARENT_SETTID: u64 = 0x0010_0000;
    const CLONE_SETTLS: u64 = 0x0008_0000;
    const CLONE_CHILD: u64 = 0x0120_0000;
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let flags = view.u64(0);
    put(out, "{flags=");
    names::CLONE.write(out, flags);
    let mut field = |label: &str, offset: usize, shown: bool| {
        if shown {
            put(out, label);
            text::address(out, view.u64(offset));
        }
    };
    field(", pidfd=", 8, flags & CLONE_PIDFD != 0);
    field(", child_tid=", 16, flags & CLONE_CHILD != 0);
    field(", parent_tid=", 24, flags & CLONE_PARENT_SETTID != 0);
    put(out, ", exit_signal=");
    match i32::try_from(view.u64(32)) {
        Ok(signal) => signals::constant(out, signal),
        Err(_) => text::udec(out, view.u64(32)),
    }
    put(out, ", stack=");
    text::address(out, view.u64(40));
    put(out, ", stack_size=");
    text::hex(out, view.u64(48));
    if flags & CLONE_SETTLS != 0 {
        put(out, ", tls=");
        text::address(out, view.u64(56));
    }
    if view.u64(64) != 0 || view.u64(72) != 0 {
        thread_ids(out, view, context);
    }
    if flags & CLONE_INTO_CGROUP != 0 {
        put(out, ", cgroup=");
        text::udec(out, view.u64(80));
    }
    out.push(b'}');
    if flags & CLONE_PARENT_SETTID != 0
        && context.call.succeeded()
        && let Some(child) = context.call.ret
    {
        // What the kernel stored is what it returned.
        put(out, " => {parent_tid=[");
        text::dec(out, child);
        put(out, "]}");
    }
}

/// The ids that a new process is to have in its namespaces.
fn thread_ids(out: &mut Vec<u8>, view: View<'_>, context: &Context<'_>) {
    put(out, ", set_tid=");
    let ids = context.call.items.find(tag::BYTES, context.index, false);
    match ids.filter(|ids| !ids.is_fault()) {
        Some(ids) => bracketed(out, |out| {
            for (i, id) in ids.data.chunks_exact(4).enumerate() {
                if i > 0 {
                    put(out, ", ");
                }
                text::dec(out, i64::from(View(id).i32(0)));
            }
        }),
        None => text::address(out, view.u64(64)),
    }
    put(out, ", set_tid_size=");
    text::udec(out, view.u64(72));
}
