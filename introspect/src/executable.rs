//! What an executable file is: its hash, and what its ELF headers say. It may be anything: sizes that it names are checked before they are read.

use crate::{
    decode::put,
    print::json::{bytes_field, key_of, unsigned},
};
use object::{
    Endianness,
    elf::{self, FileHeader64},
    read::{
        ReadCache, ReadRef,
        elf::{Dyn, FileHeader, ProgramHeader},
    },
};
use sha2::{Digest, Sha256};
use std::io::{self, Read, Seek, SeekFrom, Write};
use vitrine_abi::event::change::FileItem;

/// Files up to this size are hashed.
pub const MAX_HASHED: u64 = 256 << 20;
/// Longest segment of notes, of dynamic entries, of a path that is read.
const MAX_SEGMENT: u64 = 1 << 20;
/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// What a file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// SHA-256 of its contents; `None`: it is longer than [`MAX_HASHED`].
    pub sha256: Option<[u8; 32]>,
    /// What its headers say; `None`: it isn't a 64-bit ELF file.
    pub elf: Option<Elf>,
}

/// An ELF file's properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// `e_type`.
    pub kind: u16,
    /// Entry point.
    pub entry: u64,
    /// The linker's build id.
    pub build_id: Option<Vec<u8>>,
    /// The program that loads it.
    pub interpreter: Option<Vec<u8>>,
    /// Whether it can lie anywhere.
    pub pie: bool,
    /// Whether its relocations become read-only.
    pub relro: bool,
    /// Whether that is so for all of them, as none is bound late.
    pub bind_now: bool,
    /// Whether its stack can't be executed.
    pub nx: bool,
}

/// Reads `file`.
pub fn identify(file: &mut (impl Read + Seek)) -> io::Result<Identity> {
    let size = file.seek(SeekFrom::End(0))?;
    let sha256 = if size <= MAX_HASHED {
        file.seek(SeekFrom::Start(0))?;
        Some(hash(file)?)
    } else {
        None
    };
    Ok(Identity {
        sha256,
        elf: headers(&ReadCache::new(file)),
    })
}

fn hash(file: &mut impl Read) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    // It may grow meanwhile.
    let mut left = MAX_HASHED;
    while left > 0 {
        let count = match file.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        if count == 0 {
            break;
        }
        hasher.update(chunk.get(..count).unwrap_or_default());
        left = left.saturating_sub(count as u64);
    }
    Ok(hasher.finalize().into())
}

fn headers<'a>(data: impl ReadRef<'a>) -> Option<Elf> {
    let header = FileHeader64::<Endianness>::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let mut found = Elf {
        kind: header.e_type(endian).0,
        entry: header.e_entry(endian),
        ..Elf::default()
    };
    for segment in header.program_headers(endian, data).ok()? {
        let kind = segment.p_type(endian);
        if kind == elf::PT_GNU_STACK {
            found.nx = segment.p_flags(endian).0 & elf::PF_X.0 == 0;
        } else if kind == elf::PT_GNU_RELRO {
            found.relro = true;
        }
        if segment.p_filesz(endian) > MAX_SEGMENT {
            continue;
        }
        if let Ok(Some(path)) = segment.interpreter(endian, data) {
            found.interpreter = Some(path.to_vec());
        }
        if let Ok(Some(entries)) = segment.dynamic(endian, data) {
            dynamic(&mut found, endian, entries);
        }
        if let Ok(Some(mut notes)) = segment.notes(endian, data) {
            while let Ok(Some(note)) = notes.next() {
                if note.name() == elf::ELF_NOTE_GNU
                    && note.n_type(endian) == elf::NT_GNU_BUILD_ID
                    && note.desc().len() <= 64
                {
                    found.build_id = Some(note.desc().to_vec());
                }
            }
        }
    }
    // A shared object that is executed is one, with an interpreter or (static) without.
    found.pie = header.e_type(endian) == elf::ET_DYN;
    Some(found)
}

fn dynamic(
    found: &mut Elf,
    endian: Endianness,
    entries: &[<FileHeader64<Endianness> as FileHeader>::Dyn],
) {
    const DF_BIND_NOW: u64 = 8;
    const DF_1_NOW: u64 = 1;
    for entry in entries {
        let (tag, value) = (entry.d_tag(endian), entry.d_val(endian));
        found.bind_now |= tag == elf::DT_BIND_NOW
            || tag == elf::DT_FLAGS && value & DF_BIND_NOW != 0
            || tag == elf::DT_FLAGS_1 && value & DF_1_NOW != 0;
    }
}

/// Appends `,"file":{…}`.
pub(crate) fn file_json(out: &mut Vec<u8>, file: &FileItem, identity: Option<&Identity>) {
    key_of(out, "file");
    let _ = write!(
        out,
        "{{\"size\":{},\"mtime_ns\":{},\"mode\":{},\"uid\":{},\"gid\":{},\"original\":{}",
        file.size,
        file.mtime_ns,
        file.mode,
        file.uid,
        file.gid,
        file.host != 0
    );
    if let Some(identity) = identity {
        key_of(out, "sha256");
        hex(out, identity.sha256.as_ref().map(|hash| &hash[..]));
        key_of(out, "elf");
        match &identity.elf {
            Some(elf) => elf_json(out, elf),
            None => put(out, "null"),
        }
    }
    out.push(b'}');
}

fn elf_json(out: &mut Vec<u8>, found: &Elf) {
    let kind = match found.kind {
        1 => "rel",
        2 => "exec",
        3 => "dyn",
        4 => "core",
        _ => "unknown",
    };
    let relro = match (found.relro, found.bind_now) {
        (false, _) => "none",
        (true, false) => "partial",
        (true, true) => "full",
    };
    let _ = write!(
        out,
        "{{\"kind\":\"{kind}\",\"pie\":{},\"relro\":\"{relro}\",\"nx\":{}",
        found.pie, found.nx
    );
    unsigned(out, "entry", found.entry);
    match &found.interpreter {
        Some(path) => bytes_field(out, "interpreter", path),
        None => put(out, ",\"interpreter\":null"),
    }
    key_of(out, "build_id");
    hex(out, found.build_id.as_deref());
    out.push(b'}');
}

/// Digits in quotes, or null.
fn hex(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else {
        return put(out, "null");
    };
    out.push(b'"');
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn what_runs_this_test() {
        let mut file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let found = identify(&mut file).unwrap();
        let elf = found.elf.unwrap();
        assert!(elf.pie && elf.nx && elf.entry != 0);
        assert!(
            elf.interpreter
                .is_some_and(|path| path.starts_with(b"/lib"))
        );
    }

    #[test]
    fn what_is_no_program_has_a_hash() {
        let found = identify(&mut Cursor::new(b"abc")).unwrap();
        assert_eq!(found.elf, None);
        assert_eq!(found.sha256.unwrap()[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    #[test]
    fn damaged_headers_do_no_harm() {
        let good = std::fs::read("/bin/true").unwrap();
        let mut random = 1u64;
        for _ in 0..2000 {
            let mut bytes = good.get(..good.len().min(8192)).unwrap().to_vec();
            for _ in 0..8 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let at = (random >> 33) as usize % 1024;
                bytes[at] = (random >> 20) as u8;
            }
            let _ = headers(&ReadCache::new(Cursor::new(bytes)));
        }
    }
}
