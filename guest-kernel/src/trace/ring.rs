//! The writer's side of the event ring: records go in whole and in order, and are published by one store.
//!
//! A full ring stops the guest until the VMM has made room (lossless, the default), or the record is counted as dropped (lossy) and a record of
//! the drops goes ahead of the next one that finds room.

use crate::{arch, mm::host::SharedRegion, sync::Mutex};
use core::sync::atomic::Ordering;
use spin::Once;
use vitrine_abi::{
    boot::Region,
    event::{DropsBody, Record, RecordHeader, kind},
    shared::{RING_DATA_OFFSET, RingHeader},
};
use zerocopy::IntoBytes;

struct Ring {
    memory: SharedRegion,
    header: &'static RingHeader,
    capacity: u64,
    lossy: bool,
    state: Mutex<State>,
}

struct State {
    /// Bytes ever written; the published value in the header follows it.
    head: u64,
    /// Sequence number of the last record.
    seq: u64,
    /// Records dropped since the last one that was written, and the number of the first.
    dropped: u64,
    first_dropped: u64,
}

static RING: Once<Ring> = Once::new();

/// Takes the ring into use; false if the VMM gave none that can be used.
pub(super) fn init(region: Region, ram_bytes: u64, lossy: bool) -> bool {
    let Some(memory) = SharedRegion::new(region, ram_bytes) else {
        return false;
    };
    let Some(header) = memory.ring_header() else {
        return false;
    };
    let capacity = header.capacity.load(Ordering::Relaxed);
    let fits = RING_DATA_OFFSET
        .checked_add(capacity)
        .is_some_and(|end| end <= memory.len() as u64);
    if !capacity.is_power_of_two() || capacity < 4096 || !fits {
        crate::error!("the event ring's capacity of {capacity} bytes can't be used");
        return false;
    }
    let head = header.head.load(Ordering::Relaxed);
    RING.call_once(|| Ring {
        memory,
        header,
        capacity,
        lossy,
        state: Mutex::new(State {
            head,
            seq: 0,
            dropped: 0,
            first_dropped: 0,
        }),
    });
    true
}

/// Stamps the record with the next sequence number and writes it. Its header is set already.
pub(super) fn put(record: &mut Record) {
    let Some(ring) = RING.get() else {
        return;
    };
    let mut state = ring.state.lock();
    // Nothing comes after a gap before the gap is told of, even if it were small enough for the room there is.
    let told = state.dropped == 0 || ring.report_drops(&mut state, record);
    state.seq += 1;
    let seq = state.seq;
    stamp(record, seq);
    if !told || !ring.write(&mut state, record.as_bytes()) {
        if state.dropped == 0 {
            state.first_dropped = seq;
        }
        state.dropped += 1;
        ring.header.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn stamp(record: &mut Record, seq: u64) {
    const AT: usize = core::mem::offset_of!(RecordHeader, seq);
    if let Some(place) = record.as_mut_bytes().get_mut(AT..AT + 8) {
        place.copy_from_slice(&seq.to_le_bytes());
    }
}

impl Ring {
    /// Tries to write the record of the drops so far, in the name of the task whose record comes next. It takes the last dropped
    /// record's sequence number, so that numbers stay without gaps once the drops are counted in. Whether it was written.
    fn report_drops(&self, state: &mut State, next: &Record) -> bool {
        let body = DropsBody {
            count: state.dropped,
            first_seq: state.first_dropped,
        };
        let mut record = Record::new();
        record.start(body.as_bytes());
        let mut header = RecordHeader {
            kind: kind::DROPS,
            seq: state.seq,
            ..RecordHeader::default()
        };
        let ids = core::mem::offset_of!(RecordHeader, tsc);
        if let (Some(to), Some(from)) = (
            header.as_mut_bytes().get_mut(ids..),
            next.as_bytes().get(ids..size_of::<RecordHeader>()),
        ) {
            to.copy_from_slice(from);
        }
        record.set_header(&header);
        let written = self.write(state, record.as_bytes());
        if written {
            state.dropped = 0;
        }
        written
    }

    /// Writes whole bytes of a record; false if there is no room and the ring is lossy (or the record could never fit).
    fn write(&self, state: &mut State, bytes: &[u8]) -> bool {
        let len = bytes.len() as u64;
        if len > self.capacity / 2 {
            return false;
        }
        let position = state.head & (self.capacity - 1);
        let to_end = self.capacity - position;
        let padding = if to_end < len { to_end } else { 0 };
        while self.free(state.head) < padding + len {
            if self.lossy {
                return false;
            }
            arch::doorbell_ring_full();
        }
        if padding > 0 {
            let mut head = [0; 8];
            head[..4].copy_from_slice(&(padding as u32).to_le_bytes());
            head[4..6].copy_from_slice(&kind::PAD.to_le_bytes());
            self.memory
                .write((RING_DATA_OFFSET + position) as usize, &head);
            state.head = state.head.wrapping_add(padding);
        }
        let position = state.head & (self.capacity - 1);
        self.memory
            .write((RING_DATA_OFFSET + position) as usize, bytes);
        state.head = state.head.wrapping_add(len);
        self.header.head.store(state.head, Ordering::Release);
        true
    }

    fn free(&self, head: u64) -> u64 {
        let used = head.wrapping_sub(self.header.tail.load(Ordering::Acquire));
        self.capacity.saturating_sub(used)
    }
}
