//! A parked thread as a list of them shows it: from the record that the guest kernel sends when it parks one.

use crate::{
    decode::Style,
    decoder::Decoder,
    event::{EventKind, ParkEvent},
    print::strace,
    record::Records,
};

/// A parked thread.
#[derive(Clone, Debug, Default)]
pub struct Stopped {
    /// Its process.
    pub pid: i32,
    /// Itself.
    pub tid: i32,
    /// Its name.
    pub comm: Vec<u8>,
    /// The stop.
    pub event: ParkEvent,
}

impl Stopped {
    /// From a record of kind `PARK`; `None` for anything else.
    pub fn parse(bytes: &[u8]) -> Option<Stopped> {
        let record = Records::new(bytes).next()?.ok()?;
        let mut decoder = Decoder::new();
        let event = decoder.decode(&record);
        match &event.kind {
            EventKind::Park(park) => Some(Stopped {
                pid: event.pid,
                tid: event.tid,
                comm: event.comm.to_vec(),
                event: ParkEvent::clone(park),
            }),
            _ => None,
        }
    }

    /// The call as strace writes it; with its result, if it has one.
    pub fn text(&self) -> String {
        let style = Style {
            string_limit: 256,
            fd_paths: true,
            ..Style::default()
        };
        let text = strace::call_text(&self.event.call, &style);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The registers by name.
    pub fn registers(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let names = vitrine_abi::stop::REGISTERS.iter().copied();
        names.zip(self.event.registers.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_abi::{
        event::{ParkBody, Record, RecordHeader, SyscallBody, field, kind, tag},
        nr,
    };
    use zerocopy::IntoBytes;

    fn record() -> Vec<u8> {
        let body = ParkBody {
            call: SyscallBody {
                nr: nr::OPENAT as u64,
                args: [-100i32 as u32 as u64, 0x1000, 0, 0, 0, 0],
                ..SyscallBody::default()
            },
            stop: 3,
            ..ParkBody::default()
        };
        let mut record = Record::new();
        record.start(body.as_bytes());
        record.item(tag::STRING, field::COMM, 0, 0, b"cat");
        record.item(tag::BYTES, field::REGISTERS, 0, 0, &7u64.to_le_bytes());
        record.item(tag::STRING, 1, 0, 0, b"/etc/hostname");
        record.set_header(&RecordHeader {
            kind: kind::PARK,
            pid: 5,
            tid: 6,
            ..RecordHeader::default()
        });
        record.as_bytes().to_vec()
    }

    #[test]
    fn a_stop_is_decoded() {
        let stopped = Stopped::parse(&record()).unwrap();
        assert_eq!((stopped.pid, stopped.tid, stopped.event.stop), (5, 6, 3));
        assert_eq!(stopped.comm, b"cat");
        assert_eq!(
            stopped.text(),
            r#"openat(AT_FDCWD, "/etc/hostname", O_RDONLY)"#
        );
        assert_eq!(stopped.registers().collect::<Vec<_>>(), [("rax", 7)]);
    }

    #[test]
    fn nonsense_is_none() {
        let good = record();
        for len in 0..good.len() {
            let _ = Stopped::parse(&good[..len]);
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0xff;
            if let Some(stopped) = Stopped::parse(&bad) {
                let _ = (stopped.text(), stopped.registers().count());
            }
        }
    }
}
