//! `LoanPool`: chunks that are written, sent and read where they are.
//!
//! # Words
//!
//! A chunk has a header: a robust lock, which whoever writes or reads the chunk holds; its `state`, a
//! generation and whether it is sent; and of its content the `length` and the type's `tag`. All but the
//! lock are written under the lock only:
//!
//! | state | lock | the chunk is | next |
//! |---|---|---|---|
//! | free | free | free | loaned: lock held |
//! | free | held | in the hands of who loaned or received it | given back: lock released; sent |
//! | free | dead | free | loaned |
//! | sent | held | being handed over | lock released; back to free, with the next generation |
//! | sent | free | its handle's | received: free, with the next generation, and the lock held |
//! | sent | dead | its handle's if that is anywhere, else lost | received, or loaned |
//!
//! So what a chunk is changes with one store, and no list of free chunks has to be kept true: who needs
//! one looks at the headers, beginning where one was given back last (`hints`).
//!
//! A handle names the chunk, its generation, and the pool by a random tag. It is good while the chunk is
//! sent in that generation; a generation never comes back.
//!
//! # What a death leaves behind
//!
//! * of who loaned or received a chunk: a dead lock, and the state free. The next one who looks for a
//!   chunk takes it. Who waits for one sleeps on the words of the chunks' locks, too, so that the
//!   kernel's wake at the death reaches it.
//! * of a sender in `send_with`, which holds the lock until its handle was handed over: a dead lock, and
//!   the state sent. A receiver that has the handle takes the chunk as it is, since it was complete
//!   before it was sent. Who finds no free chunk looks for the handle in all objects of the segment,
//!   with the chunk's lock held so that it cannot be received meanwhile (`search`): if it is nowhere,
//!   then it was not handed over, and the chunk is taken; if it is somewhere, then the lock is marked
//!   consistent, and nobody looks for it again.
//! * of a receiver that uses the handle while it is still in its queue, and takes it out afterwards
//!   (`receive_from`): before the state is free, the handle is in the queue and good; after that the
//!   handle is stale, whether it is in the queue or not, and the chunk has a dead holder.
//! * between giving a chunk back and waking: who waits looks by itself after 100 ms.
//!
//! # What is not taken back by itself
//!
//! A handle in the hands of a process, popped and not received yet or sent by `send` and not handed on,
//! cannot be told from one that went down with a process. So without a death of its sender in
//! `send_with`, no sent chunk is ever taken from its handle but by `reclaim`, which is for who knows.
//! What goes wrong if it was called too early is an error (`Stale`) where the handle is received: the
//! generation sees to it that nobody ever reads another content in place of it.

mod chunk;
mod content;
mod find;
mod guard;
mod handle;
mod loan;
mod receive;
mod search;
mod shape;

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::ObjectError;
use crate::layout::{self, LoanChunk};
use crate::raw::bytes::Run;
use crate::raw::waiting::waits;
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Bytes, Extent, Located, Series};
use crate::shared::Shared;
use chunk::GENERATIONS;
use search::INDEX;
use shape::{HEADERS, Shape};

pub use content::Content;
pub use guard::{Loan, Loaned};
pub use handle::LoanHandle;
pub use shape::PoolLayout;

/// Chunks of memory that are loaned, written in place, sent as a handle of 16 bytes, and read in place
/// by who receives them: what that costs does not depend on their size. Opened by name:
/// [`Segment::loan_pool`](crate::Segment::loan_pool).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{LoanHandle, PoolLayout, Segment};
///
/// let segment = Segment::anonymous()?;
/// let pool = segment.loan_pool("frames", &PoolLayout::new().chunks(4, 1 << 20))?;
/// let frames = segment.queue::<LoanHandle>("frames in order", 4)?;
///
/// // In one process: written where it will be read.
/// let mut frame = pool.loan_bytes(1 << 20)?;
/// frame.fill(7);
/// frame.send_to(&frames).map_err(|error| error.to_string())?;
///
/// // In another one:
/// let frame = pool.receive_from::<[u8]>(&frames)?;
/// assert!(frame.iter().all(|pixel| *pixel == 7));
/// drop(frame); // back to the pool
/// assert_eq!(pool.stats().free, 4);
/// # Ok(())
/// # }
/// ```
///
/// # Contents
///
/// A value ([`loan`](Self::loan)), a slice ([`loan_slice`](Self::loan_slice),
/// [`loan_copy`](Self::loan_copy)) or bytes ([`loan_bytes`](Self::loan_bytes)), of any [`Shared`] type.
/// It is received as what it was loaned as; anything else is an error. A chunk starts at a multiple of
/// 64 bytes, and may be larger than its content.
///
/// # Handles
///
/// A [`LoanHandle`] goes through anything: a [`Queue`](crate::Queue) of handles
/// ([`Loan::send_to`], [`receive_from`](Self::receive_from)) or of messages that have one as a field
/// ([`Loan::send_with`], [`Queue::pop_with`](crate::Queue::pop_with)), an [`Spsc`](crate::Spsc)
/// ([`read_chunk`](crate::Consumer::read_chunk)), a [`ByteQueue`](crate::ByteQueue)
/// ([`LoanHandle::to_bytes`], [`read`](crate::ByteQueue::read)). It is good once: of several who have
/// it, one receives the chunk.
///
/// # Crash behaviour
///
/// A dead holder's chunks return to the pool: those that it was writing, and those that it was reading,
/// at once. What it has sent stays sent. A sender that is killed while it hands a chunk over has sent
/// it, or the chunk returns; a receiver that is killed while it receives leaves the handle in the queue,
/// or the chunk returns. That holds of [`Loan::send_with`] and [`Loan::send_to`], and of receiving a
/// handle while it is still in its queue, as above. A handle that is popped first, and received
/// afterwards, goes down with who is killed in between: [`reclaim`](Self::reclaim) finds its chunk.
///
/// # Memory ordering
///
/// What was written before a chunk was sent is seen by who has received it.
#[derive(Clone)]
pub struct LoanPool {
    inner: Located<layout::LoanPool>,
    headers: Series<LoanChunk>,
    chunks: Bytes,
    shape: Arc<Shape>,
    /// In the high half, as in handles.
    tag: u64,
}

/// How many chunks of a [`LoanPool`] are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoanStats {
    /// Chunks that there are.
    pub chunks: usize,
    /// Free ones, those of dead holders included.
    pub free: usize,
    /// Chunks that somebody writes or reads.
    pub held: usize,
    /// Chunks that were sent and not received yet.
    pub sent: usize,
    /// How often a chunk came back from a dead holder, or was reclaimed.
    pub returned: u64,
}

impl LoanPool {
    /// The first bytes of a chunk, if it is as large.
    #[inline]
    fn run(&self, index: usize, length: usize) -> Option<Run> {
        let (_, class, offset) = self.shape.place(index)?;
        if length > class.size {
            return None;
        }
        self.chunks.run(offset, length)
    }

    /// What the chunks are at. Takes no lock: while others loan and give back, it may be off by what
    /// passes between them.
    #[must_use]
    pub fn stats(&self) -> LoanStats {
        let mut stats = LoanStats {
            chunks: self.shape.count,
            free: 0,
            held: 0,
            sent: 0,
            returned: self.inner.returned.load(Ordering::Relaxed),
        };
        for chunk in (0..self.shape.count).filter_map(|index| self.chunk(index)) {
            if chunk.lock.is_held() {
                stats.held += 1;
            } else if chunk.state().is_sent() {
                stats.sent += 1;
            } else {
                stats.free += 1;
            }
        }
        stats
    }

    /// The bytes of its largest chunks: the longest content that can be loaned.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.shape.largest()
    }
}

impl fmt::Debug for LoanPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoanPool")
            .field("place", &self.inner)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

waits!(LoanPool, inner);

impl Segment {
    /// The [`LoanPool`] of that name, created with such chunks if there is none. Memory for all of them
    /// is taken at once, and 64 bytes more for each.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn loan_pool(&self, name: &str, layout: &PoolLayout) -> Result<LoanPool, ObjectError> {
        self.find_or_create(name, layout.clone())
    }
}

/// The words by which the pools, and the generations of their chunks, differ.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[allow(private_interfaces)] // sealed
impl Mechanics for LoanPool {
    type Init = PoolLayout;

    const KIND: ObjectKind = ObjectKind::LoanPool;
    const TYPE_TAG: u64 = u8::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoanPool")
    }

    fn size(layout: &PoolLayout) -> Result<u64, &'static str> {
        Ok(Shape::new(&layout.sorted()?)?.total())
    }

    fn initialise(extent: &Extent, layout: PoolLayout) -> Option<()> {
        let head = extent.head::<layout::LoanPool>()?;
        let sorted = layout.sorted().ok()?;
        let shape = Shape::new(&sorted).ok()?;
        head.tag.store(random() & !INDEX, Ordering::Relaxed);
        head.classes.store(sorted.len() as u64, Ordering::Relaxed);
        head.returned.store(0, Ordering::Relaxed);
        let places = head.sizes.iter().zip(&head.counts).zip(&head.hints);
        for (((size, count), hint), class) in places.zip(&sorted) {
            size.store(class.0, Ordering::Relaxed);
            count.store(class.1, Ordering::Relaxed);
            hint.store(0, Ordering::Relaxed);
        }
        head.returns.event.reset();
        let headers = extent.series::<LoanChunk>(HEADERS, size_of::<LoanChunk>(), shape.count)?;
        let generation = random() & GENERATIONS;
        (0..shape.count).try_for_each(|index| {
            headers.get(index)?.prepare(generation);
            Some(())
        })
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let inner: Located<layout::LoanPool> =
            extent.head().ok_or("it is too small for a pool of chunks")?;
        let shape = Shape::read(&inner)?;
        const SMALL: &str = "it is too small for its chunks";
        let headers = extent.series(HEADERS, size_of::<LoanChunk>(), shape.count).ok_or(SMALL)?;
        let chunks = extent.bytes(shape.chunks_offset(), shape.bytes).ok_or(SMALL)?;
        let tag = inner.tag.load(Ordering::Relaxed) & !INDEX;
        Ok(Self { inner, headers, chunks, shape: Arc::new(shape), tag })
    }

    fn fits(&self, layout: &PoolLayout) -> Result<(), Misfit> {
        let wanted = layout.sorted().and_then(|sorted| Shape::new(&sorted));
        // One that cannot be made has no chunks.
        let wanted = wanted.unwrap_or_else(|_| Shape::none());
        self.shape.differs(&wanted).map_or(Ok(()), Err)
    }
}
