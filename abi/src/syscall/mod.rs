//! The one table of system calls: number, name, argument names and kinds, result kind, classes.
//!
//! Dispatch, capture (guest kernel), decoding, filter fields and documentation all come from it. [`get`] finds a call by number, [`by_name`] by
//! name; [`Syscall::kind`] is the kind of an argument once those that depend on others (`fcntl`, `ioctl`, `futex`, …) are resolved.
//!
//! - [`kinds`]: [`ArgKind`], [`RetKind`], and what they refer to: [`Set`]s of names and [`StructKind`]s.
//! - `io`, `files`, `memory`, `process`, `signal`, `net`, `ipc`, `system`: the rows, by family.
//! - [`depends`]: arguments whose kind depends on other arguments.
//! - [`class`]: strace's classes (`%file`, `%desc`, …).

pub mod class;
mod depends;
mod files;
mod io;
mod ipc;
pub mod kinds;
mod memory;
mod net;
mod process;
mod signal;
mod system;

pub use class::Class;
pub use kinds::{ArgKind, Dir, RetKind, Set, StructKind};

use crate::nr::TABLE_LEN;

/// One argument of a call.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name, as the man page has it.
    pub name: &'static str,
    /// What it is. [`ArgKind::Depends`]: ask [`Syscall::kind`].
    pub kind: ArgKind,
}

/// One system call.
#[derive(Clone, Copy, Debug)]
pub struct Syscall {
    /// Number (`crate::nr`).
    pub nr: u16,
    /// Name, as strace and the kernel's table have it.
    pub name: &'static str,
    /// Its arguments, at most six.
    pub args: &'static [Arg],
    /// What it returns.
    pub ret: RetKind,
}

impl Syscall {
    /// The kind of argument `index`, given the values of all of them; [`ArgKind::Unused`] for one that this call doesn't look at.
    pub fn kind(&self, args: &[u64; 6], index: usize) -> ArgKind {
        match self.args.get(index) {
            None => ArgKind::Unused,
            Some(Arg {
                kind: ArgKind::Depends,
                ..
            }) => depends::resolve(self.nr as usize, args, index),
            Some(arg) => arg.kind,
        }
    }

    /// What it returns, given its arguments.
    pub fn ret_kind(&self, args: &[u64; 6]) -> RetKind {
        match self.ret {
            RetKind::Depends => depends::resolve_ret(self.nr as usize, args),
            kind => kind,
        }
    }

    /// The classes it belongs to.
    pub fn class(&self) -> Class {
        class::of(self.nr as usize)
    }

    /// Whether it never returns to its caller (exit and exit_group).
    pub const fn never_returns(&self) -> bool {
        matches!(self.ret, RetKind::Never)
    }
}

/// `rows! { NR name(arg: Kind, …) -> Ret; … }`: the constant `CALLS` of one family.
macro_rules! rows {
    ($($nr:ident $name:ident($($arg:ident: $kind:expr),* $(,)?) -> $ret:ident;)*) => {
        pub(super) const CALLS: &[$crate::syscall::Syscall] = &[$($crate::syscall::Syscall {
            nr: $crate::nr::$nr as u16,
            name: stringify!($name),
            args: &[$($crate::syscall::Arg { name: stringify!($arg), kind: $kind }),*],
            ret: $crate::syscall::RetKind::$ret,
        }),*];
    };
}
use rows;

static TABLE: [Option<Syscall>; TABLE_LEN] = build();

const fn build() -> [Option<Syscall>; TABLE_LEN] {
    let families = [
        io::CALLS,
        files::CALLS,
        memory::CALLS,
        process::CALLS,
        signal::CALLS,
        net::CALLS,
        ipc::CALLS,
        system::CALLS,
    ];
    let mut table = [None; TABLE_LEN];
    let mut family = 0;
    while family < families.len() {
        let mut row = 0;
        while row < families[family].len() {
            let call = families[family][row];
            assert!(
                table[call.nr as usize].is_none(),
                "a call is in the table twice"
            );
            assert!(call.args.len() <= 6, "a call has at most six arguments");
            table[call.nr as usize] = Some(call);
            row += 1;
        }
        family += 1;
    }
    table
}

/// The call with this number; `None` for a number that x86-64 doesn't use.
pub fn get(nr: u64) -> Option<&'static Syscall> {
    TABLE.get(usize::try_from(nr).ok()?)?.as_ref()
}

/// The call with this name.
pub fn by_name(name: &str) -> Option<&'static Syscall> {
    all().find(|call| call.name == name)
}

/// All calls, by number.
pub fn all() -> impl Iterator<Item = &'static Syscall> {
    TABLE.iter().flatten()
}
