//! A list of parked threads for a person to read.

use std::fmt::Write;

use serde_json::Value;

/// The stops of an answer ([`super::serve::describe`]) as lines: id, process, thread, name, for how long, call; `registers`: and those below.
pub fn text(stops: &[Value], registers: bool) -> String {
    let mut out = String::new();
    for stop in stops {
        let seconds = stop["since_ns"].as_u64().unwrap_or(0) as f64 / 1e9;
        let word = |key: &str| crate::log::printable(stop[key].as_str().unwrap_or("?").as_bytes());
        let number = |key: &str| stop[key].as_i64().unwrap_or(0);
        let when = match stop["at"].as_str() {
            Some("exit") => "after",
            _ => "before",
        };
        let _ = writeln!(
            out,
            "s{:<5} {:>7} {:>7}  {:<15} {seconds:>8.1}s  {when:<6} {}",
            number("id"),
            number("pid"),
            number("tid"),
            word("comm"),
            word("call"),
        );
        let Some(all) = stop["registers"].as_object().filter(|_| registers) else {
            continue;
        };
        for (index, (name, value)) in all.iter().enumerate() {
            let end = if index % 3 == 2 || index + 1 == all.len() {
                "\n"
            } else {
                ""
            };
            let value = value.as_u64().unwrap_or(0);
            let _ = write!(out, "        {name:<6} {value:#018x}{end}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_line_a_stop() {
        let stop = json!({
            "id": 3, "pid": 5, "tid": 6, "comm": "cat\u{1b}", "since_ns": 1_500_000_000u64, "at": "entry",
            "call": "close(3)", "registers": {"rax": 3, "rdi": 3},
        });
        let plain = super::text(std::slice::from_ref(&stop), false);
        assert_eq!(
            plain,
            "s3           5       6  cat\\u{1b}            1.5s  before close(3)\n"
        );
        assert!(super::text(&[stop], true).contains("rax    0x0000000000000003"));
        assert_eq!(super::text(&[json!(null)], true).lines().count(), 1);
    }
}
