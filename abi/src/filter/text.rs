//! Strings that filters compare, made from what a program gave: the same in the guest and on the host.

extern crate alloc;

use alloc::{format, vec::Vec};
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// `path`, relative to the directory `base`, without `.`, `..` and more than one `/`. Links are not followed.
pub fn absolute(base: &[u8], path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(base.len() + path.len() + 1);
    let from = if path.first() == Some(&b'/') {
        &[][..]
    } else {
        base
    };
    for part in from
        .split(|byte| *byte == b'/')
        .chain(path.split(|byte| *byte == b'/'))
    {
        match part {
            b"" | b"." => {}
            b".." => {
                let parent = out.iter().rposition(|byte| *byte == b'/');
                out.truncate(parent.unwrap_or(0));
            }
            name => {
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

/// A `struct sockaddr` as text: `127.0.0.1:80`, `[::1]:80`, `unix:/path`, `unix:@name`; `None` for other families, and for one that is cut short.
pub fn address(bytes: &[u8]) -> Option<Vec<u8>> {
    let family = u16::from_le_bytes(*bytes.first_chunk()?);
    let rest = bytes.get(2..)?;
    let port = || Some(u16::from_be_bytes(*rest.first_chunk()?));
    match family {
        AF_UNIX => {
            let mut text = Vec::from(&b"unix:"[..]);
            match rest.split_first() {
                // Without a name: bind chooses one.
                None => {}
                Some((0, name)) => {
                    text.push(b'@');
                    text.extend_from_slice(name);
                }
                Some(_) => {
                    let end = rest.iter().position(|byte| *byte == 0);
                    text.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
                }
            }
            Some(text)
        }
        AF_INET => {
            let ip: [u8; 4] = *rest.get(2..)?.first_chunk()?;
            Some(format!("{}", SocketAddrV4::new(Ipv4Addr::from(ip), port()?)).into_bytes())
        }
        AF_INET6 => {
            let ip: [u8; 16] = *rest.get(6..)?.first_chunk()?;
            let address = SocketAddrV6::new(Ipv6Addr::from(ip), port()?, 0, 0);
            Some(format!("{address}").into_bytes())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute() {
        for (base, path, whole) in [
            ("/a/b", "c", "/a/b/c"),
            ("/a/b", "../c", "/a/c"),
            ("/a/b", "/x//y/./z/", "/x/y/z"),
            ("/", "..", "/"),
            ("/a", "../../..", "/"),
            ("/a", "", "/a"),
            ("", "a", "/a"),
        ] {
            assert_eq!(absolute(base.as_bytes(), path.as_bytes()), whole.as_bytes());
        }
    }

    #[test]
    fn addresses_are_written() {
        let text = |bytes: &[u8]| address(bytes);
        assert_eq!(
            text(b"\x02\0\x01\xbb\x7f\0\0\x01"),
            Some(b"127.0.0.1:443".to_vec())
        );
        let mut six = Vec::from(&b"\x0a\0\0\x50\0\0\0\0"[..]);
        six.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
        assert_eq!(text(&six), Some(b"[::1]:80".to_vec()));
        assert_eq!(text(b"\x01\0/run/s\0junk"), Some(b"unix:/run/s".to_vec()));
        assert_eq!(text(b"\x01\0\0name"), Some(b"unix:@name".to_vec()));
        assert_eq!(text(b"\x01\0"), Some(b"unix:".to_vec()));
        for short in [
            &b""[..],
            b"\x02",
            b"\x02\0\0\x50\x7f",
            b"\x0a\0\0\x50",
            b"\x10\0\0\0",
        ] {
            assert_eq!(text(short), None);
        }
    }
}
