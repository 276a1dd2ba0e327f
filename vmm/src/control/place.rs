//! Where control sockets lie, and how they are named, bound, found and removed.
//!
//! `$XDG_RUNTIME_DIR/vitrine/NAME.sock`, or `/tmp/vitrine-UID/NAME.sock`. The directory must be the caller's and nobody else's. It is locked while sockets are
//! made or cleaned away, so that a stale one and its successor can't be mistaken for each other.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Longest name: with the directory it has to fit into a socket's address.
pub const MAX_NAME: usize = 64;
const SUFFIX: &str = ".sock";

/// Why a place could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The directory.
    #[error("making the directory {} for control sockets: {cause}; set XDG_RUNTIME_DIR to another", .path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// The host's answer.
        cause: io::Error,
    },
    /// Somebody else's directory.
    #[error(
        "{} isn't a directory that only user {uid} can use; remove it, or set XDG_RUNTIME_DIR to another", .path.display()
    )]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// Who should own it.
        uid: u32,
    },
    /// The socket.
    #[error("making the control socket {}: {cause}", .path.display())]
    Socket {
        /// Which.
        path: PathBuf,
        /// The host's answer.
        cause: io::Error,
    },
    /// The name is in use.
    #[error(
        "a sandbox named {0} is running; choose another --name (vitrine ls shows those in use)"
    )]
    Taken(String),
}

/// What is wrong with a name.
pub fn check_name(name: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(format!("a name has 1 to {MAX_NAME} characters"));
    }
    if name.starts_with(['.', '-']) || !name.chars().all(fine) {
        return Err("a name consists of letters, digits, `.`, `_` and `-`, and begins with none of `.` and `-`".to_owned());
    }
    Ok(())
}

/// The directory that control sockets lie in, whether it exists or not.
pub fn directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(path) if path.is_absolute() && path.is_dir() => path.join("vitrine"),
        _ => PathBuf::from(format!(
            "/tmp/vitrine-{}",
            rustix::process::geteuid().as_raw()
        )),
    }
}

/// Makes the directory if need be, and checks that it is ours alone.
fn prepared() -> Result<PathBuf, PlaceError> {
    let path = directory();
    if let Err(cause) = DirBuilder::new().mode(0o700).create(&path)
        && cause.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(PlaceError::Directory { path, cause });
    }
    checked(path)
}

/// The directory, if it is one that only we can use.
fn checked(path: PathBuf) -> Result<PathBuf, PlaceError> {
    let uid = rustix::process::geteuid().as_raw();
    match std::fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_dir() && meta.uid() == uid && meta.mode() & 0o077 == 0 => Ok(path),
        Ok(_) => Err(PlaceError::NotOurs { path, uid }),
        Err(cause) => Err(PlaceError::Directory { path, cause }),
    }
}

/// Holds off others who make or clean away sockets, until it is dropped.
fn lock(directory: &Path) -> io::Result<File> {
    let file = File::open(directory)?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// A bound control socket.
pub struct Bound {
    /// The sandbox's name.
    pub name: String,
    /// The socket's path.
    pub path: PathBuf,
    /// It, listening.
    pub listener: OwnedFd,
}

/// Binds the control socket of a sandbox; without a name one is made up.
pub fn bind(name: Option<&str>) -> Result<Bound, PlaceError> {
    let directory = prepared()?;
    let name = name.map_or_else(|| format!("{}", std::process::id()), ToOwned::to_owned);
    let path = directory.join(format!("{name}{SUFFIX}"));
    let fail = |cause| PlaceError::Socket {
        path: path.clone(),
        cause,
    };
    let _lock = lock(&directory).map_err(fail)?;
    let listener = match UnixListener::bind(&path) {
        Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => {
            if !is_stale(&path) {
                return Err(PlaceError::Taken(name));
            }
            std::fs::remove_file(&path).map_err(fail)?;
            UnixListener::bind(&path)
        }
        other => other,
    }
    .map_err(fail)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    Ok(Bound {
        name,
        path,
        listener: listener.into(),
    })
}

/// Whether nobody listens at a socket.
fn is_stale(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|cause| cause.kind() == io::ErrorKind::ConnectionRefused)
}

/// The sockets of running sandboxes by name, sorted; stale ones are removed.
pub fn running() -> Result<Vec<(String, PathBuf)>, PlaceError> {
    let path = directory();
    if !path.exists() {
        return Ok(Vec::new());
    }
    let path = checked(path)?;
    let fail = |cause| PlaceError::Directory {
        path: path.clone(),
        cause,
    };
    let _lock = lock(&path).map_err(fail)?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(fail)?.flatten() {
        let file = entry.file_name();
        let Some(name) = file.to_str().and_then(|file| file.strip_suffix(SUFFIX)) else {
            continue;
        };
        if is_stale(&entry.path()) {
            let _ = std::fs::remove_file(entry.path());
        } else {
            found.push((name.to_owned(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Where the socket of the sandbox with this name lies.
pub fn socket_of(name: &str) -> PathBuf {
    directory().join(format!("{name}{SUFFIX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "web-1", "A_b.c", &"x".repeat(64)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "-x",
            "a/b",
            "a b",
            "ä",
            "a\0",
            &"x".repeat(65),
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
