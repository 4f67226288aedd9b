//! Pipes without a name, for this process and its children.

use std::process::Command;

use super::{Flow, Pipe};
use crate::error::PipeError;
use crate::segment::Segment;
use crate::segment::object::Mechanics;

/// The only object of a segment without a name.
const NAME: &str = "pipe";

/// For the segment's directory.
const PAGES: u64 = 4 * 4096;

/// A duplex pipe without a name, with `capacity` bytes of room in each direction (24 at the least), for
/// threads of this process and for the children that it is [passed to](Pipe::pass_to).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pipe = outlive::pipe(4096)?;
/// let theirs = pipe.clone();
/// let other = std::thread::spawn(move || {
///     let end = theirs.second().expect("the second end");
///     end.send_bytes(b"from another thread").expect("send");
/// });
/// assert_eq!(pipe.first()?.recv_bytes()?, b"from another thread");
/// # other.join().expect("join");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// See [`Segment::anonymous`] and [`Segment::create_object`].
pub fn pipe(capacity: usize) -> Result<Pipe, PipeError> {
    Pipe::anonymous(capacity, Flow::Duplex)
}

impl Pipe {
    /// A pipe as [`pipe`](fn@pipe) makes it, or one that is one-way.
    ///
    /// # Errors
    ///
    /// As for [`pipe`](fn@pipe).
    pub fn anonymous(capacity: usize, flow: Flow) -> Result<Self, PipeError> {
        // A capacity that cannot be is refused below, in the pipe's own words.
        let size = Self::size(&(capacity, flow)).unwrap_or_default();
        let segment = Segment::options().capacity(PAGES + size).anonymous()?;
        Ok(Self { alone: true, ..segment.create_object(NAME, (capacity, flow))? })
    }

    /// Lets the child that `command` will start have this pipe, as [`Pipe::inherited`]`(key)`, without a
    /// name that anyone else could open. For pipes that were made without a name; those in a segment go
    /// with it ([`Segment::pass_to`]).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pipe = outlive::pipe(1 << 16)?;
    /// let mut command = std::process::Command::new("worker");
    /// pipe.pass_to(&mut command, "talk")?;
    /// command.spawn()?; // in it: Pipe::inherited("talk")?.second()?
    /// let end = pipe.first()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Named`](PipeError::Named), and those of [`Segment::pass_to`].
    pub fn pass_to(&self, command: &mut Command, key: &str) -> Result<(), PipeError> {
        if !self.alone {
            return Err(PipeError::Named);
        }
        Ok(self.inner.segment().pass_to(command, key)?)
    }

    /// The pipe that this process's parent [passed](Self::pass_to) under that key.
    ///
    /// # Errors
    ///
    /// See [`Segment::inherited`] and [`Segment::find`].
    pub fn inherited(key: &str) -> Result<Self, PipeError> {
        let found: Self = Segment::inherited(key)?.find(NAME)?;
        Ok(Self { alone: true, ..found })
    }
}
