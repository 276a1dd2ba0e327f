//! Whole streams: calls that block, processes that end, signals, JSON, and bytes that are no records.

mod common;

use common::{Stream, print};
use vitrine_abi::{
    event::{
        DropsBody, ExecBody, ExitBody, ForkBody, ITEM_CUT, ITEM_OUT, SignalBody,
        change::{
            self, ActionItem, CredentialSet, DescriptorBody, MappingBody, SentBody, SessionBody,
            UmaskBody,
        },
        field, kind, tag,
    },
    nr,
};
use vitrine_introspect::{
    Format, Options,
    decode::Style,
    print::{PidPrefix, Precision, Timestamps},
};
use zerocopy::IntoBytes;

const FORK_FLAGS: u64 = 0x0120_0011;

fn strings(list: &[&str]) -> Vec<u8> {
    let mut out = (list.len() as u32).to_le_bytes().to_vec();
    for string in list {
        out.extend_from_slice(&(string.len() as u32).to_le_bytes());
        out.extend_from_slice(string.as_bytes());
    }
    out
}

fn fd(fd: i32, kind: &str, path: &str) -> Vec<u8> {
    let mut out = fd.to_le_bytes().to_vec();
    out.extend_from_slice(&0u32.to_le_bytes());
    out.extend_from_slice(&(kind.len() as u16).to_le_bytes());
    out.extend_from_slice(&(path.len() as u16).to_le_bytes());
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(path.as_bytes());
    out
}

/// A shell that runs `ls` and waits for it.
fn session() -> Stream {
    let mut s = Stream::new();
    let exec = ExecBody {
        argc: 2,
        envc: 1,
        ..ExecBody::default()
    };
    let argv = strings(&["ls", "-l"]);
    let envp = strings(&["HOME=/"]);
    let args = [0x1000, 0x2000, 0x7ffe_0000, 0, 0, 0];
    s.enter(
        nr::EXECVE as u64,
        args,
        &[
            (tag::STRING, 0, 0, 0, b"/bin/ls"),
            (tag::STRINGS, 1, 0, 0, &argv),
            (tag::STRINGS, 2, ITEM_CUT, 0, &12u32.to_le_bytes()),
        ],
    );
    s.record(
        kind::EXEC,
        exec.as_bytes(),
        &[
            (tag::STRING, field::EXE, 0, 0, b"/usr/bin/ls"),
            (tag::STRING, field::COMM, 0, 0, b"ls"),
            (tag::STRING, field::CWD, 0, 0, b"/w"),
            (tag::STRINGS, field::ARGV, 0, 0, &argv),
            (tag::STRINGS, field::ENVP, 0, 0, &envp),
        ],
    );
    s.exit(nr::EXECVE as u64, args, 0, &[]);
    let hostname = fd(3, "file", "/etc/hostname");
    let here = fd(-100, "dir", "/w");
    s.syscall(
        nr::OPENAT as u64,
        [-100i64 as u64, 0x1000, 0, 0, 0, 0],
        3,
        &[
            (tag::FD, 0, 0, 0, &here),
            (tag::STRING, 1, 0, 0, b"/etc/hostname"),
            (tag::FD, 6, ITEM_OUT, 0, &hostname),
        ],
    );
    let fork = ForkBody {
        child_pid: 1300,
        child_tid: 1300,
        clone_flags: FORK_FLAGS,
    };
    s.record(kind::FORK, fork.as_bytes(), &[]);
    let clone = [FORK_FLAGS, 0, 0, 0x7f46, 0, 0];
    s.syscall(nr::CLONE as u64, clone, 1300, &[]);
    let wait = [-1i64 as u64, 0x7ffc, 0, 0, 0, 0];
    s.enter(nr::WAIT4 as u64, wait, &[]);
    s.tid = 1300;
    s.pid = 1300;
    s.enter(nr::READ as u64, [0, 0x5000, 100, 0, 0, 0], &[]);
    s.exit(
        nr::READ as u64,
        [0, 0x5000, 100, 0, 0, 0],
        3,
        &[(tag::BYTES, 1, ITEM_OUT, 0, b"abc")],
    );
    s.enter(nr::EXIT_GROUP as u64, [7, 0, 0, 0, 0, 0], &[]);
    let exit = ExitBody {
        status: 7 << 8,
        process_ended: 1,
        ..ExitBody::default()
    };
    s.record(kind::EXIT, exit.as_bytes(), &[]);
    s.tid = 1234;
    s.pid = 1234;
    s.exit(
        nr::WAIT4 as u64,
        wait,
        1300,
        &[(tag::STRUCT, 1, ITEM_OUT, 0, &0x700u32.to_le_bytes())],
    );
    let signal = SignalBody {
        signo: 17,
        code: 1,
        pid: 1300,
        status: 7,
        ..SignalBody::default()
    };
    s.record(kind::SIGNAL, signal.as_bytes(), &[]);
    s.enter(nr::READ as u64, [0, 0x5000, 100, 0, 0, 0], &[]);
    let killed = ExitBody {
        status: 9,
        process_ended: 1,
        ..ExitBody::default()
    };
    s.record(kind::EXIT, killed.as_bytes(), &[]);
    s
}

#[test]
fn follows_processes_as_strace_f_does() {
    let options = Options {
        pid_prefix: PidPrefix::Always,
        ..Options::default()
    };
    let expected = r#"
1234  execve("/bin/ls", ["ls", "-l"], 0x7ffe0000 /* 12 vars */) = 0
1234  openat(AT_FDCWD, "/etc/hostname", O_RDONLY) = 3
1234  clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f46) = 1300
1234  wait4(-1,  <unfinished ...>
1300  read(0, "abc", 100)               = 3
1300  exit_group(7)                     = ?
1300  +++ exited with 7 +++
1234  <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 7}], 0, NULL) = 1300
1234  --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=1300, si_uid=0, si_status=7, si_utime=0, si_stime=0} ---
1234  read(0,  <unfinished ...>)        = ?
1234  +++ killed by SIGKILL +++
"#;
    let text = session().print(Format::Strace, options);
    assert_eq!(text, expected.trim_start());
}

#[test]
fn shows_descriptors_times_and_durations() {
    let options = Options {
        style: Style {
            fd_paths: true,
            ..Style::default()
        },
        timestamps: Timestamps::Time(Precision::Micros),
        durations: Some(Precision::Micros),
        pid_prefix: PidPrefix::Several,
        ..Options::default()
    };
    let text = session().print(Format::Strace, options);
    let line = text.lines().nth(1).unwrap();
    assert_eq!(
        line,
        "07:44:23.000000 openat(AT_FDCWD</w>, \"/etc/hostname\", O_RDONLY) = 3</etc/hostname> <0.000041>"
    );
    assert!(text.contains("\n[pid  1300] 07:44:23.000000 exit_group(7) = ?\n"));
}

#[test]
fn json_lines_are_json_and_name_everything() {
    let text = session().print(Format::Json, Options::default());
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let types: Vec<&str> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(
        types.join(" "),
        "syscall_enter exec syscall syscall fork syscall syscall_enter syscall_enter syscall syscall exit \
         syscall signal syscall_enter exit"
    );
    let open = &events[3];
    assert_eq!(open["name"], "openat");
    assert_eq!(open["comm"], "ls");
    assert_eq!(open["exe"], "/usr/bin/ls");
    assert_eq!(open["args"][0]["text"], "AT_FDCWD");
    assert_eq!(open["args"][0]["fd"]["path"], "/w");
    assert_eq!(open["args"][1]["name"], "pathname");
    assert_eq!(open["args"][1]["value"], "/etc/hostname");
    assert_eq!(open["args"][2]["text"], "O_RDONLY");
    assert_eq!(open["raw"].as_array().unwrap().len(), 6);
    assert_eq!(open["ret"], 3);
    assert_eq!(open["errno"], serde_json::Value::Null);
    assert_eq!(open["duration_ns"], 41_000);
    assert_eq!(open["ret_fd"]["path"], "/etc/hostname");
    // The child of a fork has its parent's name until it runs something else.
    assert_eq!(events[8]["comm"], "ls");
    assert_eq!(events[9]["ret"], serde_json::Value::Null);
    assert_eq!(events[1]["argv"][1], "-l");
}

#[test]
fn json_bytes_can_be_had_back() {
    let mut s = Stream::new();
    s.syscall(
        nr::WRITE as u64,
        [1, 0x1000, 9, 0, 0, 0],
        9,
        &[(tag::BYTES, 1, 0, 0, b"a\\\xff\"\n\0\xc3\xa4\x80")],
    );
    let text = s.print(Format::Json, Options::default());
    let event: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(event["args"][1]["value"], "a\\\\\\xff\"\n\0ä\\x80");
}

#[test]
fn drops_are_said() {
    let mut s = Stream::new();
    let drops = DropsBody {
        count: 12,
        first_seq: 2,
    };
    s.record(kind::DROPS, drops.as_bytes(), &[]);
    assert_eq!(
        s.print(Format::Strace, Options::default()),
        "+++ 12 events lost +++\n"
    );
}

#[test]
fn directory_reads_and_signal_returns() {
    let mut s = Stream::new();
    s.syscall(
        nr::GETDENTS64 as u64,
        [3, 0x7ffc_0000, 32768, 0, 0, 0],
        4680,
        &[(tag::COUNT, 1, ITEM_OUT, 0, &147u64.to_le_bytes())],
    );
    s.syscall(
        nr::RT_SIGRETURN as u64,
        [0; 6],
        -4,
        &[(tag::STRUCT, 0, 0, 0, &0x4001u64.to_le_bytes())],
    );
    let expected = "getdents64(3, 0x7ffc0000 /* 147 entries */, 32768) = 4680\n\
                    rt_sigreturn({mask=[HUP TERM]})         = -1 EINTR (Interrupted system call)\n";
    assert_eq!(s.print(Format::Strace, Options::default()), expected);
}

/// A small generator, so that a failure can be had again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A stream with every kind of change at its end.
fn with_changes(mut s: Stream) -> Stream {
    let set = CredentialSet::default();
    let mut groups = set.as_bytes().to_vec();
    groups.extend_from_slice(&[1, 0, 0, 0, 2, 0, 0, 0]);
    let file = fd(3, "file", "/etc/hostname");
    for op in 0..7 {
        let mapping = MappingBody {
            op,
            ..MappingBody::default()
        };
        let path = (tag::STRING, change::field::PATH, 0, 0, &b"/lib/a\xff"[..]);
        s.record(change::kind::MAPPING, mapping.as_bytes(), &[path]);
        let descriptor = DescriptorBody {
            op,
            ..DescriptorBody::default()
        };
        let item = (tag::FD, change::field::FD, 0, 0, &file[..]);
        s.record(change::kind::DESCRIPTOR, descriptor.as_bytes(), &[item]);
    }
    let both = [
        (tag::STRUCT, change::field::BEFORE, 0, 0, &groups[..]),
        (tag::STRUCT, change::field::AFTER, 0, 0, set.as_bytes()),
    ];
    s.record(change::kind::CREDENTIALS, &[], &both);
    s.record(
        change::kind::SESSION,
        SessionBody::default().as_bytes(),
        &[],
    );
    s.record(change::kind::UMASK, UmaskBody::default().as_bytes(), &[]);
    s.record(
        change::kind::SIGNAL_SENT,
        SentBody::default().as_bytes(),
        &[],
    );
    let action = ActionItem {
        what: change::action::HANDLER,
        ..ActionItem::default()
    };
    let item = (tag::STRUCT, change::field::ACTION, 0, 0, action.as_bytes());
    s.record(kind::SIGNAL, SignalBody::default().as_bytes(), &[item]);
    s
}

#[test]
fn a_change_without_what_it_needs_is_corrupt() {
    for kind in change::kind::MAPPING..=change::kind::SIGNAL_SENT {
        let mut s = Stream::new();
        s.record(kind, &[], &[]);
        let json = s.print(Format::Json, Options::default());
        assert!(json.contains("\"type\":\"corrupt\""), "{kind}: {json}");
    }
}

#[test]
fn changes_are_told() {
    let json = with_changes(Stream::new()).print(Format::Json, Options::default());
    for part in [
        "\"op\":\"map\"",
        "\"path\":\"/lib/a\\\\xff\"",
        "\"op\":\"received\"",
        "\"groups\":[1, 2]",
        "\"type\":\"session\"",
        "\"type\":\"umask\"",
        "\"type\":\"signal_sent\"",
        "\"action\":\"handler\"",
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
    assert!(!json.contains("corrupt"), "{json}");
}

#[test]
fn hostile_bytes_do_no_harm() {
    let good = with_changes(session()).bytes;
    let mut random = Random(0x1234_5678_9abc_def1);
    let options = Options {
        style: Style {
            fd_paths: true,
            abbreviate: false,
            string_limit: 1000,
            ..Style::default()
        },
        ..Options::default()
    };
    for round in 0..1500u64 {
        let mut bytes = good.clone();
        for _ in 0..=random.next() % 8 {
            let at = random.next() as usize % bytes.len();
            bytes[at] = match random.next() % 4 {
                0 => 0,
                1 => 0xff,
                2 => bytes[at] ^ 1 << (random.next() % 8),
                _ => random.next() as u8,
            };
        }
        if round % 3 == 0 {
            bytes.truncate(random.next() as usize % bytes.len());
        }
        print(&bytes, Format::Strace, options);
        let json = print(&bytes, Format::Json, options);
        for line in json.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            serde_json::from_slice::<serde_json::Value>(line).unwrap();
        }
    }
}

/// Every call with arguments and memory that mean nothing, decoded in every form.
#[test]
fn every_kind_of_argument_bears_any_memory() {
    let mut random = Random(99);
    let options = Options {
        style: Style {
            fd_paths: true,
            abbreviate: false,
            string_limit: 10,
            ..Style::default()
        },
        ..Options::default()
    };
    for round in 0..40 {
        let mut s = Stream::new();
        for call in vitrine_abi::syscall::all() {
            let args = std::array::from_fn(|_| random.next() >> (random.next() % 64));
            let payload: Vec<u8> = (0..random.next() % 200)
                .map(|_| random.next() as u8)
                .collect();
            let mut items = Vec::new();
            for arg in 0..7 {
                let tag = 1 + (random.next() % 9) as u8;
                let flags = (random.next() % 8) as u8;
                items.push((tag, arg, flags, (random.next() % 2) as u8, &payload[..]));
                items.push((tag::STRUCT, arg, round % 2, 0, &payload[..]));
            }
            let ret = (random.next() >> (random.next() % 64)) as i64;
            s.syscall(u64::from(call.nr), args, ret, &items);
        }
        print(&s.bytes, Format::Strace, options);
        let json = print(&s.bytes, Format::Json, options);
        for line in json.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            serde_json::from_slice::<serde_json::Value>(line).unwrap();
        }
    }
}

/// `cargo test --release -p vitrine-introspect -- --nocapture throughput` prints events a second; that all are written is checked.
#[test]
fn throughput() {
    let mut s = Stream::new();
    let start = s.bytes.len();
    let path = fd(3, "file", "/usr/lib/x86_64-linux-gnu/libc.so.6");
    let here = fd(-100, "dir", "/home/user/project");
    let data = [0x7f_u8; 64];
    for _ in 0..1000 {
        s.syscall(
            nr::OPENAT as u64,
            [-100i64 as u64, 0x7fff_1000, 0o2_000_000, 0, 0, 0],
            3,
            &[
                (tag::FD, 0, 0, 0, &here),
                (tag::STRING, 1, 0, 0, b"/usr/lib/x86_64-linux-gnu/libc.so.6"),
                (tag::FD, 6, ITEM_OUT, 0, &path),
            ],
        );
        s.syscall(
            nr::READ as u64,
            [3, 0x7fff_1000, 832, 0, 0, 0],
            832,
            &[
                (tag::FD, 0, 0, 0, &path),
                (tag::BYTES, 1, ITEM_OUT | ITEM_CUT, 0, &data),
            ],
        );
        s.syscall(
            nr::NEWFSTATAT as u64,
            [3, 0x7fff_1000, 0x7fff_2000, 0x1000, 0, 0],
            0,
            &[
                (tag::FD, 0, 0, 0, &path),
                (tag::STRING, 1, 0, 0, b""),
                (tag::STRUCT, 2, ITEM_OUT, 0, &[1; 144]),
            ],
        );
        s.syscall(
            nr::CLOSE as u64,
            [3, 0, 0, 0, 0, 0],
            0,
            &[(tag::FD, 0, 0, 0, &path)],
        );
    }
    for (name, format) in [("strace", Format::Strace), ("json", Format::Json)] {
        let path = std::env::temp_dir().join(format!("vitrine-throughput-{}", std::process::id()));
        let file = std::fs::File::create(&path).unwrap();
        let mut pipeline =
            vitrine_introspect::Pipeline::new(format, Options::default(), Box::new(file));
        pipeline.feed(&s.bytes[..start]).unwrap();
        let begin = std::time::Instant::now();
        let rounds = 20;
        for _ in 0..rounds {
            pipeline.feed(&s.bytes[start..]).unwrap();
        }
        let seconds = begin.elapsed().as_secs_f64();
        println!(
            "{name}: {:.0} events/s",
            4000.0 * f64::from(rounds) / seconds
        );
        let lines = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let count = lines.iter().filter(|&&byte| byte == b'\n').count();
        assert!(count >= 4000 * rounds as usize, "{name}: {count} lines");
    }
}
