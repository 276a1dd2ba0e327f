//! /proc/PID/net: tables of sockets and interfaces. They show AF_UNIX sockets, their heads, and the loopback interface.

use super::{
    super::pseudo::{Entry, Text},
    constant,
    subject::Subject,
};

/// The files.
pub static ENTRIES: &[Entry<Subject>] = &[
    constant("arp", |_| {
        Ok(
            "IP address       HW type     Flags       HW address            Mask     Device\n"
                .into(),
        )
    }),
    constant("dev", |_| Ok(DEV.into())),
    constant("if_inet6", |_| {
        Ok("00000000000000000000000000000001 01 80 10 80       lo\n".into())
    }),
    constant("netlink", |_| {
        Ok("sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n".into())
    }),
    constant("packet", |_| {
        Ok("sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n".into())
    }),
    constant("raw", |_| Ok(DATAGRAM.into())),
    constant("raw6", |_| Ok(DATAGRAM6.into())),
    constant("route", |_| {
        Ok("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n".into())
    }),
    constant("sockstat", |_| {
        Ok("sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n".into())
    }),
    constant("tcp", |_| {
        Ok("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n".into())
    }),
    constant("tcp6", |_| {
        Ok("  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n".into())
    }),
    constant("udp", |_| Ok(UDP.into())),
    constant("udp6", |_| Ok(DATAGRAM6.into())),
    constant("unix", |_| {
        let mut all = Text::from("Num       RefCount Protocol Flags    Type St Inode Path\n");
        all.bytes(&crate::net::unix::lines());
        Ok(all)
    }),
];

const DEV: &str = "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n";

const UDP: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops             \n";

const DATAGRAM: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";

const DATAGRAM6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";
