//! Socket addresses, iovecs and messages.

use super::{Style, View, args, buffer, names, put, structs::Context, text, times};
use crate::event::{Captured, Item, SyscallEvent};
use std::net::Ipv6Addr;
use vitrine_abi::{
    event::tag,
    syscall::{Set, StructKind},
};

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const AF_NETLINK: u16 = 16;
const AF_PACKET: u16 = 17;
/// The loopback interface comes first everywhere.
const LOOPBACK: u32 = 1;

/// Appends a socket address: `{sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.1")}`.
pub fn address(out: &mut Vec<u8>, data: &[u8]) {
    let view = View(data);
    let family = view.u16(0);
    put(out, "{sa_family=");
    names::of(Set::AddressFamily).write(out, u64::from(family));
    let rest = data.get(2..).unwrap_or_default();
    match family {
        AF_UNIX if !rest.is_empty() => unix(out, rest),
        AF_INET if data.len() >= 16 => {
            put(out, ", sin_port=htons(");
            text::udec(out, u64::from(view.be16(2)));
            put(out, "), sin_addr=inet_addr(\"");
            for i in 4..8 {
                if i > 4 {
                    out.push(b'.');
                }
                text::udec(out, u64::from(data.get(i).copied().unwrap_or(0)));
            }
            put(out, "\")");
        }
        AF_INET6 if data.len() >= 24 => {
            put(out, ", sin6_port=htons(");
            text::udec(out, u64::from(view.be16(2)));
            put(out, "), sin6_flowinfo=htonl(");
            text::udec(out, u64::from(view.u32(4).swap_bytes()));
            put(out, "), inet_pton(AF_INET6, \"");
            let bytes = rest
                .get(6..)
                .and_then(|r| r.first_chunk::<16>())
                .copied()
                .unwrap_or_default();
            put(out, &Ipv6Addr::from(bytes).to_string());
            put(out, "\", &sin6_addr)");
            if data.len() >= 28 {
                put(out, ", sin6_scope_id=");
                // fe80::/10, and ff02::/16 of multicast.
                let is_local = bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80
                    || bytes[0] == 0xff && bytes[1] & 0xf == 2;
                match view.u32(24) {
                    index if is_local => interface(out, index),
                    index => text::udec(out, u64::from(index)),
                }
            }
        }
        AF_NETLINK if data.len() >= 12 => {
            if view.u16(2) != 0 {
                put(out, ", nl_pad=");
                text::hex(out, u64::from(view.u16(2)));
            }
            put(out, ", nl_pid=");
            text::dec(out, i64::from(view.i32(4)));
            put(out, ", nl_groups=");
            text::hex_padded(out, u64::from(view.u32(8)), 8);
        }
        AF_PACKET if data.len() >= 12 => link_layer(out, view),
        _ if !rest.is_empty() => {
            put(out, ", sa_data=");
            text::quoted(out, rest);
        }
        _ => {}
    }
    out.push(b'}');
}

/// An interface by name, if that is the same on every machine.
fn interface(out: &mut Vec<u8>, index: u32) {
    match index {
        LOOPBACK => put(out, "if_nametoindex(\"lo\")"),
        index => text::udec(out, u64::from(index)),
    }
}

/// `struct sockaddr_ll` behind its family.
fn link_layer(out: &mut Vec<u8>, view: View<'_>) {
    put(out, ", sll_protocol=htons(");
    let protocol = view.be16(2);
    let name = match protocol {
        0x0001 => "ETH_P_802_3",
        0x0003 => "ETH_P_ALL",
        0x0800 => "ETH_P_IP",
        0x0806 => "ETH_P_ARP",
        0x8100 => "ETH_P_8021Q",
        0x86dd => "ETH_P_IPV6",
        0x888e => "ETH_P_PAE",
        0x88cc => "ETH_P_LLDP",
        _ => "",
    };
    if name.is_empty() {
        text::hex(out, u64::from(protocol));
        put(out, " /* ETH_P_??? */");
    } else {
        put(out, name);
    }
    put(out, "), sll_ifindex=");
    interface(out, view.u32(4));
    put(out, ", sll_hatype=");
    match view.u16(8) {
        0 => put(out, "ARPHRD_NETROM"),
        1 => put(out, "ARPHRD_ETHER"),
        772 => put(out, "ARPHRD_LOOPBACK"),
        0xfffe => put(out, "ARPHRD_NONE"),
        other => {
            text::hex(out, u64::from(other));
            put(out, " /* ARPHRD_??? */");
        }
    }
    let kinds = [
        "HOST",
        "BROADCAST",
        "MULTICAST",
        "OTHERHOST",
        "OUTGOING",
        "LOOPBACK",
        "USER",
        "KERNEL",
    ];
    let [kind, len] = [10, 11].map(|at: usize| view.0.get(at).copied().unwrap_or(0));
    put(out, ", sll_pkttype=");
    match kinds.get(usize::from(kind)) {
        Some(name) => {
            put(out, "PACKET_");
            put(out, name);
        }
        None => {
            text::hex(out, u64::from(kind));
            put(out, " /* PACKET_??? */");
        }
    }
    put(out, ", sll_halen=");
    text::udec(out, u64::from(len));
    let address = view.0.get(12..).unwrap_or_default();
    let address = address.get(..usize::from(len)).unwrap_or(address);
    if !address.is_empty() {
        put(out, ", sll_addr=[");
        for (i, byte) in address.iter().enumerate() {
            if i > 0 {
                put(out, ", ");
            }
            text::hex(out, u64::from(*byte));
        }
        out.push(b']');
    }
}

fn unix(out: &mut Vec<u8>, path: &[u8]) {
    put(out, ", sun_path=");
    match path.split_first() {
        // The abstract name space: all bytes of the name count.
        Some((0, name)) => {
            out.push(b'@');
            text::quoted(out, name);
        }
        _ => {
            let name = path.split(|byte| *byte == 0).next().unwrap_or_default();
            text::quoted(out, name);
        }
    }
}

/// Appends an iovec with its pieces; false if it was not captured.
pub fn iovec(
    out: &mut Vec<u8>,
    items: &Captured,
    index: usize,
    after: bool,
    address: u64,
    style: &Style,
) -> bool {
    let Some(vector) = items.find(tag::IOVEC, index, after) else {
        return false;
    };
    if vector.is_fault() && vector.data.is_empty() {
        return false;
    }
    out.push(b'[');
    for (i, entry) in vector.data.chunks_exact(16).enumerate() {
        if i > 0 {
            put(out, ", ");
        }
        if style.abbreviate && i >= 32 {
            put(out, "...");
            break;
        }
        let view = View(entry);
        put(out, "{iov_base=");
        let piece = u8::try_from(i)
            .ok()
            .and_then(|i| items.find_index(tag::PIECE, index, after, i));
        match piece {
            Some(piece) if !piece.is_fault() && view.u64(0) != 0 => {
                buffer(out, piece.data, piece.is_cut(), style);
            }
            _ => text::address(out, view.u64(0)),
        }
        put(out, ", iov_len=");
        text::udec(out, view.u64(8));
        out.push(b'}');
    }
    args::unreadable(out, &vector, address);
    out.push(b']');
    true
}

/// Appends a `struct msghdr` with its parts.
pub fn message(out: &mut Vec<u8>, view: View<'_>, context: &Context<'_>) {
    let items = &context.call.items;
    let (index, after) = (context.index, context.out);
    if after && !context.call.succeeded() {
        // How long an address it would have taken is all that is known.
        put(out, "{msg_namelen=");
        text::dec(out, i64::from(view.i32(8)));
        return out.push(b'}');
    }
    put(out, "{msg_name=");
    match items.find(tag::NAME, index, after) {
        Some(name) if !name.is_fault() && !name.data.is_empty() => address(out, name.data),
        _ => text::address(out, view.u64(0)),
    }
    put(out, ", msg_namelen=");
    if after && let Some(room) = items.find(tag::COUNT, index, false) {
        let room = View(room.data).i32(0);
        if room != view.i32(8) {
            text::dec(out, i64::from(room));
            put(out, " => ");
        }
    }
    text::dec(out, i64::from(view.i32(8)));
    put(out, ", msg_iov=");
    if !iovec(out, items, index, after, view.u64(16), context.style) {
        text::address(out, view.u64(16));
    }
    put(out, ", msg_iovlen=");
    text::udec(out, view.u64(24));
    let control_len = view.u64(40);
    if control_len != 0 {
        put(out, ", msg_control=");
        match items.find(tag::CONTROL, index, after) {
            Some(control) if !control.is_fault() => ancillary(out, &control, control_len, context),
            _ => text::address(out, view.u64(32)),
        }
    }
    put(out, ", msg_controllen=");
    text::udec(out, control_len);
    put(out, ", msg_flags=");
    names::of(Set::MsgFlags).write(out, u64::from(view.u32(48)));
    out.push(b'}');
}

/// Appends the messages of sendmmsg or recvmmsg; false if they were not captured.
pub fn messages(
    out: &mut Vec<u8>,
    call: &SyscallEvent,
    index: usize,
    received: bool,
    style: &Style,
) -> bool {
    const LEN: usize = 56;
    let items = &call.items;
    let count = match (call.succeeded(), received) {
        (true, _) => call.ret.unwrap_or(0).clamp(0, 32),
        (false, true) => return false,
        (false, false) => (call.args[2] as u32).min(32).into(),
    } as u8;
    let head = items.find_index(tag::STRUCT, index, received, 0);
    if call.args[index] == 0 || count > 0 && head.is_none_or(|head| head.is_fault()) {
        return false;
    }
    // How much was sent stands in the heads as the call left them.
    let sent = items.find(tag::STRUCT, index, true).filter(|_| !received);
    out.push(b'[');
    for number in 0..count {
        let part = items.part(tag::STRUCT, index, received, number);
        let Some(head) = part.iter().next().filter(|head| !head.is_fault()) else {
            break;
        };
        if number > 0 {
            put(out, ", ");
        }
        let single = SyscallEvent {
            items: part.clone(),
            ret: call.ret,
            phase: call.phase,
            ..SyscallEvent::default()
        };
        let context = Context {
            call: &single,
            index,
            out: received,
            style,
        };
        put(out, "{msg_hdr=");
        message(out, View(head.data), &context);
        let told = match sent {
            Some(heads) => View(heads.data).u32(usize::from(number) * 64 + LEN),
            None => View(head.data).u32(LEN),
        };
        if call.succeeded() {
            put(out, ", msg_len=");
            text::udec(out, u64::from(told));
        }
        out.push(b'}');
    }
    if !call.succeeded() && call.args[2] as u32 > 32 {
        put(out, ", ...");
    }
    out.push(b']');
    true
}

/// Control messages: descriptors, credentials and times by name, others by their type.
fn ancillary(out: &mut Vec<u8>, item: &Item<'_>, told: u64, context: &Context<'_>) {
    const HEADER: usize = 16;
    let mut data = item.data;
    out.push(b'[');
    let mut first = true;
    while data.len() >= HEADER {
        let view = View(data);
        let len = view.u64(0);
        let whole = usize::try_from(len).unwrap_or(usize::MAX);
        if !first {
            put(out, ", ");
        }
        first = false;
        put(out, "{cmsg_len=");
        text::udec(out, len);
        control_message(
            out,
            view.u32(8),
            view.u32(12),
            data.get(HEADER..whole.clamp(HEADER, data.len()))
                .unwrap_or_default(),
            context,
        );
        out.push(b'}');
        if whole < HEADER {
            data = data.get(HEADER..).unwrap_or_default();
            break;
        }
        data = whole
            .checked_next_multiple_of(8)
            .and_then(|next| data.get(next..))
            .unwrap_or_default();
    }
    if !data.is_empty() || item.is_cut() || told > item.data.len() as u64 {
        put(out, if first { "..." } else { ", ..." });
    }
    out.push(b']');
}

/// A `struct ucred`.
pub fn credentials(out: &mut Vec<u8>, view: View<'_>) {
    put(out, "{pid=");
    text::dec(out, i64::from(view.i32(0)));
    put(out, ", uid=");
    args::id(out, view.u32(4));
    put(out, ", gid=");
    args::id(out, view.u32(8));
    out.push(b'}');
}

/// Level, type and contents of a control message.
fn control_message(out: &mut Vec<u8>, level: u32, kind: u32, body: &[u8], context: &Context<'_>) {
    put(out, ", cmsg_level=");
    match names::of(Set::SockOptLevel).value(u64::from(level)) {
        Some(_) => names::of(Set::SockOptLevel).write(out, u64::from(level)),
        None => {
            text::hex(out, u64::from(level));
            put(out, " /* SOL_??? */");
        }
    }
    put(out, ", cmsg_type=");
    let view = View(body);
    match (level, kind) {
        (1, 1) => {
            put(out, "SCM_RIGHTS");
            if body.len() < 4 {
                return;
            }
            put(out, ", cmsg_data=[");
            for (i, fd) in body.chunks_exact(4).enumerate() {
                if i > 0 {
                    put(out, ", ");
                }
                let fd = View(fd).i32(0);
                text::dec(out, i64::from(fd));
                if context.style.fd_paths {
                    args::info_path(out, context.call.items.fd_among(context.index, fd));
                }
            }
            out.push(b']');
        }
        (1, 2) => {
            put(out, "SCM_CREDENTIALS");
            if body.len() < 12 {
                return;
            }
            put(out, ", cmsg_data=");
            credentials(out, view);
        }
        (1, 29 | 35) if body.len() >= 16 => {
            let (name, time) = match kind {
                29 => ("SO_TIMESTAMP_OLD", StructKind::Timeval),
                _ => ("SO_TIMESTAMPNS_OLD", StructKind::Timespec),
            };
            put(out, name);
            put(out, ", cmsg_data=");
            times::time(out, time, view);
        }
        (1, _) => {
            text::hex(out, u64::from(kind));
            put(out, " /* SCM_??? */");
        }
        (0, 1 | 2) if body.len() >= 4 => {
            put(out, if kind == 1 { "IP_TOS" } else { "IP_TTL" });
            put(out, ", cmsg_data=[");
            match kind {
                1 => text::hex(out, u64::from(body[0])),
                _ => text::udec(out, u64::from(view.u32(0))),
            }
            out.push(b']');
        }
        (0, _) => {
            text::hex(out, u64::from(kind));
            put(out, " /* IP_??? */");
        }
        _ => text::hex(out, u64::from(kind)),
    }
}
