//! The VMM behind the `vitrine` command: builds a micro-VM, boots the guest kernel in it, serves its host calls, and consumes its events.
//!
//! The way of a run: `cli` → `run` → `kvm` (VM, probe) → `boot` (image, page tables, boot information) → `jail` → `vcpu` (run loop) with
//! `host` (files, console), `events` (signals, ticker) and `ring` (event consumer) beside it. `unsafe` is in `kvm` only.
#![deny(unsafe_code)]

pub mod account;
mod bell;
mod boot;
pub mod cli;
pub mod commands;
pub mod control;
pub mod doctor;
mod events;
pub mod filter_explain;
mod host;
mod identity;
pub mod jail;
#[allow(unsafe_code)]
pub mod kvm;
pub mod log;
pub mod presets;
mod program;
mod progress;
mod requests;
mod ring;
pub mod run;
pub mod stops;
pub mod strace;
pub mod trace;
pub mod tty;
mod vcpu;
pub mod watch;
mod workload;
mod zone;

pub use bell::End;
