//! The way back: a descriptor that tells a poll loop that something of ours is ready.
//!
//! # States
//!
//! `state`, a word of this process:
//!
//! | state | meaning | next |
//! |---|---|---|
//! | `ARMED` | the thread waits for the things | the thread: `FIRED`; who drops it: `ENDED` |
//! | `FIRED` | something was ready; the descriptor is readable | `rearm`: `ARMED`; who drops it: `ENDED` |
//! | `ENDED` | the thread ends | none |

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::process;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::{Wait, Waitable, Words, wait_some};
use crate::error::{LockError, OsError, WaitError};
use crate::os::descriptor::{self, Flag};
use crate::seam::atomic::AtomicU32;
use crate::seam::futex;

const ARMED: u32 = 0;
const FIRED: u32 = 1;
const ENDED: u32 = 2;

/// A descriptor that becomes readable when one of several things is ready: for loops around poll(2)
/// or epoll(7), and for asynchronous runtimes.
///
/// A thread of this process waits for the things, as [`wait_any`](crate::wait_any) does. When
/// something is ready, the descriptor becomes readable, and the thread rests until
/// [`rearm`](Self::rearm): one shot each. Dropping the bridge ends the thread.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{Bridge, Segment, wait_any};
///
/// let jobs = Segment::anonymous()?.queue::<u64>("jobs", 100)?;
/// let bridge = Bridge::new(vec![Box::new(jobs.readable())])?;
/// jobs.push(7)?;
/// // In its place: poll(2), epoll(7), tokio's AsyncFd, ...
/// wait_any(&[&bridge], None)?;
/// assert_eq!(bridge.ready(), [0]);
/// assert_eq!(jobs.drain().collect::<Result<Vec<_>, _>>()?, [7]); // all that there is, then
/// bridge.rearm()?;
/// # Ok(())
/// # }
/// ```
///
/// # Crash behaviour
///
/// That of [`wait_any`](crate::wait_any).
///
/// # Forks
///
/// The thread is the process's that made the bridge. In a forked child, the descriptor still tells
/// what goes on in the parent; `ready` is empty, `rearm` is an error, and dropping the
/// bridge ends nothing.
pub struct Bridge {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    process: u32,
}

struct Shared {
    state: AtomicU32,
    flag: Flag,
    /// What the thread found when it fired. Locked while the state and the flag change together.
    found: Mutex<Result<Vec<usize>, WaitError>>,
}

/// Wakes the thread when it is to end.
struct End(Arc<Shared>);

#[allow(private_interfaces)] // sealed
impl Wait for End {
    fn words(&self) -> usize {
        1
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        Ok(self.0.state.load(Ordering::Relaxed) == ENDED)
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.push((&self.0.state, ARMED));
        Ok(())
    }
}

impl Bridge {
    /// Starts to wait for these things.
    ///
    /// # Errors
    ///
    /// Those of [`wait_any`](crate::wait_any), except that there may be one word less, and
    /// [`Os`](WaitError::Os) if there can be no thread or no descriptor.
    pub fn new(waitables: Vec<Box<dyn Waitable + Send + Sync>>) -> Result<Self, WaitError> {
        let shared = Arc::new(Shared {
            state: AtomicU32::new(ARMED),
            flag: Flag::new()?,
            found: Mutex::new(Ok(Vec::new())),
        });
        let end = End(Arc::clone(&shared));
        if waitables.is_empty() {
            return Err(WaitError::Nothing);
        }
        // Finds at once what is an error every time.
        wait_some(&with_end(&waitables, &end), Some(std::time::Duration::ZERO))?;
        let thread = thread::Builder::new()
            .name("outlive-bridge".to_owned())
            .spawn(move || run(&waitables, &end))
            .map_err(|error| OsError::new("pthread_create", error.raw_os_error().unwrap_or(0)))?;
        Ok(Self { shared, thread: Some(thread), process: process::id() })
    }

    /// The indices of the things that were ready when the descriptor became readable. Empty before
    /// that, and after an error, which [`rearm`](Self::rearm) returns.
    #[must_use]
    pub fn ready(&self) -> Vec<usize> {
        if self.process != process::id() {
            return Vec::new(); // the fork may have copied a lock that is held
        }
        self.shared.found().clone().unwrap_or_default()
    }

    /// Waits anew: the descriptor is not readable any more, until something is ready again, which may
    /// be at once. To be called after what was ready was dealt with. Without effect while the
    /// descriptor is not readable.
    ///
    /// # Errors
    ///
    /// What kept the thread from waiting; it tries again. [`Forked`](WaitError::Forked).
    pub fn rearm(&self) -> Result<(), WaitError> {
        if self.process != process::id() {
            return Err(WaitError::Forked);
        }
        let mut found = self.shared.found();
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        if self.shared.state.compare_exchange(FIRED, ARMED, success, failure).is_err() {
            return Ok(());
        }
        self.shared.flag.lower();
        futex::wake(&self.shared.state, futex::ALL);
        std::mem::replace(&mut *found, Ok(Vec::new())).map(drop)
    }
}

impl Shared {
    fn found(&self) -> std::sync::MutexGuard<'_, Result<Vec<usize>, WaitError>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_end<'a>(
    waitables: &'a [Box<dyn Waitable + Send + Sync>],
    end: &'a End,
) -> Vec<&'a dyn Waitable> {
    let mut all: Vec<&dyn Waitable> = vec![end];
    all.extend(waitables.iter().map(|waitable| &**waitable as &dyn Waitable));
    all
}

/// The thread.
fn run(waitables: &[Box<dyn Waitable + Send + Sync>], end: &End) {
    // Should it fail, a handler runs in this thread instead of another one.
    let _unblocked = descriptor::block_signals();
    let shared = &end.0;
    let all = with_end(waitables, end);
    loop {
        match shared.state.load(Ordering::Relaxed) {
            ARMED => {}
            FIRED => {
                futex::wait(&shared.state, FIRED, futex::RECHECK);
                continue;
            }
            _ => return,
        }
        let found = wait_some(&all, None);
        if matches!(&found, Ok(ready) if ready.first() == Some(&0)) {
            return;
        }
        let mut told = shared.found();
        // Without the first one, which is ours.
        *told = found.map(|ready| ready.iter().map(|index| index - 1).collect());
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        if shared.state.compare_exchange(ARMED, FIRED, success, failure).is_ok() {
            shared.flag.raise();
        }
    }
}

impl AsFd for Bridge {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.flag.as_fd()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if self.process != process::id() {
            return; // it is not in this process
        }
        self.shared.state.store(ENDED, Ordering::Relaxed);
        futex::wake(&self.shared.state, futex::ALL);
        let _panicked = thread.join();
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("descriptor", &self.as_fd())
            .field("ready", &self.ready())
            .finish_non_exhaustive()
    }
}
