//! Events as the rest of Vitrine sees them: decoded records, with the process that they belong to.

use crate::change::{Change, Extra};
use crate::executable::Identity;
use std::{fmt, sync::Arc};
use vitrine_abi::{
    event::{
        ExitBody, FdBody, ITEM_CUT, ITEM_FAULT, ITEM_OUT, ItemHeader, STRING_CUT, STRING_FAULT,
        SignalBody, field, tag,
    },
    syscall,
};
use zerocopy::FromBytes;

/// One event.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// Sequence number; 0 for one that was made by the decoder.
    pub seq: u64,
    /// Time, nanoseconds of the guest's CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// Time, nanoseconds since the epoch.
    pub wall_ns: u64,
    /// vCPU.
    pub vcpu: u16,
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
    /// Name of the thread; empty if it isn't known.
    pub comm: Arc<[u8]>,
    /// Path of the executable; empty if it isn't known.
    pub exe: Arc<[u8]>,
    /// What happened.
    pub kind: EventKind,
    /// What else is known of it.
    pub extra: Extra,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub enum EventKind {
    /// Nothing that is to be shown: the decoder took note of something (clocks).
    #[default]
    Internal,
    /// A system call.
    Syscall(SyscallEvent),
    /// A process or thread was made.
    Fork {
        /// Its process; the event's own for a thread.
        child_pid: i32,
        /// Its thread.
        child_tid: i32,
        /// clone(2) flags.
        clone_flags: u64,
    },
    /// The process runs a program from now on (or, in a snapshot, already did).
    Exec(Box<ExecEvent>),
    /// The thread ended.
    Exit(ExitEvent),
    /// A signal was delivered.
    Signal(SignalBody),
    /// Something of the process changed, in a group that was asked for.
    Change(Box<Change>),
    /// Records are missing here: the ring was full.
    Drops {
        /// How many.
        count: u64,
        /// Sequence number of the first.
        first_seq: u64,
    },
    /// The thread stands still with its process.
    Stop {
        /// The signal that stopped it.
        signo: i32,
    },
    /// A rule parks the thread in a call until somebody resumes it.
    Park(Box<ParkEvent>),
    /// A parked thread goes on, or was killed.
    Resume(ResumeEvent),
    /// From here on another filter and other rules are in force.
    Config(ConfigEvent),
    /// A call that the guest kernel doesn't have.
    Unimplemented {
        /// Its number.
        nr: u64,
    },
    /// The thread has another name.
    Comm,
    /// Bytes that are no record.
    Corrupt(super::record::Corrupt),
}

/// A change of what is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigEvent {
    /// Counts the changes of this run, from 1.
    pub generation: u64,
    /// What was done, as the control API names it: `rules.add`.
    pub change: Vec<u8>,
    /// With what.
    pub text: Vec<u8>,
}

/// Which part of a call an event is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// All of it: it didn't block.
    #[default]
    Complete,
    /// The start of one that blocks or never returns; what went in.
    Enter,
    /// The end of one that had an enter event; what went in and came out.
    Exit,
}

/// A system call.
#[derive(Clone, Debug, Default)]
pub struct SyscallEvent {
    /// Which part of it.
    pub phase: Phase,
    /// Its number.
    pub nr: u64,
    /// Its row in the table; `None` for a number that x86-64 doesn't use.
    pub call: Option<&'static syscall::Syscall>,
    /// Raw arguments.
    pub args: [u64; 6],
    /// Result, negated error numbers and restart codes included; `None` before the end.
    pub ret: Option<i64>,
    /// Duration, nanoseconds; 0 before the end.
    pub duration_ns: u64,
    /// When it began, nanoseconds of CLOCK_MONOTONIC.
    pub start_ns: u64,
    /// What was captured of its arguments.
    pub items: Captured,
}

impl SyscallEvent {
    /// Its name, `syscall_0x1c3` for one without.
    pub fn name(&self) -> SyscallName {
        SyscallName(self.call, self.nr)
    }

    /// Whether it ended well.
    pub fn succeeded(&self) -> bool {
        self.ret.is_some_and(|ret| !(-4095..0).contains(&ret))
    }

    /// Its error number, positive, if it ended with one.
    pub fn errno(&self) -> Option<u16> {
        self.ret
            .filter(|ret| (-4095..0).contains(ret))
            .map(|ret| ret.unsigned_abs() as u16)
    }
}

/// A call's name for display.
#[derive(Clone, Copy)]
pub struct SyscallName(Option<&'static syscall::Syscall>, u64);

impl fmt::Display for SyscallName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(call) => f.write_str(call.name),
            None => write!(f, "syscall_{:#x}", self.1),
        }
    }
}

/// Items captured of a call's arguments: one buffer and an index into it.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    bytes: Vec<u8>,
    index: Vec<(ItemHeader, usize)>,
}

/// One item.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Its head.
    pub head: ItemHeader,
    /// Its payload.
    pub data: &'a [u8],
}

impl<'a> Item<'a> {
    /// Its payload as what a descriptor refers to.
    fn fd(self) -> Option<FdInfo<'a>> {
        let (body, rest) = FdBody::read_from_prefix(self.data).ok()?;
        let kind = rest.get(..body.kind_len as usize)?;
        let text = rest
            .get(body.kind_len as usize..)?
            .get(..body.text_len as usize)?;
        Some(FdInfo {
            fd: body.fd,
            flags: body.flags,
            kind,
            text,
        })
    }

    /// Whether more was there than was captured.
    pub fn is_cut(&self) -> bool {
        self.head.flags & ITEM_CUT != 0
    }

    /// Whether the address could not be read.
    pub fn is_fault(&self) -> bool {
        self.head.flags & ITEM_FAULT != 0
    }

    /// Whether it was captured after the call.
    pub fn is_out(&self) -> bool {
        self.head.flags & ITEM_OUT != 0
    }
}

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug)]
pub struct FdInfo<'a> {
    /// Its number.
    pub fd: i32,
    /// Access mode and status flags.
    pub flags: u32,
    /// Kind: `file`, `pipe`, `tty`, ….
    pub kind: &'a [u8],
    /// Path, or Linux's text for the nameless.
    pub text: &'a [u8],
}

impl Captured {
    /// Forgets all, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.index.clear();
    }

    /// Adds an item.
    pub fn push(&mut self, head: ItemHeader, data: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        let head = ItemHeader {
            len: data.len() as u32,
            ..head
        };
        self.index.push((head, start));
    }

    /// Adds all items of another.
    pub fn append(&mut self, other: &Captured) {
        for item in other.iter() {
            self.push(item.head, item.data);
        }
    }

    /// All items.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        self.index.iter().map(|(head, start)| Item {
            head: *head,
            data: self
                .bytes
                .get(*start..start + head.len as usize)
                .unwrap_or_default(),
        })
    }

    /// The item with this tag of argument `arg`, from before (`out` false) or after the call.
    pub fn find(&self, tag: u8, arg: usize, out: bool) -> Option<Item<'_>> {
        self.find_index(tag, arg, out, 0)
    }

    /// As [`Captured::find`], one of several.
    pub fn find_index(&self, tag: u8, arg: usize, out: bool, index: u8) -> Option<Item<'_>> {
        self.iter().find(|item| {
            item.head.tag == tag
                && item.head.arg as usize == arg
                && item.is_out() == out
                && item.head.index == index
        })
    }

    /// What the descriptor in argument `arg` (or the result) refers to.
    pub fn fd(&self, arg: usize, index: u8) -> Option<FdInfo<'_>> {
        let item = self
            .find_index(tag::FD, arg, false, index)
            .or_else(|| self.find_index(tag::FD, arg, true, index))?;
        item.fd()
    }

    /// What the descriptors refer to that the arguments (or the result) speak of, each with the argument's index.
    pub fn descriptors(&self) -> impl Iterator<Item = (usize, FdInfo<'_>)> {
        let all = self.iter().filter(|item| item.head.tag == tag::FD);
        all.filter_map(|item| Some((item.head.arg as usize, item.fd()?)))
    }

    /// The address behind the instruction that made the call, if it was captured.
    pub fn rip(&self) -> Option<u64> {
        let item = self.find(tag::COUNT, field::RIP as usize, false)?;
        Some(u64::from_le_bytes(*item.data.first_chunk()?))
    }

    /// What descriptor `fd`, one of several that argument `arg` speaks of, refers to.
    pub fn fd_among(&self, arg: usize, fd: i32) -> Option<FdInfo<'_>> {
        let all = self.iter().filter(|item| item.head.tag == tag::FD);
        all.filter(|item| item.head.arg as usize == arg)
            .filter_map(Item::fd)
            .find(|info| info.fd == fd)
    }

    /// The items of argument `arg` from the one with this tag and index on, up to the next with that tag.
    pub fn part(&self, tag: u8, arg: usize, out: bool, index: u8) -> Captured {
        let mut part = Captured::default();
        let is_head = |item: &Item<'_>| item.head.tag == tag;
        let mut own = self
            .iter()
            .filter(|item| item.head.arg as usize == arg && item.is_out() == out)
            .skip_while(|item| !(is_head(item) && item.head.index == index));
        if let Some(head) = own.next() {
            part.push(head.head, head.data);
        }
        for item in own.take_while(|item| !is_head(item)) {
            part.push(item.head, item.data);
        }
        part
    }
}

/// A program that a process runs.
#[derive(Clone, Debug, Default)]
pub struct ExecEvent {
    /// Whether it ran already when somebody began to watch.
    pub snapshot: bool,
    /// Working directory.
    pub cwd: Vec<u8>,
    /// Arguments.
    pub argv: Strings,
    /// Environment.
    pub envp: Strings,
    /// Real, effective, saved user id.
    pub uids: [u32; 3],
    /// Real, effective, saved group id.
    pub gids: [u32; 3],
    /// `st_dev` of the executable.
    pub dev: u64,
    /// `st_ino` of the executable.
    pub ino: u64,
    /// The thread that called execve, if it wasn't the leader whose place it takes.
    pub old_tid: Option<i32>,
    /// What its file is, if somebody looked.
    pub identity: Option<Arc<Identity>>,
}

/// An array of strings as it was captured.
#[derive(Clone, Debug, Default)]
pub struct Strings {
    /// How many there were.
    pub count: u32,
    /// Those that were captured.
    pub list: Vec<CapturedString>,
}

/// A string of an array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapturedString {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it goes on.
    pub cut: bool,
    /// Where it was to be, if it can't be read.
    pub address: Option<u64>,
}

impl Strings {
    /// Reads the payload of an item `STRINGS`; as far as it holds.
    pub fn parse(mut data: &[u8]) -> Strings {
        let take_u32 = |data: &mut &[u8]| -> Option<u32> {
            let (word, rest) = data.split_first_chunk::<4>()?;
            *data = rest;
            Some(u32::from_le_bytes(*word))
        };
        let count = take_u32(&mut data).unwrap_or(0);
        let mut list = Vec::new();
        while let Some(word) = take_u32(&mut data) {
            let len = (word & !(STRING_CUT | STRING_FAULT)) as usize;
            let Some((string, rest)) = data.split_at_checked(len) else {
                break;
            };
            let address = string.first_chunk().map(|word| u64::from_le_bytes(*word));
            let address = address.filter(|_| word & STRING_FAULT != 0);
            list.push(CapturedString {
                bytes: address.map_or(string, |_| &[]).to_vec(),
                cut: word & STRING_CUT != 0,
                address,
            });
            data = rest;
        }
        Strings { count, list }
    }
}

/// A thread that is parked in a call.
#[derive(Clone, Debug, Default)]
pub struct ParkEvent {
    /// Counts the sandbox's stops from 1.
    pub stop: u64,
    /// After the call, not before it.
    pub exit: bool,
    /// The rule's number.
    pub rule: u64,
    /// The rule's name.
    pub rule_name: Vec<u8>,
    /// The call, as far as it is.
    pub call: SyscallEvent,
    /// The program's registers, as [`vitrine_abi::stop::REGISTERS`] names them.
    pub registers: Vec<u64>,
}

/// The end of a stop.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResumeEvent {
    /// Which one.
    pub stop: u64,
    /// How long the thread was parked, nanoseconds.
    pub duration_ns: u64,
    /// One of `HOW_*` in [`vitrine_abi::stop`].
    pub how: u32,
    /// How many actions the decision had.
    pub actions: u32,
}

impl ResumeEvent {
    /// In a word, why it goes on.
    pub fn reason(&self) -> &'static str {
        use vitrine_abi::stop;
        match self.how {
            stop::HOW_RESUMED => "resumed",
            stop::HOW_TIMEOUT => "timeout",
            stop::HOW_DETACHED => "detached",
            stop::HOW_POLICY => "policy",
            stop::HOW_KILLED => "killed",
            _ => "unknown",
        }
    }
}

/// The end of a thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExitEvent {
    /// Status, times and memory.
    pub body: ExitBody,
    /// Number of the call in which it was, if it was in one that had begun.
    pub in_call: Option<u64>,
}
