//! Decoding, filtering and printing of what the guest does: pure logic over plain data.
//!
//! The way of an event: bytes drained from the ring → [`record`] (checked records) → [`decoder`] ([`event::Event`]s, processes tracked) →
//! [`print`] (strace's text, JSON lines), all of it put together by [`pipeline::Pipeline`]. [`decode`] turns arguments into text.
//!
//! Whatever comes from the ring is hostile: nothing here panics on it; at worst an event is marked corrupt.
#![forbid(unsafe_code)]

pub mod change;
pub mod decode;
pub mod decoder;
pub mod event;
pub mod executable;
pub mod filter;
pub mod hits;
pub mod pipeline;
pub mod print;
pub mod record;
pub mod select;
pub mod stop;

pub use event::Event;
pub use pipeline::{Format, Pipeline};
pub use print::Options;
pub use select::Selection;
