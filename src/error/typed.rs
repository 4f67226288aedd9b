//! Errors of typed messages. `E` is the error of the queue or pipe that carries them.

use super::CallError;

/// Why a value was not sent as a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypedSendError<E> {
    /// The value's `Serialize` failed. Nothing was sent.
    #[error("a {type_name} cannot be made a message: {reason}")]
    Encode {
        /// The value's type.
        type_name: &'static str,
        /// What serde or the format said.
        reason: String,
    },
    /// It was not sent: too long, no room, or nobody there.
    #[error(transparent)]
    Send(#[from] E),
}

/// Why no value was received.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypedRecvError<E> {
    /// A message was received that is none of the type. It is handed back as it was.
    #[error("a message of {} bytes is no {type_name}: {reason}", bytes.len())]
    Decode {
        /// The type that was asked for.
        type_name: &'static str,
        /// What serde or the format said.
        reason: String,
        /// The message, which was taken.
        bytes: Vec<u8>,
    },
    /// Nothing was received.
    #[error(transparent)]
    Recv(#[from] E),
}

/// Why a call with values has no value for an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypedCallError {
    /// The request's `Serialize` failed. Nothing was sent.
    #[error("a {type_name} cannot be made a request: {reason}")]
    Encode {
        /// The request's type.
        type_name: &'static str,
        /// What serde or the format said.
        reason: String,
    },
    /// There was a reply, and it is none of the type. It is handed back as it was.
    #[error("a reply of {} bytes is no {type_name}: {reason}", bytes.len())]
    Decode {
        /// The type that was asked for.
        type_name: &'static str,
        /// What serde or the format said.
        reason: String,
        /// The reply.
        bytes: Vec<u8>,
    },
    /// There was no reply.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl From<TypedSendError<CallError>> for TypedCallError {
    fn from(error: TypedSendError<CallError>) -> Self {
        match error {
            TypedSendError::Encode { type_name, reason } => Self::Encode { type_name, reason },
            TypedSendError::Send(error) => Self::Call(error),
        }
    }
}

impl From<TypedRecvError<CallError>> for TypedCallError {
    fn from(error: TypedRecvError<CallError>) -> Self {
        match error {
            TypedRecvError::Decode { type_name, reason, bytes } => {
                Self::Decode { type_name, reason, bytes }
            }
            TypedRecvError::Recv(error) => Self::Call(error),
        }
    }
}

// By hand: a message may be long.
impl<E: std::fmt::Debug> std::fmt::Debug for TypedRecvError<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Decode { type_name, reason, bytes } => f
                .debug_struct("Decode")
                .field("type_name", type_name)
                .field("reason", reason)
                .field("length", &bytes.len())
                .finish_non_exhaustive(),
            Self::Recv(error) => f.debug_tuple("Recv").field(error).finish(),
        }
    }
}
