//! The kernel, one thin typed function per call. Nothing above this layer names libc, nix or a
//! system call.

#[cfg(feature = "process")]
pub(crate) mod birth;
#[cfg(feature = "process")]
pub(crate) mod channel;
#[cfg(not(loom))]
pub(crate) mod clock;
pub(crate) mod descriptor;
#[cfg(not(loom))]
pub(crate) mod futex;
pub(crate) mod hooks;
#[cfg(feature = "process")]
pub(crate) mod image;
pub(crate) mod mapping;
#[cfg(not(loom))]
pub(crate) mod membarrier;
#[cfg(feature = "async")]
pub(crate) mod per_process;
#[cfg_attr(loom, allow(dead_code))] // a model stands in for part of it
pub(crate) mod process;
#[cfg(not(loom))]
pub(crate) mod robust_list;
pub(crate) mod shm;
