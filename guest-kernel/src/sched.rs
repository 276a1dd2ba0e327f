//! The scheduler: which task runs on the vCPU, and when another one does.
//!
//! Fair by virtual run time: the runnable task that has had the least processor time, weighted by niceness, goes first. The kernel itself is
//! not pre-empted: a task gives up the vCPU by blocking, or on the way back to user mode when its slice is over.

use crate::{
    arch,
    mm::{host, space},
    sync::Mutex,
    task::{Task, usage::Counter},
    time, trace,
};
use alloc::{collections::BTreeMap, sync::Arc};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};

pub use crate::arch::{current, request_reschedule, with_current};

/// Longest a task runs while others wait, in nanoseconds.
const SLICE_NS: u64 = 4_000_000;
/// How much virtual run time a task that slept may be ahead of the others.
const SLEEPER_BONUS_NS: u64 = 2_000_000;

const RUNNABLE: u32 = 0;
const BLOCKED: u32 = 1;
const EXITED: u32 = 2;

/// The scheduler's words in a task: state, niceness, run time.
#[derive(Default)]
pub struct SchedState {
    state: AtomicU32,
    /// Woken since `prepare_block`.
    woken: AtomicBool,
    queued: AtomicBool,
    vruntime: AtomicU64,
    switched_in: AtomicU64,
    /// Niceness, −20…19.
    pub nice: AtomicI32,
    /// Nanoseconds on the vCPU, without the current stretch.
    pub run_ns: AtomicU64,
    /// Nanoseconds it was runnable and waited for the vCPU.
    pub waited_ns: AtomicU64,
    /// When it was queued last.
    queued_at: AtomicU64,
    /// Times it got the vCPU.
    pub turns: AtomicU64,
}

impl SchedState {
    /// A new task's state, runnable, with this niceness.
    pub fn new(nice: i32) -> Self {
        Self {
            nice: AtomicI32::new(nice),
            ..Self::default()
        }
    }

    /// Nanoseconds on the vCPU, the current stretch included.
    pub fn total_run_ns(&self, running: bool) -> u64 {
        let now = if running {
            time::monotonic_ns().saturating_sub(self.switched_in.load(Relaxed))
        } else {
            0
        };
        self.run_ns.load(Relaxed) + now
    }

    /// A step of niceness is a factor of 1.25, as on Linux; at 0 virtual time is real time.
    fn weighted(&self, ns: u64) -> u64 {
        let nice = self.nice.load(Relaxed).clamp(-20, 19);
        let mut scaled = ns as u128;
        for _ in 0..nice.unsigned_abs() {
            scaled = if nice > 0 {
                scaled * 5 / 4
            } else {
                scaled * 4 / 5
            };
        }
        u64::try_from(scaled).unwrap_or(u64::MAX).max(1)
    }
}

/// Switches from one task to another since boot.
static SWITCHES: AtomicU64 = AtomicU64::new(0);

/// Switches from one task to another since boot.
pub fn switches() -> u64 {
    SWITCHES.load(Relaxed)
}

/// Whether a task runs or waits for the vCPU.
pub fn is_runnable(task: &Task) -> bool {
    task.sched.state.load(Relaxed) == RUNNABLE
}

/// The integral of the number of runnable tasks over time, in nanoseconds, for load averages.
struct Load {
    area: u64,
    since: u64,
    runnable: u64,
}

static LOAD: Mutex<Load> = Mutex::new(Load {
    area: 0,
    since: 0,
    runnable: 0,
});

/// From `now` on this many tasks are runnable; the integral until now.
fn note_load(now: u64, runnable: u64) -> u64 {
    let mut load = LOAD.lock();
    load.area += load.runnable * now.saturating_sub(load.since);
    load.since = now;
    load.runnable = runnable;
    load.area
}

/// The integral of the number of runnable tasks over time until now, in nanoseconds; and now.
pub fn load() -> (u64, u64) {
    let now = time::monotonic_ns();
    let waiting = QUEUE.lock().ready.len() as u64;
    (note_load(now, waiting + 1), now)
}

struct Queue {
    ready: BTreeMap<(u64, i32), Arc<Task>>,
    sleepers: BTreeMap<(u64, i32), Arc<Task>>,
    /// Virtual run time of the task that ran last: where newcomers start.
    floor: u64,
    /// When the running task's slice ends.
    slice_end: u64,
    /// The task that was switched away from last, until its successor runs.
    previous: Option<Arc<Task>>,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    ready: BTreeMap::new(),
    sleepers: BTreeMap::new(),
    floor: 0,
    slice_end: 0,
    previous: None,
});

fn enqueue(queue: &mut Queue, task: &Arc<Task>) {
    if !task.sched.queued.swap(true, Relaxed) {
        task.sched.queued_at.store(time::monotonic_ns(), Relaxed);
        queue
            .ready
            .insert((task.sched.vruntime.load(Relaxed), task.tid), task.clone());
    }
}

/// Makes a blocked task runnable; one that is about to block won't.
pub fn wake(task: &Arc<Task>) {
    task.sched.woken.store(true, Relaxed);
    if task.sched.state.load(Relaxed) != BLOCKED {
        return;
    }
    task.sched.state.store(RUNNABLE, Relaxed);
    let mut queue = QUEUE.lock();
    let vruntime = task
        .sched
        .vruntime
        .load(Relaxed)
        .max(queue.floor.saturating_sub(SLEEPER_BONUS_NS));
    task.sched.vruntime.store(vruntime, Relaxed);
    enqueue(&mut queue, task);
    let first = queue.ready.len() == 1;
    let ahead = vruntime + SLEEPER_BONUS_NS / 2 < queue.floor;
    drop(queue);
    if ahead {
        request_reschedule();
    }
    if first {
        deadline_changed();
    }
}

/// Adds a new task, runnable.
pub fn start(task: Arc<Task>) {
    let mut queue = QUEUE.lock();
    task.sched.vruntime.store(queue.floor, Relaxed);
    enqueue(&mut queue, &task);
    drop(queue);
    deadline_changed();
}

/// To be called before the condition of a wait is looked at: a [`wake`] from here on makes [`block`] return at once.
pub fn prepare_block() {
    with_current(|task| task.sched.woken.store(false, Relaxed));
}

/// Blocks the current task until [`wake`] or the deadline (CLOCK_MONOTONIC, ns). May return without either: callers loop.
pub fn block(deadline: Option<u64>) {
    let task = current();
    if task.sched.woken.load(Relaxed) {
        return;
    }
    if let Some(at) = deadline {
        QUEUE.lock().sleepers.insert((at, task.tid), task.clone());
    }
    task.sched.state.store(BLOCKED, Relaxed);
    task.counters.add(Counter::VoluntarySwitches, 1);
    schedule(&task);
    if let Some(at) = deadline {
        QUEUE.lock().sleepers.remove(&(at, task.tid));
    }
}

/// Lets other runnable tasks go first (sched_yield(2)).
pub fn yield_now() {
    if !arch::has_current() {
        return;
    }
    let task = current();
    {
        let mut queue = QUEUE.lock();
        let Some((&(last, _), _)) = queue.ready.last_key_value() else {
            return;
        };
        task.sched.vruntime.fetch_max(last + 1, Relaxed);
        enqueue(&mut queue, &task);
    }
    schedule(&task);
}

/// Lets whoever holds a contended lock run; with nobody runnable, waits for the event that the holder waits for.
pub fn yield_to_lock_holder() {
    assert!(arch::has_current(), "a lock is taken twice during boot");
    let empty = match QUEUE.try_lock() {
        Some(queue) => queue.ready.is_empty(),
        None => panic!("the run queue's lock is taken twice"),
    };
    if empty {
        wait_for_host();
    } else {
        yield_now();
    }
}

/// On the way back to user mode after a request: the slice may be over, or a task that deserves to run first has woken up.
pub fn reschedule() {
    let task = current();
    account(&task, time::monotonic_ns());
    {
        let mut queue = QUEUE.lock();
        let Some((&(first, _), _)) = queue.ready.first_key_value() else {
            return;
        };
        if first > task.sched.vruntime.load(Relaxed) && time::monotonic_ns() < queue.slice_end {
            return;
        }
        task.sched.vruntime.fetch_max(first + 1, Relaxed);
        enqueue(&mut queue, &task);
    }
    task.counters.add(Counter::InvoluntarySwitches, 1);
    schedule(&task);
}

/// Ends the current task for good: it never runs again, and its last reference is dropped by the next one.
pub fn exit_current() -> ! {
    with_current(|task| {
        task.sched.state.store(EXITED, Relaxed);
        schedule(task);
    });
    unreachable!("an exited task was switched to")
}

fn account(task: &Task, now: u64) {
    let ran = now.saturating_sub(task.sched.switched_in.swap(now, Relaxed));
    task.sched.run_ns.fetch_add(ran, Relaxed);
    task.sched
        .vruntime
        .fetch_add(task.sched.weighted(ran), Relaxed);
}

/// Runs the next task, or waits for one. The current one is queued, blocked or has exited.
fn schedule(task: &Arc<Task>) {
    account(task, time::monotonic_ns());
    loop {
        let next = QUEUE.lock().ready.pop_first();
        if let Some((_, next)) = next {
            next.sched.queued.store(false, Relaxed);
            run(task, next);
            return;
        }
        if task.sched.state.load(Relaxed) == RUNNABLE {
            return;
        }
        wait_for_host();
    }
}

/// Loads the address space of a task that is to run.
fn activate(task: &Task) {
    match task.space.lock().as_ref() {
        Some(space) => space::activate(space),
        None => space::activate_kernel(),
    }
}

fn run(task: &Arc<Task>, next: Arc<Task>) {
    let now = time::monotonic_ns();
    next.sched.switched_in.store(now, Relaxed);
    let waited = now.saturating_sub(next.sched.queued_at.load(Relaxed));
    next.sched.waited_ns.fetch_add(waited, Relaxed);
    next.sched.turns.fetch_add(1, Relaxed);
    {
        let mut queue = QUEUE.lock();
        queue.floor = queue.floor.max(next.sched.vruntime.load(Relaxed));
        queue.slice_end = now + SLICE_NS;
        note_load(now, queue.ready.len() as u64 + 1);
    }
    deadline_changed();
    if Arc::ptr_eq(task, &next) {
        return;
    }
    SWITCHES.fetch_add(1, Relaxed);
    trace::on_block(task);
    time::cpu::switch_out(task, now);
    time::cpu::switch_in(&next, now);
    activate(&next);
    let from = task.thread.handle();
    let to = next.thread.handle();
    let old = arch::set_current(next);
    QUEUE.lock().previous = old;
    arch::switch(from, to);
    finish_switch();
}

/// The first thing that runs after a switch: lets go of the task that ran before.
pub fn finish_switch() {
    let previous = QUEUE.lock().previous.take();
    drop(previous);
}

/// Leaves the boot stack for the first task.
pub fn run_first() -> ! {
    let next = QUEUE.lock().ready.pop_first();
    let Some((_, next)) = next else {
        unreachable!("no first task")
    };
    next.sched.queued.store(false, Relaxed);
    let now = time::monotonic_ns();
    next.sched.switched_in.store(now, Relaxed);
    time::cpu::switch_in(&next, now);
    activate(&next);
    let to = next.thread.handle();
    arch::set_current(next);
    arch::switch_first(to)
}

/// Nothing is runnable: gives the vCPU to the VMM until something happens, and takes note of it.
fn wait_for_host() {
    let control = host::control();
    note_load(time::monotonic_ns(), 0);
    deadline_changed();
    if control.pending.load(core::sync::atomic::Ordering::SeqCst) == 0 && !expire() {
        control.idle.store(1, core::sync::atomic::Ordering::SeqCst);
        arch::doorbell::idle();
        control.idle.store(0, core::sync::atomic::Ordering::SeqCst);
    }
    crate::trap::take_host_events();
}

/// Wakes the sleepers whose deadline has passed and runs expired timers; whether there were any.
pub fn expire() -> bool {
    let now = time::monotonic_ns();
    let mut any = time::timer::next_deadline().is_some_and(|at| at <= now);
    time::timer::run_expired(now);
    loop {
        let task = {
            let mut queue = QUEUE.lock();
            match queue.sleepers.first_key_value() {
                Some((&(at, _), _)) if at <= now => {
                    queue.sleepers.pop_first().map(|(_, task)| task)
                }
                _ => None,
            }
        };
        let Some(task) = task else { break };
        wake(&task);
        any = true;
    }
    let queue = QUEUE.lock();
    if !queue.ready.is_empty() && now >= queue.slice_end {
        request_reschedule();
    }
    drop(queue);
    deadline_changed();
    any
}

/// Tells the VMM when the guest next wants the vCPU's attention.
pub fn deadline_changed() {
    let queue = QUEUE.lock();
    let mut deadline = u64::MAX;
    if !queue.ready.is_empty() {
        deadline = queue.slice_end;
    }
    if let Some((&(at, _), _)) = queue.sleepers.first_key_value() {
        deadline = deadline.min(at);
    }
    drop(queue);
    if let Some(at) = time::timer::next_deadline() {
        deadline = deadline.min(at);
    }
    let ticks = if deadline == u64::MAX {
        u64::MAX
    } else {
        time::ns_to_tsc(deadline)
    };
    host::control().timer_deadline_tsc.store(ticks, Relaxed);
}
