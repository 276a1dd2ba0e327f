//! The guest's random number generator: ChaCha20 with fast key erasure.
//!
//! Seeded from [`BootInfo::seed`](vitrine_abi::boot::BootInfo) by [`seed`]; mixed with fresh entropy of the host now and then. [`fill`] is
//! what getrandom(2), /dev/random, /dev/urandom, AT_RANDOM and the kernel itself use.

use crate::sync::Mutex;

/// Output after which the host is asked for fresh entropy.
const RESEED_BYTES: u64 = 16 << 20;
/// Time after which it is, in nanoseconds.
const RESEED_NS: u64 = 300_000_000_000;

struct Generator {
    key: [u32; 8],
    /// Bytes given out since the last reseeding.
    given: u64,
    /// CLOCK_MONOTONIC of the last reseeding.
    reseeded_at: u64,
}

static GENERATOR: Mutex<Generator> = Mutex::new(Generator {
    key: [0; 8],
    given: 0,
    reseeded_at: 0,
});

/// Takes the seed that the VMM gave at boot.
pub fn seed(seed: &[u8; 64]) {
    mix(seed);
}

/// Fills `buf` with random bytes.
pub fn fill(buf: &mut [u8]) {
    reseed_if_due(buf.len() as u64);
    let mut generator = GENERATOR.lock();
    let key = generator.key;
    // The first half of block 0 replaces the key, so that what was given out can't be computed from the state afterwards.
    let first = block(&key, 0);
    generator.key.copy_from_slice(&first[..8]);
    for (counter, chunk) in (1u64..).zip(buf.chunks_mut(64)) {
        let words = block(&key, counter);
        for (bytes, word) in chunk.chunks_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
    }
}

/// Mixes bytes into the state (a write to /dev/random); they can't make it worse.
pub fn mix(data: &[u8]) {
    let mut generator = GENERATOR.lock();
    for chunk in data.chunks(32) {
        for (word, bytes) in generator.key.iter_mut().zip(chunk.chunks(4)) {
            let mut le = [0; 4];
            le[..bytes.len()].copy_from_slice(bytes);
            *word ^= u32::from_le_bytes(le);
        }
        let next = block(&generator.key, 0);
        generator.key.copy_from_slice(&next[..8]);
    }
}

fn reseed_if_due(want: u64) {
    let now = crate::time::monotonic_ns();
    {
        let mut generator = GENERATOR.lock();
        generator.given = generator.given.saturating_add(want);
        let fresh =
            generator.given < RESEED_BYTES && now.saturating_sub(generator.reseeded_at) < RESEED_NS;
        if fresh {
            return;
        }
        generator.given = 0;
        generator.reseeded_at = now;
    }
    let mut entropy = [0; 32];
    if crate::hostcall::random(&mut entropy).is_ok() {
        mix(&entropy);
    }
}

fn quarter(state: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    state[a] = state[a].wrapping_add(state[b]);
    state[d] = (state[d] ^ state[a]).rotate_left(16);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_left(12);
    state[a] = state[a].wrapping_add(state[b]);
    state[d] = (state[d] ^ state[a]).rotate_left(8);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_left(7);
}

/// One block of ChaCha20 key stream (RFC 8439, with a 64-bit counter and no nonce).
fn block(key: &[u32; 8], counter: u64) -> [u32; 16] {
    let mut start = [0u32; 16];
    start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
    start[4..12].copy_from_slice(key);
    start[12] = counter as u32;
    start[13] = (counter >> 32) as u32;
    let mut state = start;
    for _ in 0..10 {
        quarter(&mut state, 0, 4, 8, 12);
        quarter(&mut state, 1, 5, 9, 13);
        quarter(&mut state, 2, 6, 10, 14);
        quarter(&mut state, 3, 7, 11, 15);
        quarter(&mut state, 0, 5, 10, 15);
        quarter(&mut state, 1, 6, 11, 12);
        quarter(&mut state, 2, 7, 8, 13);
        quarter(&mut state, 3, 4, 9, 14);
    }
    for (word, initial) in state.iter_mut().zip(start) {
        *word = word.wrapping_add(initial);
    }
    state
}
