//! Decoding, filtering and printing of what the guest does: pure logic over plain data.
#![forbid(unsafe_code)]
