//! signalfd(2): the reader's pending signals as a file.

use super::{Description, File, FileOps, Metadata, PollEvents, PollTable, Sink, anon};
use crate::{
    Errno, SysResult, sched,
    signal::{self, SigInfo},
    sync::{Interruptible, wait_until},
};
use alloc::sync::Arc;
use core::{
    any::Any,
    sync::atomic::{AtomicU64, Ordering},
};
use linux_raw_sys::general::{SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSTOP};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// The set of signals to read.
pub struct SignalFd {
    mask: AtomicU64,
}

/// `struct signalfd_siginfo`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Record {
    signo: u32,
    errno: i32,
    code: i32,
    pid: u32,
    uid: u32,
    fd: i32,
    tid: u32,
    band: u32,
    overrun: u32,
    trapno: u32,
    status: i32,
    int: i32,
    ptr: u64,
    utime: u64,
    stime: u64,
    addr: u64,
    addr_lsb: u16,
    pad: [u8; 46],
}

const RECORD: usize = size_of::<Record>();

impl SignalFd {
    /// For the signals of `mask`; SIGKILL and SIGSTOP are left out.
    pub fn new(mask: u64) -> Arc<Self> {
        let fd = Self {
            mask: AtomicU64::new(0),
        };
        fd.set_mask(mask);
        Arc::new(fd)
    }

    /// Changes the signals, which those who wait notice at the next arrival.
    pub fn set_mask(&self, mask: u64) {
        let never = 1 << (SIGKILL - 1) | 1 << (SIGSTOP - 1);
        self.mask.store(mask & !never, Ordering::Relaxed);
        signal::arrival_queue(&sched::current()).wake_all();
    }

    fn take(&self) -> Option<SigInfo> {
        signal::take_pending(&sched::current(), self.mask.load(Ordering::Relaxed))
    }
}

fn record(info: &SigInfo) -> Record {
    let mut record = Record::new_zeroed();
    record.signo = info.signo;
    record.errno = info.errno;
    record.code = info.code;
    let fault = matches!(info.signo, SIGILL | SIGFPE | SIGSEGV | SIGBUS) && info.code > 0;
    if fault {
        record.addr = info.addr;
    } else {
        record.pid = info.pid as u32;
        record.uid = info.uid;
    }
    if info.signo == SIGCHLD && info.code > 0 {
        record.status = info.status;
    }
    if info.code < 0 {
        record.int = info.value as i32;
        record.ptr = info.value;
    }
    record
}

impl FileOps for SignalFd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        if out.room() < RECORD {
            return Err(Errno::EINVAL);
        }
        let mut total = 0;
        while out.room() >= RECORD {
            let info = match self.take() {
                Some(info) => info,
                None if total > 0 => break,
                None if file.nonblocking() => return Err(Errno::EAGAIN),
                None => {
                    let queue = signal::arrival_queue(&sched::current());
                    wait_until(&[&queue], None, Interruptible::Yes, || self.take())
                        .map_err(|_| Errno::ERESTARTSYS)?
                }
            };
            match out.put(record(&info).as_bytes()) {
                Ok(RECORD) => total += RECORD,
                _ if total > 0 => break,
                _ => return Err(Errno::EFAULT),
            }
        }
        Ok(total)
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        let task = sched::current();
        table.add(&signal::arrival_queue(&task));
        if signal::pending_set(&task) & self.mask.load(Ordering::Relaxed) != 0 {
            PollEvents::IN
        } else {
            PollEvents::empty()
        }
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(anon::anon_metadata())
    }

    fn describe(&self, _file: &File) -> Description {
        anon::anon_description("signalfd", "signalfd")
    }
}
