//! select(2) and pselect6(2).

use super::{
    Table,
    poll::{with_mask, write_remaining},
    timeout,
};
use crate::{
    Errno, SysResult, call,
    fs::{File, PollEvents, anon, ready::wait_ready},
    mm, sched,
    sync::WaitError,
};
use alloc::{sync::Arc, vec::Vec};
use vitrine_abi::nr;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Registers the family.
pub const fn add(table: &mut Table) {
    table.set(nr::SELECT, call!(select; 5));
    table.set(nr::PSELECT6, call!(pselect6; 6));
}

const BITS: usize = 64;
/// Events that count as readable.
const READ: PollEvents = PollEvents::IN
    .union(PollEvents::RDNORM)
    .union(PollEvents::RDBAND)
    .union(PollEvents::HUP)
    .union(PollEvents::ERR)
    .union(PollEvents::NVAL);
/// Events that count as writable.
const WRITE: PollEvents = PollEvents::OUT
    .union(PollEvents::WRNORM)
    .union(PollEvents::WRBAND)
    .union(PollEvents::ERR)
    .union(PollEvents::NVAL);
/// Events that count as exceptional.
const EXCEPT: PollEvents = PollEvents::PRI.union(PollEvents::NVAL);

/// The sixth argument of pselect6(2).
#[repr(C)]
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
struct MaskArgument {
    mask: u64,
    size: u64,
}

/// select(2). The time left goes back to the program.
pub fn select(count: i32, read: u64, write: u64, except: u64, timeval: u64) -> SysResult {
    let deadline = if timeval == 0 {
        None
    } else {
        let time: timeout::Timeval = mm::user::read(timeval)?;
        Some(timeout::after(time.to_ns()?))
    };
    let result = select_until(count, [read, write, except], deadline);
    if let Some(deadline) = deadline {
        let left = timeout::Timeval::from_ns(timeout::remaining(deadline));
        let _ = mm::user::write(timeval, &left);
    }
    result
}

/// pselect6(2).
pub fn pselect6(
    count: i32,
    read: u64,
    write: u64,
    except: u64,
    timespec: u64,
    mask: u64,
) -> SysResult {
    let (mask, size) = if mask == 0 {
        (0, 0)
    } else {
        let argument: MaskArgument = mm::user::read(mask)?;
        (argument.mask, argument.size)
    };
    let deadline = timeout::after_timespec(timespec)?;
    with_mask(mask, usize::try_from(size).unwrap_or(0), || {
        let result = select_until(count, [read, write, except], deadline);
        if let Some(deadline) = deadline {
            write_remaining(timespec, deadline);
        }
        result
    })
}

/// A file that is in at least one set: its number, and in which sets.
struct Member {
    fd: usize,
    wanted: [bool; 3],
    file: Arc<File>,
}

fn select_until(count: i32, sets: [u64; 3], deadline: Option<u64>) -> SysResult {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let count = count.min(table_size(count)?);
    let words = count.div_ceil(BITS);
    let mut bits = [
        read_set(sets[0], words)?,
        read_set(sets[1], words)?,
        read_set(sets[2], words)?,
    ];
    let members = members(&bits, count)?;
    let ready = wait_ready(deadline, |queues| {
        for set in &mut bits {
            set.fill(0);
        }
        let mut ready = 0;
        for member in &members {
            let events = member.file.ops.poll(&member.file, queues);
            for (i, kind) in [READ, WRITE, EXCEPT].into_iter().enumerate() {
                if member.wanted[i] && events.intersects(kind) {
                    bits[i][member.fd / BITS] |= 1 << (member.fd % BITS);
                    ready += 1;
                }
            }
        }
        (ready > 0).then_some(ready)
    });
    let ready = match ready {
        Ok(ready) => ready,
        Err(WaitError::Timeout) => 0,
        Err(WaitError::Signal) => return Err(Errno::ERESTARTNOHAND),
    };
    for (addr, set) in sets.into_iter().zip(&bits) {
        if addr != 0 {
            mm::user::write_bytes(addr, set.as_slice().as_bytes())?;
        }
    }
    Ok(ready)
}

fn members(bits: &[Vec<u64>; 3], count: usize) -> Result<Vec<Member>, Errno> {
    let files = sched::current().files()?;
    let mut members = Vec::new();
    for word in 0..count.div_ceil(BITS) {
        let mut any = bits.iter().fold(0, |any, set| any | set[word]);
        while any != 0 {
            let bit = any.trailing_zeros() as usize;
            any &= any - 1;
            let fd = word * BITS + bit;
            if fd >= count {
                break;
            }
            let file = files.get(i32::try_from(fd).map_err(|_| Errno::EBADF)?)?;
            members.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            members.push(Member {
                fd,
                wanted: [0, 1, 2].map(|i| bits[i][word] & 1 << bit != 0),
                file,
            });
        }
    }
    Ok(members)
}

/// How many descriptors Linux's table would have room for: what lies beyond in a set is not looked at.
fn table_size(count: usize) -> Result<usize, Errno> {
    if count <= BITS {
        return Ok(BITS);
    }
    let highest = sched::current()
        .files()?
        .list()
        .iter()
        .map(|(fd, ..)| usize::try_from(*fd).unwrap_or(0) + 1)
        .max()
        .unwrap_or(0);
    Ok(if highest <= BITS {
        BITS
    } else {
        highest.next_power_of_two().max(256)
    })
}

fn read_set(addr: u64, words: usize) -> Result<Vec<u64>, Errno> {
    let mut set = anon::reserved::<u64>(words)?;
    set.resize(words, 0);
    if addr != 0 {
        mm::user::read_bytes(addr, set.as_mut_slice().as_mut_bytes())?;
    }
    Ok(set)
}
