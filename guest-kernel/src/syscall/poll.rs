//! poll(2) and ppoll(2).

use super::{Table, timeout};
use crate::{
    Errno, SysResult, call,
    fs::{File, PollEvents, PollTable, anon, ready::wait_ready},
    mm, sched, signal,
    sync::WaitError,
};
use alloc::sync::Arc;
use linux_raw_sys::general::RLIMIT_NOFILE;
use vitrine_abi::nr;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Registers the family.
pub const fn add(table: &mut Table) {
    table.set(nr::POLL, call!(poll; 3));
    table.set(nr::PPOLL, call!(ppoll; 5));
}

/// `struct pollfd`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct PollFd {
    fd: i32,
    events: u16,
    revents: u16,
}

/// poll(2). After a signal without a handler it goes on until the same deadline.
pub fn poll(fds: u64, count: u32, timeout_ms: i32) -> SysResult {
    poll_on(fds, count, timeout::after_ms(timeout_ms))
}

fn poll_on(fds: u64, count: u32, deadline: Option<u64>) -> SysResult {
    match poll_until(fds, count, deadline) {
        Err(Errno::ERESTARTNOHAND) => {
            Err(signal::restart_with(move || poll_on(fds, count, deadline)))
        }
        result => result,
    }
}

/// ppoll(2). The time left goes back to the program, as the system call (not the C library's function) does.
pub fn ppoll(fds: u64, count: u32, timespec: u64, mask: u64, mask_size: usize) -> SysResult {
    let deadline = timeout::after_timespec(timespec)?;
    with_mask(mask, mask_size, || {
        let result = poll_until(fds, count, deadline);
        if let Some(deadline) = deadline {
            write_remaining(timespec, deadline);
        }
        result
    })
}

/// Writes a timespec with the time left. A bad address is no error: the call is done.
pub fn write_remaining(addr: u64, deadline: u64) {
    let left = timeout::Timespec::from_ns(timeout::remaining(deadline));
    let _ = mm::user::write(addr, &left);
}

/// Runs a wait under the signal mask at `mask` (null: the current one). The mask is put back unless a signal ended the wait:
/// then delivery does it.
pub fn with_mask(mask: u64, size: usize, wait: impl FnOnce() -> SysResult) -> SysResult {
    if mask == 0 {
        return wait();
    }
    if size != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    signal::set_temporary_mask(mm::user::read(mask)?);
    let result = wait();
    if !matches!(result, Err(Errno::ERESTARTNOHAND | Errno::EINTR)) {
        signal::end_temporary_mask();
    }
    result
}

/// The current process's soft limit of descriptors.
pub fn descriptor_limit() -> u64 {
    sched::current().process.rlimits.lock()[RLIMIT_NOFILE as usize][0]
}

fn poll_until(addr: u64, count: u32, deadline: Option<u64>) -> SysResult {
    if u64::from(count) > descriptor_limit() {
        return Err(Errno::EINVAL);
    }
    let count = count as usize;
    let mut fds = anon::reserved::<PollFd>(count)?;
    fds.resize(count, PollFd::default());
    mm::user::read_bytes(addr, fds.as_mut_slice().as_mut_bytes())?;
    let table = sched::current().files()?;
    let mut files = anon::reserved::<Option<Arc<File>>>(count)?;
    for entry in &fds {
        files.push(if entry.fd < 0 {
            None
        } else {
            table.get(entry.fd).ok()
        });
    }
    let result = wait_ready(deadline, |queues| {
        let mut ready = 0;
        for (entry, file) in fds.iter_mut().zip(&files) {
            let events = look(entry, file.as_ref(), queues);
            entry.revents = events;
            ready += usize::from(events != 0);
        }
        (ready > 0).then_some(ready)
    });
    mm::user::write_bytes(addr, fds.as_slice().as_bytes())?;
    match result {
        Ok(ready) => Ok(ready),
        Err(WaitError::Timeout) => Ok(0),
        Err(WaitError::Signal) => Err(Errno::ERESTARTNOHAND),
    }
}

fn look(entry: &PollFd, file: Option<&Arc<File>>, queues: &mut PollTable) -> u16 {
    let events = match file {
        Some(file) => file.ops.poll(file, queues),
        None if entry.fd < 0 => return 0,
        None => PollEvents::NVAL,
    };
    let always = PollEvents::ERR | PollEvents::HUP | PollEvents::NVAL;
    events.bits() as u16 & (entry.events | always.bits() as u16)
}
