//! Load averages: how many tasks were runnable, averaged over 1, 5 and 15 minutes.
//!
//! They are brought up to date when somebody looks, with the average number of tasks that were runnable since the last look: an idle guest
//! isn't woken for them.

use crate::{sched, sync::Mutex, task::table};
use alloc::sync::Arc;

/// Fixed-point 1.
const ONE: u64 = 2048;
/// How much is left of an average after 5 seconds: of that over 1, 5 and 15 minutes.
const DECAY: [u64; 3] = [1884, 2014, 2037];
/// Nanoseconds between two samples.
const PERIOD: u64 = 5_000_000_000;
/// After this many samples without a look the past no longer counts.
const SAMPLES_MAX: u64 = 2000;

struct Averages {
    values: [u64; 3],
    sampled_at: u64,
    /// [`sched::load`] at that time.
    area: u64,
}

static AVERAGES: Mutex<Averages> = Mutex::new(Averages {
    values: [0; 3],
    sampled_at: 0,
    area: 0,
});

/// Tasks that run or could.
pub fn runnable() -> u64 {
    let current = sched::current();
    let tasks = table::tasks();
    let count = tasks
        .iter()
        .filter(|task| Arc::ptr_eq(task, &current) || sched::is_runnable(task));
    count.count() as u64
}

/// The averages now, each as whole part and hundredths.
pub fn averages() -> [(u64, u64); 3] {
    let (area, now) = sched::load();
    let mut averages = AVERAGES.lock();
    let elapsed = now.saturating_sub(averages.sampled_at);
    let samples = elapsed / PERIOD;
    let active = match samples {
        0 => 0,
        _ => {
            let grown = u128::from(area.saturating_sub(averages.area)) * u128::from(ONE);
            averages.area = area;
            averages.sampled_at = now;
            (grown / u128::from(elapsed)) as u64
        }
    };
    for (value, decay) in averages.values.iter_mut().zip(DECAY) {
        for _ in 0..samples.min(SAMPLES_MAX) {
            *value = (*value * decay + active * (ONE - decay)) / ONE;
        }
    }
    averages.values.map(|value| {
        let rounded = value + ONE / 200;
        (rounded / ONE, rounded % ONE * 100 / ONE)
    })
}
