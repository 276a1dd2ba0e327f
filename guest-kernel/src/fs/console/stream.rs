//! A standard descriptor that isn't a terminal: a pipe, device or socket of the host.

use super::{
    super::{Description, File, FileOps, Metadata, PollEvents, PollTable, Sink, Source, pseudo},
    CHUNK, HostOutput,
};
use crate::{
    Errno, SysResult, hostcall,
    mm::user,
    sched,
    signal::{self, SigInfo},
    sync::{Interruptible, Mutex, wait_until},
};
use alloc::{collections::VecDeque, format, vec::Vec};
use core::any::Any;
use linux_raw_sys::{general::*, ioctl::FIONREAD};
use vitrine_abi::boot::ConsoleFd;

/// Bytes that are fetched from the host at a time.
const FETCH: usize = 4096;

/// Input fetched from the host that nobody has read yet: poll has to look.
struct Fetched {
    data: VecDeque<u8>,
    ended: bool,
}

static FETCHED: Mutex<Fetched> = Mutex::new(Fetched {
    data: VecDeque::new(),
    ended: false,
});

impl Fetched {
    /// Tries to have something to read; whether there is (or the end was reached).
    fn look(&mut self) -> bool {
        if self.data.is_empty() && !self.ended {
            let mut buf = alloc::vec![0; FETCH];
            match hostcall::console_read(&mut buf) {
                Ok(0) => self.ended = true,
                Ok(n) => self.data.extend(buf.iter().take(n)),
                Err(Errno::EAGAIN) => {}
                // What can't be read has ended.
                Err(_) => self.ended = true,
            }
        }
        !self.data.is_empty() || self.ended
    }

    /// Takes up to `room` bytes; none: the end. `None`: nothing yet.
    fn take(&mut self, room: usize) -> Option<Result<Vec<u8>, Errno>> {
        if self.data.is_empty() && !self.ended && room > FETCH {
            // A big read goes past the buffer.
            let mut buf = alloc::vec![0; room.min(CHUNK)];
            return match hostcall::console_read(&mut buf) {
                Ok(n) => {
                    buf.truncate(n);
                    Some(Ok(buf))
                }
                Err(Errno::EAGAIN) => None,
                Err(e) => Some(Err(e)),
            };
        }
        if !self.look() {
            return None;
        }
        // The end is told once for each look at the host: a FIFO may get another writer.
        self.ended = self.ended && !self.data.is_empty();
        let n = room.min(self.data.len());
        Some(Ok(self.data.drain(..n).collect()))
    }
}

/// A standard descriptor that isn't a terminal.
pub(super) struct Stream {
    /// What the host says of it.
    pub(super) fd: ConsoleFd,
    /// Reads come from the host's descriptor 0.
    pub(super) reads: bool,
    /// Where writes go.
    pub(super) output: Option<HostOutput>,
}

impl FileOps for Stream {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        if out.room() == 0 || !self.reads {
            return Ok(0);
        }
        let room = out.room();
        let look = || FETCHED.lock().take(room);
        let data = if file.nonblocking() {
            look().ok_or(Errno::EAGAIN)?
        } else {
            let queue = hostcall::console_input_queue();
            wait_until(&[queue], None, Interruptible::Yes, look).map_err(|_| Errno::ERESTARTSYS)?
        }?;
        if data.is_empty() {
            return Ok(0);
        }
        out.put(&data)
    }

    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        let host = self.output.as_ref().ok_or(Errno::EBADF)?;
        let mut done = 0;
        let mut buf = Vec::new();
        while src.left() > 0 {
            buf.resize(src.left().min(CHUNK), 0);
            let n = match src.take(&mut buf) {
                Ok(0) => break,
                Ok(n) => n,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            match self.write_all(host, file.nonblocking(), &buf[..n]) {
                (accepted, Ok(())) => done += accepted,
                (accepted, Err(e)) => {
                    done += accepted;
                    return if done > 0 { Ok(done) } else { Err(e) };
                }
            }
        }
        Ok(done)
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        let mut events = PollEvents::empty();
        if self.reads {
            table.add(hostcall::console_input_queue());
            let mut fetched = FETCHED.lock();
            if fetched.look() {
                let ended = fetched.data.is_empty();
                events |= match self.fd.mode & S_IFMT {
                    S_IFIFO if ended => PollEvents::HUP,
                    S_IFSOCK if ended => PollEvents::IN | PollEvents::RDNORM | PollEvents::RDHUP,
                    _ => PollEvents::IN | PollEvents::RDNORM,
                };
            }
        }
        if let Some(host) = &self.output {
            table.add(hostcall::console_output_queue());
            if host.writable() {
                events |= PollEvents::OUT | PollEvents::WRNORM;
            }
        }
        events
    }

    fn ioctl(&self, _file: &File, request: u32, arg: u64) -> SysResult {
        if request != FIONREAD || !self.reads {
            return Err(Errno::ENOTTY);
        }
        let waiting = {
            let mut fetched = FETCHED.lock();
            fetched.look();
            fetched.data.len() as u32
        };
        user::write(arg, &waiting)?;
        Ok(0)
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        let credentials = sched::current().credentials();
        let owner = (credentials.fsuid, credentials.fsgid);
        Ok(Metadata {
            rdev: self.fd.rdev,
            size: self.fd.size,
            blocks: self.fd.size.div_ceil(512),
            blksize: 4096,
            ..pseudo::attributes(self.fd.dev, self.fd.ino, self.fd.mode, owner)
        })
    }

    fn describe(&self, file: &File) -> Description {
        let (kind, word) = match self.fd.mode & S_IFMT {
            S_IFIFO => ("pipe", "pipe"),
            S_IFSOCK => ("unix", "socket"),
            S_IFCHR => ("char", "char"),
            _ => ("file", "file"),
        };
        let text = format!("{word}:[{}]", self.fd.ino);
        pseudo::describe(kind, file, text.as_bytes())
    }
}

impl Stream {
    /// Writes all of `data`, or as much as goes before a signal, an error, or (if it may not wait) a full queue.
    fn write_all(
        &self,
        host: &HostOutput,
        nonblocking: bool,
        data: &[u8],
    ) -> (usize, Result<(), Errno>) {
        let mut done = 0;
        while let Some(rest) = data.get(done..).filter(|rest| !rest.is_empty()) {
            let look = || match host.write(rest) {
                Ok(0) => None,
                other => Some(other),
            };
            let result = if nonblocking {
                look().unwrap_or(Err(Errno::EAGAIN))
            } else {
                let queue = hostcall::console_output_queue();
                wait_until(&[queue], None, Interruptible::Yes, look)
                    .unwrap_or(Err(Errno::ERESTARTSYS))
            };
            match result {
                Ok(n) => done += n,
                Err(e) => {
                    if e == Errno::EPIPE {
                        broken_pipe();
                    }
                    return (done, Err(e));
                }
            }
        }
        (done, Ok(()))
    }
}

/// SIGPIPE to the running task.
fn broken_pipe() {
    let task = sched::current();
    let info = SigInfo {
        signo: SIGPIPE,
        pid: task.process.pid,
        uid: task.credentials().uid,
        ..SigInfo::default()
    };
    signal::send_to_task(&task, info);
}
