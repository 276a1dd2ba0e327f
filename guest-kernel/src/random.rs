//! The guest's random number generator.

/// Fills `buf` with random bytes.
pub fn fill(buf: &mut [u8]) {
    let _ = crate::hostcall::random(buf);
}
