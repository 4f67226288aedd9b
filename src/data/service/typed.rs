//! Values as requests and replies.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, Request, Server};
use crate::data::typed;
use crate::error::{ReplyError, ServeError, TypedCallError, TypedRecvError, TypedSendError};

/// Typed calls (feature `serde`): values of any type that serde knows, in the compact postcard format.
impl Client {
    /// [`call`](Self::call) with a value, for a value.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use outlive::{Segment, ServiceOptions};
    ///
    /// let service = Segment::anonymous()?.service("sum", ServiceOptions::new(1000, 100))?;
    /// std::thread::scope(|scope| {
    ///     // As a rule, another process.
    ///     scope.spawn(|| {
    ///         let server = service.server().unwrap();
    ///         while let Ok((numbers, mut request)) = server.accept_typed::<Vec<f64>>() {
    ///             let _gone = request.reply_typed(&numbers.iter().sum::<f64>());
    ///         }
    ///     });
    ///     let sum: f64 = service.client()?.call_typed(&vec![1.5, 2.5])?;
    ///     assert_eq!(sum, 4.0);
    ///     service.close()?;
    ///     Ok::<(), Box<dyn std::error::Error>>(())
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Encode`](TypedCallError::Encode): the request cannot be serialised; nothing was sent.
    /// [`Decode`](TypedCallError::Decode): the reply is no `R`; it is handed back.
    /// [`Call`](TypedCallError::Call) with those of [`call`](Self::call).
    pub fn call_typed<Q: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        request: &Q,
    ) -> Result<R, TypedCallError> {
        let reply = self.call(&typed::encode(request)?)?;
        Ok(typed::decode_whole(reply)?)
    }

    /// [`call_typed`](Self::call_typed), sleeping for at most `timeout`, in all.
    ///
    /// # Errors
    ///
    /// Those of [`call_typed`](Self::call_typed), with those of [`call_timeout`](Self::call_timeout).
    pub fn call_typed_timeout<Q: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        request: &Q,
        timeout: Duration,
    ) -> Result<R, TypedCallError> {
        let reply = self.call_timeout(&typed::encode(request)?, timeout)?;
        Ok(typed::decode_whole(reply)?)
    }
}

/// Typed calls (feature `serde`), as those of a [`Client`].
impl Server {
    /// Accepts the oldest request, which is a value, sleeping until there is one.
    ///
    /// # Errors
    ///
    /// [`Decode`](TypedRecvError::Decode): the request is no `Q`. It was accepted, its client gets
    /// [`Unanswered`](crate::CallError::Unanswered) at once, and its bytes are handed back.
    /// [`Recv`](TypedRecvError::Recv) with those of [`accept`](Self::accept).
    pub fn accept_typed<Q: DeserializeOwned>(
        &self,
    ) -> Result<(Q, Request<'_>), TypedRecvError<ServeError>> {
        let request = self.accept()?;
        Ok((typed::decode_whole(request.to_vec())?, request))
    }

    /// [`accept_typed`](Self::accept_typed), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`accept_typed`](Self::accept_typed), with those of
    /// [`accept_timeout`](Self::accept_timeout).
    pub fn accept_typed_timeout<Q: DeserializeOwned>(
        &self,
        timeout: Duration,
    ) -> Result<(Q, Request<'_>), TypedRecvError<ServeError>> {
        let request = self.accept_timeout(timeout)?;
        Ok((typed::decode_whole(request.to_vec())?, request))
    }
}

/// Typed calls (feature `serde`), as those of a [`Client`].
impl Request<'_> {
    /// [`reply`](Self::reply) with a value.
    ///
    /// # Errors
    ///
    /// [`Encode`](TypedSendError::Encode): the value cannot be serialised; the request is still
    /// unanswered. [`Send`](TypedSendError::Send) with those of [`reply`](Self::reply).
    pub fn reply_typed<R: Serialize + ?Sized>(
        &mut self,
        reply: &R,
    ) -> Result<(), TypedSendError<ReplyError>> {
        let bytes = typed::encode(reply)?;
        Ok(self.reply(&bytes)?)
    }
}
