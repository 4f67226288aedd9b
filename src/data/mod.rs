//! Values, counters, arrays and queues in shared memory.

mod array;
mod board;
mod broadcast;
mod byte_queue;
mod cells;
mod counter;
mod latest;
mod queue;
mod queue_end;
mod service;
mod spsc;
mod task_queue;
mod value;

pub use array::{Array, ArrayGuard, ArrayIter, AtomicElement};
pub use broadcast::{Broadcast, Slow, Start, Subscriber};
pub use byte_queue::{ByteQueue, Grant, Message, ReadableBytes, WritableBytes};
pub use counter::{AtomicCounter, Counter, CounterGuard};
pub use latest::{Changed, Latest, Version};
pub use queue::{Drain, Iter, Queue, QueueStats, Readable, Writable};
pub use service::{Client, Pending, Request, Server, Service, ServiceOptions};
pub use spsc::{Consumer, Producer, ReadChunk, Spsc, WriteChunk};
pub use task_queue::{
    JoinableQueue, ReadableTasks, Redeliver, Task, TaskQueue, TaskQueueOptions, TaskQueueStats,
};
pub use value::{Value, ValueGuard};
