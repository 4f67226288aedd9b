//! Packets with descriptors between two processes: unix(7), SOCK_SEQPACKET. A packet arrives whole or
//! not at all.
#![allow(unsafe_code)] // takes over descriptors by their numbers

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    self, AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
};

use crate::error::OsError;

/// The most descriptors that go with a packet.
pub(crate) const DESCRIPTORS: usize = 253;

/// What was received cannot be.
pub(crate) use libc::EBADMSG;
/// Nobody will fetch it.
pub(crate) use libc::EPIPE;

fn failed(call: &'static str) -> impl Fn(Errno) -> OsError {
    move |errno| OsError::new(call, errno as i32)
}

/// Two ends: socketpair(2).
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), OsError> {
    let (kind, flags) = (SockType::SeqPacket, SockFlag::SOCK_CLOEXEC);
    socket::socketpair(AddressFamily::Unix, kind, None, flags).map_err(failed("socketpair"))
}

/// Leaves a packet for the other end, without waiting: sendmsg(2). EPIPE if nobody will fetch it.
pub(crate) fn send(
    end: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), OsError> {
    let descriptors: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let rights = if descriptors.is_empty() { &[][..] } else { &rights[..] };
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    loop {
        match socket::sendmsg::<()>(end.as_raw_fd(), &[IoSlice::new(bytes)], rights, flags, None) {
            // Told once if the other end left packets unread; what it is comes next.
            Err(Errno::EINTR | Errno::ECONNRESET) => {}
            other => return other.map(drop).map_err(failed("sendmsg")),
        }
    }
}

/// What a packet holds.
pub(crate) type Packet = (Vec<u8>, Vec<OwnedFd>);

/// Fetches a packet that is there, of at most so many bytes: recvmsg(2). None if there is none.
pub(crate) fn receive(end: BorrowedFd<'_>, most: usize) -> Result<Option<Packet>, OsError> {
    let mut bytes = vec![0; most];
    let mut room = cmsg_space!([i32; DESCRIPTORS]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let received = loop {
        match socket::recvmsg::<()>(end.as_raw_fd(), &mut slices, Some(&mut room), flags) {
            // As above: what it has sent is there.
            Err(Errno::EINTR | Errno::ECONNRESET) => {}
            Err(Errno::EAGAIN) => return Ok(None),
            other => break other.map_err(failed("recvmsg"))?,
        }
    };
    let mut descriptors = Vec::new();
    for message in received.cmsgs().map_err(failed("recvmsg"))? {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            // SAFETY: the kernel made these for this process just now, and nobody else owns them.
            let owned = numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) });
            descriptors.extend(owned);
        }
    }
    let (length, flags) = (received.bytes, received.flags);
    if flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC) {
        // This process has no room for more descriptors, or the packet is none of ours.
        return Err(OsError::new("recvmsg", libc::EMFILE));
    }
    bytes.truncate(length);
    Ok((length > 0).then_some((bytes, descriptors)))
}

/// Whether an error of [`send`] is that there is no room for now.
pub(crate) fn is_full(error: &OsError) -> bool {
    matches!(error.errno(), libc::EAGAIN | libc::ETOOMANYREFS)
}

/// Waits until the other end has fetched something, or is gone; for at most 100 ms: poll(2).
pub(crate) fn await_room(end: BorrowedFd<'_>) -> Result<(), OsError> {
    let mut asked = libc::pollfd { fd: end.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one pollfd, which outlives the call.
    if unsafe { libc::poll(&raw mut asked, 1, 100) } == -1 {
        let error = OsError::last("poll");
        return if error.errno() == libc::EINTR { Ok(()) } else { Err(error) };
    }
    Ok(())
}

/// Whether the other end is gone, for good: poll(2).
pub(crate) fn is_over(end: BorrowedFd<'_>) -> bool {
    let mut asked = libc::pollfd { fd: end.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, which outlives the call.
    let ready = unsafe { libc::poll(&raw mut asked, 1, 0) };
    ready == 1 && asked.revents & libc::POLLHUP != 0
}
