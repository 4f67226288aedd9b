//! Values, counters, arrays and queues in shared memory.

mod array;
mod counter;
mod latest;
mod queue;
mod spsc;
mod value;

pub use array::{Array, ArrayGuard, ArrayIter, AtomicElement};
pub use counter::{AtomicCounter, Counter, CounterGuard};
pub use latest::{Changed, Latest, Version};
pub use queue::{Drain, Iter, Queue, QueueStats, Readable, Writable};
pub use spsc::{Consumer, Producer, ReadChunk, Spsc, WriteChunk};
pub use value::{Value, ValueGuard};
