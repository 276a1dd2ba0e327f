//! AF_UNIX sockets: unix(7).
//!
//! - [`UnixSocket`]: the socket, its state and what a [`Packet`] in its queue is.
//! - [`address`]: names, and which socket has one.
//! - [`connect`]: bind, listen, connect, accept, shutdown, close.
//! - [`stream`], [`datagram`]: moving bytes.
//! - [`list`]: all of them, for /proc/net/unix.
//!
//! A socket's state has one lock, and no two sockets' locks are ever held at once. Bytes are copied from and to the
//! program without it; the `reader` lock keeps receivers in line meanwhile.

mod address;
mod connect;
mod datagram;
mod list;
mod stream;

pub use list::lines;

use super::{
    Control, Received, Socket,
    buffer::Charge,
    options::Options,
    scm::{Rights, Ucred},
};
use crate::{
    Errno, SysResult,
    fs::{
        PollEvents, PollTable, Sink, Source,
        async_io::{Event, Listeners},
    },
    mm,
    sync::{Interruptible, Mutex, WaitError, WaitQueue, wait_until},
};
use address::Bound;
use alloc::{
    collections::VecDeque,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicU64, Ordering};
use linux_raw_sys::{
    ioctl::{FIONREAD, TIOCOUTQ},
    net::{AF_UNIX, MSG_DONTWAIT, SO_PASSCRED, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM},
};
use list::Listed;

/// Shut down for receiving: a bit of [`State::shutdown`].
const RECEIVE: u8 = 1;
/// Shut down for sending.
const SEND: u8 = 2;
/// Datagrams that wait in a queue before a sender who isn't connected to it blocks (/proc/sys/net/unix/max_dgram_qlen).
const DATAGRAM_BACKLOG: usize = 10;

/// Socket types of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Stream,
    Datagram,
    SeqPacket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Listening,
    Connected,
}

/// A socket.
pub struct UnixSocket {
    kind: Kind,
    /// Its file's inode number; 0 until it has a file.
    ino: AtomicU64,
    listed: Listed,
    me: Weak<UnixSocket>,
    options: Options,
    state: Mutex<State>,
    /// Held while a message is taken from the queue.
    reader: Mutex<()>,
    /// Woken when something arrives, or the state changes.
    read_queue: Arc<WaitQueue>,
    /// Files that want signals.
    listeners: Listeners,
    /// Woken when a message is taken from the queue: for those who send to it or connect to it.
    room_queue: Arc<WaitQueue>,
}

struct State {
    phase: Phase,
    shutdown: u8,
    /// Its file is closed.
    dead: bool,
    /// A file refers to it: false until it is accepted.
    has_file: bool,
    error: Option<Errno>,
    bound: Option<Bound>,
    /// The other end; for datagram sockets, where sends go.
    peer: Option<Arc<UnixSocket>>,
    peer_credentials: Option<Ucred>,
    backlog: usize,
    queue: VecDeque<Packet>,
    /// Connections that wait to be accepted.
    pending: VecDeque<Arc<UnixSocket>>,
}

/// A datagram, or a piece of a stream, in the receiver's queue.
struct Packet {
    data: Vec<u8>,
    /// Bytes already received.
    start: usize,
    len: usize,
    sender: Option<Arc<[u8]>>,
    credentials: Option<Ucred>,
    rights: Option<Rights>,
    _charge: Charge,
}

impl Packet {
    fn left(&self) -> usize {
        self.len - self.start
    }
}

/// A new socket; its arguments are checked in Linux's order.
pub fn create(kind: i32, protocol: i32) -> Result<Arc<UnixSocket>, Errno> {
    if protocol != 0 && protocol != AF_UNIX as i32 {
        return Err(Errno::EPROTONOSUPPORT);
    }
    let kind = match u32::try_from(kind) {
        Ok(SOCK_STREAM) => Kind::Stream,
        Ok(SOCK_DGRAM | SOCK_RAW) => Kind::Datagram,
        Ok(SOCK_SEQPACKET) => Kind::SeqPacket,
        _ => return Err(Errno::ESOCKTNOSUPPORT),
    };
    let socket = UnixSocket::new(kind);
    socket.state.lock().has_file = true;
    Ok(socket)
}

/// Two new sockets that are connected with each other.
pub fn create_pair(kind: i32, protocol: i32) -> Result<[Arc<UnixSocket>; 2], Errno> {
    let pair = [create(kind, protocol)?, create(kind, protocol)?];
    for (socket, peer) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
        let mut state = socket.state.lock();
        state.peer = Some(peer.clone());
        state.peer_credentials = Some(Ucred::of_peer());
        state.phase = Phase::Connected;
    }
    Ok(pair)
}

impl UnixSocket {
    fn new(kind: Kind) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            kind,
            ino: AtomicU64::new(0),
            listed: Listed::new(me),
            me: me.clone(),
            options: Options::new(),
            state: Mutex::new(State {
                phase: Phase::Closed,
                shutdown: 0,
                dead: false,
                has_file: false,
                error: None,
                bound: None,
                peer: None,
                peer_credentials: None,
                backlog: DATAGRAM_BACKLOG,
                queue: VecDeque::new(),
                pending: VecDeque::new(),
            }),
            reader: Mutex::new(()),
            read_queue: Arc::new(WaitQueue::new()),
            listeners: Listeners::new(),
            room_queue: Arc::new(WaitQueue::new()),
        })
    }

    /// Both stream and seqpacket: a connection with two ends.
    fn is_connected_kind(&self) -> bool {
        self.kind != Kind::Datagram
    }

    fn address(&self) -> Option<Arc<[u8]>> {
        self.state.lock().bound.as_ref().map(Bound::address)
    }

    /// Wakes all who wait for anything of this socket.
    fn wake(&self) {
        self.read_queue.wake_all();
        self.options.sending.queue.wake_all();
        self.room_queue.wake_all();
    }

    /// Whether messages between the two carry credentials though none were given.
    fn wants_credentials(&self, receiver: &UnixSocket) -> bool {
        self.options.is_set(SO_PASSCRED)
            || receiver.options.is_set(SO_PASSCRED)
            || !receiver.state.lock().has_file
    }

    /// Waits until the send buffer has room; `EAGAIN`, `EPIPE`, the pending error.
    fn wait_send_room(&self, flags: u32, deadline: Option<u64>) -> Result<(), Errno> {
        let sending = &self.options.sending;
        let attempt = || {
            let mut state = self.state.lock();
            if let Some(error) = state.error.take() {
                return Some(Err(error));
            }
            if state.shutdown & SEND != 0 {
                return Some(Err(Errno::EPIPE));
            }
            sending.has_room().then_some(Ok(()))
        };
        if flags & MSG_DONTWAIT != 0 {
            return attempt().unwrap_or(Err(Errno::EAGAIN));
        }
        wait_until(&[&sending.queue], deadline, Interruptible::Yes, attempt)
            .unwrap_or_else(|error| Err(interrupted(error, deadline)))
    }

    /// Appends to this socket's queue.
    fn deliver(&self, packet: Packet) -> Result<(), Errno> {
        {
            let mut state = self.state.lock();
            state.queue.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            state.queue.push_back(packet);
        }
        self.read_queue.wake_all();
        self.listeners.tell(Event::In);
        Ok(())
    }
}

/// The errno of a wait that ended early: a call with a timeout is not restarted.
fn interrupted(error: WaitError, deadline: Option<u64>) -> Errno {
    match (error, deadline) {
        (WaitError::Timeout, _) => Errno::EAGAIN,
        (WaitError::Signal, None) => Errno::ERESTARTSYS,
        (WaitError::Signal, Some(_)) => Errno::EINTR,
    }
}

impl Socket for UnixSocket {
    fn options(&self) -> &Options {
        &self.options
    }

    fn identity(&self) -> (u32, u32, u32) {
        let kind = match self.kind {
            Kind::Stream => SOCK_STREAM,
            Kind::Datagram => SOCK_DGRAM,
            Kind::SeqPacket => SOCK_SEQPACKET,
        };
        (AF_UNIX, kind, 0)
    }

    fn kind(&self) -> &'static str {
        "unix"
    }

    fn bind(&self, addr: &[u8]) -> Result<(), Errno> {
        self.bind_to(addr)
    }

    fn listen(&self, backlog: i32) -> Result<(), Errno> {
        self.start_listening(backlog)
    }

    fn connect(&self, addr: &[u8], nonblocking: bool) -> Result<(), Errno> {
        if self.is_connected_kind() {
            self.connect_stream(addr, nonblocking)
        } else {
            self.connect_datagram(addr)
        }
    }

    fn accept(&self, nonblocking: bool) -> Result<Arc<dyn Socket>, Errno> {
        Ok(self.accept_one(nonblocking)?)
    }

    fn send(
        &self,
        src: &mut dyn Source,
        to: Option<&[u8]>,
        control: Control,
        flags: u32,
    ) -> SysResult {
        match self.kind {
            Kind::Stream => self.send_stream(src, to, control, flags),
            Kind::Datagram => self.send_datagram(src, to, control, flags),
            Kind::SeqPacket => self.send_seqpacket(src, control, flags),
        }
    }

    fn raises_sigpipe(&self) -> bool {
        self.kind == Kind::Stream
    }

    fn receive(&self, out: &mut dyn Sink, flags: u32) -> Result<Received, Errno> {
        match self.kind {
            Kind::Stream => self.receive_stream(out, flags),
            _ => self.receive_packet(out, flags),
        }
    }

    fn shutdown(&self, how: u32) -> Result<(), Errno> {
        self.shut_down(how)
    }

    fn local_name(&self) -> Result<Arc<[u8]>, Errno> {
        Ok(self.address().unwrap_or_else(address::unnamed))
    }

    fn peer_name(&self) -> Result<Arc<[u8]>, Errno> {
        let peer = self.state.lock().peer.clone().ok_or(Errno::ENOTCONN)?;
        Ok(peer.address().unwrap_or_else(address::unnamed))
    }

    fn take_error(&self) -> Option<Errno> {
        self.state.lock().error.take()
    }

    fn is_listening(&self) -> bool {
        self.state.lock().phase == Phase::Listening
    }

    fn peer_credentials(&self) -> Ucred {
        self.state.lock().peer_credentials.unwrap_or(Ucred::NONE)
    }

    fn poll(&self, table: &mut PollTable) -> PollEvents {
        table.add(&self.read_queue);
        table.add(&self.options.sending.queue);
        let mut events = PollEvents::empty();
        let (peer, phase) = {
            let state = self.state.lock();
            if state.error.is_some() {
                events |= PollEvents::ERR;
            }
            if state.shutdown == RECEIVE | SEND {
                events |= PollEvents::HUP;
            }
            if state.shutdown & RECEIVE != 0 {
                events |= PollEvents::RDHUP | PollEvents::IN | PollEvents::RDNORM;
            }
            if !state.queue.is_empty() || !state.pending.is_empty() {
                events |= PollEvents::IN | PollEvents::RDNORM;
            }
            if self.is_connected_kind() && state.phase == Phase::Closed {
                events |= PollEvents::HUP;
            }
            (state.peer.clone(), state.phase)
        };
        let mut writable = phase != Phase::Listening && self.options.sending.is_writable();
        if let Some(peer) = peer.filter(|_| self.kind == Kind::Datagram) {
            table.add(&peer.room_queue);
            writable &= !self.must_wait_for(&peer);
        }
        if writable {
            events |= PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND;
        }
        events
    }

    fn got_file(&self, ino: u64) {
        self.ino.store(ino, Ordering::Relaxed);
    }

    fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    fn ioctl(&self, request: u32, arg: u64) -> SysResult {
        let value = match request {
            FIONREAD => {
                let state = self.state.lock();
                if state.phase == Phase::Listening {
                    return Err(Errno::EINVAL);
                }
                if self.is_connected_kind() {
                    state.queue.iter().map(Packet::left).sum()
                } else {
                    state.queue.front().map_or(0, Packet::left)
                }
            }
            TIOCOUTQ => self.options.sending.used(),
            _ => return Err(Errno::ENOTTY),
        };
        mm::user::write(arg, &i32::try_from(value).unwrap_or(i32::MAX))?;
        Ok(0)
    }

    fn close(&self) {
        self.release(false);
    }
}
