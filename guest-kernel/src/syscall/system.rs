//! The system as a whole: its names, figures, entropy, and what only its administrator could do, which nobody is in here.

use super::Table;
use crate::{
    Errno, SysResult, call,
    mm::{frame, user},
    random, sched,
    task::{self, table, uts},
    time,
};
use linux_raw_sys::general::{CAP_SYS_ADMIN, GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM};
use vitrine_abi::{layout::PAGE_SIZE, nr};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::UNAME, call!(uname; 1));
    table.set(nr::SETHOSTNAME, call!(sethostname; 2));
    table.set(nr::SETDOMAINNAME, call!(setdomainname; 2));
    table.set(nr::SYSINFO, call!(sysinfo; 1));
    table.set(nr::GETRANDOM, call!(getrandom; 3));
    table.set(nr::GETCPU, call!(getcpu; 3));
    table.set(nr::PERSONALITY, call!(personality; 1));
    table.set(nr::SYSLOG, call!(syslog; 3));
    table.set(nr::SECCOMP, call!(seccomp; 0));
    let mut index = 0;
    while index < FORBIDDEN.len() {
        table.set(FORBIDDEN[index], call!(forbidden; 0));
        index += 1;
    }
}

/// Calls that need an administrator of the machine.
const FORBIDDEN: [usize; 17] = [
    nr::ACCT,
    nr::REBOOT,
    nr::KEXEC_LOAD,
    nr::KEXEC_FILE_LOAD,
    nr::INIT_MODULE,
    nr::FINIT_MODULE,
    nr::DELETE_MODULE,
    nr::SWAPON,
    nr::SWAPOFF,
    nr::IOPL,
    nr::IOPERM,
    nr::VHANGUP,
    nr::BPF,
    nr::PERF_EVENT_OPEN,
    nr::USERFAULTFD,
    nr::FANOTIFY_INIT,
    nr::QUOTACTL,
];

/// For all of [`FORBIDDEN`].
pub fn forbidden() -> SysResult {
    Err(Errno::EPERM)
}

/// uname(2).
pub fn uname(out: u64) -> SysResult {
    let host = uts::hostname();
    let domain = uts::domainname();
    let fields = [
        uts::SYSNAME.as_bytes(),
        &host,
        uts::RELEASE.as_bytes(),
        uts::VERSION.as_bytes(),
        uts::MACHINE.as_bytes(),
        &domain,
    ];
    let mut names = [[0u8; 65]; 6];
    for (place, name) in names.iter_mut().zip(fields) {
        for (to, from) in place.iter_mut().zip(name.iter().take(uts::NAME_MAX)) {
            *to = *from;
        }
    }
    user::write(out, &names)?;
    Ok(0)
}

fn new_name(addr: u64, len: i32) -> Result<([u8; uts::NAME_MAX], usize), Errno> {
    if !sched::current().credentials().capable(CAP_SYS_ADMIN) {
        return Err(Errno::EPERM);
    }
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    let mut name = [0; uts::NAME_MAX];
    user::read_bytes(addr, name.get_mut(..len).ok_or(Errno::EINVAL)?)?;
    Ok((name, len))
}

/// sethostname(2).
pub fn sethostname(name: u64, len: i32) -> SysResult {
    let (name, len) = new_name(name, len)?;
    uts::set_hostname(&name[..len]);
    Ok(0)
}

/// setdomainname(2).
pub fn setdomainname(name: u64, len: i32) -> SysResult {
    let (name, len) = new_name(name, len)?;
    uts::set_domainname(&name[..len]);
    Ok(0)
}

/// `struct sysinfo`.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct SysInfo {
    uptime: i64,
    loads: [u64; 3],
    total_ram: u64,
    free_ram: u64,
    shared_ram: u64,
    buffer_ram: u64,
    total_swap: u64,
    free_swap: u64,
    procs: u16,
    pad: u16,
    pad2: u32,
    total_high: u64,
    free_high: u64,
    unit: u32,
    pad3: u32,
}

/// sysinfo(2).
pub fn sysinfo(out: u64) -> SysResult {
    let frames = frame::stats();
    let info = SysInfo {
        uptime: time::monotonic_ns().div_ceil(1_000_000_000) as i64,
        total_ram: frames.total.saturating_mul(PAGE_SIZE),
        free_ram: frames.free.saturating_mul(PAGE_SIZE),
        procs: table::counts().0 as u16,
        unit: 1,
        ..Default::default()
    };
    user::write(out, &info)?;
    Ok(0)
}

/// getrandom(2).
pub fn getrandom(buf: u64, len: usize, flags: u32) -> SysResult {
    const BOTH: u32 = GRND_RANDOM | GRND_INSECURE;
    if flags & !(GRND_NONBLOCK | BOTH) != 0 || flags & BOTH == BOTH {
        return Err(Errno::EINVAL);
    }
    let len = len.min(i32::MAX as usize);
    let mut chunk = [0u8; 1024];
    let mut done = 0;
    while done < len {
        let part = &mut chunk[..(len - done).min(1024)];
        random::fill(part);
        let to = buf.checked_add(done as u64).ok_or(Errno::EFAULT);
        match to.and_then(|to| user::write_bytes(to, part)) {
            Ok(()) => done += part.len(),
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
        if sched::current().interrupted(crate::sync::Interruptible::Yes) {
            break;
        }
    }
    Ok(done)
}

/// getcpu(2): there is one.
pub fn getcpu(cpu: u64, node: u64, _cache: u64) -> SysResult {
    for out in [cpu, node] {
        if out != 0 {
            user::write(out, &0u32)?;
        }
    }
    Ok(0)
}

/// personality(2): it is remembered; ADDR_NO_RANDOMIZE has an effect.
pub fn personality(new: u32) -> SysResult {
    const QUERY: u32 = u32::MAX;
    let task = sched::current();
    let mut attributes = task.attributes.lock();
    let old = attributes.personality;
    if new != QUERY {
        attributes.personality = new;
    }
    Ok(old as usize)
}

/// syslog(2): an empty log, for those who may read it.
pub fn syslog(action: u32, buf: u64, len: i32) -> SysResult {
    const READ: u32 = 2;
    const READ_CLEAR: u32 = 4;
    const UNREAD: u32 = 9;
    const BUFFER_SIZE: u32 = 10;
    let task: alloc::sync::Arc<task::Task> = sched::current();
    match action {
        0 | 1 => Ok(0),
        action if action > BUFFER_SIZE => Err(Errno::EINVAL),
        action if action != BUFFER_SIZE && !task.credentials().capable(CAP_SYS_ADMIN) => {
            Err(Errno::EPERM)
        }
        READ..=READ_CLEAR if buf == 0 || len < 0 => Err(Errno::EINVAL),
        UNREAD => Ok(0),
        BUFFER_SIZE => Ok(1 << 17),
        _ => Ok(0),
    }
}

/// seccomp(2): filters aren't offered.
pub fn seccomp() -> SysResult {
    Err(Errno::EINVAL)
}
