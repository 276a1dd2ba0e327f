//! Every call of the table, with meaningless arguments, against what strace 6.1 printed for the same (`data/all_calls.txt`: a program that makes every
//! call with the arguments 0x11…0x16 under a seccomp filter that fails it with ENOSYS).

mod common;

use common::Stream;
use vitrine_introspect::{Format, Options};

/// Printed otherwise: the Ethernet protocols of packet sockets have no names here.
const DIFFERENT: &[&str] = &["socket"];

#[test]
fn every_call_prints_as_strace_does() {
    let golden = include_str!("data/all_calls.txt");
    let mut failures = Vec::new();
    for line in golden.lines() {
        let name = line.split('(').next().unwrap();
        let nr = match name.strip_prefix("syscall_0x") {
            Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
            None => u64::from(vitrine_abi::syscall::by_name(name).unwrap().nr),
        };
        // Calls that strace 6.1 doesn't know have names here.
        if name.starts_with("syscall_") || DIFFERENT.contains(&name) {
            continue;
        }
        let mut stream = Stream::new();
        stream.syscall(nr, [0x11, 0x12, 0x13, 0x14, 0x15, 0x16], -38, &[]);
        let text = stream.print(Format::Strace, Options::default());
        if text.trim_end() != line {
            failures.push(format!("strace: {line}\n  ours: {}", text.trim_end()));
        }
    }
    assert!(
        failures.is_empty(),
        "{} lines differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn the_table_has_every_call() {
    for nr in (0..=334).chain(424..=462) {
        let call = vitrine_abi::syscall::get(nr);
        assert!(call.is_some_and(|call| u64::from(call.nr) == nr), "{nr}");
    }
    assert!(vitrine_abi::syscall::get(400).is_none());
    assert!(vitrine_abi::syscall::get(u64::MAX).is_none());
    let file = vitrine_abi::syscall::Class::from_name("file").unwrap();
    assert!(
        vitrine_abi::syscall::by_name("openat")
            .unwrap()
            .class()
            .intersects(file)
    );
}
