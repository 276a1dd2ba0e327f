//! System calls: the dispatch table, and one file a family.
//!
//! A handler takes typed arguments and returns [`SysResult`]; `call!` adapts it to the table's type. The table is
//! indexed by call number; an empty place is ENOSYS, reported once per number.

mod attr;
mod copy;
mod credentials;
pub mod dir;
mod epoll;
mod eventfd;
mod fcntl;
mod futex;
mod inotify;
mod ioctl;
mod kill;
mod limits;
mod link;
mod memfd;
mod memory;
mod message;
mod mount;
mod open;
mod pidfd;
mod pipe;
mod poll;
mod prctl;
mod process;
mod rw;
mod scheduling;
mod select;
mod session;
mod signal;
mod socket;
mod splice;
mod stat;
mod system;
mod thread;
mod time;
pub mod timeout;
mod timer;
mod xattr;

use crate::{Errno, SysResult, arch::TrapFrame};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use vitrine_abi::nr;

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

static TABLE: Table = {
    let mut t = Table([None; nr::TABLE_LEN]);
    attr::add(&mut t);
    copy::add(&mut t);
    credentials::add(&mut t);
    dir::add(&mut t);
    epoll::add(&mut t);
    eventfd::add(&mut t);
    fcntl::add(&mut t);
    futex::add(&mut t);
    inotify::add(&mut t);
    ioctl::add(&mut t);
    kill::add(&mut t);
    limits::add(&mut t);
    link::add(&mut t);
    memfd::add(&mut t);
    memory::add(&mut t);
    message::add(&mut t);
    mount::add(&mut t);
    open::add(&mut t);
    pidfd::add(&mut t);
    pipe::add(&mut t);
    poll::add(&mut t);
    prctl::add(&mut t);
    process::add(&mut t);
    rw::add(&mut t);
    scheduling::add(&mut t);
    select::add(&mut t);
    session::add(&mut t);
    signal::add(&mut t);
    socket::add(&mut t);
    splice::add(&mut t);
    stat::add(&mut t);
    system::add(&mut t);
    thread::add(&mut t);
    time::add(&mut t);
    timer::add(&mut t);
    xattr::add(&mut t);
    t
};

/// Runs the call that `frame` made; the result is for the caller to put into `rax`.
pub fn dispatch(frame: &mut TrapFrame) -> SysResult {
    // As on Linux, the number is the lower half of RAX.
    let number = frame.orig_rax as u32 as usize;
    match TABLE.0.get(number) {
        Some(Some(_)) if crate::mm::oom::refuses(number) => Err(Errno::ENOMEM),
        Some(Some(handler)) => handler(frame),
        _ => unimplemented(number),
    }
}

/// ENOSYS, reported the first time for each number that Linux has.
#[cold]
fn unimplemented(number: usize) -> SysResult {
    static REPORTED: [AtomicU64; nr::TABLE_LEN.div_ceil(64)] =
        [const { AtomicU64::new(0) }; nr::TABLE_LEN.div_ceil(64)];
    if let Some(word) = REPORTED.get(number / 64) {
        let bit = 1 << (number % 64);
        if word.fetch_or(bit, Relaxed) & bit == 0 {
            let name = vitrine_abi::syscall::get(number as u64).map_or("?", |call| call.name);
            crate::trace::unimplemented(&crate::sched::current(), number as u64);
            crate::warn!(
                "system call {name} ({number}) is not implemented: the program gets ENOSYS"
            );
        }
    }
    Err(Errno::ENOSYS)
}
