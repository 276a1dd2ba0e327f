//! [`Running`]: the file that a process runs, which nobody may write to meanwhile.

use crate::fs::Location;
use core::ops::Deref;

/// Counts as one process that runs the file.
pub struct Running(Location);

impl Running {
    /// The file at this place runs from now on.
    pub fn new(place: Location) -> Running {
        place.inode.count_running(1);
        Running(place)
    }
}

impl Deref for Running {
    type Target = Location;

    fn deref(&self) -> &Location {
        &self.0
    }
}

impl Clone for Running {
    fn clone(&self) -> Running {
        Running::new(self.0.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.inode.count_running(-1);
    }
}
