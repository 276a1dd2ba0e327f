//! Consumes the event ring: copies what the guest has published out of shared memory and hands it to a [`Sink`].
//!
//! The ring lies in guest memory and is hostile: positions are checked against each other, our own one is kept here, and contents
//! are copied before anyone looks at them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use vitrine_abi::boot::Region;
use vitrine_abi::shared::{RING_DATA_OFFSET, RingHeader};

use vitrine_introspect::record::Records;

use crate::bell::Bell;
use crate::kvm::GuestRam;
use crate::progress;

/// Most bytes handed to a sink at once, and so the longest record: one that takes nothing of so many is looking at garbage.
pub const MAX_RECORD: usize = 256 << 10;
/// How long an empty ring is left alone while the guest runs.
const NAP: Duration = Duration::from_millis(1);

/// Takes event records.
pub trait Sink: Send {
    /// Takes whole records from the front of `bytes` and returns how many bytes they were. What is left comes again, with more behind
    /// it. 0 although there are [`MAX_RECORD`] bytes means that the records can't be read.
    fn records(&mut self, bytes: &[u8]) -> usize;

    /// The guest has ended; `dropped` events were lost on purpose (lossy mode) and `corrupt` bytes could not be read.
    fn finish(&mut self, dropped: u64, corrupt: u64);
}

/// The VMM's side of the ring.
pub struct RingReader {
    ram: Arc<GuestRam>,
    region: Region,
    capacity: u64,
    tail: AtomicU64,
    corrupt: AtomicU64,
    stopping: AtomicBool,
    active: AtomicBool,
    parked: AtomicBool,
    thread: Mutex<Option<Thread>>,
    room: Condvar,
    room_lock: Mutex<()>,
}

impl RingReader {
    /// For the ring at `region` with `capacity` bytes of data, as the VMM laid it out.
    pub fn new(ram: Arc<GuestRam>, region: Region, capacity: u64) -> Arc<RingReader> {
        assert!(
            capacity.is_power_of_two()
                && ram.contains(region.addr, region.len)
                && RING_DATA_OFFSET + capacity <= region.len,
            "ring outside of its region"
        );
        Arc::new(RingReader {
            ram,
            region,
            capacity,
            tail: AtomicU64::new(0),
            corrupt: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            active: AtomicBool::new(true),
            parked: AtomicBool::new(false),
            thread: Mutex::new(None),
            room: Condvar::new(),
            room_lock: Mutex::new(()),
        })
    }

    /// Starts the thread that feeds `sink`; `prepare` runs first on it.
    pub fn start(
        self: &Arc<Self>,
        bell: Arc<Bell>,
        mut sink: Box<dyn Sink>,
        prepare: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Consumer> {
        let reader = Arc::clone(self);
        let handle = std::thread::Builder::new()
            .name("ring".to_owned())
            .stack_size(256 << 10)
            .spawn(move || {
                prepare();
                reader.consume(&bell, sink.as_mut());
            })?;
        if let Ok(mut thread) = self.thread.lock() {
            *thread = Some(handle.thread().clone());
        }
        Ok(Consumer {
            reader: Arc::clone(self),
            handle: Some(handle),
        })
    }

    fn header(&self) -> Option<&RingHeader> {
        self.ram.ring_header(self.region.addr)
    }

    /// Wakes the consumer if it stopped looking because the guest was idle.
    pub fn guest_runs(&self) {
        if self.parked.swap(false, Ordering::SeqCst) {
            self.unpark();
        }
    }

    fn unpark(&self) {
        if let Ok(thread) = self.thread.lock()
            && let Some(thread) = thread.as_ref()
        {
            thread.unpark();
        }
    }

    /// Whether records are expected. While none are, the consumer sleeps, and looks only when it is woken.
    pub fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::SeqCst);
        self.unpark();
    }

    /// Whether they are.
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::SeqCst)
    }

    /// Waits until at least a quarter of the ring is free, at most `limit`. Whether it is.
    pub fn wait_for_room(&self, limit: Duration) -> bool {
        self.parked.store(false, Ordering::SeqCst);
        self.unpark();
        let Ok(guard) = self.room_lock.lock() else {
            return true;
        };
        self.room
            .wait_timeout_while(guard, limit, |()| self.backlog() > self.capacity / 4 * 3)
            .map_or(true, |(_, timeout)| !timeout.timed_out())
    }

    /// Bytes published and not consumed; nonsense from the guest counts as none.
    fn backlog(&self) -> u64 {
        let Some(header) = self.header() else {
            return 0;
        };
        let head = header.head.load(Ordering::Acquire);
        let used = head.wrapping_sub(self.tail.load(Ordering::Acquire));
        if used <= self.capacity { used } else { 0 }
    }

    fn consume(&self, bell: &Bell, sink: &mut dyn Sink) {
        let mut buf = Vec::new();
        let mut meter = progress::Meter::new();
        loop {
            let stopping = self.stopping.load(Ordering::SeqCst);
            let progress = self.drain(sink, &mut buf, &mut meter);
            if stopping {
                break;
            }
            if progress::is_on() {
                self.tell(&mut meter);
            }
            if progress {
                continue;
            }
            if !self.is_active() {
                std::thread::park();
            } else if bell.is_idle() {
                self.parked.store(true, Ordering::SeqCst);
                if bell.is_idle() && self.backlog() == 0 && !self.stopping.load(Ordering::SeqCst) {
                    std::thread::park();
                }
                self.parked.store(false, Ordering::SeqCst);
            } else {
                std::thread::park_timeout(NAP);
            }
        }
        progress::finish();
        let dropped = self.dropped();
        sink.finish(dropped, self.corrupt.load(Ordering::Relaxed));
    }

    fn dropped(&self) -> u64 {
        self.header()
            .map_or(0, |header| header.dropped.load(Ordering::Relaxed))
    }

    fn tell(&self, meter: &mut progress::Meter) {
        let fill = self.backlog() * 100 / self.capacity;
        meter.update(fill, self.dropped());
    }

    /// Hands over everything that is there. Whether there was anything.
    fn drain(&self, sink: &mut dyn Sink, buf: &mut Vec<u8>, meter: &mut progress::Meter) -> bool {
        let Some(header) = self.header() else {
            return false;
        };
        let mut progress = false;
        loop {
            let tail = self.tail.load(Ordering::Relaxed);
            let head = header.head.load(Ordering::Acquire);
            let used = head.wrapping_sub(tail);
            if used == 0 {
                return progress;
            }
            if used > self.capacity || !used.is_multiple_of(8) {
                self.skip_to(header, head, used);
                return progress;
            }
            // Records don't wrap: what lies before the end of the data is whole records.
            let offset = tail & (self.capacity - 1);
            let contiguous = used.min(self.capacity - offset);
            let len = contiguous.min(MAX_RECORD as u64);
            buf.resize(len as usize, 0);
            let at = self.region.addr + RING_DATA_OFFSET + offset;
            if self.ram.read(at, buf).is_err() {
                return progress;
            }
            let taken = sink.records(buf).min(buf.len());
            if progress::is_on() {
                let records = Records::new(buf.get(..taken).unwrap_or_default());
                meter.add(records.count() as u64);
                // A ring that never runs empty keeps this loop going.
                self.tell(meter);
            }
            let taken = taken as u64;
            if taken == 0 {
                // Published bytes are whole records, so nothing more will complete these.
                self.skip_to(header, tail.wrapping_add(contiguous), contiguous);
            } else {
                self.advance(header, tail.wrapping_add(taken));
            }
            progress = true;
        }
    }

    fn skip_to(&self, header: &RingHeader, tail: u64, bytes: u64) {
        self.corrupt.fetch_add(bytes, Ordering::Relaxed);
        self.advance(header, tail);
    }

    fn advance(&self, header: &RingHeader, tail: u64) {
        // Under the lock, so that a waiter can't miss it between its look and its sleep.
        let guard = self.room_lock.lock();
        self.tail.store(tail, Ordering::Release);
        header.tail.store(tail, Ordering::Release);
        drop(guard);
        self.room.notify_all();
    }
}

/// The consumer's thread.
pub struct Consumer {
    reader: Arc<RingReader>,
    handle: Option<JoinHandle<()>>,
}

impl Consumer {
    /// After the guest's end: consumes what is left and waits for the sink to finish.
    pub fn finish(mut self) {
        self.reader.stopping.store(true, Ordering::SeqCst);
        self.reader.unpark();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const CAPACITY: u64 = 4096;
    const AT: u64 = 1 << 20;

    /// Takes 8-byte records and passes them on.
    struct Words(mpsc::Sender<u64>);

    impl Sink for Words {
        fn records(&mut self, bytes: &[u8]) -> usize {
            let words = bytes.chunks_exact(8);
            let taken = words.len() * 8;
            for word in words {
                let word = <[u8; 8]>::try_from(word).map(u64::from_ne_bytes);
                self.0.send(word.unwrap_or(0)).unwrap();
            }
            taken
        }

        fn finish(&mut self, _: u64, _: u64) {}
    }

    fn reader() -> (Arc<GuestRam>, Arc<RingReader>) {
        let ram = Arc::new(GuestRam::new(4 << 20, u64::MAX).unwrap());
        let region = Region {
            addr: AT,
            len: RING_DATA_OFFSET + CAPACITY,
        };
        let reader = RingReader::new(Arc::clone(&ram), region, CAPACITY);
        (ram, reader)
    }

    fn publish(ram: &GuestRam, values: std::ops::Range<u64>) {
        let header = ram.ring_header(AT).unwrap();
        for value in values {
            let head = header.head.load(Ordering::Relaxed);
            let at = AT + RING_DATA_OFFSET + (head & (CAPACITY - 1));
            ram.write_obj(at, &value).unwrap();
            header.head.store(head + 8, Ordering::Release);
        }
    }

    #[test]
    fn records_come_out_in_order_across_the_wrap() {
        let (ram, reader) = reader();
        let (send, receive) = mpsc::channel();
        let mut sink = Words(send);
        let mut buf = Vec::new();
        for round in 0..5 {
            publish(&ram, round * 400..(round + 1) * 400);
            assert!(reader.drain(&mut sink, &mut buf, &mut progress::Meter::new()));
        }
        assert!(!reader.drain(&mut sink, &mut buf, &mut progress::Meter::new()));
        let got: Vec<u64> = receive.try_iter().collect();
        assert_eq!(got, (0..2000).collect::<Vec<_>>());
        assert_eq!(reader.corrupt.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_nonsense_head_is_skipped_and_counted() {
        let (ram, reader) = reader();
        let (send, receive) = mpsc::channel();
        let mut sink = Words(send);
        let header = ram.ring_header(AT).unwrap();
        for head in [u64::MAX, CAPACITY + 8, 12] {
            header.head.store(head, Ordering::Release);
            reader.drain(&mut sink, &mut Vec::new(), &mut progress::Meter::new());
        }
        assert_eq!(receive.try_iter().count(), 0);
        assert_ne!(reader.corrupt.load(Ordering::Relaxed), 0);
        assert_eq!(reader.backlog(), 0);
    }

    #[test]
    fn random_headers_and_contents_end_and_are_bounded() {
        /// Takes any number of bytes of what it is shown, or claims to have taken more.
        struct Moody(u64);

        impl Sink for Moody {
            fn records(&mut self, bytes: &[u8]) -> usize {
                assert!(bytes.len() as u64 <= CAPACITY);
                match self.next() % 4 {
                    0 => 0,
                    1 => bytes.len(),
                    2 => usize::MAX,
                    _ => (self.next() as usize % (bytes.len() + 1)) & !7,
                }
            }

            fn finish(&mut self, _: u64, _: u64) {}
        }

        impl Moody {
            fn next(&mut self) -> u64 {
                self.0 = self
                    .0
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                self.0.rotate_right(29)
            }
        }

        let (ram, reader) = reader();
        let mut sink = Moody(1);
        let mut random = Moody(2);
        for _ in 0..20_000 {
            let header = ram.ring_header(AT).unwrap();
            let head = header.head.load(Ordering::Relaxed);
            let next = match random.next() % 4 {
                0 => random.next(),
                1 => head.wrapping_sub(random.next() % 64),
                _ => head.wrapping_add(random.next() % (CAPACITY + 64)),
            };
            header.head.store(next, Ordering::Release);
            // The guest may write to every word of the header; none but `head` is believed.
            header.tail.store(random.next(), Ordering::Relaxed);
            header.capacity.store(random.next(), Ordering::Relaxed);
            let at = AT + RING_DATA_OFFSET + ((random.next() % CAPACITY) & !7);
            ram.write_obj(at, &random.next()).unwrap();
            reader.drain(&mut sink, &mut Vec::new(), &mut progress::Meter::new());
            assert_eq!(reader.backlog(), 0);
        }
    }

    #[test]
    fn a_full_ring_has_room_after_a_drain() {
        let (ram, reader) = reader();
        publish(&ram, 0..CAPACITY / 8);
        assert!(!reader.wait_for_room(Duration::from_millis(1)));
        let (send, _receive) = mpsc::channel();
        reader.drain(
            &mut Words(send),
            &mut Vec::new(),
            &mut progress::Meter::new(),
        );
        assert!(reader.wait_for_room(Duration::from_millis(1)));
    }
}
