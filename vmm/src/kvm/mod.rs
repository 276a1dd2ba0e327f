//! Everything that touches KVM: the VM, its one vCPU, guest RAM, kicks, and the micro-VM programs that find out how this KVM behaves.
//!
//! The rest of the VMM sees [`Vm`], [`Vcpu`], [`GuestRam`], [`Kicker`] and the plain data of [`crate::vcpu::exit`].
//! All of the VMM's `unsafe` is in this folder.

mod cpu;
mod kick;
pub mod measure;
mod memory;
pub mod probe;
pub mod signal;
mod vcpu;

use std::io;
use std::sync::Arc;

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, kvm_userspace_memory_region};
use kvm_ioctls::{Cap, Kvm, VmFd};

pub use cpu::{CpuState, Mode, Ring, gdt, tss};
pub use kick::Kicker;
pub use memory::{GuestRam, MAX_PIECES, MIN_RAM, MemoryError};
pub use vcpu::{Registers, Vcpu, host_tsc};

/// Where VMX without unrestricted guests keeps three pages of its own; above any RAM that reaches it, it isn't needed.
const TSS_ADDRESS: usize = 0xfffb_d000;

/// Why the VM could not be made or run.
#[derive(Debug, thiserror::Error)]
pub enum KvmError {
    /// `/dev/kvm` could not be opened.
    #[error("opening /dev/kvm: {cause}; {}", open_remedy(.cause))]
    Open {
        /// The host's answer.
        cause: io::Error,
    },
    /// A KVM request failed.
    #[error("KVM request {request}: {cause}; `vitrine doctor` says what this machine's KVM can do")]
    Request {
        /// The ioctl and, where it helps, its value.
        request: &'static str,
        /// The host's answer.
        cause: io::Error,
    },
    /// Something that every KVM has had for years is missing.
    #[error("this KVM lacks {what}; a Linux kernel of 5.16 or later is needed")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// Guest memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The probe's own program behaved unexpectedly.
    #[error(
        "probing the guest mode: {what}; force one with --guest-mode privileged or deprivileged"
    )]
    Probe {
        /// What happened.
        what: String,
    },
}

impl KvmError {
    fn request(request: &'static str) -> impl FnOnce(kvm_ioctls::Error) -> KvmError {
        move |cause| KvmError::Request {
            request,
            cause: io::Error::from_raw_os_error(cause.errno()),
        }
    }
}

/// What to do when `/dev/kvm` can't be opened.
pub fn open_remedy(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::NotFound => {
            "load the module (modprobe kvm_intel, kvm_amd or kvm_pvm), switch on virtualisation in the firmware, or, in a \
             container, pass the device in (--device /dev/kvm)"
        }
        io::ErrorKind::PermissionDenied => {
            "join the group that owns it (sudo usermod -aG kvm $USER, then log in again) or run as root"
        }
        _ => "see `vitrine doctor`",
    }
}

/// A VM with its RAM; the vCPU is apart because it belongs to one thread.
pub struct Vm {
    fd: VmFd,
    kvm: Kvm,
    ram: Arc<GuestRam>,
}

impl Vm {
    /// A VM with `bytes` of RAM, the part from `huge_from` on in 2 MiB pages where the host has them.
    pub fn new(bytes: u64, huge_from: u64) -> Result<Vm, KvmError> {
        let kvm = Kvm::new().map_err(|cause| KvmError::Open {
            cause: io::Error::from_raw_os_error(cause.errno()),
        })?;
        for (cap, what) in [
            (Cap::ImmediateExit, "KVM_CAP_IMMEDIATE_EXIT"),
            (Cap::SyncRegs, "KVM_CAP_SYNC_REGS"),
            (Cap::Xcrs, "KVM_CAP_XCRS"),
            (Cap::VcpuEvents, "KVM_CAP_VCPU_EVENTS"),
        ] {
            if !kvm.check_extension(cap) {
                return Err(KvmError::Missing { what });
            }
        }
        let fd = loop {
            match kvm.create_vm() {
                Err(cause) if cause.errno() == libc::EINTR => {}
                other => break other.map_err(KvmError::request("KVM_CREATE_VM"))?,
            }
        };
        let ram = Arc::new(GuestRam::new(bytes, huge_from)?);
        if bytes <= TSS_ADDRESS as u64 {
            fd.set_tss_address(TSS_ADDRESS)
                .map_err(KvmError::request("KVM_SET_TSS_ADDR"))?;
        }
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: 0,
            memory_size: ram.bytes(),
            userspace_addr: ram.host_address(),
        };
        // SAFETY: the region is the whole mapping of `ram`, which this struct and the vCPU keep alive.
        unsafe { fd.set_user_memory_region(region) }
            .map_err(KvmError::request("KVM_SET_USER_MEMORY_REGION"))?;
        Ok(Vm { fd, kvm, ram })
    }

    /// The guest's RAM.
    pub fn ram(&self) -> &Arc<GuestRam> {
        &self.ram
    }

    /// Makes the vCPU, with the processor features that the guest may see.
    pub fn vcpu(&self) -> Result<Vcpu, KvmError> {
        let fd = self
            .fd
            .create_vcpu(0)
            .map_err(KvmError::request("KVM_CREATE_VCPU"))?;
        let supported = self
            .kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(KvmError::request("KVM_GET_SUPPORTED_CPUID"))?;
        Vcpu::new(fd, supported, Arc::clone(&self.ram))
    }
}
