//! A folder of a test's own, gone at the end.

use std::{
    ffi::OsStr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// The folder.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty one that everybody may read.
    pub fn new() -> Result<Scratch, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("vitrine-test-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Scratch(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file with this mode; its path.
    pub fn file(
        &self,
        name: &str,
        contents: impl AsRef<[u8]>,
        mode: u32,
    ) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        let fail = |error: std::io::Error| format!("{}: {error}", path.display());
        std::fs::write(&path, contents).map_err(fail)?;
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, mode).map_err(fail)?;
        Ok(path)
    }
}

impl AsRef<OsStr> for Scratch {
    fn as_ref(&self) -> &OsStr {
        self.0.as_os_str()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
