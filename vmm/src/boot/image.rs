//! The guest kernel's image: parsed from ELF, checked, copied into RAM.

use std::ops::Range;

use object::elf::{FileHeader64, PF_W, PF_X, PT_LOAD};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{LittleEndian, Object, ObjectSymbol};
use vitrine_abi::layout::{IMAGE_BASE, IMAGE_MAP_BYTES, KERNEL_IMAGE, PAGE_SIZE};

use crate::kvm::{GuestRam, MemoryError};

/// The image that this binary carries.
static EMBEDDED: &[u8] = include_bytes!(env!("VITRINE_GUEST_KERNEL"));

/// What is wrong with an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Not an ELF of the right kind.
    #[error("reading the guest kernel's ELF: {0}; rebuild vitrine")]
    Elf(#[from] object::Error),
    /// A segment where it must not be.
    #[error(
        "the guest kernel has a segment at {0:#x}, outside of its window at -2 GiB, or not on a page of its own; rebuild vitrine"
    )]
    Segment(u64),
    /// A symbol that the boot needs.
    #[error("the guest kernel has no symbol `{0}`; rebuild vitrine")]
    Symbol(String),
    /// It doesn't fit.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// A piece of the image.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Virtual address, at or above `IMAGE_BASE + KERNEL_IMAGE`.
    pub addr: u64,
    /// Bytes in memory; what exceeds `data` is zero.
    pub len: u64,
    /// Contents.
    pub data: &'a [u8],
    /// May be written.
    pub writable: bool,
    /// May be executed.
    pub executable: bool,
}

impl Segment<'_> {
    /// The pages that it occupies, as guest physical addresses.
    pub fn pages(&self) -> Range<u64> {
        let start = self.addr - IMAGE_BASE;
        (start & !(PAGE_SIZE - 1))..(start + self.len).next_multiple_of(PAGE_SIZE)
    }
}

/// A kernel image.
#[derive(Clone, Debug)]
pub struct KernelImage<'a> {
    entry: u64,
    segments: Vec<Segment<'a>>,
    symbols: Vec<(String, u64)>,
}

/// The symbols that the VMM asks for.
const WANTED: [&str; 4] = [
    "boot_stack_top",
    "syscall_entry_privileged",
    "syscall_entry_deprivileged",
    "_start",
];

impl KernelImage<'static> {
    /// The image that was built with this binary.
    pub fn embedded() -> Result<Self, ImageError> {
        KernelImage::from_elf(EMBEDDED)
    }
}

impl<'a> KernelImage<'a> {
    /// Reads an ELF executable.
    pub fn from_elf(elf: &'a [u8]) -> Result<Self, ImageError> {
        let header = FileHeader64::<LittleEndian>::parse(elf)?;
        let mut segments = Vec::new();
        for program in header.program_headers(LittleEndian, elf)? {
            let len = program.p_memsz(LittleEndian);
            if program.p_type(LittleEndian) != PT_LOAD || len == 0 {
                continue;
            }
            let addr = program.p_vaddr(LittleEndian);
            let data = program
                .data(LittleEndian, elf)
                .map_err(|()| ImageError::Segment(addr))?;
            segments.push(Segment {
                addr,
                len,
                data,
                writable: program.p_flags(LittleEndian) & PF_W == PF_W,
                executable: program.p_flags(LittleEndian) & PF_X == PF_X,
            });
        }
        let file = ElfFile64::<LittleEndian>::parse(elf)?;
        let mut symbols = Vec::new();
        for symbol in file.symbols() {
            let Ok(name) = symbol.name() else { continue };
            if WANTED.contains(&name) && !symbol.is_undefined() {
                symbols.push((name.to_owned(), symbol.address()));
                if symbols.len() == WANTED.len() {
                    break;
                }
            }
        }
        KernelImage::new(file.entry(), segments, symbols)
    }

    /// An image made of parts.
    pub fn new(
        entry: u64,
        mut segments: Vec<Segment<'a>>,
        symbols: Vec<(String, u64)>,
    ) -> Result<Self, ImageError> {
        let window = IMAGE_BASE + KERNEL_IMAGE..IMAGE_BASE + IMAGE_MAP_BYTES;
        segments.sort_by_key(|segment| segment.addr);
        let mut free = KERNEL_IMAGE;
        for segment in &segments {
            let addr = segment.addr;
            let inside = window.contains(&addr)
                && segment.data.len() as u64 <= segment.len
                && segment.len <= window.end - addr;
            if !inside || segment.pages().start < free {
                return Err(ImageError::Segment(addr));
            }
            free = segment.pages().end;
        }
        let image = KernelImage {
            entry,
            segments,
            symbols,
        };
        if image.text().contains(&entry) {
            Ok(image)
        } else {
            Err(ImageError::Symbol("_start".to_owned()))
        }
    }

    /// The first instruction.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// The pieces, by address.
    pub fn segments(&self) -> &[Segment<'a>] {
        &self.segments
    }

    /// Address of one of the few symbols that a boot needs.
    pub fn symbol(&self, name: &str) -> Result<u64, ImageError> {
        self.symbols
            .iter()
            .find(|(known, _)| known == name)
            .map(|&(_, addr)| addr)
            .ok_or_else(|| ImageError::Symbol(name.to_owned()))
    }

    /// Virtual addresses from the first to the last executable page.
    pub fn text(&self) -> Range<u64> {
        let code = || self.segments.iter().filter(|segment| segment.executable);
        let start = code().map(|segment| segment.pages().start).min();
        let end = code().map(|segment| segment.pages().end).max();
        match (start, end) {
            (Some(start), Some(end)) => IMAGE_BASE + start..IMAGE_BASE + end,
            _ => 0..0,
        }
    }

    /// Guest physical address of the first page after the image.
    pub fn end(&self) -> u64 {
        self.segments
            .iter()
            .map(|segment| segment.pages().end)
            .max()
            .unwrap_or(KERNEL_IMAGE)
    }

    /// Copies the image to where it belongs in fresh (zero) RAM.
    pub fn copy_to(&self, ram: &GuestRam) -> Result<(), ImageError> {
        for segment in &self.segments {
            let pages = segment.pages();
            if !ram.contains(pages.start, pages.end - pages.start) {
                return Err(MemoryError::OutOfRange {
                    addr: pages.start,
                    len: pages.end - pages.start,
                }
                .into());
            }
            ram.write(segment.addr - IMAGE_BASE, segment.data)?;
        }
        Ok(())
    }
}
