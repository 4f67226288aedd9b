//! `Namespace`: attributes found by their name, each of a type of its own.
//!
//! A [`Map`] from names to cells of one size: the table of its words and of what a death leaves behind is
//! that of `data::map`. A cell holds the value's bytes together with the tag and the name of its type
//! (`attribute`), and is replaced as a whole: nobody finds a value under another one's type.

mod attribute;
#[cfg(feature = "serde")]
mod typed;

use std::fmt;

use crate::error::{InsertError, LockError, NamespaceError, ObjectError};
use crate::raw::waiting::Waiting;
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::Extent;
use crate::shared::{__private::Tag, Shared};
use crate::text::Text;

use super::map::{Entry, Map};
use attribute::Attribute;

/// Attributes that are found by their name and have a type each, in any number of processes at once.
/// Opened by name: [`Segment::namespace`](crate::Segment::namespace). `SIZE` is how many bytes there are
/// for the value of each, at most 65535.
///
/// ```
/// use outlive::{Namespace, NamespaceError, Segment, Text};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let segment = Segment::anonymous()?;
/// let settings: Namespace = segment.namespace("settings", 100)?;
///
/// settings.set("threshold", &0.5_f64)?;
/// settings.set("runs", &0_u32)?;
/// settings.set("owner", &Text::<40>::new("Zoë")?)?;
///
/// settings.update("runs", |runs: &mut u32| *runs += 1)?; // whole or not at all
/// assert_eq!(settings.get::<u32>("runs")?, 1);
/// assert_eq!(settings.names()?, ["owner", "runs", "threshold"]);
///
/// // What it is not, it is not taken for.
/// let wrong = settings.get::<u64>("threshold");
/// assert!(matches!(wrong, Err(NamespaceError::TypeMismatch { .. })));
/// # Ok(())
/// # }
/// ```
///
/// With feature `serde`, `set_typed`, `get_typed` and `update_typed` do the same with values of any serde
/// type, strings and vectors included, as long as they take no more than `SIZE` bytes.
///
/// What is handed out are copies. Each reading and writing copies all of an attribute's `SIZE` bytes: large
/// things are better off as objects of their own.
///
/// # Crash behaviour
///
/// Each attribute is whole, old or new, value and type together: setting, changing or removing one takes
/// effect with one store. As with [`Map`](crate::Map), nobody waits for the dead, and there is no error to
/// handle.
///
/// # Memory ordering
///
/// What was written before a change is seen by whoever reads the changed attribute.
pub struct Namespace<const SIZE: usize = 64> {
    map: Map<Name, Attribute<SIZE>>,
}

/// The most bytes of a name.
const NAME: usize = 62;

type Name = Text<NAME>;

impl<const SIZE: usize> Clone for Namespace<SIZE> {
    fn clone(&self) -> Self {
        Self { map: self.map.clone() }
    }
}

impl<const SIZE: usize> fmt::Debug for Namespace<SIZE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace").field("place", &self.map.inner).finish_non_exhaustive()
    }
}

const INVALID: LockError = LockError::Corrupt { what: "an attribute's value" };

/// All operations return [`NameTooLong`](NamespaceError::NameTooLong) for a name of more than 62 bytes, and
/// [`Corrupt`](LockError::Corrupt) if bytes in the segment cannot be. Those that write also return
/// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks), and
/// [`Deadlock`](LockError::Deadlock) if called from within an [`update`](Self::update). Nothing was changed
/// then.
impl<const SIZE: usize> Namespace<SIZE> {
    /// Sets an attribute, whatever it was before.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](NamespaceError::TooLarge); [`Full`](NamespaceError::Full), only for a name that is not
    /// there; and those of all operations.
    pub fn set<T: Shared>(&self, name: &str, value: &T) -> Result<(), NamespaceError> {
        self.store(name, Attribute::of(name, value)?)
    }

    /// The value of an attribute. Takes no lock, and waits for nobody; only if others change the namespace
    /// faster than it can be read, it takes a lock for once.
    ///
    /// # Errors
    ///
    /// [`NotFound`](NamespaceError::NotFound), [`TypeMismatch`](NamespaceError::TypeMismatch), and those of
    /// all operations.
    pub fn get<T: Shared>(&self, name: &str) -> Result<T, NamespaceError> {
        self.load(name)?.value(name)
    }

    /// The value of an attribute, which is set to `default` if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`set`](Self::set).
    pub fn get_or_set<T: Shared>(&self, name: &str, default: &T) -> Result<T, NamespaceError> {
        let key = key(name)?;
        let default = Attribute::of(name, default)?;
        let found = self.map.get_or_insert_with(key, || default);
        found.map_err(|error| not_inserted(name, error))?.value(name)
    }

    /// Changes the value of an attribute as a whole, and returns what `change` does. A panic in it leaves
    /// the old value.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); `change` was not called then.
    pub fn update<T: Shared, R>(
        &self,
        name: &str,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, NamespaceError> {
        let (entry, found) = self.entry(name)?;
        let mut value = found.value(name)?;
        let result = change(&mut value);
        replace(entry, name, Attribute::of(name, &value)?)?;
        Ok(result)
    }

    /// Removes an attribute, of whatever type; false if there is none.
    ///
    /// # Errors
    ///
    /// Those of all operations.
    pub fn remove(&self, name: &str) -> Result<bool, NamespaceError> {
        Ok(self.map.remove(&key(name)?)?.is_some())
    }

    /// Whether there is an attribute of that name.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn contains(&self, name: &str) -> Result<bool, NamespaceError> {
        Ok(self.map.contains_key(&key(name)?)?)
    }

    /// The names of all attributes, in their order. One that is there all the time is among them; one that
    /// others set for the first time or remove meanwhile may be.
    ///
    /// # Errors
    ///
    /// Those of all operations.
    pub fn names(&self) -> Result<Vec<String>, NamespaceError> {
        let names = self.map.keys().map(|name| name.map(|name| name.to_string()));
        let mut names = names.collect::<Result<Vec<_>, _>>()?;
        names.sort();
        Ok(names)
    }

    /// How many attributes there are. One that is set for the first time or removed at the moment may count
    /// or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// How many attributes there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.map.capacity()
    }

    /// Removes all attributes, each by itself: those that others set meanwhile may stay.
    ///
    /// # Errors
    ///
    /// Those of all operations.
    pub fn clear(&self) -> Result<(), NamespaceError> {
        Ok(self.map.clear()?)
    }

    /// This handle, waiting in another manner. Clones of it wait as it does; other handles of the same
    /// object are not concerned.
    #[must_use]
    pub fn with_waiting(self, waiting: Waiting) -> Self {
        Self { map: self.map.with_waiting(waiting) }
    }

    fn load(&self, name: &str) -> Result<Attribute<SIZE>, NamespaceError> {
        self.map.get(&key(name)?)?.ok_or_else(|| not_found(name))
    }

    fn store(&self, name: &str, attribute: Attribute<SIZE>) -> Result<(), NamespaceError> {
        let before = self.map.insert(key(name)?, attribute);
        before.map(drop).map_err(|error| not_inserted(name, error))
    }

    /// The place of an attribute that there is, locked.
    #[allow(clippy::type_complexity)] // the place, and what is there
    fn entry(
        &self,
        name: &str,
    ) -> Result<(Entry<'_, Name, Attribute<SIZE>>, Attribute<SIZE>), NamespaceError> {
        let entry = self.map.entry(key(name)?)?;
        let found = entry.get().ok_or_else(|| not_found(name))?;
        Ok((entry, found))
    }
}

fn replace<const SIZE: usize>(
    mut entry: Entry<'_, Name, Attribute<SIZE>>,
    name: &str,
    attribute: Attribute<SIZE>,
) -> Result<(), NamespaceError> {
    match entry.insert(attribute) {
        // In the child of a process that forked in `change`: the change is the parent's.
        Ok(_) | Err(InsertError::Lock { error: LockError::WouldBlock, .. }) => Ok(()),
        Err(error) => Err(not_inserted(name, error)),
    }
}

fn key(name: &str) -> Result<Name, NamespaceError> {
    let too_long = |_| NamespaceError::NameTooLong { name: name.to_owned(), limit: NAME };
    Text::new(name).map_err(too_long)
}

fn not_found(name: &str) -> NamespaceError {
    NamespaceError::NotFound { name: name.to_owned() }
}

fn not_inserted<V>(name: &str, error: InsertError<V>) -> NamespaceError {
    match error {
        InsertError::Full(_) => NamespaceError::Full { name: name.to_owned() },
        InsertError::NoSpace { cause, .. } => LockError::Os(cause).into(),
        InsertError::Lock { error, .. } => error.into(),
    }
}

impl Segment {
    /// The [`Namespace`] of that name, created empty for `capacity` attributes if there is none. Its `SIZE`
    /// is 64 bytes each where the handle's type does not say another: `segment.namespace::<1000>(..)`.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn namespace<const SIZE: usize>(
        &self,
        name: &str,
        capacity: usize,
    ) -> Result<Namespace<SIZE>, ObjectError> {
        self.find_or_create(name, capacity)
    }
}

#[allow(private_interfaces)] // sealed
impl<const SIZE: usize> Mechanics for Namespace<SIZE> {
    type Init = usize;

    const KIND: ObjectKind = ObjectKind::Namespace;
    const TYPE_TAG: u64 =
        Tag::new("namespace").number(<Map<Name, Attribute<SIZE>>>::TYPE_TAG as u128).finish();

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace<{SIZE}>")
    }

    fn size(&capacity: &usize) -> Result<u64, &'static str> {
        if capacity == 0 {
            return Err("a namespace needs room for at least one attribute");
        }
        <Map<Name, Attribute<SIZE>>>::size(&(capacity, capacity))
    }

    fn initialise(extent: &Extent, capacity: usize) -> Option<()> {
        <Map<Name, Attribute<SIZE>>>::initialise(extent, (capacity, capacity))
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        Ok(Self { map: Map::attach(extent)? })
    }

    fn fits(&self, &capacity: &usize) -> Result<(), Misfit> {
        self.map.fits(&(capacity, capacity))
    }
}

/// As an argument or a result of a [`Process`](crate::process::Process), and nowhere else.
#[cfg(feature = "process")]
impl<const SIZE: usize> serde::Serialize for Namespace<SIZE> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::segment::passing::serialize(&self.map.inner, serializer)
    }
}

/// As an argument or a result of a [`Process`](crate::process::Process), and nowhere else.
#[cfg(feature = "process")]
impl<'de, const SIZE: usize> serde::Deserialize<'de> for Namespace<SIZE> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (handle, waiting): (Self, _) = crate::segment::passing::deserialize(from)?;
        Ok(handle.with_waiting(waiting))
    }
}
