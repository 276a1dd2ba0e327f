//! Terminal ioctls (ioctl_tty(2)).

use super::{
    Effects, Tty, job,
    termios::{Termio, Termios, Termios1, Winsize},
};
use crate::{Errno, SysResult, fs::File, mm::user, sched};
use alloc::sync::Arc;
use linux_raw_sys::{general::*, ioctl::*};

/// When new attributes take effect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    /// After output was taken.
    Drained,
    /// After that, and input that nobody read is thrown away.
    Flushed,
}

impl Tty {
    /// ioctl(2) on the terminal's own side.
    pub(super) fn ioctl(self: &Arc<Self>, file: &File, request: u32, arg: u64) -> SysResult {
        if self.state.lock().hung_up {
            return Err(match request {
                TIOCSPGRP => Errno::ENOTTY,
                _ => Errno::EIO,
            });
        }
        match request {
            TIOCSCTTY => job::set_controlling(self, file.readable(), arg == 1)?,
            TIOCNOTTY => job::give_up(self)?,
            TIOCGPGRP => user::write(arg, &job::foreground(self, false)?)?,
            TIOCGSID => user::write(arg, &job::session(self, false)?)?,
            TIOCSPGRP => job::set_foreground(self, || user::read(arg))?,
            TIOCSTI => {
                if !job::is_admin() {
                    return Err(Errno::EIO);
                }
                let byte: u8 = user::read(arg)?;
                self.receive(&[byte]);
            }
            FIONREAD => {
                let count = self.state.lock().readable_bytes();
                user::write(arg, &(count as u32))?;
            }
            TCFLSH => {
                job::check_change(self, SIGTTOU)?;
                self.flush_queues(arg)?;
            }
            TCXONC => {
                job::check_change(self, SIGTTOU)?;
                self.flow(arg)?;
            }
            TIOCVHANGUP => {
                if !job::is_admin() {
                    return Err(Errno::EPERM);
                }
                self.hang_up();
            }
            _ => return self.mode_ioctl(request, arg, false),
        }
        Ok(0)
    }

    /// The ioctls on attributes and size, which the master of a pseudo terminal hands on too.
    pub fn mode_ioctl(&self, request: u32, arg: u64, through_master: bool) -> SysResult {
        match request {
            TCGETS => user::write(arg, &self.termios().to_termios1())?,
            TCGETS2 => user::write(arg, &self.termios())?,
            TCGETA => user::write(arg, &self.termios().to_termio())?,
            TCSETS | TCSETSW | TCSETSF => {
                let when = [When::Now, When::Drained, When::Flushed][(request - TCSETS) as usize];
                self.change(when, through_master, |t| {
                    t.set_termios1(&user::read::<Termios1>(arg)?);
                    Ok(())
                })?;
            }
            TCSETS2 | TCSETSW2 | TCSETSF2 => {
                let when = [When::Now, When::Drained, When::Flushed][(request - TCSETS2) as usize];
                self.change(when, through_master, |t| {
                    t.set_termios2(&user::read::<Termios>(arg)?);
                    Ok(())
                })?;
            }
            TCSETA | TCSETAW | TCSETAF => {
                let when = [When::Now, When::Drained, When::Flushed][(request - TCSETA) as usize];
                self.change(when, through_master, |t| {
                    t.set_termio(&user::read::<Termio>(arg)?);
                    Ok(())
                })?;
            }
            TIOCGWINSZ => user::write(arg, &self.winsize())?,
            TIOCSWINSZ => self.set_winsize(user::read::<Winsize>(arg)?),
            TIOCOUTQ => {
                let waiting = self.state.lock().out.len() + self.backend.queued();
                user::write(arg, &u32::try_from(waiting).unwrap_or(u32::MAX))?;
            }
            TIOCGETD => user::write(arg, &0u32)?,
            TIOCSETD => {
                // N_TTY is the only line discipline.
                if user::read::<u32>(arg)? != 0 {
                    return Err(Errno::EINVAL);
                }
            }
            TIOCEXCL => self.state.lock().exclusive = true,
            TIOCNXCL => self.state.lock().exclusive = false,
            TIOCGEXCL => {
                let exclusive = u32::from(self.state.lock().exclusive);
                user::write(arg, &exclusive)?;
            }
            TIOCGDEV => user::write(arg, &(self.rdev() as u32))?,
            TCSBRK | TCSBRKP | TIOCSBRK | TIOCCBRK => {
                // A terminal without a line has no break: what is left is the wait.
                job::check_change(self, SIGTTOU)?;
                self.await_output(false)?;
            }
            TIOCGSOFTCAR => {
                let local = u32::from(self.termios().cflag & CLOCAL != 0);
                user::write(arg, &local)?;
            }
            TIOCSSOFTCAR => {
                let on = user::read::<u32>(arg)? != 0;
                let mut state = self.state.lock();
                state.termios.cflag = state.termios.cflag & !CLOCAL | if on { CLOCAL } else { 0 };
            }
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }

    /// Attributes now.
    pub fn termios(&self) -> Termios {
        self.state.lock().termios
    }

    fn change(
        &self,
        when: When,
        through_master: bool,
        edit: impl FnOnce(&mut Termios) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        if !through_master {
            job::check_change(self, SIGTTOU)?;
        }
        let mut new = self.termios();
        edit(&mut new)?;
        if when == When::Flushed {
            self.discard_input();
        }
        if when != When::Now {
            self.await_output(false)?;
            if sched::current().interrupted(crate::sync::Interruptible::Yes) {
                return Err(Errno::ERESTARTSYS);
            }
        }
        let mut effects = Effects::default();
        self.state.lock().set_termios(new, &mut effects);
        self.apply(effects);
        // What counts as room depends on ICANON.
        self.backend.input_drained();
        Ok(())
    }

    /// Throws away what was received.
    pub fn discard_input(&self) {
        self.state.lock().discard_input();
        self.backend.event(TIOCPKT_FLUSHREAD as u8);
        self.backend.input_drained();
    }

    /// TCFLSH.
    fn flush_queues(&self, which: u64) -> Result<(), Errno> {
        let which = u32::try_from(which).map_err(|_| Errno::EINVAL)?;
        if which > TCIOFLUSH {
            return Err(Errno::EINVAL);
        }
        if which != TCOFLUSH {
            self.discard_input();
        }
        if which != TCIFLUSH {
            self.state.lock().out.clear();
            self.backend.discard_output();
            self.backend.event(TIOCPKT_FLUSHWRITE as u8);
            self.backend.output_queue().wake_all();
        }
        Ok(())
    }

    /// TCXONC.
    fn flow(&self, what: u64) -> Result<(), Errno> {
        let mut effects = Effects::default();
        {
            let mut state = self.state.lock();
            match u32::try_from(what).map_err(|_| Errno::EINVAL)? {
                TCOOFF => {
                    state.stop(&mut effects);
                    state.stopped_by_call = true;
                }
                TCOON => {
                    state.stopped_by_call = false;
                    state.start(&mut effects);
                }
                // The other side is asked to stop or go on by the character for it.
                TCIOFF => {
                    let c = state.termios.char(VSTOP);
                    state.send_now(c);
                }
                TCION => {
                    let c = state.termios.char(VSTART);
                    state.send_now(c);
                }
                _ => return Err(Errno::EINVAL),
            }
            state.flush(&*self.backend, &mut effects);
        }
        self.apply(effects);
        Ok(())
    }
}
