//! Removing a segment's name, by whoever finds that nobody uses the segment, and by those who are told
//! to.
//!
//! The name may lead to another file by now, whose creator was waiting for it to be free. So a name
//! is looked at and removed only by one who keeps all others from doing the same with that file:
//!
//! * A stale one: the write lock of being attached, beside which nobody attaches and nobody removes.
//! * One that is or may be in use (`unlink`): a read lock, beside which nobody has that write lock,
//!   and the remover's lock. Strangers who may only read can hinder that one, but not take it. Then
//!   removers are not kept apart, rather than that nobody could remove.
//!
//! All of that needs the right to write to the file. One who leaves without it, as the last, leaves
//! the name to the next opener who has it, or to `gc`. So does a death between any two steps: it
//! leaves a file to which nobody is attached, and the next one takes it for what it is.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use crate::error::OsError;
use crate::os::hooks;
use crate::os::shm::{self, Hold, Others};
use crate::segment::attachment::lock_soon;
use crate::segment::registry;

/// Which file it is, whatever its name leads to.
type Inode = (u64, u64);

/// What came of an attempt to remove a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    Done,
    /// It leads to another file, or nowhere.
    Gone,
    /// Somebody else is attached.
    InUse,
    /// Somebody else is removing it.
    Passing,
}

/// Removes the name of a file that others may be attached to; `may_be_stale` if it is ephemeral.
pub(crate) fn remove(path: &Path, inode: Inode, may_be_stale: bool) -> Result<Removal, OsError> {
    let Some(file) = open_this(path, inode)? else { return Ok(Removal::Gone) };
    let file = file.as_fd();
    if may_be_stale && shm::held_by_others(file)? == Others::Nothing {
        // To attach, even for a moment, would make it look alive.
        return remove_alone(file, path, inode);
    }
    if !shm::try_hold(file, Hold::Shared)? || !shm::try_remover(file)? {
        return Ok(Removal::Passing);
    }
    unlink_this(path, inode)
}

/// Removes the name of a file that nobody is attached to.
pub(crate) fn remove_stale(path: &Path, inode: Inode) -> Result<Removal, OsError> {
    match open_this(path, inode)? {
        Some(file) => remove_alone(file.as_fd(), path, inode),
        None => Ok(Removal::Gone),
    }
}

/// The same by a descriptor that is open for writing.
fn remove_alone(file: BorrowedFd<'_>, path: &Path, inode: Inode) -> Result<Removal, OsError> {
    if !shm::try_hold(file, Hold::Exclusive)? {
        return Ok(Removal::InUse);
    }
    unlink_this(path, inode).inspect_err(|_| {
        // It stays, and children that another thread forked just now may have the descriptor too.
        let _closed_anyway = shm::let_go(file);
    })
}

/// Removes a name if it still leads to that file, and not to another that took its place.
fn unlink_this(path: &Path, inode: Inode) -> Result<Removal, OsError> {
    let removed = shm::status_of(path).and_then(|status| {
        let same = status.inode == inode;
        if same { shm::unlink(path).map(|()| Removal::Done) } else { Ok(Removal::Gone) }
    });
    gone_if_missing(removed)
}

fn gone_if_missing(removed: Result<Removal, OsError>) -> Result<Removal, OsError> {
    match removed {
        Err(error) if shm::is_missing(&error) => Ok(Removal::Gone),
        other => other,
    }
}

/// The file, open for writing, as locking others out needs it; None if the name leads to another
/// one, or nowhere.
fn open_this(path: &Path, inode: Inode) -> Result<Option<OwnedFd>, OsError> {
    const OWNER_WRITES: u32 = 0o200;
    let this = |file: OwnedFd| {
        let same = shm::status(file.as_fd())?.inode == inode;
        Ok(same.then_some(file))
    };
    let opened = shm::open(path, true).and_then(this).or_else(|error| {
        if !shm::is_forbidden(&error) {
            return Err(error);
        }
        // By a mode like 0444. The owner may all the same, if it says so.
        let Some(file) = shm::open(path, false).and_then(this)? else { return Ok(None) };
        shm::with_mode(file.as_fd(), OWNER_WRITES, || shm::open(path, true)).and_then(this)
    });
    match opened {
        Err(error) if shm::is_missing(&error) => Ok(None),
        other => other,
    }
}

/// Ends this process's attachment to an ephemeral segment, and removes the name if it was the last.
/// Whatever fails leaves a stale segment, which is recognised as such.
///
/// A child that this process has forked to start another program has all of its parent's files until
/// it calls exec, and so is attached for that moment. So right after a fork, this looks again for a
/// while.
pub(crate) fn leave(file: BorrowedFd<'_>, writable: bool, path: &Path) {
    const PAUSE: Duration = Duration::from_millis(1);
    let Ok(status) = shm::status(file) else { return };
    let remove = || {
        if writable {
            remove_alone(file, path, status.inode)
        } else {
            remove_stale(path, status.inode)
        }
    };
    if writable && !matches!(remove(), Ok(Removal::InUse)) {
        return;
    }
    // Before the next try: so of any number who leave at once, the last one finds nobody.
    let Ok(()) = shm::let_go(file) else { return };
    while matches!(remove(), Ok(Removal::InUse)) {
        match registry::last_fork() {
            None => return,
            Some(ago) if ago > registry::FORK_TO_EXEC => {
                return leave_for_later(path.to_owned(), status.inode);
            }
            Some(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Names that this process could not remove when it left, because others were attached: perhaps only
/// children that had not called exec yet.
static LATER: Mutex<Vec<(PathBuf, Inode)>> = Mutex::new(Vec::new());

fn leave_for_later(path: PathBuf, inode: Inode) {
    static AT_EXIT: std::sync::Once = std::sync::Once::new();
    AT_EXIT.call_once(|| hooks::at_exit(at_exit));
    if let Some(mut later) = lock_soon(&LATER) {
        later.push((path, inode));
    }
}

extern "C" fn at_exit() {
    look_again();
}

/// Removes those names that have become stale; forgets those that others took care of.
pub(crate) fn look_again() {
    let Ok(mut later) = LATER.try_lock() else { return };
    later.retain(|(path, inode)| matches!(remove_stale(path, *inode), Ok(Removal::InUse)));
}
