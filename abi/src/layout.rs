//! The guest's memory: where things lie, physically and virtually.
//!
//! ```text
//! guest physical                                 guest virtual
//! 0x0000_1000  GDT            supervisor only    IMAGE_BASE + address
//! 0x0000_2000  TSS            supervisor only
//! 0x0000_3000  IDT            supervisor only
//! 0x0000_8000  boot info                         (all of the first 64 MiB is mapped at IMAGE_BASE)
//! 0x0000_9000  control page   shared with VMM
//! 0x0000_a000  host call slots, shared with VMM
//! 0x0000_b000  boot strings (argv, envp, cwd; up to 0x0008_0000; longer ones lie after the ring)
//! 0x0010_0000  guest kernel image (ELF)          IMAGE_BASE + address
//!      …       boot page tables
//!      …       event ring
//!      …       free frames, up to the end of RAM DIRECT_MAP + address
//!
//! 0x0000_0000_0000_0000 … USER_END               the workload's own half
//! 0xffff_8880_0000_0000   DIRECT_MAP             all of guest RAM, 2 MiB pages
//! 0xffff_ffff_8000_0000   IMAGE_BASE             the first 64 MiB of guest RAM
//! ```
//!
//! In deprivileged mode everything that the kernel uses is mapped user-accessible; the ring-0 tables
//! (GDT, TSS, IDT) are not. In privileged mode the whole upper half is supervisor only.

/// Bytes in a page.
pub const PAGE_SIZE: u64 = 4096;
/// Bytes in a large page.
pub const HUGE_PAGE_SIZE: u64 = 2 << 20;

/// Guest physical address of the global descriptor table.
pub const GDT: u64 = 0x1000;
/// Guest physical address of the task-state segment.
pub const TSS: u64 = 0x2000;
/// Guest physical address of the interrupt descriptor table.
pub const IDT: u64 = 0x3000;
/// Guest physical address of [`crate::boot::BootInfo`].
pub const BOOT_INFO: u64 = 0x8000;
/// Guest physical address of [`crate::shared::ControlPage`].
pub const CONTROL_PAGE: u64 = 0x9000;
/// Guest physical address of the [`crate::hostcall::HostCallSlot`]s.
pub const HOST_CALL_SLOTS: u64 = 0xa000;
/// Guest physical address of the boot strings, when they fit below [`BOOT_STRINGS_END`].
pub const BOOT_STRINGS: u64 = 0xb000;
/// End of the low area for boot strings.
pub const BOOT_STRINGS_END: u64 = 0x8_0000;
/// Guest physical address at which the kernel's image starts.
pub const KERNEL_IMAGE: u64 = 0x10_0000;

/// Virtual base of the mapping that holds the kernel's image: −2 GiB.
pub const IMAGE_BASE: u64 = 0xffff_ffff_8000_0000;
/// How much of guest RAM is mapped at [`IMAGE_BASE`].
pub const IMAGE_MAP_BYTES: u64 = 64 << 20;
/// Virtual base of the direct map of guest RAM. PML4 slot 273: a software-virtualised KVM refuses ring 3
/// the slots below it.
pub const DIRECT_MAP: u64 = 0xffff_8880_0000_0000;
/// First address that a workload cannot map: the top page of the lower half stays free, as on Linux.
pub const USER_END: u64 = 0x0000_7fff_ffff_f000;
/// Lowest address that mmap gives out (`vm.mmap_min_addr`).
pub const USER_MIN: u64 = 0x1_0000;

/// Offset in the TSS of the I/O permission bitmap, and the TSS's `I/O map base` word. The VMM fills in both before the kernel starts
/// and the kernel leaves them alone: in deprivileged mode they, not IOPL (which software-virtualised KVM drops), let ring 3 use the
/// doorbell ports; in privileged mode they let it use none.
pub const TSS_IO_BITMAP: u64 = 0x68;
/// Offset in the TSS of the `I/O map base` word.
pub const TSS_IO_MAP_BASE: u64 = 0x66;
/// The TSS's limit: its 104 bytes and a bitmap of the ports below 32, with the closing byte of ones.
pub const TSS_LIMIT: u32 = 0x68 + 4;

/// Selector of ring-0 code.
pub const KERNEL_CS: u16 = 0x10;
/// Selector of ring-0 data.
pub const KERNEL_SS: u16 = 0x18;
/// Selector of ring-3 data, as Linux has it.
pub const USER_SS: u16 = 0x2b;
/// Selector of 64-bit ring-3 code, as Linux has it.
pub const USER_CS: u16 = 0x33;
/// Selector of the task-state segment.
pub const TSS_SELECTOR: u16 = 0x40;
/// The STAR register: SYSCALL loads 0x10/0x18, SYSRET 0x33/0x2b.
pub const STAR: u64 = 0x0023_0010_0000_0000;
/// SFMASK in privileged mode: TF, IF, DF, IOPL, NT and AC are cleared at SYSCALL.
pub const SFMASK_PRIVILEGED: u64 = 0x0004_7700;
/// SFMASK in deprivileged mode: as above without IF and IOPL. Software-virtualised KVM never sets IF again once ring 3
/// has cleared it, and the doorbell needs IOPL 3.
pub const SFMASK_DEPRIVILEGED: u64 = 0x0004_4500;

/// The vector that the VMM injects for everything: the reasons are in [`crate::shared::ControlPage::pending`].
pub const INTERRUPT_VECTOR: u8 = 0x40;

/// Doorbell ports. The guest kernel writes one byte (its value means nothing) with `out %al, $port`.
pub mod port {
    /// A host call waits in the slot of this vCPU.
    pub const HOST_CALL: u16 = 0x10;
    /// Nothing is runnable: the VMM resumes the vCPU when `pending` is not zero or the timer deadline has passed.
    pub const IDLE: u16 = 0x11;
    /// The event ring is full: the VMM resumes the vCPU when there is room.
    pub const RING_FULL: u16 = 0x12;
    /// The kernel panicked; the text is in the control page.
    pub const PANIC: u16 = 0x13;
    /// Early debug output: the byte in AL goes to the VMM's log.
    pub const DEBUG: u16 = 0x14;
    /// Marks used by `vitrine doctor` and the bench to time primitives from inside: no work, straight back.
    pub const NOP: u16 = 0x15;
}
