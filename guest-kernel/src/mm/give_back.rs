//! Free memory goes back to the host.
//!
//! What was freed is likely wanted again soon, and then it is cheaper to have kept it. So the free memory that the host still backs is watched
//! for a while: only what stayed free all that time, beyond a reserve, is given back, a part at a time.

use super::buddy::BUDDY;
use crate::{
    hostcall,
    time::{self, timer},
};
use alloc::boxed::Box;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Frames that are always kept, and twice that many until they are given a thought: 32 MiB.
const RESERVE: u64 = 8 << 10;
/// Frames given back at a time: 64 MiB.
const PART: u64 = 16 << 10;
/// How long memory has to have stayed free, in nanoseconds.
const PERIOD: u64 = 1_000_000_000;
/// Time between two parts, in nanoseconds.
const PAUSE: u64 = 20_000_000;

/// Whether a timer looks after it.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Memory was freed: if much is free now, it is watched from here on. For tasks, outside all locks.
pub fn consider() {
    if !WATCHED.load(Relaxed) && BUDDY.with(|b| b.backed()) > 2 * RESERVE {
        WATCHED.store(true, Relaxed);
        BUDDY.with(|b| b.take_least_backed());
        look_in(PERIOD, 0);
    }
}

fn look_in(ns: u64, owed: u64) {
    timer::add(
        time::monotonic_ns().saturating_add(ns),
        Box::new(move || look(owed)),
    );
}

/// Gives back a part of the `owed` frames, or, if there are none, of what has stayed free since the last look.
fn look(owed: u64) {
    let least = BUDDY.with(|b| b.take_least_backed());
    let stayed = least.saturating_sub(RESERVE);
    let mut owed = if owed == 0 { stayed } else { owed.min(stayed) };
    let mut given = 0;
    while given < PART.min(owed) {
        let Some((frame, order)) = BUDDY.with(|b| b.take_backed()) else {
            break;
        };
        let zero = hostcall::discard(u64::from(frame) << 12, 4096 << order).is_ok();
        BUDDY.with(|b| b.give_unbacked(frame, order, zero));
        if !zero {
            WATCHED.store(false, Relaxed);
            return;
        }
        given += 1 << order;
    }
    BUDDY.with(|b| b.take_least_backed());
    owed = owed.saturating_sub(given);
    if owed > 0 {
        look_in(PAUSE, owed);
    } else if BUDDY.with(|b| b.backed()) > 2 * RESERVE {
        look_in(PERIOD, 0);
    } else {
        WATCHED.store(false, Relaxed);
    }
}
