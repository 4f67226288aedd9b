//! Locks and signals between processes.

mod barrier;
mod condvar;
mod event;
mod mutex;
mod once;
#[cfg(feature = "async")]
pub(crate) mod reactor;
mod reentrant;
mod rwlock;
mod semaphore;
pub(crate) mod shares;
mod vouch;
pub(crate) mod wait_any;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use event::{Event, Reset};
pub use mutex::{Mutex, MutexGuard};
pub use once::{Once, OnceValue};
#[cfg(feature = "async")]
pub use reactor::wait_async;
pub use reentrant::{ReentrantMutex, ReentrantMutexGuard};
pub use rwlock::{ConvertError, RwLock, RwLockReadGuard, RwLockUpgradableGuard, RwLockWriteGuard};
pub use semaphore::{Permit, Semaphore};
pub use wait_any::{Available, Bridge, ChildProcess, Waitable, wait_any, wait_some};
