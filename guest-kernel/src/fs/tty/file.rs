//! An open terminal.

use super::{Tty, job};
use crate::{
    Errno, SysResult,
    fs::{
        Description, File, FileOps, Metadata, PollEvents, PollTable, Sink, Source,
        async_io::Listeners, devices, pseudo,
    },
    sched,
};
use alloc::sync::Arc;
use core::any::Any;
use linux_raw_sys::general::*;

/// The device node that a terminal was opened by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// /dev/pts/N.
    Slave,
    /// /dev/tty.
    Controlling,
    /// /dev/console.
    Console,
}

/// The operations of an open terminal.
pub struct TtyFile {
    /// The terminal.
    pub tty: Arc<Tty>,
    name: Name,
}

impl TtyFile {
    /// Opens a terminal. Unless told not to (O_NOCTTY), a session's leader without a controlling terminal gets it.
    pub fn open(tty: &Arc<Tty>, name: Name, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        let file = TtyFile::attach(tty, name)?;
        let readable = flags & O_ACCMODE != O_WRONLY;
        if name == Name::Slave && flags & O_NOCTTY == 0 && readable {
            job::attach_on_open(tty);
        }
        Ok(file)
    }

    /// As [`TtyFile::open`], without a look at the opener's session.
    pub fn attach(tty: &Arc<Tty>, name: Name) -> Result<Arc<dyn FileOps>, Errno> {
        tty.backend.may_open()?;
        let count = {
            let mut state = tty.state.lock();
            if state.hung_up {
                return Err(Errno::EIO);
            }
            if state.exclusive && state.opens > 0 && !job::is_admin() {
                return Err(Errno::EBUSY);
            }
            state.opens = state.opens.saturating_add(1);
            state.opens
        };
        tty.backend.open_count(count);
        Ok(Arc::new(TtyFile {
            tty: tty.clone(),
            name,
        }))
    }
}

impl FileOps for TtyFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        self.tty.read(file, out)
    }

    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        self.tty.write(file, src)
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        table.add(&self.tty.input_queue);
        table.add(&self.tty.backend.output_queue());
        self.tty.readiness()
    }

    fn ioctl(&self, file: &File, request: u32, arg: u64) -> SysResult {
        self.tty.ioctl(file, request, arg)
    }

    fn listeners(&self, _file: &File) -> Option<&Listeners> {
        Some(&self.tty.listeners)
    }

    /// Who chose nobody means the foreground, or itself.
    fn became_async(&self, file: &File) {
        let task = sched::current();
        let mine = task.credentials();
        let foreground = self.tty.state.lock().foreground;
        let mut owner = file.owner.lock();
        if owner.id == 0 {
            (owner.kind, owner.id) = match foreground {
                0 => (F_OWNER_PID, task.process.pid),
                group => (F_OWNER_PGRP, group),
            };
            owner.user = [mine.uid, mine.euid];
        }
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        match self.name {
            Name::Slave => Ok(self.tty.metadata()),
            Name::Controlling => devices::metadata(devices::TTY),
            Name::Console => devices::metadata(devices::CONSOLE),
        }
    }

    fn describe(&self, file: &File) -> Description {
        pseudo::describe("tty", file, self.tty.path().as_bytes())
    }

    fn release(&self, _file: &File) {
        let count = {
            let mut state = self.tty.state.lock();
            state.opens = state.opens.saturating_sub(1);
            if state.opens == 0 {
                state.exclusive = false;
            }
            state.opens
        };
        self.tty.backend.open_count(count);
    }
}

impl Tty {
    /// poll(2)'s events now. It wakes nobody: the caller may be about to sleep on the same queues.
    pub(super) fn readiness(&self) -> PollEvents {
        let state = self.state.lock();
        let t = &state.termios;
        let least = match t.char(VTIME) {
            0 => usize::from(t.char(VMIN)),
            _ => 1,
        };
        let mut events = PollEvents::empty();
        if state.input_available(least) {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        if state.hung_up {
            events |= PollEvents::IN
                | PollEvents::RDNORM
                | PollEvents::OUT
                | PollEvents::WRNORM
                | PollEvents::ERR
                | PollEvents::HUP;
        } else if state.out.is_empty() && !state.stopped && self.backend.writable() {
            events |= PollEvents::OUT | PollEvents::WRNORM;
        }
        events
    }
}
