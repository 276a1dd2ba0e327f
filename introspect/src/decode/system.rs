//! Rare structures: clocks, notifications, scheduling, capabilities, futex lists, message queues, network interfaces.

use super::{View, names, put, signals, sockets, text, times};
use crate::event::SyscallEvent;
use vitrine_abi::syscall::{Set, StructKind};

/// Appends `label` and a signed number.
fn signed(out: &mut Vec<u8>, label: &str, value: i64) {
    put(out, label);
    text::dec(out, value);
}

/// Appends a `struct timex`.
pub(super) fn timex(out: &mut Vec<u8>, view: View<'_>) {
    put(out, "{modes=");
    names::of(Set::ClockModes).write(out, u64::from(view.u32(0)));
    signed(out, ", offset=", view.i64(8));
    signed(out, ", freq=", view.i64(16));
    signed(out, ", maxerror=", view.i64(24));
    signed(out, ", esterror=", view.i64(32));
    put(out, ", status=");
    names::of(Set::ClockStatus).write(out, u64::from(view.u32(40)));
    signed(out, ", constant=", view.i64(48));
    signed(out, ", precision=", view.i64(56));
    signed(out, ", tolerance=", view.i64(64));
    put(out, ", time=");
    let time = View(view.0.get(72..).unwrap_or_default());
    times::time(out, StructKind::Timeval, time);
    signed(out, ", tick=", view.i64(88));
    signed(out, ", ppsfreq=", view.i64(96));
    signed(out, ", jitter=", view.i64(104));
    signed(out, ", shift=", i64::from(view.i32(112)));
    signed(out, ", stabil=", view.i64(120));
    signed(out, ", jitcnt=", view.i64(128));
    signed(out, ", calcnt=", view.i64(136));
    signed(out, ", errcnt=", view.i64(144));
    signed(out, ", stbcnt=", view.i64(152));
    signed(out, ", tai=", i64::from(view.i32(160)));
    out.push(b'}');
}

/// Appends a `struct sigevent`.
pub(super) fn sigevent(out: &mut Vec<u8>, view: View<'_>) {
    const SIGEV_SIGNAL: u32 = 0;
    const SIGEV_NONE: u32 = 1;
    const SIGEV_THREAD: u32 = 2;
    const SIGEV_THREAD_ID: u32 = 4;
    let notify = view.u32(12);
    out.push(b'{');
    if view.u64(0) != 0 {
        signed(out, "sigev_value={sival_int=", i64::from(view.i32(0)));
        put(out, ", sival_ptr=");
        text::address(out, view.u64(0));
        put(out, "}, ");
    }
    put(out, "sigev_signo=");
    match notify {
        SIGEV_SIGNAL | SIGEV_THREAD | SIGEV_THREAD_ID => signals::constant(out, view.i32(8)),
        _ => text::udec(out, u64::from(view.u32(8))),
    }
    put(out, ", sigev_notify=");
    names::of(Set::SigevNotify).write(out, u64::from(notify));
    match notify {
        SIGEV_THREAD_ID => signed(out, ", sigev_notify_thread_id=", i64::from(view.i32(16))),
        SIGEV_THREAD => {
            put(out, ", sigev_notify_function=");
            text::address(out, view.u64(16));
            put(out, ", sigev_notify_attributes=");
            text::address(out, view.u64(24));
        }
        SIGEV_SIGNAL | SIGEV_NONE => {}
        _ => {}
    }
    out.push(b'}');
}

/// Appends a `struct sched_attr`.
pub(super) fn sched_attr(out: &mut Vec<u8>, view: View<'_>) {
    const WITH_UTIL: u32 = 56;
    put(out, "{size=");
    text::udec(out, u64::from(view.u32(0)));
    put(out, ", sched_policy=");
    names::of(Set::SchedPolicy).write(out, u64::from(view.u32(4)));
    put(out, ", sched_flags=");
    names::of(Set::SchedFlags).write(out, view.u64(8));
    signed(out, ", sched_nice=", i64::from(view.i32(16)));
    signed(out, ", sched_priority=", i64::from(view.u32(20)));
    for (label, offset) in [
        (", sched_runtime=", 24),
        (", sched_deadline=", 32),
        (", sched_period=", 40),
    ] {
        put(out, label);
        text::udec(out, view.u64(offset));
    }
    if view.u32(0) >= WITH_UTIL {
        signed(out, ", sched_util_min=", i64::from(view.u32(48)));
        signed(out, ", sched_util_max=", i64::from(view.u32(52)));
    }
    out.push(b'}');
}

/// Appends one or two `struct __user_cap_data_struct`: the second holds the upper half of each set.
pub(super) fn capabilities(out: &mut Vec<u8>, view: View<'_>, two: bool) {
    // Only of the known versions is it certain that there are two.
    let both = if two { u64::MAX } else { u64::from(u32::MAX) };
    for (label, offset) in [
        ("{effective=", 0),
        (", permitted=", 4),
        (", inheritable=", 8),
    ] {
        put(out, label);
        let set = u64::from(view.u32(offset)) | u64::from(view.u32(offset + 12)) << 32;
        let set = set & both;
        names::of(Set::Capabilities).write(out, set);
    }
    out.push(b'}');
}

/// Appends a `struct futex_waitv`.
pub(super) fn futex_waitv(out: &mut Vec<u8>, view: View<'_>) {
    put(out, "{val=");
    text::hex(out, view.u64(0));
    put(out, ", uaddr=");
    text::address(out, view.u64(8));
    put(out, ", flags=");
    names::of(Set::Futex2).write(out, u64::from(view.u32(16)));
    if view.u32(20) != 0 {
        put(out, ", __reserved=");
        text::hex(out, u64::from(view.u32(20)));
    }
    out.push(b'}');
}

/// Appends a `struct mq_attr`.
pub(super) fn mq_attr(out: &mut Vec<u8>, view: View<'_>) {
    put(out, "{mq_flags=");
    match view.u64(0) {
        0 => put(out, "0"),
        0o4000 => put(out, "O_NONBLOCK"),
        flags if flags & 0o4000 != 0 => {
            put(out, "O_NONBLOCK|");
            text::hex(out, flags & !0o4000);
        }
        flags => text::hex(out, flags),
    }
    signed(out, ", mq_maxmsg=", view.i64(8));
    signed(out, ", mq_msgsize=", view.i64(16));
    signed(out, ", mq_curmsgs=", view.i64(24));
    out.push(b'}');
}

/// Appends a `struct ifreq`: the name, and what the request says of it.
pub(super) fn interface(out: &mut Vec<u8>, view: View<'_>, call: &SyscallEvent) {
    const VALUE: usize = 16;
    const SIOCGIFNAME: u32 = 0x8910;
    const SIOCGIFINDEX: u32 = 0x8933;
    let request = call.args[1] as u32;
    // Requests with even numbers set something, all others ask.
    let sets = matches!(
        request,
        0x8914 | 0x8916 | 0x8918 | 0x891a | 0x891c | 0x891e | 0x8922 | 0x8924
    );
    if request == SIOCGIFNAME {
        signed(out, "{ifr_ifindex=", i64::from(view.i32(VALUE)));
        if call.succeeded() {
            put(out, ", ifr_name=");
            text::quoted(out, view.string(0, VALUE));
        }
        return out.push(b'}');
    }
    put(out, "{ifr_name=");
    text::quoted(out, view.string(0, VALUE));
    if sets || call.succeeded() {
        let address = view.0.get(VALUE..VALUE + 16).unwrap_or_default();
        match request {
            0x8913 | 0x8914 => {
                put(out, ", ifr_flags=");
                names::of(Set::InterfaceFlags).write(out, u64::from(view.u16(VALUE)));
            }
            0x8915..=0x891c => {
                put(
                    out,
                    match request {
                        0x8915 | 0x8916 => ", ifr_addr=",
                        0x8917 | 0x8918 => ", ifr_dstaddr=",
                        0x8919 | 0x891a => ", ifr_broadaddr=",
                        _ => ", ifr_netmask=",
                    },
                );
                sockets::address(out, address);
            }
            0x891d | 0x891e => signed(out, ", ifr_metric=", i64::from(view.i32(VALUE))),
            0x8921 | 0x8922 => signed(out, ", ifr_mtu=", i64::from(view.i32(VALUE))),
            SIOCGIFINDEX => signed(out, ", ifr_ifindex=", i64::from(view.i32(VALUE))),
            0x8942 => signed(out, ", ifr_qlen=", i64::from(view.i32(VALUE))),
            _ => {}
        }
    }
    out.push(b'}');
}
