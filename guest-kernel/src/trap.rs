//! What `arch` calls when the processor enters the kernel, and the work before it leaves.

use crate::{
    Errno, arch,
    arch::TrapFrame,
    fs, hostcall,
    mm::{
        self, host,
        space::{Access, FaultError},
    },
    request, sched,
    signal::{self, SigInfo},
    syscall,
    task::{self, usage::Counter},
    time, trace,
};
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use vitrine_abi::{
    layout::{self, INTERRUPT_VECTOR},
    shared as pending,
};

/// What an entry function returns to the assembly: the frame is as SYSCALL left it, so the quick way back will do.
const RETURN_FAST: u64 = 0;
/// All registers have to be loaded from the frame.
const RETURN_FULL: u64 = 1;

/// Flags that user mode always has: IF, and bit 1, which is always set.
const FLAGS_SET: u64 = 1 << 9 | 1 << 1;
const TRAP_FLAG: u64 = 1 << 8;

/// SYSCALL.
pub extern "C" fn syscall(frame: &mut TrapFrame) -> u64 {
    let stay = time::cpu::enter_call();
    let result = match trace::armed(frame.orig_rax) {
        0 => syscall::dispatch(frame),
        watch => trace::watched_dispatch(frame, watch),
    };
    frame.rax = match result {
        Ok(value) => value as u64,
        Err(Errno(number)) => (-i64::from(number)) as u64,
    };
    before_user(frame);
    if let Some(stay) = stay {
        time::cpu::leave_call(&stay);
    }
    if frame.rcx == frame.rip && frame.r11 == frame.rflags && frame.rflags & TRAP_FLAG == 0 {
        RETURN_FAST
    } else {
        RETURN_FULL
    }
}

/// An exception or an interrupt in user mode.
pub fn trap(frame: &mut TrapFrame, vector: u64, fault_address: u64) -> u64 {
    let stay = time::cpu::enter_exception();
    if vector == u64::from(INTERRUPT_VECTOR) {
        interrupt();
    } else if vector == 14 {
        page_fault(frame, fault_address);
    } else {
        exception(frame, vector);
    }
    before_user(frame);
    time::cpu::leave_exception(&stay);
    RETURN_FULL
}

/// The slow way back, when an interrupt came in the last moment.
pub extern "C" fn before_user_full(frame: &mut TrapFrame) -> u64 {
    // Whatever system call there was has been restarted or not by now.
    frame.orig_rax = u64::MAX;
    before_user(frame);
    RETURN_FULL
}

/// Everything that has to be done before a task goes (back) to user mode.
fn before_user(frame: &mut TrapFrame) {
    loop {
        if arch::take_interrupt() {
            interrupt();
        }
        if arch::take_reschedule() {
            mm::oom::relieve();
            sched::reschedule();
            task::rseq::before_user(frame);
        }
        if sched::with_current(|task| signal::has_work(task)) {
            task::rseq::before_user(frame);
            signal::deliver(frame);
        } else if frame.rip >= layout::USER_END {
            // It would fault in the kernel's own return instruction, or be taken for the kernel. A handler may lie there as well.
            bad_instruction_pointer(frame.rip);
        } else if frame.rsp >= layout::DIRECT_MAP {
            // Where the kernel runs in ring 3, the next push would not fault but overwrite what is the kernel's.
            bad_stack_pointer(frame.rsp);
        } else {
            break;
        }
    }
    frame.rflags |= FLAGS_SET;
    frame.cs = u64::from(layout::USER_CS);
    frame.ss = u64::from(layout::USER_SS);
}

/// What the processor says of an instruction pointer beyond user memory: #GP if it is not canonical, else #PF.
fn bad_instruction_pointer(rip: u64) {
    const INSTRUCTION_FETCH: u64 = 0x14;
    let canonical = (rip as i64) << 16 >> 16 == rip as i64;
    let (code, addr) = if canonical { (1, rip) } else { (0x80, 0) };
    let info = SigInfo {
        signo: 11,
        code,
        addr,
        ..SigInfo::default()
    };
    if canonical {
        signal::force_fault(info, 14, INSTRUCTION_FETCH, Some(rip));
    } else {
        signal::force_fault(info, 13, 0, None);
    }
}

/// What the next push would come to.
fn bad_stack_pointer(rsp: u64) {
    const USER_WRITE: u64 = 6;
    let addr = rsp.wrapping_sub(8);
    let info = SigInfo {
        signo: 11,
        code: 1,
        addr,
        ..SigInfo::default()
    };
    signal::force_fault(info, 14, USER_WRITE, Some(addr));
}

fn interrupt() {
    host::control().interrupt_outstanding.store(0, SeqCst);
    take_host_events();
}

/// Takes the reasons for which the VMM interrupted, and acts on them.
pub fn take_host_events() {
    let control = host::control();
    control.heartbeat.fetch_add(1, Relaxed);
    let reasons = control.pending.swap(0, SeqCst);
    sched::expire();
    if reasons & pending::PENDING_CONSOLE_INPUT != 0 {
        fs::console::pump_input();
    }
    if reasons & pending::PENDING_CONSOLE_OUTPUT != 0 {
        fs::console::pump_output();
    }
    if reasons & pending::PENDING_WINSIZE != 0 {
        let size = control.winsize.load(SeqCst);
        fs::console::winsize_changed(
            size as u16,
            (size >> 16) as u16,
            (size >> 32) as u16,
            (size >> 48) as u16,
        );
    }
    if reasons & pending::PENDING_REQUEST != 0 {
        request::take();
    }
    if reasons & pending::PENDING_SIGNAL != 0 {
        let signo = control.signal.swap(0, SeqCst);
        if let Ok(signo @ 1..=64) = u32::try_from(signo) {
            signal::send_to_group(
                1,
                SigInfo {
                    signo,
                    code: 0x80,
                    ..SigInfo::default()
                },
            );
        }
    }
}

fn page_fault(frame: &mut TrapFrame, address: u64) {
    let access = if frame.error & 0x10 != 0 {
        Access::Exec
    } else if frame.error & 2 != 0 {
        Access::Write
    } else {
        Access::Read
    };
    let read_before = hostcall::files_read();
    let result = match sched::current().space() {
        Ok(space) => space.fault(address, access),
        Err(_) => Err(FaultError::NotMapped),
    };
    let (signo, code) = match result {
        Ok(()) => {
            let counter = if hostcall::files_read() == read_before {
                Counter::MinorFaults
            } else {
                Counter::MajorFaults
            };
            sched::with_current(|task| task.counters.add(counter, 1));
            return;
        }
        Err(FaultError::NotMapped) => (11, 1),
        Err(FaultError::Permission) => (11, 2),
        Err(FaultError::Bus) => (7, 2),
        Err(FaultError::NoMemory) => {
            mm::oom::out_of_memory();
            return;
        }
    };
    let info = SigInfo {
        signo,
        code,
        addr: address,
        ..SigInfo::default()
    };
    signal::force_fault(info, 14, frame.error, Some(address));
}

/// Exceptions as Linux reports them: vector → signal and `si_code`.
fn exception(frame: &mut TrapFrame, vector: u64) {
    const INT_N: u8 = 0xcd;
    // Software-virtualised KVM raises #UD for INT n, where a closed gate is #GP.
    let vector = if vector == 6 && mm::user::read::<u8>(frame.rip) == Ok(INT_N) {
        13
    } else {
        vector
    };
    let (signo, code) = match vector {
        0 => (8, 1),                                  // #DE: SIGFPE, FPE_INTDIV
        1 if frame.rflags & TRAP_FLAG != 0 => (5, 2), // #DB of a step: SIGTRAP, TRAP_TRACE
        1 => (5, 1),                                  // #DB of INT1: SIGTRAP, TRAP_BRKPT
        3 => (5, 0x80),                               // #BP: SIGTRAP, SI_KERNEL
        4 => (11, 0x80),                              // #OF
        5 => (11, 0x80),                              // #BR
        6 => (4, 2),                                  // #UD: SIGILL, ILL_ILLOPN
        10 | 13 => (11, 0x80),                        // #TS, #GP
        11 | 12 => (7, 0x80),                         // #NP, #SS
        16 | 19 => (8, 7), // #MF, #XM: SIGFPE, FPE_FLTINV unless the state says otherwise
        17 => (7, 1),      // #AC: SIGBUS, BUS_ADRALN
        _ => (11, 0x80),
    };
    let addr = if matches!(vector, 0 | 1 | 6 | 16 | 19) {
        frame.rip
    } else {
        0
    };
    let info = SigInfo {
        signo,
        code,
        addr,
        ..SigInfo::default()
    };
    signal::force_fault(info, vector, frame.error, None);
}
