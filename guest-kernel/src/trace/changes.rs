//! Records of changes to a process's state, in groups that are written only where they were asked for: a site whose group wasn't costs
//! one load. The format is `vitrine_abi::event::change`.

use super::{capture, emit::put};
use crate::{
    fs::File,
    mm::space::{AddressSpace, Prot},
    sched,
    signal::SigInfo,
    task::{Credentials, Process, Task},
};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU8, Ordering};
use vitrine_abi::event::{
    change::{
        CredentialSet, DescriptorBody, MappingBody, SentBody, SessionBody, UmaskBody, field, group,
        kind, mapping,
    },
    tag,
};
use zerocopy::IntoBytes;

/// The groups that are written.
static GROUPS: AtomicU8 = AtomicU8::new(0);

pub(super) fn set_groups(groups: u8) {
    GROUPS.store(groups, Ordering::Relaxed);
}

#[inline]
fn wanted(group: u8) -> bool {
    GROUPS.load(Ordering::Relaxed) & group != 0
}

/// Whether changes of mappings are written.
#[inline]
pub fn mappings_wanted() -> bool {
    wanted(group::MAPPINGS)
}

/// A mapping of the current process changed; `path`: that of the file.
pub fn mapping(body: MappingBody, path: Option<&[u8]>) {
    if mappings_wanted() {
        put_mapping(&sched::current(), body, path);
    }
}

fn put_mapping(task: &Task, body: MappingBody, path: Option<&[u8]>) {
    put(kind::MAPPING, task, body.as_bytes(), |record| {
        if let Some(path) = path {
            record.item(tag::STRING, field::PATH, 0, 0, path);
        }
    });
}

/// `task` gives up all of its address space, for `new` if it executes another program.
pub fn space_left(task: &Task, new: Option<&AddressSpace>) {
    if !mappings_wanted() {
        return;
    }
    let cleared = MappingBody {
        op: mapping::CLEAR,
        end: vitrine_abi::layout::USER_END,
        ..MappingBody::default()
    };
    put_mapping(task, cleared, None);
    // Without memory for the list, the teardown is told alone.
    for found in new.and_then(|new| new.mappings().ok()).unwrap_or_default() {
        let mut flags = if found.shared { mapping::SHARED } else { 0 };
        if found.object.is_none() {
            flags |= mapping::ANONYMOUS;
        }
        let body = MappingBody {
            op: mapping::MAP,
            start: found.start,
            end: found.end,
            offset: found.offset,
            prot: protection(found.prot),
            flags,
            ..MappingBody::default()
        };
        let path = match (&found.object, &found.name) {
            (Some(object), _) => Some(&object.path[..]),
            (None, Some(name)) => Some(name.as_bytes()),
            (None, None) => None,
        };
        put_mapping(task, body, path);
    }
}

/// As mmap(2) has it.
pub fn protection(prot: Prot) -> u32 {
    prot.bits()
}

/// A descriptor of the current process changed: one of `change::descriptor`.
pub fn descriptor(table: u64, op: u32, fd: i32, from: i32, cloexec: bool, file: &File) {
    if !wanted(group::DESCRIPTORS) {
        return;
    }
    let body = DescriptorBody {
        table,
        fd,
        op,
        from,
        cloexec: cloexec.into(),
    };
    put(
        kind::DESCRIPTOR,
        &sched::current(),
        body.as_bytes(),
        |record| capture::describe(record, field::FD, 0, 0, fd, file),
    );
}

/// Whether changes of descriptors are written.
#[inline]
pub fn descriptors_wanted() -> bool {
    wanted(group::DESCRIPTORS)
}

/// Credentials before a change, for [`credentials_changed`]; `None` where nobody wants to know.
#[inline]
pub fn credentials_before(task: &Task) -> Option<Arc<Credentials>> {
    wanted(group::CREDENTIALS).then(|| task.credentials())
}

/// The credentials of `task` are others than `before`, perhaps.
pub fn credentials_changed(task: &Task, before: Option<Arc<Credentials>>) {
    let Some(before) = before else { return };
    let after = task.credentials();
    if before == after {
        return;
    }
    put(kind::CREDENTIALS, task, &[], |record| {
        record.item(tag::STRUCT, field::BEFORE, 0, 0, &set(&before));
        record.item(tag::STRUCT, field::AFTER, 0, 0, &set(&after));
    });
}

/// Credentials as an item holds them.
fn set(of: &Credentials) -> Vec<u8> {
    let head = CredentialSet {
        uids: [of.uid, of.euid, of.suid, of.fsuid],
        gids: [of.gid, of.egid, of.sgid, of.fsgid],
        capabilities: [
            of.cap_effective,
            of.cap_permitted,
            of.cap_inheritable,
            of.cap_bounding,
            of.cap_ambient,
        ],
        securebits: of.securebits,
        no_new_privs: of.no_new_privs.into(),
    };
    let mut bytes = head.as_bytes().to_vec();
    bytes.extend_from_slice(of.groups.as_slice().as_bytes());
    bytes
}

/// Group and session of a process that the current one changed, from these.
pub fn session_changed(process: &Process, old_pgid: i32, old_sid: i32) {
    if !wanted(group::CREDENTIALS) {
        return;
    }
    let body = SessionBody {
        pid: process.pid,
        old_pgid,
        pgid: process.pgid.load(Ordering::Relaxed),
        old_sid,
        sid: process.sid.load(Ordering::Relaxed),
        pad: 0,
    };
    put(kind::SESSION, &sched::current(), body.as_bytes(), |_| ());
}

/// The current process's umask changed.
pub fn umask_changed(before: u32, after: u32) {
    if wanted(group::CREDENTIALS) {
        let body = UmaskBody { before, after };
        put(kind::UMASK, &sched::current(), body.as_bytes(), |_| ());
    }
}

/// A signal was sent to a process, or to `thread` of it alone; `outcome`: one of `change::sent`.
pub fn signal_sent(process: &Process, thread: Option<&Task>, info: &SigInfo, outcome: u32) {
    if !wanted(group::SIGNALS) {
        return;
    }
    let first = process.threads.lock().first().cloned();
    let Some(receiver) = thread.or(first.as_deref()) else {
        return;
    };
    let by = sched::current();
    let body = SentBody {
        info: super::emit::signal_body(info),
        by_pid: by.process.pid,
        by_tid: by.tid,
        outcome,
        thread: thread.is_some().into(),
    };
    put(kind::SIGNAL_SENT, receiver, body.as_bytes(), |_| ());
}
