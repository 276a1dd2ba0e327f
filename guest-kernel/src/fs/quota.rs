//! How many pages the contents of one file system may take: `size=` of tmpfs.

use crate::Errno;
use core::sync::atomic::{AtomicU64, Ordering};

/// A file system's limit, and what its files take of it.
pub struct Quota {
    /// Pages.
    pub limit: u64,
    used: AtomicU64,
}

impl Quota {
    /// Nothing used of `limit` pages.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    /// Pages left.
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used.load(Ordering::Relaxed))
    }

    /// Whether `pages` more fit; `ENOSPC`.
    pub fn check(&self, pages: u64) -> Result<(), Errno> {
        if pages <= self.left() {
            Ok(())
        } else {
            Err(Errno::ENOSPC)
        }
    }

    /// A file takes `pages` more.
    pub fn take(&self, pages: u64) {
        self.used.fetch_add(pages, Ordering::Relaxed);
    }

    /// A file gives `pages` back.
    pub fn give(&self, pages: u64) {
        self.used.fetch_sub(pages, Ordering::Relaxed);
    }
}
