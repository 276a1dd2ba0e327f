//! What went through a descriptor, byte by byte: strace's `-e read=` and `-e write=`.

use super::Options;
use crate::{
    decode::put,
    event::{Captured, SyscallEvent},
};
use std::io::Write;
use vitrine_abi::{event::tag, nr};

/// Appends a call's data, if it is one that moves data and its descriptor is asked for.
pub(super) fn data(out: &mut Vec<u8>, call: &SyscallEvent, options: &Options) {
    let Some(ret) = call.ret.filter(|_| call.succeeded()) else {
        return;
    };
    let fd = call.args[0] as i32;
    let (reads, vector) = match call.nr as usize {
        nr::READ | nr::PREAD64 | nr::RECVFROM => (true, false),
        nr::WRITE | nr::PWRITE64 | nr::SENDTO => (false, false),
        nr::READV | nr::PREADV | nr::PREADV2 => (true, true),
        nr::WRITEV | nr::PWRITEV | nr::PWRITEV2 => (false, true),
        _ => return,
    };
    let wanted = if reads {
        options.dump_read
    } else {
        options.dump_write
    };
    if !wanted.contains(fd) {
        return;
    }
    if vector {
        pieces(out, &call.items, reads, ret as u64);
    } else if let Some(item) = call.items.find(tag::BYTES, 1, reads) {
        let moved = usize::try_from(if reads { ret as u64 } else { call.args[2] });
        lines(
            out,
            item.data.get(..moved.unwrap_or(0)).unwrap_or(item.data),
        );
    }
}

fn pieces(out: &mut Vec<u8>, items: &Captured, reads: bool, moved: u64) {
    let mut left = moved;
    let pieces = items
        .iter()
        .filter(|item| item.head.tag == tag::PIECE && item.is_out() == reads);
    for (number, piece) in pieces.enumerate() {
        let len = if reads {
            left.min(piece.data.len() as u64)
        } else {
            piece.data.len() as u64
        };
        if reads && left == 0 {
            break;
        }
        left = left.saturating_sub(len);
        let _ = writeln!(out, " * {len} bytes in buffer {number}");
        lines(out, piece.data.get(..len as usize).unwrap_or(piece.data));
    }
}

/// ` | 00000  68 65 6c …  hello world this |`, sixteen bytes a line.
fn lines(out: &mut Vec<u8>, data: &[u8]) {
    for (number, chunk) in data.chunks(16).enumerate() {
        let _ = write!(out, " | {:05x} ", number * 16);
        for index in 0..16 {
            if index % 8 == 0 {
                out.push(b' ');
            }
            match chunk.get(index) {
                Some(byte) => {
                    let _ = write!(out, "{byte:02x} ");
                }
                None => put(out, "   "),
            }
        }
        out.push(b' ');
        for index in 0..16 {
            out.push(match chunk.get(index) {
                Some(byte @ b' '..=b'~') => *byte,
                Some(_) => b'.',
                None => b' ',
            });
        }
        put(out, " |\n");
    }
}
