//! /proc: processes and the kernel as text (proc(5)).
//!
//! - [`root`]: the files of [`global`], then a directory for each process.
//! - [`subject`]: what the files of a process are told; [`process`] lists them, `status`, `memory`, `fds`, `mounts` make their text.
//! - `sys`, `net`, `cpu`: /proc/sys, /proc/net, /proc/cpuinfo.
//!
//! Formats are those of Linux to the byte: ps, top, free, lsof and many others parse them.

mod cpu;
mod fds;
mod global;
mod load;
mod memory;
mod mounts;
mod net;
mod process;
mod status;
mod subject;
mod sys;

use super::{
    DirEntry, FileOps, Inode, Metadata, StatFs,
    pseudo::{self, Context, Entry, Text, text},
};
use crate::{Errno, task};
use alloc::{format, sync::Arc, vec::Vec};
use core::any::Any;
use linux_raw_sys::general::*;
use spin::Once;
use subject::Subject;

/// Clock ticks a second, as programs see it (`sysconf(_SC_CLK_TCK)`).
const TICKS: u64 = 100;

/// Clock ticks in so many nanoseconds.
fn ticks(ns: u64) -> u64 {
    ns / (1_000_000_000 / TICKS)
}

/// The context of files that describe the kernel.
#[derive(Clone)]
struct Global;

impl Context for Global {
    const DEV: u64 = pseudo::PROC_DEV;
    const MAGIC: u64 = pseudo::PROC_MAGIC;
}

/// The root of /proc.
pub fn root() -> Arc<dyn Inode> {
    static ROOT: Once<Arc<Root>> = Once::new();
    ROOT.call_once(|| Arc::new(Root)).clone()
}

/// The root directory.
struct Root;

/// Inode number of the root.
const ROOT_INO: u64 = 1;
/// Positions in a listing from here on are pids.
const FIRST_PID_POSITION: u64 = 256;

impl Inode for Root {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        let mut meta = pseudo::attributes(pseudo::PROC_DEV, ROOT_INO, S_IFDIR | 0o555, (0, 0));
        meta.nlink = 6 + task::processes().len() as u32;
        Ok(meta)
    }

    fn create(&self, _name: &[u8], mode: u32, _rdev: u64) -> Result<Arc<dyn Inode>, Errno> {
        Err(pseudo::refuse_create(pseudo::PROC_MAGIC, mode))
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        match parse_id(name) {
            Some(id) => {
                let subject = Subject::by_id(id).ok_or(Errno::ENOENT)?;
                Ok(process::directory(subject))
            }
            None => pseudo::find(global::ENTRIES, &Global, ROOT_INO, name),
        }
    }

    fn read_dir(&self, from: u64, each: &mut dyn FnMut(DirEntry) -> bool) -> Result<(), Errno> {
        if from < FIRST_PID_POSITION
            && !pseudo::list(global::ENTRIES, &Global, ROOT_INO, from, each)
        {
            return Ok(());
        }
        let first = from.saturating_sub(FIRST_PID_POSITION);
        for process in task::processes() {
            let pid = u64::from(process.pid.unsigned_abs());
            if pid < first {
                continue;
            }
            let more = each(DirEntry {
                name: format!("{pid}").into_bytes(),
                ino: subject::directory_ino(process.pid),
                kind: DT_DIR as u8,
                next: FIRST_PID_POSITION + pid + 1,
            });
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn open(&self, flags: u32) -> Result<Arc<dyn FileOps>, Errno> {
        pseudo::open_directory(root(), flags)
    }

    fn statfs(&self) -> Result<StatFs, Errno> {
        Ok(pseudo::empty_statfs(pseudo::PROC_MAGIC))
    }
}

/// The id that a name stands for: a decimal number without leading zeros.
fn parse_id(name: &[u8]) -> Option<i32> {
    if !name.first()?.is_ascii_digit() || name.first() == Some(&b'0') && name.len() > 1 {
        return None;
    }
    core::str::from_utf8(name).ok()?.parse().ok()
}

/// /sys/devices/system/node/node0/meminfo.
pub fn node_meminfo() -> Text {
    let memory = global::memory();
    text!(
        "Node 0 MemTotal:       {:8} kB\nNode 0 MemFree:        {:8} kB\nNode 0 MemUsed:        {:8} kB\n",
        memory.total,
        memory.free,
        memory.total - memory.free.min(memory.total),
    )
}

/// An entry of a table of constant text.
const fn constant<C: Context>(name: &'static str, show: pseudo::Show<C>) -> Entry<C> {
    Entry::file(name, 0o444, show)
}

/// Bytes of a string, for link texts.
fn bytes(text: &str) -> Vec<u8> {
    Vec::from(text.as_bytes())
}
