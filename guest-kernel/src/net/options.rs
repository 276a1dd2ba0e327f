//! SOL_SOCKET options (socket(7)): those that change what a socket does, and those that are only remembered.

use super::{Socket, buffer, buffer::SendBuffer};
use crate::{
    Errno,
    fs::{access, anon},
    sched,
    sync::Mutex,
    syscall::timeout::Timeval,
};
use alloc::{sync::Arc, vec::Vec};
use linux_raw_sys::{
    general::{CAP_NET_ADMIN, CAP_NET_RAW},
    net::{
        SO_ACCEPTCONN, SO_BROADCAST, SO_COOKIE, SO_DEBUG, SO_DOMAIN, SO_DONTROUTE, SO_ERROR,
        SO_KEEPALIVE, SO_LINGER, SO_MARK, SO_NO_CHECK, SO_OOBINLINE, SO_PASSCRED, SO_PEERCRED,
        SO_PEERNAME, SO_PRIORITY, SO_PROTOCOL, SO_RCVBUF, SO_RCVBUFFORCE, SO_RCVLOWAT,
        SO_RCVTIMEO_NEW, SO_RCVTIMEO_OLD, SO_REUSEADDR, SO_REUSEPORT, SO_SNDBUF, SO_SNDBUFFORCE,
        SO_SNDLOWAT, SO_SNDTIMEO_NEW, SO_SNDTIMEO_OLD, SO_TIMESTAMP_OLD, SO_TIMESTAMPNS_OLD,
        SO_TYPE,
    },
};
use zerocopy::{FromBytes, IntoBytes};

/// Largest SO_SNDBUF and SO_RCVBUF that is taken as it is (/proc/sys/net/core/wmem_max); twice that is set.
const MAX_BUFFER: i32 = 212_992;
/// The same for SO_SNDBUFFORCE and SO_RCVBUFFORCE.
const MAX_FORCED: i32 = 8 << 20;
/// Smallest limits, as Linux has them.
const MIN_SEND: usize = 4608;
const MIN_RECEIVE: usize = 2304;
/// Largest priority that needs no privilege.
const MAX_PRIORITY: i32 = 6;

/// Options that are yes or no and have a number below 128.
const BOOLEANS: [u32; 11] = [
    SO_DEBUG,
    SO_REUSEADDR,
    SO_DONTROUTE,
    SO_BROADCAST,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SO_NO_CHECK,
    SO_REUSEPORT,
    SO_PASSCRED,
    SO_TIMESTAMP_OLD,
    SO_TIMESTAMPNS_OLD,
];

/// A socket's options.
pub struct Options {
    /// What it has sent; holds SO_SNDBUF.
    pub sending: Arc<SendBuffer>,
    values: Mutex<Values>,
    cookie: u64,
}

#[derive(Clone, Copy)]
struct Values {
    booleans: u128,
    receive_limit: usize,
    receive_low: i32,
    /// Nanoseconds; 0: for ever.
    receive_timeout: u64,
    send_timeout: u64,
    linger: [i32; 2],
    priority: i32,
    mark: i32,
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            sending: SendBuffer::new(),
            values: Mutex::new(Values {
                booleans: 0,
                receive_limit: buffer::DEFAULT,
                receive_low: 1,
                receive_timeout: 0,
                send_timeout: 0,
                linger: [0; 2],
                priority: 0,
                mark: 0,
            }),
            cookie: anon::next_ino(),
        }
    }

    /// Takes over what an accepted socket has from its listener.
    pub fn inherit(&self, from: &Options) {
        let inherited = from.values.lock().booleans & bit(SO_PASSCRED);
        self.values.lock().booleans |= inherited;
    }

    /// Whether a yes-or-no option is set.
    pub fn is_set(&self, name: u32) -> bool {
        self.values.lock().booleans & bit(name) != 0
    }

    /// SO_RCVLOWAT.
    pub fn receive_low(&self) -> usize {
        usize::try_from(self.values.lock().receive_low).unwrap_or(1)
    }

    /// When a receive that starts now gives up (SO_RCVTIMEO).
    pub fn receive_deadline(&self) -> Option<u64> {
        deadline(self.values.lock().receive_timeout)
    }

    /// When a send that starts now gives up (SO_SNDTIMEO).
    pub fn send_deadline(&self) -> Option<u64> {
        deadline(self.values.lock().send_timeout)
    }

    /// getsockopt(2).
    pub fn get(&self, socket: &dyn Socket, name: u32) -> Result<Vec<u8>, Errno> {
        let values = *self.values.lock();
        let (domain, kind, protocol) = socket.identity();
        let int = match name {
            SO_TYPE => kind as i32,
            SO_DOMAIN => domain as i32,
            SO_PROTOCOL => protocol as i32,
            SO_ERROR => socket.take_error().map_or(0, |error| i32::from(error.0)),
            SO_SNDBUF => self.sending.limit() as i32,
            SO_RCVBUF => values.receive_limit as i32,
            SO_SNDLOWAT => 1,
            SO_RCVLOWAT => values.receive_low,
            SO_PRIORITY => values.priority,
            SO_MARK => values.mark,
            SO_ACCEPTCONN => i32::from(socket.is_listening()),
            SO_LINGER => return Ok(values.linger.as_bytes().to_vec()),
            SO_RCVTIMEO_OLD | SO_RCVTIMEO_NEW => return Ok(timeval(values.receive_timeout)),
            SO_SNDTIMEO_OLD | SO_SNDTIMEO_NEW => return Ok(timeval(values.send_timeout)),
            SO_PEERCRED => return Ok(socket.peer_credentials().words().as_bytes().to_vec()),
            SO_PEERNAME => return Ok(socket.peer_name()?.to_vec()),
            SO_COOKIE => return Ok(self.cookie.as_bytes().to_vec()),
            _ if BOOLEANS.contains(&name) => i32::from(values.booleans & bit(name) != 0),
            _ => return Err(Errno::ENOPROTOOPT),
        };
        Ok(int.as_bytes().to_vec())
    }

    /// setsockopt(2).
    pub fn set(&self, name: u32, value: &[u8]) -> Result<(), Errno> {
        let (int, _) = i32::read_from_prefix(value).map_err(|_| Errno::EINVAL)?;
        let mut values = self.values.lock();
        match name {
            SO_SNDBUF => self.set_send_limit(int.clamp(0, MAX_BUFFER)),
            SO_RCVBUF => values.receive_limit = receive_limit(int.clamp(0, MAX_BUFFER)),
            SO_SNDBUFFORCE => {
                require(CAP_NET_ADMIN)?;
                self.set_send_limit(int.clamp(0, MAX_FORCED));
            }
            SO_RCVBUFFORCE => {
                require(CAP_NET_ADMIN)?;
                values.receive_limit = receive_limit(int.clamp(0, MAX_FORCED));
            }
            SO_RCVLOWAT => {
                values.receive_low = match int {
                    0 => 1,
                    ..0 => i32::MAX,
                    _ => int,
                }
            }
            SO_PRIORITY => {
                if !(0..=MAX_PRIORITY).contains(&int) {
                    require(CAP_NET_ADMIN)?;
                }
                values.priority = int;
            }
            SO_MARK => {
                require(CAP_NET_ADMIN).or_else(|_| require(CAP_NET_RAW))?;
                values.mark = int;
            }
            SO_LINGER => {
                let (linger, _) = <[i32; 2]>::read_from_prefix(value).map_err(|_| Errno::EINVAL)?;
                values.linger = [i32::from(linger[0] != 0), linger[1]];
            }
            SO_RCVTIMEO_OLD | SO_RCVTIMEO_NEW => values.receive_timeout = timeout(value)?,
            SO_SNDTIMEO_OLD | SO_SNDTIMEO_NEW => values.send_timeout = timeout(value)?,
            _ if BOOLEANS.contains(&name) => {
                if int != 0 {
                    values.booleans |= bit(name);
                } else {
                    values.booleans &= !bit(name);
                }
            }
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    fn set_send_limit(&self, value: i32) {
        let value = usize::try_from(value).unwrap_or(0);
        self.sending.set_limit((value * 2).max(MIN_SEND));
    }
}

fn receive_limit(value: i32) -> usize {
    (usize::try_from(value).unwrap_or(0) * 2).max(MIN_RECEIVE)
}

fn bit(name: u32) -> u128 {
    1u128.checked_shl(name).unwrap_or(0)
}

fn deadline(timeout: u64) -> Option<u64> {
    (timeout != 0).then(|| crate::time::monotonic_ns().saturating_add(timeout))
}

fn require(capability: u32) -> Result<(), Errno> {
    if access::capable(&sched::current().credentials(), capability) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

fn timeval(ns: u64) -> Vec<u8> {
    Timeval::from_ns(ns).as_bytes().to_vec()
}

/// A timeout's nanoseconds; a negative one is the shortest there is.
fn timeout(value: &[u8]) -> Result<u64, Errno> {
    let (time, _) = Timeval::read_from_prefix(value).map_err(|_| Errno::EINVAL)?;
    if !(0..1_000_000).contains(&time.usec) {
        return Err(Errno::EDOM);
    }
    if time.sec < 0 {
        return Ok(1);
    }
    time.to_ns()
}
