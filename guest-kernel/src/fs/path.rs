//! From a path to a place: path_resolution(7).
//!
//! A [`Walker`] stands at an inode and has a rest of the path before it. [`Walker::walk_to_parent`] goes as far as the directory of the
//! last component, [`Walker::finish`] to the end.

use super::{Inode, Location, access, context, mount, same_inode};
use crate::{Errno, sched, task::Credentials};
use alloc::{borrow::Cow, sync::Arc, vec::Vec};
use core::ops::Range;
use linux_raw_sys::general::{
    AT_FDCWD, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, RESOLVE_BENEATH, RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};

/// Longest file name.
pub const NAME_MAX: usize = 255;
/// Longest path with its NUL.
pub const PATH_MAX: usize = 4096;
/// Most symlinks that one walk follows.
const MAX_LINKS: u32 = 40;

/// How a path's last component is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Follow a final symlink.
    Yes,
    /// Do not (`O_NOFOLLOW`, lstat).
    No,
}

/// The last component of a path, which [`Walker::walk_to_parent`] leaves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Last {
    /// A name, as a range of the walker's text.
    Name(Range<usize>),
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// There is none: the path is `/`.
    Root,
}

/// A walk along a path.
pub struct Walker<'p> {
    cred: Arc<Credentials>,
    root: Location,
    mounts: mount::Mounts,
    /// Where it stands.
    inode: Arc<dyn Inode>,
    path: Vec<u8>,
    /// The text being walked, and how far it was.
    text: Cow<'p, [u8]>,
    at: usize,
    links: u32,
    resolve: u32,
    /// The walk started at its root. (Linux looks the root up late: RESOLVE_NO_XDEV takes an absolute symlink on a relative path for a way to
    /// another mount.)
    from_root: bool,
    /// Whether the text ends in slashes after its last component.
    trailing: bool,
}

impl<'p> Walker<'p> {
    /// A walk of the running task. Relative paths start at `dirfd`. Empty path: `ENOENT`.
    pub fn new(dirfd: i32, path: &'p [u8]) -> Result<Walker<'p>, Errno> {
        Walker::restricted(dirfd, path, 0)
    }

    /// As [`Walker::new`], with openat2(2)'s RESOLVE_* flags.
    pub fn restricted(dirfd: i32, path: &'p [u8], resolve: u32) -> Result<Walker<'p>, Errno> {
        let absolute = match path.first() {
            None => return Err(Errno::ENOENT),
            Some(byte) => *byte == b'/',
        };
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let task = sched::current();
        let fs = task.fs.lock().clone();
        let mut root = fs.root.lock().clone();
        if absolute && resolve & RESOLVE_BENEATH != 0 {
            return Err(Errno::EXDEV);
        }
        let scoped = resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT) != 0;
        let start = if absolute && !scoped {
            root.clone()
        } else if dirfd == AT_FDCWD {
            fs.cwd.lock().clone()
        } else {
            let file = task.files()?.get(dirfd)?;
            file.location.clone().ok_or(Errno::ENOTDIR)?
        };
        if scoped {
            root = start.clone();
        }
        let cred = task.credentials();
        let mut walker = Self::at_place(cred, root, start, path, resolve);
        walker.from_root = absolute || scoped;
        Ok(walker)
    }

    /// A walk by the kernel itself, from the root of everything, with all rights.
    pub fn kernel(path: &'p [u8]) -> Result<Walker<'p>, Errno> {
        let root = mount::root_location();
        let cred = Arc::new(Credentials {
            cap_effective: 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH,
            ..Credentials::default()
        });
        Ok(Self::at_place(cred, root.clone(), root, path, 0))
    }

    fn at_place(
        cred: Arc<Credentials>,
        root: Location,
        start: Location,
        text: &'p [u8],
        resolve: u32,
    ) -> Walker<'p> {
        let mut path = Vec::with_capacity(start.path.len() + text.len() + 1);
        path.extend_from_slice(&start.path);
        Walker {
            cred,
            root,
            mounts: mount::list(),
            inode: start.inode,
            path,
            text: Cow::Borrowed(text),
            at: 0,
            links: 0,
            resolve,
            from_root: false,
            trailing: false,
        }
    }

    /// The same walk with other credentials (access(2)).
    pub fn with_credentials(mut self, cred: Arc<Credentials>) -> Self {
        self.cred = cred;
        self
    }

    /// The directory it stands in.
    pub fn inode(&self) -> &Arc<dyn Inode> {
        &self.inode
    }

    /// The credentials it walks with.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.cred
    }

    /// The text of a [`Last::Name`].
    pub fn name(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// Whether slashes follow the last component.
    pub fn trailing_slash(&self) -> bool {
        self.trailing
    }

    /// The place it stands at.
    pub fn location(self) -> Location {
        Location {
            inode: self.inode,
            path: Arc::from(self.path),
        }
    }

    /// The place it stands at, to go on from there afterwards.
    pub fn here(&self) -> Location {
        Location {
            inode: self.inode.clone(),
            path: Arc::from(&self.path[..]),
        }
    }

    /// The place that the child `name`, just found or made, has.
    pub fn child_location(&self, inode: Arc<dyn Inode>, name: &[u8]) -> Location {
        let mut path = self.path.clone();
        push_name(&mut path, name);
        Location {
            inode,
            path: Arc::from(path),
        }
    }

    /// Goes to the directory that holds the last component, and says what that is.
    pub fn walk_to_parent(&mut self) -> Result<Last, Errno> {
        loop {
            let Some((range, is_last)) = self.next_component() else {
                return Ok(Last::Root);
            };
            self.check_search()?;
            let last = match &self.text[range.clone()] {
                b"." => Last::Dot,
                b".." => Last::DotDot,
                _ => Last::Name(range.clone()),
            };
            if is_last {
                return Ok(last);
            }
            match last {
                Last::DotDot => self.up()?,
                Last::Name(_) => {
                    let child = self.lookup(&range)?;
                    let own = child.ownership()?;
                    if own.is_symlink() {
                        self.follow(child)?;
                    } else if own.is_dir() {
                        self.enter(child, &range)?;
                    } else {
                        return Err(Errno::ENOTDIR);
                    }
                }
                Last::Dot | Last::Root => {}
            }
        }
    }

    /// Goes to the end. A final symlink is followed if `follow` or if a slash comes after it.
    pub fn finish(mut self, follow: bool) -> Result<Location, Errno> {
        loop {
            match self.walk_to_parent()? {
                Last::Root | Last::Dot => return Ok(self.location()),
                Last::DotDot => {
                    self.up()?;
                    return Ok(self.location());
                }
                Last::Name(range) => {
                    let child = self.lookup(&range)?;
                    let must_follow = follow || self.trailing;
                    let own = child.ownership()?;
                    if own.is_symlink() && must_follow {
                        if self.follow(child)? {
                            return self.at_magic_end();
                        }
                        continue;
                    }
                    if self.trailing && !own.is_dir() {
                        return Err(Errno::ENOTDIR);
                    }
                    self.enter(child, &range)?;
                    return Ok(self.location());
                }
            }
        }
    }

    /// After a magic link: the rest of the path, if any, must be walked from where it led.
    fn at_magic_end(self) -> Result<Location, Errno> {
        if self.trailing && !self.inode.ownership()?.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        Ok(self.location())
    }

    /// The child that `range` names, with what is mounted on it.
    pub fn lookup(&self, range: &Range<usize>) -> Result<Arc<dyn Inode>, Errno> {
        let name = self.name(range);
        if name.len() > NAME_MAX {
            // A removed directory holds nothing, however long its name.
            let removed = self.inode.metadata()?.nlink == 0;
            return Err(if removed {
                Errno::ENOENT
            } else {
                Errno::ENAMETOOLONG
            });
        }
        self.inode.lookup(name)
    }

    /// Makes a child that [`Walker::lookup`] found the place it stands at, going through mounts.
    pub fn enter(&mut self, child: Arc<dyn Inode>, range: &Range<usize>) -> Result<(), Errno> {
        let name = self.text.get(range.clone()).unwrap_or_default();
        push_name(&mut self.path, name);
        self.inode = child;
        if let Some(mount) = mount::covering(&self.mounts, &self.inode, &self.path) {
            if self.resolve & RESOLVE_NO_XDEV != 0 {
                return Err(Errno::EXDEV);
            }
            self.inode = mount.root.clone();
        }
        Ok(())
    }

    /// Follows a symlink that lies in the directory it stands in: its target comes before the rest of the text. True: it was a magic link as the last
    /// component, and the walk stands at its end.
    pub fn follow(&mut self, link: Arc<dyn Inode>) -> Result<bool, Errno> {
        if self.resolve & RESOLVE_NO_SYMLINKS != 0 {
            return Err(Errno::ELOOP);
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        if let Some(place) = link.follow() {
            if self.resolve & RESOLVE_NO_MAGICLINKS != 0 {
                return Err(Errno::ELOOP);
            }
            if self.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_NO_XDEV) != 0 {
                return Err(Errno::EXDEV);
            }
            self.inode = place.inode;
            self.path.clear();
            self.path.extend_from_slice(&place.path);
            return Ok(self.text[self.at..].iter().all(|b| *b == b'/'));
        }
        let mut text = link.read_link()?;
        if text.is_empty() {
            return Err(Errno::ENOENT);
        }
        if text.first() == Some(&b'/') {
            let mount_of = |path| mount::of_path(path).map(|m| m.id);
            let leaves_mount = self.resolve & RESOLVE_NO_XDEV != 0
                && (!self.from_root || mount_of(&self.path) != mount_of(&self.root.path));
            if self.resolve & RESOLVE_BENEATH != 0 || leaves_mount {
                return Err(Errno::EXDEV);
            }
            self.from_root = true;
            self.inode = self.root.inode.clone();
            self.path.clear();
            self.path.extend_from_slice(&self.root.path);
        }
        let rest = &self.text[self.at..];
        if !rest.is_empty() {
            text.push(b'/');
            text.extend_from_slice(rest);
        }
        self.text = Cow::Owned(text);
        self.at = 0;
        Ok(false)
    }

    /// Goes to the parent directory; at the root it stays.
    pub fn up(&mut self) -> Result<(), Errno> {
        let mut count = self.mounts.len();
        loop {
            if same_inode(&self.inode, &self.root.inode) && *self.path == *self.root.path {
                if self.resolve & RESOLVE_BENEATH != 0 {
                    return Err(Errno::EXDEV);
                }
                return Ok(());
            }
            let Some((number, mount)) =
                mount::rooted_at(&self.mounts, count, &self.inode, &self.path)
            else {
                break;
            };
            count = number;
            if self.resolve & RESOLVE_NO_XDEV != 0 {
                return Err(Errno::EXDEV);
            }
            self.inode = mount.point.inode.clone();
        }
        let cut = self.path.iter().rposition(|b| *b == b'/').unwrap_or(0);
        self.path.truncate(cut.max(1));
        if let Some((parent, _)) = self.inode.place() {
            self.inode = parent;
        } else if !same_inode(&self.inode, &mount::root_location().inode) {
            // The file system doesn't know: the path does.
            self.inode = Walker::kernel(&self.path)?.finish(true)?.inode;
        }
        Ok(())
    }

    /// The next component as a range of the text, and whether it is the last.
    fn next_component(&mut self) -> Option<(Range<usize>, bool)> {
        let text = &self.text[..];
        let skip = |from: usize| {
            let rest = text.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|b| **b == b'/').count()
        };
        let start = skip(self.at);
        let rest = text.get(start..).unwrap_or_default();
        if rest.is_empty() {
            self.at = start;
            return None;
        }
        let len = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
        let end = start + len;
        let after = skip(end);
        let is_last = after == text.len();
        self.trailing = is_last && after > end;
        self.at = if is_last { end } else { after };
        Some((start..end, is_last))
    }

    /// Search permission in the directory it stands in; `ENOTDIR`, `EACCES`.
    fn check_search(&self) -> Result<(), Errno> {
        let own = self.inode.ownership()?;
        if !own.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        access::check(&own, &self.cred, access::EXEC)
    }
}

/// Appends a component to an absolute path.
fn push_name(path: &mut Vec<u8>, name: &[u8]) {
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// Resolves `path` relative to `dirfd` (AT_FDCWD: the working directory) for the current task, checking search permission. Empty path: `ENOENT`.
pub fn resolve(dirfd: i32, path: &[u8], follow: Follow) -> Result<Location, Errno> {
    Walker::new(dirfd, path)?.finish(follow == Follow::Yes)
}

/// The directory at `dirfd`, or the working directory.
pub fn start_of(dirfd: i32) -> Result<Location, Errno> {
    if dirfd == AT_FDCWD {
        return Ok(context::current_fs().cwd.lock().clone());
    }
    let file = super::current_files()?.get(dirfd)?;
    file.location.clone().ok_or(Errno::ENOTDIR)
}

/// The path of a directory as it is now, renames of its ancestors included, in the whole sandbox; `None` once it was removed.
pub fn current_path(place: &Location) -> Option<Vec<u8>> {
    let mounts = mount::list();
    let mut names: Vec<Arc<[u8]>> = Vec::new();
    let mut inode = place.inode.clone();
    let mut path: Vec<u8> = place.path.to_vec();
    let mut count = mounts.len();
    loop {
        if let Some((number, mount)) = mount::rooted_at(&mounts, count, &inode, &path) {
            count = number;
            inode = mount.point.inode.clone();
            continue;
        }
        let Some((parent, name)) = inode.place() else {
            break;
        };
        if inode.metadata().is_ok_and(|meta| meta.nlink == 0) {
            return None;
        }
        names.push(name);
        inode = parent;
        // Mount points are known by path: keep the text in step.
        let cut = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
        path.truncate(cut.max(1));
    }
    let mut text = if same_inode(&inode, &mount::root_location().inode) {
        b"/".to_vec()
    } else if inode.as_any().is::<super::node::Node>() {
        return None;
    } else {
        path
    };
    for name in names.iter().rev() {
        push_name(&mut text, name);
    }
    Some(text)
}
