//! What a process makes once, and a forked child anew.
//!
//! A lock that protects such a thing may be held by another thread at the fork, and stays so in the
//! child. So the child leaves the parent's as it is, for good, and starts with none.
#![allow(unsafe_code)] // a pointer to what is never freed

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::Once;

use super::hooks;

/// How often the line of processes that ends here has forked, since it first asked.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Tells this process's threads from its parent's and from its children's.
pub(crate) fn generation() -> u32 {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // Without it a forked child would wait for a thread that it does not have: only out of memory
        // brings that about.
        let _no_memory = hooks::at_fork(None, None, Some(after_fork_in_child));
    });
    GENERATION.load(Ordering::Relaxed)
}

extern "C" fn after_fork_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// A value that is made at its first use, by each process for itself.
#[derive(Debug)]
pub(crate) struct PerProcess<T: 'static>(AtomicPtr<(u32, T)>);

impl<T: Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// This process's. Takes no lock that a fork could leave held.
    pub(crate) fn get(&self, make: impl Fn() -> T) -> &T {
        let generation = generation();
        loop {
            // Acquire: pairs with the Release below.
            let known = self.0.load(Ordering::Acquire);
            // SAFETY: null, or from a Box that is never freed.
            match unsafe { known.as_ref() } {
                Some((made, value)) if *made == generation => return value,
                _ => {}
            }
            let new = Box::into_raw(Box::new((generation, make())));
            // Release: pairs with the Acquire above: who sees it sees it whole.
            let (success, failure) = (Ordering::Release, Ordering::Relaxed);
            if self.0.compare_exchange(known, new, success, failure).is_err() {
                // SAFETY: from the Box above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
            }
        }
    }
}
