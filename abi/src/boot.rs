//! What the VMM tells the guest kernel at boot. It lies at [`crate::layout::BOOT_INFO`]; its strings lie elsewhere in
//! guest memory and are named by guest physical address and length.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First word of [`BootInfo`]: `VITRINE\0`, little endian.
pub const MAGIC: u64 = u64::from_le_bytes(*b"VITRINE\0");
/// Version of everything in this crate that both sides share at run time.
pub const ABI_VERSION: u32 = 1;

/// [`BootInfo::mode`]: the kernel runs in ring 0.
pub const MODE_PRIVILEGED: u32 = 0;
/// [`BootInfo::mode`]: the kernel runs in ring 3 beside the workload; ring 0 is two stubs.
pub const MODE_DEPRIVILEGED: u32 = 1;

/// A piece of guest physical memory.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Region {
    /// Guest physical address of the first byte.
    pub addr: u64,
    /// Length in bytes.
    pub len: u64,
}

/// One of the workload's standard descriptors, as the VMM's caller handed it over.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ConsoleFd {
    /// 0 closed, 1 terminal, 2 pipe, 3 regular file, 4 character device such as /dev/null, 5 socket.
    pub kind: u32,
    /// `st_mode` of the host's descriptor.
    pub mode: u32,
    /// `st_dev` of the host's descriptor.
    pub dev: u64,
    /// `st_ino` of the host's descriptor.
    pub ino: u64,
    /// `st_rdev` of the host's descriptor.
    pub rdev: u64,
    /// `st_size` of the host's descriptor, for a regular file.
    pub size: u64,
    /// File status flags (`F_GETFL`) of the host's descriptor.
    pub flags: u32,
    /// Explicit padding.
    pub pad: u32,
}

/// Modes of the caller's terminal, which the guest's starts with (termios(3)).
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct TerminalModes {
    /// `c_iflag`.
    pub input: u32,
    /// `c_oflag`.
    pub output: u32,
    /// `c_cflag`; zero: there is no terminal.
    pub control: u32,
    /// `c_lflag`.
    pub local: u32,
    /// `c_cc`, as long as the kernel's.
    pub characters: [u8; 19],
    /// Explicit padding.
    pub pad: [u8; 5],
}

/// [`BootInfo::flags`]: trace every system call from the first one on.
pub const FLAG_TRACE_ALL: u64 = 1 << 0;
/// [`BootInfo::flags`]: a full event ring drops and counts instead of blocking the guest.
pub const FLAG_LOSSY: u64 = 1 << 1;
/// [`BootInfo::flags`]: the kernel times its own primitives (bare SYSCALL, fault) and reports them (`vitrine doctor`).
pub const FLAG_SELF_BENCH: u64 = 1 << 2;

/// [`BootInfo::flags`]: each recorded call carries the address that it was made from (`event::field::RIP`).
pub const FLAG_TRACE_RIP: u64 = 1 << 8;
/// [`BootInfo::flags`]: environments are captured, not only counted.
pub const FLAG_TRACE_ENVIRONMENT: u64 = 1 << 9;
/// [`BootInfo::flags`]: from this bit on, the groups of events that are written besides ([`crate::event::change::group`], 8 bits).
pub const TRACE_GROUPS_SHIFT: u32 = 24;

/// The boot information. Written once by the VMM before the first instruction.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct BootInfo {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`ABI_VERSION`].
    pub version: u32,
    /// [`MODE_PRIVILEGED`] or [`MODE_DEPRIVILEGED`].
    pub mode: u32,
    /// Bits `FLAG_*`.
    pub flags: u64,
    /// Bytes of guest RAM, from guest physical 0.
    pub ram_bytes: u64,
    /// The first guest physical address that nothing occupies, page aligned: frames from here to the end of RAM are free
    /// and zero.
    pub free_start: u64,
    /// The loaded kernel image.
    pub kernel_image: Region,
    /// Guest physical address of the boot PML4. Its upper half is copied into every address space.
    pub boot_pml4: u64,
    /// The event ring: [`crate::shared::RingHeader`] and its data.
    pub ring: Region,
    /// The guest's TSC frequency in kHz; 0 if the VMM could not learn it.
    pub tsc_khz: u64,
    /// Standard input, output and error.
    pub console: [ConsoleFd; 3],
    /// Terminal size at boot: rows, columns, width and height in pixels (`struct winsize`); zero without a terminal.
    pub winsize: [u16; 4],
    /// Bytes of workload memory before the guest's OOM killer acts; 0: all of RAM.
    pub memory_limit: u64,
    /// Most tasks at once (`--max-processes`).
    pub max_tasks: u32,
    /// `argc`.
    pub argc: u32,
    /// Number of environment strings.
    pub envc: u32,
    /// The workload's credentials: user id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Initial umask.
    pub umask: u32,
    /// NUL-terminated strings one after the other: `argc` arguments, then `envc` environment strings, then the working
    /// directory, then the host name. The program to run is `argv[0]`, already looked up in PATH, in the string
    /// that follows the host name.
    pub strings: Region,
    /// Supplementary groups, as many as `group_count`.
    pub groups: [u32; 64],
    /// How many of `groups` are meant.
    pub group_count: u32,
    /// Niceness the workload starts with (−20…19).
    pub nice: i32,
    /// Seed of the guest's random number generator.
    pub seed: [u8; 64],
    /// CPU features that the VMM allows the guest: XCR0 as set for the vCPU.
    pub xcr0: u64,
    /// The calling process's resource limits (getrlimit(2)), soft and hard, by RLIMIT number.
    pub rlimits: [[u64; 2]; 16],
    /// Modes of the caller's terminal.
    pub terminal: TerminalModes,
    /// Bytes of a buffer's contents that a trace captures; 0: as many as the kernel deems right.
    pub trace_buffer: u32,
    /// Bytes of a string (other than a path) that a trace captures; 0: as many as the kernel deems right.
    pub trace_string: u32,
    /// The filter in force from the first call on, as a blob of [`crate::filter`]; empty: the flags alone decide.
    pub filter: Region,
    /// Where later requests carry their contents ([`crate::shared::ControlPage::request_kind`]); empty: there are none.
    pub mailbox: Region,
}
