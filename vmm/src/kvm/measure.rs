//! Measures what SYSCALL, a page fault and an exit cost here, with a few instructions in a micro-VM of their own (`vitrine doctor`).

use std::arch::global_asm;

use vitrine_abi::layout::{
    GDT, IDT, IMAGE_BASE, KERNEL_CS, PAGE_SIZE, SFMASK_DEPRIVILEGED, TSS, port,
};
use zerocopy::IntoBytes;

use super::cpu::{self, CpuState, Mode, Ring};
use super::probe::{CODE, SCRATCH, STACK_TOP, map_low_memory};
use super::{KvmError, Vm, probe};
use crate::vcpu::exit::Exit;

// Each loop runs RDI times in ring 3, then leaves the TSC ticks that it took in RAX. The load of the fault loop is three bytes long; the
// handler in ring 0 steps over it.
global_asm!(
    ".pushsection .rodata.vitrine_measure, \"a\", @progbits",
    ".globl vitrine_measure_start, vitrine_measure_syscall, vitrine_measure_fault, vitrine_measure_exit",
    ".globl vitrine_measure_target_ring0, vitrine_measure_target_ring3, vitrine_measure_on_fault, vitrine_measure_end",
    ".macro vitrine_ticks reg",
    "    rdtsc",
    "    shl $32, %rdx",
    "    or %rdx, %rax",
    "    mov %rax, \\reg",
    ".endm",
    "vitrine_measure_start:",
    "vitrine_measure_syscall:",
    "    vitrine_ticks %rsi",
    "1:  syscall",
    "    dec %rdi",
    "    jnz 1b",
    "    jmp 9f",
    "vitrine_measure_fault:",
    "    mov $0x400000000, %rbx",
    "    vitrine_ticks %rsi",
    "1:  mov (%rbx), %rcx",
    "    dec %rdi",
    "    jnz 1b",
    "    jmp 9f",
    "vitrine_measure_exit:",
    "    vitrine_ticks %rsi",
    "1:  out %al, ${nop}",
    "    dec %rdi",
    "    jnz 1b",
    "9:  vitrine_ticks %rbx",
    "    mov %rbx, %rax",
    "    sub %rsi, %rax",
    "    out %al, ${done}",
    "vitrine_measure_target_ring0:",
    "    sysretq",
    "vitrine_measure_target_ring3:",
    "    jmp *%rcx",
    "vitrine_measure_on_fault:",
    "    addq $3, 8(%rsp)",
    "    addq $8, %rsp",
    "    iretq",
    "vitrine_measure_end:",
    ".popsection",
    nop = const port::NOP,
    done = const port::IDLE,
    options(att_syntax),
);

unsafe extern "C" {
    static vitrine_measure_start: u8;
    static vitrine_measure_syscall: u8;
    static vitrine_measure_fault: u8;
    static vitrine_measure_exit: u8;
    static vitrine_measure_target_ring0: u8;
    static vitrine_measure_target_ring3: u8;
    static vitrine_measure_on_fault: u8;
    static vitrine_measure_end: u8;
}

const ROUNDS: u64 = 2000;
const RAM: u64 = 4 << 20;
const PAGE_FAULT: u64 = 14;

/// What one round trip costs, in nanoseconds.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Costs {
    /// SYSCALL from ring 3 to the kernel's entry and back.
    pub syscall_ns: f64,
    /// A page fault with the smallest possible handler.
    pub fault_ns: f64,
    /// An exit to the VMM and back.
    pub exit_ns: f64,
}

/// What can be learnt about this machine's KVM without a guest kernel.
#[derive(Clone, Copy, Debug)]
pub struct Survey {
    /// The probe's finding.
    pub mode: Mode,
    /// XCR0 as guests get it.
    pub xcr0: u64,
    /// The guest's TSC frequency in kHz.
    pub tsc_khz: u64,
    /// Costs, best of three.
    pub costs: Costs,
}

/// Probes and measures.
pub fn survey() -> Result<Survey, KvmError> {
    let vm = Vm::new(RAM, u64::MAX)?;
    let mut vcpu = vm.vcpu()?;
    let mode = probe::run(&mut vcpu, vm.ram())?.mode;
    let ram = vm.ram();
    map_low_memory(ram)?;
    ram.write(CODE, code())?;
    ram.write(GDT, cpu::gdt().as_bytes())?;
    ram.write(TSS, &cpu::tss(Mode::Deprivileged))?;
    let stack = IMAGE_BASE + STACK_TOP + PAGE_SIZE;
    ram.write_obj(TSS + 4, &stack)?;
    let handler = label(&raw const vitrine_measure_on_fault);
    let gate = [
        handler & 0xffff
            | u64::from(KERNEL_CS) << 16
            | 0x8e00 << 32
            | (handler >> 16 & 0xffff) << 48,
        handler >> 32,
    ];
    ram.write(IDT + PAGE_FAULT * 16, gate.as_bytes())?;

    let tsc_khz = vcpu.tsc_khz();
    let target = match mode {
        Mode::Privileged => &raw const vitrine_measure_target_ring0,
        Mode::Deprivileged => &raw const vitrine_measure_target_ring3,
    };
    let mut time = |program: *const u8| {
        let mut best = f64::INFINITY;
        for _ in 0..3 {
            vcpu.set_state(&CpuState {
                ring: Ring::User,
                cr3: SCRATCH,
                rip: label(program),
                rsp: IMAGE_BASE + STACK_TOP,
                rdi: ROUNDS,
                lstar: label(target),
                sfmask: SFMASK_DEPRIVILEGED,
            })?;
            loop {
                match vcpu.run()? {
                    Exit::Interrupted
                    | Exit::Out {
                        port: port::NOP, ..
                    } => {}
                    Exit::Out {
                        port: port::IDLE, ..
                    } => break,
                    other => {
                        return Err(KvmError::Probe {
                            what: format!("{other:?} at {}", vcpu.registers()),
                        });
                    }
                }
            }
            let nanos = vcpu.rax()? as f64 * 1e6 / tsc_khz.max(1) as f64;
            best = best.min(nanos / ROUNDS as f64);
        }
        Ok(best)
    };
    let costs = Costs {
        syscall_ns: time(&raw const vitrine_measure_syscall)?,
        fault_ns: time(&raw const vitrine_measure_fault)?,
        exit_ns: time(&raw const vitrine_measure_exit)?,
    };
    Ok(Survey {
        mode,
        xcr0: vcpu.xcr0(),
        tsc_khz,
        costs,
    })
}

fn code() -> &'static [u8] {
    let start = &raw const vitrine_measure_start;
    // SAFETY: both labels bound one block of read-only data made by the global_asm above.
    unsafe {
        let len = (&raw const vitrine_measure_end).offset_from_unsigned(start);
        std::slice::from_raw_parts(start, len)
    }
}

/// Where a label of the block lies in the guest.
fn label(at: *const u8) -> u64 {
    IMAGE_BASE + CODE + (at as u64 - &raw const vitrine_measure_start as u64)
}
