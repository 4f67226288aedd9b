//! Shared-memory IPC primitives for Linux that outlive any process.
//!
//! Named segments host locks, counters, values, arrays, lists, maps and queues. Processes that were started
//! independently open them by name and share them at memory speed. Kill any process at any
//! instruction, and the others carry on: nobody hangs, nothing committed is lost, nothing
//! half-written is read as whole, and nothing leaks.
//!
//! ```
//! use outlive::Segment;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let name = format!("doc-crate-{}", std::process::id());
//! # let name = name.as_str();
//! // In any number of programs, started in any order:
//! let segment = Segment::open_or_create(name)?;
//! let hits = segment.value::<i64>("hits", 0)?;
//! hits.update(|n| *n += 1)?;
//! println!("{} hits so far", hits.get()?);
//! # Ok(())
//! # }
//! ```
//!
//! | you want | use |
//! |---|---|
//! | memory that processes share by name | [`Segment`] |
//! | a value that changes as a whole or not at all | [`Value`] |
//! | data that are changed in place, with a say when a holder died | [`Mutex`] |
//! | the same, for many who read it at once | [`RwLock`] |
//! | a mutex that its holder may lock again | [`ReentrantMutex`] |
//! | a number that everybody counts up | [`AtomicCounter`], [`Counter`] |
//! | many elements | [`Array`] |
//! | elements that are inserted and removed | [`List`] |
//! | entries found by their key, strings included | [`Map`], with [`Text`] and [`Bytes`] |
//! | named attributes, each of a type of its own | [`Namespace`] |
//! | to hand messages on | [`Queue`] |
//! | the same, where each message is a task that somebody has to finish | [`TaskQueue`] |
//! | the same from one to one, as fast as can be | [`Spsc`] |
//! | to hand on messages of any length, in place if they are long | [`ByteQueue`] |
//! | to hand on large things without copying them | [`LoanPool`] |
//! | to be asked and to answer | [`Service`] |
//! | messages that everybody gets who subscribes | [`Broadcast`] |
//! | to talk with one other, and hear when it is gone | [`Pipe`], [`pipe()`](fn@pipe) |
//! | such a pipe with whoever asks for one | [`Listener`] |
//! | the last state of something, for readers that nobody holds up | [`Latest`] |
//! | to wait for something to happen | [`Event`] |
//! | to wait for the first of several things, files and children included | [`wait_any`], [`Bridge`] |
//! | the same in a task, with any runtime | `wait_async`, `Queue::pop_async`, ...: feature `async` |
//! | at most so many at a time | [`Semaphore`] |
//! | to wait for one another | [`Barrier`] |
//! | to wait for data under a mutex to change | [`Condvar`] |
//! | something done once for all, a value made once | [`Once`], [`OnceValue`] |
//! | a function in a process of its own | `process::Process` (feature `process`) |
//! | many calls of functions, done by a few processes | `process::Pool` (feature `process`) |
//! | types of your own in all of these | [`#[derive(Shared)]`](derive@Shared) |
//!
//! Each type's `# Crash behaviour` says what the others see when a process that uses it is killed.
//!
//! # Handles
//!
//! Handles own what they need: they are `'static`, `Clone`, `Send` and `Sync`, keep their segment
//! mapped, and may be used after a fork. Guards borrow their handle and belong to the thread that
//! locked.
//!
//! # Features
//!
//! | feature | gives |
//! |---|---|
//! | `shared_memory` | `Segment::in_shmem`: a segment in an existing `shared_memory::Shmem` |
//! | `raw_sync` | `compat::RobustEvent`: `raw_sync`'s event traits on a robust event |
//! | `process` | `process`: functions in processes of their own, with typed arguments and results; handles as arguments |
//! | `async` | `pop_async` and its like for all that waits, and `wait_async`: in tasks, with any runtime |
//! | `stream` | `Queue::stream`, `Queue::sink` and so on: `Stream` and `Sink` of `futures` |
//! | `lock_api` | `compat::RawMutex`: `lock_api`'s mutex traits on a robust mutex |
//! | `serde` | `send` and `recv` of [`ByteQueue`] and [`PipeEnd`], `set_typed` and its like of [`Namespace`]: values of any serde type |
//!
//! # Platform
//!
//! Linux 5.16 or newer is what this was made for (older kernels work, with slower wake-ups), 64-bit,
//! glibc: locks join glibc's list of robust mutexes.
//!
//! # Trust
//!
//! Bytes in a segment are checked before use: a damaged or hostile one yields errors.
//! [`SegmentOptions::mode`] says who may read a segment and who may write to it.
//!
//! Who may write to a segment can of course destroy its data, and more:
//!
//! * It can take away memory that others have mapped, and whoever touches such a page ends with
//!   SIGBUS: by cutting the file short (an anonymous segment is sealed against that), and, on a full
//!   file system, by punching holes into it or by naming ranges for objects to which memory was never
//!   given. The kernel has no protection against that for a file with a name.
//! * The guard of a [`Mutex`] or an [`RwLock`] is a reference into shared memory, whose bytes were
//!   checked when it was locked. To change them without the lock is undefined behaviour in the process
//!   that holds it. The same is true of messages in place: [`WriteChunk`], [`ReadChunk`], [`Grant`],
//!   [`Message`], [`Loan`] and [`Loaned`].
//!   [`Value`], [`Counter`], [`Array`], [`List`], [`Map`] and [`Queue`] copy, check the copy, and have no such hole.
//!
//! Who may only read it counts as attached for as long as it likes: an ephemeral segment stays, and so
//! does the memory of removed objects. It can wake sleepers for nothing. It cannot keep others from
//! opening, using or removing a segment.

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("outlive is for 64-bit Linux");

#[cfg(any(feature = "shared_memory", feature = "raw_sync", feature = "lock_api"))]
pub mod compat;
// What the derive writes names the crate.
extern crate self as outlive;

mod data;
mod error;
mod layout;
#[cfg(loom)]
mod model;
mod os;
#[cfg(feature = "process")]
pub mod process;
mod raw;
mod seam;
mod segment;
mod shared;
mod sync;
mod text;

pub use data::{
    Acceptor, Array, ArrayGuard, ArrayIter, AtomicCounter, AtomicElement, Broadcast, ByteQueue,
    Changed, Client, Consumer, Content, Counter, CounterGuard, Drain, Entry, Flow, Grant, Iter,
    JoinableQueue, Latest, List, ListGuard, ListIter, Listener, ListenerOptions, Loan, LoanHandle,
    LoanPool, LoanStats, Loaned, Map, MapIter, Message, Namespace, OnDeath, Pending, Pipe, PipeEnd,
    PipeWritable, PoolLayout, Producer, Queue, QueueStats, ReadChunk, Readable, ReadableBytes,
    ReadableTasks, Redeliver, Request, Server, Service, ServiceOptions, Side, Slow, Spsc, Start,
    Subscriber, Task, TaskQueue, TaskQueueOptions, TaskQueueStats, Value, ValueGuard, Version,
    Writable, WritableBytes, WriteChunk, pipe,
};
pub use error::{
    AcceptError, ArrayError, BarrierError, BytePushError, CallError, ConnectError, Holder,
    InsertError, ListError, ListInsertError, ListenError, LoanError, LockError, NamespaceError,
    ObjectError, OsError, PipeError, PipeRecvError, PipeSendError, PopError, PushError,
    ReceiveError, RecvError, ReplyError, RoleError, SegmentError, SemaphoreError, ServeError,
    ServiceError, SetError, SubscribeError, TaskJoinError, WaitError,
};
#[cfg(feature = "serde")]
pub use error::{TypedCallError, TypedRecvError, TypedSendError};
pub use outlive_derive::Shared;
#[cfg(feature = "process")]
pub use process::{Pool, Process};
pub use raw::waiting::Waiting;
pub use segment::{Backing, Object, ObjectInfo, ObjectKind, Segment, SegmentOptions};
#[doc(hidden)]
pub use shared::__private;
pub use shared::Shared;
pub use sync::{
    Available, Barrier, BarrierWaitResult, Bridge, ChildProcess, Condvar, ConvertError, Event,
    Mutex, MutexGuard, Once, OnceValue, Permit, ReentrantMutex, ReentrantMutexGuard, Reset, RwLock,
    RwLockReadGuard, RwLockUpgradableGuard, RwLockWriteGuard, Semaphore, WaitTimeoutResult,
    Waitable, wait_any, wait_some,
};
pub use text::{Bytes, Text, TooLong};

#[cfg(feature = "stream")]
pub use data::{Messages, Pushing};
#[cfg(feature = "async")]
pub use sync::wait_async;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
