//! Resource limits (getrlimit(2)) and their checks.

use super::{Credentials, Process, table};
use crate::{Errno, mm::space::Limits, time::cpu_timer};
use alloc::sync::Arc;
use linux_raw_sys::general::{
    CAP_SYS_ADMIN, CAP_SYS_RESOURCE, RLIM_NLIMITS, RLIMIT_CPU, RLIMIT_NOFILE, RLIMIT_NPROC,
};

/// "No limit".
pub const INFINITY: u64 = u64::MAX;
/// Highest RLIMIT_NOFILE (`fs.nr_open`).
pub const MAX_FILES: u64 = 1 << 20;

/// Checks that `uid` may have one more task under the process's RLIMIT_NPROC; the super-user and the privileged always may.
pub fn check_task_count(process: &Process, credentials: &Credentials) -> Result<(), Errno> {
    let limit = process.limit(RLIMIT_NPROC);
    if limit == INFINITY
        || credentials.uid == 0
        || credentials.capable(CAP_SYS_RESOURCE)
        || credentials.capable(CAP_SYS_ADMIN)
    {
        return Ok(());
    }
    let same = |task: &Arc<super::Task>| task.credentials.lock().uid == credentials.uid;
    let count = table::tasks().iter().filter(|task| same(task)).count();
    if count as u64 >= limit {
        Err(Errno::EAGAIN)
    } else {
        Ok(())
    }
}

/// Replaces a limit; the old one. `EINVAL`: no such resource, or the soft limit exceeds the hard one; `EPERM`: the hard limit would be raised
/// without `privileged`.
pub fn set(
    process: &Arc<Process>,
    resource: u32,
    new: [u64; 2],
    privileged: bool,
) -> Result<[u64; 2], Errno> {
    if resource >= RLIM_NLIMITS || new[0] > new[1] {
        return Err(Errno::EINVAL);
    }
    if resource == RLIMIT_NOFILE && new[1] > MAX_FILES {
        return Err(Errno::EPERM);
    }
    let mut limits = process.rlimits.lock();
    let limit = limits.get_mut(resource as usize).ok_or(Errno::EINVAL)?;
    if new[1] > limit[1] && !privileged {
        return Err(Errno::EPERM);
    }
    let old = core::mem::replace(limit, new);
    let space_limits = Limits::of(&limits);
    drop(limits);
    // Faults look at the space's own copy.
    let space = process.representative().and_then(|task| task.space().ok());
    if let Some(space) = space {
        space.set_limits(space_limits);
    }
    if resource == RLIMIT_CPU {
        watch_processor_time(process);
    }
    Ok(old)
}

/// Has the process's processor time watched if it has an RLIMIT_CPU: it was set, or inherited.
pub fn watch_processor_time(process: &Arc<Process>) {
    let limit = process.rlimits.lock()[RLIMIT_CPU as usize];
    if limit != [INFINITY; 2] {
        cpu_timer::watch(process);
    }
}

/// Reads a limit; `EINVAL`: no such resource.
pub fn get(process: &Process, resource: u32) -> Result<[u64; 2], Errno> {
    process
        .rlimits
        .lock()
        .get(resource as usize)
        .copied()
        .ok_or(Errno::EINVAL)
}
