//! The file system of the nested test machine: an initramfs with busybox, our binaries, and what they need.

use crate::run::{check, command, output};
use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Stdio,
};

/// Where the image is put together.
pub struct Image {
    root: PathBuf,
    libraries: BTreeSet<PathBuf>,
}

impl Image {
    /// An empty image at `root`, which is emptied.
    pub fn new(root: PathBuf) -> Result<Image> {
        if root.exists() {
            fs::remove_dir_all(&root).with_context(|| format!("emptying {}", root.display()))?;
        }
        for folder in [
            "usr/bin",
            "usr/sbin",
            "usr/lib",
            "usr/lib64",
            "usr/share",
            "dev",
            "proc",
            "sys",
            "tmp",
            "etc",
            "root",
            "modules",
            "run",
        ] {
            fs::create_dir_all(root.join(folder))
                .with_context(|| format!("making {folder} in {}", root.display()))?;
        }
        // As Debian has them.
        for folder in ["bin", "sbin", "lib", "lib64"] {
            symlink(format!("usr/{folder}"), root.join(folder))
                .with_context(|| format!("linking {folder} in {}", root.display()))?;
        }
        Ok(Image {
            root,
            libraries: BTreeSet::new(),
        })
    }

    /// Copies a file to `to` (a path in the image).
    pub fn file(&mut self, from: &Path, to: &str) -> Result<()> {
        let place = self.root.join(to.trim_start_matches('/'));
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(from, &place)
            .with_context(|| format!("copying {} to the image", from.display()))?;
        Ok(())
    }

    /// Copies a program and the shared libraries that it needs.
    pub fn program(&mut self, from: &Path, to: &str) -> Result<()> {
        self.file(from, to)?;
        self.libraries_of(from)
    }

    /// Copies the shared libraries that a program or a library needs.
    pub fn libraries_of(&mut self, from: &Path) -> Result<()> {
        // ldd fails for static programs, which need nothing.
        let listing = command("ldd", &[])
            .arg(from)
            .stderr(Stdio::null())
            .output()?;
        for word in String::from_utf8_lossy(&listing.stdout)
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
        {
            self.libraries.insert(PathBuf::from(word));
        }
        Ok(())
    }

    /// Copies a folder with everything in it, to the same place.
    pub fn tree(&mut self, from: &Path) -> Result<()> {
        let place = self.root.join(from.strip_prefix("/").unwrap_or(from));
        fs::create_dir_all(&place)?;
        check(
            command("cp", &["-a", "--no-target-directory"])
                .arg(from)
                .arg(place),
        )
    }

    /// Writes a script.
    pub fn script(&mut self, to: &str, text: &str) -> Result<()> {
        let place = self.root.join(to.trim_start_matches('/'));
        fs::write(&place, text)?;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// Makes a symlink.
    pub fn link(&mut self, target: &str, at: &str) -> Result<()> {
        symlink(target, self.root.join(at.trim_start_matches('/')))
            .with_context(|| format!("linking {at}"))
    }

    /// Packs all of it.
    pub fn pack(mut self, to: &Path) -> Result<()> {
        for library in std::mem::take(&mut self.libraries) {
            self.file(&library, &library.to_string_lossy())?;
        }
        let names = output(command("find", &[".", "-mindepth", "1"]).current_dir(&self.root))?;
        let mut cpio = command("cpio", &["-o", "-H", "newc", "--quiet"])
            .current_dir(&self.root)
            .stdin(Stdio::piped())
            .stdout(fs::File::create(to)?)
            .spawn()
            .context("starting cpio")?;
        cpio.stdin
            .take()
            .context("cpio has no input")?
            .write_all(names.as_bytes())?;
        if !cpio.wait()?.success() {
            bail!("cpio could not pack {}", self.root.display());
        }
        Ok(())
    }
}
