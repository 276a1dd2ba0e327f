//! A hostile guest kernel: random host calls with random memory behind them. Nothing may panic, block or grow without bound, and no
//! answer may come from beyond the root.

use super::*;
use crate::events::Events;
use crate::workload::kind;
use std::path::PathBuf;
use vitrine_abi::boot::ConsoleFd;
use vitrine_abi::hostcall::{HostAttr, HostCallSlot};

const RAM: u64 = 4 << 20;
const SECRET: &[u8] = b"what lies beyond the root";

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// An argument: handles, lengths, addresses in RAM and out of it.
    fn argument(&mut self) -> u64 {
        match self.below(12) {
            0 => 0,
            1 => u64::MAX,
            2 => self.next(),
            3 => RAM - self.below(64),
            4 => u64::MAX - self.below(8192),
            5 => 1 << self.below(64),
            6 => self.below(RAM) & !4095,
            7 | 8 => self.below(8),
            9 => self.below(300),
            _ => 0x1_0000 + self.below(64) * 256,
        }
    }
}

struct Fixture {
    dir: PathBuf,
    ram: Arc<GuestRam>,
    bell: Arc<Bell>,
    host: Host,
}

impl Fixture {
    fn new(name: &str) -> Fixture {
        let dir =
            std::env::temp_dir().join(format!("vitrine-hostile-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let root = dir.join("root");
        std::fs::create_dir_all(root.join("sub/deep")).unwrap();
        std::fs::write(dir.join("secret"), SECRET).unwrap();
        std::fs::write(root.join("file"), vec![7; 10_000]).unwrap();
        for (target, name) in [
            ("../secret", "up"),
            ("../../../secret", "sub/deep/up"),
            ("/proc/self/fd", "descriptors"),
            ("/proc/self/root", "magic"),
            ("/proc/self/cwd", "cwd"),
            ("/", "absolute"),
            ("..", "parent"),
        ] {
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(dir.join("secret"), root.join("outside")).unwrap();
        let ram = Arc::new(GuestRam::new(RAM, u64::MAX).unwrap());
        let bell = Arc::new(Bell::new(Arc::clone(&ram)).unwrap());
        // Output to a terminal always goes through the queue, which nobody empties here.
        let fd = |kind| ConsoleFd {
            kind,
            ..ConsoleFd::default()
        };
        let fds = [fd(kind::CLOSED), fd(kind::TERMINAL), fd(kind::TERMINAL)];
        let arm = Events::new(1_000_000, 0).unwrap().input_arm();
        let console = Arc::new(Console::new(fds, Arc::clone(&bell), arm));
        let files = Files::new(&root, &[], 128).unwrap();
        let host = Host::new(
            Arc::clone(&ram),
            Arc::clone(&bell),
            console,
            files,
            Arc::new(Stops::new(crate::stops::Policy::default())),
        );
        Fixture {
            dir,
            ram,
            bell,
            host,
        }
    }

    fn slot(&self) -> &HostCallSlot {
        self.ram.host_call_slot()
    }

    /// Makes a call as a guest does; its result.
    fn call(&self, op: u32, args: [u64; 6]) -> i64 {
        let slot = self.slot();
        slot.op.store(op, Ordering::Relaxed);
        for (place, value) in slot.args.iter().zip(args) {
            place.store(value, Ordering::Relaxed);
        }
        let request = slot.request.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        assert!(self.host.try_serve());
        assert_eq!(slot.done.load(Ordering::SeqCst), request);
        slot.ret.load(Ordering::Relaxed)
    }

    fn lookup(&self, parent: u64, path: &[u8]) -> i64 {
        self.ram.write(0x2_0000, path).unwrap();
        let args = [parent, 0x2_0000, path.len() as u64, 0x3_0000, 0, 0];
        self.call(Op::Lookup as u32, args)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn random_calls_with_random_memory() {
    let fixture = Fixture::new("calls");
    let mut random = Random(1);
    let names: [&[u8]; 8] = [
        b"file",
        b"sub",
        b"sub/deep",
        b"up",
        b"outside",
        b"magic",
        b"descriptors",
        b"..",
    ];
    for _ in 0..50_000 {
        let at = 0x1_0000 + random.below(64) * 256;
        if random.below(2) == 0 {
            let name = names[random.below(8) as usize];
            fixture.ram.write(at, name).unwrap();
        } else {
            let words: Vec<u8> = (0..16)
                .flat_map(|_| random.argument().to_ne_bytes())
                .collect();
            fixture.ram.write(at, &words).unwrap();
        }
        // The ends of a range are the likely operations; any other number is none.
        let op = match random.below(20) {
            0 => random.next() as u32,
            1..=8 => 1 + random.below(8) as u32,
            _ => random.below(48) as u32,
        };
        let args = [(); 6].map(|()| random.argument());
        let result = fixture.call(op, args);
        assert!(result >= -4095, "operation {op} {args:x?} gave {result}");
    }
    // The table is full of handles at most up to its limit, and the root is still served.
    assert_eq!(
        fixture.call(Op::GetAttr as u32, [0, 0x3_0000, 0, 0, 0, 0]),
        0
    );
    assert!(matches!(
        fixture.bell.end(),
        None | Some(End::Exited(0..=0xffff))
    ));
}

#[test]
fn a_slot_full_of_garbage_is_answered_once() {
    let fixture = Fixture::new("slot");
    let mut random = Random(2);
    for _ in 0..20_000 {
        let slot = fixture.slot();
        slot.request.store(random.next(), Ordering::SeqCst);
        slot.done.store(random.next(), Ordering::SeqCst);
        slot.op.store(random.next() as u32, Ordering::SeqCst);
        for place in &slot.args {
            place.store(random.next(), Ordering::SeqCst);
        }
        fixture.host.try_serve();
        assert!(!fixture.host.has_request());
        assert!(!fixture.host.try_serve());
    }
}

#[test]
fn no_path_leads_out() {
    let fixture = Fixture::new("paths");
    let errno = |errno: Errno| -i64::from(errno.raw_os_error());
    for path in [
        "..",
        "../secret",
        "sub/../../secret",
        "./../secret",
        "sub/..",
        "/",
        "/etc/passwd",
        "//",
        "sub/./../../secret",
    ] {
        assert_eq!(
            fixture.lookup(0, path.as_bytes()),
            errno(Errno::INVAL),
            "{path}"
        );
    }
    for path in [
        "up/",
        "magic/etc",
        "descriptors/0",
        "cwd/x",
        "absolute/etc",
        "parent/secret",
        "sub/deep/up/x",
        "outside/x",
    ] {
        let result = fixture.lookup(0, path.as_bytes());
        assert!(
            result == errno(Errno::LOOP) || result == errno(Errno::NOTDIR),
            "{path}: {result}"
        );
    }
    // A final symlink gives a handle to itself, which can't be read through.
    for path in [
        "up",
        "outside",
        "magic",
        "descriptors",
        "absolute",
        "sub/deep/up",
    ] {
        let handle = fixture.lookup(0, path.as_bytes());
        assert!(handle > 0, "{path}: {handle}");
        let attr: HostAttr = fixture.ram.read_obj(0x3_0000).unwrap();
        assert_eq!(attr.mode & 0o170_000, 0o120_000, "{path}");
        let handle = handle as u64;
        fixture
            .ram
            .write_obj(0x4_0000, &[0x5_0000u64, 4096])
            .unwrap();
        let read = [handle, 0, 0x4_0000, 1, 0, 0];
        assert_eq!(
            fixture.call(Op::Read as u32, read),
            errno(Errno::INVAL),
            "{path}"
        );
        assert_eq!(fixture.lookup(handle, b"x"), errno(Errno::NOTDIR), "{path}");
        let list = [handle, 0, 0x5_0000, 4096, 0, 0];
        assert_eq!(
            fixture.call(Op::ReadDir as u32, list),
            errno(Errno::NOTDIR),
            "{path}"
        );
    }
    let mut found = vec![0; RAM as usize];
    fixture.ram.read(0, &mut found).unwrap();
    assert!(!found.windows(SECRET.len()).any(|window| window == SECRET));
}

#[test]
fn the_console_queue_is_bounded() {
    let fixture = Fixture::new("console");
    let mut random = Random(3);
    let mut accepted = 0;
    for _ in 0..100_000 {
        let args = [
            1 + random.below(2),
            random.argument(),
            random.argument(),
            0,
            0,
            0,
        ];
        accepted += fixture.call(Op::ConsoleWrite as u32, args).max(0);
    }
    assert!(accepted > 0);
    assert!(accepted <= 256 << 10, "{accepted} bytes wait");
    // Whoever is told that there is no room is told, not failed.
    assert_eq!(
        fixture.call(Op::ConsoleWrite as u32, [1, 0, 64 << 10, 0, 0, 0]),
        0
    );
}

#[test]
fn one_read_is_no_longer_than_memory() {
    let fixture = Fixture::new("read");
    let handle = fixture.lookup(0, b"file") as u64;
    let pieces: Vec<u64> = (0..512).flat_map(|_| [0x10_0000, 1 << 20]).collect();
    fixture.ram.write(0x4_0000, pieces.as_bytes()).unwrap();
    let args = [handle, 0, 0x4_0000, 512, 0, 0];
    let result = fixture.call(Op::Read as u32, args);
    assert_eq!(result, -i64::from(Errno::INVAL.raw_os_error()));
}

#[test]
fn the_log_is_bounded() {
    let fixture = Fixture::new("log");
    for _ in 0..100_000 {
        assert_eq!(fixture.call(Op::Log as u32, [4, 0, 10, 0, 0, 0]), 0);
    }
    assert_eq!(fixture.host.lines.left(), 0);
}
