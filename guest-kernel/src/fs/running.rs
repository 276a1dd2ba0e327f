//! A file that runs: as long as there is a [`Running`], it can't be opened for writing (`ETXTBSY`), and none can be made while it is open so.

use super::{Location, node::Node};
use crate::Errno;
use alloc::sync::Arc;
use core::ops::Deref;

/// Where the file of a running program is.
pub struct Running(Location);

fn node(location: &Location) -> Option<Arc<Node>> {
    Node::of(&location.inode)
}

/// `ETXTBSY` if the file at `location` runs.
pub fn check_still(location: &Location) -> Result<(), Errno> {
    if let Some(node) = node(location) {
        node.begin_writing()?;
        node.end_writing();
    }
    Ok(())
}

impl Running {
    /// The file at `location` runs from now on.
    pub fn new(location: Location) -> Result<Running, Errno> {
        if let Some(node) = node(&location) {
            node.begin_running()?;
        }
        Ok(Running(location))
    }

    /// Whether it is a file of the host's whose contents nobody has changed here.
    pub fn is_original(&self) -> bool {
        node(&self.0).is_some_and(|node| node.is_original())
    }
}

impl Clone for Running {
    fn clone(&self) -> Running {
        if let Some(node) = node(&self.0) {
            // It runs already, so nobody writes to it.
            let _ = node.begin_running();
        }
        Running(self.0.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(node) = node(&self.0) {
            node.end_running();
        }
    }
}

impl Deref for Running {
    type Target = Location;

    fn deref(&self) -> &Location {
        &self.0
    }
}
