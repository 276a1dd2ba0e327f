//! Messages through datagram and seqpacket sockets.

use super::{Kind, Packet, Phase, RECEIVE, UnixSocket, address, interrupted};
use crate::{
    Errno, SysResult,
    fs::{Sink, Source, anon},
    net::{Control, Received, buffer::datagram_size, scm::Ucred},
    sync::{Interruptible, wait_until},
};
use alloc::sync::Arc;
use linux_raw_sys::net::{MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_TRUNC, SO_PASSCRED};

impl UnixSocket {
    /// Whether `to` takes messages from this socket: it is not connected to another.
    pub(super) fn may_send_to(&self, to: &UnixSocket) -> bool {
        let state = to.state.lock();
        state
            .peer
            .as_ref()
            .is_none_or(|peer| core::ptr::eq(&**peer, self))
    }

    /// Whether a message to `to` has to wait: its queue is full, and it is not connected to this socket.
    pub(super) fn must_wait_for(&self, to: &UnixSocket) -> bool {
        if core::ptr::eq(self, to) {
            return false;
        }
        let state = to.state.lock();
        let mutual = state
            .peer
            .as_ref()
            .is_some_and(|peer| core::ptr::eq(&**peer, self));
        !mutual && state.queue.len() > state.backlog
    }

    pub(super) fn send_seqpacket(
        &self,
        src: &mut dyn Source,
        control: Control,
        flags: u32,
    ) -> SysResult {
        {
            let mut state = self.state.lock();
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            if state.phase != Phase::Connected {
                return Err(Errno::ENOTCONN);
            }
        }
        self.send_datagram(src, None, control, flags)
    }

    pub(super) fn send_datagram(
        &self,
        src: &mut dyn Source,
        to: Option<&[u8]>,
        control: Control,
        flags: u32,
    ) -> SysResult {
        if flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if let Some(address::Name::Unnamed) = to.map(address::parse).transpose()? {
            return Err(Errno::EINVAL);
        }
        self.bind_for_credentials()?;
        let sending = &self.options.sending;
        let len = src.left();
        if len > sending.limit().saturating_sub(32) {
            return Err(Errno::EMSGSIZE);
        }
        let deadline = self.options.send_deadline();
        self.wait_send_room(flags, deadline)?;
        let mut data = anon::zeroed(len)?;
        let mut done = 0;
        while done < len {
            match src.take(&mut data[done..])? {
                0 => return Err(Errno::EFAULT),
                n => done += n,
            }
        }
        let receiver = self.wait_receiver(to, flags, deadline)?;
        let Control {
            mut credentials,
            rights,
        } = control;
        if credentials.is_none() && self.wants_credentials(&receiver) {
            credentials = Some(Ucred::of_sender());
        }
        receiver.deliver(Packet {
            data,
            start: 0,
            len,
            sender: self.address(),
            credentials,
            rights,
            _charge: sending.charge(datagram_size(len)),
        })?;
        Ok(len)
    }

    /// The socket that a message goes to, once its queue has room.
    fn wait_receiver(
        &self,
        to: Option<&[u8]>,
        flags: u32,
        deadline: Option<u64>,
    ) -> Result<Arc<UnixSocket>, Errno> {
        loop {
            let receiver = match to {
                Some(addr) => address::find(addr, self.kind)?,
                None => self.state.lock().peer.clone().ok_or(Errno::ENOTCONN)?,
            };
            if !self.may_send_to(&receiver) && !receiver.state.lock().dead {
                return Err(Errno::EPERM);
            }
            let (dead, shut) = {
                let state = receiver.state.lock();
                (state.dead, state.shutdown & RECEIVE != 0)
            };
            if dead {
                if to.is_some() {
                    return Err(Errno::ECONNREFUSED);
                }
                self.forget_peer(&receiver);
                return Err(Errno::ECONNREFUSED);
            }
            if shut {
                return Err(Errno::EPIPE);
            }
            if !self.must_wait_for(&receiver) {
                return Ok(receiver);
            }
            if flags & MSG_DONTWAIT != 0 {
                return Err(Errno::EAGAIN);
            }
            wait_until(
                &[&receiver.room_queue],
                deadline,
                Interruptible::Yes,
                || {
                    let free = !self.must_wait_for(&receiver) || receiver.state.lock().dead;
                    free.then_some(())
                },
            )
            .map_err(|error| interrupted(error, deadline))?;
        }
    }

    /// The peer of a datagram socket is gone: the socket is no longer connected.
    fn forget_peer(&self, peer: &Arc<UnixSocket>) {
        let old = {
            let mut state = self.state.lock();
            if state
                .peer
                .as_ref()
                .is_none_or(|current| !Arc::ptr_eq(current, peer))
            {
                return;
            }
            if self.kind == Kind::Datagram {
                state.phase = Phase::Closed;
            }
            state.peer.take()
        };
        drop(old);
    }

    pub(super) fn receive_packet(&self, out: &mut dyn Sink, flags: u32) -> Result<Received, Errno> {
        if self.kind == Kind::SeqPacket && self.state.lock().phase != Phase::Connected {
            return Err(Errno::ENOTCONN);
        }
        if flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let deadline = self.options.receive_deadline();
        let nonblocking = flags & MSG_DONTWAIT != 0;
        loop {
            {
                let _reader = self.reader.lock();
                let ready = {
                    let mut state = self.state.lock();
                    if let Some(error) = state.error.take() {
                        return Err(error);
                    }
                    !state.queue.is_empty()
                };
                if ready {
                    return self.take_packet(out, flags);
                }
            }
            let ended = self.state.lock().shutdown & RECEIVE != 0;
            if ended && (self.kind == Kind::SeqPacket || !nonblocking) {
                return Ok(Received::default());
            }
            if nonblocking {
                return Err(Errno::EAGAIN);
            }
            wait_until(&[&self.read_queue], deadline, Interruptible::Yes, || {
                let state = self.state.lock();
                let changed = !state.queue.is_empty()
                    || state.error.is_some()
                    || state.shutdown & RECEIVE != 0;
                changed.then_some(())
            })
            .map_err(|error| interrupted(error, deadline))?;
        }
    }

    /// Receives the first message of the queue, which is not empty. The caller holds the reader lock.
    fn take_packet(&self, out: &mut dyn Sink, flags: u32) -> Result<Received, Errno> {
        let mut received = Received::default();
        let mut state = self.state.lock();
        let data;
        if flags & MSG_PEEK != 0 {
            let packet = state.queue.front_mut().ok_or(Errno::EAGAIN)?;
            self.describe_packet(packet, &mut received);
            received.files = packet.rights.as_ref().map(|r| r.copy()).unwrap_or_default();
            data = core::mem::take(&mut packet.data);
            drop(state);
        } else {
            let mut packet = state.queue.pop_front().ok_or(Errno::EAGAIN)?;
            drop(state);
            self.describe_packet(&packet, &mut received);
            received.files = packet.rights.take().map(|r| r.take()).unwrap_or_default();
            data = core::mem::take(&mut packet.data);
            // Dropping it tells the sender that its buffer has room.
            drop(packet);
            self.room_queue.wake_all();
        }
        let len = data.len().min(out.room());
        let copied = if len > 0 {
            out.put(&data[..len])
        } else {
            Ok(0)
        };
        if data.len() > len {
            received.flags |= MSG_TRUNC;
        }
        received.len = if flags & MSG_TRUNC != 0 {
            data.len()
        } else {
            len
        };
        if flags & MSG_PEEK != 0
            && let Some(packet) = self.state.lock().queue.front_mut()
        {
            packet.data = data;
        }
        match copied {
            Ok(copied) if copied == len => Ok(received),
            _ => {
                crate::net::scm::dispose(received.files);
                Err(Errno::EFAULT)
            }
        }
    }

    fn describe_packet(&self, packet: &Packet, received: &mut Received) {
        received.name = Some(packet.sender.clone().unwrap_or_default());
        if self.options.is_set(SO_PASSCRED) {
            received.credentials = Some(packet.credentials.unwrap_or(Ucred::NOBODY));
        }
    }
}
