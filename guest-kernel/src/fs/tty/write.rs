//! Writing to a terminal.

use super::{Effects, Tty, job};
use crate::{
    Errno, SysResult,
    fs::{File, Source},
    sync::{Interruptible, wait_until},
};
use alloc::vec::Vec;
use linux_raw_sys::general::*;

/// Bytes that are taken from the program and processed at a time.
const CHUNK: usize = 64 << 10;

impl Tty {
    /// write(2). Returns when the other side has taken everything, or for as much as was handed over before a signal.
    pub(super) fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        if self.state.lock().termios.local(TOSTOP) {
            job::check_change(self, SIGTTOU)?;
        }
        let mut done = 0;
        let mut chunk = Vec::new();
        let mut processed = Vec::new();
        while src.left() > 0 {
            match self.await_output(file.nonblocking()) {
                Ok(()) => {}
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            }
            chunk.resize(src.left().min(CHUNK), 0);
            let n = match src.take(&mut chunk) {
                Ok(0) => break,
                Ok(n) => n,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            self.put(&chunk[..n], &mut processed);
            done += n;
        }
        // What the other side didn't take at once is accepted all the same; a blocking write waits for it.
        if !file.nonblocking() {
            let _ = self.await_output(false);
        }
        if done > 0 {
            self.touch(true);
        }
        Ok(done)
    }

    /// Processes a piece and hands it over; the rest is kept. `processed` is scratch.
    fn put(&self, data: &[u8], processed: &mut Vec<u8>) {
        let mut effects = Effects::default();
        {
            let mut state = self.state.lock();
            processed.clear();
            state.process(data, processed);
            state.flush(&*self.backend, &mut effects);
            let mut rest = &processed[..];
            while state.out.is_empty() && !state.stopped && !rest.is_empty() {
                match self.backend.write(rest) {
                    Ok(0) => break,
                    Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                    Err(_) => rest = &[],
                }
            }
            state.out.extend(rest);
        }
        self.apply(effects);
    }

    /// Waits until all output was taken: `EIO` after hang-up, `EAGAIN` or `ERESTARTSYS`.
    pub(super) fn await_output(&self, nonblocking: bool) -> Result<(), Errno> {
        let queue = self.backend.output_queue();
        let look = || {
            let mut state = self.state.lock();
            // The waiter is awake: nothing that a flush does needs to be told.
            state.flush(&*self.backend, &mut Effects::default());
            if state.hung_up {
                return Some(Err(Errno::EIO));
            }
            (state.out.is_empty() && !state.stopped).then_some(Ok(()))
        };
        if nonblocking {
            return look().unwrap_or(Err(Errno::EAGAIN));
        }
        wait_until(&[&queue], None, Interruptible::Yes, look).unwrap_or(Err(Errno::ERESTARTSYS))
    }
}
