//! Making a segment: all or nothing.
//!
//! The file is made without a name (O_TMPFILE), filled in, attached to, and then linked to its name,
//! which fails if the name is taken. So nobody ever sees a half-made segment, and a creator that dies
//! leaves nothing behind.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::error::{OsError, SegmentError};
use crate::layout::FIRST_PAGE;
use crate::os::mapping::Mapping;
use crate::os::shm::{self, Hold};
use crate::segment::attachment::{Attachment, Home, Role};
use crate::segment::backing::Backing;
use crate::segment::header::{Fields, Lifetime};
use crate::segment::options::SegmentOptions;
use crate::segment::retry::Retry;
use crate::segment::{Segment, foreign, name, open};

/// A segment's file that has no name yet.
struct Unpublished {
    file: OwnedFd,
    mapping: Mapping,
}

pub(crate) fn create(
    options: &SegmentOptions,
    name: &str,
    path: &Path,
) -> Result<Segment, SegmentError> {
    let new = Unpublished::build(options, path)?;
    let mut retry = Retry::new(name);
    loop {
        match shm::publish(new.file.as_fd(), path) {
            Ok(()) => return new.attach(options, home(name, path)),
            Err(error) if !shm::is_taken(&error) => return Err(open::refused(error, path)),
            Err(_) => {}
        }
        // Taken: by the living, or by what the dead left behind?
        match open::reclaim(path)? {
            open::Found::InUse | open::Found::Persistent => {
                return Err(SegmentError::AlreadyExists { name: name.to_owned() });
            }
            open::Found::Nothing => {}
            open::Found::Passing => retry.pause()?,
        }
    }
}

pub(crate) fn open_or_create(
    options: &SegmentOptions,
    name: &str,
    path: &Path,
) -> Result<Segment, SegmentError> {
    let mut new = None;
    let mut retry = Retry::new(name);
    loop {
        match open::open(options, name, path) {
            Err(SegmentError::NotFound { .. }) => {}
            other => return other,
        }
        let built = match new.take() {
            Some(built) => built,
            None => Unpublished::build(options, path)?,
        };
        match shm::publish(built.file.as_fd(), path) {
            Ok(()) => return built.attach(options, home(name, path)),
            // Somebody was first: theirs is opened next time round.
            Err(error) if shm::is_taken(&error) => new = Some(built),
            Err(error) => return Err(open::refused(error, path)),
        }
        retry.pause()?;
    }
}

pub(crate) fn anonymous(options: &SegmentOptions) -> Result<Segment, SegmentError> {
    let place = PathBuf::from("anonymous memory");
    let file = shm::anonymous()?;
    let new = Unpublished::fill(options, file, &place)?;
    shm::seal_length(new.file.as_fd())?;
    new.attach(options, None)
}

/// A segment in memory that another library mapped: see [`foreign`].
pub(crate) fn in_memory(backing: Box<dyn Backing>) -> Result<Segment, SegmentError> {
    foreign::attach(backing).map(Segment::new)
}

fn home(name: &str, path: &Path) -> Option<Home> {
    Some(Home { name: name::bare(name).to_owned(), path: path.to_owned() })
}

impl Unpublished {
    fn build(options: &SegmentOptions, path: &Path) -> Result<Self, SegmentError> {
        let file = shm::unnamed(&options.directory, options.mode)
            .map_err(|error| open::refused(error, &options.directory))?;
        Self::fill(options, file, path)
    }

    fn fill(options: &SegmentOptions, file: OwnedFd, path: &Path) -> Result<Self, SegmentError> {
        let capacity = options.length()?;
        let no_space = |needed| {
            move |error: OsError| {
                if shm::is_no_space(&error) {
                    SegmentError::NoSpace { path: path.to_owned(), needed }
                } else {
                    error.into()
                }
            }
        };
        shm::set_length(file.as_fd(), capacity)?;
        let committed = if options.prefault { capacity } else { FIRST_PAGE };
        if options.prefault {
            shm::commit(file.as_fd(), 0, capacity).map_err(no_space(committed))?;
        }
        let fields = Fields::new(capacity, options.lifetime);
        shm::write_at(file.as_fd(), bytemuck::bytes_of(&fields), 0).map_err(no_space(committed))?;
        let mapping = map(options, file.as_fd(), capacity, true)?;
        // On a file of our own that has no name yet, nobody else holds a lock.
        shm::try_hold(file.as_fd(), Hold::Shared)?;
        Ok(Self { file, mapping })
    }

    fn attach(self, options: &SegmentOptions, home: Option<Home>) -> Result<Segment, SegmentError> {
        let ephemeral = options.lifetime == Lifetime::Ephemeral;
        let role = Role { writable: true, creator: true, ephemeral, home };
        Attachment::of_file(self.file, self.mapping, role).map(Segment::new)
    }
}

/// Maps a segment's file with the advice that the options ask for.
pub(crate) fn map(
    options: &SegmentOptions,
    file: BorrowedFd<'_>,
    capacity: u64,
    writable: bool,
) -> Result<Mapping, SegmentError> {
    let length = usize::try_from(capacity).map_err(|_| OsError::new("mmap", 0))?;
    let mapping = Mapping::new(file, length, writable)?;
    if options.huge_pages {
        mapping.wish_huge_pages();
    }
    if options.lock_memory {
        mapping.lock_in_memory().map_err(SegmentError::MemoryLock)?;
    }
    if options.prefault {
        mapping.populate(writable)?;
    }
    Ok(mapping)
}
