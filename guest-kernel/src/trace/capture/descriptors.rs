//! What descriptors refer to: single ones, those of sets and of poll(2).

use super::{MAX_DESCRIBED, MAX_ELEMENTS, PATH_MAX};
use crate::{fs::File, mm::user, task::Task};
use core::sync::atomic::Ordering;
use vitrine_abi::event::{FdBody, Record, tag};
use zerocopy::IntoBytes;

/// AT_FDCWD.
const AT_FDCWD: i32 = -100;

/// What a descriptor refers to; nothing for one that isn't open.
pub(super) fn descriptor(
    record: &mut Record,
    arg: u8,
    flags: u8,
    index: u8,
    value: u64,
    task: &Task,
) {
    let fd = value as i32;
    if fd == AT_FDCWD {
        let fs = task.fs.lock().clone();
        let path = fs.cwd.lock().path.clone();
        return fd_item(record, arg, flags, index, fd, 0, "dir", &path);
    }
    if fd < 0 {
        return;
    }
    let Some(files) = task.files.lock().clone() else {
        return;
    };
    if let Ok(file) = files.get(fd) {
        describe(record, arg, flags, index, fd, &file);
    }
}

pub(in crate::trace) fn describe(
    record: &mut Record,
    arg: u8,
    flags: u8,
    index: u8,
    fd: i32,
    file: &File,
) {
    let description = file.ops.describe(file);
    let open_flags = file.flags.load(Ordering::Relaxed);
    let (kind, text) = (description.kind, &description.text);
    fd_item(record, arg, flags, index, fd, open_flags, kind, text);
}

#[allow(clippy::too_many_arguments)]
pub(super) fn fd_item(
    record: &mut Record,
    arg: u8,
    flags: u8,
    index: u8,
    fd: i32,
    open_flags: u32,
    kind: &str,
    text: &[u8],
) {
    let text = &text[..text.len().min(PATH_MAX)];
    let body = FdBody {
        fd,
        flags: open_flags,
        kind_len: kind.len() as u16,
        text_len: text.len() as u16,
    };
    let item = record.begin_item(tag::FD, arg, index);
    record.extend(body.as_bytes());
    record.extend(kind.as_bytes());
    record.extend(text);
    record.end_item(item, flags);
}

/// What the descriptors of a poll refer to.
pub(super) fn poll_descriptors(record: &mut Record, arg: u8, addr: u64, count: u64, task: &Task) {
    for index in 0..count.min(MAX_ELEMENTS) {
        if let Ok(fd) = user::read::<i32>(addr.wrapping_add(index * 8)) {
            // AT_FDCWD is no descriptor here.
            descriptor(record, arg, 0, index as u8, fd.max(-1) as u64, task);
        }
    }
}

/// What the descriptors in an `fd_set` refer to.
pub(super) fn set_descriptors(record: &mut Record, arg: u8, addr: u64, bits: u64, task: &Task) {
    let mut described = 0;
    for index in 0..bits.min(1024).div_ceil(64) {
        let Ok(mut word) = user::read::<u64>(addr.wrapping_add(index * 8)) else {
            return;
        };
        while word != 0 && described < MAX_DESCRIBED {
            let fd = index * 64 + u64::from(word.trailing_zeros());
            word &= word - 1;
            if fd < bits {
                descriptor(record, arg, 0, described as u8, fd, task);
                described += 1;
            }
        }
    }
}
