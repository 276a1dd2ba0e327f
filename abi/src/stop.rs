//! Stops: a thread that a rule parks in a system call, and what somebody decides about it.
//!
//! The guest kernel tells the VMM of a stop by a host call ([`crate::hostcall::Op::Stopped`]) that carries a record of kind
//! [`crate::event::kind::PARK`]. The VMM answers at once with a [`Decision`], or lets the thread wait and sends one later in the mailbox
//! ([`crate::shared::REQUEST_RESUME`]). A decision is a list of a rule's actions, so that it can do what a rule can.

extern crate alloc;

use crate::filter::{ActionEntry, NO_LENGTH, Span, action};
use alloc::vec::Vec;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most actions of a decision.
pub const MAX_ACTIONS: usize = 64;
/// Most bytes of a decision's strings and buffers.
pub const MAX_POOL: usize = 64 << 10;
/// Bytes of the buffer for the VMM's answer to [`crate::hostcall::Op::Stopped`]: a larger decision goes by the mailbox.
pub const REPLY_BYTES: usize = 8 << 10;
/// Longest record that [`crate::hostcall::Op::Stopped`] carries.
pub const MAX_STOP_RECORD: usize = 256 << 10;

/// The names of the words of an item [`crate::event::field::REGISTERS`], in order. `rax` is the call's number.
pub const REGISTERS: [&str; 18] = [
    "rax", "rdi", "rsi", "rdx", "r10", "r8", "r9", "rbx", "rcx", "rbp", "rsp", "r11", "r12", "r13",
    "r14", "r15", "rip", "rflags",
];

/// [`crate::event::ParkBody::at`]: before the call.
pub const AT_ENTRY: u32 = 0;
/// [`crate::event::ParkBody::at`]: after the call.
pub const AT_EXIT: u32 = 1;

/// [`DecisionHeader::how`]: somebody resumed it.
pub const HOW_RESUMED: u32 = 0;
/// [`DecisionHeader::how`]: its time was over.
pub const HOW_TIMEOUT: u32 = 1;
/// [`DecisionHeader::how`]: whoever controlled it is gone.
pub const HOW_DETACHED: u32 = 2;
/// [`DecisionHeader::how`]: nobody can control this sandbox, or a program inside the VMM decided.
pub const HOW_POLICY: u32 = 3;
/// [`crate::event::ResumeBody::how`]: the thread was killed meanwhile; no decision says so.
pub const HOW_KILLED: u32 = 4;

/// The start of the VMM's answer to [`crate::hostcall::Op::Stopped`]; a decision of `decision_len` bytes follows it.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct StopReply {
    /// How long the thread waits for a decision at most, nanoseconds; `u64::MAX`: for ever.
    pub timeout_ns: u64,
    /// Bytes of the decision; 0: there is none yet, the thread waits.
    pub decision_len: u32,
    /// Explicit padding.
    pub pad: u32,
}

/// The head of a decision as it travels; actions and pool follow.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct DecisionHeader {
    /// Which stop ([`crate::event::ParkBody::stop`]).
    pub stop: u64,
    /// Who decided: one of `HOW_*`.
    pub how: u32,
    /// Number of actions.
    pub actions: u32,
    /// Bytes of the pool.
    pub pool: u32,
    /// Explicit padding.
    pub pad: u32,
}

/// What is done to a parked thread before it goes on. Without actions its call runs as it would have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Who decided: one of `HOW_*`.
    pub how: u32,
    /// As a rule's, in order; [`action::STOP`] isn't possible. After the call, those that set arguments do nothing.
    pub actions: Vec<ActionEntry>,
    /// The strings and buffers that actions refer to.
    pub pool: Vec<u8>,
}

impl Decision {
    /// The thread goes on as if it had not been stopped.
    pub const fn go_on(how: u32) -> Decision {
        Decision {
            how,
            actions: Vec::new(),
            pool: Vec::new(),
        }
    }

    /// Its process is killed.
    pub fn kill(how: u32) -> Decision {
        let mut decision = Decision::go_on(how);
        decision.actions.push(ActionEntry {
            kind: action::KILL,
            length_arg: NO_LENGTH,
            ..ActionEntry::default()
        });
        decision
    }

    /// A run of bytes in the pool; empty if it isn't there.
    pub fn bytes(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        let end = start.saturating_add(span.len as usize);
        self.pool.get(start..end).unwrap_or_default()
    }

    /// As bytes, for this stop.
    pub fn encode(&self, stop: u64) -> Vec<u8> {
        let header = DecisionHeader {
            stop,
            how: self.how,
            actions: u32::try_from(self.actions.len()).unwrap_or(u32::MAX),
            pool: u32::try_from(self.pool.len()).unwrap_or(u32::MAX),
            pad: 0,
        };
        let mut bytes = Vec::from(header.as_bytes());
        bytes.extend_from_slice(self.actions.as_slice().as_bytes());
        bytes.extend_from_slice(&self.pool);
        bytes
    }

    /// From bytes, and the stop that it is for; `None` for bytes that are no decision.
    pub fn decode(bytes: &[u8]) -> Option<(u64, Decision)> {
        let (header, rest) = DecisionHeader::read_from_prefix(bytes).ok()?;
        let (count, pool) = (header.actions as usize, header.pool as usize);
        if count > MAX_ACTIONS || pool > MAX_POOL {
            return None;
        }
        let (actions, rest) = rest.split_at_checked(count * size_of::<ActionEntry>())?;
        let actions: Vec<ActionEntry> = actions
            .chunks_exact(size_of::<ActionEntry>())
            .filter_map(|chunk| ActionEntry::read_from_bytes(chunk).ok())
            .collect();
        let decision = Decision {
            how: header.how,
            actions,
            pool: rest.get(..pool)?.to_vec(),
        };
        decision
            .actions
            .iter()
            .all(|action| decision.is_possible(action))
            .then_some((header.stop, decision))
    }

    fn is_possible(&self, entry: &ActionEntry) -> bool {
        let fits = |span: Span| span.len == self.bytes(span).len() as u32;
        let known = (action::SET..=action::POKE).contains(&entry.kind);
        let signal = entry.kind != action::SIGNAL || (1..=64).contains(&entry.value);
        known
            && signal
            && entry.kind != action::STOP
            && entry.arg < 6
            && (entry.length_arg < 6 || entry.length_arg == NO_LENGTH)
            && fits(entry.bytes)
            && fits(entry.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision() -> Decision {
        Decision {
            how: HOW_RESUMED,
            actions: alloc::vec![ActionEntry {
                kind: action::SET_STRING,
                arg: 1,
                length_arg: NO_LENGTH,
                bytes: Span { start: 0, len: 4 },
                ..ActionEntry::default()
            }],
            pool: b"/tmp".to_vec(),
        }
    }

    #[test]
    fn travels_as_bytes() {
        let bytes = decision().encode(7);
        assert_eq!(Decision::decode(&bytes), Some((7, decision())));
        let kill = Decision::kill(HOW_DETACHED);
        assert_eq!(Decision::decode(&kill.encode(9)), Some((9, kill)));
    }

    #[test]
    fn nonsense_is_refused() {
        let good = decision().encode(7);
        for len in 0..good.len() {
            assert_eq!(Decision::decode(&good[..len]), None, "{len}");
        }
        let mut wrong = decision();
        wrong.actions[0].arg = 6;
        assert_eq!(Decision::decode(&wrong.encode(7)), None);
        wrong = decision();
        wrong.actions[0].bytes.len = 5;
        assert_eq!(Decision::decode(&wrong.encode(7)), None);
        wrong = decision();
        wrong.actions[0].kind = action::STOP;
        assert_eq!(Decision::decode(&wrong.encode(7)), None);
        wrong.actions = alloc::vec![decision().actions[0]; MAX_ACTIONS + 1];
        assert_eq!(Decision::decode(&wrong.encode(7)), None);
    }
}
