//! ioctl(2): what every descriptor answers, and the way to the file's own operations.

use super::{
    Table,
    fcntl::{set_async, set_status},
};
use crate::{Errno, SysResult, call, fs, mm::user};
use linux_raw_sys::{
    general::{FASYNC, O_NONBLOCK, S_IFMT, S_IFREG},
    ioctl::{
        FICLONE, FICLONERANGE, FIOASYNC, FIOCLEX, FIOGETOWN, FIONBIO, FIONCLEX, FIONREAD, FIOQSIZE,
    },
};
use vitrine_abi::nr;

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::IOCTL, call!(ioctl; 3));
}

/// ioctl(2).
pub fn ioctl(fd: i32, request: u32, arg: u64) -> SysResult {
    /// FIGETBSZ (`_IO(0, 2)`): block size.
    const FIGETBSZ: u32 = 2;
    let files = fs::current_files()?;
    let file = files.get_open(fd)?;
    let on_disk = || {
        let place = file.location.as_ref();
        place.and_then(|p| p.inode.metadata().ok())
    };
    let set_flag = |flag: u32| {
        let on = user::read::<i32>(arg)? != 0;
        let flags = file.flags();
        set_status(&file, fd, if on { flags | flag } else { flags & !flag })?;
        Ok(0)
    };
    match request {
        FIOCLEX | FIONCLEX => {
            files.set_cloexec(fd, request == FIOCLEX)?;
            Ok(0)
        }
        FIONBIO => set_flag(O_NONBLOCK),
        FIOASYNC => {
            let on = user::read::<i32>(arg)? != 0;
            let is_on = file.flags() & FASYNC != 0;
            if on != is_on && !set_async(&file, fd, on) {
                return Err(Errno::ENOTTY);
            }
            Ok(0)
        }
        FIONREAD | FIOQSIZE | FIGETBSZ => match on_disk() {
            Some(meta) if meta.mode & S_IFMT == S_IFREG => {
                match request {
                    FIONREAD => {
                        let left = meta.size.wrapping_sub(*file.position.lock());
                        user::write(arg, &(left as i32))?;
                    }
                    FIOQSIZE => user::write(arg, &(meta.size as i64))?,
                    _ => user::write(arg, &(meta.blksize as i32))?,
                }
                Ok(0)
            }
            _ => file.ops.ioctl(&file, request, arg),
        },
        FICLONE | FICLONERANGE => Err(Errno::EOPNOTSUPP),
        FIOGETOWN => {
            user::write(arg, &file.owner.lock().id)?;
            Ok(0)
        }
        _ => file.ops.ioctl(&file, request, arg),
    }
}
