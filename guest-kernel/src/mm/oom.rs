//! The OOM killer: when the workload's memory is used up, the process that holds most of it is killed.

use crate::{
    signal::{self, SigInfo},
    sync::Mutex,
    task::{self, Process},
};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::Ordering::Relaxed;

const SIGKILL: u32 = 9;
/// `si_code`: sent by the kernel.
const SI_KERNEL: i32 = 0x80;

/// Who was killed last: as long as it has not died, nobody else is.
static VICTIM: Mutex<Weak<Process>> = Mutex::new(Weak::new());

/// Bytes of memory that a process holds; `None` once it has given up its address space.
fn resident(process: &Process) -> Option<u64> {
    let threads = process.threads.lock();
    threads
        .iter()
        .find_map(|thread| thread.space.lock().as_ref().map(|space| space.resident()))
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
