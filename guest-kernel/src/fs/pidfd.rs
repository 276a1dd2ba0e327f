//! pidfd_open(2): a process as a file, readable (to poll) once it is a zombie.

use super::{Description, File, FileOps, Metadata, PollEvents, PollTable, anon};
use crate::{Errno, task::Process};
use alloc::sync::Arc;
use core::any::Any;
use linux_raw_sys::general::O_RDWR;

/// Refers to a process for as long as it is open, whatever becomes of the pid.
pub struct PidFd {
    process: Arc<Process>,
}

/// An open file for `process`, as pidfd_open(2) and CLONE_PIDFD give. `flags`: `O_NONBLOCK` or 0.
pub fn create(process: Arc<Process>, flags: u32) -> Arc<File> {
    File::new_nameless(Arc::new(PidFd { process }), O_RDWR | flags)
}

/// The process that an open file refers to; `EBADF` if it is not a pidfd.
pub fn process(file: &File) -> Result<&Arc<Process>, Errno> {
    let pidfd: Option<&PidFd> = file.ops.as_any().downcast_ref();
    pidfd.map(|pidfd| &pidfd.process).ok_or(Errno::EBADF)
}

impl FileOps for PidFd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        table.add(&self.process.exit_event);
        if !self.process.threads.lock().is_empty() {
            return PollEvents::empty();
        }
        let reaped = crate::task::process(self.process.pid)
            .is_none_or(|process| !Arc::ptr_eq(&process, &self.process));
        let mut events = PollEvents::IN | PollEvents::RDNORM;
        if reaped {
            events |= PollEvents::HUP;
        }
        events
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(anon::anon_metadata())
    }

    fn describe(&self, _file: &File) -> Description {
        anon::anon_description("pidfd", "pidfd")
    }
}
