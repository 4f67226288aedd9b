//! Values as messages, through serde, in the postcard format.
//!
//! A value is serialised twice: to learn how long it is, before any room is taken, and into that room.
//! It is deserialised where it lies. What a message's bytes say is not trusted: they are a value of the
//! type, all of them, or an error.

use postcard::ser_flavors::Size;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::byte_queue::{Grant, Message};
use crate::error::{TypedRecvError, TypedSendError};

/// Sends a value in the room that `grant` finds for so many bytes.
pub(super) fn send<'a, T: Serialize + ?Sized, E>(
    value: &T,
    grant: impl FnOnce(usize) -> Result<Grant<'a>, E>,
) -> Result<(), TypedSendError<E>> {
    let encode = |error: postcard::Error| TypedSendError::Encode {
        type_name: std::any::type_name::<T>(),
        reason: error.to_string(),
    };
    let length = postcard::serialize_with_flavor(value, Size::default()).map_err(encode)?;
    let mut grant = grant(length).map_err(TypedSendError::Send)?;
    // A value that is another one the second time has too little room, or less in it.
    let used = postcard::to_slice(value, &mut grant).map_err(encode)?.len();
    grant.commit_part(used);
    Ok(())
}

/// The value of a message, whose bytes from `skip` on it is.
pub(super) fn decode<T: DeserializeOwned, E>(
    message: Message<'_>,
    skip: usize,
) -> Result<T, TypedRecvError<E>> {
    let bytes = message.get(skip..).unwrap_or_default();
    let reason = match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => {
            message.release();
            return Ok(value);
        }
        Ok((_, rest)) => format!("{} bytes are left over", rest.len()),
        Err(error) => error.to_string(),
    };
    let bytes = bytes.to_vec();
    message.release();
    Err(TypedRecvError::Decode { type_name: std::any::type_name::<T>(), reason, bytes })
}
