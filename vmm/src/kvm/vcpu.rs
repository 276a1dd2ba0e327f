//! The vCPU: set-up of its registers, KVM_RUN, and the few things done to it between runs.

use std::arch::x86_64::_rdtsc;
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use kvm_bindings::{
    CpuId, Msrs, kvm_device_attr, kvm_interrupt, kvm_msr_entry, kvm_regs, kvm_sregs, kvm_xcr,
    kvm_xcrs,
};
use kvm_ioctls::{SyncReg, VcpuExit, VcpuFd};

use super::cpu::{self, CpuState, Ring};
use super::kick::Registered;
use super::{GuestRam, KvmError};
use crate::vcpu::exit::Exit;

const MSR_STAR: u32 = 0xc000_0081;
const MSR_LSTAR: u32 = 0xc000_0082;
const MSR_SFMASK: u32 = 0xc000_0084;
/// _IOW(KVMIO, 0x86, struct kvm_interrupt); kvm-ioctls has no wrapper.
const KVM_INTERRUPT: libc::c_ulong = 0x4004_ae86;
/// _IOW(KVMIO, 0xe1, struct kvm_device_attr); kvm-ioctls has it for vCPUs of other architectures only.
const KVM_SET_DEVICE_ATTR: libc::c_ulong = 0x4018_aee1;
const GENERAL_PROTECTION: u8 = 13;

/// The vCPU, for the thread that runs it.
pub struct Vcpu {
    // Before `fd`: kicks must stop before the page that they write to goes.
    registered: Option<Registered>,
    fd: VcpuFd,
    ring: Ring,
    xcr0: u64,
    cr4_extra: u64,
    tsc_offset: u64,
    ram: Arc<GuestRam>,
}

/// A snapshot for error messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers {
    regs: kvm_regs,
    cs: u16,
    cr2: u64,
    cr3: u64,
}

impl Registers {
    /// Instruction pointer.
    pub fn rip(&self) -> u64 {
        self.regs.rip
    }
}

impl fmt::Display for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.regs;
        write!(
            f,
            "rip {:#x} rsp {:#x} rflags {:#x} cs {:#x} cr2 {:#x} cr3 {:#x} rax {:#x} rbx {:#x} rcx {:#x} rdx {:#x} rsi {:#x} \
             rdi {:#x} rbp {:#x} r8 {:#x} r9 {:#x} r10 {:#x} r11 {:#x} r12 {:#x} r13 {:#x} r14 {:#x} r15 {:#x}",
            r.rip,
            r.rsp,
            r.rflags,
            self.cs,
            self.cr2,
            self.cr3,
            r.rax,
            r.rbx,
            r.rcx,
            r.rdx,
            r.rsi,
            r.rdi,
            r.rbp,
            r.r8,
            r.r9,
            r.r10,
            r.r11,
            r.r12,
            r.r13,
            r.r14,
            r.r15
        )
    }
}

impl Vcpu {
    pub(super) fn new(fd: VcpuFd, mut cpuid: CpuId, ram: Arc<GuestRam>) -> Result<Vcpu, KvmError> {
        cpu::add_host_features(&mut cpuid);
        let xcr0 = cpu::xcr0(&cpuid);
        let leaf7 = cpu::leaf7(&cpuid);
        let mut cr4_extra = 0;
        if leaf7.ebx >> 7 & 1 == 1 {
            cr4_extra |= cpu::CR4_SMEP;
        }
        if leaf7.ecx >> 2 & 1 == 1 {
            cr4_extra |= cpu::CR4_UMIP;
        }
        if leaf7.ebx & 1 == 0 {
            return Err(KvmError::Missing {
                what: "the CPU feature FSGSBASE",
            });
        }
        cpu::restrict_cpuid(&mut cpuid, xcr0);
        fd.set_cpuid2(&cpuid)
            .map_err(KvmError::request("KVM_SET_CPUID2"))?;
        let mut vcpu = Vcpu {
            registered: None,
            fd,
            ring: Ring::User,
            xcr0,
            cr4_extra,
            tsc_offset: 0,
            ram,
        };
        vcpu.settle_tsc();
        Ok(vcpu)
    }

    /// Makes the guest's TSC the host's, or learns by how much it is ahead.
    fn settle_tsc(&mut self) {
        let offset = 0u64;
        let attr = kvm_device_attr {
            group: kvm_bindings::KVM_VCPU_TSC_CTRL,
            attr: u64::from(kvm_bindings::KVM_VCPU_TSC_OFFSET),
            addr: &raw const offset as u64,
            flags: 0,
        };
        // SAFETY: KVM_SET_DEVICE_ATTR reads the attribute and, through its address, one u64; both live for the call.
        if unsafe { libc::ioctl(self.fd.as_raw_fd(), KVM_SET_DEVICE_ATTR, &attr) } < 0 {
            tracing::debug!("this KVM does not let the TSC offset be set");
        }
    }

    /// Tells by how much the guest's TSC was seen to be ahead of the host's.
    pub(super) fn set_tsc_offset(&mut self, offset: u64) {
        self.tsc_offset = offset;
    }

    /// The guest's TSC now.
    pub fn guest_tsc(&self) -> u64 {
        host_tsc().wrapping_add(self.tsc_offset)
    }

    /// By how much the guest's TSC is ahead of the host's.
    pub fn tsc_offset(&self) -> u64 {
        self.tsc_offset
    }

    /// The guest's TSC frequency; 0 if KVM doesn't tell.
    pub fn tsc_khz(&self) -> u64 {
        self.fd.get_tsc_khz().map_or(0, u64::from)
    }

    /// The state components that the guest may use.
    pub fn xcr0(&self) -> u64 {
        self.xcr0
    }

    /// Sets all registers for a start in the given state. May be called again for another program.
    pub fn set_state(&mut self, state: &CpuState) -> Result<(), KvmError> {
        let mut sregs = self
            .fd
            .get_sregs()
            .map_err(KvmError::request("KVM_GET_SREGS"))?;
        // UMIP and SMEP are for a ring-0 kernel; a software-virtualised KVM refuses them, and needs neither.
        let extra = match state.ring {
            Ring::Kernel => self.cr4_extra,
            Ring::User => 0,
        };
        cpu::set_system_registers(&mut sregs, state, cpu::CR4 | extra);
        if self.fd.set_sregs(&sregs).is_err() {
            cpu::set_system_registers(&mut sregs, state, cpu::CR4);
            self.fd
                .set_sregs(&sregs)
                .map_err(KvmError::request("KVM_SET_SREGS"))?;
        }
        let mut xcrs = kvm_xcrs {
            nr_xcrs: 1,
            ..kvm_xcrs::default()
        };
        xcrs.xcrs[0] = kvm_xcr {
            xcr: 0,
            reserved: 0,
            value: self.xcr0,
        };
        self.fd
            .set_xcrs(&xcrs)
            .map_err(KvmError::request("KVM_SET_XCRS"))?;
        self.set_msrs(&[
            (MSR_STAR, vitrine_abi::layout::STAR),
            (MSR_LSTAR, state.lstar),
            (MSR_SFMASK, state.sfmask),
        ])?;
        let regs = kvm_regs {
            rip: state.rip,
            rsp: state.rsp,
            rdi: state.rdi,
            rflags: match state.ring {
                Ring::Kernel => cpu::RFLAGS_KERNEL,
                Ring::User => cpu::RFLAGS_USER,
            },
            ..kvm_regs::default()
        };
        self.fd
            .set_regs(&regs)
            .map_err(KvmError::request("KVM_SET_REGS"))?;
        self.ring = state.ring;
        // In ring 3 each OUT must be told apart by its RIP: cheapest with the registers that KVM writes into the shared page.
        match state.ring {
            Ring::User => self.fd.set_sync_valid_reg(SyncReg::Register),
            Ring::Kernel => self.fd.clear_sync_valid_reg(SyncReg::Register),
        }
        Ok(())
    }

    fn set_msrs(&self, values: &[(u32, u64)]) -> Result<(), KvmError> {
        let entries: Vec<_> = values
            .iter()
            .map(|&(index, data)| kvm_msr_entry {
                index,
                data,
                ..kvm_msr_entry::default()
            })
            .collect();
        let fail = || KvmError::Request {
            request: "KVM_SET_MSRS (STAR, LSTAR, SFMASK)",
            cause: io::Error::from(io::ErrorKind::InvalidInput),
        };
        let msrs = Msrs::from_entries(&entries).map_err(|_| fail())?;
        let set = self
            .fd
            .set_msrs(&msrs)
            .map_err(KvmError::request("KVM_SET_MSRS (STAR, LSTAR, SFMASK)"))?;
        if set == values.len() {
            Ok(())
        } else {
            Err(fail())
        }
    }

    /// Declares that the calling thread is the one that runs this vCPU, so that kicks of the thread reach it.
    pub fn bind_to_this_thread(&mut self) {
        let flag = &raw mut self.fd.get_kvm_run().immediate_exit;
        self.registered = Some(Registered::new(flag));
    }

    /// Runs the guest until something happens.
    pub fn run(&mut self) -> Result<Exit, KvmError> {
        let result = self.fd.run();
        let exit = match result {
            Ok(VcpuExit::IoOut(port, data)) => Exit::Out {
                port,
                value: data.first().copied().unwrap_or(0),
                bytes: data.len(),
                rip: 0,
            },
            Ok(VcpuExit::IoIn(port, data)) => {
                data.fill(0xff);
                Exit::In { port, rip: 0 }
            }
            Ok(VcpuExit::IrqWindowOpen) => Exit::InterruptWindow,
            Ok(VcpuExit::Intr) => Exit::Interrupted,
            Ok(VcpuExit::Shutdown) => Exit::Shutdown,
            Ok(VcpuExit::Hlt) => Exit::Halt,
            Ok(VcpuExit::FailEntry(reason, cpu)) => Exit::FailEntry { reason, cpu },
            Ok(VcpuExit::MmioRead(addr, _)) => Exit::Mmio { addr, write: false },
            Ok(VcpuExit::MmioWrite(addr, _)) => Exit::Mmio { addr, write: true },
            Ok(VcpuExit::MemoryFault { gpa, .. }) => Exit::MemoryFault { addr: gpa },
            Ok(VcpuExit::InternalError) => Exit::InternalError { suberror: 0 },
            Ok(other) => Exit::Other(format!("{other:?}")),
            Err(cause) if matches!(cause.errno(), libc::EINTR | libc::EAGAIN) => Exit::Interrupted,
            Err(cause) => return Err(KvmError::request("KVM_RUN")(cause)),
        };
        let run = self.fd.get_kvm_run();
        let exit = match exit {
            Exit::Interrupted => {
                run.immediate_exit = 0;
                Exit::Interrupted
            }
            Exit::InternalError { .. } => Exit::InternalError {
                // SAFETY: KVM has just written this member of the union: the exit reason says so.
                suberror: unsafe { run.__bindgen_anon_1.internal.suberror },
            },
            other => other,
        };
        Ok(match exit {
            Exit::Out {
                port, value, bytes, ..
            } => Exit::Out {
                port,
                value,
                bytes,
                rip: self.synced_rip(),
            },
            Exit::In { port, .. } => Exit::In {
                port,
                rip: self.synced_rip(),
            },
            other => other,
        })
    }

    /// RIP at the exit where KVM writes it (ring 3), else 0.
    fn synced_rip(&mut self) -> u64 {
        match self.ring {
            Ring::User => self.fd.sync_regs_mut().regs.rip,
            Ring::Kernel => 0,
        }
    }

    /// Whether [`Vcpu::interrupt`] may be called: as of the last exit.
    pub fn ready_for_interrupt(&mut self) -> bool {
        self.fd.get_kvm_run().ready_for_interrupt_injection != 0
    }

    /// Asks for [`Exit::InterruptWindow`] as soon as the guest can take an interrupt.
    pub fn request_interrupt_window(&mut self, wanted: bool) {
        self.fd.get_kvm_run().request_interrupt_window = u8::from(wanted);
    }

    /// Queues an external interrupt. `Ok(false)`: the vCPU can't take one now.
    pub fn interrupt(&mut self, vector: u8) -> Result<bool, KvmError> {
        let interrupt = kvm_interrupt {
            irq: u32::from(vector),
        };
        // SAFETY: KVM_INTERRUPT reads one kvm_interrupt, which lives for the call; the descriptor is a vCPU's.
        let failed = unsafe { libc::ioctl(self.fd.as_raw_fd(), KVM_INTERRUPT, &interrupt) } < 0;
        if !failed {
            return Ok(true);
        }
        let cause = io::Error::last_os_error();
        match cause.raw_os_error() {
            Some(libc::EEXIST | libc::EBUSY) => Ok(false),
            _ => Err(KvmError::Request {
                request: "KVM_INTERRUPT",
                cause,
            }),
        }
    }

    /// Makes the port access that has just exited raise #GP(0) in the guest instead.
    pub fn refuse_port_access(&mut self, port: u16) -> Result<(), KvmError> {
        let get_regs = |fd: &VcpuFd| fd.get_regs().map_err(KvmError::request("KVM_GET_REGS"));
        let before = get_regs(&self.fd)?;
        // KVM completes the access on the next entry, and may step over the instruction only then: have that done now.
        self.fd.set_kvm_immediate_exit(1);
        let completed = self.fd.run().map(|_| ());
        self.fd.set_kvm_immediate_exit(0);
        match completed {
            Err(cause) if cause.errno() == libc::EINTR => {}
            Err(cause) => return Err(KvmError::request("KVM_RUN")(cause)),
            Ok(()) => {}
        }
        let mut regs = before;
        if get_regs(&self.fd)?.rip == before.rip {
            regs.rip = regs
                .rip
                .wrapping_sub(self.port_instruction_len(regs.rip, port));
        }
        self.fd
            .set_regs(&regs)
            .map_err(KvmError::request("KVM_SET_REGS"))?;
        let mut events = self
            .fd
            .get_vcpu_events()
            .map_err(KvmError::request("KVM_GET_VCPU_EVENTS"))?;
        events.exception.injected = 1;
        events.exception.nr = GENERAL_PROTECTION;
        events.exception.has_error_code = 1;
        events.exception.error_code = 0;
        self.fd
            .set_vcpu_events(&events)
            .map_err(KvmError::request("KVM_SET_VCPU_EVENTS"))
    }

    /// Length of the IN or OUT that ends before `next`, as far as its last bytes tell; 0 if they aren't one.
    fn port_instruction_len(&self, next: u64, port: u16) -> u64 {
        let byte = |back: u64| {
            let addr = next.wrapping_sub(back);
            let found = self.fd.translate_gva(addr).ok()?;
            (found.valid != 0).then(|| self.ram.read_obj::<u8>(found.physical_address).ok())?
        };
        match (byte(2), byte(1)) {
            (Some(0xe4..=0xe7), Some(number)) if u16::from(number) == port => 2,
            (Some(0x66), Some(0xec..=0xef)) => 2,
            (_, Some(0xec..=0xef)) => 1,
            _ => 0,
        }
    }

    /// RAX, for the micro-programs of the probe.
    pub(super) fn rax(&self) -> Result<u64, KvmError> {
        Ok(self
            .fd
            .get_regs()
            .map_err(KvmError::request("KVM_GET_REGS"))?
            .rax)
    }

    /// The registers, for a message.
    pub fn registers(&self) -> Registers {
        let regs = self.fd.get_regs().unwrap_or_default();
        let sregs: kvm_sregs = self.fd.get_sregs().unwrap_or_default();
        Registers {
            regs,
            cs: sregs.cs.selector,
            cr2: sregs.cr2,
            cr3: sregs.cr3,
        }
    }
}

/// The host's TSC.
pub fn host_tsc() -> u64 {
    // SAFETY: RDTSC exists on every x86-64 processor and has no effects.
    unsafe { _rdtsc() }
}
