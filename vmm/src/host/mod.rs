//! Host calls: the services that the guest kernel asks for. [`Host::serve`] answers what stands in the slot.
//!
//! Everything in the slot and in guest memory is hostile: it is read once, checked, and then used. No call blocks.

mod console;
mod files;
mod hide;
mod lines;
pub mod service;

use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;
use vitrine_abi::hostcall::{HostTime, Op};
use zerocopy::{Immutable, IntoBytes};

use crate::bell::{Bell, End};
use crate::kvm::{GuestRam, MemoryError};
use crate::stops::Stops;
use crate::workload;

use lines::Lines;

pub use console::{Console, Writer};
pub use files::{FileError, Files};

/// Longest line of the guest's log.
const MAX_LOG: u64 = 4096;
/// Most entropy in one call.
const MAX_RANDOM: u64 = 64 << 10;

/// The services of one VM.
pub struct Host {
    ram: Arc<GuestRam>,
    bell: Arc<Bell>,
    console: Arc<Console>,
    files: Mutex<Files>,
    stops: Arc<Stops>,
    lines: Lines,
}

impl Host {
    /// Puts the services together.
    pub fn new(
        ram: Arc<GuestRam>,
        bell: Arc<Bell>,
        console: Arc<Console>,
        files: Files,
        stops: Arc<Stops>,
    ) -> Host {
        Host {
            ram,
            bell,
            console,
            files: Mutex::new(files),
            stops,
            lines: Lines::default(),
        }
    }

    /// Whether the slot holds an unanswered request: a cheap look, not a promise.
    pub fn has_request(&self) -> bool {
        let slot = self.ram.host_call_slot();
        slot.request.load(Ordering::Acquire) != slot.done.load(Ordering::Relaxed)
    }

    /// Answers the request in the slot, if there is an unanswered one. Whether there was.
    pub fn try_serve(&self) -> bool {
        let slot = self.ram.host_call_slot();
        // One request at a time, whoever serves it: the vCPU's thread or the service thread.
        let Ok(mut files) = self.files.lock() else {
            return false;
        };
        let request = slot.request.load(Ordering::Acquire);
        if request == slot.done.load(Ordering::Relaxed) {
            return false;
        }
        let op = slot.op.load(Ordering::Relaxed);
        let args = [0, 1, 2, 3, 4, 5].map(|index: usize| slot.args[index].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let result = match Op::from_raw(op) {
            Some(op) => self.call(&mut files, op, args),
            None => Err(Errno::NOSYS),
        };
        let ret = match result {
            Ok(value) => i64::try_from(value).unwrap_or(i64::MAX),
            Err(errno) => -i64::from(errno.raw_os_error()),
        };
        slot.ret.store(ret, Ordering::Relaxed);
        slot.done.store(request, Ordering::Release);
        true
    }

    fn call(&self, files: &mut Files, op: Op, args: [u64; 6]) -> Result<u64, Errno> {
        let [a, b, c, d, e, _] = args;
        let ram = &self.ram;
        match op {
            Op::Lookup => files.lookup(ram, a, b, c, d),
            Op::GetAttr => files.get_attr(ram, a, b),
            Op::ReadDir => files.read_dir(ram, a, b, c, d),
            Op::ReadLink => files.read_link(ram, a, b, c),
            Op::Read => files.read(ram, a, b, c, d),
            Op::Close => files.close(a),
            Op::StatFs => files.statfs(ram, a, b),
            Op::GetXattr => files.get_xattr(ram, a, b, c, d, e),
            Op::ListXattr => files.list_xattr(ram, a, b, c),
            Op::XattrEntries => files.xattr_entries(ram, a, b, c),
            Op::ConsoleWrite => self.console.write(ram, a, b, c),
            Op::ConsoleRead => self.console.read(ram, a, b),
            Op::ConsoleSeek => self.console.seek(a, b, c),
            Op::ConsoleReadAt => self.console.read_at(ram, a, b, c, d),
            Op::ConsoleWriteAt => self.console.write_at(ram, a, b, c, d),
            Op::ConsoleGetAttr => self.console.get_attr(ram, a, b),
            Op::ConsoleTruncate => self.console.truncate(a, b),
            Op::Time => self.time(a),
            Op::Random => self.random(a, b),
            Op::Log => self.log(a, b, c),
            Op::Exit => {
                self.bell.finish(End::Exited(a as u32 & 0xffff));
                Ok(0)
            }
            Op::Discard => {
                ram.discard(a, b)?;
                Ok(0)
            }
            Op::Stopped => self.stops.stopped(ram, [a, b, c, d]),
            Op::StopEnded => {
                self.stops.ended(a);
                Ok(0)
            }
            Op::BenchResult => {
                tracing::info!(target: "guest", "bench figure {a}: {b} ps");
                Ok(0)
            }
        }
    }

    fn time(&self, buf: u64) -> Result<u64, Errno> {
        use rustix::time::{ClockId, clock_gettime};
        let nanos = |clock| {
            let now = clock_gettime(clock);
            now.tv_sec
                .cast_unsigned()
                .wrapping_mul(1_000_000_000)
                .wrapping_add(now.tv_nsec.cast_unsigned())
        };
        let time = HostTime {
            monotonic: nanos(ClockId::Monotonic),
            realtime: nanos(ClockId::Realtime),
            boottime: nanos(ClockId::Boottime),
        };
        put(&self.ram, buf, &time)
    }

    fn random(&self, buf: u64, len: u64) -> Result<u64, Errno> {
        if len > MAX_RANDOM || !self.ram.contains(buf, len) {
            return Err(Errno::FAULT);
        }
        let mut bytes = vec![0; len as usize];
        workload::fill_random(&mut bytes)?;
        self.ram.write(buf, &bytes)?;
        Ok(len)
    }

    fn log(&self, level: u64, buf: u64, len: u64) -> Result<u64, Errno> {
        let mut bytes = vec![0; len.min(MAX_LOG) as usize];
        self.ram.read(buf, &mut bytes)?;
        if !self.lines.take() {
            return Ok(0);
        }
        let text = crate::log::printable(&bytes);
        match level {
            1 => tracing::error!(target: "guest", "{text}"),
            2 => tracing::warn!(target: "guest", "{text}"),
            3 => tracing::info!(target: "guest", "{text}"),
            _ => tracing::debug!(target: "guest", "{text}"),
        }
        Ok(0)
    }
}

/// Writes a structure that the guest asked for.
fn put<T: IntoBytes + Immutable>(ram: &GuestRam, addr: u64, value: &T) -> Result<u64, Errno> {
    ram.write_obj(addr, value)?;
    Ok(0)
}

impl From<MemoryError> for Errno {
    fn from(_: MemoryError) -> Errno {
        Errno::FAULT
    }
}

#[cfg(test)]
mod tests;
