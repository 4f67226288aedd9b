//! `Once` and `OnceValue<T>`: what one process does, or makes, for all.
//!
//! # Words
//!
//! Only the holder of `lock` initialises: it runs the user's closure, writes the value if there is
//! one, and stores 1 to `done` (Release), which is what counts; it never changes again. `event` is
//! where those sleep who wait until somebody else has done it.
//!
//! # What a death leaves behind
//!
//! Before the store of `done`: nothing, or bytes of a value that nobody reads. The lock goes on to
//! the next one, which begins anew. After it: all is done; sleepers wake by the death, or look after
//! 100 ms, and the lock's next holder notifies again.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::Segment;
use crate::error::{LockError, ObjectError, SetError};
use crate::layout;
use crate::raw::bytes::{self, Slot};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::{tells_holder, waits};
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located};
use crate::shared::Shared;

const DONE: u64 = 1;

/// Something that one process does for all. Opened by name: [`Segment::once`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let prepared = outlive::Segment::anonymous()?.once("prepared")?;
/// // In every process; one of them runs the closure, and the others wait for it.
/// prepared.call_once(|| println!("preparing"))?;
/// assert!(prepared.is_completed());
/// # Ok(())
/// # }
/// ```
///
/// For a value that one process computes for all there is [`OnceValue`].
///
/// # Crash behaviour
///
/// If the process that runs its closure is killed, or the closure panics, the next one that calls or
/// waits in a call runs its own closure, from the start. What the dead one had done so far is for that
/// closure to find out. Once completed, it stays so.
///
/// # Memory ordering
///
/// What the closure wrote is seen by whoever sees it completed.
#[derive(Clone, Debug)]
pub struct Once {
    inner: Located<layout::Once>,
}

/// The right to initialise: the lock. Dropped without [`complete`](Self::complete), it is the next
/// one's turn.
struct Turn<'a>(&'a layout::Once);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock.unlock(Release::Clean);
    }
}

impl Turn<'_> {
    /// A closure that forks returns in the child too, whose turn it is not.
    fn check(&self) -> Result<(), LockError> {
        if self.0.lock.is_mine() { Ok(()) } else { Err(LockError::WouldBlock) }
    }

    fn complete(self) {
        // Release: pairs with the Acquire in `is_done`.
        self.0.done.store(DONE, Ordering::Release);
        // Before the lock is released, as `wait_beside` wants it.
        self.0.event.notify(Notify::All);
    }
}

impl layout::Once {
    fn reset(&self) {
        self.lock.reset();
        // Who waits without wanting the turn sleeps on it.
        self.lock.expect_company();
        self.done.store(0, Ordering::Relaxed);
        self.event.reset();
    }

    fn is_done(&self) -> bool {
        // Acquire: pairs with the Release in `complete`.
        self.done.load(Ordering::Acquire) == DONE
    }

    /// With the lock, if it was acquired; None if there is nothing left to do.
    fn turn(&self, acquired: Result<Acquired, LockError>) -> Result<Option<Turn<'_>>, LockError> {
        let acquired = acquired?;
        let turn = Turn(self);
        if acquired == Acquired::OwnerDied {
            self.lock.mark_consistent();
        }
        if !self.is_done() {
            return Ok(Some(turn));
        }
        if acquired == Acquired::OwnerDied {
            // It may have died before it did.
            self.event.notify(Notify::All);
        }
        Ok(None)
    }
}

/// What `Once` and `OnceValue` have in common.
impl Located<layout::Once> {
    /// None if it is done, which a read-only handle can see as well.
    fn take_turn(&self, deadline: Deadline) -> Result<Option<Turn<'_>>, LockError> {
        if self.is_done() {
            return Ok(None);
        }
        let once = self.writable()?;
        once.turn(once.lock.lock(deadline))
    }

    fn try_turn(&self) -> Result<Option<Turn<'_>>, LockError> {
        if self.is_done() {
            return Ok(None);
        }
        let once = self.writable()?;
        once.turn(once.lock.try_lock())
    }

    fn wait_until_done(&self, deadline: Deadline) -> Result<(), LockError> {
        if self.is_done() {
            return Ok(());
        }
        let once = self.writable()?;
        if once.lock.is_mine() {
            return Err(LockError::Deadlock);
        }
        once.event
            .wait_beside(&once.lock, deadline, || once.is_done().then_some(()))
            .ok_or_else(|| LockError::TimedOut { holder: once.lock.holder().map(Box::new) })
    }
}

impl Once {
    /// Runs `f`, unless it was done already, here or elsewhere. While another process is at it,
    /// sleeps until that one has completed, or died.
    ///
    /// # Errors
    ///
    /// [`Deadlock`](LockError::Deadlock) from within the closure of the same `Once`,
    /// [`ReadOnly`](LockError::ReadOnly) if it is still to be done,
    /// [`TooManyLocks`](LockError::TooManyLocks). In a child that `f` forked,
    /// [`WouldBlock`](LockError::WouldBlock): it is the parent that completes.
    pub fn call_once(&self, f: impl FnOnce()) -> Result<(), LockError> {
        run(self.inner.take_turn(self.inner.forever())?, f)
    }

    /// [`call_once`](Self::call_once) that does not wait for another process.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock) if another one is at it, and those of
    /// [`call_once`](Self::call_once).
    pub fn try_call_once(&self, f: impl FnOnce()) -> Result<(), LockError> {
        run(self.inner.try_turn()?, f)
    }

    /// [`call_once`](Self::call_once) that waits for another process for at most `timeout`. `f` itself
    /// takes as long as it takes.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`call_once`](Self::call_once).
    pub fn call_once_timeout(&self, timeout: Duration, f: impl FnOnce()) -> Result<(), LockError> {
        run(self.inner.take_turn(self.inner.within(timeout))?, f)
    }

    /// Whether it was done.
    #[must_use]
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.inner.is_done()
    }

    /// Sleeps until some process has done it.
    ///
    /// # Errors
    ///
    /// [`Deadlock`](LockError::Deadlock) from within the closure,
    /// [`ReadOnly`](LockError::ReadOnly) if it is still to be done.
    pub fn wait(&self) -> Result<(), LockError> {
        self.inner.wait_until_done(self.inner.forever())
    }

    /// [`wait`](Self::wait) for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, with who is at it, if anybody
    /// is; and those of [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), LockError> {
        self.inner.wait_until_done(self.inner.within(timeout))
    }
}

fn run(turn: Option<Turn<'_>>, f: impl FnOnce()) -> Result<(), LockError> {
    if let Some(turn) = turn {
        f();
        turn.check()?;
        turn.complete();
    }
    Ok(())
}

waits!(Once, inner);
tells_holder!(Once, inner.lock);

/// A value that is set once, by one process for all. Opened by name: [`Segment::once_value`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let seed = outlive::Segment::anonymous()?.once_value::<u64>("seed")?;
/// assert_eq!(seed.get(), None);
/// // In every process; one of them computes it, and the others wait for that.
/// assert_eq!(seed.get_or_init(|| 4)?, 4);
/// assert_eq!(seed.get(), Some(4));
/// assert!(seed.set(5).is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Crash behaviour
///
/// The value is there as a whole or not at all, and never changes. If the process that computes it is
/// killed, or its closure panics or fails, the next one that calls or waits in a call computes it.
///
/// # Memory ordering
///
/// What was written before the value was set is seen by whoever gets it.
pub struct OnceValue<T> {
    inner: Located<layout::Once>,
    slot: Slot<T>,
}

impl<T> Clone for OnceValue<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), slot: self.slot }
    }
}

impl<T> fmt::Debug for OnceValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceValue").field("place", &self.inner).finish_non_exhaustive()
    }
}

impl<T: Shared> OnceValue<T> {
    /// The value, if it was set (and if its bytes are a `T`, which only a stranger to this library can
    /// have changed). Takes no lock and never waits.
    #[must_use]
    #[inline]
    pub fn get(&self) -> Option<T> {
        if self.inner.is_done() { self.slot.read().check() } else { None }
    }

    /// The value, which `f` makes if it was not set. While another process is making it, sleeps until
    /// that one is done, or died.
    ///
    /// # Errors
    ///
    /// [`Deadlock`](LockError::Deadlock) from within the closure of the same value,
    /// [`ReadOnly`](LockError::ReadOnly) if it is not set yet,
    /// [`TooManyLocks`](LockError::TooManyLocks), [`Corrupt`](LockError::Corrupt) if the bytes are not
    /// a `T`. In a child that `f` forked, [`WouldBlock`](LockError::WouldBlock): it is the parent that
    /// sets the value.
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> Result<T, LockError> {
        self.get_or_try_init(|| Ok(f()))
    }

    /// [`get_or_init`](Self::get_or_init) with a closure that can fail. Then the value stays unset, and
    /// the next one that asks tries.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let port = outlive::Segment::anonymous()?.once_value::<u16>("port")?;
    /// let number = port.get_or_try_init(|| -> Result<u16, Box<dyn std::error::Error>> {
    ///     Ok("8080".parse()?)
    /// })?;
    /// assert_eq!(number, 8080);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// That of `f`, and those of [`get_or_init`](Self::get_or_init).
    pub fn get_or_try_init<E: From<LockError>>(
        &self,
        f: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.initialise(self.inner.forever(), f)
    }

    /// [`get_or_init`](Self::get_or_init) that waits for another process for at most `timeout`. `f`
    /// itself takes as long as it takes.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`get_or_init`](Self::get_or_init).
    pub fn get_or_init_timeout(
        &self,
        timeout: Duration,
        f: impl FnOnce() -> T,
    ) -> Result<T, LockError> {
        self.initialise(self.inner.within(timeout), || Ok(f()))
    }

    fn initialise<E: From<LockError>>(
        &self,
        deadline: Deadline,
        f: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(turn) = self.inner.take_turn(deadline)? else { return Ok(self.value()?) };
        let value = f()?;
        turn.check()?;
        self.slot.write(&value);
        turn.complete();
        Ok(value)
    }

    /// Sets the value. While another process is making it, waits for that one.
    ///
    /// # Errors
    ///
    /// [`AlreadySet`](SetError::AlreadySet), or that the lock failed, see
    /// [`get_or_init`](Self::get_or_init); with the value that was not stored.
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        match self.inner.take_turn(self.inner.forever()) {
            Ok(Some(turn)) => {
                self.slot.write(&value);
                turn.complete();
                Ok(())
            }
            Ok(None) => Err(SetError::AlreadySet(value)),
            Err(error) => Err(SetError::Lock(value, error)),
        }
    }

    /// The value; sleeps until some process has set it.
    ///
    /// # Errors
    ///
    /// [`Deadlock`](LockError::Deadlock) from within the closure that makes it,
    /// [`ReadOnly`](LockError::ReadOnly) if it is not set yet, [`Corrupt`](LockError::Corrupt).
    pub fn wait(&self) -> Result<T, LockError> {
        self.inner.wait_until_done(self.inner.forever())?;
        self.value()
    }

    /// [`wait`](Self::wait) for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, with who is making the value, if
    /// anybody is; and those of [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<T, LockError> {
        self.inner.wait_until_done(self.inner.within(timeout))?;
        self.value()
    }

    /// Once it is done.
    fn value(&self) -> Result<T, LockError> {
        self.slot.read().check().ok_or(LockError::Corrupt { what: "the value that was set once" })
    }
}

waits!(OnceValue<T>, inner);
tells_holder!(OnceValue<T>, inner.lock);

impl Segment {
    /// The [`Once`] of that name, created as still to be done if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn once(&self, name: &str) -> Result<Once, ObjectError> {
        self.find_or_create(name, ())
    }

    /// The [`OnceValue`] of that name, created unset if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn once_value<T: Shared>(&self, name: &str) -> Result<OnceValue<T>, ObjectError> {
        self.find_or_create(name, ())
    }
}

#[allow(private_interfaces)] // sealed
impl Mechanics for Once {
    type Init = ();

    const KIND: ObjectKind = ObjectKind::Once;
    const TYPE_TAG: u64 = u64::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }

    fn size(_init: &()) -> Result<u64, &'static str> {
        Ok(size_of::<layout::Once>() as u64)
    }

    fn initialise(extent: &Extent, _init: ()) -> Option<()> {
        extent.head::<layout::Once>()?.reset();
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        Ok(Self { inner: extent.head().ok_or("it is too small for a once")? })
    }

    fn fits(&self, _init: &()) -> Result<(), Misfit> {
        Ok(())
    }
}

/// Where the value is: right behind the words.
const fn value_offset<T>() -> usize {
    size_of::<layout::Once>().next_multiple_of(bytes::alignment::<T>())
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for OnceValue<T> {
    type Init = ();

    const KIND: ObjectKind = ObjectKind::OnceValue;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnceValue<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size(_init: &()) -> Result<u64, &'static str> {
        bytes::check_alignment::<T>()?;
        Ok((value_offset::<T>() + bytes::stride::<T>()) as u64)
    }

    fn initialise(extent: &Extent, _init: ()) -> Option<()> {
        extent.head::<layout::Once>()?.reset();
        extent.slot::<T>(value_offset::<T>()).map(drop)
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let inner = extent.head().ok_or("it is too small for a once value")?;
        let slot = extent.slot(value_offset::<T>()).ok_or("it is too small for its type")?;
        Ok(Self { inner, slot })
    }

    fn fits(&self, _init: &()) -> Result<(), Misfit> {
        Ok(())
    }
}
