//! Parked threads: those that a stop rule or a breakpoint holds in a system call until somebody resumes them.
//!
//! The guest kernel tells of each by a host call ([`Stops::stopped`]), and is answered at once: the thread waits for so long, or goes on.
//! Who resumes one later makes a [`Decision`] of what is to be changed ([`Stops::resume`]), which travels by the guest's mailbox. What the guest
//! says is hostile: numbers and sizes are bounded, records are parsed by `introspect`.
//!
//! Whoever subscribes to stops is a controller. When the last one is gone, what it held is done with as [`OnDetach`] says, and so are later
//! stops until another controller comes: a debugger that dies leaves nothing hanging.

pub mod serve;
pub mod table;

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use vitrine_abi::shared::REQUEST_RESUME;
use vitrine_abi::stop::{
    Decision, HOW_DETACHED, HOW_POLICY, HOW_RESUMED, HOW_TIMEOUT, MAX_STOP_RECORD, StopReply,
};
use vitrine_introspect::filter::rules::{self, Edit};
use vitrine_introspect::stop::Stopped;
use zerocopy::IntoBytes;

use crate::kvm::GuestRam;
use crate::requests;

/// Most parked threads that are known; further ones go on.
const MAX_STOPS: usize = 1 << 16;
/// Most bytes of their records together.
const MAX_BYTES: usize = 64 << 20;

/// What becomes of parked threads when the last controller is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnDetach {
    /// They go on
    #[default]
    Resume,
    /// Their processes are killed
    Kill,
    /// They stay parked
    Keep,
}

/// How stops are treated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// How long a thread is parked at most; zero: it is told of and goes on at once; `None`: until somebody resumes it.
    pub timeout: Option<Duration>,
    /// When the last controller is gone.
    pub on_detach: OnDetach,
    /// Whether anybody can ever resume one. If not, threads without a timeout go on at once.
    pub controllable: bool,
}

/// Makes requests of the guest kernel: whether it did what was asked.
pub trait Requests {
    /// Makes one request and waits for its end.
    fn request(&self, kind: u32, data: &[u8]) -> Result<bool, String>;
}

impl Requests for requests::Requests {
    fn request(&self, kind: u32, data: &[u8]) -> Result<bool, String> {
        match self.ask(kind, data, requests::PATIENCE) {
            Ok(_) => Ok(true),
            Err(requests::RequestError::Refused(_)) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Why a parked thread can't be resumed as asked.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// No such stop.
    #[error("resuming {0}: no parked thread has this id; `vitrine stops` lists them")]
    NotParked(String),
    /// Not a selector.
    #[error("resuming {0}: give a process or thread id as in 12, or a stop as in s3")]
    Selector(String),
    /// The change makes no sense for the call.
    #[error("resuming {which}: {cause}")]
    Edit {
        /// Which stop.
        which: String,
        /// What is wrong, where.
        cause: vitrine_introspect::filter::Error,
    },
    /// The guest kernel doesn't answer.
    #[error("resuming s{stop}: {cause}")]
    Request {
        /// Which stop.
        stop: u64,
        /// Why.
        cause: String,
    },
}

/// Which parked threads are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// All of them.
    All,
    /// Those of a process, or a thread.
    Task(i32),
    /// One stop.
    Stop(u64),
}

impl Selector {
    /// From `12` or `s3`.
    pub fn parse(text: &str) -> Result<Selector, ResumeError> {
        let stop = text
            .strip_prefix('s')
            .and_then(|id| id.parse().ok())
            .map(Selector::Stop);
        stop.or_else(|| text.parse().ok().map(Selector::Task))
            .ok_or_else(|| ResumeError::Selector(text.to_owned()))
    }

    fn selects(self, stop: &Listed) -> bool {
        match self {
            Selector::All => true,
            Selector::Task(id) => stop.thread.pid == id || stop.thread.tid == id,
            Selector::Stop(id) => stop.thread.event.stop == id,
        }
    }

    fn text(self) -> String {
        match self {
            Selector::All => "all".to_owned(),
            Selector::Task(id) => id.to_string(),
            Selector::Stop(id) => format!("s{id}"),
        }
    }
}

/// A parked thread, decoded.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Who, where.
    pub thread: Stopped,
    /// For how long.
    pub since: Duration,
}

/// A parked thread as it is kept.
struct Waiting {
    record: Vec<u8>,
    since: Instant,
}

/// Tells a controller of a stop. It must not wait.
pub type Tell = Box<dyn Fn(&Listed) + Send>;

#[derive(Default)]
struct State {
    waiting: BTreeMap<u64, Waiting>,
    bytes: usize,
    /// By the number of the connection.
    controllers: BTreeMap<u64, Tell>,
    /// The last controller is gone, and no other has come.
    detached: bool,
    /// Somebody was told how to resume.
    told: bool,
    /// The sandbox has ended: nothing will be parked any more.
    closed: bool,
    /// Somebody was told that there are too many.
    overflowed: bool,
}

/// The parked threads of one sandbox.
pub struct Stops {
    policy: Policy,
    state: Mutex<State>,
    /// Something was parked.
    parked: Condvar,
    /// Held while a request is answered.
    answering: Mutex<()>,
}

impl Stops {
    /// None yet.
    pub fn new(policy: Policy) -> Stops {
        Stops {
            policy,
            state: Mutex::default(),
            parked: Condvar::new(),
            answering: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guest parks a thread ([`vitrine_abi::hostcall::Op::Stopped`]): the bytes of the answer.
    pub fn stopped(&self, ram: &GuestRam, args: [u64; 4]) -> Result<u64, Errno> {
        let [buf, len, reply_buf, reply_len] = args;
        let len = usize::try_from(len)
            .ok()
            .filter(|&len| len <= MAX_STOP_RECORD)
            .ok_or(Errno::INVAL)?;
        let mut record = vec![0; len];
        ram.read(buf, &mut record)?;
        let thread = Stopped::parse(&record).ok_or(Errno::INVAL)?;
        let decision = self.admit(&thread, record);
        let mut reply = StopReply {
            timeout_ns: self.policy.timeout.map_or(u64::MAX, |timeout| {
                u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
            }),
            ..StopReply::default()
        };
        let decision =
            decision.map_or_else(Vec::new, |decision| decision.encode(thread.event.stop));
        reply.decision_len = u32::try_from(decision.len()).unwrap_or(0);
        let answer = [reply.as_bytes(), &decision].concat();
        if answer.len() as u64 > reply_len {
            return Err(Errno::INVAL);
        }
        ram.write(reply_buf, &answer)?;
        Ok(answer.len() as u64)
    }

    /// A thread is to be parked: what is decided at once, if anything.
    fn admit(&self, thread: &Stopped, record: Vec<u8>) -> Option<Decision> {
        if self.policy.timeout == Some(Duration::ZERO) {
            return Some(Decision::go_on(HOW_TIMEOUT));
        }
        let mut state = self.state();
        let told = std::mem::replace(&mut state.told, true) || !state.controllers.is_empty();
        if !self.policy.controllable && self.policy.timeout.is_none() {
            if !told {
                tracing::warn!(
                    "{} would stop {}, but this sandbox can't be controlled: it goes on, and so do others",
                    name(thread),
                    place(thread)
                );
            }
            return Some(Decision::go_on(HOW_POLICY));
        }
        if state.detached {
            match self.policy.on_detach {
                OnDetach::Resume => return Some(Decision::go_on(HOW_DETACHED)),
                OnDetach::Kill => return Some(Decision::kill(HOW_DETACHED)),
                OnDetach::Keep => {}
            }
        }
        if state.waiting.len() >= MAX_STOPS || state.bytes + record.len() > MAX_BYTES {
            if !std::mem::replace(&mut state.overflowed, true) {
                tracing::warn!("too many threads are stopped: {} goes on", name(thread));
            }
            return Some(Decision::go_on(HOW_POLICY));
        }
        if !told && self.policy.controllable {
            tracing::warn!(
                "{} is stopped {}; `vitrine resume {}` lets it go on, `vitrine stops` lists what waits",
                name(thread),
                place(thread),
                thread.tid
            );
        }
        state.remove(thread.event.stop);
        state.bytes += record.len();
        let since = Instant::now();
        state
            .waiting
            .insert(thread.event.stop, Waiting { record, since });
        if !state.controllers.is_empty() {
            let listed = Listed {
                thread: thread.clone(),
                since: Duration::ZERO,
            };
            for tell in state.controllers.values() {
                tell(&listed);
            }
        }
        self.parked.notify_all();
        None
    }

    /// The thread of this stop goes on, or has ended.
    pub fn ended(&self, stop: u64) {
        self.state().remove(stop);
    }

    /// All parked threads, the longest parked first.
    pub fn list(&self) -> Vec<Listed> {
        let state = self.state();
        let listed = state.waiting.values().filter_map(|waiting| {
            Some(Listed {
                thread: Stopped::parse(&waiting.record)?,
                since: waiting.since.elapsed(),
            })
        });
        listed.collect()
    }

    /// As [`Stops::list`], as soon as there is one, at the latest after `limit`.
    pub fn wait(&self, limit: Duration) -> Vec<Listed> {
        let none = |state: &mut State| state.waiting.is_empty() && !state.closed;
        drop(self.parked.wait_timeout_while(self.state(), limit, none));
        self.list()
    }

    /// Lets the threads that `selector` means go on, with these changes. Which they were; nothing has happened after an error in the changes.
    pub fn resume(
        &self,
        selector: Selector,
        edit: &Edit,
        requests: &dyn Requests,
    ) -> Result<Vec<Listed>, ResumeError> {
        let mut chosen = self.list();
        chosen.retain(|stop| selector.selects(stop));
        if chosen.is_empty() && selector != Selector::All {
            return Err(ResumeError::NotParked(selector.text()));
        }
        let decisions = chosen
            .iter()
            .map(|stop| {
                let event = &stop.thread.event;
                let (actions, pool) =
                    rules::edit(event.call.nr, event.exit, edit).map_err(|cause| {
                        ResumeError::Edit {
                            which: name(&stop.thread),
                            cause,
                        }
                    })?;
                Ok(Decision {
                    how: HOW_RESUMED,
                    actions,
                    pool,
                })
            })
            .collect::<Result<Vec<_>, ResumeError>>()?;
        let mut resumed = Vec::new();
        for (stop, decision) in chosen.into_iter().zip(decisions) {
            let id = stop.thread.event.stop;
            if self.decide(id, &decision, requests)? {
                resumed.push(stop);
            }
        }
        match resumed.is_empty() && selector != Selector::All {
            true => Err(ResumeError::NotParked(selector.text())),
            false => Ok(resumed),
        }
    }

    /// Sends a decision; whether its thread was still parked.
    fn decide(
        &self,
        stop: u64,
        decision: &Decision,
        requests: &dyn Requests,
    ) -> Result<bool, ResumeError> {
        let taken = requests
            .request(REQUEST_RESUME, &decision.encode(stop))
            .map_err(|cause| ResumeError::Request { stop, cause })?;
        self.state().remove(stop);
        Ok(taken)
    }

    /// The sandbox has ended: whoever is being answered gets the answer.
    pub fn close(&self) {
        self.state().closed = true;
        self.parked.notify_all();
        drop(self.answering());
    }

    fn answering(&self) -> MutexGuard<'_, ()> {
        self.answering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A controller has come on connection `number`; it is told of each stop from now on.
    pub fn attach(&self, number: u64, tell: Tell) {
        let mut state = self.state();
        state.controllers.insert(number, tell);
        state.detached = false;
    }

    /// Connection `number` is gone. If it was the last controller's, parked threads are done with as the policy says.
    pub fn detach(&self, number: u64, requests: &dyn Requests) {
        let stops: Vec<u64> = {
            let mut state = self.state();
            if state.controllers.remove(&number).is_none() || !state.controllers.is_empty() {
                return;
            }
            state.detached = true;
            state.told = false;
            state.waiting.keys().copied().collect()
        };
        let decision = match self.policy.on_detach {
            OnDetach::Keep => return,
            OnDetach::Resume => Decision::go_on(HOW_DETACHED),
            OnDetach::Kill => Decision::kill(HOW_DETACHED),
        };
        for stop in stops {
            if let Err(error) = self.decide(stop, &decision, requests) {
                tracing::warn!("after the controller's end: {error}");
                return;
            }
        }
    }
}

impl State {
    fn remove(&mut self, stop: u64) {
        if let Some(waiting) = self.waiting.remove(&stop) {
            self.bytes -= waiting.record.len();
        }
    }
}

/// `thread 5 (cat)`.
fn name(thread: &Stopped) -> String {
    let comm = crate::log::printable(&thread.comm);
    format!("thread {} ({comm})", thread.tid)
}

/// `before openat(…)`.
fn place(thread: &Stopped) -> String {
    let when = if thread.event.exit { "after" } else { "before" };
    let text = crate::log::printable(thread.text().as_bytes());
    format!("{when} {text}")
}

#[cfg(test)]
mod tests;
