//! Bytes through stream sockets.

use super::{Packet, Phase, RECEIVE, SEND, UnixSocket, interrupted};
use crate::{
    Errno, SysResult,
    fs::{Sink, Source, anon},
    net::{Control, Received, buffer::stream_size, scm::Ucred},
    sync::{Interruptible, wait_until},
};
use alloc::vec::Vec;
use linux_raw_sys::net::{MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_WAITALL, SO_PASSCRED};

impl UnixSocket {
    pub(super) fn send_stream(
        &self,
        src: &mut dyn Source,
        to: Option<&[u8]>,
        control: Control,
        flags: u32,
    ) -> SysResult {
        if flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let peer = {
            let state = self.state.lock();
            if to.is_some() {
                return Err(if state.phase == Phase::Connected {
                    Errno::EISCONN
                } else {
                    Errno::EOPNOTSUPP
                });
            }
            let peer = state.peer.clone().ok_or(Errno::ENOTCONN)?;
            if state.shutdown & SEND != 0 {
                return Err(Errno::EPIPE);
            }
            peer
        };
        let deadline = self.options.send_deadline();
        let Control {
            mut credentials,
            mut rights,
        } = control;
        if credentials.is_none() && self.wants_credentials(&peer) {
            credentials = Some(Ucred::of_sender());
        }
        let sending = &self.options.sending;
        let sender = self.address();
        let mut sent = 0;
        while src.left() > 0 {
            let len = sending.stream_piece(src.left());
            let piece = self
                .wait_send_room(flags, deadline)
                .and_then(|()| read_piece(src, len));
            let data = match piece {
                Ok(data) => data,
                Err(_) if sent > 0 => break,
                Err(error) => return Err(error),
            };
            let gone = {
                let state = peer.state.lock();
                state.dead || state.shutdown & RECEIVE != 0
            };
            if gone {
                return if sent > 0 {
                    Ok(sent)
                } else {
                    Err(Errno::EPIPE)
                };
            }
            let len = data.len();
            peer.deliver(Packet {
                start: 0,
                len,
                data,
                sender: sender.clone(),
                credentials,
                rights: rights.take(),
                _charge: sending.charge(stream_size(len)),
            })?;
            sent += len;
        }
        Ok(sent)
    }

    pub(super) fn receive_stream(&self, out: &mut dyn Sink, flags: u32) -> Result<Received, Errno> {
        if self.state.lock().phase != Phase::Connected || flags & MSG_OOB != 0 {
            return Err(Errno::EINVAL);
        }
        let target = if flags & MSG_WAITALL != 0 {
            out.room()
        } else {
            self.options.receive_low().min(out.room())
        };
        let target = target.max(1);
        let deadline = self.options.receive_deadline();
        let mut progress = Progress {
            received: Received::default(),
            with_credentials: self.options.is_set(SO_PASSCRED),
            peeked: 0,
        };
        let mut reader = self.reader.lock();
        loop {
            let outcome = self.receive_pieces(out, flags & MSG_PEEK != 0, &mut progress);
            let done = progress.received.len;
            match outcome {
                Ok(true) => return Ok(progress.received),
                Ok(false) if done >= target || progress.peeked > 0 => return Ok(progress.received),
                Ok(false) => {}
                Err(_) if done > 0 => return Ok(progress.received),
                Err(error) => return Err(error),
            }
            // The queue is used up.
            {
                let mut state = self.state.lock();
                let error = if let Some(error) = state.error.take() {
                    Some(error)
                } else if state.shutdown & RECEIVE != 0 {
                    return Ok(progress.received);
                } else if flags & MSG_DONTWAIT != 0 {
                    Some(Errno::EAGAIN)
                } else {
                    None
                };
                match error {
                    Some(_) if done > 0 => return Ok(progress.received),
                    Some(error) => return Err(error),
                    None => {}
                }
            }
            drop(reader);
            let wait = wait_until(&[&self.read_queue], deadline, Interruptible::Yes, || {
                let state = self.state.lock();
                let changed = !state.queue.is_empty()
                    || state.error.is_some()
                    || state.shutdown & RECEIVE != 0;
                changed.then_some(())
            });
            if let Err(error) = wait {
                return if done > 0 {
                    Ok(progress.received)
                } else {
                    Err(interrupted(error, deadline))
                };
            }
            reader = self.reader.lock();
        }
    }

    /// Moves pieces from the queue to `out`. True: the call is done, though the queue may have more; false: the queue is used up.
    fn receive_pieces(
        &self,
        out: &mut dyn Sink,
        peek: bool,
        progress: &mut Progress,
    ) -> Result<bool, Errno> {
        loop {
            let index = progress.peeked;
            // The bytes are taken out of the queue for the copy, so that its lock is not held meanwhile.
            let (data, start, len) = {
                let mut state = self.state.lock();
                let Some(packet) = state.queue.get_mut(index) else {
                    return Ok(false);
                };
                if !progress.accepts(packet) {
                    return Ok(true);
                }
                let len = packet.left().min(out.room());
                (core::mem::take(&mut packet.data), packet.start, len)
            };
            let copied = match data.get(start..start + len) {
                Some(piece) if len > 0 => out.put(piece),
                _ => Ok(0),
            };
            let mut taken = None;
            let (done, rights) = {
                let mut state = self.state.lock();
                let Some(packet) = state.queue.get_mut(index) else {
                    return Ok(true);
                };
                packet.data = data;
                let copied = copied?;
                progress.received.len += copied;
                if peek {
                    if let Some(rights) = &packet.rights {
                        progress.received.files = rights.copy();
                    }
                    progress.peeked += 1;
                    let stop = copied < packet.left() || packet.rights.is_some();
                    (stop || out.room() == 0, None)
                } else {
                    packet.start += copied;
                    let rights = packet.rights.take();
                    let whole = packet.left() == 0;
                    if whole {
                        taken = state.queue.pop_front();
                    }
                    (!whole || rights.is_some() || out.room() == 0, rights)
                }
            };
            // Dropping it tells the sender that there is room.
            drop(taken);
            if let Some(rights) = rights {
                progress.received.files = rights.take();
            }
            if done {
                return Ok(true);
            }
        }
    }
}

/// What a receive has so far.
struct Progress {
    received: Received,
    /// The receiver wants credentials: pieces of different senders are not put together.
    with_credentials: bool,
    /// Pieces that were looked at and stay in the queue.
    peeked: usize,
}

impl Progress {
    /// Whether `packet` may join what was received; notes its sender.
    fn accepts(&mut self, packet: &Packet) -> bool {
        if self.with_credentials {
            let credentials = packet.credentials.unwrap_or(Ucred::NOBODY);
            match self.received.credentials {
                Some(first) if first != credentials => return false,
                _ => self.received.credentials = Some(credentials),
            }
        }
        if self.received.name.is_none() {
            self.received.name = Some(packet.sender.clone().unwrap_or_default());
        }
        true
    }
}

/// Takes the next `len` bytes; fewer only at a bad address. `EFAULT`.
fn read_piece(src: &mut dyn Source, len: usize) -> Result<Vec<u8>, Errno> {
    let mut data = anon::zeroed(len)?;
    let mut done = 0;
    while done < len {
        match src.take(&mut data[done..])? {
            0 => return Err(Errno::EFAULT),
            n => done += n,
        }
    }
    Ok(data)
}
