//! The vCPU's initial state: CPUID as the guest may see it, segments, control registers, and the GDT that matches them.

use std::arch::x86_64::{__cpuid, __cpuid_count, CpuidResult};

use kvm_bindings::{
    CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2, kvm_segment, kvm_sregs,
};
use vitrine_abi::layout::{
    GDT, IDT, IMAGE_BASE, KERNEL_CS, KERNEL_SS, TSS, TSS_IO_BITMAP, TSS_IO_MAP_BASE, TSS_LIMIT,
    TSS_SELECTOR, USER_CS, USER_SS, port,
};

/// How the guest kernel runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In ring 0.
    Privileged,
    /// In ring 3, beside the workload.
    Deprivileged,
}

impl Mode {
    /// The ring that the kernel starts in.
    pub fn ring(self) -> Ring {
        match self {
            Mode::Privileged => Ring::Kernel,
            Mode::Deprivileged => Ring::User,
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Privileged => "privileged",
            Mode::Deprivileged => "deprivileged",
        }
    }
}

/// The ring in which the vCPU starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Ring 0, interrupts off.
    Kernel,
    /// Ring 3 with IOPL 3, interrupts on.
    User,
}

/// What the vCPU starts with.
#[derive(Clone, Copy, Debug)]
pub struct CpuState {
    /// Ring, which also decides flags.
    pub ring: Ring,
    /// Guest physical address of the PML4.
    pub cr3: u64,
    /// First instruction.
    pub rip: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// First argument.
    pub rdi: u64,
    /// Where SYSCALL goes.
    pub lstar: u64,
    /// Flags that SYSCALL clears.
    pub sfmask: u64,
}

/// PE, MP, ET, NE, WP, AM, PG.
pub(super) const CR0: u64 = 0x8005_0033;
/// PAE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE: what a software-virtualised KVM accepts.
pub(super) const CR4: u64 = 0x5_0620;
/// UMIP and SMEP: only for a kernel in ring 0 that never executes user pages.
pub(super) const CR4_UMIP: u64 = 1 << 11;
pub(super) const CR4_SMEP: u64 = 1 << 20;
/// SCE, LME, LMA, NXE.
pub(super) const EFER: u64 = 0xd01;
/// x87, SSE, AVX, and AVX-512's three.
pub(super) const XCR0_WANTED: u64 = 0xe7;
/// IOPL 3, IF, and the bit that is always one.
pub(super) const RFLAGS_USER: u64 = 0x3202;
/// The bit that is always one.
pub(super) const RFLAGS_KERNEL: u64 = 0x2;

/// Bytes of descriptors: up to and including the 16-byte TSS descriptor.
pub(super) const GDT_BYTES: usize = 0x50;

/// The GDT, as it lies at `layout::GDT`.
pub fn gdt() -> [u64; GDT_BYTES / 8] {
    let tss = IMAGE_BASE + TSS;
    let mut gdt = [0; GDT_BYTES / 8];
    gdt[usize::from(KERNEL_CS) / 8] = 0x00af_9b00_0000_ffff;
    gdt[usize::from(KERNEL_SS) / 8] = 0x00cf_9300_0000_ffff;
    gdt[usize::from(USER_SS) / 8] = 0x00cf_f300_0000_ffff;
    gdt[usize::from(USER_CS) / 8] = 0x00af_fb00_0000_ffff;
    // Available 64-bit TSS, its base spread over both halves (SDM volume 3, figure 8-4).
    gdt[usize::from(TSS_SELECTOR) / 8] =
        u64::from(TSS_LIMIT) | (tss & 0xff_ffff) << 16 | 0x89 << 40 | (tss >> 24 & 0xff) << 56;
    gdt[usize::from(TSS_SELECTOR) / 8 + 1] = tss >> 32;
    gdt
}

/// The TSS as the guest kernel finds it: no stacks yet, but the I/O permissions: the doorbells for a kernel in ring 3, nothing otherwise.
///
/// They have to be given by bitmap: software-virtualised KVM does not keep IOPL.
pub fn tss(mode: Mode) -> [u8; TSS_LIMIT as usize + 1] {
    let mut tss = [0; TSS_LIMIT as usize + 1];
    let base = (TSS_IO_BITMAP as u16).to_le_bytes();
    tss[TSS_IO_MAP_BASE as usize..][..2].copy_from_slice(&base);
    let bitmap = &mut tss[TSS_IO_BITMAP as usize..];
    bitmap.fill(0xff);
    if mode == Mode::Deprivileged {
        for doorbell in port::HOST_CALL..=port::NOP {
            bitmap[usize::from(doorbell / 8)] &= !(1 << (doorbell % 8));
        }
    }
    tss
}

/// Fills in segments, tables and control registers.
pub(super) fn set_system_registers(sregs: &mut kvm_sregs, state: &CpuState, cr4: u64) {
    let (cs, ss, dpl) = match state.ring {
        Ring::Kernel => (KERNEL_CS, KERNEL_SS, 0),
        Ring::User => (USER_CS, USER_SS, 3),
    };
    let segment = kvm_segment {
        limit: u32::MAX,
        present: 1,
        s: 1,
        g: 1,
        dpl,
        ..kvm_segment::default()
    };
    sregs.cs = kvm_segment {
        selector: cs,
        type_: 11,
        l: 1,
        ..segment
    };
    let data = kvm_segment {
        selector: ss,
        type_: 3,
        db: 1,
        ..segment
    };
    (sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss) = (data, data, data, data, data);
    sregs.tr = kvm_segment {
        base: IMAGE_BASE + TSS,
        limit: TSS_LIMIT,
        selector: TSS_SELECTOR,
        type_: 11,
        present: 1,
        ..kvm_segment::default()
    };
    sregs.gdt.base = IMAGE_BASE + GDT;
    sregs.gdt.limit = GDT_BYTES as u16 - 1;
    sregs.idt.base = IMAGE_BASE + IDT;
    sregs.idt.limit = 0xfff;
    sregs.cr0 = CR0;
    sregs.cr2 = 0;
    sregs.cr3 = state.cr3;
    sregs.cr4 = cr4;
    sregs.efer = EFER;
}

/// The XCR0 that this machine allows the guest: leaf 0xD's mask without what the guest kernel doesn't save.
pub(super) fn xcr0(cpuid: &CpuId) -> u64 {
    cpuid
        .as_slice()
        .iter()
        .find(|entry| entry.function == 0xd && entry.index == 0)
        .map_or(3, |entry| {
            (u64::from(entry.edx) << 32 | u64::from(entry.eax)) & XCR0_WANTED
        })
        | 3
}

/// Leaf 7: which CR4 bits exist.
pub(super) fn leaf7(cpuid: &CpuId) -> kvm_cpuid_entry2 {
    cpuid
        .as_slice()
        .iter()
        .find(|entry| entry.function == 7 && entry.index == 0)
        .copied()
        .unwrap_or_default()
}

const fn bits(list: &[u32]) -> u32 {
    let mut mask = 0;
    let mut index = 0;
    while index < list.len() {
        mask |= 1 << list[index];
        index += 1;
    }
    mask
}

/// Instructions that need nothing but the processor (and, from AVX on, XCR0), by leaf, index and register.
const PLAIN_INSTRUCTIONS: [(u32, u32, [u32; 4]); 5] = [
    (
        1,
        0,
        [
            0,
            0,
            // SSE3, PCLMUL, SSSE3, FMA, CMPXCHG16B, SSE4.1, SSE4.2, MOVBE, POPCNT, AES, XSAVE, OSXSAVE, AVX, F16C, RDRAND.
            bits(&[0, 1, 9, 12, 13, 19, 20, 22, 23, 25, 26, 27, 28, 29, 30]),
            0,
        ],
    ),
    (
        7,
        0,
        [
            0,
            // FSGSBASE, BMI1, AVX2, BMI2, ERMS, AVX-512 F, DQ, RDSEED, ADX, IFMA, CLFLUSHOPT, CLWB, PF, ER, CD, SHA, BW, VL.
            bits(&[
                0, 3, 5, 8, 9, 16, 17, 18, 19, 21, 23, 24, 26, 27, 28, 29, 30, 31,
            ]),
            // VBMI, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ, CLDEMOTE, MOVDIRI, MOVDIR64B.
            bits(&[1, 6, 8, 9, 10, 11, 12, 14, 25, 27, 28]),
            // 4VNNIW, 4FMAPS, FSRM, VP2INTERSECT, SERIALIZE, FP16.
            bits(&[2, 3, 4, 8, 14, 23]),
        ],
    ),
    (
        7,
        1,
        // SHA512, SM3, SM4, AVX-VNNI, BF16, FZRM, FSRS, FSRC, AVX-IFMA.
        [bits(&[0, 1, 2, 4, 5, 10, 11, 12, 23]), 0, 0, 0],
    ),
    // XSAVEOPT, XSAVEC, XGETBV with ECX 1.
    (0xd, 1, [bits(&[0, 1, 2]), 0, 0, 0]),
    (
        0x8000_0001,
        0,
        [
            0,
            0,
            // LAHF, LZCNT, SSE4A, misaligned SSE, PREFETCHW.
            bits(&[0, 5, 6, 7, 8]),
            0,
        ],
    ),
];

/// Leaves that only describe: the brand string.
const DESCRIPTIONS: [u32; 3] = [0x8000_0002, 0x8000_0003, 0x8000_0004];

/// Adds what the host's processor can do by itself: a software-virtualised KVM reports next to nothing as supported although ring 3 runs
/// natively, and programs would take their slow paths.
pub(super) fn add_host_features(cpuid: &mut CpuId) {
    let most = __cpuid(0).eax;
    for (function, index, masks) in PLAIN_INSTRUCTIONS {
        if function < 0x8000_0000 && function > most {
            continue;
        }
        let host = __cpuid_count(function, index);
        let added = CpuidResult {
            eax: host.eax & masks[0],
            ebx: host.ebx & masks[1],
            ecx: host.ecx & masks[2],
            edx: host.edx & masks[3],
        };
        if let Some(entry) = entry_mut(cpuid, function, index) {
            entry.eax |= added.eax;
            entry.ebx |= added.ebx;
            entry.ecx |= added.ecx;
            entry.edx |= added.edx;
        }
    }
    for function in DESCRIPTIONS {
        let host = __cpuid(function);
        if let Some(entry) = entry_mut(cpuid, function, 0) {
            (entry.eax, entry.ebx, entry.ecx, entry.edx) = (host.eax, host.ebx, host.ecx, host.edx);
        }
    }
}

/// The entry, made if there is none yet.
fn entry_mut(cpuid: &mut CpuId, function: u32, index: u32) -> Option<&mut kvm_cpuid_entry2> {
    let is_it = |entry: &kvm_cpuid_entry2| entry.function == function && entry.index == index;
    if !cpuid.as_slice().iter().any(is_it) {
        let indexed = matches!(function, 7 | 0xd);
        cpuid
            .push(kvm_cpuid_entry2 {
                function,
                index,
                flags: if indexed {
                    KVM_CPUID_FLAG_SIGNIFCANT_INDEX
                } else {
                    0
                },
                ..Default::default()
            })
            .ok()?;
    }
    cpuid.as_mut_slice().iter_mut().find(|entry| is_it(entry))
}

/// Takes away what can't work in this VM: there is no APIC, no paravirtual clock, no nested virtualisation, no performance counter, no
/// protection keys, no shadow stacks, no AMX tiles.
pub(super) fn restrict_cpuid(cpuid: &mut CpuId, xcr0: u64) {
    let without = |list: &[u32]| !bits(list);
    cpuid.retain(|entry| {
        !(0x4000_0000..0x5000_0000).contains(&entry.function)
            && !(entry.function == 0xd
                && entry.index > 1
                && (entry.index >= 64 || xcr0 >> entry.index & 1 == 0))
            && !matches!(entry.function, 0xa | 0x14 | 0x1d | 0x1e | 0x23)
    });
    for entry in cpuid.as_mut_slice() {
        match (entry.function, entry.index) {
            (1, _) => {
                // MONITOR, VMX, SMX, PDCM, PCID, x2APIC, TSC deadline, hypervisor leaves.
                entry.ecx &= without(&[3, 5, 6, 15, 17, 21, 24, 31]);
                // MCE and MCA, APIC, MTRR: the guest kernel does nothing with them.
                entry.edx &= without(&[7, 9, 12, 14]);
            }
            (7, 0) => {
                // INVPCID, MPX, processor trace.
                entry.ebx &= without(&[10, 14, 25]);
                // PKU, OSPKE, WAITPKG, shadow stacks, LA57, key locker, PKS.
                entry.ecx &= without(&[3, 4, 5, 7, 16, 23, 31]);
                // UINTR, indirect branch tracking, AMX's three.
                entry.edx &= without(&[5, 20, 22, 24, 25]);
            }
            (7, 1) => entry.eax &= without(&[17, 21, 26]),
            (0xd, 0) => {
                entry.eax &= xcr0 as u32;
                entry.edx &= (xcr0 >> 32) as u32;
            }
            // XSAVES and XFD want a ring-0 kernel.
            (0xd, 1) => {
                entry.eax &= without(&[3, 4]);
                entry.ecx = 0;
                entry.edx = 0;
            }
            // SVM, performance counters; RDTSCP stays.
            (0x8000_0001, _) => entry.ecx &= without(&[2, 10, 23, 24, 28]),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tss_descriptor_holds_the_whole_base() {
        let gdt = gdt();
        let (low, high) = (gdt[8], gdt[9]);
        let base = (low >> 16 & 0xff_ffff) | (low >> 56) << 24 | high << 32;
        assert_eq!(base, IMAGE_BASE + TSS);
        assert_eq!(low & 0xffff, u64::from(TSS_LIMIT));
    }

    #[test]
    fn only_a_ring_3_kernels_doorbells_are_open() {
        let open = |mode: Mode, number: u16| {
            let tss = tss(mode);
            tss[TSS_IO_BITMAP as usize + usize::from(number / 8)] >> (number % 8) & 1 == 0
        };
        for number in 0..32 {
            let doorbell = (port::HOST_CALL..=port::NOP).contains(&number);
            assert_eq!(open(Mode::Deprivileged, number), doorbell);
            assert!(!open(Mode::Privileged, number));
        }
    }

    #[test]
    fn cpuid_hides_paravirtual_leaves_and_big_states() {
        let entry = |function, index, eax, ebx, ecx, edx| kvm_cpuid_entry2 {
            function,
            index,
            eax,
            ebx,
            ecx,
            edx,
            ..Default::default()
        };
        let mut cpuid = CpuId::from_entries(&[
            entry(1, 0, 0, 0, u32::MAX, u32::MAX),
            entry(0xd, 0, 0x602e7, 0, 0, 0),
            entry(0xd, 18, 8192, 0, 0, 0),
            entry(0xd, 2, 256, 576, 0, 0),
            entry(0x4000_0000, 0, 1, 2, 3, 4),
        ])
        .unwrap();
        let xcr0 = xcr0(&cpuid);
        assert_eq!(xcr0, 0xe7);
        restrict_cpuid(&mut cpuid, xcr0);
        let left: Vec<_> = cpuid
            .as_slice()
            .iter()
            .map(|entry| (entry.function, entry.index))
            .collect();
        assert_eq!(left, [(1, 0), (0xd, 0), (0xd, 2)]);
        assert_eq!(cpuid.as_slice()[0].ecx >> 31, 0);
        assert_eq!(cpuid.as_slice()[1].eax, 0xe7);
    }
}
