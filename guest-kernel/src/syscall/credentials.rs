//! User and group ids, supplementary groups, and capability sets.

use super::Table;
use crate::{
    Errno, SysResult, call,
    mm::user,
    sched,
    task::{self, Credentials, credentials::CAP_ALL},
    trace::changes,
};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;
use linux_raw_sys::general::{CAP_SETGID, CAP_SETPCAP, CAP_SETUID};
use vitrine_abi::nr;

/// Registers this family.
pub const fn add(table: &mut Table) {
    table.set(nr::GETUID, call!(getuid; 0));
    table.set(nr::GETEUID, call!(geteuid; 0));
    table.set(nr::GETGID, call!(getgid; 0));
    table.set(nr::GETEGID, call!(getegid; 0));
    table.set(nr::GETRESUID, call!(getresuid; 3));
    table.set(nr::GETRESGID, call!(getresgid; 3));
    table.set(nr::SETUID, call!(setuid; 1));
    table.set(nr::SETGID, call!(setgid; 1));
    table.set(nr::SETREUID, call!(setreuid; 2));
    table.set(nr::SETREGID, call!(setregid; 2));
    table.set(nr::SETRESUID, call!(setresuid; 3));
    table.set(nr::SETRESGID, call!(setresgid; 3));
    table.set(nr::SETFSUID, call!(setfsuid; 1));
    table.set(nr::SETFSGID, call!(setfsgid; 1));
    table.set(nr::GETGROUPS, call!(getgroups; 2));
    table.set(nr::SETGROUPS, call!(setgroups; 2));
    table.set(nr::CAPGET, call!(capget; 2));
    table.set(nr::CAPSET, call!(capset; 2));
}

/// "Leave as it is", where an id is expected.
const LEAVE: u32 = u32::MAX;
/// Most supplementary groups (NGROUPS_MAX).
const MAX_GROUPS: usize = 65536;

fn own() -> Arc<Credentials> {
    sched::current().credentials()
}

/// Takes new credentials into use. A process whose powers change may no longer be looked into by those who could before.
fn commit(old: &Credentials, new: Credentials) -> SysResult {
    let task = sched::current();
    let ids = |c: &Credentials| [c.euid, c.egid, c.fsuid, c.fsgid];
    if ids(old) != ids(&new) {
        task.process.dumpable.store(0, Ordering::Relaxed);
        task.parent_death_signal.store(0, Ordering::Relaxed);
    }
    let before = changes::credentials_before(&task);
    *task.credentials.lock() = Arc::new(new);
    changes::credentials_changed(&task, before);
    Ok(0)
}

/// getuid(2).
pub fn getuid() -> SysResult {
    Ok(own().uid as usize)
}

/// geteuid(2).
pub fn geteuid() -> SysResult {
    Ok(own().euid as usize)
}

/// getgid(2).
pub fn getgid() -> SysResult {
    Ok(own().gid as usize)
}

/// getegid(2).
pub fn getegid() -> SysResult {
    Ok(own().egid as usize)
}

fn write_ids(places: [u64; 3], ids: [u32; 3]) -> SysResult {
    for (place, id) in places.into_iter().zip(ids) {
        user::write(place, &id)?;
    }
    Ok(0)
}

/// getresuid(2).
pub fn getresuid(real: u64, effective: u64, saved: u64) -> SysResult {
    let own = own();
    write_ids([real, effective, saved], [own.uid, own.euid, own.suid])
}

/// getresgid(2).
pub fn getresgid(real: u64, effective: u64, saved: u64) -> SysResult {
    let own = own();
    write_ids([real, effective, saved], [own.gid, own.egid, own.sgid])
}

/// setuid(2).
pub fn setuid(uid: u32) -> SysResult {
    let old = own();
    if uid == LEAVE {
        return Err(Errno::EINVAL);
    }
    let mut new = (*old).clone();
    if old.capable(CAP_SETUID) {
        new.uid = uid;
        new.suid = uid;
    } else if uid != old.uid && uid != old.suid {
        return Err(Errno::EPERM);
    }
    new.euid = uid;
    new.fsuid = uid;
    new.after_uid_change(&old);
    commit(&old, new)
}

/// setgid(2).
pub fn setgid(gid: u32) -> SysResult {
    let old = own();
    if gid == LEAVE {
        return Err(Errno::EINVAL);
    }
    let mut new = (*old).clone();
    if old.capable(CAP_SETGID) {
        new.gid = gid;
        new.sgid = gid;
    } else if gid != old.gid && gid != old.sgid {
        return Err(Errno::EPERM);
    }
    new.egid = gid;
    new.fsgid = gid;
    commit(&old, new)
}

/// The rules of setreuid and setregid; `ids` are real, effective and saved. The new ones.
fn change_two(
    ids: [u32; 3],
    real: u32,
    effective: u32,
    privileged: bool,
) -> Result<[u32; 3], Errno> {
    let [old_real, old_effective, old_saved] = ids;
    let mut new = ids;
    if real != LEAVE {
        if !privileged && ![old_real, old_effective].contains(&real) {
            return Err(Errno::EPERM);
        }
        new[0] = real;
    }
    if effective != LEAVE {
        if !privileged && ![old_real, old_effective, old_saved].contains(&effective) {
            return Err(Errno::EPERM);
        }
        new[1] = effective;
    }
    if real != LEAVE || effective != LEAVE && effective != old_real {
        new[2] = new[1];
    }
    Ok(new)
}

/// The rules of setresuid and setresgid.
fn change_three(ids: [u32; 3], wanted: [u32; 3], privileged: bool) -> Result<[u32; 3], Errno> {
    let mut new = ids;
    for (id, wanted) in new.iter_mut().zip(wanted) {
        if wanted == LEAVE {
            continue;
        }
        if !privileged && !ids.contains(&wanted) {
            return Err(Errno::EPERM);
        }
        *id = wanted;
    }
    Ok(new)
}

fn commit_uids(old: &Credentials, ids: [u32; 3]) -> SysResult {
    let [uid, euid, suid] = ids;
    let mut new = Credentials {
        uid,
        euid,
        suid,
        fsuid: euid,
        ..old.clone()
    };
    new.after_uid_change(old);
    commit(old, new)
}

fn commit_gids(old: &Credentials, ids: [u32; 3]) -> SysResult {
    let [gid, egid, sgid] = ids;
    let new = Credentials {
        gid,
        egid,
        sgid,
        fsgid: egid,
        ..old.clone()
    };
    commit(old, new)
}

/// setreuid(2).
pub fn setreuid(real: u32, effective: u32) -> SysResult {
    let old = own();
    let ids = [old.uid, old.euid, old.suid];
    let ids = change_two(ids, real, effective, old.capable(CAP_SETUID))?;
    commit_uids(&old, ids)
}

/// setregid(2).
pub fn setregid(real: u32, effective: u32) -> SysResult {
    let old = own();
    let ids = [old.gid, old.egid, old.sgid];
    let ids = change_two(ids, real, effective, old.capable(CAP_SETGID))?;
    commit_gids(&old, ids)
}

/// setresuid(2).
pub fn setresuid(real: u32, effective: u32, saved: u32) -> SysResult {
    let old = own();
    let ids = [old.uid, old.euid, old.suid];
    let ids = change_three(ids, [real, effective, saved], old.capable(CAP_SETUID))?;
    commit_uids(&old, ids)
}

/// setresgid(2).
pub fn setresgid(real: u32, effective: u32, saved: u32) -> SysResult {
    let old = own();
    let ids = [old.gid, old.egid, old.sgid];
    let ids = change_three(ids, [real, effective, saved], old.capable(CAP_SETGID))?;
    commit_gids(&old, ids)
}

/// setfsuid(2): returns the old id whether it succeeds or not.
pub fn setfsuid(uid: u32) -> SysResult {
    let old = own();
    let allowed = [old.uid, old.euid, old.suid, old.fsuid].contains(&uid);
    if uid != LEAVE && uid != old.fsuid && (allowed || old.capable(CAP_SETUID)) {
        let mut new = (*old).clone();
        new.fsuid = uid;
        new.after_fsuid_change(old.fsuid);
        commit(&old, new)?;
    }
    Ok(old.fsuid as usize)
}

/// setfsgid(2): as setfsuid.
pub fn setfsgid(gid: u32) -> SysResult {
    let old = own();
    let allowed = [old.gid, old.egid, old.sgid, old.fsgid].contains(&gid);
    if gid != LEAVE && gid != old.fsgid && (allowed || old.capable(CAP_SETGID)) {
        let mut new = (*old).clone();
        new.fsgid = gid;
        commit(&old, new)?;
    }
    Ok(old.fsgid as usize)
}

/// getgroups(2).
pub fn getgroups(size: i32, list: u64) -> SysResult {
    let own = own();
    let size = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
    if size != 0 {
        if own.groups.len() > size {
            return Err(Errno::EINVAL);
        }
        let bytes: Vec<u8> = own
            .groups
            .iter()
            .flat_map(|gid| gid.to_ne_bytes())
            .collect();
        user::write_bytes(list, &bytes)?;
    }
    Ok(own.groups.len())
}

/// setgroups(2).
pub fn setgroups(size: i32, list: u64) -> SysResult {
    let old = own();
    if !old.capable(CAP_SETGID) {
        return Err(Errno::EPERM);
    }
    let size = usize::try_from(size)
        .ok()
        .filter(|size| *size <= MAX_GROUPS);
    let size = size.ok_or(Errno::EINVAL)?;
    let mut bytes = alloc::vec![[0u8; 4]; size];
    user::read_bytes(list, bytes.as_flattened_mut())?;
    let mut groups: Vec<u32> = bytes.into_iter().map(u32::from_ne_bytes).collect();
    if groups.contains(&LEAVE) {
        return Err(Errno::EINVAL);
    }
    groups.sort_unstable();
    let new = Credentials {
        groups,
        ..(*old).clone()
    };
    commit(&old, new)
}

/// Versions of the capability interface, and how many 32-bit words a set takes in each.
const VERSION_1: u32 = 0x1998_0330;
const VERSION_2: u32 = 0x2007_1026;
const VERSION_3: u32 = 0x2008_0522;

/// Reads a header: the pid that it names, and the number of words; `None`: the version is unknown, which was written there.
fn read_header(header: u64) -> Result<Option<(i32, usize)>, Errno> {
    let [version, pid]: [u32; 2] = user::read(header)?;
    let words = match version {
        VERSION_1 => 1,
        VERSION_2 | VERSION_3 => 2,
        _ => {
            user::write(header, &VERSION_3)?;
            return Ok(None);
        }
    };
    Ok(Some((pid as i32, words)))
}

/// capget(2).
pub fn capget(header: u64, data: u64) -> SysResult {
    let Some((pid, words)) = read_header(header)? else {
        // Asking for the version alone is how programs learn it.
        return if data == 0 { Ok(0) } else { Err(Errno::EINVAL) };
    };
    if pid < 0 {
        return Err(Errno::EINVAL);
    }
    let of = match pid {
        0 => own(),
        tid => task::task(tid).ok_or(Errno::ESRCH)?.credentials(),
    };
    if data == 0 {
        return Ok(0);
    }
    let sets = [of.cap_effective, of.cap_permitted, of.cap_inheritable];
    let halves = [
        sets.map(|set| set as u32),
        sets.map(|set| (set >> 32) as u32),
    ];
    for (index, half) in halves.iter().enumerate().take(words) {
        user::write(data.wrapping_add(12 * index as u64), half)?;
    }
    Ok(0)
}

/// capset(2).
pub fn capset(header: u64, data: u64) -> SysResult {
    let (pid, words) = read_header(header)?.ok_or(Errno::EINVAL)?;
    if pid != 0 && pid != sched::current().tid {
        return Err(Errno::EPERM);
    }
    let mut sets = [0u64; 3];
    for index in 0..words {
        let half: [u32; 3] = user::read(data.wrapping_add(12 * index as u64))?;
        for (set, half) in sets.iter_mut().zip(half) {
            *set |= (half as u64) << (32 * index);
        }
    }
    let [effective, permitted, inheritable] = sets.map(|set| set & CAP_ALL);
    let old = own();
    let within = |set: u64, limit: u64| set & !limit == 0;
    let inheritable_allowed =
        old.capable(CAP_SETPCAP) || within(inheritable, old.cap_inheritable | old.cap_permitted);
    if !inheritable_allowed
        || !within(inheritable, old.cap_inheritable | old.cap_bounding)
        || !within(permitted, old.cap_permitted)
        || !within(effective, permitted)
    {
        return Err(Errno::EPERM);
    }
    let new = Credentials {
        cap_effective: effective,
        cap_permitted: permitted,
        cap_inheritable: inheritable,
        cap_ambient: old.cap_ambient & permitted & inheritable,
        ..(*old).clone()
    };
    commit(&old, new)
}
