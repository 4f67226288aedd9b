//! Values, counters, arrays, lists, maps and queues in shared memory.

mod array;
mod attempt;
mod board;
mod broadcast;
mod byte_queue;
mod cells;
mod counter;
mod latest;
mod list;
mod listener;
mod loans;
mod map;
mod namespace;
mod overtaken;
mod pipe;
mod queue;
mod queue_end;
mod service;
mod spsc;
#[cfg(feature = "stream")]
mod stream;
mod task_queue;
#[cfg(feature = "serde")]
mod typed;
mod value;

pub use array::{Array, ArrayGuard, ArrayIter, AtomicElement};
pub use broadcast::{Broadcast, Slow, Start, Subscriber};
pub use byte_queue::{ByteQueue, Grant, Message, ReadableBytes, WritableBytes};
pub use counter::{AtomicCounter, Counter, CounterGuard};
pub use latest::{Changed, Latest, Version};
pub use list::{List, ListGuard, ListIter};
pub use listener::{Acceptor, Listener, ListenerOptions};
pub use loans::{Content, Loan, LoanHandle, LoanPool, LoanStats, Loaned, PoolLayout};
pub use map::{Entry, Map, MapIter};
pub use namespace::Namespace;
pub use pipe::{Flow, Pipe, PipeEnd, PipeWritable, Side, pipe};
pub use queue::{Drain, Iter, OnDeath, Queue, QueueStats, Readable, Writable};
pub use service::{Client, Pending, Request, Server, Service, ServiceOptions};
pub use spsc::{Consumer, Producer, ReadChunk, Spsc, WriteChunk};
#[cfg(feature = "stream")]
pub use stream::{Messages, Pushing};
pub use task_queue::{
    JoinableQueue, ReadableTasks, Redeliver, Task, TaskQueue, TaskQueueOptions, TaskQueueStats,
};
pub use value::{Value, ValueGuard};
