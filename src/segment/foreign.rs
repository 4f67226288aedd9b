//! A segment in memory that another library mapped.
//!
//! There is no file here whose lock would tell who is attached, and no name to publish: the memory
//! is there before the segment is. So the first one to come makes the segment, under the lock that
//! later guards the directory (all-zero memory is a free lock), and stores `ready` last. If it dies
//! before that, the next one starts over. Memory that was never a segment has to be zero throughout:
//! what another program keeps in it may well begin with zeros. As nobody can tell who uses an object, the memory of
//! removed objects is not reused.

use std::mem::offset_of;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::error::SegmentError;
use crate::layout::{FIRST_PAGE, FirstPage, Header, RobustNode};
use crate::os::{mapping, shm};
use crate::raw::deadline::Deadline;
use crate::raw::lock::Release;
use crate::seam::atomic::AtomicU64;
use crate::segment::attachment::{Attachment, Role};
use crate::segment::backing::Backing;
use crate::segment::header::{Fields, Lifetime, MINIMUM};

/// How long another process may take to make the segment.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes part in the segment in that memory, making it if the memory holds none.
pub(crate) fn attach(backing: Box<dyn Backing>) -> Result<Attachment, SegmentError> {
    let place = Path::new("the memory given");
    // Whole pages of it: what a header can say.
    let length = backing.length() as u64 / FIRST_PAGE * FIRST_PAGE;
    if length < MINIMUM {
        return Err(SegmentError::InvalidCapacity {
            capacity: backing.length() as u64,
            minimum: MINIMUM,
            maximum: shm::MAX_LENGTH,
        });
    }
    take(&*backing, place)?;
    let role = Role { writable: true, creator: false, ephemeral: false, home: None };
    let mut attachment = Attachment::of_backing(backing, role);
    attachment.creator = make_if_absent(&attachment, length, place)?;
    Ok(attachment)
}

/// Takes memory for all pages, so that a full file system is an error here and no SIGBUS later.
#[allow(unsafe_code)] // passes foreign memory on
fn take(backing: &dyn Backing, place: &Path) -> Result<(), SegmentError> {
    // SAFETY: `Backing` vouches for the range.
    match unsafe { mapping::populate_foreign(backing.base().as_ptr(), backing.length()) } {
        Err(error) if shm::is_no_space(&error) => {
            Err(SegmentError::NoSpace { path: place.to_owned(), needed: backing.length() as u64 })
        }
        other => other.map_err(Into::into),
    }
}

/// The words that an unfinished segment may have written: the header's fields, and the lock under
/// which they are.
fn is_written_first(offset: u64) -> bool {
    const FIELDS: u64 = offset_of!(Header, spare) as u64;
    const LOCK: u64 = offset_of!(Header, directory) as u64;
    offset < FIELDS || (LOCK..LOCK + size_of::<RobustNode>() as u64).contains(&offset)
}

/// Whether the memory is as a fresh or an unfinished segment has it.
fn is_fresh(attachment: &Attachment, fields: &Fields, length: u64) -> bool {
    let zero = |offset| {
        attachment.at::<AtomicU64>(offset).is_some_and(|word| word.load(Ordering::Relaxed) == 0)
    };
    fields.is_unfinished(&Fields::new(length, Lifetime::Persistent))
        && (0..length)
            .step_by(size_of::<u64>())
            .all(|offset| is_written_first(offset) || zero(offset))
}

/// True if this call made the segment.
fn make_if_absent(
    attachment: &Attachment,
    length: u64,
    place: &Path,
) -> Result<bool, SegmentError> {
    let corrupt = |what| SegmentError::Corrupt { segment: place.display().to_string(), what };
    let page =
        attachment.at::<FirstPage>(0).ok_or_else(|| corrupt("it is not aligned to 64 bytes"))?;
    let check = |fields: Fields| fields.check(place, length).map(drop);
    let fields = Fields::load(&page.header);
    if fields.is_ready() {
        return check(fields).map(|()| false);
    }
    // Somebody may make the segment, and objects in it, while this looks.
    if !is_fresh(attachment, &fields, length) && !Fields::load(&page.header).is_ready() {
        return Err(SegmentError::NotASegment {
            path: place.to_owned(),
            found: "it holds other data; a new segment needs zeroed memory",
        });
    }
    // A dead predecessor's work is done over.
    page.header
        .directory
        .lock(Deadline::after(PATIENCE))
        .map_err(|_| SegmentError::Busy { name: place.display().to_string() })?;
    page.header.directory.mark_consistent();
    let fields = Fields::load(&page.header);
    let made = !fields.is_ready();
    if made {
        Fields::new(length, Lifetime::Persistent).store(&page.header);
    }
    page.header.directory.unlock(Release::Clean);
    if made { Ok(true) } else { check(fields).map(|()| false) }
}
