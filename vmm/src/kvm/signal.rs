//! Ends this process as a signal ends a program.

/// Ends this process by `signal` with its default action. Returns only if that action isn't the end.
pub fn end_by(signal: i32) {
    // SAFETY: none of these takes memory that isn't ours: the set is initialised by sigemptyset before it is read.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed().assume_init();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
        libc::raise(signal);
    }
}
