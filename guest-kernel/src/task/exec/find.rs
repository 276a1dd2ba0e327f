//! The file that execve names: resolved, and checked that it may be run.

use super::elf::Contents;
use crate::{
    Errno,
    fs::{self, Follow, Location, Metadata, mount, running::Running},
    mm::MemoryObject,
    sched,
    task::Credentials,
};
use alloc::{sync::Arc, vec::Vec};
use linux_raw_sys::general::*;

/// A file that may be executed.
pub struct Executable {
    /// Where it was found; `None`: it has no name (a memfd).
    pub location: Option<Running>,
    /// Its contents.
    pub contents: Contents,
    /// The name that execve was given, or `/dev/fd/N…` for a descriptor's.
    pub name: Vec<u8>,
    /// That name won't lead to it any more once close-on-exec has done its work: a script's interpreter could not open it.
    pub hidden_from_interpreter: bool,
    metadata: Metadata,
}

impl Executable {
    /// Last component of its name: the new `comm`.
    pub fn base_name(&self) -> &[u8] {
        self.name
            .rsplit(|byte| *byte == b'/')
            .next()
            .unwrap_or_default()
    }

    /// Owner and group that it is to run with (set-user-ID and set-group-ID bits).
    pub fn set_ids(&self) -> (Option<u32>, Option<u32>) {
        let location = self.location.as_deref();
        if location.is_some_and(|place| mount::has_flag(place, MS_NOSUID)) {
            return (None, None);
        }
        let mode = self.metadata.mode;
        let set_uid = mode & S_ISUID != 0;
        // Without group execute permission the bit once meant mandatory locking.
        let set_gid = mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
        (
            set_uid.then_some(self.metadata.uid),
            set_gid.then_some(self.metadata.gid),
        )
    }

    fn new(
        location: Option<Location>,
        object: Result<Arc<dyn MemoryObject>, Errno>,
        metadata: Metadata,
        name: Vec<u8>,
    ) -> Result<Executable, Errno> {
        let regular = metadata.mode & S_IFMT == S_IFREG;
        if !regular || !may_execute(&sched::current().credentials(), &metadata) {
            return Err(Errno::EACCES);
        }
        Ok(Executable {
            location: location.map(Running::new).transpose()?,
            contents: Contents {
                object: object.map_err(|_| Errno::EACCES)?,
                size: metadata.size,
            },
            name,
            hidden_from_interpreter: false,
            metadata,
        })
    }
}

/// Execute permission; the privileged need one execute bit, whoever's.
fn may_execute(credentials: &Credentials, metadata: &Metadata) -> bool {
    let mode = metadata.mode;
    let own = if credentials.fsuid == metadata.uid {
        S_IXUSR
    } else if credentials.fsgid == metadata.gid || credentials.groups.contains(&metadata.gid) {
        S_IXGRP
    } else {
        S_IXOTH
    };
    let any = S_IXUSR | S_IXGRP | S_IXOTH;
    mode & own != 0 || mode & any != 0 && credentials.capable(CAP_DAC_OVERRIDE)
}

fn at(location: Location, name: Vec<u8>) -> Result<Executable, Errno> {
    if mount::has_flag(&location, MS_NOEXEC) {
        return Err(Errno::EACCES);
    }
    let metadata = location.inode.metadata()?;
    let object = location.inode.object().ok_or(Errno::EACCES);
    Executable::new(Some(location), object, metadata, name)
}

/// The program at a path, relative to the working directory: an interpreter.
pub fn program(path: &[u8]) -> Result<Executable, Errno> {
    at(fs::resolve(AT_FDCWD, path, Follow::Yes)?, path.to_vec())
}

/// The file that execveat(2) names.
pub fn find(dirfd: i32, path: &[u8], flags: u32) -> Result<Executable, Errno> {
    if flags & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    if path.is_empty() && flags & AT_EMPTY_PATH != 0 && dirfd != AT_FDCWD {
        return by_descriptor(dirfd);
    }
    let follow = if flags & AT_SYMLINK_NOFOLLOW != 0 {
        Follow::No
    } else {
        Follow::Yes
    };
    let location = fs::resolve(dirfd, path, follow)?;
    if follow == Follow::No && location.inode.metadata()?.mode & S_IFMT == S_IFLNK {
        return Err(Errno::ELOOP);
    }
    let by_path = dirfd == AT_FDCWD || path.starts_with(b"/");
    let name = if by_path {
        path.to_vec()
    } else {
        let mut name = descriptor_name(dirfd);
        name.push(b'/');
        name.extend_from_slice(path);
        name
    };
    let mut file = at(location, name)?;
    file.hidden_from_interpreter = !by_path && closes_on_exec(dirfd);
    Ok(file)
}

fn by_descriptor(fd: i32) -> Result<Executable, Errno> {
    let file = sched::current().files()?.get(fd)?;
    let name = descriptor_name(fd);
    let metadata = file.ops.metadata()?;
    // A descriptor opened with O_PATH has no contents of its own.
    let object = match &file.location {
        Some(location) => location.inode.object().ok_or(Errno::EACCES),
        None => file.ops.object(),
    };
    let mut found = Executable::new(file.location.clone(), object, metadata, name)?;
    found.hidden_from_interpreter = closes_on_exec(fd);
    Ok(found)
}

fn descriptor_name(fd: i32) -> Vec<u8> {
    alloc::format!("/dev/fd/{fd}").into_bytes()
}

fn closes_on_exec(fd: i32) -> bool {
    let files = sched::current().files();
    files.is_ok_and(|files| {
        files
            .list()
            .iter()
            .any(|(number, cloexec, _)| *number == fd && *cloexec)
    })
}
