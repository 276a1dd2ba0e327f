//! Alternate signal stacks (sigaltstack(2)).

use super::state::AltStack;
use crate::{Errno, task::Task};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

const SS_ONSTACK: u32 = 1;
const SS_DISABLE: u32 = 2;
const SS_AUTODISARM: u32 = 1 << 31;
/// Smallest alternate stack.
const MINSIGSTKSZ: u64 = 2048;

/// `stack_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RawStack {
    sp: u64,
    flags: u32,
    pad: u32,
    size: u64,
}

impl RawStack {
    /// As it stands in a signal frame.
    pub fn saved(stack: &AltStack) -> RawStack {
        RawStack {
            sp: stack.sp,
            flags: stack.flags,
            pad: 0,
            size: stack.size,
        }
    }

    /// As sigaltstack(2) reports it to a program whose stack pointer is `sp`.
    pub fn reported(stack: &AltStack, sp: u64) -> RawStack {
        let state = if stack.size == 0 {
            SS_DISABLE
        } else if is_on(stack, sp) {
            SS_ONSTACK
        } else {
            0
        };
        RawStack {
            flags: state | stack.flags & SS_AUTODISARM,
            ..RawStack::saved(stack)
        }
    }
}

/// Whether an address lies on the stack, as a stack pointer: above its lowest byte, up to its end.
pub fn contains(stack: &AltStack, sp: u64) -> bool {
    sp > stack.sp && sp - stack.sp <= stack.size
}

/// Whether a program with this stack pointer runs on the alternate stack. One that disarms itself is never in use.
pub fn is_on(stack: &AltStack, sp: u64) -> bool {
    stack.flags & SS_AUTODISARM == 0 && contains(stack, sp)
}

/// Sets the task's alternate stack.
pub fn set(task: &Task, new: &RawStack, sp: u64) -> Result<(), Errno> {
    let mut stack = task.signals.alt_stack.lock();
    if is_on(&stack, sp) {
        return Err(Errno::EPERM);
    }
    *stack = match new.flags & !SS_AUTODISARM {
        SS_DISABLE => AltStack {
            sp: 0,
            size: 0,
            flags: new.flags,
        },
        0 | SS_ONSTACK => {
            if new.size < MINSIGSTKSZ {
                return Err(Errno::ENOMEM);
            }
            AltStack {
                sp: new.sp,
                size: new.size,
                flags: new.flags,
            }
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok(())
}

/// A handler was entered: a stack with SS_AUTODISARM is gone until sigreturn brings it back.
pub fn disarm(task: &Task) {
    let mut stack = task.signals.alt_stack.lock();
    if stack.flags & SS_AUTODISARM != 0 {
        *stack = AltStack {
            sp: 0,
            size: 0,
            flags: SS_DISABLE,
        };
    }
}
