//! Calls with their real arguments and memory, against what strace 6.1 printed for them: `golden.c` made both files.

mod common;

use common::{Item, Stream};
use vitrine_introspect::{Format, Options};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[i * 2..i * 2 + 2], 16).unwrap())
        .collect()
}

struct Call {
    numbers: Vec<u64>,
    ret: i64,
    items: Vec<(Vec<u8>, Vec<u8>)>,
}

fn calls(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "call" => calls.push(Call {
                numbers: words[1..8].iter().map(|w| w.parse().unwrap()).collect(),
                ret: words[8].parse().unwrap(),
                items: Vec::new(),
            }),
            "item" => {
                let head = words[1..5].iter().map(|w| w.parse().unwrap()).collect();
                calls
                    .last_mut()
                    .unwrap()
                    .items
                    .push((head, bytes(words[5])));
            }
            other => panic!("{other}"),
        }
    }
    calls
}

#[test]
fn real_calls_print_as_strace_does() {
    let mut reference = include_str!("data/golden.strace").lines();
    let mut failures = Vec::new();
    for call in calls(include_str!("data/golden.txt")) {
        let mut stream = Stream::new();
        let items: Vec<Item<'_>> = call
            .items
            .iter()
            .map(|(h, data)| {
                // 64 bytes of a buffer are captured.
                let is_buffer = matches!(h[0], 2 | 7) && h[1] == 1 && data.len() > 64;
                let (cut, shown) = if is_buffer { (2, 64) } else { (0, data.len()) };
                (h[0], h[1], h[2] | cut, h[3], &data[..shown])
            })
            .collect();
        let args = call.numbers[1..].try_into().unwrap();
        stream.syscall(call.numbers[0], args, call.ret, &items);
        let text = stream.print(Format::Strace, Options::default());
        let ours = text.trim_end();
        let name = &ours[..=ours.find('(').unwrap()];
        // The program makes other calls in between.
        let mut ahead = reference.clone();
        if ahead.find(|line| *line == ours).is_some() {
            reference = ahead;
        } else {
            let theirs = reference.clone().find(|line| line.starts_with(name));
            failures.push(format!("strace: {}\n  ours: {ours}", theirs.unwrap_or("?")));
        }
    }
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
