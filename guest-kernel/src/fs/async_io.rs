//! Signal-driven I/O (O_ASYNC, fcntl(2)): the open files that want a signal when something becomes possible, and sending it.

use super::{File, PollEvents, file::Owner};
use crate::{
    signal::{self, SigInfo, numbers::SIGIO},
    sync::Mutex,
    task::{self, Process, Task},
};
use alloc::{
    sync::{Arc, Weak},
    vec::Vec,
};
use linux_raw_sys::general::{F_OWNER_PGRP, F_OWNER_TID, FASYNC};

/// What became possible: `si_code` and `si_band`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Data came in, or the other end went.
    In,
    /// There is room again.
    Out,
    /// The connection ended.
    HangUp,
}

impl Event {
    fn code(self) -> i32 {
        match self {
            Event::In => 1,
            Event::Out => 2,
            Event::HangUp => 6,
        }
    }

    fn band(self) -> PollEvents {
        match self {
            Event::In => PollEvents::IN | PollEvents::RDNORM,
            Event::Out => PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND,
            Event::HangUp => PollEvents::HUP | PollEvents::ERR,
        }
    }
}

/// The open files that want a signal, with the descriptor that each was told by.
#[derive(Default)]
pub struct Listeners(Mutex<Vec<(i32, Weak<File>)>>);

impl Listeners {
    /// Nobody.
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Sets or clears O_ASYNC of `file`, as told by its descriptor `fd`.
    pub fn set(&self, file: &Arc<File>, fd: i32, on: bool) {
        let mut all = self.0.lock();
        all.retain(|(_, other)| {
            other.strong_count() > 0 && !core::ptr::eq(other.as_ptr(), Arc::as_ptr(file))
        });
        if on {
            all.push((fd, Arc::downgrade(file)));
        }
        file.set_flag(FASYNC, on);
    }

    /// Sends each its signal. No lock that a signal or a close takes may be held.
    pub fn tell(&self, event: Event) {
        let all: Vec<(i32, Weak<File>)> = {
            let all = self.0.lock();
            if all.is_empty() {
                return;
            }
            all.clone()
        };
        for (fd, file) in all {
            if let Some(file) = file.upgrade() {
                let owner = *file.owner.lock();
                send(&owner, fd, event);
            }
        }
    }
}

fn send(owner: &Owner, fd: i32, event: Event) {
    if owner.id == 0 {
        return;
    }
    match owner.kind {
        F_OWNER_TID => {
            if let Some(task) = task::task(owner.id) {
                send_to(owner, fd, event, &task.process, Some(&task));
            }
        }
        F_OWNER_PGRP => {
            for process in signal::group(owner.id) {
                send_to(owner, fd, event, &process, None);
            }
        }
        _ => {
            if let Some(process) = task::process(owner.id) {
                send_to(owner, fd, event, &process, None);
            }
        }
    }
}

/// The signal that was chosen, with what happened; a full queue makes it a plain SIGIO.
fn send_to(
    owner: &Owner,
    fd: i32,
    event: Event,
    process: &Arc<Process>,
    thread: Option<&Arc<Task>>,
) {
    if !owner.may_signal(process) {
        return;
    }
    if owner.signal != 0 {
        let info = SigInfo {
            signo: owner.signal,
            code: owner.code(event.code()),
            status: fd,
            value: u64::from(event.band().bits()),
            ..SigInfo::default()
        };
        if signal::generate(process, thread, info).is_ok() {
            return;
        }
    }
    // A plain signal is pending or merged, never refused.
    let _ = signal::generate(process, thread, SigInfo::kernel(SIGIO));
}
