//! Named segments: memory that processes share, and the named objects in it.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

#[cfg(feature = "process")]
use crate::error::OsError;
use crate::error::{ObjectError, SegmentError};
use crate::os::shm;
use crate::shared::Shared;
use crate::sync::{Event, Mutex, Reset};
use crate::{Array, AtomicCounter, Counter, Value};

pub(crate) mod attachment;
pub(crate) mod backing;
mod create;
pub(crate) mod directory;
mod extents;
mod foreign;
mod header;
mod name;
pub(crate) mod object;
mod open;
mod options;
#[cfg(feature = "process")]
pub(crate) mod passing;
pub(crate) mod region;
mod registry;
mod removal;
mod retry;

pub use backing::Backing;
pub use object::{Object, ObjectInfo, ObjectKind};
pub use options::SegmentOptions;

use attachment::Attachment;
use directory::Directory;

/// Memory that processes share by name, and the named objects in it.
///
/// Processes that were started independently open a segment by its name and find its objects by
/// theirs. A segment is a file of POSIX shared memory (shm_overview(7)); `Segment` is a handle to
/// it, cheap to clone. Objects keep the segment mapped: the handle may be dropped before them.
///
/// ```
/// use outlive::Segment;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let name = format!("doc-segment-{}", std::process::id());
/// let segment = Segment::open_or_create(&name)?;
/// let hits = segment.value::<i64>("hits", 0)?; // the same object in every program
/// hits.update(|n| *n += 1)?;
///
/// // Elsewhere:
/// let again = Segment::open(&name)?;
/// assert_eq!(again.value::<i64>("hits", 0)?.get()?, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Crash behaviour
///
/// * Nobody ever opens a half-made segment: it is filled in first and gets its name last. A creator
///   that is killed leaves nothing.
/// * An ephemeral segment (the default) goes with its last user. If that one is killed, the next
///   `open`, `create` or [`gc`](Self::gc) recognises what it left: the kernel tells whether anybody
///   is attached, so no daemon and no process id is involved. A process that exits without dropping
///   its handles (a `static`, `std::process::exit`) counts as killed, and so does a last user without
///   the right to write to the file.
/// * A persistent segment stays, with all that was committed.
/// * An object is there completely or not at all; a process killed while it creates or removes one
///   leaves nothing that needs repair.
///
/// # Forks
///
/// A child made by fork(2) without exec may use the handles it inherits. Locks that the parent held
/// remain the parent's.
#[derive(Clone)]
pub struct Segment {
    attachment: Arc<Attachment>,
}

impl Segment {
    pub(crate) fn new(attachment: Attachment) -> Self {
        Self { attachment: Arc::new(attachment) }
    }

    /// Creates a segment with the default [options](SegmentOptions).
    ///
    /// # Errors
    ///
    /// See [`SegmentOptions::create`].
    pub fn create(name: &str) -> Result<Self, SegmentError> {
        Self::options().create(name)
    }

    /// Opens a segment that exists.
    ///
    /// # Errors
    ///
    /// See [`SegmentOptions::open`].
    pub fn open(name: &str) -> Result<Self, SegmentError> {
        Self::options().open(name)
    }

    /// Opens a segment, or creates it if there is none.
    ///
    /// # Errors
    ///
    /// See [`SegmentOptions::open_or_create`].
    pub fn open_or_create(name: &str) -> Result<Self, SegmentError> {
        Self::options().open_or_create(name)
    }

    /// Creates a segment without a name: memory for this process and the children that it is
    /// [passed to](Self::pass_to).
    ///
    /// # Errors
    ///
    /// See [`SegmentOptions::anonymous`].
    pub fn anonymous() -> Result<Self, SegmentError> {
        Self::options().anonymous()
    }

    /// Capacity, permissions, lifetime and the like.
    pub fn options() -> SegmentOptions {
        SegmentOptions::default()
    }

    /// Makes a segment in memory that another library has mapped, or joins the one that is there.
    /// A new one needs zeroed memory. All its pages are taken at once. It is neither named nor
    /// removed by this library.
    ///
    /// # Errors
    ///
    /// [`InvalidCapacity`](SegmentError::InvalidCapacity) for less than two pages;
    /// [`NotASegment`](SegmentError::NotASegment) for memory with other content, which is left as it
    /// is; [`NoSpace`](SegmentError::NoSpace) if there is no memory behind it;
    /// [`Busy`](SegmentError::Busy) if another process makes the segment and is stopped; and those
    /// of a header that does not fit, as in [`open`](Self::open).
    ///
    /// # Crash behaviour
    ///
    /// A process killed while it makes the segment is replaced by the next one. Who is attached
    /// cannot be told without a file of our own: the memory of removed objects is not reused.
    pub fn in_memory(backing: impl Backing) -> Result<Self, SegmentError> {
        create::in_memory(Box::new(backing))
    }

    /// Removes the name of a segment, whoever uses it: they go on with the memory they have, and the
    /// name is free. Ephemeral segments need no unlinking.
    ///
    /// # Errors
    ///
    /// [`NotFound`](SegmentError::NotFound) if there is none,
    /// [`NotASegment`](SegmentError::NotASegment) for a file of another kind, which is left alone.
    pub fn unlink(name: &str) -> Result<(), SegmentError> {
        Self::options().unlink(name)
    }

    /// Removes all ephemeral segments whose users have died, and returns their names. Rarely needed:
    /// creating or opening a segment of such a name removes the stale one first.
    ///
    /// # Errors
    ///
    /// The directory cannot be read. Segments that cannot be removed (another user's, damaged) are
    /// passed over.
    pub fn gc() -> Result<Vec<String>, SegmentError> {
        Self::options().gc()
    }

    /// The name, without a leading slash; None for one that has none.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.attachment.home.as_ref().map(|home| home.name.as_str())
    }

    /// The most bytes that all objects together may take.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.attachment.length() as u64
    }

    /// How many bytes of memory the segment takes at the moment, in all processes together.
    ///
    /// # Errors
    ///
    /// fstat(2) failed.
    pub fn committed(&self) -> Result<u64, SegmentError> {
        match self.attachment.file() {
            Some(file) => Ok(shm::status(file)?.committed),
            None => Ok(self.capacity()),
        }
    }

    /// Memory without a name and without objects, all of it there.
    #[cfg(feature = "process")]
    pub(crate) fn without_objects(size: u64) -> Result<Self, SegmentError> {
        let capacity = size.saturating_add(crate::layout::FIRST_PAGE);
        Self::options().capacity(capacity).prefault(true).anonymous()
    }

    /// So much of the memory of a segment [without objects](Self::without_objects); None if there is
    /// less.
    #[cfg(feature = "process")]
    pub(crate) fn memory(&self, size: u64) -> Result<Option<region::Extent>, OsError> {
        // There is no object of that number.
        let anchor = attachment::Anchor::new(&self.attachment, u32::MAX >> 1)?;
        Ok(region::Extent::new(anchor, crate::layout::FIRST_PAGE, size))
    }

    /// Where objects are in memory, for the model checker.
    #[cfg(all(test, loom))]
    pub(crate) fn object_range(&self) -> std::ops::Range<usize> {
        let base = self.attachment.base().addr().get();
        let committed = usize::try_from(self.committed().expect("fstat")).expect("a length");
        base + crate::layout::FIRST_PAGE as usize..base + committed
    }

    /// How many bytes of this process's mapping are backed by huge pages.
    #[must_use]
    pub fn huge_page_bytes(&self) -> u64 {
        self.attachment.mapping().map_or(0, crate::os::mapping::Mapping::huge_bytes)
    }

    /// Whether this handle's process created the segment, rather than finding it.
    #[must_use]
    pub fn is_creator(&self) -> bool {
        self.attachment.creator
    }

    /// Whether it was opened with [`SegmentOptions::read_only`].
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        !self.attachment.writable
    }

    /// Whether it goes with its last user.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        self.attachment.ephemeral
    }

    /// Lets the child that `command` will start have this segment, as
    /// [`Segment::inherited`]`(key)`, without a name that anyone else could open.
    ///
    /// The descriptor reaches that child only, and its number in an environment variable. A segment
    /// that is read-only here is read-only there.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let segment = outlive::Segment::anonymous()?;
    /// let mut child = std::process::Command::new("worker");
    /// segment.pass_to(&mut child, "jobs")?;
    /// child.spawn()?; // in it: Segment::inherited("jobs")
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A key that cannot be part of a variable's name, a segment in foreign memory, and the
    /// kernel's refusal of another descriptor.
    pub fn pass_to(&self, command: &mut Command, key: &str) -> Result<(), SegmentError> {
        let variable = inheritance_variable(key)?;
        let file = self.attachment.file().ok_or(SegmentError::InvalidOptions {
            what: "a segment in memory of another library has no file to pass on",
        })?;
        // Kept open by the command. A description of its own, so that this process's locks on the
        // segment end with it and not with the child.
        let passed: OwnedFd = shm::reopen(file, self.attachment.writable)?;
        command.env(variable, passed.as_raw_fd().to_string());
        #[allow(unsafe_code)] // runs between fork and exec
        // SAFETY: fcntl is async-signal-safe, and nothing is allocated unless it fails.
        unsafe {
            command.pre_exec(move || {
                use std::os::fd::AsFd;
                shm::set_inherited(passed.as_fd(), true).map_err(Into::into)
            });
        }
        Ok(())
    }

    /// The segment that this process's parent [passed](Self::pass_to) under that key. May be called
    /// more than once; children of this process do not get the segment unless it is passed on again.
    ///
    /// # Errors
    ///
    /// [`NotInherited`](SegmentError::NotInherited) if there is none, and those of
    /// [`open`](Self::open) for a descriptor that is not a segment.
    pub fn inherited(key: &str) -> Result<Self, SegmentError> {
        let missing = || SegmentError::NotInherited { key: key.to_owned() };
        let number = std::env::var(inheritance_variable(key)?)
            .ok()
            .and_then(|number| number.parse::<i32>().ok())
            .ok_or_else(missing)?;
        let passed = shm::inherited(number).ok_or_else(missing)?;
        // This process's own children do not get it for nothing.
        shm::set_inherited(passed, false)?;
        let read_only = !shm::is_writable(passed)?;
        open::inherited(&Self::options().read_only(read_only), passed)
    }

    // ---- objects

    fn directory(&self) -> Directory<'_> {
        Directory::of(&self.attachment)
    }

    /// A handle to the object of that name and type.
    ///
    /// ```
    /// use outlive::{ObjectError, Segment, Value};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let segment = Segment::anonymous()?;
    /// segment.value::<i32>("hits", 0)?;
    ///
    /// let hits: Value<i32> = segment.find("hits")?;
    /// let wrong = segment.find::<Value<i64>>("hits").unwrap_err();
    /// assert!(wrong.to_string().contains("Value<i32>") && wrong.to_string().contains("Value<i64>"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ObjectError::NotFound); [`TypeMismatch`](ObjectError::TypeMismatch), which names
    /// both types; [`InvalidName`](ObjectError::InvalidName);
    /// [`Corrupt`](ObjectError::Corrupt) if the directory or the object is damaged.
    pub fn find<K: Object>(&self, name: &str) -> Result<K, ObjectError> {
        self.directory().open(name)?.ok_or_else(|| ObjectError::NotFound { name: name.to_owned() })
    }

    /// Creates an object.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](ObjectError::AlreadyExists);
    /// [`SegmentFull`](ObjectError::SegmentFull) and [`NoSpace`](ObjectError::NoSpace) for want of
    /// capacity and of memory; [`ReadOnly`](ObjectError::ReadOnly);
    /// [`InvalidName`](ObjectError::InvalidName), [`InvalidShape`](ObjectError::InvalidShape);
    /// [`Corrupt`](ObjectError::Corrupt); [`Directory`](ObjectError::Directory) if another process
    /// is stopped while it changes the directory.
    pub fn create_object<K: Object>(&self, name: &str, init: K::Init) -> Result<K, ObjectError> {
        self.directory().create(name, init)
    }

    /// A handle to the object of that name, which is created if there is none. However many
    /// processes do this at once, it is created and initialised once.
    ///
    /// # Errors
    ///
    /// Those of [`find`](Self::find) and [`create_object`](Self::create_object), and
    /// [`ShapeMismatch`](ObjectError::ShapeMismatch) if it exists with another length or capacity.
    pub fn find_or_create<K: Object>(&self, name: &str, init: K::Init) -> Result<K, ObjectError>
    where
        K::Init: Clone,
    {
        loop {
            if let Some(found) = self.directory().open::<K>(name)? {
                return match found.fits(&init) {
                    Ok(()) => Ok(found),
                    Err((what, found, expected)) => Err(ObjectError::ShapeMismatch {
                        name: name.to_owned(),
                        what,
                        found,
                        expected,
                    }),
                };
            }
            match self.directory().create(name, init.clone()) {
                // Somebody was first, and perhaps removed it again.
                Err(ObjectError::AlreadyExists { .. }) => {}
                other => return other,
            }
        }
    }

    /// Removes an object's name. Those who have handles go on with the object; its memory is used
    /// again when the last handle in the last process is gone.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ObjectError::NotFound), [`ReadOnly`](ObjectError::ReadOnly),
    /// [`Corrupt`](ObjectError::Corrupt), [`Directory`](ObjectError::Directory).
    pub fn remove(&self, name: &str) -> Result<(), ObjectError> {
        self.directory().remove(name)
    }

    /// What there is in the segment.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ObjectError::Corrupt) if the directory is damaged.
    pub fn objects(&self) -> Result<Vec<ObjectInfo>, ObjectError> {
        self.directory().list()
    }

    /// The [`Mutex`] of that name, created with `init` if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn mutex<T: Shared>(&self, name: &str, init: T) -> Result<Mutex<T>, ObjectError> {
        self.find_or_create(name, init)
    }

    /// The [`Value`] of that name, created with `init` if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn value<T: Shared>(&self, name: &str, init: T) -> Result<Value<T>, ObjectError> {
        self.find_or_create(name, init)
    }

    /// The lock-protected [`Counter`] of that name, created with 0 if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn counter(&self, name: &str) -> Result<Counter, ObjectError> {
        self.find_or_create(name, 0)
    }

    /// The lock-free [`AtomicCounter`] of that name, created with 0 if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn atomic_counter(&self, name: &str) -> Result<AtomicCounter, ObjectError> {
        self.find_or_create(name, 0)
    }

    /// The [`Array`] of that name, created with `length` times `init` if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn array<T: Shared>(
        &self,
        name: &str,
        length: usize,
        init: T,
    ) -> Result<Array<T>, ObjectError> {
        self.find_or_create(name, (length, init))
    }

    /// The [`Event`] of that name, created unset if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn event(&self, name: &str, reset: Reset) -> Result<Event, ObjectError> {
        self.find_or_create(name, reset)
    }

    /// The segment's file, if it has a name.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.attachment.home.as_ref().map(|home| home.path.as_path())
    }
}

/// What [`Segment::pass_to`] tells the child by.
fn inheritance_variable(key: &str) -> Result<String, SegmentError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.is_empty() || !key.chars().all(plain) {
        return Err(SegmentError::InvalidKey { key: key.to_owned() });
    }
    Ok(format!("OUTLIVE_SEGMENT_{key}"))
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("name", &self.name())
            .field("capacity", &self.capacity())
            .field("creator", &self.is_creator())
            .field("read_only", &self.is_read_only())
            .finish()
    }
}
