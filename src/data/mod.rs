//! Values, counters, arrays and queues in shared memory.

mod array;
mod broadcast;
mod byte_queue;
mod cells;
mod counter;
mod latest;
mod loans;
mod queue;
mod queue_end;
mod spsc;
mod value;

pub use array::{Array, ArrayGuard, ArrayIter, AtomicElement};
pub use broadcast::{Broadcast, Slow, Start, Subscriber};
pub use byte_queue::{ByteQueue, Grant, Message, ReadableBytes, WritableBytes};
pub use counter::{AtomicCounter, Counter, CounterGuard};
pub use latest::{Changed, Latest, Version};
pub use loans::{Content, Loan, LoanHandle, LoanPool, LoanStats, Loaned, PoolLayout};
pub use queue::{Drain, Iter, Queue, QueueStats, Readable, Writable};
pub use spsc::{Consumer, Producer, ReadChunk, Spsc, WriteChunk};
pub use value::{Value, ValueGuard};
