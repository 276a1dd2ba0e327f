//! What a recorded call's arguments point to, copied before it is recorded, where other threads could change it: what is logged is what runs.
//!
//! The copies lie in the task's [`scratch`] memory, and the handler gets their addresses. A message's parts and what `iovec`s refer to come along. What is longer
//! than a window stays where it is: between its record and the handler's look at it nobody else runs, unless the handler waits.

use super::scratch::{self, MAX_BYTES};
use crate::{mm::user, task::Task};
use alloc::{sync::Arc, vec::Vec};
use vitrine_abi::syscall::{ArgKind, Dir, StructKind, Syscall};

/// Most bytes of a socket address (`struct sockaddr_storage`).
const SOCKADDR_MAX: u64 = 128;
/// Most bytes of ancillary data that are copied.
const CONTROL_MAX: u64 = 1024;
/// Bytes of a `struct iovec`.
const IOVEC: usize = 16;
/// Where a `struct msghdr` has the name and its length, the `iovec`s and their number, ancillary data and its length.
const MSG_NAME: usize = 0;
const MSG_NAMELEN: usize = 8;
const MSG_IOV: usize = 16;
const MSG_IOVLEN: usize = 24;
const MSG_CONTROL: usize = 32;
const MSG_CONTROLLEN: usize = 40;

/// Whether somebody else can write to the task's memory while it is in a call.
pub(super) fn is_shared(task: &Task) -> bool {
    task.space
        .lock()
        .as_ref()
        .is_some_and(|space| Arc::strong_count(space) > 1)
}

/// The arguments with copies in the place of what the call reads.
pub(super) fn arguments(call: &Syscall, args: &[u64; 6], task: &Task) -> [u64; 6] {
    let mut frozen = *args;
    for (arg, place) in frozen.iter_mut().enumerate().take(call.args.len()) {
        // What lies in the first pages is a copy already.
        if args[arg] < scratch::END {
            continue;
        }
        let mut window = Window {
            base: scratch::window(arg),
            bytes: Vec::new(),
        };
        let copied = window.argument(call.kind(args, arg), args[arg], args);
        if copied.is_some()
            && let Ok(addr) = task.trace.scratch.put(arg, &window.bytes)
        {
            *place = addr;
        }
    }
    frozen
}

fn length(args: &[u64; 6], index: u8) -> u64 {
    args.get(usize::from(index)).copied().unwrap_or(0)
}

/// A copy under construction.
struct Window {
    /// Where it will be found.
    base: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Copies an argument to the window's start; `None`: it stays where it is.
    fn argument(&mut self, kind: ArgKind, addr: u64, args: &[u64; 6]) -> Option<()> {
        match kind {
            ArgKind::Str => {
                let mut string = user::read_cstr(addr, MAX_BYTES - 1).ok()?;
                string.push(0);
                self.bytes = string;
            }
            ArgKind::BufIn(len) => {
                self.block(addr, length(args, len))?;
            }
            ArgKind::SockAddr(len, Dir::In) => {
                let len = length(args, len);
                self.block(addr, Some(len).filter(|len| *len <= SOCKADDR_MAX)?)?;
            }
            ArgKind::Struct(StructKind::MsgHdr, Dir::In) => self.message(addr)?,
            ArgKind::Struct(kind, Dir::In) => {
                self.block(addr, kind.size() as u64)?;
            }
            ArgKind::Structs(kind, Dir::In, count) => {
                let len = length(args, count).checked_mul(kind.size() as u64)?;
                self.block(addr, len)?;
            }
            ArgKind::IoVec(count, Dir::In) => self.vectors(addr, length(args, count))?,
            ArgKind::IoVec(count, Dir::Out) => {
                let len = length(args, count).checked_mul(IOVEC as u64)?;
                self.block(addr, len)?;
            }
            _ => return None,
        }
        Some(())
    }

    /// Appends `len` bytes from `addr`, if there is room; where they begin in the window.
    fn block(&mut self, addr: u64, len: u64) -> Option<usize> {
        let start = self.bytes.len().next_multiple_of(8);
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        if end > MAX_BYTES || len == 0 {
            return None;
        }
        self.bytes.resize(end, 0);
        if user::read_bytes(addr, &mut self.bytes[start..]).is_err() {
            self.bytes.truncate(start);
            return None;
        }
        Some(start)
    }

    /// An array of `iovec`s at the end of the window, then what they refer to.
    fn vectors(&mut self, addr: u64, count: u64) -> Option<()> {
        let array = self.block(addr, count.checked_mul(IOVEC as u64)?)?;
        for index in 0..count as usize {
            let at = array + index * IOVEC;
            let (base, len) = (self.word(at)?, self.word(at + 8)?);
            if let Some(start) = self.block(base, len) {
                self.point(at, start);
            }
        }
        Some(())
    }

    /// A `struct msghdr` with its parts.
    fn message(&mut self, addr: u64) -> Option<()> {
        let head = self.block(addr, StructKind::MsgHdr.size() as u64)?;
        let name_len = self.word(head + MSG_NAMELEN)? & u64::from(u32::MAX);
        for (at, len, most) in [
            (MSG_NAME, name_len, SOCKADDR_MAX),
            (MSG_CONTROL, self.word(head + MSG_CONTROLLEN)?, CONTROL_MAX),
        ] {
            let addr = self.word(head + at)?;
            if addr != 0
                && len <= most
                && let Some(start) = self.block(addr, len)
            {
                self.point(head + at, start);
            }
        }
        let (vectors, count) = (self.word(head + MSG_IOV)?, self.word(head + MSG_IOVLEN)?);
        let start = self.bytes.len().next_multiple_of(8);
        if vectors != 0 && self.vectors(vectors, count).is_some() {
            self.point(head + MSG_IOV, start);
        }
        Some(())
    }

    fn word(&self, at: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    }

    /// Makes the pointer at `at` one to `start` in the window.
    fn point(&mut self, at: usize, start: usize) {
        let addr = self.base + start as u64;
        if let Some(place) = self.bytes.get_mut(at..at + 8) {
            place.copy_from_slice(&addr.to_le_bytes());
        }
    }
}
