//! The guest's side of host calls (`vitrine_abi::hostcall`): one typed function an operation. None blocks.
//!
//! Buffers are frames: the VMM reads and writes guest physical memory.

use crate::{Errno, mm::frame::Frame, sync::WaitQueue};
use alloc::{sync::Arc, vec::Vec};
use vitrine_abi::hostcall::{HostAttr, HostStatFs, HostTime};

/// A host file or directory that the VMM holds for the guest. The root directory is [`HostHandle::ROOT`]. Closed on drop.
#[derive(Debug, PartialEq, Eq)]
pub struct HostHandle(pub u64);

impl HostHandle {
    /// The root of the host tree that the sandbox sees.
    pub const ROOT: HostHandle = HostHandle(0);
}

/// One entry of a host directory.
pub struct DirEntry {
    /// Its name.
    pub name: Vec<u8>,
    /// Attributes, of a symlink itself; `None` if they could not be read.
    pub attr: Option<HostAttr>,
}

/// Looks up a relative path of one or more components beneath `parent`; see `Op::Lookup`.
pub fn lookup(_parent: &HostHandle, _path: &[u8]) -> Result<(HostHandle, HostAttr), Errno> {
    Err(Errno::ENOSYS)
}

/// All entries of a directory, without `.` and `..`.
pub fn read_dir(_dir: &HostHandle) -> Result<Vec<DirEntry>, Errno> {
    Err(Errno::ENOSYS)
}

/// The target of a symlink.
pub fn read_link(_link: &HostHandle) -> Result<Vec<u8>, Errno> {
    Err(Errno::ENOSYS)
}

/// Reads file contents into whole frames, one page each, from `offset` (a multiple of the page size). Returns the bytes read; what is
/// beyond the end of the file is left as it was (zero in fresh frames).
pub fn read_pages(_file: &HostHandle, _offset: u64, _frames: &[Frame]) -> Result<usize, Errno> {
    Err(Errno::ENOSYS)
}

/// statfs(2) of the file system that holds it.
pub fn statfs(_file: &HostHandle) -> Result<HostStatFs, Errno> {
    Err(Errno::ENOSYS)
}

/// Console output to the caller's descriptor `fd`: bytes accepted, 0 when the VMM's queue is full
/// (wait for [`console_output_queue`]), `EPIPE` when nobody reads.
pub fn console_write(_fd: u32, _data: &[u8]) -> Result<usize, Errno> {
    Err(Errno::ENOSYS)
}

/// Console input from descriptor 0: `EAGAIN` when there is none now (wait for [`console_input_queue`]), 0 at its end.
pub fn console_read(_buf: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::ENOSYS)
}

/// Woken when console input arrives.
pub fn console_input_queue() -> &'static Arc<WaitQueue> {
    static QUEUE: spin::Once<Arc<WaitQueue>> = spin::Once::new();
    QUEUE.call_once(|| Arc::new(WaitQueue::new()))
}

/// Woken when console output has room again.
pub fn console_output_queue() -> &'static Arc<WaitQueue> {
    static QUEUE: spin::Once<Arc<WaitQueue>> = spin::Once::new();
    QUEUE.call_once(|| Arc::new(WaitQueue::new()))
}

/// The host's clocks.
pub fn time() -> Result<HostTime, Errno> {
    Err(Errno::ENOSYS)
}

/// Entropy from the host.
pub fn random(_buf: &mut [u8]) -> Result<(), Errno> {
    Err(Errno::ENOSYS)
}

/// The workload has ended with this wait(2) status: never returns.
pub fn exit(_status: u32) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// A line for the VMM's log.
pub fn log_line(_level: u32, _text: &str) {}
