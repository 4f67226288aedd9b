//! What the tasks of a group wait for, and whose turn it is. Plain data under the group's lock.
//!
//! Nothing of a task's is dropped in here: the last of its wakers takes the task along, and the task
//! its futures, which come back to the group. Wakers are handed to the caller, who lets go of the lock
//! first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use crate::error::LockError;
use crate::os::descriptor;
use crate::sync::wait_any::Wait;

/// A thing that is waited for, on behalf of a task.
pub(crate) type Watch = Arc<dyn Wait + Send + Sync>;

/// Whether to try is worthwhile, as [`Wait::is_ready`], for descriptors as well.
pub(super) fn is_ready(watch: &(impl Wait + ?Sized)) -> Result<bool, LockError> {
    match watch.descriptor() {
        Some(fd) => {
            Ok(descriptor::readable(&[fd], Some(std::time::Duration::ZERO))?.contains(&true))
        }
        None => watch.is_ready(),
    }
}

/// A task that waits.
struct Waiter {
    watch: Watch,
    waker: Waker,
}

/// All tasks that wait at one place: for them, the same words change.
struct Source {
    /// In the order in which they came.
    waiters: BTreeMap<u64, Waiter>,
    /// The one that was told to go on, by its number, and when.
    turn: Option<(u64, u64)>,
    /// Of whoever came last: it names the words, and passes wake-ups on.
    watch: Watch,
    words: usize,
}

/// What is to be done when the lock is free again, in this order.
#[derive(Default)]
#[must_use]
pub(super) struct Then {
    /// Whoever is to go on.
    pub(super) wake: Vec<Waker>,
    /// Wake-ups that nobody here needs.
    pub(super) pass_on: Vec<Watch>,
    /// Whether the thread has to look at what there is to sleep on.
    pub(super) ring: bool,
    /// Who does not wait any more.
    gone: Vec<Waker>,
}

impl Then {
    pub(super) fn has_woken(&self) -> bool {
        !self.wake.is_empty()
    }
}

/// How long it may be somebody's turn, in milliseconds, before the next one gets one as well.
const TURN: u64 = 100;

#[derive(Default)]
pub(super) struct Sources {
    /// By the address of the first word, or by number.
    sources: BTreeMap<usize, Source>,
    /// How many words these have.
    words: usize,
    next: u64,
}

impl Sources {
    /// How many words there are to sleep on if one more thing is added, at `key`, of so many.
    pub(super) fn words_with(&self, key: usize, words: usize) -> usize {
        self.words
            + self.sources.get(&key).map_or(words, |source| words.saturating_sub(source.words))
    }

    pub(super) fn has(&self, key: usize) -> bool {
        self.sources.contains_key(&key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// One more that waits. Returns its number.
    pub(super) fn add(&mut self, key: usize, watch: Watch, waker: Waker) -> u64 {
        let number = self.next;
        self.next += 1;
        let words = watch.words();
        let source = self.sources.entry(key).or_insert_with(|| Source {
            waiters: BTreeMap::new(),
            turn: None,
            watch: Arc::clone(&watch),
            words: 0,
        });
        source.watch = Arc::clone(&watch);
        self.words += words.saturating_sub(source.words);
        source.words = source.words.max(words);
        source.waiters.insert(number, Waiter { watch, waker });
        number
    }

    /// Whether that one still waits; with `waker`, from now on. Else it may go on.
    pub(super) fn renew(&mut self, key: usize, number: u64, waker: &Waker) -> (bool, Then) {
        let mut then = Then::default();
        let waiter = self.sources.get_mut(&key).and_then(|s| s.waiters.get_mut(&number));
        let waits = waiter.is_some();
        if let Some(waiter) = waiter
            && !waiter.waker.will_wake(waker)
        {
            then.gone.push(std::mem::replace(&mut waiter.waker, waker.clone()));
        }
        (waits, then)
    }

    /// Tells those who can go on at a place: all, or the first if it may leave nothing to the next.
    pub(super) fn look(&mut self, key: usize, now: u64) -> Then {
        let mut then = Then::default();
        let Some(source) = self.sources.get_mut(&key) else { return then };
        if source.turn.is_some() {
            return then;
        }
        let mut told = Vec::new();
        for (number, waiter) in &source.waiters {
            let ready = is_ready(&*waiter.watch);
            if ready == Ok(false) {
                continue;
            }
            told.push(*number);
            // An error it finds itself when it tries, and so does everybody else.
            if ready == Ok(true) && !waiter.watch.is_for_all() {
                source.turn = Some((*number, now));
                break;
            }
        }
        let told = told.iter().filter_map(|number| source.waiters.remove(number));
        then.wake.extend(told.map(|waiter| waiter.waker));
        then
    }

    /// That one does not wait any more. If it was its turn, the next one is looked for. Did it take
    /// what it waited for (`took`), then its wake-up has served.
    pub(super) fn done(&mut self, key: usize, number: u64, took: bool, now: u64) -> Then {
        let mut then = Then::default();
        let Some(source) = self.sources.get_mut(&key) else { return then };
        let waiter = source.waiters.remove(&number);
        if source.turn.is_some_and(|(whose, _)| whose == number) {
            source.turn = None;
            then = self.look(key, now);
            let ended = self.sources.get(&key).is_none_or(|source| source.waiters.is_empty());
            if !then.has_woken() {
                if !ended {
                    then.ring = true;
                } else if let Some(source) = self.remove(key)
                    && !took
                {
                    then.pass_on.push(source.watch);
                }
            }
        } else if source.waiters.is_empty() && source.turn.is_none() {
            // The thread may have been woken for it: it finds out, see `sweep`.
            then.ring = true;
        }
        then.gone.extend(waiter.map(|waiter| waiter.waker));
        then
    }

    /// Removes places at which nobody waits any more, and ends turns that were not used: that task is
    /// not being run.
    pub(super) fn sweep(&mut self, now: u64) -> Then {
        let mut then = Then::default();
        for source in self.sources.values_mut() {
            if source.turn.is_some_and(|(_, since)| now.saturating_sub(since) >= TURN) {
                source.turn = None;
            }
        }
        let unused: Vec<usize> = self
            .sources
            .iter()
            .filter(|(_, source)| source.waiters.is_empty() && source.turn.is_none())
            .map(|(key, _)| *key)
            .collect();
        let unused = unused.into_iter().filter_map(|key| self.remove(key));
        then.pass_on.extend(unused.map(|source| source.watch));
        then
    }

    fn remove(&mut self, key: usize) -> Option<Source> {
        let removed = self.sources.remove(&key)?;
        self.words -= removed.words;
        Some(removed)
    }

    /// What there is to sleep on. While it is somebody's turn, nobody has to be woken there.
    pub(super) fn watched(&self) -> Vec<(usize, Watch)> {
        let free = self.sources.iter().filter(|(_, source)| source.turn.is_none());
        free.map(|(key, source)| (*key, Arc::clone(&source.watch))).collect()
    }
}
