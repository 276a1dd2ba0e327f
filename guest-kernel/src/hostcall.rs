//! The guest's side of host calls (`vitrine_abi::hostcall`): one typed function an operation. None blocks.
//!
//! Buffers lie in kernel memory or frames: the VMM reads and writes guest physical memory.

use crate::{
    Errno, arch,
    mm::{
        frame::Frame,
        host::{self, physical, physical_mut},
    },
    sync::WaitQueue,
};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, SeqCst},
};
use vitrine_abi::{
    boot::Region,
    hostcall::{HostAttr, HostDirEntry, HostTime, Op},
    layout::PAGE_SIZE,
    stop::{Decision, REPLY_BYTES, StopReply},
};
use zerocopy::{FromBytes, IntoBytes};

/// How often the slot is looked at before the doorbell is rung although the VMM's service thread said it was spinning.
const SPINS: u32 = 20_000;

/// Longest value, and longest list of names, of extended attributes.
const MAX_XATTR: usize = 64 << 10;

/// Most pieces in one `Op::Read`.
const MAX_PIECES: usize = 512;

fn call(op: Op, args: [u64; 6]) -> Result<usize, Errno> {
    let slot = host::host_call_slot();
    for (place, value) in slot.args.iter().zip(args) {
        place.store(value, Relaxed);
    }
    slot.op.store(op as u32, Relaxed);
    let request = slot.request.load(Relaxed).wrapping_add(1);
    slot.request.store(request, SeqCst);
    if host::control().host_spinning.load(SeqCst) != 0 {
        for _ in 0..SPINS {
            if slot.done.load(Acquire) == request {
                break;
            }
            core::hint::spin_loop();
        }
    }
    while slot.done.load(Acquire) != request {
        arch::doorbell::host_call();
    }
    core::sync::atomic::fence(SeqCst);
    let ret = slot.ret.load(Relaxed);
    if ret < 0 {
        Err(Errno(
            u16::try_from(ret.unsigned_abs()).unwrap_or(Errno::EIO.0),
        ))
    } else {
        Ok(ret as usize)
    }
}

/// A host file or directory that the VMM holds for the guest. The root directory is [`HostHandle::ROOT`]. Closed on drop.
#[derive(Debug, PartialEq, Eq)]
pub struct HostHandle(pub u64);

impl HostHandle {
    /// The root of the host tree that the sandbox sees.
    pub const ROOT: HostHandle = HostHandle(0);
}

impl Drop for HostHandle {
    fn drop(&mut self) {
        if self.0 != 0 {
            let _ = call(Op::Close, [self.0, 0, 0, 0, 0, 0]);
        }
    }
}

/// One entry of a host directory.
pub struct DirEntry {
    /// Its name.
    pub name: Vec<u8>,
    /// Attributes, of a symlink itself; `None` if they could not be read.
    pub attr: Option<HostAttr>,
}

/// Looks up a relative path of one or more components beneath `parent`; see `Op::Lookup`.
pub fn lookup(parent: &HostHandle, path: &[u8]) -> Result<(HostHandle, HostAttr), Errno> {
    let path = path.to_vec();
    let mut attr = alloc::boxed::Box::new(HostAttr::default());
    let handle = call(
        Op::Lookup,
        [
            parent.0,
            physical(&path),
            path.len() as u64,
            physical_mut(attr.as_mut_bytes()),
            0,
            0,
        ],
    )?;
    Ok((HostHandle(handle as u64), *attr))
}

/// All entries of a directory, without `.` and `..`.
pub fn read_dir(dir: &HostHandle) -> Result<Vec<DirEntry>, Errno> {
    let mut entries = Vec::new();
    let mut buffer = alloc::vec![0u8; 64 << 10];
    let mut cookie = 0;
    loop {
        let bytes = call(
            Op::ReadDir,
            [
                dir.0,
                cookie,
                physical_mut(&mut buffer),
                buffer.len() as u64,
                0,
                0,
            ],
        )?;
        if bytes == 0 {
            return Ok(entries);
        }
        let mut rest = buffer.get(..bytes).ok_or(Errno::EIO)?;
        while !rest.is_empty() {
            let (entry, after) = HostDirEntry::read_from_prefix(rest).map_err(|_| Errno::EIO)?;
            let name = after
                .get(..entry.name_len as usize)
                .ok_or(Errno::EIO)?
                .to_vec();
            let attr = (entry.attr.mode != 0).then_some(entry.attr);
            entries.push(DirEntry { name, attr });
            cookie = entry.next_cookie;
            let length = (entry.record_len as usize).max(size_of::<HostDirEntry>());
            rest = rest.get(length..).unwrap_or(&[]);
        }
    }
}

/// The target of a symlink.
pub fn read_link(link: &HostHandle) -> Result<Vec<u8>, Errno> {
    let mut buffer = alloc::vec![0u8; PAGE_SIZE as usize];
    let bytes = call(
        Op::ReadLink,
        [
            link.0,
            physical_mut(&mut buffer),
            buffer.len() as u64,
            0,
            0,
            0,
        ],
    )?;
    buffer.truncate(bytes);
    Ok(buffer)
}

static FILES_READ: AtomicU64 = AtomicU64::new(0);

/// Calls of [`read_pages`] so far.
pub fn files_read() -> u64 {
    FILES_READ.load(Relaxed)
}

/// Reads file contents into whole frames, one page each, from `offset` (a multiple of the page size). Returns the bytes read; what is
/// beyond the end of the file is left as it was (zero in fresh frames).
pub fn read_pages(file: &HostHandle, offset: u64, frames: &[Frame]) -> Result<usize, Errno> {
    FILES_READ.store(files_read() + 1, Relaxed);
    let mut total = 0;
    for chunk in frames.chunks(MAX_PIECES) {
        let mut pieces: Vec<Region> = Vec::with_capacity(chunk.len());
        for frame in chunk {
            match pieces.last_mut() {
                Some(last) if last.addr + last.len == frame.phys() => last.len += PAGE_SIZE,
                _ => pieces.push(Region {
                    addr: frame.phys(),
                    len: PAGE_SIZE,
                }),
            }
        }
        let bytes = call(
            Op::Read,
            [
                file.0,
                offset + total as u64,
                physical(pieces.as_slice().as_bytes()),
                pieces.len() as u64,
                0,
                0,
            ],
        )?;
        total += bytes;
        if bytes < chunk.len() * PAGE_SIZE as usize {
            break;
        }
    }
    Ok(total)
}

/// An extended attribute; `ENODATA` if there is none of this name.
pub fn get_xattr(file: &HostHandle, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let name = name.to_vec();
    xattr_bytes(|buf, len| {
        let args = [file.0, physical(&name), name.len() as u64, buf, len, 0];
        call(Op::GetXattr, args)
    })
}

/// The names of the extended attributes, each with a NUL after it.
pub fn list_xattr(file: &HostHandle) -> Result<Vec<u8>, Errno> {
    xattr_bytes(|buf, len| call(Op::ListXattr, [file.0, buf, len, 0, 0, 0]))
}

/// The names, each with a NUL after it, of a directory's entries that have extended attributes; `ERANGE` if they are too many.
pub fn xattr_entries(dir: &HostHandle) -> Result<Vec<u8>, Errno> {
    let mut buffer = alloc::vec![0u8; MAX_XATTR];
    let len = buffer.len() as u64;
    let bytes = call(
        Op::XattrEntries,
        [dir.0, physical_mut(&mut buffer), len, 0, 0, 0],
    )?;
    buffer.truncate(bytes);
    Ok(buffer.as_slice().to_vec())
}

/// Asks for the size, then for the bytes.
fn xattr_bytes(ask: impl Fn(u64, u64) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let size = ask(0, 0)?;
    if size == 0 {
        return Ok(Vec::new());
    }
    let mut buffer = alloc::vec![0u8; size.min(MAX_XATTR)];
    let bytes = ask(physical_mut(&mut buffer), buffer.len() as u64)?;
    buffer.truncate(bytes);
    Ok(buffer)
}

/// Console output to the caller's descriptor `fd`: bytes accepted, 0 when the VMM's queue is full
/// (wait for [`console_output_queue`]), `EPIPE` when nobody reads.
pub fn console_write(fd: u32, data: &[u8]) -> Result<usize, Errno> {
    call(
        Op::ConsoleWrite,
        [u64::from(fd), physical(data), data.len() as u64, 0, 0, 0],
    )
}

/// Console input from descriptor 0: `EAGAIN` when there is none now (wait for [`console_input_queue`]), 0 at its end.
pub fn console_read(buf: &mut [u8]) -> Result<usize, Errno> {
    let length = buf.len();
    Ok(call(
        Op::ConsoleRead,
        [physical_mut(buf), length as u64, 0, 0, 0, 0],
    )?
    .min(length))
}

/// lseek(2) on the caller's descriptor `fd`, which is a regular file.
pub fn console_seek(fd: u32, offset: i64, whence: u32) -> Result<usize, Errno> {
    let args = [
        u64::from(fd),
        offset.cast_unsigned(),
        u64::from(whence),
        0,
        0,
        0,
    ];
    call(Op::ConsoleSeek, args)
}

/// pread(2) from the caller's descriptor `fd`, which is a regular file.
pub fn console_read_at(fd: u32, offset: u64, buf: &mut [u8]) -> Result<usize, Errno> {
    let length = buf.len();
    let args = [
        u64::from(fd),
        offset,
        physical_mut(buf),
        length as u64,
        0,
        0,
    ];
    Ok(call(Op::ConsoleReadAt, args)?.min(length))
}

/// pwrite(2) to the caller's descriptor `fd`, which is a regular file.
pub fn console_write_at(fd: u32, offset: u64, data: &[u8]) -> Result<usize, Errno> {
    let args = [
        u64::from(fd),
        offset,
        physical(data),
        data.len() as u64,
        0,
        0,
    ];
    Ok(call(Op::ConsoleWriteAt, args)?.min(data.len()))
}

/// Attributes of the caller's descriptor `fd`, which is a regular file.
pub fn console_attr(fd: u32) -> Result<HostAttr, Errno> {
    let mut attr = alloc::boxed::Box::new(HostAttr::default());
    let args = [u64::from(fd), physical_mut(attr.as_mut_bytes()), 0, 0, 0, 0];
    call(Op::ConsoleGetAttr, args)?;
    Ok(*attr)
}

/// ftruncate(2) of the caller's descriptor `fd`, which is a regular file.
pub fn console_truncate(fd: u32, size: u64) -> Result<(), Errno> {
    call(Op::ConsoleTruncate, [u64::from(fd), size, 0, 0, 0, 0]).map(|_| ())
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
    let mut time = alloc::boxed::Box::new(HostTime::default());
    call(Op::Time, [physical_mut(time.as_mut_bytes()), 0, 0, 0, 0, 0])?;
    Ok(*time)
}

/// Entropy from the host.
pub fn random(buf: &mut [u8]) -> Result<(), Errno> {
    let length = buf.len() as u64;
    call(Op::Random, [physical_mut(buf), length, 0, 0, 0, 0]).map(|_| ())
}

/// The workload has ended with this wait(2) status: never returns.
pub fn exit(status: u32) -> ! {
    loop {
        let _ = call(Op::Exit, [u64::from(status), 0, 0, 0, 0, 0]);
    }
}

/// Frames whose contents are no longer needed: the host takes them back, and they read as zero afterwards.
#[allow(
    dead_code,
    reason = "the allocator keeps what it has; a balloon will give it back"
)]
pub fn discard(addr: u64, len: u64) -> Result<(), Errno> {
    call(Op::Discard, [addr, len, 0, 0, 0, 0]).map(|_| ())
}

/// A rule parks the current thread, as this record tells. What the VMM decides at once, if it does, and how long the thread waits at most
/// for a decision, in nanoseconds.
pub fn stopped(record: &[u8]) -> Result<(Option<(u64, Decision)>, u64), Errno> {
    let mut reply = alloc::vec![0u8; REPLY_BYTES];
    let args = [
        physical(record),
        record.len() as u64,
        physical_mut(&mut reply),
        reply.len() as u64,
        0,
        0,
    ];
    call(Op::Stopped, args)?;
    let (head, rest) = StopReply::read_from_prefix(&reply).map_err(|_| Errno::EIO)?;
    let decision = rest.get(..head.decision_len as usize).ok_or(Errno::EIO)?;
    Ok((Decision::decode(decision), head.timeout_ns))
}

/// The thread of this stop goes on or has ended.
pub fn stop_ended(stop: u64) {
    let _ = call(Op::StopEnded, [stop, 0, 0, 0, 0, 0]);
}

/// A line for the VMM's log.
pub fn log_line(level: u32, text: &str) {
    let _ = call(
        Op::Log,
        [
            u64::from(level),
            physical(text.as_bytes()),
            text.len() as u64,
            0,
            0,
            0,
        ],
    );
}
