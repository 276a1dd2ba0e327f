//! Rows: sockets.
use super::{
    kinds::{ArgKind::*, BY_RESULT, Dir::*, Set as S, StructKind as K},
    rows,
};

rows! {
    SOCKET socket(domain: Enum(S::AddressFamily), type: SocketType, protocol: Depends) -> Fd;
    SOCKETPAIR socketpair(domain: Enum(S::AddressFamily), type: SocketType, protocol: Depends, sv: Struct(K::FdPair, Out)) -> Int;
    BIND bind(sockfd: Fd, addr: SockAddr(2, In), addrlen: Int) -> Int;
    CONNECT connect(sockfd: Fd, addr: SockAddr(2, In), addrlen: Int) -> Int;
    LISTEN listen(sockfd: Fd, backlog: Int) -> Int;
    ACCEPT accept(sockfd: Fd, addr: SockAddr(2, Out), addrlen: Struct(K::Int, InOut)) -> Fd;
    ACCEPT4 accept4(sockfd: Fd, addr: SockAddr(2, Out), addrlen: Struct(K::Int, InOut), flags: Flags(S::SockAccept)) -> Fd;
    GETSOCKNAME getsockname(sockfd: Fd, addr: SockAddr(2, Out), addrlen: Struct(K::Int, InOut)) -> Int;
    GETPEERNAME getpeername(sockfd: Fd, addr: SockAddr(2, Out), addrlen: Struct(K::Int, InOut)) -> Int;
    SENDTO sendto(sockfd: Fd, buf: BufIn(2), len: Size, flags: Flags(S::MsgFlags), dest_addr: SockAddr(5, In), addrlen: Int) -> Int;
    RECVFROM recvfrom(sockfd: Fd, buf: BufOut(2), len: Size, flags: Flags(S::MsgFlags), src_addr: SockAddr(5, Out), addrlen: Struct(K::Int, InOut)) -> Int;
    SENDMSG sendmsg(sockfd: Fd, msg: Struct(K::MsgHdr, In), flags: Flags(S::MsgFlags)) -> Int;
    RECVMSG recvmsg(sockfd: Fd, msg: Struct(K::MsgHdr, Out), flags: Flags(S::MsgFlags)) -> Int;
    SENDMMSG sendmmsg(sockfd: Fd, msgvec: Structs(K::MMsgHdr, InOut, 2), vlen: Uint, flags: Flags(S::MsgFlags)) -> Int;
    RECVMMSG recvmmsg(sockfd: Fd, msgvec: Structs(K::MMsgHdr, Out, BY_RESULT), vlen: Uint, flags: Flags(S::MsgFlags), timeout: Struct(K::Timespec, InOut)) -> Timeout;
    SHUTDOWN shutdown(sockfd: Fd, how: Enum(S::Shutdown)) -> Int;
    SETSOCKOPT setsockopt(sockfd: Fd, level: Enum(S::SockOptLevel), optname: Depends, optval: Depends, optlen: Int) -> Int;
    GETSOCKOPT getsockopt(sockfd: Fd, level: Enum(S::SockOptLevel), optname: Depends, optval: Depends, optlen: Struct(K::Int, InOut)) -> Int;
}
