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
    let length =
        postcard::serialize_with_flavor(value, Size::default()).map_err(no_message::<T, _>)?;
    let mut grant = grant(length).map_err(TypedSendError::Send)?;
    // A value that is another one the second time has too little room, or less in it.
    let used = postcard::to_slice(value, &mut grant).map_err(no_message::<T, _>)?.len();
    grant.commit_part(used);
    Ok(())
}

fn no_message<T: ?Sized, E>(error: postcard::Error) -> TypedSendError<E> {
    TypedSendError::Encode { type_name: std::any::type_name::<T>(), reason: error.to_string() }
}

/// A value as bytes.
pub(super) fn encode<T: Serialize + ?Sized, E>(value: &T) -> Result<Vec<u8>, TypedSendError<E>> {
    postcard::to_stdvec(value).map_err(no_message::<T, _>)
}

/// The value that these bytes are, all of them.
pub(super) fn decode_whole<T: DeserializeOwned, E>(bytes: Vec<u8>) -> Result<T, TypedRecvError<E>> {
    value(&bytes).map_err(|reason| TypedRecvError::Decode {
        type_name: std::any::type_name::<T>(),
        reason,
        bytes,
    })
}

fn value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("{} bytes are left over", rest.len())),
        Err(error) => Err(error.to_string()),
    }
}

/// The value of a message, whose bytes from `skip` on it is.
pub(super) fn decode<T: DeserializeOwned, E>(
    message: Message<'_>,
    skip: usize,
) -> Result<T, TypedRecvError<E>> {
    let bytes = message.get(skip..).unwrap_or_default();
    let value = value(bytes).map_err(|reason| TypedRecvError::Decode {
        type_name: std::any::type_name::<T>(),
        reason,
        bytes: bytes.to_vec(),
    });
    message.release();
    value
}
