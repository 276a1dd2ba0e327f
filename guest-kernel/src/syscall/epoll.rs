//! epoll_create(2), epoll_ctl(2), epoll_wait(2) and their variants.

use super::{Table, poll::with_mask, timeout};
use crate::{
    Errno, SysResult, call,
    fs::{File, anon, epoll::Epoll, ready::wait_ready},
    mm,
    sync::WaitError,
};
use alloc::sync::Arc;
use linux_raw_sys::general::{
    EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLERR, EPOLLET, EPOLLEXCLUSIVE,
    EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLWAKEUP, O_CLOEXEC, O_RDWR, S_IFDIR, S_IFMT, S_IFREG,
};
use vitrine_abi::{layout::USER_END, nr};

/// Registers the family.
pub const fn add(table: &mut Table) {
    table.set(nr::EPOLL_CREATE, call!(epoll_create; 1));
    table.set(nr::EPOLL_CREATE1, call!(epoll_create1; 1));
    table.set(nr::EPOLL_CTL, call!(epoll_ctl; 4));
    table.set(nr::EPOLL_WAIT, call!(epoll_wait; 4));
    table.set(nr::EPOLL_PWAIT, call!(epoll_pwait; 6));
    table.set(nr::EPOLL_PWAIT2, call!(epoll_pwait2; 6));
}

/// Bytes of `struct epoll_event`: u32 events, u64 data, packed.
const EVENT_SIZE: usize = 12;
/// What may go together with EPOLLEXCLUSIVE.
const EXCLUSIVE_OK: u32 =
    EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

/// epoll_create(2): the size is only checked.
pub fn epoll_create(size: i32) -> SysResult {
    if size <= 0 {
        return Err(Errno::EINVAL);
    }
    epoll_create1(0)
}

/// epoll_create1(2).
pub fn epoll_create1(flags: u32) -> SysResult {
    if flags & !EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    anon::install(Epoll::new(), O_RDWR | flags & O_CLOEXEC)
}

/// epoll_ctl(2).
pub fn epoll_ctl(epfd: i32, op: u32, fd: i32, event: u64) -> SysResult {
    let [events, low, high] = if op == EPOLL_CTL_DEL {
        [0; 3]
    } else {
        mm::user::read::<[u32; 3]>(event)?
    };
    let data = u64::from(high) << 32 | u64::from(low);
    let outer = anon::file(epfd)?;
    let file = anon::file(fd)?;
    if !can_poll(&file) {
        return Err(Errno::EPERM);
    }
    let epoll = Epoll::of(&outer).ok_or(Errno::EINVAL)?;
    if Arc::ptr_eq(&outer, &file) {
        return Err(Errno::EINVAL);
    }
    if op != EPOLL_CTL_DEL && events & EPOLLEXCLUSIVE != 0 {
        let bad_add = Epoll::of(&file).is_some() || events & !EXCLUSIVE_OK != 0;
        if op == EPOLL_CTL_MOD || op == EPOLL_CTL_ADD && bad_add {
            return Err(Errno::EINVAL);
        }
    }
    match op {
        EPOLL_CTL_ADD => epoll.add(fd, &file, events, data)?,
        EPOLL_CTL_MOD => epoll.modify(fd, &file, events, data)?,
        EPOLL_CTL_DEL => epoll.delete(fd, &file)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// epoll_wait(2).
pub fn epoll_wait(epfd: i32, events: u64, max: i32, timeout_ms: i32) -> SysResult {
    wait(epfd, events, max, timeout::after_ms(timeout_ms))
}

/// epoll_pwait(2).
pub fn epoll_pwait(
    epfd: i32,
    events: u64,
    max: i32,
    timeout_ms: i32,
    mask: u64,
    mask_size: usize,
) -> SysResult {
    with_mask(mask, mask_size, || {
        wait(epfd, events, max, timeout::after_ms(timeout_ms))
    })
}

/// epoll_pwait2(2).
pub fn epoll_pwait2(
    epfd: i32,
    events: u64,
    max: i32,
    timespec: u64,
    mask: u64,
    mask_size: usize,
) -> SysResult {
    let deadline = timeout::after_timespec(timespec)?;
    with_mask(mask, mask_size, || wait(epfd, events, max, deadline))
}

fn wait(epfd: i32, events: u64, max: i32, deadline: Option<u64>) -> SysResult {
    let max = usize::try_from(max).map_err(|_| Errno::EINVAL)?;
    if max == 0 || max > i32::MAX as usize / EVENT_SIZE {
        return Err(Errno::EINVAL);
    }
    let end = events.checked_add((max * EVENT_SIZE) as u64);
    if end.is_none_or(|end| end > USER_END) {
        return Err(Errno::EFAULT);
    }
    let file = anon::file(epfd)?;
    let epoll = Epoll::of(&file).ok_or(Errno::EINVAL)?;
    let ready = match wait_ready(deadline, |table| epoll.collect(max, table)) {
        Ok(ready) => ready,
        Err(WaitError::Timeout) => return Ok(0),
        Err(WaitError::Signal) => return Err(Errno::EINTR),
    };
    for (i, event) in ready.iter().enumerate() {
        let words = [event.events, event.data as u32, (event.data >> 32) as u32];
        match mm::user::write(events + (i * EVENT_SIZE) as u64, &words) {
            Err(_) if i > 0 => return Ok(i),
            result => result?,
        }
    }
    Ok(ready.len())
}

/// Whether a file's readiness can change: what is always ready, Linux refuses.
fn can_poll(file: &File) -> bool {
    file.ops.metadata().map_or(true, |metadata| {
        let kind = metadata.mode & S_IFMT;
        // null, zero, full and urandom.
        let trivial = metadata.rdev >> 8 == 1 && matches!(metadata.rdev & 0xff, 3 | 5 | 7 | 9);
        kind != S_IFREG && kind != S_IFDIR && !trivial
    })
}
