//! Values as messages of a pipe.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::end::PipeEnd;
use crate::data::typed;
use crate::error::{PipeRecvError, PipeSendError, TypedRecvError, TypedSendError};

/// Typed messages (feature `serde`): values of any type that serde knows, in the compact postcard
/// format, as those of a [`ByteQueue`](crate::ByteQueue) are.
impl PipeEnd {
    /// Sends a value as a message, sleeping while there is too little room.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pipe = outlive::pipe(4096)?;
    /// let (first, second) = (pipe.first()?, pipe.second()?);
    /// first.send(&("sum", vec![1.5, 2.5]))?;
    /// let (what, numbers): (String, Vec<f64>) = second.recv()?;
    /// assert_eq!(what, "sum");
    /// second.send(&numbers.iter().sum::<f64>())?;
    /// assert_eq!(first.recv::<f64>()?, 4.0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Encode`](TypedSendError::Encode): the value cannot be serialised.
    /// [`Send`](TypedSendError::Send) with those of [`send_bytes`](Self::send_bytes);
    /// [`TooLong`](PipeSendError::TooLong) before anything is written.
    pub fn send<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<(), TypedSendError<PipeSendError>> {
        typed::send(value, |length| self.grant(length))
    }

    /// [`send`](Self::send), if there is room.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), with those of [`try_send_bytes`](Self::try_send_bytes).
    pub fn try_send<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<(), TypedSendError<PipeSendError>> {
        typed::send(value, |length| self.try_grant(length))
    }

    /// [`send`](Self::send), sleeping for at most `timeout` while there is too little room.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), with those of
    /// [`send_bytes_timeout`](Self::send_bytes_timeout).
    pub fn send_timeout<T: Serialize + ?Sized>(
        &self,
        value: &T,
        timeout: Duration,
    ) -> Result<(), TypedSendError<PipeSendError>> {
        typed::send(value, |length| self.grant_timeout(length, timeout))
    }

    /// Receives a value, sleeping until there is a message.
    ///
    /// # Errors
    ///
    /// [`Decode`](TypedRecvError::Decode): the message is no such value. It was taken, and is handed
    /// back. [`Recv`](TypedRecvError::Recv) with those of [`recv_bytes`](Self::recv_bytes).
    pub fn recv<T: DeserializeOwned>(&self) -> Result<T, TypedRecvError<PipeRecvError>> {
        let message = self.next_until(self.forever())?;
        typed::decode(message, self.skip.take())
    }

    /// [`recv`](Self::recv), if there is a message.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv), with those of [`try_recv_bytes`](Self::try_recv_bytes).
    pub fn try_recv<T: DeserializeOwned>(&self) -> Result<T, TypedRecvError<PipeRecvError>> {
        let message = self.next_at_once()?;
        typed::decode(message, self.skip.take())
    }

    /// [`recv`](Self::recv), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv), with those of
    /// [`recv_bytes_timeout`](Self::recv_bytes_timeout).
    pub fn recv_timeout<T: DeserializeOwned>(
        &self,
        timeout: Duration,
    ) -> Result<T, TypedRecvError<PipeRecvError>> {
        let message = self.next_until(self.within(timeout))?;
        typed::decode(message, self.skip.take())
    }
}
