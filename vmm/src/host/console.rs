//! The caller's standard descriptors as the guest's console. Output that its reader can take now goes there straight from guest memory;
//! the rest goes through a bounded queue and a writer thread, so that a slow reader never holds up the vCPU. Input is read only when the
//! guest asks and poll(2) says that there is some. Regular files are read and written at once: they are always ready, and their position
//! and errors are the caller's.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use rustix::stdio::{stderr, stdin, stdout};
use vitrine_abi::boot::ConsoleFd;
use vitrine_abi::shared::PENDING_CONSOLE_OUTPUT;

use super::files;
use crate::bell::Bell;
use crate::events::InputArm;
use crate::kvm::GuestRam;
use crate::progress;
use crate::workload::kind;

/// Bytes that wait for the writer at most.
const QUEUE: usize = 256 << 10;
/// Most bytes put into the queue in one call.
const MAX_QUEUED: u64 = 64 << 10;
/// Most bytes read or written directly in one call.
const MAX_TRANSFER: u64 = 1 << 20;

/// The console.
pub struct Console {
    fds: [ConsoleFd; 3],
    bell: Arc<Bell>,
    arm: InputArm,
    output: Mutex<Output>,
    /// Told when the queue gets its first entry, or the end has come.
    queued: Condvar,
    /// Told when the queue has run empty.
    drained: Condvar,
}

struct Output {
    queue: VecDeque<(u8, Vec<u8>)>,
    bytes: usize,
    /// The writer is in write(2) with what was first in the queue.
    writing: bool,
    /// The guest was told that there is no room.
    starved: bool,
    /// Nobody reads from these descriptors any more.
    broken: [bool; 3],
    /// These descriptors can be written to without blocking, as far as is known.
    direct: [bool; 3],
}

impl Console {
    /// For descriptors as `workload::console` saw them.
    pub fn new(fds: [ConsoleFd; 3], bell: Arc<Bell>, arm: InputArm) -> Console {
        Console {
            fds,
            bell,
            arm,
            output: Mutex::new(Output {
                queue: VecDeque::new(),
                bytes: 0,
                writing: false,
                starved: false,
                broken: [false; 3],
                direct: fds.map(|fd| fd.kind != kind::TERMINAL),
            }),
            queued: Condvar::new(),
            drained: Condvar::new(),
        }
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `Op::ConsoleWrite`.
    pub(super) fn write(&self, ram: &GuestRam, fd: u64, buf: u64, len: u64) -> Result<u64, Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::BADF)?;
        let known = self.fds.get(index).ok_or(Errno::BADF)?;
        if known.kind == kind::CLOSED || (index == 0 && known.kind != kind::TERMINAL) {
            return Err(Errno::BADF);
        }
        if !ram.contains(buf, len) {
            return Err(Errno::FAULT);
        }
        let len = len.min(MAX_TRANSFER);
        if known.kind == kind::FILE {
            return count(ram.write_out(descriptor(index), buf, len, false));
        }
        let mut output = self.output();
        if output.broken[index] {
            return Err(Errno::PIPE);
        }
        if output.queue.is_empty() && !output.writing && output.direct[index] && len > 0 {
            // Devices other than terminals that are ready don't block, though few promise it.
            let way = self.make_way(ram, index, buf, len);
            let promise =
                known.kind != kind::DEVICE || !ready(descriptor(index), PollFlags::OUT, Some(0));
            let result = count(ram.write_out(descriptor(index), buf, len, promise));
            drop(way);
            match result {
                Err(Errno::AGAIN | Errno::INTR) => {}
                // Not everything can promise not to block.
                Err(Errno::OPNOTSUPP) => output.direct[index] = false,
                result => return result,
            }
        }
        let room = QUEUE.saturating_sub(output.bytes) as u64;
        let count = len.min(room).min(MAX_QUEUED);
        if count == 0 {
            output.starved |= len > 0;
            return Ok(0);
        }
        let mut bytes = vec![0; count as usize];
        ram.read(buf, &mut bytes)?;
        output.bytes += bytes.len();
        match output.queue.back_mut() {
            Some((last, waiting)) if usize::from(*last) == index => waiting.extend(bytes),
            _ => output.queue.push_back((index as u8, bytes)),
        }
        let wake = output.queue.len() == 1 && !output.writing;
        drop(output);
        if wake {
            self.queued.notify_one();
        }
        Ok(count)
    }

    /// Before output goes to a terminal: see [`progress::make_way`].
    fn make_way(&self, ram: &GuestRam, index: usize, buf: u64, len: u64) -> Option<progress::Way> {
        if !progress::is_on() || self.fds.get(index)?.kind != kind::TERMINAL {
            return None;
        }
        let mut bytes = vec![0; len as usize];
        ram.read(buf, &mut bytes).ok()?;
        progress::make_way(&bytes)
    }

    /// `Op::ConsoleRead`.
    pub(super) fn read(&self, ram: &GuestRam, buf: u64, len: u64) -> Result<u64, Errno> {
        if self.fds[0].kind == kind::CLOSED {
            return Err(Errno::BADF);
        }
        let len = len.min(MAX_TRANSFER);
        if !ram.contains(buf, len) {
            return Err(Errno::FAULT);
        }
        if len == 0 {
            return Ok(0);
        }
        if self.fds[0].kind == kind::TERMINAL && crate::tty::in_background() {
            self.arm.arm();
            return Err(Errno::AGAIN);
        }
        // A regular file is always ready. Anything else is read only when poll(2) says that read(2) won't block.
        if self.fds[0].kind != kind::FILE && !ready(stdin(), PollFlags::IN, Some(0)) {
            self.arm.arm();
            return Err(Errno::AGAIN);
        }
        match count(ram.read_in(stdin(), buf, len)) {
            Err(Errno::AGAIN | Errno::INTR) => {
                self.arm.arm();
                Err(Errno::AGAIN)
            }
            // The terminal is gone: end of input, as on Linux after a hang-up.
            Err(Errno::IO) if self.fds[0].kind == kind::TERMINAL => Ok(0),
            result => result,
        }
    }

    /// `Op::ConsoleSeek`.
    pub(super) fn seek(&self, fd: u64, offset: u64, whence: u64) -> Result<u64, Errno> {
        let from = match whence {
            0 => SeekFrom::Start(offset),
            1 => SeekFrom::Current(offset.cast_signed()),
            2 => SeekFrom::End(offset.cast_signed()),
            3 => SeekFrom::Data(offset),
            4 => SeekFrom::Hole(offset),
            _ => return Err(Errno::INVAL),
        };
        rustix::fs::seek(self.file(fd)?, from)
    }

    /// `Op::ConsoleReadAt`.
    pub(super) fn read_at(
        &self,
        ram: &GuestRam,
        fd: u64,
        offset: u64,
        buf: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        let mut bytes = vec![0; len.min(MAX_QUEUED) as usize];
        let count = rustix::io::pread(self.file(fd)?, &mut bytes[..], offset)?;
        ram.write(buf, &bytes[..count])?;
        Ok(count as u64)
    }

    /// `Op::ConsoleWriteAt`.
    pub(super) fn write_at(
        &self,
        ram: &GuestRam,
        fd: u64,
        offset: u64,
        buf: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        let mut bytes = vec![0; len.min(MAX_QUEUED) as usize];
        ram.read(buf, &mut bytes)?;
        Ok(rustix::io::pwrite(self.file(fd)?, &bytes, offset)? as u64)
    }

    /// `Op::ConsoleGetAttr`.
    pub(super) fn get_attr(&self, ram: &GuestRam, fd: u64, buf: u64) -> Result<u64, Errno> {
        super::put(
            ram,
            buf,
            &files::attributes(&files::stat_of(self.file(fd)?)?),
        )
    }

    /// `Op::ConsoleTruncate`.
    pub(super) fn truncate(&self, fd: u64, size: u64) -> Result<u64, Errno> {
        rustix::fs::ftruncate(self.file(fd)?, size)?;
        Ok(0)
    }

    /// The caller's descriptor `fd`, if it is a regular file.
    fn file(&self, fd: u64) -> Result<BorrowedFd<'static>, Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::BADF)?;
        match self.fds.get(index).map(|known| known.kind) {
            None | Some(kind::CLOSED) => Err(Errno::BADF),
            Some(kind::FILE) => Ok(descriptor(index)),
            Some(_) => Err(Errno::SPIPE),
        }
    }

    /// Waits until everything accepted so far has been written, or its reader is gone.
    pub fn flush(&self) {
        let mut output = self.output();
        while !output.queue.is_empty() || output.writing {
            output = self
                .drained
                .wait(output)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The writer thread's body.
pub struct Writer(pub Arc<Console>);

impl Writer {
    /// Writes what is queued, in order. Never returns; the process's end ends it.
    pub fn run(self) -> ! {
        let console = self.0;
        let mut output = console.output();
        loop {
            let Some((fd, bytes)) = output.queue.pop_front() else {
                output = console
                    .queued
                    .wait(output)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            output.writing = true;
            let skip = output.broken[usize::from(fd)];
            drop(output);
            let taken = bytes.len();
            let cooked =
                console.fds[usize::from(fd)].kind == kind::TERMINAL && !crate::log::raw_terminal();
            let bytes = if cooked {
                without_returns(&bytes)
            } else {
                bytes
            };
            let is_terminal = console.fds[usize::from(fd)].kind == kind::TERMINAL;
            let way = is_terminal.then(|| progress::make_way(&bytes));
            let result = if skip { Ok(()) } else { write_all(fd, &bytes) };
            drop(way);
            output = console.output();
            output.writing = false;
            output.bytes = output.bytes.saturating_sub(taken);
            if let Err(errno) = result {
                output.broken[usize::from(fd)] = true;
                if errno != Errno::PIPE {
                    tracing::warn!("writing the program's output to descriptor {fd}: {errno}");
                }
            }
            if output.starved && (output.bytes <= QUEUE / 2 || result.is_err()) {
                output.starved = false;
                console.bell.raise(PENDING_CONSOLE_OUTPUT);
            }
            if output.queue.is_empty() {
                console.drained.notify_all();
            }
        }
    }
}

/// The guest's terminal has made line ends of line feeds. A host terminal that still processes output (standard input or output is
/// something else, or we are in the background) does so again.
fn without_returns(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for (index, &byte) in bytes.iter().enumerate() {
        if byte != b'\r' || bytes.get(index + 1) != Some(&b'\n') {
            text.push(byte);
        }
    }
    text
}

fn count(result: std::io::Result<usize>) -> Result<u64, Errno> {
    match result {
        Ok(count) => Ok(count as u64),
        Err(cause) => Err(Errno::from_io_error(&cause).unwrap_or(Errno::IO)),
    }
}

fn descriptor(index: usize) -> BorrowedFd<'static> {
    match index {
        0 => stdin(),
        1 => stdout(),
        _ => stderr(),
    }
}

fn write_all(fd: u8, mut bytes: &[u8]) -> Result<(), Errno> {
    let fd = descriptor(usize::from(fd));
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            // The caller made it non-blocking.
            Err(Errno::AGAIN) => {
                ready(fd, PollFlags::OUT, None);
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Whether poll(2) reports anything within `seconds` (`None`: waits).
fn ready(fd: BorrowedFd<'_>, flags: PollFlags, seconds: Option<i64>) -> bool {
    let timeout = seconds.map(|tv_sec| Timespec { tv_sec, tv_nsec: 0 });
    let mut fds = [PollFd::from_borrowed_fd(fd, flags)];
    poll(&mut fds, timeout.as_ref()).is_ok_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::without_returns;

    #[test]
    fn line_ends_become_line_feeds() {
        assert_eq!(without_returns(b"a\r\nb\rc\r\r\n\r"), b"a\nb\rc\r\n\r");
    }
}
