//! Sending and receiving on sockets: sendto(2), recvfrom(2), sendmsg(2), recvmsg(2), sendmmsg(2), recvmmsg(2), and
//! the control messages of the latter four.

use super::{Table, socket, timeout};
use crate::{
    Errno, SysResult, call,
    fs::{
        File, anon,
        io::{UserPieces, UserSink, UserSource},
    },
    mm,
    net::{
        self, Control, Received,
        scm::{self, Rights, Ucred},
    },
    sched,
};
use alloc::{sync::Arc, vec::Vec};
use linux_raw_sys::{
    general::UIO_MAXIOV,
    net::{
        MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_DONTWAIT, SCM_CREDENTIALS, SCM_RIGHTS, SO_PASSCRED,
        SOL_SOCKET,
    },
};
use vitrine_abi::{event::change::descriptor::RECEIVED, nr};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Registers the family.
pub const fn add(table: &mut Table) {
    table.set(nr::SENDTO, call!(sendto; 6));
    table.set(nr::RECVFROM, call!(recvfrom; 6));
    table.set(nr::SENDMSG, call!(sendmsg; 3));
    table.set(nr::RECVMSG, call!(recvmsg; 3));
    table.set(nr::SENDMMSG, call!(sendmmsg; 4));
    table.set(nr::RECVMMSG, call!(recvmmsg; 5));
}

/// Largest control buffer of a send (/proc/sys/net/core/optmem_max).
const MAX_CONTROL: u64 = 131_072;
/// recvmmsg(2): don't block once there is one message.
const MSG_WAITFORONE: u32 = 0x10000;
/// Bytes of `struct cmsghdr`.
const CMSG_HEADER: usize = 16;

/// `struct user_msghdr`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Header {
    name: u64,
    name_len: i32,
    pad0: u32,
    iov: u64,
    iov_len: u64,
    control: u64,
    control_len: u64,
    flags: u32,
    pad1: u32,
}

/// Bytes of a `struct mmsghdr`, and where its `msg_len` is.
const MULTI_SIZE: u64 = 64;
const MULTI_LEN: u64 = size_of::<Header>() as u64;

impl Header {
    /// Reads one, with Linux's checks and corrections.
    fn read(addr: u64) -> Result<Self, Errno> {
        let mut header: Header = mm::user::read(addr)?;
        if header.name == 0 {
            header.name_len = 0;
        }
        if header.name_len < 0 {
            return Err(Errno::EINVAL);
        }
        header.name_len = header.name_len.min(socket::MAX_ADDRESS as i32);
        if header.iov_len > u64::from(UIO_MAXIOV) {
            return Err(Errno::EMSGSIZE);
        }
        Ok(header)
    }

    fn pieces(&self) -> Result<UserPieces, Errno> {
        let count = usize::try_from(self.iov_len).map_err(|_| Errno::EMSGSIZE)?;
        UserPieces::vector(self.iov, count)
    }

    /// Where a send goes, if it says so.
    fn address(&self) -> Result<Option<Vec<u8>>, Errno> {
        if self.name_len == 0 {
            return Ok(None);
        }
        socket::read_address(self.name, self.name_len as u32).map(Some)
    }
}

/// sendto(2).
pub fn sendto(fd: i32, buf: u64, len: usize, flags: u32, addr: u64, addr_len: u32) -> SysResult {
    let mut src = UserSource(UserPieces::one(buf, len)?);
    let file = socket::lookup(fd)?;
    let address = if addr == 0 {
        None
    } else {
        Some(socket::read_address(addr, addr_len)?).filter(|address| !address.is_empty())
    };
    let socket = net::socket_of(&file)?;
    let control = Control::default();
    net::send(
        &file,
        &**socket,
        &mut src,
        address.as_deref(),
        control,
        flags,
    )
}

/// recvfrom(2).
pub fn recvfrom(fd: i32, buf: u64, len: usize, flags: u32, addr: u64, len_addr: u64) -> SysResult {
    let mut out = UserSink(UserPieces::one(buf, len)?);
    let file = socket::lookup(fd)?;
    let socket = net::socket_of(&file)?;
    let received = socket.receive(&mut out, net::with_nonblocking(&file, flags))?;
    scm::dispose(received.files);
    if addr != 0 {
        socket::write_address(&received.name.unwrap_or_default(), addr, len_addr)?;
    }
    Ok(received.len)
}

/// sendmsg(2).
pub fn sendmsg(fd: i32, header: u64, flags: u32) -> SysResult {
    let file = socket::lookup(fd)?;
    send_one(&file, header, flags)
}

/// recvmsg(2).
pub fn recvmsg(fd: i32, header: u64, flags: u32) -> SysResult {
    let file = socket::lookup(fd)?;
    receive_one(&file, header, flags)
}

/// sendmmsg(2): how many messages were sent; an error only if none was.
pub fn sendmmsg(fd: i32, vector: u64, count: u32, flags: u32) -> SysResult {
    let file = socket::lookup(fd)?;
    let count = count.min(UIO_MAXIOV) as usize;
    for i in 0..count {
        let entry = vector.wrapping_add(i as u64 * MULTI_SIZE);
        let sent = send_one(&file, entry, flags)
            .and_then(|len| mm::user::write(entry.wrapping_add(MULTI_LEN), &(len as u32)));
        match sent {
            Ok(()) => {}
            Err(_) if i > 0 => return Ok(i),
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// recvmmsg(2). The timeout is looked at between messages only, as on Linux.
pub fn recvmmsg(fd: i32, vector: u64, count: u32, flags: u32, timespec: u64) -> SysResult {
    let deadline = timeout::after_timespec(timespec)?;
    let file = socket::lookup(fd)?;
    if let Some(error) = net::socket_of(&file)?.take_error() {
        return Err(error);
    }
    let count = count.min(UIO_MAXIOV) as usize;
    let mut flags = flags;
    let mut done = 0;
    while done < count {
        let entry = vector.wrapping_add(done as u64 * MULTI_SIZE);
        let received = receive_one(&file, entry, flags & !MSG_WAITFORONE)
            .and_then(|len| mm::user::write(entry.wrapping_add(MULTI_LEN), &(len as u32)));
        match received {
            Ok(()) => done += 1,
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
        if flags & MSG_WAITFORONE != 0 {
            flags |= MSG_DONTWAIT;
        }
        if deadline.is_some_and(|deadline| timeout::remaining(deadline) == 0) {
            break;
        }
    }
    if let Some(deadline) = deadline {
        super::poll::write_remaining(timespec, deadline);
    }
    Ok(done)
}

fn send_one(file: &File, header: u64, flags: u32) -> SysResult {
    let header = Header::read(header)?;
    let address = header.address()?;
    let mut src = UserSource(header.pieces()?);
    if header.control_len > MAX_CONTROL {
        return Err(Errno::ENOBUFS);
    }
    let control = read_control(header.control, header.control_len as usize)?;
    let socket = net::socket_of(file)?;
    net::send(
        file,
        &**socket,
        &mut src,
        address.as_deref(),
        control,
        flags,
    )
}

/// Reads the control messages of a send. Levels other than SOL_SOCKET are passed over.
fn read_control(addr: u64, len: usize) -> Result<Control, Errno> {
    let mut control = Control::default();
    let mut files: Vec<Arc<File>> = Vec::new();
    let mut bytes = anon::zeroed(len)?;
    mm::user::read_bytes(addr, &mut bytes)?;
    let mut rest = bytes.as_slice();
    while let Some((head, _)) = rest.split_first_chunk::<CMSG_HEADER>() {
        let words: [u64; 2] = zerocopy::transmute!(*head);
        let len = usize::try_from(words[0]).map_err(|_| Errno::EINVAL)?;
        let data = rest.get(CMSG_HEADER..len).ok_or(Errno::EINVAL)?;
        let (level, kind) = (words[1] as u32, (words[1] >> 32) as u32);
        if level == SOL_SOCKET {
            match kind {
                SCM_RIGHTS => read_rights(data, &mut files)?,
                SCM_CREDENTIALS => control.credentials = Some(read_credentials(data)?),
                _ => return Err(Errno::EINVAL),
            }
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    if !files.is_empty() {
        control.rights = Some(Rights::new(files)?);
    }
    Ok(control)
}

fn read_rights(data: &[u8], files: &mut Vec<Arc<File>>) -> Result<(), Errno> {
    let table = sched::current().files()?;
    if files.len() + data.len() / 4 > scm::MAX_FILES {
        return Err(Errno::EINVAL);
    }
    for fd in data.chunks_exact(4) {
        let fd = i32::read_from_bytes(fd).map_err(|_| Errno::EINVAL)?;
        files.push(table.get(fd)?);
    }
    Ok(())
}

fn read_credentials(data: &[u8]) -> Result<Ucred, Errno> {
    let [pid, uid, gid] = <[u32; 3]>::read_from_bytes(data).map_err(|_| Errno::EINVAL)?;
    let pid = pid as i32;
    Ucred { pid, uid, gid }.check()
}

fn receive_one(file: &File, header_addr: u64, flags: u32) -> SysResult {
    let mut header = Header::read(header_addr)?;
    let mut out = UserSink(header.pieces()?);
    let socket = net::socket_of(file)?;
    let received = socket.receive(&mut out, net::with_nonblocking(file, flags))?;
    let Received {
        len,
        name,
        credentials,
        files,
        flags: message_flags,
    } = received;
    header.flags = message_flags | flags & MSG_CMSG_CLOEXEC;
    let mut room = ControlRoom {
        addr: header.control,
        left: usize::try_from(header.control_len).unwrap_or(usize::MAX),
        truncated: false,
    };
    let written = room.write(credentials, files, flags & MSG_CMSG_CLOEXEC != 0);
    if room.truncated || header.control == 0 && socket.options().is_set(SO_PASSCRED) {
        header.flags |= MSG_CTRUNC;
    }
    let name_written = if header.name == 0 {
        Ok(())
    } else {
        let name = name.unwrap_or_default();
        let shown = name.get(..header.name_len as usize).unwrap_or(&name);
        header.name_len = name.len() as i32;
        mm::user::write_bytes(header.name, shown)
    };
    written?;
    name_written?;
    header.control_len = room.addr.wrapping_sub(header.control);
    mm::user::write(header_addr, &header)?;
    Ok(len)
}

/// The part of the program's control buffer that is free.
struct ControlRoom {
    addr: u64,
    left: usize,
    truncated: bool,
}

impl ControlRoom {
    /// Writes what came with a message: credentials, then descriptors.
    fn write(
        &mut self,
        credentials: Option<Ucred>,
        files: Vec<Arc<File>>,
        cloexec: bool,
    ) -> Result<(), Errno> {
        if self.addr == 0 {
            self.left = 0;
        }
        let mut result = Ok(());
        if let Some(credentials) = credentials {
            result = self.put(SCM_CREDENTIALS, credentials.words().as_bytes());
        }
        if !files.is_empty() {
            let rest = self.install(files, cloexec);
            result = result.and(rest);
        }
        result
    }

    /// Installs as many descriptors as there is room for, and tells their numbers; the others are closed.
    fn install(&mut self, mut files: Vec<Arc<File>>, cloexec: bool) -> Result<(), Errno> {
        let room = self.left.saturating_sub(CMSG_HEADER) / 4;
        let mut numbers: Vec<i32> = Vec::new();
        let table = sched::current().files()?;
        for file in files.iter().take(room) {
            match table.install_as(file.clone(), cloexec, 0, (RECEIVED, -1)) {
                Ok(fd) => numbers.push(fd),
                Err(_) => break,
            }
        }
        let rest = files.split_off(numbers.len());
        self.truncated |= !rest.is_empty();
        scm::dispose(rest);
        if numbers.is_empty() {
            return Ok(());
        }
        self.put(SCM_RIGHTS, numbers.as_slice().as_bytes())
    }

    /// Writes one control message, cut to the room that is left.
    fn put(&mut self, kind: u32, data: &[u8]) -> Result<(), Errno> {
        if self.left < CMSG_HEADER {
            self.truncated = true;
            return Ok(());
        }
        let mut len = CMSG_HEADER + data.len();
        if len > self.left {
            self.truncated = true;
            len = self.left;
        }
        let words = [len as u64, u64::from(kind) << 32 | u64::from(SOL_SOCKET)];
        mm::user::write(self.addr, &words)?;
        let shown = data.get(..len - CMSG_HEADER).unwrap_or(data);
        mm::user::write_bytes(self.addr.wrapping_add(CMSG_HEADER as u64), shown)?;
        let space = len.next_multiple_of(8).min(self.left);
        self.addr = self.addr.wrapping_add(space as u64);
        self.left -= space;
        Ok(())
    }
}
