//! Waiting in a task: a thread of this process sleeps for all of its tasks, and wakes each one's waker
//! when it can go on. It knows no runtime.
//!
//! # How
//!
//! A future tries. If that is not to be, it adds itself to a group: what it waits for (`Watch`), and
//! its waker. The group's thread announces sleepers at all places where tasks wait, runs
//! `membarrier::heavy`, looks at all of them, and sleeps on all their words at once (futex_waitv), just
//! as `sync::wait_any` does. Whoever is ready is told to go on, which means to try again. The thread
//! takes nothing for anybody, so a future that is dropped has taken nothing.
//!
//! Words of a group, private to the process:
//!
//! | word | |
//! |---|---|
//! | `state` | under a lock: who waits where, and whether the thread is `asleep` |
//! | `bell` | counts, under that lock, what the thread has to look at. It sleeps on this word as well |
//!
//! A task adds itself and counts `bell` on; the thread reads `bell` before it looks at who waits. So
//! either the thread sees the task before it sleeps, and looks at what it waits for after having
//! announced it, or it finds `bell` changed and does not sleep. Only a thread that is `asleep` has to
//! be woken.
//!
//! # One at a time
//!
//! Tasks of a process that wait for the same (the same first word) have one place, whose words are
//! slept on once. Where what makes them ready is used up by the first that goes on, only one of them is
//! told, in the order in which they came: it is its turn until it has tried, or was dropped. Then the
//! next is told, by whoever ends the turn, if there is still something to be had; else the thread sleeps
//! there again. So a message wakes one task, and ten messages wake ten, each by the one before it. A
//! turn that was not used within 100 ms, because its task is not being run, ends when the thread looks
//! next, after 100 ms more at the latest. A wake-up that nobody in this process needed any more is passed
//! on to other processes.
//!
//! # Groups
//!
//! futex_waitv takes 128 words, so there may be several groups, each with its thread. Things with
//! a descriptor have a group whose thread polls instead. A thread that had nothing to sleep for during
//! two seconds ends.
//!
//! # What a death leaves behind
//!
//! What `sync::wait_any` does: flags that say that somebody may sleep. If a wake-up for one died with the
//! process, others that sleep look for themselves after 100 ms.
//!
//! # Forks
//!
//! A forked child has no threads but one, and perhaps locks that the others held. It makes groups of
//! its own when it needs them (`os::per_process`), and leaves its parent's alone, futures that were
//! added to them included: these add themselves anew when they are polled in the child.

mod group;
mod sources;
mod wait;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::thread;

use crate::error::OsError;
use crate::os::descriptor::{self, Flag};
use crate::os::per_process::{PerProcess, generation};
use crate::sync::wait_any::Words;

pub(crate) use group::Group;
pub(crate) use sources::Watch;
pub use wait::wait_async;
pub(crate) use wait::{Reason, Waits, is_free_soon};

/// This process's groups, those of descriptors included.
type Groups = Mutex<Vec<Arc<Group>>>;

static GROUPS: PerProcess<Groups> = PerProcess::new();

/// A task's place in a group.
pub(crate) struct Registration {
    group: Arc<Group>,
    key: usize,
    number: u64,
    generation: u32,
}

impl Registration {
    /// In a certain group, which has room.
    #[cfg(all(test, loom))]
    pub(crate) fn within(group: &Arc<Group>, watch: &Watch, waker: &Waker) -> Option<Self> {
        let key = key(watch);
        let number = group.try_add(key, watch, waker, false)?;
        Some(Self { group: Arc::clone(group), key, number, generation: generation() })
    }

    /// Whether the process is the one in which this was made.
    fn is_ours(&self) -> bool {
        self.generation == generation()
    }

    /// Whether this still waits, from now on with `waker`. Else its task may go on.
    pub(crate) fn waits(&self, waker: &Waker) -> bool {
        self.is_ours() && self.group.renew(self.key, self.number, waker)
    }

    /// Ends it. `took` says whether the task has got what it waited for, so that nobody else needs its
    /// wake-up.
    pub(crate) fn end(self, took: bool) {
        if self.is_ours() {
            self.group.done(self.key, self.number, took);
        }
    }
}

/// The same for all who wait at the same place.
fn key(watch: &Watch) -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let mut words = Words::default();
    // Who has an error goes on at once, wherever it is.
    let _error = watch.announce(&mut words);
    match words.pairs().first() {
        Some((word, _)) => std::ptr::from_ref(*word).addr(),
        None => NUMBER.fetch_add(1, Ordering::Relaxed),
    }
}

/// Adds a task that waits. Its waker is called once it should try; at once if it should already.
pub(crate) fn register(watch: &Watch, waker: &Waker) -> Result<Registration, OsError> {
    let polls = watch.descriptor().is_some();
    let key = key(watch);
    let groups = GROUPS.get(Groups::default);
    // What is done under the lock is one operation on the list each.
    let mut known = groups.lock().unwrap_or_else(PoisonError::into_inner);
    // Where others wait for the same, before anywhere else.
    for only_there in [true, false] {
        for group in known.iter().filter(|group| group.polls() == polls) {
            if let Some(number) = group.try_add(key, watch, waker, only_there) {
                let group = Arc::clone(group);
                return Ok(Registration { group, key, number, generation: generation() });
            }
        }
    }
    let group =
        Arc::new(if polls { Group::of_descriptors(Flag::new()?) } else { Group::of_words() });
    let number = group
        .try_add(key, watch, waker, false)
        .ok_or(OsError::new("futex_waitv", descriptor::TOO_MANY))?;
    start(groups, &group)?;
    known.push(Arc::clone(&group));
    Ok(Registration { group, key, number, generation: generation() })
}

fn start(groups: &'static Groups, group: &Arc<Group>) -> Result<(), OsError> {
    let group = Arc::clone(group);
    thread::Builder::new()
        .name("outlive-async".to_owned())
        .spawn(move || run(groups, &group))
        .map(drop)
        .map_err(|error| OsError::new("pthread_create", error.raw_os_error().unwrap_or(0)))
}

/// The thread.
fn run(groups: &Groups, group: &Arc<Group>) {
    // Should it fail, a handler runs in this thread instead of another one.
    let _unblocked = descriptor::block_signals();
    let mut checked = 0;
    loop {
        group.turn(&mut checked);
        if group.is_idle() {
            let mut known = groups.lock().unwrap_or_else(PoisonError::into_inner);
            if group.end_if_idle() {
                known.retain(|other| !Arc::ptr_eq(other, group));
                return;
            }
        }
    }
}
