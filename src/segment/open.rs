//! Joining a segment that exists, and telling it from one that the dead left behind.
//!
//! An opener first asks the kernel who is attached. If nobody is, an ephemeral segment is stale, and
//! is removed. Else it attaches beside them; if it cannot, because another process is just removing
//! the name, it tries again. Nobody attaches before it knows that a segment lives: two who found each
//! other in a stale one would both take it for a live one.
//!
//! A segment that was removed in the meantime has no name any more (its link count is 0), which is
//! looked at last.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use bytemuck::Zeroable;

use crate::error::{OsError, SegmentError};
use crate::layout::FIRST_PAGE;
use crate::os::shm::{self, Hold, Others};
use crate::segment::attachment::{Attachment, Home, Role};
use crate::segment::header::{Checked, Fields, Lifetime};
use crate::segment::options::SegmentOptions;
use crate::segment::removal::{self, Removal};
use crate::segment::retry::Retry;
use crate::segment::{Segment, create, name};

pub(crate) fn open(
    options: &SegmentOptions,
    name: &str,
    path: &Path,
) -> Result<Segment, SegmentError> {
    let mut retry = Retry::new(name);
    loop {
        match join(path, !options.read_only) {
            Ok(Joined { file, header }) => {
                let home = Home { name: name::bare(name).to_owned(), path: path.to_owned() };
                return attach(options, file, header, Some(home));
            }
            // To a reader, one that it may not remove is no segment either.
            Err(NotJoined::Stale(error)) if !options.read_only => return Err(error),
            Err(NotJoined::Nothing | NotJoined::Stale(_)) => {
                return Err(SegmentError::NotFound { name: name::bare(name).to_owned() });
            }
            Err(NotJoined::Passing) => retry.pause()?,
            Err(NotJoined::Refused(error)) => return Err(error),
        }
    }
}

/// Takes part in a segment whose descriptor the parent process passed on.
pub(crate) fn inherited(
    options: &SegmentOptions,
    passed: BorrowedFd<'_>,
) -> Result<Segment, SegmentError> {
    const PLACE: &str = "the inherited segment";
    // A description of our own: locks belong to descriptions.
    let file = shm::reopen(passed, !options.read_only)?;
    let header = read_header(file.as_fd(), Path::new(PLACE))?;
    let mut retry = Retry::new(PLACE);
    // Somebody may be removing its name.
    while !shm::try_hold(file.as_fd(), Hold::Shared)? {
        retry.pause()?;
    }
    attach(options, file, header, None)
}

/// Takes part in a segment by a descriptor that another process made for this one, and that is
/// attached already.
#[cfg(feature = "process")]
pub(crate) fn passed(file: OwnedFd, home: Option<Home>) -> Result<Segment, SegmentError> {
    const PLACE: &str = "the segment that was passed on";
    let writable = shm::is_writable(file.as_fd())?;
    let place = home.as_ref().map_or(Path::new(PLACE), |home| &home.path);
    let header = read_header(file.as_fd(), place)?;
    let options = SegmentOptions::default().read_only(!writable);
    attach(&options, file, header, home)
}

fn attach(
    options: &SegmentOptions,
    file: OwnedFd,
    header: Checked,
    home: Option<Home>,
) -> Result<Segment, SegmentError> {
    let writable = !options.read_only;
    let mapping = create::map(options, file.as_fd(), header.capacity, writable)?;
    let ephemeral = header.lifetime == Lifetime::Ephemeral;
    let role = Role { writable, creator: false, ephemeral, home };
    Attachment::of_file(file, mapping, role).map(Segment::new)
}

/// A segment that this process now holds together with others.
struct Joined {
    file: OwnedFd,
    header: Checked,
}

enum NotJoined {
    /// There is none, or there was a stale one, which is gone now.
    Nothing,
    /// Somebody is about to remove it.
    Passing,
    /// There is a stale one, which this process may not remove.
    Stale(SegmentError),
    Refused(SegmentError),
}

impl From<SegmentError> for NotJoined {
    fn from(error: SegmentError) -> Self {
        Self::Refused(error)
    }
}

impl From<OsError> for NotJoined {
    fn from(error: OsError) -> Self {
        Self::Refused(error.into())
    }
}

fn join(path: &Path, writable: bool) -> Result<Joined, NotJoined> {
    let file = match shm::open(path, writable) {
        Ok(file) => file,
        Err(error) if shm::is_missing(&error) => return Err(NotJoined::Nothing),
        Err(error) => return Err(refused(error, path).into()),
    };
    // Before any lock is taken: it may be somebody else's file.
    let header = read_header(file.as_fd(), path)?;
    match shm::held_by_others(file.as_fd())? {
        Others::Nothing if header.lifetime == Lifetime::Ephemeral => {
            return Err(retire(file.as_fd(), path));
        }
        Others::Nothing | Others::Shared => {}
        Others::Exclusive => return Err(NotJoined::Passing),
    }
    if !shm::try_hold(file.as_fd(), Hold::Shared)? {
        return Err(NotJoined::Passing);
    }
    if shm::status(file.as_fd())?.links == 0 {
        return Err(NotJoined::Passing);
    }
    Ok(Joined { file, header })
}

/// Removes a stale segment.
fn retire(file: BorrowedFd<'_>, path: &Path) -> NotJoined {
    let removed = shm::status(file).and_then(|status| removal::remove_stale(path, status.inode));
    match removed {
        Ok(Removal::Done | Removal::Gone) => NotJoined::Nothing,
        // Somebody else removes it.
        Ok(Removal::InUse | Removal::Passing) => NotJoined::Passing,
        Err(error) if shm::is_forbidden(&error) => NotJoined::Stale(refused(error, path)),
        Err(error) => refused(error, path).into(),
    }
}

/// What is under a name that somebody wants to create.
pub(crate) enum Found {
    /// Nothing any more.
    Nothing,
    InUse,
    Persistent,
    /// Not clear at the moment.
    Passing,
}

/// Removes a segment if it is stale.
pub(crate) fn reclaim(path: &Path) -> Result<Found, SegmentError> {
    match join(path, false) {
        Ok(Joined { header, .. }) if header.lifetime == Lifetime::Persistent => {
            Ok(Found::Persistent)
        }
        Ok(_) => Ok(Found::InUse),
        Err(NotJoined::Nothing) => Ok(Found::Nothing),
        Err(NotJoined::Passing) => Ok(Found::Passing),
        Err(NotJoined::Stale(error) | NotJoined::Refused(error)) => Err(error),
    }
}

/// Reads and checks a file's header, without mapping it.
fn read_header(file: BorrowedFd<'_>, path: &Path) -> Result<Checked, SegmentError> {
    let status = shm::status(file)?;
    let not_a_segment = |found| SegmentError::NotASegment { path: path.to_owned(), found };
    if let Some(kind) = status.irregular {
        return Err(not_a_segment(kind));
    }
    if status.length == 0 {
        return Err(not_a_segment("an empty file"));
    }
    let mut fields = Fields::zeroed();
    let bytes = bytemuck::bytes_of_mut(&mut fields);
    let wanted = bytes.len();
    let read = shm::read_at(file, bytes, 0)?;
    if !fields.has_magic() {
        return Err(not_a_segment("another kind of file"));
    }
    if read < wanted || status.length < FIRST_PAGE {
        return Err(SegmentError::Truncated {
            path: path.to_owned(),
            expected: FIRST_PAGE,
            actual: status.length,
        });
    }
    fields.check(path, status.length)
}

/// An error of open(2) or linkat(2) in the user's terms.
pub(crate) fn refused(error: OsError, path: &Path) -> SegmentError {
    if shm::is_forbidden(&error) {
        return SegmentError::PermissionDenied { path: path.to_owned() };
    }
    if shm::is_no_space(&error) {
        return SegmentError::NoSpace { path: path.to_owned(), needed: FIRST_PAGE };
    }
    match shm::not_a_file(&error) {
        Some(found) => SegmentError::NotASegment { path: path.to_owned(), found },
        None => error.into(),
    }
}

/// Removes the name, whoever uses the segment.
pub(crate) fn unlink(name: &str, path: &Path) -> Result<(), SegmentError> {
    let not_found = || SegmentError::NotFound { name: name::bare(name).to_owned() };
    let file = shm::open(path, false).map_err(|error| {
        if shm::is_missing(&error) { not_found() } else { refused(error, path) }
    })?;
    // A damaged one, or one of another version, can be removed; what is none is not ours to remove.
    let ephemeral = match read_header(file.as_fd(), path) {
        Err(error @ SegmentError::NotASegment { .. }) => return Err(error),
        header => header.is_ok_and(|header| header.lifetime == Lifetime::Ephemeral),
    };
    let inode = shm::status(file.as_fd())?.inode;
    let mut retry = Retry::new(name);
    loop {
        match removal::remove(path, inode, ephemeral) {
            Ok(Removal::Done) => return Ok(()),
            Ok(Removal::Gone) => return Err(not_found()),
            Ok(Removal::InUse | Removal::Passing) => retry.pause()?,
            Err(error) => return Err(refused(error, path)),
        }
    }
}

/// Removes all stale segments of a directory and returns their names.
pub(crate) fn gc(directory: &Path) -> Result<Vec<String>, SegmentError> {
    let read = std::fs::read_dir(directory).map_err(|error| {
        OsError::new("readdir", error.raw_os_error().unwrap_or(0))
            .on(directory.display().to_string())
    })?;
    let mut removed = Vec::new();
    for entry in read.flatten() {
        let path = entry.path();
        // Only what can be opened as a regular file, and starts like a segment, is touched. What
        // belongs to others or is damaged is left alone.
        let was_there = entry.file_type().is_ok_and(|kind| kind.is_file());
        if was_there && matches!(reclaim_stale(&path), Ok(true)) {
            removed.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    removed.sort_unstable();
    Ok(removed)
}

/// True if there was a stale segment, which is gone now.
fn reclaim_stale(path: &Path) -> Result<bool, SegmentError> {
    let existed = shm::status_of(path).is_ok();
    Ok(existed && matches!(reclaim(path)?, Found::Nothing))
}
