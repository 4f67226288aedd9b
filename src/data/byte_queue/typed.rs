//! Values as messages of a byte queue.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ByteQueue;
use crate::data::typed;
use crate::error::{BytePushError, PopError, TypedRecvError, TypedSendError};

/// Typed messages (feature `serde`): values of any type that serde knows, strings, vectors, maps and
/// enums included, in the compact postcard format. It is written where it will be read, and read from
/// there.
///
/// The format holds no names and no types: sender and receiver have to mean the same type, built from
/// the same definition. A message that is none of the receiver's type is an error, and so are bytes
/// that are left over; one that happens to be one as well is not noticed.
///
/// A value's size is that of its data, a byte or more for each number and each length; it may be as
/// long as [`max_message`](Self::max_message) says. `Serialize` and `Deserialize` run with the lock of
/// the sending or the receiving side: others of that side wait meanwhile, and an implementation that
/// uses the same side of the same queue gets [`Deadlock`](crate::LockError::Deadlock). One that panics
/// has sent nothing, or leaves the message in the queue.
impl ByteQueue {
    /// Appends a value as a message, sleeping while there is too little room.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, PartialEq, Debug)]
    /// enum Job {
    ///     Resize { file: String, width: u32 },
    ///     Stop,
    /// }
    ///
    /// let jobs = outlive::Segment::anonymous()?.byte_queue("jobs", 4096)?;
    /// jobs.send(&Job::Resize { file: "a.png".into(), width: 64 })?;
    /// jobs.send(&Job::Stop)?;
    /// assert_eq!(jobs.recv::<Job>()?, Job::Resize { file: "a.png".into(), width: 64 });
    /// assert_eq!(jobs.recv::<Job>()?, Job::Stop);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Encode`](TypedSendError::Encode): the value cannot be serialised.
    /// [`Send`](TypedSendError::Send) with those of [`push`](Self::push);
    /// [`TooLong`](BytePushError::TooLong) before anything is written.
    pub fn send<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<(), TypedSendError<BytePushError>> {
        typed::send(value, |length| self.grant(length))
    }

    /// [`send`](Self::send), if there is room.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), with those of [`try_push`](Self::try_push).
    pub fn try_send<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<(), TypedSendError<BytePushError>> {
        typed::send(value, |length| self.try_grant(length))
    }

    /// [`send`](Self::send), sleeping for at most `timeout` while there is too little room.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), with those of [`push_timeout`](Self::push_timeout).
    pub fn send_timeout<T: Serialize + ?Sized>(
        &self,
        value: &T,
        timeout: Duration,
    ) -> Result<(), TypedSendError<BytePushError>> {
        typed::send(value, |length| self.grant_timeout(length, timeout))
    }

    /// Takes the oldest message as a value, sleeping while the queue is empty.
    ///
    /// # Errors
    ///
    /// [`Decode`](TypedRecvError::Decode): it is no such value. It was taken, and is handed back.
    /// [`Recv`](TypedRecvError::Recv) with those of [`pop`](Self::pop).
    pub fn recv<T: DeserializeOwned>(&self) -> Result<T, TypedRecvError<PopError>> {
        typed::decode(self.read()?, 0)
    }

    /// [`recv`](Self::recv), if there is a message.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv), with those of [`try_pop`](Self::try_pop).
    pub fn try_recv<T: DeserializeOwned>(&self) -> Result<T, TypedRecvError<PopError>> {
        typed::decode(self.try_read()?, 0)
    }

    /// [`recv`](Self::recv), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv), with those of [`pop_timeout`](Self::pop_timeout).
    pub fn recv_timeout<T: DeserializeOwned>(
        &self,
        timeout: Duration,
    ) -> Result<T, TypedRecvError<PopError>> {
        typed::decode(self.read_timeout(timeout)?, 0)
    }
}
