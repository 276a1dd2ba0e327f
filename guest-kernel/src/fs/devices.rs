//! Character devices: which operations a device number has.
//!
//! [`open`] serves every device node, wherever it lies; `/dev` itself is [`super::devfs`].

use super::{
    Description, File, FileOps, Metadata, PollEvents, PollTable, Sink, Source, devfs, devpts,
    pseudo, pty,
    tty::{Name, TtyFile, job},
};
use crate::{
    Errno, SysResult,
    mm::{MemoryObject, frame::Frame, user},
    random, sched,
    sync::{Interruptible, Mutex},
};
use alloc::{collections::BTreeMap, sync::Arc};
use core::any::Any;
use pseudo::makedev;

/// /dev/null.
pub const NULL: u64 = makedev(1, 3);
/// /dev/zero.
pub const ZERO: u64 = makedev(1, 5);
/// /dev/full.
pub const FULL: u64 = makedev(1, 7);
/// /dev/random.
pub const RANDOM: u64 = makedev(1, 8);
/// /dev/urandom.
pub const URANDOM: u64 = makedev(1, 9);
/// /dev/tty.
pub const TTY: u64 = makedev(5, 0);
/// /dev/console.
pub const CONSOLE: u64 = makedev(5, 1);
/// /dev/ptmx.
pub const PTMX: u64 = makedev(5, 2);

/// Opens the device with this number; `ENXIO` if there is none.
pub fn open(rdev: u64, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
    Ok(match rdev {
        NULL => Arc::new(MemoryDevice(Memory::Null)),
        ZERO => Arc::new(MemoryDevice(Memory::Zero)),
        FULL => Arc::new(MemoryDevice(Memory::Full)),
        RANDOM => Arc::new(MemoryDevice(Memory::Random)),
        URANDOM => Arc::new(MemoryDevice(Memory::Urandom)),
        TTY => {
            let tty = job::current_terminal().ok_or(Errno::ENXIO)?;
            TtyFile::open(&tty, Name::Controlling, flags)?
        }
        CONSOLE => {
            let tty = super::console::terminal().ok_or(Errno::ENODEV)?;
            TtyFile::open(&tty, Name::Console, flags)?
        }
        PTMX => pty::open_master()?,
        _ => {
            let tty = devpts::by_rdev(rdev).ok_or(Errno::ENXIO)?;
            TtyFile::open(&tty, Name::Slave, flags)?
        }
    })
}

/// Attributes of the node in /dev that has this number.
pub fn metadata(rdev: u64) -> Result<Metadata, Errno> {
    devfs::node(rdev).ok_or(Errno::ENXIO)?.metadata()
}

/// The devices of mem(4) and random(4).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    Null,
    Zero,
    Full,
    Random,
    Urandom,
}

struct MemoryDevice(Memory);

/// Random bytes made at a time.
const RANDOM_CHUNK: usize = 4096;
/// `RNDGETENTCNT`.
const RNDGETENTCNT: u32 = 0x8004_5200;
/// `RNDADDTOENTCNT`, `RNDADDENTROPY`, `RNDZAPENTCNT`, `RNDCLEARPOOL`, `RNDRESEEDCRNG`.
const RND_PRIVILEGED: [u32; 5] = [0x4004_5201, 0x4008_5203, 0x5204, 0x5206, 0x5207];

fn put_zeros(out: &mut dyn Sink) -> SysResult {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    fill(out, |room| &ZEROS[..room.min(ZEROS.len())])
}

/// Puts what `next` gives until there is no room or a signal comes.
fn fill<'a>(out: &mut dyn Sink, mut next: impl FnMut(usize) -> &'a [u8]) -> SysResult {
    let mut done = 0;
    while out.room() > 0 {
        let data = next(out.room());
        match out.put(data) {
            Ok(n) => {
                done += n;
                if n < data.len() {
                    break;
                }
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
        if sched::current().interrupted(Interruptible::Yes) {
            break;
        }
    }
    Ok(done)
}

fn put_random(out: &mut dyn Sink) -> SysResult {
    let mut buf = alloc::vec![0; out.room().min(RANDOM_CHUNK)];
    let mut done = 0;
    while out.room() > 0 {
        let part = out.room().min(buf.len());
        random::fill(&mut buf[..part]);
        match out.put(&buf[..part]) {
            Ok(n) => {
                done += n;
                if n < part {
                    break;
                }
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
        if sched::current().interrupted(Interruptible::Yes) {
            break;
        }
    }
    Ok(done)
}

impl FileOps for MemoryDevice {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, _file: &File, out: &mut dyn Sink) -> SysResult {
        match self.0 {
            Memory::Null => Ok(0),
            Memory::Zero | Memory::Full => put_zeros(out),
            Memory::Random | Memory::Urandom => put_random(out),
        }
    }

    fn write(&self, _file: &File, src: &mut dyn Source) -> SysResult {
        match self.0 {
            // As on Linux, nobody looks at what is written to these.
            Memory::Null | Memory::Zero => Ok(src.left()),
            Memory::Full => Err(Errno::ENOSPC),
            Memory::Random | Memory::Urandom => {
                let mut done = 0;
                let mut buf = [0; 256];
                while src.left() > 0 {
                    match src.take(&mut buf) {
                        Ok(0) => break,
                        Ok(n) => {
                            random::mix(&buf[..n]);
                            done += n;
                        }
                        Err(e) if done == 0 => return Err(e),
                        Err(_) => break,
                    }
                }
                Ok(done)
            }
        }
    }

    fn read_at(&self, file: &File, _offset: u64, out: &mut dyn Sink) -> SysResult {
        self.read(file, out)
    }

    fn write_at(&self, file: &File, _offset: u64, src: &mut dyn Source) -> SysResult {
        self.write(file, src)
    }

    fn seek(&self, file: &File, _offset: i64, _whence: u32) -> SysResult {
        *file.position.lock() = 0;
        Ok(0)
    }

    fn poll(&self, _file: &File, _table: &mut PollTable) -> PollEvents {
        PollEvents::IN | PollEvents::OUT | PollEvents::RDNORM | PollEvents::WRNORM
    }

    fn ioctl(&self, _file: &File, request: u32, arg: u64) -> SysResult {
        match self.0 {
            Memory::Random | Memory::Urandom if request == RNDGETENTCNT => {
                user::write(arg, &256u32)?;
                Ok(0)
            }
            Memory::Random | Memory::Urandom if RND_PRIVILEGED.contains(&request) => {
                Err(Errno::EPERM)
            }
            Memory::Random | Memory::Urandom => Err(Errno::EINVAL),
            _ => Err(Errno::ENOTTY),
        }
    }

    fn object(&self) -> Result<Arc<dyn MemoryObject>, Errno> {
        match self.0 {
            Memory::Zero => Ok(Arc::new(ZeroObject {
                pages: Mutex::new(BTreeMap::new()),
            })),
            _ => Err(Errno::ENODEV),
        }
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        metadata(match self.0 {
            Memory::Null => NULL,
            Memory::Zero => ZERO,
            Memory::Full => FULL,
            Memory::Random => RANDOM,
            Memory::Urandom => URANDOM,
        })
    }

    fn describe(&self, file: &File) -> Description {
        let path: &[u8] = match self.0 {
            Memory::Null => b"/dev/null",
            Memory::Zero => b"/dev/zero",
            Memory::Full => b"/dev/full",
            Memory::Random => b"/dev/random",
            Memory::Urandom => b"/dev/urandom",
        };
        pseudo::describe("char", file, path)
    }
}

/// What one mapping of /dev/zero shows: anonymous memory.
struct ZeroObject {
    pages: Mutex<BTreeMap<u64, Frame>>,
}

impl MemoryObject for ZeroObject {
    fn page(&self, index: u64, _write: bool) -> Result<Frame, Errno> {
        let mut pages = self.pages.lock();
        if let Some(frame) = pages.get(&index) {
            return Ok(frame.clone());
        }
        let frame = Frame::zeroed()?;
        pages.insert(index, frame.clone());
        Ok(frame)
    }
}
