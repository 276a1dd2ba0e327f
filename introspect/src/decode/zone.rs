//! The time zone of dates and times of day: whoever prints says which one it is ([`set`]), else it is UTC.

use super::{put, text};
use std::sync::OnceLock;

/// Seconds east of Greenwich at a point in time.
pub type Offset = Box<dyn Fn(i64) -> i32 + Send + Sync>;

static OFFSET: OnceLock<Offset> = OnceLock::new();

/// Sets the zone of this process; the first one stays.
pub fn set(offset: Offset) {
    let _ = OFFSET.set(offset);
}

/// Seconds east of Greenwich at `seconds` since the epoch.
pub fn offset(seconds: i64) -> i32 {
    OFFSET.get().map_or(0, |offset| offset(seconds))
}

/// Appends a point in time as `2026-11-24T07:44:23`, then `between`, then the zone as `+0100`.
pub(super) fn date_time(out: &mut Vec<u8>, seconds: i64, between: impl FnOnce(&mut Vec<u8>)) {
    let offset = offset(seconds);
    text::date_time(out, seconds.saturating_add(i64::from(offset)));
    between(out);
    put(out, if offset < 0 { "-" } else { "+" });
    let minutes = u64::from(offset.unsigned_abs()) / 60;
    text::padded(out, minutes / 60, 2);
    text::padded(out, minutes % 60, 2);
}
