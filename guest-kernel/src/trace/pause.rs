//! Delays that a signal interrupts: its handler runs, then the program makes the call again, and the rules go on where they were.
//!
//! What they have done until then is neither counted nor done again, except for what changes arguments: the call starts with its own.

use super::filter::Active;
use crate::task::Task;
use alloc::{sync::Arc, vec::Vec};

/// Where in a program a call is made, and with what.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The instruction pointer.
    pub rip: u64,
    /// The stack pointer.
    pub rsp: u64,
    /// The call's number.
    pub nr: u64,
    /// Arguments as the program gave them.
    pub given: [u64; 6],
}

/// How far the rules had come.
pub(super) struct Paused {
    pub place: Place,
    pub active: Arc<Active>,
    /// Numbers of the rules that applied.
    pub applied: Vec<u32>,
    /// The rule's position among those of the call, and the action's in the rule.
    pub at: (usize, usize),
    /// When the delay is over, CLOCK_MONOTONIC.
    pub deadline: u64,
}

impl Paused {
    /// What the task has left at this place, if the same filter is in force.
    pub fn take(task: &Task, place: &Place, active: &Active) -> Option<Paused> {
        let mut slot = task.trace.paused.lock();
        let same = slot.as_ref().is_some_and(|paused| {
            paused.place == *place && core::ptr::eq(Arc::as_ptr(&paused.active), active)
        });
        if same {
            slot.take().map(|paused| *paused)
        } else {
            None
        }
    }

    /// Whether this action was done before the interruption.
    pub fn has_done(&self, at: (usize, usize)) -> bool {
        at < self.at
    }

    /// Whether the rule at this position had applied; `None`: the rules had not come that far.
    pub fn had_applied(&self, position: usize, number: u32) -> Option<bool> {
        (position <= self.at.0).then(|| self.applied.contains(&number))
    }
}
