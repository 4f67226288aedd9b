//! A segment in memory that another library mapped.
//!
//! There is no file here whose lock would tell who is attached, and no name to publish: the memory
//! is there before the segment is. So the first one to come makes the segment, under the lock that
//! later guards the directory (all-zero memory is a free lock), and stores `ready` last. If it dies
//! before that, the next one starts over. As nobody can tell who uses an object, the memory of
//! removed objects is not reused.

use std::path::Path;
use std::time::Duration;

use crate::error::SegmentError;
use crate::layout::{FIRST_PAGE, FirstPage};
use crate::raw::deadline::Deadline;
use crate::raw::lock::Release;
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
            maximum: crate::os::shm::MAX_LENGTH,
        });
    }
    let role = Role { writable: true, creator: false, ephemeral: false, home: None };
    let mut attachment = Attachment::of_backing(backing, role);
    attachment.creator = make_if_absent(&attachment, length, place)?;
    Ok(attachment)
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
    if !fields.is_unwritten() {
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
