//! An expression explained: which calls it watches, what the guest decides, what is left to the host, and the programs as text.

use super::{
    calls::CallSet,
    compile::{Compiler, Plan},
    expr::Expr,
    lower::{Lowered, Subject, host, lower},
};
use std::{collections::BTreeSet, fmt::Write};
use vitrine_abi::{
    event::ARG_RESULT,
    filter::{Filter, INSN_32, INSN_NOCASE, INSN_SIGNED, Insn, NO_PROGRAM, Span, YES, field, op},
    nr::TABLE_LEN,
    syscall,
};
use zerocopy::FromBytes;

/// Most instructions of a program that are shown.
const SHOWN_INSNS: usize = 64;
/// Most elements of a set.
const SHOWN_ELEMENTS: usize = 8;
/// Width of a line of calls' names.
const WIDTH: usize = 96;

/// The explanation of an expression.
pub fn explain(expr: &Expr) -> String {
    let mut compiler = Compiler::new();
    let plans = compiler.record(expr);
    let filter = &compiler.filter;
    let mut out = String::new();
    let watched = super::compile::watched(&plans);
    let _ = writeln!(out, "watched: {}", count(&watched));
    names(&mut out, &watched);
    for (title, wanted) in [
        ("decided in the guest, before the call", (true, false)),
        ("decided in the guest, after the call", (true, true)),
        ("finished on the host, from what goes in", (false, false)),
        ("finished on the host, from what comes out", (false, true)),
    ] {
        let set: CallSet = select(&plans, |plan| (plan.exact, plan.late) == wanted);
        if !set.is_empty() {
            let _ = writeln!(out, "\n{title}: {}", count(&set));
            if set != watched {
                names(&mut out, &set);
            }
        }
    }
    let too_large = select(&plans, |plan| plan.too_large);
    if !too_large.is_empty() {
        let _ = writeln!(
            out,
            "\ntoo large for the guest, which lets all of them through: {}",
            count(&too_large)
        );
    }
    host_fields(&mut out, expr, &watched);
    programs(&mut out, filter, &watched);
    let unwatched = plans.iter().filter(|plan| !plan.watched).count();
    let _ = writeln!(
        out,
        "\n{unwatched} call numbers stay unwatched (one load each); the filter has {} bytes",
        filter.encode().len()
    );
    out
}

fn select(plans: &[Plan], wanted: impl Fn(&Plan) -> bool) -> CallSet {
    let chosen = plans
        .iter()
        .enumerate()
        .filter(|(_, plan)| plan.watched && wanted(plan));
    chosen.map(|(index, _)| index).collect()
}

fn count(set: &CallSet) -> String {
    let named = set.rows().count();
    match (named, set.contains(TABLE_LEN)) {
        (0, false) => "no call".to_owned(),
        (1, false) => "1 call".to_owned(),
        (named, false) => format!("{named} calls"),
        (named, true) => format!("{named} calls, and all unknown numbers"),
    }
}

/// Names of calls, in lines; nothing if it is all of them.
fn names(out: &mut String, set: &CallSet) {
    if set.rows().count() == syscall::all().count() {
        return;
    }
    let mut line = String::new();
    for call in set.rows() {
        if line.len() + call.name.len() > WIDTH {
            let _ = writeln!(out, " {line}");
            line.clear();
        }
        line.push(' ');
        line.push_str(call.name);
    }
    if !line.is_empty() {
        let _ = writeln!(out, " {line}");
    }
}

/// The tests that only the host can do.
fn host_fields(out: &mut String, expr: &Expr, watched: &CallSet) {
    let mut fields = BTreeSet::new();
    for index in watched.iter() {
        let lowered: Lowered = lower(expr, Subject::Call(index));
        lowered.any_leaf(&mut |leaf| {
            if leaf.is_host() {
                fields.insert(leaf.field);
            }
            false
        });
    }
    if !fields.is_empty() {
        let names: Vec<&str> = fields.iter().map(|field| host_name(*field)).collect();
        let _ = writeln!(out, "\nonly the host knows: {}", names.join(", "));
    }
}

fn host_name(field: u8) -> &'static str {
    match field {
        host::SEQ => "the event's number",
        host::TIME => "the event's time",
        host::ANCESTOR_PID | host::ANCESTOR_NAME => "ancestors",
        host::OUT_STRING => "strings that the call fills in",
        host::ARG_TEXT | host::ARG_TEXT_OUT | host::ALL_ARGS => "decoded arguments",
        host::FD_DIRECTORY | host::FD_FILENAME => "parts of a descriptor's path",
        host::CMDLINE => "command lines",
        host::PARENT_NAME => "the parent's name",
        _ => "other fields",
    }
}

/// Each program once, with the calls that it is for.
fn programs(out: &mut String, filter: &Filter, watched: &CallSet) {
    for (number, _) in (0u32..).zip(&filter.programs) {
        for (before, title) in [(true, "before"), (false, "after")] {
            let uses = watched.iter().filter(|index| {
                let call = &filter.calls[*index];
                (if before { call.entry } else { call.exit }) == number
            });
            let uses: CallSet = uses.collect();
            if uses.is_empty() {
                continue;
            }
            let _ = writeln!(out, "\nprogram {number}, {title} {}:", count(&uses));
            if uses != *watched {
                names(out, &uses);
            }
            out.push_str(&listing(filter, number));
        }
    }
    let always: CallSet = watched
        .iter()
        .filter(|index| filter.calls[*index].entry == NO_PROGRAM)
        .collect();
    if !always.is_empty() {
        let _ = writeln!(
            out,
            "\nno program before {}: recorded always, or decided later",
            count(&always)
        );
    }
}

/// A program as text.
pub fn listing(filter: &Filter, number: u32) -> String {
    let mut out = String::new();
    let Some(program) = filter.programs.get(number as usize) else {
        return out;
    };
    let start = program.insns.start as usize;
    let insns = filter.insns.get(start..).unwrap_or_default();
    let insns = insns.get(..program.insns.len as usize).unwrap_or_default();
    for (at, insn) in insns.iter().enumerate().take(SHOWN_INSNS) {
        let _ = write!(out, "  {at:>4}  ");
        if insn.op == op::END {
            let _ = writeln!(out, "{}", if insn.value == YES { "yes" } else { "no" });
            continue;
        }
        test(&mut out, filter, insn);
        let to = |skip: u16| at + 1 + usize::from(skip);
        let _ = writeln!(out, "  ? {} : {}", to(insn.if_true), to(insn.if_false));
    }
    if insns.len() > SHOWN_INSNS {
        let _ = writeln!(out, "        … {} more", insns.len() - SHOWN_INSNS);
    }
    out
}

fn test(out: &mut String, filter: &Filter, insn: &Insn) {
    let arg = usize::from(insn.arg);
    let name = match insn.field {
        field::NR => "nr".to_owned(),
        field::ARG => format!("arg{arg}"),
        field::RESULT => "result".to_owned(),
        field::ERRNO => "errno".to_owned(),
        field::LATENCY => "latency".to_owned(),
        field::PID => "pid".to_owned(),
        field::TID => "tid".to_owned(),
        field::PPID => "ppid".to_owned(),
        field::PGID => "pgid".to_owned(),
        field::SID => "sid".to_owned(),
        field::UID => "uid".to_owned(),
        field::EUID => "euid".to_owned(),
        field::GID => "gid".to_owned(),
        field::EGID => "egid".to_owned(),
        field::CPU => "cpu".to_owned(),
        field::STRING => format!("string(arg{arg})"),
        field::FD_PATH | field::FD_KIND => {
            let what = if insn.field == field::FD_PATH {
                "path"
            } else {
                "kind"
            };
            match insn.arg {
                ARG_RESULT => format!("fd_{what}(result)"),
                _ => format!("fd_{what}(arg{arg})"),
            }
        }
        field::COMM => "comm".to_owned(),
        field::EXE => "exe".to_owned(),
        field::CWD => "cwd".to_owned(),
        field::FULL_PATH => format!("full_path(arg{arg})"),
        field::ADDRESS => format!("address(arg{arg})"),
        other => format!("field{other}"),
    };
    out.push_str(&name);
    let is_string = insn.field >= field::FIRST_STRING;
    if !is_string && insn.op != op::EXISTS {
        out.push_str(match insn.flags & (INSN_32 | INSN_SIGNED) {
            INSN_32 => ".u32",
            INSN_SIGNED => ".i64",
            0 => ".u64",
            _ => ".i32",
        });
        if insn.mask != u64::MAX {
            let _ = write!(out, " & {:#x}", insn.mask);
        }
    }
    let sign = match insn.op {
        op::EXISTS => " exists",
        op::EQ | op::STR_EQ => " ==",
        op::LT | op::STR_LT => " <",
        op::LE | op::STR_LE => " <=",
        op::ANY => " != 0",
        op::IN | op::STR_IN => " in",
        op::STARTS => " startswith",
        op::ENDS => " endswith",
        op::CONTAINS => " contains",
        op::GLOB => " glob",
        _ => " ?",
    };
    out.push_str(sign);
    if insn.flags & INSN_NOCASE != 0 {
        out.push_str(" (any case)");
    }
    operand(out, filter, insn, is_string);
}

fn operand(out: &mut String, filter: &Filter, insn: &Insn, is_string: bool) {
    let number = |value: u64| match insn.flags & INSN_SIGNED {
        0 if value > 0xffff => format!("{value:#x}"),
        0 => value.to_string(),
        _ => (value as i64).to_string(),
    };
    let string = |span: Span| {
        let mut text = Vec::new();
        crate::decode::text::quoted(&mut text, filter.bytes(span));
        String::from_utf8_lossy(&text).into_owned()
    };
    let span = insn.span();
    let size = if insn.op == op::IN {
        size_of::<u64>()
    } else {
        size_of::<Span>()
    };
    let element = |index: usize| filter.pool.get(span.start as usize + index * size..);
    let elements: Vec<String> = match insn.op {
        op::EXISTS | op::ANY => return,
        op::IN => (0..span.len as usize)
            .take(SHOWN_ELEMENTS)
            .filter_map(|index| Some(number(u64::from_le_bytes(*element(index)?.first_chunk()?))))
            .collect(),
        op::STR_IN => (0..span.len as usize)
            .take(SHOWN_ELEMENTS)
            .filter_map(|index| Some(string(Span::read_from_prefix(element(index)?).ok()?.0)))
            .collect(),
        _ => {
            let text = if is_string {
                string(span)
            } else {
                number(insn.value)
            };
            out.push(' ');
            out.push_str(&text);
            return;
        }
    };
    let more = span.len as usize - elements.len().min(span.len as usize);
    let _ = write!(out, " ({}", elements.join(", "));
    if more > 0 {
        let _ = write!(out, ", … {more} more");
    }
    out.push(')');
}
