//! Descriptors that become readable: poll(2), eventfd(2), pidfd_open(2).
#![allow(unsafe_code)] // calls into libc

use core::ptr;
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::error::OsError;

/// The error of a call that was given too much: `EINVAL`.
#[cfg(feature = "async")]
pub(crate) const TOO_MANY: i32 = libc::EINVAL;

/// Waits until one of the descriptors is readable, at end of file or in error, for at most `timeout`;
/// None is as long as it takes. Says of each whether it is; a signal ends the wait with none.
pub(crate) fn readable(
    descriptors: &[BorrowedFd<'_>],
    timeout: Option<Duration>,
) -> Result<Vec<bool>, OsError> {
    let ask =
        |fd: &BorrowedFd<'_>| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut asked: Vec<libc::pollfd> = descriptors.iter().map(ask).collect();
    let span = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos()),
    });
    let span = span.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: as many pollfds as it is told; `span` is null or a time that outlives the call.
    let result =
        unsafe { libc::ppoll(asked.as_mut_ptr(), asked.len() as libc::nfds_t, span, ptr::null()) };
    if result == -1 {
        let error = OsError::last("ppoll");
        return if error.errno() == libc::EINTR {
            Ok(vec![false; descriptors.len()])
        } else {
            Err(error)
        };
    }
    Ok(asked.iter().map(|asked| asked.revents != 0).collect())
}

/// A descriptor that is readable while it is raised.
#[derive(Debug)]
pub(crate) struct Flag(OwnedFd);

impl Flag {
    pub(crate) fn new() -> Result<Self, OsError> {
        // SAFETY: eventfd takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd == -1 {
            return Err(OsError::last("eventfd"));
        }
        // SAFETY: a new descriptor, which nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub(crate) fn raise(&self) {
        let one = 1_u64;
        // SAFETY: eight bytes that outlive the call. It fails only if the flag is raised already.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
    }

    pub(crate) fn lower(&self) {
        let mut count = 0_u64;
        // SAFETY: room for eight bytes. It fails only if the flag is not raised.
        unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
    }
}

impl AsFd for Flag {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A descriptor that is readable once a process has ended.
pub(crate) fn process(id: u32) -> Result<OwnedFd, OsError> {
    // SAFETY: pidfd_open takes no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, id.cast_signed(), 0) };
    let fd = i32::try_from(fd).unwrap_or(-1);
    if fd == -1 {
        return Err(OsError::last("pidfd_open").on(format!("process {id}")));
    }
    // SAFETY: a new descriptor, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a signal to the process of such a descriptor: pidfd_send_signal(2). False: it has ended, and its
/// status was fetched.
#[cfg(feature = "process")]
pub(crate) fn signal(process: BorrowedFd<'_>, signal: Signal) -> Result<bool, OsError> {
    let (fd, none) = (process.as_raw_fd(), ptr::null::<libc::siginfo_t>());
    // SAFETY: no details are passed.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal as i32, none, 0) };
    if result == 0 {
        return Ok(true);
    }
    let error = OsError::last("pidfd_send_signal");
    if error.errno() == libc::ESRCH { Ok(false) } else { Err(error) }
}

/// Those that end a process.
#[cfg(feature = "process")]
#[derive(Debug, Clone, Copy)]
#[repr(i32)]
pub(crate) enum Signal {
    Terminate = libc::SIGTERM,
    Kill = libc::SIGKILL,
}

/// Leaves the process's signals to its other threads. For threads that the library starts: they are
/// not to run the program's handlers.
pub(crate) fn block_signals() -> io::Result<()> {
    // SAFETY: a signal set is plain data, for which zero is valid.
    let mut all: libc::sigset_t = unsafe { core::mem::zeroed() };
    // SAFETY: `all` is a valid place for a set, and a valid set after it.
    let errno = unsafe {
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, ptr::null_mut())
    };
    if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
}
