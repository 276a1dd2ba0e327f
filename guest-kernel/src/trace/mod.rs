//! The watching half of the system-call gate: armed calls, capture, records in the event ring.
//!
//! - [`armed`]: one load decides whether anything watches a call. The entry code asks it and calls [`watched_dispatch`] or `syscall::dispatch`.
//! - [`filter`]: the filter in force; [`values`]: what its programs read; [`rules`]: what its rules do, [`results`] to what calls wrote, [`pause`] when a signal interrupts them; [`scratch`]: where what they put
//!   in the place of strings lies. The VMM replaces it by a request (`crate::request`).
//! - [`freeze`]: copies of what arguments point to, where other threads could change it; [`first`]: the execve that nobody calls.
//! - [`stops`]: threads that rules park until somebody resumes them.
//! - [`gate`]: a watched call: rules, capture what goes in, run, capture what comes out, write the record.
//! - [`capture`]: arguments, by the kinds in the one system-call table, to the items of a record.
//! - [`ring`]: the writer's side of the event ring.
//! - [`changes`]: records of changed mappings, descriptors, credentials, written where asked for.
//! - [`emit`]: records that are not about calls: fork, exec, exit, signals.
//!
//! The format is `vitrine_abi::event`; its reader is `vitrine-introspect`.

mod capture;
pub mod changes;
mod emit;
mod filter;
mod first;
mod freeze;
mod gate;
mod pause;
mod results;
mod ring;
mod rules;
mod scratch;
mod snapshot;
mod stops;
mod values;

pub use emit::{
    Program, comm_changed, exec, exited, ignored, process_forked, signal, stopped, unimplemented,
};
pub use first::FirstExec;
pub use gate::{TaskTrace, captured_path, on_block, own_arguments, watched_dispatch};
pub use scratch::scratch;

use crate::mm::host;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use vitrine_abi::{
    boot::{self, BootInfo},
    nr::TABLE_LEN,
    shared::FilterRequest,
};

/// What the entry code knows of a call: bits of its byte in [`ARMED`].
mod watch {
    /// It is recorded.
    pub const RECORD: u8 = 1 << 0;
    /// The filter decides what is done about it.
    pub const CONSULT: u8 = 1 << 1;
    /// With `CONSULT`: only a program decides, before the call, and it reads nothing but numbers.
    pub const NUMBERS_ONLY: u8 = 1 << 2;
}

/// One byte a call number, not 0: the call is watched. The last one stands for all numbers past the table.
pub static ARMED: [AtomicU8; TABLE_LEN + 1] = [const { AtomicU8::new(0) }; TABLE_LEN + 1];

/// Whether events other than calls (fork, exec, exit, signals) are recorded.
static EVENTS: AtomicBool = AtomicBool::new(false);

/// Most bytes of a buffer or string, whatever is asked for: a record has to fit into what the VMM reads at once.
const MAX_CAPTURE: u32 = 128 << 10;

/// How much is captured.
pub struct Limits {
    /// Bytes of a buffer's contents.
    pub buffer: AtomicU32,
    /// Bytes of each string of an array, and of strings that aren't paths.
    pub string: AtomicU32,
    /// Whether descriptors are described.
    pub descriptors: AtomicBool,
    /// Whether environments and directory entries are captured; else they are counted.
    pub environment: AtomicBool,
    /// Whether the address that a call was made from is captured.
    pub rip: AtomicBool,
}

/// The limits in force.
pub static LIMITS: Limits = Limits {
    buffer: AtomicU32::new(64),
    string: AtomicU32::new(256),
    descriptors: AtomicBool::new(true),
    environment: AtomicBool::new(false),
    rip: AtomicBool::new(false),
};

impl Limits {
    fn set(&self, boot: &BootInfo) {
        for (limit, wanted) in [
            (&self.buffer, boot.trace_buffer),
            (&self.string, boot.trace_string),
        ] {
            if wanted != 0 {
                limit.store(wanted.min(MAX_CAPTURE), Ordering::Relaxed);
            }
        }
        for (switch, flag) in [
            (&self.environment, boot::FLAG_TRACE_ENVIRONMENT),
            (&self.rip, boot::FLAG_TRACE_RIP),
        ] {
            switch.store(boot.flags & flag != 0, Ordering::Relaxed);
        }
    }
}

/// How call `nr` is watched; 0: not at all.
#[inline]
pub fn armed(nr: u64) -> u8 {
    let index = nr.min(TABLE_LEN as u64) as usize;
    ARMED
        .get(index)
        .map_or(0, |byte| byte.load(Ordering::Relaxed))
}

/// Watches all calls, or none.
pub fn arm_all(on: bool) {
    for byte in &ARMED {
        byte.store(on as u8, Ordering::Relaxed);
    }
    EVENTS.store(on, Ordering::Relaxed);
}

/// Whether events other than calls are recorded: one load.
#[inline]
fn events_on() -> bool {
    EVENTS.load(Ordering::Relaxed)
}

/// Sets up the ring and arms the calls as the boot information says. Needs the direct map, and the clocks for the first record.
pub fn init(boot: &BootInfo) {
    let lossy = boot.flags & boot::FLAG_LOSSY != 0;
    if !ring::init(boot.ring, boot.ram_bytes, lossy) {
        return;
    }
    emit::set_frequency(boot.tsc_khz);
    emit::clock();
    LIMITS.set(boot);
    changes::set_groups((boot.flags >> boot::TRACE_GROUPS_SHIFT) as u8);
    arm_all(boot.flags & boot::FLAG_TRACE_ALL != 0);
    if boot.filter.len != 0
        && let Err(why) = filter::install(host::boot_bytes(boot.filter))
    {
        // One that is wrong is a bug of the VMM's: everything is recorded then rather than nothing.
        crate::error!("{why}; everything is recorded instead");
        arm_all(true);
    }
}

/// Puts another filter in force, all at once; one that is wrong changes nothing.
pub fn replace_filter(request: &FilterRequest<'_>) -> Result<(), vitrine_abi::filter::Invalid> {
    let told = events_on();
    filter::install(request.filter)?;
    if events_on() && (!told || request.change.is_empty()) {
        // Who follows from now on hasn't seen what was told at the start.
        emit::clock();
        snapshot::processes();
    }
    if (told || events_on()) && !request.change.is_empty() {
        let generation = filter::current().map_or(0, |active| active.filter.header.generation);
        snapshot::config(generation, request);
    }
    Ok(())
}

/// Decides about a parked thread; false: it isn't parked any more.
pub fn resume(decision: &[u8]) -> bool {
    stops::decide(decision)
}

/// How often the rules in force have matched and applied: `RuleCount`s.
pub fn rule_counts() -> Result<alloc::vec::Vec<u8>, alloc::string::String> {
    filter::rule_counts()
}
