//! Text under construction, and open text files.

use super::super::{Description, File, FileOps, Inode, Metadata, Sink, Source};
use crate::{Errno, SysResult, sync::Mutex};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{any::Any, fmt};
use linux_raw_sys::general::*;

/// Most bytes that one write to a text file hands over, as Linux limits it.
const MAX_STORE: usize = 4096;

/// Text under construction; `write!` works on it. It may become long: what there is no memory for is left out, and then
/// the text can't be had ([`Text::into_bytes`]).
#[derive(Default)]
pub struct Text {
    bytes: Vec<u8>,
    cut: bool,
}

impl Text {
    /// Nothing yet.
    pub fn new() -> Text {
        Text::default()
    }

    /// Adds bytes that need not be UTF-8.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Text {
        self.cut = self.cut || self.bytes.try_reserve(bytes.len()).is_err();
        if !self.cut {
            self.bytes.extend_from_slice(bytes);
        }
        self
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The finished text; `ENOMEM` if something was left out.
    pub fn into_bytes(self) -> Result<Vec<u8>, Errno> {
        if self.cut {
            Err(Errno::ENOMEM)
        } else {
            Ok(self.bytes)
        }
    }

    /// Adds a path, with the characters of `escape` (and backslashes) in octal.
    pub fn escaped(&mut self, bytes: &[u8], escape: &[u8]) -> &mut Text {
        for &byte in bytes {
            if escape.contains(&byte) {
                self.put(format_args!("\\{byte:03o}"));
            } else {
                self.bytes(&[byte]);
            }
        }
        self
    }

    /// Adds formatted text.
    pub fn put(&mut self, args: fmt::Arguments<'_>) -> &mut Text {
        // What can't be added is remembered.
        let _ = fmt::Write::write_fmt(self, args);
        self
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::from(Vec::from(text.as_bytes()))
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Text {
        Text { bytes, cut: false }
    }
}

/// `text!("format", args…)`: a [`Text`] of that.
macro_rules! text {
    ($($arg:tt)*) => {{
        let mut text = $crate::fs::pseudo::Text::new();
        text.put(format_args!($($arg)*));
        text
    }};
}
pub(crate) use text;

type BoxedShow = Box<dyn Fn() -> Result<Text, Errno> + Send + Sync>;
type BoxedStore = Box<dyn Fn(&[u8]) -> Result<(), Errno> + Send + Sync>;

/// An open text file. The text is made anew by each read at offset 0 (as monitors rely on, which rewind), and stays the same from there on.
pub struct TextFile {
    inode: Arc<dyn Inode>,
    show: BoxedShow,
    store: Option<BoxedStore>,
    text: Mutex<Option<Arc<Vec<u8>>>>,
}

impl TextFile {
    /// A read-only open file of `inode` with text made by `show`.
    pub fn new(
        inode: Arc<dyn Inode>,
        show: impl Fn() -> Result<Text, Errno> + Send + Sync + 'static,
    ) -> TextFile {
        TextFile {
            inode,
            show: Box::new(show),
            store: None,
            text: Mutex::new(None),
        }
    }

    /// Hands what is written to it to `store`.
    pub fn storing(
        self,
        store: impl Fn(&[u8]) -> Result<(), Errno> + Send + Sync + 'static,
    ) -> TextFile {
        TextFile {
            store: Some(Box::new(store)),
            ..self
        }
    }

    fn text(&self, offset: u64) -> Result<Arc<Vec<u8>>, Errno> {
        if offset > 0
            && let Some(text) = self.text.lock().clone()
        {
            return Ok(text);
        }
        let text = Arc::new((self.show)()?.into_bytes()?);
        *self.text.lock() = Some(text.clone());
        Ok(text)
    }
}

impl FileOps for TextFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    // The position is not held while the text is made: that of /proc/self/fdinfo/N may be asked for the same file.
    fn read(&self, file: &File, out: &mut dyn Sink) -> SysResult {
        let position = *file.position.lock();
        let n = self.read_at(file, position, out)?;
        *file.position.lock() = position.saturating_add(n as u64);
        Ok(n)
    }

    fn write(&self, file: &File, src: &mut dyn Source) -> SysResult {
        let n = self.write_at(file, 0, src)?;
        let mut position = file.position.lock();
        *position = position.saturating_add(n as u64);
        Ok(n)
    }

    fn read_at(&self, _file: &File, offset: u64, out: &mut dyn Sink) -> SysResult {
        let text = self.text(offset)?;
        match usize::try_from(offset).ok().and_then(|at| text.get(at..)) {
            Some([]) | None => Ok(0),
            Some(rest) => out.put(&rest[..rest.len().min(out.room())]),
        }
    }

    fn write_at(&self, _file: &File, _offset: u64, src: &mut dyn Source) -> SysResult {
        let store = self.store.as_ref().ok_or(Errno::EIO)?;
        let mut data = alloc::vec![0; src.left().min(MAX_STORE)];
        let n = src.take(&mut data)?;
        store(&data[..n])?;
        Ok(n)
    }

    fn seek(&self, file: &File, offset: i64, whence: u32) -> SysResult {
        let mut position = file.position.lock();
        seek_position(&mut position, None, offset, whence)
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        self.inode.metadata()
    }

    fn describe(&self, file: &File) -> Description {
        describe("file", file, b"?")
    }
}

/// lseek(2) on a position; `end` is the size, for files that have one.
fn seek_position(position: &mut u64, end: Option<u64>, offset: i64, whence: u32) -> SysResult {
    let base = match whence {
        SEEK_SET => 0,
        SEEK_CUR => i64::try_from(*position).map_err(|_| Errno::EOVERFLOW)?,
        SEEK_END => end
            .and_then(|end| i64::try_from(end).ok())
            .ok_or(Errno::EINVAL)?,
        _ => return Err(Errno::EINVAL),
    };
    let target = base.checked_add(offset).filter(|t| *t >= 0);
    let target = target.ok_or(Errno::EINVAL)?;
    *position = target.unsigned_abs();
    usize::try_from(target).map_err(|_| Errno::EINVAL)
}

/// Kind, and the path that a file was opened by (`fallback` if it has none).
pub fn describe(kind: &'static str, file: &File, fallback: &[u8]) -> Description {
    Description {
        kind,
        text: match &file.location {
            Some(location) => location.path.clone(),
            None => Arc::from(fallback),
        },
    }
}

/// The number written to a file, as kstrtoint reads it: decimal, with a sign, surrounding white space and a trailing newline ignored.
pub fn parse_number(data: &[u8]) -> Result<i64, Errno> {
    core::str::from_utf8(data)
        .ok()
        .and_then(|text| {
            text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0')
                .parse()
                .ok()
        })
        .ok_or(Errno::EINVAL)
}
