//! Pipes and Unix sockets: one system call for each message on each side.

// Adopts inherited descriptors by number.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::{Inbox, Outbox};
use crate::support::Result;

/// Both sides' ends, which children started while it exists inherit.
#[derive(Debug)]
pub(crate) struct Pairs {
    parent: (OwnedFd, OwnedFd),
    child: (OwnedFd, OwnedFd),
}

impl Pairs {
    /// A pipe for each direction.
    pub(crate) fn pipes() -> Result<Self> {
        let (parent_in, child_out) = nix::unistd::pipe()?;
        let (child_in, parent_out) = nix::unistd::pipe()?;
        Ok(Self { parent: (parent_in, parent_out), child: (child_in, child_out) })
    }

    /// One socket pair.
    pub(crate) fn sockets() -> Result<Self> {
        let mut fds = [0; 2];
        // SAFETY: room for two descriptors.
        let done =
            unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, fds.as_mut_ptr()) };
        if done != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        // SAFETY: both were just made for us.
        let [parent, child] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        let twice =
            |fd: OwnedFd| -> Result<(OwnedFd, OwnedFd)> { Ok((nix::unistd::dup(&fd)?, fd)) };
        Ok(Self { parent: twice(parent)?, child: twice(child)? })
    }

    /// What the parent reads from and writes to.
    pub(crate) fn parent(&self) -> (RawFd, RawFd) {
        (self.parent.0.as_raw_fd(), self.parent.1.as_raw_fd())
    }

    /// The same for the child.
    pub(crate) fn child(&self) -> (RawFd, RawFd) {
        (self.child.0.as_raw_fd(), self.child.1.as_raw_fd())
    }
}

/// A two-way link over two descriptors, which somebody else closes.
#[derive(Debug)]
pub(crate) struct Link {
    input: ManuallyDrop<File>,
    output: ManuallyDrop<File>,
}

impl Link {
    pub(crate) fn attach(descriptors: Option<(RawFd, RawFd)>) -> Result<Self> {
        let (input, output) = descriptors.ok_or("no descriptors were passed")?;
        // SAFETY: open in this process: `Pairs` keeps them so in the parent, inheritance in the
        // child. ManuallyDrop leaves closing them to their owner.
        let adopt = |fd| ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
        Ok(Self { input: adopt(input), output: adopt(output) })
    }
}

impl<const W: usize> Outbox<W> for Link {
    #[inline]
    fn send(&mut self, message: [u64; W]) -> Result<()> {
        Ok(self.output.write_all(bytemuck::bytes_of(&message))?)
    }
}

impl<const W: usize> Inbox<W> for Link {
    #[inline]
    fn receive(&mut self) -> Result<[u64; W]> {
        let mut message = [0; W];
        self.input.read_exact(bytemuck::bytes_of_mut(&mut message))?;
        Ok(message)
    }
}
