//! What rules did to a call, as its record tells it ([`SyscallEvent::hits`]): for strace's text the note behind the result, for JSON a list.

use crate::{
    decode::put,
    event::SyscallEvent,
    print::json::{bytes_field, key_of, signed, unsigned},
};
use vitrine_abi::{
    event::{ARG_RESULT, BY_HAND, RuleBody, tag},
    filter::{AT_EXIT, action},
};
use zerocopy::FromBytes;

/// One thing that a rule did.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    /// The number of the argument that it changed; [`ARG_RESULT`]: none, or the result.
    pub arg: u8,
    /// Who did what.
    pub body: RuleBody,
    /// What the argument pointed to; of an annotation its key.
    pub before: &'a [u8],
    /// What it points to now; of an annotation its value, of a log entry its text.
    pub after: &'a [u8],
    /// The rule's name.
    pub name: &'a [u8],
}

impl Hit<'_> {
    /// Whether it makes the call be told, whoever wants to see it.
    pub fn logs(&self) -> bool {
        matches!(self.body.action, action::LOG | action::ANNOTATE)
    }
}

impl SyscallEvent {
    /// What rules did to the call, in order.
    pub fn hits(&self) -> impl Iterator<Item = Hit<'_>> {
        self.items.iter().filter_map(|item| {
            if item.head.tag != tag::RULE {
                return None;
            }
            let (body, rest) = RuleBody::read_from_prefix(item.data).ok()?;
            let (before, rest) = rest.split_at_checked(body.before_len as usize)?;
            let (after, rest) = rest.split_at_checked(body.after_len as usize)?;
            Some(Hit {
                arg: item.head.arg,
                body,
                before,
                after,
                name: rest.get(..body.name_len as usize)?,
            })
        })
    }
}

/// Appends what strace says of a call that was tampered with: ` (INJECTED)`, ` (DELAYED)`.
pub fn note(out: &mut Vec<u8>, call: &SyscallEvent) {
    let (mut result, mut arguments, mut delayed) = (false, false, false);
    for hit in call.hits() {
        match hit.body.action {
            action::SET..=action::SET_BYTES | action::POKE | action::POKE_NUMBER | action::HIDE => {
                arguments = true
            }
            action::RETURN => result = true,
            action::DELAY => delayed = true,
            _ => {}
        }
    }
    match (arguments, result) {
        (true, true) => put(out, " (INJECTED: args, retval)"),
        (true, false) => put(out, " (INJECTED: args)"),
        (false, true) => put(out, " (INJECTED)"),
        (false, false) => {}
    }
    if delayed {
        put(out, " (DELAYED)");
    }
}

/// Appends `,"rules":[…]`, if any applied.
pub fn json(out: &mut Vec<u8>, call: &SyscallEvent) {
    let mut first = true;
    for hit in call.hits() {
        put(out, if first { ",\"rules\":[" } else { "," });
        first = false;
        one(out, call, &hit);
    }
    if !first {
        out.push(b']');
    }
}

fn one(out: &mut Vec<u8>, call: &SyscallEvent, hit: &Hit<'_>) {
    out.push(b'{');
    let start = out.len();
    bytes_field(out, "rule", hit.name);
    // The first field has no comma before it.
    out.remove(start);
    unsigned(out, "id", hit.body.rule);
    let kind = match hit.body.action {
        action::SET..=action::SET_BYTES | action::SET_NUMBER => "set",
        action::RETURN => "return",
        action::DELAY => "delay",
        action::SIGNAL => "signal",
        action::KILL => "kill",
        action::STOP => "stop",
        action::LOG => "log",
        action::ANNOTATE => "annotate",
        action::POKE | action::POKE_NUMBER => "poke",
        action::HIDE => "hide",
        _ => "unknown",
    };
    bytes_field(out, "action", kind.as_bytes());
    let at = if hit.body.flags & AT_EXIT != 0 {
        "exit"
    } else {
        "entry"
    };
    bytes_field(out, "at", at.as_bytes());
    if hit.body.flags & BY_HAND != 0 {
        bytes_field(out, "by", b"resume");
    }
    let argument = call
        .call
        .filter(|_| hit.arg < ARG_RESULT)
        .and_then(|row| row.args.get(usize::from(hit.arg)));
    if let Some(argument) = argument {
        bytes_field(out, "arg", argument.name.as_bytes());
    }
    match hit.body.action {
        action::SET..=action::SET_AND | action::SET_NUMBER | action::POKE_NUMBER => {
            unsigned(out, "before", hit.body.before);
            unsigned(out, "after", hit.body.after);
        }
        action::SET_STRING | action::SET_BYTES | action::POKE => {
            bytes_field(out, "before", hit.before);
            bytes_field(out, "after", hit.after);
        }
        action::HIDE => {
            bytes_field(out, "pattern", hit.after);
            unsigned(out, "before", hit.body.before);
            unsigned(out, "after", hit.body.after);
        }
        action::RETURN => {
            if hit.body.flags & AT_EXIT != 0 {
                signed(out, "before", hit.body.before as i64);
            } else {
                key_of(out, "before");
                put(out, "null");
            }
            signed(out, "after", hit.body.after as i64);
        }
        action::DELAY => unsigned(out, "ns", hit.body.after),
        action::SIGNAL => unsigned(out, "signal", hit.body.after),
        action::LOG => bytes_field(out, "text", hit.after),
        action::ANNOTATE => {
            bytes_field(out, "key", hit.before);
            bytes_field(out, "value", hit.after);
        }
        _ => {}
    }
    out.push(b'}');
}
