//! What a process has of an object, as a robust lock of its own: a [`Share`], which the kernel marks
//! when its thread dies. Shares are taken under the object's lock.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::error::LockError;
use crate::layout::Share;
use crate::raw::deadline::Deadline;
use crate::raw::lock::Acquired;
use crate::raw::waiting::Waiting;
use crate::seam::process;

/// A thread's id in a lock word, as in `raw::lock`.
const TID: u32 = 0x3fff_ffff;

/// The most shares whose words somebody sleeps on.
pub(crate) const WATCHED: usize = 100;

/// What a share's word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Free,
    Held,
    /// Its holder died, and nobody has taken it since.
    Dead,
}

/// The state and the word that says so.
pub(crate) fn look(share: &Share) -> (State, u32) {
    // Acquire: pairs with the kernel's mark at a death, after which `count` is the dead one's last.
    let word = share.lock.word.load(Ordering::Acquire);
    let state = match word {
        0 => State::Free,
        _ if word & TID == 0 => State::Dead,
        _ => State::Held,
    };
    (state, word)
}

pub(crate) fn state(share: &Share) -> State {
    look(share).0
}

/// Takes a share that is not held, for this thread.
pub(crate) fn take(share: &Share) -> Result<(), LockError> {
    if share.lock.try_lock()? == Acquired::OwnerDied {
        share.lock.mark_consistent();
    }
    Ok(())
}

/// Whether this thread holds a share, and not only a copy of its guard that a fork made. Under the
/// model a death unwinds, and the dead run no destructors.
pub(crate) fn is_mine(share: &Share) -> bool {
    !(cfg!(loom) && std::thread::panicking()) && share.lock.is_mine()
}

/// Does the kernel's part for a holder that is gone without the kernel's having said so (exec by a
/// thread that is not its process's first).
pub(crate) fn bury_if_gone(share: &Share) {
    /// Long enough to find out; a share that has moved on in the meantime is not waited for.
    const MOMENT: Duration = Duration::from_millis(10);
    let (state, word) = look(share);
    if state == State::Held && !process::thread_exists_anywhere(word & TID) {
        // Whatever it comes to, the caller looks again.
        let _found_out = share.lock.wait_until_free(Deadline::after(MOMENT).with(Waiting::Park));
    }
}
