//! Errors of segments as a whole.

use std::path::PathBuf;

use super::OsError;

/// Why a segment could not be created, opened, removed or handed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The name holds something that a segment's name cannot.
    #[error("{name:?} cannot name a segment: {reason}")]
    InvalidName {
        /// The name as it was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The name is longer than the file system takes.
    #[error("the segment name is {length} bytes long, the limit is {limit}: choose a shorter one")]
    NameTooLong {
        /// Its length in bytes.
        length: usize,
        /// The most that is possible, in bytes.
        limit: usize,
    },
    /// `create` found a segment of that name that is in use, or that is persistent.
    #[error(
        "segment {name:?} exists already: use open or open_or_create to join it, or unlink it first"
    )]
    AlreadyExists {
        /// The segment's name.
        name: String,
    },
    /// `open` found no segment of that name, or only one whose users have all died.
    #[error(
        "there is no segment {name:?}: it was not created yet (open_or_create does that), or all its \
         users have gone"
    )]
    NotFound {
        /// The segment's name.
        name: String,
    },
    /// The file's owner or mode keeps this user out.
    #[error(
        "permission denied for {}: its creator has to allow more with SegmentOptions::mode, or use \
         read_only if its mode allows reading", path.display()
    )]
    PermissionDenied {
        /// The segment's file.
        path: PathBuf,
    },
    /// Something of that name exists that is no segment of this library.
    #[error("{} is not an outlive segment ({found}): choose another name", path.display())]
    NotASegment {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// The file is shorter than its header says.
    #[error(
        "{} is cut short: its header says {expected} bytes, the file has {actual}; \
         unlink it and create it anew", path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The bytes that there should be.
        expected: u64,
        /// The bytes that there are.
        actual: u64,
    },
    /// The segment was made on a machine of the other byte order.
    #[error("{} was written with the other byte order: this machine cannot use it", path.display())]
    ForeignEndianness {
        /// The file.
        path: PathBuf,
    },
    /// The segment was made by a version of this library with another format.
    #[error(
        "{} has format version {found}, this build uses {supported}: build all its users with \
         one version of outlive", path.display()
    )]
    VersionMismatch {
        /// The file.
        path: PathBuf,
        /// The segment's version.
        found: u32,
        /// The version that this build reads and writes.
        supported: u32,
    },
    /// The version is the same, but the structures are laid out otherwise.
    #[error(
        "{} was laid out by a differing build (stamp {found:#018x}, here {expected:#018x}): \
         build all its users with one version of outlive for one architecture", path.display()
    )]
    LayoutMismatch {
        /// The file.
        path: PathBuf,
        /// The stamp in the segment.
        found: u64,
        /// The stamp of this build.
        expected: u64,
    },
    /// The segment's creator lives in another PID namespace, so that thread ids, by which the
    /// kernel recognises a dead lock holder, would be mistaken for one another.
    #[error(
        "{} was created in another PID namespace, in which thread ids mean other threads: \
         run its users in one (containers: --pid=host or a shared one)", path.display()
    )]
    ForeignPidNamespace {
        /// The file.
        path: PathBuf,
    },
    /// Bytes in the segment contradict each other.
    #[error("{segment} is damaged: {what}; unlink it and create it anew")]
    Corrupt {
        /// The segment's file or kind.
        segment: String,
        /// What was found.
        what: &'static str,
    },
    /// The shared-memory file system is full.
    #[error(
        "no space for {needed} bytes in {}: free shared memory (df shows it, Segment::gc removes \
         stale segments) or ask for less", path.display()
    )]
    NoSpace {
        /// The file, or the directory for one that has no name.
        path: PathBuf,
        /// The bytes asked for.
        needed: u64,
    },
    /// A capacity that cannot be had.
    #[error(
        "a capacity of {capacity} bytes is not possible: it has to be from {minimum} to {maximum}"
    )]
    InvalidCapacity {
        /// What was asked for, in bytes.
        capacity: u64,
        /// The least, in bytes.
        minimum: u64,
        /// The most, in bytes.
        maximum: u64,
    },
    /// Options contradict each other or the call.
    #[error("{what}")]
    InvalidOptions {
        /// Which, and what to do.
        what: &'static str,
    },
    /// Others kept the segment in a state of coming or going for longer than the limit.
    #[error("segment {name:?} is held by processes that come and go or are stopped; try again")]
    Busy {
        /// The segment's name.
        name: String,
    },
    /// The segment's memory could not be locked.
    #[error("{0}; raise the limit of locked memory (ulimit -l, RLIMIT_MEMLOCK) or do without")]
    MemoryLock(OsError),
    /// The key of a segment to pass on holds something that it cannot.
    #[error("{key:?} cannot be a key: use letters, digits, '-' and '_', at least one")]
    InvalidKey {
        /// The key as it was given.
        key: String,
    },
    /// Nothing was passed on under that key.
    #[error(
        "no segment was passed to this process as {key:?}: its parent has to call Segment::pass_to"
    )]
    NotInherited {
        /// The key.
        key: String,
    },
    /// Any other failure of the kernel's.
    #[error(transparent)]
    Os(#[from] OsError),
}
