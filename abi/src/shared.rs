//! Pages that the guest kernel and the VMM both read and write while the guest runs.
//!
//! All fields are atomics: each side loads once, checks, then uses. The VMM never trusts a value found here.

use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64};

/// [`ControlPage::pending`]: the timer deadline has passed.
pub const PENDING_TIMER: u64 = 1 << 0;
/// [`ControlPage::pending`]: standard input has data or reached its end.
pub const PENDING_CONSOLE_INPUT: u64 = 1 << 1;
/// [`ControlPage::pending`]: console output has room again, or its reader is gone.
pub const PENDING_CONSOLE_OUTPUT: u64 = 1 << 2;
/// [`ControlPage::pending`]: the terminal's size changed; `winsize` holds the new one.
pub const PENDING_WINSIZE: u64 = 1 << 3;
/// [`ControlPage::pending`]: the VMM wants the workload to end; `signal` says by which signal.
pub const PENDING_SIGNAL: u64 = 1 << 4;
/// [`ControlPage::pending`]: a request waits in the mailbox (introspection by request).
pub const PENDING_REQUEST: u64 = 1 << 5;

/// The control page, at [`crate::layout::CONTROL_PAGE`].
#[repr(C)]
pub struct ControlPage {
    /// Reasons to interrupt, `PENDING_*`: set by the VMM with fetch_or, taken by the guest with swap(0).
    pub pending: AtomicU64,
    /// Deadline of the next timer in nanoseconds of the *guest's* monotonic clock as TSC ticks: the VMM compares
    /// it with the guest's TSC (`u64::MAX`: none). Written by the guest. While the vCPU runs the VMM looks at it about every
    /// millisecond; when idle it sleeps exactly until then.
    pub timer_deadline_tsc: AtomicU64,
    /// 1 while an injected interrupt has not been acknowledged: the VMM injects none meanwhile. The guest clears it.
    pub interrupt_outstanding: AtomicU32,
    /// 1 while the vCPU is in the IDLE doorbell.
    pub idle: AtomicU32,
    /// 1 while a VMM service thread spins on the host-call slot: no doorbell is needed then.
    pub host_spinning: AtomicU32,
    /// Signal number for [`PENDING_SIGNAL`].
    pub signal: AtomicI32,
    /// Terminal size: rows, columns, x and y pixels, 16 bits each from the lowest.
    pub winsize: AtomicU64,
    /// Counts guest timer ticks taken: shows a live kernel.
    pub heartbeat: AtomicU64,
    /// Length of the panic text in `panic_text`.
    pub panic_len: AtomicU32,
    /// Explicit padding.
    pub pad: AtomicU32,
    /// Panic text, UTF-8.
    pub panic_text: [core::sync::atomic::AtomicU8; 1024],
    /// State of the request in the mailbox, `REQUEST_*`. The VMM writes the request's bytes, kind and length, then stores
    /// [`REQUEST_WAITS`] and raises [`PENDING_REQUEST`]; the guest takes it ([`REQUEST_TAKEN`], by compare-and-swap, so that the VMM can
    /// withdraw what was not taken in time), writes its answer over it, then `answer_len`, and ends it with [`REQUEST_DONE`] or [`REQUEST_FAILED`].
    pub request_status: AtomicU32,
    /// What is asked for: [`REQUEST_FILTER`] and its neighbours.
    pub request_kind: AtomicU32,
    /// Bytes in the mailbox ([`crate::boot::BootInfo::mailbox`]) that belong to the request.
    pub request_len: AtomicU64,
    /// Bytes in the mailbox that belong to the answer.
    pub answer_len: AtomicU64,
}

/// [`ControlPage::request_status`]: there is no request.
pub const REQUEST_NONE: u32 = 0;
/// [`ControlPage::request_status`]: the guest hasn't taken it yet.
pub const REQUEST_WAITS: u32 = 1;
/// [`ControlPage::request_status`]: it is done; the mailbox holds the answer.
pub const REQUEST_DONE: u32 = 2;
/// [`ControlPage::request_status`]: it was refused, nothing has changed; the mailbox says why, in UTF-8.
pub const REQUEST_FAILED: u32 = 3;
/// [`ControlPage::request_status`]: the guest is at it.
pub const REQUEST_TAKEN: u32 = 4;

/// [`ControlPage::request_kind`]: put the filter in the mailbox ([`crate::filter`]) in force. The answer is empty.
pub const REQUEST_FILTER: u32 = 1;
/// [`ControlPage::request_kind`]: nothing is asked for but an answer: the request's own bytes.
pub const REQUEST_ECHO: u32 = 2;
/// [`ControlPage::request_kind`]: how often rules have matched and applied. The answer is a list of [`RuleCount`]s.
pub const REQUEST_COUNTS: u32 = 3;

/// An element of the answer to [`REQUEST_COUNTS`].
#[repr(C)]
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
pub struct RuleCount {
    /// [`crate::filter::RuleEntry::id`].
    pub id: u64,
    /// Calls for which its expression held.
    pub matched: u64,
    /// Those of them that it was applied to (`when=` and `probability=` leave some out).
    pub applied: u64,
}
/// [`ControlPage::request_kind`]: resume the parked thread that the decision in the mailbox ([`crate::stop::Decision`]) is for. Refused if there is
/// no such stop any more.
pub const REQUEST_RESUME: u32 = 16;

/// Head of the event ring, in the ring region's first page; data starts at [`RING_DATA_OFFSET`] and its capacity (a
/// power of two) is in `capacity`.
///
/// `head` and `tail` count bytes for ever; a position in the data is `count & (capacity - 1)`. Records are 8-byte aligned and never wrap: a record
/// that would, is preceded by a padding record.
#[repr(C)]
pub struct RingHeader {
    /// Bytes of data, a power of two. Written by the VMM.
    pub capacity: AtomicU64,
    /// Explicit padding to keep the writer's and the reader's words in cache lines of their own.
    pub pad0: [AtomicU64; 7],
    /// Bytes ever published by the guest.
    pub head: AtomicU64,
    /// Events dropped in lossy mode.
    pub dropped: AtomicU64,
    /// Explicit padding.
    pub pad1: [AtomicU64; 6],
    /// Bytes ever consumed by the VMM.
    pub tail: AtomicU64,
    /// Explicit padding.
    pub pad2: [AtomicU64; 7],
}

/// Offset of the ring's data in its region.
pub const RING_DATA_OFFSET: u64 = 4096;
