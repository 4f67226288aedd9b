//! What a process and its starter say to each other: a job there, a reply back.
//!
//! A letter is one packet, so it arrives whole or not at all: a process that is killed has replied or
//! has not. Long ones are a file in memory, whose descriptor goes with the packet; neither side ever
//! waits for the other to read.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::parcel::Parcel;
use crate::error::{OsError, PanicLocation};
use crate::os::channel::{self, EBADMSG};
use crate::os::shm;
use crate::segment::passing::{Passed, Place};

/// What a new process is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// The function, by its entry's number, and by its name.
    pub(super) entry: u64,
    pub(super) function: String,
    /// The process's own name.
    pub(super) name: String,
    pub(super) daemon: bool,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Returned,
    Panicked {
        message: String,
        location: Option<PanicLocation>,
    },
    /// The function was not called.
    Arguments(String),
    /// It was, but its result cannot be passed on.
    Result(String),
}

/// A letter that has arrived.
#[derive(Debug)]
pub(super) struct Letter<H> {
    pub(super) head: H,
    /// Those that belong to the head.
    pub(super) descriptors: Vec<OwnedFd>,
    pub(super) parcel: Parcel,
}

/// The most segments that a parcel can have: one descriptor is for the file, one for the head.
pub(super) const SEGMENTS: usize = channel::DESCRIPTORS - 2;

/// Letters up to here are packets; packets have to fit into a socket's buffer.
const SHORT: usize = 32 << 10;

/// The start of every packet; changes with the format.
const MAGIC: u64 = u64::from_le_bytes(*b"outlive1");

/// Before the rest: the magic number, the token, and whether the rest is a file.
const FRONT: usize = 8 + 8 + 1;

/// What nobody but this library can have got wrong.
fn broken() -> OsError {
    OsError::new("recvmsg", EBADMSG).on("the channel between two processes")
}

/// Leaves a letter for the other end. `descriptors` belong to the head.
pub(super) fn send<H: Serialize>(
    end: BorrowedFd<'_>,
    token: u64,
    head: &H,
    descriptors: &[BorrowedFd<'_>],
    parcel: &Parcel,
) -> Result<(), OsError> {
    let places: Vec<&Place> = parcel.segments.iter().map(|segment| &segment.home).collect();
    let body = postcard::to_stdvec(&(head, places)).map_err(|_| broken())?;
    let long = body.len() + parcel.bytes.len() > SHORT;
    let mut packet = [MAGIC.to_le_bytes(), token.to_le_bytes()].concat();
    packet.push(long.into());
    let mut descriptors = descriptors.to_vec();
    descriptors.extend(parcel.segments.iter().map(|segment| segment.file.as_fd()));
    if !long {
        packet.extend(body);
        packet.extend(&parcel.bytes);
        return channel::send(end, &packet, &descriptors);
    }
    let file = File::from(shm::anonymous()?);
    let start = body.len() as u64;
    file.write_all_at(&body, 0)
        .and_then(|()| file.write_all_at(&parcel.bytes, start))
        .map_err(|error| failed("write", &error))?;
    descriptors.push(file.as_fd());
    channel::send(end, &packet, &descriptors)
}

/// Fetches a letter with so many descriptors that belong to the head. None if there is none.
pub(super) fn receive<H: DeserializeOwned>(
    end: BorrowedFd<'_>,
    token: u64,
    own: usize,
) -> Result<Option<Letter<H>>, OsError> {
    let Some((mut packet, mut descriptors)) = channel::receive(end, FRONT + SHORT)? else {
        return Ok(None);
    };
    let front: [u8; FRONT] = packet.first_chunk().copied().ok_or_else(broken)?;
    let expected = [MAGIC.to_le_bytes(), token.to_le_bytes()].concat();
    let (kept, long) = front.split_at(expected.len());
    if kept != expected {
        return Err(broken());
    }
    let mut body = packet.split_off(FRONT);
    if long == [1] {
        let file = File::from(descriptors.pop().ok_or_else(broken)?);
        let length = file.metadata().map_err(|error| failed("fstat", &error))?.len();
        body = vec![0; usize::try_from(length).map_err(|_| broken())?];
        file.read_exact_at(&mut body, 0).map_err(|error| failed("read", &error))?;
    }
    let ((head, places), rest) =
        postcard::take_from_bytes::<(H, Vec<Place>)>(&body).map_err(|_| broken())?;
    if descriptors.len() != own + places.len() {
        return Err(broken());
    }
    let bytes = rest.to_vec();
    let files = descriptors.split_off(own);
    let segments = files.into_iter().zip(places).map(|(file, home)| Passed { file, home });
    Ok(Some(Letter { head, descriptors, parcel: Parcel { bytes, segments: segments.collect() } }))
}

fn failed(call: &'static str, error: &std::io::Error) -> OsError {
    OsError::from_io(call, error)
}
