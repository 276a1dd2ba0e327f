//! Exits as data: what happened ([`Exit`]), what to do about it ([`Action`]), and the pure function between them ([`decide`]).

use std::ops::Range;

use vitrine_abi::layout::port;

use crate::kvm::Mode;

/// Why KVM_RUN came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// An OUT.
    Out {
        /// Port.
        port: u16,
        /// First byte written.
        value: u8,
        /// How many bytes: 1 for `out %al`; more for wider or string instructions.
        bytes: usize,
        /// Where, in deprivileged mode; otherwise 0.
        rip: u64,
    },
    /// An IN; it reads ones unless refused.
    In {
        /// Port.
        port: u16,
        /// Where, in deprivileged mode; otherwise 0.
        rip: u64,
    },
    /// The guest can take an interrupt now.
    InterruptWindow,
    /// A kick or another signal.
    Interrupted,
    /// Triple fault.
    Shutdown,
    /// HLT.
    Halt,
    /// The processor refused to enter the guest.
    FailEntry {
        /// KVM's reason number.
        reason: u64,
        /// Host CPU.
        cpu: u32,
    },
    /// KVM gave up.
    InternalError {
        /// KVM's number for why.
        suberror: u32,
    },
    /// An access to guest physical memory that isn't RAM.
    Mmio {
        /// Guest physical address.
        addr: u64,
        /// Whether it was a write.
        write: bool,
    },
    /// The host could not supply the memory.
    MemoryFault {
        /// Guest physical address.
        addr: u64,
    },
    /// Anything else.
    Other(String),
}

/// What the run loop does about an exit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing: enter the guest again.
    Resume,
    /// Answer the host call in the slot.
    HostCall,
    /// Block until something is pending or the timer is due.
    Idle,
    /// Wait for room in the event ring.
    RingFull,
    /// Report the kernel's panic and end.
    Panic,
    /// A byte of early debug output.
    Debug(u8),
    /// The program's own port access: raise #GP(0).
    RefusePortAccess(u16),
    /// Deliver an interrupt if one is due.
    Deliver,
    /// The guest can't go on.
    Fail(Failure),
}

/// Why the guest can't go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Triple fault.
    #[error("triple fault")]
    Shutdown,
    /// HLT: no mode of the kernel uses it.
    #[error("unexpected HLT")]
    Halt,
    /// Refused entry.
    #[error("the processor refused to enter the guest (reason {0:#x})")]
    FailEntry(u64),
    /// KVM gave up.
    #[error("KVM internal error {0} (1: an instruction that it can't emulate)")]
    Internal(u32),
    /// Not RAM.
    #[error("{} guest physical address {addr:#x}, which is not RAM", if *.write { "write to" } else { "read of" })]
    Mmio {
        /// Guest physical address.
        addr: u64,
        /// Whether it was a write.
        write: bool,
    },
    /// The host is out of memory.
    #[error("the host has no memory for guest physical address {0:#x}")]
    MemoryFault(u64),
    /// An unknown port.
    #[error("the kernel used unknown port {0:#x}")]
    Port(u16),
    /// Anything else.
    #[error("unexpected exit {0}")]
    Other(String),
}

/// What [`decide`] must know about the guest.
#[derive(Clone, Debug)]
pub struct Context {
    /// How the kernel runs: only in deprivileged mode can a port access be the program's own.
    pub mode: Mode,
    /// Virtual addresses of the kernel's code.
    pub kernel_text: Range<u64>,
}

/// What to do about an exit.
pub fn decide(exit: Exit, context: &Context) -> Action {
    match exit {
        Exit::Out { port, rip, .. } | Exit::In { port, rip }
            if context.mode == Mode::Deprivileged && !context.kernel_text.contains(&rip) =>
        {
            Action::RefusePortAccess(port)
        }
        Exit::Out {
            port,
            value,
            bytes: 1,
            ..
        } => match port {
            port::HOST_CALL => Action::HostCall,
            port::IDLE => Action::Idle,
            port::RING_FULL => Action::RingFull,
            port::PANIC => Action::Panic,
            port::DEBUG => Action::Debug(value),
            port::NOP => Action::Resume,
            _ => Action::Fail(Failure::Port(port)),
        },
        Exit::Out { port, .. } | Exit::In { port, .. } => Action::Fail(Failure::Port(port)),
        Exit::InterruptWindow | Exit::Interrupted => Action::Deliver,
        Exit::Shutdown => Action::Fail(Failure::Shutdown),
        Exit::Halt => Action::Fail(Failure::Halt),
        Exit::FailEntry { reason, .. } => Action::Fail(Failure::FailEntry(reason)),
        Exit::InternalError { suberror } => Action::Fail(Failure::Internal(suberror)),
        Exit::Mmio { addr, write } => Action::Fail(Failure::Mmio { addr, write }),
        Exit::MemoryFault { addr } => Action::Fail(Failure::MemoryFault(addr)),
        Exit::Other(what) => Action::Fail(Failure::Other(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(mode: Mode) -> Context {
        Context {
            mode,
            kernel_text: 0xffff_ffff_8010_0000..0xffff_ffff_8020_0000,
        }
    }

    fn out(port: u16, bytes: usize, rip: u64) -> Exit {
        Exit::Out {
            port,
            value: b'x',
            bytes,
            rip,
        }
    }

    const KERNEL: u64 = 0xffff_ffff_8010_1000;
    const PROGRAM: u64 = 0x40_1000;

    #[test]
    fn doorbells() {
        for mode in [Mode::Privileged, Mode::Deprivileged] {
            let rip = if mode == Mode::Privileged { 0 } else { KERNEL };
            for (port, action) in [
                (port::HOST_CALL, Action::HostCall),
                (port::IDLE, Action::Idle),
                (port::RING_FULL, Action::RingFull),
                (port::PANIC, Action::Panic),
                (port::DEBUG, Action::Debug(b'x')),
                (port::NOP, Action::Resume),
                (0x60, Action::Fail(Failure::Port(0x60))),
            ] {
                assert_eq!(decide(out(port, 1, rip), &context(mode)), action);
            }
        }
    }

    #[test]
    fn a_programs_port_access_is_refused() {
        let context = context(Mode::Deprivileged);
        for port in [port::HOST_CALL, port::PANIC, 0x80] {
            assert_eq!(
                decide(out(port, 1, PROGRAM), &context),
                Action::RefusePortAccess(port)
            );
            let input = Exit::In { port, rip: PROGRAM };
            assert_eq!(decide(input, &context), Action::RefusePortAccess(port));
        }
        let end = context.kernel_text.end;
        assert_eq!(
            decide(out(port::IDLE, 1, end), &context),
            Action::RefusePortAccess(port::IDLE)
        );
    }

    #[test]
    fn string_and_wide_accesses_are_no_doorbells() {
        let action = decide(
            out(port::HOST_CALL, 4, KERNEL),
            &context(Mode::Deprivileged),
        );
        assert_eq!(action, Action::Fail(Failure::Port(port::HOST_CALL)));
    }

    #[test]
    fn kicks_and_windows_deliver() {
        for exit in [Exit::Interrupted, Exit::InterruptWindow] {
            assert_eq!(decide(exit, &context(Mode::Privileged)), Action::Deliver);
        }
    }

    #[test]
    fn the_rest_ends_the_guest() {
        let context = context(Mode::Privileged);
        let mmio = Exit::Mmio {
            addr: 1 << 40,
            write: true,
        };
        for exit in [Exit::Shutdown, Exit::Halt, mmio] {
            assert!(matches!(decide(exit, &context), Action::Fail(_)));
        }
    }
}
