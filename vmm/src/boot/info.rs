//! What the guest kernel is told about its workload: [`Workload`] and its encoding as `vitrine_abi::boot::BootInfo` plus strings.

use vitrine_abi::boot::{ABI_VERSION, BootInfo, ConsoleFd, MAGIC, Region, TerminalModes};
use vitrine_abi::layout::{BOOT_STRINGS, BOOT_STRINGS_END};
use zerocopy::FromZeros;

/// Supplementary groups that fit.
pub const MAX_GROUPS: usize = 64;

/// The program to run and the circumstances that it finds.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Arguments, `argv[0]` as the caller wrote it. No string holds a NUL.
    pub argv: Vec<Vec<u8>>,
    /// Environment, `NAME=value` each.
    pub env: Vec<Vec<u8>>,
    /// Path of the executable, from `cwd` if it isn't absolute.
    pub program: Vec<u8>,
    /// Working directory, absolute.
    pub cwd: Vec<u8>,
    /// Host name.
    pub hostname: Vec<u8>,
    /// `vitrine_abi::boot::FLAG_*`.
    pub flags: u64,
    /// Standard input, output and error.
    pub console: [ConsoleFd; 3],
    /// Rows, columns, and pixels.
    pub winsize: [u16; 4],
    /// Modes of the caller's terminal; all zero without one.
    pub terminal: TerminalModes,
    /// Bytes before the guest's OOM killer acts; 0: all of RAM.
    pub memory_limit: u64,
    /// Most tasks at once.
    pub max_tasks: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups; those past [`MAX_GROUPS`] are left out.
    pub groups: Vec<u32>,
    /// umask.
    pub umask: u32,
    /// Niceness.
    pub nice: i32,
    /// Soft and hard limits by RLIMIT number.
    pub rlimits: [[u64; 2]; 16],
    /// Seed of the guest's random numbers.
    pub seed: [u8; 64],
    /// The filter in force from the start (`vitrine_abi::filter`), encoded; empty: `flags` decide.
    pub filter: Vec<u8>,
    /// Bytes of buffers and of strings that a trace captures; 0: the guest kernel's choice.
    pub trace_limits: [u32; 2],
}

impl Workload {
    /// The strings, in the order that `BootInfo::strings` describes.
    pub(super) fn strings(&self) -> Vec<u8> {
        let tail = [&self.cwd, &self.hostname, &self.program];
        let all = || self.argv.iter().chain(&self.env).chain(tail);
        let mut bytes = Vec::with_capacity(all().map(|string| string.len() + 1).sum());
        for string in all() {
            bytes.extend_from_slice(string);
            bytes.push(0);
        }
        bytes
    }

    /// The fields that the workload decides; the caller fills in the rest.
    pub(super) fn boot_info(&self) -> BootInfo {
        let mut info = BootInfo::new_zeroed();
        info.magic = MAGIC;
        info.version = ABI_VERSION;
        info.flags = self.flags;
        info.console = self.console;
        info.winsize = self.winsize;
        info.terminal = self.terminal;
        info.memory_limit = self.memory_limit;
        info.max_tasks = self.max_tasks;
        info.argc = u32::try_from(self.argv.len()).unwrap_or(u32::MAX);
        info.envc = u32::try_from(self.env.len()).unwrap_or(u32::MAX);
        info.uid = self.uid;
        info.gid = self.gid;
        info.umask = self.umask;
        let groups = self.groups.len().min(MAX_GROUPS);
        info.groups[..groups].copy_from_slice(&self.groups[..groups]);
        info.group_count = groups as u32;
        info.nice = self.nice;
        info.seed = self.seed;
        info.rlimits = self.rlimits;
        [info.trace_buffer, info.trace_string] = self.trace_limits;
        info
    }

    /// The terminal's size as `ControlPage::winsize` holds it.
    pub(super) fn winsize_word(&self) -> u64 {
        winsize_word(self.winsize)
    }
}

/// Rows, columns and pixels, 16 bits each from the lowest.
pub fn winsize_word(winsize: [u16; 4]) -> u64 {
    winsize
        .iter()
        .rev()
        .fold(0, |word, &part| word << 16 | u64::from(part))
}

/// Where the strings go: the low area, or behind the ring at `behind`.
pub(super) fn place_strings(strings: &[u8], behind: u64) -> Region {
    let len = strings.len() as u64;
    let addr = if len <= BOOT_STRINGS_END - BOOT_STRINGS {
        BOOT_STRINGS
    } else {
        behind
    };
    Region { addr, len }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_strings_lie_low_and_long_ones_behind_the_ring() {
        assert_eq!(place_strings(&[0; 100], 1 << 24).addr, BOOT_STRINGS);
        assert_eq!(place_strings(&vec![0; 2 << 20], 1 << 24).addr, 1 << 24);
    }

    #[test]
    fn winsize_packs_rows_lowest() {
        assert_eq!(
            winsize_word([24, 80, 3, 4]),
            4 << 48 | 3 << 32 | 80 << 16 | 24
        );
    }
}
