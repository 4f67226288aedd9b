//! Queues as `Stream` and `Sink`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

use super::{ByteQueue, Consumer, Queue, Subscriber};
use crate::error::{LockError, PopError, PushError, RecvError};
use crate::shared::Shared;
use crate::sync::reactor::Waits;

/// What messages come out of. Public only because [`Messages`] rests on it; the module is not.
#[allow(unreachable_pub, private_interfaces)] // sealed: nobody outside sees these types
pub trait Source {
    /// A message.
    type Item;
    /// Why there was none.
    type Error;

    /// Takes a message, or has the task woken.
    fn poll_take(
        &mut self,
        waits: &mut Waits,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Item, Ended<Self::Error>>>;
}

/// Why there was no message.
enum Ended<E> {
    /// None will come any more.
    Closed,
    /// This cannot be overcome.
    Failed(E),
    /// The next attempt may go well.
    Passed(E),
}

impl From<PopError> for Ended<LockError> {
    fn from(error: PopError) -> Self {
        match error {
            // Neither is a task's.
            PopError::Closed | PopError::Empty | PopError::TimedOut => Self::Closed,
            PopError::Lock(error @ LockError::Corrupt { .. }) => Self::Passed(error),
            PopError::Lock(error) => Self::Failed(error),
        }
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Source for Queue<T> {
    type Item = T;
    type Error = LockError;

    fn poll_take(
        &mut self,
        waits: &mut Waits,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, Ended<LockError>>> {
        self.poll_pop(waits, context).map_err(Ended::from)
    }
}

#[allow(private_interfaces)] // sealed
impl Source for ByteQueue {
    type Item = Vec<u8>;
    type Error = LockError;

    fn poll_take(
        &mut self,
        waits: &mut Waits,
        context: &mut Context<'_>,
    ) -> Poll<Result<Vec<u8>, Ended<LockError>>> {
        let mut bytes = Vec::new();
        ready!(self.poll_pop_into(&mut bytes, waits, context))?;
        Poll::Ready(Ok(bytes))
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Source for Consumer<T> {
    type Item = T;
    type Error = LockError;

    fn poll_take(
        &mut self,
        waits: &mut Waits,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, Ended<LockError>>> {
        self.poll_pop(waits, context).map_err(Ended::from)
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Source for Subscriber<T> {
    type Item = T;
    type Error = RecvError;

    fn poll_take(
        &mut self,
        waits: &mut Waits,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, Ended<RecvError>>> {
        self.poll_recv(waits, context).map_err(|error| match error {
            RecvError::Closed => Ended::Closed,
            RecvError::Lagged { .. } | RecvError::Lock(LockError::Corrupt { .. }) => {
                Ended::Passed(error)
            }
            _ => Ended::Failed(error),
        })
    }
}

/// The messages of a queue or of a subscriber, as a `Stream`: [`Queue::stream`],
/// [`ByteQueue::stream`], [`Consumer::into_stream`], [`Subscriber::into_stream`].
///
/// It takes a message when it is polled, none ahead, and ends when the queue is closed and empty. Bytes
/// that are no message, and messages that a subscriber has missed, are yielded as an error and passed
/// over; any other error is yielded and ends the stream.
#[must_use = "streams do nothing unless polled"]
pub struct Messages<S> {
    /// Before the source: it waits no more when that is given up.
    waits: Waits,
    source: S,
    ended: bool,
}

impl<S> Messages<S> {
    fn of(source: S) -> Self {
        Self { waits: Waits::to_take(), source, ended: false }
    }

    /// Where the messages come from.
    pub fn into_inner(self) -> S {
        self.source
    }
}

impl<S: fmt::Debug> fmt::Debug for Messages<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Messages").field(&self.source).finish()
    }
}

impl<S: Source + Unpin> Stream for Messages<S> {
    type Item = Result<S::Item, S::Error>;

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<S::Item, S::Error>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let item = match ready!(this.source.poll_take(&mut this.waits, context)) {
            Ok(message) => Some(Ok(message)),
            Err(Ended::Passed(error)) => Some(Err(error)),
            Err(Ended::Failed(error)) => {
                this.ended = true;
                Some(Err(error))
            }
            Err(Ended::Closed) => {
                this.ended = true;
                None
            }
        };
        Poll::Ready(item)
    }
}

impl<S: Source + Unpin> FusedStream for Messages<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

/// A queue that messages go into, as a `Sink`: [`Queue::sink`].
///
/// It holds one message until there is room for it; flushing waits for that. A sink that is dropped
/// before drops this message. `close` flushes, and leaves the queue open: others may push, too.
#[must_use = "sinks do nothing unless polled"]
pub struct Pushing<T: Shared> {
    waits: Waits,
    queue: Queue<T>,
    held: Option<T>,
}

impl<T: Shared> fmt::Debug for Pushing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pushing").field(&self.queue).finish()
    }
}

// The queue is a handle, and the message plain data.
impl<T: Shared> Unpin for Pushing<T> {}

impl<T: Shared> Sink<T> for Pushing<T> {
    type Error = PushError<T>;

    fn poll_ready(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), PushError<T>>> {
        self.poll_flush(context)
    }

    fn start_send(self: Pin<&mut Self>, message: T) -> Result<(), PushError<T>> {
        let this = self.get_mut();
        match this.held {
            // `poll_ready` was not asked.
            Some(_) => Err(PushError::Full(message)),
            None => {
                this.held = Some(message);
                Ok(())
            }
        }
    }

    fn poll_flush(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), PushError<T>>> {
        let this = self.get_mut();
        let Some(message) = this.held else { return Poll::Ready(Ok(())) };
        let outcome = ready!(this.queue.poll_push(message, &mut this.waits, context));
        // Also one that was not pushed: the error has it.
        this.held = None;
        Poll::Ready(outcome)
    }

    fn poll_close(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), PushError<T>>> {
        self.poll_flush(context)
    }
}

impl<T: Shared> Queue<T> {
    /// Its messages, as a stream that takes them.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::future::poll_fn;
    /// use std::pin::pin;
    ///
    /// use futures_core::Stream; // or futures::StreamExt, whose next() is simpler
    ///
    /// let jobs = outlive::Segment::anonymous()?.queue::<u64>("jobs", 100)?;
    /// jobs.push(7)?;
    /// jobs.close()?;
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// let mut stream = pin!(jobs.stream());
    /// runtime.block_on(async {
    ///     let mut next = async || poll_fn(|context| stream.as_mut().poll_next(context)).await;
    ///     assert_eq!(next().await, Some(Ok(7)));
    ///     assert_eq!(next().await, None);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(&self) -> Messages<Self> {
        Messages::of(self.clone())
    }

    /// The queue, as a sink that pushes into it.
    pub fn sink(&self) -> Pushing<T> {
        Pushing { waits: Waits::to_take(), queue: self.clone(), held: None }
    }
}

impl ByteQueue {
    /// Its messages, as a stream that takes them.
    pub fn stream(&self) -> Messages<Self> {
        Messages::of(self.clone())
    }
}

impl<T: Shared> Consumer<T> {
    /// The queue's messages, as a stream that takes them. It belongs to the thread of this end.
    pub fn into_stream(self) -> Messages<Self> {
        Messages::of(self)
    }
}

impl<T: Shared> Subscriber<T> {
    /// The messages, as a stream that receives them. It belongs to the subscriber's thread.
    pub fn into_stream(self) -> Messages<Self> {
        Messages::of(self)
    }
}
