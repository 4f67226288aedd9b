//! The errors of every family: what happened, to which object, and what to do about it.

mod array;
mod broadcast;
mod list;
mod loans;
mod lock;
mod map;
mod namespace;
mod object;
mod os;
mod pipe;
#[cfg(feature = "process")]
mod pool;
#[cfg(feature = "process")]
mod process;
mod queue;
mod segment;
mod service;
mod sync;
mod task;
#[cfg(feature = "serde")]
mod typed;

pub use array::ArrayError;
pub use broadcast::{RecvError, SubscribeError};
pub use list::{ListError, ListInsertError};
pub use loans::{LoanError, ReceiveError};
pub use lock::{Holder, LockError};
pub use map::InsertError;
pub use namespace::NamespaceError;
pub use object::ObjectError;
pub use os::OsError;
pub use pipe::{AcceptError, ConnectError, ListenError, PipeError, PipeRecvError, PipeSendError};
#[cfg(feature = "process")]
pub use pool::{PoolError, TaskError, WorkerEnd};
#[cfg(feature = "process")]
pub use process::{JoinError, PanicLocation, ScopeError, StartError};
pub use queue::{BytePushError, PopError, PushError, RoleError};
pub use segment::SegmentError;
pub use service::{CallError, ReplyError, ServeError, ServiceError};
pub use sync::{BarrierError, SemaphoreError, SetError, WaitError};
pub use task::TaskJoinError;
#[cfg(feature = "serde")]
pub use typed::{TypedCallError, TypedRecvError, TypedSendError};
