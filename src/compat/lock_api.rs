//! `lock_api`'s traits on the robust mutex.
//!
//! `lock_api` keeps the lock beside the data, in memory of the program's own, makes it by a constant,
//! and has no way to say that a holder died. A robust lock lies in a segment, where the kernel can
//! find it after any death, and has all of that to say. So what stands beside the data is a handle:
//! made by the constant it is for this process and those that it forks, made from a
//! [`Mutex`](crate::Mutex) it is for all who open that. The data stay the process's own, which is
//! why the death of another process leaves nothing half-changed in them, and taking over is all that
//! there is to do.
//!
//! `RawRwLock` is not implemented: `unlock_shared` is not told which reader leaves, and a robust
//! reader is one lock word among many. Nor is `ReentrantMutex`, whose owner and depth `lock_api` keeps
//! where a death does not reset them.
#![allow(unsafe_code)] // the trait's unlock is unsafe

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lock_api::GuardNoSend;

use crate::error::{LockError, ObjectError, SegmentError};
use crate::layout;
use crate::raw::deadline::Deadline;
use crate::raw::lock::{Acquired, Release};
use crate::segment::Segment;
use crate::segment::region::Located;
use crate::shared::Shared;
use crate::sync::Mutex;

/// A robust mutex between processes for code that is generic over `lock_api::RawMutex`.
///
/// The data beside it are this process's own: it is for guarding what lies outside of memory (a file,
/// a device), or in memory that the program shares by other means. For data in a segment use
/// [`Mutex`](crate::Mutex).
///
/// ```
/// use outlive::compat::RawMutex;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let segment = outlive::Segment::anonymous()?;
/// let lock = segment.mutex("log", 0_u8)?; // by this name in every process
/// let log = lock_api::Mutex::from_raw(RawMutex::new(&lock)?, std::io::sink());
/// *log.lock() = std::io::sink();
///
/// // One for this process and its forked children.
/// static HERE: lock_api::Mutex<RawMutex, u32> = lock_api::Mutex::new(0);
/// *HERE.lock() += 1;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// Where the trait leaves no other way: if this thread holds the lock already, if it holds more locks
/// than the kernel watches over, if the mutex was given up as inconsistent by somebody who uses it
/// directly, and if a lock made by the constant gets no memory at its first use.
///
/// # Crash behaviour
///
/// A dead holder's lock goes to the next one at once. [`owner_died`](Self::owner_died) tells it; the
/// data beside the lock are its own and whole.
pub struct RawMutex {
    node: OnceLock<Located<layout::Mutex>>,
    /// Of the current holder: whether the one before died.
    owner_died: AtomicBool,
}

impl fmt::Debug for RawMutex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMutex").field("node", &self.node.get()).finish_non_exhaustive()
    }
}

/// A segment for one lock needs no more.
const ROOM: u64 = 2 * 4096;

fn private() -> Result<Mutex<u8>, String> {
    let segment = Segment::options().capacity(ROOM).anonymous();
    let segment = segment.map_err(|error: SegmentError| error.to_string())?;
    segment.mutex("lock", 0).map_err(|error: ObjectError| error.to_string())
}

impl RawMutex {
    /// The lock of a mutex in a segment, whose data this leaves alone.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    pub fn new<T: Shared>(mutex: &Mutex<T>) -> Result<Self, LockError> {
        mutex.located().writable()?;
        let node = OnceLock::from(mutex.located().clone());
        Ok(Self { node, owner_died: AtomicBool::new(false) })
    }

    /// For the holder: whether the lock came to it from one that died.
    pub fn owner_died(&self) -> bool {
        self.owner_died.load(Ordering::Relaxed)
    }

    fn node(&self) -> &layout::Mutex {
        self.node.get_or_init(|| match private() {
            Ok(mutex) => mutex.located().clone(),
            Err(error) => panic!("no memory for a lock: {error}"),
        })
    }

    /// False if it is held.
    fn settle(&self, acquired: Result<Acquired, LockError>) -> bool {
        match acquired {
            Ok(acquired) => {
                let died = acquired == Acquired::OwnerDied;
                if died {
                    self.node().lock.mark_consistent();
                }
                self.owner_died.store(died, Ordering::Relaxed);
                true
            }
            Err(LockError::WouldBlock | LockError::TimedOut { .. }) => false,
            Err(error) => panic!("a lock of lock_api: {error}"),
        }
    }
}

// SAFETY: the robust lock excludes everybody else from its acquisition to its release, in this process
// and in others.
unsafe impl lock_api::RawMutex for RawMutex {
    // A constant with an interior that changes is what the trait wants.
    #[allow(clippy::declare_interior_mutable_const)]
    const INIT: Self = Self { node: OnceLock::new(), owner_died: AtomicBool::new(false) };

    /// The kernel watches the thread that locked.
    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        self.settle(self.node().lock.lock(Deadline::NEVER));
    }

    fn try_lock(&self) -> bool {
        match self.node().lock.try_lock() {
            // As the trait has it: held, by whomever.
            Err(LockError::Deadlock) => false,
            other => self.settle(other),
        }
    }

    unsafe fn unlock(&self) {
        self.node().lock.unlock(Release::Clean);
    }

    fn is_locked(&self) -> bool {
        self.node().lock.holder_id().is_some()
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawMutexTimed for RawMutex {
    type Duration = Duration;
    type Instant = Instant;

    fn try_lock_for(&self, timeout: Duration) -> bool {
        self.settle(self.node().lock.lock(Deadline::after(timeout)))
    }

    fn try_lock_until(&self, end: Instant) -> bool {
        self.try_lock_for(end.saturating_duration_since(Instant::now()))
    }
}
