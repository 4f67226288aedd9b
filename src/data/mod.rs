//! Values, counters, arrays and queues in shared memory.

mod array;
mod attempt;
mod broadcast;
mod byte_queue;
mod cells;
mod counter;
mod latest;
mod map;
mod queue;
mod queue_end;
mod spsc;
mod value;

pub use array::{Array, ArrayGuard, ArrayIter, AtomicElement};
pub use broadcast::{Broadcast, Slow, Start, Subscriber};
pub use byte_queue::{ByteQueue, Grant, Message, ReadableBytes, WritableBytes};
pub use counter::{AtomicCounter, Counter, CounterGuard};
pub use latest::{Changed, Latest, Version};
pub use map::{Entry, Map, MapIter};
pub use queue::{Drain, Iter, OnDeath, Queue, QueueStats, Readable, Writable};
pub use spsc::{Consumer, Producer, ReadChunk, Spsc, WriteChunk};
pub use value::{Value, ValueGuard};
