//! argv and envp, copied from the caller's memory before that goes away.

use crate::{
    Errno,
    mm::{oom, user},
    task::Process,
};
use alloc::{sync::Arc, vec::Vec};
use linux_raw_sys::general::RLIMIT_STACK;
use vitrine_abi::layout::PAGE_SIZE;

/// Most bytes in one string, its NUL included (MAX_ARG_STRLEN).
const MAX_STRING: usize = 32 * 4096;
/// What argv and envp may always take (ARG_MAX), and what they may take at most: three quarters of the usual stack.
const MIN_TOTAL: u64 = 128 << 10;
const MAX_TOTAL: u64 = 6 << 20;

/// Room for strings and pointers, as execve(2) limits it.
pub struct Budget {
    left: u64,
}

impl Budget {
    /// That of a process: a quarter of its stack limit.
    pub fn of(process: &Process) -> Budget {
        let quarter = process.limit(RLIMIT_STACK) / 4;
        Budget {
            left: quarter.clamp(MIN_TOTAL, MAX_TOTAL),
        }
    }

    /// Uses up `bytes`; `E2BIG` when they are not left.
    pub fn take(&mut self, bytes: usize) -> Result<(), Errno> {
        self.left = self.left.checked_sub(bytes as u64).ok_or(Errno::E2BIG)?;
        Ok(())
    }

    /// Uses up what a string takes: its bytes, its NUL and the pointer to it.
    pub fn take_string(&mut self, string: &[u8]) -> Result<(), Errno> {
        self.take(string.len().saturating_add(9))
    }
}

/// Copies an array of strings, which a null pointer ends; a null array is an empty one.
pub fn copy_strings(array: u64, budget: &mut Budget) -> Result<Vec<Arc<[u8]>>, Errno> {
    let mut strings = Vec::new();
    if array == 0 {
        return Ok(strings);
    }
    let mut chunk = [[0u8; 8]; 64];
    let mut addr = array;
    loop {
        // No further than the page's end: what lies behind the array's end need not be mapped.
        let in_page = ((PAGE_SIZE - addr % PAGE_SIZE) / 8).clamp(1, chunk.len() as u64) as usize;
        let pointers = &mut chunk[..in_page];
        user::read_bytes(addr, pointers.as_flattened_mut())?;
        for pointer in pointers.iter() {
            let pointer = u64::from_ne_bytes(*pointer);
            if pointer == 0 {
                return Ok(strings);
            }
            let string = user::read_cstr(pointer, MAX_STRING).map_err(too_long)?;
            budget.take_string(&string)?;
            oom::check_reserve()?;
            strings.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            strings.push(Arc::from(string));
        }
        addr = addr.checked_add(8 * in_page as u64).ok_or(Errno::EFAULT)?;
    }
}

fn too_long(error: Errno) -> Errno {
    if error == Errno::ENAMETOOLONG {
        Errno::E2BIG
    } else {
        error
    }
}
