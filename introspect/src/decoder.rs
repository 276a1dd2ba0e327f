//! From records to events: a stream decoder that knows the clocks, the processes, and the calls that have begun.
//!
//! Its tables grow with live threads only, and are bounded whatever the guest writes.

use crate::{
    change::{Change, Extra},
    decode::View,
    event::{
        Captured, ConfigEvent, Event, EventKind, ExecEvent, ExitEvent, ParkEvent, Phase,
        ResumeEvent, Strings, SyscallEvent,
    },
    executable::Identity,
    record::{Corrupt, Items, RawRecord},
};
use std::{collections::HashMap, sync::Arc};
use vitrine_abi::{
    event::{
        ClockBody, ConfigBody, DropsBody, ExecBody, ExitBody, ForkBody, ParkBody, ResumeBody,
        SignalBody, StopBody, SyscallBody, UnimplementedBody, config, field, kind,
    },
    stop, syscall,
};

/// Most threads that are remembered.
const MAX_THREADS: usize = 1 << 16;

/// The decoder's state.
#[derive(Default)]
pub struct Decoder {
    threads: HashMap<i32, Thread>,
    clock: Clock,
    event: Event,
    last_seq: u64,
}

#[derive(Clone, Default)]
struct Thread {
    comm: Arc<[u8]>,
    exe: Arc<[u8]>,
    pending: Option<Box<Pending>>,
}

#[derive(Clone)]
struct Pending {
    nr: u64,
    start_ns: u64,
    items: Captured,
}

/// What time-stamp counter values mean.
#[derive(Clone, Copy, Default)]
struct Clock {
    tsc: u64,
    body: ClockBody,
}

impl Clock {
    fn ticks_to_ns(self, ticks: u64) -> u64 {
        if self.body.tsc_khz == 0 {
            return ticks;
        }
        let ns = u128::from(ticks) * 1_000_000 / u128::from(self.body.tsc_khz);
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    /// Nanoseconds since the clock record; before it, negative.
    fn since(self, tsc: u64) -> i64 {
        let (ticks, negative) = match tsc.checked_sub(self.tsc) {
            Some(ticks) => (ticks, false),
            None => (self.tsc - tsc, true),
        };
        let ns = i64::try_from(self.ticks_to_ns(ticks)).unwrap_or(i64::MAX);
        if negative { -ns } else { ns }
    }
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// The event that bytes which are no record make.
    pub fn corrupt(&mut self, why: Corrupt) -> &Event {
        self.event = Event {
            time_ns: self.event.time_ns,
            wall_ns: self.event.wall_ns,
            kind: EventKind::Corrupt(why),
            ..Event::default()
        };
        &self.event
    }

    /// The event of `count` records that were dropped at the very end, where no later record could say so.
    pub fn lost(&mut self, count: u64) -> &Event {
        let first_seq = self.last_seq.saturating_add(1);
        self.event = Event {
            seq: self.last_seq.saturating_add(count),
            time_ns: self.event.time_ns,
            wall_ns: self.event.wall_ns,
            kind: EventKind::Drops { count, first_seq },
            ..Event::default()
        };
        &self.event
    }

    /// Adds to the event, an exec, what its file is.
    pub fn identified(&mut self, identity: Option<Arc<Identity>>) -> &Event {
        if let EventKind::Exec(exec) = &mut self.event.kind {
            exec.identity = identity;
        }
        &self.event
    }

    /// Decodes a record. The event is valid until the next one.
    pub fn decode(&mut self, record: &RawRecord<'_>) -> &Event {
        // The last event's memory is used again.
        let spare = match std::mem::take(&mut self.event.kind) {
            EventKind::Syscall(call) => call,
            _ => SyscallEvent::default(),
        };
        self.header(record);
        self.event.extra = Extra::default();
        let kind = self.body(record, spare);
        self.event.kind = match kind {
            Some(Ok(kind)) => kind,
            Some(Err(why)) => EventKind::Corrupt(why),
            None => EventKind::Corrupt(Corrupt::Body(record.header.kind)),
        };
        &self.event
    }

    fn header(&mut self, record: &RawRecord<'_>) {
        let header = &record.header;
        let since = self.clock.since(header.tsc);
        let event = &mut self.event;
        event.seq = header.seq;
        self.last_seq = header.seq;
        event.time_ns = self.clock.body.monotonic_ns.saturating_add_signed(since);
        event.wall_ns = self.clock.body.realtime_ns.saturating_add_signed(since);
        event.vcpu = header.vcpu;
        event.pid = header.pid;
        event.tid = header.tid;
        event.ppid = header.ppid;
        event.sid = header.sid;
        event.uid = header.uid;
        event.gid = header.gid;
        match self.threads.get(&header.tid) {
            Some(thread) => {
                if !Arc::ptr_eq(&event.comm, &thread.comm) {
                    event.comm = thread.comm.clone();
                }
                if !Arc::ptr_eq(&event.exe, &thread.exe) {
                    event.exe = thread.exe.clone();
                }
            }
            None => {
                event.comm = Arc::default();
                event.exe = Arc::default();
            }
        }
    }

    fn body(
        &mut self,
        record: &RawRecord<'_>,
        spare: SyscallEvent,
    ) -> Option<Result<EventKind, Corrupt>> {
        let header = &record.header;
        Some(Ok(match header.kind {
            kind::SYSCALL | kind::SYSCALL_ENTER | kind::SYSCALL_EXIT => {
                let (body, items) = record.body::<SyscallBody>()?;
                return Some(self.syscall(header.kind, header.tid, &body, items, spare));
            }
            kind::CLOCK => {
                let (body, _) = record.body::<ClockBody>()?;
                self.clock = Clock {
                    tsc: header.tsc,
                    body,
                };
                self.event.time_ns = body.monotonic_ns;
                self.event.wall_ns = body.realtime_ns;
                EventKind::Internal
            }
            kind::FORK => {
                let (body, _) = record.body::<ForkBody>()?;
                let parent = self.threads.get(&header.tid);
                let child = Thread {
                    comm: parent.map_or_else(Arc::default, |p| p.comm.clone()),
                    exe: parent.map_or_else(Arc::default, |p| p.exe.clone()),
                    pending: None,
                };
                self.insert(body.child_tid, child);
                EventKind::Fork {
                    child_pid: body.child_pid,
                    child_tid: body.child_tid,
                    clone_flags: body.clone_flags,
                }
            }
            kind::EXEC | kind::SNAPSHOT => {
                let (body, items) = record.body::<ExecBody>()?;
                match self.exec(header.kind == kind::SNAPSHOT, header.tid, &body, items) {
                    Ok(event) => EventKind::Exec(Box::new(event)),
                    Err(why) => return Some(Err(why)),
                }
            }
            kind::EXIT => {
                let (body, items) = record.body::<ExitBody>()?;
                if let Err(why) = self.extra(items) {
                    return Some(Err(why));
                }
                let thread = self.threads.remove(&header.tid);
                EventKind::Exit(ExitEvent {
                    body,
                    in_call: thread.and_then(|t| t.pending).map(|pending| pending.nr),
                })
            }
            kind::SIGNAL => {
                let (body, items) = record.body::<SignalBody>()?;
                if let Err(why) = self.extra(items) {
                    return Some(Err(why));
                }
                EventKind::Signal(body)
            }
            change if Change::is_one(change) => match Change::decode(record) {
                Ok(change) => EventKind::Change(Box::new(change)),
                Err(why) => return Some(Err(why)),
            },
            kind::DROPS => {
                let (body, _) = record.body::<DropsBody>()?;
                // Exits may be among what is missing: calls that seem to be under way may be long over.
                for thread in self.threads.values_mut() {
                    thread.pending = None;
                }
                EventKind::Drops {
                    count: body.count,
                    first_seq: body.first_seq,
                }
            }
            kind::STOP => EventKind::Stop {
                signo: record.body::<StopBody>()?.0.signo,
            },
            kind::PARK => {
                let (body, items) = record.body::<ParkBody>()?;
                match self.park(&body, items, spare) {
                    Ok(event) => EventKind::Park(Box::new(event)),
                    Err(why) => return Some(Err(why)),
                }
            }
            kind::RESUME => {
                let (body, _) = record.body::<ResumeBody>()?;
                EventKind::Resume(ResumeEvent {
                    stop: body.stop,
                    duration_ns: self.clock.ticks_to_ns(body.duration),
                    how: body.how,
                    actions: body.actions,
                })
            }
            kind::CONFIG => {
                let (body, items) = record.body::<ConfigBody>()?;
                let mut event = ConfigEvent {
                    generation: body.generation,
                    ..ConfigEvent::default()
                };
                for item in items {
                    match item {
                        Ok((head, data)) if head.arg == config::CHANGE => {
                            event.change = data.to_vec();
                        }
                        Ok((head, data)) if head.arg == config::TEXT => event.text = data.to_vec(),
                        Ok(_) => {}
                        Err(why) => return Some(Err(why)),
                    }
                }
                EventKind::Config(event)
            }
            kind::UNIMPLEMENTED => EventKind::Unimplemented {
                nr: record.body::<UnimplementedBody>()?.0.nr,
            },
            kind::COMM => {
                for item in record.items() {
                    match item {
                        Ok((head, data)) if head.arg == field::COMM => {
                            self.set_comm(header.tid, data);
                        }
                        Ok(_) => {}
                        Err(why) => return Some(Err(why)),
                    }
                }
                EventKind::Comm
            }
            // A kind that a newer guest kernel writes.
            _ => EventKind::Internal,
        }))
    }

    fn syscall(
        &mut self,
        record_kind: u16,
        tid: i32,
        body: &SyscallBody,
        items: Items<'_>,
        mut call: SyscallEvent,
    ) -> Result<EventKind, Corrupt> {
        call.nr = body.nr;
        call.call = syscall::get(body.nr);
        call.args = body.args;
        call.items.clear();
        call.start_ns = self.event.time_ns;
        call.duration_ns = self.clock.ticks_to_ns(body.duration);
        call.ret = Some(body.ret);
        call.phase = match record_kind {
            kind::SYSCALL_ENTER => Phase::Enter,
            kind::SYSCALL_EXIT => Phase::Exit,
            _ => Phase::Complete,
        };
        if call.phase == Phase::Exit {
            let pending = self.threads.get_mut(&tid).and_then(|t| t.pending.take());
            call.start_ns = self.event.time_ns.saturating_sub(call.duration_ns);
            if let Some(pending) = pending.filter(|pending| pending.nr == body.nr) {
                call.start_ns = pending.start_ns;
                call.items.append(&pending.items);
            }
        }
        for item in items {
            let (head, data) = item?;
            call.items.push(head, data);
        }
        if call.phase == Phase::Enter {
            call.ret = None;
            call.duration_ns = 0;
            let pending = Pending {
                nr: body.nr,
                start_ns: call.start_ns,
                items: call.items.clone(),
            };
            match self.threads.get_mut(&tid) {
                Some(thread) => thread.pending = Some(Box::new(pending)),
                None => self.insert(
                    tid,
                    Thread {
                        pending: Some(Box::new(pending)),
                        ..Thread::default()
                    },
                ),
            }
        }
        Ok(EventKind::Syscall(call))
    }

    fn park(
        &mut self,
        body: &ParkBody,
        items: Items<'_>,
        mut call: SyscallEvent,
    ) -> Result<ParkEvent, Corrupt> {
        let exit = body.at == stop::AT_EXIT;
        call.items.clear();
        call.nr = body.call.nr;
        call.call = syscall::get(body.call.nr);
        call.args = body.call.args;
        call.start_ns = self.event.time_ns;
        call.duration_ns = 0;
        call.ret = exit.then_some(body.call.ret);
        call.phase = if exit { Phase::Complete } else { Phase::Enter };
        let mut event = ParkEvent {
            stop: body.stop,
            exit,
            rule: body.rule,
            ..ParkEvent::default()
        };
        for item in items {
            let (head, data) = item?;
            match head.arg {
                field::COMM => self.event.comm = data.into(),
                field::RULE => event.rule_name = data.to_vec(),
                field::REGISTERS => {
                    let words = data.as_chunks::<8>().0;
                    event.registers = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
                }
                _ => call.items.push(head, data),
            }
        }
        event.call = call;
        Ok(event)
    }

    fn exec(
        &mut self,
        snapshot: bool,
        tid: i32,
        body: &ExecBody,
        items: Items<'_>,
    ) -> Result<ExecEvent, Corrupt> {
        let mut event = ExecEvent {
            snapshot,
            uids: body.uids,
            gids: body.gids,
            dev: body.dev,
            ino: body.ino,
            ..ExecEvent::default()
        };
        for item in items {
            let (head, data) = item?;
            match head.arg {
                field::EXE => self.event.exe = data.into(),
                field::COMM => self.event.comm = data.into(),
                field::CWD => event.cwd = data.to_vec(),
                field::ARGV => event.argv = Strings::parse(data),
                field::ENVP => event.envp = Strings::parse(data),
                field::OLD_TID => event.old_tid = Some(View(data).i32(0)),
                _ => self.event.extra.take(head, data),
            }
        }
        let (comm, exe) = (self.event.comm.clone(), self.event.exe.clone());
        // The call that began in another thread ends in this one.
        let caller = event.old_tid.and_then(|old| self.threads.remove(&old));
        let pending = caller.and_then(|caller| caller.pending);
        match self.threads.get_mut(&tid) {
            Some(thread) => {
                thread.comm = comm;
                thread.exe = exe;
                thread.pending = pending.or(thread.pending.take());
            }
            None => self.insert(tid, Thread { comm, exe, pending }),
        }
        Ok(event)
    }

    fn extra(&mut self, items: Items<'_>) -> Result<(), Corrupt> {
        for item in items {
            let (head, data) = item?;
            self.event.extra.take(head, data);
        }
        Ok(())
    }

    fn set_comm(&mut self, tid: i32, name: &[u8]) {
        self.event.comm = name.into();
        let comm = self.event.comm.clone();
        match self.threads.get_mut(&tid) {
            Some(thread) => thread.comm = comm,
            None => self.insert(
                tid,
                Thread {
                    comm,
                    ..Thread::default()
                },
            ),
        }
    }

    fn insert(&mut self, tid: i32, thread: Thread) {
        if self.threads.len() >= MAX_THREADS && !self.threads.contains_key(&tid) {
            self.threads.clear();
        }
        self.threads.insert(tid, thread);
    }
}
