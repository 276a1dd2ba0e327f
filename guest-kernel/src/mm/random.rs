//! Randomness for address-space layout, from the boot seed: the same seed gives the same layouts. Not for secrets.

use super::cell::KernelCell;

static STATE: KernelCell<u64> = KernelCell::new(0x9e37_79b9_7f4a_7c15);

/// Starts the sequence.
pub(super) fn init(seed: &[u8; 64]) {
    STATE.with(|state| {
        for (i, &byte) in seed.iter().enumerate() {
            *state = mix(*state ^ u64::from(byte) << (i % 8 * 8));
        }
    });
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// The next number below `bound` (at least 1): for placing stacks, heaps and mappings by whole pages.
pub fn below(bound: u64) -> u64 {
    STATE.with(|state| {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(*state) % bound.max(1)
    })
}
