//! Who exists: tasks and processes by id, and the ids themselves.
//!
//! Ids count up to [`PID_MAX`] and start again at [`RESERVED`], as on Linux; one that a task, a zombie, a group or a
//! session still uses is not given out.

use super::{Process, Task};
use crate::{Errno, sync::Mutex};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;

/// One more than the highest id (`kernel.pid_max`).
pub const PID_MAX: i32 = 32768;
/// Ids below it are not used again after the first round.
const RESERVED: i32 = 300;

struct Table {
    tasks: BTreeMap<i32, Arc<Task>>,
    processes: BTreeMap<i32, Arc<Process>>,
    /// Processes without live threads: their ids count towards the limit of tasks.
    zombies: usize,
    last: i32,
    /// The first round is over: an id has to be looked up before it is given out.
    wrapped: bool,
    most: usize,
}

static TABLE: Mutex<Table> = Mutex::new(Table {
    tasks: BTreeMap::new(),
    processes: BTreeMap::new(),
    zombies: 0,
    last: 0,
    wrapped: false,
    most: PID_MAX as usize - RESERVED as usize,
});

impl Table {
    fn used(&self, id: i32) -> bool {
        self.tasks.contains_key(&id)
            || self.processes.contains_key(&id)
            || self.processes.values().any(|process| {
                process.pgid.load(Ordering::Relaxed) == id
                    || process.sid.load(Ordering::Relaxed) == id
            })
    }

    fn next(&mut self) -> Option<i32> {
        for _ in 0..PID_MAX {
            self.last += 1;
            if self.last >= PID_MAX {
                self.last = RESERVED;
                self.wrapped = true;
            }
            if !self.wrapped || !self.used(self.last) {
                return Some(self.last);
            }
        }
        None
    }
}

/// Sets how many tasks may exist at once (`--max-processes`).
pub fn set_limit(most: u32) {
    let mut table = TABLE.lock();
    table.most = (most as usize).clamp(1, (PID_MAX - RESERVED) as usize);
}

/// An id for a new task; `EAGAIN` when there are as many as may be.
pub fn new_id() -> Result<i32, Errno> {
    let mut table = TABLE.lock();
    if table.tasks.len() + table.zombies >= table.most {
        return Err(Errno::EAGAIN);
    }
    table.next().ok_or(Errno::EAGAIN)
}

/// The id that was given out last (/proc/loadavg).
pub fn last_id() -> i32 {
    TABLE.lock().last
}

/// How many tasks exist, zombies included, and how many may.
pub fn counts() -> (usize, usize) {
    let table = TABLE.lock();
    (table.tasks.len() + table.zombies, table.most)
}

/// Enters a new task, and its process if it is the first of it.
pub fn add(task: &Arc<Task>) {
    let process = &task.process;
    process.threads.lock().push(task.clone());
    let mut table = TABLE.lock();
    table.tasks.insert(task.tid, task.clone());
    table
        .processes
        .entry(process.pid)
        .or_insert_with(|| process.clone());
}

/// Removes an ended task; whether it was the last of its process, which is a zombie then.
pub fn remove_task(task: &Task) -> bool {
    let removed = {
        let mut table = TABLE.lock();
        // After an execve by another thread the id may already belong to its successor.
        match table.tasks.get(&task.tid) {
            Some(entry) if core::ptr::eq(Arc::as_ptr(entry), task) => table.tasks.remove(&task.tid),
            _ => None,
        }
    };
    let mut threads = task.process.threads.lock();
    let before = threads.len();
    threads.retain(|thread| !core::ptr::eq(Arc::as_ptr(thread), task));
    if threads.len() < before {
        task.process.ended_counters.absorb(&task.counters);
    }
    let last = before == 1 && threads.is_empty();
    drop(threads);
    drop(removed);
    if last {
        TABLE.lock().zombies += 1;
    }
    last
}

/// Forgets a zombie: its id is free. Whether it was there.
pub fn remove_process(process: &Process) -> bool {
    let mut table = TABLE.lock();
    let Some(removed) = table.processes.remove(&process.pid) else {
        return false;
    };
    table.zombies = table.zombies.saturating_sub(1);
    drop(table);
    drop(removed);
    true
}

/// The process with this pid, zombies included.
pub fn process(pid: i32) -> Option<Arc<Process>> {
    TABLE.lock().processes.get(&pid).cloned()
}

/// The live thread with this tid.
pub fn task(tid: i32) -> Option<Arc<Task>> {
    TABLE.lock().tasks.get(&tid).cloned()
}

/// All processes by pid, zombies included.
pub fn processes() -> Vec<Arc<Process>> {
    TABLE.lock().processes.values().cloned().collect()
}

/// All live threads by tid.
pub fn tasks() -> Vec<Arc<Task>> {
    TABLE.lock().tasks.values().cloned().collect()
}

/// The processes of a group, zombies included.
pub fn group(pgid: i32) -> Vec<Arc<Process>> {
    let table = TABLE.lock();
    let members = table
        .processes
        .values()
        .filter(|p| p.pgid.load(Ordering::Relaxed) == pgid);
    members.cloned().collect()
}

/// The process that `id` names as a pid, or as the tid of one of its threads.
pub fn process_of(id: i32) -> Option<Arc<Process>> {
    let table = TABLE.lock();
    let by_pid = table.processes.get(&id).cloned();
    by_pid.or_else(|| table.tasks.get(&id).map(|task| task.process.clone()))
}
