//! Where a trace goes: standard error, a file, a command's input, or a file for each process.
//!
//! The jail opens no files once a sandbox runs. So files for processes yet to come are written by a helper, the same binary outside of the jail,
//! that is told `thread, length, bytes` over a pipe and can do nothing else.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use vitrine_introspect::print::split::Opener;

use super::options::Strace;
use super::{Ending, say};
use crate::log::Stderr;

/// The word that makes `vitrine strace` the helper that writes a file for each process.
pub const SPLITTER: &str = "--split-output-of-vitrine";
/// Most bytes that the helper is told at once.
const MAX_FRAME: usize = 1 << 20;

/// The opened outputs of a run.
pub struct Outputs {
    target: Target,
    helper: Option<OwnedFd>,
}

#[derive(Clone)]
enum Target {
    Stderr,
    Shared(Arc<Mutex<Option<Box<dyn Write + Send>>>>),
}

impl Outputs {
    /// Opens what the options name.
    pub fn open(strace: &Strace) -> Result<Outputs, String> {
        let Some(name) = &strace.output else {
            return Ok(Outputs {
                target: Target::Stderr,
                helper: None,
            });
        };
        if strace.separately {
            let mut command = Command::new("/proc/self/exe");
            command.arg("strace").arg(SPLITTER).arg(name);
            command.arg(if strace.append { "append" } else { "create" });
            command.stdout(Stdio::null());
            return Outputs::piped(command);
        }
        if let Some(line) = name
            .as_bytes()
            .strip_prefix(b"|")
            .or(name.as_bytes().strip_prefix(b"!"))
        {
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(OsStr::from_bytes(line));
            return Outputs::piped(command);
        }
        let file = open(name, strace.append)
            .map_err(|cause| format!("Can't fopen '{}': {}", name.display(), reason(&cause)))?;
        let writer = BufWriter::with_capacity(256 << 10, file);
        Ok(Outputs {
            target: Target::Shared(Arc::new(Mutex::new(Some(Box::new(writer))))),
            helper: None,
        })
    }

    fn piped(mut command: Command) -> Result<Outputs, String> {
        let (child, stdin) = command
            .stdin(Stdio::piped())
            .spawn()
            .and_then(|mut child| {
                let stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
                Ok((child, stdin))
            })
            .map_err(|cause| format!("starting a command for the output: {}", reason(&cause)))?;
        let writer: BufWriter<ChildStdin> = BufWriter::with_capacity(64 << 10, stdin);
        Ok(Outputs {
            target: Target::Shared(Arc::new(Mutex::new(Some(Box::new(writer))))),
            helper: watch(&child),
        })
    }

    /// A writer to the one output.
    pub fn writer(&self) -> Box<dyn Write + Send> {
        match &self.target {
            Target::Stderr => Box::new(BufWriter::with_capacity(64 << 10, Stderr)),
            shared => Box::new(shared.clone()),
        }
    }

    /// Opens outputs of threads.
    pub fn opener(&self) -> Opener {
        let target = self.target.clone();
        Box::new(move |tid| {
            let mut writer = Framed {
                tid,
                target: target.clone(),
            };
            // The file is there even if nothing comes.
            writer.frame(&[])?;
            Ok(Box::new(writer))
        })
    }

    /// Closes the outputs, and waits until a command that they go to has ended.
    pub fn finish(&mut self) {
        if let Target::Shared(writer) = &self.target
            && let Ok(mut writer) = writer.lock()
        {
            drop(writer.take());
        }
        if let Some(helper) = self.helper.take() {
            let mut ended = [PollFd::new(&helper, PollFlags::IN)];
            while let Err(rustix::io::Errno::INTR) = rustix::event::poll(&mut ended, None) {}
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::Stderr => Stderr.write(bytes),
            Target::Shared(writer) => match writer.lock() {
                Ok(mut writer) => match writer.as_mut() {
                    Some(writer) => writer.write_all(bytes).map(|()| bytes.len()),
                    None => Ok(bytes.len()),
                },
                Err(_) => Ok(bytes.len()),
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Target::Shared(writer) = self
            && let Ok(mut writer) = writer.lock()
            && let Some(writer) = writer.as_mut()
        {
            return writer.flush();
        }
        Ok(())
    }
}

/// Tells the helper what to write to a thread's file.
struct Framed {
    tid: i32,
    target: Target,
}

impl Framed {
    fn frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(bytes.len() + 8);
        frame.extend_from_slice(&self.tid.to_le_bytes());
        frame.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        frame.extend_from_slice(bytes);
        self.target.write_all(&frame)
    }
}

impl Write for Framed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = &bytes[..bytes.len().min(MAX_FRAME)];
        self.frame(taken)?;
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

/// Becomes readable when the child has ended; within the jail nobody can wait for it.
fn watch(child: &Child) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(child.id()).ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

fn open(name: &OsStr, append: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    if append {
        options.append(true);
    } else {
        options.truncate(true);
    }
    options.open(name)
}

/// The system's words for an error, without Rust's number behind them.
fn reason(cause: &io::Error) -> String {
    let text = cause.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// The helper: writes `PREFIX.THREAD` files from what comes on standard input.
pub fn split_main(words: &[OsString]) -> Ending {
    let [prefix, mode] = words else {
        return Ending::Status(1);
    };
    // A terminal's signals are for the sandbox, whose end closes the pipe.
    let _ = nix::sys::signal::SigSet::all().thread_block();
    let mut input = io::BufReader::with_capacity(MAX_FRAME, io::stdin().lock());
    let mut files: HashMap<i32, File> = HashMap::new();
    let mut head = [0; 8];
    let mut bytes = Vec::new();
    while input.read_exact(&mut head).is_ok() {
        let tid = i32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        if len > MAX_FRAME {
            return Ending::Status(1);
        }
        bytes.resize(len, 0);
        if input.read_exact(&mut bytes).is_err() {
            break;
        }
        let mut name = prefix.as_bytes().to_vec();
        name.extend_from_slice(format!(".{tid}").as_bytes());
        let name = OsString::from_vec(name);
        // Descriptors are few: the files of those that have written least lately are opened anew.
        if files.len() >= 256 && !files.contains_key(&tid) {
            files.clear();
        }
        let written = match files.entry(tid) {
            std::collections::hash_map::Entry::Occupied(mut entry) => {
                entry.get_mut().write_all(&bytes)
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                // A thread's first frame is empty and makes the file; all others add to it.
                let append = mode == "append" || !bytes.is_empty();
                open(&name, append).and_then(|file| entry.insert(file).write_all(&bytes))
            }
        };
        if let Err(cause) = written {
            say(&format!(
                "Can't fopen '{}': {}",
                name.display(),
                reason(&cause)
            ));
            return Ending::Status(1);
        }
    }
    Ending::Status(0)
}
