//! Terminals: the line discipline, its open files, and what connects them to a terminal's other side.
//!
//! - [`Tty`]: one terminal: attributes, input that was received, output not yet taken by the [`TtyBackend`].
//! - [`TtyBackend`]: the other side: the host's terminal ([`super::console`]) or the master of a pseudo terminal ([`super::pty`]).
//! - `state`, `input`, `output`: the line discipline proper, under the terminal's lock.
//! - `read`, `write`, `ioctl`: what an open terminal does.
//! - [`job`]: sessions, foreground groups and the signals of job control.

mod file;
mod input;
mod ioctl;
pub mod job;
mod output;
mod read;
mod state;
pub mod termios;
mod write;

pub use file::{Name, TtyFile};
pub use termios::{Termios1, Winsize};

use super::{
    Metadata, SetAttr, Timestamp,
    async_io::{Event, Listeners},
    pseudo,
};
use crate::{
    Errno,
    signal::{self, SigInfo},
    sync::{Mutex, WaitQueue},
};
use alloc::{boxed::Box, format, string::String, sync::Arc, vec::Vec};
use linux_raw_sys::general::*;
use state::State;

/// The other side of a terminal. Nothing here blocks.
pub trait TtyBackend: Send + Sync {
    /// Takes output: bytes accepted, 0 while there is no room. An error means that the other side is gone.
    fn write(&self, data: &[u8]) -> Result<usize, Errno>;
    /// Whether a write would be accepted, as far as is known.
    fn writable(&self) -> bool;
    /// Woken when output has room again.
    fn output_queue(&self) -> Arc<WaitQueue>;
    /// Output accepted but not yet read by the other side (TIOCOUTQ).
    fn queued(&self) -> usize {
        0
    }
    /// Throws that away.
    fn discard_output(&self) {}
    /// Input has room again.
    fn input_drained(&self) {}
    /// Something that packet mode reports (`TIOCPKT_*`).
    fn event(&self, _bits: u8) {}
    /// Whether the terminal may be opened.
    fn may_open(&self) -> Result<(), Errno> {
        Ok(())
    }
    /// The number of open files of the terminal changed to this.
    fn open_count(&self, _count: u32) {}
}

/// Owner, permission and times of a terminal's device node.
#[derive(Clone, Copy)]
struct NodeAttributes {
    uid: u32,
    gid: u32,
    mode: u32,
    atime: Timestamp,
    mtime: Timestamp,
    ctime: Timestamp,
}

/// A terminal.
pub struct Tty {
    /// N of /dev/pts/N.
    pub index: u32,
    backend: Box<dyn TtyBackend>,
    state: Mutex<State>,
    node: Mutex<NodeAttributes>,
    /// Woken when there is something to read, and at hang-up.
    input_queue: Arc<WaitQueue>,
    /// Files that want signals.
    listeners: Listeners,
}

/// What the line discipline wants done once the terminal's lock is free.
#[derive(Default)]
struct Effects {
    /// Signal numbers for the foreground group.
    signals: Vec<u32>,
    /// Wake readers.
    input: bool,
    /// Wake writers.
    output: bool,
    /// Output that the other side holds is void.
    discard: bool,
    /// Packet-mode bits.
    packet: u8,
}

/// Group `tty` of Debian, which owns terminals.
const TTY_GROUP: u32 = 5;

impl Tty {
    /// A terminal with default attributes, owned by `uid`.
    pub fn new(index: u32, uid: u32, backend: Box<dyn TtyBackend>) -> Arc<Tty> {
        let now = pseudo::now();
        Arc::new(Tty {
            index,
            backend,
            state: Mutex::new(State::default()),
            node: Mutex::new(NodeAttributes {
                uid,
                gid: TTY_GROUP,
                mode: 0o620,
                atime: now,
                mtime: now,
                ctime: now,
            }),
            input_queue: Arc::new(WaitQueue::new()),
            listeners: Listeners::new(),
        })
    }

    /// `/dev/pts/N`.
    pub fn path(&self) -> String {
        format!("/dev/pts/{}", self.index)
    }

    /// `st_rdev`.
    pub fn rdev(&self) -> u64 {
        pseudo::makedev(
            136 + u64::from(self.index >> 8),
            u64::from(self.index & 0xff),
        )
    }

    /// Attributes of its node in /dev/pts.
    pub fn metadata(&self) -> Metadata {
        let node = *self.node.lock();
        Metadata {
            rdev: self.rdev(),
            atime: node.atime,
            mtime: node.mtime,
            ctime: node.ctime,
            ..pseudo::attributes(
                pseudo::DEVPTS_DEV,
                u64::from(self.index) + 3,
                S_IFCHR | node.mode,
                (node.uid, node.gid),
            )
        }
    }

    /// chmod, chown and utimensat of its node.
    pub fn set_attr(&self, attr: &SetAttr) {
        let mut node = self.node.lock();
        node.mode = attr.mode.map_or(node.mode, |mode| mode & 0o7777);
        node.uid = attr.uid.unwrap_or(node.uid);
        node.gid = attr.gid.unwrap_or(node.gid);
        node.atime = attr.atime.unwrap_or(node.atime);
        node.mtime = attr.mtime.unwrap_or(node.mtime);
        node.ctime = pseudo::now();
    }

    /// Notes a use in the node's times, to 8 seconds, as Linux does so that nobody can time key strokes.
    fn touch(&self, written: bool) {
        let now = pseudo::now();
        let mut node = self.node.lock();
        let time = if written {
            &mut node.mtime
        } else {
            &mut node.atime
        };
        if now.sec & !7 != time.sec & !7 {
            *time = Timestamp {
                sec: now.sec & !7,
                nsec: 0,
            };
        }
    }

    /// Does what the line discipline asked for. Called without the lock.
    fn apply(&self, effects: Effects) {
        if effects.discard {
            self.backend.discard_output();
        }
        if effects.packet != 0 {
            self.backend.event(effects.packet);
        }
        let group = self.state.lock().foreground;
        for signo in effects.signals {
            signal_group(group, signo);
        }
        if effects.input {
            self.input_queue.wake_all();
            self.listeners.tell(Event::In);
        }
        if effects.output {
            self.backend.output_queue().wake_all();
        }
    }

    /// Bytes that [`Tty::receive`] would take now.
    pub fn input_room(&self) -> usize {
        self.state.lock().input_room()
    }

    /// Takes input from the other side; how many bytes there was room for.
    pub fn receive(&self, data: &[u8]) -> usize {
        let mut effects = Effects::default();
        let taken = {
            let mut state = self.state.lock();
            let taken = state.receive(data, &mut effects);
            state.flush(&*self.backend, &mut effects);
            taken
        };
        self.apply(effects);
        taken
    }

    /// Sends on what output is left, if there is room now.
    pub fn flush(&self) {
        let mut effects = Effects::default();
        self.state.lock().flush(&*self.backend, &mut effects);
        self.apply(effects);
    }

    /// Signals the foreground group as the character for it would.
    pub fn signal(&self, signo: u32) {
        let group = self.state.lock().foreground;
        signal_group(group, signo);
    }

    /// The size now.
    pub fn winsize(&self) -> Winsize {
        self.state.lock().winsize
    }

    /// Sets the size; a change is told to the foreground group.
    pub fn set_winsize(&self, size: Winsize) {
        let group = {
            let mut state = self.state.lock();
            if state.winsize == size {
                return;
            }
            state.winsize = size;
            state.foreground
        };
        signal_group(group, SIGWINCH);
    }

    /// Sets the size without telling anyone: for a terminal that nobody has opened yet.
    pub fn init_winsize(&self, size: Winsize) {
        self.state.lock().winsize = size;
    }

    /// Sets the modes: for a terminal that nobody has opened yet.
    pub fn init_modes(&self, modes: &Termios1) {
        self.state.lock().termios.set_termios1(modes);
    }

    /// The other side is gone: reads end, writes fail, the session's leader is told.
    pub fn hang_up(&self) {
        let session = {
            let mut state = self.state.lock();
            if state.hung_up {
                return;
            }
            state.hung_up = true;
            state.out.clear();
            state.discard_input();
            state.session
        };
        job::hung_up(self, session);
        self.input_queue.wake_all();
        self.backend.output_queue().wake_all();
    }
}

/// Sends a signal of the kernel to a process group, if there is one.
fn signal_group(group: i32, signo: u32) {
    if group > 0 {
        signal::send_to_group(
            group,
            SigInfo {
                signo,
                code: SI_KERNEL as i32,
                ..SigInfo::default()
            },
        );
    }
}
