//! What the host does with the events that the guest let through.

use super::{compile::Plan, eval::Evaluator, expr::Expr};
use crate::event::{Event, EventKind, Phase};
use std::{collections::HashMap, sync::Arc};
use vitrine_abi::nr::TABLE_LEN;

/// Most calls under way whose decision is remembered.
const MAX_PENDING: usize = 1 << 16;

/// The host's half of a filter.
#[derive(Clone, Debug)]
pub struct Residual {
    evaluator: Evaluator,
    plans: Vec<Plan>,
    /// Decisions about calls that have begun, by thread.
    pending: HashMap<i32, bool>,
}

impl Residual {
    /// The host's half of what [`super::compile::Compiler::record`] compiled to these plans.
    pub fn new(expr: Arc<Expr>, plans: Vec<Plan>) -> Residual {
        Residual {
            evaluator: Evaluator::new(expr),
            plans,
            pending: HashMap::new(),
        }
    }

    /// Whether an event that the guest let through is to be shown. Wants all events, in order.
    pub fn accepts(&mut self, event: &Event) -> bool {
        let EventKind::Syscall(call) = &event.kind else {
            return self.evaluator.matches(event);
        };
        let index = call.nr.min(TABLE_LEN as u64) as usize;
        let plan = self.plans.get(index);
        if plan.is_some_and(|plan| plan.exact) {
            return true;
        }
        // The end of a call is shown if its beginning was.
        let decided = match call.phase {
            Phase::Exit => self.pending.remove(&event.tid),
            Phase::Enter | Phase::Complete => None,
        };
        let holds = decided.unwrap_or_else(|| self.evaluator.matches(event));
        if call.phase == Phase::Enter {
            if self.pending.len() >= MAX_PENDING {
                self.pending.clear();
            }
            self.pending.insert(event.tid, holds);
        }
        holds
    }
}
