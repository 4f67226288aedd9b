//! The tasks that one thread sleeps for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::task::Waker;
use std::time::Duration;

use super::sources::{Sources, Then, Watch};
use crate::os::descriptor::{self, Flag};
use crate::seam::atomic::AtomicU32;
use crate::seam::{Mutex, MutexGuard, clock, futex, membarrier};
use crate::sync::wait_any::Words;
use std::sync::atomic::Ordering;

/// Tasks, and what their thread sleeps on.
pub(crate) struct Group {
    state: Mutex<State>,
    /// Counts what the thread has to look at. It sleeps on this beside everything else, or, where
    /// there are descriptors, on the flag.
    bell: AtomicU32,
    flag: Option<Flag>,
}

#[derive(Default)]
struct State {
    sources: Sources,
    /// The thread sleeps, or is about to.
    asleep: bool,
    /// The thread has ended or is about to: nobody can be added.
    ended: bool,
    /// How often in a row the thread had nothing to sleep for.
    idle: u32,
}

/// The most words that things can have together: one is the bell.
pub(super) const MOST_WORDS: usize = futex::MOST - 1;

/// After so many sleeps for nothing the thread ends.
const MOST_IDLE: u32 = 20;

/// How often deaths are looked for that the kernel does not report, in milliseconds.
const RECHECK: u64 = futex::RECHECK.as_millis() as u64;

impl Group {
    pub(crate) fn of_words() -> Self {
        Self { state: Mutex::default(), bell: AtomicU32::new(0), flag: None }
    }

    /// For things that have a descriptor.
    pub(super) fn of_descriptors(flag: Flag) -> Self {
        Self { flag: Some(flag), ..Self::of_words() }
    }

    pub(super) fn polls(&self) -> bool {
        self.flag.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that could panic half-way runs under it but `is_ready`, which only looks.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(all(test, loom))]
    pub(crate) fn bell(&self) -> &AtomicU32 {
        &self.bell
    }

    /// With the lock held: the thread has something to look at. True if it has to be woken.
    fn count(&self, state: &mut State) -> bool {
        self.bell.fetch_add(1, Ordering::Relaxed);
        std::mem::take(&mut state.asleep)
    }

    fn wake_thread(&self) {
        match &self.flag {
            Some(flag) => flag.raise(),
            None => drop(futex::wake(&self.bell, futex::ALL)),
        }
    }

    /// With the lock held: lets go of it, and does what is to be done then.
    fn then(&self, mut state: MutexGuard<'_, State>, then: Then) {
        let ring = then.ring && self.count(&mut state);
        drop(state);
        if ring {
            self.wake_thread();
        }
        let Then { wake, pass_on, .. } = then;
        wake.into_iter().for_each(wake_task);
        pass_on.iter().for_each(|watch| watch.woken());
    }

    // ---- tasks

    /// Adds a task if there is room for it; with `only_there`, if others wait for the same already.
    pub(super) fn try_add(
        &self,
        key: usize,
        watch: &Watch,
        waker: &Waker,
        only_there: bool,
    ) -> Option<u64> {
        let mut state = self.state();
        let fits = state.sources.words_with(key, watch.words()) <= MOST_WORDS;
        if state.ended || !fits || (only_there && !state.sources.has(key)) {
            return None;
        }
        state.idle = 0;
        let number = state.sources.add(key, Watch::clone(watch), waker.clone());
        let ring = self.count(&mut state);
        drop(state);
        if ring {
            self.wake_thread();
        }
        Some(number)
    }

    /// See [`Sources::renew`].
    pub(super) fn renew(&self, key: usize, number: u64, waker: &Waker) -> bool {
        let mut state = self.state();
        let (waits, then) = state.sources.renew(key, number, waker);
        self.then(state, then);
        waits
    }

    /// See [`Sources::done`].
    pub(super) fn done(&self, key: usize, number: u64, took: bool) {
        let mut state = self.state();
        let then = state.sources.done(key, number, took, clock::milliseconds());
        self.then(state, then);
    }

    // ---- the thread

    /// Whether the thread may end: nobody waits, and has not for a while. Nobody can be added then.
    pub(super) fn end_if_idle(&self) -> bool {
        let mut state = self.state();
        state.ended |= state.sources.is_empty() && state.idle >= MOST_IDLE;
        state.ended
    }

    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.sources.is_empty() && state.idle >= MOST_IDLE
    }

    /// The next turn of the thread's: looks, and sleeps if nothing is ready. `checked` is when deaths
    /// were looked for.
    pub(crate) fn turn(&self, checked: &mut u64) {
        let mut state = self.state();
        let swept = state.sources.sweep(clock::milliseconds());
        let watched = state.sources.watched();
        let bell = self.bell.load(Ordering::Relaxed);
        self.then(state, swept);
        match &self.flag {
            None => self.sleep_on_words(&watched, bell),
            Some(flag) => self.sleep_on_descriptors(&watched, bell, flag),
        }
        let now = clock::milliseconds();
        if now.saturating_sub(*checked) >= RECHECK {
            *checked = now;
            watched.iter().for_each(|(_, watch)| watch.woken());
        }
    }

    fn sleep_on_words(&self, watched: &[(usize, Watch)], bell: u32) {
        let mut words = Words::default();
        words.push((&self.bell, bell));
        for (_, watch) in watched {
            // Who has an error goes on, and finds it.
            let _error = watch.announce(&mut words);
        }
        // Pairs with the notifiers' `light`: either they see the announcements, or what they did is
        // seen below.
        let limit = if membarrier::heavy() { futex::RECHECK } else { futex::SHORT_RECHECK };
        let looked = watched.iter().map(|(key, _)| *key);
        if self.tell(looked) || !self.fall_asleep(bell, watched.is_empty()) {
            return;
        }
        if words.sleeps() {
            futex::wait_any(words.pairs(), limit);
        }
        self.state().asleep = false;
    }

    fn sleep_on_descriptors(&self, watched: &[(usize, Watch)], bell: u32, flag: &Flag) {
        let (keys, mut descriptors): (Vec<_>, Vec<_>) =
            watched.iter().filter_map(|(key, watch)| Some((*key, watch.descriptor()?))).unzip();
        descriptors.push(std::os::fd::AsFd::as_fd(flag));
        if !self.fall_asleep(bell, watched.is_empty()) {
            return;
        }
        let polled = descriptor::readable(&descriptors, Some(futex::RECHECK));
        self.state().asleep = false;
        flag.lower();
        match polled {
            Ok(polled) => {
                let ready = keys.into_iter().zip(polled).filter(|(_, ready)| *ready);
                self.tell(ready.map(|(key, _)| key));
            }
            Err(_) => {
                // More than the process may have open: one after the other.
                self.tell(keys.into_iter());
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Tells those who can go on at these places. True if there were any.
    fn tell(&self, keys: impl Iterator<Item = usize>) -> bool {
        let mut told = false;
        for key in keys {
            let mut state = self.state();
            let then = state.sources.look(key, clock::milliseconds());
            told |= then.has_woken();
            self.then(state, then);
        }
        told
    }

    /// False if there is something new to look at.
    fn fall_asleep(&self, bell: u32, nothing: bool) -> bool {
        let mut state = self.state();
        state.idle = if nothing { state.idle.saturating_add(1) } else { 0 };
        state.asleep = self.bell.load(Ordering::Relaxed) == bell;
        state.asleep
    }
}

/// A panic in a runtime's waker is that runtime's: other tasks wait here as well.
fn wake_task(waker: Waker) {
    let _panicked = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}
