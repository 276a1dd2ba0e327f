//! Sockets: what all families share.
//!
//! - [`Socket`]: what a family implements; [`unix`] is AF_UNIX.
//! - [`SocketFile`]: a socket as an open file.
//! - [`options`]: the SOL_SOCKET options; [`buffer`]: accounting of what was sent and not yet received.
//! - [`scm`]: descriptors and credentials that travel with messages.
//!
//! `syscall::socket` and `syscall::message` hold the calls, and all that touches user memory.

pub mod buffer;
pub mod options;
pub mod scm;
pub mod unix;

use crate::{
    Errno, SysResult,
    fs::{
        Description, File, FileOps, Metadata, PollEvents, PollTable, Sink, Source, anon,
        async_io::Listeners, pipe,
    },
};
use alloc::{format, sync::Arc, vec::Vec};
use core::any::Any;
use linux_raw_sys::{
    general::{O_NONBLOCK, O_RDWR, S_IFSOCK},
    net::{AF_UNIX, MSG_DONTWAIT, MSG_NOSIGNAL},
};
use options::Options;
use scm::{Rights, Ucred};

/// One past the highest address family number (`AF_MAX`).
const FAMILIES: i32 = 46;
/// One past the highest socket type (`SOCK_MAX`).
const TYPES: i32 = 11;

/// What goes along with a message that is sent.
#[derive(Default)]
pub struct Control {
    /// SCM_CREDENTIALS, checked.
    pub credentials: Option<Ucred>,
    /// SCM_RIGHTS.
    pub rights: Option<Rights>,
}

/// What a receive yields beside its bytes.
#[derive(Default)]
pub struct Received {
    /// The call's result: bytes, or with MSG_TRUNC the datagram's real length.
    pub len: usize,
    /// Sender's address, empty for an unnamed one; `None`: leave the program's buffer alone.
    pub name: Option<Arc<[u8]>>,
    /// Sender's credentials, if the receiver asked for them (SO_PASSCRED).
    pub credentials: Option<Ucred>,
    /// Descriptors.
    pub files: Vec<Arc<File>>,
    /// `MSG_TRUNC` and the like, for `msg_flags`.
    pub flags: u32,
}

/// What a family implements. Addresses are `sockaddr` bytes, copied in and at most 128 long; `flags` are `MSG_*`, with `MSG_DONTWAIT` set for a
/// non-blocking file.
pub trait Socket: Send + Sync {
    /// SOL_SOCKET options.
    fn options(&self) -> &Options;
    /// Address family, type and protocol.
    fn identity(&self) -> (u32, u32, u32);
    /// For [`Description::kind`].
    fn kind(&self) -> &'static str;
    /// bind(2).
    fn bind(&self, addr: &[u8]) -> Result<(), Errno>;
    /// listen(2).
    fn listen(&self, backlog: i32) -> Result<(), Errno>;
    /// connect(2).
    fn connect(&self, addr: &[u8], nonblocking: bool) -> Result<(), Errno>;
    /// accept(2).
    fn accept(&self, nonblocking: bool) -> Result<Arc<dyn Socket>, Errno>;
    /// Sends a message, or part of a stream. SIGPIPE is the caller's to raise, on `EPIPE` from a type that has it ([`Socket::raises_sigpipe`]).
    fn send(
        &self,
        src: &mut dyn Source,
        to: Option<&[u8]>,
        control: Control,
        flags: u32,
    ) -> SysResult;
    /// Whether a failed send raises SIGPIPE.
    fn raises_sigpipe(&self) -> bool;
    /// Receives a message, or part of a stream.
    fn receive(&self, out: &mut dyn Sink, flags: u32) -> Result<Received, Errno>;
    /// shutdown(2).
    fn shutdown(&self, how: u32) -> Result<(), Errno>;
    /// getsockname(2).
    fn local_name(&self) -> Result<Arc<[u8]>, Errno>;
    /// getpeername(2); `ENOTCONN`.
    fn peer_name(&self) -> Result<Arc<[u8]>, Errno>;
    /// Takes the pending error (SO_ERROR).
    fn take_error(&self) -> Option<Errno>;
    /// SO_ACCEPTCONN.
    fn is_listening(&self) -> bool;
    /// SO_PEERCRED.
    fn peer_credentials(&self) -> Ucred {
        Ucred::NONE
    }
    /// An option of another level than SOL_SOCKET.
    fn get_option(&self, _level: u32, _name: u32) -> Result<Vec<u8>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// Sets an option of another level than SOL_SOCKET.
    fn set_option(&self, _level: u32, _name: u32, _value: &[u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// Readiness; adds the queues that change it.
    fn poll(&self, table: &mut PollTable) -> PollEvents;
    /// It is an open file now, with this inode number.
    fn got_file(&self, ino: u64);
    /// The files that want signals.
    fn listeners(&self) -> &Listeners;
    /// ioctl(2).
    fn ioctl(&self, request: u32, arg: u64) -> SysResult;
    /// The file is gone: nobody calls again.
    fn close(&self);
}

/// A socket as an open file.
pub struct SocketFile {
    socket: Arc<dyn Socket>,
    metadata: Metadata,
}

/// Checks socket(2)'s arguments and makes a socket.
pub fn create(family: i32, kind: i32, protocol: i32) -> Result<Arc<dyn Socket>, Errno> {
    check_type(family, kind)?;
    Ok(unix::create(kind, protocol)?)
}

/// Checks socketpair(2)'s arguments and makes two sockets that are connected with each other.
pub fn create_pair(family: i32, kind: i32, protocol: i32) -> Result<[Arc<dyn Socket>; 2], Errno> {
    check_type(family, kind)?;
    let [a, b] = unix::create_pair(kind, protocol)?;
    Ok([a, b])
}

/// In Linux's order: the number of the family, the number of the type, whether there is such a family.
fn check_type(family: i32, kind: i32) -> Result<(), Errno> {
    if !(0..FAMILIES).contains(&family) {
        return Err(Errno::EAFNOSUPPORT);
    }
    if !(0..TYPES).contains(&kind) {
        return Err(Errno::EINVAL);
    }
    if family != AF_UNIX as i32 {
        return Err(Errno::EAFNOSUPPORT);
    }
    Ok(())
}

/// An open file for a socket. `flags`: `O_NONBLOCK` or 0.
pub fn open_file(socket: Arc<dyn Socket>, flags: u32) -> Arc<File> {
    let ino = anon::next_ino();
    socket.got_file(ino);
    let metadata = anon::metadata(anon::SOCKFS_DEV, ino, S_IFSOCK | 0o777);
    File::new_nameless(
        Arc::new(SocketFile { socket, metadata }),
        O_RDWR | flags & O_NONBLOCK,
    )
}

/// The socket that an open file is; `ENOTSOCK`.
pub fn socket_of(file: &File) -> Result<&Arc<dyn Socket>, Errno> {
    let socket: Option<&SocketFile> = file.ops.as_any().downcast_ref();
    socket.map(|file| &file.socket).ok_or(Errno::ENOTSOCK)
}

/// [`Socket::send`] on an open file: with its O_NONBLOCK, and SIGPIPE.
pub fn send(
    file: &File,
    socket: &dyn Socket,
    src: &mut dyn Source,
    to: Option<&[u8]>,
    control: Control,
    flags: u32,
) -> SysResult {
    let result = socket.send(src, to, control, with_nonblocking(file, flags));
    if result == Err(Errno::EPIPE) && flags & MSG_NOSIGNAL == 0 && socket.raises_sigpipe() {
        pipe::raise_sigpipe();
    }
    result
}

/// `flags` and the file's O_NONBLOCK as `MSG_DONTWAIT`.
pub fn with_nonblocking(file: &File, flags: u32) -> u32 {
    if file.nonblocking() {
        flags | MSG_DONTWAIT
    } else {
        flags
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.socket.close();
    }
}

impl FileOps for SocketFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        if out.room() == 0 {
            return Ok(0);
        }
        let received = self.socket.receive(out, with_nonblocking(file, 0))?;
        scm::dispose(received.files);
        Ok(received.len)
    }

    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        send(file, &*self.socket, src, None, Control::default(), 0)
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        self.socket.poll(table)
    }

    fn ioctl(&self, _file: &File, request: u32, arg: u64) -> SysResult {
        self.socket.ioctl(request, arg)
    }

    fn listeners(&self, _file: &File) -> Option<&Listeners> {
        Some(self.socket.listeners())
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.metadata)
    }

    fn describe(&self, _file: &File) -> Description {
        Description {
            kind: self.socket.kind(),
            text: format!("socket:[{}]", self.metadata.ino)
                .into_bytes()
                .into(),
        }
    }
}
