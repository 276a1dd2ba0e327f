//! The table of parked threads, with a guest made up.

use super::*;
use std::cell::RefCell;
use vitrine_abi::event::{ParkBody, Record, RecordHeader, SyscallBody, kind};
use vitrine_abi::filter::action;
use vitrine_abi::nr;

const REPLY: u64 = 1 << 20;
const CONTROLLED: Policy = Policy {
    timeout: None,
    on_detach: OnDetach::Resume,
    controllable: true,
};

fn ram() -> GuestRam {
    GuestRam::new(4 << 20, u64::MAX).unwrap()
}

fn record(stop: u64, tid: i32) -> Vec<u8> {
    let body = ParkBody {
        call: SyscallBody {
            nr: nr::OPENAT as u64,
            ..SyscallBody::default()
        },
        stop,
        ..ParkBody::default()
    };
    let mut record = Record::new();
    record.start(body.as_bytes());
    record.set_header(&RecordHeader {
        kind: kind::PARK,
        pid: 5,
        tid,
        ..RecordHeader::default()
    });
    record.as_bytes().to_vec()
}

/// Parks a thread; the decision that comes at once.
fn park(stops: &Stops, stop: u64, tid: i32) -> Option<Decision> {
    let ram = ram();
    let record = record(stop, tid);
    ram.write(4096, &record).unwrap();
    let len = stops
        .stopped(&ram, [4096, record.len() as u64, REPLY, 8192])
        .unwrap();
    let mut answer = vec![0; len as usize];
    ram.read(REPLY, &mut answer).unwrap();
    let (_, decision) = answer.split_at(size_of::<StopReply>());
    Decision::decode(decision).map(|(id, decision)| {
        assert_eq!(id, stop);
        decision
    })
}

/// A guest that does what it is asked.
#[derive(Default)]
struct Guest(RefCell<Vec<(u64, Decision)>>);

impl Requests for Guest {
    fn request(&self, kind: u32, data: &[u8]) -> Result<bool, String> {
        assert_eq!(kind, REQUEST_RESUME);
        self.0.borrow_mut().push(Decision::decode(data).unwrap());
        Ok(true)
    }
}

#[test]
fn threads_wait_until_they_are_resumed() {
    let stops = Stops::new(CONTROLLED);
    let guest = Guest::default();
    for stop in 1..=3 {
        assert_eq!(park(&stops, stop, 10 + stop as i32), None);
    }
    assert_eq!(stops.list().len(), 3);
    let edit = Edit {
        set: vec!["pathname=/tmp/x".to_owned()],
        returned: None,
        kill: false,
    };
    let resumed = stops.resume(Selector::Task(12), &edit, &guest).unwrap();
    assert_eq!(resumed.len(), 1);
    assert!(stops.resume(Selector::Stop(2), &edit, &guest).is_err());
    assert_eq!(
        stops
            .resume(Selector::Task(5), &Edit::default(), &guest)
            .unwrap()
            .len(),
        2
    );
    assert!(
        stops
            .resume(Selector::All, &Edit::default(), &guest)
            .unwrap()
            .is_empty()
    );
    let sent = guest.0.into_inner();
    assert_eq!(sent[0].0, 2);
    assert_eq!(sent[0].1.actions[0].kind, action::SET_STRING);
    assert_eq!(sent[0].1.pool, b"/tmp/x");
    assert_eq!(stops.state().bytes, 0);
}

#[test]
fn a_wrong_change_changes_nothing() {
    let stops = Stops::new(CONTROLLED);
    let guest = Guest::default();
    park(&stops, 1, 5);
    let edit = Edit {
        set: vec!["nosuch=1".to_owned()],
        ..Edit::default()
    };
    assert!(stops.resume(Selector::All, &edit, &guest).is_err());
    assert_eq!(stops.list().len(), 1);
    assert!(guest.0.borrow().is_empty());
}

#[test]
fn when_the_last_controller_goes() {
    for (on_detach, left, later) in [
        (OnDetach::Resume, 0, Some(Decision::go_on(HOW_DETACHED))),
        (OnDetach::Kill, 0, Some(Decision::kill(HOW_DETACHED))),
        (OnDetach::Keep, 1, None),
    ] {
        let stops = Stops::new(Policy {
            on_detach,
            ..CONTROLLED
        });
        let guest = Guest::default();
        stops.attach(1, Box::new(|_| ()));
        stops.attach(2, Box::new(|_| ()));
        park(&stops, 1, 5);
        stops.detach(1, &guest);
        stops.detach(7, &guest);
        assert_eq!(stops.list().len(), 1);
        stops.detach(2, &guest);
        assert_eq!(stops.list().len(), left, "{on_detach:?}");
        assert_eq!(park(&stops, 2, 6), later);
        let (told, hears) = std::sync::mpsc::channel();
        let tell = move |stop: &Listed| told.send(stop.thread.event.stop).unwrap();
        stops.attach(3, Box::new(tell));
        assert_eq!(park(&stops, 3, 7), None);
        assert_eq!(hears.try_recv(), Ok(3));
    }
}

#[test]
fn nobody_can_resume() {
    let stops = Stops::new(Policy::default());
    assert_eq!(park(&stops, 1, 5), Some(Decision::go_on(HOW_POLICY)));
    assert!(stops.list().is_empty());
}

#[test]
fn a_hostile_guest_is_bounded() {
    let stops = Stops::new(CONTROLLED);
    let ram = ram();
    for args in [
        [0, u64::MAX, 0, 0],
        [u64::MAX, 64, REPLY, 8192],
        [0, 0, REPLY, 8192],
        [4096, 200, REPLY, 8192],
    ] {
        assert!(stops.stopped(&ram, args).is_err());
    }
    let record = record(1, 5);
    ram.write(4096, &record).unwrap();
    assert!(
        stops
            .stopped(&ram, [4096, record.len() as u64, u64::MAX - 8, 8192])
            .is_err()
    );
    assert!(
        stops
            .stopped(&ram, [4096, record.len() as u64, REPLY, 3])
            .is_err()
    );
    for stop in 0..MAX_STOPS as u64 + 10 {
        let _ = stops.admit(&Stopped::parse(&record).unwrap(), vec![0; 2048]);
        stops.ended(stop * 7);
    }
    assert!(stops.state().bytes <= MAX_BYTES);
}

#[test]
fn selectors() {
    assert_eq!(Selector::parse("12").unwrap(), Selector::Task(12));
    assert_eq!(Selector::parse("s3").unwrap(), Selector::Stop(3));
    for bad in ["", "s", "s-1", "x", "99999999999", "1 2"] {
        assert!(Selector::parse(bad).is_err(), "{bad}");
    }
}
