//! What is told to those who begin to watch while programs run, and what is told of changes to what is watched.

use super::{capture, emit, ring};
use crate::{
    arch,
    task::{self, Process, Task},
};
use vitrine_abi::{
    event::{
        ConfigBody, ExecBody, ITEM_CUT, MAX_RECORD, Record, RecordHeader, config, field, kind, tag,
    },
    shared::FilterRequest,
};
use zerocopy::IntoBytes;

/// Tells of every thread that there is.
pub(super) fn processes() {
    for process in task::processes() {
        let threads = process.threads.lock().clone();
        for thread in threads {
            one(&process, &thread);
        }
    }
}

fn one(process: &Process, task: &Task) {
    let credentials = task.credentials();
    let executable = process.executable.lock().as_deref().cloned();
    let path = executable.as_ref().map(|place| place.path.to_vec());
    let file = executable.and_then(|place| place.inode.metadata().ok());
    let arguments = process.arguments.lock().clone();
    let comm = *task.comm.lock();
    let body = ExecBody {
        uids: [credentials.uid, credentials.euid, credentials.suid],
        gids: [credentials.gid, credentials.egid, credentials.sgid],
        dev: file.as_ref().map_or(0, |file| file.dev),
        ino: file.as_ref().map_or(0, |file| file.ino),
        argc: arguments.argv.len() as u32,
        envc: arguments.envp.len() as u32,
    };
    emit::put(kind::SNAPSHOT, task, body.as_bytes(), |record| {
        let path = path.as_deref().unwrap_or_default();
        record.item(tag::STRING, field::EXE, 0, 0, path);
        record.item(tag::STRING, field::COMM, 0, 0, capture::until_nul(&comm));
        emit::strings(record, field::ARGV, &arguments.argv, MAX_RECORD / 2);
    });
}

/// Tells that another filter is in force, the `generation`th.
pub(super) fn config(generation: u64, request: &FilterRequest<'_>) {
    let mut record = Record::new();
    record.start(ConfigBody { generation }.as_bytes());
    for (field, text) in [
        (config::CHANGE, request.change),
        (config::TEXT, request.text),
    ] {
        let len = text.len().min(MAX_RECORD / 4);
        let flags = if len < text.len() { ITEM_CUT } else { 0 };
        record.item(tag::STRING, field, flags, 0, &text[..len]);
    }
    record.set_header(&RecordHeader {
        kind: kind::CONFIG,
        tsc: arch::tsc(),
        vcpu: arch::cpu() as u16,
        ..RecordHeader::default()
    });
    ring::put(&mut record);
}
