//! Dispositions: what a process does on each signal (rt_sigaction(2)).

use super::numbers::{DefaultAction, IGNORED_BY_DEFAULT, MAX, bit, default_action};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Handler value: the default action.
pub const SIG_DFL: u64 = 0;
/// Handler value: ignore.
pub const SIG_IGN: u64 = 1;

/// No SIGCHLD when children stop or continue.
pub const SA_NOCLDSTOP: u64 = 1;
/// Children leave no zombies.
pub const SA_NOCLDWAIT: u64 = 2;
/// The handler takes three arguments.
pub const SA_SIGINFO: u64 = 4;
/// Accepted without effect: no address here has tag bits.
pub const SA_EXPOSE_TAGBITS: u64 = 0x800;
/// `restorer` is set; x86-64 programs must.
pub const SA_RESTORER: u64 = 0x0400_0000;
/// Run on the alternate stack.
pub const SA_ONSTACK: u64 = 0x0800_0000;
/// Restart interrupted calls.
pub const SA_RESTART: u64 = 0x1000_0000;
/// Don't block the signal while its handler runs.
pub const SA_NODEFER: u64 = 0x4000_0000;
/// Back to the default action once delivered.
pub const SA_RESETHAND: u64 = 0x8000_0000;
/// The flags that exist; others are cleared, which is how a program learns that they don't.
pub const SA_KNOWN: u64 = SA_NOCLDSTOP
    | SA_NOCLDWAIT
    | SA_SIGINFO
    | SA_EXPOSE_TAGBITS
    | SA_RESTORER
    | SA_ONSTACK
    | SA_RESTART
    | SA_NODEFER
    | SA_RESETHAND;

/// One disposition, laid out as the kernel's `struct sigaction`.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct SigAction {
    /// [`SIG_DFL`], [`SIG_IGN`] or the handler's address.
    pub handler: u64,
    /// Bits `SA_*`.
    pub flags: u64,
    /// Where the handler returns to.
    pub restorer: u64,
    /// Blocked while the handler runs.
    pub mask: u64,
}

impl SigAction {
    /// Whether `signo` would be thrown away: ignored, or of default action and ignored by default.
    pub fn ignores(&self, signo: u32) -> bool {
        self.handler == SIG_IGN || (self.handler == SIG_DFL && bit(signo) & IGNORED_BY_DEFAULT != 0)
    }

    /// Whether `signo` would end the process.
    pub fn is_fatal(&self, signo: u32) -> bool {
        self.handler == SIG_DFL
            && matches!(
                default_action(signo),
                DefaultAction::Terminate | DefaultAction::Core
            )
    }
}

/// The dispositions of all signals.
#[derive(Clone)]
pub struct Handlers([SigAction; MAX as usize]);

impl Default for Handlers {
    fn default() -> Self {
        Handlers([SigAction::default(); MAX as usize])
    }
}

impl Handlers {
    /// The disposition of `signo`; the default for a number that is no signal.
    pub fn get(&self, signo: u32) -> SigAction {
        (signo as usize)
            .checked_sub(1)
            .and_then(|index| self.0.get(index))
            .copied()
            .unwrap_or_default()
    }

    /// Sets the disposition of `signo`.
    pub fn set(&mut self, signo: u32, action: SigAction) {
        if let Some(place) = (signo as usize)
            .checked_sub(1)
            .and_then(|index| self.0.get_mut(index))
        {
            *place = action;
        }
    }

    /// What execve does: all but ignored signals go back to default; flags and masks are cleared.
    pub fn reset_caught(&mut self) {
        for action in &mut self.0 {
            *action = SigAction {
                handler: if action.handler == SIG_IGN {
                    SIG_IGN
                } else {
                    SIG_DFL
                },
                ..SigAction::default()
            };
        }
    }

    /// The sets of ignored and of caught signals, for /proc/PID/status.
    pub fn ignored_and_caught(&self) -> (u64, u64) {
        let (mut ignored, mut caught) = (0, 0);
        for (signo, action) in (1..=MAX).zip(&self.0) {
            match action.handler {
                SIG_DFL => {}
                SIG_IGN => ignored |= bit(signo),
                _ => caught |= bit(signo),
            }
        }
        (ignored, caught)
    }
}
