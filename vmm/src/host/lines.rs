//! [`Lines`]: how much a guest may say in the log, which a hostile one would flood.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lines in a [`PERIOD`].
const MOST: u32 = 1000;
const PERIOD: Duration = Duration::from_secs(10);

/// Lines left in this period, and when it began.
#[derive(Debug)]
pub struct Lines(Mutex<(u32, Instant)>);

impl Default for Lines {
    fn default() -> Lines {
        Lines(Mutex::new((MOST, Instant::now())))
    }
}

impl Lines {
    /// Whether one more line may be written. The first that may not is announced.
    pub fn take(&self) -> bool {
        let Ok(mut state) = self.0.lock() else {
            return false;
        };
        if state.1.elapsed() >= PERIOD {
            *state = (MOST, Instant::now());
        }
        match state.0 {
            0 => false,
            1 => {
                state.0 = 0;
                tracing::warn!("the guest's kernel says too much: the next lines are left out");
                false
            }
            _ => {
                state.0 -= 1;
                true
            }
        }
    }

    /// How many lines are left in this period.
    #[cfg(test)]
    pub fn left(&self) -> u32 {
        self.0.lock().map_or(0, |state| state.0)
    }
}
