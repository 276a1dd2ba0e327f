//! Changes to a process's state: decoded from `vitrine_abi::event::change`, and their members in JSON.

use crate::{
    decode::{put, signals},
    event::FdInfo,
    filter::{
        expr::{Expr, Literal},
        fields::Field,
    },
    print::{
        json::{bytes_field, key_of, signed, unsigned},
        strace,
    },
    record::{Corrupt, RawRecord},
};
use std::io::Write;
use vitrine_abi::event::{
    FdBody, ItemHeader,
    change::{
        ActionItem, CredentialSet, DescriptorBody, FileItem, MappingBody, SentBody, SessionBody,
        UmaskBody, UsageItem, action, descriptor, field, group, kind, mapping, sent,
    },
    tag,
};
use zerocopy::FromBytes;

/// A change to a process's state.
#[derive(Clone, Debug)]
pub enum Change {
    /// A range of addresses.
    Mapping(MappingBody, Option<Vec<u8>>),
    /// A descriptor, with what it refers to as an item's payload.
    Descriptor(DescriptorBody, Vec<u8>),
    /// Credentials, before and after, with supplementary groups.
    Credentials(Box<[(CredentialSet, Vec<u32>); 2]>),
    /// Process group and session.
    Session(SessionBody),
    /// The umask.
    Umask(UmaskBody),
    /// A signal was sent to the event's process or thread.
    Sent(SentBody),
}

impl Change {
    /// Whether records of this kind are changes.
    pub fn is_one(record_kind: u16) -> bool {
        (kind::MAPPING..=kind::SIGNAL_SENT).contains(&record_kind)
    }

    /// Reads a record.
    pub fn decode(record: &RawRecord<'_>) -> Result<Change, Corrupt> {
        let number = record.header.kind;
        let body = Corrupt::Body(number);
        Ok(match number {
            kind::MAPPING => {
                let (head, items) = record.body::<MappingBody>().ok_or(body)?;
                let mut path = None;
                for item in items {
                    let (head, data) = item?;
                    if head.arg == field::PATH {
                        path = Some(data.to_vec());
                    }
                }
                Change::Mapping(head, path)
            }
            kind::DESCRIPTOR => {
                let (head, items) = record.body::<DescriptorBody>().ok_or(body)?;
                let mut file = Vec::new();
                for item in items {
                    let (head, data) = item?;
                    if head.arg == field::FD && head.tag == tag::FD {
                        file = data.to_vec();
                    }
                }
                Change::Descriptor(head, file)
            }
            kind::CREDENTIALS => {
                let (mut before, mut after) = (None, None);
                for item in record.items() {
                    let (head, data) = item?;
                    match head.arg {
                        field::BEFORE => before = credentials(data),
                        field::AFTER => after = credentials(data),
                        _ => {}
                    }
                }
                let both = [before.ok_or(body)?, after.ok_or(body)?];
                Change::Credentials(Box::new(both))
            }
            kind::SESSION => Change::Session(record.body::<SessionBody>().ok_or(body)?.0),
            kind::UMASK => Change::Umask(record.body::<UmaskBody>().ok_or(body)?.0),
            kind::SIGNAL_SENT => Change::Sent(record.body::<SentBody>().ok_or(body)?.0),
            _ => return Err(body),
        })
    }

    /// The event's `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Change::Mapping(..) => "mapping",
            Change::Descriptor(..) => "descriptor",
            Change::Credentials(_) => "credentials",
            Change::Session(_) => "session",
            Change::Umask(_) => "umask",
            Change::Sent(_) => "signal_sent",
        }
    }

    /// Its members of a JSON object.
    pub(crate) fn json(&self, out: &mut Vec<u8>) {
        match self {
            Change::Mapping(body, path) => mapping_json(out, body, path.as_deref()),
            Change::Descriptor(body, file) => {
                let op = match body.op {
                    descriptor::OPENED => "opened",
                    descriptor::CLOSED => "closed",
                    descriptor::DUPLICATED => "duplicated",
                    descriptor::CLOEXEC => "cloexec",
                    descriptor::RECEIVED => "received",
                    descriptor::CLOSED_BY_EXEC => "closed_by_exec",
                    _ => "unknown",
                };
                text_field(out, "op", op);
                signed(out, "fd", body.fd.into());
                unsigned(out, "table", body.table);
                flag(out, "cloexec", body.cloexec != 0);
                if body.op == descriptor::DUPLICATED {
                    signed(out, "from", body.from.into());
                }
                if let Some(info) = described(file) {
                    bytes_field(out, "kind", info.kind);
                    bytes_field(out, "path", info.text);
                    unsigned(out, "flags", info.flags.into());
                }
            }
            Change::Credentials(both) => {
                for (key, (set, groups)) in ["before", "after"].iter().zip(both.iter()) {
                    key_of(out, key);
                    let _ = write!(
                        out,
                        "{{\"uids\":{:?},\"gids\":{:?},\"groups\":{groups:?},\"capabilities\":{:?},\"securebits\":{},\"no_new_privs\":{}}}",
                        set.uids,
                        set.gids,
                        set.capabilities,
                        set.securebits,
                        set.no_new_privs != 0
                    );
                }
            }
            Change::Session(body) => {
                signed(out, "process", body.pid.into());
                for (key, pgid, sid) in [
                    ("before", body.old_pgid, body.old_sid),
                    ("after", body.pgid, body.sid),
                ] {
                    key_of(out, key);
                    let _ = write!(out, "{{\"pgid\":{pgid},\"sid\":{sid}}}");
                }
            }
            Change::Umask(body) => {
                unsigned(out, "before", body.before.into());
                unsigned(out, "after", body.after.into());
            }
            Change::Sent(body) => sent_json(out, body),
        }
    }
}

fn mapping_json(out: &mut Vec<u8>, body: &MappingBody, path: Option<&[u8]>) {
    let op = match body.op {
        mapping::MAP => "map",
        mapping::UNMAP => "unmap",
        mapping::PROTECT => "protect",
        mapping::BRK => "brk",
        mapping::REMAP => "remap",
        mapping::CLEAR => "clear",
        _ => "unknown",
    };
    text_field(out, "op", op);
    unsigned(out, "start", body.start);
    unsigned(out, "end", body.end);
    if matches!(body.op, mapping::MAP | mapping::PROTECT | mapping::BRK) {
        let letter = |bit, letter| if body.prot & bit != 0 { letter } else { '-' };
        let prot = [letter(1, 'r'), letter(2, 'w'), letter(4, 'x')];
        text_field(out, "prot", &prot.iter().collect::<String>());
    }
    if matches!(body.op, mapping::BRK | mapping::REMAP) {
        unsigned(out, "old_start", body.old_start);
        unsigned(out, "old_end", body.old_end);
    }
    if body.op == mapping::MAP {
        flag(out, "shared", body.flags & mapping::SHARED != 0);
        flag(out, "fixed", body.flags & mapping::FIXED != 0);
        unsigned(out, "offset", body.offset);
        match path {
            Some(path) => bytes_field(out, "path", path),
            None => put(out, ",\"path\":null"),
        }
    }
}

fn sent_json(out: &mut Vec<u8>, body: &SentBody) {
    put(out, ",\"signal\":\"");
    signals::name(out, body.info.signo);
    out.push(b'"');
    signed(out, "code", body.info.code.into());
    signed(out, "by_pid", body.by_pid.into());
    signed(out, "by_tid", body.by_tid.into());
    signed(out, "sender_pid", body.info.pid.into());
    unsigned(out, "sender_uid", body.info.uid.into());
    text_field(
        out,
        "to",
        if body.thread != 0 {
            "thread"
        } else {
            "process"
        },
    );
    let outcome = match body.outcome {
        sent::QUEUED => "queued",
        sent::MERGED => "merged",
        sent::IGNORED => "ignored",
        sent::REFUSED => "refused",
        _ => "unknown",
    };
    text_field(out, "outcome", outcome);
    let mut info = Vec::new();
    signals::info(&mut info, &strace::signal_info(&body.info));
    bytes_field(out, "text", &info);
}

/// What the further items of exec, exit and signal records say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extra {
    /// Of an exit: faults, switches, bytes.
    pub usage: Option<UsageItem>,
    /// Of a signal: what it does.
    pub action: Option<ActionItem>,
    /// Of an exec: the file.
    pub file: Option<FileItem>,
}

impl Extra {
    /// Takes an item, if it is one of these.
    pub fn take(&mut self, head: ItemHeader, data: &[u8]) {
        match head.arg {
            field::USAGE => self.usage = UsageItem::read_from_prefix(data).ok().map(|read| read.0),
            field::ACTION => {
                self.action = ActionItem::read_from_prefix(data).ok().map(|read| read.0);
            }
            field::FILE => self.file = FileItem::read_from_prefix(data).ok().map(|read| read.0),
            _ => {}
        }
    }

    /// Its members of a JSON object.
    pub(crate) fn json(&self, out: &mut Vec<u8>) {
        if let Some(used) = self.usage {
            let names = [
                ("minor_faults", used.faults[0]),
                ("major_faults", used.faults[1]),
                ("voluntary_switches", used.switches[0]),
                ("involuntary_switches", used.switches[1]),
                ("bytes_read", used.bytes[0]),
                ("bytes_written", used.bytes[1]),
            ];
            for (name, value) in names {
                unsigned(out, name, value);
            }
        }
        if let Some(effect) = self.action {
            let what = match effect.what {
                action::IGNORE => "ignore",
                action::HANDLER => "handler",
                action::TERMINATE => "terminate",
                action::CORE => "core",
                action::STOP => "stop",
                _ => "unknown",
            };
            text_field(out, "action", what);
            if effect.what == action::HANDLER {
                unsigned(out, "handler", effect.handler);
                unsigned(out, "handler_flags", effect.flags);
                unsigned(out, "handler_mask", effect.mask);
            }
        }
    }
}

fn credentials(data: &[u8]) -> Option<(CredentialSet, Vec<u32>)> {
    let (set, rest) = CredentialSet::read_from_prefix(data).ok()?;
    let words = rest.chunks_exact(4).filter_map(|word| word.first_chunk());
    Some((set, words.map(|word| u32::from_le_bytes(*word)).collect()))
}

fn described(data: &[u8]) -> Option<FdInfo<'_>> {
    let (body, rest) = FdBody::read_from_prefix(data).ok()?;
    let (kind, rest) = rest.split_at_checked(body.kind_len.into())?;
    Some(FdInfo {
        fd: body.fd,
        flags: body.flags,
        kind,
        text: rest.get(..body.text_len.into())?,
    })
}

fn text_field(out: &mut Vec<u8>, key: &str, value: &str) {
    key_of(out, key);
    out.push(b'"');
    put(out, value);
    out.push(b'"');
}

fn flag(out: &mut Vec<u8>, key: &str, value: bool) {
    key_of(out, key);
    put(out, if value { "true" } else { "false" });
}

/// Numbers of the groups that `--events` names; see [`Groups::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups(u8);

impl Groups {
    const NAMES: [&'static str; 6] = [
        "mappings",
        "descriptors",
        "credentials",
        "signals",
        "syscalls",
        "process",
    ];
    const SYSCALLS: u8 = 1 << 4;
    const PROCESS: u8 = 1 << 5;
    const SIGNALS: u8 = 1 << 3;

    /// Names with commas between them, or `all`.
    pub fn parse(text: &str) -> Result<Groups, String> {
        let mut groups = 0;
        for name in text.split(',') {
            let place = Self::NAMES.iter().position(|known| *known == name);
            groups |= match (name, place) {
                ("all", _) => 0x3f,
                (_, Some(place)) => 1 << place,
                _ => {
                    let known = Self::NAMES.join(", ");
                    return Err(format!(
                        "{name} is no group of events; there are {known}, and all"
                    ));
                }
            };
        }
        Ok(Groups(groups))
    }

    /// What the guest kernel writes only when asked (`vitrine_abi::event::change::group`).
    pub fn guest(self) -> u8 {
        self.0 & 0xf
    }

    /// What an expression names by `evt.type` or `evt.kind` of what the guest kernel writes only when asked.
    pub fn named_in(expr: &Expr) -> u8 {
        match expr {
            Expr::Const(_) => 0,
            Expr::And(parts) | Expr::Or(parts) => {
                let groups = parts.iter().map(Self::named_in);
                groups.fold(0, |all, groups| all | groups)
            }
            Expr::Not(part) => Self::named_in(part),
            Expr::Test(test) if matches!(test.field, Field::Type | Field::Kind) => {
                let groups = test.values.iter().map(|value| match value {
                    Literal::Text(name) => match &name[..] {
                        b"mapping" => group::MAPPINGS,
                        b"descriptor" => group::DESCRIPTORS,
                        b"credentials" | b"session" | b"umask" => group::CREDENTIALS,
                        b"signal_sent" => group::SIGNALS,
                        _ => 0,
                    },
                    _ => 0,
                });
                groups.fold(0, |all, groups| all | groups)
            }
            Expr::Test(_) => 0,
        }
    }

    /// Whether calls are among them.
    pub fn syscalls(self) -> bool {
        self.0 & Self::SYSCALLS != 0
    }

    /// Whether an event belongs to one of them; what is told of the stream itself always does.
    pub fn shows(self, event: &crate::event::Event) -> bool {
        use crate::event::EventKind;
        match &event.kind {
            EventKind::Syscall(_) => self.syscalls(),
            EventKind::Fork { .. } | EventKind::Exec(_) | EventKind::Exit(_) | EventKind::Comm => {
                self.0 & Self::PROCESS != 0
            }
            EventKind::Signal(..) | EventKind::Stop { .. } => self.0 & Self::SIGNALS != 0,
            _ => true,
        }
    }
}

/// As `text` would print it: what strace's parsers skip, between `+++`.
pub(crate) fn line(change: &Change) -> String {
    let mut members = Vec::new();
    change.json(&mut members);
    let members = String::from_utf8_lossy(&members).into_owned();
    format!(
        "+++ {} {{{}}} +++",
        change.name(),
        members.trim_start_matches(',')
    )
}
