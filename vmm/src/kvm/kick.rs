//! Gets the vCPU thread out of KVM_RUN from another thread: a signal whose handler sets `immediate_exit`.
//!
//! The flag closes the race: a signal that arrives after the run loop's last look but before KVM_RUN makes KVM_RUN return at
//! once. [`Vcpu::run`](super::Vcpu::run) clears it after each return; whatever the kick announced is looked at after that.

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

thread_local! {
    /// `immediate_exit` of the vCPU that this thread runs.
    static IMMEDIATE_EXIT: Cell<*mut u8> = const { Cell::new(ptr::null_mut()) };
}

/// Interrupts the thread that it was made on. Copies may be used anywhere, even after that thread has ended.
#[derive(Clone, Copy, Debug)]
pub struct Kicker {
    process: libc::pid_t,
    thread: libc::pid_t,
}

impl Kicker {
    /// For the calling thread, which is about to run a vCPU. Installs the handler for the process.
    pub fn for_this_thread() -> io::Result<Kicker> {
        extern "C" fn on_kick(_: libc::c_int) {
            let flag = IMMEDIATE_EXIT.get();
            if !flag.is_null() {
                // SAFETY: points into the kvm_run page of the vCPU that this thread runs: `Registered` removes it before that page goes.
                unsafe { flag.write_volatile(1) };
            }
        }
        // SAFETY: an all-zero sigaction is valid, and the handler only touches a plain thread-local and one byte. Without
        // SA_RESTART, so that KVM_RUN comes back.
        let failed = unsafe {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            action.sa_sigaction = on_kick as *const () as usize;
            libc::sigaction(libc::SIGRTMIN(), &action, ptr::null_mut()) != 0
        };
        if failed {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: neither has preconditions.
        let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
        Ok(Kicker { process, thread })
    }

    /// Makes KVM_RUN return, now or the next time it is called.
    pub fn kick(&self) {
        // SAFETY: tgkill has no memory arguments; a thread that is gone is an error that doesn't matter.
        unsafe {
            libc::syscall(
                libc::SYS_tgkill,
                self.process,
                self.thread,
                libc::SIGRTMIN(),
            )
        };
    }
}

/// While it lives, kicks of this thread set the flag that it was made with.
pub(super) struct Registered(());

impl Registered {
    /// `flag` must stay valid as long as the result.
    pub(super) fn new(flag: *mut u8) -> Registered {
        IMMEDIATE_EXIT.set(flag);
        Registered(())
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        IMMEDIATE_EXIT.set(ptr::null_mut());
    }
}
