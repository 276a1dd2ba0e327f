//! When memory is used up: what is refused, and the OOM killer, which kills the process that holds most.
//!
//! The workload's own pages end at a limit, which leaves a reserve to the kernel. What the kernel allocates can't always fail gracefully, so once it
//! lives on the reserve, system calls that make new objects are refused ([`refuses`]), and once half of that is gone,
//! tasks pay with a victim before they get back to user mode ([`relieve`]).

use super::frame;
use crate::{
    Errno, arch, sched,
    signal::{self, SigInfo},
    sync::{Interruptible, Mutex},
    task::{self, Process},
};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use vitrine_abi::nr;

const SIGKILL: u32 = 9;
/// `si_code`: sent by the kernel.
const SI_KERNEL: i32 = 0x80;

/// Who was killed last: as long as it has not died, nobody else is.
static VICTIM: Mutex<Weak<Process>> = Mutex::new(Weak::new());

/// Bytes of kernel memory behind a thread: stack, extended state, bookkeeping.
const THREAD_BYTES: u64 = 48 << 10;
/// How often a task lets others run while it waits for a victim to die.
const PATIENCE: usize = 1000;

/// The kernel has taken frames from its reserve.
static SHORT: AtomicBool = AtomicBool::new(false);
/// Half of the reserve was gone.
static CRITICAL: AtomicBool = AtomicBool::new(false);

/// The allocator tells that the kernel lives on its reserve, and whether half of that is gone.
#[cold]
pub(super) fn note_reserve_used(critical: bool) {
    SHORT.store(true, Relaxed);
    if critical {
        CRITICAL.store(true, Relaxed);
        // Leads the running task to `relieve`.
        arch::request_reschedule();
    }
}

/// Whether memory is so short that this system call, which makes new kernel objects, has to fail with ENOMEM.
#[inline]
pub fn refuses(number: usize) -> bool {
    SHORT.load(Relaxed) && still_short() && makes_objects(number)
}

/// `ENOMEM` if more than half of the reserve is gone: for calls that allocate much, piece by piece.
pub fn check_reserve() -> Result<(), Errno> {
    if frame::reserve_left() > 128 {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

#[cold]
fn still_short() -> bool {
    if frame::reserve_left() < 256 {
        frame::reclaim(1024);
    }
    let short = frame::reserve_left() < 256;
    SHORT.store(short, Relaxed);
    short
}

fn makes_objects(number: usize) -> bool {
    matches!(
        number,
        nr::ACCEPT
            | nr::ACCEPT4
            | nr::BIND
            | nr::BRK
            | nr::CLONE
            | nr::CLONE3
            | nr::CONNECT
            | nr::CREAT
            | nr::DUP
            | nr::DUP2
            | nr::DUP3
            | nr::EPOLL_CREATE
            | nr::EPOLL_CREATE1
            | nr::EPOLL_CTL
            | nr::EVENTFD
            | nr::EVENTFD2
            | nr::EXECVE
            | nr::EXECVEAT
            | nr::FCNTL
            | nr::FLOCK
            | nr::FORK
            | nr::FSETXATTR
            | nr::INOTIFY_ADD_WATCH
            | nr::INOTIFY_INIT
            | nr::INOTIFY_INIT1
            | nr::LINK
            | nr::LINKAT
            | nr::LSETXATTR
            | nr::MADVISE
            | nr::MEMFD_CREATE
            | nr::MKDIR
            | nr::MKDIRAT
            | nr::MKNOD
            | nr::MKNODAT
            | nr::MMAP
            | nr::MOUNT
            | nr::MPROTECT
            | nr::MREMAP
            | nr::OPEN
            | nr::OPENAT
            | nr::OPENAT2
            | nr::PIDFD_GETFD
            | nr::PIDFD_OPEN
            | nr::PIPE
            | nr::PIPE2
            | nr::POLL
            | nr::PPOLL
            | nr::RENAME
            | nr::RENAMEAT
            | nr::RENAMEAT2
            | nr::RT_SIGQUEUEINFO
            | nr::RT_TGSIGQUEUEINFO
            | nr::SENDMMSG
            | nr::SENDMSG
            | nr::SENDTO
            | nr::SETXATTR
            | nr::SIGNALFD
            | nr::SIGNALFD4
            | nr::SOCKET
            | nr::SOCKETPAIR
            | nr::SYMLINK
            | nr::SYMLINKAT
            | nr::TIMERFD_CREATE
            | nr::TIMER_CREATE
            | nr::VFORK
    )
}

/// On the way back to user mode: with half of the reserve gone, somebody has to die before the running task asks for more.
pub fn relieve() {
    if !CRITICAL.load(Relaxed) {
        return;
    }
    for _ in 0..PATIENCE {
        if frame::reserve_left() > 128 {
            break;
        }
        frame::reclaim(1024);
        let dying = || sched::with_current(|task| task.interrupted(Interruptible::Killable));
        if frame::reserve_left() > 128 || !out_of_memory() || dying() {
            break;
        }
        sched::yield_now();
    }
    CRITICAL.store(frame::reserve_left() <= 128, Relaxed);
}

/// Bytes of memory that a process holds; `None` once it has given up its address space.
fn resident(process: &Process) -> Option<u64> {
    let threads = process.threads.lock();
    threads
        .iter()
        .find_map(|thread| thread.space.lock().as_ref().map(|space| space.resident()))
        .map(|bytes| bytes + threads.len() as u64 * THREAD_BYTES)
}

/// What the processes are compared by: resident bytes, corrected by oom_score_adj in thousandths of all memory. `None`: not to be killed.
fn badness(process: &Process, bytes: u64) -> Option<i64> {
    let correction = i64::from(process.oom_score_adj.load(Relaxed));
    let total = i64::try_from(super::frame::stats().total.saturating_mul(4096)).ok()?;
    let bytes = i64::try_from(bytes).ok()?;
    (correction > -1000).then(|| bytes.saturating_add(total / 1000 * correction))
}

/// Kills the process with the largest resident size (pid 1 only if there is no other), unless one that was killed before is still
/// dying. Returns whether the memory of some process is about to become free: then the caller may wait and try again.
pub fn out_of_memory() -> bool {
    let mut victim = VICTIM.lock();
    if let Some(process) = victim.upgrade()
        && resident(&process).is_some()
    {
        return true;
    }
    let largest = task::processes()
        .into_iter()
        .filter_map(|process| {
            let bytes = resident(&process)?;
            let key = (process.pid != 1, badness(&process, bytes)?);
            Some((key, bytes, process))
        })
        .max_by_key(|(key, _, _)| *key);
    let Some((_, bytes, process)) = largest else {
        return false;
    };
    *victim = Arc::downgrade(&process);
    drop(victim);
    crate::warn!(
        "out of memory: killed process {} with {} KiB resident",
        process.pid,
        bytes >> 10
    );
    signal::send_to_process(
        &process,
        SigInfo {
            signo: SIGKILL,
            code: SI_KERNEL,
            ..SigInfo::default()
        },
    );
    true
}
