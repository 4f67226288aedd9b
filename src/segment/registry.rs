//! What this process has attached and which objects it uses: private, and right after a fork too.
//!
//! The kernel's locks on a segment's file belong to the open file description, which a forked child
//! shares with its parent: what the one unlocks, the other loses. So the child opens each file anew
//! and takes the locks again, before it runs anything else. For that, one mutex guards all of this,
//! and a fork waits for it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use crate::error::OsError;
use crate::os::{hooks, shm};

/// A segment's file in this process.
#[derive(Debug)]
struct Attached {
    file: RawFd,
    writable: bool,
    /// Handles of this process to each object, by the object's index.
    pins: BTreeMap<u32, usize>,
}

/// By a number that is never used again.
type Registry = BTreeMap<u64, Attached>;

static REGISTRY: Mutex<(u64, Registry)> = Mutex::new((0, Registry::new()));

thread_local! {
    static FORKING: RefCell<Option<MutexGuard<'static, (u64, Registry)>>> =
        const { RefCell::new(None) };
}

fn registry() -> MutexGuard<'static, (u64, Registry)> {
    // Nothing in here is left half-done by a panic: each change is one map operation.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This process's membership in a segment. The file stays open for as long as it is registered.
#[derive(Debug)]
pub(crate) struct Membership(u64);

impl Membership {
    pub(crate) fn new(file: RawFd, writable: bool) -> Self {
        static HOOKS: Once = Once::new();
        HOOKS.call_once(|| {
            LazyLock::force(&START);
            // Without the hooks a forked child would share its parent's locks: only out of memory
            // brings that about.
            let _no_memory = hooks::at_fork(Some(prepare), Some(parent), Some(child));
        });
        let mut guard = registry();
        guard.0 += 1;
        let id = guard.0;
        guard.1.insert(id, Attached { file, writable, pins: BTreeMap::new() });
        Self(id)
    }

    /// One more handle to object `index`; the first one tells the other processes.
    pub(crate) fn pin(&self, index: u32) -> Result<(), OsError> {
        let mut guard = registry();
        let Some(attached) = guard.1.get_mut(&self.0) else { return Ok(()) };
        let count = attached.pins.entry(index).or_insert(0);
        if *count == 0
            && let Err(error) = shm::pin(borrow(attached.file), index)
        {
            attached.pins.remove(&index);
            return Err(error);
        }
        *count += 1;
        Ok(())
    }

    /// One handle less.
    pub(crate) fn unpin(&self, index: u32) {
        let mut guard = registry();
        let Some(attached) = guard.1.get_mut(&self.0) else { return };
        let Some(count) = attached.pins.get_mut(&index) else { return };
        *count -= 1;
        if *count == 0 {
            attached.pins.remove(&index);
            // A pin that cannot be taken back keeps a removed object's memory until detach.
            let _stays = shm::unpin(borrow(attached.file), index);
        }
    }

    /// Whether any process, this one included, uses object `index`.
    pub(crate) fn is_pinned(&self, index: u32) -> Result<bool, OsError> {
        let guard = registry();
        let Some(attached) = guard.1.get(&self.0) else { return Ok(true) };
        if attached.pins.contains_key(&index) {
            return Ok(true);
        }
        shm::pinned_by_others(borrow(attached.file), index)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        registry().1.remove(&self.0);
    }
}

#[allow(unsafe_code)] // registered numbers are open
fn borrow(file: RawFd) -> BorrowedFd<'static> {
    // SAFETY: a registered file is open: its owner drops the membership before the descriptor, and
    // callers hold the registry's lock.
    unsafe { BorrowedFd::borrow_raw(file) }
}

/// When this process forked last, in milliseconds since [`START`]; 0 if never.
static LAST_FORK: AtomicU64 = AtomicU64::new(0);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn now() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// How long a child usually takes from fork to exec, at most.
pub(crate) const FORK_TO_EXEC: Duration = Duration::from_millis(20);

/// How long ago this process forked last; None if it never did.
pub(crate) fn last_fork() -> Option<Duration> {
    let last = LAST_FORK.load(Ordering::Relaxed);
    (last != 0).then(|| Duration::from_millis(now().saturating_sub(last)))
}

extern "C" fn prepare() {
    let guard = registry();
    // A thread whose destructors have run forks without the lock.
    let _ended = FORKING.try_with(|forking| *forking.borrow_mut() = Some(guard));
}

extern "C" fn parent() {
    LAST_FORK.store(now(), Ordering::Relaxed);
    let _ended = FORKING.try_with(|forking| forking.borrow_mut().take());
}

extern "C" fn child() {
    let _ended = FORKING.try_with(|forking| {
        if let Some(guard) = forking.borrow_mut().take() {
            for attached in guard.1.values() {
                // Where /proc is missing the child goes on with its parent's locks.
                let _shared = become_independent(attached);
            }
        }
    });
}

/// Exchanges the description shared with the parent for one of this process, with the same locks.
fn become_independent(attached: &Attached) -> Result<(), OsError> {
    let old = borrow(attached.file);
    let new = shm::reopen(old, attached.writable)?;
    {
        use std::os::fd::AsFd;
        let new = new.as_fd();
        shm::try_hold(new, shm::Hold::Shared)?;
        for &index in attached.pins.keys() {
            shm::pin(new, index)?;
        }
        shm::replace(old, new)
    }
}
