//! Files in memory: how they are made, named, locked and given back.
//!
//! Every function is one call of the manual page that it names.
#![allow(unsafe_code)] // calls into libc by descriptors' numbers

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, FallocateFlags, FcntlArg, OFlag, SealFlag};
use nix::sys::memfd::{self, MFdFlags};
use nix::sys::stat::{self, Mode};
use nix::unistd;

use crate::error::OsError;

/// Where POSIX shared memory lives, see shm_overview(7).
pub(crate) const DIRECTORY: &str = "/dev/shm";

/// The longest file name of tmpfs(5).
pub(crate) const NAME_MAX: usize = 255;

/// What the kernel knows of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status {
    pub(crate) inode: (u64, u64),
    pub(crate) length: u64,
    pub(crate) committed: u64,
    pub(crate) links: u64,
    /// What it is if it is no regular file.
    pub(crate) irregular: Option<&'static str>,
}

impl From<stat::FileStat> for Status {
    fn from(stat: stat::FileStat) -> Self {
        Self {
            inode: (stat.st_dev, stat.st_ino),
            length: stat.st_size.try_into().unwrap_or(0),
            committed: u64::try_from(stat.st_blocks).unwrap_or(0) * 512,
            #[allow(clippy::unnecessary_cast)] // narrower on other architectures
            links: stat.st_nlink as u64,
            irregular: match stat.st_mode & libc::S_IFMT {
                libc::S_IFREG => None,
                libc::S_IFDIR => Some("a directory"),
                libc::S_IFIFO => Some("a FIFO"),
                libc::S_IFSOCK => Some("a socket"),
                _ => Some("a special file"),
            },
        }
    }
}

fn failed(call: &'static str) -> impl Fn(Errno) -> OsError {
    move |errno| OsError::new(call, errno as i32)
}

/// Offsets of files are signed; capacities are checked against [`MAX_LENGTH`].
fn offset(value: u64) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// Whether a call failed because the file system is full.
pub(crate) fn is_no_space(error: &OsError) -> bool {
    matches!(error.errno(), libc::ENOSPC | libc::EDQUOT)
}

/// Whether a call failed because nothing of that name exists.
pub(crate) fn is_missing(error: &OsError) -> bool {
    error.errno() == libc::ENOENT
}

/// Whether a call failed because something of that name exists.
pub(crate) fn is_taken(error: &OsError) -> bool {
    error.errno() == libc::EEXIST
}

/// Whether a call failed for want of permission.
pub(crate) fn is_forbidden(error: &OsError) -> bool {
    matches!(error.errno(), libc::EACCES | libc::EPERM)
}

/// What open(2) refused to open as a file, if it did.
pub(crate) fn not_a_file(error: &OsError) -> Option<&'static str> {
    match error.errno() {
        libc::ELOOP => Some("a symbolic link"),
        libc::EISDIR => Some("a directory"),
        libc::ENXIO | libc::ENODEV => Some("a special file"),
        _ => None,
    }
}

/// The largest file.
pub(crate) const MAX_LENGTH: u64 = 1 << 46;

/// A file without a name: open(2), O_TMPFILE. Where the umask took permissions away, fchmod(2) puts
/// them back.
pub(crate) fn unnamed(directory: &Path, mode: u32) -> Result<OwnedFd, OsError> {
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(mode);
    let file = fcntl::open(directory, flags, mode)
        .map_err(|errno| failed("open")(errno).on(directory.display().to_string()))?;
    let granted = stat::fstat(&file).map_err(failed("fstat"))?.st_mode;
    if granted & 0o777 != mode.bits() {
        stat::fchmod(&file, mode).map_err(failed("fchmod"))?;
    }
    Ok(file)
}

/// Gives an unnamed file its name, all at once; EEXIST if somebody was first: linkat(2).
pub(crate) fn publish(file: BorrowedFd<'_>, path: &Path) -> Result<(), OsError> {
    let link = |from: BorrowedFd<'_>, name: &str, flags| {
        unistd::linkat(from, name, fcntl::AT_FDCWD, path, flags)
    };
    // Kernels from 6.10 on let whoever opened a file link it; older ones want a capability for that
    // (and say ENOENT), and take the way through /proc.
    match link(file, "", AtFlags::AT_EMPTY_PATH) {
        Err(Errno::ENOENT | Errno::EPERM | Errno::EACCES) => {
            let open = format!("/proc/self/fd/{}", file.as_raw_fd());
            link(fcntl::AT_FDCWD, &open, AtFlags::AT_SYMLINK_FOLLOW)
        }
        other => other,
    }
    .map_err(|errno| failed("linkat")(errno).on(path.display().to_string()))
}

/// Opens a file by name, and nothing through a symbolic link: open(2). Never blocks on a FIFO.
pub(crate) fn open(path: &Path, writable: bool) -> Result<OwnedFd, OsError> {
    let access = if writable { OFlag::O_RDWR } else { OFlag::O_RDONLY };
    let flags = access | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    fcntl::open(path, flags, Mode::empty())
        .map_err(|errno| failed("open")(errno).on(path.display().to_string()))
}

/// A second, independent open of the same file, with locks of its own: proc_pid_fd(5).
pub(crate) fn reopen(file: BorrowedFd<'_>, writable: bool) -> Result<OwnedFd, OsError> {
    let access = if writable { OFlag::O_RDWR } else { OFlag::O_RDONLY };
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    fcntl::open(path.as_str(), access | OFlag::O_CLOEXEC, Mode::empty()).map_err(failed("open"))
}

/// Makes the number of `old` lead to the file of `new`: dup3(2).
pub(crate) fn replace(old: BorrowedFd<'_>, new: BorrowedFd<'_>) -> Result<(), OsError> {
    // SAFETY: both descriptors are open; whoever owns `old` keeps owning its number.
    let result = unsafe { libc::dup3(new.as_raw_fd(), old.as_raw_fd(), libc::O_CLOEXEC) };
    if result == -1 { Err(OsError::last("dup3")) } else { Ok(()) }
}

/// A file without a name or a directory: memfd_create(2).
pub(crate) fn anonymous() -> Result<OwnedFd, OsError> {
    memfd::memfd_create(c"outlive", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)
        .map_err(failed("memfd_create"))
}

/// Nobody can cut the file short any more, so mapped pages cannot vanish: F_ADD_SEALS.
pub(crate) fn seal_length(file: BorrowedFd<'_>) -> Result<(), OsError> {
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl::fcntl(file, FcntlArg::F_ADD_SEALS(seals)).map(drop).map_err(failed("fcntl(F_ADD_SEALS)"))
}

/// ftruncate(2).
pub(crate) fn set_length(file: BorrowedFd<'_>, length: u64) -> Result<(), OsError> {
    unistd::ftruncate(file, offset(length)).map_err(failed("ftruncate"))
}

/// Takes memory for a range, so that a full file system is an error here and not a SIGBUS at the
/// first touch: fallocate(2).
pub(crate) fn commit(file: BorrowedFd<'_>, start: u64, length: u64) -> Result<(), OsError> {
    loop {
        match fcntl::fallocate(file, FallocateFlags::empty(), offset(start), offset(length)) {
            Err(Errno::EINTR) => {}
            other => return other.map_err(failed("fallocate")),
        }
    }
}

/// Gives the memory of a range of whole pages back: fallocate(2), FALLOC_FL_PUNCH_HOLE.
pub(crate) fn discard(file: BorrowedFd<'_>, start: u64, length: u64) -> Result<(), OsError> {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    fcntl::fallocate(file, flags, offset(start), offset(length)).map_err(failed("fallocate"))
}

/// fstat(2).
pub(crate) fn status(file: BorrowedFd<'_>) -> Result<Status, OsError> {
    stat::fstat(file).map(Status::from).map_err(failed("fstat"))
}

/// The file behind a name, not following a link: lstat(2).
pub(crate) fn status_of(path: &Path) -> Result<Status, OsError> {
    stat::lstat(path).map(Status::from).map_err(failed("lstat"))
}

/// Writes to a file at a position; a full file system is an error: pwrite(2).
pub(crate) fn write_at(file: BorrowedFd<'_>, bytes: &[u8], at: u64) -> Result<(), OsError> {
    match nix::sys::uio::pwrite(file, bytes, offset(at)) {
        Ok(written) if written == bytes.len() => Ok(()),
        Ok(_) => Err(OsError::new("pwrite", libc::ENOSPC)),
        Err(errno) => Err(failed("pwrite")(errno)),
    }
}

/// Reads from a file at a position: pread(2). Returns how many bytes there were.
pub(crate) fn read_at(file: BorrowedFd<'_>, buffer: &mut [u8], at: u64) -> Result<usize, OsError> {
    nix::sys::uio::pread(file, buffer, offset(at)).map_err(failed("pread"))
}

/// unlink(2).
pub(crate) fn unlink(path: &Path) -> Result<(), OsError> {
    unistd::unlink(path).map_err(|errno| failed("unlink")(errno).on(path.display().to_string()))
}

/// Adds permissions for as long as `inside` runs: fchmod(2), which the file's owner may call.
pub(crate) fn with_mode<T>(
    file: BorrowedFd<'_>,
    added: u32,
    inside: impl FnOnce() -> Result<T, OsError>,
) -> Result<T, OsError> {
    let mode = Mode::from_bits_truncate(stat::fstat(file).map_err(failed("fstat"))?.st_mode);
    let set = |mode| stat::fchmod(file, mode).map_err(failed("fchmod"));
    set(mode | Mode::from_bits_truncate(added))?;
    let result = inside();
    set(mode)?;
    result
}

/// Byte ranges beyond any file's end stand for the objects of a segment.
const PIN_BASE: i64 = 1 << 62;

/// The byte that stands for the right to remove the file's name from under its users.
const REMOVER: i64 = PIN_BASE - 1;

/// The byte that stands for being attached.
const ATTACHED: i64 = PIN_BASE - 2;

fn lock_range(kind: libc::c_int, start: i64) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: 1,
        l_pid: 0,
    }
}

fn pinned(index: u32) -> i64 {
    PIN_BASE + i64::from(index)
}

/// Takes, converts or drops the lock of this open file description on one byte, without waiting:
/// fcntl(2) F_OFD_SETLK. The kernel drops it when the last descriptor is closed, however its process
/// ends. False: others forbid it, and a lock that was there stays.
fn try_lock(file: BorrowedFd<'_>, kind: libc::c_int, start: i64) -> Result<bool, OsError> {
    match fcntl::fcntl(file, FcntlArg::F_OFD_SETLK(&lock_range(kind, start))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(failed("fcntl(F_OFD_SETLK)")(errno)),
    }
}

/// What other opens of a file have on one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    Nothing,
    /// Read locks, which any number may have, and whoever may read the file.
    Shared,
    /// A write lock, which one may have, and only who may write to the file.
    Exclusive,
}

/// fcntl(2) F_OFD_GETLK, which needs no right to write, unlike the lock that it asks for.
fn others(file: BorrowedFd<'_>, start: i64) -> Result<Others, OsError> {
    let mut range = lock_range(libc::F_WRLCK, start);
    fcntl::fcntl(file, FcntlArg::F_OFD_GETLK(&mut range)).map_err(failed("fcntl(F_OFD_GETLK)"))?;
    Ok(match libc::c_int::from(range.l_type) {
        libc::F_UNLCK => Others::Nothing,
        libc::F_RDLCK => Others::Shared,
        _ => Others::Exclusive,
    })
}

/// How a segment's file is held by a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Together with others.
    Shared,
    /// Alone: nobody else is attached. For a descriptor that is open for writing.
    Exclusive,
}

/// Attaches this open file description, or converts how it is attached. False: others forbid it.
pub(crate) fn try_hold(file: BorrowedFd<'_>, hold: Hold) -> Result<bool, OsError> {
    let kind = match hold {
        Hold::Shared => libc::F_RDLCK,
        Hold::Exclusive => libc::F_WRLCK,
    };
    try_lock(file, kind, ATTACHED)
}

/// The end of [`try_hold`].
pub(crate) fn let_go(file: BorrowedFd<'_>) -> Result<(), OsError> {
    try_lock(file, libc::F_UNLCK, ATTACHED).map(drop)
}

/// How others are attached to the file.
pub(crate) fn held_by_others(file: BorrowedFd<'_>) -> Result<Others, OsError> {
    others(file, ATTACHED)
}

/// Tells all others that object `index` is in use here.
pub(crate) fn pin(file: BorrowedFd<'_>, index: u32) -> Result<(), OsError> {
    // No segment's user ever has a write lock on these.
    if try_lock(file, libc::F_RDLCK, pinned(index))? {
        Ok(())
    } else {
        Err(failed("fcntl(F_OFD_SETLK)")(Errno::EAGAIN))
    }
}

/// The end of [`pin`].
pub(crate) fn unpin(file: BorrowedFd<'_>, index: u32) -> Result<(), OsError> {
    try_lock(file, libc::F_UNLCK, pinned(index)).map(drop)
}

/// Whether any other open of the file pins object `index`.
pub(crate) fn pinned_by_others(file: BorrowedFd<'_>, index: u32) -> Result<bool, OsError> {
    Ok(others(file, pinned(index))? != Others::Nothing)
}

/// Takes the right to remove the file's name, which one process has at a time. False: somebody else
/// is at it.
///
/// A read lock is no remover's: whoever may read the file can have one. It is passed over, and
/// removers are then not kept apart from one another.
pub(crate) fn try_remover(file: BorrowedFd<'_>) -> Result<bool, OsError> {
    Ok(try_lock(file, libc::F_WRLCK, REMOVER)? || others(file, REMOVER)? == Others::Shared)
}

/// Whether a child keeps the descriptor over exec: fcntl(2) FD_CLOEXEC. Async-signal-safe.
pub(crate) fn set_inherited(file: BorrowedFd<'_>, inherited: bool) -> Result<(), OsError> {
    let flag = if inherited { 0 } else { libc::FD_CLOEXEC };
    // SAFETY: F_SETFD takes no pointers.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, flag) };
    if result == -1 { Err(OsError::last("fcntl(F_SETFD)")) } else { Ok(()) }
}

/// Whether a descriptor may be written to: fcntl(2) F_GETFL.
pub(crate) fn is_writable(file: BorrowedFd<'_>) -> Result<bool, OsError> {
    let flags = fcntl::fcntl(file, FcntlArg::F_GETFL).map_err(failed("fcntl(F_GETFL)"))?;
    Ok(OFlag::from_bits_retain(flags) & OFlag::O_ACCMODE == OFlag::O_RDWR)
}

/// A descriptor that this process was started with, by its number. None if it is not open.
pub(crate) fn inherited(number: i32) -> Option<BorrowedFd<'static>> {
    // SAFETY: F_GETFD takes no pointers and fails on a number that is not open.
    if number < 0 || unsafe { libc::fcntl(number, libc::F_GETFD) } == -1 {
        return None;
    }
    // SAFETY: the descriptor is open, and was put there for this process by its parent; nothing in
    // this process owns it or closes it.
    Some(unsafe { BorrowedFd::borrow_raw(number) })
}
