//! The service thread: answers host calls from shared memory while the guest is busy with I/O, so that they cost no exit.
//!
//! It spins only while calls come often; the flag `host_spinning` tells the guest whether to wait for it or to ring the doorbell. On hardware
//! KVM, where an exit costs a microsecond, or with one processor it isn't started.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use super::Host;
use crate::bell::Bell;
use crate::kvm::{GuestRam, host_tsc};

/// Spins on after a call for this long.
const SPIN: Duration = Duration::from_micros(50);
/// Doorbells this close to each other, in TSC ticks per kHz (milliseconds) over ten: 0.2 ms.
const NEAR_DIVISOR: u64 = 5;
/// So many near doorbells in a row start the spinning.
const ENOUGH: u64 = 2;

/// Starts the spinning when doorbells come often. The vCPU's thread owns it.
pub struct Doorbells {
    thread: Thread,
    awake: Arc<AtomicBool>,
    near: u64,
    last: AtomicU64,
    row: AtomicU64,
}

impl Doorbells {
    /// A doorbell has been answered by the vCPU's thread.
    pub fn rang(&self) {
        let now = host_tsc();
        let last = self.last.swap(now, Ordering::Relaxed);
        if now.wrapping_sub(last) > self.near {
            self.row.store(0, Ordering::Relaxed);
            return;
        }
        if self.row.fetch_add(1, Ordering::Relaxed) + 1 >= ENOUGH
            && !self.awake.swap(true, Ordering::SeqCst)
        {
            self.row.store(0, Ordering::Relaxed);
            self.thread.unpark();
        }
    }
}

/// Starts the thread; `prepare` runs first on it.
pub fn start(
    host: Arc<Host>,
    ram: Arc<GuestRam>,
    bell: Arc<Bell>,
    tsc_khz: u64,
    prepare: impl FnOnce() + Send + 'static,
) -> std::io::Result<Doorbells> {
    let awake = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&awake);
    let handle: JoinHandle<()> = std::thread::Builder::new()
        .name("service".to_owned())
        .stack_size(256 << 10)
        .spawn(move || {
            prepare();
            loop {
                while !flag.load(Ordering::SeqCst) {
                    std::thread::park();
                }
                spin(&host, &ram, &bell);
                flag.store(false, Ordering::SeqCst);
            }
        })?;
    Ok(Doorbells {
        thread: handle.thread().clone(),
        awake,
        near: tsc_khz / NEAR_DIVISOR,
        last: AtomicU64::new(0),
        row: AtomicU64::new(0),
    })
}

/// Answers calls until there have been none for a while.
fn spin(host: &Host, ram: &GuestRam, bell: &Bell) {
    let spinning = &ram.control().host_spinning;
    spinning.store(1, Ordering::SeqCst);
    let mut last = Instant::now();
    loop {
        for _ in 0..64 {
            if host.has_request() && host.try_serve() {
                last = Instant::now();
            }
            std::hint::spin_loop();
        }
        if last.elapsed() < SPIN && !bell.is_idle() {
            continue;
        }
        // A guest that saw the flag before it fell has its request visible by now, and is answered; a later one rings.
        spinning.store(0, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !host.try_serve() {
            return;
        }
        spinning.store(1, Ordering::SeqCst);
        last = Instant::now();
    }
}
