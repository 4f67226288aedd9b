//! Attributes of any serde type, in the postcard format.
//!
//! The format does not say what type its bytes are of, so the type's name is kept and compared, without
//! the modules that the type and its parameters are in: programs that were compiled apart may have them
//! elsewhere.

use postcard::ser_flavors::Size;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::attribute::Attribute;
use super::{Namespace, replace};
use crate::error::NamespaceError;
use crate::shared::__private::Tag;

/// `alloc::vec::Vec<a::b::C>` is `Vec<C>`.
fn without_modules(name: &str) -> String {
    let mut short = String::with_capacity(name.len());
    for part in name.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
        short.push_str(part.rsplit("::").next().unwrap_or_default());
    }
    short
}

/// How messages name it, beside [`Shared`](crate::Shared) types of the same name.
fn type_name<T: ?Sized>() -> String {
    format!("serde {}", without_modules(std::any::type_name::<T>()))
}

const fn tag(name: &str) -> u64 {
    Tag::new("serde").text(name).finish()
}

impl<const SIZE: usize> Attribute<SIZE> {
    fn encode<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<Self, NamespaceError> {
        let failed = |error: postcard::Error| NamespaceError::Encode {
            name: name.to_owned(),
            type_name: std::any::type_name::<T>(),
            reason: error.to_string(),
        };
        let size = postcard::serialize_with_flavor(value, Size::default()).map_err(failed)?;
        if size > SIZE {
            let name = name.to_owned();
            return Err(NamespaceError::TooLarge { name, size, limit: SIZE });
        }
        // A value that is another one the second time has too little room, or less in it.
        let mut bytes = [0; SIZE];
        let bytes = postcard::to_slice(value, &mut bytes).map_err(failed)?;
        let of_type = type_name::<T>();
        Self::new(name, tag(&of_type), &of_type, bytes)
    }

    fn decode<T: DeserializeOwned>(&self, name: &str) -> Result<T, NamespaceError> {
        let of_type = type_name::<T>();
        let bytes = self.bytes(name, tag(&of_type), || of_type.clone())?;
        let reason = match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => return Ok(value),
            Ok((_, rest)) => format!("{} bytes are left over", rest.len()),
            Err(error) => error.to_string(),
        };
        let type_name = std::any::type_name::<T>();
        Err(NamespaceError::Decode { name: name.to_owned(), type_name, reason })
    }
}

/// Values of any serde type (feature `serde`), stored in the postcard format. They are recognised by their
/// type's name, without its modules, and are not those of [`set`](Self::set) and [`get`](Self::get), even
/// if the type is the same.
impl<const SIZE: usize> Namespace<SIZE> {
    /// Sets an attribute, whatever it was before.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let state = outlive::Segment::anonymous()?.namespace::<1000>("state", 10)?;
    /// state.set_typed("hosts", &vec!["a.example".to_owned()])?;
    /// state.update_typed("hosts", |hosts: &mut Vec<String>| hosts.push("b.example".to_owned()))?;
    /// let hosts: Vec<String> = state.get_typed("hosts")?;
    /// assert_eq!(hosts, ["a.example", "b.example"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Encode`](NamespaceError::Encode), and those of [`set`](Self::set).
    pub fn set_typed<T: Serialize>(&self, name: &str, value: &T) -> Result<(), NamespaceError> {
        self.store(name, Attribute::encode(name, value)?)
    }

    /// The value of an attribute. Takes no lock, as [`get`](Self::get).
    ///
    /// # Errors
    ///
    /// [`Decode`](NamespaceError::Decode), and those of [`get`](Self::get).
    pub fn get_typed<T: DeserializeOwned>(&self, name: &str) -> Result<T, NamespaceError> {
        self.load(name)?.decode(name)
    }

    /// Changes the value of an attribute as a whole, and returns what `change` does. A panic in it leaves
    /// the old value.
    ///
    /// # Errors
    ///
    /// As [`get_typed`](Self::get_typed), and `change` was not called then;
    /// [`Encode`](NamespaceError::Encode) and [`TooLarge`](NamespaceError::TooLarge), and the old value
    /// stays.
    pub fn update_typed<T: Serialize + DeserializeOwned, R>(
        &self,
        name: &str,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, NamespaceError> {
        let (entry, found) = self.entry(name)?;
        let mut value = found.decode(name)?;
        let result = change(&mut value);
        replace(entry, name, Attribute::encode(name, &value)?)?;
        Ok(result)
    }
}
