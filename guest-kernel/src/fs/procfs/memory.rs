//! /proc/PID/maps, smaps, mem, cmdline and environ: what lies in a process's memory.

use super::{
    super::{
        Description, File, FileOps, Inode, Metadata, Sink, Source, StatFs,
        pseudo::{self, Context, Text},
    },
    subject::Subject,
};
use crate::{
    Errno, SysResult,
    mm::space::{AddressSpace, MappingInfo, Prot},
};
use alloc::{sync::Arc, sync::Weak, vec::Vec};
use core::any::Any;
use linux_raw_sys::general::*;

/// Most bytes of arguments or environment that are shown.
const ARGUMENTS_MAX: u64 = 8 << 20;
/// Column at which a mapping's name stands.
const NAME_COLUMN: usize = 73;

/// Major and minor of a device number as stat gives it.
pub fn split_dev(dev: u64) -> (u64, u64) {
    (dev >> 8 & 0xfff, dev & 0xff | dev >> 12 & 0xf_ff00)
}

fn mapping_line(out: &mut Text, mapping: &MappingInfo) {
    let start = out.len();
    let flag = |bit, c| if mapping.prot.contains(bit) { c } else { '-' };
    let (dev, ino) = mapping.object.as_ref().map_or((0, 0), |o| (o.dev, o.ino));
    let (major, minor) = split_dev(dev);
    out.put(format_args!(
        "{:08x}-{:08x} {}{}{}{} {:08x} {major:02x}:{minor:02x} {ino} ",
        mapping.start,
        mapping.end,
        flag(Prot::READ, 'r'),
        flag(Prot::WRITE, 'w'),
        flag(Prot::EXEC, 'x'),
        if mapping.shared { 's' } else { 'p' },
        mapping.offset,
    ));
    let name = match (&mapping.object, &mapping.name) {
        (Some(object), _) => Some(&object.path[..]),
        (None, Some(name)) => Some(name.as_bytes()),
        (None, None) => None,
    };
    if let Some(name) = name {
        let width = out.len() - start;
        for _ in width..NAME_COLUMN {
            out.bytes(b" ");
        }
        out.escaped(name, b"\n");
    }
    out.bytes(b"\n");
}

fn mappings(subject: &Subject) -> Result<Vec<MappingInfo>, Errno> {
    subject.process()?;
    // A zombie has no memory, and an empty list.
    subject
        .space()
        .map_or_else(|_| Ok(Vec::new()), |space| space.mappings())
}

/// /proc/PID/maps.
pub fn maps(subject: &Subject) -> Result<Text, Errno> {
    let mut out = Text::new();
    for mapping in mappings(subject)? {
        mapping_line(&mut out, &mapping);
    }
    Ok(out)
}

/// Bytes present in a mapping, by kind.
#[derive(Default)]
struct Present {
    rss: u64,
    anonymous: u64,
    shared: u64,
}

fn present(mapping: &MappingInfo) -> Present {
    let rss = mapping.resident;
    // Which pages of a private file mapping were written isn't recorded: a writable one counts as written.
    let private_copy = mapping.object.is_none() || mapping.prot.contains(Prot::WRITE);
    let anonymous = if private_copy && !mapping.shared {
        rss
    } else {
        0
    };
    Present {
        rss,
        anonymous,
        shared: if mapping.shared { rss } else { 0 },
    }
}

fn size_lines(out: &mut Text, p: &Present, rollup: bool) {
    let clean = p.rss.saturating_sub(p.anonymous + p.shared);
    let mut line = |name: &str, bytes: u64| {
        out.put(format_args!("{name:<16}{:>8} kB\n", bytes / 1024));
    };
    line("Rss:", p.rss);
    line("Pss:", p.rss);
    line("Pss_Dirty:", p.anonymous);
    if rollup {
        line("Pss_Anon:", p.anonymous);
        line("Pss_File:", clean);
        line("Pss_Shmem:", p.shared);
    }
    line("Shared_Clean:", p.shared);
    line("Shared_Dirty:", 0);
    line("Private_Clean:", clean);
    line("Private_Dirty:", p.anonymous);
    line("Referenced:", p.rss);
    line("Anonymous:", p.anonymous);
    for name in [
        "KSM:",
        "LazyFree:",
        "AnonHugePages:",
        "ShmemPmdMapped:",
        "FilePmdMapped:",
        "Shared_Hugetlb:",
        "Private_Hugetlb:",
        "Swap:",
        "SwapPss:",
        "Locked:",
    ] {
        line(name, 0);
    }
}

/// /proc/PID/smaps.
pub fn smaps(subject: &Subject) -> Result<Text, Errno> {
    let mut out = Text::new();
    for mapping in mappings(subject)? {
        mapping_line(&mut out, &mapping);
        let size = mapping.end.saturating_sub(mapping.start);
        for (name, bytes) in [
            ("Size:", size),
            ("KernelPageSize:", 4096),
            ("MMUPageSize:", 4096),
        ] {
            out.put(format_args!("{name:<16}{:>8} kB\n", bytes / 1024));
        }
        size_lines(&mut out, &present(&mapping), false);
        out.put(format_args!("THPeligible:    {:>8}\nVmFlags: ", 0));
        for (bit, name) in [
            (Prot::READ, "rd "),
            (Prot::WRITE, "wr "),
            (Prot::EXEC, "ex "),
        ] {
            if mapping.prot.contains(bit) {
                out.bytes(name.as_bytes());
            }
        }
        out.bytes(if mapping.shared {
            b"sh mr mw me ms \n"
        } else {
            b"mr mw me \n"
        });
    }
    Ok(out)
}

/// /proc/PID/smaps_rollup.
pub fn smaps_rollup(subject: &Subject) -> Result<Text, Errno> {
    let all = mappings(subject)?;
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        return Err(Errno::ESRCH);
    };
    let mut out = Text::new();
    out.put(format_args!(
        "{:08x}-{:08x} ---p 00000000 00:00 0 ",
        first.start, last.end
    ));
    for _ in out.len()..NAME_COLUMN {
        out.bytes(b" ");
    }
    out.bytes(b"[rollup]\n");
    let mut sum = Present::default();
    for part in all.iter().map(present) {
        sum.rss += part.rss;
        sum.anonymous += part.anonymous;
        sum.shared += part.shared;
    }
    size_lines(&mut out, &sum, true);
    Ok(out)
}

fn read_range(space: &AddressSpace, start: u64, end: u64) -> Result<Vec<u8>, Errno> {
    let len = end.saturating_sub(start).min(ARGUMENTS_MAX) as usize;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(len, 0);
    let got = space.read(start, &mut bytes).unwrap_or(0);
    bytes.truncate(got);
    Ok(bytes)
}

/// /proc/PID/cmdline: from the process's memory, since programs overwrite it to name themselves.
pub fn cmdline(subject: &Subject) -> Result<Text, Errno> {
    let process = subject.process()?;
    let Ok(space) = subject.space() else {
        return Ok(Text::new());
    };
    let (arguments, environment) = {
        let given = process.arguments.lock();
        (given.arg_range, given.env_range)
    };
    let mut bytes = read_range(&space, arguments.0, arguments.1)?;
    // A title that overwrote the last argument's end goes on into the environment, up to its NUL.
    if bytes.last().is_some_and(|last| *last != 0) && arguments.1 == environment.0 {
        bytes = read_range(&space, arguments.0, environment.1)?;
        if let Some(end) = bytes.iter().position(|b| *b == 0) {
            bytes.truncate(end + 1);
        }
    }
    Ok(Text::from(bytes))
}

/// /proc/PID/environ: the memory where the environment was at exec.
pub fn environ(subject: &Subject) -> Result<Text, Errno> {
    let process = subject.process()?;
    let Ok(space) = subject.space() else {
        return Ok(Text::new());
    };
    let (start, end) = process.arguments.lock().env_range;
    read_range(&space, start, end).map(Text::from)
}

/// /proc/PID/mem.
pub fn mem(subject: &Subject, ino: u64) -> Arc<dyn Inode> {
    Arc::new(MemNode {
        subject: subject.clone(),
        ino,
    })
}

#[derive(Clone)]
struct MemNode {
    subject: Subject,
    ino: u64,
}

impl Inode for MemNode {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        let owner = self.subject.owner();
        Ok(pseudo::attributes(
            pseudo::PROC_DEV,
            self.ino,
            S_IFREG | 0o600,
            owner,
        ))
    }

    fn open(&self, _flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        self.subject.may_inspect()?;
        let space = self.subject.space();
        Ok(Arc::new(MemFile {
            node: self.clone(),
            // The memory that the process had when it was opened, as long as it lasts.
            space: space.map_or_else(|_| Weak::new(), |space| Arc::downgrade(&space)),
        }))
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(pseudo::empty_statfs(pseudo::PROC_MAGIC))
    }
}

struct MemFile {
    node: MemNode,
    space: Weak<AddressSpace>,
}

/// Bytes copied at a time.
const CHUNK: usize = 4096;

impl FileOps for MemFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        let position = *file.position.lock();
        let n = self.read_at(file, position, out)?;
        *file.position.lock() = position.wrapping_add(n as u64);
        Ok(n)
    }

    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        let position = *file.position.lock();
        let n = self.write_at(file, position, src)?;
        *file.position.lock() = position.wrapping_add(n as u64);
        Ok(n)
    }

    fn read_at(&self, _file: &File, offset: u64, out: &mut dyn Sink) -> SysResult {
        let Some(space) = self.space.upgrade() else {
            return Ok(0);
        };
        let mut buf = alloc::vec![0; CHUNK];
        let mut done = 0;
        while out.room() > 0 {
            let part = out.room().min(CHUNK);
            let from = offset.wrapping_add(done as u64);
            let n = match space.read(from, &mut buf[..part]) {
                Ok(n) if n > 0 => n.min(part),
                _ if done == 0 => return Err(Errno::EIO),
                _ => break,
            };
            match out.put(&buf[..n]) {
                Ok(put) => done += put,
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
            if n < part {
                break;
            }
        }
        Ok(done)
    }

    fn write_at(&self, _file: &File, offset: u64, src: &mut dyn Source) -> SysResult {
        let Some(space) = self.space.upgrade() else {
            return Ok(0);
        };
        let mut buf = alloc::vec![0; CHUNK];
        let mut done = 0;
        while src.left() > 0 {
            let n = match src.take(&mut buf) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            };
            let to = offset.wrapping_add(done as u64);
            match space.write(to, &buf[..n]) {
                Ok(written) if written > 0 => {
                    done += written;
                    if written < n {
                        break;
                    }
                }
                _ if done == 0 => return Err(Errno::EIO),
                _ => break,
            }
        }
        Ok(done)
    }

    fn seek(&self, file: &File, offset: i64, whence: u32) -> SysResult {
        // Any address is a position, also those that are negative numbers.
        let mut position = file.position.lock();
        *position = match whence {
            SEEK_SET => offset as u64,
            SEEK_CUR => position.wrapping_add(offset as u64),
            _ => return Err(Errno::EINVAL),
        };
        Ok(*position as usize)
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        self.node.metadata()
    }

    fn describe(&self, file: &File) -> Description {
        pseudo::describe("file", file, b"?")
    }
}
