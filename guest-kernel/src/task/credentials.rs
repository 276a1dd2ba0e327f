//! Credentials: ids and capability sets, and the rules by which they change (credentials(7), capabilities(7)).

use alloc::vec::Vec;
use linux_raw_sys::general::CAP_LAST_CAP;

/// All capabilities.
pub const CAP_ALL: u64 = (1 << (CAP_LAST_CAP + 1)) - 1;
/// Capabilities that the file-system uid brings along: DAC_*, FOWNER, FSETID, CHOWN, LINUX_IMMUTABLE, MKNOD, MAC_OVERRIDE.
const CAP_FS: u64 = 0b1_1111 | 1 << 9 | 1 << 27 | 1 << 32;

/// SECBIT_NOROOT.
pub const SECBIT_NOROOT: u32 = 1 << 0;
/// SECBIT_NO_SETUID_FIXUP.
pub const SECBIT_NO_SETUID_FIXUP: u32 = 1 << 2;
/// SECBIT_KEEP_CAPS.
pub const SECBIT_KEEP_CAPS: u32 = 1 << 4;
/// SECBIT_KEEP_CAPS_LOCKED.
pub const SECBIT_KEEP_CAPS_LOCKED: u32 = 1 << 5;
/// SECBIT_NO_CAP_AMBIENT_RAISE.
pub const SECBIT_NO_CAP_AMBIENT_RAISE: u32 = 1 << 6;

/// User and group ids (credentials(7)) and capability sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Real, effective, saved and file-system user id.
    pub uid: u32,
    /// …
    pub euid: u32,
    /// …
    pub suid: u32,
    /// …
    pub fsuid: u32,
    /// Real, effective, saved and file-system group id.
    pub gid: u32,
    /// …
    pub egid: u32,
    /// …
    pub sgid: u32,
    /// …
    pub fsgid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Capability sets: effective, permitted, inheritable, bounding, ambient.
    pub cap_effective: u64,
    /// …
    pub cap_permitted: u64,
    /// …
    pub cap_inheritable: u64,
    /// …
    pub cap_bounding: u64,
    /// …
    pub cap_ambient: u64,
    /// `SECBIT_*`.
    pub securebits: u32,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privs: bool,
}

impl Credentials {
    /// Those of a fresh login: all ids alike, and all capabilities for uid 0.
    pub fn login(uid: u32, gid: u32, groups: &[u32]) -> Credentials {
        let caps = if uid == 0 { CAP_ALL } else { 0 };
        Credentials {
            uid,
            euid: uid,
            suid: uid,
            fsuid: uid,
            gid,
            egid: gid,
            sgid: gid,
            fsgid: gid,
            groups: groups.to_vec(),
            cap_effective: caps,
            cap_permitted: caps,
            cap_bounding: CAP_ALL,
            ..Default::default()
        }
    }

    /// Whether capability `cap` is effective.
    pub fn capable(&self, cap: u32) -> bool {
        cap <= CAP_LAST_CAP && self.cap_effective & (1 << cap) != 0
    }

    /// Whether it may signal, inspect or reschedule a task with credentials `other` by its user id alone (kill(2)'s rule).
    pub fn same_user(&self, other: &Credentials) -> bool {
        let mine = [self.euid, self.uid];
        mine.iter().any(|id| [other.uid, other.suid].contains(id))
    }

    /// Capabilities follow the user ids after a call of the set*uid family; `old` are those before it.
    pub fn after_uid_change(&mut self, old: &Credentials) {
        if self.securebits & SECBIT_NO_SETUID_FIXUP != 0 {
            return;
        }
        let had_root = [old.uid, old.euid, old.suid].contains(&0);
        let has_root = [self.uid, self.euid, self.suid].contains(&0);
        if had_root && !has_root {
            if self.securebits & SECBIT_KEEP_CAPS == 0 {
                self.cap_permitted = 0;
                self.cap_effective = 0;
            }
            self.cap_ambient = 0;
        }
        if old.euid == 0 && self.euid != 0 {
            self.cap_effective = 0;
        }
        if old.euid != 0 && self.euid == 0 {
            self.cap_effective = self.cap_permitted;
        }
    }

    /// The file-system capabilities follow setfsuid(2).
    pub fn after_fsuid_change(&mut self, old_fsuid: u32) {
        if self.securebits & SECBIT_NO_SETUID_FIXUP != 0 {
            return;
        }
        if old_fsuid == 0 && self.fsuid != 0 {
            self.cap_effective &= !CAP_FS;
        }
        if old_fsuid != 0 && self.fsuid == 0 {
            self.cap_effective |= self.cap_permitted & CAP_FS;
        }
    }

    /// Credentials of a program that is executed: `set_uid` and `set_gid` are its owner where the mode's bits say so.
    /// The second value: the program must be told to be careful (AT_SECURE).
    pub fn for_exec(&self, set_uid: Option<u32>, set_gid: Option<u32>) -> (Credentials, bool) {
        let mut new = self.clone();
        if !self.no_new_privs {
            new.euid = set_uid.unwrap_or(self.euid);
            new.egid = set_gid.unwrap_or(self.egid);
        }
        let changed = new.euid != self.euid || new.egid != self.egid;
        new.suid = new.euid;
        new.fsuid = new.euid;
        new.sgid = new.egid;
        new.fsgid = new.egid;
        new.securebits &= !SECBIT_KEEP_CAPS;
        if changed {
            new.cap_ambient = 0;
        }
        let root_powers = self.securebits & SECBIT_NOROOT == 0;
        let by_root = root_powers && (new.uid == 0 || new.euid == 0);
        new.cap_permitted = if by_root {
            self.cap_inheritable | self.cap_bounding
        } else {
            new.cap_ambient
        };
        new.cap_effective = match root_powers && new.euid == 0 {
            true => new.cap_permitted,
            false => new.cap_ambient,
        };
        let elevated = new.euid != self.uid || new.egid != self.gid;
        (new, changed || elevated)
    }
}
