//! The caller's time zone, in which a trace's times of day are written, as strace writes them. It is read before the jail closes, from `TZ` or
//! `/etc/localtime`; without either, times are UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use vitrine_introspect::decode::zone;

/// Reads the zone, once a process.
pub fn install() {
    let Ok(zone) = TimeZone::try_system() else {
        return;
    };
    zone::set(Box::new(move |seconds| {
        let when = Timestamp::from_second(seconds);
        when.map_or(0, |when| zone.to_offset(when).seconds())
    }));
}
