//! Event records: what the guest kernel writes to the event ring and `vitrine-introspect` decodes.
//!
//! ```text
//! record  = RecordHeader, body (by kind, fixed size), items …          8-byte aligned, never wraps in the ring
//! item    = ItemHeader, payload, zero padding to 8 bytes
//! padding = the first 8 bytes of a RecordHeader with kind PAD; the rest of `len` bytes means nothing
//! ```
//!
//! Words are little endian. A reader skips record kinds and item tags that it doesn't know: they grow without a new [`VERSION`]; what is here
//! doesn't change without one. [`Record`] builds a record; the reader is in `vitrine-introspect`, for it has to survive hostile bytes.

pub mod change;

extern crate alloc;

use alloc::vec::Vec;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// [`RecordHeader::version`].
pub const VERSION: u8 = 1;

/// Longest record that a guest kernel writes; longer contents are cut, and say so.
pub const MAX_RECORD: usize = 1 << 20;

/// What a record tells ([`RecordHeader::kind`]).
pub mod kind {
    /// Nothing: fills the ring up to its end.
    pub const PAD: u16 = 0;
    /// [`super::ClockBody`]: what time-stamp counter values mean. The first record, and again whenever the clocks are set.
    pub const CLOCK: u16 = 1;
    /// [`super::SyscallBody`]: a whole call, for one that didn't block. `tsc` is its start.
    pub const SYSCALL: u16 = 2;
    /// [`super::SyscallBody`]: a call has begun and another task runs meanwhile, or it never returns. Carries what went in.
    pub const SYSCALL_ENTER: u16 = 3;
    /// [`super::SyscallBody`]: the end of a call that had an enter record. `tsc` is its end. Carries what came out.
    pub const SYSCALL_EXIT: u16 = 4;
    /// [`super::ForkBody`]: a process or thread was made by the header's task.
    pub const FORK: u16 = 5;
    /// [`super::ExecBody`]: the header's process runs another program. Items [`super::field`].
    pub const EXEC: u16 = 6;
    /// [`super::ExitBody`]: the header's thread ended.
    pub const EXIT: u16 = 7;
    /// [`super::SignalBody`]: a signal was delivered to the header's thread.
    pub const SIGNAL: u16 = 8;
    /// [`super::DropsBody`]: records that found no room (lossy mode).
    pub const DROPS: u16 = 9;
    /// [`super::UnimplementedBody`]: a call that this kernel doesn't have, once per number.
    pub const UNIMPLEMENTED: u16 = 10;
    /// No body; item [`super::field::COMM`]: a thread changed its name.
    pub const COMM: u16 = 11;
    /// [`super::ExecBody`] and its items: a process that already ran when somebody began to watch.
    pub const SNAPSHOT: u16 = 12;
    /// [`super::StopBody`]: the header's thread stands still with its process.
    pub const STOP: u16 = 13;
    /// [`super::ParkBody`] and the call's items: a rule parks the header's thread in a call until somebody resumes it.
    pub const PARK: u16 = 32;
    /// [`super::ResumeBody`]: a parked thread goes on, or was killed.
    pub const RESUME: u16 = 33;
}

/// The head of every record.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct RecordHeader {
    /// Bytes to the next record, this header included; a multiple of 8.
    pub len: u32,
    /// One of [`kind`].
    pub kind: u16,
    /// [`VERSION`].
    pub version: u8,
    /// Reserved, 0.
    pub flags: u8,
    /// Counts records from 1 in ring order; records that were dropped have had their numbers.
    pub seq: u64,
    /// Time-stamp counter; see the kind.
    pub tsc: u64,
    /// vCPU.
    pub vcpu: u16,
    /// Reserved, 0.
    pub reserved: u16,
    /// Process.
    pub pid: i32,
    /// Thread.
    pub tid: i32,
    /// Parent process.
    pub ppid: i32,
    /// Session.
    pub sid: i32,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Reserved, 0.
    pub reserved2: u32,
}

/// Body of [`kind::SYSCALL`], [`kind::SYSCALL_ENTER`] and [`kind::SYSCALL_EXIT`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct SyscallBody {
    /// Call number, as the program gave it.
    pub nr: u64,
    /// Raw arguments.
    pub args: [u64; 6],
    /// Result: at least 0, or a negated error number; a restart code (−512…−516) when a signal interrupted the call. 0 in an enter record.
    pub ret: i64,
    /// Duration in time-stamp counter ticks; 0 in an enter record.
    pub duration: u64,
}

/// Body of [`kind::CLOCK`]: at the header's `tsc` the clocks stood thus.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ClockBody {
    /// Time-stamp counter ticks per millisecond.
    pub tsc_khz: u64,
    /// The guest's CLOCK_MONOTONIC, nanoseconds.
    pub monotonic_ns: u64,
    /// The guest's CLOCK_REALTIME, nanoseconds since the epoch.
    pub realtime_ns: u64,
}

/// Body of [`kind::FORK`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ForkBody {
    /// The child's process id; the header's own for a thread.
    pub child_pid: i32,
    /// The child's thread id.
    pub child_tid: i32,
    /// Flags as clone(2) has them, the signal in the lowest byte.
    pub clone_flags: u64,
}

/// Body of [`kind::EXEC`] and [`kind::SNAPSHOT`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ExecBody {
    /// Real, effective, saved user id.
    pub uids: [u32; 3],
    /// Real, effective, saved group id.
    pub gids: [u32; 3],
    /// `st_dev` of the executable.
    pub dev: u64,
    /// `st_ino` of the executable.
    pub ino: u64,
    /// Number of argument strings, of which the item may hold fewer.
    pub argc: u32,
    /// Number of environment strings.
    pub envc: u32,
}

/// Body of [`kind::EXIT`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ExitBody {
    /// Status as wait(2) encodes it.
    pub status: i32,
    /// 1 when the process ended with it (it was the last thread); 2 when it was the leader and another thread's execve takes its place.
    pub process_ended: u32,
    /// Time in user mode, nanoseconds: of the process if it ended.
    pub user_ns: u64,
    /// Time in the kernel, nanoseconds.
    pub system_ns: u64,
    /// Most memory it had resident, bytes.
    pub max_rss: u64,
}

/// Body of [`kind::SIGNAL`]: `siginfo_t`, laid out by fields.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct SignalBody {
    /// `si_signo`.
    pub signo: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_errno`.
    pub errno: i32,
    /// `si_pid`.
    pub pid: i32,
    /// `si_uid`.
    pub uid: u32,
    /// `si_status`.
    pub status: i32,
    /// `si_addr`.
    pub addr: u64,
    /// `si_value`.
    pub value: u64,
    /// `si_utime`, in clock ticks of 10 ms.
    pub utime: u64,
    /// `si_stime`.
    pub stime: u64,
}

/// Body of [`kind::STOP`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct StopBody {
    /// The signal that stopped the process.
    pub signo: i32,
    /// Reserved, 0.
    pub reserved: u32,
}

/// Body of [`kind::PARK`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ParkBody {
    /// The call; `ret` only after it.
    pub call: SyscallBody,
    /// Counts the stops of this sandbox from 1.
    pub stop: u64,
    /// The rule ([`crate::filter::RuleEntry::id`]).
    pub rule: u64,
    /// [`crate::stop::AT_ENTRY`] or [`crate::stop::AT_EXIT`].
    pub at: u32,
    /// Explicit padding.
    pub pad: u32,
}

/// Body of [`kind::RESUME`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ResumeBody {
    /// Which stop ends.
    pub stop: u64,
    /// How long the thread was parked, ticks of the time-stamp counter.
    pub duration: u64,
    /// By whom: one of `HOW_*` in [`crate::stop`].
    pub how: u32,
    /// How many actions the decision has.
    pub actions: u32,
}

/// Body of [`kind::DROPS`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct DropsBody {
    /// How many records.
    pub count: u64,
    /// Sequence number of the first; the rest follow without a gap.
    pub first_seq: u64,
}

/// Body of [`kind::UNIMPLEMENTED`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct UnimplementedBody {
    /// Call number.
    pub nr: u64,
}

/// What an item holds ([`ItemHeader::tag`]).
pub mod tag {
    /// A string without its NUL.
    pub const STRING: u8 = 1;
    /// Contents of a buffer, from its start.
    pub const BYTES: u8 = 2;
    /// One or more structures, as in the program's memory.
    pub const STRUCT: u8 = 3;
    /// [`super::FdBody`], the kind's name, the path or text: what a descriptor refers to.
    pub const FD: u8 = 4;
    /// An array of strings: count in the array (u32), then for each one that was captured its length (u32, with [`super::STRING_CUT`] or [`super::STRING_FAULT`]) and bytes, unaligned.
    pub const STRINGS: u8 = 5;
    /// An array of `struct iovec`.
    pub const IOVEC: u8 = 6;
    /// Contents of one piece of an iovec; its number is the item's `index`.
    pub const PIECE: u8 = 7;
    /// A socket address inside a structure (`msg_name`).
    pub const NAME: u8 = 8;
    /// Ancillary data inside a structure (`msg_control`).
    pub const CONTROL: u8 = 9;
    /// A number (u64) of elements that were not captured themselves, such as directory entries.
    pub const COUNT: u8 = 10;
    /// [`super::RuleBody`], then bytes before, bytes after, the rule's name: what a rule did to the call.
    pub const RULE: u8 = 11;
}

/// [`ItemHeader::flags`]: it was captured after the call.
pub const ITEM_OUT: u8 = 1 << 0;
/// [`ItemHeader::flags`]: it goes on, but no more was captured.
pub const ITEM_CUT: u8 = 1 << 1;
/// [`ItemHeader::flags`]: it could not be read (EFAULT); the payload is empty, or holds those elements of an array that could.
pub const ITEM_FAULT: u8 = 1 << 2;

/// In the length of a string in [`tag::STRINGS`]: the string goes on.
pub const STRING_CUT: u32 = 1 << 31;
/// In the length of a string in [`tag::STRINGS`]: it could not be read; its address (u64) stands in its place.
pub const STRING_FAULT: u32 = 1 << 30;

/// [`ItemHeader::arg`] of an item that describes the result.
pub const ARG_RESULT: u8 = 6;

/// [`ItemHeader::arg`] in records that are not about a call.
pub mod field {
    /// Path of the executable (STRING).
    pub const EXE: u8 = 16;
    /// Working directory (STRING).
    pub const CWD: u8 = 17;
    /// Arguments (STRINGS).
    pub const ARGV: u8 = 18;
    /// Environment (STRINGS).
    pub const ENVP: u8 = 19;
    /// The thread's name (STRING).
    pub const COMM: u8 = 20;
    /// The id (COUNT) that the thread had before the execve that made it the leader.
    pub const OLD_TID: u8 = 21;
    /// The address behind the instruction that made the call (COUNT).
    pub const RIP: u8 = 22;
    /// The registers of a parked thread (BYTES: words as [`crate::stop::REGISTERS`] names them).
    pub const REGISTERS: u8 = 40;
    /// Name of the rule that parks it (STRING).
    pub const RULE: u8 = 41;
}

/// The head of an item.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ItemHeader {
    /// Bytes of payload; the next item follows at the next multiple of 8.
    pub len: u32,
    /// One of [`tag`].
    pub tag: u8,
    /// Which argument it belongs to, [`ARG_RESULT`], or one of [`field`].
    pub arg: u8,
    /// `ITEM_*`.
    pub flags: u8,
    /// Which one of several: a piece of an iovec, a descriptor of a pair.
    pub index: u8,
}

/// The start of an item [`tag::FD`]'s payload.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct FdBody {
    /// The descriptor's number.
    pub fd: i32,
    /// Access mode and status flags (`F_GETFL`).
    pub flags: u32,
    /// Bytes of the kind's name, which follows.
    pub kind_len: u16,
    /// Bytes of the path or text, which follows that.
    pub text_len: u16,
}

/// The start of an item [`tag::RULE`]'s payload. [`ItemHeader::arg`] is the argument that was changed, or [`ARG_RESULT`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct RuleBody {
    /// The rule ([`crate::filter::RuleEntry::id`]).
    pub rule: u64,
    /// The filter that it was in ([`crate::filter::Header::generation`]).
    pub generation: u64,
    /// The argument or result as it was.
    pub before: u64,
    /// What it was changed to; nanoseconds of a delay; a signal's number.
    pub after: u64,
    /// What was done: one of [`crate::filter::action`].
    pub action: u8,
    /// [`crate::filter::AT_EXIT`]: after the call; [`BY_HAND`].
    pub flags: u8,
    /// Bytes of the rule's name.
    pub name_len: u16,
    /// Bytes that the argument pointed to; of an annotation its key.
    pub before_len: u32,
    /// Bytes that it points to now; of an annotation its value, of a log entry its text.
    pub after_len: u32,
    /// Explicit padding.
    pub pad: u32,
}

/// [`RuleBody::flags`]: not the rule did it, but who resumed the thread that the rule had parked.
pub const BY_HAND: u8 = 1 << 1;

/// A record under construction. Its memory is kept from one record to the next.
#[derive(Clone, Debug, Default)]
pub struct Record {
    buf: Vec<u8>,
}

impl Record {
    /// An empty one, without memory.
    pub const fn new() -> Record {
        Record { buf: Vec::new() }
    }

    /// Begins a record with this body; the header comes last ([`Record::set_header`]).
    pub fn start(&mut self, body: &[u8]) {
        self.buf.clear();
        self.buf.resize(size_of::<RecordHeader>(), 0);
        self.buf.extend_from_slice(body);
        self.align();
    }

    /// Replaces the body (of the same size).
    pub fn set_body(&mut self, body: &[u8]) {
        let start = size_of::<RecordHeader>();
        if let Some(place) = self.buf.get_mut(start..start + body.len()) {
            place.copy_from_slice(body);
        }
    }

    /// Adds an item; what doesn't fit into [`MAX_RECORD`] is cut.
    pub fn item(&mut self, tag: u8, arg: u8, flags: u8, index: u8, payload: &[u8]) {
        let start = self.begin_item(tag, arg, index);
        self.extend(payload);
        self.end_item(start, flags);
    }

    /// Begins an item whose payload is added piecewise; the result goes to [`Record::end_item`].
    pub fn begin_item(&mut self, tag: u8, arg: u8, index: u8) -> usize {
        let start = self.buf.len();
        let header = ItemHeader {
            len: 0,
            tag,
            arg,
            flags: 0,
            index,
        };
        self.buf.extend_from_slice(header.as_bytes());
        start
    }

    /// Adds to the payload of the item that was begun. Returns whether all of it had room.
    pub fn extend(&mut self, payload: &[u8]) -> bool {
        let room = MAX_RECORD.saturating_sub(self.buf.len() + 16);
        let taken = &payload[..payload.len().min(room)];
        self.buf.extend_from_slice(taken);
        taken.len() == payload.len()
    }

    /// The payload so far of the item that was begun, from byte `from` on, for the caller to change.
    pub fn payload_mut(&mut self, start: usize, from: usize) -> &mut [u8] {
        let at = start
            .saturating_add(size_of::<ItemHeader>())
            .saturating_add(from);
        self.buf.get_mut(at..).unwrap_or_default()
    }

    /// Room for `len` more bytes of payload, zeroed, for the caller to fill; shorter when the record is full.
    pub fn grow(&mut self, len: usize) -> &mut [u8] {
        let room = MAX_RECORD.saturating_sub(self.buf.len() + 16);
        let at = self.buf.len();
        self.buf.resize(at + len.min(room), 0);
        &mut self.buf[at..]
    }

    /// Lets `fill` add to the payload of the item that was begun; all of what it adds is taken back if it fails or there is no room.
    pub fn fill<E>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let before = self.buf.len();
        let result = fill(&mut self.buf);
        if result.is_err() || self.buf.len() + 16 > MAX_RECORD {
            self.buf.truncate(before);
        }
        result
    }

    /// Takes back the last `len` bytes of payload.
    pub fn shrink(&mut self, len: usize) {
        let end = self.buf.len().saturating_sub(len);
        self.buf.truncate(end);
    }

    /// Ends the item that [`Record::begin_item`] began at `start`.
    pub fn end_item(&mut self, start: usize, flags: u8) {
        let len = self
            .buf
            .len()
            .saturating_sub(start + size_of::<ItemHeader>()) as u32;
        if let Some(head) = self.buf.get_mut(start..start + size_of::<ItemHeader>()) {
            head[..4].copy_from_slice(&len.to_le_bytes());
            head[6] = flags;
        }
        self.align();
    }

    /// Sets the header; its `len` and `version` are filled in here.
    pub fn set_header(&mut self, header: &RecordHeader) {
        let mut header = *header;
        header.len = self.buf.len() as u32;
        header.version = VERSION;
        if let Some(place) = self.buf.get_mut(..size_of::<RecordHeader>()) {
            place.copy_from_slice(header.as_bytes());
        }
    }

    /// The record's bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.buf
    }

    /// The record's bytes, for the ring writer to stamp the sequence number.
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.buf
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether nothing was begun.
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// Removes the items that end before byte `end` (a [`Record::len`] noted earlier): they have been sent already.
    pub fn remove_items_before(&mut self, body_len: usize, end: usize) {
        let start = size_of::<RecordHeader>() + body_len.next_multiple_of(8);
        if start < end && end <= self.buf.len() {
            self.buf.drain(start..end);
        }
    }

    /// Frees memory beyond `bytes`.
    pub fn trim(&mut self, bytes: usize) {
        if self.buf.capacity() > bytes {
            self.buf = Vec::new();
        }
    }

    fn align(&mut self) {
        let len = self.buf.len().next_multiple_of(8);
        self.buf.resize(len, 0);
    }
}
