//! Who this is: thread and process identity.
#![allow(unsafe_code)] // calls into libc

use core::sync::atomic::{AtomicU64, Ordering};
use std::os::unix::fs::MetadataExt;

/// The calling thread's id: gettid(2).
pub(crate) fn thread_id() -> u32 {
    // SAFETY: gettid has no arguments and cannot fail.
    unsafe { libc::gettid() }.cast_unsigned()
}

/// Whether a thread of this process has that id: tgkill(2) with signal 0.
pub(crate) fn thread_exists(id: u32) -> bool {
    // SAFETY: signal 0 only asks.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), id.cast_signed(), 0) };
    result == 0
}

/// Whether any process has a thread of that id: kill(2) with signal 0, which takes thread ids too.
pub(crate) fn thread_exists_anywhere(id: u32) -> bool {
    // SAFETY: signal 0 only asks.
    let asked = unsafe { libc::kill(id.cast_signed(), 0) };
    asked == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// The process that a thread belongs to and its command name, see proc_pid_status(5); None if the
/// thread does not exist (any more).
pub(crate) fn describe_thread(id: u32) -> Option<(u32, String)> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let process = field("Tgid:")?.parse().ok()?;
    let command = std::fs::read_to_string(format!("/proc/{process}/comm")).ok();
    let command = command.as_deref().map(str::trim_end).or(field("Name:"))?;
    Some((process, command.to_owned()))
}

static PID_NAMESPACE: AtomicU64 = AtomicU64::new(0);

/// The inode of this process's PID namespace, see pid_namespaces(7); 0 if /proc does not tell.
pub(crate) fn pid_namespace() -> u64 {
    let known = PID_NAMESPACE.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let found = std::fs::metadata("/proc/self/ns/pid").map_or(0, |meta| meta.ino());
    PID_NAMESPACE.store(found, Ordering::Relaxed);
    found
}

/// In a forked child, which may live in a new namespace.
pub(crate) fn forget_pid_namespace() {
    PID_NAMESPACE.store(0, Ordering::Relaxed);
}
