//! What a future does between its polls.

use std::future::poll_fn;
use std::hint::spin_loop;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::sources::{Watch, is_ready};
use super::{Registration, register};
use crate::error::{OsError, WaitError};
use crate::layout::RobustNode;
use crate::seam::looks;
use crate::sync::wait_any::Waitable;

/// Why an attempt came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// There is nothing to be had.
    Unready,
    /// Somebody holds the lock that it takes.
    Locked,
}

/// Whether nobody holds a lock that is held for nanoseconds at a time, or this thread itself does, which
/// is an error that who tries finds. Else its holder is stopped, or the lock is in demand, or a guard
/// holds it.
pub(crate) fn is_free_soon(lock: &RobustNode) -> bool {
    let is_free = || !lock.is_held() || lock.names_this_thread();
    for round in (3..=6).take(looks(usize::MAX)) {
        if is_free() {
            return true;
        }
        for _ in 0..1_u32 << round {
            spin_loop();
        }
    }
    is_free()
}

/// A future's waiting. Dropped, it waits no more.
pub(crate) struct Waits {
    registered: Option<(Registration, Reason)>,
    /// Whether an attempt takes what it waited for from others.
    takes: bool,
}

impl Waits {
    /// For attempts that take something.
    pub(crate) const fn to_take() -> Self {
        Self { registered: None, takes: true }
    }

    /// For attempts that only look.
    pub(crate) const fn to_look() -> Self {
        Self { registered: None, takes: false }
    }

    /// Attempts it, and if that is not to be, has the task woken when it should be attempted again,
    /// which `watch` tells. An error is one of the thread that waits.
    pub(crate) fn poll<T, E>(
        &mut self,
        context: &mut Context<'_>,
        attempt: impl FnOnce() -> Result<Result<T, E>, Reason>,
        watch: impl FnOnce(Reason) -> Watch,
    ) -> Poll<Result<Result<T, E>, OsError>> {
        let reason = match attempt() {
            Ok(result) => {
                if let Some((registration, _)) = self.registered.take() {
                    registration.end(self.takes && result.is_ok());
                }
                return Poll::Ready(Ok(result));
            }
            Err(reason) => reason,
        };
        if let Some((registration, expected)) = &self.registered
            && *expected == reason
            && registration.waits(context.waker())
        {
            return Poll::Pending;
        }
        // In vain, or for another reason.
        self.end();
        // The thread looks after it has announced this one: there is no need to attempt it again.
        match register(&watch(reason), context.waker()) {
            Ok(registration) => {
                self.registered = Some((registration, reason));
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn end(&mut self) {
        if let Some((registration, _)) = self.registered.take() {
            registration.end(false);
        }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits in a task until something is ready: what [`wait_any`](crate::wait_any) does in a thread, for
/// one thing. For several, see the runtime's `select`.
///
/// Nothing is taken: the caller goes on with `try_pop`, `try_lock` and the like, and may find that
/// somebody else was faster. Many types have a method for both, as
/// [`Queue::pop_async`](crate::Queue::pop_async).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{ChildProcess, Segment, wait_async};
/// use std::process::Command;
///
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// runtime.block_on(async {
///     let mut child = Command::new("true").spawn()?;
///     wait_async(ChildProcess::new(&child)?).await?;
///     assert!(child.wait()?.success());
///
///     let total = Segment::anonymous()?.value("total", 0_u64)?;
///     wait_async(total.available()).await?; // its lock is free
///     total.set(7)?;
///     Ok(())
/// })
/// # }
/// ```
///
/// # Methods
///
/// | | |
/// |---|---|
/// | [`Queue`](crate::Queue), [`ByteQueue`](crate::ByteQueue), [`Producer`](crate::Producer), [`Consumer`](crate::Consumer) | `pop_async`, `push_async` |
/// | [`Broadcast`](crate::Broadcast), [`Subscriber`](crate::Subscriber) | `publish_async`, `recv_async` |
/// | [`Latest`](crate::Latest) | `wait_changed_async` |
/// | [`Event`](crate::Event) | `wait_async` |
/// | [`Semaphore`](crate::Semaphore) | `acquire_async`, `acquire_many_async` |
/// | [`Mutex`](crate::Mutex) | `lock_async` |
/// | other locks | `wait_async(x.available())`, then `try_lock` |
/// | [`ChildProcess`](crate::ChildProcess), descriptors | `wait_async` |
///
/// Each tries first, and costs what the other method costs if it need not wait. None of them sleeps in
/// a poll. (Some take a lock inside, as those of the semaphore, for which they wait as `try_acquire`
/// does: others hold it for nanoseconds, or are dead, or were stopped by a signal.)
///
/// # Threads
///
/// One thread of the process sleeps for all tasks that wait, one more for each 60 queues or 120
/// events, and one for descriptors. It is started when it is needed, and ends after two seconds without
/// a task. Any executor will do: all that is used of it is the task's waker. Handles may move between
/// threads, and so may the futures. Guards, permits, ends of a ring and subscribers belong to their
/// thread (the kernel watches over that one), so a future that has one across an `.await` is not
/// `Send`: it is for executors that keep a task on its thread.
///
/// Of several tasks in a process that wait for the same, the one that came first is woken first, and
/// only as many as there are messages or permits. A task that is woken and then not run holds up the
/// others for at most 200 ms.
///
/// # Forks
///
/// Usable in a forked child, which starts a thread of its own. What a future of the parent's waited
/// for, its copy in the child waits for when it is polled there.
///
/// # Errors
///
/// [`Lock`](WaitError::Lock) with [`ReadOnly`](crate::LockError::ReadOnly): waiters announce
/// themselves. [`Os`](WaitError::Os): there can be no thread that waits, or no descriptor.
///
/// # Cancellation
///
/// A future that is dropped leaves nothing behind.
///
/// # Crash behaviour
///
/// That of [`wait_any`](crate::wait_any).
pub async fn wait_async<W: Waitable + Send + Sync + 'static>(waitable: W) -> Result<(), WaitError> {
    let watch = Arc::new(waitable);
    let mut waits = Waits::to_look();
    poll_fn(|context| {
        let look = || match is_ready(&*watch) {
            Ok(true) => Ok(Ok(())),
            Ok(false) => Err(Reason::Unready),
            Err(error) => Ok(Err(error)),
        };
        waits.poll(context, look, |_| Arc::clone(&watch) as Watch)
    })
    .await?
    .map_err(WaitError::Lock)
}
