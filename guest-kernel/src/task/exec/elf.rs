//! ELF programs: headers, checked as the hostile input that they are, and segments, mapped from the file.

use crate::{
    Errno,
    mm::{
        MemoryObject,
        space::{AddressSpace, Backing, MapRequest, Prot},
    },
};
use alloc::{sync::Arc, vec::Vec};
use vitrine_abi::layout::{PAGE_SIZE, USER_END, USER_MIN};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const EM_X86_64: u16 = 62;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_GNU_STACK: u32 = 0x6474_e551;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const PF_R: u32 = 4;
/// Most bytes of program headers that Linux reads.
const MAX_HEADERS: usize = 65536;
/// Alignments beyond it are ignored: they'd only push the program out of its range.
const MAX_ALIGN: u64 = 1 << 30;

/// `Elf64_Ehdr`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Header {
    ident: [u8; 16],
    kind: u16,
    machine: u16,
    version: u32,
    entry: u64,
    phoff: u64,
    shoff: u64,
    flags: u32,
    ehsize: u16,
    phentsize: u16,
    phnum: u16,
    shentsize: u16,
    shnum: u16,
    shstrndx: u16,
}

/// `Elf64_Phdr`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    vaddr: u64,
    paddr: u64,
    filesz: u64,
    memsz: u64,
    align: u64,
}

/// A file's contents: its pages, and how many bytes of them count.
#[derive(Clone)]
pub struct Contents {
    /// The pages.
    pub object: Arc<dyn MemoryObject>,
    /// Length in bytes.
    pub size: u64,
}

/// A program's file whose headers were read.
pub struct Elf {
    contents: Contents,
    header: Header,
    segments: Vec<Segment>,
}

/// Where a program that is not bound to addresses goes.
#[derive(Clone, Copy)]
pub enum Placement {
    /// Around this address.
    At(u64),
    /// Where the address space has room: interpreters.
    Anywhere,
}

/// A mapped program.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    /// What was added to its addresses (AT_BASE, for an interpreter).
    pub bias: u64,
    /// Where it starts.
    pub entry: u64,
    /// Address of its program headers (AT_PHDR); 0: they are not mapped.
    pub headers: u64,
    /// Number of program headers (AT_PHNUM).
    pub header_count: u16,
    /// Page after its last one: where the heap may start.
    pub end: u64,
}

impl Contents {
    /// Reads bytes; `EIO` if they don't all exist.
    fn read_exact(&self, offset: u64, buf: &mut [u8]) -> Result<(), Errno> {
        let end = offset.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > self.size) {
            return Err(Errno::EIO);
        }
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let in_page = (at % PAGE_SIZE) as usize;
            let count = (PAGE_SIZE as usize - in_page).min(buf.len() - done);
            let page = self.object.page(at / PAGE_SIZE, false)?;
            page.read(in_page, &mut buf[done..done + count]);
            done += count;
        }
        Ok(())
    }

    /// The first bytes, with NULs after the file's end.
    pub fn head<const N: usize>(&self) -> Result<[u8; N], Errno> {
        let mut head = [0; N];
        let count = N.min(usize::try_from(self.size).unwrap_or(N));
        self.read_exact(0, &mut head[..count])?;
        Ok(head)
    }
}

fn page_down(addr: u64) -> u64 {
    addr & !(PAGE_SIZE - 1)
}

/// Of addresses within the user's half, which all were checked to be.
fn page_up(addr: u64) -> u64 {
    page_down(addr + (PAGE_SIZE - 1))
}

impl Segment {
    fn prot(&self) -> Prot {
        let mut prot = Prot::empty();
        prot.set(Prot::READ, self.flags & PF_R != 0);
        prot.set(Prot::WRITE, self.flags & PF_W != 0);
        prot.set(Prot::EXEC, self.flags & PF_X != 0);
        prot
    }

    /// Its own address range, if Linux would map it.
    fn range(&self) -> Result<(u64, u64), Errno> {
        let end = self.vaddr.checked_add(self.memsz).ok_or(Errno::EINVAL)?;
        let file_end = self.offset.checked_add(self.filesz);
        let misplaced = self.filesz > 0 && !(self.vaddr ^ self.offset).is_multiple_of(PAGE_SIZE);
        if self.filesz > self.memsz || file_end.is_none() || misplaced {
            return Err(Errno::EINVAL);
        }
        if end > USER_END {
            return Err(Errno::ENOMEM);
        }
        Ok((self.vaddr, end))
    }
}

impl Elf {
    /// Reads and checks the headers; `ENOEXEC` for what this kernel can't run. (Linux doesn't look at the class in `e_ident` either.)
    pub fn parse(contents: Contents) -> Result<Elf, Errno> {
        let head: [u8; size_of::<Header>()] = contents.head()?;
        let header: Header = zerocopy::transmute!(head);
        let right_kind = header.ident.starts_with(b"\x7fELF")
            && [ET_EXEC, ET_DYN].contains(&header.kind)
            && header.machine == EM_X86_64
            && header.phentsize as usize == size_of::<Segment>();
        let table = header.phnum as usize * size_of::<Segment>();
        if !right_kind || table == 0 || table > MAX_HEADERS {
            return Err(Errno::ENOEXEC);
        }
        let mut segments = Vec::new();
        segments
            .try_reserve_exact(header.phnum as usize)
            .map_err(|_| Errno::ENOMEM)?;
        segments.resize(header.phnum as usize, Segment::new_zeroed());
        let bytes = segments.as_mut_slice().as_mut_bytes();
        contents
            .read_exact(header.phoff, bytes)
            .map_err(|error| match error {
                Errno::EIO => Errno::ENOEXEC,
                other => other,
            })?;
        Ok(Elf {
            contents,
            header,
            segments,
        })
    }

    /// Path of the interpreter that it asks for (PT_INTERP).
    pub fn interpreter(&self) -> Result<Option<Vec<u8>>, Errno> {
        let Some(segment) = self.segments.iter().find(|s| s.kind == PT_INTERP) else {
            return Ok(None);
        };
        if !(2..=4096).contains(&segment.filesz) {
            return Err(Errno::ENOEXEC);
        }
        let mut path = alloc::vec![0; segment.filesz as usize];
        self.contents.read_exact(segment.offset, &mut path)?;
        if path.pop() != Some(0) {
            return Err(Errno::ENOEXEC);
        }
        let end = path
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(path.len());
        path.truncate(end);
        Ok(Some(path))
    }

    /// Whether it isn't bound to addresses: a PIE, or a shared object.
    pub fn is_position_independent(&self) -> bool {
        self.header.kind == ET_DYN
    }

    /// Whether it wants its stack executable: says so, or is too old to say.
    pub fn executable_stack(&self) -> bool {
        let stack = self.segments.iter().find(|s| s.kind == PT_GNU_STACK);
        stack.is_some_and(|s| s.flags & PF_X != 0)
    }

    fn loads(&self) -> impl Iterator<Item = &Segment> {
        self.segments
            .iter()
            .filter(|s| s.kind == PT_LOAD && s.memsz > 0)
    }

    /// Maps all segments.
    pub fn load(&self, space: &AddressSpace, placement: Placement) -> Result<Loaded, Errno> {
        let (mut low, mut high, mut align) = (u64::MAX, 0, PAGE_SIZE);
        for segment in self.loads() {
            let (start, end) = segment.range()?;
            low = low.min(page_down(start));
            high = high.max(page_up(end));
            if segment.align.is_power_of_two() && segment.align <= MAX_ALIGN {
                align = align.max(segment.align);
            }
        }
        if low >= high {
            return Err(Errno::ENOEXEC);
        }
        let bias = if self.header.kind == ET_EXEC {
            if low < USER_MIN {
                return Err(Errno::EPERM);
            }
            0
        } else {
            let base = match placement {
                Placement::At(wanted) => wanted & !(align - 1),
                Placement::Anywhere => reserve(space, high - low, align)?,
            };
            // It wraps where the program's own addresses start above its place; each sum does so back again.
            base.wrapping_sub(low & !(align - 1))
        };
        if bias.wrapping_add(high) > USER_END || bias.wrapping_add(low) < USER_MIN {
            return Err(Errno::ENOMEM);
        }
        for segment in self.loads() {
            self.map(space, segment, bias)?;
        }
        let table = self.header.phoff;
        let holds = |s: &&Segment| s.offset <= table && table - s.offset < s.filesz;
        let headers = self.loads().find(holds).map_or(0, |s| {
            bias.wrapping_add(s.vaddr).wrapping_add(table - s.offset)
        });
        Ok(Loaded {
            bias,
            entry: bias.wrapping_add(self.header.entry),
            headers,
            header_count: self.header.phnum,
            end: bias.wrapping_add(high),
        })
    }

    fn map(&self, space: &AddressSpace, segment: &Segment, bias: u64) -> Result<(), Errno> {
        let start = bias.wrapping_add(segment.vaddr);
        let file_end = start + segment.filesz;
        let end = start + segment.memsz;
        let prot = segment.prot();
        let first = page_down(start);
        let mut anonymous_from = first;
        if segment.filesz > 0 {
            anonymous_from = page_up(file_end);
            let offset = page_down(segment.offset);
            let backing = Backing::Object(self.contents.object.clone(), offset);
            space.map(&request(first, anonymous_from - first, prot, backing))?;
            let tail = (anonymous_from - file_end).min(end - file_end) as usize;
            if tail > 0 && segment.flags & PF_W != 0 {
                let zeros = [0; PAGE_SIZE as usize];
                let cleared = (anonymous_from - file_end) as usize;
                if space.write(file_end, &zeros[..cleared])? < cleared {
                    return Err(Errno::EFAULT);
                }
            }
        }
        let anonymous_end = page_up(end);
        if anonymous_end > anonymous_from {
            let len = anonymous_end - anonymous_from;
            space.map(&request(anonymous_from, len, prot, Backing::Anonymous))?;
        }
        Ok(())
    }
}

fn request(addr: u64, len: u64, prot: Prot, backing: Backing) -> MapRequest {
    MapRequest {
        addr,
        len,
        prot,
        shared: false,
        fixed: true,
        no_replace: false,
        populate: false,
        grows_down: false,
        backing,
        name: None,
        max_prot: Prot::all(),
    }
}

/// A free, aligned range of a space that nobody else uses yet.
pub fn reserve(space: &AddressSpace, len: u64, align: u64) -> Result<u64, Errno> {
    let wanted = len.checked_add(align - PAGE_SIZE).ok_or(Errno::ENOMEM)?;
    let anywhere = MapRequest {
        fixed: false,
        ..request(0, wanted, Prot::empty(), Backing::Anonymous)
    };
    let start = space.map(&anywhere)?;
    space.unmap(start, wanted)?;
    Ok((start + (align - 1)) & !(align - 1))
}
