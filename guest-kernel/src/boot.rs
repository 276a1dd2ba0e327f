//! From the VMM's entry to the first task: starts memory, time, files and the workload. And the end: the panic handler.

use crate::{arch, mm, random, request, sched, task, time, trace};
use core::{fmt::Write, sync::atomic::Ordering::Relaxed};
use vitrine_abi::boot::{ABI_VERSION, MAGIC};

/// Called by the entry code on the boot stack.
pub extern "C" fn main() -> ! {
    let boot = mm::host::boot_info();
    arch::init(boot);
    assert!(
        boot.magic == MAGIC && boot.version == ABI_VERSION,
        "VMM and kernel disagree on the ABI version"
    );
    mm::init(boot);
    if let Err(error) = time::init(boot.tsc_khz) {
        panic!("the host's clocks cannot be read: {error}");
    }
    task::exec::vdso::publish(&time::clock::vdso_data());
    random::seed(&boot.seed);
    request::init(boot.mailbox, boot.ram_bytes);
    trace::init(boot);
    task::init::start_workload(boot, mm::host::boot_bytes(boot.strings));
    sched::run_first()
}

/// Writes into the control page's panic text, cutting what doesn't fit.
struct PanicText(usize);

impl Write for PanicText {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let control = mm::host::control();
        for (byte, place) in text.bytes().zip(control.panic_text.iter().skip(self.0)) {
            place.store(byte, Relaxed);
            self.0 += 1;
        }
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut text = PanicText(0);
    let _ = write!(text, "{info}");
    mm::host::control().panic_len.store(text.0 as u32, Relaxed);
    arch::doorbell::panic()
}
