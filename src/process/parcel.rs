//! Values on their way to another process: serialised, with the segments that their handles need.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::segment::passing::{self, Passed};

/// A serialised value.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    pub(crate) bytes: Vec<u8>,
    pub(crate) segments: Vec<Passed>,
}

impl Parcel {
    /// Err says what cannot be serialised.
    pub(crate) fn pack<T: Serialize>(value: &T) -> Result<Self, String> {
        let (bytes, segments) = passing::pack(|| postcard::to_stdvec(value));
        bytes.map(|bytes| Self { bytes, segments }).map_err(|error| explain::<T>(&error))
    }

    /// Err says what cannot be deserialised.
    pub(crate) fn unpack<T: DeserializeOwned>(self) -> Result<T, String> {
        let Self { bytes, segments } = self;
        passing::unpack(segments, || postcard::from_bytes(&bytes))
            .map_err(|error| explain::<T>(&error))
    }
}

/// Postcard does not keep the texts of others' errors.
pub(crate) fn explain<T>(error: &postcard::Error) -> String {
    let what = passing::refusal().unwrap_or_else(|| error.to_string());
    format!("{}: {what}", std::any::type_name::<T>())
}
