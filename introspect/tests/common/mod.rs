//! Builds streams of records as the guest kernel would, and prints them.
#![allow(dead_code)]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};
use vitrine_abi::event::{ClockBody, Record, RecordHeader, SyscallBody, kind};
use vitrine_introspect::{Format, Options, Pipeline};
use zerocopy::IntoBytes;

/// One captured item: tag, argument, flags, index, payload.
pub type Item<'a> = (u8, u8, u8, u8, &'a [u8]);

/// A writer whose contents can be looked at afterwards.
#[derive(Clone, Default)]
pub struct Shared(pub Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream of records.
pub struct Stream {
    pub bytes: Vec<u8>,
    pub tid: i32,
    pub pid: i32,
    seq: u64,
    pub now: u64,
}

impl Stream {
    pub fn new() -> Stream {
        let mut stream = Stream {
            bytes: Vec::new(),
            tid: 1234,
            pid: 1234,
            seq: 0,
            now: 1_000_000,
        };
        let clock = ClockBody {
            tsc_khz: 1_000_000,
            monotonic_ns: 1_000_000,
            realtime_ns: 1_795_506_263_000_000_000,
        };
        stream.record(kind::CLOCK, clock.as_bytes(), &[]);
        stream
    }

    pub fn record(&mut self, kind: u16, body: &[u8], items: &[Item<'_>]) {
        let mut record = Record::new();
        record.start(body);
        for (tag, arg, flags, index, payload) in items {
            record.item(*tag, *arg, *flags, *index, payload);
        }
        self.seq += 1;
        record.set_header(&RecordHeader {
            kind,
            seq: self.seq,
            tsc: self.now,
            pid: self.pid,
            tid: self.tid,
            ppid: 1,
            sid: 1,
            uid: 0,
            gid: 0,
            ..RecordHeader::default()
        });
        self.bytes.extend_from_slice(record.as_bytes());
    }

    fn call(&mut self, kind: u16, nr: u64, args: [u64; 6], ret: i64, items: &[Item<'_>]) {
        let body = SyscallBody {
            nr,
            args,
            ret,
            duration: 41_000,
        };
        self.record(kind, body.as_bytes(), items);
    }

    pub fn syscall(&mut self, nr: u64, args: [u64; 6], ret: i64, items: &[Item<'_>]) {
        self.call(kind::SYSCALL, nr, args, ret, items);
    }

    pub fn enter(&mut self, nr: u64, args: [u64; 6], items: &[Item<'_>]) {
        self.call(kind::SYSCALL_ENTER, nr, args, 0, items);
    }

    pub fn exit(&mut self, nr: u64, args: [u64; 6], ret: i64, items: &[Item<'_>]) {
        self.call(kind::SYSCALL_EXIT, nr, args, ret, items);
    }

    pub fn print(&self, format: Format, options: Options) -> String {
        String::from_utf8(print(&self.bytes, format, options)).unwrap()
    }
}

pub fn print(bytes: &[u8], format: Format, options: Options) -> Vec<u8> {
    let shared = Shared::default();
    let mut pipeline = Pipeline::new(format, options, Box::new(shared.clone()));
    pipeline.feed(bytes).unwrap();
    pipeline.finish(0).unwrap();
    let bytes = shared.0.lock().unwrap();
    bytes.clone()
}
