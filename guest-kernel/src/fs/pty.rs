//! Pseudo terminals: /dev/ptmx and its masters. The terminals are found in [`super::devpts`].
//!
//! A pair is a [`Tty`] whose [`TtyBackend`] is a [`Link`]; the [`Master`] reads what the terminal put into the link and feeds what
//! is written to it to the terminal's line discipline.

use super::{
    Description, File, FileOps, Metadata, PollEvents, PollTable, Sink, Source, devices, devpts,
    pseudo,
    tty::{Name, Tty, TtyBackend, TtyFile, job},
};
use crate::{
    Errno, SysResult,
    mm::user,
    sched,
    sync::{Interruptible, Mutex, WaitQueue, wait_until},
};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use core::any::Any;
use linux_raw_sys::{general::*, ioctl::*};

/// Output of a terminal that its master may leave unread.
const LINK_MAX: usize = 64 << 10;
/// What lies between a terminal and its master.
struct Link {
    state: Mutex<LinkState>,
    /// Woken when the master has something to read.
    readable: Arc<WaitQueue>,
    /// Woken when the master may write.
    writable: Arc<WaitQueue>,
    /// Woken when the terminal may write.
    drained: Arc<WaitQueue>,
}

struct LinkState {
    data: VecDeque<u8>,
    /// TIOCSPTLCK: the terminal can't be opened.
    locked: bool,
    /// The master was closed.
    master_closed: bool,
    /// The terminal was open once and isn't now.
    slave_closed: bool,
    /// TIOCPKT, and what it has to report.
    packet: bool,
    status: u8,
}

impl LinkState {
    fn readable(&self) -> bool {
        !self.data.is_empty() || self.packet && self.status != 0
    }
}

/// The terminal's view of the link.
struct Slave(Arc<Link>);

impl TtyBackend for Slave {
    fn write(&self, data: &[u8]) -> Result<usize, Errno> {
        let n = {
            let mut link = self.0.state.lock();
            if link.master_closed {
                return Err(Errno::EIO);
            }
            let n = data.len().min(LINK_MAX.saturating_sub(link.data.len()));
            link.data.extend(&data[..n]);
            n
        };
        if n > 0 {
            self.0.readable.wake_all();
        }
        Ok(n)
    }

    fn writable(&self) -> bool {
        self.0.state.lock().data.len() < LINK_MAX
    }

    fn output_queue(&self) -> Arc<WaitQueue> {
        self.0.drained.clone()
    }

    fn queued(&self) -> usize {
        self.0.state.lock().data.len()
    }

    fn discard_output(&self) {
        self.0.state.lock().data.clear();
    }

    fn input_drained(&self) {
        self.0.writable.wake_all();
    }

    fn event(&self, bits: u8) {
        let wake = {
            let mut link = self.0.state.lock();
            // Of two opposites the later one counts.
            for (a, b) in [
                (TIOCPKT_STOP, TIOCPKT_START),
                (TIOCPKT_NOSTOP, TIOCPKT_DOSTOP),
            ] {
                let pair = (a | b) as u8;
                if bits & pair != 0 {
                    link.status &= !pair;
                }
            }
            link.status |= bits;
            link.packet
        };
        if wake {
            self.0.readable.wake_all();
        }
    }

    fn may_open(&self) -> Result<(), Errno> {
        let link = self.0.state.lock();
        if link.locked || link.master_closed {
            Err(Errno::EIO)
        } else {
            Ok(())
        }
    }

    fn open_count(&self, count: u32) {
        self.0.state.lock().slave_closed = count == 0;
        if count == 0 {
            self.0.readable.wake_all();
            self.0.writable.wake_all();
        }
    }
}

/// Opens /dev/ptmx: makes a pair, locked, and returns its master.
pub fn open_master() -> Result<Arc<dyn FileOps>, Errno> {
    let link = Arc::new(Link {
        state: Mutex::new(LinkState {
            data: VecDeque::new(),
            locked: true,
            master_closed: false,
            slave_closed: false,
            packet: false,
            status: 0,
        }),
        readable: Arc::new(WaitQueue::new()),
        writable: Arc::new(WaitQueue::new()),
        drained: Arc::new(WaitQueue::new()),
    });
    let uid = sched::current().credentials().fsuid;
    let backend = Slave(link.clone());
    let tty = devpts::register(uid, || Box::new(backend))?;
    Ok(Arc::new(Master { tty, link }))
}

/// An open master.
struct Master {
    tty: Arc<Tty>,
    link: Arc<Link>,
}

impl FileOps for Master {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        let room = out.room();
        if room == 0 {
            return Ok(0);
        }
        let look = || {
            let mut link = self.link.state.lock();
            if link.readable() {
                return Some(Ok(take(&mut link, room)));
            }
            link.slave_closed.then_some(Err(Errno::EIO))
        };
        let taken = if file.nonblocking() {
            look().unwrap_or(Err(Errno::EAGAIN))
        } else {
            wait_until(&[&self.link.readable], None, Interruptible::Yes, look)
                .unwrap_or(Err(Errno::ERESTARTSYS))
        };
        let bytes = taken?;
        self.link.drained.wake_all();
        // What the terminal holds back for want of room goes on.
        self.tty.flush();
        out.put(&bytes)
    }

    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        let mut done = 0;
        let mut buf = [0; 1024];
        while src.left() > 0 {
            let look = || Some(self.tty.input_room()).filter(|room| *room > 0);
            let room = if file.nonblocking() {
                look().ok_or(Errno::EAGAIN)
            } else {
                wait_until(&[&self.link.writable], None, Interruptible::Yes, look)
                    .map_err(|_| Errno::ERESTARTSYS)
            };
            let room = match room {
                Ok(room) => room,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            let part = room.min(buf.len()).min(src.left());
            let n = match src.take(&mut buf[..part]) {
                Ok(0) => break,
                Ok(n) => n,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            self.tty.receive(&buf[..n]);
            done += n;
        }
        Ok(done)
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        table.add(&self.link.readable);
        table.add(&self.link.writable);
        let link = self.link.state.lock();
        let mut events = PollEvents::empty();
        if link.readable() {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        if link.packet && link.status != 0 {
            events |= PollEvents::PRI;
        }
        if link.slave_closed {
            events |= PollEvents::HUP;
        }
        drop(link);
        if self.tty.input_room() > 0 {
            events |= PollEvents::OUT | PollEvents::WRNORM;
        }
        events
    }

    fn ioctl(&self, _file: &File, request: u32, arg: u64) -> SysResult {
        match request {
            TIOCGPTN => user::write(arg, &self.tty.index)?,
            TIOCSPTLCK => {
                let lock = user::read::<u32>(arg)? != 0;
                self.link.state.lock().locked = lock;
            }
            TIOCGPTLCK => {
                let locked = u32::from(self.link.state.lock().locked);
                user::write(arg, &locked)?;
            }
            TIOCPKT => {
                let on = user::read::<u32>(arg)? != 0;
                let mut link = self.link.state.lock();
                if on && !link.packet {
                    link.status = 0;
                }
                link.packet = on;
            }
            TIOCGPKT => {
                let on = u32::from(self.link.state.lock().packet);
                user::write(arg, &on)?;
            }
            TIOCGPTPEER => return self.open_peer(arg),
            TIOCSIG => {
                let signo = u32::try_from(arg).map_err(|_| Errno::EINVAL)?;
                if ![SIGINT, SIGQUIT, SIGTSTP].contains(&signo) {
                    return Err(Errno::EINVAL);
                }
                self.tty.signal(signo);
            }
            FIONREAD => {
                let waiting = self.link.state.lock().data.len() as u32;
                user::write(arg, &waiting)?;
            }
            TCFLSH => self.flush(arg)?,
            TIOCGPGRP => user::write(arg, &job::foreground(&self.tty, true)?)?,
            TIOCGSID => user::write(arg, &job::session(&self.tty, true)?)?,
            TIOCSPGRP => job::set_foreground(&self.tty, || user::read(arg))?,
            TIOCOUTQ => user::write(arg, &0u32)?,
            TIOCSCTTY | TIOCNOTTY => return Err(Errno::ENOTTY),
            _ => return self.tty.mode_ioctl(request, arg, true),
        }
        Ok(0)
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        devices::metadata(devices::PTMX)
    }

    fn describe(&self, file: &File) -> Description {
        pseudo::describe("tty", file, b"/dev/ptmx")
    }

    fn release(&self, _file: &File) {
        devpts::remove(self.tty.index);
        self.link.state.lock().master_closed = true;
        self.tty.hang_up();
    }
}

/// What a master reads: data, or in packet mode a status byte, or a zero byte and data.
fn take(link: &mut LinkState, room: usize) -> Vec<u8> {
    if link.packet && link.status != 0 {
        return alloc::vec![core::mem::take(&mut link.status)];
    }
    let mut bytes = Vec::new();
    if link.packet {
        bytes.push(0);
    }
    let n = link.data.len().min(room - bytes.len());
    bytes.extend(link.data.drain(..n));
    bytes
}

impl Master {
    /// TCFLSH: the master's input is the terminal's output, and the other way round.
    fn flush(&self, which: u64) -> Result<(), Errno> {
        let which = u32::try_from(which).map_err(|_| Errno::EINVAL)?;
        if which > TCIOFLUSH {
            return Err(Errno::EINVAL);
        }
        if which != TCOFLUSH {
            self.link.state.lock().data.clear();
            self.link.drained.wake_all();
        }
        if which != TCIFLUSH {
            self.tty.discard_input();
        }
        Ok(())
    }

    /// TIOCGPTPEER: opens the terminal without a path; `flags` as for open(2).
    fn open_peer(&self, flags: u64) -> SysResult {
        let flags = u32::try_from(flags).map_err(|_| Errno::EINVAL)?;
        let location = devpts::location(&self.tty);
        let ops = TtyFile::open(&self.tty, Name::Slave, flags)?;
        let file = File::new(ops, flags & !(O_CLOEXEC | O_NOCTTY), Some(location));
        let files = sched::current().files()?;
        let fd = files.install(file, flags & O_CLOEXEC != 0, 0)?;
        usize::try_from(fd).map_err(|_| Errno::EMFILE)
    }
}
