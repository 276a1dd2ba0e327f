//! The life of an AF_UNIX connection: bind, listen, connect, accept, shutdown, close.

use super::{
    Phase, RECEIVE, SEND, UnixSocket,
    address::{self, Name},
    interrupted,
};
use crate::{
    Errno,
    fs::async_io::Event,
    net::scm::Ucred,
    sync::{Interruptible, wait_until},
};
use alloc::sync::Arc;
use linux_raw_sys::net::{AF_UNSPEC, SO_PASSCRED};

/// Largest backlog (/proc/sys/net/core/somaxconn).
const MAX_BACKLOG: usize = 4096;

impl UnixSocket {
    pub(super) fn bind_to(&self, addr: &[u8]) -> Result<(), Errno> {
        let name = address::parse(addr)?;
        if self.state.lock().bound.is_some() {
            // Binding to nothing when there is a name already is no error.
            return match name {
                Name::Unnamed => Ok(()),
                Name::Path(path) => Err(address::rebind_error(path)),
                Name::Abstract(_) => Err(Errno::EINVAL),
            };
        }
        let bound = match name {
            Name::Unnamed => address::bind_automatically(self)?,
            Name::Path(path) => address::bind_path(self, path)?,
            Name::Abstract(name) => address::bind_abstract(self, name)?,
        };
        self.state.lock().bound = Some(bound);
        Ok(())
    }

    /// With SO_PASSCRED, a socket that connects or sends gets a name, so that the receiver can tell who it is.
    pub(super) fn bind_for_credentials(&self) -> Result<(), Errno> {
        if self.options.is_set(SO_PASSCRED) && self.state.lock().bound.is_none() {
            let bound = address::bind_automatically(self)?;
            self.state.lock().bound = Some(bound);
        }
        Ok(())
    }

    pub(super) fn start_listening(&self, backlog: i32) -> Result<(), Errno> {
        if !self.is_connected_kind() {
            return Err(Errno::EOPNOTSUPP);
        }
        {
            let mut state = self.state.lock();
            if state.bound.is_none() || state.phase == Phase::Connected {
                return Err(Errno::EINVAL);
            }
            // A negative backlog is a huge one.
            state.backlog = usize::try_from(backlog).map_or(MAX_BACKLOG, |n| n.min(MAX_BACKLOG));
            state.phase = Phase::Listening;
            state.peer_credentials = Some(Ucred::of_peer());
        }
        self.room_queue.wake_all();
        Ok(())
    }

    pub(super) fn connect_stream(&self, addr: &[u8], nonblocking: bool) -> Result<(), Errno> {
        if let Name::Unnamed = address::parse(addr)? {
            return Err(Errno::EINVAL);
        }
        self.bind_for_credentials()?;
        let deadline = self.options.send_deadline();
        let listener = loop {
            let listener = address::find(addr, self.kind)?;
            let full = {
                let state = listener.state.lock();
                if state.phase != Phase::Listening || state.shutdown & RECEIVE != 0 {
                    return Err(Errno::ECONNREFUSED);
                }
                state.pending.len() > state.backlog
            };
            if !full {
                break listener;
            }
            if nonblocking {
                return Err(Errno::EAGAIN);
            }
            wait_until(
                &[&listener.room_queue],
                deadline,
                Interruptible::Yes,
                || {
                    let state = listener.state.lock();
                    let free = state.dead
                        || state.phase != Phase::Listening
                        || state.shutdown & RECEIVE != 0
                        || state.pending.len() <= state.backlog;
                    free.then_some(())
                },
            )
            .map_err(|error| interrupted(error, deadline))?;
        };
        match self.state.lock().phase {
            Phase::Closed => {}
            Phase::Connected => return Err(Errno::EISCONN),
            Phase::Listening => return Err(Errno::EINVAL),
        }
        let me = self.me.upgrade().ok_or(Errno::EINVAL)?;
        let (bound_to, listener_credentials) = {
            let state = listener.state.lock();
            (
                state.bound.as_ref().map(|bound| bound.address()),
                state.peer_credentials,
            )
        };
        let embryo = UnixSocket::new(self.kind);
        {
            let mut state = embryo.state.lock();
            state.phase = Phase::Connected;
            state.peer = Some(me);
            state.peer_credentials = Some(Ucred::of_peer());
            state.bound = bound_to.map(address::Bound::inherited);
        }
        {
            let mut state = self.state.lock();
            state.phase = Phase::Connected;
            state.peer = Some(embryo.clone());
            state.peer_credentials = listener_credentials;
        }
        listener.state.lock().pending.push_back(embryo);
        listener.read_queue.wake_all();
        listener.listeners.tell(Event::In);
        Ok(())
    }

    /// Sets where a datagram socket sends to, or (AF_UNSPEC) nowhere.
    pub(super) fn connect_datagram(&self, addr: &[u8]) -> Result<(), Errno> {
        let Some(family) = addr.first_chunk::<2>() else {
            return Err(Errno::EINVAL);
        };
        if u32::from(u16::from_ne_bytes(*family)) == AF_UNSPEC {
            let mut state = self.state.lock();
            let old = state.peer.take();
            state.phase = Phase::Closed;
            drop(state);
            drop(old);
            self.wake();
            return Ok(());
        }
        if let Name::Unnamed = address::parse(addr)? {
            return Err(Errno::EINVAL);
        }
        self.bind_for_credentials()?;
        let peer = address::find(addr, self.kind)?;
        if !self.may_send_to(&peer) {
            return Err(Errno::EPERM);
        }
        let old = {
            let mut state = self.state.lock();
            state.phase = Phase::Connected;
            state.peer.replace(peer)
        };
        drop(old);
        self.wake();
        Ok(())
    }

    pub(super) fn accept_one(&self, nonblocking: bool) -> Result<Arc<UnixSocket>, Errno> {
        if !self.is_connected_kind() {
            return Err(Errno::EOPNOTSUPP);
        }
        let attempt = || {
            let mut state = self.state.lock();
            if state.phase != Phase::Listening {
                return Some(Err(Errno::EINVAL));
            }
            if let Some(socket) = state.pending.pop_front() {
                return Some(Ok(socket));
            }
            if let Some(error) = state.error.take() {
                return Some(Err(error));
            }
            (state.shutdown & RECEIVE != 0 && !nonblocking).then_some(Err(Errno::EINVAL))
        };
        let deadline = self.options.receive_deadline();
        let socket = if nonblocking {
            attempt().unwrap_or(Err(Errno::EAGAIN))
        } else {
            wait_until(&[&self.read_queue], deadline, Interruptible::Yes, attempt)
                .unwrap_or_else(|error| Err(interrupted(error, deadline)))
        }?;
        socket.options.inherit(&self.options);
        socket.state.lock().has_file = true;
        self.room_queue.wake_all();
        Ok(socket)
    }

    pub(super) fn shut_down(&self, how: u32) -> Result<(), Errno> {
        let bits = match how {
            0 => RECEIVE,
            1 => SEND,
            2 => RECEIVE | SEND,
            _ => return Err(Errno::EINVAL),
        };
        let peer = {
            let mut state = self.state.lock();
            state.shutdown |= bits;
            state.peer.clone()
        };
        self.wake();
        if let Some(peer) = peer.filter(|_| self.is_connected_kind()) {
            // What one end no longer receives, the other can no longer send.
            let both = {
                let mut state = peer.state.lock();
                state.shutdown |= ((bits & RECEIVE) * SEND) | (bits / SEND);
                bits == RECEIVE | SEND
            };
            peer.wake();
            if both {
                peer.listeners.tell(Event::HangUp);
            } else if bits & SEND != 0 {
                peer.listeners.tell(Event::In);
            }
        }
        Ok(())
    }

    /// Ends the socket. `refused`: it was never accepted, so that its peer sees a reset.
    pub(super) fn release(&self, refused: bool) {
        let (peer, queue, pending, bound) = {
            let mut state = self.state.lock();
            state.dead = true;
            state.shutdown = RECEIVE | SEND;
            state.phase = Phase::Closed;
            (
                state.peer.take(),
                core::mem::take(&mut state.queue),
                core::mem::take(&mut state.pending),
                state.bound.take(),
            )
        };
        if let Some(bound) = bound {
            address::unbind(bound);
        }
        self.wake();
        if let Some(peer) = peer.filter(|_| self.is_connected_kind()) {
            {
                let mut state = peer.state.lock();
                state.shutdown = RECEIVE | SEND;
                if refused || !queue.is_empty() {
                    state.error = Some(Errno::ECONNRESET);
                }
            }
            peer.wake();
            peer.listeners.tell(Event::HangUp);
        }
        for embryo in pending {
            embryo.release(true);
        }
    }
}
