//! Waiting until one of several files is ready: the common part of poll, select and epoll_wait.

use super::PollTable;
use crate::{
    sched,
    sync::{Interruptible, WaitError, WaitQueue, wait_until},
};
use alloc::{sync::Arc, vec::Vec};

/// Blocks until `scan` yields a value. `scan` looks at the files and registers their queues; which queues
/// these are may change from one look to the next (an epoll gains members while it is polled), so the wait starts anew when they do.
pub fn wait_ready<T>(
    deadline: Option<u64>,
    mut scan: impl FnMut(&mut PollTable) -> Option<T>,
) -> Result<T, WaitError> {
    let mut table = PollTable::default();
    if let Some(value) = scan(&mut table) {
        return Ok(value);
    }
    if deadline == Some(0) {
        return Err(if sched::current().interrupted(Interruptible::Yes) {
            WaitError::Signal
        } else {
            WaitError::Timeout
        });
    }
    loop {
        let mut fresh = PollTable::default();
        let outcome = {
            let queues: Vec<&WaitQueue> = table.queues.iter().map(|q| &**q).collect();
            wait_until(&queues, deadline, Interruptible::Yes, || {
                fresh.queues.clear();
                match scan(&mut fresh) {
                    Some(value) => Some(Some(value)),
                    None if same(&fresh.queues, &table.queues) => None,
                    None => Some(None),
                }
            })?
        };
        match outcome {
            Some(value) => return Ok(value),
            None => table = fresh,
        }
    }
}

fn same(a: &[Arc<WaitQueue>], b: &[Arc<WaitQueue>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b))
}
