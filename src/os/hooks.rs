//! Hooks around fork(2) and exit(3), as pthread_atfork(3) and atexit(3) run them.
#![allow(unsafe_code)] // calls into libc

use crate::error::OsError;

/// Runs `prepare` before a fork in the parent, `parent` after it there, `child` in the child.
pub(crate) fn at_fork(
    prepare: Option<unsafe extern "C" fn()>,
    parent: Option<unsafe extern "C" fn()>,
    child: Option<unsafe extern "C" fn()>,
) -> Result<(), OsError> {
    // SAFETY: the hooks are functions of this program and stay valid as long as it runs.
    match unsafe { libc::pthread_atfork(prepare, parent, child) } {
        0 => Ok(()),
        errno => Err(OsError::new("pthread_atfork", errno)),
    }
}

/// Runs `hook` when the process exits in an orderly way. Where there is no room for another hook,
/// it does not.
pub(crate) fn at_exit(hook: extern "C" fn()) {
    // SAFETY: the hook is a function of this program and stays valid as long as it runs.
    let _no_room = unsafe { libc::atexit(hook) };
}
