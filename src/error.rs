//! The errors of every family: what happened, to which object, and what to do about it.

mod list;
mod loans;
mod map;
mod namespace;
mod pipe;
#[cfg(feature = "process")]
mod pool;
#[cfg(feature = "process")]
mod process;
mod service;
mod task;
#[cfg(feature = "serde")]
mod typed;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use list::{ListError, ListInsertError};
pub use loans::{LoanError, ReceiveError};
pub use map::InsertError;
pub use namespace::NamespaceError;
pub use pipe::{AcceptError, ConnectError, ListenError, PipeError, PipeRecvError, PipeSendError};
#[cfg(feature = "process")]
pub use pool::{PoolError, TaskError, WorkerEnd};
#[cfg(feature = "process")]
pub use process::{JoinError, PanicLocation, ScopeError, StartError};
pub use service::{CallError, ReplyError, ServeError, ServiceError};
pub use task::TaskJoinError;
#[cfg(feature = "serde")]
pub use typed::{TypedCallError, TypedRecvError, TypedSendError};

/// A system call that failed: which one, on what, and the kernel's errno.
// Boxed, so that results which may hold one stay small on the paths that are to be fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsError(Box<Failure>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    call: &'static str,
    errno: i32,
    subject: Option<String>,
}

impl OsError {
    pub(crate) fn new(call: &'static str, errno: i32) -> Self {
        Self(Box::new(Failure { call, errno, subject: None }))
    }

    /// The error of the call that has just failed on this thread.
    pub(crate) fn last(call: &'static str) -> Self {
        Self::new(call, io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }

    /// What the standard library says of a call of its own.
    #[cfg(feature = "process")]
    pub(crate) fn from_io(call: &'static str, error: &io::Error) -> Self {
        /// What the library refuses without asking the kernel.
        const EINVAL: i32 = 22;
        Self::new(call, error.raw_os_error().unwrap_or(EINVAL))
    }

    pub(crate) fn on(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// The system call, named as its manual page is.
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.0.call
    }

    /// The error number (`ENOSPC` and the like, see errno(3)).
    #[must_use]
    pub fn errno(&self) -> i32 {
        self.0.errno
    }
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.call())?;
        if let Some(subject) = &self.0.subject {
            write!(f, " on {subject}")?;
        }
        write!(f, " failed: {}", io::Error::from_raw_os_error(self.errno()))
    }
}

impl std::error::Error for OsError {}

impl From<OsError> for io::Error {
    fn from(error: OsError) -> Self {
        io::Error::from_raw_os_error(error.errno())
    }
}

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

/// Why a named object could not be found, created or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The name is empty, too long or holds a zero byte.
    #[error("{name:?} cannot name an object: it needs 1 to {limit} bytes, none of them zero")]
    InvalidName {
        /// The name as it was given.
        name: String,
        /// The most bytes that a name may have.
        limit: usize,
    },
    /// No object of that name.
    #[error("there is no object {name:?} in the segment (find_or_create makes it)")]
    NotFound {
        /// The object's name.
        name: String,
    },
    /// `create_object` found an object of that name.
    #[error("object {name:?} exists already: use find or find_or_create")]
    AlreadyExists {
        /// The object's name.
        name: String,
    },
    /// The object is of another kind or holds another type.
    #[error(
        "object {name:?} is of type {found}, but was opened as {expected}: use the same type in every \
         program, or another name"
    )]
    TypeMismatch {
        /// The object's name.
        name: String,
        /// The type in the segment.
        found: String,
        /// The type that was asked for.
        expected: String,
    },
    /// The object has another length or capacity than the one asked for.
    #[error(
        "object {name:?} has a {what} of {found}, but {expected} was asked for: use find to take it \
         as it is, or remove it first"
    )]
    ShapeMismatch {
        /// The object's name.
        name: String,
        /// `length`, `capacity`, ...
        what: &'static str,
        /// As it is in the segment.
        found: u64,
        /// As it was asked for.
        expected: u64,
    },
    /// The object's size cannot be expressed, or is zero.
    #[error("object {name:?} cannot be made: {what}")]
    InvalidShape {
        /// The object's name.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The segment's capacity is used up.
    #[error(
        "the segment has no room for the {needed} bytes of object {name:?}: create it with a larger \
         SegmentOptions::capacity (only what is used takes memory), or remove objects"
    )]
    SegmentFull {
        /// The object's name.
        name: String,
        /// The bytes it needs.
        needed: u64,
    },
    /// The shared-memory file system is full.
    #[error(
        "no shared memory left for the {needed} bytes of object {name:?}: free some (df shows it, \
         Segment::gc removes stale segments) or ask for less"
    )]
    NoSpace {
        /// The object's name.
        name: String,
        /// The bytes it needs.
        needed: u64,
    },
    /// The segment was opened read-only.
    #[error("the segment is read-only here: object {name:?} cannot be created or removed")]
    ReadOnly {
        /// The object's name.
        name: String,
    },
    /// Bytes in the segment contradict each other.
    #[error(
        "the segment is damaged at object {name:?}: {what}; unlink the segment and create it anew"
    )]
    Corrupt {
        /// The object's name.
        name: String,
        /// What was found.
        what: &'static str,
    },
    /// The directory's lock could not be had.
    #[error("the segment's directory cannot be locked: {0}")]
    Directory(LockError),
    /// Any other failure of the kernel's.
    #[error(transparent)]
    Os(#[from] OsError),
}

/// Who holds a lock. A snapshot: by the time that it is looked at, the lock may have moved on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The holding thread: gettid(2).
    pub thread_id: u32,
    /// Its process; None if it has ended by now, or /proc does not tell.
    pub process_id: Option<u32>,
    /// The process's command name, see proc_pid_comm(5).
    pub command: Option<String>,
    /// For at least how long it has been holding the lock, as those saw who waited for it. None if
    /// nobody had to wait yet.
    pub since: Option<Duration>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.process_id, &self.command) {
            (Some(process), Some(command)) => {
                write!(f, "process {process} ({command}), thread {}", self.thread_id)?;
            }
            _ => write!(f, "thread {}", self.thread_id)?,
        }
        if let Some(since) = self.since {
            write!(f, ", for at least {since:.1?}")?;
        }
        Ok(())
    }
}

fn held_by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| format!(": it is held by {holder}"))
}

/// Why a lock was not acquired, or was acquired from a dead holder, or why an object could not be
/// used otherwise. Which object it was is for the caller to add.
///
/// `G` is the guard that [`OwnerDied`](LockError::OwnerDied) hands over. Objects that repair
/// themselves never report a dead holder: their error is plain `LockError`, without a guard.
#[derive(thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockError<G = Infallible> {
    /// The lock is yours, but its last holder died or panicked with it: what it protects may be
    /// half-changed. Look at it, mend it, and call `mark_consistent`.
    #[error(
        "the last holder died or panicked while it held the lock: check the data, then call \
         mark_consistent"
    )]
    OwnerDied(G),
    /// A dead holder's lock was released without `mark_consistent`: it stays closed for good.
    #[error(
        "the lock was given up as inconsistent after its holder died: remove the object and create \
         it anew"
    )]
    NotRecoverable,
    /// The time given ran out.
    #[error("the lock was not released in time{}", held_by(holder.as_deref()))]
    TimedOut {
        /// Who holds it, if that is known.
        holder: Option<Box<Holder>>,
    },
    /// `try_lock` found the lock held.
    #[error("the lock is held at the moment")]
    WouldBlock,
    /// This thread holds the lock already.
    #[error("this thread holds the lock already and would wait for itself")]
    Deadlock,
    /// The segment was opened read-only.
    #[error("the segment was opened read-only, and this needs to write")]
    ReadOnly,
    /// This thread holds as many locks as the kernel watches over.
    #[error("this thread holds {limit} locks, more would not survive its death: release some")]
    TooManyLocks {
        /// The most locks that a thread can hold at a time.
        limit: usize,
    },
    /// Bytes in the segment that cannot be: the protected value is not one of its type.
    #[error("the shared bytes of {what} are not valid for its type: something else wrote them")]
    Corrupt {
        /// What was found.
        what: &'static str,
    },
    /// A system call failed.
    #[error(transparent)]
    Os(#[from] OsError),
}

impl<G> LockError<G> {
    /// The guard that came with [`OwnerDied`](Self::OwnerDied), not vouched for yet.
    ///
    /// # Errors
    ///
    /// Every other error, as one without a guard, which can be returned from anywhere.
    pub fn into_guard(self) -> Result<G, LockError> {
        match self {
            Self::OwnerDied(guard) => Ok(guard),
            Self::NotRecoverable => Err(LockError::NotRecoverable),
            Self::TimedOut { holder } => Err(LockError::TimedOut { holder }),
            Self::WouldBlock => Err(LockError::WouldBlock),
            Self::Deadlock => Err(LockError::Deadlock),
            Self::ReadOnly => Err(LockError::ReadOnly),
            Self::TooManyLocks { limit } => Err(LockError::TooManyLocks { limit }),
            Self::Corrupt { what } => Err(LockError::Corrupt { what }),
            Self::Os(error) => Err(LockError::Os(error)),
        }
    }
}

impl LockError {
    /// An error without a guard is an error with any.
    pub(crate) fn cast<G>(self) -> LockError<G> {
        match self {
            Self::OwnerDied(never) => match never {},
            Self::NotRecoverable => LockError::NotRecoverable,
            Self::TimedOut { holder } => LockError::TimedOut { holder },
            Self::WouldBlock => LockError::WouldBlock,
            Self::Deadlock => LockError::Deadlock,
            Self::ReadOnly => LockError::ReadOnly,
            Self::TooManyLocks { limit } => LockError::TooManyLocks { limit },
            Self::Corrupt { what } => LockError::Corrupt { what },
            Self::Os(error) => LockError::Os(error),
        }
    }
}

// By hand: a guard need not be Debug for the error to be.
impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(_) => f.write_str("OwnerDied(..)"),
            Self::NotRecoverable => f.write_str("NotRecoverable"),
            Self::TimedOut { holder } => {
                f.debug_struct("TimedOut").field("holder", holder).finish()
            }
            Self::WouldBlock => f.write_str("WouldBlock"),
            Self::Deadlock => f.write_str("Deadlock"),
            Self::ReadOnly => f.write_str("ReadOnly"),
            Self::TooManyLocks { limit } => {
                f.debug_struct("TooManyLocks").field("limit", limit).finish()
            }
            Self::Corrupt { what } => f.debug_struct("Corrupt").field("what", what).finish(),
            Self::Os(error) => f.debug_tuple("Os").field(error).finish(),
        }
    }
}

/// Why elements of an array could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// The range does not lie within the array.
    #[error("elements {start}..{end} are outside of the array of length {length}")]
    OutOfBounds {
        /// First element asked for.
        start: usize,
        /// One past the last.
        end: usize,
        /// The array's length.
        length: usize,
    },
    /// The array's lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why a message was not pushed. It is handed back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError<T> {
    /// `try_push` found the queue full.
    #[error("the queue is full")]
    Full(T),
    /// The queue was closed.
    #[error("the queue is closed")]
    Closed(T),
    /// The time given ran out with the queue still full.
    #[error("the queue stayed full for the whole time")]
    TimedOut(T),
    /// The producers' lock failed.
    #[error("{1}")]
    Lock(T, LockError),
}

impl<T> PushError<T> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(message)
            | Self::Closed(message)
            | Self::TimedOut(message)
            | Self::Lock(message, _) => message,
        }
    }
}

// By hand: a message need not be Debug for the error to be.
impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Closed(_) => f.write_str("Closed(..)"),
            Self::TimedOut(_) => f.write_str("TimedOut(..)"),
            Self::Lock(_, error) => f.debug_tuple("Lock").field(error).finish(),
        }
    }
}

/// Why a value was not set. It is handed back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetError<T> {
    /// It was set before.
    #[error("the value was set already: it can be set once only")]
    AlreadySet(T),
    /// The lock of who sets the value failed.
    #[error("{1}")]
    Lock(T, LockError),
}

impl<T> SetError<T> {
    /// The value that was not stored.
    pub fn into_inner(self) -> T {
        match self {
            Self::AlreadySet(value) | Self::Lock(value, _) => value,
        }
    }
}

// By hand: a value need not be Debug for the error to be.
impl<T> fmt::Debug for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadySet(_) => f.write_str("AlreadySet(..)"),
            Self::Lock(_, error) => f.debug_tuple("Lock").field(error).finish(),
        }
    }
}

/// Why no message was popped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PopError {
    /// `try_pop` found the queue empty.
    #[error("the queue is empty")]
    Empty,
    /// The queue is empty and closed: nothing will come any more.
    #[error("the queue is closed and empty")]
    Closed,
    /// The time given ran out with the queue still empty.
    #[error("the queue stayed empty for the whole time")]
    TimedOut,
    /// The consumers' lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why one side of a channel was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// A live thread has it.
    #[error("the channel has a {role}{}: there can be one at a time", held_by(holder.as_deref()))]
    Taken {
        /// "producer" or "consumer", "first end" or "second end".
        role: &'static str,
        /// Who has it, if that is known.
        holder: Option<Box<Holder>>,
    },
    /// The lock that stands for it failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why no permits were acquired from a semaphore, or released to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SemaphoreError {
    /// More permits were asked for than there can ever be.
    #[error(
        "{asked} permits were asked for, and the semaphore never has more than {bound}: waiting for \
         them would not end"
    )]
    TooMany {
        /// The permits asked for.
        asked: u64,
        /// The most that there may be.
        bound: u64,
    },
    /// `try_acquire` found too few permits.
    #[error("{asked} permits were asked for, {available} are available at the moment")]
    NoPermits {
        /// The permits asked for.
        asked: u64,
        /// Those that there were.
        available: u64,
    },
    /// `try_acquire` found enough permits, but as many holders as the semaphore has places for.
    #[error(
        "permits are held {limit} times, and the semaphore has no place for more: acquire several \
         permits as one, or wait"
    )]
    TooManyHolders {
        /// How many permits, of whatever count, can be held at a time.
        limit: usize,
    },
    /// The time given ran out.
    #[error(
        "{asked} permits could not be had in time, {available} are available: Semaphore::holders \
         tells who has the others"
    )]
    TimedOut {
        /// The permits asked for.
        asked: u64,
        /// Those that there were at the end.
        available: u64,
    },
    /// `release` would have put more permits into circulation than there may be.
    #[error(
        "releasing {released} permits would make more than the {bound} that there may be: {total} \
         are in circulation, and those that are held come back by themselves"
    )]
    OverRelease {
        /// The permits that were to be released.
        released: u64,
        /// Those in circulation, held or not.
        total: u64,
        /// The most that there may be.
        bound: u64,
    },
    /// The semaphore's lock, or the permit's own, failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why a party was not let through a barrier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BarrierError {
    /// The barrier is broken: a party died, gave up or panicked while it waited, or somebody called
    /// `abort` or `reset`.
    #[error(
        "the barrier is broken: a party died or gave up, or it was aborted or reset; once the \
         parties agree on going on, Barrier::reset mends it"
    )]
    Broken,
    /// The time given ran out; the barrier is broken for the others by that.
    #[error("the other parties did not arrive in time, and the barrier is broken now")]
    TimedOut,
    /// The barrier's lock, or the party's own, failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why several things could not be waited for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// An empty list, and no timeout.
    #[error("there is nothing to wait for, and no timeout")]
    Nothing,
    /// More than the kernel can wait for at once.
    #[error(
        "these things have {count} words to wait on, the limit is {limit} (an event has one, a lock \
         or a queue two, a descriptor none): wait for fewer, or in several threads"
    )]
    TooMany {
        /// How many words they have.
        count: usize,
        /// The most that is possible.
        limit: usize,
    },
    /// The bridge's thread is its maker's, and this process was forked from that one.
    #[error("this bridge belongs to the process that this one was forked from: make a new one")]
    Forked,
    /// One of the things cannot be waited for.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A system call failed.
    #[error(transparent)]
    Os(#[from] OsError),
}

/// Why no bytes were pushed to a byte queue, or no room for them was granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BytePushError {
    /// The message is larger than the queue ever takes.
    #[error(
        "a message of {length} bytes never fits, the largest that does has {largest}: send it in \
         parts, or create the queue with a larger capacity"
    )]
    TooLong {
        /// The message's length in bytes.
        length: usize,
        /// The length of the largest message, in bytes.
        largest: usize,
    },
    /// `try_push` or `try_grant` found too little room.
    #[error("the queue is full")]
    Full,
    /// The queue was closed.
    #[error("the queue is closed")]
    Closed,
    /// The time given ran out without enough room.
    #[error("there was not enough room in the queue for the whole time")]
    TimedOut,
    /// The producers' lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why nothing was received from a broadcast.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// `try_recv` found nothing new.
    #[error("there is no new message")]
    Empty,
    /// Messages were overwritten before this subscriber received them. The next call goes on with the
    /// oldest one that is there.
    #[error("{missed} messages were overwritten before they were received")]
    Lagged {
        /// How many.
        missed: u64,
    },
    /// The channel is closed, and everything was received.
    #[error("the channel is closed, and all its messages were received")]
    Closed,
    /// The time given ran out without a new message.
    #[error("there was no new message for the whole time")]
    TimedOut,
    /// The subscriber's own lock failed, or bytes in the segment cannot be.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why a thread did not become a subscriber.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// All places are taken, by live subscribers.
    #[error("there are {limit} subscribers, as many as the channel has places for")]
    NoPlace {
        /// The most subscribers at a time.
        limit: usize,
    },
    /// A lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}
