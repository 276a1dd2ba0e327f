//! The kernel's log: lines that the VMM shows with `--verbose` or on error. Never on a hot path.

/// Severity of a line, as `Op::Log` numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
#[allow(dead_code, reason = "levels of the host call, used while developing")]
pub enum Level {
    /// Something failed that should not.
    Error = 1,
    /// Something a user may want to know, such as an unimplemented call.
    Warn = 2,
    /// Milestones.
    Info = 3,
    /// For developers of the kernel.
    Debug = 4,
}

/// Formats and sends a line.
pub fn write(level: Level, args: core::fmt::Arguments<'_>) {
    crate::hostcall::log_line(level as u32, &alloc::format!("{args}"));
}

/// Logs an error.
#[macro_export]
macro_rules! error { ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Error, format_args!($($arg)*)) } }
/// Logs a warning.
#[macro_export]
macro_rules! warn { ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Warn, format_args!($($arg)*)) } }
/// Logs for developers.
#[macro_export]
macro_rules! debug { ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Debug, format_args!($($arg)*)) } }
