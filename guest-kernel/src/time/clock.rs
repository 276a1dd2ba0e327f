//! The guest's clocks: the TSC made into nanoseconds, with the host's clocks at boot as the base.
//!
//! `monotonic = mono_base + (tsc - tsc_base) * mult >> 32`, the product in 128 bits; all other clocks differ by a constant. The vDSO
//! computes the same from [`vdso_data`], so both agree to the nanosecond.

use super::NS_PER_SEC;
use crate::{Errno, arch, hostcall};
use spin::Once;
use vitrine_abi::vdso::VdsoData;

const SHIFT: u32 = 32;
/// Host round trips at boot; the tightest one counts.
const ROUND_TRIPS: usize = 5;
/// A round trip this short (ticks) is as good as they get: less than a microsecond or two.
const TIGHT_TICKS: u64 = 4_000;
/// How long the TSC is measured if the VMM doesn't know its frequency.
const CALIBRATION_NS: u64 = 4_000_000;
/// Slowest TSC that is believed, kHz.
const MIN_KHZ: u64 = 100_000;
/// Assumed if all else fails, kHz.
const FALLBACK_KHZ: u64 = 2_000_000;

#[derive(Clone, Copy)]
struct Parameters {
    khz: u64,
    tsc_base: u64,
    mult: u64,
    mono_base: u64,
    real_offset: i64,
    boot_offset: i64,
}

static PARAMETERS: Once<Parameters> = Once::new();

/// One reading of the host's clocks, and the TSC at that time.
#[derive(Clone, Copy)]
struct Sample {
    tsc: u64,
    /// Ticks that the reading took.
    width: u64,
    host: vitrine_abi::hostcall::HostTime,
}

/// Starts the clocks. `tsc_khz` is [`vitrine_abi::boot::BootInfo::tsc_khz`]; 0: it is measured, which takes some milliseconds.
pub fn init(tsc_khz: u64) -> Result<(), Errno> {
    let mut base = sample()?;
    let mut khz = tsc_khz;
    if khz < MIN_KHZ {
        let first = base;
        loop {
            base = sample()?;
            let elapsed = base.host.monotonic.saturating_sub(first.host.monotonic);
            if elapsed >= CALIBRATION_NS {
                let ticks = u128::from(base.tsc.saturating_sub(first.tsc));
                khz = (ticks * 1_000_000 / u128::from(elapsed)) as u64;
                break;
            }
        }
    }
    if khz < MIN_KHZ {
        khz = FALLBACK_KHZ;
    }
    let offset = |clock: u64| clock.wrapping_sub(base.host.monotonic) as i64;
    PARAMETERS.call_once(|| Parameters {
        khz,
        tsc_base: base.tsc,
        mult: (1_000_000 << SHIFT) / khz,
        mono_base: base.host.monotonic,
        real_offset: offset(base.host.realtime),
        boot_offset: offset(base.host.boottime),
    });
    Ok(())
}

/// Reads the host's clocks as exactly as a few round trips allow.
fn sample() -> Result<Sample, Errno> {
    let mut best: Option<Sample> = None;
    for _ in 0..ROUND_TRIPS {
        let before = arch::tsc();
        let host = hostcall::time()?;
        let width = arch::tsc().saturating_sub(before);
        if best.is_none_or(|best| width < best.width) {
            best = Some(Sample {
                tsc: before + width / 2,
                width,
                host,
            });
        }
        if width < TIGHT_TICKS {
            break;
        }
    }
    best.ok_or(Errno::EIO)
}

fn to_ns(ticks: u64, mult: u64) -> u64 {
    ((u128::from(ticks) * u128::from(mult)) >> SHIFT) as u64
}

/// CLOCK_MONOTONIC, nanoseconds; 0 before [`init`].
pub fn monotonic_ns() -> u64 {
    tsc_to_ns(arch::tsc())
}

/// CLOCK_MONOTONIC at a reading of the TSC.
pub fn tsc_to_ns(tsc: u64) -> u64 {
    PARAMETERS.get().map_or(0, |p| {
        p.mono_base
            .saturating_add(to_ns(tsc.saturating_sub(p.tsc_base), p.mult))
    })
}

/// The TSC at which CLOCK_MONOTONIC reaches `ns`, for the control page's deadline; `u64::MAX` if that is beyond its range.
pub fn ns_to_tsc(ns: u64) -> u64 {
    let Some(p) = PARAMETERS.get() else {
        return u64::MAX;
    };
    let ticks = (u128::from(ns.saturating_sub(p.mono_base)) << SHIFT).div_ceil(u128::from(p.mult));
    u64::try_from(ticks)
        .unwrap_or(u64::MAX)
        .saturating_add(p.tsc_base)
}

/// CLOCK_REALTIME, nanoseconds since the epoch.
pub fn realtime_ns() -> u64 {
    monotonic_ns().saturating_add_signed(real_offset())
}

/// CLOCK_REALTIME − CLOCK_MONOTONIC. Constant: nobody sets the sandbox's clock.
pub fn real_offset() -> i64 {
    PARAMETERS.get().map_or(0, |p| p.real_offset)
}

/// CLOCK_BOOTTIME − CLOCK_MONOTONIC.
pub fn boot_offset() -> i64 {
    PARAMETERS.get().map_or(0, |p| p.boot_offset)
}

/// Frequency of the TSC, kHz.
pub fn tsc_khz() -> u64 {
    PARAMETERS.get().map_or(0, |p| p.khz)
}

/// Seconds since the epoch.
pub fn realtime_seconds() -> u64 {
    realtime_ns() / NS_PER_SEC
}

/// What the vDSO's data page holds.
pub fn vdso_data() -> VdsoData {
    PARAMETERS
        .get()
        .map_or_else(VdsoData::default, |p| VdsoData {
            seq: 2,
            shift: SHIFT,
            tsc_base: p.tsc_base,
            mult: p.mult,
            mono_base_ns: p.mono_base,
            real_offset_ns: p.real_offset,
            boot_offset_ns: p.boot_offset,
        })
}
