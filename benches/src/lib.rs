//! Helpers of the bench.
