//! Handles on their way to another process, as arguments or results of a function there.
//!
//! A handle is written as the number of a segment among those that go along, the object's entry, and
//! the entry's generation. A segment goes along as a descriptor. Its open file description is a new
//! one, which is attached to the segment and pins the objects (`os::shm`). The kernel keeps those locks
//! wherever the description is: here, on its way, or there. So the sender may drop its own handles as
//! soon as it has sent, and whoever dies when, nothing is reclaimed that is still on its way, and nothing
//! stays that is not. Nor does it matter what became of the segment's or the object's name.
//!
//! Serialisation has no way to carry descriptors: they are collected in, and taken from, a list of the
//! thread that is there while [`pack`] and [`unpack`] run.

use std::cell::RefCell;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::error::OsError;
use crate::layout::Plain;
use crate::os::shm;
use crate::raw::waiting::Waiting;
use crate::segment::attachment::{Attachment, Home};
use crate::segment::directory::Directory;
use crate::segment::object::Mechanics;
use crate::segment::region::Located;
use crate::segment::{Segment, open};

/// A segment on its way.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) file: OwnedFd,
    pub(crate) home: Place,
}

/// The name and the path of a segment that has them.
pub(crate) type Place = Option<(String, Vec<u8>)>;

#[derive(Debug)]
enum Arrival {
    /// A moment only, while it becomes the latter.
    Nothing,
    New(Passed),
    Attached(Segment),
}

#[derive(Debug, Default)]
enum Context {
    #[default]
    None,
    Packing(Vec<(Arc<Attachment>, OwnedFd)>),
    Unpacking(Vec<Arrival>),
}

thread_local! {
    static CONTEXT: RefCell<Context> = const { RefCell::new(Context::None) };
    /// What was wrong with a handle: not every serialiser keeps the text of an error.
    static REFUSAL: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What was wrong with a handle since the last call, if anything was.
pub(crate) fn refusal() -> Option<String> {
    REFUSAL.take()
}

fn refused(what: impl std::fmt::Display) -> String {
    let what = what.to_string();
    REFUSAL.set(Some(what.clone()));
    what
}

/// Puts the context back that was there before, also after a panic.
struct Within(Context);

impl Within {
    fn new(context: Context) -> Self {
        Self(CONTEXT.replace(context))
    }

    fn end(mut self) -> Context {
        let before = std::mem::take(&mut self.0);
        std::mem::forget(self);
        CONTEXT.replace(before)
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        CONTEXT.set(std::mem::take(&mut self.0));
    }
}

/// Serialises something, and returns the segments that its handles need.
pub(crate) fn pack<R>(inside: impl FnOnce() -> R) -> (R, Vec<Passed>) {
    let within = Within::new(Context::Packing(Vec::new()));
    let result = inside();
    let Context::Packing(packed) = within.end() else { return (result, Vec::new()) };
    let passed = packed.into_iter().map(|(attachment, file)| {
        let home = attachment.home.as_ref();
        let home = home.map(|home| (home.name.clone(), home.path.as_os_str().as_bytes().to_vec()));
        Passed { file, home }
    });
    (result, passed.collect())
}

/// Deserialises something with the segments that came along.
pub(crate) fn unpack<R>(arrived: Vec<Passed>, inside: impl FnOnce() -> R) -> R {
    let _within = Within::new(Context::Unpacking(arrived.into_iter().map(Arrival::New).collect()));
    inside()
}

/// A handle in serialised form.
#[derive(Serialize, Deserialize)]
struct Ticket {
    segment: u32,
    /// The entry and its generation; None for the segment itself.
    object: Option<(u32, u64)>,
    waiting: Waiting,
}

const NOT_HERE: &str = "a handle of a shared object can be serialised and deserialised only as an \
                        argument or a result of a process";

/// The number of a segment among those that go along, and something to do with its descriptor.
fn board(
    attachment: &Arc<Attachment>,
    then: impl FnOnce(&OwnedFd) -> Result<(), OsError>,
) -> Result<u32, String> {
    CONTEXT.with_borrow_mut(|context| {
        let Context::Packing(packed) = context else { return Err(NOT_HERE.to_owned()) };
        let known = packed.iter().position(|(other, _)| Arc::ptr_eq(other, attachment));
        let index = match known {
            Some(index) => index,
            None => {
                let file = attachment.file().ok_or(
                    "a segment in memory of another library has no file that could be passed on",
                )?;
                let file = describe(attachment, file).map_err(|error| error.to_string())?;
                packed.push((Arc::clone(attachment), file));
                packed.len() - 1
            }
        };
        if let Some((_, file)) = packed.get(index) {
            then(file).map_err(|error| error.to_string())?;
        }
        u32::try_from(index).map_err(|_| "too many segments".to_owned())
    })
}

/// A description of its own, which is attached.
fn describe(
    attachment: &Attachment,
    file: std::os::fd::BorrowedFd<'_>,
) -> Result<OwnedFd, OsError> {
    let own = shm::reopen(file, attachment.writable)?;
    // Nobody holds it alone: this process is attached as well.
    shm::try_hold(own.as_fd(), shm::Hold::Shared)?;
    Ok(own)
}

pub(crate) fn serialize<L: Plain, S: Serializer>(
    located: &Located<L>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let anchor = located.anchor();
    let (attachment, index) = (anchor.attachment(), anchor.index());
    let generation = Directory::of(attachment).generation(index);
    let generation = generation.map_err(refused).map_err(ser::Error::custom)?;
    let segment = board(attachment, |file| shm::pin(file.as_fd(), index));
    let segment = segment.map_err(refused).map_err(ser::Error::custom)?;
    let ticket = Ticket { segment, object: Some((index, generation)), waiting: located.waiting };
    ticket.serialize(serializer)
}

/// The segment that came along under that number.
fn arrival(number: u32) -> Result<Segment, String> {
    CONTEXT.with_borrow_mut(|context| {
        let Context::Unpacking(arrived) = context else { return Err(NOT_HERE.to_owned()) };
        let missing = || "a handle of a segment that did not come along".to_owned();
        let place = arrived.get_mut(number as usize).ok_or_else(missing)?;
        let segment = match std::mem::replace(place, Arrival::Nothing) {
            Arrival::Attached(segment) => segment,
            Arrival::New(Passed { file, home }) => {
                let path = |bytes| PathBuf::from(OsString::from_vec(bytes));
                let home = home.map(|(name, bytes)| Home { name, path: path(bytes) });
                open::passed(file, home).map_err(|error| error.to_string())?
            }
            Arrival::Nothing => return Err(missing()),
        };
        *place = Arrival::Attached(segment.clone());
        Ok(segment)
    })
}

/// The handle, and how it waited where it came from.
pub(crate) fn deserialize<'de, K: Mechanics, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<(K, Waiting), D::Error> {
    let ticket = Ticket::deserialize(deserializer)?;
    let (index, generation) =
        ticket.object.ok_or_else(|| de::Error::custom("a segment where an object was expected"))?;
    let segment = arrival(ticket.segment).map_err(refused).map_err(de::Error::custom)?;
    let handle = Directory::of(&segment.attachment).open_at(index, generation);
    Ok((handle.map_err(refused).map_err(de::Error::custom)?, ticket.waiting))
}

/// Makes a handle, of which that field is a `Located`, an argument and a result of processes.
macro_rules! passes {
    ($handle:ident $(<$($type:ident),+>)?, $($field:ident).+) => {
        /// As an argument or a result of a [`Process`](crate::process::Process), and nowhere else.
        impl $(<$($type: $crate::Shared),+>)? serde::Serialize for $handle $(<$($type),+>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::segment::passing::serialize(&self.$($field).+, serializer)
            }
        }

        /// As an argument or a result of a [`Process`](crate::process::Process), and nowhere else.
        impl<'de $($(, $type: $crate::Shared)+)?> serde::Deserialize<'de> for $handle $(<$($type),+>)? {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let (mut handle, waiting): (Self, _) =
                    $crate::segment::passing::deserialize(from)?;
                handle.$($field).+.waiting = waiting;
                Ok(handle)
            }
        }
    };
}
pub(crate) use passes;

/// As an argument or a result of a [`Process`](crate::process::Process), and nowhere else.
impl Serialize for Segment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let segment = board(&self.attachment, |_| Ok(())).map_err(refused);
        let segment = segment.map_err(ser::Error::custom)?;
        Ticket { segment, object: None, waiting: Waiting::default() }.serialize(serializer)
    }
}

/// A segment that came along, and is only attached if it is needed.
#[derive(Debug)]
pub(crate) struct Unopened(u32);

impl Unopened {
    /// While what came along is [unpacked](unpack).
    pub(crate) fn open(self) -> Result<Segment, String> {
        arrival(self.0).map_err(refused)
    }
}

impl<'de> Deserialize<'de> for Unopened {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Ticket::deserialize(deserializer)?.segment))
    }
}

/// As an argument or a result of a [`Process`](crate::process::Process), and nowhere else.
impl<'de> Deserialize<'de> for Segment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ticket = Ticket::deserialize(deserializer)?;
        if ticket.object.is_some() {
            return Err(de::Error::custom("an object where a segment was expected"));
        }
        arrival(ticket.segment).map_err(refused).map_err(de::Error::custom)
    }
}
