//! The execve that nobody calls: the kernel itself starts the first program. Rules and the log have it as they have any other.

use super::{
    capture, emit, filter,
    filter::Active,
    ring, rules,
    values::{Ended, Known, Values},
};
use crate::{
    Errno,
    arch::{self, TrapFrame},
    mm::user,
    task::Task,
};
use alloc::{sync::Arc, vec::Vec};
use vitrine_abi::{
    event::{MAX_RECORD, Record, RecordHeader, SyscallBody, kind, tag},
    nr, syscall as table,
};
use zerocopy::IntoBytes;

const NR: u64 = nr::EXECVE as u64;

/// What rules have done to it.
#[derive(Default)]
pub struct FirstExec(Option<Judged>);

struct Judged {
    active: Arc<Active>,
    outcome: rules::Outcome,
    known: Known,
}

impl FirstExec {
    /// Lets the rules apply that come before it; the program that is to run now.
    pub fn begin(task: &Task, program: Vec<u8>) -> (FirstExec, Vec<u8>) {
        let Some(active) = filter::current() else {
            return (FirstExec(None), program);
        };
        let entry = active.call(NR);
        if active.rules_of(&entry).is_empty() {
            return (FirstExec(None), program);
        }
        let Ok(addr) = task.trace.scratch.put(0, &program) else {
            return (FirstExec(None), program);
        };
        let mut values = Values::new(task, table::get(NR), NR, [addr, 0, 0, 0, 0, 0]);
        let frame = TrapFrame {
            orig_rax: NR,
            rdi: addr,
            ..TrapFrame::default()
        };
        let outcome = rules::before(&active, &entry, &mut values, &frame, true);
        values.learn(active.needs_after(&entry));
        let program = values.argument(0).map_or(program, <[u8]>::to_vec);
        let known = values.known();
        task.trace.scratch.clear();
        let judged = Judged {
            active,
            outcome,
            known,
        };
        (FirstExec(Some(judged)), program)
    }

    /// Whether the program may run; a result in its place is no program either.
    pub fn allows(&self) -> Result<(), Errno> {
        match self.0.as_ref().and_then(|judged| judged.outcome.instead) {
            // A signal that came meanwhile is dealt with before the program's first instruction.
            None | Some(Err(Errno::ERESTARTNOINTR)) => Ok(()),
            Some(Err(error)) => Err(error),
            Some(Ok(_)) => Err(Errno::ENOEXEC),
        }
    }

    /// It runs, as `path` with `argv`; its registers are `frame`, and the start began at time-stamp `start`.
    pub fn done(self, task: &Task, frame: &TrapFrame, path: &[u8], argv: &[Arc<[u8]>], start: u64) {
        if super::armed(NR) == 0 {
            return;
        }
        let args = arguments(frame);
        let ticks = arch::tsc().wrapping_sub(start);
        let mut judged = self.0;
        let mut first_hits = rules::Hits::default();
        if let Some(judged) = &mut judged {
            first_hits = core::mem::take(&mut judged.outcome.hits);
            let entry = judged.active.call(NR);
            let mut values = Values::after(task, NR, args, &mut judged.known);
            values.ended = Some(Ended { ret: 0, ticks });
            // It runs already: there is no result for anybody to change.
            let _ = rules::after(
                &judged.active,
                &entry,
                &mut values,
                &mut judged.outcome,
                frame,
                Ok(0),
            );
        }
        let logged = judged.as_ref().is_some_and(|judged| judged.outcome.logged);
        if !logged && !filter::wants_done(task, NR, args, Ended { ret: 0, ticks }) {
            return;
        }
        let body = SyscallBody {
            nr: NR,
            args,
            ret: 0,
            duration: ticks,
        };
        let mut record = Record::new();
        record.start(body.as_bytes());
        record.item(tag::STRING, 0, 0, 0, path);
        emit::strings(&mut record, 1, argv, MAX_RECORD / 2);
        capture::environment(&mut record, 2, args[2]);
        if let Some(judged) = &judged {
            first_hits.write(&mut record, &judged.active);
            judged.outcome.hits.write(&mut record, &judged.active);
        }
        let header = emit::header(kind::SYSCALL, task);
        record.set_header(&RecordHeader {
            tsc: start,
            ..header
        });
        ring::put(&mut record);
    }
}

/// Addresses of the path, the arguments and the environment in the new program's memory.
fn arguments(frame: &TrapFrame) -> [u64; 6] {
    const AT_EXECFN: u64 = 31;
    /// Words on a new program's stack that are looked at.
    const MAX_WORDS: u64 = 1 << 20;
    let word = |index: u64| user::read::<u64>(frame.rsp.wrapping_add(index * 8));
    let Ok(argc) = word(0) else { return [0; 6] };
    let environment = argc.saturating_add(2).min(MAX_WORDS);
    let end = (environment..MAX_WORDS).find(|index| matches!(word(*index), Ok(0) | Err(_)));
    // The auxiliary vector is pairs up to one of type 0.
    let mut at = end.unwrap_or(MAX_WORDS) + 1;
    let name = loop {
        match word(at) {
            Ok(AT_EXECFN) => break word(at + 1).unwrap_or(0),
            Ok(1..) if at < MAX_WORDS => at += 2,
            _ => break 0,
        }
    };
    let at_argv = frame.rsp.wrapping_add(8);
    let at_envp = frame.rsp.wrapping_add(environment * 8);
    [name, at_argv, at_envp, 0, 0, 0]
}
