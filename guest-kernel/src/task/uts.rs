//! What uname(2) says: constant but for the host and domain names.

use crate::sync::Mutex;
use alloc::vec::Vec;

/// Kernel name.
pub const SYSNAME: &str = "Linux";
/// Kernel release: the Linux version whose behaviour is offered.
pub const RELEASE: &str = "6.12.0-vitrine";
/// Kernel version.
pub const VERSION: &str = "#1 SMP PREEMPT_DYNAMIC Vitrine";
/// Hardware name.
pub const MACHINE: &str = "x86_64";
/// Longest host or domain name.
pub const NAME_MAX: usize = 64;

static HOST: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static DOMAIN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Host name.
pub fn hostname() -> Vec<u8> {
    HOST.lock().clone()
}

/// Sets the host name: its first 64 bytes.
pub fn set_hostname(name: &[u8]) {
    *HOST.lock() = name[..name.len().min(NAME_MAX)].to_vec();
}

/// NIS domain name, `(none)` if it was not set.
pub fn domainname() -> Vec<u8> {
    let name = DOMAIN.lock().clone();
    if name.is_empty() {
        b"(none)".to_vec()
    } else {
        name
    }
}

/// Sets the NIS domain name: its first 64 bytes.
pub fn set_domainname(name: &[u8]) {
    *DOMAIN.lock() = name[..name.len().min(NAME_MAX)].to_vec();
}
