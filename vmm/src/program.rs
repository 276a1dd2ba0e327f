//! Finds the program to run within the sandbox's root, as a shell would along PATH.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::host::Files;

/// Where a shell looks when PATH isn't set.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Parts of the tree that exist in the guest only: whether a program is there is for the guest to say.
const GUEST_ONLY: [&[u8]; 2] = [b"/proc/", b"/dev/"];

/// Why there is no program to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Unrunnable {
    /// Nothing of that name.
    NotFound,
    /// It is there, but can't be executed.
    NotExecutable(&'static str),
}

/// The path to execute for `command`, as a shell would hand it to execve(2). `cwd` is the program's working directory, `path` its PATH.
pub fn find(
    files: &Files,
    command: &OsStr,
    cwd: &[u8],
    path: Option<&[u8]>,
) -> Result<Vec<u8>, Unrunnable> {
    let command = command.as_bytes();
    if command.is_empty() {
        return Err(Unrunnable::NotFound);
    }
    if command.contains(&b'/') {
        check(files, &absolute(cwd, command))?;
        return Ok(command.to_vec());
    }
    let mut refused = None;
    for directory in path.unwrap_or(DEFAULT_PATH).split(|&byte| byte == b':') {
        let directory = if directory.is_empty() { cwd } else { directory };
        let mut program = absolute(cwd, directory);
        if !program.ends_with(b"/") {
            program.push(b'/');
        }
        program.extend_from_slice(command);
        match check(files, &program) {
            Ok(()) => return Ok(program),
            Err(Unrunnable::NotFound) => {}
            Err(other) => refused = refused.or(Some(other)),
        }
    }
    Err(refused.unwrap_or(Unrunnable::NotFound))
}

fn absolute(cwd: &[u8], path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") {
        return path.to_vec();
    }
    let mut whole = cwd.to_vec();
    if !whole.ends_with(b"/") {
        whole.push(b'/');
    }
    whole.extend_from_slice(path);
    whole
}

fn check(files: &Files, program: &[u8]) -> Result<(), Unrunnable> {
    if GUEST_ONLY.iter().any(|part| program.starts_with(part)) {
        return Ok(());
    }
    match files.look_at(program) {
        Ok((FileType::Directory, _)) => Err(Unrunnable::NotExecutable("it is a directory")),
        Ok((FileType::RegularFile, mode)) if mode & 0o111 == 0 => {
            Err(Unrunnable::NotExecutable("it has no execute permission"))
        }
        Ok((FileType::RegularFile, _)) => Ok(()),
        Ok(_) => Err(Unrunnable::NotExecutable("it is not a regular file")),
        Err(Errno::ACCESS) => Err(Unrunnable::NotExecutable(
            "a directory on the way is closed",
        )),
        Err(Errno::NOTDIR) => Err(Unrunnable::NotExecutable(
            "a part of its path is not a directory",
        )),
        Err(_) => Err(Unrunnable::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn find_in(root: &Path, command: &str, path: &str) -> Result<Vec<u8>, Unrunnable> {
        let files = Files::new(root, &[], 64).unwrap();
        find(&files, OsStr::new(command), b"/bin", Some(path.as_bytes()))
    }

    #[test]
    fn looks_along_path_within_the_root() {
        use std::os::unix::fs::PermissionsExt;
        let root = std::env::temp_dir().join(format!("vitrine-path-{}", std::process::id()));
        std::fs::create_dir_all(root.join("bin/dir")).unwrap();
        std::fs::create_dir_all(root.join("other")).unwrap();
        for (name, mode) in [
            ("bin/text", 0o644),
            ("other/tool", 0o755),
            ("other/text", 0o755),
        ] {
            std::fs::write(root.join(name), b"").unwrap();
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(root.join(name), mode).unwrap();
        }
        let found = |command: &str| find_in(&root, command, "/bin:/other");
        assert_eq!(found("tool"), Ok(b"/other/tool".to_vec()));
        assert_eq!(found("text"), Ok(b"/other/text".to_vec()));
        assert_eq!(found("../other/tool"), Ok(b"../other/tool".to_vec()));
        assert_eq!(found("missing"), Err(Unrunnable::NotFound));
        assert_eq!(found("/usr/bin/env"), Err(Unrunnable::NotFound));
        assert!(matches!(found("dir"), Err(Unrunnable::NotExecutable(_))));
        assert!(matches!(found("./text"), Err(Unrunnable::NotExecutable(_))));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
