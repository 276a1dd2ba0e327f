//! Round trips, refusals, and the interpreter's operators.

use super::*;
use alloc::{vec, vec::Vec};

struct Values;

impl Source for Values {
    fn integer(&mut self, field: u8, arg: u8) -> Option<u64> {
        match (field, arg) {
            (field::NR, 0) => Some(257),
            (field::ARG, 0) => Some(0xffff_ffff_ffff_ff9c),
            (field::ARG, 1) => Some(0x1234_0000_0041),
            (field::RESULT, 0) => Some(-2i64 as u64),
            _ => None,
        }
    }

    fn string(&mut self, field: u8, arg: u8) -> Option<&[u8]> {
        (field == field::STRING && arg == 1).then_some(b"/etc/Passwd")
    }
}

fn filter_of(insn: Insn, pool: &[u8]) -> Filter {
    let mut filter = Filter::empty();
    let end = |value| Insn {
        op: op::END,
        value,
        ..Insn::default()
    };
    filter.insns = vec![
        Insn {
            if_false: 1,
            ..insn
        },
        end(YES),
        end(NO),
    ];
    filter.pool = pool.to_vec();
    let mut program = ProgramEntry {
        insns: Span { start: 0, len: 3 },
        ..ProgramEntry::default()
    };
    program.add(&insn);
    filter.programs = vec![program];
    filter
}

fn integer(op: u8, field: u8, arg: u8, flags: u8, mask: u64, value: u64) -> bool {
    let insn = Insn {
        op,
        field,
        arg,
        flags,
        mask,
        value,
        ..Insn::default()
    };
    let filter = filter_of(insn, &[]);
    let filter = Filter::decode(&filter.encode()).expect("valid");
    filter.run(0, &mut Values)
}

fn string(op: u8, flags: u8, text: &[u8]) -> bool {
    let span = Span {
        start: 0,
        len: text.len() as u32,
    };
    let insn = Insn {
        op,
        field: field::STRING,
        arg: 1,
        flags,
        value: span.to_value(),
        ..Insn::default()
    };
    let filter = filter_of(insn, text);
    let filter = Filter::decode(&filter.encode()).expect("valid");
    filter.run(0, &mut Values)
}

#[test]
fn integers() {
    let all = u64::MAX;
    assert!(integer(op::EQ, field::NR, 0, 0, all, 257));
    assert!(integer(
        op::EQ,
        field::ARG,
        0,
        INSN_32 | INSN_SIGNED,
        all,
        -100i64 as u64
    ));
    assert!(integer(op::EQ, field::ARG, 0, INSN_32, all, 0xffff_ff9c));
    assert!(integer(op::LT, field::RESULT, 0, INSN_SIGNED, all, 0));
    assert!(!integer(op::LT, field::RESULT, 0, 0, all, 0));
    assert!(integer(op::ANY, field::ARG, 1, 0, 0x40, 0));
    assert!(!integer(op::ANY, field::ARG, 1, 0, 0x80, 0));
    assert!(integer(op::EQ, field::ARG, 1, INSN_32, 3, 1));
    assert!(!integer(op::EXISTS, field::ERRNO, 0, 0, all, 0));
    assert!(!integer(op::LE, field::ERRNO, 0, 0, all, all));
}

#[test]
fn strings() {
    assert!(string(op::STR_EQ, 0, b"/etc/Passwd"));
    assert!(!string(op::STR_EQ, 0, b"/etc/passwd"));
    assert!(string(op::STR_EQ, INSN_NOCASE, b"/etc/passwd"));
    assert!(string(op::STARTS, 0, b"/etc/"));
    assert!(string(op::ENDS, 0, b"wd"));
    assert!(!string(op::ENDS, 0, b"a longer string than it"));
    assert!(string(op::CONTAINS, 0, b""));
    assert!(string(op::CONTAINS, INSN_NOCASE, b"pass"));
    assert!(string(op::GLOB, 0, b"/etc/[A-Z]*d"));
    assert!(string(op::STR_LT, 0, b"/f"));
}

#[test]
fn sets() {
    let mut pool = Vec::new();
    for word in [3u64, 257, 300] {
        pool.extend_from_slice(&word.to_le_bytes());
    }
    let insn = Insn {
        op: op::IN,
        field: field::NR,
        mask: u64::MAX,
        value: Span { start: 0, len: 3 }.to_value(),
        ..Insn::default()
    };
    assert!(filter_of(insn, &pool).run(0, &mut Values));
    assert!(filter_of(insn, &pool).verify().is_ok());
    let beyond = Insn {
        value: Span { start: 8, len: 3 }.to_value(),
        ..insn
    };
    assert_eq!(filter_of(beyond, &pool).verify(), Err(Invalid::Insn(0)));

    let mut pool = Vec::new();
    for span in [Span { start: 16, len: 2 }, Span { start: 18, len: 11 }] {
        pool.extend_from_slice(span.as_bytes());
    }
    pool.extend_from_slice(b"/a/etc/passwd");
    let insn = Insn {
        op: op::STR_IN,
        field: field::STRING,
        arg: 1,
        flags: INSN_NOCASE,
        value: Span { start: 0, len: 2 }.to_value(),
        ..Insn::default()
    };
    let filter = filter_of(insn, &pool);
    assert_eq!(filter.verify(), Ok(()));
    assert!(filter.run(0, &mut Values));
}

#[test]
fn globs() {
    for (pattern, string, holds) in [
        ("*", "", true),
        ("**", "abc", true),
        ("a*c", "abbc", true),
        ("a*c", "abb", false),
        ("*.so*", "/lib/libc.so.6", true),
        ("?", "", false),
        ("[!a]b", "bb", true),
        ("[!a]b", "ab", false),
        ("[]]", "]", true),
        ("[a-", "[a-", true),
        ("\\*", "*", true),
        ("\\*", "x", false),
        ("\\", "\\", true),
        ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ] {
        assert_eq!(
            glob(pattern.as_bytes(), string.as_bytes(), false),
            holds,
            "{pattern} {string}"
        );
    }
}

#[test]
fn what_is_refused() {
    let good = filter_of(
        Insn {
            op: op::EQ,
            field: field::NR,
            ..Insn::default()
        },
        &[],
    );
    assert_eq!(good.verify(), Ok(()));
    let mut blob = good.encode();
    assert_eq!(Filter::decode(&blob), Ok(Filter::decode(&blob).unwrap()));
    assert_eq!(
        Filter::decode(&blob[..200]),
        Err(Invalid::Truncated("calls"))
    );
    blob[0] ^= 1;
    assert_eq!(Filter::decode(&blob), Err(Invalid::Magic));

    let mut bad = good.clone();
    bad.insns[0].if_true = 2;
    assert_eq!(bad.verify(), Err(Invalid::Insn(0)));
    let mut bad = good.clone();
    bad.insns[2] = bad.insns[0];
    assert_eq!(bad.verify(), Err(Invalid::Insn(2)));
    let mut bad = good.clone();
    bad.programs[0].insns.len = 4;
    assert_eq!(bad.verify(), Err(Invalid::Program(0)));
    let mut bad = good.clone();
    bad.programs[0].strings = 1;
    assert_eq!(bad.verify(), Err(Invalid::Program(0)));
    let mut bad = good.clone();
    bad.calls[3].entry = 1;
    assert_eq!(bad.verify(), Err(Invalid::Call(3)));
    let mut bad = good.clone();
    bad.insns[0].field = field::RESULT;
    bad.programs[0].result = 1;
    bad.calls[3].entry = 0;
    assert_eq!(bad.verify(), Err(Invalid::Call(3)));
    bad.calls[3].entry = NO_PROGRAM;
    bad.calls[3].exit = 0;
    assert_eq!(bad.verify(), Ok(()));
    let mut bad = good.clone();
    bad.rules.push(RuleEntry::default());
    assert_eq!(bad.verify(), Err(Invalid::Rule(0)));
    let mut bad = good;
    bad.actions.push(ActionEntry::default());
    assert_eq!(bad.verify(), Err(Invalid::Action(0)));
}

#[test]
fn counts() {
    let rule = RuleEntry {
        first: 3,
        last: 9,
        step: 2,
        ..RuleEntry::default()
    };
    let hits: Vec<u64> = (0..20).filter(|hit| rule.counts(*hit)).collect();
    assert_eq!(hits, [3, 5, 7, 9]);
}

#[test]
fn everything_is_recorded() {
    let filter = Filter::decode(&Filter::record_all().encode()).unwrap();
    assert_eq!(filter.call(0).watch, WATCH_RECORD);
    assert_eq!(filter.call(u64::MAX).watch, WATCH_RECORD);
    assert!(filter.run(filter.call(0).entry, &mut Values));
}
