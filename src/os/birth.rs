//! What a process does about itself when it has just been started: prctl(2), signal(2), getauxval(3).
#![allow(unsafe_code)] // calls into libc

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::error::OsError;

/// What the loader runs before `main`, as glibc calls it.
pub(crate) type Constructor =
    extern "C" fn(libc::c_int, *const *const libc::c_char, *const *const libc::c_char);

/// Runs the constructors of the same object that come after this one.
///
/// # Safety
///
/// `this` is in the executable's section `.init_array`, and being run by the loader, with these
/// arguments. They are not run a second time: the caller does not return to the loader.
pub(crate) unsafe fn run_later_constructors(
    this: &'static Constructor,
    arguments: libc::c_int,
    values: *const *const libc::c_char,
    environment: *const *const libc::c_char,
) {
    unsafe extern "C" {
        // The linker's: one past the section's last entry.
        static __init_array_end: usize;
    }
    let end = (&raw const __init_array_end).addr();
    let mut next = core::ptr::from_ref(this).cast::<usize>();
    loop {
        next = next.wrapping_add(1);
        if next.addr() >= end {
            return;
        }
        // SAFETY: within the section, which is an array of addresses.
        let address = unsafe { next.read() };
        // As the loader does not, but linkers' paddings may make necessary.
        if address != 0 && address != usize::MAX {
            // SAFETY: an entry of the section is such a function.
            let constructor: Constructor = unsafe { core::mem::transmute(address) };
            constructor(arguments, values, environment);
        }
    }
}

/// Whether this program has rights that its caller lacks, who must not tell it what to run.
pub(crate) fn is_privileged() -> bool {
    // SAFETY: no pointers are involved.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Takes a variable away, so that this process's own children do not get it.
///
/// # Safety
///
/// No other thread uses the environment other than through `std`.
pub(crate) unsafe fn forget_variable(name: &str) {
    // SAFETY: the caller's contract.
    unsafe { std::env::remove_var(name) };
}

/// Takes standard input as a descriptor of its own.
pub(crate) fn take_stdin() -> Result<OwnedFd, OsError> {
    const AFTER_STANDARD_ERROR: i32 = 3;
    // SAFETY: no pointers are involved.
    let number = unsafe { libc::fcntl(0, libc::F_DUPFD_CLOEXEC, AFTER_STANDARD_ERROR) };
    if number == -1 {
        return Err(OsError::last("fcntl(F_DUPFD_CLOEXEC)"));
    }
    // SAFETY: a new descriptor, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Makes something else standard input: dup2(2).
pub(crate) fn put_stdin(input: BorrowedFd<'_>) -> Result<(), OsError> {
    // SAFETY: number 0 is standard input's, whatever file that is.
    let result = unsafe { libc::dup2(input.as_raw_fd(), 0) };
    if result == -1 { Err(OsError::last("dup2")) } else { Ok(()) }
}

/// This process is killed when the thread ends that started it: PR_SET_PDEATHSIG.
pub(crate) fn die_with_parent() -> Result<(), OsError> {
    // SAFETY: no pointers are involved.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    if result == -1 { Err(OsError::last("prctl(PR_SET_PDEATHSIG)")) } else { Ok(()) }
}

/// What ps(1) and top(1) call the calling thread; the kernel takes 15 bytes: PR_SET_NAME.
pub(crate) fn name_thread(name: &str) {
    let name = CString::new(name.replace('\0', "")).unwrap_or_default();
    // SAFETY: a string that ends with zero, of which the kernel copies the start.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Writing to a pipe that nobody reads is an error, as in every Rust program.
pub(crate) fn ignore_broken_pipes() {
    // SAFETY: sets a disposition, no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}
