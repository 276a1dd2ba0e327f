//! All sockets of the family, for /proc/net/unix.

use super::{Kind, Phase, Socket, UnixSocket};
use crate::sync::Mutex;
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicU64, Ordering};

/// Sockets by the order in which they came into being.
static ALL: Mutex<BTreeMap<u64, Weak<UnixSocket>>> = Mutex::new(BTreeMap::new());

/// A socket's place in the list.
pub(super) struct Listed(u64);

impl Listed {
    pub(super) fn new(socket: &Weak<UnixSocket>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        ALL.lock().insert(number, socket.clone());
        Self(number)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        ALL.lock().remove(&self.0);
    }
}

/// The lines of /proc/net/unix, without its head.
pub fn lines() -> Vec<u8> {
    /// `__SO_ACCEPTCON`.
    const ACCEPTS: u32 = 0x1_0000;
    const UNCONNECTED: u32 = 1;
    const CONNECTING: u32 = 2;
    const CONNECTED: u32 = 3;
    let sockets: Vec<Arc<UnixSocket>> = ALL.lock().values().filter_map(Weak::upgrade).collect();
    let mut peers: BTreeMap<*const UnixSocket, u32> = BTreeMap::new();
    for socket in &sockets {
        if let Some(peer) = &socket.state.lock().peer {
            *peers.entry(Arc::as_ptr(peer)).or_default() += 1;
        }
    }
    let mut out = Vec::new();
    for socket in &sockets {
        let (phase, dead, has_file, address) = {
            let state = socket.state.lock();
            let address = state.bound.as_ref().map(|bound| bound.address());
            (state.phase, state.dead, state.has_file, address)
        };
        if dead {
            continue;
        }
        let sent_to = peers.get(&Arc::as_ptr(socket)).copied().unwrap_or(0);
        // A datagram socket counts as connected also if another is connected to it.
        let connected = phase == Phase::Connected || (socket.kind == Kind::Datagram && sent_to > 0);
        let condition = match (has_file, connected) {
            (false, _) => CONNECTING,
            (true, true) => CONNECTED,
            (true, false) => UNCONNECTED,
        };
        let (_, kind, _) = socket.identity();
        let flags = if phase == Phase::Listening {
            ACCEPTS
        } else {
            0
        };
        // Linux shows no addresses of the kernel either, but a number that tells sockets apart.
        let number = (socket.listed.0 as u32).wrapping_mul(0x9e37_79b1);
        let line = alloc::format!(
            "{number:016x}: {:08X} {:08X} {flags:08X} {kind:04X} {condition:02X} {:5}",
            2 + sent_to,
            0,
            socket.ino.load(Ordering::Relaxed)
        );
        out.extend_from_slice(line.as_bytes());
        if let Some(name) = address.as_ref().and_then(|address| address.get(2..))
            && let Some(first) = name.first()
        {
            out.push(b' ');
            if *first == 0 {
                // An abstract name: all its bytes count.
                out.extend(name.iter().map(|b| if *b == 0 { b'@' } else { *b }));
            } else {
                out.extend(name.iter().copied().take_while(|b| *b != 0));
            }
        }
        out.push(b'\n');
    }
    out
}
