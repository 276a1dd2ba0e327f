//! The page through which the guest kernel tells the vDSO the time. The vDSO's source includes this file by path, so
//! it uses nothing but `core`.

/// Clock parameters. A reader takes `seq`, reads the rest, and starts again if `seq` was odd or has changed.
///
/// CLOCK_MONOTONIC is `mono_base_ns + ((tsc − tsc_base) × mult >> shift)`; the other clocks are that plus an offset.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VdsoData {
    /// Odd while the rest is being written; 0: nothing was written yet, so that the vDSO makes system calls.
    pub seq: u32,
    /// Right shift of the product.
    pub shift: u32,
    /// Cycle counter at the base.
    pub tsc_base: u64,
    /// Nanoseconds a cycle, times 2 to the power of `shift`.
    pub mult: u64,
    /// CLOCK_MONOTONIC at the base.
    pub mono_base_ns: u64,
    /// CLOCK_REALTIME less CLOCK_MONOTONIC.
    pub real_offset_ns: i64,
    /// CLOCK_BOOTTIME less CLOCK_MONOTONIC.
    pub boot_offset_ns: i64,
}

impl VdsoData {
    /// Bytes that it takes in the page.
    pub const SIZE: usize = 48;

    /// As it stands in memory.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let words = [
            self.seq as u64 | (self.shift as u64) << 32,
            self.tsc_base,
            self.mult,
            self.mono_base_ns,
            self.real_offset_ns as u64,
            self.boot_offset_ns as u64,
        ];
        let mut bytes = [0; Self::SIZE];
        for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// CLOCK_MONOTONIC at cycle counter `tsc`, nanoseconds.
    #[inline(always)]
    pub fn monotonic_ns(&self, tsc: u64) -> u64 {
        // The counter may seem to go backwards by a few cycles between two reads.
        let cycles = tsc.saturating_sub(self.tsc_base);
        let product = cycles as u128 * self.mult as u128;
        self.mono_base_ns
            .wrapping_add((product >> (self.shift & 127)) as u64)
    }
}
