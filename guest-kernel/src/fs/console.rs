//! The workload's standard descriptors as the VMM's caller handed them over.
//!
//! A terminal becomes a guest [`Tty`] whose other side is the host's terminal (in raw mode: echo and output processing are the guest's). A
//! regular file becomes a [`HostFile`], whose position is the caller's; a pipe, device or socket becomes a [`Stream`]: bytes as they come,
//! with the host's attributes.

mod host_file;
mod mapped;
mod stream;

use super::{
    File, Location, devfs, devices, devpts,
    tty::{Name, Termios1, Tty, TtyBackend, TtyFile, Winsize, job},
};
use crate::{Errno, hostcall, sync::WaitQueue};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering};
use host_file::HostFile;
use linux_raw_sys::general::*;
use spin::Once;
use stream::Stream;
use vitrine_abi::boot::{BootInfo, ConsoleFd};

/// [`ConsoleFd::kind`]: closed.
const CLOSED: u32 = 0;
/// [`ConsoleFd::kind`]: terminal.
const TERMINAL: u32 = 1;
/// [`ConsoleFd::kind`]: regular file.
const REGULAR: u32 = 3;
/// [`ConsoleFd::kind`]: character device.
const CHARACTER_DEVICE: u32 = 4;

/// Bytes that go to the host at a time.
const CHUNK: usize = 64 << 10;

/// The console's terminals.
#[derive(Default)]
struct Terminals {
    /// The one that controls the first session.
    main: Option<Arc<Tty>>,
    /// The one that standard input is.
    input: Option<Arc<Tty>>,
}

static TERMINALS: Once<Terminals> = Once::new();

/// The terminal of the console, if a standard descriptor is one.
pub fn terminal() -> Option<Arc<Tty>> {
    TERMINALS.get()?.main.clone()
}

/// The open files for descriptors 0, 1 and 2 of the first process, whose pid, process group and session are 1. To be called once.
pub fn standard_files(boot: &BootInfo) -> [Option<Arc<File>>; 3] {
    let mut files: [Option<Arc<File>>; 3] = [None, None, None];
    let mut terminals: Vec<(usize, Arc<Tty>)> = Vec::new();
    for (index, fd) in boot.console.iter().enumerate() {
        let same = |other: &usize| is_same(&boot.console[*other], fd);
        files[index] = match fd.kind {
            CLOSED => None,
            TERMINAL => {
                let known = terminals.iter().find(|(first, _)| same(first));
                let tty = match known {
                    Some((_, tty)) => Some(tty.clone()),
                    None => new_terminal(boot, index),
                };
                let Some(tty) = tty else { continue };
                let shared = (0..index).find(|other| {
                    same(other) && access_mode(&boot.console[*other]) == access_mode(fd)
                });
                terminals.push((index, tty.clone()));
                match shared {
                    Some(other) => files[other].clone(),
                    None => terminal_file(&tty, access_mode(fd)),
                }
            }
            CHARACTER_DEVICE if fd.rdev == devices::NULL => null_file(access_mode(fd)),
            _ => Some(stream_file(boot, index)),
        };
    }
    let input = terminals.iter().find(|(index, _)| *index == 0);
    let input = input.map(|(_, tty)| tty.clone());
    // Whoever has only its output on a terminal has that one for its controlling terminal.
    let main = input.clone();
    let main = main.or_else(|| terminals.last().map(|(_, tty)| tty.clone()));
    if let Some(tty) = &main {
        job::attach(tty, 1, 1);
    }
    TERMINALS.call_once(|| Terminals { main, input });
    pump_input();
    files
}

fn access_mode(fd: &ConsoleFd) -> u32 {
    fd.flags & O_ACCMODE
}

fn is_same(a: &ConsoleFd, b: &ConsoleFd) -> bool {
    a.kind == b.kind && a.dev == b.dev && a.ino == b.ino && a.rdev == b.rdev
}

fn new_terminal(boot: &BootInfo, index: usize) -> Option<Arc<Tty>> {
    let fd = boot.console.get(index)?;
    // Of the descriptors of one terminal, one that is meant for output is written to.
    let output = [1, 2, 0]
        .into_iter()
        .find(|other| is_same(&boot.console[*other], fd))?;
    let host = HostOutput::new(output as u32);
    let backend = HostTerminal {
        host,
        feeds_input: index == 0,
    };
    let tty = devpts::register(boot.uid, || Box::new(backend)).ok()?;
    let [rows, cols, x_pixels, y_pixels] = boot.winsize;
    tty.init_winsize(Winsize {
        rows,
        cols,
        x_pixels,
        y_pixels,
    });
    let modes = &boot.terminal;
    if modes.control != 0 {
        tty.init_modes(&Termios1 {
            iflag: modes.input,
            oflag: modes.output,
            cflag: modes.control,
            lflag: modes.local,
            line: 0,
            cc: modes.characters,
        });
    }
    Some(tty)
}

fn terminal_file(tty: &Arc<Tty>, access: u32) -> Option<Arc<File>> {
    let ops = TtyFile::attach(tty, Name::Slave).ok()?;
    Some(File::new(
        ops,
        access | O_LARGEFILE,
        Some(devpts::location(tty)),
    ))
}

fn null_file(access: u32) -> Option<Arc<File>> {
    let location = Location {
        inode: devfs::node(devices::NULL)?,
        path: Arc::from(&b"/dev/null"[..]),
    };
    let ops = devices::open(devices::NULL, access).ok()?;
    Some(File::new(ops, access | O_LARGEFILE, Some(location)))
}

fn stream_file(boot: &BootInfo, index: usize) -> Arc<File> {
    let fd = boot.console[index];
    if fd.kind == REGULAR {
        let file = HostFile {
            fd: index as u32,
            console: fd,
            reopened: false,
        };
        return File::new(Arc::new(file), file_flags(&fd), None);
    }
    let is = |other: usize| is_same(&boot.console[other], &fd);
    let output = match index {
        0 => [1, 2].into_iter().find(|other| is(*other)),
        _ => Some(index),
    };
    let stream = Stream {
        fd,
        reads: is(0),
        output: output.map(|fd| HostOutput::new(fd as u32)),
    };
    File::new(Arc::new(stream), file_flags(&fd), None)
}

/// What the guest's open file keeps of the flags of the caller's.
fn file_flags(fd: &ConsoleFd) -> u32 {
    fd.flags & (O_ACCMODE | O_APPEND) | O_LARGEFILE
}

/// Console input has arrived, or ended: feeds it to the terminal's line discipline, so that Ctrl-C works while nobody reads. To be called
/// from a task, between user instructions.
pub fn pump_input() {
    hostcall::console_input_queue().wake_all();
    feed_input();
}

/// Gives the line discipline what input there is and it has room for.
fn feed_input() {
    let Some(tty) = TERMINALS.get().and_then(|t| t.input.clone()) else {
        return;
    };
    let mut buf = [0; 1024];
    loop {
        let room = tty.input_room().min(buf.len());
        if room == 0 {
            return;
        }
        match hostcall::console_read(&mut buf[..room]) {
            Ok(0) => {
                tty.hang_up();
                return;
            }
            Ok(n) => {
                tty.receive(&buf[..n.min(room)]);
            }
            Err(_) => return,
        }
    }
}

/// Console output has room again (PENDING_CONSOLE_OUTPUT): echo that waited goes on, and writers do. To be called as [`pump_input`].
pub fn pump_output() {
    if let Some(terminals) = TERMINALS.get() {
        for tty in [&terminals.main, &terminals.input].into_iter().flatten() {
            tty.flush();
        }
    }
    hostcall::console_output_queue().wake_all();
}

/// The host's terminal has a new size.
pub fn winsize_changed(rows: u16, cols: u16, x_pixels: u16, y_pixels: u16) {
    if let Some(tty) = terminal() {
        tty.set_winsize(Winsize {
            rows,
            cols,
            x_pixels,
            y_pixels,
        });
    }
}

/// Output to a descriptor of the VMM's caller.
struct HostOutput {
    fd: u32,
    /// The output queue's generation at which the host last had no room, plus 1; 0: it had.
    stalled: AtomicU64,
}

impl HostOutput {
    fn new(fd: u32) -> HostOutput {
        HostOutput {
            fd,
            stalled: AtomicU64::new(0),
        }
    }

    fn write(&self, data: &[u8]) -> Result<usize, Errno> {
        let generation = hostcall::console_output_queue().generation();
        let n = hostcall::console_write(self.fd, data)?.min(data.len());
        let stalled = if n < data.len() { generation + 1 } else { 0 };
        self.stalled.store(stalled, Ordering::Relaxed);
        Ok(n)
    }

    /// Whether the host may have room: so unless a write found none and nothing was heard since.
    fn writable(&self) -> bool {
        let generation = hostcall::console_output_queue().generation();
        self.stalled.load(Ordering::Relaxed) != generation + 1
    }
}

/// The other side of a console terminal.
struct HostTerminal {
    host: HostOutput,
    feeds_input: bool,
}

impl TtyBackend for HostTerminal {
    fn write(&self, data: &[u8]) -> Result<usize, Errno> {
        self.host.write(data)
    }

    fn writable(&self) -> bool {
        self.host.writable()
    }

    fn output_queue(&self) -> Arc<WaitQueue> {
        hostcall::console_output_queue().clone()
    }

    fn input_drained(&self) {
        if self.feeds_input {
            feed_input();
        }
    }
}
