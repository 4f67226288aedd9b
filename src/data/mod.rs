//! Values, counters, arrays and queues in shared memory.

mod array;
mod counter;
mod queue;
mod value;

pub use array::{Array, ArrayGuard, ArrayIter, AtomicElement};
pub use counter::{AtomicCounter, Counter, CounterGuard};
pub use queue::{Drain, Iter, Queue, QueueStats};
pub use value::{Value, ValueGuard};
