//! The caller's terminal: raw mode while the sandbox runs, its size, and its restoration on every way out.

use std::os::fd::BorrowedFd;
use std::sync::Mutex;

use rustix::process::Pid;
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{
    OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp, tcgetwinsize,
    tcsetattr,
};
use vitrine_abi::boot::TerminalModes;

/// The modes that the terminal had before, while it is ours.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);

/// What of [`Termios`] raw mode changes.
fn flags(termios: &Termios) -> [u32; 4] {
    [
        termios.input_modes.bits(),
        termios.output_modes.bits(),
        termios.control_modes.bits(),
        termios.local_modes.bits(),
    ]
}

/// Raw mode. Where standard output goes elsewhere, somebody else may be writing to the terminal, a pipeline's end: its output processing
/// stays.
fn raw(before: &Termios) -> Termios {
    let mut raw = before.clone();
    raw.make_raw();
    if !isatty(stdout()) {
        raw.output_modes = before.output_modes;
    }
    raw
}

fn foreground_group() -> Option<Pid> {
    tcgetpgrp(stdin()).ok()
}

/// Whether standard input is our terminal and another job is in its foreground: reading from it would stop us.
pub fn in_background() -> bool {
    foreground_group().is_some_and(|group| group != rustix::process::getpgrp())
}

/// Puts the terminal on standard input into raw mode if it is one and this process is in its foreground: then every byte,
/// Ctrl-C among them, is for the guest's own line discipline. Does so again after a stop.
pub fn enter_raw_mode() {
    let terminal = stdin();
    let foreground = foreground_group() == Some(rustix::process::getpgrp());
    if !isatty(terminal) || !foreground {
        return;
    }
    let Ok(mut saved) = SAVED.lock() else { return };
    let Ok(before) = tcgetattr(terminal) else {
        return;
    };
    let raw = raw(saved.as_ref().unwrap_or(&before));
    if tcsetattr(terminal, OptionalActions::Now, &raw).is_ok() {
        if saved.is_none() {
            *saved = Some(before);
        }
        crate::log::set_raw_terminal(isatty(stdout()));
    }
}

/// Gives the terminal its modes back, unless somebody else has changed them since. Harmless when they never changed.
pub fn restore() {
    // A panic elsewhere must not keep the terminal from being restored.
    let mut saved = SAVED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(before) = saved.take() {
        let ours = tcgetattr(stdin()).is_ok_and(|now| flags(&now) == flags(&raw(&before)));
        if ours {
            let _ = tcsetattr(stdin(), OptionalActions::Drain, &before);
        }
        crate::log::set_raw_terminal(false);
    }
}

/// Restores the terminal before the message of a panic.
pub fn restore_on_panic() {
    let inner = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        restore();
        inner(info);
    }));
}

fn standard_descriptors() -> [BorrowedFd<'static>; 3] {
    [stdin(), stdout(), stderr()]
}

/// Rows, columns, and pixels of the first standard descriptor that is a terminal.
pub fn window_size() -> Option<[u16; 4]> {
    standard_descriptors().into_iter().find_map(|fd| {
        let size = tcgetwinsize(fd).ok()?;
        Some([size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel])
    })
}

/// The special characters in the order of the kernel's `c_cc`.
const CHARACTERS: [SpecialCodeIndex; 17] = [
    SpecialCodeIndex::VINTR,
    SpecialCodeIndex::VQUIT,
    SpecialCodeIndex::VERASE,
    SpecialCodeIndex::VKILL,
    SpecialCodeIndex::VEOF,
    SpecialCodeIndex::VTIME,
    SpecialCodeIndex::VMIN,
    SpecialCodeIndex::VSWTC,
    SpecialCodeIndex::VSTART,
    SpecialCodeIndex::VSTOP,
    SpecialCodeIndex::VSUSP,
    SpecialCodeIndex::VEOL,
    SpecialCodeIndex::VREPRINT,
    SpecialCodeIndex::VDISCARD,
    SpecialCodeIndex::VWERASE,
    SpecialCodeIndex::VLNEXT,
    SpecialCodeIndex::VEOL2,
];

/// Modes of the first standard descriptor that is a terminal, as they are now: ask before raw mode. `None` also in the background, where
/// they are another program's, such as those of a shell that edits its line.
pub fn modes() -> Option<TerminalModes> {
    if in_background() {
        return None;
    }
    standard_descriptors().into_iter().find_map(|fd| {
        let termios = tcgetattr(fd).ok()?;
        let mut modes = TerminalModes {
            input: termios.input_modes.bits(),
            output: termios.output_modes.bits(),
            control: termios.control_modes.bits(),
            local: termios.local_modes.bits(),
            ..TerminalModes::default()
        };
        for (place, index) in modes.characters.iter_mut().zip(CHARACTERS) {
            *place = termios.special_codes[index];
        }
        Some(modes)
    })
}
