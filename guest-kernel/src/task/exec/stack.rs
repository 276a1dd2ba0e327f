//! The stack that a program starts with: argc, argv, envp, the auxiliary vector, and the strings that they point to.

use super::elf::Loaded;
use crate::{
    Errno, arch,
    mm::space::{AddressSpace, Backing, MapRequest, Prot},
    signal,
    task::{Credentials, ExecArguments, rseq},
};
use alloc::{sync::Arc, vec::Vec};
use linux_raw_sys::auxvec::*;
use vitrine_abi::layout::{PAGE_SIZE, USER_END};

/// What is mapped below the first stack pointer; the rest grows.
const ROOM: u64 = 128 << 10;
const PLATFORM: &[u8] = b"x86_64\0";
/// `sysconf(_SC_CLK_TCK)`.
const CLOCK_TICKS: u64 = 100;
/// AT_HWCAP2: the FSGSBASE instructions may be used.
const HWCAP2_FSGSBASE: u64 = 1 << 1;

/// What goes onto the stack.
pub struct Contents<'a> {
    /// Arguments.
    pub argv: &'a [Arc<[u8]>],
    /// Environment.
    pub envp: &'a [Arc<[u8]>],
    /// The name that execve was given (AT_EXECFN).
    pub name: &'a [u8],
    /// The program.
    pub program: Loaded,
    /// Load address of its interpreter (AT_BASE); 0: it has none.
    pub interpreter: u64,
    /// Address of the vDSO.
    pub vdso: u64,
    /// Ids that it runs with.
    pub credentials: &'a Credentials,
    /// AT_SECURE.
    pub secure: bool,
    /// 16 random bytes (AT_RANDOM).
    pub random: [u8; 16],
    /// Bytes that the stack's top is moved down by.
    pub shift: u64,
    /// Whether its pages may be executed.
    pub executable: bool,
}

/// A part of the stack that is filled in the kernel and copied out at once.
struct Image {
    base: u64,
    bytes: Vec<u8>,
}

impl Image {
    /// Stores at an address; all addresses are computed from the same lengths as the image's.
    fn put(&mut self, addr: u64, data: &[u8]) {
        let from = addr.wrapping_sub(self.base) as usize;
        let to = from.saturating_add(data.len());
        if let Some(place) = self.bytes.get_mut(from..to) {
            place.copy_from_slice(data);
        }
    }

    /// Stores strings with their NULs one after the other; their addresses, and where they end.
    fn put_strings(&mut self, mut addr: u64, strings: &[Arc<[u8]>]) -> (Vec<u64>, u64) {
        let mut addresses = Vec::with_capacity(strings.len());
        for string in strings {
            addresses.push(addr);
            self.put(addr, string);
            addr += string.len() as u64 + 1;
        }
        (addresses, addr)
    }
}

fn total(strings: &[Arc<[u8]>]) -> u64 {
    strings.iter().map(|string| string.len() as u64 + 1).sum()
}

/// Maps and fills the stack: the first stack pointer, and what /proc shows.
pub fn build(space: &AddressSpace, contents: &Contents<'_>) -> Result<(u64, ExecArguments), Errno> {
    let Contents {
        argv, envp, name, ..
    } = contents;
    // From the top down: a null word, the name, the environment, the arguments, random bytes and platform, the arrays.
    let top = (USER_END - contents.shift) & !15;
    let name_at = top - 8 - (name.len() as u64 + 1);
    let env_at = name_at - total(envp);
    let arg_at = env_at - total(argv);
    let random_at = (arg_at - 32) & !15;
    let platform_at = random_at + 16;
    let auxv = auxiliary_vector(contents, name_at, platform_at, random_at);
    let words = 1 + argv.len() + 1 + envp.len() + 1 + 2 * auxv.len();
    let pointer = (random_at - 8 * words as u64) & !15;

    let start = (pointer & !(PAGE_SIZE - 1))
        .checked_sub(ROOM)
        .ok_or(Errno::ENOMEM)?;
    map(
        space,
        start,
        top.next_multiple_of(PAGE_SIZE),
        contents.executable,
    )?;

    let mut bytes = Vec::new();
    let len = (top - pointer) as usize;
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(len, 0);
    let mut image = Image {
        base: pointer,
        bytes,
    };
    let (argv_pointers, arg_end) = image.put_strings(arg_at, argv);
    let (envp_pointers, env_end) = image.put_strings(env_at, envp);
    image.put(name_at, name);
    image.put(platform_at, PLATFORM);
    image.put(random_at, &contents.random);
    let array = [argv.len() as u64].into_iter();
    let array = array
        .chain(argv_pointers)
        .chain([0])
        .chain(envp_pointers)
        .chain([0]);
    let array = array.chain(auxv.iter().flatten().copied());
    for (index, word) in array.enumerate() {
        image.put(pointer + 8 * index as u64, &word.to_ne_bytes());
    }
    if space.write(pointer, &image.bytes)? < image.bytes.len() {
        return Err(Errno::EFAULT);
    }
    let arguments = ExecArguments {
        argv: argv.to_vec(),
        envp: envp.to_vec(),
        arg_range: (arg_at, arg_end),
        env_range: (env_at, env_end),
        auxv,
    };
    Ok((pointer, arguments))
}

fn map(space: &AddressSpace, start: u64, end: u64, executable: bool) -> Result<(), Errno> {
    let mut prot = Prot::READ | Prot::WRITE;
    prot.set(Prot::EXEC, executable);
    space.map(&MapRequest {
        addr: start,
        len: end - start,
        prot,
        shared: false,
        fixed: true,
        no_replace: false,
        populate: false,
        grows_down: true,
        backing: Backing::Anonymous,
        name: Some("[stack]"),
        max_prot: Prot::all(),
    })?;
    Ok(())
}

fn auxiliary_vector(
    contents: &Contents<'_>,
    name: u64,
    platform: u64,
    random: u64,
) -> Vec<[u64; 2]> {
    let credentials = contents.credentials;
    let program = contents.program;
    let entries = [
        (AT_SYSINFO_EHDR, contents.vdso),
        (AT_MINSIGSTKSZ, signal::min_stack_size() as u64),
        (AT_HWCAP, arch::cpu_features() as u64),
        (AT_PAGESZ, PAGE_SIZE),
        (AT_CLKTCK, CLOCK_TICKS),
        (AT_PHDR, program.headers),
        (AT_PHENT, 56),
        (AT_PHNUM, program.header_count as u64),
        (AT_BASE, contents.interpreter),
        (AT_FLAGS, 0),
        (AT_ENTRY, program.entry),
        (AT_UID, credentials.uid as u64),
        (AT_EUID, credentials.euid as u64),
        (AT_GID, credentials.gid as u64),
        (AT_EGID, credentials.egid as u64),
        (AT_SECURE, contents.secure as u64),
        (AT_RANDOM, random),
        (AT_HWCAP2, HWCAP2_FSGSBASE),
        (AT_EXECFN, name),
        (AT_PLATFORM, platform),
        (AT_RSEQ_FEATURE_SIZE, rseq::FEATURE_SIZE),
        (AT_RSEQ_ALIGN, rseq::ALIGN),
        (AT_NULL, 0),
    ];
    entries
        .iter()
        .map(|(kind, value)| [*kind as u64, *value])
        .collect()
}
