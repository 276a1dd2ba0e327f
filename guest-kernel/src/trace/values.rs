//! The values that filter programs read: the call's numbers, its strings, its task.
//!
//! A string is copied when a program first asks for it, and from then on a copy stands in for the argument ([`super::scratch`]), so that no
//! other thread can change it between the decision and its use. One that can't be read stays unreadable.

use super::{LIMITS, capture, pause::Place, scratch};
use crate::{Errno, arch, fs::File, mm::user, sched, task::Task, time};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;
use vitrine_abi::{
    event::ARG_RESULT,
    filter::{ActionEntry, Source, absolute, address, field},
    syscall::{self as table, ArgKind, Dir, Syscall},
};

/// PATH_MAX.
const PATH_MAX: usize = 4096;
/// An address that nobody can read, and not NULL: it lies in the first page.
const UNREADABLE: u64 = 8;
/// AT_FDCWD.
const AT_FDCWD: i32 = -100;

/// How a call ended.
#[derive(Clone, Copy)]
pub(super) struct Ended {
    /// Result as the program sees it, negated error numbers included.
    pub ret: i64,
    /// Duration, ticks of the time-stamp counter.
    pub ticks: u64,
}

/// What programs read of one call.
pub(super) struct Values<'a> {
    pub task: &'a Task,
    pub call: Option<&'static Syscall>,
    pub nr: u64,
    /// As the handler is to see them: pointers to what was looked at point to its copy.
    pub args: [u64; 6],
    /// As the program gave them.
    pub given: [u64; 6],
    pub ended: Option<Ended>,
    /// Where the program makes the call.
    pub place: Place,
    known: Known,
    text: Vec<u8>,
}

/// Most bytes of a socket address (`struct sockaddr_storage`).
const SOCKADDR_MAX: u64 = 128;

/// What was learnt of a call's arguments; the inner `None`: absent.
#[derive(Default)]
pub(super) struct Known {
    strings: [Option<Option<Vec<u8>>>; 6],
    /// Paths, absolute.
    full_paths: [Option<Option<Vec<u8>>>; 6],
    /// Kind, and path or text, of what descriptors refer to.
    descriptors: [Option<Option<(&'static str, Vec<u8>)>>; 6],
}

/// Arguments that programs read, by bits.
#[derive(Clone, Copy, Default)]
pub(super) struct Needs {
    pub strings: u8,
    pub descriptors: u8,
}

impl<'a> Values<'a> {
    pub fn new(
        task: &'a Task,
        call: Option<&'static Syscall>,
        nr: u64,
        args: [u64; 6],
    ) -> Values<'a> {
        Values {
            task,
            call,
            nr,
            args,
            given: args,
            ended: None,
            place: Place::default(),
            known: Known::default(),
            text: Vec::new(),
        }
    }

    /// For a call that has run: with what was learnt before it.
    pub fn after(task: &'a Task, nr: u64, args: [u64; 6], known: &mut Known) -> Values<'a> {
        Values {
            known: core::mem::take(known),
            ..Values::new(task, table::get(nr), nr, args)
        }
    }

    /// What was learnt.
    pub fn known(self) -> Known {
        self.known
    }

    /// Looks at what will be asked for when the call has run.
    pub fn learn(&mut self, needs: Needs) {
        for arg in 0..6 {
            if needs.strings & 1 << arg != 0 {
                self.full_path(arg);
            }
            if needs.descriptors & 1 << arg != 0 {
                self.descriptor(arg);
            }
        }
    }

    /// The string that argument `arg` is, captured now if it wasn't yet.
    pub fn argument(&mut self, arg: usize) -> Option<&[u8]> {
        if self.known.strings.get(arg)?.is_none() {
            let string = self.capture(arg);
            *self.known.strings.get_mut(arg)? = Some(string);
        }
        self.known.strings.get(arg)?.as_ref()?.as_deref()
    }

    /// The path that argument `arg` is, made absolute; for what is no path only the argument is captured.
    fn full_path(&mut self, arg: usize) -> Option<&[u8]> {
        if self.known.full_paths.get(arg)?.is_none() {
            let path = self.argument(arg).map(<[u8]>::to_vec);
            let is_path = self
                .call
                .is_some_and(|call| call.kind(&self.args, arg) == ArgKind::Path);
            let full = path.filter(|_| is_path).and_then(|path| {
                let base = self.base_of(arg, &path)?;
                Some(absolute(&base, &path))
            });
            self.known.full_paths[arg] = Some(full);
        }
        self.known.full_paths.get(arg)?.as_ref()?.as_deref()
    }

    /// The directory that the path in argument `arg` is relative to.
    fn base_of(&mut self, arg: usize, path: &[u8]) -> Option<Vec<u8>> {
        if path.first() == Some(&b'/') {
            return Some(Vec::new());
        }
        let before = arg.checked_sub(1);
        let directory = before.filter(|&before| {
            self.call
                .is_some_and(|call| call.kind(&self.args, before) == ArgKind::AtFd)
        });
        match directory {
            Some(before) => self.descriptor(before).map(|(_, path)| path.clone()),
            None => Some(self.describe(AT_FDCWD)?.1),
        }
    }

    /// Argument `arg` is this number from now on.
    pub fn set(&mut self, arg: usize, value: u64) {
        if let Some(place) = self.args.get_mut(arg) {
            *place = value;
            self.known.strings[arg] = None;
            self.known.descriptors[arg] = None;
            self.known.full_paths = Default::default();
        }
    }

    /// Argument `arg` points to `data` from now on.
    pub fn replace(&mut self, arg: usize, data: &[u8]) {
        let Ok(addr) = self.task.trace.scratch.put(arg, data) else {
            return;
        };
        self.set(arg, addr);
        if let Some(string) = self.known.strings.get_mut(arg) {
            *string = Some(Some(data.to_vec()));
        }
    }

    /// Argument `arg` points to a copy of its structure from now on in which a number is changed; what that was and is.
    pub fn replace_number(&mut self, action: &ActionEntry) -> Option<(u64, u64)> {
        let arg = usize::from(action.arg);
        let size = match self.call?.kind(&self.args, arg) {
            ArgKind::Struct(kind, Dir::In) => kind.size(),
            ArgKind::Structs(kind, Dir::In, count) => {
                let count = self.args.get(usize::from(count)).copied().unwrap_or(0);
                kind.size().checked_mul(usize::try_from(count).ok()?)?
            }
            _ => return None,
        };
        if size > scratch::MAX_BYTES || self.args[arg] == 0 {
            return None;
        }
        let mut data = alloc::vec![0; size];
        user::read_bytes(self.args[arg], &mut data).ok()?;
        let change = super::results::change_number(action, &mut data)?;
        self.replace(arg, &data);
        Some(change)
    }

    /// The arguments as a record shows them: numbers as they run, addresses as the program gave them.
    pub fn shown(&self) -> [u64; 6] {
        core::array::from_fn(|arg| {
            if self.is_stand_in(arg) {
                self.given[arg]
            } else {
                self.args[arg]
            }
        })
    }

    /// Whether what argument `arg` points to is a copy.
    pub fn is_stand_in(&self, arg: usize) -> bool {
        self.args[arg] != self.given[arg] && self.known.strings[arg].is_some()
    }

    fn capture(&mut self, arg: usize) -> Option<Vec<u8>> {
        let addr = self.args[arg];
        let kind = self.call?.kind(&self.args, arg);
        if addr == 0 {
            return None;
        }
        match kind {
            ArgKind::Path | ArgKind::Str => {
                // A string that isn't a path is captured to the same length: its end decides as much as its start.
                match user::read_cstr(addr, PATH_MAX) {
                    Ok(string) => {
                        self.args[arg] = self.stand_in(arg, &string);
                        Some(string)
                    }
                    Err(Errno::ENAMETOOLONG) => {
                        let start = long_string(addr);
                        if kind == ArgKind::Path {
                            self.args[arg] = self.stand_in(arg, &start);
                        }
                        Some(start)
                    }
                    Err(_) => {
                        self.args[arg] = UNREADABLE;
                        None
                    }
                }
            }
            ArgKind::BufIn(length) => {
                let len = self.args.get(length as usize).copied().unwrap_or(0);
                let limit = LIMITS.buffer.load(Ordering::Relaxed) as usize;
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                if len > scratch::MAX_BYTES {
                    let mut start = alloc::vec![0; limit];
                    return user::read_bytes(addr, &mut start).ok().map(|()| start);
                }
                let mut data = alloc::vec![0; len];
                if user::read_bytes(addr, &mut data).is_err() {
                    self.args[arg] = UNREADABLE;
                    return None;
                }
                self.args[arg] = self.stand_in(arg, &data);
                data.truncate(limit);
                Some(data)
            }
            ArgKind::SockAddr(length, Dir::In) => {
                let len = self.args.get(length as usize).copied().unwrap_or(0);
                let len = u64::from(len as u32);
                if len > SOCKADDR_MAX {
                    // The call refuses it, whatever it is.
                    return None;
                }
                let mut data = alloc::vec![0; len as usize];
                if user::read_bytes(addr, &mut data).is_err() {
                    self.args[arg] = UNREADABLE;
                    return None;
                }
                self.args[arg] = self.stand_in(arg, &data);
                Some(data)
            }
            _ => None,
        }
    }

    /// Puts a copy in the place of an argument; where there is no memory for one, nothing can be read.
    fn stand_in(&self, arg: usize, data: &[u8]) -> u64 {
        self.task.trace.scratch.put(arg, data).unwrap_or(UNREADABLE)
    }

    /// Kind, and path or text, of what the descriptor in argument `arg` refers to.
    pub(super) fn descriptor(&mut self, arg: usize) -> Option<&(&'static str, Vec<u8>)> {
        if self.known.descriptors.get(arg)?.is_none() {
            let found = self.describe(*self.args.get(arg)? as i32);
            *self.known.descriptors.get_mut(arg)? = Some(found);
        }
        self.known.descriptors.get(arg)?.as_ref()?.as_ref()
    }

    fn describe(&mut self, fd: i32) -> Option<(&'static str, Vec<u8>)> {
        if fd == AT_FDCWD {
            let fs = self.task.fs.lock().clone();
            let path = fs.cwd.lock().path.to_vec();
            return Some(("dir", path));
        }
        let file: Arc<File> = self.task.files.lock().as_ref()?.get(fd).ok()?;
        let description = file.ops.describe(&file);
        Some((description.kind, description.text.to_vec()))
    }

    fn working_directory(&mut self) {
        let fs = self.task.fs.lock().clone();
        self.text.extend_from_slice(&fs.cwd.lock().path);
    }
}

impl Source for Values<'_> {
    fn integer(&mut self, field: u8, arg: u8) -> Option<u64> {
        number(self.task, self.nr, &self.args, self.ended, field, arg)
    }

    fn string(&mut self, field: u8, arg: u8) -> Option<&[u8]> {
        self.text.clear();
        match field {
            field::STRING => return self.argument(arg as usize),
            field::FD_PATH | field::FD_KIND => {
                let wants_kind = field == field::FD_KIND;
                let part = |(kind, text): &(&'static str, Vec<u8>)| {
                    if wants_kind {
                        kind.as_bytes().to_vec()
                    } else {
                        text.clone()
                    }
                };
                self.text = if arg == ARG_RESULT {
                    let fd = i32::try_from(self.ended?.ret).ok()?;
                    part(&self.describe(fd)?)
                } else {
                    part(self.descriptor(arg as usize)?)
                };
            }
            field::COMM => {
                let comm = *self.task.comm.lock();
                self.text.extend_from_slice(capture::until_nul(&comm));
            }
            field::EXE => {
                let place = self.task.process.executable.lock();
                self.text.extend_from_slice(&place.as_ref()?.path);
            }
            field::CWD => self.working_directory(),
            field::FULL_PATH => return self.full_path(arg as usize),
            field::ADDRESS => self.text = address(self.argument(arg as usize)?)?,
            _ => return None,
        }
        Some(&self.text)
    }
}

/// The first bytes of a string that is longer than a path may be: none of them is a NUL, whatever others do to it.
fn long_string(addr: u64) -> Vec<u8> {
    let mut start = alloc::vec![b'/'; PATH_MAX];
    if user::read_bytes(addr, &mut start).is_err() {
        start.fill(b'/');
    }
    for byte in start.iter_mut().filter(|byte| **byte == 0) {
        *byte = b'/';
    }
    start
}

/// The numbers of a call that has not begun, for programs that read nothing else.
pub(super) struct Numbers<'a> {
    pub task: &'a Task,
    pub nr: u64,
    pub args: [u64; 6],
}

impl Source for Numbers<'_> {
    fn integer(&mut self, field: u8, arg: u8) -> Option<u64> {
        number(self.task, self.nr, &self.args, None, field, arg)
    }

    fn string(&mut self, _: u8, _: u8) -> Option<&[u8]> {
        None
    }
}

#[inline]
fn number(
    task: &Task,
    nr: u64,
    args: &[u64; 6],
    ended: Option<Ended>,
    field: u8,
    arg: u8,
) -> Option<u64> {
    let signed = |id: i32| i64::from(id) as u64;
    let process = &task.process;
    Some(match field {
        field::NR => nr,
        field::ARG => *args.get(arg as usize)?,
        field::RESULT => ended?.ret as u64,
        field::ERRNO => match ended?.ret {
            ret @ -4095..0 => ret.unsigned_abs(),
            _ => return None,
        },
        field::LATENCY => {
            let ticks = u128::from(ended?.ticks) * 1_000_000;
            let khz = u128::from(time::clock::tsc_khz()).max(1);
            u64::try_from(ticks / khz).unwrap_or(u64::MAX)
        }
        field::PID => signed(process.pid),
        field::TID => signed(task.tid),
        field::PPID => signed(process.parent.lock().upgrade().map_or(0, |p| p.pid)),
        field::PGID => signed(process.pgid.load(Ordering::Relaxed)),
        field::SID => signed(process.sid.load(Ordering::Relaxed)),
        field::UID => task.credentials.lock().uid.into(),
        field::EUID => task.credentials.lock().euid.into(),
        field::GID => task.credentials.lock().gid.into(),
        field::EGID => task.credentials.lock().egid.into(),
        field::CPU => arch::cpu() as u64,
        _ => return None,
    })
}

/// Whether the current task's call, of which only numbers matter, is to be recorded by program `entry` of `active`.
#[inline]
pub(super) fn wanted_by_numbers(active: &super::filter::Active, nr: u64, args: [u64; 6]) -> bool {
    let entry = active.call(nr).entry;
    sched::with_current(|task| active.filter.run(entry, &mut Numbers { task, nr, args }))
}
