//! System calls: the entry, the dispatch table, and one file a family.
//!
//! A handler takes typed arguments and returns [`SysResult`]; `call!` adapts it to the table's type. The table is
//! indexed by call number; an empty place is ENOSYS, reported once per number.

mod epoll;
mod eventfd;
mod inotify;
mod memfd;
mod message;
mod pidfd;
mod pipe;
mod poll;
mod select;
mod socket;
mod splice;
pub mod timeout;

use crate::{Errno, SysResult, arch::TrapFrame};

/// A handler as the table holds it.
pub type Handler = fn(&mut TrapFrame) -> SysResult;

/// A raw argument made into a typed one.
pub trait FromRaw {
    /// Converts as the ABI does: truncation to the type's width.
    fn from_raw(raw: u64) -> Self;
}

macro_rules! from_raw { ($($t:ty),*) => { $(impl FromRaw for $t { fn from_raw(raw: u64) -> Self { raw as $t } })* } }
from_raw!(u64, i64, u32, i32, u16, usize, isize);

/// `call!(handler; n)` is a [`Handler`] that calls `handler` with its first `n` arguments converted by [`FromRaw`].
#[macro_export]
macro_rules! call {
    ($f:path; 0) => {
        |_: &mut $crate::arch::TrapFrame| $f()
    };
    ($f:path; 1) => {
        |t: &mut $crate::arch::TrapFrame| {
            let a = t.args();
            $f($crate::syscall::FromRaw::from_raw(a[0]))
        }
    };
    ($f:path; 2) => {
        |t: &mut $crate::arch::TrapFrame| {
            let a = t.args();
            $f(
                $crate::syscall::FromRaw::from_raw(a[0]),
                $crate::syscall::FromRaw::from_raw(a[1]),
            )
        }
    };
    ($f:path; 3) => {
        |t: &mut $crate::arch::TrapFrame| {
            let a = t.args();
            $f(
                $crate::syscall::FromRaw::from_raw(a[0]),
                $crate::syscall::FromRaw::from_raw(a[1]),
                $crate::syscall::FromRaw::from_raw(a[2]),
            )
        }
    };
    ($f:path; 4) => {
        |t: &mut $crate::arch::TrapFrame| {
            let a = t.args();
            $f(
                $crate::syscall::FromRaw::from_raw(a[0]),
                $crate::syscall::FromRaw::from_raw(a[1]),
                $crate::syscall::FromRaw::from_raw(a[2]),
                $crate::syscall::FromRaw::from_raw(a[3]),
            )
        }
    };
    ($f:path; 5) => {
        |t: &mut $crate::arch::TrapFrame| {
            let a = t.args();
            $f(
                $crate::syscall::FromRaw::from_raw(a[0]),
                $crate::syscall::FromRaw::from_raw(a[1]),
                $crate::syscall::FromRaw::from_raw(a[2]),
                $crate::syscall::FromRaw::from_raw(a[3]),
                $crate::syscall::FromRaw::from_raw(a[4]),
            )
        }
    };
    ($f:path; 6) => {
        |t: &mut $crate::arch::TrapFrame| {
            let a = t.args();
            $f(
                $crate::syscall::FromRaw::from_raw(a[0]),
                $crate::syscall::FromRaw::from_raw(a[1]),
                $crate::syscall::FromRaw::from_raw(a[2]),
                $crate::syscall::FromRaw::from_raw(a[3]),
                $crate::syscall::FromRaw::from_raw(a[4]),
                $crate::syscall::FromRaw::from_raw(a[5]),
            )
        }
    };
}

/// The table under construction: each family adds its handlers.
pub struct Table(pub [Option<Handler>; vitrine_abi::nr::TABLE_LEN]);

impl Table {
    /// Sets the handler of call `nr`.
    pub const fn set(&mut self, nr: usize, handler: Handler) {
        self.0[nr] = Some(handler);
    }
}

/// Runs the call that `frame` made; the result is for the caller to put into `rax`.
pub fn dispatch(frame: &mut TrapFrame) -> SysResult {
    let number = usize::try_from(frame.orig_rax).unwrap_or(usize::MAX);
    match TABLE.0.get(number) {
        Some(Some(handler)) => handler(frame),
        _ => Err(Errno::ENOSYS),
    }
}

static TABLE: Table = {
    let mut t = Table([None; vitrine_abi::nr::TABLE_LEN]);
    epoll::add(&mut t);
    eventfd::add(&mut t);
    inotify::add(&mut t);
    memfd::add(&mut t);
    message::add(&mut t);
    pidfd::add(&mut t);
    pipe::add(&mut t);
    poll::add(&mut t);
    select::add(&mut t);
    socket::add(&mut t);
    splice::add(&mut t);
    t
};
