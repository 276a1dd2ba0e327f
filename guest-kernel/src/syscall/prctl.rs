//! prctl(2): what a thread or process may set about itself.

use super::Table;
use crate::{
    Errno, SysResult, call,
    mm::user,
    sched,
    task::{Credentials, Task, credentials::*},
    trace,
};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;
use linux_raw_sys::{
    general::{CAP_LAST_CAP, CAP_SETPCAP},
    prctl::*,
};
use vitrine_abi::nr;

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::PRCTL, call!(prctl; 5));
}

/// Timer slack that PR_SET_TIMERSLACK 0 goes back to, nanoseconds.
const DEFAULT_SLACK: u64 = 50_000;

/// prctl(2).
pub fn prctl(option: u32, a: u64, b: u64, c: u64, d: u64) -> SysResult {
    let task = sched::current();
    let process = &task.process;
    match option {
        PR_SET_PDEATHSIG => {
            if a > 64 {
                return Err(Errno::EINVAL);
            }
            task.parent_death_signal.store(a as i32, Ordering::Relaxed);
        }
        PR_GET_PDEATHSIG => user::write(a, &task.parent_death_signal.load(Ordering::Relaxed))?,
        PR_GET_DUMPABLE => return Ok(process.dumpable.load(Ordering::Relaxed) as usize),
        PR_SET_DUMPABLE => {
            if a > 1 {
                return Err(Errno::EINVAL);
            }
            process.dumpable.store(a as u32, Ordering::Relaxed);
        }
        PR_SET_NAME => set_name(&task, a)?,
        PR_GET_NAME => user::write(a, &*task.comm.lock())?,
        PR_GET_TIMING => {}
        PR_SET_TIMING if a == PR_TIMING_STATISTICAL as u64 => {}
        PR_GET_TSC => user::write(a, &PR_TSC_ENABLE)?,
        PR_SET_TSC if a == PR_TSC_ENABLE as u64 => {}
        PR_SET_TIMERSLACK => {
            let slack = if (a as i64) <= 0 { DEFAULT_SLACK } else { a };
            task.attributes.lock().timer_slack = slack;
        }
        PR_GET_TIMERSLACK => return Ok(task.attributes.lock().timer_slack as usize),
        PR_TASK_PERF_EVENTS_DISABLE | PR_TASK_PERF_EVENTS_ENABLE => {}
        PR_MCE_KILL => return machine_check_policy([a, b, c, d]),
        PR_MCE_KILL_GET if [a, b, c, d] == [0; 4] => return Ok(PR_MCE_KILL_DEFAULT as usize),
        PR_SET_CHILD_SUBREAPER => process.subreaper.store(a != 0, Ordering::Relaxed),
        PR_GET_CHILD_SUBREAPER => {
            user::write(a, &(process.subreaper.load(Ordering::Relaxed) as u32))?
        }
        PR_GET_TID_ADDRESS => user::write(a, &task.clear_child_tid.load(Ordering::Relaxed))?,
        PR_SET_THP_DISABLE if [b, c, d] == [0; 3] => {
            process.thp_disabled.store(a != 0, Ordering::Relaxed)
        }
        PR_GET_THP_DISABLE if [a, b, c, d] == [0; 4] => {
            return Ok(process.thp_disabled.load(Ordering::Relaxed) as usize);
        }
        PR_GET_SECCOMP => {}
        // Memory layout and I/O flushers are for the privileged of a real machine.
        PR_SET_MM | PR_SET_IO_FLUSHER | PR_GET_IO_FLUSHER => return Err(Errno::EPERM),
        PR_SET_VMA if a == PR_SET_VMA_ANON_NAME as u64 => name_mapping(b, c, d)?,
        PR_GET_SPECULATION_CTRL if [b, c, d] == [0; 3] => return speculation(a),
        PR_SET_SPECULATION_CTRL if [c, d] == [0; 2] => {
            speculation(a)?;
            return Err(Errno::ENXIO);
        }
        PR_SET_SYSCALL_USER_DISPATCH if [a, b, c, d] == [PR_SYS_DISPATCH_OFF as u64, 0, 0, 0] => {}
        PR_GET_MDWE if [a, b, c, d] == [0; 4] => {}
        PR_GET_AUXV if [c, d] == [0; 2] => return auxiliary_vector(&task, a, b),
        _ => return privileges(&task, option, [a, b, c, d]),
    }
    Ok(0)
}

/// The options about privileges.
fn privileges(task: &Task, option: u32, args: [u64; 4]) -> SysResult {
    let [a, b, c, d] = args;
    let own = task.credentials();
    match option {
        PR_GET_KEEPCAPS => {
            return Ok((own.securebits & SECBIT_KEEP_CAPS != 0) as usize);
        }
        PR_SET_KEEPCAPS => {
            if a > 1 {
                return Err(Errno::EINVAL);
            }
            if own.securebits & SECBIT_KEEP_CAPS_LOCKED != 0 {
                return Err(Errno::EPERM);
            }
            task.change_credentials(|own| {
                own.securebits &= !SECBIT_KEEP_CAPS;
                own.securebits |= if a == 1 { SECBIT_KEEP_CAPS } else { 0 };
            });
        }
        PR_GET_SECUREBITS => return Ok(own.securebits as usize),
        PR_SET_SECUREBITS => set_secure_bits(task, &own, a)?,
        PR_SET_NO_NEW_PRIVS if args == [1, 0, 0, 0] => {
            task.change_credentials(|own| own.no_new_privs = true)
        }
        PR_GET_NO_NEW_PRIVS if args == [0; 4] => return Ok(own.no_new_privs as usize),
        PR_CAPBSET_READ => return Ok((own.cap_bounding & capability(a)? != 0) as usize),
        PR_CAPBSET_DROP => {
            if !own.capable(CAP_SETPCAP) {
                return Err(Errno::EPERM);
            }
            let bit = capability(a)?;
            task.change_credentials(|own| own.cap_bounding &= !bit);
        }
        PR_CAP_AMBIENT => return ambient(task, &own, a, [b, c, d]),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

fn set_name(task: &Arc<Task>, addr: u64) -> Result<(), Errno> {
    let name = match user::read_cstr(addr, 15) {
        Ok(name) => name,
        // It is longer: its start is the name.
        Err(Errno::ENAMETOOLONG) => {
            let mut start = [0; 15];
            user::read_bytes(addr, &mut start)?;
            start.to_vec()
        }
        Err(error) => return Err(error),
    };
    task.set_comm(&name);
    trace::comm_changed(task);
    Ok(())
}

fn machine_check_policy(args: [u64; 4]) -> SysResult {
    let [action, policy, c, d] = args;
    let clear = action == PR_MCE_KILL_CLEAR as u64 && policy == 0;
    let set = action == PR_MCE_KILL_SET as u64 && policy <= PR_MCE_KILL_DEFAULT as u64;
    if [c, d] == [0; 2] && (clear || set) {
        Ok(0)
    } else {
        Err(Errno::EINVAL)
    }
}

/// Names of anonymous mappings are checked, and not kept.
fn name_mapping(addr: u64, _len: u64, name: u64) -> Result<(), Errno> {
    const MAX_NAME: usize = 80;
    if !addr.is_multiple_of(vitrine_abi::layout::PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    if name == 0 {
        return Ok(());
    }
    let name = user::read_cstr(name, MAX_NAME).map_err(|error| match error {
        Errno::ENAMETOOLONG => Errno::EINVAL,
        other => other,
    })?;
    let allowed = |byte: &u8| matches!(byte, 0x20..=0x7e) && !b"\\`$[]".contains(byte);
    if name.iter().all(allowed) {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// State of a speculation control: that of a processor that needs none.
fn speculation(which: u64) -> SysResult {
    const L1D_FLUSH: u64 = PR_SPEC_L1D_FLUSH as u64;
    match which {
        0..L1D_FLUSH => Ok(PR_SPEC_NOT_AFFECTED as usize),
        L1D_FLUSH => Err(Errno::EPERM),
        _ => Err(Errno::ENODEV),
    }
}

/// PR_GET_AUXV: copies as much as fits, and returns the whole length.
fn auxiliary_vector(task: &Task, buf: u64, len: u64) -> SysResult {
    let auxv = task.process.arguments.lock().auxv.clone();
    let bytes: Vec<u8> = auxv
        .iter()
        .flatten()
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    let count = bytes.len().min(usize::try_from(len).unwrap_or(usize::MAX));
    user::write_bytes(buf, &bytes[..count])?;
    Ok(bytes.len())
}

/// The bit of a capability; `EINVAL` if there is none with this number.
fn capability(number: u64) -> Result<u64, Errno> {
    if number <= CAP_LAST_CAP as u64 {
        Ok(1 << number)
    } else {
        Err(Errno::EINVAL)
    }
}

fn set_secure_bits(task: &Task, own: &Credentials, bits: u64) -> Result<(), Errno> {
    const BITS: u32 = 0x55;
    const LOCKS: u32 = 0xaa;
    let new = u32::try_from(bits).map_err(|_| Errno::EPERM)?;
    let old = own.securebits;
    let touches_locked = (old & LOCKS) >> 1 & (old ^ new) != 0;
    let unlocks = old & LOCKS & !new != 0;
    if touches_locked || unlocks || new & !(BITS | LOCKS) != 0 || !own.capable(CAP_SETPCAP) {
        return Err(Errno::EPERM);
    }
    task.change_credentials(|own| own.securebits = new);
    Ok(())
}

fn ambient(task: &Task, own: &Credentials, action: u64, args: [u64; 3]) -> SysResult {
    let [number, c, d] = args;
    let action = u32::try_from(action).map_err(|_| Errno::EINVAL)?;
    if action == PR_CAP_AMBIENT_CLEAR_ALL {
        if args != [0; 3] {
            return Err(Errno::EINVAL);
        }
        task.change_credentials(|own| own.cap_ambient = 0);
        return Ok(0);
    }
    let bit = capability(number)?;
    if [c, d] != [0; 2] {
        return Err(Errno::EINVAL);
    }
    match action {
        PR_CAP_AMBIENT_IS_SET => return Ok((own.cap_ambient & bit != 0) as usize),
        PR_CAP_AMBIENT_RAISE => {
            if own.cap_permitted & own.cap_inheritable & bit == 0
                || own.securebits & SECBIT_NO_CAP_AMBIENT_RAISE != 0
            {
                return Err(Errno::EPERM);
            }
            task.change_credentials(|own| own.cap_ambient |= bit);
        }
        PR_CAP_AMBIENT_LOWER => task.change_credentials(|own| own.cap_ambient &= !bit),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
