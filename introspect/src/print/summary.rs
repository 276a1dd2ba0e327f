//! A table of calls, times and errors: strace's `-c`.
//!
//! The time of a call that other tasks ran beside isn't its own: unless wall-clock time is asked for, it counts for nothing.

use super::Sink;
use crate::event::{Event, EventKind, Phase, SyscallEvent};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
};

/// Buckets of the latency histogram: eight for each power of two.
const BUCKETS: usize = 64 * 8;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Share of the time.
    Percent,
    /// All of its time.
    Total,
    /// The shortest call.
    Shortest,
    /// The longest call.
    Longest,
    /// Microseconds a call.
    Average,
    /// The latency that half of the calls stay below, microseconds.
    P50,
    /// The latency that 99 of 100 calls stay below, microseconds.
    P99,
    /// Number of calls.
    Calls,
    /// Number of calls that failed.
    Errors,
    /// The call's name.
    Name,
}

impl Column {
    /// The column with this name in strace's `-U`; `p50` and `p99` are Vitrine's own.
    pub fn from_name(name: &str) -> Option<Column> {
        Some(match name {
            "time-percent" | "time_percent" | "time" => Column::Percent,
            "time-total" | "time_total" | "total-time" | "total_time" => Column::Total,
            "min-time" | "min_time" | "time-min" | "time_min" | "shortest" => Column::Shortest,
            "max-time" | "max_time" | "time-max" | "time_max" | "longest" => Column::Longest,
            "avg-time" | "avg_time" | "time-avg" | "time_avg" => Column::Average,
            "p50" => Column::P50,
            "p99" => Column::P99,
            "calls" | "count" => Column::Calls,
            "errors" | "error" => Column::Errors,
            "name" | "syscall" | "syscall-name" | "syscall_name" => Column::Name,
            _ => return None,
        })
    }

    fn title(self) -> &'static str {
        match self {
            Column::Percent => "% time",
            Column::Total => "seconds",
            Column::Shortest => "shortest",
            Column::Longest => "longest",
            Column::Average => "usecs/call",
            Column::P50 => "p50 usecs",
            Column::P99 => "p99 usecs",
            Column::Calls => "calls",
            Column::Errors => "errors",
            Column::Name => "syscall",
        }
    }

    fn width(self) -> usize {
        match self {
            Column::Percent => 6,
            Column::Shortest => 8,
            Column::Longest => 7,
            Column::Total | Column::Average => 11,
            Column::P50 | Column::P99 | Column::Calls | Column::Errors => 9,
            Column::Name => 16,
        }
    }
}

/// What the rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// All of the time, most first.
    #[default]
    Total,
    /// The shortest call, longest first.
    Shortest,
    /// The longest call, longest first.
    Longest,
    /// Time a call, longest first.
    Average,
    /// Most calls first.
    Calls,
    /// Most errors first.
    Errors,
    /// Alphabet.
    Name,
    /// Call number.
    Nothing,
}

impl SortBy {
    /// The order with this name in strace's `-S`.
    pub fn from_name(name: &str) -> Option<SortBy> {
        Some(match name {
            "time" | "time-total" | "time_total" | "total-time" | "total_time" => SortBy::Total,
            "min-time" | "min_time" | "time-min" | "time_min" | "shortest" => SortBy::Shortest,
            "max-time" | "max_time" | "time-max" | "time_max" | "longest" => SortBy::Longest,
            "avg-time" | "avg_time" | "time-avg" | "time_avg" => SortBy::Average,
            "calls" | "count" => SortBy::Calls,
            "errors" | "error" => SortBy::Errors,
            "name" | "syscall" | "syscall-name" | "syscall_name" => SortBy::Name,
            "nothing" | "none" => SortBy::Nothing,
            _ => return None,
        })
    }
}

/// How the table looks.
#[derive(Clone, Debug)]
pub struct SummaryOptions {
    /// Columns from the left; without a name the last one is the name.
    pub columns: Vec<Column>,
    /// Order of the rows.
    pub sort_by: SortBy,
    /// Whether time that a call waited counts (`-w`).
    pub wall_clock: bool,
    /// What is taken off each call's time, nanoseconds (`-O`).
    pub overhead_ns: u64,
    /// Whether new processes are announced, as beside a trace.
    pub announce: bool,
}

impl Default for SummaryOptions {
    fn default() -> SummaryOptions {
        SummaryOptions {
            columns: vec![
                Column::Percent,
                Column::Total,
                Column::Average,
                Column::Calls,
                Column::Errors,
                Column::Name,
            ],
            sort_by: SortBy::default(),
            wall_clock: false,
            overhead_ns: 0,
            announce: false,
        }
    }
}

#[derive(Clone, Default)]
struct Row {
    name: String,
    total_ns: u64,
    shortest_ns: u64,
    longest_ns: u64,
    calls: u64,
    errors: u64,
    histogram: Vec<u32>,
}

impl Row {
    fn add(&mut self, ns: u64, failed: bool) {
        self.shortest_ns = if self.calls == 0 {
            ns
        } else {
            self.shortest_ns.min(ns)
        };
        self.longest_ns = self.longest_ns.max(ns);
        self.total_ns = self.total_ns.saturating_add(ns);
        self.calls = self.calls.saturating_add(1);
        self.errors = self.errors.saturating_add(failed.into());
        self.histogram.resize(BUCKETS, 0);
        if let Some(count) = self.histogram.get_mut(bucket(ns)) {
            *count = count.saturating_add(1);
        }
    }

    fn merge(&mut self, other: &Row) {
        self.shortest_ns = if self.calls == 0 {
            other.shortest_ns
        } else {
            self.shortest_ns.min(other.shortest_ns)
        };
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        self.total_ns = self.total_ns.saturating_add(other.total_ns);
        self.calls = self.calls.saturating_add(other.calls);
        self.errors = self.errors.saturating_add(other.errors);
        self.histogram.resize(BUCKETS, 0);
        for (sum, count) in self.histogram.iter_mut().zip(&other.histogram) {
            *sum = sum.saturating_add(*count);
        }
    }

    fn average_ns(&self) -> u64 {
        self.total_ns.checked_div(self.calls).unwrap_or(0)
    }

    /// The latency that `part` of 100 calls stay below, nanoseconds.
    fn percentile(&self, part: u64) -> u64 {
        let wanted = self.calls.saturating_mul(part).div_ceil(100);
        let mut seen = 0_u64;
        for (index, count) in self.histogram.iter().enumerate() {
            seen = seen.saturating_add(u64::from(*count));
            if seen >= wanted {
                return upper_bound(index).min(self.longest_ns);
            }
        }
        self.longest_ns
    }
}

fn bucket(ns: u64) -> usize {
    if ns < 8 {
        return ns as usize;
    }
    let power = 63 - ns.leading_zeros();
    (power as usize - 2) * 8 + (ns >> (power - 3) & 7) as usize
}

/// The largest value in a bucket.
fn upper_bound(index: usize) -> u64 {
    if index < 8 {
        return index as u64;
    }
    let power = index / 8 + 2;
    let step = 1_u128 << (power - 3).min(64);
    u64::try_from((9 + index as u128 % 8) * step - 1).unwrap_or(u64::MAX)
}

/// Counts calls; prints the table at the end.
pub struct SummarySink {
    writer: Box<dyn Write + Send>,
    options: SummaryOptions,
    rows: BTreeMap<u64, Row>,
}

impl SummarySink {
    /// Prints to `writer`.
    pub fn new(options: SummaryOptions, writer: Box<dyn Write + Send>) -> SummarySink {
        SummarySink {
            writer,
            options,
            rows: BTreeMap::new(),
        }
    }

    fn count(&mut self, call: &SyscallEvent) {
        if call.ret.is_none() || call.call.is_some_and(|row| row.never_returns()) {
            return;
        }
        let waited = call.phase == Phase::Exit;
        let ns = if waited && !self.options.wall_clock {
            0
        } else {
            call.duration_ns.saturating_sub(self.options.overhead_ns)
        };
        // Numbers that mean nothing are counted as one.
        let nr = if call.call.is_some() {
            call.nr
        } else {
            u64::MAX
        };
        let row = self.rows.entry(nr).or_default();
        if row.calls == 0 {
            row.name = call.name().to_string();
        }
        row.add(ns, call.errno().is_some());
    }

    fn sorted(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.values().collect();
        let most_first = |key: fn(&Row) -> u64| move |row: &&Row| std::cmp::Reverse(key(row));
        match self.options.sort_by {
            SortBy::Total => rows.sort_by_key(most_first(|row| row.total_ns)),
            SortBy::Shortest => rows.sort_by_key(most_first(|row| row.shortest_ns)),
            SortBy::Longest => rows.sort_by_key(most_first(|row| row.longest_ns)),
            SortBy::Average => rows.sort_by_key(most_first(Row::average_ns)),
            SortBy::Calls => rows.sort_by_key(most_first(|row| row.calls)),
            SortBy::Errors => rows.sort_by_key(most_first(|row| row.errors)),
            SortBy::Name => rows.sort_by(|a, b| a.name.cmp(&b.name)),
            SortBy::Nothing => {}
        }
        rows
    }

    fn table(&self) -> String {
        let rows = self.sorted();
        let mut total = Row {
            name: "total".to_owned(),
            ..Row::default()
        };
        for row in &rows {
            total.merge(row);
        }
        let mut columns = self.options.columns.clone();
        if !columns.contains(&Column::Name) {
            columns.push(Column::Name);
        }
        let last = columns.len() - 1;
        let widths: Vec<usize> = columns
            .iter()
            .map(|column| {
                let content = match column {
                    Column::Name => rows.iter().map(|row| row.name.len() + 1).max(),
                    _ => Some(cell(*column, &total, total.total_ns, true).len()),
                };
                column.width().max(content.unwrap_or(0))
            })
            .collect();
        let mut text = String::new();
        let mut line = |cells: &dyn Fn(Column) -> String| {
            for (index, (column, width)) in columns.iter().zip(&widths).enumerate() {
                let cell = cells(*column);
                let blank = if index > 0 { " " } else { "" };
                let _ = match column {
                    Column::Name if index == last => write!(text, "{blank}{cell}"),
                    Column::Name => write!(text, "{blank}{cell:<width$}"),
                    _ => write!(text, "{blank}{cell:>width$}"),
                };
            }
            text.push('\n');
        };
        let rule = |column: Column| {
            let at = columns.iter().position(|other| *other == column);
            "-".repeat(at.and_then(|at| widths.get(at)).copied().unwrap_or(0))
        };
        line(&|column| column.title().to_owned());
        line(&rule);
        for row in &rows {
            line(&|column| cell(column, row, total.total_ns, false));
        }
        line(&rule);
        line(&|column| cell(column, &total, total.total_ns, true));
        text
    }
}

fn cell(column: Column, row: &Row, all_ns: u64, is_total: bool) -> String {
    let seconds = |ns: u64| format!("{:.6}", ns as f64 / 1e9);
    match column {
        Column::Percent if is_total => "100.00".to_owned(),
        Column::Percent if row.total_ns == 0 => "0.00".to_owned(),
        Column::Percent => format!("{:.2}", row.total_ns as f64 * 100.0 / all_ns as f64),
        Column::Total => seconds(row.total_ns),
        Column::Shortest => seconds(row.shortest_ns),
        Column::Longest => seconds(row.longest_ns),
        Column::Average => (row.average_ns() / 1000).to_string(),
        Column::P50 => format!("{:.1}", row.percentile(50) as f64 / 1e3),
        Column::P99 => format!("{:.1}", row.percentile(99) as f64 / 1e3),
        Column::Calls => row.calls.to_string(),
        Column::Errors if row.errors == 0 => String::new(),
        Column::Errors => row.errors.to_string(),
        Column::Name => row.name.clone(),
    }
}

impl Sink for SummarySink {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.kind {
            EventKind::Syscall(call) => self.count(call),
            EventKind::Fork { child_tid, .. } if self.options.announce => {
                writeln!(self.writer, "strace: Process {child_tid} attached")?;
            }
            _ => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if !self.rows.is_empty() {
            self.writer.write_all(self.table().as_bytes())?;
        }
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for ns in (0..5000).chain([1 << 20, u64::MAX / 3, u64::MAX]) {
            let index = bucket(ns);
            assert!(index < BUCKETS, "{ns}");
            assert!(upper_bound(index) >= ns, "{ns}");
            assert!(index == 0 || upper_bound(index - 1) < ns, "{ns}");
        }
    }

    #[test]
    fn the_table_is_straces() {
        let mut sink = SummarySink::new(SummaryOptions::default(), Box::new(io::sink()));
        for (nr, ns, failed) in [(0, 3000, false), (257, 5000, true), (257, 1000, false)] {
            sink.count(&SyscallEvent {
                nr,
                call: vitrine_abi::syscall::get(nr),
                ret: Some(if failed { -2 } else { 0 }),
                duration_ns: ns,
                ..SyscallEvent::default()
            });
        }
        let expected = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 66.67    0.000006           3         2         1 openat
 33.33    0.000003           3         1           read
------ ----------- ----------- --------- --------- ----------------
100.00    0.000009           3         3         1 total
";
        assert_eq!(sink.table(), expected);
    }
}
