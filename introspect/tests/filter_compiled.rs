//! The guest's programs and the host's evaluator say the same of any event.

use proptest::prelude::*;
use std::sync::Arc;
use vitrine_abi::{
    event::{FdBody, ITEM_OUT, ItemHeader, tag},
    filter::{Filter, NO_PROGRAM, Source, WATCH_RECORD, field},
    nr,
    syscall::{self, ArgKind, RetKind},
};
use vitrine_introspect::{
    event::{Captured, Event, EventKind, Phase, SyscallEvent},
    filter::{Compiler, Definitions, Evaluator, parse},
};
use zerocopy::IntoBytes;

const STRINGS: &[&str] = &[
    "",
    "/",
    "/etc/passwd",
    "/etc/Passwd",
    "a",
    "bash",
    "file",
    "pipe",
    "/tmp/x.so",
];
const CALLS: &[usize] = &[
    nr::READ,
    nr::WRITE,
    nr::OPENAT,
    nr::CLOSE,
    nr::MMAP,
    nr::KILL,
    nr::EXECVE,
    nr::GETPID,
    nr::EXIT_GROUP,
    nr::RENAMEAT2,
    nr::SOCKET,
    nr::CONNECT,
    nr::FCNTL,
];
const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    3,
    9,
    64,
    0x241,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ff9c,
    1 << 32,
    u64::MAX,
    u64::MAX - 99,
    1 << 63,
];
const RESULTS: &[i64] = &[0, 3, -1, -2, -13, -4095, -4096, i64::MAX, i64::MIN];

const TESTS: &[&str] = &[
    "evt.type = openat",
    "evt.type != read",
    "evt.type in (%file, kill)",
    "evt.type startswith e",
    "evt.nr < 10",
    "path = /etc/passwd",
    "path != /etc/passwd",
    "path startswith /etc",
    "path icontains PASS",
    "path in (a, /, /tmp/x.so)",
    "path < /etc/z",
    "path >= /",
    "path exists",
    "pathname glob */[Pp]*",
    "oldpath endswith .so",
    "evt.paths = /etc/passwd",
    "fd.name = /etc/passwd",
    "fd.type in (file, pipe)",
    "fd.num = 3",
    "fd.nums = -100",
    "fd = /etc/passwd",
    "dirfd = AT_FDCWD",
    "flags contains O_CREAT",
    "flags contains O_RDONLY",
    "flags & 3 = O_WRONLY",
    "flags & ~O_CLOEXEC != 0",
    "count > 4",
    "count >= 0x80000000",
    "count < -1",
    "count > -1",
    "offset < 0",
    "offset >= 0",
    "pid > 0",
    "pid <= -1",
    "pid = 0xffffffff",
    "pid != -1",
    "sig = KILL",
    "length > 0xffffffff",
    "evt.rawarg.0 = 0x8000000000000000",
    "evt.arg.1 in (0, 1, 64, -1)",
    "evt.res = -ENOENT",
    "evt.res = SUCCESS",
    "evt.res >= 0",
    "evt.res != 0",
    "evt.errno in (ENOENT, EACCES)",
    "evt.errno > 1",
    "evt.errno exists",
    "evt.failed",
    "evt.failed = false",
    "evt.latency > 5ms",
    "evt.dir = <",
    "proc.name = bash",
    "proc.name in (a, bash, /)",
    "proc.exe contains etc",
    "proc.pid = 1",
    "proc.ppid != 1",
    "thread.tid < 3",
    "user.uid = 0",
    "group.gid != 0",
    "evt.cpu = 0",
    "buf contains etc",
    "evt.type = write and buf startswith /",
    "argv contains x",
    "proc.aname = bash",
    "proc.cmdline = a",
    "evt.num > 5",
    "fd.filename = passwd",
    "fd.directory startswith /",
    "evt.args contains 3",
];

struct OfEvent<'a>(&'a Event, &'a SyscallEvent);

impl Source for OfEvent<'_> {
    fn integer(&mut self, which: u8, arg: u8) -> Option<u64> {
        let OfEvent(event, call) = self;
        let signed = |value: i32| Some(i64::from(value) as u64);
        match which {
            field::NR => Some(call.nr),
            field::ARG => call.args.get(usize::from(arg)).copied(),
            field::RESULT => call.ret.map(|ret| ret as u64),
            field::ERRNO => call.errno().map(u64::from),
            field::LATENCY => call.ret.map(|_| call.duration_ns),
            field::PID => signed(event.pid),
            field::TID => signed(event.tid),
            field::PPID => signed(event.ppid),
            field::SID => signed(event.sid),
            field::EUID => Some(event.uid.into()),
            field::EGID => Some(event.gid.into()),
            field::CPU => Some(event.vcpu.into()),
            _ => None,
        }
    }

    fn string(&mut self, which: u8, arg: u8) -> Option<&[u8]> {
        let OfEvent(event, call) = self;
        match which {
            field::STRING => {
                let find = |tag| call.items.find(tag, usize::from(arg), false);
                find(tag::STRING)
                    .or_else(|| find(tag::BYTES))
                    .map(|item| item.data)
            }
            field::FD_PATH if arg < 6 || call.ret.is_some() => {
                call.items.fd(arg.into(), 0).map(|fd| fd.text)
            }
            field::FD_KIND if arg < 6 || call.ret.is_some() => {
                call.items.fd(arg.into(), 0).map(|fd| fd.kind)
            }
            field::COMM => Some(&event.comm),
            field::EXE => Some(&event.exe),
            _ => None,
        }
    }
}

fn fd_item(items: &mut Captured, arg: u8, flags: u8, text: &str) {
    let body = FdBody {
        fd: 3,
        flags: 0,
        kind_len: 4,
        text_len: text.len() as u16,
    };
    let data = [body.as_bytes(), b"file", text.as_bytes()].concat();
    items.push(
        ItemHeader {
            tag: tag::FD,
            arg,
            flags,
            ..Default::default()
        },
        &data,
    );
}

prop_compose! {
    fn event()(
        index in 0..CALLS.len(), args in prop::array::uniform6(prop::sample::select(NUMBERS)), ret in prop::sample::select(RESULTS),
        strings in prop::array::uniform8(prop::sample::select(STRINGS)), captured in any::<u8>(), ids in prop::array::uniform4(0i32..4),
        duration in 0u64..10_000_000,
    ) -> Event {
        let call = syscall::get(CALLS[index] as u64).unwrap();
        let mut items = Captured::default();
        for (arg, row) in (0u8..).zip(call.args) {
            if captured >> arg & 1 == 0 { continue }
            let text = strings[usize::from(arg)];
            let head = |tag, flags| ItemHeader { tag, arg, flags, ..Default::default() };
            match row.kind {
                ArgKind::Path | ArgKind::Str => items.push(head(tag::STRING, 0), text.as_bytes()),
                ArgKind::BufIn(_) => items.push(head(tag::BYTES, 0), text.as_bytes()),
                ArgKind::BufOut(_) => items.push(head(tag::BYTES, ITEM_OUT), text.as_bytes()),
                ArgKind::Fd | ArgKind::AtFd => fd_item(&mut items, arg, 0, text),
                _ => {}
            }
        }
        let returns = !call.never_returns();
        if returns && ret >= 0 && call.ret == RetKind::Fd && captured & 0x80 != 0 { fd_item(&mut items, 6, ITEM_OUT, strings[6]) }
        Event {
            seq: 7, pid: ids[0], tid: ids[1], ppid: ids[2], uid: ids[3] as u32, gid: ids[3] as u32,
            comm: Arc::from(strings[7].as_bytes()), exe: Arc::from(strings[6].as_bytes()),
            kind: EventKind::Syscall(SyscallEvent {
                phase: if returns { Phase::Complete } else { Phase::Enter },
                nr: call.nr.into(), call: Some(call), args, ret: returns.then_some(ret),
                duration_ns: if returns { duration } else { 0 }, start_ns: 0, items,
            }),
            ..Event::default()
        }
    }
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(TESTS).prop_map(str::to_owned);
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|list| format!("({})", list.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|list| format!("({})", list.join(" or "))),
            inner.prop_map(|inner| format!("not ({inner})")),
        ]
    })
}

fn check(text: &str, events: &[Event]) {
    let expr = parse(text, &Definitions::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut compiler = Compiler::new();
    let plans = compiler.record(&expr);
    let filter = Filter::decode(&compiler.filter.encode()).expect("valid");
    let mut evaluator = Evaluator::new(Arc::new(expr));
    for event in events {
        let EventKind::Syscall(call) = &event.kind else {
            panic!()
        };
        let host = evaluator.matches(event);
        let entry = filter.call(call.nr);
        let mut guest = false;
        if entry.watch & WATCH_RECORD != 0 {
            // Before the call there is no result.
            let before = SyscallEvent {
                ret: None,
                duration_ns: 0,
                ..call.clone()
            };
            guest = filter.run(entry.entry, &mut OfEvent(event, &before));
            if guest && entry.exit != NO_PROGRAM {
                guest = filter.run(entry.exit, &mut OfEvent(event, call));
            }
        }
        assert!(
            guest || !host,
            "the guest drops what `{text}` asks for: {event:?}"
        );
        if plans[call.nr as usize].exact {
            assert_eq!(guest, host, "`{text}`: {event:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]
    #[test]
    fn guest_and_host_agree(text in expression(), events in prop::collection::vec(event(), 24)) {
        // Parts that contradict each other may ask for an argument that no call in question has.
        if parse(&text, &Definitions::default()).is_ok() {
            check(&text, &events);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..Default::default() })]
    #[test]
    fn every_test_by_itself(events in prop::collection::vec(event(), 64)) {
        for text in TESTS {
            check(text, &events);
            check(&format!("not {text}"), &events);
        }
    }
}
