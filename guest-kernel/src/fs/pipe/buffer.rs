//! The bytes in a pipe: a queue of page-sized slots, as Linux keeps them, because what poll, partial writes and `EAGAIN` show of a pipe
//! depends on slots and not on bytes. Pages are allocated when first written and a few are kept for reuse.

use crate::{
    Errno, SysResult,
    fs::{Sink, Source, anon},
};
use alloc::{collections::VecDeque, vec::Vec};

/// Bytes in a slot.
pub const PAGE: usize = 4096;
/// Free pages that a pipe keeps.
const SPARE: usize = 4;

struct Slot {
    page: Vec<u8>,
    start: usize,
    len: usize,
    /// Written with `O_DIRECT`: a read takes no more than this slot, and all of it.
    packet: bool,
}

/// Queue of slots.
pub struct Buffer {
    slots: VecDeque<Slot>,
    spare: Vec<Vec<u8>>,
    capacity: usize,
}

impl Buffer {
    /// An empty buffer of `capacity` slots; it allocates nothing yet.
    pub const fn new(capacity: usize) -> Self {
        Self {
            slots: VecDeque::new(),
            spare: Vec::new(),
            capacity,
        }
    }

    /// Nothing to read.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// No free slot.
    pub fn is_full(&self) -> bool {
        self.slots.len() >= self.capacity
    }

    /// Free slots.
    pub fn free_slots(&self) -> usize {
        self.capacity.saturating_sub(self.slots.len())
    }

    /// Slots in all.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Changes the number of slots; `EBUSY` if more are in use.
    pub fn set_capacity(&mut self, slots: usize) -> Result<(), Errno> {
        if slots < self.slots.len() {
            return Err(Errno::EBUSY);
        }
        self.capacity = slots;
        Ok(())
    }

    /// Bytes to read.
    pub fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.len).sum()
    }

    /// Appends the first `src.left() % PAGE` bytes to the last slot's page if all of them fit there; how many were appended. At a bad address
    /// nothing is appended: `EFAULT`.
    pub fn merge(&mut self, src: &mut dyn Source) -> SysResult {
        let len = src.left() % PAGE;
        let Some(slot) = self.slots.back_mut() else {
            return Ok(0);
        };
        let end = slot.start + slot.len;
        if len == 0 || slot.packet || end + len > PAGE {
            return Ok(0);
        }
        take_all(src, &mut slot.page[end..end + len])?;
        slot.len += len;
        Ok(len)
    }

    /// Fills one new slot from `src`; how many bytes went there. The buffer must not be full. At a bad address there is no new slot: `EFAULT`.
    pub fn push(&mut self, src: &mut dyn Source, packet: bool) -> SysResult {
        self.slots.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let mut page = match self.spare.pop() {
            Some(page) => page,
            None => anon::zeroed(PAGE)?,
        };
        let len = src.left().min(PAGE);
        if let Err(error) = take_all(src, &mut page[..len]) {
            self.keep(page);
            return Err(error);
        }
        self.slots.push_back(Slot {
            page,
            start: 0,
            len,
            packet,
        });
        Ok(len)
    }

    /// Moves bytes to `out` until it has no room, the buffer is empty or a packet ends; how many. A slot's bytes that could not be stored in full
    /// stay: `EFAULT` if they were the first.
    pub fn pop(&mut self, out: &mut dyn Sink) -> SysResult {
        let mut total = 0;
        while let Some(slot) = self.slots.front_mut() {
            let wanted = slot.len.min(out.room());
            if wanted == 0 {
                break;
            }
            if let Err(error) = put_all(out, &slot.page[slot.start..slot.start + wanted]) {
                return if total > 0 { Ok(total) } else { Err(error) };
            }
            total += wanted;
            let packet = slot.packet;
            slot.start += wanted;
            slot.len -= wanted;
            if (packet || slot.len == 0)
                && let Some(slot) = self.slots.pop_front()
            {
                self.keep(slot.page);
            }
            if packet {
                break;
            }
        }
        Ok(total)
    }

    /// Copies the first `max` bytes without taking them; a copy for tee(2). Fewer if the buffer holds fewer or memory is short.
    pub fn peek(&self, max: usize) -> Result<Vec<u8>, Errno> {
        let len = self.bytes().min(max);
        let mut copy = anon::reserved(len)?;
        for slot in &self.slots {
            let n = slot.len.min(len - copy.len());
            copy.extend_from_slice(&slot.page[slot.start..slot.start + n]);
        }
        Ok(copy)
    }

    /// Puts bytes back in front of all others, beyond the capacity if need be: what splice(2) took and could not deliver.
    pub fn unread(&mut self, data: &[u8]) -> Result<(), Errno> {
        for piece in data.rchunks(PAGE) {
            let mut page = match self.spare.pop() {
                Some(page) => page,
                None => anon::zeroed(PAGE)?,
            };
            page[..piece.len()].copy_from_slice(piece);
            self.slots.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.slots.push_front(Slot {
                page,
                start: 0,
                len: piece.len(),
                packet: false,
            });
        }
        Ok(())
    }

    fn keep(&mut self, page: Vec<u8>) {
        if self.spare.len() < SPARE && self.spare.try_reserve(1).is_ok() {
            self.spare.push(page);
        }
    }
}

/// Fills `buf`, or fails.
fn take_all(src: &mut dyn Source, buf: &mut [u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < buf.len() {
        match src.take(&mut buf[done..])? {
            0 => return Err(Errno::EFAULT),
            n => done += n,
        }
    }
    Ok(())
}

/// Stores all of `data`, or fails.
fn put_all(out: &mut dyn Sink, data: &[u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < data.len() {
        match out.put(&data[done..])? {
            0 => return Err(Errno::EFAULT),
            n => done += n,
        }
    }
    Ok(())
}
