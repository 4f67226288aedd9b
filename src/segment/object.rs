//! What a named object is to the directory.

use std::fmt;

use crate::error::ObjectError;
use crate::segment::region::Extent;

/// A type of object that a segment can hold by name: `Value<T>`, `Mutex<T>`, `Queue<T>`, ...
///
/// Implemented by the types of this crate only.
pub trait Object: mechanics::Mechanics {}

impl<K: mechanics::Mechanics> Object for K {}

/// The kinds of objects. Their numbers are in segments: never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum ObjectKind {
    /// [`Mutex`](crate::Mutex)
    Mutex = 1,
    /// [`Value`](crate::Value)
    Value = 2,
    /// [`Counter`](crate::Counter)
    Counter = 3,
    /// [`AtomicCounter`](crate::AtomicCounter)
    AtomicCounter = 4,
    /// [`Array`](crate::Array)
    Array = 5,
    /// [`Queue`](crate::Queue)
    Queue = 6,
    /// [`Event`](crate::Event)
    Event = 7,
    /// [`ReentrantMutex`](crate::ReentrantMutex)
    ReentrantMutex = 8,
    /// [`RwLock`](crate::RwLock)
    RwLock = 9,
    /// [`Semaphore`](crate::Semaphore)
    Semaphore = 10,
    /// [`Condvar`](crate::Condvar)
    Condvar = 11,
    /// [`Barrier`](crate::Barrier)
    Barrier = 12,
    /// [`Once`](crate::Once)
    Once = 13,
    /// [`OnceValue`](crate::OnceValue)
    OnceValue = 14,
    /// [`Latest`](crate::Latest)
    Latest = 15,
    /// [`Spsc`](crate::Spsc)
    Spsc = 16,
    /// [`ByteQueue`](crate::ByteQueue)
    ByteQueue = 17,
    /// [`Broadcast`](crate::Broadcast)
    Broadcast = 18,
    /// [`LoanPool`](crate::LoanPool)
    LoanPool = 19,
    /// [`Pipe`](crate::Pipe)
    Pipe = 20,
    /// [`Listener`](crate::Listener)
    Listener = 21,
    /// [`Service`](crate::Service)
    Service = 22,
    /// [`TaskQueue`](crate::TaskQueue)
    TaskQueue = 23,
    /// [`Map`](crate::Map)
    Map = 24,
    /// [`List`](crate::List)
    List = 25,
    /// [`Namespace`](crate::Namespace)
    Namespace = 26,
}

impl ObjectKind {
    const ALL: [Self; 26] = [
        Self::Mutex,
        Self::Value,
        Self::Counter,
        Self::AtomicCounter,
        Self::Array,
        Self::Queue,
        Self::Event,
        Self::ReentrantMutex,
        Self::RwLock,
        Self::Semaphore,
        Self::Condvar,
        Self::Barrier,
        Self::Once,
        Self::OnceValue,
        Self::Latest,
        Self::Spsc,
        Self::ByteQueue,
        Self::Broadcast,
        Self::LoanPool,
        Self::Pipe,
        Self::Listener,
        Self::Service,
        Self::TaskQueue,
        Self::Map,
        Self::List,
        Self::Namespace,
    ];

    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == number)
    }
}

/// One entry of a segment's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// The name it was created under.
    pub name: String,
    /// What it is; None for a kind that this version does not know.
    pub kind: Option<ObjectKind>,
    /// Its full type, such as `Value<i32>`.
    pub type_name: String,
    /// Its memory in bytes, book-keeping included.
    pub size: u64,
}

/// How the directory makes objects. Public only because [`Object`] rests on it; the module is not.
#[allow(unreachable_pub)] // a sealed trait's parts are as public as the trait and out of reach
pub mod mechanics {
    use super::{Extent, ObjectKind, fmt};

    /// The parts of an object type that the directory calls.
    #[allow(private_interfaces)] // sealed: nobody outside sees these types
    pub trait Mechanics: Sized {
        /// What a new object is made from.
        type Init;

        /// The kind, as the directory stores it.
        const KIND: ObjectKind;
        /// The structure of what it holds.
        const TYPE_TAG: u64;

        /// The type for messages: `Value<i32>`.
        fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result;

        /// How many bytes an object takes; Err says what is wrong with `init`.
        fn size(init: &Self::Init) -> Result<u64, &'static str>;

        /// How many of them have memory from the start; the object sees to the rest.
        fn memory(_init: &Self::Init, size: u64) -> u64 {
            size
        }

        /// Fills memory that nobody else sees yet and whose content is not known.
        fn initialise(extent: &Extent, init: Self::Init) -> Option<()>;

        /// Makes a handle of memory that holds such an object, or says what is wrong with it.
        fn attach(extent: &Extent) -> Result<Self, &'static str>;

        /// Whether an existing object has the shape that `init` asks for.
        fn fits(&self, init: &Self::Init) -> Result<(), Misfit>;
    }

    /// What an existing object has otherwise: name of the property, as found, as asked for.
    pub type Misfit = (&'static str, u64, u64);
}

pub(crate) use mechanics::{Mechanics, Misfit};

/// The type of `K` in words.
pub(crate) fn type_name<K: Mechanics>() -> String {
    struct Describe<K>(std::marker::PhantomData<K>);
    impl<K: Mechanics> fmt::Display for Describe<K> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            K::describe(f)
        }
    }
    Describe::<K>(std::marker::PhantomData).to_string()
}

/// An error about the object of that name.
pub(crate) fn corrupt(name: &str, what: &'static str) -> ObjectError {
    ObjectError::Corrupt { name: name.to_owned(), what }
}
