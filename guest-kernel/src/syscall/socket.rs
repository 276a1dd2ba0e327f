//! Sockets: socket(2) to getsockopt(2), all but sending and receiving ([`super::message`]).

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{File, anon},
    mm, net,
};
use alloc::{sync::Arc, vec::Vec};
use linux_raw_sys::{
    general::{O_CLOEXEC, O_NONBLOCK},
    net::SOL_SOCKET,
};
use vitrine_abi::nr;

/// Registers the family.
pub const fn add(table: &mut Table) {
    table.set(nr::SOCKET, call!(socket; 3));
    table.set(nr::SOCKETPAIR, call!(socketpair; 4));
    table.set(nr::BIND, call!(bind; 3));
    table.set(nr::LISTEN, call!(listen; 2));
    table.set(nr::CONNECT, call!(connect; 3));
    table.set(nr::ACCEPT, call!(accept; 3));
    table.set(nr::ACCEPT4, call!(accept4; 4));
    table.set(nr::SHUTDOWN, call!(shutdown; 2));
    table.set(nr::GETSOCKNAME, call!(getsockname; 3));
    table.set(nr::GETPEERNAME, call!(getpeername; 3));
    table.set(nr::GETSOCKOPT, call!(getsockopt; 5));
    table.set(nr::SETSOCKOPT, call!(setsockopt; 5));
}

/// Bits of socket(2)'s type that are the type.
const TYPE_MASK: u32 = 0xf;
/// `SOCK_CLOEXEC` and `SOCK_NONBLOCK`.
const TYPE_FLAGS: u32 = O_CLOEXEC | O_NONBLOCK;
/// Bytes of `struct sockaddr_storage`.
pub const MAX_ADDRESS: usize = 128;
/// Bytes of an option's value that are looked at.
const MAX_OPTION: usize = 256;

/// Splits a type argument into the type and its flags; `EINVAL`.
fn split_type(kind: u32) -> Result<(i32, u32), Errno> {
    if kind & !(TYPE_MASK | TYPE_FLAGS) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(((kind & TYPE_MASK) as i32, kind & TYPE_FLAGS))
}

/// socket(2).
pub fn socket(family: i32, kind: u32, protocol: i32) -> SysResult {
    let (kind, flags) = split_type(kind)?;
    let socket = net::create(family, kind, protocol)?;
    anon::install_file(net::open_file(socket, flags), flags & O_CLOEXEC != 0)
}

/// socketpair(2).
pub fn socketpair(family: i32, kind: u32, protocol: i32, fds: u64) -> SysResult {
    let (kind, flags) = split_type(kind)?;
    let [a, b] = net::create_pair(family, kind, protocol)?.map(|end| net::open_file(end, flags));
    anon::install_pair(a, b, flags & O_CLOEXEC != 0, |pair| {
        mm::user::write(fds, &pair)
    })?;
    Ok(0)
}

/// The socket at `fd`: its open file, to be kept while the socket is used.
pub fn lookup(fd: i32) -> Result<Arc<File>, Errno> {
    let file = anon::file(fd)?;
    net::socket_of(&file)?;
    Ok(file)
}

/// Reads an address argument; `EINVAL` for an impossible length.
pub fn read_address(addr: u64, len: u32) -> Result<Vec<u8>, Errno> {
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    if len > MAX_ADDRESS {
        return Err(Errno::EINVAL);
    }
    let mut bytes = alloc::vec![0; len];
    mm::user::read_bytes(addr, &mut bytes)?;
    Ok(bytes)
}

/// Writes an address as far as the program's buffer (its size is at `len_addr`) has room, and its full length.
pub fn write_address(address: &[u8], addr: u64, len_addr: u64) -> Result<(), Errno> {
    let room: i32 = mm::user::read(len_addr)?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let shown = address.get(..room).unwrap_or(address);
    mm::user::write_bytes(addr, shown)?;
    mm::user::write(len_addr, &(address.len() as u32))
}

/// bind(2).
pub fn bind(fd: i32, addr: u64, len: u32) -> SysResult {
    let file = lookup(fd)?;
    let address = read_address(addr, len)?;
    net::socket_of(&file)?.bind(&address)?;
    Ok(0)
}

/// listen(2).
pub fn listen(fd: i32, backlog: i32) -> SysResult {
    net::socket_of(&*lookup(fd)?)?.listen(backlog)?;
    Ok(0)
}

/// connect(2).
pub fn connect(fd: i32, addr: u64, len: u32) -> SysResult {
    let file = anon::file(fd)?;
    let address = read_address(addr, len)?;
    net::socket_of(&file)?.connect(&address, file.nonblocking())?;
    Ok(0)
}

/// accept(2).
pub fn accept(fd: i32, addr: u64, len_addr: u64) -> SysResult {
    accept4(fd, addr, len_addr, 0)
}

/// accept4(2).
pub fn accept4(fd: i32, addr: u64, len_addr: u64, flags: u32) -> SysResult {
    if flags & !TYPE_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let file = lookup(fd)?;
    let listener = net::socket_of(&file)?;
    // A connection is not taken for which there is no descriptor.
    crate::fs::current_files()?.check_room()?;
    let socket = listener.accept(file.nonblocking())?;
    let new = net::open_file(socket.clone(), flags);
    if addr != 0 {
        let peer = socket.peer_name().map_err(|_| Errno::ECONNABORTED)?;
        write_address(&peer, addr, len_addr)?;
    }
    anon::install_file(new, flags & O_CLOEXEC != 0)
}

/// shutdown(2).
pub fn shutdown(fd: i32, how: u32) -> SysResult {
    net::socket_of(&*lookup(fd)?)?.shutdown(how)?;
    Ok(0)
}

/// getsockname(2).
pub fn getsockname(fd: i32, addr: u64, len_addr: u64) -> SysResult {
    let name = net::socket_of(&*lookup(fd)?)?.local_name()?;
    write_address(&name, addr, len_addr)?;
    Ok(0)
}

/// getpeername(2).
pub fn getpeername(fd: i32, addr: u64, len_addr: u64) -> SysResult {
    let name = net::socket_of(&*lookup(fd)?)?.peer_name()?;
    write_address(&name, addr, len_addr)?;
    Ok(0)
}

/// getsockopt(2).
pub fn getsockopt(fd: i32, level: u32, name: u32, value: u64, len_addr: u64) -> SysResult {
    let file = lookup(fd)?;
    let socket = net::socket_of(&file)?;
    let room = || {
        let len: i32 = mm::user::read(len_addr)?;
        usize::try_from(len).map_err(|_| Errno::EINVAL)
    };
    let (room, bytes) = if level == SOL_SOCKET {
        (room()?, socket.options().get(&**socket, name)?)
    } else {
        let bytes = socket.get_option(level, name)?;
        (room()?, bytes)
    };
    let shown = bytes.get(..room).unwrap_or(&bytes);
    mm::user::write_bytes(value, shown)?;
    mm::user::write(len_addr, &(shown.len() as u32))?;
    Ok(0)
}

/// setsockopt(2).
pub fn setsockopt(fd: i32, level: u32, name: u32, value: u64, len: i32) -> SysResult {
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    let file = lookup(fd)?;
    let socket = net::socket_of(&file)?;
    let mut bytes = alloc::vec![0; len.min(MAX_OPTION)];
    let read = mm::user::read_bytes(value, &mut bytes);
    if level == SOL_SOCKET {
        if len < size_of::<i32>() {
            return Err(Errno::EINVAL);
        }
        read?;
        socket.options().set(name, &bytes)?;
    } else {
        read.and_then(|()| socket.set_option(level, name, &bytes))?;
    }
    Ok(0)
}
